"""What a dataset's files say, including impossible boxes and unreadable annotations.

The reader of each layout returns `Records`: pictures with their objects, and splits that list
pictures. `AnnotatedFolder` judges them to raise or drop, `doctor` to report. Chapter 16.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.boxes import box_problem
from ssd_tutorial.datasets.messages import is_background, near
from ssd_tutorial.datasets.pictures import UnreadablePicture, read_header

Box = tuple[float, float, float, float]
UNKNOWN = "?"
"""The class of an object whose class is not in the list."""
ALL = "all"
"""The split of all pictures, if a folder does not divide them."""
SPLITS = ("train", "val", "test", "dev")
"""What the names of folders that are splits begin with."""
ROUNDING_PX = 0.5
"""Extending beyond the border by at most this is rounding, not a fault."""
_MOST_PX = 1_000_000  # a picture that is wider or higher cannot be opened
_SHOWN = 8  # numbers of a polygon in a message
_MANY = 3  # fewer boxes do not show what their numbers mean


class RawObject(NamedTuple):
    """One object of a picture, as written in its file."""

    number: int | str
    """Its position in the file from 1, its line, or its id."""
    name: str
    """The class."""
    written: tuple
    """The numbers of the box."""
    corners: Box | None
    """xmin, ymin, xmax, ymax in pixels, in the order and counting of the file; None without
    four finite numbers."""
    unread: str = ""
    """Why `corners` is None."""
    difficult: bool = False

    def problem(self, code: str, file: str, what: str, picture: str = "") -> "Problem":
        """Return a fault of this object in a file, and perhaps the name of its picture."""
        written = tuple(f"{value!s:.40}" for value in self.written[:_SHOWN])
        written += ("…",) * (len(self.written) > _SHOWN)
        return Problem(code, file, what, self.number, self.name, written, picture)


class RawPicture(NamedTuple):
    """One picture with its annotation."""

    name: str
    """Its name in its split."""
    picture: Path | None
    """Its file; None if there is none."""
    file: Path | None
    """The file with the annotation; None if there is none."""
    annotation: str
    """How messages call the annotation, relative to the root; "" if there is none."""
    size: tuple[int, int] | None
    """(width, height) in pixels, from the annotation, or else from the picture's header."""
    objects: tuple[RawObject, ...] = ()
    fault: str = ""
    """The code of the rule that makes it unusable, such as ``"picture-missing"``; or ""."""
    reason: str = ""
    """The fault as a sentence."""

    def sized(self, where: str, name: str, among: Iterable[str]) -> "RawPicture":
        """Return the record with the size in its file's header if the annotation has none.

        Without a file, it is that of a missing picture; for the arguments see `without`.
        """
        if self.picture is None:
            return self.without("picture", where, name, among)
        try:
            return self if self.size else self._replace(size=read_header(self.picture).size)
        except UnreadablePicture as error:
            return self._replace(fault="picture-unreadable", reason=str(error))

    def without(
        self, kind: Literal["annotation", "picture"], where: str, name: str, among: Iterable[str]
    ) -> "RawPicture":
        """Return the record of a picture that lacks one of its files.

        Args:
            kind: which.
            where: the place that says that there should be one.
            name: of the file.
            among: the names of those there are.
        """
        reason = f"{where}: there is no {kind} {name[:200]}{near(name, among)} Put it back, or"
        return self._replace(fault=f"{kind}-missing", reason=f"{reason} remove it from the split.")


class Problem(NamedTuple):
    """One breach of a rule of `doctor`, and where."""

    code: str
    """The rule, a key of `doctor.RULES`."""
    file: str
    """The file to open, relative to the folder of the dataset."""
    what: str
    """What is there instead of what should be."""
    number: int | str | None = None
    """Which object of the file: its position from 1, or its id in COCO's layout."""
    name: str = ""
    """The class of the object."""
    box: tuple[str, ...] = ()
    """Its numbers, as written in the file."""
    other: str = ""
    """The second file, if the fault concerns two or more; the picture's name in its split for a
    box."""
    more: tuple[str, ...] = ()
    """Its further files."""

    def __str__(self) -> str:
        where = f"{self.file}, object {self.number} ({self.name})" if self.number else self.file
        box = f", box [{' '.join(', '.join(self.box).split())}]" if self.box else ""  # in one line
        return f"{where}{box}: {self.what}"


