"""Boxes: formats, area, IoU and offsets, as properties over boxes of every size."""

from itertools import pairwise

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torchvision.ops import box_area, box_convert, box_iou

from ssd_tutorial.boxes import (
    VARIANCES,
    _with_room,
    area,
    box_problem,
    cxcywh_to_xyxy,
    decode,
    encode,
    intersection,
    iou,
    xyxy_to_cxcywh,
)
from ssd_tutorial.presets import PRESETS


@st.composite
def boxes(draw, smallest=1e-3):
    """Draw a float64 xyxy box inside the image, no side shorter than `smallest`."""
    x, y = draw(st.floats(0, 1 - smallest)), draw(st.floats(0, 1 - smallest))
    w, h = draw(st.floats(smallest, 1 - x)), draw(st.floats(smallest, 1 - y))
    return [x, y, x + w, y + h]


def several(most=5, **kwargs):
    return st.lists(boxes(**kwargs), min_size=1, max_size=most).map(
        lambda b: torch.tensor(b, dtype=torch.float64)
    )


def slow_iou(a, b):
    """Compute the IoU of two boxes by its definition, in Python floats."""
    overlap = 1.0
    for axis in (0, 1):
        low, high = max(a[axis], b[axis]), min(a[axis + 2], b[axis + 2])
        overlap *= max(0.0, high - low)
    size_a, size_b = ((c[2] - c[0]) * (c[3] - c[1]) for c in (a, b))
    return overlap / (size_a + size_b - overlap)


# --- formats -------------------------------------------------------------------------------------


@given(several())
def test_formats_round_trip(xyxy):
    torch.testing.assert_close(cxcywh_to_xyxy(xyxy_to_cxcywh(xyxy)), xyxy, atol=1e-12, rtol=0)


def test_formats_convert_numbers_worked_by_hand_with_any_leading_dimensions():
    xyxy = torch.tensor([[[0.1, 0.2, 0.5, 0.4]]])
    cxcywh = torch.tensor([[[0.3, 0.3, 0.4, 0.2]]])
    torch.testing.assert_close(xyxy_to_cxcywh(xyxy), cxcywh)
    torch.testing.assert_close(cxcywh_to_xyxy(cxcywh), xyxy)


def test_formats_agree_with_torchvision():
    xyxy = torch.rand(500, 2, 2).sort(dim=1).values.flatten(1)
    theirs = box_convert(xyxy, "xyxy", "cxcywh")
    torch.testing.assert_close(xyxy_to_cxcywh(xyxy), theirs)
    torch.testing.assert_close(cxcywh_to_xyxy(theirs), box_convert(theirs, "cxcywh", "xyxy"))


# --- area and IoU --------------------------------------------------------------------------------


def test_area_is_width_times_height_and_0_for_inverted_boxes():
    assert area(torch.tensor([10.0, 20, 40, 60])).item() == 1200
    inverted = torch.tensor([[0.5, 0.1, 0.2, 0.4], [0.2, 0.4, 0.5, 0.1], [0.5, 0.5, 0.2, 0.2]])
    assert area(inverted).tolist() == [0, 0, 0]
    xyxy = torch.rand(500, 2, 2).sort(dim=1).values.flatten(1)
    torch.testing.assert_close(area(xyxy), box_area(xyxy))


def test_iou_agrees_with_cases_worked_by_hand():
    a = torch.tensor([[0.0, 0, 2, 2]])
    b = torch.tensor([[0.0, 0, 2, 2], [1, 1, 3, 3], [0, 0, 1, 2], [2, 0, 4, 2], [5, 5, 6, 6]])
    # the same; a quarter each; half; touching; apart
    torch.testing.assert_close(iou(a, b), torch.tensor([[1, 1 / 7, 1 / 2, 0, 0]]))


