"""What the last layer of a network is given, whatever the network."""

import pytest
import torch
from torch import nn

from robust_ts.networks.embedding import embed
from tests.networks.test_backbones import SERIES, spec, statistics


@pytest.mark.parametrize("name", SERIES)
def test_the_head_makes_the_logits_of_it(name) -> None:
    network = spec(name).main(*statistics(2)).eval()
    x = torch.randn(5, 2, 20, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = embed(network, x)
        last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
        torch.testing.assert_close(last(features), network(x))
    assert features.shape[0] == 5


class Branched(nn.Module):
    """A module whose last linear layer by name is not the one that decides."""

    def __init__(self) -> None:
        super().__init__()
        self.decide, self.gate = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        x = x.flatten(1)
        self.gate(x)
        return self.decide(x * 2)


def test_the_layer_that_decides_is_found_by_what_it_gives() -> None:
    network, x = Branched(), torch.randn(6, 1, 4)
    torch.testing.assert_close(embed(network, x), 2 * x.flatten(1))


def test_without_a_linear_head_the_logits_are_given_and_no_hook_stays() -> None:
    network = nn.Sequential(nn.Conv1d(1, 3, 4), nn.Flatten())
    x = torch.randn(2, 1, 4)
    torch.testing.assert_close(embed(network, x), network(x))
    scaled = Branched()
    embed(scaled, x)
    assert not scaled.decide._forward_hooks
