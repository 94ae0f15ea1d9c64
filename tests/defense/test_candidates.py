import numpy as np

from robust_ts.defense.candidates import candidates, two_means
from robust_ts.defense.ridge import kernel_map
from robust_ts.defense.witnesses import Witnesses
from tests.defense._groups import CONSTANTS, N_CLASSES, poisoned_series


def test_two_means_separates_two_clouds() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 3)), rng.normal(size=(10, 3)) + 9])
    side = two_means(points)
    assert len({bool(s) for s in side[:20]}) == 1
    assert side[0] != side[25]


def test_one_of_the_candidates_is_the_poisoned_group_and_none_is_there_twice() -> None:
    X, y, mask = poisoned_series()
    maps = [kernel_map(part.reshape(len(X), -1).astype(float), 64) for part in (X, X[..., :20])]
    witnesses = Witnesses.of(maps, y, N_CLASSES, CONSTANTS)
    found = candidates(witnesses, 0, [np.array([], dtype=int)], CONSTANTS)
    poison = np.flatnonzero(mask)
    shared = [len(np.intersect1d(g, poison)) / len(np.union1d(g, poison)) for g in found]
    assert max(shared) > 0.8
    pairs = [(a, b) for i, a in enumerate(found) for b in found[:i]]
    alike = [len(np.intersect1d(a, b)) / len(np.union1d(a, b)) for a, b in pairs]
    assert max(alike, default=0) <= CONSTANTS.same_group


def test_views_are_asked_together_and_each_alone_only_where_that_is_wanted() -> None:
    X, y, _ = poisoned_series()
    maps = [kernel_map(part.reshape(len(X), -1).astype(float), 64) for part in (X, X[..., :20])]
    witnesses = Witnesses.of(maps, y, N_CLASSES, CONSTANTS)
    empty = [np.array([], dtype=int)]
    every, together = (
        {g.tobytes() for g in candidates(witnesses, 0, empty, CONSTANTS, each_view=each)}
        for each in (True, False)
    )
    assert together < every
    one = Witnesses.of(maps[:1], y, N_CLASSES, CONSTANTS)
    alone = {g.tobytes() for g in candidates(one, 0, empty, CONSTANTS, each_view=False)}
    assert alone - together
    assert alone <= every
