"""The network: shapes, parameters, the order of its outputs, and L2Norm's gradient at zero."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from ssd_tutorial.network import SSD, L2Norm
from ssd_tutorial.presets import SLIM300, SSD300, SSD512, get_preset
from ssd_tutorial.priors import locate, make_priors, num_priors

# channels and cells of the maps that predict
MAPS = {
    "ssd300": [(512, 38), (1024, 19), (512, 10), (256, 5), (256, 3), (256, 1)],
    "ssd512": [(512, 64), (1024, 32), (512, 16), (256, 8), (256, 4), (256, 2), (256, 1)],
    "slim300": [(64, 38), (128, 19), (128, 10), (128, 5), (128, 3), (128, 1)],
}


@pytest.fixture(scope="module")
def slim():
    torch.manual_seed(0)
    return SSD(SLIM300, num_classes=5).eval()


def on_paper(model, num_classes=21):
    """Return a network without memory, through which shapes can be followed at no cost."""
    with torch.device("meta"):
        return SSD(model, num_classes)


def parameters(network):
    return sum(p.numel() for p in network.parameters())


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SSD300, SSD512, SLIM300], ids=lambda m: m.name)
def test_feature_maps_and_outputs_have_the_shapes_of_the_preset(model):
    network = on_paper(model)
    size = model.priors.image_size
    images = torch.empty(2, 3, size, size, device="meta")
    maps = network.feature_maps(images)
    assert [tuple(x.shape) for x in maps] == [(2, c, n, n) for c, n in MAPS[model.name]]
    assert [n for _, n in MAPS[model.name]] == [fm.cells for fm in model.priors.maps]
    logits, offsets = network(images)
    assert logits.shape == (2, num_priors(model.priors), 21)
    assert offsets.shape == (2, num_priors(model.priors), 4)
    assert network.priors.shape == (num_priors(model.priors), 4)


def test_ssd300_has_26285486_parameters():
    assert parameters(on_paper(SSD300)) == 26_285_486


def test_parameters_grow_with_the_classes_only_in_the_heads():
    """A class adds, per box of a map, 9 weights per channel and a bias to the head."""
    more = parameters(on_paper(SSD300, 22)) - parameters(on_paper(SSD300, 21))
    heads = zip(MAPS["ssd300"], [4, 6, 6, 6, 4, 4], strict=True)
    assert more == sum(boxes * (9 * channels + 1) for (channels, _), boxes in heads)


def test_the_other_models_have_the_expected_parameters():
    assert parameters(on_paper(SSD512)) > parameters(on_paper(SSD300))
    assert parameters(on_paper(SLIM300, 4)) == 1_205_376
    assert parameters(on_paper(SLIM300, 13)) == 1_495_950


def test_the_backbone_has_the_layers_that_distinguish_ssd_from_vgg():
    backbone = on_paper(SSD300).backbone
    pools = [m for m in backbone.modules() if isinstance(m, nn.MaxPool2d)]
    assert [p.ceil_mode for p in pools] == [False, False, True, False, False]
    assert (pools[4].kernel_size, pools[4].stride, pools[4].padding) == (3, 1, 1)
    fc6, fc7 = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)][-2:]
    assert (fc6.kernel_size, fc6.dilation, fc6.padding) == ((3, 3), (6, 6), (6, 6))
    assert (fc6.out_channels, fc7.out_channels, fc7.kernel_size) == (1024, 1024, (1, 1))
    assert len([m for m in backbone.conv4_3 if isinstance(m, nn.Conv2d)]) == 10
    assert isinstance(backbone.conv4_3[-1], nn.ReLU)  # L2Norm comes after it


# --- outputs and priors in the same order --------------------------------------------------------


@pytest.mark.parametrize("model", [SLIM300, SSD512], ids=lambda m: m.name)
def test_output_rows_are_in_the_order_of_the_priors(model):
    """Heads that report their cell and the number of their box agree with `locate`.

    Each map contains its own number, and in a second channel the index of the cell.
    """
    preset = model.priors
    maps, heads = [], nn.ModuleList()
    for k, fm in enumerate(preset.maps):
        cell = torch.arange(fm.cells**2).view(1, 1, fm.cells, fm.cells)
        maps.append(torch.cat([torch.full_like(cell, k), cell], dim=1).double())
        head = nn.Conv2d(2, fm.boxes_per_cell * 3, 3, padding=1, dtype=torch.float64)
        nn.init.zeros_(head.weight)
        nn.init.zeros_(head.bias)
        for box in range(fm.boxes_per_cell):
            head.weight.data[3 * box, 0, 1, 1] = 1  # the map
            head.weight.data[3 * box + 1, 1, 1, 1] = 1  # the cell
            head.bias.data[3 * box + 2] = box
        heads.append(head)
    rows = SSD._predict(maps, heads, 3)[0].round().long().tolist()
    cells = [fm.cells for fm in preset.maps]
    addresses = [locate(preset, i) for i in range(num_priors(preset))]
    assert rows == [[a.map, a.row * cells[a.map] + a.column, a.box] for a in addresses]


def test_class_and_offset_heads_are_not_mixed_up(slim):
    """With zero weights every output is a bias, so its place can be read off."""
    network = SSD(SLIM300, num_classes=5).eval()
    for heads, sign in ((network.class_heads, 1), (network.offset_heads, -1)):
        for head in heads:
            nn.init.zeros_(head.weight)
            head.bias.data = sign * torch.arange(float(len(head.bias)))
    logits, offsets = network(torch.rand(1, 3, 300, 300))
    for index in (0, 1, 5775, 5776, 5781, 8728, 8731):
        box = locate(SLIM300.priors, index).box
        assert logits[0, index].tolist() == [5 * box + c for c in range(5)]
        assert offsets[0, index].tolist() == [-(4 * box + c) for c in range(4)]


def test_priors_come_from_the_preset_and_are_not_saved(slim):
    assert torch.equal(slim.priors, make_priors(SLIM300.priors))
    other = SSD(SLIM300.with_priors(get_preset("torchvision300_coco")), num_classes=5)
    assert torch.equal(other.priors, make_priors(get_preset("torchvision300_coco")))
    assert not {"priors", "mean", "std"} & set(slim.state_dict())
    other.load_state_dict(slim.state_dict())


# --- running -------------------------------------------------------------------------------------


@torch.no_grad()
def test_images_of_a_batch_are_independent_in_evaluation(slim):
    images = torch.rand(3, 3, 300, 300)
    logits, offsets = slim(images)
    for i in range(3):
        alone = slim(images[[i]])
        torch.testing.assert_close(alone[0][0], logits[i], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(alone[1][0], offsets[i], atol=1e-4, rtol=1e-4)
    assert (logits[0] - logits[1]).abs().max() > 1e-3


@torch.no_grad()
def test_bytes_and_fractions_are_the_same_picture(slim):
    pixels = torch.randint(0, 256, (1, 3, 300, 300), dtype=torch.uint8)
    for a, b in zip(slim(pixels), slim(pixels / 255), strict=True):
        torch.testing.assert_close(a, b)


def test_normalisation_is_caffes_for_vgg():
    """Values 0 .. 255 less the mean colour; the slim backbone takes -2 .. 2."""
    network = on_paper(SSD300)
    assert network.mean.shape == network.std.shape == (3, 1, 1)
    vgg = type(network.backbone)
    assert [round(255 * m) for m in vgg.mean] == [123, 117, 104]  # R, G, B
    assert all(s == 1 / 255 for s in vgg.std)


@torch.no_grad()
def test_the_input_is_normalised_and_not_changed(slim):
    seen = []
    hook = slim.backbone.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    images = torch.rand(1, 3, 300, 300)
    before = images.clone()
    slim(images)
    hook.remove()
    torch.testing.assert_close(seen[0], (before - 0.5) / 0.25)
    assert torch.equal(images, before)


def test_gradients_reach_every_parameter():
    network = SSD(SLIM300, num_classes=5)
    logits, offsets = network(torch.rand(2, 3, 300, 300))
    (logits.square().mean() + offsets.square().mean()).backward()
    for name, p in network.named_parameters():
        assert p.grad is not None, name
        assert p.grad.isfinite().all(), name
        assert (p.grad != 0).any(), name


@torch.no_grad()
def test_initial_scores_are_nearly_uniform(slim):
    """Caffe's filler: no class is favoured before training, none of the outputs explodes."""
    logits, offsets = slim(torch.rand(1, 3, 300, 300))
    assert logits.abs().max() < 20
    assert offsets.abs().max() < 20
    assert all((head.bias == 0).all() for head in (*slim.class_heads, *slim.offset_heads))


