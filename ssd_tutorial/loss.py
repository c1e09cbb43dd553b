"""The MultiBox loss: how wrong the scores are, and how wrong the boxes (chapter 9)."""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_tutorial.boxes import VARIANCES, encode
from ssd_tutorial.matching import Matches, match
from ssd_tutorial.mining import Miner, hard_negatives
from ssd_tutorial.targets import Targets

_IMAGES = 2  # images whose probabilities are held at a time


class MultiBoxLoss(NamedTuple):
    """What `multibox_loss` returns: scalars with gradients, and a count."""

    total: Tensor
    """(confidence + alpha * localization), each already divided by N."""
    confidence: Tensor
    localization: Tensor
    num_positives: Tensor
    """Matched priors of the whole batch; N is this, or 1 if it is 0."""


def multibox_loss(
    logits: Tensor,
    offsets: Tensor,
    targets: Targets,
    priors_cxcywh: Tensor,
    *,
    matches: Matches | None = None,
    mine: Miner = hard_negatives,
    negative_ratio: float = 3,
    alpha: float = 1,
    variances=VARIANCES,
) -> MultiBoxLoss:
    """Return L = (L_conf + alpha L_loc) / N, summed over a batch (paper, equations 1 to 3).

    N counts the matched priors of the *batch*. L_loc is the smooth L1 distance (beta 1) of the
    positives' offsets; L_conf the cross-entropy of the positives and of the mined negatives.

    Args:
        logits: ``[B, P, C]`` class scores before softmax, background first.
        offsets: ``[B, P, 4]`` predicted offsets, in the units of `ssd_tutorial.boxes.encode`.
        targets: ground truths of the B images, from `ssd_tutorial.targets.make_targets`.
        priors_cxcywh: ``[P, 4]``, in fractions of the image.
        matches: the outcome of `match`, if it is already known.
        mine: which negatives count: `ssd_tutorial.mining.hard_negatives` or one with its signature.
        negative_ratio: negatives per positive, for `mine`.
        alpha: weight of the localization loss.
        variances: of `ssd_tutorial.boxes.encode`.

    Raises:
        ValueError: shapes that do not fit together, or a label that `logits` has no class for.
    """
    _check_shapes(logits, offsets, targets, priors_cxcywh)
    if matches is None:
        matches = match(priors_cxcywh, targets)
    positive, labels = matches.positive, matches.labels(targets)
    logits, offsets = logits.float(), offsets.float()  # half precision is not enough for a sum

    # All P priors are ranked, without gradient; only those that count are differentiated.
    with torch.no_grad():
        background_loss = torch.cat(  # [B, P]; by few images, because those stay in the cache
            [-some.log_softmax(dim=-1)[..., 0] for some in logits.split(_IMAGES)]
        )
    # NaN counts as hardest, so that it reaches the loss and is seen there.
    background_loss = background_loss.nan_to_num(nan=torch.inf, posinf=torch.inf)
    counted = positive | mine(background_loss, positive, negative_ratio)
    confidence = F.cross_entropy(logits[counted], labels[counted], reduction="sum")

    image, prior = positive.nonzero(as_tuple=True)
    boxes = targets.boxes[image, matches.ground_truth[image, prior]]
    wanted = encode(boxes, priors_cxcywh[prior], variances)
    localization = F.smooth_l1_loss(offsets[image, prior], wanted, reduction="sum")

    num_positives = positive.sum()
    n = num_positives.clamp(min=1)
    confidence, localization = confidence / n, localization / n
    return MultiBoxLoss(confidence + alpha * localization, confidence, localization, num_positives)


def _check_shapes(logits: Tensor, offsets: Tensor, targets: Targets, priors: Tensor) -> None:
    batch, num_priors = len(targets.labels), len(priors)
    if logits.ndim != 3 or logits.shape[:2] != (batch, num_priors):
        raise ValueError(
            f"logits must be [B, P, C] with B = {batch} images of targets and P = {num_priors}"
            f" priors, not {list(logits.shape)}"
        )
    if offsets.shape != (batch, num_priors, 4):
        raise ValueError(
            f"offsets must be [{batch}, {num_priors}, 4] like the logits, not {list(offsets.shape)}"
        )
    highest = int(targets.labels.max())
    if highest >= logits.shape[2]:
        image, box = (targets.labels == highest).nonzero()[0].tolist()
        raise ValueError(
            f"image {image}, box {box}: label {highest}, but the logits have"
            f" {logits.shape[2]} classes, 0 .. {logits.shape[2] - 1}"
        )
