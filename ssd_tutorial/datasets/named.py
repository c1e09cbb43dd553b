"""Datasets by name, as the command line has them: drawn scenes, or a folder of pictures."""

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.datasets.folder import OnBad
from ssd_tutorial.datasets.layouts import open_folder
from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes

SCENES = "scenes"
# Where each split begins in the endless series of seed 0, and how many pictures it has.
_SCENE_SPLITS = {"train": (0, 5_000), "val": (1_000_000, 300), "test": (2_000_000, 300)}


def open_dataset(
    data: str | Path,
    split: str,
    classes: Sequence[str] | None = None,
    on_bad: OnBad = "raise",
) -> Dataset:
    """A split of a dataset.

    Args:
        data: ``"scenes"``, or a folder in the layout of VOC, COCO or YOLO.
        split: for scenes ``"train"`` (5000 pictures), ``"val"`` or ``"test"`` (300 each, of which
            no other split has one); for a folder one of its splits.
        classes: the class names that labels must follow; those of a trained detector, say.
        on_bad: what to do about impossible boxes and missing pictures: ``"raise"`` or ``"drop"``,
            see `AnnotatedFolder`.

    Raises:
        FileNotFoundError, ValueError: as `open_folder`; an unknown split of the scenes; scenes for
            a detector of other classes.
    """
    if str(data) != SCENES:
        return open_folder(data, split, classes=classes, on_bad=on_bad)
    if split not in _SCENE_SPLITS:
        raise ValueError(f"scenes have the splits {', '.join(_SCENE_SPLITS)}, but not {split!r}")
    if classes is not None and tuple(classes) != SCENE_CLASSES:
        raise ValueError(
            f"the scenes have the classes {', '.join(SCENE_CLASSES)},"
            f" and these were asked for: {', '.join(classes)}"
        )
    start, count = _SCENE_SPLITS[split]
    return Scenes(count, seed=0, start=start)
