"""Photometric distortion: different light, a different camera; no box moves.

The formulas are Caffe's (``im_transforms.cpp``). They differ from torchvision's functions of the
same names: Caffe *adds* brightness, scales contrast about black instead of the mean grey, and
scales the S of HSV, where torchvision mixes with the grey image.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import Operation

_HUES = 180  # values that a hue has in OpenCV's 8 bits: one is 2 degrees
_TINY = 1e-6  # divides by it where a pixel is grey or black


def add_brightness(image: Tensor, delta: float) -> Tensor:
    """Add `delta` to every value. Like the others: float ``[3, H, W]``, 0 to 255, in and out."""
    return (image + delta).clamp_(0, 255)


def scale_contrast(image: Tensor, factor: float) -> Tensor:
    """Multiply every value by `factor`: contrast about black, so the brightness scales, too."""
    return (image * factor).clamp_(0, 255)


def scale_saturation(image: Tensor, factor: float) -> Tensor:
    """Multiply the S of HSV by `factor`, up to at most 1.

    A channel is V (1 - S k), where k depends on the hue alone. With V and the hue held fixed, the
    distance from V is therefore proportional to S, and no conversion is needed. S = (V - low) / V
    cannot grow by more than its inverse.
    """
    low, value = _extremes(image)
    if factor > 1:
        factor = (value / (value - low).clamp_(min=_TINY)).clamp_(max=factor)
    return torch.lerp(value, image, factor)


def shift_hue(image: Tensor, delta: float) -> Tensor:
    """Rotate the hue of HSV by `delta` of 180 steps (18 is 36 degrees) on the colour circle.

    Red, green and blue lie a third of the circle apart. A channel is as strong as the strongest
    within a sixth of its own hue, as weak as the weakest beyond a third, and falls evenly between.
    """
    red, green, blue = image.unbind(-3)
    low, value = _extremes(image)
    chroma = value - low
    # how many sixths of the circle the hue lies from red, 0 to 3, and on which side
    hue = (value + green).add_(blue).sub_(red).sub_(low, alpha=2)
    hue.div_(chroma.clamp(min=_TINY)).copysign_(green - blue)
    thirds = round(3 * delta / _HUES)  # these only exchange the channels
    hue += 6 * delta / _HUES - 2 * thirds
    shifted = torch.empty_like(image)
    for own_hue, channel in zip((0, 2, -2), shifted.unbind(-3), strict=True):
        strength = (hue - own_hue).abs_().sub_(3).abs_().sub_(1).clamp_(0, 1)
        torch.addcmul(low, strength, chroma, out=channel)
    return shifted.roll(thirds, -3) if thirds else shifted


def _extremes(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weakest and the strongest channel of each pixel: three planes, no reduction."""
    red, green, blue = image.unbind(-3)
    return red.minimum(green).minimum(blue), red.maximum(green).maximum(blue)


class PhotometricDistort(Operation):
    """Brightness, contrast, saturation and hue, each with its probability (section 2.2; Caffe).

    Contrast comes second or last, at random. Values are kept as float32 between the steps and
    rounded once at the end.

    Args:
        share: probability of each of the four; `STEPS` has their amounts.

    Raises:
        ValueError: it is not from 0 to 1.
    """

    def __init__(self, share: float = 0.5):
        super().__init__()
        if not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, not {share}")
        self.share = share

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the steps in their order, each with its amount."""
        order = ["brightness", "saturation", "hue"]
        order.insert(1 if torch.rand(()) < 0.5 else 3, "contrast")
        happens, place = torch.rand(2, len(order)).tolist()
        steps = []
        for name, chance, u in zip(order, happens, place, strict=True):
            _, low, high = STEPS[name]
            if chance < self.share:
                steps.append((name, low + u * (high - low)))
        return {"steps": steps}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Distort the picture; return anything else unchanged."""
        if not isinstance(inpt, Framed) or not params["steps"]:
            return inpt
        return inpt.recoloured(partial(_distort, steps=params["steps"]))


def _distort(image: Tensor, steps: list[tuple[str, float]]) -> Tensor:
    """Apply the steps to any part of an image, uint8 ``[3, H, W]``."""
    image = image.float()
    for name, size in steps:
        image = STEPS[name][0](image, size)
    return torch.from_numpy(image.round_().numpy().astype("uint8"))  # 4x as fast as torch's cast


STEPS = {
    "brightness": (add_brightness, -32, 32),
    "contrast": (scale_contrast, 0.5, 1.5),
    "saturation": (scale_saturation, 0.5, 1.5),
    "hue": (shift_hue, -18, 18),
}
"""What each step does, and Caffe's lowest and highest amount."""
