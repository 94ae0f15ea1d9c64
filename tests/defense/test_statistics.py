import numpy as np
import pytest

from robust_ts.defense.statistics import cohesion, diversity


def test_diversity_is_high_for_a_spread_group_and_zero_for_one_neighbor() -> None:
    assert diversity(np.array([1, 2, 3, 1, 2, 3]), 4) == pytest.approx(1.0)
    assert diversity(np.array([1, 1, 1, 1]), 4) == 0.0
    assert diversity(np.array([1, 1]), 2) == 1.0


def test_cohesion_sees_a_shared_pattern_and_not_chance() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 20))
    group, others = np.arange(20), np.arange(20, 200)
    assert cohesion(values, group, others) < 0.4
    values[group] += 2 * np.sign(np.arange(20) % 2 - 0.5)
    assert cohesion(values, group, others) > 0.85
