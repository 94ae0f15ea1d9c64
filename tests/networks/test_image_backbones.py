"""The built-in networks for images: shapes, sizes and the definitions of their papers."""

import functools

import pytest
import torch
from torch import nn

from robust_ts.networks import (
    BACKBONES,
    ImageCNN,
    NetworkSpec,
    ResNet18,
    WideResNet,
    check_backbone,
    space_axes_of,
)
from robust_ts.networks.layers import as_planes
from robust_ts.networks.resnet18 import BasicBlock
from robust_ts.networks.wide_resnet import PreActivationBlock

SMALL = {
    "image_cnn": {"filters": (4, 6, 5)},
    "wide_resnet": {"depth": 10},
    "resnet18": {"width": 4},
}


def spec(name, n_channels=2, n_classes=3, space=(9, 14)):
    return NetworkSpec(name, n_channels, n_classes, space, SMALL[name])


def statistics(n_channels):
    return torch.zeros(n_channels), torch.ones(n_channels)


def n_parameters(build):
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())


def test_every_image_backbone_is_tested():
    assert {name for name, kind in BACKBONES.items() if kind.space_axes == 2} == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    ("n_channels", "n_classes", "space"),
    [(1, 2, (1, 1)), (1, 10, (8, 8)), (3, 10, (9, 14)), (3, 4, (32, 32)), (2, 3, (1, 7))],
)
def test_shapes_of_both_networks(name, n_channels, n_classes, space):
    network = spec(name, n_channels, n_classes, space).main(*statistics(n_channels)).eval()
    trap = spec(name, n_channels, n_classes, space).shallow(*statistics(n_channels)).eval()
    x = torch.randn(5, n_channels, *space)
    assert network(x).shape == (5, n_classes)
    assert trap(x).shape == (5, n_classes)
    width = network.backbone.shallow_channels
    assert trap.body(x).shape == (5, width, *space)


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_of_the_main_network_is_trained(name):
    network = spec(name).main(*statistics(2))
    network(torch.randn(8, 2, 9, 14)).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", SMALL)
def test_the_trap_is_a_copy_of_the_shallow_part_alone(name):
    main, trap = (build(*statistics(2)) for build in (spec(name).main, spec(name).shallow))
    ours = {p.data_ptr() for p in main.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in trap.parameters())
    trap.body.part.load_state_dict(main.backbone.shallow.state_dict())
    x = torch.randn(3, 2, 9, 14)
    torch.testing.assert_close(
        trap.eval().body(x), main.eval().backbone.shallow(as_planes(main.scale(x)))
    )


@pytest.mark.parametrize(
    ("build", "backbone_class", "expected"),
    [
        # Counts of the published networks for CIFAR-10, with their linear layer.
        (lambda: WideResNet(3, (32, 32), depth=28, widen=10), WideResNet, 36_479_194 - 6_410),
        (lambda: WideResNet(3, (32, 32)), WideResNet, 175_066 - 650),
        (lambda: ResNet18(3, (32, 32)), ResNet18, 11_173_962 - 5_130),
    ],
)
def test_sizes_of_the_papers(build, backbone_class, expected):
    assert n_parameters(build) == expected


def test_strides_of_the_papers():
    x = torch.randn(1, 3, 32, 32)
    for network, side in ((WideResNet(3, (32, 32)), 8), (ResNet18(3, (32, 32), width=4), 4)):
        z = network.shallow(x)
        assert z.shape[2:] == (32, 32)
        assert network.deep(z, x).shape[2:] == (side, side)


def test_a_pre_activation_block_keeps_the_identity_clean():
    block = PreActivationBlock(4, 4, 1).eval()
    nn.init.zeros_(block.conv2.weight)
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(block(x), x)
    down = PreActivationBlock(4, 8, 2).eval()
    nn.init.zeros_(down.conv2.weight)
    torch.testing.assert_close(down(x), down.shortcut(torch.relu(down.norm1(x))))


def test_a_basic_block_adds_before_the_last_activation():
    block = BasicBlock(4, 4, 1).eval()
    x = torch.randn(2, 4, 6, 6)
    torch.testing.assert_close(block(x), torch.relu(block.convs(x) + x))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: ImageCNN(1, (9, 9), filters=(4,)), "at least 2"),
        (lambda: WideResNet(1, (9, 9), depth=17), "6 n"),
        (lambda: WideResNet(1, (9, 9), depth=4), "6 n"),
        (lambda: WideResNet(1, (9, 9), widen=0), "widen"),
        (lambda: ResNet18(1, (9, 9), width=0), "width"),
    ],
)
def test_impossible_architectures_are_refused(build, text):
    with pytest.raises(ValueError, match=text):
        build()


class Own(nn.Module):
    space_axes = 2


def test_a_backbone_says_what_it_is_for():
    assert space_axes_of("inception") == space_axes_of("tsai:FCN") == 1
    assert space_axes_of("resnet18") == 2
    assert space_axes_of(nn.Linear(2, 2)) == 1
    assert space_axes_of(Own) == space_axes_of(Own()) == 2
    assert space_axes_of(functools.partial(Own)) == 2
    instance = nn.Linear(2, 2)
    instance.space_axes = 2
    assert space_axes_of(instance) == 2
    instance.space_axes = 3
    with pytest.raises(ValueError, match=r"space_axes .* 1 .* or 2 .*, got 3"):
        check_backbone(instance)


@pytest.mark.parametrize("name", SMALL)
def test_every_feature_map_is_channels_last(name):
    network = spec(name, 3).main(*statistics(3))
    layouts = []
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.register_forward_hook(
                lambda part, given, out: layouts.append((out.shape, out.stride()))
            )
    # As after augmentation, and as they come from an array.
    x = torch.randn(4, 3, 12, 12)
    for given in (x.contiguous(memory_format=torch.channels_last), x):
        network(given)
    wide = [stride for shape, stride in layouts if shape[1] > 3]
    assert len(wide) > 4
    assert all(stride[1] == 1 for stride in wide)
