"""Augmentation: what each kind does to an image, seeded, batched, and only where asked for."""

import numpy as np
import pytest
import torch

from robust_ts import E2ABLClassifier, NeuralClassifier
from robust_ts.training.augment import Augment, check_augment

H, W = 16, 24


def augment(kinds, seed=0, fill=(-1.0, -2.0)):
    return Augment(kinds, torch.tensor(fill), torch.Generator().manual_seed(seed))


def places(n=200):
    """Images whose two channels hold the row and the column of each pixel."""
    rows = torch.arange(H).view(1, 1, H, 1).expand(n, 1, H, W)
    columns = torch.arange(W).view(1, 1, 1, W).expand(n, 1, H, W)
    return torch.cat([rows, columns], dim=1).float()


def test_a_crop_shifts_by_up_to_an_eighth_and_mirrors_the_border():
    x = places()
    out = augment("crop")(x)
    assert out.shape == x.shape
    # The middle tells the shift, and the rest follows from it.
    shifts = (out[:, :, H // 2, W // 2] - x[:, :, H // 2, W // 2]).int()
    assert set(shifts[:, 0].tolist()) == set(range(-2, 3))
    assert set(shifts[:, 1].tolist()) == set(range(-3, 4))
    for image, (down, right) in zip(out[:20], shifts[:20].tolist(), strict=True):
        rows = np.pad(np.arange(H), 2, mode="reflect")[2 + down : 2 + down + H]
        columns = np.pad(np.arange(W), 3, mode="reflect")[3 + right : 3 + right + W]
        np.testing.assert_array_equal(image[0].numpy(), np.tile(rows[:, None], (1, W)))
        np.testing.assert_array_equal(image[1].numpy(), np.tile(columns, (H, 1)))


def test_a_flip_mirrors_half_of_the_images():
    x = places(400)
    out = augment("flip")(x)
    flipped = (out == x.flip(3)).flatten(1).all(1)
    assert (flipped | (out == x).flatten(1).all(1)).all()
    assert 0.4 < flipped.float().mean() < 0.6


def test_a_cut_out_fills_a_square_of_half_the_side_with_the_channel_means():
    x = places()
    out = augment("cutout")(x)
    cut = out != x
    assert torch.equal(out[:, 0][cut[:, 0]].unique(), torch.tensor([-1.0]))
    assert torch.equal(out[:, 1][cut[:, 1]].unique(), torch.tensor([-2.0]))
    assert torch.equal(cut[:, 0], cut[:, 1])
    heights, widths = cut[:, 0].any(2).sum(1), cut[:, 0].any(1).sum(1)
    assert torch.equal(cut[:, 0].sum((1, 2)), heights * widths)  # a rectangle
    assert heights.max() == H // 2  # where it is wholly inside
    assert widths.max() == W // 2
    assert (cut[:, 0].float().mean(0) > 0).all()  # anywhere


def test_kinds_combine_and_the_generator_decides():
    x = places()
    first, again, other = (augment("crop+flip+cutout", seed)(x) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(x, places())
    # Images of a batch are changed each in its own way.
    assert len({tuple(image.flatten().tolist()) for image in first[:20]}) > 15


@pytest.mark.parametrize("shape", [(3, 2, 1, 1), (2, 2, 1, 9), (2, 2, 8, 2), (1, 2, 5, 5)])
def test_tiny_images(shape):
    x = torch.randn(shape)
    assert augment("crop+flip+cutout")(x).shape == shape


@pytest.mark.parametrize(
    "value", ["", "crop,flip", "Crop", "crop+crop", "crop+", 3, True, ["crop"]]
)
def test_bad_names_are_refused(value):
    with pytest.raises(ValueError, match=r"augment must be None or .* crop, flip, cutout .*got"):
        check_augment(value, 2)


def test_series_networks_refuse_it(make_waves):
    X, y = make_waves()
    with pytest.raises(ValueError, match="augment='crop' is for images, and the backbone is for"):
        NeuralClassifier("cnn", augment="crop").fit(X, y)


def fitted(cls, augment, seed=0, **params):
    X = np.random.default_rng(0).normal(size=(60, 1, 8, 8)).astype(np.float32)
    y = np.arange(60) % 3
    X[np.arange(60), 0, 2 * y] += 2
    clf = cls(
        "image_cnn",
        backbone_params={"filters": (4, 8)},
        epochs=4,
        augment=augment,
        random_state=seed,
        **params,
    ).fit(X, y)
    return clf.predict_proba(X)


@pytest.mark.parametrize("cls", [NeuralClassifier, E2ABLClassifier])
def test_classifiers_are_repeatable_and_the_choice_matters(cls):
    results = [fitted(cls, name) for name in (None, "crop", "crop+flip", "crop+flip+cutout")]
    for i, one in enumerate(results):
        assert np.isfinite(one).all()
        assert all(np.abs(one - other).max() > 1e-6 for other in results[:i])
    state = torch.get_rng_state()
    np.testing.assert_array_equal(fitted(cls, "crop+flip"), results[2])
    assert torch.equal(torch.get_rng_state(), state)
