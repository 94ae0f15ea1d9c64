"""The named grids of ``robust-ts bench``: what is run, as data."""

from dataclasses import replace
from typing import Any

from robust_ts.evaluation.benchmark import DEFENSES, GRID_TRIGGERS, Grid
from robust_ts.evaluation.variants import ABLATION, SENSITIVITY, SENSITIVITY_COMMON

#: Small networks, one setting for each backbone.
SMALL: dict[str, dict[str, Any]] = {
    "cnn": {"backbone_params": {"filters": [32, 64, 32]}, "learning_rate": 3e-3},
    "inception": {"backbone_params": {"filters": 8, "bottleneck": 8, "depth": 3}},
    "resnet": {"backbone_params": {"filters": [16, 32, 32]}},
    "image_cnn": {"backbone_params": {"filters": [16, 32, 32]}, "learning_rate": 3e-3},
}
_SMALL_SETS = ("ItalyPowerDemand", "JapaneseVowels", "SyntheticControl", "PowerCons", "NATOPS")
_SETS = (*_SMALL_SETS, "MedicalImages", "PenDigits", "Crop")
_CHECK_SETS = (
    *("Epilepsy", "ArticularyWordRecognition", "SwedishLeaf", "TwoPatterns", "ECG5000"),
    *("ElectricDevices", "CricketX"),
)

#: Public sets whose target class holds a tenth of the series, which clean label at 10% takes.
_CLEAN_LABEL_SETS = (*_SMALL_SETS, "PenDigits", "Epilepsy", "TwoPatterns", "ECG5000")

#: Small sets of more than two classes, of both halves.
_SOME_SETS = ("JapaneseVowels", "SyntheticControl", "NATOPS", "PenDigits", "Epilepsy", "CricketX")

#: Sets that the method met late; four of them are bundled in sktime.
_HELD_OUT_SETS = (
    *("GunPoint", "BasicMotions", "ArrowHead", "OSULeaf"),
    *("SpSwHAR_phone", "PhalangesOutlinesCorrect"),
)

_SMALL_NETWORKS: dict[str, Any] = {
    "defenses": ("undefended", "e2abl"),
    "max_train": 600,
    "settings": SMALL,
}

#: Grids of series. ``smoke`` takes minutes with bundled data alone. ``public`` is an overnight on
#: two cores: small networks, at most 600 training series; ``development`` and ``check`` are the
#: halves of its sets, and ``public-...`` what else is asked of them, with one seed. ``held-out``
#: are other sets, kept from most decisions; the docs say what they changed. ``full-size`` are
#: four sets of all their series, up to 60,000. ``full`` is for a card: all series, networks of the
#: usual size, everything at once.
SERIES_GRIDS: dict[str, Grid] = {
    "smoke": Grid(
        ("ItalyPowerDemand", "JapaneseVowels"), triggers=("patch", "noise"), settings=SMALL
    ),
    "development": Grid(_SETS, rates=(0.0, 0.05, 0.1), seeds=(0, 1, 2), **_SMALL_NETWORKS),
    "check": Grid(_CHECK_SETS, rates=(0.0, 0.05, 0.1), seeds=(0, 1, 2), **_SMALL_NETWORKS),
    "held-out": Grid(_HELD_OUT_SETS, **_SMALL_NETWORKS),
    "public": Grid(_SETS + _CHECK_SETS, rates=(0.0, 0.05, 0.1), seeds=(0, 1, 2), **_SMALL_NETWORKS),
    "public-rivals": Grid(_SETS + _CHECK_SETS, **{**_SMALL_NETWORKS, "defenses": DEFENSES}),
    "public-one-percent": Grid(_SETS + _CHECK_SETS, rates=(0.01,), **_SMALL_NETWORKS),
    "public-networks": Grid(_SMALL_SETS, backbones=("inception", "resnet"), **_SMALL_NETWORKS),
    "public-all-to-all": Grid(
        _SETS + _CHECK_SETS, rates=(0.1,), modes=("all-to-all",), **_SMALL_NETWORKS
    ),
    "public-clean-label": Grid(
        _CLEAN_LABEL_SETS, rates=(0.1,), modes=("clean",), **_SMALL_NETWORKS
    ),
    # A tenth of the samples together, each trigger with a target of its own.
    "public-two-targets": Grid(
        _SOME_SETS, triggers=("patch+noise", "blend+sine"), rates=(0.1,), **_SMALL_NETWORKS
    ),
    "public-one-channel": Grid(
        ("JapaneseVowels", "NATOPS", "Epilepsy", "ArticularyWordRecognition"),
        triggers=tuple(f"{name}@0" for name in GRID_TRIGGERS),
        rates=(0.1,),
        **_SMALL_NETWORKS,
    ),
    "public-sample-specific": Grid(
        _SOME_SETS, triggers=("warp", "filter", "frequency"), rates=(0.1,), **_SMALL_NETWORKS
    ),
    "full-size": Grid(
        ("ElectricDevices", "Crop", "PenDigits", "MNIST_rows"),
        triggers=("patch", "noise"),
        **{**_SMALL_NETWORKS, "max_train": None},
    ),
    "full": Grid(
        _SETS + _CHECK_SETS,
        rates=(0.0, 0.01, 0.05, 0.1),
        modes=("dirty", "all-to-all"),
        backbones=("cnn", "inception", "resnet"),
        seeds=(0, 1, 2, 3, 4),
    ),
}


