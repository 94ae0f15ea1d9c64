"""Devices and precisions."""

import pytest
import torch

from robust_ts.training import resolve_device, resolve_precision
from robust_ts.training.device import pinned, sent

CPU = torch.device("cpu")


def test_auto_takes_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert resolve_device("auto") == torch.device("mps")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert resolve_device("auto") == CPU


@pytest.mark.parametrize("device", ["cpu", CPU])
def test_a_named_device(device):
    assert resolve_device(device) == CPU


@pytest.mark.parametrize("device", ["gpu", "cuda:99", None, object()])
def test_a_device_that_is_not_there(device):
    with pytest.raises(ValueError, match=r"device=.* cannot be used here \(.*'auto', 'cpu'"):
        resolve_device(device)


def test_precision_on_the_cpu():
    assert resolve_precision("auto", CPU) is torch.float32
    assert resolve_precision("float32", CPU) is torch.float32
    assert resolve_precision("bf16", CPU) is torch.bfloat16


@pytest.mark.parametrize(("has_bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_automatic_precision_on_a_card(monkeypatch, has_bf16, dtype):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: has_bf16)
    assert resolve_precision("auto", torch.device("cuda")) is dtype
    assert resolve_precision("float32", torch.device("cuda")) is torch.float32


@pytest.mark.parametrize("precision", ["fp16", None, 32])
def test_unknown_precision(precision):
    with pytest.raises(ValueError, match="precision must be 'auto', 'float32' or 'bf16', got"):
        resolve_precision(precision, CPU)


def test_on_the_cpu_nothing_is_sent():
    values = torch.arange(3)
    assert pinned(values, CPU) is values
    assert sent(values, CPU) is values
