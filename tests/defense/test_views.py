import numpy as np
import pytest

from robust_ts.defense.views import feature_views


@pytest.mark.parametrize("shape", [(12, 1, 8), (12, 3, 5), (12, 1, 2), (12, 3, 9, 9)])
def test_views_are_finite_for_short_series_and_images(shape: tuple[int, ...]) -> None:
    X = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    views = feature_views(X)
    # No part of one step has responses of dilated filters; all else must be there.
    always = {
        f"{family}{part}" for family in ("raw", "smooth") for part in ("", "-first", "-second")
    }
    assert always | {"local"} <= set(views)
    for view in views.values():
        assert view.shape[0] == len(X)
        assert np.isfinite(view).all()
