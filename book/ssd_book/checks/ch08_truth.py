"""The right answers to chapter 8's exercises, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor

from ssd_book.checks.data import scene_targets
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.matching import _bipartite, match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets, make_targets

# Exercise 8.1: two objects that want the same prior, on five priors; all as high as the picture.
TWO_OBJECTS = torch.tensor([[0.14, 0, 0.54, 1], [0.22, 0, 0.58, 1]])  # xyxy
FIVE_PRIORS = torch.tensor([[0.20, 0, 0.60, 1], [0, 0, 0.36, 1], [0.34, 0, 0.66, 1],
                            [0.40, 0, 0.80, 1], [0.80, 0, 1, 1]])  # xyxy  # fmt: skip
SCENES = 20  # pictures of exercise 8.5


def small_example(rule: str = "bipartite") -> Tensor:
    """Return the ground truth of each prior of exercise 8.1: ``[5]``, -1 for a negative."""
    low, high = FIVE_PRIORS[:, :2], FIVE_PRIORS[:, 2:]
    priors = torch.cat([(low + high) / 2, high - low], dim=1)
    targets = make_targets([TWO_OBJECTS], [torch.tensor([1, 1])], num_classes=2)
    return match(priors, targets, method=rule).ground_truth[0]


def bipartite(overlap: Tensor) -> Tensor:
    """Return what exercise 8.2 asks for, by the package: ``[G, P]`` IoUs to ``[G]`` priors."""
    best = zip(*(x.tolist() for x in overlap.max(dim=1)), strict=True)
    wishes = [(-iou, row, 0, prior) for row, (iou, prior) in enumerate(best) if iou > 0]
    chosen = torch.full((len(overlap),), -1)
    for (_, prior), row in _bipartite(wishes, lambda rows: overlap[rows]).items():
        chosen[row] = prior
    return chosen


def best_of_each_row(overlap: Tensor) -> Tensor:
    """Return a wrong answer to 8.2: the argmax rule."""
    return overlap.argmax(dim=1)


def row_by_row(overlap: Tensor) -> Tensor:
    """Return a wrong answer to 8.2: greedy, but in the order of the ground truths."""
    overlap, chosen = overlap.clone(), []
    for row in overlap:
        chosen.append(int(row.argmax()) if row.max() > 0 else -1)
        overlap[:, chosen[-1]] = 0
    return torch.tensor(chosen)


def tables() -> list[tuple[Tensor]]:
    """Return IoU tables ``[G, P]`` without ties; in the last a ground truth touches nothing."""
    random = torch.Generator().manual_seed(8)
    shared = iou(TWO_OBJECTS, FIVE_PRIORS)
    large = [torch.rand(g, p, generator=random) for g, p in ((3, 8), (6, 9), (4, 3))]
    lonely = torch.tensor([[0.0, 0.0, 0.0], [0.2, 0.0, 0.1]])
    return [(shared,), *((table,) for table in large), (lonely,)]


def shared_prior(function) -> str | None:
    """Return evidence that a prior is given to two ground truths."""
    for (table,) in tables():
        given = function(table)
        used = given[given >= 0]
        if len(used.unique()) < len(used):
            return f"for the IoUs {describe(table)}: {describe(given.tolist())}"
    return None


def not_the_best_first(function) -> str | None:
    """Return evidence that the largest IoU of a table is not a pair."""
    for (table,) in tables()[:-1]:
        row, column = divmod(int(table.argmax()), table.shape[1])
        if (given := function(table))[row] != column:
            return f"for the IoUs {describe(table)}: {describe(given.tolist())}"
    return None


def fill_up(overlap: Tensor, taken: Tensor, threshold: float) -> Tensor:
    """Return what exercise 8.3 asks for: `match` after its first step, for one image."""
    value, best = overlap.max(dim=0)
    return taken.where(taken >= 0, best.where(value >= threshold, -1))


def fill_up_cases() -> list[tuple[Tensor, Tensor, float]]:
    """Return tables, what their first step takes, and thresholds; one IoU is at its threshold."""
    table = iou(TWO_OBJECTS, FIVE_PRIORS)
    edge = torch.tensor([[0.5, 0.75, 0.1], [0.25, 0.5, 0.5]])
    random = torch.rand(5, 40, generator=torch.Generator().manual_seed(3))
    cases = [(table, 0.5), (edge, 0.5), (random, 0.75), (random / 2, 0.45)]
    return [(t, owner_of_each_prior(t), threshold) for t, threshold in cases]


def owner_of_each_prior(overlap: Tensor) -> Tensor:
    """Return the outcome of the first step per prior: ``[P]`` ground truths, or -1."""
    prior = bipartite(overlap)
    owner = torch.full((overlap.shape[1],), -1)
    owner[prior[prior >= 0]] = torch.arange(len(prior))[prior >= 0]
    return owner


def targets_of(boxes) -> Targets:
    """Return boxes ``[N, 4]`` of one image as `Targets`. Raises `ValueError` for anything else."""
    boxes = torch.as_tensor(boxes).float()
    return make_targets([boxes], [torch.ones(len(boxes), dtype=torch.int64)], num_classes=2)


def not_two_boxes(boxes) -> str | None:
    """Return evidence that an answer is not a pair of boxes inside the picture."""
    if not isinstance(boxes, Tensor) or boxes.shape != (2, 4):
        return f"you give {describe(boxes)}"
    try:
        targets_of(boxes)
    except ValueError as error:
        return str(error)
    return None


def nearly_the_same(boxes) -> str | None:
    """Return evidence that two boxes are one object."""
    overlap = float(iou(boxes, boxes)[0, 1])
    return f"your two boxes have IoU {overlap:.2f}" if overlap > 0.75 else None


def nothing_vanishes(boxes) -> str | None:
    """Return evidence that each of two boxes keeps a prior under the argmax rule."""
    matches = match(make_priors(get_preset("caffe300_voc")), targets_of(boxes), method="argmax")
    kept = [int((matches.ground_truth == g).sum()) for g in (0, 1)]
    return None if 0 in kept else f"the two keep {kept[0]} and {kept[1]} priors"


def vanishes_in_the_other_order(boxes) -> bool:
    """Return whether two proper boxes are right but for their order: a mistake in 8.4."""
    if not_two_boxes(boxes) or nearly_the_same(boxes):
        return False
    return nothing_vanishes(boxes.flip(0)) is None


@cache
def positives(threshold: float, forced: bool = True) -> int:
    """Return the positives of the scenes of 8.5; without `forced`, those above the threshold."""
    priors, targets = make_priors(get_preset("caffe300_voc")), scene_targets(SCENES)
    if not forced:
        best = iou(targets.boxes, cxcywh_to_xyxy(priors)).amax(dim=1)
        return int((best >= threshold).sum())
    return int(match(priors, targets, threshold).positive.sum())


def first_step_lost(function) -> str | None:
    """Return evidence that a match of the first step was changed."""
    for case in fill_up_cases():
        given, taken = function(*case), case[1]
        lost = int((given[taken >= 0] != taken[taken >= 0]).sum())
        if lost:
            return f"with {len(case[0])} ground truths, {lost} of {int((taken >= 0).sum())} changed"
    return None
