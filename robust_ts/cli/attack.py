"""``robust-ts poison``: a poisoned copy of a data set, to try a defense on."""

import argparse
import sys
from typing import Any

import numpy as np

from robust_ts.cli.data import add_data_arguments, read_data


def add_commands(commands: Any) -> None:
    """Add the command of this module to the parser."""
    poison = commands.add_parser(
        "poison",
        help="write a poisoned copy of a data set",
        description="Poison the training part of DATA and write it as .npz: X_train, y_train, and "
        "for whoever judges a defense is_poisoned, y_train_true and, where there is a test part, "
        "X_test, y_test and X_test_triggered.",
    )
    add_data_arguments(poison)
    poison.add_argument(
        "--output", default="poisoned.npz", help="file to write (default: %(default)s)"
    )
    poison.add_argument(
        "--trigger", default="patch", help="name of a trigger (default: %(default)s)"
    )
    poison.add_argument(
        "--target", help="the attacker's class (default: the first of the sorted labels)"
    )
    poison.add_argument(
        "--rate", type=float, default=0.1, help="share of all samples (default: %(default)s)"
    )
    poison.add_argument(
        "--mode", default="dirty", help="dirty, clean or all-to-all (default: %(default)s)"
    )
    poison.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    poison.set_defaults(run=_poison)


def _poison(arguments: argparse.Namespace) -> None:
    from robust_ts.attacks import make_trigger, poison

    trigger = make_trigger(arguments.trigger, random_state=arguments.seed)
    data = read_data(arguments)
    poisoned = poison(
        _taken_by(trigger, _one_array(data.X)),
        data.y,
        trigger,
        target=_target(arguments.target, np.asarray(data.y)),
        rate=arguments.rate,
        mode=arguments.mode,
        random_state=arguments.seed,
    )
    arrays = {
        "X_train": poisoned.X,
        "y_train": poisoned.y,
        "is_poisoned": poisoned.mask,
        "y_train_true": poisoned.y_true,
    }
    if data.X_test is not None and data.y_test is not None:
        arrays |= {
            "X_test": data.X_test,
            "y_test": data.y_test,
            "X_test_triggered": trigger.transform(_taken_by(trigger, data.X_test)),
        }
    # Texts as such: arrays of objects could only be read with pickle.
    plain = {k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()}
    with open(arguments.output, "wb") as file:  # savez would append a suffix to another name
        np.savez_compressed(file, **plain)  # type: ignore[arg-type]
    print(f"Written: {arguments.output}", file=sys.stderr)
    print(f"{poisoned.mask.sum()} of {len(poisoned.mask)} training samples are poisoned.")


def _one_array(X: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """Pad series of unequal length with zeros: triggers and .npz files take one array."""
    if isinstance(X, np.ndarray):
        return X
    longest = max(series.shape[1] for series in X)
    print(f"Series of unequal length are padded with zeros to {longest} steps.", file=sys.stderr)
    return np.stack([np.pad(series, ((0, 0), (0, longest - series.shape[1]))) for series in X])


def _taken_by(trigger: Any, X: np.ndarray) -> np.ndarray:
    """Turn integers into the floating-point numbers that triggers on series take."""
    from robust_ts.attacks import Trigger

    return X.astype(np.float32) if isinstance(trigger, Trigger) and X.dtype.kind in "iu" else X


def _target(text: str | None, y: np.ndarray) -> Any:
    """Find the label that was named in text."""
    labels = np.unique(y)
    if text is None:
        return labels[0]
    named = {str(label): label for label in labels}
    if text not in named:
        raise ValueError(
            f"--target {text} is no label of the data; its labels are "
            f"{', '.join(list(named)[:20])}."
        )
    return named[text]
