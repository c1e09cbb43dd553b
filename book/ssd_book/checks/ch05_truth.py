"""The right answers to chapter 5's exercises, and evidence against wrong ones."""

from functools import cache
from math import floor

from ssd_book.checks.properties import close
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.presets import PRESETS, ScaleRule, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.scales import compute_scales

FOUND_SCALES = [0.10, 0.20, 0.37, 0.54, 0.71, 0.88]  # exercise 5.3: met in somebody's code

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


def not_that_preset(name) -> str | None:
    """Return evidence that a preset has other scales."""
    its = compute_scales(get_preset(name))[:-1]
    return None if close(its, FOUND_SCALES, 0.0005) else f"{name!r} has the scales {describe(its)}"


def no_preset(name) -> str | None:
    """Return evidence that an answer is not the name of a preset."""
    known = isinstance(name, str) and name in PRESETS
    return None if known else f"you give {describe(name)}"


@cache
def whole_pixel_iou(name: str) -> float:
    """Return the lowest IoU of a prior with its twin of whole-pixel size."""
    preset = get_preset(name)
    a, b = (
        cxcywh_to_xyxy(make_priors(p))
        for p in (preset, preset.vary(name="whole pixels", integer_sizes=True))
    )
    return float(iou(a[:, None], b[:, None]).min())
