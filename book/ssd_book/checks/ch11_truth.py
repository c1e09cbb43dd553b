"""The right answers to chapter 11's exercises, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor
from torchvision import tv_tensors

from ssd_book.checks.reader import as_tensor, describe
from ssd_tutorial.augment import CROP_POLICIES, Expand, IoUCrop, caffe_trials
from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import area, iou

OBJECT_SIDE = 0.2  # exercise 11.1: of the picture's side
OBJECT = (0.2, 0.3, 0.8, 0.7)  # exercise 11.2: xyxy, fractions
HALF = 0.5
TOO_SMALL, SMALL, LARGE = 0.28, 0.36, 0.25  # exercise 11.3: below 0.1, below 0.15, above 0.3
RULE = CROP_POLICIES["caffe"]


@cache
def highest_iou() -> float:
    """Return the IoU of a square object with the smallest crop around it."""
    draws = torch.linspace(0, 0.999, 201)
    smallest = torch.stack([torch.zeros(201), torch.full((201,), 1 / 3), draws, draws], dim=1)
    middle, half = 0.5, OBJECT_SIDE / 2
    box = torch.tensor([[middle - half, middle - half, middle + half, middle + half]])
    return float(caffe_trials(RULE, box * 1000, 1000, 1000, smallest).best_iou.max())


def out_of_reach(reached: float | None = None) -> list[float]:
    """Return what exercise 11.1 asks for, or the same with a wrong IoU."""
    reached = highest_iou() if reached is None else reached
    return [reached, sum(minimum > reached for minimum in RULE.min_ious if minimum is not None)]


def overlap(crop: Tensor) -> tuple[float, float]:
    """Return the IoU of a crop ``[4]`` with the object of 11.2, and the share of it shown."""
    box, crop = torch.tensor([OBJECT]), crop.float()[None]
    inner = area(torch.cat([crop[:, :2].maximum(box[:, :2]), crop[:, 2:].minimum(box[:, 2:])], 1))
    return float(iou(crop, box)), float(inner / area(box))


def not_two_crops(crops) -> str | None:
    """Return evidence that an answer is not a pair of crops that the rule can draw."""
    given = as_tensor(crops)
    if given.shape != (2, 4):
        return f"you give {describe(crops)}"
    inside = bool(((given >= 0) & (given <= 1)).all())
    if not inside or not bool((given[:, 2:] > given[:, :2]).all()):
        return f"you give {describe(crops)}: not xmin < xmax and ymin < ymax, all from 0 to 1"
    areas = area(given.double())
    if bool((areas < RULE.scales[0] ** 2 - 1e-6).any()):
        return f"your crops have areas of {describe([round(a, 3) for a in areas.tolist()])}"
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


@cache
def pictures() -> list[Tensor]:
    """Return boxes ``[3, 4]`` of 100 pictures of 300 x 300: sides even in their logarithm."""
    random = torch.Generator().manual_seed(113)
    side = 0.06 * (0.5 / 0.06) ** torch.rand(100, 3, 1, generator=random)
    corner = torch.rand(100, 3, 2, generator=random) * (1 - side)
    return list(300 * torch.cat([corner, corner + side], dim=2))


@cache
def sizes_seen(expand: float, crop_prob: float) -> tuple[float, float, float]:
    """Return the shares of objects below 0.1, below 0.15 and above 0.3 of the picture's side."""
    operations = [Expand(expand)] if expand else []
    operations += [IoUCrop("caffe", crop_prob)] if crop_prob else []
    blank, labels = torch.zeros(3, 300, 300, dtype=torch.uint8), torch.ones(3, dtype=torch.int64)
    seen = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for each in pictures():
            boxes = tv_tensors.BoundingBoxes(each, format="XYXY", canvas_size=(300, 300))
            item = (tv_tensors.Image(blank), {"boxes": boxes, "labels": labels})
            for operation in operations:
                item = operation(*item)
            height, width = item[0].shape[-2:]
            areas = area(item[1]["boxes"].as_subclass(Tensor))
            seen.append((areas / (height * width)).sqrt())
    sides = torch.cat(seen)
    return tuple(float(part.double().mean()) for part in (sides < 0.1, sides < 0.15, sides > 0.3))


def not_settings(answer) -> str | None:
    """Return evidence that an answer to 11.3 is not five settings within their ranges."""
    switches = ("horizontal_flip", "vertical_flip", "distort")
    if not isinstance(answer, dict) or set(answer) != {*switches, "expand", "crop_prob"}:
        return f"you give {describe(answer)}"
    if not all(isinstance(answer[name], bool) for name in switches):
        return f"{', '.join(switches)} must be True or False: you give {describe(answer)}"
    expand, crop_prob = (float(answer[name]) for name in ("expand", "crop_prob"))
    if not (expand == 0 or 1 <= expand <= 4) or not 0 <= crop_prob <= 1:
        return f"you give expand {expand:g} and crop_prob {crop_prob:g}"
    return None


def changes_labels(answer: dict) -> str | None:
    """Return evidence that an operation makes a label of 11.3 wrong."""
    wrong = {
        "horizontal_flip": "an arrow to the left becomes one to the right",
        "vertical_flip": "lights hang upside down, which no street shows",
        "distort": "a hue turned by 36 degrees makes amber of red",
    }
    for name, why in wrong.items():
        if answer[name]:
            return f"with {name}, {why}"
    return None


def _share(answer: dict, which: int) -> float:
    return sizes_seen(float(answer["expand"]), float(answer["crop_prob"]))[which]


def too_many_too_small(answer: dict) -> str | None:
    """Return evidence that too many objects are smaller than the smallest prior."""
    share = _share(answer, 0)
    return None if share <= TOO_SMALL else f"{share:.0%} of the objects are smaller than 0.1"


def too_few_small(answer: dict) -> str | None:
    """Return evidence that too few small objects are left."""
    share = _share(answer, 1)
    return None if share >= SMALL else f"{share:.0%} of the objects are smaller than 0.15"


def too_few_large(answer: dict) -> str | None:
    """Return evidence that too few objects are large."""
    share = _share(answer, 2)
    return None if share >= LARGE else f"{share:.0%} of the objects are larger than 0.3"


def is_all_of_ssds(answer: dict) -> bool:
    """Return whether an answer to 11.3 is SSD's augmentation as it is."""
    return bool(
        answer["horizontal_flip"]
        and answer["distort"]
        and (answer["expand"], answer["crop_prob"]) == (4, 1)
    )


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