@given(several(), several())
def test_iou_agrees_with_its_definition(a, b):
    want = torch.tensor([[slow_iou(x, y) for y in b.tolist()] for x in a.tolist()])
    torch.testing.assert_close(iou(a, b).float(), want, atol=1e-6, rtol=0)


@given(several(), several())
def test_iou_is_symmetric_and_between_0_and_1(a, b):
    got = iou(a, b)
    assert got.shape == (len(a), len(b))
    assert torch.equal(got, iou(b, a).mT)
    assert (got >= 0).all()
    assert (got <= 1 + 1e-12).all()
    torch.testing.assert_close(iou(a, a).diagonal(), torch.ones(len(a), dtype=torch.float64))


@given(several(), several(), st.floats(-2, 2), st.floats(-2, 2), st.floats(0.1, 500))
def test_iou_does_not_change_with_the_origin_the_unit_or_a_mirror(a, b, dx, dy, unit_px):
    shift = torch.tensor([dx, dy, dx, dy], dtype=torch.float64)
    torch.testing.assert_close(iou(unit_px * a + shift, unit_px * b + shift), iou(a, b))

    def mirror(x):
        x0, y0, x1, y1 = x.unbind(1)
        return torch.stack([1 - x1, y0, 1 - x0, y1], dim=1)

    torch.testing.assert_close(iou(mirror(a), mirror(b)), iou(a, b))
    swap = [1, 0, 3, 2]
    torch.testing.assert_close(iou(a[:, swap], b[:, swap]), iou(a, b))


@given(boxes(), st.lists(st.floats(0, 0.5), min_size=2, max_size=6))
def test_iou_falls_as_a_box_moves_away(box, moves):
    a = torch.tensor([box], dtype=torch.float64)
    got = [iou(a, a + torch.tensor([dx, 0, dx, 0])).item() for dx in sorted(moves)]
    assert all(near >= far - 1e-12 for near, far in pairwise(got))


def test_iou_of_boxes_without_area_is_0_and_its_gradient_finite():
    """A point and a line, each with itself, the other and the whole image."""
    flat = torch.tensor([[0.5, 0.5, 0.5, 0.5], [0.2, 0.5, 0.6, 0.5]], requires_grad=True)
    got = iou(flat, torch.tensor([*flat.tolist(), [0, 0, 1, 1]]))
    assert got.tolist() == [[0, 0, 0]] * 2
    got.sum().backward()
    assert flat.grad.isfinite().all()


@pytest.mark.parametrize("side", [1e-3, 1e-6, 1e-9, 1e-18])
def test_iou_is_exact_for_minute_boxes(side):
    """A constant in the denominator would make a small box disappear."""
    a = torch.tensor([[0, 0, side, side]])
    b = torch.tensor([[0, 0, side, side], [0, 0, side, 2 * side]])
    torch.testing.assert_close(iou(a, b), torch.tensor([[1, 0.5]]))


def test_iou_leading_dimensions_broadcast():
    a, b = torch.rand(3, 1, 4, 2, 2), torch.rand(2, 5, 2, 2)
    a, b = (x.sort(dim=-2).values.flatten(-2) for x in (a, b))
    got = iou(a, b)
    assert got.shape == (3, 2, 4, 5)
    for i in range(3):
        for j in range(2):
            torch.testing.assert_close(got[i, j], iou(a[i, 0], b[j]))
    assert iou(a[0, 0, :0], b[0]).shape == (0, 5)
    assert iou(a[0, 0], b[0, :0]).shape == (4, 0)


def test_iou_agrees_with_torchvision_and_does_not_change_its_arguments():
    a, b = (torch.rand(200, 2, 2).sort(dim=1).values.flatten(1) for _ in range(2))
    before = a.clone(), b.clone()
    torch.testing.assert_close(iou(a, b), box_iou(a, b), atol=1e-7, rtol=1e-6)
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])


# --- offsets -------------------------------------------------------------------------------------


