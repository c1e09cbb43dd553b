"""Picture files written anew: upright, or in RGB."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps

from ssd_tutorial.doctor.picture_rules import ORIENTATION
from ssd_tutorial.doctor.plan import IGNORE_EXIF, RGB, UPRIGHT


def repaint(path: Path, target: Path, jobs: set[str]) -> None:
    """Write a picture with some of its faults taken away, in its own format.

    Args:
        path: the picture.
        target: the file to write.
        jobs: of ``UPRIGHT`` (turn the pixels as EXIF says), ``IGNORE_EXIF`` (leave the pixels and
            drop the orientation), ``RGB`` (from CMYK).
    """
    with Image.open(path) as picture:
        kind, profile = picture.format, picture.info.get("icc_profile")
        exif = picture.getexif()
        done = ImageOps.exif_transpose(picture) if UPRIGHT in jobs else picture
        if RGB in jobs:
            done, profile = done.convert("RGB"), None  # the profile describes the inks
        if ORIENTATION in exif:
            del exif[ORIENTATION]
        how = {"exif": exif.tobytes()} if len(exif) else {}
        if profile:
            how["icc_profile"] = profile
        if kind == "JPEG":
            same = jobs == {IGNORE_EXIF}
            how |= {"quality": "keep"} if same else {"quality": 95, "subsampling": 0}
        done.save(target, kind, **how)
