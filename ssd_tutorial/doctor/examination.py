"""Examine a dataset: from a folder to a `Report`."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from ssd_tutorial.datasets.layouts import read_folder
from ssd_tutorial.doctor.box_rules import NEAR, check_boxes, counts_from_zero
from ssd_tutorial.doctor.copy_rules import check_copies
from ssd_tutorial.doctor.label_rules import check_labels, count_classes
from ssd_tutorial.doctor.picture_rules import check_pictures, read_pictures
from ssd_tutorial.doctor.reach import check_reach, check_sizes, collect_objects, reach_of
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.rules import SEVERITIES, Fault
from ssd_tutorial.doctor.split_rules import check_splits
from ssd_tutorial.presets import PRESETS


def examine(
    data: str | Path,
    *,
    splits: Sequence[str] = (),
    pictures: bool = True,
    near: float = NEAR,
    workers: int = 0,
    progress: bool | None = None,
) -> Report:
    """Look for everything that can be wrong with a dataset. No file is changed.

    Args:
        data: a folder in the layout of VOC, COCO or YOLO.
        splits: examine only these splits, and the pictures that they list; none for all.
        pictures: decode every picture. Otherwise faults of the pictures' files are not found.
        near: the IoU above which two boxes of one class count as near-duplicates.
        workers: threads that decode pictures; 0 takes one per processor.
        progress: show bars; None shows them if standard error is a terminal.

    Raises:
        FileNotFoundError: the folder does not exist, is not in a known layout, or lacks a split
            of `splits`.
        ValueError: `near` is not in (0, 1], or `workers` is negative.
    """
    if not 0 < near <= 1:
        raise ValueError(f"near must be an IoU in (0, 1], not {near}")
    if workers < 0:
        raise ValueError(f"workers must be 0 or more, not {workers}")
    started = time.perf_counter()
    records = read_folder(data, splits, progress)
    records.one_based = records.one_based and not counts_from_zero(records)
    facts = read_pictures(records, workers or os.cpu_count() or 1, progress) if pictures else {}
    counts = count_classes(records)
    objects = collect_objects(records)
    reaches = tuple(reach_of(preset, objects) for preset in PRESETS.values())
    faults = [
        *(Fault(*fault) for fault in records.faults),
        *check_pictures(records, facts),
        *check_boxes(records, near),
        *check_labels(records, counts),
        *check_splits(records),
        *check_sizes(records, objects),
        *check_copies(records, facts),
        *check_reach(objects, reaches),
    ]
    faults.sort(key=lambda fault: SEVERITIES.index(fault.severity))  # within it as they were found
    seconds = time.perf_counter() - started
    seen = facts if pictures else None
    return Report(records, tuple(faults), counts, objects, reaches, seen, near, seconds)
