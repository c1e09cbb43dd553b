"""Examine a dataset: from a folder to a `Report`."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.datasets.layouts import read_folder
from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.box_rules import NEAR, check_boxes, counts_from_zero
from ssd_tutorial.doctor.from_items import read_items
from ssd_tutorial.doctor.label_rules import check_labels, count_classes
from ssd_tutorial.doctor.picture_rules import PictureFacts, check_pictures, read_pictures
from ssd_tutorial.doctor.reach import all_reaches, check_reach, collect_objects
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.rules import SEVERITIES, Fault
from ssd_tutorial.doctor.split_rules import check_splits
from ssd_tutorial.doctor.twins import check_twins

SCENES = "scenes"
_SCENE_SPLITS = ("train", "val", "test")


def examine(
    data: str | Path | Mapping[str, Dataset],
    *,
    splits: Sequence[str] = (),
    pictures: bool = True,
    near: float = NEAR,
    workers: int = 0,
    progress: bool | None = None,
) -> Report:
    """Look for everything that can be wrong with a dataset. No file is changed.

    Args:
        data: a folder in the layout of VOC, COCO or YOLO; ``"scenes"``; or one dataset per
            split, with items as those of `VOCFolder` and the attribute ``classes``.
        splits: examine only these splits, and the pictures that they list; none for all.
        pictures: decode every picture. Otherwise faults of the pictures' files are not found.
        near: the IoU above which two boxes of one class count as near-duplicates.
        workers: processes or threads for pictures; 0 takes one per processor.
        progress: show bars; None shows them if standard error is a terminal.

    Raises:
        FileNotFoundError: the folder does not exist, is not in a known layout, or lacks a split
            of `splits`.
        ValueError: `near` is not in (0, 1].
    """
    if not 0 < near <= 1:
        raise ValueError(f"near must be an IoU in (0, 1], not {near}")
    started = time.perf_counter()
    workers = workers or os.cpu_count() or 1
    records, facts = read(data, splits, workers if pictures else -1, progress)
    digests = {name: fact.digest for name, fact in facts.items() if not fact.fault}
    looks = {name: fact.look for name, fact in facts.items() if fact.look is not None}
    counts = count_classes(records)
    objects = collect_objects(records)
    reaches = all_reaches(objects)
    faults = [
        *(Fault(*fault) for fault in records.faults),
        *check_pictures(records, facts),
        *check_boxes(records, near),
        *check_labels(records, counts),
        *check_splits(records, digests),
        *check_twins(records, looks, digests),
        *check_reach(objects, reaches),
    ]
    seconds = time.perf_counter() - started
    seen = facts if pictures else None
    return Report(records, _in_order(faults), counts, objects, reaches, seen, near, seconds)


def read(
    data: str | Path | Mapping[str, Dataset],
    splits: Sequence[str] = (),
    workers: int = 1,
    progress: bool | None = None,
) -> tuple[Records, dict[str, PictureFacts]]:
    """Return a dataset's records, and facts about its pictures (none if `workers` < 0)."""
    if isinstance(data, Mapping) or str(data) == SCENES:
        if not isinstance(data, Mapping):
            data = {split: open_dataset(SCENES, split) for split in splits or _SCENE_SPLITS}
        return read_items(data, SCENES, max(0, workers - 1), progress)
    records = read_folder(data, splits, progress)
    if counts_from_zero(records):
        records.one_based = False
    return records, read_pictures(records, workers, progress) if workers >= 0 else {}


def _in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Sort faults by severity, and within it as they were found."""
    return tuple(sorted(faults, key=lambda fault: SEVERITIES.index(fault.severity)))
