"""The right answers to chapter 12's exercises, and evidence against wrong ones."""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_book.checks.reader import describe
from ssd_tutorial.datasets.scenes import SCENE_CLASSES
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.training import loop as train
from ssd_tutorial.training.recipes import Recipe

NUM_CLASSES = len(SCENE_CLASSES) + 1
# Exercise 12.1: the chapter's first batch.
PICTURES_OF_A_BATCH, PRIORS, POSITIVES, RATIO = 16, 8732, 528, 3
# Exercise 12.2: pictures, samples per step, samples per second, minutes.
PHOTOGRAPHS, BATCH, PER_SECOND, EVENING = 300, 16, 20, 180


def faulty_first_losses(classes: int = NUM_CLASSES, positives_pay: bool = True) -> list[float]:
    """Return what exercise 12.1 asks for: first losses with one of three faults each."""
    each = float(F.cross_entropy(torch.zeros(1, classes), torch.tensor([0])))
    positives = POSITIVES if positives_pay else 0
    mined = positives + RATIO * POSITIVES
    everything = PICTURES_OF_A_BATCH * PRIORS - (POSITIVES - positives)
    return [everything * each / POSITIVES, each, mined * each / PICTURES_OF_A_BATCH]


PLAN = ("samples", "augmented", "steps", "times_seen", "minutes")


def no_plan(plan) -> str | None:
    """Return evidence that an answer to 12.2 is not a plan."""
    if not isinstance(plan, dict) or set(plan) != set(PLAN):
        return f"you give {describe(plan)}"
    if not isinstance(plan["augmented"], bool):
        return f"augmented must be True or False, not {describe(plan['augmented'])}"
    numbers = [float(plan[name]) for name in PLAN if name != "augmented"]
    if not all(math.isfinite(x) and x > 0 for x in numbers):
        return f"you give {describe(plan)}"
    return None


def wrong_sums(plan: dict) -> str | None:
    """Return evidence that steps, times or minutes don't follow from the samples."""
    samples = plan["samples"]
    for name, right, tolerance in (
        ("steps", samples / BATCH, 1),
        ("times_seen", samples / PHOTOGRAPHS, 1),
        ("minutes", samples / PER_SECOND / 60, 1),
    ):
        if abs(plan[name] - right) > tolerance:
            return f"for {samples:g} samples you give {plan[name]:g} {name}"
    return None


def in_seconds(plan: dict) -> bool:
    """Return whether the minutes of a plan are seconds."""
    return abs(plan["minutes"] - plan["samples"] / PER_SECOND) <= 1


def batch_seen_once(plan: dict) -> bool:
    """Return whether a plan counts how often a picture is seen by steps."""
    return abs(plan["times_seen"] - plan["samples"] / BATCH / PHOTOGRAPHS) <= 1


def too_long(plan: dict) -> str | None:
    """Return evidence that a plan takes more than three hours."""
    minutes = plan["samples"] / PER_SECOND / 60
    return None if minutes <= EVENING else f"your run takes {minutes:.0f} minutes"


def seen_too_often_or_seldom(plan: dict) -> str | None:
    """Return evidence that a plan shows pictures much more or less often than the records."""
    low, high = (100, 250) if plan["augmented"] else (10, 40)
    times, how = plan["samples"] / PHOTOGRAPHS, "with" if plan["augmented"] else "without"
    if low <= times <= high:
        return None
    return f"your pictures are seen {times:.0f} times, {how} augmentation"


def rate_cases() -> list[tuple[int, int, float, float]]:
    """Return step, total, highest rate and share of warm-up: both ends, the peak, the middle."""
    short = [(step, 100, 3e-3, 0.1) for step in (0, 4, 9, 10, 55, 99)]
    return short + [(step, 1250, 1e-2, 0.2) for step in (0, 249, 250, 700, 1249)]


def learning_rate(step: int, total: int, highest: float, warmup: float) -> float:
    """Return what exercise 12.3 asks for, by the package."""
    return train.learning_rate(step, total, Recipe(lr=highest, warmup=warmup))


def wrong_rate(step, total, highest, warmup, *, from_zero=False, turns=0.5, late=True) -> float:
    """Return a rate with one of three mistakes: the first step, the cosine's length or start."""
    warm = round(warmup * total)
    if step < warm:
        return highest * (step + (not from_zero)) / warm
    done = (step - warm) / (total - warm) if late else step / total
    return highest * 0.5 * (1 + math.cos(2 * turns * math.pi * done))


def linear_rate(step, total, highest, warmup) -> float:
    """Return a wrong answer to 12.3: a linear decay."""
    warm = round(warmup * total)
    if step < warm:
        return learning_rate(step, total, highest, warmup)
    return highest * (total - step) / (total - warm)


def below_zero_or_above(function) -> str | None:
    """Return evidence that a rate leaves the range from 0 to the highest."""
    for case in rate_cases():
        given = float(function(*case))
        if not 0 <= given <= case[2] * (1 + 1e-6):
            return f"at step {case[0]} of {case[1]}, highest {case[2]}, you give {describe(given)}"
    return None


def detection_cases() -> list[tuple[Tensor, Tensor, int]]:
    """Return scores, whether each is correct, and the number of objects; the first is sorted."""
    by_hand = (
        torch.tensor([0.55, 0.5, 0.45, 0.35, 0.2, 0.1]),
        torch.tensor([True, True, False, True, False, False]),
        4,
    )
    random = torch.Generator().manual_seed(12)
    scores = torch.rand(60, generator=random)
    correct = torch.rand(60, generator=random) < scores
    return [by_hand, (by_hand[0].flip(0), by_hand[1].flip(0), 4), (scores / 2, correct, 40)]


def f1(scores: Tensor, correct: Tensor, num_objects: int, threshold: float) -> float:
    """Return the F1 score of the detections with a score of at least `threshold`."""
    keep = scores >= threshold
    return 2 * int(correct[keep].sum()) / (int(keep.sum()) + num_objects)


def no_threshold(function) -> str | None:
    """Return evidence that a function does not give a number between 0 and 1."""
    for case in detection_cases():
        if not 0 <= float(given := function(*case)) <= 1:
            return f"for {len(case[0])} detections your function gives {describe(given)}"
    return None


def not_the_best_f1(function) -> str | None:
    """Return evidence that another threshold has a higher F1."""
    for case in detection_cases():
        given = float(function(*case))
        if f1(*case, given - 1e-6) < max(f1(*case, float(t)) for t in case[0]) - 1e-9:
            about = f"for {len(case[0])} detections of {case[2]} objects"
            return f"{about} you give {given:.3g}, where F1 is {f1(*case, given - 1e-6):.3f}"
    return None


@cache
def parameters_of_a_class(heads: str = "class_heads.", kind: str = "") -> int:
    """Return the parameters that one more class adds to slim300, or only one `kind`."""
    one, more = (SSD(SLIM300, NUM_CLASSES + extra).state_dict() for extra in (0, 1))
    names = [name for name in one if name.startswith(heads) and name.endswith(kind)]
    return sum(more[name].numel() - one[name].numel() for name in names)
