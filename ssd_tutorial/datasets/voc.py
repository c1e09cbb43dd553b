"""A folder in the layout of PASCAL VOC as a dataset: drawn scenes, BCCD, VOC, your own pictures.

::

    root/Annotations/NAME.xml          one file a picture (see `voc_xml`)
    root/JPEGImages/NAME.jpg           or .jpeg, .png, .bmp, .webp, .tif, .tiff
    root/ImageSets/Main/SPLIT.txt      the NAMEs of a split, one a line

Every annotation of a split is read when the dataset is made: what is wrong with it is said before
training starts, not in its third epoch. Chapter 12, chapter 16.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors

from ssd_tutorial.datasets.pictures import EXTENSIONS, picture_size, read_picture
from ssd_tutorial.datasets.voc_xml import Annotation, BadBox, box_edges, read_annotation


class VOCFolder(Dataset):
    """A split of a folder in VOC's layout.

    Item ``i`` is a pair ``(image, target)``. ``image`` is a `tv_tensors.Image`: uint8, RGB,
    ``[3, H, W]``, turned upright as its EXIF orientation says (see `read_picture`). ``target``
    holds

    * ``boxes``: `tv_tensors.BoundingBoxes`, float32 ``[N, 4]``, xyxy edges in pixels,
    * ``labels``: int64 ``[N]``, where label ``i + 1`` is ``classes[i]`` and 0 is the background,
    * ``difficult``: bool ``[N]``,
    * ``name``: the picture's name in the split.

    Args:
        root: the folder that holds ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``.
        split: the name of a list in ``ImageSets/Main``, such as ``"train"``.
        classes: the class names, without the background, in the order of the labels. None takes
            the names found in *all* annotations of the folder, sorted, so that ``train`` and
            ``val`` agree. Give the list when weights trained elsewhere are to be used.
        on_bad: what to do with an impossible box: one with xmax <= xmin or ymax <= ymin, one
            without four finite numbers, one entirely outside the picture. ``"raise"`` refuses
            the folder; ``"drop"`` leaves the box out and lists it in ``dropped``.
        one_based: the files count pixels from 1 and include the last, as VOC does (see
            `voc_xml`). BCCD does too: its smallest xmin is 1 and its largest xmax is 640 of 640.

    A box that sticks out of the picture in part is cut at the border and listed in ``clipped``.

    Attributes:
        classes: tuple of class names. ``names``: the split's names, in the order of its file.
        dropped, clipped: lists of `BadBox` (file, number, name, box, reason).

    Raises:
        FileNotFoundError: no such folder, split, annotation or picture.
        ValueError: an unreadable annotation, an unknown class, an impossible box under
            ``on_bad="raise"``, an empty split or one that names a picture twice. On reading an
            item: a picture that cannot be decoded, or whose size is not the annotation's.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        on_bad: str = "raise",
        *,
        one_based: bool = True,
    ) -> None:
        if on_bad not in ("raise", "drop"):
            raise ValueError(f'on_bad must be "raise" or "drop", and is {on_bad!r}')
        self.root, self.split, self.on_bad = Path(root), split, on_bad
        self.one_based = one_based
        self.dropped: list[BadBox] = []
        self.clipped: list[BadBox] = []
        stems = _stems(self.root / "Annotations", self.root)
        self.names = _read_split(self.root, split, stems)
        wanted = self.names if classes is not None else sorted(stems)
        files = {n: read_annotation(self.root / "Annotations" / f"{n}.xml") for n in wanted}
        self.classes = _check_classes(classes, files.values())

        pictures = {p.name: p for p in (self.root / "JPEGImages").iterdir()}
        self._pictures = [_find_picture(files[name], pictures) for name in self.names]
        self._records = [
            self._read(files[name], picture)
            for name, picture in zip(self.names, self._pictures, strict=True)
        ]
        if self.dropped and on_bad == "raise":
            raise ValueError(_refusal(self.dropped))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        path, size = self._pictures[index], self._records[index][0]
        image = read_picture(path)
        if (image.shape[2], image.shape[1]) != size:
            raise ValueError(
                f"{path} is {image.shape[2]} x {image.shape[1]} pixels, but its annotation says "
                f"{size[0]} x {size[1]}: the boxes were drawn on another version of the picture "
                f"(resized, cropped, or not turned as its EXIF orientation says)."
            )
        return image, self.target(index)

    def target(self, index: int) -> dict[str, Any]:
        """The target of item ``index`` alone; the picture is not decoded."""
        (width, height), boxes, labels, difficult = self._records[index]
        boxes_px = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
        return {
            "boxes": tv_tensors.BoundingBoxes(boxes_px, format="XYXY", canvas_size=(height, width)),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "difficult": torch.tensor(difficult, dtype=torch.bool),
            "name": self.names[index],
        }

    def picture_path(self, index: int) -> Path:
        """Where the picture of item ``index`` lies."""
        return self._pictures[index]

    def summary(self) -> str:
        """One line: pictures, objects, classes, and which boxes were dropped or clipped."""
        objects = sum(len(labels) for _, _, labels, _ in self._records)
        line = (
            f"{self.root.name}/{self.split}: {len(self)} pictures, {objects} objects of "
            f"{len(self.classes)} classes"
        )
        if self.dropped:
            line += f"; dropped {len(self.dropped)} impossible: {_list(self.dropped)}"
        if self.clipped:
            line += f"; clipped {len(self.clipped)} at the border: {_list(self.clipped)}"
        return line

    def _read(self, annotation: Annotation, picture: Path) -> tuple:
        size = annotation.size or picture_size(picture)
        label = {name: number for number, name in enumerate(self.classes, 1)}
        boxes, labels, difficult = [], [], []
        for entry in annotation.objects:
            box, fault, clipped = box_edges(entry.written, *size, self.one_based)
            at = (annotation.path.name, entry.number, entry.name, entry.written)
            if fault:
                self.dropped.append(BadBox(*at, fault))
                continue
            if clipped:
                self.clipped.append(BadBox(*at, f"stuck out of {size[0]} x {size[1]} pixels"))
            boxes.append(box)
            labels.append(label[entry.name])
            difficult.append(entry.difficult)
        return size, boxes, labels, difficult


