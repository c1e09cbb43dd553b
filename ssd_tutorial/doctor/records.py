"""What a dataset's files say, unjudged: impossible boxes and unreadable annotations included.

The datasets refuse or drop what is wrong; `doctor` needs to see it. Whatever the layout, it becomes
`Records`: pictures with their objects, and splits that name pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import NamedTuple

from ssd_tutorial.doctor.faults import Fault

Box = tuple[float, float, float, float]


class RawObject(NamedTuple):
    """One object of a picture, as its file has it."""

    number: int
    """Its place in the file from 1, or its id."""
    name: str
    """The class; "" where the file gives one that is not in the list of classes."""
    written: tuple[str, ...]
    """The numbers of the box as text."""
    corners: Box | None
    """xmin, ymin, xmax, ymax in pixels, in the order and counting of the file; None where the
    numbers are not four finite ones."""
    difficult: bool = False


class RawPicture(NamedTuple):
    """One picture with its annotation."""

    name: str
    picture: Path | None
    """Its file; None where there is none."""
    annotation: str
    """What to call its annotation: a path relative to the root; "" where there is none."""
    size: tuple[int, int] | None
    """(width, height) in pixels, as the annotation says; else as the picture's header says."""
    objects: tuple[RawObject, ...] = ()
    unread: str = ""
    """Why the annotation could not be read."""


@dataclass
class Records:
    """A whole dataset, unjudged."""

    root: Path
    layout: str
    """``"voc"``, ``"coco"``, ``"yolo"``, or ``"drawn"`` for items without files."""
    pictures: dict[str, RawPicture]
    """By name, sorted."""
    splits: dict[str, tuple[str, ...]]
    """The names of each split's pictures, in its order; some may be in `pictures`, some not."""
    classes: tuple[str, ...] = ()
    """The list of classes, where the layout has one."""
    one_based: bool = False
    """Pixels are counted from 1 and xmax, ymax are included (see `datasets.voc_xml`)."""
    unannotated: tuple[str, ...] = ()
    """Picture files that belong to no annotation and no split."""
    faults: list[Fault] = field(default_factory=list)
    """What reading alone showed."""

    def edges(self, entry: RawObject) -> Box | None:
        """The object's edges xyxy in pixels, corners put in order, not cut; None without numbers.

        A box that is one pixel wide in files that count from 1 has the width 1 here, not 0: ask
        the corners whether it is empty.
        """
        if entry.corners is None:
            return None
        x1, y1, x2, y2 = entry.corners
        shift = 1.0 if self.one_based else 0.0
        return min(x1, x2) - shift, min(y1, y2) - shift, max(x1, x2), max(y1, y2)

    def splits_of(self) -> dict[str, list[str]]:
        """For each picture that a split names, the splits that do."""
        found: dict[str, list[str]] = {}
        for split, names in self.splits.items():
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(split)
        return found


def finite(numbers: tuple[str, ...]) -> Box | None:
    """Four finite numbers from their text, or None."""
    try:
        box = tuple(float(text) for text in numbers)
    except ValueError:
        return None
    return box if len(box) == 4 and all(map(isfinite, box)) else None
