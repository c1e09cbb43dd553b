"""The right answers to chapter 16's exercises, and evidence against wrong ones."""

from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ssd_book.checks.data import scene_targets
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import area, cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes, make_priors

YOLO_LINE, PICTURE = "2 0.5 0.4 0.2 0.3", (640, 480)  # exercise 16.1
PHOTOGRAPH = (1920, 1080)  # exercise 16.2
LARGE = 0.05  # exercise 16.3: least area of the object, as a share of the picture
REACHED = 0.5

_PRESET = "caffe300_voc"


def voc_numbers(shift=(1, 1, 0, 0), corner: bool = False, size=PICTURE) -> list[float]:
    """Return xmin, ymin, xmax, ymax of the line in exercise 16.1; arguments add a mistake."""
    width, height = size
    box = torch.tensor([float(text) for text in YOLO_LINE.split()[1:]], dtype=torch.float64)
    edges = torch.cat([box[:2], box[:2] + box[2:]]) if corner else cxcywh_to_xyxy(box)
    scaled = edges * torch.tensor([width, height, width, height])
    return (scaled + torch.tensor(shift)).round().tolist()


def voc_as_coco() -> list[float]:
    """Make the mistake of writing corner and size where VOC has two corners."""
    x1, y1, x2, y2 = voc_numbers()
    return [x1, y1, x2 - x1 + 1, y2 - y1 + 1]


def smallest_side(share: float = REACHED**0.5) -> list[float]:
    """Return width and height in 16.2; `share` is relative to the side of the smallest prior."""
    least = float(cell_shapes(get_preset(_PRESET), 0).prod(dim=1).min()) ** 0.5
    return [share * least * side for side in PHOTOGRAPH]


def smallest_side_of_the_input() -> list[float]:
    """Make the mistake of giving pixels of the network's input in 16.2."""
    side = smallest_side()[0] / PHOTOGRAPH[0] * get_preset(_PRESET).image_size
    return [side, side]


def best_iou(box: Tensor) -> float:
    """Return the IoU of a box ``[4]`` xyxy with the prior that fits it best."""
    return float(iou(box[None].float(), cxcywh_to_xyxy(make_priors(get_preset(_PRESET)))).max())


def not_a_box(box) -> str | None:
    """Return evidence that an answer is not a box inside the picture."""
    if not isinstance(box, Tensor) or box.shape != (4,):
        return f"you give {describe(box)}"
    low, high = box[:2], box[2:]
    inside = bool((box >= 0).all() and (box <= 1).all() and (high > low).all())
    return None if inside else f"you give {describe(box)}"


def not_large(box) -> str | None:
    """Return evidence that a box covers too little of the picture."""
    covers = float(area(box[None])[0])
    return None if covers >= LARGE - 1e-6 else f"yours covers {100 * covers:.1f} %"


def is_reached(box) -> str | None:
    """Return evidence that a prior has an IoU of 0.5 with a box."""
    best = best_iou(box)
    return f"the best prior has IoU {best:.2f} with yours" if best >= REACHED else None


def is_square_like(box) -> bool:
    """Return whether a large box is too square to escape the priors: a mistake in 16.3."""
    if not_a_box(box) or not_large(box):
        return False
    width, height = xyxy_to_cxcywh(box.float())[2:].tolist()
    return max(width / height, height / width) <= 3


def near_cases() -> list[tuple[Tensor, Tensor, float]]:
    """Return boxes, labels, threshold: by hand, none, and scenes with some boxes labelled twice."""
    a, b = [0.1, 0.1, 0.5, 0.5], [0.1, 0.1, 0.5, 0.48]
    by_hand = torch.tensor([a, [0.6, 0.6, 0.9, 0.9], b, a])
    cases = [
        (by_hand, torch.tensor([1, 1, 1, 2]), 0.8),
        (by_hand[:2], torch.tensor([3, 3]), 0.8),
    ]
    targets = scene_targets(6)
    for boxes, labels, real in zip(targets.boxes, targets.labels, targets.real, strict=True):
        boxes, labels = boxes[real], labels[real]
        moved = (boxes + 0.005).clamp(max=1)
        cases.append((torch.cat([boxes, moved]), torch.cat([labels, labels.flip(0)]), 0.5))
    return cases


