"""Check boxes: impossible, cut off, tiny, or duplicates."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import nms

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets.records import ROUNDING_PX, Box, RawObject, RawPicture, Records
from ssd_tutorial.doctor.rules import Fault, fault_at

TINY = 0.01
"""A box is tiny if its width or its height is under this share of the picture's: at 300 px that is
under 3, and training leaves it out (`augment.pipelines`)."""
NEAR = 0.8
"""Two boxes of one class whose IoU is above this are most often one object labelled twice. In
BCCD's train and val, whose cells crowd and overlap, seven pairs of one class have 0.83 to 0.93, all
of them duplicates, and the next has 0.60."""
_ENOUGH = 5  # fewer boxes at pixel 0 do not show how a file counts
_EQUAL = 1 - 1e-9  # the IoU of equal boxes, whatever was rounded
_BLOCK = 256  # rows of a crowd's IoUs that are in memory at once


def check_boxes(records: Records, near: float = NEAR) -> Iterator[Fault]:
    """Judge every box by itself, and against the others of its picture.

    Args:
        records: the dataset.
        near: the IoU above which two boxes of one class count as near-duplicates.
    """
    for split in records.splits:
        if what := records.wrong_units(split):
            yield Fault("box-units", records.shown_split(split), what)
    if what := counts_from_zero(records):
        yield Fault("counts-from-zero", "Annotations", what)
    for picture in records.pictures.values():
        sound = []
        for entry in picture.objects:
            judged = records.judge(picture, entry)
            if judged.code:
                yield fault_at(judged.code, picture.annotation, entry, judged.what)
            if judged.edges is not None and picture.size is not None:
                yield from _check_size(picture, entry, judged.edges, judged.over_px)
            sound.append((entry, None if judged.code else judged.edges))
        yield from _check_pairs(picture, sound, near)


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
        yield fault_at("box-sticks-out", picture.annotation, entry, what)
    if min((x2 - x1) / width, (y2 - y1) / height) < TINY:
        what = f"it is {x2 - x1:.4g} x {y2 - y1:.4g} of {width} x {height} pixels"
        seen = f"{300 * (x2 - x1) / width:.3g} x {300 * (y2 - y1) / height:.3g}"
        what += f", and {seen} of 300 x 300: it is not learned at that size"
        yield fault_at("box-tiny", picture.annotation, entry, what)


def _check_pairs(
    picture: RawPicture, objects: list[tuple[RawObject, Box | None]], near: float
) -> Iterator[Fault]:
    twins = find_duplicates(objects, near)
    first: dict[Box, RawObject] = {}
    for index, (entry, box) in enumerate(objects):
        other = first.setdefault(box, entry) if box else entry
        if twin := twins.get(index):
            how = "equal to" if twin.code == "box-duplicate" else f"IoU {twin.iou:.3f} with"
            what = f"{how} object {twin.kept.number} [{', '.join(map(str, twin.kept.written))}]"
            yield fault_at(twin.code, picture.annotation, entry, what)
        elif other.name != entry.name:
            what = f"object {other.number} is {other.name}"
            yield fault_at("box-two-classes", picture.annotation, entry, what)


class Twin(NamedTuple):
    """An earlier object of the same class with (nearly) the same box."""

    code: str
    """``"box-duplicate"`` or ``"box-near-duplicate"``."""
    kept: RawObject
    iou: float


def find_duplicates(
    objects: Sequence[tuple[RawObject, Box | None]], near: float
) -> dict[int, Twin]:
    """Find the objects of a picture that repeat an earlier one, by non-maximum suppression.

    Args:
        objects: each with its edges, or None to leave it out; of those that overlap, the first is
            kept.
        near: the IoU above which two boxes of one class count as near-duplicates.

    Returns:
        By index. What is repeated never repeats another itself.
    """
    boxes = torch.tensor([box or [0] * 4 for _, box in objects], dtype=torch.float64).reshape(-1, 4)
    of_class = defaultdict(list)
    for index, (entry, box) in enumerate(objects):
        if box:
            of_class[entry.name].append(index)
    twins = {}
    for own in map(torch.tensor, of_class.values()):
        order = torch.arange(len(own), 0, -1, dtype=torch.float64)
        kept = own[nms(boxes[own], order, min(near, _EQUAL))].sort().values
        for rows in own[~torch.isin(own, kept)].split(_BLOCK):
            overlap = iou(boxes[rows], boxes[kept]).masked_fill(kept > rows[:, None], -1.0)
            found = map(Tensor.tolist, (rows, *overlap.max(dim=1)))
            for row, value, best in zip(*found, strict=True):
                code = "box-duplicate" if value > _EQUAL else "box-near-duplicate"
                twins[row] = Twin(code, objects[kept[best]][0], value)
    return twins
