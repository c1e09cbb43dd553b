"""Read picture files of all common formats as uint8 tensors."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision import tv_tensors

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".jfif")

# What Pillow raises for a file that is truncated, not a picture, or absurdly large.
_BROKEN = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
ORIENTATION = 0x0112  # the EXIF tag
_PNG_EXIF = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}


class UnreadablePicture(ValueError):
    """A picture file that cannot be decoded, or is not the one that its annotation describes."""


def read_picture(path: str | Path) -> tv_tensors.Image:
    """Decode a picture to a `tv_tensors.Image`, uint8 ``[3, H, W]``, RGB.

    It is rotated upright by its EXIF orientation, as viewers and annotation tools show it. Grey,
    palette and CMYK pictures become RGB, 16 bits of grey become 8, and transparency is
    dropped.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadablePicture: the file cannot be decoded; the message names it.
    """
    with _opened(path) as picture:
        try:
            upright = ImageOps.exif_transpose(picture)
            if upright.mode == "F":
                raise ValueError("it has real numbers of unknown range; save it with 8 bits")
            if upright.mode.startswith("I"):
                upright = _eight_bits(upright)
            if "transparency" in upright.info:  # or Pillow warns about palettes with transparency
                upright = upright.convert("RGBA")
            pixels = np.array(upright.convert("RGB"))
        except _BROKEN as error:
            raise _unreadable(path, error) from error
    return tv_tensors.Image(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())


def picture_size(path: str | Path) -> tuple[int, int]:
    """Return (width, height) of the upright picture, from its header; raises as `read_picture`."""
    with _opened(path) as picture:
        try:
            # Reading a PNG's EXIF decodes all of it, so this is done only if the header has EXIF.
            asked = picture.format != "PNG" or set(picture.info) & _PNG_EXIF
            turned = asked and picture.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        except _BROKEN as error:
            raise _unreadable(path, error) from error
        return picture.size[::-1] if turned else picture.size


def is_hidden(name: str) -> bool:
    """Return whether a name is not the dataset's: macOS and notebooks leave such files behind."""
    return name.startswith(".") or name == "__MACOSX"


def visible(folder: Path) -> list[Path]:
    """Return a folder's entries without hidden ones, sorted; none if it is not a folder."""
    return sorted(p for p in folder.iterdir() if not is_hidden(p.name)) if folder.is_dir() else []


def files_below(folder: Path, endings: Sequence[str] = EXTENSIONS) -> dict[str, Path]:
    """Return the files with these extensions in a folder and below, by their relative names.

    Names have forward slashes on every system and are sorted. Hidden files are left out.
    """
    found = {}
    for where, folders, files in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in files:
            if name.lower().endswith(tuple(endings)) and not is_hidden(name):
                path = Path(where, name)
                found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def last_part(name: str) -> str:
    """Return the file name of a path of any system: annotations contain paths of other machines."""
    return name.replace("\\", "/").rsplit("/", 1)[-1]


class Pictures:
    """The picture files of a folder and below, looked up by their names in annotations."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.files = folder, files_below(folder)
        self._without_ending: dict[str, Path] = {}
        self._last: dict[str, list[Path]] = {}
        for name, path in self.files.items():
            self._without_ending.setdefault(name.rsplit(".", 1)[0], path)
            self._last.setdefault(path.name.lower(), []).append(path)

    def find(self, name: str) -> Path | None:
        """Return the file with this path, or else the only one with its last part.

        Paths of other machines are common, and so are extensions in capitals.
        """
        name = name.strip().replace("\\", "/").removeprefix("./")
        same = self._last.get(last_part(name).lower(), [])
        return self.files.get(name) or (same[0] if len(same) == 1 else None)

    def called(self, stem: str) -> Path | None:
        """Return the file with this path, which is given without its extension."""
        return self._without_ending.get(stem)


def _eight_bits(grey: Image.Image) -> Image.Image:
    """Return the upper 8 of 16 bits; Pillow would clip at 255. Old versions call 16 bits "I"."""
    values = np.asarray(grey)
    if grey.mode != "I" or values.max(initial=0) > 255:
        values = values >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def _opened(path: str | Path) -> Image.Image:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no picture {path}")
    try:
        return Image.open(path)
    except _BROKEN as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: Exception) -> UnreadablePicture:
    reason = str(error).partition(f" '{path}'")[0]  # Pillow repeats the path
    return UnreadablePicture(f"{path} cannot be decoded as a picture ({reason}): replace the file.")
