"""Resize to the network's square, with an interpolation drawn at random."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import Operation


def _by_torch(mode: str) -> Callable:
    """Resize without a wider filter when shrinking, as OpenCV does: fine detail becomes noise."""

    def resized(image: Tensor, size: int) -> Tensor:
        pixels = torch.from_numpy(np.stack(image.numpy(), axis=-1))  # torch is fast on [H, W, 3]
        return interpolate(pixels.permute(2, 0, 1)[None], (size, size), mode=mode)[0]

    return resized


def _by_pillow(mode: Image.Resampling) -> Callable:
    """Resize in modes that torch lacks. When shrinking, Pillow averages what it would skip."""

    def resized(image: Tensor, size: int) -> Tensor:
        picture = Image.merge("RGB", [Image.fromarray(channel) for channel in image.numpy()])
        return F.pil_to_tensor(picture.resize((size, size), mode))

    return resized


INTERPOLATIONS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "bilinear": _by_torch("bilinear"),
    "area": _by_pillow(Image.Resampling.BOX),
    "nearest": _by_torch("nearest"),
    "bicubic": _by_torch("bicubic"),
    "lanczos": _by_pillow(Image.Resampling.LANCZOS),
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
        """Resize the picture, or the boxes."""
        if isinstance(inpt, Framed):
            pixels = inpt.pixels()
            resized = INTERPOLATIONS[params["mode"]](pixels.as_subclass(Tensor), self.size)
            return Framed(tv_tensors.wrap(resized, like=pixels))
        return F.resize(inpt, [self.size, self.size], antialias=False)
