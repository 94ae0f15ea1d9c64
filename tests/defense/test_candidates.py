import numpy as np

from robust_ts.defense.candidates import two_means


def test_two_means_separates_two_clouds() -> None:
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(20, 3)), rng.normal(size=(10, 3)) + 9])
    side = two_means(points)
    assert len({bool(s) for s in side[:20]}) == 1
    assert side[0] != side[25]
