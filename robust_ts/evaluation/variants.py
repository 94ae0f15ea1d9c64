"""The method with a stage left out or a constant moved, by name: ``e2abl[without=verify]``."""

from dataclasses import fields, replace
from typing import Any

from robust_ts.defense.constants import STAGES, DefenseConstants

#: How the name of every variant begins; it ends with ``]``.
VARIANT = "e2abl["

#: The method as it is, and without each of its stages.
ABLATION = ("e2abl", *(f"{VARIANT}without={stage}]" for stage in STAGES))

#: Constants whose effect is measured: all but those that bound the cost of large sets, fill the
#: ledger, or scale the suspicion of what is not poison. ``least_common`` has a grid of its own.
_MOVED = (
    *("n_landmarks", "ridge", "least_classes", "min_group", "nats"),
    *("max_steps", "max_share", "same_group", "projection", "least_divisor"),
    *("scout_filters", "scout_rate", "verify_share"),
    *("alarm", "least_weight", "least_share", "least_spread", "proof", "least_compared"),
    *("most_compared", "beside", "recover_probability", "recover_every"),
)
_SHARES = (
    *("max_share", "same_group", "least_share", "least_spread"),
    *("verify_share", "recover_probability"),
)


def neighbors(name: str) -> tuple[str, ...]:
    """Give two variants of the method, one constant moved down and up.

    Parameters
    ----------
    name : str
        A number, or tuple of numbers, among the fields of `DefenseConstants`.

    Returns
    -------
    tuple of str
        Names of variants: the constant halved and doubled; a share is halved, and moved half of
        the way to one.

    Examples
    --------
    >>> from robust_ts.evaluation.variants import neighbors
    >>> neighbors("recover_probability")
    ('e2abl[recover_probability=0.25]', 'e2abl[recover_probability=0.75]')
    """
    value = getattr(DefenseConstants(), name)
    values = value if isinstance(value, tuple) else (value,)
    kind = type(values[0])
    up = [(1 + v) / 2 for v in values] if name in _SHARES else [2 * v for v in values]
    moved = [[kind(v / 2) for v in values], [kind(v) for v in up]]
    return tuple(f"{VARIANT}{name}={'/'.join(f'{v:g}' for v in m)}]" for m in moved)


#: The method as it is, and each of these constants moved down and up.
SENSITIVITY = ("e2abl", *(v for name in _MOVED for v in neighbors(name)))

#: The same of the one that only attacks on every class come to.
SENSITIVITY_COMMON = ("e2abl", *neighbors("least_common"))


def variant_constants(name: str) -> DefenseConstants:
    """Read the constants that a variant's name stands for.

    Parameters
    ----------
    name : str
        ``"e2abl"``, or ``"e2abl[CONSTANT=VALUE]"`` with one or more settings, several as
        ``CONSTANT=VALUE;CONSTANT=VALUE``; tuples and sets as ``VALUE/VALUE``.

    Returns
    -------
    DefenseConstants
        The constants.

    Raises
    ------
    ValueError
        If the name does not have this form, or names no constant or no stage.

    Examples
    --------
    >>> from robust_ts.evaluation.variants import variant_constants
    >>> variant_constants("e2abl[ridge=0.02/0.2]").ridge
    (0.02, 0.2)
    >>> variant_constants("e2abl[least_weight=0.1;without=verify]").least_weight
    0.1
    """
    constants = DefenseConstants()
    if name == "e2abl":
        return constants
    known = [field.name for field in fields(constants)]
    for setting in name.removeprefix(VARIANT).removesuffix("]").split(";"):
        constant, equals, text = setting.partition("=")
        if not (name.startswith(VARIANT) and name.endswith("]") and equals and constant in known):
            raise ValueError(
                f"Unknown variant {name!r}: write 'e2abl[CONSTANT=VALUE]' with one of "
                f"{', '.join(known)}."
            )
        value, parts = getattr(constants, constant), text.split("/")
        moved: Any = map(type(value[0]), parts) if isinstance(value, tuple) else parts
        single = isinstance(value, (int, float))
        constants = replace(constants, **{constant: type(value)(text if single else moved)})
    return constants


def variant_classifier(name: str) -> type[Any]:
    """Make the class of E2ABLClassifier with the constants of a variant.

    Parameters
    ----------
    name : str
        As in `variant_constants`.

    Returns
    -------
    type
        A subclass with the same constructor.
    """
    from robust_ts import E2ABLClassifier

    return type("E2ABLVariant", (E2ABLClassifier,), {"_constants": variant_constants(name)})
