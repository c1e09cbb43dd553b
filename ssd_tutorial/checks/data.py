"""Data that several chapters' exercises look at; drawn once, then kept."""

from functools import cache

import torch
from torch import Tensor

from ssd_tutorial.datasets.scenes import SCENE_CLASSES, Scenes
from ssd_tutorial.targets import Targets, make_targets


@cache
def scene_boxes(count: int) -> tuple[Tensor, ...]:
    """Ground truths of the first scenes of seed 0: for each ``[N, 4]`` xyxy in fractions."""
    scenes = Scenes(count)
    return tuple(
        torch.as_tensor(target["boxes"]).float() / scenes.size
        for _, target in map(scenes.__getitem__, range(count))
    )


@cache
def scene_targets(count: int) -> Targets:
    """The same with their classes, as `Targets` of one batch of `count` images."""
    scenes = Scenes(count)
    labels = [scenes[i][1]["labels"] for i in range(count)]
    return make_targets(list(scene_boxes(count)), labels, len(SCENE_CLASSES) + 1)
