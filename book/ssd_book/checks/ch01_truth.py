"""The right answers to chapter 1's exercises, and evidence against wrong ones."""

from collections import Counter
from functools import cache

import torch
from torch import Tensor

from ssd_book.checks.reader import describe
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.presets import SSD300
from ssd_tutorial.priors import num_priors
from ssd_tutorial.weights.file import Detector

# Exercise 1.1
COCO = 80

# Exercise 1.2: a prior, cxcywh in pixels, the offsets of its centre, and the factors of its size.
PRIOR, SHIFTS, FACTORS = (150, 90, 60, 120), (0.5, -1.0), (1.5, 0.75)

# Exercise 1.3: the boxes beside a cat with a score of 0.98, and their IoU with it.
OTHERS = (
    ("cat", 0.91, 0.80),
    ("dog", 0.90, 0.85),
    ("cat", 0.60, 0.30),
    ("cat", 0.55, 0.46),
    ("cat", 0.03, 0.10),
)

SCENE = 54  # of the validation split: the one that the chapter opens
TEN = tuple(range(10))  # for exercise 1.5


def numbers_per_picture(classes: int = COCO + 1, offsets: int = 4) -> int:
    """Return how many numbers the network outputs; `classes` counts the background."""
    return num_priors(SSD300.priors) * (classes + offsets)


def moved(unit: float = 0.1, grown: bool = False, half: float = 0.5) -> list[float]:
    """Return the box of exercise 1.2, xyxy.

    Args:
        unit: part of the prior's size that an offset of 1 means.
        grown: wrong: measure the shift in the new size.
        half: part of the size on either side of the centre.
    """
    cx, cy, width, height = PRIOR
    new_width, new_height = width * FACTORS[0], height * FACTORS[1]
    cx += SHIFTS[0] * unit * (new_width if grown else width)
    cy += SHIFTS[1] * unit * (new_height if grown else height)
    across, down = half * new_width, half * new_height
    return [cx - across, cy - down, cx + across, cy + down]


def moved_as_centre() -> list[float]:
    """Return the box of exercise 1.2 as centre and size."""
    left, top, right, bottom = moved()
    return [(left + right) / 2, (top + bottom) / 2, right - left, bottom - top]


def stays(by_class: bool = True, least_score: float = 0.0, by_score: bool = False) -> list[int]:
    """Return 1 for each box of exercise 1.3 that stays after one round of NMS."""
    verdicts = []
    for name, score, overlap in OTHERS:
        falls = overlap > 0.45 and (name == "cat" or not by_class)
        falls = score < 0.5 if by_score else falls or score < least_score
        verdicts.append(int(not falls))
    return verdicts


@cache
def _detector() -> Detector:
    return load_detector("scenes")


@cache
def scores() -> list[float]:
    """Return the scores of the scene's detections, best first; the first four are right."""
    image, _ = open_dataset("scenes", "val")[SCENE]
    (found,) = detect(_detector(), image, score_threshold=0.01)
    return found.scores.tolist()


def first_mistake() -> float:
    """Return the answer to exercise 1.4: the highest score of a wrong detection."""
    return scores()[4]


@cache
def ten() -> tuple[list[Tensor], list[Counter]]:
    """Return the ten scenes of exercise 1.5, and how many objects of each label they have."""
    scenes = open_dataset("scenes", "val")
    items = [scenes[index] for index in TEN]
    images = [image.as_subclass(Tensor) for image, _ in items]
    return images, [Counter(target["labels"].tolist()) for _, target in items]


def objects() -> int:
    """Return how many objects the ten scenes have."""
    return sum(count.total() for count in ten()[1])


def not_pictures(change) -> str | None:
    """Return what is wrong with the pictures that a function of exercise 1.5 returns."""
    for image in ten()[0]:
        result = change(image.clone())
        if not isinstance(result, Tensor):
            return f"your function gives {describe(result)}, which is not a tensor"
        if result.dtype != torch.uint8 or result.shape != image.shape:
            return f"your function gives {list(result.shape)} of {result.dtype}"
    return None


def blank_picture(change) -> str | None:
    """Return which of its pictures shows nothing."""
    for number, image in enumerate(ten()[0]):
        if change(image.clone()).float().std() < 3:
            return f"scene {number} becomes one flat colour, or nearly"
    return None


def named(change) -> int:
    """Return how many objects are still detected by name, at a score of at least 0.5."""
    images, there = ten()
    found = detect(_detector(), [change(image.clone()) for image in images], score_threshold=0.5)
    return sum(
        (Counter(one.labels.tolist()) & count).total()
        for one, count in zip(found, there, strict=True)
    )


def still_found(change) -> str | None:
    """Return how many objects are still found, if these are half or more."""
    count = named(change)
    return f"it still finds {count} of {objects()} objects" if 2 * count >= objects() else None


def does(change, other) -> bool:
    """Return whether a function of pictures does what another one does."""
    return all(torch.equal(change(image.clone()), other(image)) for image in ten()[0][:3])


def swaps_colors(change) -> bool:
    """Return whether a function changes colours alone: pixels that were equal stay equal."""
    image = ten()[0][0]
    result = change(image.clone())
    return any(
        torch.equal(result, other) for other in (255 - image, image.flip(0), image.roll(1, 0))
    )
