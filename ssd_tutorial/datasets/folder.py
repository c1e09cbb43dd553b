"""What all readers of folders share: items, targets, and the handling of bad data.

A reader of one layout (`VOCFolder`, `COCOFolder`, `YOLOFolder`) returns `Records`, which hold what
the files say; pictures and boxes are judged, counted and kept here. Chapters 12 and 16.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from ssd_tutorial.datasets import messages
from ssd_tutorial.datasets.pictures import EXTENSIONS, UnreadablePicture, read_picture
from ssd_tutorial.datasets.records import ROUNDING_PX, Problem, RawObject, RawPicture, Records

OnError = Literal["raise", "drop"]


class AnnotatedFolder(Dataset):
    """A split of a folder of pictures with boxes, in one of the layouts that labelling tools write.

    Item ``i`` is a pair ``(image, target)``. ``image`` is a `tv_tensors.Image`: uint8, RGB,
    ``[3, H, W]``, turned upright as its EXIF orientation says (see `read_picture`). ``target``
    holds

    * ``boxes``: `tv_tensors.BoundingBoxes`, float32 ``[N, 4]``, xyxy edges in pixels,
    * ``labels``: int64 ``[N]``, where label ``i + 1`` is ``classes[i]`` and 0 is the background,
    * ``difficult``: bool ``[N]``,
    * ``name``: the picture's name in the split.

    Every annotation of the split is read when the dataset is created, so that faults are reported
    before training starts, not in its third epoch. Pictures are decoded when their items are read.

    With ``on_error="raise"``, the first of these faults is an error that names the file and the
    fix; with ``on_error="drop"``, all of them are left out, counted and named in `summary`:

    * an impossible box: one without width or height, without four finite numbers, or entirely
      outside the picture. It is listed in ``dropped``;
    * a picture that is missing, or whose annotation is missing or unreadable. It is listed in
      ``left_out``.

    A picture that exists but cannot be decoded raises `UnreadablePicture` when its item is read. A
    box that lies partly outside the picture is clipped at the border and listed in ``clipped``. An
    object of an unknown class is an error in any case.

    Attributes:
        root, split, on_error: as given.
        classes: tuple of class names, without the background.
        names: the split's names, in its order.
        dropped, clipped: lists of `Problem`. ``left_out``: list of `BadPicture`.
    """

    classes: tuple[str, ...]

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        on_error: OnError = "raise",
    ) -> None:
        if on_error not in ("raise", "drop"):
            raise ValueError(f'on_error must be "raise" or "drop", not {on_error!r}')
        self.root, self.split, self.on_error = Path(root), split, on_error
        self.names: list[str] = []
        self.dropped: list[Problem] = []
        self.clipped: list[Problem] = []
        self.left_out: list[messages.BadPicture] = []
        if classes is not None:
            classes = messages.check_classes(classes)
        if not self.root.is_dir():
            raise messages.no_folder(self.root)
        splits = self._find()
        if not splits:
            what = f"{root} is not a folder in {self._layout}'s layout ({self._shape})"
            raise FileNotFoundError(what)
        found = same_split(split, splits)
        if found is None:
            raise messages.no_split(self.root, split, splits)
        records = self._read(found, classes)
        self._check_split(records, found)
        self.classes = classes or records.classes
        self._keep(records, found)
        if not self.classes:
            raise ValueError(f"{root} has no object that can be read: pass `classes`")

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        path, size = self._pictures[index], tuple(self._sizes[index].tolist())
        image = read_picture(path)
        if (image.shape[2], image.shape[1]) != size:
            raise UnreadablePicture(
                f"{path} is {image.shape[2]} x {image.shape[1]} pixels, but its annotation says "
                f"{size[0]} x {size[1]}: the boxes were drawn on another version of the picture "
                f"(resized, cropped, or not rotated by its EXIF orientation)"
            )
        return image, self.target(index)

    def target(self, index: int) -> dict[str, Any]:
        """Return only the target of item ``index``; the picture is not decoded."""
        index = range(len(self))[index]  # also -1, and IndexError
        rows = torch.tensor(self._rows[self._first[index] : self._first[index + 1]])
        size = tuple(self._sizes[index].tolist()[::-1])
        return {
            "boxes": tv_tensors.BoundingBoxes(rows[:, :4], format="XYXY", canvas_size=size),
            "labels": rows[:, 4].long(),
            "difficult": rows[:, 5].bool(),
            "name": self.names[index],
        }

    def picture_path(self, index: int) -> Path:
        """Return the path of item ``index``'s picture."""
        return self._pictures[index]

    def summary(self) -> str:
        """Describe in one line pictures, objects, classes, and what was dropped or clipped."""
        line = (
            f"{self.root.name}/{self.split}: {len(self)} pictures, {len(self._rows)} objects of "
            f"{len(self.classes)} classes"
        )
        for what, bad in (
            ("left out {} pictures", self.left_out),
            ("dropped {} impossible", self.dropped),
            ("clipped {} at the border", self.clipped),
        ):
            line += f"; {what.format(len(bad))}: {messages.listing(bad)}" if bad else ""
        return line

    # ------------------------------------------------------------ for the reader of each layout

    _layout: str
    _shape: str

    def _find(self) -> Iterable[str]:
        """Return the names of the folder's splits."""
        raise NotImplementedError

    def _read(self, split: str, classes: Sequence[str] | None) -> Records:
        raise NotImplementedError

    # ------------------------------------------------------------ bad data

    def _check_split(self, records: Records, split: str) -> None:
        """Raise for faults of the whole split, and count objects without a picture."""
        keys, place = records.splits[split], records.split_files[split]
        if not keys:
            raise ValueError(f"{place} has no picture (extensions: {' '.join(EXTENSIONS)})")
        twice = sorted(records.pictures[key].name for key in records.repeated(split))
        if twice:
            raise ValueError(
                f"{place} lists a picture more than once: {', '.join(twice[:5])}. It would be "
                f"counted twice in training and in evaluation: delete the second entry."
            )
        if units := records.wrong_units(split):
            raise ValueError(f"{place}: {units}.")
        for fault in records.faults:
            where = self.root / fault.file
            if fault.code == "object-without-picture":
                self.dropped.append(fault)
            elif fault.code == "class-unknown":
                raise ValueError(f"{where}, object {fault.number}: {fault.what}.")
            else:
                self._leave_out(Path(fault.file).stem, fault.code, f"{where}: {fault.what}.")
        named = set(keys)
        for key, picture in records.pictures.items() if self.on_error == "raise" else ():
            # In another split, but it may contain a class that no other picture has.
            if key not in named and picture.fault == "annotation-unreadable":
                self._leave_out(picture.name, picture.fault, picture.reason)

    def _leave_out(self, name: str, code: str, reason: str) -> None:
        """Record a bad picture, or raise."""
        if self.on_error == "drop":
            self.left_out.append(messages.BadPicture(name, reason))
            return
        kind = FileNotFoundError if code.endswith("-missing") else ValueError
        kind = UnreadablePicture if code == "picture-unreadable" else kind
        raise kind(f"{reason} {messages.GO_ON}")

    def _keep(self, records: Records, split: str) -> None:
        """Judge every box of the split, and keep the good ones in a few arrays.

        Arrays instead of one list per picture: COCO has 860 001 boxes, and every loader process
        would end up with its own copy of the lists.
        """
        label = {name: number for number, name in enumerate(self.classes, 1)}
        rows, first, sizes, self._pictures = [], [0], [], []
        for key in records.splits[split]:
            picture = records.pictures[key]
            for entry in picture.objects:  # before its picture: a wrong list is always an error
                self._check_class(picture, entry)
            if picture.fault:
                self._leave_out(picture.name, picture.fault, picture.reason)
                continue
            for entry in picture.objects:
                judged = records.judge(picture, entry)
                at = judged.code, picture.annotation
                if judged.code:
                    self.dropped.append(entry.problem(*at, judged.what, picture.name))
                    continue
                if judged.over_px > (0 if records.layout == "VOC" else ROUNDING_PX):
                    reason = f"reached beyond {picture.size[0]} x {picture.size[1]} pixels"
                    self.clipped.append(entry.problem(*at, reason, picture.name))
                rows.append((*judged.edges, label[entry.name], entry.difficult))
            first.append(len(rows))
            sizes.append(picture.size)
            self._pictures.append(picture.picture)
            self.names.append(picture.name)
        if self.dropped and self.on_error == "raise":
            count = "1 box is" if len(self.dropped) == 1 else f"{len(self.dropped)} boxes are"
            which = f"{self.root}: {count} impossible: {messages.listing(self.dropped)}"
            raise ValueError(f"{which}. Correct the file. {messages.GO_ON}")
        if not self.names:
            raise ValueError(
                f"{self.root}, split {self.split!r}: every picture had to be left out: "
                f"{messages.listing(self.left_out)}"
            )
        self._rows = np.array(rows, np.float32).reshape(-1, 6)  # xyxy in pixels, label, difficult
        self._first, self._sizes = np.array(first), np.array(sizes)

    def _check_class(self, picture: RawPicture, entry: RawObject) -> None:
        if entry.name in self.classes:
            return
        hint = messages.near(entry.name, self.classes)
        what = (
            f"the class {entry.name!r} is not in `classes`{hint} Add it, correct the file, or omit "
            f"`classes` to use every class of the folder."
        )
        if messages.is_background(entry.name):
            what = (
                f"the class is {entry.name!r}, but the background is never annotated: it is every "
                f"place without an object. Remove these objects."
            )
        raise ValueError(f"{self.root / picture.annotation}, object {entry.number}: {what}")


