"""Check picture files: decode each once, to see whether it works and what it looks like."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.pictures import UnreadablePicture, read_header, read_picture
from ssd_tutorial.datasets.records import RawPicture, Records, reason_of
from ssd_tutorial.doctor.rules import Fault
from ssd_tutorial.doctor.twins import Look, look_of

_COLOURLESS = 2  # channels that differ by at most this, of 255, on a small copy: JPEG noise


class PictureFacts(NamedTuple):
    """What decoding a picture's file shows."""

    size: tuple[int, int] | None = None
    """(width, height) in pixels, upright; None if it cannot be read."""
    stored: tuple[int, int] | None = None
    """The same before rotation by EXIF."""
    mode: str = ""
    """Pillow's mode: ``"RGB"``, ``"L"``, ``"CMYK"``, ``"P"``, …"""
    orientation: int = 1
    """EXIF orientation, 1 to 8; 1 is upright."""
    grey: bool = False
    """Whether it has no colour, whatever its mode."""
    digest: str = ""
    """A hash of the file."""
    look: Look | None = None
    """What it looks like, for `twins`."""
    fault: str = ""
    """Why it cannot be decoded."""


def look_at(path: Path) -> PictureFacts:
    """Decode one picture, as `read_picture` does for training."""
    try:
        header, image = read_header(path), read_picture(path)
        digest = hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
    except (UnreadablePicture, OSError) as error:
        return PictureFacts(fault=reason_of(error, path))
    pixels = Image.fromarray(image.permute(1, 2, 0).numpy())
    little = pixels.reduce(max(1, min(pixels.size) // 100))  # makes the rest ten times faster
    small = np.asarray(little.resize((32, 32), Image.Resampling.BOX), dtype=np.int16)
    grey = bool(np.ptp(small, axis=2).max() <= _COLOURLESS)
    seen = {"grey": grey, "digest": digest, "look": look_of(little.convert("L"))}
    return PictureFacts(pixels.size, **header._asdict(), **seen)


def read_pictures(
    records: Records, workers: int, progress: bool | None = None
) -> dict[str, PictureFacts]:
    """Decode every picture that has a file, several at a time.

    Args:
        records: the dataset.
        workers: threads. Pillow decodes without Python's lock.
        progress: show a bar; None shows it if standard error is a terminal.
    """
    paths = {name: p.picture for name, p in records.pictures.items() if p.picture is not None}
    with ThreadPoolExecutor(workers) as pool:
        facts = pool.map(look_at, paths.values())
        return dict(zip(paths, progress_bar(facts, "pictures", progress, len(paths)), strict=True))


def check_pictures(records: Records, facts: Mapping[str, PictureFacts]) -> Iterator[Fault]:
    """Judge whether pictures exist, and their files as far as `facts` has them."""
    listed = records.splits_of()
    for name, picture in records.pictures.items():
        file = records.shown(picture.picture) if picture.picture else ""
        if picture.fault and not (picture.fault == "picture-unreadable" and name in facts):
            what = records.said(picture.reason, picture.file or picture.picture)
            yield Fault(picture.fault, picture.annotation or file or picture.name, what)
        elif not listed.get(name):
            yield Fault("picture-unlisted", picture.annotation, "no split lists it")
        if name in facts:
            yield from _check_file(file or name, picture, facts[name])
    for file in records.unannotated:
        yield Fault("picture-unannotated", file, "it has no annotation")


def _check_file(shown: str, picture: RawPicture, facts: PictureFacts) -> Iterator[Fault]:
    if facts.fault:
        yield Fault("picture-unreadable", shown, facts.fault)
        return
    if facts.orientation != 1:
        yield Fault("picture-rotated", shown, f"its EXIF orientation is {facts.orientation}")
    if picture.size is not None and picture.size != facts.size:
        there, said = (f"{w} x {h}" for w, h in (facts.size, picture.size))
        what = f"{there} pixels, but {said} in its annotation"
        if picture.size == facts.stored:
            what += ": the boxes were drawn before EXIF rotated it"
        yield Fault("picture-size", shown, what)
    if facts.mode == "CMYK":
        yield Fault("picture-cmyk", shown, "its colours are CMYK")
    elif facts.mode not in ("RGB", "L"):
        yield Fault("picture-mode", shown, f"its mode is {facts.mode}")
    if facts.grey:
        yield Fault("picture-grey", shown, f"no colour (mode {facts.mode})")
