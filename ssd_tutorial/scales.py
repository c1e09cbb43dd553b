"""The scale formula: how large the boxes of each feature map are (chapter 5).

A scale is the side of a map's small square prior, as a fraction of the image's side.
"""

from math import floor, sqrt

from ssd_tutorial.presets import Preset


def linear_scale(k: int, m: int, s_min: float = 0.2, s_max: float = 0.9) -> float:
    """Return the scale of map `k` of `m`, equally spaced from `s_min` (k = 1) to `s_max` (k = m).

    Equation 4 of the paper (section 2.2): s_k = s_min + (s_max - s_min) (k - 1) / (m - 1).
    `k` may be m + 1: one step beyond the last map.

    Raises:
        ValueError: m < 2 (the formula divides by m - 1), or k is not in 1 .. m + 1.
    """
    if m < 2:
        raise ValueError(f"the formula spreads scales over m >= 2 maps, not m = {m}")
    if not 1 <= k <= m + 1:
        raise ValueError(f"k counts maps from 1 to m + 1 = {m + 1}, it cannot be {k}")
    return s_min + (s_max - s_min) * (k - 1) / (m - 1)


def whole_percent_scale(k: int, m: int, s_min: float, s_max: float) -> float:
    """Return `linear_scale` with its step rounded down to a whole percent, as Caffe's scripts do.

    ``step = int(floor((max_ratio - min_ratio) / (num_maps - 2)))`` in ``ssd_pascal.py``; its
    num_maps - 2 is our m - 1, because conv4_3 is outside the formula.

    Raises:
        ValueError: m < 2.
    """
    if m < 2:
        raise ValueError(f"the formula spreads scales over m >= 2 maps, not m = {m}")
    low, high = round(100 * s_min), round(100 * s_max)
    step = floor((high - low) / (m - 1))
    return (low + step * (k - 1)) / 100


def compute_scales(preset: Preset) -> list[float]:
    """Return the scales s_1 .. s_{m+1} of a preset with m maps, as fractions of the image's side.

    The last one belongs to no map: the last map's large square needs it (`extra_scale`).

    Raises:
        ValueError: the formula is left with fewer than two maps.
    """
    rule, size = preset.rule, preset.image_size
    by_hand = [] if rule.first is None else [rule.first]
    m = len(preset.maps) - len(by_hand)
    formula = whole_percent_scale if rule.whole_percent else linear_scale
    spread = [formula(k, m, rule.s_min, rule.s_max) for k in range(1, m + 2)]
    if rule.beyond is not None:
        spread[-1] = rule.beyond
    result = by_hand + spread
    if preset.integer_sizes:  # the guard of 1e-6 keeps 0.29 * 100 = 28.999… at 29
        result = [floor(s * size + 1e-6) / size for s in result]
    return result


def extra_scale(s_k: float, s_next: float) -> float:
    """Return the side of a map's second, larger square: the geometric mean sqrt(s_k * s_{k+1}).

    Paper, section 2.2. Caffe calls s_{k+1} ``max_size`` and uses it for nothing else.
    """
    return sqrt(s_k * s_next)
