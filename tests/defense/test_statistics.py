import numpy as np
import pytest

from robust_ts.defense.statistics import agreement, cohesion, diversity, pattern_scores, purified


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


def test_purified_drops_strangers_and_adds_bearers() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 10))
    values[:30, :3] += 3  # the pattern, on samples 0 to 29
    rows, others = np.arange(100), np.arange(100, 300)
    start = np.concatenate([np.arange(20), np.arange(40, 45)])
    group = purified(values, start, rows, others)
    assert set(range(30)) <= set(group.tolist())
    assert len(group) <= 33
    wide = purified(values, start, rows, others, doubt=0.3)
    assert set(group.tolist()) <= set(wide.tolist())
    assert len(wide) > len(group)


def test_pattern_scores_say_of_unseen_samples_whether_they_bear_the_pattern() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 10))
    values[:40, :3] += 3
    parts = [np.arange(30), np.arange(50, 100), np.arange(100, 300)]
    asked = np.arange(30, 50)
    scores = pattern_scores(values, parts, asked)
    np.testing.assert_allclose(scores[:-20], pattern_scores(values, parts))
    assert ((scores[-20:] > 0) == (asked < 40)).mean() >= 0.9
