"""The right answers to chapter 19's exercises, and evidence against wrong ones."""

from collections.abc import Sequence
from functools import cache
from math import log

import torch
from torch import Tensor

from ssd_book import after_ssd
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import area
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.presets import SSD300

SCENES = 32  # exercise 19.5 counts the points of so many
POSITIVES, AMBIGUOUS, MOST, LEAST = 40, 0.03, 0.5, 0.01


# Easy ones


def easy_per_hard(gamma: float = 2, weight_hard: bool = True) -> list[float]:
    """Return priors at 0.99 per prior at 0.5, by cross-entropy, and in thousands by focal loss."""
    plain = log(0.5) / log(0.99)
    weight = (0.5**gamma if weight_hard else 1) / 0.01**gamma
    return [plain, plain * weight / 1000]


# Centre-ness


def central_cases() -> list[tuple[Tensor, Tensor]]:
    """Return points inside boxes: one by hand, one in the middle, and random ones."""
    random = torch.Generator().manual_seed(19)
    box = torch.tensor([[40.0, 60, 120, 180]])
    low = torch.rand(6, 2, generator=random)
    size = torch.rand(6, 2, generator=random) + 0.2
    inside = low + size * (0.1 + 0.8 * torch.rand(6, 2, generator=random))
    return [
        (torch.tensor([[60.0, 90]]), box),
        (torch.tensor([[80.0, 120]]), box),
        (inside, torch.cat([low, low + size], dim=1)),
    ]


def _ratios(points: Tensor, boxes: Tensor) -> Tensor:
    low, high = points - boxes[:, :2], boxes[:, 2:] - points
    return torch.minimum(low, high) / torch.maximum(low, high)


def without_root(points: Tensor, boxes: Tensor) -> Tensor:
    """Return a wrong answer to 19.2: the product itself."""
    return _ratios(points, boxes).prod(dim=1)


def mean_of_ratios(points: Tensor, boxes: Tensor) -> Tensor:
    """Return a wrong answer to 19.2: the mean in place of the root of the product."""
    return _ratios(points, boxes).mean(dim=1)


def mixed_sides(points: Tensor, boxes: Tensor) -> Tensor:
    """Return a wrong answer to 19.2: left is compared with top, right with bottom."""
    low, high = points - boxes[:, :2], boxes[:, 2:] - points
    return ((low.amin(1) / low.amax(1)) * (high.amin(1) / high.amax(1))).sqrt()


# The cheapest pairs


def cost_cases() -> list[tuple[Tensor]]:
    """Return tables of costs, with one cheapest way each."""
    random = torch.Generator().manual_seed(4)
    by_hand = torch.tensor([[0.10, 0.20, 0.90], [0.15, 0.80, 0.95]])
    return [
        (by_hand,),
        (torch.tensor([[0.5, 0.1, 0.9, 0.3]]),),
        *((torch.rand(g, n, generator=random) - 0.5,) for g, n in ((2, 2), (3, 5), (4, 6), (4, 4))),
    ]


def cheapest(cost: Tensor) -> Tensor:
    """Return the prediction of each object, at the least cost together."""
    return torch.tensor(after_ssd.match_set(cost))


def own_best(cost: Tensor) -> Tensor:
    """Return a wrong answer to 19.3: each object takes its best, whoever else does."""
    return cost.argmin(dim=1)


def in_turn(cost: Tensor) -> Tensor:
    """Return a wrong answer to 19.3: one object after the other takes the best that is left."""
    left = cost.clone()
    for row in range(len(cost)):
        left[row + 1 :, left[row].argmin()] = torch.inf
    return left.argmin(dim=1)


def best_pair_first(cost: Tensor) -> Tensor:
    """Return a wrong answer to 19.3: the cheapest pair of all, then of what is left."""
    left, found = cost.clone(), torch.zeros(len(cost), dtype=torch.int64)
    for _ in range(len(cost)):
        row, column = divmod(int(left.argmin()), cost.shape[1])
        found[row] = column
        left[row, :] = left[:, column] = torch.inf
    return found


def most_expensive(cost: Tensor) -> Tensor:
    """Return a wrong answer to 19.3: the dearest way."""
    return cheapest(-cost)


def shared_prediction(function) -> str | None:
    """Return evidence that two objects get the same prediction."""
    for (cost,) in cost_cases():
        given = torch.as_tensor(function(cost))
        if len(given.unique()) < len(given):
            return f"for a table of {list(cost.shape)} your function gives {describe(given)}"
    return None


