"""The built-in networks for series: shapes, kernels and the definitions of their papers."""

import pytest
import torch
from torch import nn

from robust_ts.networks import BACKBONES, CNN, InceptionTime, NetworkSpec, ResNet
from robust_ts.networks.heads import GlobalAverageHead
from robust_ts.networks.layers import BatchNorm, ConvBlock, SameConv, as_planes

SERIES = [name for name, kind in BACKBONES.items() if kind.space_axes == 1]
SMALL = {
    "cnn": {"filters": (4, 6, 5)},
    "inception": {"filters": 3, "bottleneck": 4},
    "resnet": {"filters": (4, 6, 6)},
}


def spec(name, n_channels=2, n_classes=3, space=(20,)):
    return NetworkSpec(name, n_channels, n_classes, space, SMALL[name])


def statistics(n_channels):
    return torch.zeros(n_channels), torch.ones(n_channels)


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize(
    ("n_channels", "n_classes", "space"),
    [
        (1, 2, (1,)),
        (3, 2, (2,)),
        (12, 3, (8,)),
        (1, 60, (41,)),
        (4, 5, (300,)),
        (1, 2, (1, 1)),
        (3, 10, (9, 14)),
        (3, 4, (32, 32)),
    ],
)
def test_shapes_of_both_networks(name, n_channels, n_classes, space):
    network = spec(name, n_channels, n_classes, space).main(*statistics(n_channels)).eval()
    trap = spec(name, n_channels, n_classes, space).shallow(*statistics(n_channels)).eval()
    x = torch.randn(5, n_channels, *space)
    assert network(x).shape == (5, n_classes)
    assert trap(x).shape == (5, n_classes)
    height = space[0] if len(space) == 2 else 1
    width = network.backbone.shallow_channels
    assert trap.body(x).shape == (5, width, height, space[-1])


@pytest.mark.parametrize("name", SERIES)
def test_every_parameter_of_the_main_network_is_trained(name):
    network = spec(name).main(*statistics(2))
    network(torch.randn(8, 2, 20)).sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", SERIES)
@pytest.mark.parametrize(("space", "limit"), [((6,), (1, 6)), ((5, 7), (5, 7))])
def test_kernels_are_clipped_to_the_input(name, space, limit):
    network = spec(name, space=space).main(*statistics(2))
    sizes = [m.kernel_size for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert all(a <= b for size in sizes for a, b in zip(size, limit, strict=True))
    assert max(s[-1] for s in sizes) == min(limit[-1], 40 if name == "inception" else 8)


@pytest.mark.parametrize("name", SERIES)
def test_kernels_of_the_papers_where_the_series_is_long_enough(name):
    network = NetworkSpec(name, 2, 3, (64,)).main(*statistics(2))
    kernels = [m.kernel_size[1] for m in network.modules() if isinstance(m, nn.Conv2d)]
    if name == "cnn":
        assert kernels == [8, 5, 3]
        assert [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)] == [
            128,
            256,
            128,
        ]
    elif name == "resnet":
        assert sorted(k for k in kernels if k > 1) == [3, 3, 3, 5, 5, 5, 8, 8, 8]
        assert network.head.linear.in_features == 128
        assert network.backbone.shallow_channels == 64
    else:
        assert sorted(k for k in kernels if k > 1) == [10] * 6 + [20] * 6 + [40] * 6
        assert network.head.linear.in_features == 128


