"""A folder in the layout of COCO as a dataset: one JSON file a split (see `coco_json`).

::

    root/annotations/instances_SPLIT.json     COCO; CVAT's "instances_default.json" is "default"
    root/SPLIT/NAME.jpg                       or root/images/SPLIT/, root/images/, root/

    root/SPLIT/_annotations.coco.json         Roboflow, with the pictures beside it
    root/SPLIT.json                           Label Studio's "result.json" is the split "result"

A bbox is ``[x, y, width, height]`` in pixels, counted from 0, so x and y are edges already.
Category ids are names, not labels: COCO's run to 90 with ten gaps, and some tools begin at 0.
Here labels are 1, 2, … in the order of the ids. Chapters 14 and 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.coco_json import COCOFile, read_coco
from ssd_tutorial.datasets.faults import (
    check_classes,
    cut_to_picture,
    near,
    no_folder,
    no_split,
    to_numbers,
)
from ssd_tutorial.datasets.folder import (
    Annotated,
    AnnotatedFolder,
    OnError,
    same_split,
    short_names,
)
from ssd_tutorial.datasets.pictures import by_last_part, files_below, picture_size

ROBOFLOW = "_annotations.coco.json"
ROUNDING_PX = 0.5
"""COCO's files round to hundredths of a pixel, other tools to whole ones."""


class COCOFolder(AnnotatedFolder):
    """A split of a folder in COCO's layout; items and attributes are those of `AnnotatedFolder`.

    Pictures without any object are kept: they teach what is no object. A picture's name is its
    ``file_name`` without the ending.

    Args:
        root: the folder.
        split: such as ``"train"``, which finds ``train2017`` too, as ``"val"`` finds ``valid``.
        classes: the class names in the order of the labels. None takes the file's categories in
            the order of their ids.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with a width
            or height of 0 or less, or without an image in the file.
        crowds: an annotation with ``iscrowd`` is one box around many objects. ``"difficult"``
            keeps it and marks it, as Caffe's SSD does (``ReadJSONToAnnotatedDatum`` in
            ``io.cpp``), so that the evaluation counts it neither as hit nor as miss; ``"drop"``
            leaves it out, as torchvision's training script does. That is no fault, so no list
            has it.

    Raises:
        FileNotFoundError: no such folder, split or picture.
        ValueError: a file that is not COCO's JSON, an unknown class, an impossible box.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        on_error: OnError = "raise",
        *,
        crowds: Literal["difficult", "drop"] = "difficult",
    ) -> None:
        super().__init__(root, split, on_error)
        if crowds not in ("difficult", "drop"):
            raise ValueError(f'crowds must be "difficult" or "drop", and is {crowds!r}')
        self.crowds = crowds
        if classes is not None:
            classes = check_classes(classes)
        file, folders = find_split(self.root, split)
        content = read_coco(file)
        self.classes = classes or content.classes
        self.dropped += content.lost
        self._file, self._folder = file, picture_folder(content, folders)
        self._found = files_below(self._folder)
        self._by_last_part = by_last_part(self._found)
        self._keep(self._annotated(content))

    def _annotated(self, content: COCOFile) -> Iterator[Annotated]:
        names = short_names([image["file_name"] for image in content.images])
        pairs = zip(names, content.images, strict=True)
        for name, image in progress_bar(pairs, f"{self.root.name}/{self.split}", None, len(names)):
            entries = content.objects.get(image["id"], [])
            one = self._attempt(name, self._with_picture, name, image, entries)
            if one is not None:
                yield one

    def _with_picture(self, name: str, image: dict[str, Any], entries: list) -> Annotated:
        picture = look_up(image["file_name"], self._found, self._by_last_part)
        if picture is None:
            raise FileNotFoundError(
                f"{self._file}: there is no picture {image['file_name']} in {self._folder}"
                f"{near(image['file_name'], self._found)} Bring it back, or take it out of the "
                f"file."
            )
        size = (image.get("width"), image.get("height"))
        if not all(isinstance(side, int) and side > 0 for side in size):
            size = picture_size(picture)
        if self.crowds == "drop":
            entries = [entry for entry in entries if not entry.difficult]
        return Annotated(name, picture, self._file, size, entries)

    def _edges(self, written: tuple[str, ...], width: int, height: int) -> tuple:
        values, fault = to_numbers(("x", "y", "width", "height"), written)
        if not fault and min(values[2:]) <= 0:
            fault = f"width and height must be positive, and are {values[2]:g} and {values[3]:g}"
        if fault:
            return (0.0, 0.0, 0.0, 0.0), fault, False
        x, y, w, h = values
        return cut_to_picture(x, y, x + w, y + h, width, height, ROUNDING_PX)


def coco_splits(root: Path) -> dict[str, Path]:
    """The splits of a folder in COCO's layout, each with its file; empty where it is in another."""
    found = {p.stem: p for p in sorted(root.glob("*.json")) if _looks_like_coco(p)}
    found |= {p.parent.name: p for p in sorted(root.glob(f"*/{ROBOFLOW}"))}
    files = sorted((root / "annotations").glob("*.json"))
    # COCO's own folder holds captions and keypoints beside the instances.
    instances = [p for p in files if p.stem.startswith("instances_")]
    return found | {p.stem.removeprefix("instances_"): p for p in instances or files}


def _looks_like_coco(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(65_536)
    return b'"images"' in start or b'"annotations"' in start


def find_split(root: Path, split: str) -> tuple[Path, list[Path]]:
    """The file of a split, and the folders that may hold its pictures, likely ones first.

    Raises:
        FileNotFoundError: no such folder or split, or a folder in another layout.
    """
    if not root.is_dir():
        raise no_folder(root)
    splits = coco_splits(root)
    if not splits:
        raise FileNotFoundError(
            f"{root} is no folder in COCO's layout: it has no annotations/instances_SPLIT.json, no "
            f"SPLIT/{ROBOFLOW} and no SPLIT.json."
        )
    found = same_split(split, splits)
    if found is None:
        raise no_split(root, split, splits)
    file = splits[found]
    if file.name == ROBOFLOW:
        return file, [file.parent]
    return file, [root / found, root / "images" / found, root / "images", root]


def picture_folder(content: COCOFile, folders: list[Path]) -> Path:
    """The first of the folders that holds a picture of the file.

    Raises:
        FileNotFoundError: none does.
        ValueError: the file lists no picture.
    """
    there = [folder for folder in folders if folder.is_dir()]
    names = [image["file_name"] for image in content.images]
    for folder in there:
        if any((folder / name).is_file() for name in names):
            return folder
    for folder in there:  # exported paths can begin with folders of another machine
        files = by_last_part(files_below(folder))
        if any(look_up(name, {}, files) for name in names):
            return folder
    if not names:
        raise ValueError(f"{content.path} names no picture.")
    raise FileNotFoundError(
        f"{content.path}: its pictures are not there: {names[0]} is in none of "
        f"{', '.join(map(str, folders))}. Put the folder of pictures there."
    )


def look_up(name: str, files: dict[str, Path], by_last: dict[str, Path]) -> Path | None:
    """The file of a ``file_name``: the same path, or else the only file of this last part."""
    name = name.replace("\\", "/")
    return files.get(name) or by_last.get(name.rsplit("/", 1)[-1])
