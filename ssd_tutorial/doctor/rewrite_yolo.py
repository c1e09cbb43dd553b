"""The files of a folder in YOLO's layout, as a `Plan` changes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ssd_tutorial.datasets.faults import read_text
from ssd_tutorial.datasets.yolo_files import CONFIGURATIONS, lost_labels, yolo_splits
from ssd_tutorial.datasets.yolo_write import DECIMALS
from ssd_tutorial.doctor.plan import Plan
from ssd_tutorial.doctor.records import Box, Records
from ssd_tutorial.doctor.rewrite_voc import short


def rewrite_yolo(records: Records, plan: Plan) -> Iterator[tuple[Path, bytes | None]]:
    """Every file that changes, with its new content, or None where it is not copied.

    Lines of objects that do not change stay as they are. Absolute paths into the folder, in lists
    and in ``data.yaml``, become relative, so that the copy does not read the original.
    """
    root = records.root
    for name, picture in records.pictures.items():
        if name in plan.left_out and picture.file is not None and picture.file.is_file():
            yield picture.file, None
        elif name in plan.edits:
            yield picture.file, _edit(picture.file, plan.edits[name], picture.size or (1, 1))
    known = [picture.picture for picture in records.pictures.values() if picture.picture]
    for path in lost_labels(root, known):
        yield path, None
    places = {path: split for split, paths in yolo_splits(root).items() for path in paths}
    for path, split in places.items():
        if path.suffix == ".txt" and path.is_file():
            gone = set(plan.left_out) | plan.leaving.get(split, set())
            yield path, _list_left(records, path, gone)
    for name in CONFIGURATIONS:
        if (root / name).is_file():
            yield root / name, _relative(read_text(root / name), root).encode()


def _edit(path: Path, edits: dict[int, Box | None], size: tuple[int, int]) -> bytes:
    width, height = size
    lines = []
    for position, text in enumerate(t for t in read_text(path).splitlines() if t.strip()):
        if position not in edits:
            lines.append(text)
        elif edits[position] is not None:
            x1, y1, x2, y2 = edits[position]
            box = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height)
            box += ((x2 - x1) / width, (y2 - y1) / height)
            numbers = " ".join(short(value, DECIMALS) for value in box)
            lines.append(f"{text.split()[0]} {numbers}")
    return "".join(f"{line}\n" for line in lines).encode()


def _list_left(records: Records, path: Path, gone: set[str]) -> bytes:
    """A list of pictures without those that are gone."""
    gone_paths = {records.pictures[name].picture for name in gone if name in records.pictures}
    gone_files = {records.shown(p) for p in gone_paths if p} | gone
    lines = []
    for text in _relative(read_text(path), records.root).splitlines():
        name = text.strip().removeprefix("./")
        if name and not {name, name.removeprefix("data/")} & gone_files:
            lines.append(text.strip())
    return "".join(f"{line}\n" for line in dict.fromkeys(lines)).encode()


def _relative(text: str, root: Path) -> str:
    """The text with a dot in place of the absolute path of the folder."""
    for place in {str(root.resolve()), str(root.absolute())}:
        text = text.replace(place, ".")
    return text
