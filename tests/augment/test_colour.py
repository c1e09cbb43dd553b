"""Photometric distortion against the standard library's HSV; boxes stay where they are."""

import colorsys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment import (
    PhotometricDistort,
    add_brightness,
    scale_contrast,
    scale_saturation,
    shift_hue,
)

from .items import items, noisy, same, seeds

COLOURS = [
    *[(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (0, 255, 255), (255, 0, 255)],
    *[(0, 0, 0), (255, 255, 255), (128, 128, 128), (1, 0, 0), (254, 255, 255), (10, 200, 30)],
]


def picture(colours):
    return torch.tensor(colours, dtype=torch.float32).T.reshape(3, 1, -1)


def one_by_one(change, colours):
    """Apply a change of (h, s, v), each from 0 to 1, pixel by pixel."""
    changed = []
    for r, g, b in colours:
        h, s, v = colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)
        changed.append([255 * c for c in colorsys.hsv_to_rgb(*change(h, s, v))])
    return picture(changed)


colour = st.tuples(*[st.integers(0, 255)] * 3)


@given(st.lists(colour, min_size=1, max_size=20), st.floats(0, 2))
def test_saturation_is_the_s_of_hsv(colours, factor):
    colours = [*colours, *COLOURS]
    expected = one_by_one(lambda h, s, v: (h, min(1, s * factor), v), colours)
    assert torch.allclose(scale_saturation(picture(colours), factor), expected, atol=0.01)


@given(st.lists(colour, min_size=1, max_size=20), st.floats(-90, 90))
def test_hue_turns_the_h_of_hsv(colours, delta):
    colours = [*colours, *COLOURS]
    expected = one_by_one(lambda h, s, v: ((h + delta / 180) % 1, s, v), colours)
    assert torch.allclose(shift_hue(picture(colours), delta), expected, atol=0.05)


def test_hue_by_a_third_of_the_circle():
    red_green_blue = picture([(255, 0, 0), (0, 255, 0), (0, 0, 255)])
    green_blue_red = picture([(0, 255, 0), (0, 0, 255), (255, 0, 0)])
    assert torch.allclose(shift_hue(red_green_blue, 60), green_blue_red, atol=0.01)


def test_brightness_and_contrast_by_hand():
    image = picture([(0, 100, 250)])
    assert add_brightness(image, 30).flatten().tolist() == [30, 130, 255]
    assert add_brightness(image, -30).flatten().tolist() == [0, 70, 220]
    assert scale_contrast(image, 1.5).flatten().tolist() == [0, 150, 255]
    assert scale_contrast(image, 0.5).flatten().tolist() == [0, 50, 125]
    assert image.flatten().tolist() == [0, 100, 250]  # nothing is changed in place


def test_torchvisions_functions_of_the_same_names_differ():
    image = picture([(200, 100, 50), (20, 30, 40)])
    assert not torch.allclose(F.adjust_contrast(image / 255, 1.5) * 255, scale_contrast(image, 1.5))
    mixed = F.adjust_saturation(image / 255, 0.5) * 255
    assert not torch.allclose(mixed, scale_saturation(image, 0.5), atol=5)
    # Caffe's contrast is what torchvision calls brightness
    assert torch.allclose(F.adjust_brightness(image / 255, 1.5) * 255, scale_contrast(image, 1.5))


def distorted(steps, image):
    """Distort pixel by pixel in plain Python, and round once at the end."""
    values = [[float(c) for c in pixel] for pixel in image.flatten(1).T.tolist()]
    for name, size in steps:
        for pixel in values:
            if name == "brightness":
                pixel[:] = [min(255, max(0, c + size)) for c in pixel]
            elif name == "contrast":
                pixel[:] = [min(255, c * size) for c in pixel]
            else:
                h, s, v = colorsys.rgb_to_hsv(*(c / 255 for c in pixel))
                hsv = (h, min(1, s * size), v) if name == "saturation" else (h + size / 180, s, v)
                pixel[:] = [255 * c for c in colorsys.hsv_to_rgb(hsv[0] % 1, *hsv[1:])]
    return torch.tensor(values).T.reshape(image.shape)


def test_distortion_applies_the_drawn_steps_to_every_pixel():
    distort = PhotometricDistort()
    seen = set()
    for seed in range(80):
        image, target = noisy([(1, 1, 5, 5)], (6, 7))
        torch.manual_seed(seed)
        steps = distort.make_params([image])["steps"]
        torch.manual_seed(seed)
        changed = distort(image, target)[0]
        assert changed.dtype == torch.uint8
        assert (changed.float() - distorted(steps, image)).abs().max() < 0.51, (seed, steps)
        seen.add(tuple(name for name, _ in steps))
    every = ["brightness", "contrast", "saturation", "hue"]
    assert tuple(every) in seen
    assert ("brightness", "saturation", "hue", "contrast") in seen
    assert () in seen


def test_steps_are_drawn_as_caffe_draws_them():
    distort = PhotometricDistort()
    image = [noisy([])[0]]
    sizes = {"brightness": [], "contrast": [], "saturation": [], "hue": []}
    before, both = 0, 0
    torch.manual_seed(0)
    for _ in range(2000):
        steps = distort.make_params(image)["steps"]
        for name, size in steps:
            sizes[name].append(size)
        names = [name for name, _ in steps]
        if {"contrast", "hue"} <= set(names):
            both += 1
            before += names.index("contrast") < names.index("hue")
    bounds = {"brightness": 32, "contrast": 0.5, "saturation": 0.5, "hue": 18}
    middles = {"brightness": 0, "contrast": 1, "saturation": 1, "hue": 0}
    for name, found in sizes.items():
        assert 0.45 < len(found) / 2000 < 0.55
        found = torch.tensor(found) - middles[name]
        assert found.abs().max() <= bounds[name]
        assert found.abs().max() > 0.98 * bounds[name]
        assert abs(float(found.mean())) < 0.08 * bounds[name]
    assert 0.42 < before / both < 0.58


@given(before=items(), seed=seeds)
def test_no_box_moves(before, seed):
    torch.manual_seed(seed)
    image, target = PhotometricDistort(share=1)(*before)
    assert image.shape == before[0].shape
    assert same((before[0], target), before)


def test_share_0_changes_nothing():
    source = noisy([(1, 1, 9, 9)])
    assert same(PhotometricDistort(share=0)(*source), source)


def test_a_share_out_of_range_is_refused():
    with pytest.raises(ValueError, match="share must be from 0 to 1, not 2"):
        PhotometricDistort(share=2)
