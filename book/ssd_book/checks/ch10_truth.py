"""The right answers to chapter 10's exercises by the package, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_book.checks.data import scene_boxes, scene_labels
from ssd_book.checks.reader import describe
from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import decode, iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import all_negatives, hard_negatives
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import load_weights

PICTURE, OBJECT = 0, 0  # exercise 10.3: a scene of "val", and the object whose label is lost
MOST = 30  # exercise 10.4: negatives of a picture without objects


def mined(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return what exercise 10.1 asks for: `hard_negatives` for one image."""
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
    """Return a wrong answer to 10.1: positives compete with negatives for the places."""
    rank = background_loss.argsort(descending=True).argsort()
    return (rank < ratio * positive.sum()) & ~positive


def easiest(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return a wrong answer to 10.1: the easiest negatives instead of the hardest."""
    return mined(-background_loss, positive, ratio)


def letting_positives_in(background_loss: Tensor, positive: Tensor, ratio: float) -> Tensor:
    """Return a wrong answer to 10.1, torchvision's: positives come last, but they do come."""
    last = background_loss.masked_fill(positive, -torch.inf)
    return last.argsort(descending=True).argsort() < ratio * positive.sum()


def focal(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return what exercise 10.2 asks for: cross-entropy, times (1 - p) to the power of gamma."""
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
    """Return a wrong answer to 10.2: the weight is p, which keeps the easy and drops the hard."""
    loss = F.cross_entropy(logits, labels, reduction="none")
    return (-loss).exp() ** gamma * loss


def of_the_background(logits: Tensor, labels: Tensor, gamma: float) -> Tensor:
    """Return a wrong answer to 10.2: p of class 0, whatever the label."""
    return focal(logits, torch.zeros_like(labels), gamma)


@cache
def on_the_forgotten(labels_kept: bool = False) -> int:
    """Return what exercise 10.3 asks for: hardest negatives on the object without a label.

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


def conveyor() -> list[tuple[Tensor, Tensor]]:
    """Return batches for 10.4: pictures with objects and without, then empty ones alone."""
    generator = torch.Generator().manual_seed(104)
    loss = torch.rand(4, 200, generator=generator) * torch.tensor([[1.0], [4.0], [0.5], [2.0]])
    positive = torch.zeros(4, 200, dtype=torch.bool)
    positive[0, :5] = positive[3, 60:62] = True
    return [(loss, positive), (loss[1:3], positive[1:3])]


def no_batch_mask(function) -> str | None:
    """Return evidence that the answer to 10.4 is not a mask of negatives."""
    for loss, positive in conveyor():
        given = function(loss, positive)
        if not isinstance(given, Tensor) or given.dtype != torch.bool:
            return f"your function gives {describe(given)}"
        if given.shape != loss.shape:
            return f"for {list(loss.shape)} your function gives shape {list(given.shape)}"
        if (given & positive).any():
            return f"you choose {int((given & positive).sum())} positive"
    return None


def others_change(function) -> str | None:
    """Return evidence that pictures with objects don't keep SSD's negatives."""
    loss, positive = conveyor()[0]
    given, own = function(loss, positive), hard_negatives(loss, positive)
    for image in positive.any(dim=1).nonzero()[:, 0].tolist():
        if not torch.equal(given[image], own[image]):
            about = f"a picture with {int(positive[image].sum())} positives"
            return f"{about} gets {int(given[image].sum())} negatives, or others than SSD's"
    return None


def empty_get_too_few_or_many(function) -> str | None:
    """Return evidence that a picture without objects gets none, or too many."""
    for loss, positive in conveyor():
        for count in function(loss, positive).sum(dim=1)[~positive.any(dim=1)].tolist():
            if not 1 <= count <= MOST:
                return f"a picture without objects gets {count}"
    return None


def not_the_hardest(function) -> str | None:
    """Return evidence that a picture without objects gets easier negatives than it has."""
    for loss, positive in conveyor():
        given = function(loss, positive)
        for image in (~positive.any(dim=1)).nonzero()[:, 0].tolist():
            if loss[image][given[image]].min() < loss[image][~given[image]].max():
                return "a negative that you leave out has a larger loss than one that you take"
    return None


def leaves_empty_out(function) -> bool:
    """Return whether an answer to 10.4 is SSD's rule unchanged."""
    return all(torch.equal(function(*case), hard_negatives(*case)) for case in conveyor())


def ranks_the_batch(function) -> bool:
    """Return whether an answer to 10.4 takes the hardest of the whole batch."""
    loss, positive = conveyor()[0]
    given = function(loss, positive)
    left = ~given & ~positive
    return bool(given.any()) and float(loss[given].min()) >= float(loss[left].max())


def whole(
    scores: Tensor, offsets: Tensor, boxes: list[Tensor], labels: list[Tensor], priors: Tensor
) -> Tensor:
    """Return what exercise 10.5 asks for, by the package."""
    targets = make_targets(boxes, labels, scores.shape[-1])
    return multibox_loss(scores, offsets, targets, priors).total


@cache
def batches() -> list[tuple]:
    """Return batches for 10.5: scenes with coarse priors, and one where negatives run out.

    The priors are a little off their places: an object inside two of one size has one IoU with
    both, and how a reader's function breaks a tie is not what is asked.
    """
    random = torch.Generator().manual_seed(105)
    priors = make_priors(get_preset("caffe300_voc"))
    priors = priors * (1 + 0.02 * torch.randn(priors.shape, generator=random))
    cases = []
    for seed, (first, part) in enumerate(((0, priors[-190:]), (2, priors[-790:]))):
        random = torch.Generator().manual_seed(seed)
        scores, offsets = (2 * torch.randn(2, len(part), n, generator=random) for n in (13, 4))
        drawn = [(scene_boxes(4)[first + k], scene_labels(4)[first + k]) for k in (0, 1)]
        boxes, labels = zip(*drawn, strict=True)
        cases.append((scores, offsets, list(boxes), list(labels), part))
    few = priors[-10:]
    random = torch.Generator().manual_seed(9)
    scores, offsets = (torch.randn(3, 10, n, generator=random) for n in (4, 4))
    boxes = [
        torch.tensor([[0.1, 0.1, 0.9, 0.8], [0.2, 0.3, 0.6, 0.7]]),
        torch.zeros(0, 4),
        torch.tensor([[0.0, 0.05, 0.95, 1.0]]),
    ]
    labels = [torch.tensor([1, 3]), torch.zeros(0, dtype=torch.int64), torch.tensor([2])]
    return [*cases, (scores, offsets, boxes, labels, few)]


def single() -> tuple:
    """Return a batch of one picture with one prior: the balloon of chapter 9."""
    scores = torch.tensor([[[1.0, 2.0, 0.5, -0.5]]])
    offsets = torch.tensor([[[0.9, 0.25, 0.6, 1.2]]])
    box = torch.tensor([[101.0, 24.0, 193.0, 159.0]]) / 300
    prior = torch.tensor([[144.0, 80.0, 111.0, 111.0]]) / 300
    return scores, offsets, [box], [torch.tensor([1])], prior


def rivals() -> tuple:
    """Return a batch of one picture: two objects have the same best prior, and both need one."""
    priors = torch.tensor([[0.5, 0.5, 0.4, 0.4], [0.2, 0.2, 0.1, 0.1], [0.6, 0.6, 0.9, 0.9]])
    boxes = torch.tensor([[0.36, 0.3, 0.7, 0.7], [0.3, 0.3, 0.7, 0.69]])
    random = torch.Generator().manual_seed(5)
    scores, offsets = (torch.randn(1, 3, 4, generator=random) for _ in range(2))
    return scores, offsets, [boxes], [torch.tensor([1, 2])], priors


def _differs(function, case: tuple) -> str | None:
    given = torch.as_tensor(function(*case))
    if given.numel() == 1 and abs(float(given) - float(whole(*case))) <= 1e-3:
        return None
    return f"you give {describe(given)}"


def single_is_wrong(function) -> str | None:
    """Return evidence that the answer is wrong for `single`."""
    return _differs(function, single())


def rivals_are_wrong(function) -> str | None:
    """Return evidence that the answer is wrong for `rivals`."""
    return _differs(function, rivals())


def empty_is_wrong(function) -> str | None:
    """Return evidence that a batch without objects does not cost 0, or leaves the graph."""
    scores, offsets, boxes, labels, priors = batches()[-1]
    case = [boxes[1]] * 3, [labels[1]] * 3, priors
    given = torch.as_tensor(function(scores, offsets, *case))
    if float(given) != 0:
        return f"you give {describe(given)}"
    scores, offsets = scores.clone().requires_grad_(), offsets.clone().requires_grad_()
    given = function(scores, offsets, *case)
    if not isinstance(given, Tensor) or not given.requires_grad:
        return "your 0 is a constant: it does not depend on scores and offsets"
    given.backward()
    for name, leaf in {"scores": scores, "offsets": offsets}.items():
        if leaf.grad is None:
            return f"the {name} get no gradient at all"
        if leaf.grad.any() or leaf.grad.isnan().any():
            return f"the gradient of the {name} is not zero"
    return None


def wrong_whole(case: tuple, kind: str) -> Tensor:
    """Return wrong answers to 10.5, each by one change in the package's loss."""
    scores, offsets, boxes, labels, priors = case
    targets = make_targets(boxes, labels, scores.shape[-1])
    if kind == "means":
        each = [
            whole(scores[k, None], offsets[k, None], boxes[k : k + 1], labels[k : k + 1], priors)
            for k in range(len(scores))
        ]
        return torch.stack(each).mean()
    changes = {
        "all": {"mine": all_negatives},
        "batch": {"mine": _of_the_batch},
        "raw": {"variances": (1.0, 1.0, 1.0, 1.0)},
        "threshold": {"matches": match(priors, targets, threshold=1)},
    }
    return multibox_loss(scores, offsets, targets, priors, **changes[kind]).total


def _of_the_batch(background_loss: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    flat = (t.reshape(1, -1) for t in (background_loss, positive))
    return hard_negatives(*flat, ratio).view_as(positive)
