"""The right answers to chapter 9's exercises, and evidence against wrong ones."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_book.checks.data import scene_targets
from ssd_book.checks.reader import describe
from ssd_tutorial.boxes import encode
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets, make_targets

# Exercise 9.1: one positive, by hand.
DIFFERENCES = torch.tensor([0.4, -3.0, 1.0, 0.0])
PROBABILITY = torch.tensor(0.25)  # of the right class

# Exercises 9.2 and 9.5: what five pictures ask of one offset; the last was annotated wrongly.
WISHES = torch.tensor([0.9, 1.0, 1.1, 1.2, 9.0])


def positive_by_hand(offsets=None, classes=None) -> float:
    """Return the loss of exercise 9.1, or the same with another `offsets` or `classes` part."""
    offsets = smooth_l1(DIFFERENCES).sum() if offsets is None else offsets
    classes = -PROBABILITY.log() if classes is None else classes
    return float(offsets + classes)


def smooth_l1(differences: Tensor) -> Tensor:
    """Return the smooth L1 loss of each difference."""
    return F.smooth_l1_loss(differences, torch.zeros_like(differences), reduction="none")


def difference_cases() -> list[tuple[Tensor]]:
    """Return differences of several shapes; some are at the bend."""
    random = torch.Generator().manual_seed(9)
    bend = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.25, 1.0, 3.0])
    return [(bend,), (3 * torch.randn(6, 4, generator=random),), (torch.tensor([[40.0, -0.1]]),)]


def no_distance(function) -> str | None:
    """Return evidence against 9.5: not 0 at 0, not positive elsewhere, or not symmetric."""
    right = torch.tensor([0.01, 0.3, 0.9, 1.0, 2.0, 5.0, 9.0])
    at_zero = float(function(torch.zeros(1))[0])
    if abs(at_zero) > 1e-6:
        return f"at 0 it gives {at_zero:.4g}"
    for x, above, below in zip(right, function(right), function(-right), strict=True):
        if above <= 0 or abs(float(above - below)) > 1e-5:
            return f"at {x:g} it gives {float(above):.4g}, at {-x:g} {float(below):.4g}"
    return None


def slope(function, at: float) -> float:
    """Return the slope of a loss at one difference, from two values of it."""
    low, high = function(torch.tensor([at - 1e-3, at + 1e-3]).double()).tolist()
    return (high - low) / 2e-3


def descend(function, start: float) -> float:
    """Return where 200 steps of descent at a learning rate of 0.4 end."""
    for _ in range(200):
        start -= 0.4 * slope(function, start)
    return start


def never_settles(function) -> str | None:
    """Return evidence that descent from 0.5 does not end at 0."""
    end = descend(function, 0.5)
    return None if abs(end) <= 0.01 else f"after 200 steps from 0.5 it is at {end:.3g}"


def stays_away(function) -> str | None:
    """Return evidence that descent from 3 does not end at 0."""
    end = descend(function, 3.0)
    return None if abs(end) <= 0.01 else f"after 200 steps from 3 it is at {end:.3g}"


def follows_the_outlier(function) -> str | None:
    """Return evidence that the wrong one of `WISHES` moves the minimum."""
    tries = torch.linspace(0, 10, 1001)
    best = float(tries[function(tries[:, None] - WISHES).sum(dim=1).argmin()])
    right = float(WISHES[:-1].mean())
    return None if abs(best - right) <= 0.03 else f"over the five it is smallest at {best:.2f}"


def is_cut_off(function) -> bool:
    """Return whether a loss is flat from some difference below 9 on: a mistake in 9.5."""
    return any(abs(slope(function, at)) < 1e-6 for at in (1.5, 2.5, 3.5, 5.0, 8.0))


def cross_entropy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return what exercise 9.3 asks for."""
    return F.cross_entropy(scores, labels, reduction="none")


def modest_scores() -> list[tuple[Tensor, Tensor]]:
    """Return scores ``[N, C]`` and labels ``[N]`` that any formula can take."""
    random = torch.Generator().manual_seed(3)
    even = (torch.zeros(2, 21), torch.tensor([0, 20]))
    return [even, (2 * torch.randn(5, 4, generator=random), torch.tensor([0, 1, 2, 3, 1]))]


def large_scores() -> list[tuple[Tensor, Tensor]]:
    """Return scores whose exponentials overflow float32: one row up, one down, one far apart."""
    rows = torch.tensor([[1000.0, 999.0, 0.0], [-1000.0, -1001.0, -1002.0], [300.0, 0.0, -300.0]])
    return [(rows, torch.tensor([1, 0, 2]))]


