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
from sklearn.decomposition import PCA

from robust_ts import E2ABLClassifier
from robust_ts.classifiers import _lesson, e2abl
from robust_ts.defense.constants import DefenseConstants
from robust_ts.defense.division import two_kinds
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
    points: Any = None
    taught: dict[int, Any] = field(default_factory=dict)
    suspects: Sequence[Proposal] = ()
    untaught: dict[int, float] = field(default_factory=dict)
    weights: dict[int, float] = field(default_factory=dict)
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
    def best(self) -> list[Proposal]:
        """The group of each class with the highest score, best first."""
        best = {p.label: p for p in reversed(self.proposals)}
        return sorted(best.values(), key=lambda p: -p.score)

    @property
    def labels(self) -> np.ndarray:
        """Given labels, which are 0, 1, ... in this set."""
        return self.experiment.poisoned.y


def watch(rate: float, forced: int | None = None) -> Watched:
    """Fit once; ``forced`` overrides how many proposals are held out of the second scout."""
    seen = Watched(make_experiment(DATASET, TRIGGER, rate=rate, seed=SEED))
    real = {name: getattr(e2abl, name) for name in ("search", "Lesson", "_probabilities", "verify")}
    pattern_of = e2abl.pattern_of

    def search(views_of: Any, labels: np.ndarray, *rest: Any) -> list[Proposal]:
        seen.views, seen.landmark_seed = views_of(np.arange(len(labels))), rest[2]
        seen.points = rest[3].points(np.arange(len(labels)))
        seen.proposals = real["search"](views_of, labels, *rest)
        return seen.proposals

    class Watching:
        @staticmethod
        def of(job: Any, trainer: Any, proposals: Any, seed: int, constants: Any) -> Any:
            # Asked about the best group of every class, for the picture.
            clean = np.ones(len(job.data.y), dtype=bool)
            means = _lesson.class_means(job, clean)
            learned = _lesson.LearnedByAll(job, trainer, means, constants)
            seen.taught = {p.label: _lesson._taught(learned, p, clean, seed) for p in seen.best}
            if forced is not None:
                return _lesson.Lesson(trainer, [seen.taught[p.label] for p in seen.best[:forced]])
            return real["Lesson"].of(job, trainer, proposals, seed, constants)

    def probabilities(trainer: Any, samples: np.ndarray) -> np.ndarray:
        answers = real["_probabilities"](trainer, samples)
        if seen.unseen is None:  # the first question is the one of verification
            X = seen.experiment.X_test
            logits = predict_batches(trainer.network.eval(), X, device=trainer.device)
            seen.unseen = softmax(logits, axis=1)
            seen.verified, seen.held = answers, samples
            seen.untaught = {k: taught.steered(trainer) for k, taught in seen.taught.items()}
        return answers

    def verify(weights: Any, labels: Any, likeness: Any, constants: Any, **about: Any) -> Any:
        nothing = replace(constants, proof=0.0, without=frozenset({"likeness"}))
        every = real["verify"](weights, labels, likeness, nothing, **about)
        seen.suspects, seen.weights = every[::-1], {p.label: p.score for p in every}
        return real["verify"](weights, labels, likeness, constants, **about)

    def watched_pattern(X: np.ndarray, group: np.ndarray, *rest: Any) -> np.ndarray:
        pattern = pattern_of(X, group, *rest)
        seen.group, seen.moved = group, X[group] - pattern
        return pattern

    settings = GRIDS["smoke"].settings["cnn"]
    seen.classifier = E2ABLClassifier("cnn", **settings, device="cpu", random_state=SEED)
    spies = {"search": search, "Lesson": Watching, "_probabilities": probabilities}
    spies["verify"] = verify
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
    pairs = [margins(seen, seen.best[0]) for seen in (poisoned, natural)]
    limits = min(p.min() for p in pairs) - 0.05, max(p.max() for p in pairs) + 0.05
    for ax, seen, (before, after) in zip(axes, (poisoned, natural), pairs, strict=True):
        best = seen.best[0]
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
        for p in seen.best:
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
        # The score of a class stands in the row of its evidence.
        bars.set(ylim=heat.get_ylim(), xlim=(0, 1), yticks=[], xticks=[0, 1])
        bars.set_title("score", fontsize=11)
        if is_target.any():
            heat.get_yticklabels()[target].set(color=POISONED, weight="bold")
    save(figure, "score")


