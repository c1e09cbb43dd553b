"""Pictures in the forms in which programs hold them, as the images that a detector takes."""

from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ssd_tutorial.datasets import read_picture

_KINDS = ("uint8", "float16", "bfloat16", "float32", "float64")  # of numbers
Picture: TypeAlias = str | Path | Image.Image | np.ndarray | Tensor
"""A file; a PIL picture; an array ``[H, W, 3]``; or a tensor ``[3, H, W]``. All RGB, upright."""


def is_picture(given: object) -> bool:
    """Return whether this is one picture, rather than several."""
    if isinstance(given, np.ndarray | Tensor):
        return given.ndim < 4
    return isinstance(given, str | Path | Image.Image)


def as_image(picture: Picture) -> Tensor:
    """Return a picture as uint8 ``[3, H, W]``, RGB.

    Args:
        picture: arrays and tensors are uint8, or floats from 0 to 1. A PIL picture is taken as it
            is, not turned by its EXIF orientation (`PIL.ImageOps.exif_transpose` does that); a
            file is. OpenCV's arrays are BGR: pass ``array[..., ::-1]``.

    Raises:
        FileNotFoundError, UnreadablePicture: as `read_picture`.
        TypeError: no picture.
        ValueError: another shape, another type of numbers, or floats that are not from 0 to 1.
    """
    if isinstance(picture, str | Path):
        return read_picture(picture).as_subclass(Tensor)
    if isinstance(picture, Image.Image):
        if picture.mode[0] in "IF":
            raise ValueError(f"a PIL picture must have 8 bits, not the mode {picture.mode!r}")
        picture = np.asarray(picture.convert("RGB"))
    if not isinstance(picture, np.ndarray | Tensor):
        kind = type(picture).__name__
        raise TypeError(f"a picture is a path, a PIL picture, an array or a tensor, not {kind}")
    shape, channels = ("[3, H, W]", 0) if isinstance(picture, Tensor) else ("[H, W, 3]", -1)
    if picture.ndim != 3 or picture.shape[channels] != 3 or 0 in picture.shape:
        raise ValueError(f"it must have the shape {shape}, RGB, not {list(picture.shape)}")
    kind = str(picture.dtype).removeprefix("torch.")
    if kind not in _KINDS:
        words = "uint8 from 0 to 255, or floats from 0 to 1"
        raise ValueError(f"it must hold {words}, not {kind}")
    if isinstance(picture, np.ndarray):
        picture = torch.from_numpy(np.array(picture, order="C")).permute(2, 0, 1)
    picture = picture.as_subclass(Tensor)
    if kind == "uint8":
        return picture
    if wrong := int((~picture.isfinite()).sum()):
        raise ValueError(f"{wrong} of its {picture.numel()} values are NaN or infinite")
    low, high = picture.aminmax()
    if low < 0 or high > 1:
        raise ValueError(
            f"floats must lie from 0 to 1, and these from {low:g} to {high:g}: divide by 255, or"
            " pass uint8"
        )
    return (picture * 255).round().to(torch.uint8)
