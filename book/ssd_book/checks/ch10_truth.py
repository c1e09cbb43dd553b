"""The right answers to chapter 10's exercises by the package, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_book.checks.reader import describe
from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import decode, iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import load_weights

PRIORS, POSITIVES, RATIO = 8732, 20, 3  # exercise 10.1: a picture
FEW, CASES = 10, (2, 3, 4)  # exercise 10.3: priors, and numbers of positives
PICTURE, OBJECT = 0, 0  # exercise 10.5: a scene of "val", and the object whose label is lost


def shares() -> list[float]:
    """Return what exercise 10.1 asks for: the positives' share of all priors and after mining."""
    return [POSITIVES / PRIORS, 1 / (1 + RATIO)]


def mined(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return what exercise 10.2 asks for: `hard_negatives` for one image."""
    return hard_negatives(background_loss[None], positive[None], ratio)[0]


def images() -> list[tuple[Tensor, Tensor, float]]:
    """Return images of priors: usual ones, one short of negatives, one without positives."""
    generator = torch.Generator().manual_seed(10)
    cases = []
    for priors, positives, ratio in ((12, 2, 3), (60, 5, 3), (60, 5, 1), (10, 4, 3), (8, 0, 3)):
        loss = torch.randperm(priors, generator=generator) / 4 + 0.1  # no two are equal
        positive = torch.zeros(priors, dtype=torch.bool)
        positive[loss.argsort(descending=True)[: 2 * positives : 2]] = True  # positives are hard
        cases.append((loss, positive, ratio))
    return cases


def not_a_mask(function) -> str | None:
    """Return evidence that the answer is not one Boolean per prior."""
    for case in images():
        given = function(*case)
        if not isinstance(given, Tensor) or given.dtype != torch.bool:
            return f"for {len(case[0])} priors your function gives {describe(given)}"
        if given.shape != case[0].shape:
            return f"for {len(case[0])} priors your function gives shape {list(given.shape)}"
    return None


def takes_positives(function) -> str | None:
    """Return evidence that a positive is chosen as a negative."""
    for loss, positive, ratio in images():
        both = int((function(loss, positive, ratio) & positive).sum())
        if both:
            return (
                f"of {len(loss)} priors with {int(positive.sum())} positives,"
                f" you take {both} positive"
            )
    return None


def wrong_count(function) -> str | None:
    """Return evidence that the number of negatives is neither by the ratio nor all there are."""
    for loss, positive, ratio in images():
        taken, count = int(function(loss, positive, ratio).sum()), int(positive.sum())
        if taken != min(int(ratio * count), len(loss) - count):
            return f"{len(loss)} priors, {count} positives, ratio {ratio}: you take {taken}"
    return None


def without_a_mask(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return a wrong answer to 10.2: positives compete with negatives for the places."""
    rank = background_loss.argsort(descending=True).argsort()
    return (rank < ratio * positive.sum()) & ~positive


def easiest(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return a wrong answer to 10.2: the easiest negatives instead of the hardest."""
    return mined(-background_loss, positive, ratio)


def letting_positives_in(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return a wrong answer to 10.2, torchvision's: positives come last, but they do come."""
    last = background_loss.masked_fill(positive, -torch.inf)
    return last.argsort(descending=True).argsort() < ratio * positive.sum()


def counted_twice() -> list[int]:
    """Return what exercise 10.3 asks for: positives counted twice, for each of `CASES`."""
    return [min(p, max(0, RATIO * p - (FEW - p))) for p in CASES]


def focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return what exercise 10.4 asks for: cross-entropy, times (1 - p) to the power of gamma."""
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (1 - (-loss).exp()) ** gamma * loss


def scores() -> list[tuple[Tensor, Tensor, float]]:
    """Return logits of some priors, their labels, and gammas."""
    generator = torch.Generator().manual_seed(4)
    logits = 3 * torch.randn(12, 4, generator=generator)
    labels = torch.randint(0, 4, (12,), generator=generator)
    return [(logits, labels, gamma) for gamma in (0, 2, 0.5)]


def plain_gamma(function) -> str | None:
    """Return evidence that gamma 0 is not the usual loss."""
    logits, labels, _ = scores()[0]
    given = torch.as_tensor(function(logits, labels, 0))
    usual = F.cross_entropy(logits, labels, reduction="none")
    if given.shape == usual.shape and torch.allclose(given, usual, atol=1e-4):
        return None
    return f"with gamma 0 your function gives {describe(given)}"


def weighted_by_p(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return a wrong answer to 10.4: the weight is p, which keeps the easy and drops the hard."""
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (-loss).exp() ** gamma * loss


def of_the_background(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return a wrong answer to 10.4: p of class 0, whatever the label."""
    return focal(logits, torch.zeros_like(labels), gamma)


@cache
def on_the_forgotten(labels_kept: bool = False) -> int:
    """Return what exercise 10.5 asks for: hardest negatives on the object without a label.

    With `labels_kept` the label is not removed at all.
    """
    image, target = open_dataset("scenes", "val")[PICTURE]
    detector = load_weights(data_path("weights/scenes_slim300.safetensors"))
    network = detector.network.eval()
    boxes = target["boxes"].as_subclass(Tensor) / network.image_size
    kept = torch.arange(len(boxes)) != OBJECT
    if labels_kept:
        kept[:] = True
    targets = make_targets([boxes[kept]], [target["labels"][kept]], network.num_classes)
    with torch.inference_mode():
        logits, offsets = network(image[None])
    loss = logits[0].logsumexp(dim=-1) - logits[0, :, 0]
    positive = match(network.priors, targets).positive[0]
    hardest = loss.masked_fill(positive, -torch.inf).topk(10).indices
    variances = network.config.priors.variances
    decoded = decode(offsets[0, hardest], network.priors[hardest], variances)
    return int((iou(boxes[OBJECT : OBJECT + 1], decoded) >= 0.5).sum())
