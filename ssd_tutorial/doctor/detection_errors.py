"""What goes wrong: which detections are false, and why; which objects nobody found (chapter 16).

AP says how good a detector is and not what to do next. For that, every detection above a score is
put under one of five headings, in the manner of Hoiem et al. ("Diagnosing Error in Object
Detectors", 2012) and of TIDE (Bolya et al., 2020):

* ``"right"``: it finds an object of its class that no better detection has found;
* ``"duplicate"``: it overlaps such an object well enough, but a better detection was there first;
* ``"wrong class"``: it fits an object of another class;
* ``"badly placed"``: it touches an object of its class, but overlaps it too little;
* ``"background"``: there is nothing of the kind.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.evaluate import GroundTruth

KINDS = ("right", "duplicate", "wrong class", "badly placed", "background")
TOUCHES = 0.1
"""An IoU under which two boxes have nothing to do with each other (TIDE's background threshold)."""
_IGNORED = "ignored"


class Judged(NamedTuple):
    """The detections of one image, judged; and the objects that none of them found."""

    found: Detections
    """Those that were judged, best first: M of them."""
    kinds: tuple[str, ...]
    """M entries of `KINDS`."""
    nearest: Tensor
    """``[M]``: index of the object that the judgement is about, -1 for ``"background"``."""
    missed: Tensor
    """Indices of the objects that count and were not found."""

    def of(self, kind: str) -> Detections:
        """Only the detections of one kind."""
        keep = torch.tensor([each == kind for each in self.kinds], dtype=torch.bool)
        return Detections(*(part[keep] for part in self.found))


def judge(
    detections: Sequence[Detections],
    ground_truths: Sequence[GroundTruth],
    *,
    score_threshold: float = 0.5,
    iou_threshold: float = 0.5,
) -> list[Judged]:
    """Say of every detection what it is, and of every image what was missed.

    Detections take objects as in PASCAL VOC's evaluation: best score first, each the object of its
    class that it overlaps most. One that lands on a difficult object is neither right nor wrong,
    and left out.

    Args:
        detections: for each image what was found.
        ground_truths: for each image what there is, in the same order and unit.
        score_threshold: judge detections with at least this score.
        iou_threshold: the overlap from which on a box is in its place.

    Raises:
        ValueError: lists of different length, or a threshold that is not in [0, 1].
    """
    if len(detections) != len(ground_truths):
        raise ValueError(
            f"detections of {len(detections)} images but ground truths of {len(ground_truths)}"
        )
    for name, value in {"score": score_threshold, "IoU": iou_threshold}.items():
        if not 0 <= value <= 1:
            raise ValueError(f"the {name} threshold must be 0 to 1, not {value}")
    pairs = zip(detections, ground_truths, strict=True)
    return [_judge(found.above(score_threshold), truth, iou_threshold) for found, truth in pairs]


def count_kinds(judged: Sequence[Judged]) -> dict[str, int]:
    """How many detections are of each of the `KINDS`, and how many objects were ``"missed"``."""
    counts = Counter(kind for image in judged for kind in image.kinds)
    missed = sum(len(image.missed) for image in judged)
    return {kind: counts[kind] for kind in KINDS} | {"missed": missed}


def confusion(
    judged: Sequence[Judged], ground_truths: Sequence[GroundTruth], num_classes: int
) -> Tensor:
    """Counts ``[num_classes + 1, num_classes + 1]``: what an object is (row), what it is called.

    Row and column 0 are the background: a missed object stands in column 0, a detection where
    nothing is in row 0. Duplicates are not counted: their object is already there.
    """
    table = torch.zeros(num_classes + 1, num_classes + 1, dtype=torch.int64)
    for image, truth in zip(judged, ground_truths, strict=True):
        rows = zip(image.kinds, image.found.labels.tolist(), image.nearest.tolist(), strict=True)
        for kind, label, nearest in rows:
            if kind in ("right", "wrong class"):
                table[truth.labels[nearest], label] += 1
            elif kind != "duplicate":
                table[0, label] += 1
        called = {
            nearest
            for kind, nearest in zip(image.kinds, image.nearest.tolist(), strict=True)
            if kind == "wrong class"
        }
        for index in image.missed.tolist():
            if index not in called:
                table[truth.labels[index], 0] += 1
    return table


def _judge(found: Detections, truth: GroundTruth, threshold: float) -> Judged:
    order = found.scores.argsort(descending=True, stable=True).cpu()
    found = Detections(*(part.cpu()[order] for part in found))
    labels, difficult = truth.labels.cpu(), truth.difficult.cpu().bool()
    overlap = iou(found.boxes.double(), truth.boxes.cpu().double())  # [M, G]
    taken: set[int] = set()
    kinds, nearest = [], []
    for label, row in zip(found.labels.tolist(), overlap, strict=True):
        kind, index = _kind(label, row, labels, threshold)
        if index >= 0 and kind in ("right", "wrong class") and difficult[index]:
            kind = _IGNORED
        elif kind == "right":
            kind = "duplicate" if index in taken else kind
            taken.add(index)
        kinds.append(kind)
        nearest.append(index)
    keep = torch.tensor([kind != _IGNORED for kind in kinds], dtype=torch.bool)
    missed = [i for i in range(len(labels)) if i not in taken and not difficult[i]]
    return Judged(
        Detections(*(part[keep] for part in found)),
        tuple(kind for kind in kinds if kind != _IGNORED),
        torch.tensor(nearest, dtype=torch.int64)[keep],
        torch.tensor(missed, dtype=torch.int64),
    )


def _kind(label: int, overlap: Tensor, labels: Tensor, threshold: float) -> tuple[str, int]:
    """The kind of one detection, before anything is taken, and the object that it is about."""
    if not len(labels):
        return "background", -1
    own = overlap.where(labels == label, -1.0)
    other = overlap.where(labels != label, -1.0)
    if own.max() >= threshold:
        return "right", int(own.argmax())
    if other.max() >= threshold:
        return "wrong class", int(other.argmax())
    if own.max() >= TOUCHES:
        return "badly placed", int(own.argmax())
    return "background", -1
