"""End-to-end anti-backdoor learning for forecasts: the product."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from robust_ts.classifiers._job import FitJob
from robust_ts.forecasting import frames
from robust_ts.forecasting._base import BaseShapeForecaster, Fitted
from robust_ts.forecasting.bridges import smoothed
from robust_ts.forecasting.constants import StretchConstants
from robust_ts.forecasting.motifs import StretchGroup
from robust_ts.forecasting.neural import documented
from robust_ts.forecasting.report import StretchReport
from robust_ts.forecasting.shapes import Codebook, fit_codebook
from robust_ts.forecasting.stretches import propose_stretches
from robust_ts.forecasting.windows import Track, Windows, cut_windows
from robust_ts.training import History, Samples, Trainer, isolated_rng


@documented
class E2ABLForecaster(BaseShapeForecaster):
    """Forecaster that trains clean on a poisoned history and says which stretches were planted.

    An attacker plants a short pattern at several places in the history, each followed by the
    future that the pattern is to call up. Here, motifs that recur almost exactly, more often than
    chance allows and in circumstances that have nothing in common, are proposed as planted. The
    network is trained with these stretches bridged; part of the way through, it is asked how well
    it foresaw them, and vetoes those that the rest of the history foretells. These are
    readmitted, the others stay bridged. If nothing is proposed or nothing confirmed, the result is
    that of :class:`NeuralForecaster`, bit by bit.

    Parameters
    ----------
    <parameters>

    Attributes
    ----------
    report_ : StretchReport
        The stretches that look planted: from when to when, how suspicious, and the verdict.
    <attributes>

    Notes
    -----
    The idea, to hold out a group that the rest of the data contradict and to give it its true
    label back, is that of Jiang, Ma, Erfani, Li and Bailey, arXiv 2401.03215, 2024, for
    classification; the class is here the shape of the future, the true label the bridged
    stretch. The rules are ours. The attack is that of Lin et al., "BackTime", NeurIPS 2024.

    Stretches that ``update`` brings are searched only where it refits (``update_params=True``).

    Examples
    --------
    >>> from robust_ts.forecasting import E2ABLForecaster
    >>> from sktime.datasets import load_airline
    >>> forecaster = E2ABLForecaster(sp=12, epochs=30, random_state=0)
    >>> y_pred = forecaster.fit(load_airline(), fh=[1, 2, 3]).predict()
    >>> print(forecaster.report_.summary())
    No attack found: no stretch of the history looks planted.
    """

    def _train(self, tracks: list[Track], seeds: list[int]) -> Fitted:
        constants = StretchConstants()
        values = [track.values for track in tracks]
        instances = [track.name[:-1] for track in tracks]
        groups = propose_stretches(values, self.spec_.season, constants, instances)
        outcome = self._train_without(tracks, groups, seeds, constants) if groups else None
        verdicts = outcome.verdicts if outcome else [_unconfirmed(g) for g in groups]
        self.report_ = _report(self._cur_y, tracks, groups, verdicts)
        return outcome.fitted if outcome else self._train_plain(tracks, seeds)

    def _train_without(
        self,
        tracks: list[Track],
        groups: Sequence[StretchGroup],
        seeds: list[int],
        constants: StretchConstants,
    ) -> "_Outcome | None":
        """Train with the groups bridged, verify them, readmit those that are not contradicted.

        Returns None where none is contradicted.
        """
        bridged = _bridge(tracks, groups, self.spec_.season, constants)
        windows = self._windows(tracks, bridged)
        codebook = fit_codebook(windows.future, self.n_shapes, seeds[1])
        job = self._job(windows, codebook)
        with isolated_rng(seeds[0], job.device) as generator:
            trainer = job.main_trainer(generator)
            trainer.run(max(1, round(constants.verify_share * job.schedule.epochs)))
            verdicts = self._verify(trainer, codebook, tracks, bridged, groups, constants)
            confirmed = [g for g, v in zip(groups, verdicts, strict=True) if v.confirmed]
            if not confirmed:
                return None
            if len(confirmed) < len(groups):
                bridged = _bridge(tracks, confirmed, self.spec_.season, constants)
                _replace_data(trainer, job, self._windows(tracks, bridged), codebook)
            trainer.run()
        fitted = Fitted(trainer.network, codebook, History(trainer.records), bridged)
        return _Outcome(fitted, verdicts)

    def _windows(self, tracks: list[Track], bridged: list[Track]) -> Windows:
        """Windows of the bridged history; those that end inside a stretch see it as given.

        A trigger in sight and the true future after it: the antidote that recovery makes of
        poison.
        """
        typical = [self.spec_.typical(track.values) for track in bridged]
        clean = cut_windows(bridged, self.spec_, typical=typical)
        futures = [track.values for track in bridged]
        given = cut_windows(tracks, self.spec_, typical=typical, futures=futures)
        inside = np.zeros(len(clean.origin), dtype=bool)
        for i, (one, other) in enumerate(zip(tracks, bridged, strict=True)):
            planted = one.values != other.values
            # The origin is the first step of the future: the one before it is the last in sight.
            rows = np.flatnonzero(clean.track == i)
            inside[rows] = planted[clean.origin[rows] - 1] & planted[clean.origin[rows]]
        pick = inside[:, None]
        return Windows(
            inputs=np.where(pick[..., None], given.inputs, clean.inputs),
            naive=np.where(pick, given.naive, clean.naive),
            scale=np.where(inside, given.scale, clean.scale),
            track=clean.track,
            origin=clean.origin,
            future=np.where(pick, given.future, clean.future),
        )

    def _verify(
        self,
        trainer: Trainer,
        codebook: Codebook,
        tracks: list[Track],
        bridged: list[Track],
        groups: Sequence[StretchGroup],
        constants: StretchConstants,
    ) -> list["_Verdict"]:
        """Ask the network how unforeseen each stretch is, next to the rest of its track."""
        typical = [self.spec_.typical(track.values) for track in bridged]
        usual = cut_windows(bridged, self.spec_, typical=typical)
        usual_errors = self._errors(trainer, codebook, usual)
        planted = [a.values != b.values for a, b in zip(tracks, bridged, strict=True)]
        clean = np.array(
            [
                not planted[i][o : o + self.spec_.horizon].any()
                for i, o in zip(usual.track, usual.origin, strict=True)
            ]
        )
        null = np.sort(usual_errors[clean] if clean.any() else usual_errors)
        verdicts = []
        for group in groups:
            ranks = np.zeros(len(group.places))
            for row, (i, start, stop) in enumerate(group.places):
                last = len(tracks[i].values) - self.spec_.horizon
                origins = np.arange(start, max(start + 1, stop - self.spec_.horizon + 1))
                origins = np.unique(np.clip(origins, 0, last))
                at = [origins if j == i else np.empty(0, int) for j in range(len(tracks))]
                # Seen is the bridged past, to come is the stretch as given.
                ahead = cut_windows(
                    bridged, self.spec_, at, typical=typical, futures=[t.values for t in tracks]
                )
                error = self._errors(trainer, codebook, ahead).max()
                ranks[row] = np.searchsorted(null, error) / max(1, len(null))
            share = float((ranks >= constants.unforeseen).mean())
            verdicts.append(_Verdict(share > constants.contradicted_share, ranks))
        return verdicts

    def _errors(self, trainer: Trainer, codebook: Codebook, windows: Windows) -> np.ndarray:
        """Mean absolute error of each window, in units of what the network expected."""
        mixture = self._mixture(trainer.network, codebook, windows)
        future = windows.naive + windows.scale[:, None] * windows.future
        unit = np.sqrt(mixture.variance().mean(axis=1))
        return np.abs(mixture.mean() - future).mean(axis=1) / unit


@dataclass(frozen=True)
class _Verdict:
    """What the network said of one group: confirmed or not, and the rank of each error."""

    confirmed: bool
    ranks: np.ndarray


@dataclass(frozen=True)
class _Outcome:
    """What training without the groups came to."""

    fitted: Fitted
    verdicts: list[_Verdict]


def _unconfirmed(group: StretchGroup) -> _Verdict:
    return _Verdict(False, np.ones(len(group.places)))


def _bridge(
    tracks: Sequence[Track],
    groups: Sequence[StretchGroup],
    season: int,
    constants: StretchConstants,
) -> list[Track]:
    """Replace the stretches of all groups in their tracks."""
    places: list[list[tuple[int, int]]] = [[] for _ in tracks]
    for group in groups:
        for i, start, stop in group.places:
            places[i].append((int(start), int(stop)))
    return [
        track.with_values(smoothed(track.values, p, season, constants)) if p else track
        for track, p in zip(tracks, places, strict=True)
    ]


def _replace_data(trainer: Trainer, job: FitJob, windows: Windows, codebook: Codebook) -> None:
    """Let a trainer go on with other windows of the same number."""
    trainer.X = Samples(windows.inputs, job.device)
    trainer.targets = torch.from_numpy(codebook.assign(windows.future)).to(job.device)


def _report(
    y: pd.DataFrame,
    tracks: Sequence[Track],
    groups: Sequence[StretchGroup],
    verdicts: Sequence[_Verdict],
) -> StretchReport:
    """Put what was found into the user's labels."""
    times = {name: part.index for name, part in frames.instances(y)}
    rows: list[dict[str, Any]] = []
    for number, (group, verdict) in enumerate(zip(groups, verdicts, strict=True)):
        for (i, start, stop), rank in zip(group.places, verdict.ranks, strict=True):
            *instance, variable = tracks[i].name
            index = times[tuple(instance)]
            rows.append(
                {
                    "instance": tuple(instance) if len(instance) != 1 else instance[0],
                    "variable": variable,
                    "start": index[start],
                    "end": index[stop - 1],
                    "n_steps": int(stop - start),
                    "motif": number,
                    "suspicion": float(rank if verdict.confirmed else 0.4 * group.score * rank),
                    "verdict": "poisoned" if verdict.confirmed else "uncertain",
                }
            )
    rows.sort(key=lambda row: (str(row["instance"]), str(row["variable"]), row["start"]))
    return StretchReport(rows, sum(len(track.values) for track in tracks), y)
