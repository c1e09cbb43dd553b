"""Picture files of every common kind, as the tensors that the rest of the package takes."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision import tv_tensors

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")

# What Pillow raises over a file that is cut short, or no picture, or absurdly large.
_BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def read_picture(path: str | Path) -> tv_tensors.Image:
    """Decode a picture to a `tv_tensors.Image`, uint8 ``[3, H, W]``, RGB.

    It is turned upright as its EXIF orientation says, since viewers and annotation tools show it
    so. Grey, palette and CMYK pictures become RGB, 16 bits of grey become 8, and transparency is
    dropped.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be decoded; the message names it.
    """
    with _opened(path) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # keep the upper 8 bits: Pillow would clip at 255
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if "transparency" in upright.info:  # else Pillow warns of palettes with transparency
                upright = upright.convert("RGBA")
            pixels = np.array(upright.convert("RGB"))
        except _BROKEN as error:
            raise ValueError(f"{path} cannot be decoded as a picture ({error}).") from error
    return tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())


def picture_size(path: str | Path) -> tuple[int, int]:
    """(width, height) of the upright picture in pixels, from its header; raises as above."""
    with _opened(path) as picture:
        turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)  # the tag "Orientation"
        return picture.size[::-1] if turned else picture.size


def _opened(path: str | Path) -> Image.Image:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no picture {path}.")
    try:
        return Image.open(path)
    except _BROKEN as error:
        raise ValueError(f"{path} cannot be decoded as a picture ({error}).") from error