def _stems(annotations: Path, root: Path) -> set[str]:
    if not root.is_dir():
        raise FileNotFoundError(f"there is no folder {root}{_near(root.name, _folders(root))}")
    for part in (annotations, root / "JPEGImages", root / "ImageSets" / "Main"):
        if not part.is_dir():
            raise FileNotFoundError(
                f"{root} is no folder in VOC's layout: it has no {part.relative_to(root)} "
                f"(it holds {', '.join(sorted(p.name for p in root.iterdir())) or 'nothing'})."
            )
    return {path.stem for path in annotations.glob("*.xml")}


def _folders(root: Path) -> list[str]:
    parent = root.parent
    return [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []


def _read_split(root: Path, split: str, stems: set[str]) -> list[str]:
    path = root / "ImageSets" / "Main" / f"{split}.txt"
    splits = sorted(p.stem for p in path.parent.glob("*.txt"))
    if split not in splits:
        have = ", ".join(splits) or "none"
        raise FileNotFoundError(
            f"{root} has no split {split!r}{_near(split, splits)} Its splits: {have}."
        )
    names = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        # VOC's lists of one class ("cat_train") have a second column, -1, 0 or 1.
        if name not in stems and name.split()[-1] in ("-1", "0", "1"):
            name = name.rsplit(maxsplit=1)[0]
        if name not in stems:
            raise FileNotFoundError(
                f"{path}, line {number}: there is no annotation Annotations/{name}.xml"
                f"{_near(name, stems)} A line holds the name of a picture without its ending."
            )
        names.append(name)
    if not names:
        raise ValueError(f"{path} names no picture.")
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(
            f"{path} names a picture more than once: {', '.join(twice[:5])}. It would be "
            f"counted twice in training and in the evaluation."
        )
    return names


def _check_classes(
    classes: Sequence[str] | None, annotations: Iterable[Annotation]
) -> tuple[str, ...]:
    if classes is None:
        found = tuple(sorted({o.name for a in annotations for o in a.objects}))
        if not found:
            raise ValueError("no annotation of the folder has an object: give `classes`.")
        return found
    if isinstance(classes, str) or len(set(classes)) < len(classes) or not classes:
        raise ValueError(f"classes must be a list of different names, and is {classes!r}")
    if classes[0] in ("background", "__background__"):
        raise ValueError("classes must not hold the background: label 0 is always there for it")
    for annotation in annotations:
        for entry in annotation.objects:
            if entry.name not in classes:
                raise ValueError(
                    f"{annotation.path}, object {entry.number}: the class {entry.name!r} is not "
                    f"in `classes`{_near(entry.name, classes)} Add it, correct the file, or "
                    f"leave `classes` out to take every class of the folder."
                )
    return tuple(classes)


def _find_picture(annotation: Annotation, pictures: dict[str, Path]) -> Path:
    stem = annotation.path.stem
    # The annotation's own <filename> comes last: files that were renamed often still have the old.
    candidates = [stem + e for ext in EXTENSIONS for e in (ext, ext.upper())]
    for name in (*candidates, Path(annotation.filename).name):
        if name in pictures:
            return pictures[name]
    raise FileNotFoundError(
        f"{annotation.path} has no picture: JPEGImages holds no {stem}.jpg"
        f"{_near(stem + '.jpg', pictures)} Endings looked for: {' '.join(EXTENSIONS)}."
    )


def _refusal(bad: list[BadBox]) -> str:
    count = "1 box is" if len(bad) == 1 else f"{len(bad)} boxes are"
    return (
        f"{count} impossible: {_list(bad)}. Correct the file, or go on without: "
        f'VOCFolder(..., on_bad="drop") leaves such boxes out and lists them in `dropped`.'
    )


def _list(bad: list[BadBox], limit: int = 5) -> str:
    more = f"; and {len(bad) - limit} more" if len(bad) > limit else ""
    return "; ".join(map(str, bad[:limit])) + more


def _near(name: str, among: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(among), n=2)
    return f" (did you mean {' or '.join(map(repr, close))}?)." if close else "."
