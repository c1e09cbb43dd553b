"""What a dataset's files say, unjudged: impossible boxes and unreadable annotations included.

The datasets refuse or drop what is wrong; `doctor` needs to see it. Whatever the layout, it becomes
`Records`: pictures with their objects, and splits that name pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ssd_tutorial.datasets.pictures import picture_size
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
    unread: str = ""
    """Why there are no corners."""


class RawPicture(NamedTuple):
    """One picture with its annotation."""

    name: str
    picture: Path | None
    """Its file; None where there is none."""
    annotation: str
    """What to call its annotation, relative to the root; "" where there is none."""
    size: tuple[int, int] | None
    """(width, height) in pixels, as the annotation says; else as the picture's header says."""
    objects: tuple[RawObject, ...] = ()
    unread: str = ""
    """Why the annotation could not be read."""
    file: Path | None = None
    """The file that holds the annotation, if it is this picture's alone."""


@dataclass
class Records:
    """A whole dataset, unjudged."""

    root: Path
    layout: str
    """``"VOC"``, ``"COCO"``, ``"YOLO"``, or ``"drawn"`` for items without files."""
    pictures: dict[str, RawPicture]
    """By name."""
    splits: dict[str, tuple[str, ...]]
    """The names of each split's pictures, in its order; all are in `pictures`."""
    split_files: dict[str, Path] = field(default_factory=dict)
    """The file, or folder, that makes a split."""
    classes: tuple[str, ...] = ()
    """The list of classes, where the layout has one."""
    one_based: bool = False
    """Pixels are counted from 1 and xmax, ymax are included (see `datasets.voc_xml`)."""
    unannotated: tuple[str, ...] = ()
    """Picture files that belong to no annotation and no split."""
    faults: list[Fault] = field(default_factory=list)
    """What reading alone showed."""
    whole: bool = True
    """Whether these are all splits."""

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

    def shown(self, path: Path) -> str:
        """A path relative to the root, where it lies below it."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def shown_split(self, split: str) -> str:
        """What to call a split in a message."""
        path = self.split_files.get(split)
        return self.shown(path) if path else f"split {split}"

    def shown_picture(self, name: str) -> str:
        """The file of a picture, or its name where there is none."""
        picture = self.pictures[name].picture
        return self.shown(picture) if picture else name

    def only(self, splits: Sequence[str]) -> Records:
        """The records of some splits alone.

        Raises:
            FileNotFoundError: there is no such split.
        """
        for split in splits:
            if split not in self.splits:
                have = ", ".join(self.splits) or "none"
                raise FileNotFoundError(f"{self.root} has no split {split!r}. Its splits: {have}.")
        kept = {split: names for split, names in self.splits.items() if split in splits}
        named = {name for names in kept.values() for name in names}
        return Records(
            self.root,
            self.layout,
            {name: picture for name, picture in self.pictures.items() if name in named},
            kept,
            {split: path for split, path in self.split_files.items() if split in kept},
            self.classes,
            self.one_based,
            faults=self.faults,
            whole=False,
        )


def header_size(picture: Path | None) -> tuple[int, int] | None:
    """(width, height) of the upright picture from its header, or None where it has none."""
    try:
        return picture_size(picture) if picture else None
    except (ValueError, OSError):
        return None


def reason_of(error: Exception, path: Path) -> str:
    """The error's own words, without the path, which a fault says already."""
    words = str(error)
    for ending in (" is ", ", ", ": ", " "):
        words = words.replace(f"{path}{ending}", "")
    return words.rstrip(".")
