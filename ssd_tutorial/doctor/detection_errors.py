"""Kinds of errors: which detections are false, and why; which objects are missed (chapter 16).

AP says how good a detector is, not what to do next. For that, every detection above a score is
assigned one kind. The names and bounds are those of TIDE (Bolya et al., "TIDE: A General
Toolbox for Identifying Object Detection Errors", 2020), which follows Hoiem et al. (2012):

* ``"true positive"``: it finds an object of its class that no better detection has found;
* ``"duplicate"``: it fits an object of its class that a better detection has found;
* ``"classification"``: it fits an object of another class;
* ``"localization"``: it touches an object of its class, but overlaps it too little;
* ``"both"``: it touches an object of another class, and overlaps it too little;
* ``"background"``: it touches no object.

The first of these that holds counts. An object is ``"missed"`` if no detection of its class finds
it; TIDE leaves out those that a classification or localization error is about.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import Detections, check_limits
from ssd_tutorial.evaluate import DUPLICATE, GroundTruth, voc_match

KINDS = ("true positive", "classification", "localization", "both", "duplicate", "background")
TOUCHES = 0.1
"""The lowest IoU at which a box concerns an object (TIDE's background threshold)."""


class DetectionErrors(NamedTuple):
    """The detections of one image, each with its kind, and the objects that are missed."""

    found: Detections
    """The M detections that were classified, best first."""
    kinds: tuple[str, ...]
    """M entries of `KINDS`."""
    nearest: Tensor
    """``[M]``: index of the object that the kind refers to, -1 for ``"background"``."""
    missed: Tensor
    """Indices of the missed objects; difficult ones are not among them."""


def classify_errors(
    detections: Sequence[Detections],
    ground_truths: Sequence[GroundTruth],
    *,
    score_threshold: float = 0.5,
    iou_threshold: float = 0.5,
) -> list[DetectionErrors]:
    """Find the kind of every detection, and the missed objects of every image.

    Detections are matched as in PASCAL VOC's evaluation (`ssd_tutorial.evaluate.voc_match`). One
    that fits a difficult object is neither true nor false, and left out.

    Args:
        detections: what was found in each image.
        ground_truths: what is in each image, in the same order and unit.
        score_threshold: classify detections with at least this score.
        iou_threshold: the lowest IoU at which a box fits an object.

    Raises:
        ValueError: the lists differ in length, or a threshold is not in [0, 1].
    """
    if len(detections) != len(ground_truths):
        raise ValueError(
            f"detections of {len(detections)} images but ground truths of {len(ground_truths)}"
        )
    check_limits(score_threshold=score_threshold, iou_threshold=iou_threshold)
    pairs = zip(detections, ground_truths, strict=True)
    return [_of_image(found.above(score_threshold), truth, iou_threshold) for found, truth in pairs]


def count_errors(errors: Sequence[DetectionErrors]) -> dict[str, int]:
    """Count the detections of each of the `KINDS`, and the ``"missed"`` objects."""
    counts = Counter(kind for image in errors for kind in image.kinds)
    missed = sum(len(image.missed) for image in errors)
    return {kind: counts[kind] for kind in KINDS} | {"missed": missed}


class Error(NamedTuple):
    """One false detection."""

    score: float
    image: int
    """Index of the image."""
    kind: str
    box: Tensor
    """``[4]`` xyxy."""
    label: int


def surest_errors(errors: Sequence[DetectionErrors]) -> list[Error]:
    """Return all false detections except duplicates, those with the highest scores first.

    Among them are most often the labels that are wrong or missing.
    """
    false = [
        Error(float(score), index, kind, box, int(label))
        for index, image in enumerate(errors)
        for kind, box, score, label in zip(image.kinds, *image.found, strict=True)
        if kind not in ("true positive", "duplicate")
    ]
    return sorted(false, key=lambda error: -error.score)


def confusion(
    errors: Sequence[DetectionErrors], ground_truths: Sequence[GroundTruth], num_classes: int
) -> Tensor:
    """Return the confusion matrix ``[num_classes + 1, num_classes + 1]``: true class, predicted.

    Row and column 0 are the background: a missed object counts in column 0, a detection that fits
    no object in row 0. Duplicates are not counted: their object already is.
    """
    table = torch.zeros(num_classes + 1, num_classes + 1, dtype=torch.int64)
    for image, truth in zip(errors, ground_truths, strict=True):
        confused = set()
        rows = zip(image.kinds, image.found.labels.tolist(), image.nearest.tolist(), strict=True)
        for kind, label, nearest in rows:
            if kind in ("true positive", "classification"):
                table[truth.labels[nearest], label] += 1
                confused.add(nearest)
            elif kind != "duplicate":
                table[0, label] += 1
        for index in image.missed.tolist():
            if index not in confused:
                table[truth.labels[index], 0] += 1
    return table


def _of_image(found: Detections, truth: GroundTruth, threshold: float) -> DetectionErrors:
    order = found.scores.argsort(descending=True, stable=True).cpu()
    found = Detections(*(part.cpu()[order] for part in found))
    labels, difficult = truth.labels.cpu(), truth.difficult.cpu().bool()
    overlap = iou(found.boxes.double(), truth.boxes.cpu().double())  # [M, G]
    mine = found.labels[:, None] == labels
    own, other = overlap.where(mine, -1.0), overlap.where(~mine, -1.0)
    bounds = np.array([threshold])
    # one call for all classes: an object is -1, out of reach, for detections of other classes
    (matched,) = torch.from_numpy(voc_match(own.numpy(), difficult.numpy(), bounds))
    nobody = overlap.new_full((len(overlap), 1), -1)  # so that there is a best even without objects
    own_iou, own_best = torch.cat([own, nobody], dim=1).max(dim=1)
    other_iou, other_best = torch.cat([other, nobody], dim=1).max(dim=1)
    nothing = torch.full_like(matched, -1)
    verdicts = {  # for whom it holds, and to which object it refers; the first that holds counts
        "true positive": (matched >= 0, matched),
        "duplicate": (matched == DUPLICATE, own_best),
        "classification": (other_iou >= threshold, other_best),
        "localization": (own_iou >= TOUCHES, own_best),
        "both": (other_iou >= TOUCHES, other_best),
        "background": (nothing < 0, nothing),
    }
    holds, objects = map(torch.stack, zip(*verdicts.values(), strict=True))  # [6, M] each
    first = holds.int().argmax(dim=0)
    nearest = objects.gather(0, first[None])[0]
    kinds = [list(verdicts)[index] for index in first.tolist()]
    fits = torch.tensor([kind in ("true positive", "classification") for kind in kinds])
    keep = ~(fits.bool() & torch.cat([difficult, torch.tensor([False])])[nearest])
    free = torch.isin(torch.arange(len(labels)), matched, invert=True)
    return DetectionErrors(
        Detections(*(part[keep] for part in found)),
        tuple(compress(kinds, keep)),
        nearest[keep],
        (free & ~difficult).nonzero().flatten(),
    )
