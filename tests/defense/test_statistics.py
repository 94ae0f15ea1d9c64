import numpy as np
import pytest

from robust_ts.defense.statistics import agreement, cohesion, diversity, pattern_scores


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


def test_agreement_is_high_for_views_that_name_the_same_classes_and_zero_by_chance() -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(1, 4, size=300)
    alike = np.tile(np.eye(4)[true], (3, 1, 1))
    assert agreement(alike, np.ones(3), 0) == pytest.approx(2 / 3, abs=0.02)
    chance = rng.random(size=(3, 300, 4))
    assert agreement(chance, np.ones(3), 0) == pytest.approx(0.0, abs=0.05)
    one_class = np.tile(np.eye(4)[np.ones(300, dtype=int)], (3, 1, 1))
    assert agreement(one_class, np.ones(3), 0) == pytest.approx(0.0)
    # The given class gets no vote, however loud.
    alike[:, :, 0] = 9.0
    assert agreement(alike, np.ones(3), 0) == pytest.approx(2 / 3, abs=0.02)


def test_agreement_listens_to_the_weights() -> None:
    rng = np.random.default_rng(1)
    true = np.eye(4)[rng.integers(1, 4, size=300)]
    views = np.stack([true, true, rng.random((300, 4))])
    assert agreement(views, np.array([1.4, 1.4, 0.2]), 0) > agreement(views, np.ones(3), 0) + 0.1


def test_pattern_scores_tell_a_group_from_others_without_the_sample_itself() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 10))
    group, others = np.arange(30), np.arange(100, 300)
    alone = pattern_scores(values, group, others)
    assert abs((alone[:30] > 0).mean() - 0.5) < 0.25  # there is nothing in common
    values[:30, :3] += 3
    scores = pattern_scores(values, group, others)
    assert (scores[:30] > 0).mean() >= 0.95
    assert (scores[30:] < 0).mean() >= 0.95
