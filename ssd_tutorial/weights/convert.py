"""Convert torchvision's SSD300 and VGG-16 to our names (chapters 3 and 15).

torchvision's SSD300 has our layers in our order; only the names differ. The priors differ, too, so
load its weights into ``SSD300.with_priors(get_preset("torchvision300_coco"))``. A VGG-16 classifier
becomes our backbone in three steps: its fully connected layers become thinner convolutions, its
normalisation is folded into its first layer, and its scale is spread so that it can be trained.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean

import torch
from torch import Tensor

from ssd_tutorial.datasets.messages import listing
from ssd_tutorial.network import VGG16
from ssd_tutorial.weights.file import check_finite

_TO_CONV4_3 = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)  # the same places in both nn.Sequential
# their layers: ours
_SSD300 = {
    **{f"backbone.features.{i}": f"backbone.conv4_3.{i}" for i in _TO_CONV4_3},
    **{f"backbone.extra.0.{i}": f"backbone.conv7.{i}" for i in (1, 3, 5)},  # conv5
    **{f"backbone.extra.0.7.{i}": f"backbone.conv7.{i + 7}" for i in (1, 3)},  # conv6, conv7
    **{f"backbone.extra.{k + 1}.{i}": f"extras.{k}.{i}" for k in range(4) for i in (0, 2)},
    **{f"head.classification_head.module_list.{k}": f"class_heads.{k}" for k in range(6)},
    **{f"head.regression_head.module_list.{k}": f"offset_heads.{k}" for k in range(6)},
}
_VGG16 = {
    **{f"features.{i}": f"backbone.conv4_3.{i}" for i in _TO_CONV4_3},
    **{f"features.{i + 23}": f"backbone.conv7.{i}" for i in (1, 3, 5)},  # conv5
    **{"classifier.0": "backbone.conv7.8", "classifier.3": "backbone.conv7.10"},  # fc6, fc7
}
_AS_CONVOLUTION = {"classifier.0": (4096, 512, 7, 7), "classifier.3": (4096, 4096, 1, 1)}


def from_torchvision_ssd300(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a state dict of torchvision's ``ssd300_vgg16`` as in `ssd_tutorial.network`.

    Tensors are not copied. The heads determine the number of classes: 91 with the background for
    torchvision's COCO weights. Images are RGB in [0, 1], as there. ::

        model = SSD(SSD300.with_priors(get_preset("torchvision300_coco")), num_classes=91)
        model.load_state_dict(from_torchvision_ssd300(theirs.state_dict()))

    Raises:
        ValueError: keys are unknown or missing; the message names the first five of each.
    """
    names = {"backbone.scale_weight": "backbone.norm.weight"} | _parameters(_SSD300)
    return _renamed(state_dict, names, "ssd300_vgg16")


def from_torchvision_vgg16(
    state_dict: Mapping[str, Tensor],
    mean: Sequence[float],
    std: Sequence[float],
    *,
    fully_connected: bool = True,
) -> dict[str, Tensor]:
    """Convert a VGG-16 classifier to the backbone of an SSD (paper, section 3).

    * conv1_1 .. conv5_3 are copied by position.
    * fc6, 4096 x 512 x 7 x 7 as a convolution, keeps every fourth channel and every third row and
      column: 1024 x 512 x 3 x 3, which a dilation of 6 spreads as wide again. fc7 keeps the same
      channels: 1024 x 1024 x 1 x 1. The layer of the 1000 classes is dropped.
    * The normalisation goes into conv1_1 (`_fold`), its scale into the rest (`_spread`).

    Args:
        state_dict: of ``torchvision.models.vgg16``.
        mean: of its input, one value per channel, for images in [0, 1]; std: likewise.
        fully_connected: False omits fc6 and fc7, for weights whose fc6 and fc7 are not trained.

    Returns:
        Tensors for ``SSD.load_state_dict(…, strict=False)``: all of the backbone except the
        L2Norm and, without `fully_connected`, conv6 and conv7.

    Raises:
        ValueError: names or shapes are not those of a VGG-16, or values are NaN or infinite.
    """
    convolutions = _AS_CONVOLUTION if fully_connected else {}
    layers = {k: v for k, v in _VGG16.items() if k in convolutions or k not in _AS_CONVOLUTION}
    names = _parameters(layers)
    used = {k: x for k, x in state_dict.items() if k in names or not k.startswith("classifier.")}
    state = {ours: x.float() for ours, x in _renamed(used, names, "vgg16").items()}
    check_finite(used, "the vgg16")
    for theirs, shape in convolutions.items():
        weight, bias = (f"{layers[theirs]}.{kind}" for kind in ("weight", "bias"))
        if state[weight].numel() != math.prod(shape):
            raise ValueError(f"{theirs} of a vgg16 is {shape}, not {tuple(state[weight].shape)}")
        channels = shape[1] // 1024 or 1  # fc6 reads all of conv5_3, fc7 a fourth of fc6
        state[weight] = state[weight].view(shape)[::4, ::channels, ::3, ::3].contiguous()
        state[bias] = state[bias][::4].clone()
    return _spread(_fold(state, mean, std), fmean(std) / fmean(VGG16.std))


