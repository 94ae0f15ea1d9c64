import numpy as np
import pytest

from robust_ts import chunks
from robust_ts.defense.features import ViewStream, features_of, views_of
from robust_ts.defense.propose import propose
from robust_ts.defense.views import feature_views
from tests.defense._groups import CONSTANTS, N_CLASSES, clean_series, poisoned_series


@pytest.mark.parametrize("shape", [(90, 3, 20), (90, 2, 9, 9), (90, 1, 5)])
def test_a_stream_of_one_part_has_the_features_of_the_arrays(shape) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    stream = ViewStream.of(X.__getitem__, np.arange(90), 3)
    whole = features_of(feature_views(X, 3), CONSTANTS, 5)
    parts = features_of(stream, CONSTANTS, 5)
    streamed = parts.maps
    assert list(streamed) == list(whole.maps)
    np.testing.assert_allclose(parts.values, whole.values, atol=1e-5)
    np.testing.assert_allclose(parts.exact, whole.exact, atol=1e-5)
    for name, one in whole.maps.items():
        np.testing.assert_allclose(
            streamed[name] @ streamed[name].T, one @ one.T, atol=1e-3, err_msg=name
        )


@pytest.mark.parametrize("poisoned", [True, False])
def test_groups_are_the_same_where_views_do_not_fit(poisoned, monkeypatch) -> None:
    X, y = poisoned_series()[:2] if poisoned else clean_series()
    arrays = views_of(X.__getitem__, np.arange(len(X)))
    assert not isinstance(arrays, ViewStream)
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 40 * X[:1].nbytes)
    stream = views_of(X.__getitem__, np.arange(len(X)))
    assert isinstance(stream, ViewStream)
    found = []
    for views in (arrays, stream):
        found.append([p for p in propose(views, y, N_CLASSES, CONSTANTS) if p.score >= 0.16])
    assert [p.label for p in found[1]] == ([0] if poisoned else [])
    for one, other in zip(*found, strict=True):
        assert one.members.tolist() == other.members.tolist()
        assert one.score == pytest.approx(other.score, abs=0.05)


def test_constant_channels_and_one_step_are_no_trouble(monkeypatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 40 * 8)
    X = np.zeros((100, 2, 1), np.float32)
    X[:, 0, 0] = np.arange(100)
    features = features_of(views_of(X.__getitem__, np.arange(100)), CONSTANTS)
    assert features.values.shape == features.exact.shape == (100, 2)
    assert all(np.isfinite(m).all() and len(m) == 100 for m in features.maps.values())


def test_long_series_keep_some_of_their_values_and_equal_ones_stay_equal() -> None:
    X = np.random.default_rng(0).normal(size=(60, 3, 800)).astype(np.float32)
    X[::4, 1, 200:280] = np.float32(0.1)
    exact = features_of(feature_views(X), CONSTANTS).exact
    assert exact.shape == (60, 800)
    assert ((exact[::4] == exact[0]).all(axis=0)).sum() == 26  # every third of 80
