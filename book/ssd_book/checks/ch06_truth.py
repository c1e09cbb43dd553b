"""The right answers to chapter 6's exercises, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor

from ssd_book.checks.data import scene_boxes
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.presets import FeatureMap, ScaleRule, get_preset
from ssd_tutorial.priors import cell_shapes
from ssd_tutorial.scales import compute_scales

SLIMMEST = 8.0  # exercise 6.3: width over height of the widest objects
SCENES, TALL = 30, 1.5  # exercise 6.4: pictures, and from which h / w on an object is tall
SHARES = (1.0, 1 / 2, 1 / 3)  # its aspect ratios


def shapes_of(s: float, s_next: float, ratios: tuple, order: str = "caffe") -> Tensor:
    """Return `cell_shapes` of a preset whose first map has scale s and these ratios."""
    feature_map = FeatureMap("map", 1, 1, tuple(ratios))
    rule = ScaleRule(s, s_next)
    base = get_preset("caffe300_voc")
    return cell_shapes(
        base.vary(name="other maps", maps=(feature_map,) * 2, rule=rule, order=order), 0
    )


def wide_box() -> Tensor:
    """Return what exercise 6.1 asks for: width and height at scale 0.37 and ratio 3."""
    return shapes_of(0.37, 0.37, (3.0,))[2]


def shape_cases() -> list[tuple[float, float, tuple]]:
    """Return scales and ratios of the maps of SSD300, and some of our own."""
    preset = get_preset("caffe300_voc")
    s = compute_scales(preset)
    cases = [(s[k], s[k + 1], m.ratios) for k, m in enumerate(preset.maps)]
    return [*cases, (0.3, 0.45, (1.5, 2.0, 4.0))]


def no_root(s: float, s_next: float, ratios: tuple) -> Tensor:
    """Return a wrong answer to 6.2: sides are stretched by the whole ratio."""
    squares = shapes_of(s, s_next, ())
    both = [r for ratio in ratios for r in (ratio, 1 / ratio)]
    return torch.cat([squares, torch.tensor([[s * r, s / r] for r in both])])


def large(s: float, s_next: float, ratios: tuple, side: float) -> Tensor:
    """Return a wrong answer to 6.2: the large square has another side."""
    shapes = shapes_of(s, s_next, ratios)
    shapes[1] = side
    return shapes


def other_area(function) -> str | None:
    """Return evidence that a ratio's box has a different area than the small square."""
    for s, s_next, ratios in shape_cases():
        shapes = function(s, s_next, ratios)
        others = torch.cat([shapes[:1], shapes[2:]])
        areas = others.prod(dim=-1)
        if ((areas - areas[0]).abs() > 1e-5).any():
            return f"for s = {describe(s)}, ratios {ratios} your areas are {describe(areas)}"
    return None


def ratio_unlike(function) -> str | None:
    """Return evidence that a width over a height is not one of the ratios asked for."""
    for s, s_next, ratios in shape_cases():
        given = function(s, s_next, ratios)
        is_ratio = (given[:, 0] / given[:, 1]).tolist()
        wanted = sorted([1, 1, *ratios, *(1 / r for r in ratios)])
        if max(abs(a - b) for a, b in zip(sorted(is_ratio), wanted, strict=True)) > 1e-4:
            return f"for ratios {ratios} your w / h are {describe(is_ratio)}"
    return None


def no_ratios(ratios) -> str | None:
    """Return evidence that an answer is not a list of numbers above 1."""
    listed = isinstance(ratios, (tuple, list)) and len(ratios) > 0
    numbers = listed and all(isinstance(r, (int, float)) and r > 1 for r in ratios)
    return None if numbers else f"you give {describe(ratios)}"


def a_proportion_missed(ratios) -> str | None:
    """Return evidence that an object of some proportion reaches no box of a cell."""
    objects = SLIMMEST ** torch.linspace(0, 1, 301)  # wide ones; the tall ones mirror them
    own = torch.tensor([1.0, *ratios])
    factor = torch.maximum(objects[:, None] / own, own / objects[:, None])
    overlap = (1 / (2 * factor.sqrt() - 1)).amax(dim=1)
    worst = int(overlap.argmin())
    if overlap[worst] >= 0.5 - 1e-4:
        return None
    return f"an object of {objects[worst]:.2f} : 1 has a best IoU of {overlap[worst]:.2f}"


def too_many_ratios(ratios) -> str | None:
    """Return evidence that fewer ratios are enough: one is."""
    return f"you name {len(ratios)} of them" if len(ratios) > 1 else None


@cache
def mean_iou_of_tall() -> dict[float, float]:
    """Return, per ratio, the mean IoU of tall objects with a box of their centre and area."""
    boxes = torch.cat(scene_boxes(SCENES))
    sides = boxes[:, 2:] - boxes[:, :2]
    sides = sides[sides[:, 1] >= TALL * sides[:, 0]]
    objects = cxcywh_to_xyxy(torch.cat([torch.zeros_like(sides), sides], dim=1))
    found = {}
    for ratio in SHARES:
        shape = sides.prod(1, keepdim=True).sqrt() * torch.tensor([ratio**0.5, ratio**-0.5])
        priors = cxcywh_to_xyxy(torch.cat([torch.zeros_like(sides), shape], dim=1))
        found[ratio] = float(iou(objects[:, None], priors[:, None]).mean())
    return found


def best_ratio() -> float:
    """Return what exercise 6.4 asks for."""
    mean = mean_iou_of_tall()
    return max(mean, key=mean.get)
