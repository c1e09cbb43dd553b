"""The properties of scenes, pinned down.

These bounds were written before anything was trained on scenes. They keep the pictures as hard
as they were: a change that makes objects larger, clearer, or further apart fails here.
"""

import hashlib
import random
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision import tv_tensors

from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes, draw_scene
from ssd_tutorial.datasets.scenes.compose import (
    DIFFICULT_BELOW,
    MAX_IOU,
    MIN_SIDE,
    MIN_VISIBLE,
    compose,
)
from tests import forked

COUNT, SIZE = 320, 300
scene_numbers = st.tuples(st.integers(0, 2**40), st.integers(0, 2**40))


@dataclass
class Survey:
    """What was measured on ``COUNT`` scenes; one entry per object, except ``pictures``."""

    pictures: np.ndarray  # objects in each picture
    labels: np.ndarray
    width: np.ndarray  # of the visible box, as a fraction of the picture
    height: np.ndarray
    visible: np.ndarray
    at_border: np.ndarray
    contrast: np.ndarray  # RGB distance to the background around it, 0..sqrt(3)
    overlapping: np.ndarray  # of each pair in a picture: whether the boxes overlap
    iou: np.ndarray  # of each pair
    noise: np.ndarray  # of each picture: mean difference of neighbouring background pixels
    milliseconds: float  # of processor time, per picture


def _pairs(boxes):
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    area = (boxes[:, 2:] - boxes[:, :2]).prod(-1)
    upper = np.triu_indices(len(boxes), 1)
    return (shared / (area[:, None] + area[None, :] - shared))[upper]


def _contrast(scene, k):
    """Return the distance of an object's mean colour from that of the background around it."""
    x0, y0, x1, y1 = scene.boxes[k].astype(int)
    window = (slice(max(y0 - 6, 0), y1 + 6), slice(max(x0 - 6, 0), x1 + 6))
    owner, pixels = scene.owner[window], scene.image[window].astype(float) / 255
    if (owner == 0).sum() < 20:
        return np.nan
    return np.linalg.norm(pixels[owner == k + 1].mean(0) - pixels[owner == 0].mean(0))


@pytest.fixture(scope="module")
def scenes():
    start = time.process_time()
    drawn = [compose(seed=0, index=index) for index in range(COUNT)]
    return drawn, (time.process_time() - start) / COUNT * 1000


@pytest.fixture(scope="module")
def survey(scenes):
    drawn, milliseconds = scenes
    boxes = np.concatenate([scene.boxes for scene in drawn])
    width, height = (boxes[:, 2:] - boxes[:, :2]).T / SIZE
    iou = np.concatenate([_pairs(scene.boxes) for scene in drawn])
    contrast = [_contrast(scene, k) for scene in drawn for k in range(len(scene.labels))]
    steps = []
    for scene in drawn:
        both = (scene.owner[:, 1:] == 0) & (scene.owner[:, :-1] == 0)
        steps.append(np.abs(np.diff(scene.image.astype(float).mean(2), axis=1))[both].mean())
    return Survey(
        pictures=np.array([len(scene.labels) for scene in drawn]),
        labels=np.concatenate([scene.labels for scene in drawn]),
        width=width,
        height=height,
        visible=np.concatenate([scene.visible for scene in drawn]),
        at_border=(boxes <= 0).any(1) | (boxes >= SIZE).any(1),
        contrast=np.array(contrast),
        overlapping=iou > 0,
        iou=iou,
        noise=np.array(steps),
        milliseconds=milliseconds,
    )


def assert_quantiles(values, bounds):
    for share, (low, high) in bounds.items():
        found = np.quantile(values, share)
        assert low <= found <= high, f"quantile {share}: {found:.3f} is not in [{low}, {high}]"


# The distribution -------------------------------------------------------------------------------


def test_scenes_have_the_documented_number_of_objects(survey):
    assert set(survey.pictures) == set(range(1, 9))
    assert 3.2 <= survey.pictures.mean() <= 4.0
    assert 0.09 <= (survey.pictures == 1).mean() <= 0.2
    assert (survey.pictures >= 6).mean() >= 0.1


def test_sizes_run_from_5_to_90_percent(survey):
    scale, longer = np.sqrt(survey.width * survey.height), np.maximum(survey.width, survey.height)
    assert_quantiles(
        scale,
        {
            0: (0.04, 0.06),
            0.05: (0.06, 0.085),
            0.25: (0.10, 0.135),
            0.5: (0.16, 0.21),
            0.75: (0.25, 0.34),
            0.95: (0.45, 0.65),
            1: (0.65, 0.92),
        },
    )
    assert longer.min() <= 0.07
    assert longer.max() >= 0.88
    assert 0.04 <= (scale * SIZE < 24).mean() <= 0.09
    assert 0.12 <= (scale * SIZE < 30).mean() <= 0.22