def test_offsets_agree_with_a_case_worked_by_hand():
    """A box one tenth of the prior to the right, and twice as high."""
    prior = torch.tensor([[0.5, 0.5, 0.2, 0.1]])
    box = cxcywh_to_xyxy(torch.tensor([[0.52, 0.5, 0.2, 0.2]]))
    want = torch.tensor([[0.1 / 0.1, 0, 0, torch.log(torch.tensor(2.0)) / 0.2]])
    torch.testing.assert_close(encode(box, prior), want, atol=1e-5, rtol=0)
    torch.testing.assert_close(decode(want, prior), box)


@given(several(), boxes(), st.sampled_from([VARIANCES, (1.0, 1, 1, 1), (0.1, 0.3, 0.5, 0.2)]))
def test_decode_undoes_encode(xyxy, prior, variances):
    priors = xyxy_to_cxcywh(torch.tensor([prior], dtype=torch.float64)).expand(len(xyxy), 4)
    offsets = encode(xyxy, priors, variances)
    torch.testing.assert_close(decode(offsets, priors, variances), xyxy, atol=1e-9, rtol=1e-9)


offset = st.floats(-8, 8)


@given(st.lists(st.tuples(offset, offset, offset, offset), min_size=1, max_size=5), boxes())
def test_encode_undoes_decode(offsets, prior):
    offsets = torch.tensor(offsets, dtype=torch.float64)
    priors = xyxy_to_cxcywh(torch.tensor([prior], dtype=torch.float64)).expand(len(offsets), 4)
    got = encode(decode(offsets, priors), priors)
    torch.testing.assert_close(got, offsets, atol=1e-6, rtol=1e-6)


@given(several(), boxes())
def test_each_variance_divides_its_own_coordinate(xyxy, prior):
    priors = xyxy_to_cxcywh(torch.tensor([prior], dtype=torch.float64)).expand(len(xyxy), 4)
    plain = encode(xyxy, priors, (1.0, 1, 1, 1))
    scaled = encode(xyxy, priors, (0.1, 0.2, 0.4, 0.8))
    torch.testing.assert_close(scaled, plain * torch.tensor([10, 5, 2.5, 1.25]).double())


@given(several(most=1), boxes(), st.floats(0.1, 500), st.floats(-3, 3))
def test_offsets_do_not_change_with_the_unit_or_the_origin(xyxy, prior, unit_px, shift):
    assume(unit_px > 0)
    prior_xyxy = torch.tensor([prior], dtype=torch.float64)
    before = encode(xyxy, xyxy_to_cxcywh(prior_xyxy))
    after = encode(unit_px * xyxy + shift, xyxy_to_cxcywh(unit_px * prior_xyxy + shift))
    torch.testing.assert_close(after, before, atol=1e-6, rtol=1e-6)


def test_offset_zero_is_the_prior_itself():
    priors = torch.rand(10, 4) + 0.1
    torch.testing.assert_close(decode(torch.zeros(10, 4), priors), cxcywh_to_xyxy(priors))


def test_decode_takes_a_batch_of_images():
    offsets, priors = torch.randn(3, 7, 4), torch.rand(7, 4) + 0.1
    got = decode(offsets, priors)
    assert got.shape == (3, 7, 4)
    for i in range(3):
        torch.testing.assert_close(got[i], decode(offsets[i], priors))


def test_encode_takes_a_batch_of_images():
    boxes = torch.tensor([[[0.1, 0.2, 0.5, 0.4]], [[0.3, 0.3, 0.4, 0.9]]])
    priors = torch.tensor([[0.5, 0.5, 0.2, 0.3]])
    together = encode(boxes, priors)
    torch.testing.assert_close(together, torch.stack([encode(one, priors) for one in boxes]))


