"""The right answers to chapter 13's exercises, and evidence against wrong ones."""

import torch
from torch import Tensor

from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import nms
from ssd_tutorial.presets import SSD300
from ssd_tutorial.priors import num_priors

# Exercise 13.1: what `postprocess` keeps for SSD300 with the 80 classes of COCO.
CLASSES, CANDIDATES, DETECTIONS = 80, 400, 200

# Exercise 13.2: five boxes of one class, all as high as the picture, not sorted.
FIVE_BOXES = torch.tensor([[1.5, 0, 7.5, 1], [0, 0, 6, 1], [3, 0, 9, 1],
                           [9, 0, 15, 1], [11, 0, 17, 1]])  # xyxy  # fmt: skip
FIVE_SCORES = torch.tensor([0.8, 0.9, 0.7, 0.6, 0.5])

# Exercise 13.4: two objects of one class, side by side.
NEIGHBOURS = torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.36, 0.2, 0.76, 0.6]])  # xyxy


def most(classes: int = CLASSES, candidates: int | None = None) -> list[int]:
    """Return the three numbers of exercise 13.1; `candidates` counts all classes together."""
    scores = num_priors(SSD300.priors) * classes
    return [scores, CANDIDATES * classes if candidates is None else candidates, DETECTIONS]


def survivors(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Return which boxes of one class survive, ``[N]`` bool, in the order of `scores`."""
    order = scores.argsort(descending=True, stable=True)
    alive = torch.zeros(len(scores), dtype=torch.bool)
    alive[order] = nms(boxes[order], torch.ones_like(alive), threshold)
    return alive


def five_in_order() -> Tensor:
    """Return a wrong answer to 13.2: the boxes in the order of the list, whatever their scores."""
    return survivors(FIVE_BOXES, torch.arange(5, 0, -1.0), 0.5)


def five_fallen_fight() -> Tensor:
    """Return a wrong answer to 13.2: a box that was removed still suppresses others."""
    order = FIVE_SCORES.argsort(descending=True)
    beaten = (iou(FIVE_BOXES[order], FIVE_BOXES[order]).triu(1) > 0.5).any(dim=0)
    return torch.zeros(5, dtype=torch.bool).scatter(0, order, ~beaten)


def survivors_by_class(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Return what exercise 13.3 asks for, class by class: ``[N]`` bool."""
    alive = torch.zeros(len(scores), dtype=torch.bool)
    for label in labels.unique():
        own = labels == label
        alive[own] = survivors(boxes[own], scores[own], threshold)
    return alive


def shifted_by(boxes, scores, labels, threshold, step: float) -> Tensor:
    """Return a wrong function for 13.3, which moves neighbouring classes `step` apart."""
    return survivors(boxes + labels[:, None] * step, scores, threshold)


def sorted_survivors(boxes, scores, labels, threshold) -> Tensor:
    """Return a wrong answer to 13.3: the mask stays in the order of the scores."""
    order = scores.argsort(descending=True)
    return survivors_by_class(boxes, scores, labels, threshold)[order]


def crowds() -> list[tuple[Tensor, Tensor, Tensor, float]]:
    """Return boxes, scores, labels, thresholds: in fractions, in pixels, left of the picture."""
    random = torch.Generator().manual_seed(13)
    cases = []
    for unit, start in ((1.0, 0.0), (300.0, 0.0), (1.0, -0.4)):
        corner = 0.5 * torch.rand(60, 2, generator=random)
        size = 0.2 + 0.3 * torch.rand(60, 2, generator=random)
        boxes = (torch.cat([corner, corner + size], dim=1) + start) * unit
        scores = torch.rand(60, generator=random)
        cases.append((boxes, scores, torch.randint(1, 5, (60,), generator=random), 0.45))
    # Two classes in one place, and their mirror left of the picture: a shift by the largest
    # coordinate alone puts one class on the other.
    twins = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.5], [-1.4, -1.4, -1.0, -1.0]])
    cases.append((twins, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 2]), 0.45))
    return cases


