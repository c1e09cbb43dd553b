"""The files of a folder in VOC's layout, as a `Plan` changes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from defusedxml import ElementTree as SafeElementTree

from ssd_tutorial.datasets.faults import read_text
from ssd_tutorial.datasets.voc_xml import CORNERS
from ssd_tutorial.doctor.from_voc import LISTS, is_flagged
from ssd_tutorial.doctor.plan import Plan
from ssd_tutorial.doctor.records import Box, Records


def rewrite_voc(records: Records, plan: Plan) -> Iterator[tuple[Path, bytes | None]]:
    """Every file that changes, with its new content, or None where it is not copied.

    An annotation keeps all that it says beside the corners of the boxes that change.
    """
    for name, picture in records.pictures.items():
        if name in plan.left_out and picture.file is not None:
            yield picture.file, None
        elif name in plan.edits:
            yield picture.file, _edit(picture.file, plan.edits[name])
    for path in sorted((records.root / LISTS).glob("*.txt")):
        gone = set(plan.left_out) | plan.leaving.get(path.stem, set())
        old = read_text(path)
        lines = list(_lines_left(old.splitlines(), records, gone))
        new = "".join(f"{line}\n" for line in lines)
        if not lines and path.stem in records.splits:
            yield path, None
        elif new.split() != old.split():
            yield path, new.encode()


def _edit(path: Path, edits: dict[int, Box | None]) -> bytes:
    root = SafeElementTree.parse(path, forbid_dtd=True).getroot()
    for position, node in enumerate(root.findall("object")):
        if position not in edits:
            continue
        box = edits[position]
        if box is None:
            root.remove(node)
            continue
        # VOC counts pixels from 1 and includes the last (see `datasets.voc_xml`).
        numbers = (box[0] + 1, box[1] + 1, box[2], box[3])
        for corner, value in zip(CORNERS, numbers, strict=True):
            node.find(f"bndbox/{corner}").text = short(value)
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _lines_left(lines: list[str], records: Records, gone: set[str]) -> Iterator[str]:
    """The lines of pictures that stay, each once."""
    seen = set()
    for text in lines:
        line = text.strip()
        name = line.rsplit(maxsplit=1)[0] if is_flagged(line, records.pictures) else line
        if line and name not in gone and name not in seen:
            seen.add(name)
            yield line


def short(value: float, decimals: int = 3) -> str:
    """A number with no more decimals than it needs."""
    return f"{value:.{decimals}f}".rstrip("0").rstrip(".")
