"""Picture files of every kind that Pillow writes, sound and damaged, with any ending."""

import io
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from PIL import Image

from ssd_tutorial.datasets import read_picture
from ssd_tutorial.datasets.pictures import read_header
from tests.fuzz.mutate import mutated
from tests.fuzz.runner import Fault, Refused, answer

READ = {"JPEG": ["L", "RGB", "CMYK"], "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]}
READ |= {"BMP": ["1", "L", "P", "RGB"], "WEBP": ["RGB", "RGBA"], "GIF": ["L", "P"]}
READ |= {"TIFF": ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16"], "MPO": ["RGB"]}
OTHERS = {"EPS": ["L", "RGB"], "PDF": ["RGB"], "PPM": ["L", "RGB"], "TGA": ["RGB"], "PCX": ["L"]}
OTHERS |= {"ICO": ["RGBA"], "SGI": ["RGB"], "IM": ["RGB"], "DDS": ["RGB"], "JPEG2000": ["RGB"]}
LOSSY = {"JPEG", "MPO"}
TURNS = {"JPEG", "PNG", "WEBP", "TIFF", "MPO"}
ENDINGS = [".jpg", ".JPG", ".png", ".tif", ".bmp", ".jfif", ".gif", ".webp"]


def case(rng: Random, folder: Path) -> Any:
    path = folder / f"{rng.choice(['a', 'ü b', '-x', 'a.b'])}{rng.choice(ENDINGS)}"
    if rng.random() < 0.15:
        kind = rng.choice([*OTHERS])
        path.write_bytes(encoded(rng, drawn(rng, rng.choice(OTHERS[kind])), kind)[0])
        got = both(path)
        if kind in ("EPS", "PDF") and not isinstance(got, Refused):
            raise Fault(f"a file in the format {kind} is opened as a picture")
        return got
    kind = rng.choice([*READ])
    picture = drawn(rng, rng.choice(READ[kind]))
    content, orientation = encoded(rng, picture, kind)
    if rng.random() < 0.5:
        path.write_bytes(content)
        got = both(path)
        if isinstance(got, Refused):
            raise Fault(f"a sound {kind} of mode {picture.mode} is refused: {got.message}")
        return compare(got, picture, kind, orientation)
    path.write_bytes(mutated(rng, content))
    return both(path)


def drawn(rng: Random, mode: str) -> Image.Image:
    """Draw noise in a mode of Pillow's, of any proportions."""
    size = rng.choice([(1, 1), (3, 200), (40, 1), (17, 23), (64, 48)])
    noise = np.random.default_rng(rng.getrandbits(32))
    if mode == "I;16":
        return Image.fromarray(noise.integers(0, 65536, size[::-1], dtype=np.uint16))
    whole = Image.fromarray(noise.integers(0, 256, (*size[::-1], 3), dtype=np.uint8))
    return whole.convert(mode)


def encoded(rng: Random, picture: Image.Image, kind: str) -> tuple[bytes, int]:
    """Return a file's bytes and its EXIF orientation."""
    orientation = rng.randint(1, 8) if kind in TURNS and rng.random() < 0.5 else 1
    how: dict[str, Any] = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    how |= {"quality": 100, "subsampling": 0} if kind in LOSSY else {}
    if orientation > 1:
        exif = Image.Exif()
        exif[0x0112] = orientation
        how["exif"] = exif
    with io.BytesIO() as file:
        picture.save(file, format=kind, **how)
        return file.getvalue(), orientation


def both(path: Path) -> Any:
    """Read a picture and its size, which must agree."""
    size = answer(lambda: read_header(path).size, path.name)
    pixels = answer(lambda: read_picture(path), path.name)
    if isinstance(pixels, Refused):
        return pixels
    if isinstance(size, Refused):
        raise Fault("a picture is read, but not its size")
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[0] != 3:
        raise Fault(f"a picture is {pixels.dtype} {list(pixels.shape)}")
    if (pixels.shape[2], pixels.shape[1]) != tuple(size):
        raise Fault("the size in the header is another one than that of the pixels")
    return pixels


def compare(pixels: Any, picture: Image.Image, kind: str, orientation: int) -> Any:
    """Compare with the picture as it was drawn, turned by numpy."""
    if picture.mode == "I;16":
        right = np.repeat((np.asarray(picture) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    else:
        opaque = picture.convert("RGBA").convert("RGB") if "A" in picture.mode else picture
        right = np.asarray(opaque.convert("RGB"))
    right = turned(right, orientation)
    got = pixels.permute(1, 2, 0).numpy()
    if got.shape != right.shape:
        raise Fault(f"a {kind} of orientation {orientation} is {got.shape}, not {right.shape}")
    far = np.abs(got.astype(int) - right.astype(int)).mean() if right.size else 0
    if far > (40 if kind in LOSSY else 0):  # noise is the worst that JPEG can be given
        raise Fault(f"a {kind} of mode {picture.mode} has other pixels, by {far:.0f} on average")
    return pixels


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Apply an EXIF orientation: 1 to 8, as the standard's table has them."""
    steps = {
        1: lambda a: a,
        2: lambda a: a[:, ::-1],
        3: lambda a: a[::-1, ::-1],
        4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
        8: lambda a: np.rot90(a),
    }
    return steps[orientation](pixels)
