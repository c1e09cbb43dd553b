"""The right answers to chapter 4's exercises, and evidence against wrong ones."""

import torch
from torch import Tensor

from ssd_book.checks.reader import as_tensor, describe
from ssd_tutorial.boxes import VARIANCES, area, cxcywh_to_xyxy, encode, iou, xyxy_to_cxcywh

# Exercise 4.5, cxcywh.
PRIOR = torch.tensor([0.5, 0.5, 0.2, 0.2])
LEAST_IOU, LEAST_SHIFT = 0.5, 4.5

# Exercise 4.1, xyxy.
TWO_BOXES = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.3, 0.3, 0.7, 0.7]])


def parts() -> tuple[float, float, float]:
    """Return the overlap of the two boxes, and their areas."""
    a, b = TWO_BOXES
    overlap = area(torch.cat([torch.maximum(a, b)[:2], torch.minimum(a, b)[2:]]))
    return float(overlap), float(area(a)), float(area(b))


def random_boxes(count: int, seed: int) -> Tensor:
    """Return random boxes ``[count, 4]`` cxcywh, of positive size."""
    random = torch.rand(count, 4, generator=torch.Generator().manual_seed(seed))
    return random * torch.tensor([0.6, 0.6, 0.4, 0.4]) + torch.tensor([0.2, 0.2, 0.1, 0.1])


def iou_cases() -> list[tuple[Tensor, Tensor]]:
    """Return boxes to compare: by hand, apart, random, and large."""
    a, b = cxcywh_to_xyxy(random_boxes(3, 1)), cxcywh_to_xyxy(random_boxes(5, 2))
    diagonal = torch.tensor([[0.0, 0.0, 0.2, 0.2], [0.5, 0.5, 0.9, 0.8]])
    return [(TWO_BOXES[:1], TWO_BOXES), (diagonal[:1], diagonal), (a, b), (300 * b, 300 * a)]


def apart(function) -> str | None:
    """Return evidence that boxes which don't touch overlap."""
    for first, second in (([0, 0, 0.2, 0.2], [0.5, 0.5, 0.9, 0.8]), ([0, 0, 1, 1], [2, 0, 3, 1])):
        a, b = torch.tensor([first]).float(), torch.tensor([second]).float()
        if float(given := function(a, b)) != 0:
            return f"for {describe(a)} and {describe(b)} your function gives {describe(given)}"
    return None


def wrong_iou(a: Tensor, b: Tensor, *, clamp=True, once=True, pixel=0.0) -> Tensor:
    """Return IoUs with one of three mistakes: negative sides, double counting, inclusive pixels."""
    low, high = torch.maximum(a[:, None], b)[..., :2], torch.minimum(a[:, None], b)[..., 2:]
    sides = high - low + pixel
    overlap = (sides.clamp(min=0) if clamp else sides).prod(-1)
    areas = [(box[:, 2:] - box[:, :2] + pixel).prod(-1) for box in (a, b)]
    return overlap / (areas[0][:, None] + areas[1] - once * overlap)


def encode_cases() -> list[tuple[Tensor, Tensor]]:
    """Return pairs of a box and a prior; in the first they are equal."""
    prior = torch.tensor([0.5, 0.5, 0.2, 0.4])
    moved = torch.tensor([0.52, 0.46, 0.3, 0.3])
    boxes, priors = random_boxes(8, 3), random_boxes(8, 4)
    return [(prior, prior), (moved, prior), *zip(boxes, priors, strict=True)]


def offsets(box: Tensor, prior: Tensor) -> Tensor:
    """Return what exercise 4.3 asks for."""
    return encode(cxcywh_to_xyxy(box), prior)


def wrong_offsets(box: Tensor, prior: Tensor, *, unit=None, log=torch.log, power=-1) -> Tensor:
    """Return offsets with one of three mistakes: unit, logarithm, power of the variances."""
    unit = prior if unit is None else unit
    shift = (box[:2] - prior[:2]) / unit[2:]
    growth = log(box[2:] / prior[2:])
    return torch.cat([shift, growth]) * torch.tensor(VARIANCES) ** power


def half_iou_shift() -> float:
    """Return the shift, in widths, at which a square has IoU 0.5 with itself, by bisection."""
    low, high, square = 0.0, 1.0, torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64)
    for _ in range(40):
        shift = (low + high) / 2
        moved = square + torch.tensor([shift, 0, shift, 0])
        low, high = (shift, high) if float(iou(square, moved)) > 0.5 else (low, shift)
    return low


def not_an_object(answer) -> str | None:
    """Return evidence that an answer is not a box cxcywh of positive size."""
    box = as_tensor(answer)
    right = box.shape == (4,) and bool(box.isfinite().all() and (box[2:] > 0).all())
    return None if right else f"you give {describe(answer)}"


def _overlap(box: Tensor) -> float:
    """Return the IoU of a box cxcywh with the prior of exercise 4.5."""
    return float(iou(cxcywh_to_xyxy(box)[None], cxcywh_to_xyxy(PRIOR)[None]))


def too_little_overlap(answer) -> str | None:
    """Return evidence that a box overlaps the prior by too little."""
    value = _overlap(as_tensor(answer))
    return None if value >= LEAST_IOU - 1e-5 else f"yours has {value:.2f}"


def too_short_a_shift(answer) -> str | None:
    """Return evidence that a box is not far enough to the right of the prior."""
    first = float(offsets(as_tensor(answer), PRIOR)[0])
    return None if first >= LEAST_SHIFT - 1e-4 else f"yours is {first:.2f}"


def is_given_as_corners(answer) -> bool:
    """Return whether an answer is right if it is read as xyxy: a mistake in 4.5."""
    box = as_tensor(answer)
    if box.shape != (4,) or not_an_object(box := xyxy_to_cxcywh(box)):
        return False
    return not (too_little_overlap(box) or too_short_a_shift(box))


def is_of_the_priors_size(answer) -> bool:
    """Return whether a box is the prior, moved: a mistake in 4.5."""
    return not not_an_object(answer) and bool(
        ((as_tensor(answer)[2:] - PRIOR[2:]).abs() < 1e-3).all()
    )
