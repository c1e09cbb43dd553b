"""Resize to the network's square, with an interpolation drawn at random."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.items import Operation


def _by_torch(mode: InterpolationMode) -> Callable:
    """Resize without a wider filter when shrinking, as OpenCV does: fine detail becomes noise."""
    return lambda image, size: F.resize(image, [size, size], mode, antialias=False)


def _by_pillow(mode: InterpolationMode) -> Callable:
    """Resize in modes that torch lacks. When shrinking, Pillow averages what it would skip."""

    def resized(image: tv_tensors.Image, size: int) -> Tensor:
        return F.pil_to_tensor(F.resize(F.to_pil_image(image), [size, size], mode))

    return resized


INTERPOLATIONS: dict[str, Callable[[tv_tensors.Image, int], Tensor]] = {
    "bilinear": _by_torch(InterpolationMode.BILINEAR),
    "area": _by_pillow(InterpolationMode.BOX),
    "nearest": _by_torch(InterpolationMode.NEAREST),
    "bicubic": _by_torch(InterpolationMode.BICUBIC),
    "lanczos": _by_pillow(InterpolationMode.LANCZOS),
}
"""Caffe's five, by name: uint8 ``[3, H, W]`` and a side give uint8 ``[3, side, side]``."""


class RandomInterpolationResize(Operation):
    """Resize to `size` x `size` with an interpolation drawn per image (Caffe, ssd_pascal.py).

    Imitates cameras of different sharpness. The aspect ratio is not kept: images are stretched.

    Args:
        size: side of the result in pixels.
        modes: names in `INTERPOLATIONS`, all equally likely.
    """

    def __init__(self, size: int, modes: tuple[str, ...] = tuple(INTERPOLATIONS)):
        super().__init__()
        unknown = [mode for mode in modes if mode not in INTERPOLATIONS]
        if unknown or not modes:
            raise ValueError(f"modes must be among {list(INTERPOLATIONS)}, not {list(modes)}")
        self.size, self.modes = size, tuple(modes)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the name of the interpolation."""
        return {"mode": self.modes[int(torch.randint(len(self.modes), ()))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Resize the image, or the boxes."""
        if isinstance(inpt, tv_tensors.Image):
            return tv_tensors.wrap(INTERPOLATIONS[params["mode"]](inpt, self.size), like=inpt)
        return F.resize(inpt, [self.size, self.size], antialias=False)
