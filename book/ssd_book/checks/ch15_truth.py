"""The right answers to chapter 15's exercises, and evidence against wrong ones."""

import math
from dataclasses import replace
from functools import cache

import torch
from torch import Tensor

from ssd_book.costs import training_memory
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD512
from ssd_tutorial.training import loop as train
from ssd_tutorial.training.recipes import RECIPES

GPU, LOADER, WORKERS = 250, 60, 3  # exercise 15.1: pictures per second, and loading processes
GIB, NUM_CLASSES = 8, 21  # exercise 15.5


def bottleneck(reached: float | None = None, needed: int | None = None) -> list[float]:
    """Return the three numbers of exercise 15.1; arguments replace the right pace or count."""
    pace = min(GPU, WORKERS * LOADER) if reached is None else reached
    enough = math.ceil(GPU / LOADER) if needed is None else needed
    return [pace, RECIPES["voc0712"].samples / pace / 3600, enough]


def one_after_the_other() -> float:
    """Make the mistake of adding the seconds of loading and of training."""
    return 1 / (1 / GPU + 1 / (WORKERS * LOADER))


def part_cases() -> list[tuple[Tensor, list[tuple[Tensor, Tensor, int]]]]:
    """Return weights and parts: uneven, one without positives, a single part, none positive."""
    random = torch.Generator().manual_seed(15)
    cases = []
    for positives in ([1, 9], [3, 0, 12, 25], [7], [0, 0]):
        weights = torch.randn(3, generator=random)
        parts = []
        for number in positives:
            rows = 4 + number % 3
            x, y = torch.randn(rows, 3, generator=random), torch.randn(rows, generator=random)
            parts.append((x, y, number))
        cases.append((weights, parts))
    return cases


def accumulated(
    weights: Tensor, parts: list[tuple[Tensor, Tensor, int]], by: str = "all"
) -> Tensor:
    """Return what exercise 15.2 asks for; `by` names what a wrong answer divides by."""
    together = max(1, sum(positives for *_, positives in parts))
    gradient = torch.zeros_like(weights)
    for x, y, positives in parts:
        sums = 2 * x.T @ (x @ weights - y)
        if by == "last":
            gradient.zero_()
        divisor = {"all": together, "last": together, "one": 1}.get(by, max(1, positives))
        gradient += sums / divisor
    return gradient / len(parts) if by == "mean" else gradient


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
