"""What training and inference do to a picture: boxes follow their pixels, slivers go."""

import pickle

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from ssd_tutorial.augment import (
    CROP_POLICIES,
    Expand,
    IoUCrop,
    PhotometricDistort,
    RandomInterpolationResize,
    resize,
    training_transform,
)

from .items import in_step, item, items, noisy, painted, same, seeds

EVERYTHING = {
    "vertical_flip": True,
    "crop": "caffe",
    "expand": 4.0,
    "distort": True,
    "interpolation": "random",
}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"vertical_flip": True},
        {"vertical_flip": True, "crop": "torchvision", "crop_prob": 0.5},
        {"crop": "caffe"},
        {"interpolation": "random"},
    ],
)
def test_boxes_move_with_their_pixels(options):
    transform = training_transform(100, **options)
    seen = set()
    for seed in range(24):
        torch.manual_seed(seed)
        image, target = transform(item([(20, 30, 70, 45)]))
        box = target["boxes"][0].as_subclass(Tensor)
        assert torch.allclose(box, painted(image), atol=3), seed
        seen.add(tuple(box.round().int().tolist()))
    assert len(seen) >= (4 if set(options) & {"vertical_flip", "crop"} else 2)


def test_order_is_caffes():
    steps = training_transform(300, **EVERYTHING).transform.transforms
    assert [type(step) for step in steps] == [
        PhotometricDistort,
        Expand,
        IoUCrop,
        RandomInterpolationResize,
        v2.RandomHorizontalFlip,
        v2.RandomVerticalFlip,
    ]
    assert steps[1].ratio == 4
    assert steps[2].policy is CROP_POLICIES["caffe"]


@pytest.mark.parametrize("vertical_flip", [False, True])
@pytest.mark.parametrize("crop", [False, True])
def test_recorded_runs_can_be_repeated_to_the_bit(vertical_flip, crop):
    """Runs were recorded with torchvision's own transforms, in this order."""
    steps = [v2.RandomApply([v2.RandomIoUCrop()], p=0.5)] if crop else []
    steps += [v2.RandomHorizontalFlip()] + ([v2.RandomVerticalFlip()] if vertical_flip else [])
    reference = v2.Compose([*steps, v2.Resize((100, 100), antialias=True)])
    ours = training_transform(
        100, vertical_flip=vertical_flip, crop="torchvision" if crop else "", crop_prob=0.5
    )
    boxes = [(20.25, 30, 70, 45), (50, 0, 140, 99), (3, 3, 9, 12.5), (90, 90, 150, 120)]
    left_out = 0
    for seed in range(80):
        torch.manual_seed(seed)
        image, target = reference(*noisy(boxes, (120, 150)))
        keep = ((target["boxes"][:, 2:] - target["boxes"][:, :2]) >= 3).all(dim=1)
        left_out += int((~keep).sum())
        columns = {key: target[key][keep] for key in ("labels", "difficult", "boxes")}
        columns["boxes"] = tv_tensors.wrap(columns["boxes"], like=target["boxes"])
        torch.manual_seed(seed)
        assert same(ours(noisy(boxes, (120, 150))), (image, {**target, **columns})), seed
        assert torch.equal(torch.rand(3), after(seed, reference, noisy(boxes, (120, 150))))
    assert (left_out > 0) == crop


def after(seed, transform, given_item):
    """Return the next random numbers after a transform."""
    torch.manual_seed(seed)
    transform(*given_item)
    return torch.rand(3)


def test_a_picture_of_another_aspect_ratio_is_stretched_with_its_boxes():
    image, target = resize(300)(item([(10, 20, 110, 50)], size=(60, 200)))
    assert image.shape == (3, 300, 300)
    assert image.dtype == torch.uint8
    assert target["boxes"].canvas_size == (300, 300)
    assert torch.allclose(target["boxes"][0], torch.tensor([15.0, 100, 165, 250]))
    assert torch.allclose(painted(image), torch.tensor([15.0, 100, 165, 250]), atol=2)


def test_half_of_the_pictures_are_mirrored_and_none_when_not_asked():
    boxes = []
    for seed in range(200):
        torch.manual_seed(seed)
        boxes.append(float(training_transform(100)(item([(10, 0, 30, 100)]))[1]["boxes"][0, 0]))
    assert set(boxes) == {10.0, 70.0}
    assert 70 <= boxes.count(70.0) <= 130
    plain = training_transform(100, horizontal_flip=False)(item([(10, 0, 30, 100)]))
    assert same(plain, item([(10, 0, 30, 100)]))