def _fold(
    state: dict[str, Tensor], mean: Sequence[float], std: Sequence[float]
) -> dict[str, Tensor]:
    """Adapt conv1_1 to images normalised as `VGG16` expects, instead of (x - mean) / std.

    Exact except beyond the border: the padding is 0, which is the mean colour, and the two mean
    colours differ by about 0.01 of the std. With random weights this moves the features of
    conv4_3's six outermost cells by less than 0.1 % of the largest (measured: 0.02 %).
    """
    first = "backbone.conv4_3.0"
    weight, bias = state[f"{first}.weight"].double(), state[f"{first}.bias"].double()
    theirs, their_std = (torch.tensor(x, dtype=torch.float64) for x in (mean, std))
    ours, our_std = (torch.tensor(x, dtype=torch.float64) for x in (VGG16.mean, VGG16.std))
    scaled = weight * (our_std / their_std).view(1, 3, 1, 1)
    shift = (weight.sum(dim=(2, 3)) * ((ours - theirs) / their_std)).sum(dim=1)
    return state | {f"{first}.weight": scaled.float(), f"{first}.bias": (bias + shift).float()}


def _spread(state: dict[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Make features `scale` times as large up to conv4_3, and leave those of conv7 unchanged.

    Images in 0 .. 255 instead of about -2 .. 2 leave conv1_1 with weights a 58th of the size, and
    gradients 58 times the size: one step of SGD at 1e-3 would change it by many times its own
    length, where 0.01 is usual. ReLU and max-pooling preserve a factor, so conv1_1 can be
    multiplied by it (and the biases up to conv4_3, whose L2Norm cancels it), and each of the five
    layers after it divides by its fifth root, 2.2.
    """
    state = dict(state)
    for place in _TO_CONV4_3:
        state[f"backbone.conv4_3.{place}.bias"] = state[f"backbone.conv4_3.{place}.bias"] * scale
    state["backbone.conv4_3.0.weight"] = state["backbone.conv4_3.0.weight"] * scale
    names = [f"backbone.conv7.{i}" for i in (1, 3, 5, 8, 10)]  # conv5_1 .. conv5_3, conv6, conv7
    behind = [name for name in names if f"{name}.weight" in state]
    share = scale ** (-1 / len(behind))
    for done, name in enumerate(behind, start=1):
        state[f"{name}.weight"] = state[f"{name}.weight"] * share
        state[f"{name}.bias"] = state[f"{name}.bias"] * scale * share**done
    return state


def _parameters(layers: Mapping[str, str]) -> dict[str, str]:
    """Map the names of the layers' weights and biases, theirs to ours."""
    kinds = ("weight", "bias")
    return {f"{theirs}.{k}": f"{ours}.{k}" for theirs, ours in layers.items() for k in kinds}


def _renamed(
    state_dict: Mapping[str, Tensor], names: Mapping[str, str], model: str
) -> dict[str, Tensor]:
    """Return the tensors by our names; `ValueError` if a name is unknown or missing."""
    wrong = {
        "unknown": [key for key in state_dict if key not in names],
        "missing": [key for key in names if key not in state_dict],
    }
    if bad := [f"{len(its)} {what}: {listing(its, 5, ', ')}" for what, its in wrong.items() if its]:
        raise ValueError(
            f"this is not the state dict of torchvision's {model}; keys {'; '.join(bad)}"
        )
    return {ours: state_dict[theirs] for theirs, ours in names.items()}
