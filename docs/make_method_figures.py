"""Draw the pictures of the page on the method, each from what really ran.

    python docs/make_method_figures.py

JapaneseVowels, 10% of it poisoned with a faint sine, the small network of the smoke benchmark,
seed 0. Three fits are watched through patches; the library itself is as installed. Which samples
are poisoned is used for colors and for counting alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from matplotlib.lines import Line2D
from scipy.special import softmax

from robust_ts import E2ABLClassifier
from robust_ts.classifiers import _lesson, e2abl
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.evidence import Proposal
from robust_ts.defense.ridge import kernel_map
from robust_ts.defense.witnesses import Witnesses
from robust_ts.evaluation.experiment import Experiment, make_experiment
from robust_ts.evaluation.grids import GRIDS
from robust_ts.evaluation.plots import CLEAN, NATURAL, POISONED, UNCERTAIN, _new_figure, plot_losses
from robust_ts.training import predict_batches

IMAGES = Path(__file__).parent / "images"
DATASET, TRIGGER, SEED, CHANNEL = "JapaneseVowels", "sine", 0, 0
CONSTANTS = DefenseConstants()
EVIDENCE = ("contradiction", "diversity", "agreement", "mixture", "cohesion")


@dataclass
class Watched:
    """What one fit let see on its way."""

    experiment: Experiment
    classifier: E2ABLClassifier | None = None
    views: dict[str, np.ndarray] = field(default_factory=dict)
    landmark_seed: int = 0
    proposals: list[Proposal] = field(default_factory=list)
    suspects: Sequence[Proposal] = ()
    taught: Any = None
    untaught: dict[int, float] = field(default_factory=dict)
    held: np.ndarray | None = None
    verified: np.ndarray | None = None
    unseen: np.ndarray | None = None
    moved: np.ndarray | None = None
    group: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        """Which samples are poisoned; for colors only."""
        return self.experiment.poisoned.mask

    @property
    def labels(self) -> np.ndarray:
        """Given labels, which are 0, 1, ... in this set."""
        return self.experiment.poisoned.y


def watch(rate: float, forced: int | None = None) -> Watched:
    """Fit once; ``forced`` overrides how many proposals are held out of the second network."""
    seen = Watched(make_experiment(DATASET, TRIGGER, rate=rate, seed=SEED))
    real = {name: getattr(e2abl, name) for name in ("search", "Lesson", "_probabilities")}
    pattern_of = e2abl.pattern_of

    def search(views_of: Any, labels: np.ndarray, *rest: Any) -> list[Proposal]:
        seen.views, seen.landmark_seed = views_of(np.arange(len(labels))), rest[-1]
        seen.proposals = real["search"](views_of, labels, *rest)
        return seen.proposals

    class Watching:
        @staticmethod
        def of(job: Any, trainer: Any, proposals: Any, seed: int, constants: Any) -> Any:
            # Asked about every proposal, for the picture; what the fit goes by is asked below.
            every = replace(constants, alarm=0.0, without=frozenset({"regroup"}))
            seen.taught = real["Lesson"].of(job, trainer, proposals, seed, every)
            lesson = real["Lesson"].of(job, trainer, proposals, seed, constants)
            if forced is not None:
                lesson = replace(seen.taught, suspects=seen.proposals[:forced])
            seen.suspects = lesson.suspects
            return lesson

    def probabilities(trainer: Any, samples: np.ndarray) -> np.ndarray:
        answers = real["_probabilities"](trainer, samples)
        if seen.unseen is None:  # the first question is the one of verification
            X = seen.experiment.X_test
            logits = predict_batches(trainer.network.eval(), X, device=trainer.device)
            seen.unseen = softmax(logits, axis=1)
            seen.verified, seen.held = answers, samples
            seen.untaught = {
                p.label: _lesson._steered(trainer, p.label, *seen.taught.stamps[p.label])
                for p in seen.suspects
            }
        return answers

    def watched_pattern(X: np.ndarray, group: np.ndarray, *rest: Any) -> np.ndarray:
        pattern = pattern_of(X, group, *rest)
        seen.group, seen.moved = group, X[group] - pattern
        return pattern

    settings = GRIDS["smoke"].settings["cnn"]
    seen.classifier = E2ABLClassifier("cnn", **settings, device="cpu", random_state=SEED)
    spies = {"search": search, "Lesson": Watching, "_probabilities": probabilities}
    with patch.multiple(e2abl, pattern_of=watched_pattern, **spies):
        seen.classifier.fit(seen.experiment.poisoned.X, seen.labels)
    return seen


def save(figure: Any, name: str) -> None:
    """Write one picture, 950 pixels wide."""
    width = figure.get_size_inches()[0]
    path = IMAGES / f"method-{name}.png"
    figure.savefig(path, dpi=950 / width)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def legend(ax: Any, entries: list[tuple[str, str, str]], **where: Any) -> None:
    """Explain (label, marker, color) without drawing on the data."""
    handles = [
        Line2D([], [], linestyle="", marker=marker, color=color, label=label, markersize=6)
        for label, marker, color in entries
    ]
    ax.legend(handles=handles, frameon=False, fontsize=9, handletextpad=0.2, **where)


def margins(seen: Watched, best: Proposal) -> np.ndarray:
    """Score of the given label less the best other's: with the group in the data, and without."""
    maps = [kernel_map(v, CONSTANTS.n_landmarks, seen.landmark_seed) for v in seen.views.values()]
    witnesses = Witnesses.of(maps, seen.labels, int(seen.labels.max()) + 1, CONSTANTS)
    result = []
    for group in (best.members[:0], best.members):
        by_view = witnesses.without(best.label, group)
        scores = np.einsum("v,vij->ij", witnesses.weights, by_view)
        scores /= len(maps) * len(CONSTANTS.ridge)
        other = np.delete(scores, best.label, axis=1).max(axis=1)
        result.append(scores[:, best.label] - other)
    return np.array(result)


