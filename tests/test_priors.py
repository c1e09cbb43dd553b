"""Priors: how many there are, where, in which order, and what clipping does to them."""

import dataclasses

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.priors import (
    _kept,
    boxes_per_cell,
    cell_centres,
    cell_shapes,
    locate,
    num_priors,
    priors_per_map,
)
from ssd_tutorial.priors import make_priors as kept_priors

make_priors = kept_priors.__wrapped__  # computed by each test, not kept from an earlier one

VOC = get_preset("caffe300_voc")


def with_ratios(preset, ratios):
    """Return the preset with other aspect ratios, one tuple per map."""
    maps = zip(preset.maps, ratios, strict=True)
    return preset.vary(
        name="other maps", maps=tuple(dataclasses.replace(fm, ratios=r) for fm, r in maps)
    )


def crossing(priors):
    """Count the boxes that cross the image's border (by more than rounding)."""
    xyxy = cxcywh_to_xyxy(priors)
    return int(((xyxy < -1e-6) | (xyxy > 1 + 1e-6)).any(1).sum())


# --- how many ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_the_published_number_of_priors(name):
    preset = get_preset(name)
    if preset.image_size == 300:
        assert boxes_per_cell(preset) == [4, 6, 6, 6, 4, 4]
        assert priors_per_map(preset) == [5776, 2166, 600, 150, 36, 4]
        total = 8732
    else:
        assert boxes_per_cell(preset) == [4, 6, 6, 6, 6, 4, 4]
        total = 24564
    priors = make_priors(preset)
    assert num_priors(preset) == sum(priors_per_map(preset)) == total
    assert priors.shape == (total, 4)
    assert priors.dtype == torch.float32
    assert priors.isfinite().all()
    assert (priors[:, 2:] > 0).all()


def test_wrong_counts_elsewhere_come_from_other_boxes_per_cell():
    two, three = (2.0,), (2.0, 3.0)
    assert num_priors(with_ratios(VOC, [two, three, three, three, three, two])) == 8750
    with_six = with_ratios(VOC, [two] + [three] * 5)
    assert num_priors(with_six) == 8752
    assert len(make_priors(with_six)) == 8752
    # the first version of the paper: no large square on conv4_3, whose 38 x 38 cells lose one each
    assert num_priors(with_six) - 38 * 38 == 7308
    # without s_{m+1} the last map has no large square, in its only cell
    assert num_priors(get_preset("naive_m6")) - 1 == 8731


# --- where they are, how large they are --------------------------------------------------------


def test_shapes_of_a_cell_agree_with_a_case_worked_by_hand():
    """conv4_3 of caffe300_voc: 30 px, sqrt(30 * 60) px, and the two shapes of ratio 2."""
    root = 2**0.5
    want = [[30, 30], [1800**0.5] * 2, [30 * root, 30 / root], [30 / root, 30 * root]]
    torch.testing.assert_close(cell_shapes(VOC, 0) * 300, torch.tensor(want))
    third = cell_shapes(VOC, 1)[4:] * 300
    torch.testing.assert_close(
        third, torch.tensor([[60 * 3**0.5, 60 / 3**0.5], [60 / 3**0.5, 60 * 3**0.5]])
    )


@pytest.mark.parametrize("name", PRESETS)
def test_ratio_boxes_have_the_small_squares_area(name):
    preset = get_preset(name)
    for k, fm in enumerate(preset.maps):
        w, h = cell_shapes(preset, k).unbind(1)
        area = w * h
        torch.testing.assert_close(area[2:], area[0].expand(len(area) - 2))
        assert area[1] > area[0]
        ratios = torch.tensor([x for r in fm.ratios for x in (r, 1 / r)])
        torch.testing.assert_close((w / h)[2:], ratios)


def test_the_first_and_last_priors_agree_with_numbers_worked_by_hand():
    priors = make_priors(VOC) * 300
    torch.testing.assert_close(priors[0], torch.tensor([4.0, 4, 30, 30]))
    torch.testing.assert_close(priors[4], torch.tensor([12.0, 4, 30, 30]))  # one column on
    torch.testing.assert_close(priors[38 * 4], torch.tensor([4.0, 12, 30, 30]))  # one row down
    torch.testing.assert_close(priors[5776], torch.tensor([8.0, 8, 60, 60]))  # conv7
    torch.testing.assert_close(priors[-4], torch.tensor([150.0, 150, 264, 264]))
    torch.testing.assert_close(priors[-3, 2:], torch.full((2,), (264 * 315) ** 0.5))


def test_steps_push_centres_of_conv8_2_outside_the_image():
    assert cell_centres(VOC, 2)[-1].item() == pytest.approx(9.5 * 32 / 300)
    assert cell_centres(VOC, 2)[-1].item() == pytest.approx(1.0133, abs=5e-5)
    outside = (make_priors(VOC)[:, :2] > 1).any(1)
    assert int(outside.sum()) == 114  # 19 cells of 6 boxes
    assert {locate(VOC, i).map for i in outside.nonzero().flatten().tolist()} == {2}
    by_cells = make_priors(VOC.vary(name="other centres", centres="cells"))
    assert ((by_cells[:, :2] > 0) & (by_cells[:, :2] < 1)).all()


def test_centres_by_cells_divide_the_image_evenly():
    for k, fm in enumerate(VOC.maps):
        got = cell_centres(VOC.vary(name="other centres", centres="cells"), k)
        want = torch.tensor([(i + 0.5) / fm.cells for i in range(fm.cells)])
        torch.testing.assert_close(got, want)


# --- clipping ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        (VOC, 2869),
        (get_preset("caffe300_coco"), 2223),
        (VOC.vary(name="other centres", centres="cells"), 2744),
    ],
)
def test_the_expected_number_of_boxes_cross_the_border(preset, count):
    assert crossing(make_priors(preset)) == count
    assert crossing(make_priors(preset.vary(name="clipped", clip="corners"))) == 0


