"""The IoU crop, by each policy, against plain loops and against torchvision."""

import math
import random

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from ssd_tutorial.augment import CROP_POLICIES, CropPolicy, IoUCrop, caffe_trials
from ssd_tutorial.augment.framed import Framed

from .items import in_step, item, items, noisy, same, seeds

THREE = [(20, 30, 70, 45), (50, 0, 140, 99), (3, 3, 9, 12)]


# --- against torchvision --------------------------------------------------------------------------


@pytest.mark.parametrize("boxes", [THREE, THREE[:1], [(0, 0, 150, 120)], []])
def test_torchvisions_rule_is_random_iou_crop_seed_by_seed(boxes):
    ours, theirs = IoUCrop("torchvision"), v2.RandomIoUCrop()
    cropped = 0
    for seed in range(60):
        source = noisy(boxes, (120, 150))
        torch.manual_seed(seed)
        image, target = theirs(*source)
        follows = torch.rand(4)
        inside = (target["boxes"] != 0).any(dim=1)  # it leaves zeros for boxes outside
        columns = {key: target[key][inside] for key in ("labels", "difficult")}
        boxes_left = tv_tensors.wrap(target["boxes"][inside], like=target["boxes"])
        torch.manual_seed(seed)
        assert same(ours(*source), (image, {**target, **columns, "boxes": boxes_left})), seed
        assert torch.equal(torch.rand(4), follows)
        cropped += image.shape[-2:] != (120, 150)
    assert cropped > 30 if boxes else cropped == 0


# --- against Caffe's rule, written as a plain loop ------------------------------------------------


def caffe_in_a_loop(u, choose, objects, width, height, an_object_must_remain):
    """Run sampler.cpp in plain Python: u[sampler][trial] = four numbers; objects in fractions."""
    found = [None]  # the first sampler, without constraints: the whole picture
    for min_iou, trials in zip([0.1, 0.3, 0.5, 0.7, 0.9, 0.0], u, strict=True):
        for scale_u, aspect_u, x_u, y_u in trials:
            scale = 0.3 + scale_u * 0.7
            aspect = 0.5 + aspect_u * 1.5
            aspect = max(aspect, scale**2)
            aspect = min(aspect, 1 / scale**2)
            w = min(scale * math.sqrt(aspect), 1)
            h = min(scale / math.sqrt(aspect), 1)
            x, y = x_u * (1 - w), y_u * (1 - h)
            left, top = int(x * width), int(y * height)
            right, bottom = left + max(1, int(w * width)), top + max(1, int(h * height))
            success = False
            for x0, y0, x1, y1 in objects:
                inner_w = min(x1, x + w) - max(x0, x)
                inner_h = min(y1, y + h) - max(y0, y)
                inner = inner_w * inner_h if inner_w > 0 and inner_h > 0 else 0.0
                if inner / (w * h + (x1 - x0) * (y1 - y0) - inner) >= min_iou:
                    success = True
            if an_object_must_remain:
                success = success and any(
                    left < (x0 + x1) / 2 * width < right and top < (y0 + y1) / 2 * height < bottom
                    for x0, y0, x1, y1 in objects
                )
            if success:
                found.append((left, top, right, bottom))
                break
    # ours lists the crops first and the whole picture last
    found = found[1:] + found[:1]
    return found[choose(len(found))]


@pytest.mark.parametrize("name", ["caffe", "caffe_literal"])
def test_caffes_rule_is_caffes_loop(name):
    width, height = 157, 121
    draw = random.Random(0)
    crop = IoUCrop(name)
    whole = 0
    for seed in range(120):
        corners = [[draw.uniform(0, 0.8), draw.uniform(0, 0.8)] for _ in range(seed % 4)]
        fractions = [
            (x, y, x + draw.uniform(0.05, 1 - x), y + draw.uniform(0.05, 1 - y)) for x, y in corners
        ]
        boxes = [(a * width, b * height, c * width, d * height) for a, b, c, d in fractions]
        torch.manual_seed(seed)
        u = torch.rand(6, 50, 4).tolist()
        expected = caffe_in_a_loop(
            u, lambda n: int(torch.randint(n, ())), fractions, width, height, name == "caffe"
        )
        torch.manual_seed(seed)
        image, target = noisy(boxes, (height, width))
        params = crop.make_params([image, target["boxes"]])
        assert params.get("crop") == expected, seed
        whole += expected is None
    assert 20 < whole < 80  # all of the 30 without objects, and a seventh of the others


