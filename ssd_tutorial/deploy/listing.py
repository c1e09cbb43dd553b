"""Detections as JSON and as CSV, for other programs to read (chapter 16)."""

import csv
from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from ssd_tutorial._files import as_json, atomic_write, is_foreign, write_file
from ssd_tutorial.detect import Detections

MADE_BY = "ssd_tutorial detect"
"""What every file of `detect` contains near its beginning."""
_COLUMNS = ("picture", "name", "score", "xmin", "ymin", "xmax", "ymax")


def list_picture(path: Path, image: Tensor, found: Detections, names: Sequence[str]) -> dict:
    """Return a picture's detections, best first, as plain numbers, rounded to print well.

    Returns:
        ``picture``, ``width``, ``height`` and ``detections``: ``name``, ``score`` and ``box`` of
        each, xyxy in pixels of the upright picture.
    """
    height, width = image.shape[-2:]
    rows = zip(names, found.scores.tolist(), found.boxes.tolist(), strict=True)
    listed = [
        {"name": name, "score": round(score, 4), "box": [round(x, 2) for x in box]}
        for name, score, box in rows
    ]
    return {"picture": str(path), "width": width, "height": height, "detections": listed}


def write_json(path: Path, pictures: Sequence[dict], **facts) -> None:
    """Write detections as JSON: ``pictures``, and beside them whatever is worth knowing."""
    write_file(path, as_json({"made_by": MADE_BY, **facts, "pictures": pictures}))


def write_csv(path: Path, pictures: Sequence[dict]) -> None:
    """Write detections as CSV, one per line; a picture without any has no line."""
    with (
        atomic_write(path) as file,
        file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(_COLUMNS)
        for one in pictures:
            for found in one["detections"]:
                writer.writerow([one["picture"], found["name"], found["score"], *found["box"]])


def refuse_foreign(path: Path) -> None:
    """Refuse to replace a file that `write_json` or `write_csv` has not written.

    Raises:
        FileExistsError: there is one, or a folder.
    """
    if path.is_dir():
        raise FileExistsError(f"{path} is a folder: give the name of a file")
    if is_foreign(path, f'"made_by": "{MADE_BY}"', ",".join(_COLUMNS)):
        raise FileExistsError(
            f"{path} is not a list that detect has written: give another name, or replace it with"
            " --overwrite"
        )