def test_no_box_is_too_thin_to_be_hit(survey):
    """A shift of one pixel costs a box 9 pixels high an IoU of 0.2; thinner ones are unfair."""
    narrow = np.minimum(survey.width, survey.height)
    assert narrow.min() >= MIN_SIDE >= 8 / SIZE
    assert 0.002 <= (narrow * SIZE < 12).mean() <= 0.03


def test_shapes_are_wide_tall_and_square(survey):
    aspect = survey.width / survey.height
    assert_quantiles(aspect, {0.05: (0.3, 0.38), 0.5: (0.8, 1.1), 0.95: (2.5, 3.3)})
    assert 0.06 <= (aspect > 2.5).mean() <= 0.13
    assert 0.07 <= (aspect < 1 / 2.5).mean() <= 0.14
    assert 0.15 <= ((aspect > 0.8) & (aspect < 1.25)).mean() <= 0.28
    assert aspect.max() >= 4
    assert aspect.min() <= 0.3


def test_every_size_comes_in_every_shape(survey):
    """Scale and aspect ratio are drawn independently: small trains, large lighthouses."""
    scale, aspect = np.sqrt(survey.width * survey.height), survey.width / survey.height
    inside = ~survey.at_border
    for low, high in ((0, 0.12), (0.12, 0.25), (0.25, 1)):
        of_size = aspect[inside & (scale >= low) & (scale < high)]
        assert (of_size > 2).any()
        assert (of_size < 0.5).any()
    assert abs(np.corrcoef(np.log(scale), np.log(aspect))[0, 1]) < 0.2


def test_classes_are_balanced(survey):
    share = np.bincount(survey.labels, minlength=13)[1:] / len(survey.labels)
    assert len(share) == 12
    assert share.min() >= 0.055
    assert share.max() <= 0.115


def test_objects_overlap_hide_one_another_and_leave_the_picture(survey):
    assert 0.2 <= survey.overlapping.mean() <= 0.33
    assert 0.025 <= (survey.iou > 0.2).mean() <= 0.06
    assert survey.iou.max() <= MAX_IOU + 1e-6
    assert 0.09 <= (survey.visible < 0.9).mean() <= 0.18
    assert 0.1 <= survey.at_border.mean() <= 0.2


def test_heavy_occlusion_is_rare_and_bounded(survey):
    assert survey.visible.min() >= MIN_VISIBLE
    assert survey.visible.max() <= 1
    assert 0.004 <= (survey.visible < DIFFICULT_BELOW).mean() <= 0.03


def test_contrast_is_that_of_a_picture_and_not_of_a_chart(survey):
    contrast = survey.contrast[~np.isnan(survey.contrast)]
    assert len(contrast) >= 0.97 * len(survey.contrast)
    assert_quantiles(
        contrast, {0.01: (0.05, 0.13), 0.1: (0.13, 0.22), 0.5: (0.28, 0.4), 0.9: (0.5, 0.68)}
    )


def test_backgrounds_are_textured_and_grainy(survey):
    """Grey levels between neighbouring background pixels: 0 would be a flat sheet."""
    assert_quantiles(survey.noise, {0: (0.2, 1.5), 0.5: (1.8, 3.8), 1: (4.0, 8.0)})


def test_brightness_varies_from_night_to_snow(scenes):
    means = np.array([scene.image.mean() for scene in scenes[0]])
    assert np.quantile(means, 0.05) < 90
    assert np.quantile(means, 0.95) > 180


def test_colour_alone_does_not_give_the_class(scenes):
    """The class with the nearest mean colour is right less than one time in four."""
    colours, labels = [], []
    for scene in scenes[0]:
        for k, label in enumerate(scene.labels):
            colours.append(scene.image[scene.owner == k + 1].mean(0))
            labels.append(label)
    colours, labels = np.array(colours), np.array(labels)
    half = len(labels) // 2
    means = np.array([colours[:half][labels[:half] == c].mean(0) for c in range(1, 13)])
    guess = np.linalg.norm(colours[half:, None] - means[None], axis=-1).argmin(1) + 1
    assert (guess == labels[half:]).mean() < 0.25


def test_drawing_is_quick(survey):
    """500 pictures in 20 s on two cores are 80 ms each; a slow machine is allowed for."""
    assert survey.milliseconds < 70


# The boxes --------------------------------------------------------------------------------------


def test_boxes_are_tight_around_what_can_be_seen(scenes):
    for scene in scenes[0]:
        for k, box in enumerate(scene.boxes):
            rows, columns = np.nonzero(scene.owner == k + 1)
            tight = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert box.tolist() == tight


def test_the_mask_is_where_the_object_was_painted(scenes):
    """Along the edge of a mask the picture changes more than it does inside the background."""
    ratios = []
    for scene in scenes[0][:60]:
        step = np.abs(np.diff(scene.image.astype(float), axis=1)).sum(2)
        left, right = scene.owner[:, :-1], scene.owner[:, 1:]
        ratios.append(step[left != right].mean() / step[(left == 0) & (right == 0)].mean())
    assert min(ratios) > 1.5


