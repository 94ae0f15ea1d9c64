"""The demonstration: a real set, a real attack, three ways of training on it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from robust_ts.evaluation.experiment import make_experiment
from robust_ts.evaluation.plots import plot_defense
from robust_ts.evaluation.tables import markdown_table

DATASET, TRIGGER, RATE = "JapaneseVowels", "patch", 0.1


def run_demo(
    output: str | Path = "demo_output",
    *,
    seed: int = 0,
    trigger: str = TRIGGER,
    backbone: Any = "inception",
    epochs: int | None = None,
    say: Callable[[str], object] | None = None,
) -> list[dict[str, Any]]:
    """Poison JapaneseVowels and train without a defense, with ABL and with E2ABL.

    Parameters
    ----------
    output : path, default="demo_output"
        Folder for ``defense.png`` and ``report.csv``; made where missing.
    seed : int, default=0
        Moves the networks, the trigger and the choice of poisoned samples.
    trigger : str, default="patch"
        Name of a trigger, see :data:`robust_ts.attacks.TRIGGERS`.
    backbone : str, default="inception"
        Backbone of all classifiers.
    epochs : int, default=None
        Epochs of all classifiers; None is the classifiers' own default.
    say : callable, default=None
        Receives each line of text; None writes to the standard output.

    Returns
    -------
    list of dict
        The rows of the table: one for each way of training.
    """
    from robust_ts import ABLClassifier, E2ABLClassifier, NeuralClassifier

    say = say or _write
    experiment = make_experiment(DATASET, trigger, rate=RATE, seed=seed)
    n_poisoned = int(experiment.poisoned.mask.sum())
    say(
        f"{DATASET}: {len(experiment.y_train)} training series, {n_poisoned} of them poisoned with "
        f"trigger '{trigger}' (target class {experiment.target}), seed {seed}, {backbone}.\n"
    )
    settings: dict[str, Any] = {"backbone": backbone, "epochs": epochs, "random_state": seed}
    say("training on clean data, as the reference ...")
    reference = experiment.measure(NeuralClassifier(**settings), on_clean=True)
    natural = reference["attack_success_rate"]
    rows = [_row("clean-trained", reference, natural)]
    rates = {}
    classifiers = {
        "undefended": NeuralClassifier(**settings),
        "ABL": ABLClassifier(**settings),
        "E2ABL": E2ABLClassifier(**settings),
    }
    for name, classifier in classifiers.items():
        say(f"training on poisoned data: {name} ...")
        result = experiment.measure(classifier)
        rates[name] = result["attack_success_rate"]
        rows.append(_row(name, result, natural))
    say("\n" + markdown_table(rows) + "\n")
    e2abl = classifiers["E2ABL"]
    say(e2abl.report_.summary())
    say(
        f"Against the truth: precision {result['precision']:.1%}, recall {result['recall']:.1%}, "
        f"recovered labels right {result['recovered_label_accuracy']:.1%}."
    )
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    figure = plot_defense(
        e2abl.ledger_.losses("main"),
        e2abl.ledger_.losses("auxiliary"),
        experiment.poisoned.mask,
        rates,
        natural,
    )
    figure.savefig(folder / "defense.png", dpi=130)
    e2abl.report_.to_frame().to_csv(folder / "report.csv", index_label="sample")
    say(f"\nWritten: {folder / 'defense.png'} and {folder / 'report.csv'}")
    return rows


def _row(name: str, result: dict[str, float], natural: float) -> dict[str, Any]:
    return {
        "training": name,
        "CA %": 100 * result["clean_accuracy"],
        "ASR %": 100 * result["attack_success_rate"],
        "natural ASR %": 100 * natural,
        "RA %": 100 * result["robust_accuracy"],
        "seconds": result["seconds"],
    }


def _write(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