def test_scales_are_sides_and_the_square_root_of_the_area():
    rule = CROP_POLICIES["caffe"]
    trials = caffe_trials(rule, torch.zeros(0, 4), 1000, 1000, torch.rand(20_000, 4))
    sides = trials.crops[:, 2:] - trials.crops[:, :2]
    areas = sides.prod(dim=1)
    assert areas.min() == pytest.approx(0.09, abs=0.001)
    assert areas.max() == pytest.approx(1.0, abs=0.001)
    assert areas.sqrt().mean() == pytest.approx(0.65, abs=0.01)  # scales are even: mean of .3 and 1
    ratio = sides[:, 0] / sides[:, 1]
    assert ratio.min() >= 0.5 - 1e-5
    assert ratio.max() <= 2 + 1e-5
    assert (trials.crops >= 0).all()
    assert (trials.crops <= 1 + 1e-6).all()
    assert (trials.best_iou == 0).all()


def test_caffes_aspect_ratio_is_in_fractions_and_torchvisions_in_pixels():
    source = noisy([(150, 20, 250, 80)], (100, 400))  # four times as wide as high
    ratios = {"caffe": [], "torchvision": []}
    for name, seen in ratios.items():
        crop = IoUCrop(name)
        torch.manual_seed(0)
        for _ in range(200):
            height, width = crop(*source)[0].shape[-2:]
            seen.append(width / height)
    assert max(ratios["caffe"]) > 6
    assert min(ratios["caffe"]) > 1.9
    assert max(r for r in ratios["torchvision"] if r != 4) <= 2


# --- the other rules ------------------------------------------------------------------------------


def accepted_ious(name, boxes, count=200):
    """Return the highest IoU with an object for each crop that a policy gives."""
    crop = IoUCrop(name)
    image, target = noisy(boxes, (100, 100))
    found = []
    torch.manual_seed(0)
    for _ in range(count):
        params = crop.make_params([image, target["boxes"]])
        if params:
            box = torch.tensor(params["crop"]).float()
            inner = torch.minimum(box[2:], target["boxes"][:, 2:]) - torch.maximum(
                box[:2], target["boxes"][:, :2]
            )
            inner = inner.clamp(min=0).prod(dim=1)
            areas = (target["boxes"][:, 2:] - target["boxes"][:, :2]).prod(dim=1)
            found.append(float((inner / ((box[2:] - box[:2]).prod() + areas - inner)).max()))
    return found


def test_amdegroots_crop_never_tests_its_iou():
    boxes = [(10, 10, 60, 60)]
    lowest = {name: sorted(accepted_ious(name, boxes)) for name in ("amdegroot", "sgrvinod")}
    low = {name: sum(x < 0.3 for x in found) / len(found) for name, found in lowest.items()}
    assert low["amdegroot"] > 2 * low["sgrvinod"]
    thresholds = CROP_POLICIES["amdegroot"].min_ious
    assert 0.5 not in thresholds
    assert 0.5 in CROP_POLICIES["caffe"].min_ious


def test_caffe_draws_among_the_samplers_that_can_succeed():
    small = [(10, 10, 25, 25)]  # its IoU with the smallest crop, 30 x 30 of 100, is 1/4 at best
    image, target = noisy(small)
    crop, literal = IoUCrop("caffe"), IoUCrop("caffe_literal")
    torch.manual_seed(0)
    whole = sum(not crop.make_params([image, target["boxes"]]) for _ in range(200)) / 200
    assert whole == pytest.approx(1 / 3, abs=0.1)  # of the whole picture, .1 and "any"
    empty = sum(len(literal(image, target)[1]["boxes"]) == 0 for _ in range(200)) / 200
    assert 0.1 < empty < 0.35  # Caffe's "any" does not ask for an object


