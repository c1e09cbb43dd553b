"""Data that the exercises of several chapters use; drawn once, then kept."""

from functools import cache

from torch import Tensor

from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes
from ssd_tutorial.targets import Targets, make_targets


@cache
def _scene(index: int) -> tuple[Tensor, Tensor]:
    """Return boxes ``[N, 4]`` xyxy in fractions and labels ``[N]`` of one scene of seed 0."""
    scenes = Scenes(index + 1)
    _, target = scenes[index]
    return target["boxes"].as_subclass(Tensor) / scenes.size, target["labels"]


def scene_boxes(count: int) -> list[Tensor]:
    """Return the ground truths of the first scenes of seed 0: ``[N, 4]`` xyxy in fractions each."""
    return [_scene(index)[0] for index in range(count)]


def scene_labels(count: int) -> list[Tensor]:
    """Return their classes, ``[N]`` each, from 1."""
    return [_scene(index)[1] for index in range(count)]


def scene_targets(count: int) -> Targets:
    """Return them with their classes, as `Targets` of one batch of `count` images."""
    boxes, labels = zip(*(_scene(index) for index in range(count)), strict=True)
    return make_targets(boxes, labels, len(SCENE_CLASSES) + 1)
