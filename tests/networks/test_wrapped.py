"""Any module as a backbone: cloned, tapped, checked."""

import pytest
import torch
from torch import nn

from robust_ts.networks import NetworkSpec, check_backbone
from robust_ts.networks.wrapped import choose_tap

MEAN, SCALE = torch.zeros(2), torch.ones(2)


class Gap(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(dim=2)


class Block(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, 3, padding=1)
        self.norm = nn.BatchNorm1d(c_out)

    def forward(self, x):
        return torch.relu(self.norm(self.conv(x)))


class Net(nn.Module):
    """Two blocks, with the constructor ``f(n_channels, n_classes, n_timesteps)``."""

    def __init__(self, n_channels, n_classes, n_timesteps, width=6):
        super().__init__()
        self.n_timesteps = n_timesteps
        self.first, self.second = Block(n_channels, width), Block(width, 2 * width)
        self.pool, self.out = Gap(), nn.Linear(2 * width, n_classes)

    def forward(self, x):
        return self.out(self.pool(self.second(self.first(x))))


class Tsai(Net):
    """The constructor convention of tsai."""

    def __init__(self, c_in, c_out, seq_len=None):
        super().__init__(c_in, c_out, seq_len)


def make(n_channels, n_classes, n_timesteps):
    return Net(n_channels, n_classes, n_timesteps, width=3)


SOURCES = {"class": Net, "factory": make, "instance": Net(2, 3, 20), "tsai-style": Tsai}


@pytest.mark.parametrize("kind", SOURCES)
def test_main_and_trap_from_a_class_a_factory_and_an_instance(kind):
    spec = NetworkSpec(SOURCES[kind], 2, 3, (20,))
    main, trap = spec.main(MEAN, SCALE), spec.shallow(MEAN, SCALE)
    x = torch.randn(5, 2, 20)
    assert main(x).shape == (5, 3)
    assert trap(x).shape == (5, 3)
    assert trap.body.tap == "first"
    assert main.module.n_timesteps == 20
    ours = {p.data_ptr() for p in main.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in trap.parameters())


def test_parameters_reach_the_class():
    main = NetworkSpec(Net, 2, 3, (20,), {"width": 5}).main(MEAN, SCALE)
    assert main.module.first.conv.out_channels == 5


def test_an_instance_is_cloned_and_left_untouched():
    module = Net(2, 3, 20)
    module.eval()
    module.first.train()
    before = {k: v.clone() for k, v in module.state_dict().items()}
    spec = NetworkSpec(module, 2, 3, (20,))
    for network in (spec.main(MEAN, SCALE), spec.shallow(MEAN, SCALE)):
        network.train()(torch.randn(8, 2, 20)).sum().backward()
        with torch.no_grad():
            for p in network.parameters():
                p.add_(1)
    assert all(torch.equal(v, before[k]) for k, v in module.state_dict().items())
    assert all(p.grad is None for p in module.parameters())
    assert (module.training, module.first.training, module.second.training) == (False, True, False)


def test_an_instance_takes_no_parameters():
    with pytest.raises(ValueError, match="no effect on a module instance"):
        NetworkSpec(Net(2, 3, 20), 2, 3, (20,), {"width": 5}).main(MEAN, SCALE)


def test_the_trap_computes_what_the_tapped_layer_gives():
    module = Net(2, 3, 20).eval()
    trap = NetworkSpec(module, 2, 3, (20,)).shallow(MEAN, SCALE).eval()
    x = torch.randn(4, 2, 20)
    torch.testing.assert_close(trap.body(x), module.first(x))


def test_a_named_tap_is_used():
    trap = NetworkSpec(Net, 2, 3, (20,), tap="second").shallow(MEAN, SCALE)
    assert trap.body.tap == "second"
    assert trap.head.linear.in_features == 12 * 5


def test_an_unknown_tap_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match=r"'nowhere' is no layer of Net.*'first'"):
        NetworkSpec(Net, 2, 3, (20,), tap="nowhere").shallow(MEAN, SCALE)


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv1d(2, 3, 1), Block(2, 3)

    def forward(self, x):
        return torch.cat([self.a(x), self.b(x)], dim=1)


def test_the_chosen_tap_is_a_whole_block_and_not_one_of_its_branches():
    module = nn.Sequential(Branches(), Block(6, 4), Gap(), nn.Linear(4, 3))
    assert choose_tap(module, 2, (20,)) == "0"