def test_heads_are_initialised_with_xaviers_uniform_weights(slim):
    """Between -a and a, with a = sqrt(6 / (inputs + outputs)), and a mean square of a^2 / 3."""
    for head in (*slim.class_heads, *slim.offset_heads):
        inputs, outputs = 9 * head.in_channels, 9 * head.out_channels
        bound = (6 / (inputs + outputs)) ** 0.5
        assert 0.99 * bound < head.weight.abs().max() <= bound
        assert head.weight.square().mean().item() == pytest.approx(bound**2 / 3, rel=0.05)


@pytest.mark.parametrize(
    "shape", [(3, 300, 300), (1, 1, 300, 300), (1, 3, 512, 512), (1, 300, 300, 3), (1, 3, 300, 200)]
)
def test_images_of_another_shape_are_refused(slim, shape):
    with pytest.raises(ValueError, match=r"images must be \[B, 3, 300, 300\], not"):
        slim(torch.zeros(shape))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.bool])
def test_images_of_another_type(slim, dtype):
    with pytest.raises(ValueError, match=rf"uint8, or floats in \[0, 1\], not {dtype}"):
        slim(torch.zeros(1, 3, 300, 300, dtype=dtype))


@pytest.mark.parametrize(
    ("low", "high"), [(0, 255), (-1, 1), (-2.1, 2.6), (0, torch.nan), (0, torch.inf)]
)
def test_floats_outside_0_to_1_are_refused_in_evaluation(slim, low, high):
    images = torch.zeros(1, 3, 300, 300)
    images[0, 0, 0, :2] = torch.tensor([low, high])
    slim.eval()
    with pytest.raises(ValueError, match=r"floats in \[0, 1\], not in \[.*\]"):
        slim(images)
    with torch.no_grad():
        slim(images.clamp(0, 1).nan_to_num(0))
        slim.train().feature_maps(images)  # the training step is not slowed down


