"""The right answers to chapter 17's exercises, and evidence against wrong ones."""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from ssd_book.checks.reader import describe
from ssd_book.clinic import RULES, read_faults
from ssd_tutorial.boxes import encode
from ssd_tutorial.presets import VARIANCES, get_preset
from ssd_tutorial.priors import make_priors

# 17.1: an object in pixels, and the first prior

OBJECT_PX = (120.0, 105.0, 180.0, 135.0)


def first_loss(variances=VARIANCES, squared: bool = False) -> float:
    """Return the localization loss if prior 0 is matched to the object and 0 is predicted."""
    prior = make_priors(get_preset("caffe300_voc"))[0].double()
    wanted = encode(torch.tensor(OBJECT_PX).double(), prior, variances)
    return float((wanted**2 / 2 if squared else wanted.abs() - 0.5).sum())


# 17.2: which objects can be learned from

CLASSES = 13


def object_cases() -> list[tuple[Tensor, Tensor, int]]:
    """Return boxes ``[N, 4]``, labels ``[N]`` and the number of classes, simple ones first."""
    sound = [0.2, 0.3, 0.5, 0.7]
    lists = [
        ([sound, [0.5, 0.3, 0.2, 0.7]], [1, 1]),  # xmax < xmin
        ([sound, [0.2, 0.7, 0.5, 0.3]], [1, 1]),  # ymax < ymin
        ([[0.2, 0.3, 0.2, 0.7], [0.2, 0.3, 0.5, 0.3], sound], [1, 2, 3]),  # no width, no height
        ([sound, [60, 90, 150, 210]], [1, 1]),  # pixels
        ([[-0.2, 0.3, 0.5, 0.7], [0.2, 0.3, 0.5, 1.4], [0.0, 0.0, 1.0, 1.0]], [1, 2, 3]),
        ([sound] * 4, [0, 1, 12, 13]),
        ([sound, [math.nan, 0.3, 0.5, 0.7], [0.2, 0.3, math.inf, 0.7]], [1, 2, 3]),
        ([sound, [0.2, 0.3, 0.5, math.nan]], [-1, 5]),
    ]
    found = [(torch.tensor(boxes), torch.tensor(labels), CLASSES) for boxes, labels in lists]
    return [*found, (torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64), CLASSES)]


def sound_objects(boxes: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return what exercise 17.2 asks for, ``[N]`` bool."""
    sized = (boxes[:, 2:] > boxes[:, :2]).all(dim=1)
    inside = ((boxes >= 0) & (boxes <= 1)).all(dim=1)
    return sized & inside & (labels >= 1) & (labels < num_classes)


def without(rule: str) -> Callable[[Tensor, Tensor, int], Tensor]:
    """Return a wrong answer to 17.2 that forgets one rule."""

    def forgetful(boxes: Tensor, labels: Tensor, num_classes: int) -> Tensor:
        sides = boxes[:, 2:] - boxes[:, :2]
        sized = (sides >= 0 if rule == "size" else sides > 0).all(dim=1)
        if rule == "height":
            sized = sides[:, 0] > 0
        inside = ((boxes >= 0) & (boxes <= 1)).all(dim=1)
        if rule == "nan":
            inside = ~((boxes < 0) | (boxes > 1)).any(dim=1)
            sized = ~(sides <= 0).any(dim=1)
        if rule == "upper":
            inside = (boxes >= 0).all(dim=1) & boxes.isfinite().all(dim=1)
        least, most = 0 if rule == "background" else 1, num_classes + (rule == "last")
        return sized & inside & (labels >= least) & (labels < most)

    return forgetful


# 17.3: when a run ends


def stop_cases() -> list[tuple[list[float], int]]:
    """Return losses on unseen pictures, in the order of the measurements, and a patience."""
    return [
        ([6.0, 4.0, 3.0, 3.5, 3.2, 2.0], 2),  # what is better comes too late
        ([6.0, 5.0, 4.0], 2),
        ([4.0, 5.0, 4.5, 4.2], 3),  # each is better than the one before, and worse than the first
        ([3.0, 3.0, 3.0, 2.0], 2),
        ([5.0, 3.0, 4.0, 2.5, 2.6], 4),
        ([2.0], 1),
    ]


def when_to_stop(
    unseen: list[float], patience: int, *, equal: bool = False, before: bool = False
) -> tuple[int, int]:
    """Return what 17.3 asks for; `equal` losses, or less than the one `before`, count as better."""
    best = gained = 0
    for now in range(len(unseen)):
        rival = unseen[max(now - 1, 0) if before else best]
        if unseen[now] < rival or (equal and unseen[now] == rival):
            gained = now
        if unseen[now] < unseen[best] or (equal and unseen[now] == unseen[best]):
            best = now
        if now - gained == patience:
            return best, now
    return best, len(unseen) - 1


# 17.4: a run to diagnose

CAUSES = (
    "boxes of the next picture",
    "pictures flipped, boxes not",
    "x and y exchanged",
    "boxes in pixels",
    "learning rate too high",
)
CAUSE = "pictures flipped, boxes not"


def no_cause(answer) -> str | None:
    """Return evidence that an answer is none of the causes."""
    return None if answer in CAUSES else f"{describe(answer)} is not one of them"


def other_cause(answer) -> str | None:
    """Return evidence that it is not what is wrong."""
    return None if answer == CAUSE else f"{answer!r} does not fit all four pictures"


# 17.5: few checks that find much

BEFORE = (
    "an inverted box",
    "boxes in pixels",
    "label 0",
    "pictures without boxes",
    "variances forgotten",
    "normalisation forgotten",
    "too few pictures",
)
"""The faults that a measurement can find before the first step."""


def findings() -> dict[str, set[str]]:
    """Return, per measurement, which of these faults it finds."""
    records = {name: run["checks"] for name, (run, _) in read_faults().items()}
    return {
        rule: {name for name in BEFORE if not holds(records[name])}
        for rule, (_, holds) in RULES.items()
    }


def not_checks(answer) -> str | None:
    """Return evidence that an answer is not a list of measurements."""
    if isinstance(answer, str) or not isinstance(answer, Iterable):
        return f"you give {describe(answer)}"
    unknown = [name for name in answer if name not in findings()]
    return f"there is no measurement {describe(unknown[0])}" if unknown else None


def left_over(answer) -> str | None:
    """Return evidence that a fault is not found."""
    found = set().union(*(findings()[name] for name in answer))
    left = [name for name in BEFORE if name not in found]
    return f"none of them finds {left[0]!r}" if left else None


def too_many(answer) -> str | None:
    """Return evidence that a measurement could be left out."""
    kept = list(dict.fromkeys(answer))
    for name in kept:
        others = [one for one in kept if one != name]
        if left_over(others) is None:
            return f"without {name!r} every fault would still be found"
    most = fewest()
    return None if len(kept) <= most else f"you take {len(kept)}, and fewer are enough"


def fewest() -> int:
    """Return the size of the smallest set that finds every fault."""
    table = findings()
    reached = {frozenset(): 0}
    for found in table.values():
        for before, count in list(reached.items()):
            after = before | found
            reached[after] = min(reached.get(after, len(table)), count + 1)
    return reached[frozenset(BEFORE)]