@pytest.mark.parametrize("name", [*SERIES, "module"])
def test_standardization_is_inside_the_network(name):
    backbone = nn.Sequential(nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), _Gap(), nn.Linear(4, 3))
    chosen = spec(name) if name != "module" else NetworkSpec(backbone, 2, 3, (20,))
    mean, scale = torch.tensor([5.0, -300.0]), torch.tensor([0.1, 40.0])
    for build in (chosen.main, chosen.shallow):
        torch.manual_seed(1)
        raw = build(mean, scale).eval()
        torch.manual_seed(1)
        plain = build(*statistics(2)).eval()
        z = torch.randn(4, 2, 20)
        x = z * scale.view(1, 2, 1) + mean.view(1, 2, 1)
        torch.testing.assert_close(raw(x), plain(z), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(plain(x), plain(z), atol=1e-2)
        assert {"mean", "scale"} <= {k.split(".")[-1] for k in raw.state_dict()}


class _Gap(nn.Module):
    def forward(self, x):
        return x.mean(dim=2)


@pytest.mark.parametrize("name", SERIES)
def test_a_series_is_an_image_of_height_one(name):
    torch.manual_seed(0)
    series = spec(name).main(*statistics(2)).eval()
    x = torch.randn(3, 2, 20)
    torch.testing.assert_close(series(x), series(x.unsqueeze(2)))


@pytest.mark.parametrize("name", SERIES)
def test_the_trap_shares_no_parameters_with_the_main_network(name):
    chosen = spec(name)
    main, trap = chosen.main(*statistics(2)), chosen.shallow(*statistics(2))
    ours = {p.data_ptr() for p in main.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in trap.parameters())
    before = {k: v.clone() for k, v in main.state_dict().items()}
    trap(torch.randn(8, 2, 20)).square().sum().backward()
    with torch.no_grad():
        for p in trap.parameters():
            p -= p.grad
    assert all(torch.equal(v, before[k]) for k, v in main.state_dict().items())


@pytest.mark.parametrize("name", SERIES)
def test_the_trap_has_the_architecture_of_the_shallow_part_alone(name):
    chosen = spec(name)
    main, trap = chosen.main(*statistics(2)), chosen.shallow(*statistics(2))
    assert {k: v.shape for k, v in trap.body.part.state_dict().items()} == {
        k: v.shape for k, v in main.backbone.shallow.state_dict().items()
    }
    trap.body.part.load_state_dict(main.backbone.shallow.state_dict())
    x = torch.randn(3, 2, 20)
    torch.testing.assert_close(
        trap.eval().body(x), main.eval().backbone.shallow(as_planes(main.scale(x)))
    )


@pytest.mark.parametrize("kernel", [1, 2, 3, 4, 5, 8, 10, 19, 20])
def test_same_conv_equals_padding_same(kernel):
    ours, theirs = SameConv(3, 4, (1, kernel)), nn.Conv1d(3, 4, kernel, padding="same", bias=False)
    with torch.no_grad():
        theirs.weight.copy_(ours.conv.weight.squeeze(2))
    x = torch.randn(2, 3, 20)
    torch.testing.assert_close(ours(x.unsqueeze(2)).squeeze(2), theirs(x))


@pytest.mark.parametrize("kernel", [(2, 2), (3, 3), (4, 3), (3, 4), (5, 8)])
def test_same_conv_equals_padding_same_on_images(kernel):
    ours, theirs = SameConv(3, 4, kernel), nn.Conv2d(3, 4, kernel, padding="same", bias=False)
    with torch.no_grad():
        theirs.weight.copy_(ours.conv.weight)
    x = torch.randn(2, 3, 9, 11)
    torch.testing.assert_close(ours(x), theirs(x))


def test_inception_has_a_bottleneck_only_for_more_than_one_channel():
    one, two = InceptionTime(1, (50,)), InceptionTime(2, (50,))
    assert isinstance(one.shallow.bottleneck, nn.Identity)
    assert one.shallow.convs[0].conv.in_channels == 1
    assert two.shallow.bottleneck.conv.weight.shape == (32, 2, 1, 1)
    assert all(m.bottleneck.conv.in_channels == 128 for m in one.modules_after)


@pytest.mark.parametrize(("depth", "n_shortcuts"), [(2, 0), (3, 1), (5, 1), (6, 2), (7, 2)])
def test_inception_has_a_shortcut_after_every_third_module(depth, n_shortcuts):
    network = InceptionTime(2, (30,), depth=depth, filters=3)
    assert len(network.modules_after) == depth - 1
    assert [s[0].conv.in_channels for s in network.shortcuts] == [2, 12][:n_shortcuts]


def test_inception_follows_the_definition_step_by_step():
    network = InceptionTime(2, (30,), filters=3, bottleneck=4).eval()
    for module in network.modules():  # statistics that make batch normalization visible
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    x = torch.randn(4, 2, 1, 30)
    blocks = [network.shallow, *network.modules_after]
    z = residual = x
    for d, block in enumerate(blocks):
        z = block(z)
        if d % 3 == 2:
            shortcut = network.shortcuts[d // 3]
            z = residual = torch.relu(z + shortcut[1](shortcut[0].conv(residual)))
    torch.testing.assert_close(network.deep(network.shallow(x), x), z)


def test_inception_normalizes_and_rectifies_after_the_concatenation():
    module = InceptionTime(2, (30,), filters=3, bottleneck=4).shallow.eval()
    x = torch.randn(4, 2, 1, 30)
    narrow = module.bottleneck(x)
    pooled = nn.functional.max_pool1d(x.squeeze(2), 3, stride=1, padding=1).unsqueeze(2)
    branches = torch.cat([*(c(narrow) for c in module.convs), module.pool[1](pooled)], dim=1)
    assert branches.min() < 0
    torch.testing.assert_close(module(x), torch.relu(module.norm(branches)))


def test_resnet_projects_the_shortcut_only_where_the_width_changes():
    network = ResNet(3, (20,))
    blocks = [network.shallow, *network.rest]
    assert [isinstance(b.shortcut, ConvBlock) for b in blocks] == [True, True, False]
    assert [len(b.convs[2]) for b in blocks] == [2, 2, 2]  # no ReLU before the addition
    x = torch.randn(4, 3, 1, 20)
    block = blocks[0].eval()
    torch.testing.assert_close(block(x), torch.relu(block.convs(x) + block.shortcut(x)))


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda: CNN(1, (9,), filters=(4, 4)), "same length"),
        (lambda: CNN(1, (9,), filters=(4,), kernels=(3,)), "at least 2"),
        (lambda: ResNet(1, (9,), filters=(4,)), "at least 2"),
        (lambda: InceptionTime(1, (9,), depth=1), "at least 2"),
    ],
)
def test_impossible_architectures_are_refused(build, text):
    with pytest.raises(ValueError, match=text):
        build()


