"""Measure on real boxes what the rules of chapter 18 change, and record it in data/runs/.

    python tools/record_disagreements.py FOLDER

FOLDER holds the list of boxes that `voc_boxes` reads, which also says how the sizes of the pictures
are guessed. Boxes are divided by width and height, as SSD's squeezing to a square does. No picture
is read.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from ssd_book.disagreements import CROP_RULES, by_threshold_alone, port_crop
from torch import Tensor
from voc_boxes import fractions, read_pictures, write_record

from ssd_tutorial.augment.crop_policies import (
    CROP_POLICIES,
    centres_inside,
    draw_crop,
)
from ssd_tutorial.boxes import area, cxcywh_to_xyxy, iou
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets

PRESETS = ("naive_m6", "paper", "caffe300_voc", "caffe300_coco")
ZOOM = 4  # the largest canvas of the expansion
SIDE = 1000  # pixels of the square in which Caffe's rule is drawn
RUN = "voc2007_disagreements"


def read(file: Path) -> list[Tensor]:
    """Return the boxes of each picture, ``[N, 4]`` xyxy in fractions of it."""
    return [fractions(picture) for picture in read_pictures(file)]


def matched(pictures: list[Tensor], preset: str) -> dict[str, float]:
    """Return, over all objects, what becomes of them under other rules of matching."""
    priors = make_priors(get_preset(preset))
    corners = cxcywh_to_xyxy(priors)
    count = dict.fromkeys(("reached", "unmatched", "positives", "at_045", "from_03", "from_04"), 0)
    for boxes in pictures:
        best = iou(boxes, corners)
        value = best.amax(dim=0)
        targets = make_targets([boxes], [torch.ones(len(boxes), dtype=torch.int64)], 2)
        negative = ~match(priors, targets).positive[0]
        count["reached"] += int((best.amax(dim=1) >= 0.5).sum())
        found = by_threshold_alone(priors, boxes)
        count["unmatched"] += len(boxes) - len(found[found >= 0].unique())
        count["positives"] += int((~negative).sum())
        count["at_045"] += int(match(priors, targets, threshold=0.45).positive.sum())
        count["from_03"] += int((negative & (value >= 0.3)).sum())
        count["from_04"] += int((negative & (value >= 0.4)).sum())
    return count


def in_training() -> float:
    """Draw the expansion's factor: none for half of the pictures, else uniform up to `ZOOM`."""
    return 1 + (ZOOM - 1) * torch.rand(()).item() if torch.rand(()) < 0.5 else 1


def lost_by_argmax(pictures: list[Tensor], zoom: Callable[[], float]) -> int:
    """Return how many objects end without a prior where every object takes its favourite.

    `zoom` gives the factor of the canvas on which a picture is put, at a random place.
    """
    priors, lost = make_priors(get_preset("caffe300_voc")), 0
    torch.manual_seed(0)
    for boxes in pictures:
        factor = zoom()
        boxes = boxes / factor + (torch.rand(2) * (1 - 1 / factor)).repeat(2)
        targets = make_targets([boxes], [torch.ones(len(boxes), dtype=torch.int64)], 2)
        kept = match(priors, targets, method="argmax").ground_truth[0]
        lost += len(boxes) - len(kept[kept >= 0].unique())
    return lost


def cropped(pictures: list[Tensor], rule: str) -> dict[str, float]:
    """Return what one draw per picture does: `rule` is one of ours or a port's."""
    whole, areas, kept, objects = 0, 0.0, 0, 0
    torch.manual_seed(0)
    for boxes in pictures:
        if rule in CROP_RULES:
            crop = port_crop(CROP_RULES[rule], boxes)
        else:
            crop = draw_crop(CROP_POLICIES["caffe_literal"], boxes * SIDE, SIDE, SIDE)
            crop = None if crop is None else torch.tensor(crop) / SIDE
        if crop is None:
            whole += 1
            continue
        areas += area(crop[None]).item()
        kept += int(centres_inside(boxes, crop).sum())
        objects += len(boxes)
    crops = len(pictures) - whole
    return {
        "whole": round(whole / len(pictures), 4),
        "area": round(areas / max(crops, 1), 4),
        "kept": round(kept / max(objects, 1), 4),
    }


def measure(file: Path) -> dict:
    """Return the record of a list."""
    start, pictures = time.perf_counter(), read(file)
    result = {
        "data": "PASCAL VOC 2007, boxes that are not difficult, squeezed to a square",
        "split": "trainval",
        "command": "python tools/record_disagreements.py FOLDER",
        "pictures": len(pictures),
        "objects": sum(map(len, pictures)),
        "matching": {name: matched(pictures, name) for name in PRESETS},
        "lost_by_argmax": {
            "as they are": lost_by_argmax(pictures, lambda: 1),
            "expanded as in training": lost_by_argmax(pictures, in_training),
            f"zoomed out by {ZOOM}": lost_by_argmax(pictures, lambda: ZOOM),
        },
        "crops": {name: cropped(pictures, name) for name in ("Caffe", *CROP_RULES)},
    }
    return result | {"minutes": round((time.perf_counter() - start) / 60, 1)}


def main(words: list[str] | None = None) -> None:
    """Measure, and write the record."""
    write_record(RUN, __doc__, measure, words)


if __name__ == "__main__":
    main()
