"""What the files of a dataset say, unjudged: impossible boxes and unreadable annotations included.

Whatever the layout, its reader gives `Records`: pictures with their objects, and splits that name
pictures. `AnnotatedFolder` judges them to raise or drop, `doctor` to report. Chapter 16.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

from ssd_tutorial.boxes import box_problem
from ssd_tutorial.datasets.pictures import UnreadablePicture, picture_size

Box = tuple[float, float, float, float]
T = TypeVar("T")
UNKNOWN = "?"
"""The class of an object whose file names a class that is not listed."""
ROUNDING_PX = 0.5
"""Sticking out by no more than this is the rounding of a file, not a fault."""
_MANY = 3  # fewer boxes say nothing about what their numbers mean


class RawObject(NamedTuple):
    """One object of a picture, as its file has it."""

    number: int | str
    """Its place in the file from 1, its line, or its id."""
    name: str
    """The class."""
    written: tuple
    """The numbers of the box."""
    corners: Box | None
    """xmin, ymin, xmax, ymax in pixels, in the order and counting of the file; None where the
    numbers are not four finite ones."""
    unread: str = ""
    """Why there are no corners."""
    difficult: bool = False


class RawPicture(NamedTuple):
    """One picture with its annotation."""

    name: str
    """In its split."""
    picture: Path | None
    """Its file; None where there is none."""
    file: Path | None
    """The file that holds the annotation; None where there is none."""
    annotation: str
    """What to call the annotation, relative to the root; "" where there is none."""
    size: tuple[int, int] | None
    """(width, height) in pixels, as the annotation says; else as the picture's header says."""
    objects: tuple[RawObject, ...] = ()
    fault: str = ""
    """The code of the rule that makes it unusable, such as ``"picture-missing"``; or ""."""
    reason: str = ""
    """The same as a sentence."""


class Problem(NamedTuple):
    """One breach of a rule of `doctor`, and where."""

    code: str
    """The rule, a key of `doctor.RULES`."""
    file: str
    """The file to open, relative to the folder of the dataset."""
    what: str
    """What is there instead of what should be."""
    number: int | str | None = None
    """Which object of the file: its place in it from 1, or its id in COCO's layout."""
    name: str = ""
    """The class of the object."""
    box: tuple[str, ...] = ()
    """Its numbers, as the file has them."""
    other: str = ""
    """The second file, where a fault lies between two."""


class Judged(NamedTuple):
    """One box, judged."""

    code: str
    """The rule that makes it impossible, or ""."""
    what: str
    edges: Box | None
    """xyxy in pixels, in order and cut at the border; None where there are none."""
    over_px: float = 0.0
    """By how much it stuck out of the picture."""