def draw_counterfactual(poisoned: Watched, natural: Watched) -> None:
    """Draw the margin of every sample of two classes with and without the best group."""
    figure, axes = _new_figure(9.5, 5.3, columns=2)
    pairs = [margins(seen, seen.proposals[0]) for seen in (poisoned, natural)]
    limits = min(p.min() for p in pairs) - 0.05, max(p.max() for p in pairs) + 0.05
    for ax, seen, (before, after) in zip(axes, (poisoned, natural), pairs, strict=True):
        best = seen.proposals[0]
        rows = np.flatnonzero(seen.labels == best.label)
        inside = np.isin(rows, best.members)
        for part, marker in ((inside, "o"), (~inside, "x")):
            color = np.where(seen.mask[rows[part]], POISONED, CLEAN)
            ax.scatter(before[part], after[part], s=26, c=color, marker=marker, linewidths=1.2)
        ax.plot(limits, limits, color=UNCERTAIN, linewidth=1, linestyle="--")
        ax.axhline(0, color="black", linewidth=0.8)
        ax.axvline(0, color="black", linewidth=0.8)
        ax.set(xlim=limits, ylim=limits, aspect="equal")
        ax.set(xticks=np.arange(-0.5, 1, 0.5), yticks=np.arange(-0.5, 1, 0.5))
        ax.set_xlabel("margin of the given label, only the sample itself left out")
        what = "10% poison" if seen is poisoned else "No poison"
        called = [(margin[inside] < 0).sum() for margin in (before, after)]
        title = f"{what}: best group of class {best.label}, {inside.sum()} samples;"
        ax.set_title(f"{title}\ncalled another class: {called[0]}, then {called[1]}", fontsize=11)
        entries = [("clean, rest of the class", "x", CLEAN)]
        if (~seen.mask[rows[inside]]).any():
            entries.append(("clean, in the group", "o", CLEAN))
        if seen.mask[rows[inside]].any():
            entries.append(("poisoned, in the group", "o", POISONED))
        legend(ax, entries, loc="lower right")
    axes[0].set_ylabel("margin, the whole group left out")
    save(figure, "counterfactual")


def draw_score(poisoned: Watched, natural: Watched) -> None:
    """Draw the evidence and the score of the best group of each class, with and without poison."""
    figure, axes = _new_figure(9.5, 4.4, columns=4)
    target = poisoned.experiment.target
    n_classes = int(poisoned.labels.max()) + 1
    for first, seen, what in ((0, poisoned, "10% poison"), (2, natural, "no poison")):
        heat, bars = axes[first : first + 2]
        values = np.full((n_classes, len(EVIDENCE)), np.nan)
        scores = np.full(n_classes, np.nan)
        for p in seen.proposals:
            values[p.label] = [getattr(p, name) for name in EVIDENCE]
            scores[p.label] = p.score
        heat.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            text = "-" if np.isnan(value) else f"{value:.2f}"
            color = "white" if value > 0.6 else "black"
            heat.text(j, i, text, ha="center", va="center", fontsize=8.5, color=color)
        heat.set_xticks(range(len(EVIDENCE)), EVIDENCE, rotation=40, ha="right")
        heat.set_title(f"Data with {what}:\nevidence", fontsize=11)
        names = [f"class {k}" for k in range(n_classes)]
        heat.set_yticks(range(n_classes), names if first == 0 else [""] * n_classes)
        is_target = (np.arange(n_classes) == target) & (seen is poisoned)
        color = np.where(is_target, POISONED, NATURAL)
        bars.barh(range(n_classes), np.nan_to_num(scores), color=color, height=0.7)
        for k, score in enumerate(scores):
            text = "-" if np.isnan(score) else f"{score:.2f}"
            bars.text(0.98, k, text, ha="right", va="center", fontsize=8.5)
        alone = CONSTANTS.alarm / CONSTANTS.blurred
        for level in (CONSTANTS.alarm, alone):
            bars.axvline(level, color="black", linestyle=":")
        # The score of a class stands in the row of its evidence.
        bars.set(ylim=heat.get_ylim(), xlim=(0, 1), yticks=[], xticks=[0, 1])
        bars.set_title("score", fontsize=11)
        bars.set_xlabel(f"asked about from {CONSTANTS.alarm:g},\nalarms alone from {alone:g}")
        if is_target.any():
            heat.get_yticklabels()[target].set(color=POISONED, weight="bold")
    save(figure, "score")


