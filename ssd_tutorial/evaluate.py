"""Average precision: one number for how good a detector is (chapter 14).

Detections of a class are sorted by score over all images. Walking down that list gives a curve of
precision against recall; the area under it is the class's AP, and the mean over classes is mAP.
The benchmarks differ in how a detection finds its ground truth and in how the curve is summed:

* ``voc_ap``: PASCAL VOC's development kit. A detection belongs to the ground truth that it overlaps
  most; if that one is taken, it is a duplicate and wrong.
* ``coco_ap``: ``COCOeval``. A detection takes the best ground truth that is still free.

Nothing here depends on the unit of the boxes, except that sizes are areas in that unit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from torch import Tensor

from ssd_tutorial.boxes import area, iou
from ssd_tutorial.detect import Detections

COCO_THRESHOLDS = tuple(np.linspace(0.5, 0.95, 10).round(2).tolist())
COCO_SIZES = {"small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Areas in square pixels, as COCO has them."""


class GroundTruth(NamedTuple):
    """What there is to find in one image."""

    boxes: Tensor
    """``[N, 4]`` xyxy."""
    labels: Tensor
    """``[N]``, from 1."""
    difficult: Tensor
    """``[N]`` bool: objects that need not be found; finding one is neither a hit nor a miss."""


class Curve(NamedTuple):
    """Precision and recall of one class as the score falls, ``[D]`` each."""

    scores: np.ndarray
    recall: np.ndarray
    precision: np.ndarray


@dataclass(frozen=True)
class Evaluation:
    """Average precision per class; NaN where there is nothing to find."""

    ap: dict[str, float]
    """AP per class, a mean over the IoU thresholds."""
    objects: dict[str, int]
    """Number of counted ground truths per class."""
    curves: dict[str, Curve]
    """The curve at the first IoU threshold."""

    @property
    def mean_ap(self) -> float:
        """mAP, the mean over the classes with something to find; NaN if there are none."""
        known = [ap for ap in self.ap.values() if not np.isnan(ap)]
        return float(np.mean(known)) if known else float("nan")


def voc_ap(
    detections: Sequence[Detections],
    ground_truths: Sequence[GroundTruth],
    classes: Sequence[str],
    *,
    iou_threshold: float = 0.5,
    interpolation: Literal["area", "11 points"] = "area",
    size: tuple[float, float] | None = None,
) -> Evaluation:
    """Compute PASCAL VOC's AP: the area under the curve, or (VOC 2007) the mean at 11 recalls.

    Args:
        detections: for each image what was found.
        ground_truths: for each image what there is, in the same order and unit.
        classes: names without the background; label i + 1 is ``classes[i]``.
        iou_threshold: the lowest IoU at which a detection may be a hit.
        interpolation: how the curve becomes a number.
        size: count only objects with an area in this range; see `COCO_SIZES`.

    Raises:
        ValueError: no image, lists of different length, a label without a name, an unknown
            interpolation.
    """
    rules = {"area": _area_under, "11 points": _eleven_points}
    if interpolation not in rules:
        raise ValueError(f"interpolation must be one of {list(rules)}, not {interpolation!r}")
    return _evaluate(
        detections, ground_truths, classes, [iou_threshold], voc_match, rules[interpolation], size
    )


def coco_ap(
    detections: Sequence[Detections],
    ground_truths: Sequence[GroundTruth],
    classes: Sequence[str],
    *,
    iou_thresholds: Sequence[float] = COCO_THRESHOLDS,
    size: tuple[float, float] | None = None,
    max_detections: int = 100,
) -> Evaluation:
    """Compute COCO's AP: 101 recalls, a mean over IoU thresholds from 0.5 to 0.95.

    Args:
        detections, ground_truths, classes, size: as for `voc_ap`.
        iou_thresholds: each gives an AP; the result is their mean.
        max_detections: the best ones that count, per class and per image.

    Raises:
        ValueError: as `voc_ap`.
    """
    return _evaluate(
        detections,
        ground_truths,
        classes,
        iou_thresholds,
        coco_match,
        _hundred_and_one_points,
        size,
        max_detections,
    )


UNMATCHED, DUPLICATE = -1, -2


