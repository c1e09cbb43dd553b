"""Check classes: their counts, their spelling, and pictures where one seems forgotten."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from ssd_tutorial.datasets.messages import is_background
from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.rules import Fault, fault_at
from ssd_tutorial.doctor.split_rules import base_splits

RARE = 20
"""A class with fewer objects than this is called rare."""
NEARLY_EVERY = 0.9
"""A class in at least this share of the pictures with objects is expected in all of them."""
ENOUGH = 20
"""Fewer pictures than this do not show what is expected."""


class ClassCount(NamedTuple):
    """How often a class occurs."""

    objects: int
    pictures: int
    by_split: dict[str, int]
    """Objects in each split."""


def count_classes(records: Records) -> dict[str, ClassCount]:
    """Count objects and pictures of every class, sorted by name."""
    objects, pictures = Counter(), Counter()
    in_split: dict[str, Counter] = defaultdict(Counter)
    splits_of = records.splits_of()
    for name, picture in records.pictures.items():
        counts = Counter(entry.name for entry in picture.objects if entry.name)
        objects.update(counts)
        pictures.update(counts.keys())
        for split in splits_of.get(name, ()):
            in_split[split].update(counts)
    # Some lists of classes begin with the background, which has no objects.
    listed = [name for name in records.classes if not is_background(name)]
    return {
        name: ClassCount(
            objects[name], pictures[name], {s: in_split[s][name] for s in records.splits}
        )
        for name in sorted({*objects, *listed})
    }


def check_labels(records: Records, counts: dict[str, ClassCount]) -> Iterator[Fault]:
    """Judge classes, and pictures by the classes they lack."""
    yield from _check_names(records, counts)
    yield from _check_counts(records, counts)
    yield from _check_missing(records, counts)
    for picture in records.pictures.values():
        if picture.annotation and not picture.objects and not picture.fault:
            yield Fault("picture-empty", picture.annotation, "its annotation has no object")


def _check_names(records: Records, counts: dict[str, ClassCount]) -> Iterator[Fault]:
    alike = defaultdict(list)
    for name in counts:
        alike[re.sub(r"[\s_-]+", "", name).lower()].append(name)
    for names in alike.values():
        if len(names) > 1:
            shown = ", ".join(f"{name!r} ({counts[name].objects} objects)" for name in names)
            yield Fault("class-spelling", "classes", shown)
    for picture in records.pictures.values():
        for entry in picture.objects:
            if is_background(entry.name):
                what = f"its class is {entry.name}"
                yield fault_at("class-background", picture.annotation, entry, what)


def _check_counts(records: Records, counts: dict[str, ClassCount]) -> Iterator[Fault]:
    base = [split for split in base_splits(records) if records.splits[split]]
    for name, count in counts.items():
        if count.objects < RARE:
            what = f"{name}: {_many(count.objects, 'object')} in {_many(count.pictures, 'picture')}"
            yield Fault("class-rare", "classes", what)
        lacking = [split for split in base if not count.by_split[split]]
        if count.objects and len(lacking) < len(base):
            for split in lacking:
                yield Fault("class-absent", records.shown_split(split), f"it has no {name}")


def _check_missing(records: Records, counts: dict[str, ClassCount]) -> Iterator[Fault]:
    """Find pictures with objects, but none of a class that nearly every other picture has."""
    labelled = [picture for picture in records.pictures.values() if picture.objects]
    for name, count in counts.items() if len(labelled) >= ENOUGH else ():
        if not NEARLY_EVERY * len(labelled) <= count.pictures < len(labelled):
            continue
        for picture in labelled:
            here = Counter(entry.name for entry in picture.objects)
            if not here[name]:
                shown = ", ".join(f"{number} {other}" for other, number in here.most_common())
                most = f"{count.pictures} of {len(labelled)} pictures"
                what = f"no {name}, which {most} have ({shown})"
                yield Fault("labels-missing", picture.annotation, what, name=name)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
