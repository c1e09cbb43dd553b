"""The right answers to chapter 15's exercises, and evidence against wrong ones."""

from dataclasses import replace
from functools import cache

import torch
from torch import Tensor, nn

from ssd_book.costs import count_flops, training_memory
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD512
from ssd_tutorial.training import loop as train
from ssd_tutorial.training.recipes import RECIPES

PICTURES = 16_551  # VOC 2007 and 2012, trainval
GIB, NUM_CLASSES = 8, 21  # exercise 15.5


def times_seen() -> float:
    """Return how often a run of the recipe voc0712 sees each picture."""
    return RECIPES["voc0712"].samples / PICTURES


class _Conv6(nn.Module):
    """conv6 alone, on SSD300's map of 19 x 19."""

    image_size = 19

    def __init__(self, kernel: int = 3):
        super().__init__()
        self.widen = nn.Conv2d(3, 512, 1)
        self.conv6 = nn.Conv2d(512, 1024, kernel, padding=6 * (kernel // 2), dilation=6)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (self.conv6(self.widen(images)),)


@cache
def conv6_multiply_adds() -> int:
    """Return the multiply-adds of conv6 for one picture, counted."""
    with torch.device("meta"):
        network = _Conv6()
    return count_flops(network).multiply_adds - 19 * 19 * 512 * 3


def rate_cases() -> list[tuple[int, float, list[int], int]]:
    """Return iteration, highest rate, milestones and warm-up: at and around each change."""
    paper = (1e-3, [80_000, 100_000], 1000)
    short = (1e-2, [4, 6, 9], 0)
    return [(i, *paper) for i in (0, 499, 999, 1000, 79_999, 80_000, 99_999, 100_000, 119_999)] + [
        (i, *short) for i in (0, 3, 4, 5, 6, 8, 9, 20)
    ]


def learning_rate(iteration: int, highest: float, milestones: list[int], warmup: int) -> float:
    """Return what exercise 15.3 asks for, by the package, whose recipes use shares of the run."""
    total = 2 * milestones[-1]
    shares = tuple(milestone / total for milestone in milestones)
    recipe = replace(RECIPES["voc0712"], lr=highest, milestones=shares, warmup=warmup / total)
    return train.learning_rate(iteration, total, recipe)


def wrong_rate(
    iteration: int, highest: float, milestones: list[int], warmup: int, mistake: str
) -> float:
    """Return a rate with one mistake: it falls late, falls only once, or starts at 0."""
    passed = sum(iteration > m if mistake == "late" else iteration >= m for m in milestones)
    if mistake == "once":
        passed = min(1, passed)
    if iteration < warmup:
        return highest * (iteration + (mistake != "zero")) / warmup
    return highest * 0.1**passed


def positive_cases() -> list[tuple[list[int]]]:
    """Return positives per process: uneven, even, many, one process without any, none at all."""
    return [([1, 9],), ([5, 5],), ([3, 0, 12, 25],), ([7],), ([0, 0],)]


def factors(positives: list[int]) -> list[float]:
    """Return what exercise 15.4 asks for."""
    return [len(positives) * n / max(1, sum(positives)) for n in positives]


@cache
def largest_batch(fixed: bool = True, precision: str = "fp32") -> int:
    """Return the largest batch of SSD512 that trains in the memory of exercise 15.5."""
    with torch.device("meta"):
        network = SSD(SSD512, NUM_CLASSES)
    one = training_memory(network, 1, precision=precision)
    free = GIB * 2**30 - (one.total - one.activations if fixed else 0)
    return free // one.activations
