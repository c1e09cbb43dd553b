"""A folder in the layout of YOLO as a dataset: one text file a picture.

::

    root/images/SPLIT/NAME.jpg        Ultralytics, CVAT
    root/labels/SPLIT/NAME.txt        one line an object: class cx cy width height
    root/data.yaml                    the class names, and where the splits are

    root/SPLIT/images, SPLIT/labels   Roboflow, with data.yaml
    root/SPLIT.txt                    a list of pictures, labels beside them: Darknet, CVAT
    root/images, labels               Label Studio, with classes.txt: the split "all"

A class is a number that counts from 0 in the list of names; label 1 here. The four numbers are the
centre and the size of a box, as fractions of the picture. A picture without a text file, or with
an empty one, has no objects. A line with more numbers is a polygon, class x y x y …, of which the
bounding box is taken. Chapter 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.faults import (
    BACKGROUND,
    check_classes,
    cut_to_picture,
    no_folder,
    read_text,
    to_numbers,
    unknown_class,
)
from ssd_tutorial.datasets.folder import Annotated, AnnotatedFolder, Entry, OnError
from ssd_tutorial.datasets.pictures import picture_size
from ssd_tutorial.datasets.yolo_files import class_names, find_pictures, label_path, lost_labels

ROUNDING_PX = 0.5
"""Files with few decimals put a box at the border a little outside."""


class Line(NamedTuple):
    """One object of a label file."""

    number: int  # of the line, from 1
    category: int  # counts from 0
    written: tuple[str, ...]  # the numbers after it


class YOLOFolder(AnnotatedFolder):
    """A split of a folder in YOLO's layout; items and attributes are those of `AnnotatedFolder`.

    The files know no ``difficult``: it is False everywhere.

    Args:
        root: the folder.
        split: such as ``"train"``; ``"val"`` finds ``valid`` too. ``"all"`` is every picture of
            ``images`` where that has no folders for splits.
        classes: the class names in the order of the labels. None takes the names of
            ``data.yaml``, or of ``classes.txt`` or ``obj.names``, in their order. Where the folder
            has none of them, the list is also what the files' numbers mean.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with a width
            or height of 0 or less, or with numbers that are no fractions.

    Raises:
        FileNotFoundError: no such folder, split, class list, or a label file without a picture.
        ValueError: an unreadable file, an unknown class, an impossible box; no picture has labels.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        on_error: OnError = "raise",
    ) -> None:
        super().__init__(root, split, on_error)
        if not self.root.is_dir():
            raise no_folder(self.root)
        if classes is not None:
            classes = check_classes(classes)
        pictures = find_pictures(self.root, split)
        self._listed, self._list = class_names(self.root, classes)
        self._used: set[str] = set()
        lines = self._read_labels(pictures)
        named = [name for name in self._listed if name in self._used or name not in BACKGROUND]
        self.classes = classes or check_classes(named)
        self._keep(self._annotated(pictures, lines))

    def _read_labels(self, pictures: dict[str, Path]) -> dict[str, list[Entry]]:
        read = {}
        with_file = 0
        for name, picture in progress_bar(pictures.items(), self.root.name, None, len(pictures)):
            path = label_path(self.root, picture)
            with_file += path.is_file()
            lines = self._attempt(name, read_label_file, path)
            if lines is not None:
                read[name] = [self._entry(path, line) for line in lines]
        if not with_file:
            where = label_path(self.root, next(iter(pictures.values())))
            raise ValueError(
                f"{self.root}, split {self.split!r}: none of its {len(pictures)} pictures has a "
                f"label file (the first would be {where}). Put the labels there."
            )
        for path in lost_labels(self.root, pictures.values()):
            self._attempt(path.stem, _raise_lost, path)
        return read

    def _entry(self, path: Path, line: Line) -> Entry:
        if not 0 <= line.category < len(self._listed):
            raise ValueError(
                f"{path}, line {line.number}: there is no class {line.category}, since "
                f"{self._list} names {len(self._listed)} (0 to {len(self._listed) - 1}). Correct "
                f"the line, or complete the list."
            )
        name = self._listed[line.category]
        self._used.add(name)
        return Entry(line.number, name, line.written)

    def _annotated(
        self, pictures: dict[str, Path], read: dict[str, list[Entry]]
    ) -> Iterator[Annotated]:
        for name, entries in read.items():
            path = label_path(self.root, pictures[name])
            for entry in entries:
                if entry.name not in self.classes:
                    raise unknown_class(f"{path}, line {entry.number}", entry.name, self.classes)
            # The header of the picture: fractions say nothing about its size.
            size = self._attempt(name, picture_size, pictures[name])
            if size is not None:
                yield Annotated(name, pictures[name], path, size, entries)

    def _edges(self, written: tuple[str, ...], width: int, height: int) -> tuple:
        box, fault = _fractions(written)
        if fault:
            return (0.0, 0.0, 0.0, 0.0), fault, False
        x1, y1, x2, y2 = box
        edges = (x1 * width, y1 * height, x2 * width, y2 * height)
        return cut_to_picture(*edges, width, height, ROUNDING_PX)


def read_label_file(path: Path) -> list[Line]:
    """The objects of one picture; none where there is no file.

    Raises:
        ValueError: not text, or a line that does not begin with the number of a class.
    """
    if not path.is_file():
        return []
    lines = []
    for number, text in enumerate(read_text(path).splitlines(), 1):
        first, *written = text.split() or [""]
        if not first:
            continue
        try:
            category = int(first) if first.isdigit() else float(first)
            if category != int(category):
                raise ValueError
        except (ValueError, OverflowError):
            raise ValueError(
                f"{path}, line {number}: it must begin with the number of a class, and begins with "
                f"{first!r}. A line is: class cx cy width height."
            ) from None
        lines.append(Line(number, int(category), tuple(written)))
    return lines


def _fractions(written: tuple[str, ...]) -> tuple[tuple[float, ...], str]:
    """The edges xyxy as fractions of the picture, and what is wrong with them."""
    polygon = len(written) >= 6 and len(written) % 2 == 0
    if len(written) != 4 and not polygon:
        hint = ": is the fifth a score?" if len(written) == 5 else ""
        return (), f"after the class stand four numbers, and here are {len(written)}{hint}"
    names = range(1, len(written) + 1) if polygon else ("cx", "cy", "width", "height")
    values, fault = to_numbers([str(name) for name in names], written)
    if not fault and max(map(abs, values)) > 2:
        fault = "the numbers must be fractions of the picture's size, 0 to 1, and not pixels"
    if fault:
        return (), fault
    if polygon:
        xs, ys = values[0::2], values[1::2]
        box = (min(xs), min(ys), max(xs), max(ys))
    else:
        cx, cy, w, h = values
        box = (cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2)
    if box[2] <= box[0] or box[3] <= box[1]:
        w, h = (box[2] - box[0], box[3] - box[1]) if polygon else values[2:]
        return (), f"width and height must be positive, and are {w:g} and {h:g}"
    return box, ""


def _raise_lost(path: Path) -> None:
    raise FileNotFoundError(
        f"{path} has no picture. Bring the picture back, or delete the label file."
    )