def test_weights_are_stored_channels_last():
    network = spec("cnn").main(*statistics(2))
    conv = network.backbone.rest[0][0].conv.weight
    assert conv.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kernel", [(1, 1), (1, 8), (3, 3)])
def test_one_channel_is_convolved_as_any_but_in_the_fast_layout(kernel):
    conv = SameConv(1, 4, kernel)
    x = torch.randn(3, 1, 9, 11)
    expected = nn.functional.conv2d(x, conv.conv.weight, padding="same")
    out = conv(x)
    torch.testing.assert_close(out, expected)
    assert out.is_contiguous(memory_format=torch.channels_last)
    pull = torch.randn_like(out)
    (ours,), (theirs,) = (torch.autograd.grad(y, [conv.conv.weight], pull) for y in (out, expected))
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("space", [(1, 9), (4, 6)])
def test_gradients_of_the_last_feature_map_are_channels_last(space):
    head = GlobalAverageHead(3, 2)
    z = torch.randn(5, 3, *space).contiguous(memory_format=torch.channels_last).requires_grad_()
    scores = head(z)
    torch.testing.assert_close(scores, head.linear(z.detach().mean(dim=(-2, -1))))
    (gradient,) = torch.autograd.grad(scores.sum(), z)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    expected = head.linear.weight.sum(dim=0) / (space[0] * space[1])
    torch.testing.assert_close(gradient, expected.view(1, -1, 1, 1).expand_as(z))


@pytest.mark.parametrize("n_channels", [1, 2])
@pytest.mark.parametrize("name", SERIES)
def test_every_feature_map_is_channels_last(name, n_channels):
    # A layer in the other layout hands it on to all after it; training then takes 1.4 times longer.
    network = spec(name, n_channels).main(*statistics(n_channels))
    layouts = []
    for part in network.modules():
        if isinstance(part, (BatchNorm, nn.MaxPool2d)):
            part.register_forward_hook(
                lambda part, given, out: layouts.append((out.shape, out.stride()))
            )
    network(torch.randn(8, n_channels, 20))
    wide = [stride for shape, stride in layouts if shape[1] > n_channels]
    assert len(wide) > 2
    assert all(stride[1] == 1 for stride in wide)
