"""The right answers to chapter 5's exercises, and evidence against wrong ones."""

from functools import cache
from itertools import pairwise
from math import floor

import torch

from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.presets import ScaleRule, get_preset
from ssd_tutorial.priors import cell_centres, make_priors
from ssd_tutorial.scales import compute_scales, extra_scale

SIDES_PX = (20, 200)  # exercise 5.3: of the square objects, on pictures of 300
PLACES = 20  # along a side, where each of them is tried

CAFFE = ("caffe300_voc", "caffe300_coco", "caffe512_voc", "caffe512_coco")


def size_cases() -> list[tuple[int, int, int, int, int]]:
    """Return image size, first, low, high (percent) and number of maps: Caffe's, and our own."""
    cases = [(400, 5, 20, 95, 6)]
    for preset in map(get_preset, CAFFE):
        rule = preset.rule
        percents = (round(100 * share) for share in (rule.first, rule.s_min, rule.s_max))
        cases.append((preset.image_size, *percents, len(preset.maps)))
    return cases


def sizes(image_size: int, first: int, low: int, high: int, maps: int) -> list[float]:
    """Return what exercise 5.2 asks for, by `scales`."""
    base = get_preset("caffe300_voc" if maps == 6 else "caffe512_voc")
    rule = ScaleRule(low / 100, high / 100, first=first / 100, whole_percent=True)
    preset = base.vary(name="other size", image_size=image_size, rule=rule)
    return [image_size * s for s in compute_scales(preset)[:-1]]


def wrong_sizes(image_size, first, low, high, maps, *, whole=floor, gaps=-2) -> list[float]:
    """Return sizes with one of two mistakes: the rounding, or the number of steps."""
    step = whole((high - low) / (maps + gaps))
    return [image_size * p / 100 for p in [first, *(low + step * k for k in range(maps - 1))]]


def no_list(function) -> str | None:
    """Return evidence that a function does not give a list of the right length."""
    for case in size_cases():
        if not hasattr(given := function(*case), "__len__") or len(given) != case[-1]:
            return f"for {', '.join(map(str, case))} your function gives {describe(given)}"
    return None


def no_percents(percents) -> str | None:
    """Return evidence that an answer is not three whole percents that rise."""
    whole = all(isinstance(p, int) and not isinstance(p, bool) for p in percents)
    rise = whole and len(percents) == 3 and 0 < percents[0] < percents[1] < percents[2] <= 100
    return None if rise else f"you give {describe(tuple(percents))}"


@cache
def worst_overlaps(first: int, low: int, high: int) -> dict[int, float]:
    """Return, per side in pixels, the best IoU of a square object where it fares worst.

    Of all priors of one shape, the nearest overlaps most; squares overlap squares most.
    """
    rule = ScaleRule(low / 100, high / 100, first=first / 100, whole_percent=True)
    preset = get_preset("caffe300_voc").vary(name="a design", rule=rule)
    sides_px = range(SIDES_PX[0], SIDES_PX[1] + 1, 5)
    side = torch.tensor(sides_px)[:, None] / preset.image_size  # [sides, 1]
    at = side / 2 + torch.linspace(0, 1, PLACES) * (1 - side)  # [sides, places]
    best = torch.zeros(len(sides_px), PLACES, PLACES)
    for k, (small, following) in enumerate(pairwise(compute_scales(preset))):
        off = (at[..., None] - cell_centres(preset, k)).abs().amin(dim=-1)
        for prior in (small, extra_scale(small, following)):
            shared = ((side + prior) / 2 - off).clamp(min=0).minimum(side.clamp(max=prior))
            both = shared[:, :, None] * shared[:, None]
            best = torch.maximum(best, both / (side[..., None] ** 2 + prior**2 - both))
    return dict(zip(sides_px, best.flatten(1).amin(dim=1).tolist(), strict=True))


def a_size_missed(percents) -> str | None:
    """Return evidence that a square object reaches no prior somewhere."""
    worst = worst_overlaps(*percents)
    side = min(worst, key=worst.get)
    if worst[side] >= 0.5:
        return None
    return f"a square of {side} px has a best IoU of {worst[side]:.2f} in its worst place"


@cache
def whole_pixel_iou(name: str) -> float:
    """Return the lowest IoU of a prior with its twin of whole-pixel size."""
    preset = get_preset(name)
    a, b = (
        cxcywh_to_xyxy(make_priors(p))
        for p in (preset, preset.vary(name="whole pixels", integer_sizes=True))
    )
    return float(iou(a[:, None], b[:, None]).min())
