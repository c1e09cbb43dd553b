"""The right answers to chapter 14's exercises, and evidence against wrong ones."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.evaluate import (
    GroundTruth,
    _area_under,
    _eleven_points,
    coco_match,
    voc_ap,
    voc_match,
)

# The chapter's five detections and four objects: picture, box; detections by falling score.
OBJECTS = ((0, [2, 1, 6, 5]), (0, [7, 6, 9, 9]), (1, [1, 5, 4, 9]), (1, [5, 1, 9, 6]))
FOUND = (
    (0.95, 0, [2, 2, 6, 5]),
    (0.85, 0, [1, 1, 6, 5]),
    (0.70, 1, [5, 1, 9, 3]),
    (0.60, 1, [1, 4, 4, 9]),
    (0.40, 1, [5, 3, 9, 6]),
)
STRICT = 0.8  # exercise 14.1
SHIFT, PASSES = 2, 0.75  # exercise 14.5


def five(threshold: float = STRICT, interpolation: str = "area") -> float:
    """Return the AP of the five detections, by the package."""
    detections, truths = [], []
    for picture in (0, 1):
        rows = [(score, box) for score, place, box in FOUND if place == picture]
        boxes = [box for place, box in OBJECTS if place == picture]
        scores = torch.tensor([score for score, _ in rows])
        found = torch.tensor([box for _, box in rows]).double()
        detections.append(Detections(found, scores, torch.ones(len(rows), dtype=torch.int64)))
        labels, none = torch.ones(len(boxes), dtype=torch.int64), torch.zeros(len(boxes))
        truths.append(GroundTruth(torch.tensor(boxes).double(), labels, none.bool()))
    return voc_ap(
        detections, truths, ["thing"], iou_threshold=threshold, interpolation=interpolation
    ).mean_ap


def five_if_taken() -> float:
    """Make the mistake of calling B a duplicate although A, at 0.75, takes nothing."""
    recall, precision = curve([False, False, False, True, False], len(OBJECTS))
    return _area_under(recall, precision)


def five_of_the_found() -> float:
    """Make the mistake of dividing by the objects that are found."""
    return _area_under(*curve([False, True, False, True, False], 2))


def curve(hits: Sequence[bool], objects: int) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision after each detection."""
    so_far = np.cumsum(np.asarray(hits, dtype=bool))
    return so_far / objects, so_far / np.arange(1, len(so_far) + 1)


def eleven_points(recall: Sequence[float], precision: Sequence[float]) -> float:
    """Return what exercise 14.2 asks for, by the package."""
    return _eleven_points(np.asarray(recall), np.asarray(precision))


def eleven_without_envelope(recall, precision) -> float:
    """Make the mistake of reading the first precision at each recall, and no later, better one."""
    first = [next((p for r, p in zip(recall, precision, strict=True) if r >= k / 10), 0)
             for k in range(11)]  # fmt: skip
    return sum(first) / 11


def ten_points(recall, precision) -> float:
    """Make the mistake of leaving out recall 0."""
    recall, precision = np.asarray(recall), np.asarray(precision)
    best = [precision[recall >= k / 10].max(initial=0) for k in range(1, 11)]
    return float(np.mean(best))


def eleven_of_floats(recall, precision) -> float:
    """Make the mistake of comparing with 0.1 * 3, which is a little more than 0.3."""
    recall, precision = np.asarray(recall), np.asarray(precision)
    return float(np.mean([precision[recall >= 0.1 * k].max(initial=0) for k in range(11)]))


def curves() -> list[tuple[list[float], list[float]]]:
    """Return curves as lists: the chapter's, random ones, one ending at 0.3, a single miss."""
    random = np.random.default_rng(14)
    rows = [([1, 0, 0, 1, 1], 4), *((random.random(n) < 0.6, n) for n in (7, 25)), ([1] * 3, 10)]
    pairs = [curve(hits, objects) for hits, objects in [*rows, ([0], 3)]]
    return [(recall.tolist(), precision.tolist()) for recall, precision in pairs]


