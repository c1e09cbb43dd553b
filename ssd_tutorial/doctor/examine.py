"""The whole examination, from a folder to a `Report`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.doctor.boxes import NEAR, check_boxes
from ssd_tutorial.doctor.faults import SEVERITIES, Fault
from ssd_tutorial.doctor.from_voc import read_voc
from ssd_tutorial.doctor.labels import check_labels, count_classes
from ssd_tutorial.doctor.pictures import check_pictures, read_pictures
from ssd_tutorial.doctor.priors import all_reaches, check_reach, collect_objects
from ssd_tutorial.doctor.records import Records
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.splits import check_splits
from ssd_tutorial.doctor.twins import check_twins


def examine(
    data: str | Path | Dataset,
    *,
    splits: Sequence[str] = (),
    pictures: bool = True,
    near: float = NEAR,
    workers: int = 0,
    progress: bool | None = None,
) -> Report:
    """Look for everything that can be wrong with a dataset. No file is changed.

    Args:
        data: a folder in VOC's layout.
        splits: look at these splits only, and at the pictures that they name; none for all.
        pictures: decode every picture. Without, what concerns the pictures' files is not found.
        near: the IoU above which two boxes of one class are called near-duplicates.
        workers: threads that decode pictures; 0 takes one a processor.
        progress: show bars; None shows them where standard error is a terminal.

    Raises:
        FileNotFoundError: there is no such folder, or no such split.
        ValueError: `near` is not in (0, 1].
    """
    if not 0 < near <= 1:
        raise ValueError(f"near must be an IoU in (0, 1], and is {near}")
    started = time.perf_counter()
    records = read_voc(Path(data), progress)
    if splits:
        records = only(records, splits)
    facts = read_pictures(records, workers, progress) if pictures else {}
    digests = {name: fact.digest for name, fact in facts.items() if not fact.fault}
    looks = {name: fact.look for name, fact in facts.items() if fact.look is not None}
    counts = count_classes(records)
    objects = collect_objects(records)
    reaches = all_reaches(objects)
    faults = [
        *records.faults,
        *check_pictures(records, facts),
        *check_boxes(records, near),
        *check_labels(records, counts),
        *check_splits(records, digests),
        *check_twins(records, looks, digests),
        *check_reach(objects, reaches),
    ]
    return Report(
        records,
        _in_order(faults),
        counts,
        objects,
        reaches,
        facts if pictures else None,
        time.perf_counter() - started,
    )


def only(records: Records, splits: Sequence[str]) -> Records:
    """The records of some splits alone.

    Raises:
        FileNotFoundError: there is no such split.
    """
    for split in splits:
        if split not in records.splits:
            have = ", ".join(records.splits) or "none"
            raise FileNotFoundError(f"{records.root} has no split {split!r}. Its splits: {have}.")
    kept = {split: records.splits[split] for split in records.splits if split in splits}
    named = {name for names in kept.values() for name in names}
    pictures = {name: p for name, p in records.pictures.items() if name in named}
    return Records(
        records.root,
        records.layout,
        pictures,
        kept,
        records.classes,
        records.one_based,
        faults=records.faults,
    )


def _in_order(faults: list[Fault]) -> tuple[Fault, ...]:
    """Grave ones first; within a severity as they were found."""
    return tuple(sorted(faults, key=lambda fault: SEVERITIES.index(fault.severity)))
