"""Names of torchvision's weights: each one is converted, and an unknown one is named."""

import functools
from statistics import fmean

import pytest
import torch
from torch import nn
from torchvision.models import VGG16_Weights, vgg16
from torchvision.models.detection import ssd300_vgg16

from ssd_tutorial.network import SSD, VGG16
from ssd_tutorial.presets import SSD300
from ssd_tutorial.weights.convert import from_torchvision_ssd300, from_torchvision_vgg16


@pytest.fixture(scope="module")
def theirs():
    """Names and shapes only: no memory, no time."""
    with torch.device("meta"):
        return ssd300_vgg16(weights=None, weights_backbone=None, num_classes=21).state_dict()


def test_every_weight_is_converted(theirs):
    with torch.device("meta"):
        ours = SSD(SSD300, num_classes=21)
    converted = from_torchvision_ssd300(theirs)
    assert len(converted) == len(theirs)
    assert {k: v.shape for k, v in converted.items()} == {
        k: v.shape for k, v in ours.state_dict().items()
    }
    ours.load_state_dict(converted, assign=True)  # strict


def test_layers_keep_their_order(theirs):
    """In both networks the layers run in the order in which their state dict lists them."""

    def of_kind(state, prefixes):
        return [v.shape for k, v in state.items() if k.startswith(prefixes) and v.ndim == 4]

    with torch.device("meta"):
        ours = SSD(SSD300, num_classes=21).state_dict()
    assert of_kind(theirs, "backbone") == of_kind(ours, ("backbone", "extras"))


def test_tensors_are_passed_on_not_copied(theirs):
    converted = from_torchvision_ssd300(theirs)
    assert converted["backbone.norm.weight"] is theirs["backbone.scale_weight"]
    assert converted["backbone.conv7.10.bias"] is theirs["backbone.extra.0.7.3.bias"]
    assert {id(v) for v in converted.values()} == {id(v) for v in theirs.values()}


def test_missing_and_unknown_keys_are_named(theirs):
    state = dict(theirs)
    del state["backbone.extra.2.0.bias"]
    with pytest.raises(ValueError, match=r"ssd300_vgg16; keys 1 missing: backbone\.extra\.2\.0\.b"):
        from_torchvision_ssd300(state)
    state["module.backbone.extra.2.0.bias"] = torch.zeros(128)
    with pytest.raises(ValueError, match=r"1 unknown: module\.backbone.*; 1 missing: backbone"):
        from_torchvision_ssd300(state)


def test_the_weights_of_another_model_are_refused_without_listing_them_all():
    words = r"2 unknown: weight, bias; 71 missing: .*, and 66 more$"
    with pytest.raises(ValueError, match=words) as error:
        from_torchvision_ssd300(nn.Linear(2, 2).state_dict())
    assert len(str(error.value)) < 500


# --- a VGG-16 that classifies --------------------------------------------------------------------

BORDER = 0.001  # share of the largest feature
V1 = VGG16_Weights.IMAGENET1K_V1.transforms()
CAFFE = VGG16_Weights.IMAGENET1K_FEATURES.transforms()


@functools.cache
def _vgg16():
    torch.manual_seed(0)
    model = vgg16(weights=None).eval()
    for name, x in model.state_dict().items():
        if name.endswith("bias"):  # torchvision starts them at 0: nothing would be tested
            x.copy_(0.05 * torch.randn(x.shape))
    return model


def vgg16_state():
    """Return torchvision's VGG-16 state dict with random numbers. Replace tensors, change none."""
    return dict(_vgg16().state_dict())


@functools.cache
def _network_and_maps():
    """Return our network with its weights, and both networks' features of one picture."""
    network = SSD(SSD300, 3).eval()
    network.load_state_dict(
        from_torchvision_vgg16(_vgg16().state_dict(), V1.mean, V1.std), strict=False
    )
    image = torch.rand(1, 3, 300, 300)
    with torch.no_grad():
        ours = network.backbone.conv4_3((image - network.mean) / network.std)
        pool3 = _vgg16().features[16]
        pool3.ceil_mode = True  # SSD's own change
        mean, std = (torch.tensor(x).view(3, 1, 1) for x in (V1.mean, V1.std))
        theirs = _vgg16().features[:23]((image - mean) / std)
        pool3.ceil_mode = False
    return network, image, ours, theirs


def test_conv4_3_has_torchvisions_features_with_the_normalisation_folded_in():
    """Inside; the six outermost cells see the padding of conv1_1, where the mean colours differ."""
    _, _, ours, theirs = _network_and_maps()
    assert ours.shape == theirs.shape == (1, 512, 38, 38)
    ours = ours / (255 * fmean(V1.std))  # the scale that `_spread` has added
    assert theirs.std() > 0.1, "features that are all alike would compare nothing"
    inside = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(ours[inside], theirs[inside], atol=1e-4, rtol=1e-4)
    border = (ours - theirs).abs()
    border[inside] = 0
    assert 0 < border.max() / theirs.max() < BORDER


def test_l2norm_takes_no_notice_of_the_scale():
    network, _, ours, theirs = _network_and_maps()
    inside = (..., slice(6, -6), slice(6, -6))
    norm = network.backbone.norm
    torch.testing.assert_close(norm(ours)[inside], norm(theirs)[inside], atol=1e-3, rtol=1e-3)


