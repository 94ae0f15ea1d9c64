"""Our networks against tsai's, and tsai's as backbones.

Known differences, beside what is switched off by the arguments below:

- Kernels: tsai's are odd (InceptionTime 39/19/9, FCN and ResNet 7/5/3); ours are those of the
  papers (40/20/10 and 8/5/3). tsai does not clip them to the series.
- Second shortcut of InceptionTime: the paper and we have a 1x1 convolution and batch
  normalization; tsai, where the width is unchanged (from the second shortcut on), has batch
  normalization alone. An identity convolution makes ours equal to it.
- Shortcut of ResNet where the width is unchanged: batch normalization in both.
- Standardization: inside our networks, not in tsai's.
"""

import importlib.util

import numpy as np
import pytest
import torch
from torch import nn

from robust_ts import ABLClassifier, NeuralClassifier
from robust_ts.networks import NetworkSpec
from robust_ts.networks.tsai import TAPS, find_architecture

HAS_TSAI = importlib.util.find_spec("tsai") is not None
needs_tsai = pytest.mark.skipif(not HAS_TSAI, reason="tsai is not installed")

ARCHITECTURES = [
    "FCN",
    "FCNPlus",
    "InceptionTime",
    "InceptionTimePlus",
    "ResNet",
    "ResNetPlus",
    "XceptionTime",
    "TST",
    "LSTM_FCN",
    "LSTM",
    "MLP",
    "OmniScaleCNN",
    "xresnet1d18",
]


