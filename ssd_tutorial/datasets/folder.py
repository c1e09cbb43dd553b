"""What every reader of a folder shares: items, targets, and what to do about what is bad.

A reader of one layout (`VOCFolder`, `COCOFolder`, `YOLOFolder`) finds the pictures and says what
its files hold about each; boxes are judged, counted and kept here. Chapter 12, chapter 16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from ssd_tutorial.datasets.faults import (
    GO_ON,
    BadBox,
    BadPicture,
    listing,
    refusal,
    unknown_class,
)
from ssd_tutorial.datasets.pictures import UnreadablePicture, read_picture

OnError = Literal["raise", "drop"]
T = TypeVar("T")


class Entry(NamedTuple):
    """One object of a picture, as its file has it."""

    number: int  # see `BadBox`
    name: str  # the class
    written: tuple[str, ...]  # the four numbers, in the file's own format
    difficult: bool = False


class Annotated(NamedTuple):
    """One picture and what its file says about it."""

    name: str  # of the picture, in the split
    picture: Path
    file: Path  # that holds the annotation
    size: tuple[int, int]  # (width, height) in pixels
    objects: Sequence[Entry]


class AnnotatedFolder(Dataset):
    """A split of a folder of pictures with boxes, in one of the layouts that labelling tools write.

    Item ``i`` is a pair ``(image, target)``. ``image`` is a `tv_tensors.Image`: uint8, RGB,
    ``[3, H, W]``, turned upright as its EXIF orientation says (see `read_picture`). ``target``
    holds

    * ``boxes``: `tv_tensors.BoundingBoxes`, float32 ``[N, 4]``, xyxy edges in pixels,
    * ``labels``: int64 ``[N]``, where label ``i + 1`` is ``classes[i]`` and 0 is the background,
    * ``difficult``: bool ``[N]``,
    * ``name``: the picture's name in the split.

    Every annotation of the split is read when the dataset is made: what is wrong with it is said
    before training starts, not in its third epoch. Pictures are decoded when they are asked for.

    With ``on_error="raise"`` the first of these is an error that names the file and the fix; with
    ``on_error="drop"`` they are left out, counted and named in `summary`:

    * an impossible box: one without width or height, without four finite numbers, or entirely
      outside the picture. It is listed in ``dropped``;
    * a picture that is missing, or whose annotation is missing or unreadable. It is listed in
      ``left_out``.

    A picture that is there and cannot be decoded shows when its item is read, as
    `UnreadablePicture`. A box that sticks out of the picture in part is cut at the border and
    listed in ``clipped``. An object of an unknown class is an error in any case.

    Attributes:
        root, split, on_error: as given.
        classes: tuple of class names, without the background.
        names: the split's names, in its order.
        dropped, clipped: lists of `BadBox`. ``left_out``: list of `BadPicture`.
    """

    classes: tuple[str, ...]

    def __init__(self, root: str | Path, split: str, on_error: OnError) -> None:
        if on_error not in ("raise", "drop"):
            raise ValueError(f'on_error must be "raise" or "drop", and is {on_error!r}')
        self.root, self.split, self.on_error = Path(root), split, on_error
        self.names: list[str] = []
        self.dropped: list[BadBox] = []
        self.clipped: list[BadBox] = []
        self.left_out: list[BadPicture] = []

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        path, size = self._pictures[index], tuple(self._sizes[index].tolist())
        image = read_picture(path)
        if (image.shape[2], image.shape[1]) != size:
            raise UnreadablePicture(
                f"{path} is {image.shape[2]} x {image.shape[1]} pixels, but its annotation says "
                f"{size[0]} x {size[1]}: the boxes were drawn on another version of the picture "
                f"(resized, cropped, or not turned as its EXIF orientation says)."
            )
        return image, self.target(index)

    def target(self, index: int) -> dict[str, Any]:
        """The target of item ``index`` alone; the picture is not decoded."""
        index = range(len(self))[index]  # also -1, and IndexError
        its = slice(self._first[index], self._first[index + 1])
        width, height = self._sizes[index].tolist()
        return {
            "boxes": tv_tensors.BoundingBoxes(
                torch.tensor(self._boxes[its]), format="XYXY", canvas_size=(height, width)
            ),
            "labels": torch.tensor(self._labels[its]),
            "difficult": torch.tensor(self._difficult[its]),
            "name": self.names[index],
        }

    def picture_path(self, index: int) -> Path:
        """Where the picture of item ``index`` lies."""
        return self._pictures[index]

    def summary(self) -> str:
        """One line: pictures, objects, classes, and what was dropped, clipped or left out."""
        line = (
            f"{self.root.name}/{self.split}: {len(self)} pictures, {len(self._labels)} objects of "
            f"{len(self.classes)} classes"
        )
        if self.left_out:
            line += f"; left out {len(self.left_out)} pictures: {listing(self.left_out)}"
        if self.dropped:
            line += f"; dropped {len(self.dropped)} impossible: {listing(self.dropped)}"
        if self.clipped:
            line += f"; clipped {len(self.clipped)} at the border: {listing(self.clipped)}"
        return line

    # ------------------------------------------------------------ for the readers of a layout

    def _edges(self, written: tuple[str, ...], width: int, height: int) -> tuple:
        """What the four numbers of a box mean, as `cut_to_picture` returns it."""
        raise NotImplementedError

    def _attempt(self, name: str, read: Callable[..., T], *arguments: Any) -> T | None:
        """``read(*arguments)``, or None where that fails and bad pictures are left out."""
        try:
            return read(*arguments)
        except (FileNotFoundError, ValueError) as error:
            if self.on_error == "drop":
                self.left_out.append(BadPicture(name, str(error)))
                return None
            kind = FileNotFoundError if isinstance(error, FileNotFoundError) else ValueError
            kind = UnreadablePicture if isinstance(error, UnreadablePicture) else kind
            raise kind(f"{error} {GO_ON}") from error

    def _keep(self, pictures: Iterable[Annotated]) -> None:
        """Judge every box of the split and keep them all, in a few arrays.

        Arrays, and not a list for each picture: COCO has 860 001 boxes, and every loading process
        would come to hold a copy of the lists.
        """
        label = {name: number for number, name in enumerate(self.classes, 1)}
        boxes, labels, difficult, first, sizes, paths = [], [], [], [0], [], []
        for one in pictures:
            for entry in one.objects:
                if entry.name not in label:
                    where = f"{one.file}, object {entry.number}"
                    raise unknown_class(where, entry.name, self.classes)
                box, fault, clipped = self._edges(entry.written, *one.size)
                at = (one.file.name, entry.number, entry.name, entry.written)
                if fault:
                    self.dropped.append(BadBox(*at, fault, one.name))
                    continue
                if clipped:
                    reason = f"stuck out of {one.size[0]} x {one.size[1]} pixels"
                    self.clipped.append(BadBox(*at, reason, one.name))
                boxes.append(box)
                labels.append(label[entry.name])
                difficult.append(entry.difficult)
            first.append(len(labels))
            sizes.append(one.size)
            paths.append(one.picture)
            self.names.append(one.name)
        if self.dropped and self.on_error == "raise":
            raise ValueError(refusal(self.dropped))
        if not self.names:
            raise ValueError(
                f"{self.root}, split {self.split!r}: every picture had to be left out: "
                f"{listing(self.left_out)}."
            )
        self._pictures = paths
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)
        self._labels = np.array(labels, np.int64)
        self._difficult = np.array(difficult, bool)
        self._first, self._sizes = np.array(first), np.array(sizes)


def short_names(files: Sequence[str]) -> list[str]:
    """Names of pictures: those of the files without endings, or with them where two would agree."""
    short = [Path(name.replace("\\", "/")).with_suffix("").as_posix() for name in files]
    return short if len(set(short)) == len(short) else list(files)


def same_split(wanted: str, splits: Iterable[str]) -> str | None:
    """The split that is meant: of this name, else of another name for it, else None.

    ``val``, ``valid`` and ``validation`` are one, and a year may follow: ``train2017``.
    """
    splits = list(splits)
    if wanted in splits:
        return wanted
    family = next((names for names in _SYNONYMS if wanted in names), (wanted,))
    others = [name for name in splits if name.rstrip("0123456789") in family]
    return others[0] if len(others) == 1 else None


_SYNONYMS = [("val", "valid", "validation")]
