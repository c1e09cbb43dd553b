"""What `fix` will do: decided here from a report, for every layout alike; done elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import NamedTuple

import torch

from ssd_tutorial.boxes import iou
from ssd_tutorial.doctor.box_rules import check_one, inside
from ssd_tutorial.doctor.label_rules import is_background
from ssd_tutorial.doctor.picture_rules import PictureFacts
from ssd_tutorial.doctor.records import Box, RawObject, RawPicture, Records
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.split_rules import (
    base_splits,
    home_splits,
    rank,
    union_parts,
    within_splits,
)

UPRIGHT, IGNORE_EXIF, RGB = "upright", "ignore EXIF", "RGB"


# Done wherever a file is written anew, or not copied.
_BY_THE_WAY = {
    "annotation-unreadable": "not copied",
    "picture-missing": "not copied",
    "object-without-picture": "dropped",
    "split-repeats": "the first mention stays",
    "split-empty": "not copied",
    "counts-from-zero": "all boxes are written as VOC counts them",
}


class Change(NamedTuple):
    """One thing that was done."""

    code: str
    """The rule that was broken, see `RULES`."""
    file: str
    what: str
    number: int | None = None
    """Which object of the file; see `Fault`."""
    name: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, object {self.number} ({self.name})" if self.number else self.file
        return f"{where}: {self.what}"


@dataclass
class Plan:
    """What is to be done with a dataset; pictures are given by name."""

    left_out: dict[str, str] = field(default_factory=dict)
    """Pictures that are not copied, nor their annotations, with the code of the rule."""
    leaving: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """For each split, the pictures that it no longer names; other splits may."""
    edits: dict[str, dict[int, Box | None]] = field(default_factory=dict)
    """For each picture, by the position of an object from 0: its new edges xyxy in pixels, or None
    to drop it. Objects that are not here stay as they are written."""
    paint: dict[str, set[str]] = field(default_factory=dict)
    """Picture files to write anew: `UPRIGHT`, `IGNORE_EXIF`, `RGB`."""
    changes: list[Change] = field(default_factory=list)


def make_plan(report: Report) -> Plan:
    """Decide what to do about everything that a machine can decide."""
    plan = Plan()
    _leave_out_unreadable(report, plan)
    _leave_out_copies(report, plan)
    _part_splits(report.records, plan)
    for name, picture in report.records.pictures.items():
        if name not in plan.left_out:
            _paint(report, name, plan)
            edits = dict(correct(report.records, picture, report.near, plan.changes))
            if edits:
                plan.edits[name] = edits
    found = [*report.records.faults, *report.of("split-repeats"), *report.of("split-empty")]
    for fault in found:
        if fault.code in _BY_THE_WAY:
            what = f"{_BY_THE_WAY[fault.code]} ({fault.what})"
            plan.changes.append(Change(fault.code, fault.file, what, fault.number, fault.name))
    return plan


def correct(
    records: Records, picture: RawPicture, near: float, changes: list[Change]
) -> Iterator[tuple[int, Box | None]]:
    """The edits of one picture's objects; says in `changes` what each is."""
    kept: list[tuple[RawObject, Box]] = []
    for position, entry in enumerate(picture.objects):
        code, what, box = _judge(records, picture, entry)
        if box is not None:
            twin = _twin(entry, box, kept, near)
            if twin is not None:
                code, what = twin
                box = None
        if box is not None:
            kept.append((entry, box))
        if code:
            changes.append(Change(code, picture.annotation, what, entry.number, entry.name))
            yield position, box
        elif records.layout == "VOC" and not records.one_based:
            yield position, box


def _judge(records: Records, picture: RawPicture, entry: RawObject) -> tuple[str, str, Box | None]:
    """What to do with one object by itself: code, what is done, its edges or None to drop it."""
    numbers = ", ".join(entry.written)
    if records.classes and entry.name not in records.classes:
        return "class-unknown", f"dropped: its class is not listed, box [{numbers}]", None
    if is_background(entry.name):
        return "class-background", f"dropped, box [{numbers}]", None
    codes = [fault.code for fault in check_one(records, picture, entry)]
    for code in ("box-unreadable", "box-empty", "box-outside"):
        if code in codes:
            return code, f"dropped, box [{numbers}]", None
    box = inside(records.edges(entry), picture.size)
    if records.layout == "VOC" and not (box[2] - box[0] > 1 and box[3] - box[1] > 1):
        changed = "box-reversed" in codes or "box-sticks-out" in codes or not records.one_based
        if changed:  # counted from 1, it would have xmin = xmax
            code = next(iter(codes), "counts-from-zero")
            return code, f"dropped: it is one pixel wide or high, box [{numbers}]", None
    shown = ", ".join(f"{value:.6g}" for value in box)
    if "box-reversed" in codes:
        return "box-reversed", f"corners swapped, [{numbers}] is now the edges [{shown}]", box
    if "box-sticks-out" in codes:
        return "box-sticks-out", f"cut at the border, [{numbers}] is now the edges [{shown}]", box
    return "", "", box


