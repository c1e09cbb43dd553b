"""Check boxes: impossible, cut off, tiny, or duplicates."""

from collections.abc import Iterator
from itertools import combinations

import torch

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets.records import ROUNDING_PX, Box, RawObject, RawPicture, Records
from ssd_tutorial.doctor.rules import Fault

TINY = 0.01
"""A box is tiny if its width or its height is under this share of the picture's."""
NEAR = 0.8
"""Two boxes of one class whose IoU is above this are most often one object labelled twice. In
BCCD's train and val, whose cells crowd and overlap, seven pairs of one class have 0.83 to 0.93, all
of them duplicates, and the next has 0.60."""
_ENOUGH = 5  # fewer boxes at pixel 0 do not show how a file counts


def check_boxes(records: Records, near: float = NEAR) -> list[Fault]:
    """Judge every box by itself, and against the others of its picture.

    Args:
        records: the dataset.
        near: the IoU above which two boxes of one class count as near-duplicates.
    """
    faults = [
        Fault("box-units", records.shown_split(split), what)
        for split in records.splits
        if (what := records.wrong_units(split))
    ]
    if what := counts_from_zero(records):
        faults.append(Fault("counts-from-zero", "Annotations", what))
    for picture in records.pictures.values():
        sound = []
        for entry in picture.objects:
            judged = records.judge(picture, entry)
            if judged.code:
                faults.append(at(judged.code, picture, entry, judged.what))
            elif judged.edges is not None:
                sound.append((entry, judged.edges))
            if judged.edges is not None and picture.size is not None:
                faults += _check_size(picture, entry, judged.edges, judged.over_px)
        faults += _check_pairs(picture, sound, near)
    return faults


def at(code: str, picture: RawPicture, entry: RawObject, what: str) -> Fault:
    """Return a fault of one object."""
    written = tuple(map(str, entry.written))
    return Fault(code, picture.annotation, what, entry.number, entry.name, written)


def counts_from_zero(records: Records) -> str:
    """Explain why the files seem to count pixels from 0; "" if they do not.

    Only whole numbers tell: with fractions, corners are edges already.
    """
    objects = (entry for picture in records.pictures.values() for entry in picture.objects)
    corners = [entry.corners for entry in objects if entry.corners is not None]
    whole = [box for box in corners if all(value == int(value) for value in box)]
    lows = [low for box in whole for low in box[:2]]
    if records.layout != "VOC" or len(whole) < 0.9 * len(corners):
        return ""
    if lows.count(0) < max(_ENOUGH, 3 * lows.count(1)):
        return ""
    zeros = sum(min(box[:2]) == 0 for box in whole)
    return f"{zeros} of {len(whole)} boxes begin at pixel 0, and hardly any at pixel 1"


def _check_size(picture: RawPicture, entry: RawObject, box: Box, over_px: float) -> Iterator[Fault]:
    (x1, y1, x2, y2), (width, height) = box, picture.size
    if over_px > ROUNDING_PX:
        what = f"it extends {over_px:.4g} px beyond the border of {width} x {height} pixels"
        yield at("box-sticks-out", picture, entry, what)
    if min((x2 - x1) / width, (y2 - y1) / height) < TINY:
        what = f"it is {x2 - x1:.4g} x {y2 - y1:.4g} of {width} x {height} pixels"
        yield at("box-tiny", picture, entry, what)


def _check_pairs(
    picture: RawPicture, sound: list[tuple[RawObject, Box]], near: float
) -> Iterator[Fault]:
    boxes = torch.tensor([box for _, box in sound], dtype=torch.float64).reshape(-1, 4)
    overlap = iou(boxes, boxes)
    told = set()  # of three equal boxes, two are duplicates, not three
    for i, j in combinations(range(len(sound)), 2):
        (first, one), (second, other), value = sound[i], sound[j], float(overlap[i, j])
        if j in told or not (one == other or value > near):
            continue
        if one == other and first.name != second.name:
            yield at("box-two-classes", picture, second, f"object {first.number} is {first.name}")
        elif first.name == second.name:
            told.add(j)
            code = "box-duplicate" if one == other else "box-near-duplicate"
            how = "equal to" if one == other else f"IoU {value:.3f} with"
            box = f" [{', '.join(map(str, first.written))}]" if one != other else ""
            yield at(code, picture, second, f"{how} object {first.number}{box}")