def near_pairs(boxes: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """Return what exercise 16.4 asks for."""
    return wrong_pairs(boxes, labels, threshold, own=False, both=False, any_class=False)


def wrong_pairs(boxes, labels, threshold, *, own=False, both=False, any_class=False) -> Tensor:
    """Return pairs with one of three mistakes: a box with itself, each pair twice, any class."""
    near = iou(boxes, boxes) >= threshold
    if not any_class:
        near &= labels[:, None] == labels
    if both:
        near.fill_diagonal_(False)
        return near.nonzero()
    return near.triu(diagonal=0 if own else 1).nonzero()


def score_cases() -> list[tuple[Tensor, Tensor, float]]:
    """Return scores, whether each is right, and the least precision; not all are sorted."""
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    right = torch.tensor([True, False, True, True, False, False])
    random = torch.Generator().manual_seed(16)
    many = torch.rand(80, generator=random)
    hits = torch.rand(80, generator=random) < 0.4 + 0.6 * many
    hits[many.argmax()] = True  # so that some threshold is precise enough
    return [(scores, right, 0.75), (scores.flip(0), right.flip(0), 0.6), (many, hits, 0.9)]


def precise_threshold(scores: Tensor, right: Tensor, least: float) -> float:
    """Return what exercise 16.5 asks for: the lowest score that keeps the precision."""
    good = [float(t) for t in scores if _precision(scores, right, t) >= least]
    return min(good)


def first_fall(scores: Tensor, right: Tensor, least: float) -> float:
    """Return a wrong answer to 16.5: the score where the precision first falls short."""
    threshold = float(scores.max())
    for t in scores.sort(descending=True).values:
        if _precision(scores, right, t) < least:
            break
        threshold = float(t)
    return threshold


def highest_precise(scores: Tensor, right: Tensor, least: float) -> float:
    """Return a wrong answer to 16.5: the highest score that is precise enough."""
    return max(float(t) for t in scores if _precision(scores, right, t) >= least)


def _precision(scores: Tensor, right: Tensor, threshold) -> float:
    keep = scores >= threshold
    return float(right[keep].double().mean())


def no_score(function) -> str | None:
    """Return evidence that a function does not give a number between 0 and 1."""
    for case in score_cases():
        if not 0 <= float(given := function(*case)) <= 1:
            return f"for {len(case[0])} detections your function gives {describe(given)}"
    return None


def not_precise(function) -> str | None:
    """Return evidence that what a function keeps is not precise enough."""
    for scores, right, least in score_cases():
        given = float(function(scores, right, least))
        keep = scores >= given - 1e-6
        precision = float(right[keep].double().mean()) if keep.any() else 0.0
        if precision < least - 1e-9:
            return (
                f"you keep {int(keep.sum())} of {len(scores)} detections, and of those"
                f" {100 * precision:.0f} % are right where {100 * least:.0f} % were asked for"
            )
    return None


def not_the_lowest(function) -> str | None:
    """Return evidence that a lower threshold is precise enough, too."""
    for scores, right, least in score_cases():
        keep = int((scores >= float(function(scores, right, least)) - 1e-6).sum())
        most = int((scores >= precise_threshold(scores, right, least)).sum())
        if keep < most:
            return f"you keep {keep} of {len(scores)} detections; more can be kept"
    return None


def tile_cases() -> list[tuple[int, int, int]]:
    """Return length, side and overlap: with and without a remainder, small, barely too large."""
    return [(900, 300, 100), (1920, 300, 60), (1080, 512, 128), (301, 300, 0), (300, 300, 50),
            (200, 300, 50), (4000, 640, 0)]  # fmt: skip


def _tiles(function, length: int, side: int, overlap: int) -> tuple[list[int], str]:
    """Return a reader's starts as whole numbers, and the call in words."""
    given = function(length, side, overlap)
    where = f"for length {length}, side {side}, overlap {overlap} you give {describe(given)}"
    return [int(start) for start in given], where


def does_not_cover(function) -> str | None:
    """Return evidence that tiles leave something out, or reach beyond the photograph."""
    for length, side, overlap in tile_cases():
        starts, where = _tiles(function, length, side, overlap)
        ends = [start + side for start in starts]
        gap = any(start > end for start, end in zip(starts[1:], ends, strict=False))
        if not starts or starts[0] != 0 or gap or ends[-1] != max(length, side):
            return where
    return None


def overlaps_too_little(function) -> str | None:
    """Return evidence of neighbours that overlap by less than they must."""
    for length, side, overlap in tile_cases():
        starts, where = _tiles(function, length, side, overlap)
        if any(b - a > side - overlap for a, b in pairwise(starts)):
            return where
    return None


def too_many_tiles(function) -> str | None:
    """Return evidence of more tiles than are needed."""
    for length, side, overlap in tile_cases():
        starts, where = _tiles(function, length, side, overlap)
        if len(starts) > 1 + max(0, -(-(length - side) // (side - overlap))):
            return where
    return None


def photographs() -> list[tuple[np.ndarray]]:
    """Return pictures ``[H, W, 3]``: large, not square, a small one that is enlarged."""
    random = np.random.default_rng(16)
    sizes = ((480, 640), (900, 300), (120, 200))
    return [(random.integers(0, 256, (*size, 3), dtype=np.uint8),) for size in sizes]


def resized(
    picture: np.ndarray, side: int = 300, antialias: bool = True, nearest: bool = False
) -> np.ndarray:
    """Return what exercise 16.7 asks for, by torch; arguments make a mistake of it."""
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    if nearest:
        return interpolate(image, (side, side), mode="nearest-exact").to(torch.uint8).numpy()
    square = interpolate(image, (side, side), mode="bilinear", antialias=antialias)
    return square.round().to(torch.uint8).numpy()


def not_an_input(function) -> str | None:
    """Return evidence that the result is not what an exported file takes."""
    for (picture,) in photographs():
        given = function(picture)
        if not isinstance(given, np.ndarray):
            return f"you give {describe(given)}"
        if given.shape != (1, 3, 300, 300) or given.dtype != np.uint8:
            return f"you give an array {list(given.shape)} of {given.dtype}"
    return None


def not_the_resize(function) -> str | None:
    """Return evidence that the result differs from the resize that `detect` and training use."""
    for (picture,) in photographs():
        far = np.abs(function(picture).astype(int) - resized(picture).astype(int)).max()
        if far > 2:
            height, width, _ = picture.shape
            return f"for a picture of {width} x {height} yours is off by up to {far} levels"
    return None