class Judged(NamedTuple):
    """One box, judged."""

    code: str
    """The rule that makes it impossible, or ""."""
    what: str
    edges: Box | None
    """xyxy in pixels, in order and clipped at the border; None if there are none."""
    over_px: float = 0.0
    """By how much it extended beyond the border."""


_CORNERS = "corners, x1 y1 x2 y2"
_OTHER_READINGS = {
    "VOC": (_CORNERS, "x y width height", lambda x, y, w, h: (x, y, x + w, y + h)),
    "COCO": ("x y width height", _CORNERS, lambda x1, y1, x2, y2: (x1, y1, x2 - x1, y2 - y1)),
    "YOLO": (
        *("centre and size", _CORNERS),
        lambda x1, y1, x2, y2: ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1),
    ),
}
"""What four numbers mean in each layout, what converters write instead, and the corners by that
reading, from those of the layout's own."""


def _is_bad(size: tuple[int, int], corners: Box) -> bool:
    """Return whether corners are out of order, or outside a picture by more than rounding."""
    x1, y1, x2, y2 = corners
    inside = min(x1, y1) >= -ROUNDING_PX
    inside = inside and x2 <= size[0] + ROUNDING_PX and y2 <= size[1] + ROUNDING_PX
    return not inside or bool(box_problem(corners))


