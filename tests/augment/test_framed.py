"""Pixels that are computed last are those of the steps, one by one."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment import CAFFE_MEAN, training_transform
from ssd_tutorial.augment.framed import Framed

from .items import noisy, same


def negative(image):
    return 255 - image


def black_on_white(image):
    return (image > 127).to(torch.uint8) * 255


@st.composite
def steps(draw):
    """Draw recolourings, expansions and crops in any order, for a picture of 12 x 9."""
    width, height, drawn = 12, 9, []
    for _ in range(draw(st.integers(0, 5))):
        kind = draw(st.sampled_from(["recolour", "expand", "crop"]))
        if kind == "recolour":
            drawn.append((kind, draw(st.sampled_from([negative, black_on_white]))))
        elif kind == "expand":
            left, top, right, bottom = padding = draw(st.tuples(*[st.integers(0, 6)] * 4))
            width, height = width + left + right, height + top + bottom
            drawn.append((kind, padding))
        else:
            left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
            right = draw(st.integers(left + 1, width))
            bottom = draw(st.integers(top + 1, height))
            width, height = right - left, bottom - top
            drawn.append((kind, (left, top, right, bottom)))
    return drawn


@given(steps())
def test_pixels_are_those_of_the_steps_one_by_one(drawn):
    image = noisy([], (9, 12))[0]
    framed, expected = Framed(image), image
    for kind, what in drawn:
        if kind == "recolour":
            framed, expected = framed.recoloured(what), what(expected)
        elif kind == "expand":
            framed = framed.expanded(what, CAFFE_MEAN)
            expected = F.pad(expected, list(what), fill=list(CAFFE_MEAN))
        else:
            left, top, right, bottom = what
            framed = framed.cropped(what)
            expected = expected[:, top:bottom, left:right]
        assert framed.shape == expected.shape
    assert torch.equal(framed.pixels(), expected)


@pytest.mark.parametrize("interpolation", ["bilinear", "random"])
def test_a_pipeline_gives_what_its_steps_give_alone(interpolation):
    boxes = [(10, 10, 60, 50), (30, 20, 90, 90), (2, 40, 30, 70)]
    pipeline = training_transform(
        60, crop="caffe", expand=3, distort=True, interpolation=interpolation
    )
    for seed in range(40):
        torch.manual_seed(seed)
        item = noisy(boxes)
        for step in pipeline.transform.transforms:
            item = step(*item)
        torch.manual_seed(seed)
        whole = pipeline.transform(*noisy(boxes))
        assert same(whole, item), seed


def test_a_canvas_that_a_crop_hides_is_never_made():
    image, far = noisy([], (9, 12))[0], 10**6  # a canvas of 12 terabytes
    framed = Framed(image).expanded((far, far, far, far), CAFFE_MEAN)
    assert framed.shape == (3, 2 * far + 9, 2 * far + 12)
    assert torch.equal(framed.cropped((far, far, far + 12, far + 9)).pixels(), image)
    beyond = framed.cropped((0, 0, 2, 3)).pixels()
    assert beyond.flatten(1).unique(dim=1).tolist() == [[c] for c in CAFFE_MEAN]
