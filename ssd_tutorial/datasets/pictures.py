"""Read picture files of the common formats as uint8 tensors, and find them in folders."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision import tv_tensors

FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jfif"),
    "PNG": (".png",),
    "BMP": (".bmp",),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
    "GIF": (".gif",),
}
"""The formats that are read (JPEG with MPO, by which cameras add a second picture), and the
extensions of their files. A file's content decides. Others are refused: PostScript in a .jpg would
start another program."""
EXTENSIONS = tuple(ending for endings in FORMATS.values() for ending in endings)
MOST_PIXELS = 64_000_000
"""More than cameras have, with few exceptions; decoding takes some 11 bytes per pixel."""
ORIENTATION = 0x0112  # the EXIF tag
_OTHERS = {
    **{b"%!PS": "EPS", b"%PDF": "PDF", b"<svg": "SVG", b"8BPS": "PSD", b"jP  ": "JPEG 2000"},
    **{b"ftypavi": "AVIF", b"ftyphei": "HEIC", b"ftypmif": "HEIC"},
}
_PNG_EXIF = {"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"}
_PNG_TAIL = 65_536  # where a PNG's EXIF may be, after its pixels


class UnreadablePicture(ValueError):
    """A picture file that cannot be decoded, or is not the one that its annotation describes."""


class Header(NamedTuple):
    """What a picture's file says about it before its pixels are decoded."""

    stored: tuple[int, int]
    """(width, height) in pixels, as stored."""
    orientation: int
    """EXIF orientation, 1 to 8; 1 is upright."""
    mode: str
    """Pillow's mode: ``"RGB"``, ``"L"``, ``"CMYK"``, ``"P"``, …"""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels of the upright picture."""
        return self.stored[::-1] if self.orientation >= 5 else self.stored


def read_picture(path: str | Path) -> tv_tensors.Image:
    """Decode a picture to a `tv_tensors.Image`, uint8 ``[3, H, W]``, RGB.

    It is rotated upright by its EXIF orientation, as viewers and annotation tools show it. Grey,
    palette and CMYK pictures become RGB, 16 bits of grey become 8, and transparency is
    dropped. Of several frames, the first is read.

    Raises:
        FileNotFoundError: there is no such file.
        UnreadablePicture: the file cannot be decoded, is in none of `FORMATS`, or has more than
            `MOST_PIXELS`; the message names it.
    """
    with opened_picture(path) as picture:
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode == "F":
            raise ValueError("it has real numbers of unknown range; save it with 8 bits")
        upright = _eight_bits(picture) if picture.mode.startswith("I") else picture
        upright.info.pop("transparency", None)  # or Pillow warns about palettes with it
        pixels = np.asarray(upright.convert("RGB"))
        return tv_tensors.Image(torch.tensor(pixels).permute(2, 0, 1).contiguous())


def read_header(path: str | Path) -> Header:
    """Return what a picture's file says without decoding it; raises as `read_picture`."""
    with opened_picture(path) as picture:
        stored, mode, orientation = picture.size, picture.mode, 1
        # Asking a PNG for its EXIF decodes all of it, so this is done only if there is any.
        if picture.format != "PNG" or set(picture.info) & _PNG_EXIF or _has_late_exif(path):
            orientation = picture.getexif().get(ORIENTATION, 1)
        if picture.format == "TIFF":  # some versions of Pillow have swapped `size` already
            stored = picture.tag_v2[256], picture.tag_v2[257]
    # some cameras write 0 or invalid values
    return Header(stored, orientation if orientation in range(2, 9) else 1, mode)


@contextmanager
def opened_picture(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture of one of `FORMATS`; whatever fails while it is open is its file's fault.

    Raises:
        FileNotFoundError, UnreadablePicture: as `read_picture`.
    """
    if not os.path.isfile(path):  # reading a device may never end
        raise FileNotFoundError(f"there is no picture {path}")
    try:
        with open(path, "rb") as file, Image.open(file, formats=tuple(FORMATS)) as picture:
            width, height = picture.size
            if width * height > MOST_PIXELS:
                most = f"{MOST_PIXELS / 1e6:.0f} million"
                raise ValueError(f"its {width} x {height} pixels are more than {most}; shrink it")
            yield picture
    except Exception as error:
        reason = str(error).partition(f" '{path}'")[0] or type(error).__name__  # without the path
        if isinstance(error, Image.UnidentifiedImageError):
            reason = f"{_other_format(path)}those read are {', '.join(FORMATS)}"
        what = f"{path} cannot be decoded as a picture ({reason}): replace the file."
        raise UnreadablePicture(what) from error


def _other_format(path: str | Path) -> str:
    with open(path, "rb") as file:
        start = file.read(32)
    return next(
        (f"it is in the format {name}; " for sign, name in _OTHERS.items() if sign in start), ""
    )


def _has_late_exif(path: str | Path) -> bool:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _PNG_TAIL))
        return b"eXIf" in file.read()


def _eight_bits(grey: Image.Image) -> Image.Image:
    """Return the upper 8 of 16 bits; Pillow would clip at 255. Old versions call 16 bits "I"."""
    values = np.asarray(grey)
    if grey.mode == "I" and not 0 <= values.min() <= values.max() < 65_536:
        raise ValueError("it has 32 bits of unknown range; save it with 8 bits")
    if grey.mode != "I" or values.max(initial=0) > 255:
        values = values >> 8
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


# ---------------------------------------------------------------- files


def visible(folder: Path) -> list[Path]:
    """Return a folder's files and folders, sorted, without hidden ones; none if it is not there.

    macOS and notebooks leave hidden ones behind, which are not the dataset's. Devices, pipes and
    links to nothing do not count: reading them fails, or never ends.
    """
    if not folder.is_dir():
        return []
    with os.scandir(folder) as found:
        names = sorted(one.name for one in found if one.is_file() or one.is_dir())
    return [folder / name for name in names if name[0] != "." and name != "__MACOSX"]


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder, as `visible`."""
    return [path for path in visible(folder) if path.is_dir()]


def files_in(folder: Path, *endings: str) -> list[Path]:
    """Return the files with these extensions in a folder, as `visible`."""
    return [p for p in visible(folder) if p.suffix.lower() in endings and p.is_file()]


def files_below(folder: Path, endings: Iterable[str] = EXTENSIONS) -> dict[str, Path]:
    """Return the files with these extensions in a folder and below, by their relative names.

    Names have forward slashes on every system and are sorted. Files count as in `visible`, and
    a folder that links lead to again counts once, by its own name if it has one.
    """
    found, seen = {}, set()
    waiting = [folder] if folder.is_dir() else []
    while waiting:
        here = waiting.pop()
        known = here.stat().st_dev, here.stat().st_ino
        inside = [] if known in seen else visible(here)
        seen.add(known)
        for path in inside:
            if path.is_dir():  # those that links lead to come last
                waiting.insert(0 if path.is_symlink() else len(waiting), path)
            elif path.name.lower().endswith(tuple(endings)):
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
