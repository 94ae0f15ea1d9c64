import matplotlib.image
import matplotlib.pyplot as plt
import numpy as np

from robust_ts.evaluation.plots import plot_defense


def test_defense_picture_is_written_and_leaves_pyplot_alone(tmp_path):
    rng = np.random.default_rng(0)
    main = rng.random((6, 20))
    main[2:, :5] = np.nan
    figure = plot_defense(main, rng.random((3, 20)), np.arange(20) < 5, {"none": 0.9}, 0.02)
    figure.savefig(tmp_path / "a.png", dpi=50)
    assert matplotlib.image.imread(tmp_path / "a.png").std() > 0.01
    assert [ax.get_title() for ax in figure.axes][:1] == ["Auxiliary head (the trap)"]
    bars = figure.axes[2].patches
    assert [bar.get_height() for bar in bars] == [90.0]
    assert plt.get_fignums() == []


def test_losses_drawn_are_the_medians():
    losses = np.array([[1.0, 2.0, 9.0], [0.5, 1.0, 8.0]])
    figure = plot_defense(losses, losses, np.array([False, False, True]), {"x": 0.5}, 0.1)
    clean, poisoned = figure.axes[0].lines
    np.testing.assert_allclose(clean.get_ydata(), [1.5, 0.75])
    np.testing.assert_allclose(poisoned.get_ydata(), [9.0, 8.0])
