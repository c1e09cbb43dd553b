"""The right answers to chapter 11's exercises, and evidence against wrong ones."""

import math
from functools import cache

import torch
from torch import Tensor

from ssd_book.checks.reader import as_tensor, describe
from ssd_tutorial.augment import CROP_POLICIES, Expand, caffe_trials
from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import area, iou

OBJECT_SIDE = 0.2  # exercise 11.1: of the picture's side
OBJECT = (0.3, 0.4, 0.7, 0.6)  # exercise 11.2: xyxy, fractions
HALF = 0.5
RULE = CROP_POLICIES["caffe"]


@cache
def highest_iou() -> float:
    """Return the IoU of a square object with the smallest crop around it."""
    draws = torch.linspace(0, 0.999, 201)
    smallest = torch.stack([torch.zeros(201), torch.full((201,), 1 / 3), draws, draws], dim=1)
    middle, half = 0.5, OBJECT_SIDE / 2
    box = torch.tensor([[middle - half, middle - half, middle + half, middle + half]])
    return float(caffe_trials(RULE, box * 1000, 1000, 1000, smallest).best_iou.max())


def overlap(crop: Tensor) -> tuple[float, float]:
    """Return the IoU of a crop ``[4]`` with the object of 11.2, and the share of it shown."""
    box, crop = torch.tensor([OBJECT]), crop.float()[None]
    inner = area(torch.cat([crop[:, :2].maximum(box[:, :2]), crop[:, 2:].minimum(box[:, 2:])], 1))
    return float(iou(crop, box)), float(inner / area(box))


def not_two_crops(crops) -> str | None:
    """Return evidence that an answer is not a pair of crops inside the picture."""
    given = as_tensor(crops)
    if given.shape != (2, 4):
        return f"you give {describe(crops)}"
    inside = bool(((given >= 0) & (given <= 1)).all())
    if not inside or not bool((given[:, 2:] > given[:, :2]).all()):
        return f"you give {describe(crops)}: not xmin < xmax and ymin < ymax, all from 0 to 1"
    return None


def first_is_no_success(crops) -> str | None:
    """Return evidence that the first crop is not accepted, or hides too little."""
    found, shown = overlap(as_tensor(crops)[0])
    if found >= HALF and shown <= 0.6:
        return None
    return f"your first crop has IoU {found:.2f} and shows {shown:.0%} of the object"


def second_is_no_failure(crops) -> str | None:
    """Return evidence that the second crop is accepted, or does not show the whole object."""
    found, shown = overlap(as_tensor(crops)[1])
    if found < HALF and shown > 0.999:
        return None
    return f"your second crop has IoU {found:.2f} and shows {shown:.0%} of the object"


def other_way_round(crops) -> bool:
    """Return whether two crops are right but for their order: a mistake in 11.2."""
    if not_two_crops(crops):
        return False
    flipped = as_tensor(crops).flip(0)
    return first_is_no_success(flipped) is None and second_is_no_failure(flipped) is None


def shape_cases() -> list[tuple[float, float]]:
    """Scale and aspect ratio: free ones, and two that must be bent."""
    return [(0.5, 1.0), (0.4, 2.0), (0.6, 0.5), (0.9, 2.0), (0.8, 0.5), (1.0, 1.7)]


def crop_sides(scale: float, aspect: float) -> list[float]:
    """Return what exercise 11.3 asks for, by the package."""
    u = [(x - low) / (high - low) for x, (low, high) in
         zip((scale, aspect), (RULE.scales, RULE.aspects), strict=True)]  # fmt: skip
    crop = caffe_trials(RULE, torch.zeros(0, 4), 1, 1, torch.tensor([*u, 0.0, 0.0])).crops
    return (crop[2:] - crop[:2]).tolist()


def wrong_sides(scale, aspect, *, root=math.sqrt, bent=True, squared=True) -> list[float]:
    """Return sides with one of three mistakes: no root, no limit, a scale taken for the area."""
    side = scale if squared else math.sqrt(scale)
    if bent:
        aspect = min(max(aspect, side**2), 1 / side**2)
    return [side * root(aspect), side / root(aspect)]


def clipped_sides(scale, aspect) -> list[float]:
    """Return a wrong answer to 11.3: a side beyond the picture is cut, which changes the area."""
    return [min(1.0, side) for side in wrong_sides(scale, aspect, bent=False)]


def crop_cases() -> list[tuple[Tensor, Tensor]]:
    """Return boxes ``[N, 4]`` and a crop ``[4]`` in pixels: by hand, random, without objects."""
    by_hand = torch.tensor(
        [[10.0, 10, 50, 50], [0, 0, 40, 20], [70, 30, 90, 60], [30, 30, 100, 80]]
    )
    random = torch.Generator().manual_seed(11)
    corner = torch.rand(12, 2, generator=random) * 80
    many = torch.cat([corner, corner + 5 + torch.rand(12, 2, generator=random) * 60], dim=1)
    first, second = torch.tensor([25.0, 8, 85, 70]), torch.tensor([40.0, 40, 90, 100])
    return [(by_hand, first), (many, second), (by_hand[:0], first)]


def boxes_after_crop(boxes: Tensor, crop: Tensor) -> Tensor:
    """Return what exercise 11.4 asks for, by the package's own rule for centres."""
    return wrong_boxes(boxes, crop, centres_inside(boxes, crop))


def wrong_boxes(boxes: Tensor, crop: Tensor, keep: Tensor, *, cut=True, moved=True) -> Tensor:
    """Return boxes after a crop, some wrongly kept, not clipped, or not shifted."""
    kept = boxes[keep]
    if cut:
        kept = torch.cat([kept[:, :2].maximum(crop[:2]), kept[:, 2:].minimum(crop[2:])], dim=1)
    return kept - crop[:2].repeat(2) if moved else kept


def touching(boxes: Tensor, crop: Tensor) -> Tensor:
    """Return a wrong answer to 11.4: which boxes overlap the crop at all."""
    return iou(boxes, crop[None])[:, 0] > 0


def whole(boxes: Tensor, crop: Tensor) -> Tensor:
    """Return a wrong answer to 11.4: which boxes lie entirely inside."""
    return ((boxes[:, :2] >= crop[:2]) & (boxes[:, 2:] <= crop[2:])).all(dim=1)


@cache
def mean_area(share: float | None = None) -> float:
    """Return the mean factor by which `Expand` changes an object's share, over all pictures."""
    expand = Expand()
    share = expand.share if share is None else share
    ratios = 1 + (torch.arange(10_000).double() + 0.5) / 10_000 * (expand.ratio - 1)
    return float(1 - share + share * (ratios**-2).mean())


def of_the_mean_ratio(squared: bool = True) -> float:
    """Return a wrong answer to 11.5: the mean ratio, 2.5, applied to half of the pictures."""
    expand = Expand()
    factor = 2 / (1 + expand.ratio)
    return 1 - expand.share + expand.share * (factor**2 if squared else factor)
