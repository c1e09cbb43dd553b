"""Random boxes and presets for the comparison of JavaScript with Python, hostile ones among them.

Half of all boxes have their corners on a coarse grid: boxes then touch, coincide, have no area, and
overlap by exactly the threshold far more often than they would by chance.
"""

from random import Random

from ssd_tutorial.presets import FeatureMap, Preset, ScaleRule

Box = list[float]

THRESHOLDS = (0.5, 0.45, 0.25, 0.3, 0.75, 1.0, 1 / 3)


def a_box(rng: Random, grid: bool) -> Box:
    """Draw an xyxy box: on the grid it may have no area, off the grid it may leave the image."""
    if grid:
        x0, x1 = sorted(rng.choices(range(9), k=2))
        y0, y1 = sorted(rng.choices(range(9), k=2))
        return [x0 / 8, y0 / 8, x1 / 8, y1 / 8]
    cx, cy = rng.uniform(-0.1, 1.1), rng.uniform(-0.1, 1.1)
    w, h = 10 ** rng.uniform(-2, 0.1), 10 ** rng.uniform(-2, 0.1)
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def some_boxes(rng: Random, most: int) -> list[Box]:
    """Draw up to `most` boxes, with one repeated now and then."""
    grid = rng.random() < 0.5
    drawn = [a_box(rng, grid) for _ in range(rng.randint(0, most))]
    if drawn and rng.random() < 0.2:
        drawn.insert(rng.randint(0, len(drawn)), list(rng.choice(drawn)))
    return drawn


def near(rng: Random, centre: Box) -> Box:
    """Draw a box that overlaps `centre` substantially."""
    return [x + rng.gauss(0, 0.05) for x in centre]


def kinds(drawn: list[Box]) -> set[str]:
    """Return what is hostile about a list of boxes."""
    found = set()
    if not drawn:
        found.add("empty list")
    if any(x1 <= x0 or y1 <= y0 for x0, y0, x1, y1 in drawn):
        found.add("zero area")
    if any(min(one) < 0 or max(one) > 1 for one in drawn):
        found.add("outside")
    if len(set(map(tuple, drawn))) < len(drawn):
        found.add("identical")
    if any(_touch(a, b) for i, a in enumerate(drawn) for b in drawn[:i]):
        found.add("touching")
    return found


def _touch(a: Box, b: Box) -> bool:
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    return min(w, h) == 0 and max(w, h) >= 0


def a_preset(rng: Random) -> tuple[Preset, set[str]]:
    """Draw every field of a small preset; return it and what is hostile about it."""
    by_hand = rng.random() < 0.5
    image_size = rng.choice((300, 512, 100, rng.randint(32, 600)))
    num_maps = rng.randint(2, 5) + by_hand
    maps = tuple(
        FeatureMap(
            f"map{k}",
            rng.randint(1, 6),
            rng.randint(1, image_size),
            tuple(
                rng.choice((2.0, 3.0, 1.5, rng.uniform(1.01, 5))) for _ in range(rng.randint(0, 3))
            ),
        )
        for k in range(num_maps)
    )
    s_min = rng.choice((rng.uniform(0.05, 0.5), rng.randint(10, 90) / 200))  # halves of a percent
    rule = ScaleRule(
        s_min,
        rng.choice((s_min, rng.uniform(0.8 * s_min, 1.2), rng.randint(100, 200) / 200)),
        first=rng.choice((0.04, 0.07, 0.1, rng.uniform(0.01, 0.2))) if by_hand else None,
        beyond=rng.choice((None, 1.0, rng.uniform(0.5, 1.3))),
        whole_percent=rng.random() < 0.5,
    )
    drawn = Preset(
        "drawn",
        image_size,
        maps,
        rule,
        "a random case",
        centres=rng.choice(("step", "cells")),
        clip=rng.choice(("none", "wh", "cxcywh", "corners")),
        order=rng.choice(("caffe", "sgrvinod")),
        integer_sizes=rng.random() < 0.5,
    )
    found = set()
    if rule.s_max <= rule.s_min:
        found.add("s_max at or below s_min")
    if rule.whole_percent and any((200 * s) % 2 == 1 for s in (rule.s_min, rule.s_max)):
        found.add("half a percent")
    if any(fm.cells == 1 for fm in maps):
        found.add("one cell")
    if any(len(set(fm.ratios)) < len(fm.ratios) for fm in maps):
        found.add("identical ratios")
    if drawn.centres == "step" and any((fm.cells - 0.5) * fm.step_px > image_size for fm in maps):
        found.add("centres outside")
    return drawn, found
