"""Average precision: one number for how good a detector is (chapter 14).

Detections of a class are sorted by score over all images. Walking down that list gives a curve of
precision against recall; the area under it is the class's AP, and the mean over classes is mAP.
The benchmarks differ in how a detection finds its ground truth and in how the curve is summed:

* ``voc_ap``: PASCAL VOC's development kit. A detection belongs to the ground truth that it overlaps
  most; if that one is taken, it is a duplicate and wrong.
* ``coco_ap``: ``COCOeval``. A detection takes the best ground truth that is still free. Difficult
  ones are COCO's crowds: regions that hold many objects and may be found many times.

Nothing here depends on the unit of the boxes, except that sizes are areas in that unit.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ssd_tutorial.boxes import area, intersection, iou
from ssd_tutorial.detect import Detections, check_limits

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
        ValueError: no image, lists of different length, shapes that do not fit together, boxes or
            scores that are not finite, xmax < xmin or ymax < ymin, a label without a name, names
            that occur twice, a threshold outside (0, 1], an unknown interpolation.
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
        ValueError: as `voc_ap`, and for less than one detection.
    """
    check_limits(max_detections=max_detections)
    data, sum_up = (detections, ground_truths, classes), _hundred_and_one_points
    return _evaluate(*data, iou_thresholds, coco_match, sum_up, size, max_detections)


UNMATCHED, DUPLICATE = -1, -2
_HIT, _SET_ASIDE = 0, -3
_BLOCK = 512  # lists that are matched side by side


