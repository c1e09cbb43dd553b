"""Targets: padding, and a clear refusal of every input that would make the loss NaN."""

import pytest
import torch

from ssd_tutorial.targets import Targets, make_targets

GOOD = torch.tensor([[0.1, 0.1, 0.4, 0.5], [0.0, 0.0, 1.0, 1.0], [0.2, 0.3, 0.21, 0.9]])
LABELS = torch.tensor([1, 20, 3])


def second_image(boxes=GOOD, labels=LABELS):
    """Make a batch whose first image is fine."""
    return make_targets([GOOD, boxes], [LABELS, labels], num_classes=21)


def with_box(index, row):
    boxes = GOOD.clone()
    boxes[index] = torch.tensor(row)
    return boxes


# --- padding -------------------------------------------------------------------------------------


def test_images_are_padded_to_the_one_with_most_objects():
    targets = make_targets(
        [GOOD[:1], GOOD[:0], GOOD], [LABELS[:1], LABELS[:0], LABELS], num_classes=21
    )
    assert targets.boxes.shape == (3, 3, 4)
    assert targets.labels.tolist() == [[1, 0, 0], [0, 0, 0], [1, 20, 3]]
    assert targets.real.tolist() == [[True, False, False], [False] * 3, [True] * 3]
    assert torch.equal(targets.boxes[2], GOOD)
    assert torch.equal(targets.boxes[0, 0], GOOD[0])
    assert (targets.boxes[~targets.real] == 0).all()
    assert targets.boxes.dtype == torch.float32
    assert targets.labels.dtype == torch.int64


def test_a_batch_without_any_object_still_has_a_column():
    targets = make_targets([GOOD[:0]] * 2, [LABELS[:0]] * 2, num_classes=2)
    assert targets.boxes.shape == (2, 1, 4)
    assert not targets.real.any()


def test_boxes_may_touch_the_border_or_exceed_it_by_rounding():
    targets = make_targets(
        [torch.tensor([[-1e-4, 0.0, 1.0 + 1e-4, 1.0]])], [torch.tensor([1])], num_classes=2
    )
    assert targets.real.all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_every_float_type_is_converted_to_float32(dtype):
    targets = make_targets([GOOD.to(dtype)], [LABELS], num_classes=21)
    assert targets.boxes.dtype == torch.float32
    torch.testing.assert_close(targets.boxes[0], GOOD.to(dtype).float())


@pytest.mark.parametrize("dtype", [torch.int32, torch.uint8])
def test_every_integer_type_is_accepted_for_labels(dtype):
    targets = make_targets([GOOD], [LABELS.to(dtype)], num_classes=21)
    assert torch.equal(targets.labels[0], LABELS)


def test_to_moves_both_parts():
    moved = second_image().to("meta")
    assert isinstance(moved, Targets)
    assert moved.boxes.device.type == moved.labels.device.type == "meta"


def test_inputs_are_not_changed():
    boxes, labels = GOOD.clone(), LABELS.clone()
    targets = make_targets([boxes], [labels], num_classes=21)
    targets.boxes.zero_()
    assert torch.equal(boxes, GOOD)
    assert torch.equal(labels, LABELS)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ([0.4, 0.1, 0.1, 0.5], "xmax must be above xmin"),
        ([0.4, 0.1, 0.4, 0.5], "xmax must be above xmin"),
        ([0.1, 0.5, 0.4, 0.1], "ymax must be above ymin"),
        ([0.1, 0.5, 0.4, 0.5], "ymax must be above ymin"),
        ([float("nan"), 0.1, 0.4, 0.5], "finite"),
        ([0.1, 0.1, float("inf"), 0.5], "finite"),
        ([0.1, float("-inf"), 0.4, 0.5], "finite"),
        (
            [30.0, 30.0, 120.0, 150.0],
            r"corners must lie in \[0, 1\]: divide pixels by the image's width and height$",
        ),
        ([0.1, 0.1, 0.4, 1.5], r"\[0, 1\]: divide pixels"),
        ([-0.1, 0.1, 0.4, 0.5], r"\[0, 1\]: divide pixels"),
    ],
)
@pytest.mark.parametrize("index", [0, 2])
def test_a_bad_box_is_named_with_its_image_and_rule(index, row, rule):
    with pytest.raises(ValueError, match=rf"^image 1, box {index} \[.*\]: .*{rule}"):
        second_image(boxes=with_box(index, row))