def draw_embedding(poisoned: Watched, natural: Watched) -> None:
    """Draw the two kinds that ordinary training makes of a class, with and without poison."""
    figure, axes = _new_figure(9.5, 4.2, columns=2)
    target = poisoned.experiment.target
    for ax, seen, what in zip(axes, (poisoned, natural), ("10% poison", "No poison"), strict=True):
        rows = np.flatnonzero(seen.labels == target)
        kind = two_kinds(seen.points[rows], SEED)
        kind = kind if kind.mean() <= 0.5 else ~kind
        placed = PCA(2, random_state=SEED).fit_transform(seen.points[rows])
        for part, marker in ((kind, "o"), (~kind, "x")):
            color = np.where(seen.mask[rows[part]], POISONED, CLEAN)
            ax.scatter(*placed[part].T, s=26, c=color, marker=marker, linewidths=1.2)
        ax.set_title(f"{what}: class {target}, {kind.sum()} of one kind", fontsize=11)
        ax.set_xlabel("first principal component of what the last layer is given")
        entries = [("one kind", "x", UNCERTAIN), ("the other", "o", UNCERTAIN)]
        entries += [("clean", "s", CLEAN), ("poisoned", "s", POISONED)][: 1 + (seen is poisoned)]
        low, high = ax.get_ylim()
        ax.set_ylim(low, high + 0.25 * (high - low))
        legend(ax, entries, loc="upper center", ncols=4)
    axes[0].set_ylabel("second")
    save(figure, "embedding")


def draw_transfer(poisoned: Watched, natural: Watched) -> None:
    """Draw what share of other samples the pattern of each class's best group steers."""
    figure, axes = _new_figure(9.5, 3.9, columns=2)
    for ax, seen, what in zip(axes, (poisoned, natural), ("10% poison", "No poison"), strict=True):
        for place, p in enumerate(seen.best):
            taught = seen.taught[p.label]
            color = POISONED if seen.mask[p.members].mean() > 0.5 else NATURAL
            ax.barh(place, taught.share, color=color, height=0.5)
            ax.plot(seen.untaught[p.label], place, "|", color="black", markersize=18)
            weight = taught.weigh(taught.share, CONSTANTS).score
            text = f"debt {taught.proposal.debt:.2f}, weight {weight:.3f}"
            ax.text(1.02, place, text, va="center", fontsize=8.5)
        ax.set_yticks(range(len(seen.best)), [f"class {p.label}" for p in seen.best])
        ax.set(xlim=(0, 2.05), ylim=(len(seen.best) - 0.4, -0.6), xticks=[0, 0.5, 1])
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
    label, false = (seen.suspects[0].label for seen in (poisoned, natural))
    held = [seen.suspects[0].members for seen in (poisoned, natural)]
    y_test = poisoned.experiment.y_test
    rows = [
        (
            f"group of class {label}, 10% poison:\nweight {poisoned.weights[label]:.2f}, confirmed",
            odds(poisoned.verified[held[0]], label),
            np.where(poisoned.mask[held[0]], POISONED, CLEAN),
        ),
        (
            f"group of class {false}, no poison:\nweight {natural.weights[false]:.2f}, refuted",
            odds(natural.verified[held[1]], false),
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
    ax.axvline(1, color="black", linestyle=":")
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
    epochs = undefended.classifier.ledger_.losses("main")
    verified = round(CONSTANTS.verify_share * len(epochs))
    axes[2].axvline(verified, color="black", linestyle=":", label="labels recovered from here")
    axes[2].legend(frameon=False, fontsize=9)
    axes[0].set_ylabel("loss under the given label")
    save(figure, "ledger")


def main() -> None:
    """Fit three times and draw everything."""
    poisoned = watch(0.1)
    natural = watch(0.0, forced=1)  # hold the best group out, whatever its weight
    undefended = watch(0.1, forced=0)
    IMAGES.mkdir(exist_ok=True)
    draw_counterfactual(poisoned, natural)
    draw_score(poisoned, natural)
    draw_embedding(poisoned, natural)
    draw_transfer(poisoned, natural)
    draw_verify(poisoned, natural)
    draw_recover(poisoned)
    draw_ledger(poisoned, undefended)


if __name__ == "__main__":
    main()