def voc_match(overlap: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Match the detections of one class in one image with its ground truths, as VOC's kit does.

    Leading dimensions are further lists, matched side by side as in `ssd_tutorial.detect.nms`; what
    pads them overlaps by -1.

    Args:
        overlap: ``[..., D, G]`` IoUs, detections sorted by falling score.
        ignored: ``[..., G]`` bool, the ground truths that do not count, such as difficult ones.
        thresholds: ``[T]`` lowest IoUs at which a detection may be matched.

    Returns:
        ``[..., T, D]``: the index of the ground truth; `UNMATCHED`; or `DUPLICATE`, where a better
        detection has taken it.
    """
    *lists, detections, objects = overlap.shape
    matched = np.full((*lists, len(thresholds), detections), UNMATCHED)
    if objects == 0:
        return matched
    taken = np.zeros((*lists, len(thresholds), objects), dtype=bool)
    nearest = overlap.argmax(axis=-1)[..., None, :]  # [..., 1, D]: whom a detection is about
    hits = overlap.max(axis=-1)[..., None, :] >= thresholds[:, None]  # [..., T, D]
    counts = ~np.take_along_axis(ignored[..., None, :], nearest, axis=-1)
    for d in range(detections):
        hit, best = hits[..., d, None], nearest[..., d, None]  # [..., T, 1], [..., 1, 1]
        before = np.take_along_axis(taken, best, axis=-1)  # [..., T, 1]
        matched[..., d, None] = np.where(hit, np.where(before, DUPLICATE, best), UNMATCHED)
        # a difficult object swallows any number of detections
        np.put_along_axis(taken, best, before | (hit & counts[..., d, None]), axis=-1)
    return matched


def coco_match(
    overlap: np.ndarray, ignored: np.ndarray, thresholds: np.ndarray, crowd: np.ndarray
) -> np.ndarray:
    """Match as ``COCOeval`` does, with the arguments and the result of `voc_match`; no duplicates.

    A detection takes the best ground truth that is free, and one that counts before an ignored one.

    Args:
        crowd: ``[..., G]`` bool, the ground truths that are never taken. Their `overlap` is the
            share of the detection that lies inside.
    """
    *lists, detections, objects = overlap.shape
    matched = np.empty((*lists, len(thresholds), detections), dtype=int)
    # The last column is nobody, who always fits, is always free and comes after all others. Before
    # it are the objects in reverse: among equals, argmax takes the first and COCOeval the last.
    overlap, ignored, crowd = (
        np.insert(x[..., ::-1], objects, np.inf, axis=-1) for x in (overlap, ignored, crowd)
    )
    rank = overlap + 2.0 * ~ignored[..., None, :]  # [..., D, G + 1]: one that counts comes first
    rank[..., objects] = 0
    free = np.ones((*lists, len(thresholds), objects + 1), dtype=bool)
    for d in range(detections):
        fits = free & (overlap[..., d, None, :] >= thresholds[:, None])  # [..., T, G + 1]
        best = np.where(fits, rank[..., d, None, :], -1).argmax(axis=-1)[..., None]  # [..., T, 1]
        matched[..., d, None] = objects - 1 - best  # nobody: UNMATCHED
        np.put_along_axis(free, best, np.take_along_axis(crowd[..., None, :], best, -1), axis=-1)
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
    match: Callable[..., np.ndarray],
    sum_up: Callable[[np.ndarray, np.ndarray], float],
    size: tuple[float, float] | None,
    most: float = np.inf,
) -> Evaluation:
    thresholds = np.asarray(thresholds, dtype=np.float64)
    size = size or (-np.inf, np.inf)
    _check(detections, ground_truths, classes, thresholds, size)
    images = [(d.boxes, d.labels, d.scores) for d in detections]
    found = _lists("detection", images, classes, size, most)
    images = [(t.boxes, t.labels, t.difficult) for t in ground_truths]
    truth = _lists("ground truth", images, classes, size)
    fate = _match(found, truth, thresholds, match)  # [T, D]
    counts = (fate != _SET_ASIDE) & ~((fate == UNMATCHED) & found.aside)

    ap, objects, curves = {}, {}, {}
    for label, name in enumerate(classes, start=1):
        mine = np.flatnonzero(found.labels == label)
        mine = mine[np.argsort(-found.values[mine], kind="stable")]  # over all images
        objects[name] = total = int((~truth.aside & (truth.labels == label)).sum())
        per_threshold = []
        for t in range(len(thresholds)):
            rows = mine[counts[t, mine]]
            hits, seen = (fate[t, rows] == _HIT).cumsum(), np.arange(1, len(rows) + 1)
            curve = Curve(found.values[rows], hits / max(total, 1), hits / seen)
            curves.setdefault(name, curve)
            per_threshold.append(sum_up(curve.recall, curve.precision) if total else np.nan)
        ap[name] = float(np.mean(per_threshold))
    return Evaluation(ap, objects, curves)


class _Lists(NamedTuple):
    """The boxes of one class in one image are a list; here are all lists, end to end."""

    boxes: Tensor  # [N, 4]
    labels: np.ndarray  # [N]
    values: np.ndarray  # [N]: a detection's score, 1 for a difficult object
    aside: np.ndarray  # [N] bool: difficult, or not of the size that is asked for
    counts: np.ndarray  # [images * classes]: how long each list is
    starts: np.ndarray  # [images * classes]

    def padded(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return indices ``[L, longest]`` of the members of lists, and which are not padding."""
        slot = np.arange(self.counts[block].max())
        real = slot < self.counts[block, None]
        return np.where(real, self.starts[block, None] + slot, 0), real


def _lists(
    kind: str, images: list, classes: Sequence[str], size: tuple, most: float = np.inf
) -> _Lists:
    """Check boxes, labels and values of each image, and sort them into lists of at most `most`."""
    for image, (boxes, labels, values) in enumerate(images):
        integers = not (labels.is_floating_point() or labels.dtype == torch.bool)
        if boxes.shape != (len(labels), 4) or values.shape != labels.shape or not integers:
            shapes = [list(x.shape) for x in (boxes, labels, values)]
            raise ValueError(
                f"image {image}: boxes, labels (integers) and scores or marks of a {kind} must be"
                f" [N, 4], [N] and [N], not {shapes} with {labels.dtype}"
            )
    image = np.arange(len(images)).repeat([len(labels) for _, labels, _ in images])
    parts = (torch.cat([x.cpu() for x in part]).detach() for part in zip(*images, strict=True))
    boxes, labels, values = (x.numpy().astype(kind) for x, kind in zip(parts, "did", strict=True))
    known = (labels >= 1) & (labels <= len(classes))
    fine = known & (boxes[:, 2:] >= boxes[:, :2]).all(1) & np.isfinite(boxes.sum(1) + values)
    if not fine.all():
        i = int(fine.argmin())
        words = f"label {labels[i]}, but there are {len(classes)} classes, 1 .. {len(classes)}"
        if known[i]:
            words = f"box {boxes[i].tolist()} and value {values[i]}: not finite, or xmax < xmin"
        raise ValueError(f"image {image[i]}: a {kind} has {words}")
    number = image * len(classes) + labels - 1
    counts = np.bincount(number, minlength=len(images) * len(classes))
    order = np.lexsort((-values if kind == "detection" else image, number))  # stable
    place = np.arange(len(order)) - (counts.cumsum() - counts)[number[order]]
    order, counts = order[place < most], np.minimum(counts, most).astype(int)
    boxes = torch.from_numpy(boxes[order])
    areas = area(boxes)
    aside = (areas != areas.clamp(*size)).numpy()
    aside |= (kind != "detection") & (values[order] > 0)
    starts = counts.cumsum() - counts
    return _Lists(boxes, labels[order], values[order], aside, counts, starts)


def _match(
    found: _Lists, truth: _Lists, thresholds: np.ndarray, match: Callable[..., np.ndarray]
) -> np.ndarray:
    """Return the fate ``[T, D]`` of each detection, from `_HIT`, `_SET_ASIDE`, `UNMATCHED` ..."""
    fate = np.full((len(thresholds), len(found.values)), UNMATCHED, dtype=np.int8)
    lists = np.flatnonzero((found.counts > 0) & (truth.counts > 0))
    # neighbours of like length need little padding
    lists = lists[np.lexsort((truth.counts[lists], found.counts[lists]))]
    for block in np.split(lists, range(_BLOCK, len(lists), _BLOCK)) if len(lists) else ():
        (row, is_row), (column, is_column) = found.padded(block), truth.padded(block)
        boxes, objects = found.boxes[row], truth.boxes[column]  # [L, D, 4], [L, G, 4]
        overlap, ignored = iou(boxes, objects).numpy(), truth.aside[column]
        rule = [ignored, thresholds]
        if match is coco_match:
            crowd = truth.values[column] > 0
            share = intersection(boxes, objects) / area(boxes).clamp(min=1e-300)[..., None]
            overlap, rule = np.where(crowd[:, None], share.numpy(), overlap), [*rule, crowd]
        overlap[~(is_row[:, :, None] & is_column[:, None])] = -1  # [L, D, G]
        matched = match(overlap, *rule)  # [L, T, D]
        aside = np.take_along_axis(ignored[:, None], matched.clip(0), axis=2)
        kind = np.where(matched < 0, matched, np.where(aside, _SET_ASIDE, _HIT))
        fate[:, row[is_row]] = kind.swapaxes(0, 1)[:, is_row]
    return fate


def _check(detections, ground_truths, classes, thresholds: np.ndarray, size) -> None:
    if isinstance(classes, str) or len(set(classes)) != len(classes):
        raise ValueError(f"classes must be distinct names, not {classes!r}")
    if not (len(thresholds) and ((thresholds > 0) & (thresholds <= 1)).all()):
        raise ValueError(f"IoU thresholds must be in (0, 1], not {thresholds.tolist()}")
    if not size[0] <= size[1]:
        raise ValueError(f"size must be a range of areas (least, most), not {size}")
    if len(detections) != len(ground_truths):
        raise ValueError(
            f"detections of {len(detections)} images but ground truths of {len(ground_truths)}"
        )
    if not detections:
        raise ValueError("there is no image to evaluate")