def voc_match(overlap: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Match the detections of one class in one image with its ground truths, as VOC's kit does.

    Args:
        overlap: ``[D, G]`` IoUs, detections sorted by falling score.
        ignored: ``[G]`` bool, the ground truths that do not count, such as difficult ones.
        thresholds: ``[T]`` IoUs from which on a detection may be matched.

    Returns:
        ``[T, D]``: the index of the ground truth; `UNMATCHED`; or `DUPLICATE`, where a better
        detection has taken it.
    """
    matched = np.full((len(thresholds), len(overlap)), UNMATCHED)
    if overlap.shape[1] == 0:
        return matched
    taken = np.zeros((len(thresholds), overlap.shape[1]), dtype=bool)
    for d, g in enumerate(overlap.argmax(axis=1)):
        hit = overlap[d, g] >= thresholds
        matched[:, d] = np.where(hit, np.where(taken[:, g], DUPLICATE, g), UNMATCHED)
        if not ignored[g]:  # a difficult object swallows any number of detections
            taken[:, g] |= hit
    return matched


def coco_match(overlap: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Match as ``COCOeval`` does, with the arguments and the result of `voc_match`; no duplicates.

    A detection takes the best ground truth that is free, and one that counts before an ignored one.
    """
    matched = np.full((len(thresholds), len(overlap)), UNMATCHED)
    if overlap.shape[1] == 0:
        return matched
    free = np.ones((len(thresholds), overlap.shape[1]), dtype=bool)
    rows = np.arange(len(thresholds))
    for d in range(len(overlap)):
        fits = free & (overlap[d] >= thresholds[:, None])  # [T, G]
        # an object that counts before one that does not; among equals the best, then the last
        rank = np.where(fits, overlap[d] + 2.0 * ~ignored, -1.0)[:, ::-1]
        best = overlap.shape[1] - 1 - rank.argmax(axis=1)
        hit = fits[rows, best]
        matched[:, d] = np.where(hit, best, UNMATCHED)
        free[rows[hit], best[hit]] = False
    return matched


# How a curve becomes a number. All take recall and precision [D].
def _envelope(precision: np.ndarray) -> np.ndarray:
    """Return the best precision at this recall or a higher one."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def _area_under(recall: np.ndarray, precision: np.ndarray) -> float:
    return float(np.sum(np.diff(recall, prepend=0.0) * _envelope(precision)))


def _at_points(recall: np.ndarray, precision: np.ndarray, points: np.ndarray) -> float:
    reached = np.append(_envelope(precision), 0.0)  # 0 where a recall is never reached
    return float(np.mean(reached[np.searchsorted(recall, points, side="left")]))


def _eleven_points(recall: np.ndarray, precision: np.ndarray) -> float:
    # 3 of 10 objects reach recall 0.3, but not linspace's 0.30000000000000004
    return _at_points(recall, precision, np.arange(11) / 10)


def _hundred_and_one_points(recall: np.ndarray, precision: np.ndarray) -> float:
    return _at_points(recall, precision, np.linspace(0, 1, 101))  # to the bit as in COCOeval


def _evaluate(
    detections: Sequence[Detections],
    ground_truths: Sequence[GroundTruth],
    classes: Sequence[str],
    thresholds: Sequence[float],
    match: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    sum_up: Callable[[np.ndarray, np.ndarray], float],
    size: tuple[float, float] | None,
    max_detections: int | None = None,
) -> Evaluation:
    _check(detections, ground_truths, classes)
    thresholds = np.asarray(thresholds, dtype=np.float64)
    ap, objects, curves = {}, {}, {}
    for label, name in enumerate(classes, start=1):
        images = [
            _one_image(found, truth, label, thresholds, match, size, max_detections)
            for found, truth in zip(detections, ground_truths, strict=True)
        ]
        scores = np.concatenate([image.scores for image in images])
        order = np.argsort(-scores, kind="stable")
        hit = np.concatenate([image.hit for image in images], axis=1)[:, order]  # [T, D]
        counts = np.concatenate([image.counts for image in images], axis=1)[:, order]
        objects[name] = total = sum(image.objects for image in images)
        per_threshold = []
        for t in range(len(thresholds)):
            hits, seen = hit[t, counts[t]].cumsum(), np.arange(1, counts[t].sum() + 1)
            curve = Curve(scores[order][counts[t]], hits / max(total, 1), hits / seen)
            curves.setdefault(name, curve)
            per_threshold.append(sum_up(curve.recall, curve.precision) if total else np.nan)
        ap[name] = float(np.mean(per_threshold))
    return Evaluation(ap, objects, curves)


class _Image(NamedTuple):
    scores: np.ndarray  # [D], falling
    hit: np.ndarray  # [T, D] bool
    counts: np.ndarray  # [T, D] bool: False for detections that are neither right nor wrong
    objects: int


def _one_image(
    found: Detections,
    truth: GroundTruth,
    label: int,
    thresholds: np.ndarray,
    match: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray],
    size: tuple[float, float] | None,
    max_detections: int | None,
) -> _Image:
    """Match the detections of one class in one image."""
    of_class = found.labels == label
    scores = found.scores[of_class].double().cpu().numpy()
    order = np.argsort(-scores, kind="stable")[:max_detections]
    boxes = found.boxes[of_class].double().cpu()[order.copy()]
    wanted = truth.labels == label
    true_boxes = truth.boxes[wanted].double().cpu()
    ignored = truth.difficult[wanted].cpu().numpy().astype(bool)
    outside = np.zeros(len(boxes), dtype=bool)
    if size is not None:
        low, high = size
        true_area, found_area = area(true_boxes).numpy(), area(boxes).numpy()
        ignored = ignored | (true_area < low) | (true_area > high)
        outside = (found_area < low) | (found_area > high)
    matched = match(iou(boxes, true_boxes).numpy(), ignored, thresholds)  # [T, D]
    to_ignored = np.append(ignored, [False, False])[matched]  # UNMATCHED and DUPLICATE: not
    counts = ~(to_ignored | ((matched == UNMATCHED) & outside))
    return _Image(scores[order], (matched >= 0) & ~to_ignored, counts, int((~ignored).sum()))


def _check(
    detections: Sequence[Detections], ground_truths: Sequence[GroundTruth], classes: Sequence[str]
) -> None:
    if len(detections) != len(ground_truths):
        raise ValueError(
            f"detections of {len(detections)} images but ground truths of {len(ground_truths)}"
        )
    if not detections:
        raise ValueError("there is no image to evaluate")
    for kind, images in (("detection", detections), ("ground truth", ground_truths)):
        for i, image in enumerate(images):
            wrong = (image.labels < 1) | (image.labels > len(classes))
            if wrong.any():
                raise ValueError(
                    f"image {i}: a {kind} has label {int(image.labels[wrong][0])}, but there are"
                    f" {len(classes)} classes, 1 .. {len(classes)}"
                )
