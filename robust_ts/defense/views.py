"""Several looks at the same samples: no trigger is seen by all of them, or by none."""

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import uniform_filter1d

_KERNELS = ((3, 1), (5, 1), (9, 1), (5, 2))  # (length, dilation): edges, bumps and slow waves
_FILTERS = 24
_BINS = 4
_SMOOTH = 8
_GLOBAL_LENGTH = 9
_GLOBAL_FILTERS = 32
_GLOBAL_DILATIONS = 5
_QUANTILES = (0.25, 0.5, 0.75, 0.9)
_RESPONSES = 2**20  # in memory at once: more come in pages that the system hands out anew each time


def feature_views(X: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """Return the views in which groups are sought.

    Raw values; values smoothed over an eighth of the last axis, which show the content beneath a
    broad-band trigger; random convolutions pooled in a few bins ("local"); and, for series, how
    often and how strongly random dilated convolutions respond anywhere ("global"), for content that
    moves in time. Each of the whole sample, of its first and of its second half along the last
    axis: a trigger in one place leaves one of the halves untouched.

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
    views = unscaled_views(X, seed)
    scaled = {name: apply_scaling(v, scaling(name, v)) for name, v in views.items()}
    return {name: v for name, v in scaled.items() if np.isfinite(v).all()}


def unscaled_views(
    X: np.ndarray, seed: int = 0, usual: np.ndarray | None = None, n_samples: int | None = None
) -> dict[str, np.ndarray]:
    """Return the views of some samples as they are, each computed without looking at the others.

    Parameters
    ----------
    X : ndarray of shape (n_rows, n_channels, *space)
        Standardized samples.
    seed : int, default=0
        Seed of the random filters.
    usual : ndarray of shape (at most 64, n_channels, *space), optional
        The `usual_rows` of all samples; of ``X`` where None.
    n_samples : int, optional
        Number of all samples; that of ``X`` where None.

    Returns
    -------
    dict of str to ndarray of shape (n_rows, n_features)
        Views that have features, float32.
    """
    n, half = len(X), max(1, X.shape[-1] // 2)
    n_samples = n if n_samples is None else n_samples
    usual = X[usual_rows(n_samples, seed)] if usual is None else usual
    average, maximum = local_convolutions(X, seed)
    cut = max(1, average.shape[-1] // 2)
    window = max(2, X.shape[-1] // _SMOOTH)
    smooth = uniform_filter1d(X, window, axis=-1, mode="nearest")
    views = {}
    parts = {"": slice(None), "-first": slice(None, half), "-second": slice(half, None)}
    for name, part in parts.items():
        views[f"raw{name}"] = X[..., part].reshape(n, -1)
        views[f"smooth{name}"] = smooth[..., part].reshape(n, -1)
        if X.ndim == 3 and X[..., part].shape[-1] >= _GLOBAL_LENGTH:
            views[f"global{name}"] = global_convolutions(
                X[..., part], usual[..., part], n_samples, seed
            )
    bins = {"": slice(None), "-first": slice(None, cut), "-second": slice(cut, None)}
    for name, part in bins.items():
        both = np.concatenate([average[..., part], maximum[..., part]], axis=1)
        views[f"local{name}"] = both.reshape(n, -1)
    return {name: v for name, v in views.items() if v.shape[1]}


def usual_rows(n_samples: int, seed: int = 0) -> np.ndarray:
    """Draw the samples whose responses set the levels of `global_convolutions`."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(n_samples, generator=generator)[:64].numpy()


def local_convolutions(X: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
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
        for batch in x.split(_batch_size(2 * _FILTERS, x)):
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


def global_convolutions(
    X: np.ndarray, usual: np.ndarray, n_samples: int, seed: int = 0
) -> np.ndarray:
    """Pool random dilated filters over all of time: share of positive values, and maximum.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_channels, n_timesteps)
        Series of 9 steps or more.
    usual : ndarray of shape (at most 64, n_channels, n_timesteps)
        The `usual_rows` of all samples.
    n_samples : int
        Number of all samples.
    seed : int, default=0
        Seed of the filters.

    Returns
    -------
    ndarray of shape (n_samples, n_features)
        For each filter the share of steps above four quantiles of its responses, with soft edges,
        and its maximum.

    References
    ----------
    After Dempster, Schmidt and Webb, "MiniRocket", KDD 2021: dilations and the share of positive
    values with biases from quantiles of the responses.
    """
    generator = torch.Generator().manual_seed(seed)
    x = torch.as_tensor(np.ascontiguousarray(X, dtype=np.float32))
    n_channels, n_timesteps = x.shape[1:]
    reach = max(1, (n_timesteps - 1) // (_GLOBAL_LENGTH - 1))
    dilations = np.unique(np.geomspace(1, reach, _GLOBAL_DILATIONS).astype(int))
    torch.randperm(n_samples, generator=generator)  # as in `usual_rows`: the filters come after it
    sample = torch.as_tensor(np.ascontiguousarray(usual, dtype=np.float32))
    pooled = []
    for dilation in dilations.tolist():
        weight = torch.randn(_GLOBAL_FILTERS, n_channels, _GLOBAL_LENGTH, generator=generator)
        # A filter sees two channels on average: one over all of many sees mostly noise.
        seen = torch.rand(_GLOBAL_FILTERS, n_channels, generator=generator) < 2 / n_channels
        some = torch.randint(n_channels, (_GLOBAL_FILTERS,), generator=generator)
        seen[torch.arange(_GLOBAL_FILTERS), some] = True
        weight = (weight - weight.mean(dim=2, keepdim=True)) * seen[:, :, None]
        weight = weight / weight.flatten(1).norm(dim=1)[:, None, None]
        padding = (_GLOBAL_LENGTH - 1) * dilation // 2

        def respond(
            batch: torch.Tensor,
            weight: torch.Tensor = weight,
            padding: int = padding,
            dilation: int = dilation,
        ) -> torch.Tensor:
            return F.conv1d(batch, weight, padding=padding, dilation=dilation)

        response = respond(sample).transpose(0, 1).flatten(1)
        levels = np.quantile(response.numpy(), _QUANTILES, axis=1)  # (quantiles, filters)
        edge = float(response.std()) / 10 + 1e-12
        means = []
        for batch in x.split(_batch_size(_GLOBAL_FILTERS, x)):
            h = respond(batch)
            above = [
                torch.sigmoid((h - torch.from_numpy(b).float()[:, None]) / edge).mean(dim=2)
                for b in levels
            ]
            means.append(torch.cat([*above, h.amax(dim=2)], dim=1))
        pooled.append(torch.cat(means))
    return torch.cat(pooled, 1).numpy()


def _batch_size(n_filters: int, x: torch.Tensor) -> int:
    """Return how many samples to filter at a time, 256 at most."""
    return max(1, min(256, _RESPONSES // (n_filters * x[0, 0].numel())))


def scaling(name: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
    """Return what to subtract from a view and what to divide it by.

    Raw and smoothed values share a unit: each feature is centered, all are scaled by one factor.
    Pooled responses have units of their own: each is centered and scaled.
    """
    values = values.astype(np.float64)
    mean = values.mean(axis=0)
    if name.partition("-")[0] in ("raw", "smooth"):
        values -= mean
        return mean, max(float(np.sqrt((values**2).sum(axis=1).mean())), 1e-12)
    scale = values.std(axis=0)
    return mean, scale + 1e-3 * scale.max() + 1e-12


def apply_scaling(values: np.ndarray, given: tuple[np.ndarray, np.ndarray | float]) -> np.ndarray:
    """Center and scale a view as `scaling` says; float64."""
    values = values.astype(np.float64)
    values -= given[0]
    values /= given[1]
    return values
