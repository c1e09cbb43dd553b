"""Open datasets as the command line does: drawn scenes, a registered name, or a folder."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import ConcatDataset, Dataset

from ssd_tutorial.datasets.fetch import (
    data_root,
    get_registered,
    missing_archives,
    registered_names,
)
from ssd_tutorial.datasets.folder import AnnotatedFolder, OnError
from ssd_tutorial.datasets.layouts import open_folder
from ssd_tutorial.datasets.messages import near
from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes

SCENES = "scenes"
# Where each split begins in the endless series of seed 0, and how many pictures it has.
_SCENE_SPLITS = {"train": (0, 5_000), "val": (1_000_000, 300), "test": (2_000_000, 300)}


def open_dataset(
    data: str | Path,
    split: str,
    classes: Sequence[str] | None = None,
    on_error: OnError = "raise",
) -> Dataset:
    """Open a split of a dataset.

    Args:
        data: ``"scenes"``; a name of the registry, ``"voc0712"``, ``"coco"`` or ``"bccd"``,
            fetched before by ``python -m ssd_tutorial data get``; or a folder in the layout of
            VOC, COCO or YOLO. Write ``./NAME`` for a folder that has one of these names.
        split: for scenes ``"train"`` (5000 pictures), ``"val"`` or ``"test"`` (300 each, all
            different); for a registered name, those that `data list` shows; for a folder, its
            own.
        classes: class names in the order of the labels, such as those of a trained detector.
        on_error: what to do about impossible boxes and missing pictures: ``"raise"`` or ``"drop"``,
            see `AnnotatedFolder`.

    Raises:
        FileNotFoundError, ValueError: as `open_folder` and `open_registered`; an unknown split of
            the scenes; scenes for a detector of other classes.
    """
    if str(data) in registered_names():
        return open_registered(str(data), split, classes=classes, on_error=on_error)
    if str(data) != SCENES:
        return _open_folder(data, split, classes, on_error)
    if split not in _SCENE_SPLITS:
        raise ValueError(f"scenes have the splits {', '.join(_SCENE_SPLITS)}, not {split!r}")
    if classes is not None and tuple(classes) != SCENE_CLASSES:
        raise ValueError(
            f"the scenes have the classes {', '.join(SCENE_CLASSES)}, not {', '.join(classes)}"
        )
    start, count = _SCENE_SPLITS[split]
    return Scenes(count, seed=0, start=start)


class Joined(ConcatDataset):
    """Folders with the same classes as one dataset, with the attributes that commands use.

    Attributes:
        classes: the same as of each folder. ``names``: of all pictures.
    """

    def __init__(self, folders: Sequence[AnnotatedFolder]) -> None:
        super().__init__(folders)
        self.classes = folders[0].classes
        self.names = [name for folder in folders for name in folder.names]

    def summary(self) -> str:
        """Return one line per folder."""
        return "\n".join(folder.summary() for folder in self.datasets)


def open_registered(
    name: str,
    split: str,
    classes: Sequence[str] | None = None,
    on_error: OnError = "raise",
    root: str | Path | None = None,
) -> AnnotatedFolder | Joined:
    """Open a split of a data set of the registry; nothing is fetched here.

    Args:
        name: in the registry.
        split: ``"train"``, …; the registry lists the folders that make it up.
        classes: class names in the order of the labels. None takes those of the registry (VOC's
            20 in their usual order), or else as `open_folder`.
        on_error: see `AnnotatedFolder`.
        root: the folder for all data sets; None uses `data_root`.

    Raises:
        FileNotFoundError: a part is missing; the message contains the command that fetches it.
        ValueError: no such name or split; otherwise as `open_folder`.
    """
    entry, folder = get_registered(name), data_root(root) / name
    parts = entry.parts_of(split)
    if missing := missing_archives(name, root, split):
        total = sum(archive.bytes or 0 for archive in missing)
        size = f" ({total / 1e9:.1f} GB)" if total else ""
        raise FileNotFoundError(
            f"{name}, split {split}, is incomplete: {folder} has no "
            f"{', '.join(archive.folder for archive in missing)}. Fetch what is missing{size}: "
            f"python -m ssd_tutorial data get {name} --split {split}"
            + (f" --root {root}" if root else "")
        )
    names = classes if classes is not None else entry.classes
    opened = [open_folder(folder / part.folder, part.split, names, on_error) for part in parts]
    return opened[0] if len(opened) == 1 else Joined(opened)


def _open_folder(data: str | Path, split: str, classes: Sequence[str] | None, on_error: OnError):
    """Open a folder, or raise an error that also suggests registered names."""
    names = (SCENES, *registered_names())
    if not Path(data).exists() and Path(data).name == str(data):
        raise FileNotFoundError(
            f"there is no folder {data}{near(str(data), {*names, *_folders()})} Names are "
            f"{', '.join(names)}."
        )
    return open_folder(data, split, classes=classes, on_error=on_error)


def _folders() -> list[str]:
    return [path.name for path in Path().iterdir() if path.is_dir()]