@pytest.mark.parametrize("num_classes", [1, 0, -3])
def test_too_few_classes_are_refused(num_classes):
    with pytest.raises(ValueError, match="counts the background, so it is 2 or more"):
        SSD(SLIM300, num_classes)


def test_slim_refuses_priors_for_512_pixels():
    with pytest.raises(ValueError, match="300 px, not for 512"):
        SSD(replace(SLIM300, priors=get_preset("caffe512_voc")), num_classes=3)


# --- L2Norm --------------------------------------------------------------------------------------


def test_l2norm_gives_every_pixel_the_learned_length():
    x = torch.rand(2, 8, 5, 5) + 0.1
    norm = L2Norm(8)
    torch.testing.assert_close(norm(x).norm(dim=1), torch.full((2, 5, 5), 20.0))
    norm.weight.data = torch.arange(1.0, 9)
    want = nn.functional.normalize(x) * norm.weight[:, None, None]
    torch.testing.assert_close(norm(x), want)


def test_l2norm_keeps_the_direction_whatever_the_scale():
    x = torch.rand(1, 8, 3, 3) + 0.1
    torch.testing.assert_close(L2Norm(8)(1000 * x), L2Norm(8)(x))


def test_a_pixel_of_zeros_has_a_finite_gradient():
    x = torch.rand(1, 8, 2, 2)
    x[:, :, 0, 0] = 0
    x.requires_grad_()
    norm = L2Norm(8)
    out = norm(x)
    out.square().sum().backward()
    assert (out[:, :, 0, 0] == 0).all()
    assert x.grad.isfinite().all()
    assert norm.weight.grad.isfinite().all()


def test_epsilon_outside_the_square_root_would_give_nan():
    """What the test above guards against, shown: the root's slope at 0 is infinite."""
    x = torch.zeros(1, 8, 1, 1, requires_grad=True)
    (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)).sum().backward()
    assert x.grad.isnan().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_l2norm_in_half_precision_does_not_overflow(dtype):
    """conv4_3 reaches hundreds: the sum of 512 squares is beyond float16's 65504."""
    x = (300 * torch.rand(1, 512, 2, 2)).to(dtype)
    out = L2Norm(512)(x)
    assert out.dtype == dtype
    assert out.isfinite().all()
    torch.testing.assert_close(
        out.float().norm(dim=1), torch.full((1, 2, 2), 20.0), atol=0.1, rtol=0
    )


@pytest.mark.parametrize("model", [SSD300, SLIM300], ids=lambda model: model.name)
def test_convolutions_of_the_backbone_keep_the_size_unless_they_stride(model):
    backbone = SSD(model, 3).backbone
    for layer in backbone.modules():
        if isinstance(layer, nn.Conv2d):
            (kernel, _), (dilation, _) = layer.kernel_size, layer.dilation
            assert layer.padding == (dilation * (kernel - 1) // 2,) * 2
        if isinstance(layer, nn.ReLU):
            assert layer.inplace is True  # a map less to keep per layer


def test_one_class_beside_the_background_is_enough():
    assert SSD(SLIM300, 2)(torch.rand(2, 3, 300, 300))[0].shape == (2, 8732, 2)


def test_convolutions_start_with_kaimings_weights_of_their_outputs():
    backbone = SSD(SLIM300, 3).backbone
    wider = [x for x in backbone.modules() if isinstance(x, nn.Conv2d) and x.in_channels == 64]
    for layer in wider:
        deviation = (2 / (9 * layer.out_channels)) ** 0.5
        assert layer.weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert {layer.out_channels for layer in wider} == {64, 128}
