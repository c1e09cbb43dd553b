"""Expansion, by hand and by properties."""

import pytest
import torch
from hypothesis import given
from torch import Tensor

from ssd_tutorial.augment import CAFFE_MEAN, Expand

from .items import in_step, items, noisy, same, seeds


def test_placement_agrees_with_a_case_worked_by_hand(monkeypatch):
    """A picture 40 wide and 20 high, ratio 2.5: a canvas of 100 x 50, and 60 x 30 to spare."""
    numbers = torch.tensor([0.1, 0.5, 0.25, 0.95])  # happens; ratio 1 + .5 * 3; x; y
    monkeypatch.setattr(torch, "rand", lambda *_: numbers)
    image, target = noisy([(10, 5, 30, 15)], (20, 40))
    canvas, moved = Expand(4)(image, target)
    assert canvas.shape == (3, 50, 100)
    assert moved["boxes"].tolist() == [[10 + 15, 5 + 28, 30 + 15, 15 + 28]]
    assert moved["boxes"].canvas_size == (50, 100)
    assert torch.equal(canvas[:, 28:48, 15:55], image)
    outside = torch.ones(50, 100, dtype=torch.bool)
    outside[28:48, 15:55] = False
    assert canvas[:, outside].unique(dim=1).tolist() == [[c] for c in CAFFE_MEAN]


def test_half_of_the_pictures_by_ratios_from_1_to_4():
    expand = Expand()
    image, target = noisy([(1, 1, 50, 50)])
    torch.manual_seed(0)
    ratios = torch.tensor([expand(image, target)[0].shape[-1] / 100 for _ in range(1000)])
    grown = ratios[ratios > 1]
    assert 0.45 < len(grown) / 1000 < 0.55
    assert grown.min() < 1.05
    assert 3.95 < grown.max() <= 4
    assert grown.mean() == pytest.approx(2.5, abs=0.1)


@given(before=items(), seed=seeds)
def test_boxes_move_with_their_pixels_and_stay_inside(before, seed):
    image, target = before
    torch.manual_seed(seed)
    canvas, moved = Expand(share=1)(*before)
    height, width = canvas.shape[-2:]
    assert moved["boxes"].canvas_size == (height, width)
    boxes = moved["boxes"].as_subclass(Tensor)
    assert ((boxes >= 0) & (boxes <= torch.tensor([width, height] * 2))).all()
    assert len(boxes) == len(target["boxes"])
    assert in_step(before, (canvas, moved))
    for old, new in zip(target["boxes"].int().tolist(), boxes.int().tolist(), strict=True):
        assert torch.equal(
            image[:, old[1] : old[3], old[0] : old[2]], canvas[:, new[1] : new[3], new[0] : new[2]]
        )


def test_share_0_and_ratio_1_change_nothing():
    source = noisy([(1, 1, 9, 9)])
    assert same(Expand(share=0)(*source), source)
    assert same(Expand(1, share=1)(*source), source)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ratio": 0.9}, "ratio must be from 1 to 16, not 0.9"),
        ({"ratio": float("nan")}, "ratio must be from 1 to 16, not nan"),
        ({"ratio": 100_000}, "ratio must be from 1 to 16, not 100000"),
        ({"share": -0.1}, "share must be from 0 to 1, not -0.1"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        Expand(**settings)