def _images(datasets: tuple[str, ...], **changes: Any) -> Grid:
    """Make a grid for a CPU: a small network, BadNets and at most 2000 images unless changed."""
    common: dict[str, Any] = {
        "triggers": ("badnets",),
        "rates": (0.1,),
        "backbones": ("image_cnn",),
        "defenses": ("undefended", "abl", "e2abl"),
        "seeds": (0, 1, 2),
        "max_train": 2000,
        "settings": SMALL,
    }
    return Grid(datasets, **{**common, **changes})


#: WRN-16-1 on all of CIFAR-10: short enough for a card to do three seeds in minutes.
_HEADLINE: dict[str, Any] = {
    "epochs": 40,
    "batch_size": 256,
    "learning_rate": 1e-2,
    "augment": "crop+flip",
}

#: Grids of images. All but the last two, which are for a card, are for a CPU and can share one
#: file of rows.
IMAGE_GRIDS: dict[str, Grid] = {
    "images": _images(
        ("digits", "MNIST"),
        triggers=(
            *("badnets", "checkerboard", "image_blend", "image_sine", "watermark", "wanet"),
            "input_aware",
        ),
    ),
    "images-badnets": _images(("MNIST",)),
    "images-unpoisoned": _images(("digits", "MNIST", "CIFAR10"), rates=(0.0,)),
    "images-rates": _images(("MNIST",), rates=(0.005, 0.01, 0.05, 0.1, 0.2, 0.5)),
    # Half of the target class keeps its label; with and without the perturbation, and the sine,
    # whose authors attack in this way.
    "images-clean-label": _images(
        ("digits", "MNIST"),
        triggers=("badnets", "image_sine", "label_consistent"),
        modes=("clean",),
        rates=(0.05,),
    ),
    "images-all-to-all": _images(("digits", "MNIST"), modes=("all-to-all",)),
    "images-cifar10": _images(("CIFAR10",)),
    "images-headline": _images(
        ("CIFAR10",),
        backbones=("wide_resnet",),
        max_train=None,
        settings={"wide_resnet": _HEADLINE},
    ),
    # Two fifths of it, in larger batches: three seeds of all defenses in the time that one takes.
    "images-card": _images(
        ("CIFAR10",),
        backbones=("wide_resnet",),
        max_train=20_000,
        settings={"wide_resnet": {**_HEADLINE, "batch_size": 512, "learning_rate": 2e-2}},
    ),
}

#: Many fits: at most 300 series, two fifths of the usual epochs.
_STUDY = Grid(
    ("JapaneseVowels", "MedicalImages", "PowerCons"),
    triggers=("patch", "blend"),
    rates=(0.0, 0.1),
    max_train=300,
    settings={"cnn": {**SMALL["cnn"], "epochs": 40}},
)

#: The method with each stage left out, and with each constant halved and doubled; the one that
#: only attacks on every class come to with those.
STUDY_GRIDS: dict[str, Grid] = {
    "ablation": replace(_STUDY, defenses=("undefended", *ABLATION)),
    "sensitivity": replace(_STUDY, defenses=("undefended", *SENSITIVITY)),
    "sensitivity-common": Grid(
        _SOME_SETS,
        triggers=("patch", "noise"),
        rates=(0.0, 0.1),
        modes=("all-to-all",),
        **{**_SMALL_NETWORKS, "defenses": ("undefended", *SENSITIVITY_COMMON)},
    ),
}

GRIDS: dict[str, Grid] = {**SERIES_GRIDS, **IMAGE_GRIDS}