def test_conv7_has_the_scale_of_torchvisions_network():
    """The same network with images normalised as there, nothing folded and nothing spread."""
    network, image, _, _ = _network_and_maps()
    state = _vgg16().state_dict()
    plain = SSD(SSD300, 3).eval()
    plain.load_state_dict(from_torchvision_vgg16(state, VGG16.mean, VGG16.std), strict=False)
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (V1.mean, V1.std))
    with torch.no_grad():
        ours = network.backbone((image - network.mean) / network.std)[1]
        theirs = plain.backbone((image - mean) / std)[1]
    inside = (..., slice(9, -9), slice(9, -9))
    torch.testing.assert_close(ours[inside], theirs[inside], atol=1e-4, rtol=1e-3)


def test_caffes_numbers_are_left_as_they_are():
    """Their normalisation is ours, so there is nothing to fold and nothing to spread."""
    state = vgg16_state()
    found = from_torchvision_vgg16(state, CAFFE.mean, CAFFE.std, fully_connected=False)
    places = {0: "conv4_3.0", 21: "conv4_3.21", 24: "conv7.1", 28: "conv7.5"}
    for theirs, ours in places.items():
        for kind in ("weight", "bias"):
            same = torch.equal(found[f"backbone.{ours}.{kind}"], state[f"features.{theirs}.{kind}"])
            assert same, ours
    assert len(found) == 26
    assert not {"backbone.conv7.8.weight", "backbone.conv7.10.weight"} & set(found)


def test_fc6_and_fc7_keep_every_fourth_channel_and_every_third_cell():
    """Numbers that say where they came from: rows count thousands, columns units."""
    state = vgg16_state()
    state["classifier.0.weight"] = (
        torch.arange(512.0 * 49).expand(4096, -1) + (1e6 * torch.arange(4096.0)[:, None]).double()
    )
    state["classifier.3.weight"] = torch.arange(4096.0)[:, None] * 4096 + torch.arange(4096.0)
    for layer in (0, 3):
        state[f"classifier.{layer}.bias"] = torch.arange(4096.0)
    # the same normalisation as ours: nothing is scaled
    found = from_torchvision_vgg16(state, VGG16.mean, VGG16.std)
    fc6, fc7 = found["backbone.conv7.8.weight"], found["backbone.conv7.10.weight"]
    assert fc6.shape == (1024, 512, 3, 3)
    assert fc7.shape == (1024, 1024, 1, 1)
    wanted = [[row * 7 + column for column in (0, 3, 6)] for row in (0, 3, 6)]
    assert fc6[0, 0].tolist() == wanted
    assert fc6[0, 5].tolist() == [[5 * 49 + x for x in row] for row in wanted]
    assert fc6[7, 0, 0, 0] == 28e6
    assert fc7[3, 5, 0, 0] == 12 * 4096 + 20
    assert found["backbone.conv7.8.bias"].tolist() == list(range(0, 4096, 4))
    assert found["backbone.conv7.10.bias"].tolist() == list(range(0, 4096, 4))


def test_a_decimated_fc6_is_the_whole_one_on_a_stretched_map():
    """On features that are zero but at every third cell, dilation 3 and decimation agree with fc6.

    So conv6 reads, at its own dilation of 6, what fc6 read: the same 3 x 3 of 7 x 7 places.
    """
    state = vgg16_state()
    found = from_torchvision_vgg16(state, VGG16.mean, VGG16.std)
    grid = torch.zeros(1, 512, 7, 7)
    grid[..., ::3, ::3] = torch.rand(1, 512, 3, 3)
    fc6 = _vgg16().classifier[0](grid.flatten(1))[0, ::4]
    conv6 = nn.functional.conv2d(
        grid, found["backbone.conv7.8.weight"], found["backbone.conv7.8.bias"], dilation=3
    )
    assert conv6.shape == (1, 1024, 1, 1)
    torch.testing.assert_close(conv6.flatten(), fc6, atol=1e-5, rtol=1e-4)


def test_a_first_step_moves_conv1_1_no_further_than_in_torchvisions_network():
    """Folding alone would leave weights a 58th the size with gradients 58 times the size."""

    def relative_gradient(layer, features, image):
        layer.weight.grad = None
        (nn.functional.normalize(features(image)) * weights).sum().backward()
        return layer.weight.grad.norm() / layer.weight.norm()

    network, image, _, _ = _network_and_maps()
    weights = torch.randn(1, 512, 1, 1)
    small = image[..., :96, :96]
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (V1.mean, V1.std))
    theirs = relative_gradient(_vgg16().features[0], _vgg16().features[:23], (small - mean) / std)
    ours = relative_gradient(
        network.backbone.conv4_3[0], network.backbone.conv4_3, (small - network.mean) / network.std
    )
    assert 0.5 < ours / theirs < 2
    _vgg16().zero_grad()


def test_vgg16_with_wrong_names_shapes_or_values_is_refused():
    state = vgg16_state()
    del state["features.5.bias"]
    with pytest.raises(ValueError, match=r"torchvision's vgg16; keys 1 missing: features\.5\.b"):
        from_torchvision_vgg16(state, V1.mean, V1.std)
    with pytest.raises(ValueError, match=r"1 unknown: features\.30\.weight; 1 missing"):
        from_torchvision_vgg16(state | {"features.30.weight": torch.zeros(1)}, V1.mean, V1.std)
    state = vgg16_state()
    state["features.2.weight"] = torch.full((64, 64, 3, 3), torch.nan)
    with pytest.raises(ValueError, match=r"NaN or infinite numbers, first in features\.2\.weight$"):
        from_torchvision_vgg16(state, V1.mean, V1.std)
    state = vgg16_state() | {"classifier.3.weight": torch.zeros(10, 4096)}
    with pytest.raises(ValueError, match=r"classifier\.3 of a vgg16 is \(4096, 4096, 1, 1\)"):
        from_torchvision_vgg16(state, V1.mean, V1.std)
