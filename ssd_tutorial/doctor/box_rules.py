"""Boxes that are impossible, cut off, tiny, or there twice."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch

from ssd_tutorial.boxes import iou
from ssd_tutorial.doctor.faults import Fault
from ssd_tutorial.doctor.records import Box, RawObject, RawPicture, Records

TINY = 0.01
"""A box is tiny if its width or its height is under this share of the picture's."""
NEAR = 0.8
"""Two boxes of one class whose IoU is above this are most often one object labelled twice. In
BCCD's train and val, whose cells crowd and overlap, seven pairs of one class lie at .83 to .93, all
of them such, and the next at .60."""
ROUNDING_PX = 0.5
"""A box that reaches over the border by no more than this was rounded, as the readers have it."""


def check_boxes(records: Records, near: float = NEAR) -> list[Fault]:
    """Judge every box alone, and against the others of its picture.

    Args:
        records: the dataset.
        near: the IoU above which two boxes of one class are called near-duplicates.
    """
    faults = []
    for picture in records.pictures.values():
        sound = []
        for entry in picture.objects:
            found = list(check_one(records, picture, entry))
            faults += found
            if not any(fault.severity == "error" for fault in found):
                sound.append(entry)
        faults += _check_pairs(records, picture, sound, near)
    return faults


def at(code: str, picture: RawPicture, entry: RawObject, what: str) -> Fault:
    """A fault of one object."""
    return Fault(code, picture.annotation, what, entry.number, entry.name, entry.written)


def inside(edges: Box, size: tuple[int, int] | None) -> Box:
    """The edges, cut at the border of a picture of this size."""
    if size is None:
        return edges
    (x1, y1, x2, y2), (width, height) = edges, size
    return max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))


def is_possible(records: Records, picture: RawPicture, entry: RawObject) -> bool:
    """Whether the object has a box that can be learned, once its corners are in order."""
    return all(fault.code == "box-reversed" for fault in _impossible(records, picture, entry))


def check_one(records: Records, picture: RawPicture, entry: RawObject) -> Iterator[Fault]:
    """The faults of one object by itself."""
    impossible = list(_impossible(records, picture, entry))
    yield from impossible
    if any(fault.code != "box-reversed" for fault in impossible) or picture.size is None:
        return
    edges = records.edges(entry)
    cut = inside(edges, picture.size)
    width, height = picture.size
    over = max(abs(a - b) for a, b in zip(edges, cut, strict=True))
    if over > ROUNDING_PX:
        what = f"it reaches {over:.4g} px over the border of {width} x {height} pixels"
        yield at("box-sticks-out", picture, entry, what)
    share = min((cut[2] - cut[0]) / width, (cut[3] - cut[1]) / height)
    if share < TINY:
        shown = f"{cut[2] - cut[0]:.4g} x {cut[3] - cut[1]:.4g} of {width} x {height} pixels"
        yield at("box-tiny", picture, entry, f"it is {shown}")


def _impossible(records: Records, picture: RawPicture, entry: RawObject) -> Iterator[Fault]:
    """The errors of one box; the same boxes that the datasets drop."""
    if entry.corners is None:
        yield at("box-unreadable", picture, entry, entry.unread)
        return
    x1, y1, x2, y2 = entry.corners
    if x2 == x1 or y2 == y1:
        sides = (
            "width and no height" if x2 == x1 and y2 == y1 else "width" if x2 == x1 else "height"
        )
        yield at("box-empty", picture, entry, f"no {sides}")
        return
    if x2 < x1 or y2 < y1:
        axes = [axis for axis, low, high in (("x", x1, x2), ("y", y1, y2)) if high < low]
        swapped = " and ".join(f"{axis}max is below {axis}min" for axis in axes)
        yield at("box-reversed", picture, entry, swapped)
    if picture.size is not None:
        cut = inside(records.edges(entry), picture.size)
        if cut[2] <= cut[0] or cut[3] <= cut[1]:
            what = f"the picture has {picture.size[0]} x {picture.size[1]} pixels"
            yield at("box-outside", picture, entry, what)


def _check_pairs(
    records: Records, picture: RawPicture, entries: list[RawObject], near: float
) -> Iterator[Fault]:
    if len(entries) < 2:
        return
    cut = [inside(records.edges(entry), picture.size) for entry in entries]
    boxes = torch.tensor(cut, dtype=torch.float64)
    overlap = iou(boxes, boxes)
    told = set()  # of three equal boxes, two are too many, not three
    for i, j in combinations(range(len(entries)), 2):
        first, second, value = entries[i], entries[j], float(overlap[i, j])
        same_box, same_class = cut[i] == cut[j], first.name == second.name
        if j in told or not (same_box or value > near):
            continue
        if same_box and not same_class:
            yield at("box-two-classes", picture, second, f"object {first.number} is {first.name}")
        elif same_class:
            told.add(j)
            code = "box-duplicate" if same_box else "box-near-duplicate"
            how = "equal to" if same_box else f"IoU {value:.3f} with"
            box = f" [{', '.join(first.written)}]" if not same_box else ""
            yield at(code, picture, second, f"{how} object {first.number}{box}")