def test_default_variances_are_those_of_every_preset():
    assert all(preset.variances == VARIANCES for preset in PRESETS.values())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_dtype_is_kept(dtype):
    xyxy = torch.tensor([[0.25, 0.25, 0.5, 0.75]], dtype=dtype)
    prior = torch.tensor([[0.5, 0.5, 0.25, 0.25]], dtype=dtype)
    assert iou(xyxy, cxcywh_to_xyxy(prior)).dtype == dtype
    assert encode(xyxy, prior).dtype == dtype
    assert decode(encode(xyxy, prior), prior).dtype == dtype


@pytest.mark.parametrize("unit", [1e-20, 1e-15, 1.0, 1e15, 1e20])
def test_iou_does_not_depend_on_the_unit(unit):
    """An area of float32 ends at 1e38, and below 1e-38 it is 0."""
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2]]) * unit
    got = iou(boxes, boxes)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, torch.tensor([[1, 1 / 3], [1 / 3, 1]]))


@pytest.mark.parametrize(
    "box", [[-1e20, -1e20, 1e20, 1e20], [0, 0, 1e30, 1e10], [0, 0, 1e10, 1e30]]
)
def test_iou_has_room_for_the_area_wherever_the_box_is(box):
    assert iou(torch.tensor([box]), torch.tensor([box])).item() == 1


def test_only_boxes_whose_area_has_no_room_are_computed_in_double_precision():
    """It takes twice the memory and time."""
    usual = torch.tensor([[0.1, 0.1, 0.3, 0.2], [0, 0, 5000, 5000], [0.5, 0.5, 0.5, 0.5]])
    assert [x.dtype for x in _with_room(usual, usual)] == [torch.float32] * 2
    vast = torch.cat([usual, torch.tensor([[0, 0, 1e16, 1]])])
    assert [x.dtype for x in _with_room(vast, usual)] == [torch.float64] * 2


def test_iou_with_a_box_of_double_precision_keeps_it():
    a, b = torch.tensor([[0.0, 0, 1, 1]]), torch.tensor([[0, 0, 1 + 1e-12, 1]], dtype=torch.float64)
    assert iou(a, b).item() == iou(b, a).item() == pytest.approx(1 - 1e-12, abs=1e-15)


def test_one_box_beyond_the_range_changes_no_other():
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [0, 0, 1e30, 1e30]])
    torch.testing.assert_close(iou(boxes, boxes).diagonal(), torch.ones(3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32, torch.int64])
def test_iou_in_pixels_of_types_that_have_no_room_for_an_area(dtype):
    boxes = torch.tensor([[0, 0, 300, 300], [0, 0, 300, 150]]).to(dtype)
    got = iou(boxes, boxes)
    assert got.dtype == (dtype if dtype.is_floating_point else torch.float32)
    torch.testing.assert_close(got.float(), torch.tensor([[1, 0.5], [0.5, 1]]), atol=1e-3, rtol=0)


def test_a_box_without_area_next_to_others_changes_none_of_them():
    boxes = torch.rand(9, 4).sort(dim=1).values
    with_empty = torch.cat([boxes, torch.zeros(1, 4)])
    assert torch.equal(iou(with_empty, boxes)[:9], iou(boxes, boxes))
    assert iou(with_empty, with_empty)[9].tolist() == [0] * 10


def test_intersection_is_what_two_boxes_share():
    a, b = torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([[2.0, 1, 6, 3], [4, 4, 5, 5]])
    assert intersection(a, b).tolist() == [[4, 0]]


# --- corners that are no box ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((0, 0, 1, 2), ""),
        ((-3, 5, -2, 5.5), ""),
        ((1, 0, 1, 2), "xmax must be above xmin"),
        ((2, 0, 1, 2), "xmax must be above xmin"),
        ((0, 2, 1, 2), "ymax must be above ymin"),
        ((0, 3, 1, 2), "ymax must be above ymin"),
        ((0, 0, float("inf"), 2), "every coordinate must be a finite number"),
        ((0, 0, 1, float("nan")), "every coordinate must be a finite number"),
    ],
)
def test_the_rule_that_corners_break_is_named(box, problem):
    assert box_problem(box) == problem