def test_clipping_the_centre_format_changes_134_rows_unlike_corner_clipping():
    whole, clipped = make_priors(VOC), make_priors(VOC.vary(name="clipped", clip="cxcywh"))
    assert int((whole != clipped).any(1).sum()) == 134
    assert crossing(clipped) > 2000
    assert clipped.min() >= 0
    assert clipped.max() <= 1


def test_torchvision_clamps_two_rows_of_width_and_height():
    caffe, clamped = (make_priors(get_preset(n)) for n in ("caffe300_coco", "torchvision300_coco"))
    changed = (caffe != clamped).any(1)
    assert changed.nonzero().flatten().tolist() == [8728 + 2, 8728 + 3]
    # the last map's wide and tall box: .87 * sqrt(2) = 1.2304 is cut to 1, .115 on either side
    sides = (cxcywh_to_xyxy(caffe) - cxcywh_to_xyxy(clamped)).abs().max()
    assert float(sides) == pytest.approx((0.87 * 2**0.5 - 1) / 2, abs=1e-6)
    assert float(sides) == pytest.approx(0.115, abs=5e-4)


def test_corner_clipping_cuts_boxes_at_the_border():
    whole, cut = make_priors(VOC), make_priors(VOC.vary(name="clipped", clip="corners"))
    want = cxcywh_to_xyxy(whole).clamp(0, 1)
    torch.testing.assert_close(cxcywh_to_xyxy(cut), want, atol=1e-6, rtol=0)
    inside = ((cxcywh_to_xyxy(whole) >= 0) & (cxcywh_to_xyxy(whole) <= 1)).all(1)
    torch.testing.assert_close(cut[inside], whole[inside], atol=1e-6, rtol=0)


# --- order ---------------------------------------------------------------------------------------


def test_sgrvinods_order_is_a_permutation_within_each_cell():
    caffe, other = make_priors(VOC), make_priors(VOC.vary(name="other order", order="sgrvinod"))
    start = 0
    for count, n in zip(priors_per_map(VOC), boxes_per_cell(VOC), strict=True):
        move = [0, 1, 2, 4, 3, 5] if n == 6 else [0, 1, 2, 3]  # 1 1' 2 3 1/2 1/3
        cells = caffe[start : start + count].view(-1, n, 4)
        torch.testing.assert_close(other[start : start + count].view(-1, n, 4), cells[:, move])
        start += count
    assert not torch.equal(caffe, other)


@given(st.sampled_from(list(PRESETS)), st.data())
def test_locate_finds_the_cell_and_the_shape(name, data):
    preset = get_preset(name)
    index = data.draw(st.integers(0, num_priors(preset) - 1))
    k, row, column, box = locate(preset, index)
    cx, cy, w, h = make_priors(preset.vary(name="clipped", clip="none"))[index].tolist()
    centres = cell_centres(preset, k).tolist()
    assert (cx, cy) == (centres[column], centres[row])
    assert [w, h] == cell_shapes(preset, k)[box].tolist()


def test_locate_counts_through_all_of_them_in_order():
    addresses = [locate(VOC, i) for i in range(num_priors(VOC))]
    assert addresses == sorted(addresses)
    assert len(set(addresses)) == 8732
    assert [locate(VOC, i) for i in (5775, 5776)] == [(0, 37, 37, 3), (1, 0, 0, 0)]


@pytest.mark.parametrize("index", [-1, 8732, 10**6])
def test_locate_refuses_a_prior_that_does_not_exist(index):
    with pytest.raises(IndexError, match=rf"prior {index} does not exist: there are 8732"):
        locate(VOC, index)


# --- against torchvision -------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [True, False])
def test_priors_equal_those_of_torchvisions_generator(clip):
    preset = get_preset("torchvision300_coco" if clip else "caffe300_coco")
    generator = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
        clip=clip,
    )
    theirs = generator._grid_default_boxes([[c, c] for c in (38, 19, 10, 5, 3, 1)], [300, 300])
    torch.testing.assert_close(make_priors(preset), theirs, atol=1e-6, rtol=0)


def test_each_caller_has_priors_of_its_own():
    preset = get_preset("caffe300_voc")
    kept_priors(preset).zero_()
    assert kept_priors(preset).max() > 0.5


def test_priors_are_kept_per_default_device():
    preset = get_preset("caffe300_voc")
    with torch.device("meta"):
        assert kept_priors(preset).is_meta
    assert not kept_priors(preset).is_meta


def test_priors_that_were_first_made_in_inference_mode_can_be_trained_on():
    preset = get_preset("caffe300_voc").vary(name="of this test")
    with torch.inference_mode():
        kept_priors(preset)
    scale = torch.ones(1, requires_grad=True)
    (kept_priors(preset) * scale).sum().backward()
    assert scale.grad > 0


def test_priors_are_computed_once_per_preset_and_handed_out_as_copies():
    asked = []

    def make(preset):
        """Make."""
        asked.append(preset)
        return torch.zeros(2)

    keep = _kept(make)
    keep("a").add_(1)
    assert keep("a").tolist() == keep("b").tolist() == [0, 0]
    assert asked == ["a", "b"]
    with torch.device("meta"):
        assert keep("a").is_meta
    assert (keep.__name__, keep.__doc__) == ("make", "Make.")


def test_priors_are_float32_whatever_is_the_default():
    torch.set_default_dtype(torch.float64)
    try:
        made = [cell_shapes(VOC, 0), cell_centres(VOC, 0), make_priors(VOC)]
    finally:
        torch.set_default_dtype(torch.float32)
    assert {x.dtype for x in made} == {torch.float32}
