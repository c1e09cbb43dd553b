"""Find the layout of a folder, and explain why it has none."""

from collections.abc import Sequence
from pathlib import Path

import ssd_tutorial.datasets.coco as coco
import ssd_tutorial.datasets.voc as voc
import ssd_tutorial.datasets.yolo as yolo
from ssd_tutorial.datasets.folder import AnnotatedFolder, OnError
from ssd_tutorial.datasets.messages import no_folder, no_split
from ssd_tutorial.datasets.pictures import folders_in
from ssd_tutorial.datasets.records import Records

LAYOUTS = {"VOC": voc, "COCO": coco, "YOLO": yolo}
_FOLDERS = {"VOC": voc.VOCFolder, "COCO": coco.COCOFolder, "YOLO": yolo.YOLOFolder}


def layout_of(root: Path) -> str:
    """Return ``"VOC"``, ``"COCO"``, ``"YOLO"``, or "" if a folder is in none of these layouts.

    A folder with several exports of the same pictures counts as the first of these layouts.
    """
    return next((name for name, layout in LAYOUTS.items() if layout.find(root)), "")


def find_layout(root: str | Path) -> str:
    """Return ``"VOC"``, ``"COCO"`` or ``"YOLO"``.

    Raises:
        FileNotFoundError: no such folder, or one in none of the layouts; the message then says
            what was expected, what is there, and whether a folder above or below would do.
    """
    root = Path(root)
    if root.is_file():
        raise FileNotFoundError(f"{root} is a file: pass the folder with the whole data set")
    if not root.is_dir():
        raise no_folder(root)
    if not (layout := layout_of(root)):
        raise FileNotFoundError(_unknown(root))
    return layout


def open_folder(
    root: str | Path, split: str, classes: Sequence[str] | None = None, on_error: OnError = "raise"
) -> AnnotatedFolder:
    """Open a split of a folder in any of the three layouts.

    Args:
        root: the folder.
        split, classes, on_error: see `VOCFolder`, `COCOFolder` and `YOLOFolder`.

    Raises:
        FileNotFoundError: as `find_layout`.
        FileNotFoundError, ValueError: as the reader of the layout.
    """
    return _FOLDERS[find_layout(root)](root, split, classes=classes, on_error=on_error)


def read_folder(
    root: str | Path, splits: Sequence[str] = (), progress: bool | None = None
) -> Records:
    """Read a folder in any of the three layouts, without judging its content.

    Args:
        root: the folder.
        splits: read only these; none for all.
        progress: show bars; None shows them if standard error is a terminal.

    Raises:
        FileNotFoundError: as `find_layout`; no such split.
        FileNotFoundError, ValueError: YOLO's classes are not listed, or cannot be read.
    """
    root, layout = Path(root), LAYOUTS[find_layout(root)]
    there = layout.find(root)
    for split in splits:
        if split not in there:
            raise no_split(root, split, there)
    return layout.read(root, splits or None, progress=progress)


def _unknown(root: Path) -> str:
    looked = "; ".join(f"{name}: {layout.SHAPE}" for name, layout in LAYOUTS.items())
    there = ", ".join(sorted(p.name for p in root.iterdir())) or "nothing"
    message = f"{root} is not in a known layout ({looked}). It contains {there}."
    below = folders_in(root)
    for folder in (*below, root.resolve().parent, root.resolve().parent.parent):
        if _has_pictures(folder, folder if folder in below else root.resolve()):
            return f"{message} Did you mean {folder}, which is in {layout_of(folder)}'s layout?"
    return message


def _has_pictures(folder: Path, place: Path) -> bool:
    """Return whether reading a folder finds pictures in a place: else it is not suggested."""
    try:
        layout = layout_of(folder)
        records = LAYOUTS[layout].read(folder, progress=False) if layout else None
    except (OSError, ValueError):
        return False
    files = [p.picture or p.file for p in records.pictures.values()] if records else []
    return any(file.is_relative_to(place) for file in files if file)
