import numpy as np
import pytest

from robust_ts.defense.views import feature_views


@pytest.mark.parametrize("shape", [(12, 1, 8), (12, 3, 5), (12, 1, 2), (12, 3, 9, 9)])
def test_views_are_finite_for_short_series_and_images(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for view in feature_views(X).values():
        assert view.shape[0] == len(X)
        assert np.isfinite(view).all()
