"""Detections as JSON and as CSV, for other programs to read (chapter 16)."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ssd_tutorial._files import as_json, atomic_write
from ssd_tutorial.datasets.messages import start_of
from ssd_tutorial.detect import Detections

_MADE_BY = "ssd_tutorial detect"
_COLUMNS = ("picture", "name", "score", "xmin", "ymin", "xmax", "ymax")


class Listed(NamedTuple):
    """A picture and what was found in it."""

    picture: str
    width: int
    height: int
    detections: list[dict]
    """Best first: ``name``, ``score`` and ``box``, xyxy in pixels of the upright picture."""


def list_picture(path: Path, image: Tensor, found: Detections, names: Sequence[str]) -> Listed:
    """Return a picture's detections (boxes in pixels) as plain numbers, rounded to print well."""
    height, width = image.shape[-2:]
    rows = zip(names, found.scores.tolist(), found.boxes.tolist(), strict=True)
    listed = [
        {"name": name, "score": round(score, 4), "box": [round(x, 2) for x in box]}
        for name, score, box in rows
    ]
    return Listed(str(path), width, height, listed)


def write_json(path: Path, pictures: Sequence[Listed], **facts) -> None:
    """Write detections as JSON: ``pictures``, and beside them whatever is worth knowing."""
    content = {"made_by": _MADE_BY, **facts, "pictures": [p._asdict() for p in pictures]}
    with atomic_write(path) as file:
        file.write_bytes(as_json(content))


def write_csv(path: Path, pictures: Sequence[Listed]) -> None:
    """Write detections as CSV, one per line; a picture without any has no line."""
    with (
        atomic_write(path) as file,
        file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for one in pictures:
            for found in one.detections:
                writer.writerow([one.picture, found["name"], found["score"], *found["box"]])


def refuse_foreign(path: Path) -> None:
    """Refuse to replace a file that `write_json` or `write_csv` has not written.

    Raises:
        FileExistsError: there is one, or a folder.
    """
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder: give the name of a file")
    if path.exists():
        start = start_of(path)[:80].decode("utf-8", errors="replace")
        if not start.startswith((f'{{\n "made_by": "{_MADE_BY}"', ",".join(_COLUMNS))):
            raise FileExistsError(
                f"{path} is not a list that detect has written: give another name, or replace it"
                " with --overwrite"
            )