def fill(module):
    """Give every weight and every statistic of batch normalization a value of its own."""
    for m in module.modules():
        if isinstance(m, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(m.weight, 0.5, 1.5)
            nn.init.normal_(m.bias)
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
    return module.eval()


def copy_conv(ours, theirs):
    """``ours``: SameConv; ``theirs``: a Conv1d, or a module that holds one."""
    theirs = next(m for m in theirs.modules() if isinstance(m, nn.Conv1d))
    assert theirs.bias is None
    ours.conv.weight.data.copy_(theirs.weight.data.unsqueeze(2))


def copy_norm(ours, theirs):
    ours.load_state_dict(theirs.state_dict())


def copy_block(ours, theirs):
    """``ours``: ConvBlock; ``theirs``: tsai's ConvBlock (convolution, norm, activation)."""
    assert isinstance(theirs[0], nn.Conv1d)
    assert [type(m) for m in list(theirs)[2:]] == [type(m) for m in list(ours)[2:]]
    copy_conv(ours[0], theirs[0])
    copy_norm(ours[1], theirs[1])


def copy_module(ours, theirs):
    if not isinstance(ours.bottleneck, nn.Identity):
        copy_conv(ours.bottleneck, theirs.bottleneck)
    for a, b in zip(ours.convs, theirs.convs, strict=True):
        copy_conv(a, b)
    copy_conv(ours.pool[1], theirs.maxconvpool[1])
    copy_norm(ours.norm, theirs.bn)


def ours_of(name, n_channels, **params):
    spec = NetworkSpec(name, n_channels, 3, (50,), params)
    return fill(spec.main(torch.zeros(n_channels), torch.ones(n_channels)))


def compare(ours, theirs, n_channels):
    ours.head.linear.load_state_dict(theirs.fc.state_dict())
    x = torch.randn(6, n_channels, 50)
    with torch.no_grad():
        expected = theirs(x)
        torch.testing.assert_close(ours(x), expected, rtol=1e-5, atol=1e-5)
    assert expected.std() > 1e-3  # not equal for being constant


@needs_tsai
@pytest.mark.parametrize("n_channels", [1, 3])
def test_cnn_equals_fcn(n_channels):
    """Same definition with the first kernel of tsai, 7 for the paper's 8."""
    theirs = fill(find_architecture("FCN")(n_channels, 3))
    ours = ours_of("cnn", n_channels, kernels=(7, 5, 3))
    blocks = [ours.backbone.shallow, *ours.backbone.rest]
    for i, block in enumerate(blocks, start=1):
        copy_block(block, getattr(theirs, f"convblock{i}"))
    compare(ours, theirs, n_channels)


@needs_tsai
@pytest.mark.parametrize("n_channels", [1, 3])
def test_resnet_equals_resnet(n_channels):
    """Same definition with the first kernel of tsai, 7 for the paper's 8."""
    theirs = fill(find_architecture("ResNet")(n_channels, 3))
    ours = ours_of("resnet", n_channels, kernels=(7, 5, 3))
    blocks = [ours.backbone.shallow, *ours.backbone.rest]
    for i, block in enumerate(blocks, start=1):
        other = getattr(theirs, f"resblock{i}")
        for j, conv in enumerate(block.convs, start=1):
            copy_block(conv, getattr(other, f"convblock{j}"))
        if i < 3:
            copy_block(block.shortcut, other.shortcut)
        else:
            copy_norm(block.shortcut, other.shortcut)
    compare(ours, theirs, n_channels)


@needs_tsai
@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("depth", [3, 6])
def test_inception_equals_inception_time(n_channels, depth):
    """Same with tsai's odd kernels; at depth 6 tsai's second shortcut lacks the convolution."""
    theirs = fill(find_architecture("InceptionTime")(n_channels, 3, depth=depth))
    ours = ours_of("inception", n_channels, depth=depth, kernels=(39, 19, 9))
    blocks = [ours.backbone.shallow, *ours.backbone.modules_after]
    for a, b in zip(blocks, theirs.inceptionblock.inception, strict=True):
        copy_module(a, b)
    shortcuts = theirs.inceptionblock.shortcut
    copy_block(ours.backbone.shortcuts[0], shortcuts[0])
    for mine, other in zip(ours.backbone.shortcuts[1:], shortcuts[1:], strict=True):
        assert isinstance(other, nn.BatchNorm1d)  # the difference
        mine[0].conv.weight.data.copy_(torch.eye(128)[:, :, None, None])
        copy_norm(mine[1], other)
    compare(ours, theirs, n_channels)


@needs_tsai
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_main_and_trap_of_tsai_architectures(name):
    spec = NetworkSpec(f"tsai:{name}", 2, 3, (32,))
    mean, scale = torch.zeros(2), torch.ones(2)
    main, trap = spec.main(mean, scale).eval(), spec.shallow(mean, scale).eval()
    x = torch.randn(4, 2, 32)
    with torch.no_grad():
        assert main(x).shape == (4, 3)
        assert trap(x).shape == (4, 3)
    assert trap(x).std(dim=0).max() > 0
    ours = {p.data_ptr() for p in main.parameters()}
    assert ours.isdisjoint(p.data_ptr() for p in trap.parameters())


@needs_tsai
@pytest.mark.parametrize("name", TAPS)
def test_the_written_taps_exist_and_give_channels_first(name):
    tap, _ = TAPS[name]
    body = NetworkSpec(f"tsai:{name}", 2, 3, (32,)).shallow(torch.zeros(2), torch.ones(2)).body
    assert body.tap == tap
    with torch.no_grad():
        assert body.eval()(torch.randn(4, 2, 32)).shape[2:] == (32,)


@needs_tsai
@pytest.mark.parametrize("name", ["FCN", "InceptionTimePlus", "TST", "LSTM_FCN"])
def test_a_tsai_architecture_fits_and_repeats(name, make_waves):
    X, y = make_waves(32, n_channels=2, n_timesteps=20)
    clf = NeuralClassifier(f"tsai:{name}", epochs=2, random_state=0)
    first = clf.fit(X, y).predict_proba(X)
    assert first.shape == (32, 3)
    np.testing.assert_array_equal(first, clf.fit(X, y).predict_proba(X))


@needs_tsai
def test_parameters_of_a_tsai_architecture_and_a_baseline_on_it(make_waves):
    X, y = make_waves(32, n_channels=2, n_timesteps=20)
    clf = ABLClassifier("tsai:FCN", backbone_params={"layers": [4, 6, 5]}, epochs=4).fit(X, y)
    assert clf.network_.module.convblock1[0].out_channels == 4
    assert len(clf.isolated_indices_) == 1


@needs_tsai
def test_an_unknown_architecture_is_refused_with_the_nearest_names():
    with pytest.raises(ValueError, match=r"no architecture 'InceptonTime'.*'InceptionTime'"):
        find_architecture("InceptonTime")


@needs_tsai
def test_every_exported_name_is_found_where_it_lives():
    # None of them has a module of its own name; the last two are functions.
    for name in ("MLSTM_FCN", "GRUPlus", "xresnet1d18", "InceptionTimeXLPlus"):
        assert callable(find_architecture(name))


@pytest.mark.skipif(HAS_TSAI, reason="tsai is installed")
def test_without_tsai_the_message_says_how_to_install_it(make_waves):
    with pytest.raises(ImportError, match=r'pip install "\.\[tsai\]"'):
        NeuralClassifier("tsai:FCN").fit(*make_waves())
