"""Open datasets as the command line does: drawn scenes, a registered name, or a folder."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import ConcatDataset, Dataset

from ssd_tutorial.datasets import fetch
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
    """Open a split of a dataset; nothing is fetched here.

    Args:
        data: ``"scenes"``; a name of the registry, ``"voc0712"``, ``"coco"`` or ``"bccd"``,
            fetched before by ``python -m ssd_tutorial data get``; or a folder in the layout of
            VOC, COCO or YOLO. Write ``./NAME`` for a folder that has one of these names.
        split: for scenes ``"train"`` (5000 pictures), ``"val"`` or ``"test"`` (300 each, all
            different); for a registered name, those that `data list` shows; for a folder, its
            own.
        classes: class names in the order of the labels, such as those of a trained detector. None
            takes those of the registry (VOC's 20 in their usual order), or else as `open_folder`.
        on_error: what to do about impossible boxes and missing pictures: ``"raise"`` or ``"drop"``,
            see `AnnotatedFolder`.

    Raises:
        FileNotFoundError, ValueError: as `open_folder`; an unknown split of the scenes or of a
            registered name; scenes for a detector of other classes.
        FileNotFoundError: a part of a registered data set is missing; the message contains the
            command that fetches it.
    """
    name, names = str(data), (SCENES, *fetch.registered_names())
    if name in names[1:]:
        return _open_registered(name, split, classes, on_error)
    if name != SCENES:
        if not Path(data).exists() and Path(data).name == name:
            folders = {path.name for path in Path().iterdir() if path.is_dir()}
            there = f"{near(name, {*names, *folders})} Names are {', '.join(names)}."
            raise FileNotFoundError(f"there is no folder {data}{there}")
        return open_folder(data, split, classes=classes, on_error=on_error)
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
        classes: the same as of each folder.
    """

    def __init__(self, folders: Sequence[AnnotatedFolder]) -> None:
        super().__init__(folders)
        self.classes = folders[0].classes

    def summary(self) -> str:
        """Return one line per folder."""
        return "\n".join(folder.summary() for folder in self.datasets)


def _open_registered(
    name: str, split: str, classes: Sequence[str] | None, on_error: OnError
) -> AnnotatedFolder | Joined:
    entry, folder = fetch.get_registered(name), fetch.data_root() / name
    if missing := fetch.missing_archives(name, split=split):
        total = sum(archive.bytes or 0 for archive in missing)
        size = f" ({total / 1e9:.1f} GB)" if total else ""
        raise FileNotFoundError(
            f"{name}, split {split}, is incomplete (./{name} would be a folder): {folder} has no "
            f"{', '.join(archive.folder for archive in missing)}. Fetch what is missing{size}: "
            f"python -m ssd_tutorial data get {name} --split {split}"
        )
    names, parts = classes if classes is not None else entry.classes, entry.splits[split]
    opened = [open_folder(folder / part, of_part, names, on_error) for part, of_part in parts]
    return opened[0] if len(opened) == 1 else Joined(opened)