def _twin(
    entry: RawObject, box: Box, kept: list[tuple[RawObject, Box]], near: float
) -> tuple[str, str] | None:
    """Whether an earlier object of the class has this box, or nearly: code, and what is done."""
    same_class = [(other, edges) for other, edges in kept if other.name == entry.name]
    if not same_class:
        return None
    others = torch.tensor([edges for _, edges in same_class], dtype=torch.float64)
    overlap = iou(torch.tensor([box], dtype=torch.float64), others)[0]
    best = int(overlap.argmax())
    other, edges = same_class[best]
    numbers = ", ".join(entry.written)
    if edges == box:
        return "box-duplicate", f"dropped, box [{numbers}]: object {other.number} is kept"
    if overlap[best] > near:
        shown = f"[{', '.join(other.written)}]"
        what = f"dropped, box [{numbers}]: object {other.number} {shown} is kept"
        return "box-near-duplicate", what
    return None


def _leave_out_unreadable(report: Report, plan: Plan) -> None:
    records, facts = report.records, report.pictures or {}
    for name, picture in records.pictures.items():
        seen = facts.get(name) or PictureFacts()
        if picture.unread:
            _leave_out(records, plan, name, "annotation-unreadable", picture.unread)
        elif not picture.annotation:
            _leave_out(records, plan, name, "annotation-missing", "it has no annotation")
        elif picture.picture is None:
            _leave_out(records, plan, name, "picture-missing", "there is no picture")
        elif seen.fault:
            _leave_out(records, plan, name, "picture-unreadable", seen.fault)
        elif seen.size and picture.size not in (seen.size, seen.stored):
            why = "its boxes were drawn on a picture of another size"
            _leave_out(records, plan, name, "picture-size", why)


def _leave_out(records: Records, plan: Plan, name: str, code: str, why: str) -> None:
    plan.left_out[name] = code
    what = f"picture and annotation are left out ({why})"
    plan.changes.append(Change(code, records.shown_picture(name), what))


def _leave_out_copies(report: Report, plan: Plan) -> None:
    """Of equal files in different splits, one stays."""
    records, facts = report.records, report.pictures or {}
    belongs = home_splits(records)
    groups: dict[str, list[str]] = defaultdict(list)
    for name, seen in facts.items():
        if not seen.fault and name not in plan.left_out and belongs.get(name):
            groups[seen.digest].append(name)
    for names in groups.values():
        best = max(names, key=lambda name: max(map(rank, belongs[name])))
        for name in names:
            if name != best and not set(belongs[name]) & set(belongs[best]):
                why = f"the same file as {records.shown_picture(best)} in {belongs[best][0]}"
                _leave_out(records, plan, name, "picture-copied", why)


def _part_splits(records: Records, plan: Plan) -> None:
    """Take pictures out of all splits but one, and keep unions the unions of what is left."""
    base = base_splits(records)
    sets = {split: set(names) for split, names in records.splits.items()}
    nested = {frozenset(pair) for pair in within_splits(records)}
    for a, b in combinations(base, 2):
        loser, keeper = (b, a) if rank(a) >= rank(b) else (a, b)
        if frozenset((a, b)) in nested or not _can_lose(records, loser):
            continue
        for name in sorted(sets[a] & sets[b] - set(plan.left_out)):
            if name not in plan.leaving[loser]:
                plan.leaving[loser].add(name)
                what = f"taken out of {loser}, it stays in {keeper}"
                plan.changes.append(Change("split-overlap", records.shown_picture(name), what))
    for union, parts in union_parts(records).items():
        rest = set().union(*(sets[split] - plan.leaving[split] for split in parts))
        plan.leaving[union] |= sets[union] - rest


def _can_lose(records: Records, split: str) -> bool:
    """Whether a picture can be taken out of a split and stay in another: not if it is a folder."""
    path = records.split_files.get(split)
    return path is not None and path.is_file()


def _paint(report: Report, name: str, plan: Plan) -> None:
    picture = report.records.pictures[name]
    seen = (report.pictures or {}).get(name)
    if seen is None:
        return
    file, jobs = report.records.shown_picture(name), set()
    if seen.orientation != 1:
        turned = picture.size == seen.stored != seen.size
        jobs.add(IGNORE_EXIF if turned else UPRIGHT)
        what = (
            "its EXIF orientation is dropped, as the boxes have it" if turned else "turned upright"
        )
        plan.changes.append(Change("picture-rotated", file, what))
    if seen.mode == "CMYK":
        jobs.add(RGB)
        plan.changes.append(Change("picture-cmyk", file, "converted to RGB"))
    if jobs:
        plan.paint[name] = jobs
