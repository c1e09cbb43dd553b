"""Which layout a folder is in, and what to say when it is in none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ssd_tutorial.datasets.coco import COCOFolder, coco_splits
from ssd_tutorial.datasets.faults import no_folder
from ssd_tutorial.datasets.folder import AnnotatedFolder, OnError
from ssd_tutorial.datasets.voc import VOCFolder, is_voc
from ssd_tutorial.datasets.yolo import YOLOFolder
from ssd_tutorial.datasets.yolo_files import yolo_splits

LAYOUTS = {
    "VOC": "ImageSets/Main/SPLIT.txt with Annotations/*.xml, or SPLIT/*.xml",
    "COCO": "annotations/instances_SPLIT.json, SPLIT/_annotations.coco.json, or SPLIT.json",
    "YOLO": "labels/SPLIT/*.txt with images/SPLIT, SPLIT/labels with SPLIT/images, or data.yaml",
}
_READERS = {"VOC": VOCFolder, "COCO": COCOFolder, "YOLO": YOLOFolder}


def layout_of(root: Path) -> str:
    """``"VOC"``, ``"COCO"``, ``"YOLO"``, or "" where a folder is in none of these layouts.

    A folder with several exports of the same pictures counts as the first of them.
    """
    if is_voc(root):
        return "VOC"
    if coco_splits(root):
        return "COCO"
    return "YOLO" if yolo_splits(root) else ""


def find_layout(root: str | Path) -> str:
    """``"VOC"``, ``"COCO"`` or ``"YOLO"``.

    Raises:
        FileNotFoundError: no such folder, or one in none of the layouts; then the message says
            what was looked for, what is there, and whether a folder above or below would do.
    """
    root = Path(root)
    if root.is_file():
        raise FileNotFoundError(f"{root} is a file: give the folder that holds the whole data set.")
    if not root.is_dir():
        raise no_folder(root)
    layout = layout_of(root)
    if not layout:
        raise FileNotFoundError(_unknown(root))
    return layout


def open_folder(
    root: str | Path, split: str, classes: Sequence[str] | None = None, on_error: OnError = "raise"
) -> AnnotatedFolder:
    """A split of a folder in any of the three layouts.

    Args:
        root: the folder.
        split, classes, on_error: see `VOCFolder`, `COCOFolder` and `YOLOFolder`.

    Raises:
        FileNotFoundError: as `find_layout`.
        FileNotFoundError, ValueError: as the reader of the layout.
    """
    return _READERS[find_layout(root)](root, split, classes=classes, on_error=on_error)


def _unknown(root: Path) -> str:
    looked = "; ".join(f"{name}: {shape}" for name, shape in LAYOUTS.items())
    there = ", ".join(sorted(p.name for p in root.iterdir())) or "nothing"
    message = f"{root} is in no layout that is known ({looked}). It holds {there}."
    below = [p for p in sorted(root.iterdir()) if p.is_dir()]
    for folder in (*below, root.resolve().parent, root.resolve().parent.parent):
        if layout_of(folder):
            return f"{message} Did you mean {folder}, which is in {layout_of(folder)}'s layout?"
    return message