def not_two_boxes(boxes) -> str | None:
    """Return evidence that an answer is not a pair of boxes inside the picture."""
    if not isinstance(boxes, Tensor) or boxes.shape != (2, 4):
        return f"you give {describe(boxes)}"
    low, high = boxes[:, :2], boxes[:, 2:]
    if not ((boxes >= 0) & (boxes <= 1)).all() or not (low < high).all():
        return f"you give {describe(boxes)}"
    return None


def not_right(boxes) -> str | None:
    """Return evidence that a box is not a detection of its own object."""
    table = iou(boxes.float(), NEIGHBOURS)
    for k in (0, 1):
        own, other = float(table[k, k]), float(table[k, 1 - k])
        if own < 0.5 or own <= other:
            return f"box {k} has IoU {own:.2f} with its own object and {other:.2f} with the other"
    return None


def both_survive(boxes) -> str | None:
    """Return evidence that NMS removes neither of two boxes."""
    overlap = float(iou(boxes.float(), boxes.float())[0, 1])
    return f"the IoU of your boxes is {overlap:.2f}, and both survive" if overlap <= 0.45 else None


def on_one_object(boxes) -> bool:
    """Return whether both boxes lie on the same object: a mistake in 13.4."""
    if not_two_boxes(boxes):
        return False
    best = iou(boxes.float(), NEIGHBOURS).max(dim=1)
    return bool((best.values >= 0.5).all()) and best.indices[0] == best.indices[1]


def soft_nms(
    boxes: Tensor, scores: Tensor, threshold: float, fade=lambda overlap: 1 - overlap, again=True
) -> Tensor:
    """Return what exercise 13.5 asks for: the faded scores ``[N]``.

    Mistakes: another `fade`, or without choosing the best `again` after each round.
    """
    scores = scores.clone()
    first, left = scores.clone(), list(range(len(scores)))
    while left:
        ranked = scores if again else first
        best = max(left, key=lambda i: float(ranked[i]))
        left.remove(best)
        for i in left:
            overlap = float(iou(boxes[[best]], boxes[[i]]))
            if overlap > threshold:
                scores[i] *= fade(overlap)
    return scores


def lists() -> list[tuple[Tensor, Tensor, float]]:
    """Return boxes of one class, scores and thresholds; in the first, fading changes the order."""
    boxes = torch.tensor([[0.0, 0, 6, 1], [1.5, 0, 7.5, 1], [3, 0, 9, 1], [20, 0, 26, 1]])
    random = torch.Generator().manual_seed(5)
    corner = torch.rand(12, 2, generator=random)
    crowd = torch.cat([corner, corner + 1], dim=1)
    return [
        (boxes, torch.tensor([0.9, 0.8, 0.7, 0.6]), 0.45),
        (boxes, torch.tensor([0.5, 0.8, 0.9, 0.6]), 0.3),
        (crowd, torch.rand(12, generator=random), 0.45),
    ]


def letterboxed() -> list[tuple[Tensor, int, int]]:
    """Return cases for exercise 13.6: the whole photograph, a part, one that touches the grey."""
    cases = []
    for width, height in ((640, 480), (300, 400), (300, 300), (1920, 1080)):
        shown = torch.tensor([width, height]) / max(width, height)
        low, high = 0.5 - shown / 2, 0.5 + shown / 2
        whole = torch.cat([low, high])
        part = torch.cat([low + 0.1 * shown, low + 0.6 * shown])
        corner = torch.tensor([0.0, 0.0, 0.5, 0.5])
        cases.append((torch.stack([whole, part, corner]), width, height))
    return cases


def undo_letterbox(
    boxes: Tensor, width: int, height: int, both_sides: bool = False, clipped: bool = True
) -> Tensor:
    """Return what exercise 13.6 asks for: boxes in pixels; flags add or leave out a step."""
    size = torch.tensor([width, height, width, height], dtype=torch.float32)
    border = (size.max() - size) * (1.0 if both_sides else 0.5)
    pixels = boxes * size.max() - border
    return torch.minimum(pixels.clamp(min=0), size) if clipped else pixels


def undo_stretch(boxes: Tensor, width: int, height: int) -> Tensor:
    """Return a wrong answer to 13.6: the way back from a stretched picture."""
    return boxes * torch.tensor([width, height, width, height])