@dataclass
class Records:
    """A whole dataset, or some of its splits, as written in its files."""

    root: Path
    layout: str
    """``"VOC"``, ``"COCO"`` or ``"YOLO"``."""
    pictures: dict[str, RawPicture] = field(default_factory=dict)
    """Pictures by a key that is unique in the dataset."""
    splits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of each split's pictures, in its order."""
    split_files: dict[str, Path] = field(default_factory=dict)
    """The file or folder that defines each split."""
    classes: tuple[str, ...] = ()
    """In the order of the labels."""
    one_based: bool = False
    """Pixels are counted from 1 and xmax, ymax are included (see `datasets.voc`)."""
    unannotated: tuple[str, ...] = ()
    """Picture files that belong to no annotation and no split."""
    faults: list[Problem] = field(default_factory=list)
    """Faults found while reading, besides those of single pictures."""
    whole: bool = True
    """Whether all splits were read."""

    def judge(self, picture: RawPicture, entry: RawObject) -> Judged:
        """Judge whether an object's box is possible, as written and in its picture.

        It is judged as written: counted inclusively, xmin = xmax would be one pixel wide, but in
        practice it is a click without a drag, never an object.
        """
        if entry.corners is None:
            return Judged("box-unreadable", entry.unread, None)
        x1, y1, x2, y2 = entry.corners
        what = box_problem(entry.corners)
        if what and self.layout in ("COCO", "YOLO"):
            what = f"width and height must be positive, not {x2 - x1:g} and {y2 - y1:g} pixels"
        if x1 == x2 or y1 == y2:
            return Judged("box-empty", what, None)
        shift = 1.0 if self.one_based else 0.0
        edges = cut = min(x1, x2) - shift, min(y1, y2) - shift, max(x1, x2), max(y1, y2)
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
        """Describe what is wrong with the unit of a split's boxes; "" if nothing is."""
        pictures = [self.pictures[key] for key in self.splits[split]]
        pairs = [(p.size, e.corners) for p in pictures for e in p.objects if p.size]
        boxes = [(size, corners) for size, corners in pairs if corners is not None]
        if len(boxes) < _MANY:
            return ""
        small = sum(max(map(abs, corners)) <= 1 for _, corners in boxes)
        if self.layout != "YOLO" and small > 0.9 * len(boxes):
            return (
                f"the numbers of its {len(boxes)} boxes look like fractions of the picture, but "
                f"must be pixels: multiply them by its width and height"
            )
        written, other, read = _OTHER_READINGS[self.layout]
        bad = sum(_is_bad(size, corners) for size, corners in boxes)
        still = (_is_bad(size, read(*corners)) for size, corners in boxes)
        if bad <= len(boxes) / 2 or sum(still) >= 0.1 * len(boxes):
            return ""
        return (
            f"{bad} of its {len(boxes)} boxes are impossible or extend beyond their pictures, and "
            f"would not if the numbers were {other}: here they are {written}"
        )

    def note(self, code: str, file: str, what: str, entry: RawObject | None = None) -> None:
        """Add a fault of a file, or of an object in it."""
        at = code, file, what
        self.faults.append(entry.problem(*at) if entry else Problem(*at))

    def name_classes(self, names: Iterable[str]) -> None:
        """Set the classes, in this order; the background is none of them."""
        self.classes = tuple(n for n in dict.fromkeys(names) if not is_background(n))

    def repeated(self, split: str) -> dict[str, int]:
        """Return the keys that a split lists more than once, and how often."""
        return {key: n for key, n in Counter(self.splits[split]).items() if n > 1}

    def splits_of(self) -> dict[str, list[str]]:
        """Return the splits of each picture that any split lists."""
        found: dict[str, list[str]] = {}
        for split, names in self.splits.items():
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(split)
        return found

    def shown(self, path: Path) -> str:
        """Return a path relative to the root if it is below the root."""
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()

    def shown_split(self, split: str) -> str:
        """Return how messages call a split."""
        path = self.split_files.get(split)
        return self.shown(path) if path else f"split {split}"

    def shown_picture(self, name: str) -> str:
        """Return the file of a picture, or its name if there is none."""
        picture = self.pictures[name].picture
        return self.shown(picture) if picture else name

    def said(self, reason: str, path: Path | None = None) -> str:
        """Return a sentence without the path of a file, which the fault already names."""
        words = reason_of(reason, path) if path else reason.rstrip(".")
        return words.replace(f"{self.root}/", "")

    def read_splits(
        self,
        files: Mapping[str, Path],
        chosen: Iterable[str] | None,
        pairs: Callable[[str], Sequence[tuple[str, Callable[[], RawPicture]]]],
        progress: bool | None,
    ) -> None:
        """Read splits; if one fails, raise if it was chosen, else record the fault.

        Args:
            files: the file or folder that defines each split.
            chosen: those to read; None for all.
            pairs: returns the keys of a split's pictures, each with what reads its annotation.
            progress: see `progress_bar`.
        """
        for split, file in files.items():
            if chosen is not None and split not in chosen:
                continue
            self.split_files[split] = file
            try:
                found = pairs(split)
                bar = progress_bar(found, f"{self.root.name}/{split}", progress, len(found))
                self.splits[split] = tuple(self.add(key, read) for key, read in bar)
            except (FileNotFoundError, ValueError) as error:
                if chosen is not None:
                    raise
                self.note("split-unreadable", self.shown(file), self.said(str(error), file))

    def add(self, key: str, read: Callable[[], RawPicture]) -> str:
        """Read a picture's annotation unless another split has it; return the picture's key."""
        if key not in self.pictures:
            self.pictures[key] = read()
        return key


def to_size(*sides: object) -> tuple[int, int] | None:
    """Return a picture's (width, height); None unless both are possible numbers of pixels."""
    try:
        width, height = (int(float(side)) for side in sides if not isinstance(side, bool))
    except (TypeError, ValueError, OverflowError):
        return None
    return (width, height) if 0 < width < _MOST_PX and 0 < height < _MOST_PX else None


def reason_of(error: Exception | str, path: Path) -> str:
    """Return the error's words without the path, which the fault already names."""
    words = str(error)
    for ending in (" is ", ", ", ": ", " "):
        words = words.replace(f"{path}{ending}", "")
    return words.rstrip(".")
