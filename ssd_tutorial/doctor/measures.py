"""Measure a detector: AP per class and size, and the suggested threshold (chapters 14 and 16)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ssd_tutorial.detect import Detections
from ssd_tutorial.doctor import detection_errors
from ssd_tutorial.evaluate import COCO_SIZES, Curve, Evaluation, GroundTruth, coco_ap, voc_ap
from ssd_tutorial.figures.tables import Table


class OperatingPoint(NamedTuple):
    """What remains of a class if only detections from a score on are kept."""

    threshold: float
    precision: float
    recall: float
    f1: float
    """The harmonic mean of precision and recall."""


def best_point(curve: Curve) -> OperatingPoint | None:
    """Return the point of a curve with the best F1; None if no detection is right.

    Of equal ones, that with the higher score: it keeps fewer boxes.
    """
    precision, recall = curve.precision, curve.recall
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    f1[:-1][curve.scores[:-1] == curve.scores[1:]] = 0  # equal scores are kept together
    if not f1.any():
        return None
    best = int(f1.argmax())
    return OperatingPoint(*(float(part[best]) for part in (curve.scores, precision, recall, f1)))


def pooled_curve(evaluation: Evaluation) -> Curve:
    """Return the curve of all classes together, as if their detections were of one class."""
    total, curves = sum(evaluation.objects.values()), evaluation.curves.items()
    hits = [np.diff(c.recall * evaluation.objects[name], prepend=0) for name, c in curves]
    scores = np.concatenate([curve.scores for _, curve in curves])
    order = np.argsort(-scores, kind="stable")
    found = np.concatenate(hits)[order].round().cumsum()
    return Curve(scores[order], found / max(total, 1), found / np.arange(1, len(order) + 1))


@dataclass(frozen=True)
class Measures:
    """The outcome of `measure`."""

    classes: tuple[str, ...]
    pictures: int
    voc: Evaluation
    """At an IoU of 0.5, by the area under the curve."""
    eleven: float
    """mAP at 0.5 by VOC 2007's eleven points."""
    coco: float
    """mAP of COCO, the mean over IoUs from 0.5 to 0.95."""
    by_size: dict[str, Evaluation]
    """At an IoU of 0.5, of the objects of each of `COCO_SIZES`."""
    points: dict[str, OperatingPoint | None]
    """The suggested score of each class, that of the best F1; None if nothing is found."""
    errors: list[detection_errors.DetectionErrors]
    """Of each picture, with the detections from the suggested scores on."""
    confusion: Tensor
    """Of the same; see `detection_errors.confusion`."""

    def class_table(self) -> Table:
        """Return a table with one row per class: AP, and what the suggested score gives."""
        rows = []
        for name, point in self.points.items():
            numbers = [f"{value:.2f}" for value in point] if point else ["–"] * 4
            rows.append([name, self.voc.objects[name], f"{self.voc.ap[name]:.3f}", *numbers])
        header = ["class", "objects", "AP@0.5", "suggested score", "precision", "recall", "F1"]
        return Table(header, rows)

    def summary_table(self) -> Table:
        """Return a table with one row per mAP; those by size say which objects they are of."""
        rows = [
            ["mAP@0.5", f"{self.voc.mean_ap:.3f}", sum(self.voc.objects.values())],
            ["mAP@0.5, 11 points", f"{self.eleven:.3f}", ""],
            ["mAP@0.5:0.95, COCO", f"{self.coco:.3f}", ""],
        ]
        for name, one in self.by_size.items():
            title = f"mAP@0.5, {name} objects: {size_words(name)}"
            rows.append([title, f"{one.mean_ap:.3f}", sum(one.objects.values())])
        return Table([f"on {self.pictures} pictures", "", "objects"], rows)

    def to_dict(self) -> dict:
        """Return every number for JSON; None where there is none, such as AP without objects."""
        sizes = {name: one.mean_ap for name, one in self.by_size.items()}
        measures = {
            "pictures": self.pictures,
            "map50": self.voc.mean_ap,
            "map50_11_points": self.eleven,
            "map50_95_coco": self.coco,
            "map50_by_size": sizes,
            "objects_by_size": {n: sum(one.objects.values()) for n, one in self.by_size.items()},
            "ap50": self.voc.ap,
            "objects": self.voc.objects,
            "suggested": {name: point and point._asdict() for name, point in self.points.items()},
            "errors": detection_errors.count_errors(self.errors),
            "confusion": {
                "rows are true, columns are detected": ["background", *self.classes],
                "counts": self.confusion.tolist(),
            },
        }
        return _without_nan(measures)


def size_words(name: str) -> str:
    """Return which objects a size of `COCO_SIZES` has, in pixels of the picture."""
    low, high = (round(area**0.5) for area in COCO_SIZES[name])
    if not low:
        return f"up to {high} x {high} px"
    return f"{low} x {low} to {high} x {high} px" if high < 1000 else f"from {low} x {low} px"


def measure(
    detections: Sequence[Detections], ground_truths: Sequence[GroundTruth], classes: Sequence[str]
) -> Measures:
    """Measure detections: see `Measures`.

    Args:
        detections: what was found in each image, also with low scores.
        ground_truths: what is in each image, in the same order, both in pixels.
        classes: names without the background; label i + 1 is ``classes[i]``.

    Raises:
        ValueError: as `voc_ap`.
    """
    voc = voc_ap(detections, ground_truths, classes)
    points = {name: best_point(voc.curves[name]) for name in classes}
    # without a right detection there is no best score: then that of `detect` counts
    least = torch.tensor(
        [0.5 if point is None else point.threshold for point in points.values()],
        dtype=torch.float64,
    )
    kept = [
        Detections(*(part[one.scores >= least[one.labels - 1]] for part in one))
        for one in detections
    ]
    errors = detection_errors.classify_errors(kept, ground_truths, score_threshold=0)
    return Measures(
        tuple(classes),
        len(ground_truths),
        voc,
        voc_ap(detections, ground_truths, classes, interpolation="11 points").mean_ap,
        coco_ap(detections, ground_truths, classes).mean_ap,
        {
            name: coco_ap(detections, ground_truths, classes, iou_thresholds=[0.5], size=limits)
            for name, limits in COCO_SIZES.items()
        },
        points,
        errors,
        detection_errors.confusion(errors, ground_truths, len(classes)),
    )


def _without_nan(value):
    """Replace NaN by None, as JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