def comparisons() -> list[tuple[np.ndarray, ...]]:
    """Return found by A, found by B, objects ``[P]`` and draws ``[R, P]``, at random."""
    cases = []
    for pictures, samples, seed in ((40, 200, 0), (12, 300, 1)):
        random = np.random.default_rng(seed)
        objects = random.integers(1, 9, pictures)
        hard = random.random(pictures)  # for both
        found_a, found_b = (random.binomial(objects, 1 - share * hard) for share in (0.5, 0.6))
        equal = np.full(pictures, 1 / pictures)
        draws = random.multinomial(pictures, equal, size=samples)
        cases.append((found_a, found_b, objects, draws))
    return cases


def difference(found_a, found_b, objects, draws, ends=(2.5, 97.5)) -> np.ndarray:
    """Return what exercise 14.3 asks for: the ends of the interval of the paired difference."""
    return np.percentile(draws @ (found_a - found_b) / (draws @ objects), ends)


def of_two_intervals(found_a, found_b, objects, draws) -> np.ndarray:
    """Make the mistake of subtracting the ends of two intervals."""
    a, b = (np.percentile(draws @ found / (draws @ objects), [2.5, 97.5])
            for found in (found_a, found_b))  # fmt: skip
    return a - b


def of_other_samples(found_a, found_b, objects, draws) -> np.ndarray:
    """Make the mistake of drawing other pictures for B: here, A's samples in reverse."""
    other = draws[::-1]
    a, b = draws @ found_a / (draws @ objects), other @ found_b / (other @ objects)
    return np.percentile(a - b, [2.5, 97.5])


def of_mean_recalls(found_a, found_b, objects, draws) -> np.ndarray:
    """Make the mistake of a mean over pictures, where recall is a ratio of sums."""
    gained = draws @ ((found_a - found_b) / objects) / draws.sum(axis=1)
    return np.percentile(gained, [2.5, 97.5])


def coco_verdicts(overlap: Tensor, threshold: float) -> list[bool]:
    """Return what exercise 14.4 asks for, by the package."""
    nothing_difficult = np.zeros(overlap.shape[1], dtype=bool)
    no_crowd = nothing_difficult
    matched = coco_match(overlap.numpy(), nothing_difficult, np.array([threshold]), no_crowd)
    return (matched[0] >= 0).tolist()


def voc_verdicts(overlap: Tensor, threshold: float) -> list[bool]:
    """Make the mistake of keeping to VOC's rule."""
    nothing_difficult = np.zeros(overlap.shape[1], dtype=bool)
    matched = voc_match(overlap.numpy(), nothing_difficult, np.array([threshold]))
    return (matched[0] >= 0).tolist()


def first_that_fits(overlap: Tensor, threshold: float) -> list[bool]:
    """Make the mistake of taking the first free object that overlaps enough, not the best."""
    taken, hits = set(), []
    for row in overlap.tolist():
        fits = [g for g, value in enumerate(row) if value >= threshold and g not in taken]
        taken |= set(fits[:1])
        hits.append(bool(fits))
    return hits


def nobody_takes(overlap: Tensor, threshold: float) -> list[bool]:
    """Make the mistake of never marking an object as taken."""
    return (overlap >= threshold).any(dim=1).tolist()


def tables() -> list[tuple[Tensor, float]]:
    """Return IoUs ``[D, G]`` without ties, and thresholds; the last has an IoU at its threshold."""
    random = torch.Generator().manual_seed(14)
    neighbours = torch.tensor([[0.9, 0.6], [0.8, 0.55], [0.7, 0.2]]).double()
    choice = torch.tensor([[0.6, 0.9], [0.3, 0.8], [0.7, 0.4]]).double()
    large = torch.rand(12, 5, generator=random).double()
    edge = torch.tensor([[0.5, 0.1], [0.25, 0.4]]).double()
    return [(neighbours, 0.5), (choice, 0.5), (large, 0.5), (large, 0.85), (edge, 0.5)]


def smallest_side(diagonal: bool = True) -> int:
    """Return the least side in exercise 14.5; without `diagonal`, shifted only to the right."""
    for side in range(SHIFT + 1, 1000):
        box = torch.tensor([[0, 0, side, side]]).double()
        moved = box + torch.tensor([SHIFT, SHIFT if diagonal else 0] * 2)
        if iou(box, moved).item() >= PASSES:
            return side
    raise AssertionError("no side passes")


def smallest_side_by_share() -> int:
    """Make the mistake of asking for three quarters of the object, without the union."""
    return next(s for s in range(SHIFT + 1, 1000) if (1 - SHIFT / s) ** 2 >= PASSES)
