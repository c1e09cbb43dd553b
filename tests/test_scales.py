"""Scales: the formula, Caffe's rounding, and every row of the table of conventions."""

from itertools import pairwise
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ssd_tutorial.presets import PRESETS, ScaleRule, get_preset
from ssd_tutorial.scales import compute_scales, extra_scale, linear_scale, whole_percent_scale

# s_1 .. s_{m+1} of each convention, in pixels of its input (the table in chapter 5).
SIZES_PX = {
    "naive_m6": [60, 102, 144, 186, 228, 270, 300],
    "paper": [30, 60, 112.5, 165, 217.5, 270, 300],
    "caffe300_voc": [30, 60, 111, 162, 213, 264, 315],
    "caffe300_coco": [21, 45, 99, 153, 207, 261, 315],
    "torchvision300_coco": [21, 45, 99, 153, 207, 261, 315],
    "caffe512_voc": [35.84, 76.8, 153.6, 230.4, 307.2, 384, 460.8, 537.6],
    "caffe512_coco": [20.48, 51.2, 133.12, 215.04, 296.96, 378.88, 460.8, 542.72],
}
SCALES = {
    "naive_m6": [0.2, 0.34, 0.48, 0.62, 0.76, 0.9, 1.0],
    "paper": [0.1, 0.2, 0.375, 0.55, 0.725, 0.9, 1.0],
    "caffe300_voc": [0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05],
    "caffe300_coco": [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
    "torchvision300_coco": [0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
    "caffe512_voc": [0.07, 0.15, 0.30, 0.45, 0.60, 0.75, 0.90, 1.05],
    "caffe512_coco": [0.04, 0.10, 0.26, 0.42, 0.58, 0.74, 0.90, 1.06],
}
# The same in Caffe's prototxt, which stores integers.
INTEGER_SIZES_PX = {
    "caffe300_voc": [30, 60, 111, 162, 213, 264, 315],
    "caffe300_coco": [21, 45, 99, 153, 207, 261, 315],
    "caffe512_voc": [35, 76, 153, 230, 307, 384, 460, 537],
    "caffe512_coco": [20, 51, 133, 215, 296, 378, 460, 542],
}


def test_every_preset_has_a_row():
    assert list(SIZES_PX) == list(SCALES) == list(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_scales_are_those_of_the_table(name):
    preset = get_preset(name)
    assert compute_scales(preset) == pytest.approx(SCALES[name], abs=1e-12)
    assert [s * preset.image_size for s in compute_scales(preset)] == pytest.approx(
        SIZES_PX[name], abs=1e-9
    )


@pytest.mark.parametrize("name", INTEGER_SIZES_PX)
def test_integer_sizes_are_whole_pixels_as_in_the_table(name):
    preset = get_preset(name).vary(name="whole pixels", integer_sizes=True)
    got = [s * preset.image_size for s in compute_scales(preset)]
    assert got == pytest.approx(INTEGER_SIZES_PX[name], abs=1e-9)


def test_integer_sizes_change_only_ssd512():
    for name in INTEGER_SIZES_PX:
        preset = get_preset(name)
        same = compute_scales(
            preset.vary(name="whole pixels", integer_sizes=True)
        ) == pytest.approx(compute_scales(preset), abs=1e-12)
        assert same == (preset.image_size == 300)


@pytest.mark.parametrize(
    ("size_px", "next_px", "image", "side"),
    [
        (264, 315, 300, 0.961),  # Caffe, VOC: the last map's large square
        (261, 315, 300, 0.956),  # COCO
        (30, 60, 300, 0.141),  # the first map's
        (270, 300, 300, 0.949),  # the paper's last
    ],
)
def test_extra_scale_gives_the_published_sides(size_px, next_px, image, side):
    assert extra_scale(size_px / image, next_px / image) == pytest.approx(side, abs=5e-4)


@given(st.floats(0.01, 2), st.floats(0.01, 2))
def test_extra_scale_is_a_geometric_mean(a, b):
    assert extra_scale(a, b) == extra_scale(b, a) == pytest.approx(sqrt(a) * sqrt(b))
    assert min(a, b) * (1 - 1e-9) <= extra_scale(a, b) <= max(a, b) * (1 + 1e-9)


@given(st.integers(2, 12), st.floats(0.01, 0.5), st.floats(0.5, 1.2))
def test_linear_scale_is_equally_spaced_between_its_ends(m, s_min, s_max):
    row = [linear_scale(k, m, s_min, s_max) for k in range(1, m + 2)]
    assert row[0] == pytest.approx(s_min)
    assert row[m - 1] == pytest.approx(s_max)
    step = (s_max - s_min) / (m - 1)
    gaps = [b - a for a, b in pairwise(row)]
    assert gaps == pytest.approx([step] * m)


def test_linear_scale_defaults_are_the_papers():
    assert [linear_scale(k, 6) for k in (1, 6)] == pytest.approx([0.2, 0.9])


@pytest.mark.parametrize(("k", "m"), [(1, 1), (1, 0)])
def test_both_formulas_need_two_maps(k, m):
    for formula in (linear_scale, whole_percent_scale):
        with pytest.raises(ValueError, match=f"m >= 2 maps, not m = {m}"):
            formula(k, m, 0.2, 0.9)


@pytest.mark.parametrize("k", [0, -1, 8])
def test_linear_scale_refuses_a_map_that_does_not_exist(k):
    with pytest.raises(ValueError, match=rf"1 to m \+ 1 = 7, it cannot be {k}"):
        linear_scale(k, 6)


def test_whole_percent_is_not_the_formula():
    """20 % to 90 % in four steps is 17.5 % per step; Caffe takes 17 and ends at 88 %."""
    assert [whole_percent_scale(k, 5, 0.2, 0.9) for k in (1, 2, 5, 6)] == [0.2, 0.37, 0.88, 1.05]
    assert linear_scale(2, 5) == pytest.approx(0.375)
    assert [whole_percent_scale(k, 2, 0.9, 0.95) for k in (1, 2, 3)] == [0.9, 0.95, 1.0]


def test_beyond_sets_the_last_scale_only():
    preset = get_preset("paper")
    rule = ScaleRule(0.2, 0.9, first=0.1)
    without = compute_scales(preset.vary(name="other rule", rule=rule))
    assert without[:-1] == compute_scales(preset)[:-1]
    assert without[-1] == pytest.approx(1.075)  # one more step of .175
    assert compute_scales(preset)[-1] == 1.0