@settings(max_examples=15, deadline=None)
@given(scene_numbers, st.sampled_from([64, 150, 224, 301, 512]))
def test_any_scene_is_a_valid_item(numbers, size):
    image, target = draw_scene(*numbers, size=size)
    assert isinstance(image, tv_tensors.Image)
    assert image.dtype == torch.uint8
    assert image.shape == (3, size, size)
    boxes, labels = target["boxes"], target["labels"]
    assert isinstance(boxes, tv_tensors.BoundingBoxes)
    assert boxes.dtype == torch.float32
    assert boxes.format is tv_tensors.BoundingBoxFormat.XYXY
    assert tuple(boxes.canvas_size) == (size, size)
    assert 1 <= len(boxes) == len(labels) == len(target["difficult"]) <= 8
    assert labels.dtype == torch.int64
    assert target["difficult"].dtype == torch.bool
    assert ((labels >= 1) & (labels <= 12)).all()
    assert (boxes >= 0).all()
    assert (boxes <= size).all()
    assert (boxes[:, 2:] - boxes[:, :2] >= MIN_SIDE * size).all()
    assert target["name"] == f"scene_{numbers[0]}_{numbers[1]:06d}"


def test_difficult_says_which_objects_are_mostly_hidden(scenes):
    index = next(i for i, scene in enumerate(scenes[0]) if scene.visible.min() < DIFFICULT_BELOW)
    _, target = draw_scene(0, index)
    assert target["difficult"].tolist() == (scenes[0][index].visible < DIFFICULT_BELOW).tolist()
    assert target["difficult"].any()


# A pure function --------------------------------------------------------------------------------


def _digest(seed, indices):
    total = hashlib.sha256()
    for index in indices:
        image, target = draw_scene(seed, index)
        total.update(image.numpy().tobytes())
        total.update(target["boxes"].numpy().tobytes() + target["labels"].numpy().tobytes())
    return total.hexdigest()


def test_another_process_draws_the_same():
    code = "import sys; sys.path.insert(0, here)\n"
    code += "from test_scenes import _digest; print(_digest(3, [5, 6, 700]))"
    done = forked.run(code, here=__file__.rsplit("test_scenes", 1)[0])
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == _digest(3, [5, 6, 700])


def test_order_and_repetition_do_not_matter():
    assert _digest(0, [4]) == _digest(0, [4])
    later, _ = draw_scene(0, 7)
    draw_scene(0, 3)
    assert torch.equal(later, draw_scene(0, 7)[0])


def test_a_part_of_the_data_set_equals_the_whole():
    whole, part = Scenes(10, seed=1), Scenes(3, seed=1, start=6)
    for i in range(3):
        assert torch.equal(whole[6 + i][0], part[i][0])
        assert torch.equal(whole[6 + i][1]["boxes"], part[i][1]["boxes"])
    assert torch.equal(whole[-1][0], whole[9][0])


def test_global_random_state_is_neither_read_nor_changed():
    def draw(seed):
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - the global state is what is looked at
        torch.manual_seed(seed)
        before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        torch_before = torch.get_rng_state()
        digest = _digest(2, [0, 1])
        after = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        assert after == before
        assert torch.equal(torch.get_rng_state(), torch_before)
        return digest

    assert draw(0) == draw(1)


def test_seeds_and_indices_give_different_pictures():
    pictures = {_digest(seed, [index]) for seed in (0, 1, 2) for index in (0, 1, 2)}
    assert len(pictures) == 9


# The data set -----------------------------------------------------------------------------------


def test_data_set_has_a_length_classes_and_an_end():
    scenes = Scenes(2, seed=4)
    assert len(scenes) == 2
    assert scenes.classes == SCENE_CLASSES
    assert len(set(SCENE_CLASSES)) == 12
    assert "background" not in SCENE_CLASSES
    assert len([name for _, name in zip(scenes, "abc", strict=False)]) == 2
    with pytest.raises(IndexError, match="out of range"):
        scenes[2]
    assert repr(scenes) == "Scenes(2, seed=4, size=300, start=0)"


def test_workers_draw_what_one_process_draws():
    loader = torch.utils.data.DataLoader(
        Scenes(4, seed=5, size=96), batch_size=None, num_workers=2, multiprocessing_context="fork"
    )
    for index, (image, target) in enumerate(loader):
        alone, expected = draw_scene(5, index, size=96)
        assert torch.equal(image, alone)
        assert torch.equal(target["labels"], expected["labels"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0), "seed -1"),
        ((0, -3), "index -3"),
        ((0, 0, 20), "at least 64 pixels.*size 20"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_scene(*arguments)


def test_a_data_set_refuses_what_its_pictures_would_refuse():
    with pytest.raises(ValueError, match="start -1"):
        Scenes(3, start=-1)
    with pytest.raises(ValueError, match="count -3"):
        Scenes(-3)
    with pytest.raises(TypeError):
        draw_scene(0, 1.5)
