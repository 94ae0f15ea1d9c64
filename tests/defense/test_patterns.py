import numpy as np
import pytest

from robust_ts.defense.patterns import content_of, pattern_of, replaced, stamp_of


def without_pattern(X, *rest):
    return X - pattern_of(X, *rest)


def test_without_pattern_uncovers_the_content_beneath_an_added_or_replaced_part() -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(size=(3, 2, 10))
    labels = np.repeat([1, 2], 40)
    content = means[labels] + 0.1 * rng.normal(size=(80, 2, 10))
    added = content + rng.normal(size=(1, 2, 10))
    back = without_pattern(added, np.arange(80), labels, means)
    np.testing.assert_allclose(back, content, atol=0.1)
    windowed = content.copy()
    windowed[..., 7:] = 9.0
    back = without_pattern(windowed, np.arange(80), labels, means)
    np.testing.assert_allclose(back[..., :7], content[..., :7], atol=0.1)
    assert np.abs(back[..., 7:]).max() < 4  # neutral, no longer the trigger
    padded = added.copy()
    padded[:40, :, 8:] = np.nan
    back = without_pattern(padded, np.arange(80), labels, means)
    assert np.array_equal(np.isnan(back), np.isnan(padded))


def triggered(kind: str, X: np.ndarray) -> np.ndarray:
    fixed = np.random.default_rng(5).normal(size=(1, *X.shape[1:]))
    if kind == "added":
        return X + fixed
    if kind == "blended":
        return 0.6 * X + 0.4 * fixed
    X = X.copy()
    X[..., 7:] = 2.0
    return X


@pytest.mark.parametrize("kind", ["added", "blended", "replaced"])
@pytest.mark.parametrize("clean_share", [0.0, 0.3])
def test_a_stamp_is_the_trigger_even_where_some_of_the_group_are_clean(kind, clean_share) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1200, 2, 10))
    group, others = X[:600], X[600:]
    bad = rng.random(600) >= clean_share
    group = np.where(bad[:, None, None], triggered(kind, group), group)
    stamp = stamp_of(group, others)
    wanted, got = triggered(kind, others), stamp.scale * others - stamp.less
    error = np.abs(got - wanted).mean() / max(np.abs(others - wanted).mean(), 1e-9)
    assert error < (0.15 if not clean_share else 0.6)
    if kind == "replaced":  # equal values outvote the clean ones
        np.testing.assert_allclose(got[..., 7:], 2.0, atol=1e-6)
        assert error < 0.3


@pytest.mark.parametrize(("kind", "left"), [("added", 1.0), ("blended", 0.6)])
def test_contents_are_what_a_trigger_was_added_to_or_blended_with(kind, left) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 2, 10))
    X[:, :, 9] = np.nan  # padded
    bad = triggered(kind, X)
    usual = np.nan_to_num(X.mean(axis=0))
    pattern = np.nan_to_num(bad.mean(axis=0)) - usual
    content = content_of(pattern, bad.mean(axis=0), left)
    assert content.scale.dtype == content.less.dtype == np.float32
    np.testing.assert_allclose(content.scale * bad - content.less, X, atol=1e-5)
    if kind == "blended":  # the pattern alone is not all
        assert np.nanmax(np.abs(bad - pattern - X)) > 0.5


def test_a_stamp_leaves_padding_and_constant_steps_alone() -> None:
    group, others = np.ones((4, 1, 3)), np.zeros((5, 1, 3))
    group[..., 2] = np.nan
    others[..., 1] = np.arange(5).reshape(5, 1)
    stamp = stamp_of(group, others)
    got = stamp.scale * others - stamp.less
    assert got[..., :2].tolist() == np.ones((5, 1, 2)).tolist()
    assert got[..., 2].tolist() == others[..., 2].tolist()


@pytest.mark.parametrize("kind", ["added", "blended", "replaced"])
def test_content_is_gone_where_most_of_a_group_hold_one_value(kind) -> None:
    X = np.random.default_rng(0).normal(size=(40, 2, 10))
    group = np.concatenate([triggered(kind, X[:20])[:15], X[15:20]])
    gone = replaced(group, X[20:])
    assert not gone[..., :7].any()
    assert gone[..., 7:].all() == (kind == "replaced")


def test_what_others_hold_as_well_is_not_gone() -> None:
    group, others = np.ones((4, 1, 4)), np.ones((6, 1, 4))
    others[:4, :, 1] = 0.0  # most rest at another value
    others[..., 2] = np.nan
    group[..., 3] = np.nan
    assert replaced(group, others).tolist() == [[False, True, False, False]]