def test_a_flat_list_of_layers_is_tapped_after_the_first_weights():
    flat = nn.Sequential(nn.Conv1d(2, 4, 3), nn.ReLU(), nn.Conv1d(4, 4, 3), Gap(), nn.Linear(4, 3))
    assert choose_tap(flat, 2, (20,)) == "1"
    assert not flat[0]._forward_hooks


def test_a_network_without_feature_maps_is_tapped_at_its_first_vectors():
    mlp = nn.Sequential(nn.Flatten(), nn.Linear(40, 7), nn.ReLU(), nn.Linear(7, 3))
    trap = NetworkSpec(mlp, 2, 3, (20,)).shallow(MEAN, SCALE)
    assert trap.body.tap == "2"
    assert trap(torch.randn(5, 2, 20)).shape == (5, 3)
    assert trap.body(torch.randn(5, 2, 20)).shape == (5, 7, 1)


def test_a_network_with_nothing_to_tap_says_so():
    with pytest.raises(ValueError, match="backbone_tap"):
        choose_tap(nn.Sequential(nn.Flatten(), nn.Linear(40, 3)), 2, (20,))


class OddLayer(nn.Module):
    def forward(self, x):
        return {"x": x}


class Odd(Net):
    def __init__(self, *args):
        super().__init__(*args)
        self.odd = OddLayer()

    def forward(self, x):
        return super().forward(self.odd(x)["x"])


def test_a_tap_without_a_tensor_is_refused():
    with pytest.raises(ValueError, match="'odd' gives no feature map"):
        NetworkSpec(Odd, 2, 3, (20,), tap="odd").shallow(MEAN, SCALE)


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        (Net(2, 4, 20), r"logits \(n, 3\); for n=2 it gave \(2, 4\)"),
        (nn.Conv1d(2, 3, 1), r"gave \(2, 3, 20\)"),
        (OddLayer(), "gave dict"),
        (Net(5, 3, 20), r"failed on input of shape \(2, 2, 20\)"),
        (lambda c, k, t: "no module", "must return an nn.Module, got str"),
    ],
)
def test_a_wrong_output_is_refused(backbone, text):
    with pytest.raises(ValueError, match=text):
        NetworkSpec(backbone, 2, 3, (20,)).main(MEAN, SCALE)


def test_images_reach_a_module_as_they_are():
    module = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), Gap(), nn.Linear(4, 3))
    spec = NetworkSpec(module, 2, 3, (8, 9))
    x = torch.randn(5, 2, 8, 9)
    assert spec.main(MEAN, SCALE)(x).shape == (5, 3)
    assert spec.shallow(MEAN, SCALE).body(x).shape == (5, 4, 6, 7)


@pytest.mark.parametrize("name", ["cnn", "resnet", "tsai:Anything"])
def test_known_names_pass(name):
    check_backbone(name)


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        ("inceptoin", r"Unknown backbone 'inceptoin'. Did you mean 'inception'.*Known: 'cnn'"),
        ("resnet18x", "Did you mean 'resnet18' or 'resnet'"),
        (7, "got int"),
        (None, "got NoneType"),
    ],
)
def test_unknown_backbones_are_refused_with_the_nearest_names(backbone, text):
    with pytest.raises(ValueError, match=text):
        check_backbone(backbone)


def test_unknown_backbone_parameters_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'filterz'.*\['filters', 'kernels'\]"):
        NetworkSpec("cnn", 2, 3, (20,), {"filterz": 3}).main(MEAN, SCALE)


def test_a_keyword_that_the_factory_does_not_take_is_named():
    spec = NetworkSpec(Net, 2, 3, (20,), {"depth": 3})
    with pytest.raises(ValueError, match=r"could not be called with backbone_params=.*'depth'"):
        spec.main(MEAN, SCALE)


def test_what_goes_wrong_inside_a_factory_is_its_own_error():
    def broken(n_channels, n_classes, n_timesteps):
        return Net(n_channels, n_classes, n_timesteps + "20")

    with pytest.raises(TypeError, match="unsupported operand"):
        NetworkSpec(broken, 2, 3, (20,), {}).main(MEAN, SCALE)


@pytest.mark.gpu
def test_a_network_that_lies_on_a_card_is_taken():
    for source in (Net(2, 3, 20).cuda(), lambda c, k, t: Net(c, k, t).cuda()):
        network = NetworkSpec(source, 2, 3, (20,)).main(MEAN, SCALE)
        assert {p.device.type for p in network.parameters()} == {"cpu"}