@dataclass
class Records:
    """A whole dataset, or some of its splits, unjudged."""

    root: Path
    layout: str
    """``"VOC"``, ``"COCO"``, ``"YOLO"``, or ``"drawn"`` for items without files."""
    pictures: dict[str, RawPicture] = field(default_factory=dict)
    """By a name that is unique in the dataset."""
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of each split's pictures, in its order."""
    split_files: dict[str, Path] = field(default_factory=dict)
    """The file, or folder, that makes a split."""
    classes: tuple[str, ...] = ()
    """In the order of the labels."""
    one_based: bool = False
    """Pixels are counted from 1 and xmax, ymax are included (see `datasets.voc`)."""
    unannotated: tuple[str, ...] = ()
    """Picture files that belong to no annotation and no split."""
    faults: list[Problem] = field(default_factory=list)
    """What reading alone showed, beside the faults of single pictures."""
    whole: bool = True
    """Whether these are all splits."""

    def edges(self, entry: RawObject) -> Box | None:
        """Return the edges xyxy in pixels, corners put in order, not cut; None without numbers.

        A box that is one pixel wide in files that count from 1 has the width 1 here, not 0: ask
        the corners whether it is empty.
        """
        if entry.corners is None:
            return None
        x1, y1, x2, y2 = entry.corners
        shift = 1.0 if self.one_based else 0.0
        return min(x1, x2) - shift, min(y1, y2) - shift, max(x1, x2), max(y1, y2)

    def judge(self, picture: RawPicture, entry: RawObject) -> Judged:
        """Say whether an object's box is possible, as written and in its picture.

        Judged as written: counted inclusively, xmin = xmax would be one pixel wide, but in practice
        it is a click without a drag, never an object.
        """
        if entry.corners is None:
            return Judged("box-unreadable", entry.unread, None)
        x1, y1, x2, y2 = entry.corners
        what = box_problem(entry.corners)
        if what and self.layout in ("COCO", "YOLO"):
            what = f"width and height must be positive, and are {x2 - x1:g} and {y2 - y1:g} pixels"
        if x1 == x2 or y1 == y2:
            return Judged("box-empty", what, None)
        edges = cut = self.edges(entry)
        if picture.size is not None:
            width, height = picture.size
            x1, y1, x2, y2 = edges
            cut = max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))
            if cut != edges and box_problem(cut):
                where = f"the box lies outside the picture of {width} x {height} pixels"
                return Judged("box-outside", where, None)
        over = 0.0 if cut == edges else max(abs(a - b) for a, b in zip(edges, cut, strict=True))
        return Judged("box-reversed" if what else "", what, cut, over)

    def wrong_units(self, split: str) -> str:
        """Say what the numbers of a split's boxes look like instead; "" where they make sense."""
        pictures = [self.pictures[key] for key in self.splits[split]]
        pairs = [(p.size, entry) for p in pictures for entry in p.objects if p.size]
        boxes = [(size, e.corners) for size, e in pairs if e.corners is not None]
        if len(boxes) < _MANY or self.layout not in ("VOC", "COCO"):
            return ""
        if sum(max(map(abs, box)) <= 1 for _, box in boxes) > 0.9 * len(boxes):
            return (
                f"the numbers of its {len(boxes)} boxes look like fractions of the picture, and "
                f"must be pixels: multiply them by its width and height"
            )
        out = sum(x2 > w + ROUNDING_PX or y2 > h + ROUNDING_PX for (w, h), (_, _, x2, y2) in boxes)
        corners = [(w, h, x1, y1, x2 - x1, y2 - y1) for (w, h), (x1, y1, x2, y2) in boxes]
        inside = sum(x1 < x2 <= w and y1 < y2 <= h for w, h, x1, y1, x2, y2 in corners)
        if self.layout == "COCO" and out > len(boxes) / 2 and inside > 0.9 * len(boxes):
            return (
                f"{out} of its {len(boxes)} boxes stick out of their pictures, and none would if "
                f"the numbers were corners, x1 y1 x2 y2: COCO's are x, y, width, height"
            )
        return ""

    def repeated(self, split: str) -> dict[str, int]:
        """Return the keys that a split names more than once, and how often."""
        return {key: n for key, n in Counter(self.splits[split]).items() if n > 1}

    def splits_of(self) -> dict[str, list[str]]:
        """Return, for each picture that a split names, the splits that do."""
        found: dict[str, list[str]] = {}
        for split, names in self.splits.items():
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(split)
        return found

    def shown(self, path: Path) -> str:
        """Return a path relative to the root, where it lies below it."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def shown_split(self, split: str) -> str:
        """Return what to call a split in a message."""
        path = self.split_files.get(split)
        return self.shown(path) if path else f"split {split}"

    def shown_picture(self, name: str) -> str:
        """Return the file of a picture, or its name where there is none."""
        picture = self.pictures[name].picture
        return self.shown(picture) if picture else name

    def said(self, reason: str, path: Path | None = None) -> str:
        """Return a sentence without the path of a file, which a fault says already."""
        words = reason_of(reason, path) if path else reason.rstrip(".")
        return words.replace(f"{self.root}/", "")

    def add_split(
        self, split: str, place: Path, read: Callable[[], list[str]], alone: bool
    ) -> None:
        """Read a split; where that fails, raise if it is read alone, else note the fault.

        Args:
            split: its name.
            place: the file, or folder, that makes it.
            read: adds its pictures and returns their keys.
            alone: whether no other split is read.
        """
        self.split_files[split] = place
        try:
            self.splits[split] = tuple(read())
        except (FileNotFoundError, ValueError) as error:
            if alone:
                raise
            what = self.said(str(error), place)
            self.faults.append(Problem("split-unreadable", self.shown(place), what))


def with_size(picture: RawPicture) -> RawPicture:
    """Return the picture with the size in its file's header, where the annotation gives none."""
    if picture.size is not None or picture.picture is None or picture.fault:
        return picture
    try:
        return picture._replace(size=picture_size(picture.picture))
    except UnreadablePicture as error:
        return picture._replace(fault="picture-unreadable", reason=str(error))


def reason_of(error: Exception | str, path: Path) -> str:
    """Return the error's own words, without the path, which a fault says already."""
    words = str(error)
    for ending in (" is ", ", ", ": ", " "):
        words = words.replace(f"{path}{ending}", "")
    return words.rstrip(".")