def overflows(function) -> str | None:
    """Return evidence that large scores give infinity, NaN or another wrong number."""
    for scores, labels in large_scores():
        given = function(scores, labels)
        if not bool(((given - cross_entropy(scores, labels)).abs() <= 1e-3).all()):
            return f"for the scores {describe(scores)} you give {describe(given)}"
    return None


def loss(
    scores: Tensor, offsets: Tensor, wanted: Tensor, labels: Tensor, counted: Tensor, alpha: float
) -> Tensor:
    """Return what exercise 9.4 asks for: `ssd_tutorial.loss.multibox_loss` of known matches."""
    classes, boxes = parts(scores, offsets, wanted, labels)
    positive = labels > 0
    total = classes[counted].sum() + alpha * boxes[positive].sum()
    return total / positive.sum().clamp(min=1)


def parts(scores: Tensor, offsets: Tensor, wanted: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return every prior's loss of classes and of offsets, ``[B, P]`` each."""
    classes = F.cross_entropy(scores.transpose(1, 2), labels, reduction="none")
    return classes, F.smooth_l1_loss(offsets, wanted, reduction="none").sum(dim=2)


def wrong_loss(case: tuple, kind: str) -> Tensor:
    """Return wrong answers to 9.4: divided by something else, or summed over other priors."""
    scores, offsets, wanted, labels, counted, alpha = case
    classes, boxes = parts(scores, offsets, wanted, labels)
    positive = labels > 0
    n = positive.sum().clamp(min=1)
    if kind == "mean of images":
        each = (classes * counted + alpha * boxes * positive).sum(dim=1)
        return (each / positive.sum(dim=1).clamp(min=1)).mean()
    if kind == "by counted":
        return (classes[counted].sum() + alpha * boxes[positive].sum()) / counted.sum().clamp(min=1)
    if kind == "all priors":
        return (classes.sum() + alpha * boxes[positive].sum()) / n
    if kind == "offsets of negatives":
        return (classes[counted].sum() + alpha * boxes[counted].sum()) / n
    return classes[counted].sum() / n + alpha * boxes[positive].sum()


def whole_cases(empty: bool = True) -> list[tuple]:
    """Return two scenes as in training with two alphas, then two images with no object."""
    cases = [as_tensors(*drawn, alpha) for drawn, alpha in ((batch(0), 1.0), (batch(1), 2.0))]
    if empty:
        nothing = make_targets([torch.zeros(0, 4)] * 2, [torch.zeros(0).long()] * 2, 13)
        cases.append(as_tensors(*batch(2)[:2], nothing, 1.0))
    return cases


def batch(seed: int) -> tuple[Tensor, Tensor, Targets]:
    """Return random scores and offsets of the 190 coarsest priors, and two scenes."""
    random = torch.Generator().manual_seed(seed)
    scores, offsets = (torch.randn(2, 190, n, generator=random) for n in (13, 4))
    drawn = scene_targets(2 + 2 * seed)
    return scores, offsets, Targets(drawn.boxes[-2:], drawn.labels[-2:])


def as_tensors(scores: Tensor, offsets: Tensor, targets: Targets, alpha: float) -> tuple:
    """Return the arguments of exercise 9.4: each prior's target, and which priors count."""
    priors = make_priors(get_preset("caffe300_voc"))[-190:]
    matches = match(priors, targets)
    background = scores.logsumexp(dim=2) - scores[..., 0]
    counted = matches.positive | hard_negatives(background, matches.positive)
    owner = matches.ground_truth.clamp(min=0)[..., None].expand(-1, -1, 4)
    boxes = targets.boxes.gather(1, owner)
    boxes = boxes.where(matches.positive[..., None], torch.tensor([0.0, 0, 1, 1]))
    return scores, offsets, encode(boxes, priors), matches.labels(targets), counted, alpha


def nan_without_objects(function) -> str | None:
    """Return evidence that a batch in which nothing matched does not cost 0."""
    given = function(*whole_cases()[-1])
    value = float(given) if torch.as_tensor(given).numel() == 1 else given
    return None if value == 0 else f"you give {describe(value)}"


def best_wish(curve: str = "smooth") -> float:
    """Return the number whose loss over `WISHES` is least, to a hundredth."""
    tries = torch.linspace(0, 10, 1001)
    away = tries[:, None] - WISHES
    cost = {"smooth": smooth_l1(away), "l1": away.abs(), "l2": away**2}[curve].sum(dim=1)
    return float(tries[cost.argmin()])
