"""Pictures of a report and of an experiment. Matplotlib is imported here and only here."""

from collections.abc import Mapping
from typing import Any

import numpy as np

#: Colors that stay apart for color-blind readers (Okabe and Ito 2008).
CLEAN, POISONED, UNCERTAIN, NATURAL = "#0072B2", "#D55E00", "#999999", "#56B4E9"


def _new_figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """Make a figure that needs no display and leaves pyplot's state alone."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            'Plots need matplotlib: pip install ".[plots]" in the clone of robust_ts.'
        ) from error
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.subplots(1, columns)


def plot_suspicion(report: Any, ax: Any = None) -> Any:
    """Draw the suspicion of every training sample of a report, class by class.

    Parameters
    ----------
    report : PoisonReport
        The report of a fitted classifier.
    ax : matplotlib Axes, default=None
        Where to draw; a new figure where None.

    Returns
    -------
    matplotlib Axes
        The axes drawn on.
    """
    classes, codes = np.unique(report.given_labels, return_inverse=True)
    if ax is None:
        ax = _new_figure(max(4.0, 0.5 * len(classes) + 2), 3.5)[1]
    # Spread within a class by rank, so that equal values do not hide each other.
    spread = np.zeros(len(codes))
    for code in range(len(classes)):
        members = np.flatnonzero(codes == code)
        spread[members] = np.linspace(-0.35, 0.35, len(members)) if len(members) > 1 else 0
    colors = {"clean": CLEAN, "uncertain": UNCERTAIN, "poisoned": POISONED}
    for verdict, color in colors.items():
        at = report.verdicts == verdict
        label = f"{verdict} ({at.sum()})"
        ax.scatter((codes + spread)[at], report.suspicion[at], s=9, color=color, label=label)
    ax.set_xticks(range(len(classes)), [str(c) for c in classes])
    ax.set(xlabel="given label", ylabel="suspicion", ylim=(-0.03, 1.03))
    ax.set_title("Suspicion of the training samples")
    ax.legend(frameon=False, fontsize="small")
    return ax


def plot_losses(ax: Any, losses: np.ndarray, mask: np.ndarray, title: str) -> None:
    """Draw median and quartiles of the loss of clean and of poisoned samples by epoch.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    losses : ndarray of shape (n_epochs, n_samples)
        Loss under the given label; nan where a sample was not trained on.
    mask : ndarray of shape (n_samples,), bool
        True for poisoned samples.
    title : str
        Title of the axes.
    """
    epochs = np.arange(1, len(losses) + 1)
    for part, color, name in ((~mask, CLEAN, "clean"), (mask, POISONED, "poisoned")):
        if not part.any():
            continue
        known = ~np.isnan(losses[:, part]).all(axis=1)
        part_losses = losses[np.ix_(known, part)]
        low, middle, high = np.nanquantile(part_losses, (0.25, 0.5, 0.75), axis=1)
        ax.fill_between(epochs[known], low, high, color=color, alpha=0.2, linewidth=0)
        ax.plot(epochs[known], middle, color=color, label=f"{name} ({part.sum()})")
    ax.set(xlabel="epoch", ylabel="loss under the given label", title=title)
    ax.set_ylim(bottom=0)
    ax.legend(frameon=False, fontsize="small")


def plot_attack_rates(ax: Any, rates: Mapping[str, float], natural: float) -> None:
    """Draw a bar of the attack success rate for each method, and the natural rate as a line.

    Parameters
    ----------
    ax : matplotlib Axes
        Where to draw.
    rates : mapping of str to float
        Attack success rate by method, as fractions.
    natural : float
        The rate of a model trained on clean data.
    """
    names = list(rates)
    values = [100 * rates[name] for name in names]
    colors = [POISONED if v > 50 else CLEAN for v in values]
    bars = ax.bar(names, values, color=colors, width=0.6)
    ax.bar_label(bars, [f"{v:.1f}" for v in values])
    label = f"natural rate ({100 * natural:.1f})"
    ax.axhline(100 * natural, color="black", linestyle=":", label=label)
    ax.set(ylabel="attack success rate (%)", ylim=(0, 110), title="Attack success")
    ax.legend(frameon=False, fontsize="small")


def plot_defense(
    main_losses: np.ndarray,
    auxiliary_losses: np.ndarray,
    mask: np.ndarray,
    rates: Mapping[str, float],
    natural: float,
) -> Any:
    """Draw one experiment: losses in both heads, and the attack success rates.

    Parameters
    ----------
    main_losses : ndarray of shape (n_epochs, n_samples)
        Loss under the given label in the main head.
    auxiliary_losses : ndarray of shape (n_auxiliary_epochs, n_samples)
        The same in the auxiliary head.
    mask : ndarray of shape (n_samples,), bool
        True for poisoned samples.
    rates : mapping of str to float
        Attack success rate by method, as fractions.
    natural : float
        The rate of a model trained on clean data.

    Returns
    -------
    matplotlib Figure
        Call ``.savefig(path)`` to keep it.
    """
    figure, (left, middle, right) = _new_figure(13, 3.8, columns=3)
    plot_losses(left, auxiliary_losses, mask, "Auxiliary head (the trap)")
    plot_losses(middle, main_losses, mask, "Main head")
    plot_attack_rates(right, rates, natural)
    return figure
