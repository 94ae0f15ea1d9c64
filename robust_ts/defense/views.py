"""Several looks at the same samples: no trigger is seen by all of them, or by none."""

import numpy as np
import torch
import torch.nn.functional as F

_KERNELS = ((3, 1), (5, 1), (9, 1), (5, 2))  # (length, dilation): edges, bumps and slow waves
_FILTERS = 24
_BINS = 4


def feature_views(X: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the views in which groups are sought.

    The raw values and pooled random convolutions, each of the whole sample, of its first and of its
    second half (along the last axis): a trigger in one place leaves one of the halves untouched.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        Standardized samples.
    seed : int, default=0
        Seed of the random filters.

    Returns
    -------
    dict of str to ndarray of shape (n_samples, n_features)
        Centered and scaled views, float64.
    """
    n, half = len(X), max(1, X.shape[-1] // 2)
    average, maximum = random_convolutions(X, seed)
    cut = max(1, average.shape[-1] // 2)

    def pooled(part: slice) -> np.ndarray:
        both = np.concatenate([average[..., part], maximum[..., part]], axis=1)
        return _per_feature(both.reshape(n, -1))

    views = {
        "raw": _per_sample(X.reshape(n, -1)),
        "raw-first": _per_sample(X[..., :half].reshape(n, -1)),
        "raw-second": _per_sample(X[..., half:].reshape(n, -1)),
        "random": pooled(slice(None)),
        "random-first": pooled(slice(None, cut)),
        "random-second": pooled(slice(cut, None)),
    }
    return {name: v for name, v in views.items() if v.shape[1] and np.isfinite(v).all()}


def random_convolutions(X: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Pool random zero-mean filters of both signs in a few bins.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, *space)
        Samples with one or two axes of space.
    seed : int, default=0
        Seed of the filters.

    Returns
    -------
    average, maximum : ndarray of shape (n_samples, n_filters, *bins)
        Pooled rectified responses.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.as_tensor(np.ascontiguousarray(X, dtype=np.float32))
    axes = x.ndim - 2
    convolve = F.conv1d if axes == 1 else F.conv2d
    kernels = [k for k in _KERNELS if (k[0] - 1) * k[1] < x.shape[-1]] or [(1, 1)]
    average, maximum = [], []
    for length, dilation in kernels:
        weight = torch.randn(_FILTERS, x.shape[1], *[length] * axes, generator=generator)
        if length > 1:
            weight = weight - weight.mean(dim=tuple(range(2, 2 + axes)), keepdim=True)
        weight = weight / weight.flatten(1).norm(dim=1).reshape(-1, *[1] * (axes + 1))
        padding = (length - 1) * dilation // 2
        means, peaks = [], []
        for batch in x.split(256):  # bounds the memory of the responses
            h = convolve(batch, weight, padding=padding, dilation=dilation)
            h = F.relu(torch.cat([h, -h], dim=1))
            pool = (F.adaptive_avg_pool1d, F.adaptive_max_pool1d)
            pool2 = (F.adaptive_avg_pool2d, F.adaptive_max_pool2d)
            mean, peak = pool if axes == 1 else pool2
            means.append(mean(h, _BINS))
            peaks.append(peak(h, _BINS))
        average.append(torch.cat(means))
        maximum.append(torch.cat(peaks))
    return torch.cat(average, 1).numpy(), torch.cat(maximum, 1).numpy()


def _per_sample(values: np.ndarray) -> np.ndarray:
    """Center each feature and scale all by one factor: raw values share a unit."""
    values = values.astype(np.float64)
    values = values - values.mean(axis=0)
    return values / max(float(np.sqrt((values**2).sum(axis=1).mean())), 1e-12)


def _per_feature(values: np.ndarray) -> np.ndarray:
    """Center and scale each feature: pooled responses have units of their own."""
    values = values.astype(np.float64)
    scale = values.std(axis=0)
    return (values - values.mean(axis=0)) / (scale + 1e-3 * scale.max() + 1e-12)
