"""Series of different lengths: what a network says of one does not depend on its padding."""

import inspect

import pytest
import torch
from torch import nn

from robust_ts.networks import BACKBONES, CNN, NetworkSpec
from robust_ts.networks.heads import binned_pool
from robust_ts.networks.layers import BatchNorm

SMALL = {
    "cnn": {"filters": (4, 6, 5)},
    "inception": {"filters": 3, "bottleneck": 4},
    "resnet": {"filters": (4, 6, 6)},
}
MASKED = [n for n, kind in BACKBONES.items() if "mask" in inspect.signature(kind.deep).parameters]
LENGTHS = [30, 29, 17, 3, 1, 30, 8, 2]
MEAN, SCALE = torch.tensor([3.0, -1.0]), torch.tensor([0.5, 2.0])

every_network = pytest.mark.parametrize("name", MASKED)
main_and_trap = pytest.mark.parametrize("part", ["main", "shallow"])


def build(name, part, *, padded):
    torch.manual_seed(0)
    return getattr(NetworkSpec(name, 2, 3, (30,), SMALL[name], padded=padded), part)(MEAN, SCALE)


def batch(length=30):
    """Series of LENGTHS steps in raw units, NaN from there up to ``length``."""
    torch.manual_seed(1)
    x = torch.randn(len(LENGTHS), 2, 30) * SCALE[:, None] + MEAN[:, None]
    x = nn.functional.pad(x, (0, length - 30))
    for series, t in zip(x, LENGTHS, strict=True):
        series[:, t:] = torch.nan
    return x


def test_all_series_networks_take_a_mask():
    assert {"cnn", "inception", "resnet"} <= set(MASKED)


@main_and_trap
@every_network
def test_a_series_is_judged_as_if_it_were_alone(name, part):
    padded, plain = build(name, part, padded=True), build(name, part, padded=False)
    padded.train()(batch())  # running statistics other than 0 and 1
    plain.load_state_dict(padded.state_dict())
    x = batch(length=44)
    with torch.no_grad():
        together = padded.eval()(x)
        alone = torch.cat([plain.eval()(s[None, :, :t]) for s, t in zip(x, LENGTHS, strict=True)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)
    assert alone.std(dim=0).min() > 1e-3


@main_and_trap
@every_network
def test_training_does_not_see_how_much_padding_there_is(name, part):
    networks = [build(name, part, padded=True).double() for _ in range(2)]
    for network, length in zip(networks, (30, 70), strict=True):
        network.train()(batch(length).double()).square().sum().backward()
    one, two = networks
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert a.grad.isfinite().all()
        torch.testing.assert_close(a.grad, b.grad)
    for (key, a), b in zip(one.state_dict().items(), two.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, msg=key)


@main_and_trap
@every_network
def test_without_padding_a_mask_changes_nothing(name, part):
    padded, plain = (build(name, part, padded=p).double() for p in (True, False))
    x = torch.randn(8, 2, 30, dtype=torch.float64)
    outputs = [n.train()(x) for n in (padded, plain)]
    torch.testing.assert_close(*outputs)
    for out in outputs:
        out.square().sum().backward()
    for a, b in zip(padded.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_batch_normalization_knows_real_steps_alone():
    x = torch.randn(4, 3, 1, 10) * 5 + 2
    mask = torch.arange(10) < torch.tensor([10, 4, 1, 7])[:, None, None, None]
    real = x.movedim(1, -1)[mask.squeeze(1)]  # (22, 3)
    for garbage in (0.0, 1e30, torch.inf, torch.nan):
        norm = BatchNorm(3, momentum=1.0)
        out = norm(x.masked_fill(~mask, garbage), mask)
        assert (out.masked_select(~mask) == 0).all()
        torch.testing.assert_close(norm.running_mean, real.mean(dim=0))
        torch.testing.assert_close(norm.running_var, real.var(dim=0))
        seen = out.movedim(1, -1)[mask.squeeze(1)]
        torch.testing.assert_close(seen, nn.BatchNorm1d(3)(real))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 9, 16, 20])
def test_bins_divide_the_length_of_each_series(length):
    z = torch.randn(1, 3, 1, 20)
    mask = (torch.arange(20) < length)[None, None, None]
    torch.testing.assert_close(
        binned_pool(z.masked_fill(~mask, 0), mask), binned_pool(z[..., :length])
    )


class Unmasked(CNN):
    def deep(self, z, x):
        return super().deep(z, x)


@pytest.mark.parametrize("part", ["main", "shallow"])
@pytest.mark.parametrize("backbone", [nn.Sequential(nn.Conv1d(2, 3, 1)), "tsai:FCN", "unmasked"])
def test_a_network_without_a_mask_is_refused_by_name(backbone, part, monkeypatch):
    monkeypatch.setitem(BACKBONES, "unmasked", Unmasked)
    spec = NetworkSpec(backbone, 2, 3, (30,), padded=True)
    text = r"unequal length, but backbone=.*(Conv1d|tsai:FCN|unmasked).* takes no mask.*'cnn', 'in"
    with pytest.raises(ValueError, match=text.replace(".*", "(?s:.*)")):
        getattr(spec, part)(MEAN, SCALE)