class SkipUnreadable(Dataset):
    """A dataset's items; with ``on_error="drop"``, the reason (a str) if one cannot be decoded.

    It is returned, not raised or stored, since loader processes pass on return values only.
    """

    def __init__(self, dataset: Dataset, on_error: Literal["raise", "drop"]):
        self.dataset, self.on_error = dataset, on_error

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple | str:
        try:
            return self.dataset[i]
        except UnreadablePicture as error:
            if self.on_error == "raise":
                raise UnreadablePicture(f"{error}. --on-error drop leaves it out") from error
            return str(error)


def short_names(files: Sequence[str]) -> list[str]:
    """Return the files' names without extensions, or with them if two would be equal."""
    short = [Path(name.replace("\\", "/")).with_suffix("").as_posix() for name in files]
    return short if len(set(short)) == len(short) else list(files)


def same_split(wanted: str, splits: Iterable[str]) -> str | None:
    """Return the split with this name, or with a synonym of it, or None.

    ``val``, ``valid`` and ``validation`` are synonyms, and a year may follow: ``train2017``.
    """
    synonyms = ("val", "valid", "validation")
    family = synonyms if wanted in synonyms else (wanted,)
    others = [name for name in splits if name.rstrip("0123456789") in family]
    return wanted if wanted in splits else others[0] if len(others) == 1 else None