# --- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", CROP_POLICIES)
@settings(max_examples=40)
@given(before=items(), seed=seeds)
def test_a_crop_keeps_exactly_the_boxes_with_their_centre_inside(rule, before, seed):
    image, target = before
    centres = (target["boxes"][:, :2] + target["boxes"][:, 2:]).as_subclass(Tensor) / 2
    crop = IoUCrop(rule)
    torch.manual_seed(seed)
    params = crop.make_params([image, target["boxes"]])
    torch.manual_seed(seed)
    cut, after = crop(*before)

    height, width = cut.shape[-2:]
    assert 1 <= height <= image.shape[-2]
    assert 1 <= width <= image.shape[-1]
    kept = after["boxes"].as_subclass(Tensor)
    assert ((kept >= 0) & (kept <= torch.tensor([width, height] * 2))).all()
    assert (kept[:, 2:] > kept[:, :2]).all()
    assert after["boxes"].canvas_size == (height, width)
    assert in_step(before, (cut, after))
    if rule != "caffe_literal":
        assert len(kept) >= min(1, len(centres))
    if not params:
        assert same((cut, after), before)
        return
    left, top, right, bottom = params["crop"]
    assert torch.equal(cut, image[:, top:bottom, left:right])
    inside = [left < x < right and top < y < bottom for x, y in centres.tolist()]
    assert after["labels"].tolist() == [i + 1 for i, stays in enumerate(inside) if stays]


# --- mistakes -------------------------------------------------------------------------------------


def test_an_unknown_policy_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"no crop policy is called 'caffee'; choose one of \['caffe'"
    ):
        IoUCrop("caffee")


def test_impossible_box_is_refused_by_name():
    with pytest.raises(ValueError, match=r"picture x9, box 0 \[30, 10, 20, 40\]: xmax must be"):
        IoUCrop()(*item([(30, 10, 20, 40)], name="x9"))


def test_an_input_that_is_not_an_item_is_named():
    image, target = item([(10, 10, 20, 20)])
    with pytest.raises(TypeError, match=r"expected a tv_tensors.Image"):
        IoUCrop()(image.as_subclass(Tensor), target)
    centre = tv_tensors.BoundingBoxes([[15, 15, 20, 20]], format="CXCYWH", canvas_size=(100, 100))
    with pytest.raises(ValueError, match=r"boxes must be XYXY, not CXCYWH"):
        IoUCrop()(image, {**target, "boxes": centre})


def test_a_custom_policy_is_followed_and_needs_none():
    rule = CropPolicy(
        min_ious=(None, 0.9),
        trials=5,
        all_try=False,
        iou_with="any",
        needs_object=False,
    )
    image, _ = IoUCrop(rule)(*item([]))
    assert image.shape == (3, 100, 100)
    with pytest.raises(ValueError, match=r"min_ious must contain None"):
        CropPolicy((0.1,), 5, False, "any", True, "this test")
    with pytest.raises(ValueError, match=r"all_try needs iou_with"):
        CropPolicy((None,), 5, True, "kept", True, "this test")
    with pytest.raises(ValueError, match=r"trials must be 1 or more, not 0"):
        CropPolicy((None,), 0, False, "any", True, "this test")


def test_method_names_of_torchvision_before_0_21():
    image, target = item([(20, 30, 70, 45), (50, 0, 99, 99)])
    crop = IoUCrop()
    torch.manual_seed(2)
    cut, after = crop(image, target)
    torch.manual_seed(2)
    params = crop._get_params([image, target["boxes"]])
    assert torch.equal(crop._transform(Framed(image), params).pixels(), cut)
    assert len(crop._transform(target["boxes"], params)) >= len(after["boxes"])