@pytest.mark.parametrize("side", range(4))
def test_a_thousandth_outside_the_image_is_rounding_and_more_is_not(side):
    out = -1 if side < 2 else 1
    row = [0.0, 0.0, 1.0, 1.0]
    row[side] += out * 0.9e-3
    assert second_image(boxes=with_box(1, row)).boxes[1, 1].tolist() == pytest.approx(row)
    row[side] += out * 0.2e-3
    with pytest.raises(ValueError, match=r"image 1, box 1 .*\[0, 1\]: divide pixels"):
        second_image(boxes=with_box(1, row))


def test_the_message_shows_the_numbers():
    with pytest.raises(ValueError, match=r"\[30, 40, 120, 150\.5\]"):
        second_image(boxes=with_box(1, [30.0, 40.0, 120.0, 150.5]))


@pytest.mark.parametrize("label", [0, -1, 21, 255])
def test_a_label_out_of_range_is_named(label):
    wrong = LABELS.clone()
    wrong[2] = label
    with pytest.raises(ValueError, match=rf"^image 1, box 2: label {label} is not in 1 \.\. 20"):
        second_image(labels=wrong)


@pytest.mark.parametrize(
    "boxes",
    [
        torch.zeros(3, 5),
        torch.zeros(4),
        torch.zeros(1, 3, 4),
        torch.zeros(0),  # what torch.tensor([]) gives for an image without objects
        torch.zeros(3, 4, dtype=torch.int64),
    ],
)
def test_boxes_of_the_wrong_shape_or_type_are_refused(boxes):
    with pytest.raises(ValueError, match=r"^image 1: boxes must be a float tensor \[N, 4\]"):
        second_image(boxes=boxes)


@pytest.mark.parametrize(
    "labels",
    [LABELS[:2], LABELS[:, None], LABELS.float(), torch.ones(3, dtype=torch.bool)],
)
def test_labels_of_the_wrong_shape_or_type_are_refused(labels):
    with pytest.raises(ValueError, match=r"^image 1: labels must be integers \[3\], one per box"):
        second_image(labels=labels)


def test_lists_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 images of boxes but 1 images of labels"):
        make_targets([GOOD, GOOD], [LABELS], num_classes=21)
    with pytest.raises(ValueError, match="^a batch needs at least one image$"):
        make_targets([], [], num_classes=21)


def test_a_box_that_vanishes_in_single_precision_is_refused():
    """It would have no width in the loss: its logarithm is -inf."""
    boxes = torch.tensor([[0.5, 0.5, 0.5 + 1e-9, 0.6]], dtype=torch.float64)
    with pytest.raises(ValueError, match=r"image 0, box 0 .*xmax must be above xmin"):
        make_targets([boxes], [torch.tensor([1])], num_classes=2)


@pytest.mark.parametrize("row", [[0, 0, 1e-30, 1e-30], [0, 0, 1e-45, 0.5]])
def test_a_box_whose_area_is_zero_in_single_precision_is_refused(row):
    """It would overlap nothing: no prior could be matched to it."""
    why = r"image 0, box 0 \[.*\]: the area must be at least 1e-38, or every IoU is 0$"
    with pytest.raises(ValueError, match=why):
        make_targets([torch.tensor([row])], [torch.tensor([1])], num_classes=2)


def test_the_smallest_area_and_the_widest_rounding_are_accepted():
    smallest, side = torch.finfo(torch.float32).tiny, 2.0**-63
    assert side * side == smallest
    widest = [-1e-3, -1e-3, 1 + 1e-3, 1 + 1e-3]
    boxes = torch.tensor([[0, 0, side, side], widest])
    assert make_targets([boxes], [torch.tensor([1, 1])], num_classes=2).real.all()


def test_targets_are_on_the_device_of_the_boxes():
    with torch.device("meta"):  # what would be made there could not be compared with these
        targets = second_image()
    assert targets.real.sum().item() == 6


def test_arrays_are_not_tensors():
    with pytest.raises(ValueError, match="^image 0: boxes must be a tensor, not ndarray"):
        make_targets([GOOD.numpy()], [LABELS], 21)
    with pytest.raises(ValueError, match="^image 0: labels must be a tensor, not list"):
        make_targets([GOOD], [LABELS.tolist()], 21)


def test_first_broken_box_of_the_batch_is_named():
    """Its number is counted in its own image, and images without objects count, too."""
    broken = GOOD.clone()
    broken[1, 2] = broken[1, 0]
    boxes, none = [GOOD, GOOD[:0], broken, broken], LABELS[:0]
    with pytest.raises(ValueError, match=r"^image 2 \(c\), box 1 \[.*\]: xmax must be above xmin"):
        make_targets(boxes, [LABELS, none, LABELS, LABELS], 21, names="abcd")


def test_boxes_with_a_gradient_lose_it():
    assert not make_targets([GOOD.clone().requires_grad_()], [LABELS], 21).boxes.requires_grad