def draw_transfer(poisoned: Watched, natural: Watched) -> None:
    """Draw what share of other samples the pattern of each class's best group steers."""
    figure, axes = _new_figure(9.5, 3.9, columns=2)
    for ax, seen, what in zip(axes, (poisoned, natural), ("10% poison", "No poison"), strict=True):
        ranked = [p for p in seen.proposals if p.label in seen.taught.stamps]
        for place, p in enumerate(ranked):
            color = POISONED if seen.mask[p.members].mean() > 0.5 else NATURAL
            share = seen.taught.taught[p.label]
            ax.barh(place, share, color=color, height=0.5)
            if p.label in seen.untaught:
                ax.plot(seen.untaught[p.label], place, "|", color="black", markersize=18)
            worth = p.score * max(share, CONSTANTS.blurred)
            text = f"score {p.score:.2f}, with transfer {worth:.2f}"
            ax.text(1.02, place, text, va="center", fontsize=8.5)
        ax.set_yticks(range(len(ranked)), [f"class {p.label}" for p in ranked])
        ax.set(xlim=(0, 2.05), ylim=(len(ranked) - 0.4, -0.6), xticks=[0, 0.5, 1])
        ax.set_title(f"{what}: best group of each class", fontsize=11)
        ax.set_xlabel("share of others called the class")
    save(figure, "transfer")


def odds(probabilities: np.ndarray, label: int | np.ndarray) -> np.ndarray:
    """Odds of the best other class against the given one."""
    given = np.arange(probabilities.shape[1]) == np.reshape(label, (-1, 1))
    other = np.where(given, -np.inf, probabilities).max(axis=1)
    return other / np.maximum(np.where(given, probabilities, 0).sum(axis=1), 1e-12)


def draw_verify(poisoned: Watched, natural: Watched) -> None:
    """Draw the odds against the given label at the epoch of verification."""
    label, false = poisoned.suspects[0].label, natural.suspects[0].label
    y_test = poisoned.experiment.y_test
    rows = [
        (
            f"held-out group of class {label},\n10% poison",
            odds(poisoned.verified[poisoned.held], label),
            np.where(poisoned.mask[poisoned.held], POISONED, CLEAN),
        ),
        (
            f"held-out group of class {false},\nno poison (held out by force)",
            odds(natural.verified[natural.held], false),
            CLEAN,
        ),
        (
            "test series, never seen,\nunder their true labels",
            odds(poisoned.unseen, y_test),
            NATURAL,
        ),
    ]
    figure, ax = _new_figure(9.5, 3.9)
    rng = np.random.default_rng(0)
    for height, (_, values, color) in enumerate(rows):
        jitter = height + rng.uniform(-0.22, 0.22, len(values))
        ax.scatter(values, jitter, s=18, c=color, alpha=0.8, linewidths=0)
        middle = np.median(values)
        ax.plot([middle] * 2, [height - 0.32, height + 0.32], color="black", linewidth=2)
        text = f"median {middle:.0f}" if middle >= 10 else f"median {middle:.1g}"
        ax.text(middle, height - 0.36, text, ha="right", fontsize=9)
    ax.axvline(CONSTANTS.odds, color="black", linestyle=":")
    ax.text(CONSTANTS.odds * 1.15, 2.45, f"confirmed from {CONSTANTS.odds:g}", fontsize=9)
    ax.set(xscale="log", ylim=(2.6, -0.6))
    ax.set_yticks(range(len(rows)), [row[0] for row in rows])
    ax.set_xlabel("odds of the best other class against the given label")
    ax.set_title("What networks say of a label whose group they never saw", fontsize=11)
    save(figure, "verify")


