"""Photometric distortion: different light, a different camera; no box moves.

The formulas are Caffe's (``im_transforms.cpp``). They differ from torchvision's functions of the
same names: Caffe *adds* brightness, scales contrast about black instead of the mean grey, and
scales the S of HSV, where torchvision mixes with the grey image.
"""

from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.items import Operation, size_of

_HUES = 180  # values that a hue has in OpenCV's 8 bits: one is 2 degrees


def add_brightness(image: Tensor, delta: float) -> Tensor:
    """Add `delta` to every value. Like the others: float ``[3, H, W]``, 0 to 255, in and out."""
    return (image + delta).clamp_(0, 255)


def scale_contrast(image: Tensor, factor: float) -> Tensor:
    """Multiply every value by `factor`: contrast about black, so the brightness scales, too."""
    return (image * factor).clamp_(0, 255)


def scale_saturation(image: Tensor, factor: float) -> Tensor:
    """Multiply the S of HSV by `factor`, up to at most 1.

    A channel is V (1 - S k), where k depends on the hue alone. With V and the hue held fixed, the
    distance from V is therefore proportional to S, and no conversion is needed.
    """
    low, value = image.aminmax(dim=-3, keepdim=True)
    saturation = (value - low) / value.clamp(min=1e-6)
    growth = (saturation * factor).clamp_(max=1) / saturation.clamp(min=1e-6)
    return value - (value - image) * growth


def shift_hue(image: Tensor, delta: float) -> Tensor:
    """Rotate the hue of HSV by `delta` of 180 steps (18 is 36 degrees) on the colour circle."""
    return F.adjust_hue(image / 255, delta / _HUES) * 255


class PhotometricDistort(Operation):
    """Brightness, contrast, saturation and hue, each with its probability (section 2.2; Caffe).

    Contrast comes second or last, at random. Values are kept as float32 between the steps and
    rounded once at the end.

    Args:
        brightness: largest value added or subtracted, of 255.
        contrast, saturation: lowest and highest factor.
        hue: largest rotation either way, of 180: Caffe's 18 is a tenth of the colour circle.
        share: probability of each of the four.

    Raises:
        ValueError: a setting out of range.
    """

    def __init__(
        self,
        brightness: float = 32,
        contrast: tuple[float, float] = (0.5, 1.5),
        saturation: tuple[float, float] = (0.5, 1.5),
        hue: float = 18,
        share: float = 0.5,
    ):
        super().__init__()
        limits = {"brightness": (brightness, 255), "hue": (hue, _HUES // 2), "share": (share, 1)}
        for name, (value, most) in limits.items():
            if not 0 <= value <= most:
                raise ValueError(f"{name} must be from 0 to {most}, not {value}")
        for name, factors in {"contrast": contrast, "saturation": saturation}.items():
            if not 0 <= factors[0] <= factors[1]:
                raise ValueError(f"{name} must be two factors, the lower first, not {factors}")
        self.ranges = {
            "brightness": (-brightness, brightness),
            "contrast": contrast,
            "saturation": saturation,
            "hue": (-hue, hue),
        }
        self.share = share

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the steps in their order, each with its amount."""
        size_of(flat_inputs)  # raises if there is no image
        order = ["brightness", "saturation", "hue"]
        order.insert(1 if torch.rand(()) < 0.5 else 3, "contrast")
        happens, place = torch.rand(2, len(order)).tolist()
        steps = [
            (name, self.ranges[name][0] + u * (self.ranges[name][1] - self.ranges[name][0]))
            for name, chance, u in zip(order, happens, place, strict=True)
            if chance < self.share
        ]
        return {"steps": steps}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Distort the image, uint8 ``[3, H, W]``; return anything else unchanged."""
        if not isinstance(inpt, tv_tensors.Image) or not params["steps"]:
            return inpt
        image = inpt.as_subclass(Tensor).float()
        for name, size in params["steps"]:
            image = _STEPS[name](image, size)
        return tv_tensors.wrap(image.round_().to(torch.uint8), like=inpt)


_STEPS = {
    "brightness": add_brightness,
    "contrast": scale_contrast,
    "saturation": scale_saturation,
    "hue": shift_hue,
}
