"""``robust-ts train``, ``scan`` and ``predict``: classifiers from data, and their answers."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from robust_ts.cli.data import Data, add_data_arguments, read_data

#: Samples predicted between two steps of the progress bar.
_CHUNK = 1024

#: Exit code of ``scan`` where it finds poisoned samples.
FOUND = 3


def add_commands(commands: Any) -> None:
    """Add the commands of this module to the parser."""
    train = commands.add_parser(
        "train",
        help="train a classifier, save it, and report which training samples look poisoned",
        description="Train a classifier on the training part of DATA, save it, write the report of "
        "the defense, and measure the accuracy on the test part, where there is one.",
    )
    add_data_arguments(train)
    train.add_argument(
        "--model", default="model.safetensors", help="file to write (default: %(default)s)"
    )
    train.add_argument(
        "--defense",
        choices=("e2abl", "abl", "none"),
        default="e2abl",
        help="way of training (default: %(default)s); e2abl alone makes a report",
    )
    _add_training_arguments(train)
    train.set_defaults(run=_train)
    scan = commands.add_parser(
        "scan",
        help="say which training samples look poisoned",
        description="Train with E2ABL and report which samples look poisoned and what their labels "
        "should have been. Exit code 3 where any does, 0 where none does.",
    )
    add_data_arguments(scan)
    _add_training_arguments(scan)
    scan.set_defaults(run=_scan)
    predict = commands.add_parser(
        "predict",
        help="predict the labels of new samples with a saved classifier",
        description="Predict the labels of the samples in DATA (of its test part, where there is "
        "one) and write them as CSV.",
    )
    predict.add_argument("model", metavar="MODEL", help="file written by train")
    add_data_arguments(predict)
    predict.add_argument("--output", help="CSV file (default: the standard output)")
    predict.add_argument(
        "--probabilities", action="store_true", help="add the probability of every class"
    )
    predict.add_argument("--quiet", action="store_true", help="show no progress")
    predict.set_defaults(run=_predict)


def _add_training_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--report", default="report.csv", help="CSV file of the report (default: %(default)s)"
    )
    parser.add_argument(
        "--backbone",
        default="inception",
        help="cnn, inception, resnet or tsai:<Architecture> for series; image_cnn, wide_resnet or "
        "resnet18 for images (default: %(default)s)",
    )
    parser.add_argument(
        "--backbone-params", type=_json_object, help="as JSON, for example '{\"depth\": 3}'"
    )
    parser.add_argument("--epochs", type=int, help="default: by the size of the data")
    parser.add_argument("--batch-size", type=int, help="default: by the size of the data")
    parser.add_argument("--learning-rate", type=float, default=1e-3, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cuda, mps or cpu (default: auto)")
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    parser.add_argument("--quiet", action="store_true", help="show no progress")


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"{text!r} is no JSON object, such as '{{\"depth\": 3}}'")
    return value


def _fitted(arguments: argparse.Namespace, data: Data, defense: str) -> Any:
    from robust_ts.classifiers.names import BY_DEFENSE

    classifier = BY_DEFENSE[defense](
        arguments.backbone,
        backbone_params=arguments.backbone_params,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        learning_rate=arguments.learning_rate,
        device=arguments.device,
        random_state=arguments.seed,
        verbose=0 if arguments.quiet else 1,
    )
    return classifier.fit(data.X, data.y)


def _train(arguments: argparse.Namespace) -> None:
    from robust_ts.io import save

    # Not after hours of training.
    _check_folders(arguments.model, arguments.report)
    data = read_data(arguments)
    classifier = _fitted(arguments, data, arguments.defense)
    save(classifier, arguments.model)
    _say(f"Written: {arguments.model}")
    if hasattr(classifier, "report_"):
        _write_report(classifier.report_, arguments.report)
    if data.X_test is not None and data.y_test is not None:
        accuracy = classifier.score(data.X_test, data.y_test)
        print(f"Accuracy on the {len(data.y_test)} test samples: {accuracy:.1%}")


def _scan(arguments: argparse.Namespace) -> int:
    _check_folders(arguments.report)
    report = _fitted(arguments, read_data(arguments), "e2abl").report_
    _write_report(report, arguments.report)
    return FOUND if report.is_poisoned.any() else 0


def _predict(arguments: argparse.Namespace) -> None:
    import pandas as pd
    from tqdm.auto import tqdm

    from robust_ts.io import load

    if arguments.output is not None:
        _check_folders(arguments.output)
    classifier = load(arguments.model)
    data = read_data(arguments, labels=False)
    X = data.X if data.X_test is None else data.X_test
    starts = range(0, max(1, len(X)), _CHUNK)
    parts = tqdm(starts, "predict", unit=f" x {_CHUNK}", disable=arguments.quiet)
    probabilities = np.concatenate(
        [classifier.predict_proba(X[start : start + _CHUNK]) for start in parts]
    )
    table = pd.DataFrame({"prediction": classifier.classes_[probabilities.argmax(axis=1)]})
    if arguments.probabilities:
        for i, label in enumerate(classifier.classes_):
            table[f"probability of {label}"] = probabilities[:, i]
    table.to_csv(arguments.output or sys.stdout, index_label="sample")
    if arguments.output is not None:
        _say(f"Written: {arguments.output}")


def _check_folders(*files: str) -> None:
    for file in files:
        folder = Path(file).parent
        if not folder.is_dir():
            raise FileNotFoundError(f"There is no folder {folder} to write {file} into.")


def _write_report(report: Any, path: str) -> None:
    report.to_frame().to_csv(path, index_label="sample")
    _say(f"Written: {path}")
    print(report.summary())


def _say(text: str) -> None:
    """Say something about the work; the standard output is for its results."""
    print(text, file=sys.stderr)