# k-means


def shape_cases() -> list[tuple[Tensor, Tensor]]:
    """Return shapes and clusters, each of which has at least one shape."""
    random = torch.Generator().manual_seed(5)
    by_hand = torch.tensor([[20.0, 40], [22, 44], [40, 20], [100, 110], [60, 30], [30, 80]])
    shapes = torch.rand(40, 2, generator=random) * 200 + 10
    return [
        (by_hand, torch.tensor([[20.0, 50], [50, 20], [90, 90]])),
        (shapes, shapes[[0, 7, 19, 33]]),
    ]


def _moved(shapes: Tensor, clusters: Tensor, nearest: Tensor) -> Tensor:
    return torch.stack([shapes[nearest == i].mean(dim=0) for i in range(len(clusters))])


def one_round(shapes: Tensor, clusters: Tensor) -> Tensor:
    """Return the clusters after one round."""
    return _moved(shapes, clusters, after_ssd.shape_iou(shapes, clusters).argmax(dim=1))


def by_pixels(shapes: Tensor, clusters: Tensor) -> Tensor:
    """Return a wrong answer to 19.4: the nearest cluster by the distance in pixels."""
    return _moved(shapes, clusters, torch.cdist(shapes, clusters).argmin(dim=1))


# Limits of sizes


@cache
def _truths() -> list[Tensor]:
    scenes = open_dataset("scenes", "val")
    return [scenes[i][1]["boxes"].as_subclass(Tensor) / 300 for i in range(SCENES)]


@cache
def _census(limits_px: tuple[float, ...]) -> dict[str, float | Tensor]:
    points = after_ssd.make_points(SSD300.priors)
    limits = [0, *(limit / 300 for limit in limits_px), torch.inf]
    ambiguous, without, per_map = 0, [], torch.zeros(6)
    for boxes in _truths():
        fits = after_ssd.candidates(points, boxes, limits)
        ambiguous += int((fits.sum(dim=1) > 1).sum())
        without += area(boxes)[~fits.any(dim=0)].tolist()
        per_map += torch.bincount(points.map[fits.any(dim=1)], minlength=6)
    return {"ambiguous": ambiguous, "without": without, "per map": per_map}


def _limits(answer: Sequence[float]) -> dict[str, float | Tensor]:
    return _census(tuple(float(x) for x in answer))


def not_five_limits(answer) -> str | None:
    """Return evidence that an answer is not five growing lengths in pixels."""
    numbers = list(answer) if isinstance(answer, list | tuple) else []
    if len(numbers) != 5 or not all(isinstance(x, int | float) for x in numbers):
        return f"you give {describe(answer)}"
    if any(b <= a for a, b in zip([0, *numbers], numbers, strict=False)):
        return f"{describe(answer)} does not grow"
    if numbers[-1] <= 2:
        return f"{describe(answer)} are fractions of the picture"
    return None


def objects_without(answer) -> str | None:
    """Return evidence that an object has no point."""
    sides = [300 * size**0.5 for size in _limits(answer)["without"]]
    if not sides:
        return None
    return f"{len(sides)} objects have no point; the smallest has {min(sides):.0f} px"


def too_few(answer) -> str | None:
    """Return evidence that there are too few positive points."""
    mean = float(_limits(answer)["per map"].sum()) / SCENES
    return None if mean >= POSITIVES else f"there are {mean:.1f} positive points per scene"


def too_ambiguous(answer) -> str | None:
    """Return evidence that too many points lie in several objects of their map's size."""
    found = _limits(answer)
    share = found["ambiguous"] / float(found["per map"].sum())
    return None if share <= AMBIGUOUS else f"{share:.1%} of the positive points are ambiguous"


def uneven(answer) -> str | None:
    """Return evidence that one map does most of the work, or too many do none."""
    share = _limits(answer)["per map"]
    share = share / share.sum()
    shown = ", ".join(f"{100 * x:.0f} %" for x in share.tolist())
    if share.max() <= MOST and int((share >= LEAST).sum()) >= 4:
        return None
    return f"the maps have {shown} of the positive points"


def in_fractions(answer) -> bool:
    """Return whether limits are fractions of the picture: a mistake in 19.5."""
    return len(answer) == 5 and 0 < max(answer) <= 2


def of_the_paper(answer) -> bool:
    """Return whether the limits are FCOS's own: a mistake in 19.5."""
    return [float(x) for x in answer][:4] == [64.0, 128.0, 256.0, 512.0]
