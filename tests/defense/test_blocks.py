from dataclasses import replace

import numpy as np

from robust_ts.defense.blocks import search, split
from robust_ts.defense.propose import members_of, propose
from robust_ts.defense.views import feature_views
from tests.defense._groups import CONSTANTS, N_CLASSES, Knowing, clean_series, poisoned_series


def two_sets(make) -> tuple[np.ndarray, ...]:
    """Two draws of series one after the other, with the same trigger where there is one."""
    one, two = make(0), make(0)
    noise = np.random.default_rng(7).normal(size=two[0].shape).astype(np.float32)
    return np.concatenate([one[0], two[0] + 0.1 * noise]), *(
        np.concatenate(pair) for pair in zip(one[1:], two[1:], strict=True)
    )


def test_blocks_are_equal_and_hold_every_class_alike() -> None:
    labels = np.sort(np.random.default_rng(0).integers(3, size=100))
    blocks = split(labels, 40)
    assert sorted(np.concatenate(blocks).tolist()) == list(range(100))
    assert max(map(len, blocks)) <= 40
    counts = np.array([np.bincount(labels[b]) for b in blocks])
    assert np.ptp(counts, axis=0).max() <= 1
    assert all((np.diff(b) > 0).all() for b in blocks)
    assert split(labels, 100)[0].tolist() == list(range(100))


def test_one_block_is_searched_as_a_whole() -> None:
    X, y, _ = poisoned_series()
    ours = search(lambda rows: feature_views(X[rows]), y, N_CLASSES, CONSTANTS)
    theirs = propose(feature_views(X), y, N_CLASSES, CONSTANTS)
    assert [p.members.tolist() for p in ours] == [p.members.tolist() for p in theirs]
    assert [p.score for p in ours] == [p.score for p in theirs]


def test_poison_is_found_in_all_blocks_and_joined() -> None:
    X, y, mask = two_sets(poisoned_series)
    blocks = replace(CONSTANTS, block=len(X) // 2)
    proposals = search(lambda r: feature_views(X[r]), y, N_CLASSES, blocks)
    assert len({p.label for p in proposals}) == len(proposals)
    best = proposals[0]
    assert best.label == 0
    assert [p.label for p in proposals if p.score >= 0.16] == [0]
    found = members_of([best], len(X))
    assert (found & mask).sum() >= 0.9 * mask.sum()
    assert (found & ~mask).sum() <= 0.2 * found.sum()
    assert (y[best.members] == 0).all()


def test_clean_blocks_hold_no_strong_group() -> None:
    X, y = two_sets(clean_series)
    blocks = replace(CONSTANTS, block=len(X) // 2)
    found = search(lambda r: feature_views(X[r]), y, N_CLASSES, blocks)
    assert all(p.score < 0.16 for p in found)


def test_a_network_is_asked_about_the_samples_of_each_block() -> None:
    X, y, mask = two_sets(poisoned_series)
    blocks = replace(CONSTANTS, block=len(X) // 2)
    found = search(lambda r: feature_views(X[r]), y, N_CLASSES, blocks, 0, Knowing(mask))
    assert len({p.label for p in found}) == len(found)
    assert (members_of(found[:1], len(X)) == mask).mean() >= 0.98
