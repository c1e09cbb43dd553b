"""Datasets by name, as the command line has them: the drawn scenes, or a folder in VOC layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch.utils.data import Dataset

from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes
from ssd_tutorial.datasets.voc import VOCFolder

SCENES = "scenes"
# Where each split begins in the endless series of seed 0, and how many pictures it has.
_SCENE_SPLITS = {"train": (0, 5_000), "val": (1_000_000, 300), "test": (2_000_000, 300)}


def open_dataset(
    data: str | Path,
    split: str,
    classes: Sequence[str] | None = None,
    on_bad: Literal["raise", "drop"] = "raise",
) -> Dataset:
    """A split of a dataset.

    Args:
        data: ``"scenes"``, or a folder for `VOCFolder`.
        split: for scenes ``"train"`` (5000 pictures), ``"val"`` or ``"test"`` (300 each, of which
            no other split has one); for a folder one of the lists in ``ImageSets/Main``.
        classes: the class names that labels must follow; those of a trained detector, say.
        on_bad: see `VOCFolder`.

    Raises:
        FileNotFoundError, ValueError: as `VOCFolder`; an unknown split of the scenes; scenes for a
            detector of other classes.
    """
    if str(data) != SCENES:
        return VOCFolder(data, split, classes=classes, on_bad=on_bad)
    if split not in _SCENE_SPLITS:
        raise ValueError(f"scenes have the splits {', '.join(_SCENE_SPLITS)}, but not {split!r}")
    if classes is not None and tuple(classes) != SCENE_CLASSES:
        raise ValueError(
            f"the scenes have the classes {', '.join(SCENE_CLASSES)},"
            f" and these were asked for: {', '.join(classes)}"
        )
    start, count = _SCENE_SPLITS[split]
    return Scenes(count, seed=0, start=start)