def draw_recover(seen: Watched) -> None:
    """Draw the pattern that was taken away, one member without it, and the recovered labels."""
    data, clean = seen.experiment.poisoned, seen.experiment.X_train
    figure, unused = _new_figure(9.5, 4.6)
    unused.remove()
    grid = figure.add_gridspec(2, 2)
    upper, lower, right = (figure.add_subplot(grid[at]) for at in ((0, 0), (1, 0), (slice(2), 1)))
    added = (data.X - clean)[data.mask][:, CHANNEL].mean(axis=0)
    removed = (data.X[seen.group] - seen.moved)[:, CHANNEL].mean(axis=0)
    upper.plot(added, color=POISONED, label="true trigger")
    upper.plot(removed, color="black", linestyle="--", label="pattern taken away")
    upper.set_title(f"Mean over the group, channel {CHANNEL}", fontsize=11)
    member = int(np.flatnonzero(data.mask[seen.group])[0])
    index = seen.group[member]
    lower.plot(data.X[index, CHANNEL], color=POISONED, label="as given")
    lower.plot(clean[index, CHANNEL], color=CLEAN, label="before the attack")
    lower.plot(seen.moved[member, CHANNEL], color="black", linestyle="--", label="pattern away")
    lower.set_title("One member", fontsize=11)
    lower.set_xlabel("time step")
    for ax in (upper, lower):
        low, high = ax.get_ylim()
        ax.set(xlim=(0, len(added) - 1), ylim=(low, high + 0.25 * (high - low)))
        ax.legend(frameon=False, fontsize=9, loc="upper center", ncols=3, columnspacing=1)
    draw_confusion(right, seen)
    save(figure, "recover")


def draw_confusion(ax: Any, seen: Watched) -> None:
    """Draw true against recovered labels of the poisoned samples."""
    n_classes = int(seen.labels.max()) + 1
    recovered = seen.classifier.report_.recovered_labels[seen.mask]
    column = np.array([n_classes if r is None else int(r) for r in recovered])
    truth = np.asarray(seen.experiment.poisoned.y_true)[seen.mask].astype(int)
    table = np.zeros((n_classes, n_classes + 1), dtype=int)
    np.add.at(table, (truth, column), 1)
    ax.imshow(table, cmap="Oranges", vmax=1.5 * table.max(), aspect="auto")
    for (i, j), count in np.ndenumerate(table):
        if count:
            ax.text(j, i, str(count), ha="center", va="center", fontsize=10)
    ax.set_xticks(range(n_classes + 1), [*map(str, range(n_classes)), "none"])
    ax.set_yticks(range(n_classes))
    ax.set(xlabel="recovered label", ylabel="true class")
    title = f"{len(truth)} poisoned samples, all labelled {seen.experiment.target}:\n"
    ax.set_title(f"{title}{(truth == column).sum()} get their label back", fontsize=11)


def draw_ledger(seen: Watched, undefended: Watched) -> None:
    """Draw the losses in the trap, in ordinary training and in the defended main network."""
    figure, axes = _new_figure(9.5, 3.9, columns=3)
    held, main = seen.held, seen.classifier.ledger_.losses("main").copy()
    # Held-out samples are asked at some epochs; at the others a few missed ones would stand for all
    main[np.ix_(np.isnan(main[:, held]).any(axis=1), seen.mask)] = np.nan
    parts = (
        (seen.classifier.ledger_.losses("auxiliary"), "Auxiliary head (the trap),\nall data"),
        (undefended.classifier.ledger_.losses("main"), "Main head, all data:\nordinary training"),
        (main, "Main head, group held out,\nits labels recovered"),
    )
    for ax, (losses, title) in zip(axes, parts, strict=True):
        plot_losses(ax, losses, seen.mask, title)
        ax.set_title(title, fontsize=11)
        ax.set_ylabel("")
    verified = round(CONSTANTS.verify_share * len(main))
    axes[2].axvline(verified, color="black", linestyle=":", label="verification")
    axes[2].legend(frameon=False, fontsize=9)
    axes[0].set_ylabel("loss under the given label")
    save(figure, "ledger")


def main() -> None:
    """Fit three times and draw everything."""
    poisoned = watch(0.1)
    natural = watch(0.0, forced=1)  # no alarm is raised: hold the best group out all the same
    undefended = watch(0.1, forced=0)
    IMAGES.mkdir(exist_ok=True)
    draw_counterfactual(poisoned, natural)
    draw_score(poisoned, natural)
    draw_transfer(poisoned, natural)
    draw_verify(poisoned, natural)
    draw_recover(poisoned)
    draw_ledger(poisoned, undefended)


if __name__ == "__main__":
    main()