def test_share_of_crops_is_the_requested_one():
    whole = {}
    for share in (0.0, 0.25, 1.0):
        transform = training_transform(
            50, horizontal_flip=False, crop="torchvision", crop_prob=share
        )
        source = item([(10, 10, 90, 90)])
        plain = resize(50)(source)[0]
        torch.manual_seed(0)
        whole[share] = sum(torch.equal(transform(source)[0], plain) for _ in range(200)) / 200
    assert whole[0.0] == 1
    assert 0.7 < whole[0.25] < 0.88  # 3/4 and a seventh of the rest are left whole
    assert 0.05 < whole[1.0] < 0.3


@pytest.mark.parametrize("rule", CROP_POLICIES)
@settings(max_examples=40)
@given(before=items(), seed=seeds)
def test_boxes_stay_inside_with_their_labels_and_flags(rule, before, seed):
    torch.manual_seed(seed)
    image, target = training_transform(64, **{**EVERYTHING, "crop": rule})(before)
    assert image.shape == (3, 64, 64)
    assert image.dtype == torch.uint8
    assert target["boxes"].canvas_size == (64, 64)
    kept = target["boxes"].as_subclass(Tensor)
    assert ((kept >= 0) & (kept <= 64 + 1e-3)).all()
    assert ((kept[:, 2:] - kept[:, :2]) >= 3.0).all()
    assert in_step(before, (image, target))


def test_slivers_are_dropped_with_their_labels_and_flags():
    _, target = resize(100)(
        item([(0, 0, 50, 2), (0, 0, 50, 50), (5, 5, 7, 90), (1, 1, 4, 4)], labels=[7, 8, 9, 3])
    )
    assert target["labels"].tolist() == [8, 3]
    assert target["difficult"].tolist() == [True, True]
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
    assert target["boxes"].canvas_size == (100, 100)
    assert target["name"] == "one"


@pytest.mark.parametrize("rule", ["", *CROP_POLICIES])
def test_a_picture_without_objects_passes(rule):
    transform = training_transform(64, **{**EVERYTHING, "crop": rule})
    for seed in range(20):
        torch.manual_seed(seed)
        image, target = transform(item([]))
        assert image.shape == (3, 64, 64)
        assert target["boxes"].shape == (0, 4)
        assert target["labels"].shape == target["difficult"].shape == (0,)


@pytest.mark.parametrize(
    "bad",
    [(30, 10, 20, 40), (10, 30, 40, 30), (float("nan"), 0, 9, 9), (0, 0, float("inf"), 9)],
)
@pytest.mark.parametrize("transform", [resize(64), training_transform(64, **EVERYTHING)])
def test_an_impossible_box_is_not_taken_for_a_sliver(bad, transform):
    with pytest.raises(ValueError, match=r"picture pic_7, box 1 \[.*(must be above|a finite)"):
        transform(item([(0, 0, 50, 50), bad], name="pic_7"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": "cafe"}, "no crop policy is called 'cafe'; choose one of .*'caffe'"),
        ({"crop": "caffe", "crop_prob": 1.5}, "crop_prob must be from 0 to 1, not 1.5"),
        ({"expand": 0.5}, "ratio must be from 1 to 16, not 0.5"),
        ({"interpolation": "cubic"}, "must be bilinear or random, not 'cubic'"),
    ],
)
def test_settings_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        training_transform(64, **options)


@pytest.mark.parametrize("options", [EVERYTHING, {**EVERYTHING, "crop": "torchvision"}])
def test_random_numbers_are_torchs_and_nothing_is_kept_between_calls(options):
    transform = training_transform(80, **options)
    source = item([(20, 30, 70, 45), (50, 0, 99, 99)])
    untouched = item([(20, 30, 70, 45), (50, 0, 99, 99)])
    torch.manual_seed(5)
    first = transform(source)
    for _ in range(3):
        transform(source)
    torch.manual_seed(5)
    assert same(first, transform(source))
    torch.manual_seed(5)
    assert same(first, pickle.loads(pickle.dumps(transform))(source))
    assert same(source, untouched)
