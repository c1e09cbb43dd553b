"""Hard negative mining: which of thousands of negatives the loss counts (chapter 10).

`hard_negatives` is SSD's way. The other two have its signature, to be compared with it.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

Miner = Callable[[Tensor, Tensor, float], Tensor]
"""From ``background_loss`` and ``positive``, both ``[B, P]``, and a ratio: the negatives to use."""


def hard_negatives(background_loss: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    """Choose the negatives that look least like background, `ratio` per positive of their image.

    Args:
        background_loss: ``[B, P]``, -log p(background) of every prior.
        positive: ``[B, P]``, True where a prior is matched.
        ratio: negatives per positive. Never more than there are: no prior counts twice.

    Returns:
        ``[B, P]``, True for a mined negative. An image without a positive has none.

    Raises:
        ValueError: shapes that differ, a ratio that is negative or not finite, or a loss that is
            NaN, which would rank first.

    Source: paper, section 2.2; ``MineHardExamples`` in Caffe's ``bbox_util.cpp``.
    """
    if background_loss.ndim != 2 or background_loss.shape != positive.shape:
        shapes = f"{list(background_loss.shape)} and {list(positive.shape)}"
        raise ValueError(f"background_loss and positive must both be [B, P], not {shapes}")
    if not 0 <= ratio < math.inf:
        raise ValueError(f"ratio must be a number of negatives per positive, not {ratio}")
    num_positives = positive.sum(dim=1)
    num_negatives = positive.shape[1] - num_positives
    wanted = torch.minimum((ratio * num_positives).long(), num_negatives)  # [B]
    # topk on the few that can be wanted costs a fraction of sorting all P priors.
    most = int(wanted.max())
    loss, hardest = background_loss.masked_fill(positive, -torch.inf).topk(most, dim=1)
    chosen = torch.arange(most, device=wanted.device) < wanted[:, None]  # [B, most]
    if (loss.isnan() & chosen).any():  # NaN sorts first
        image = int((loss.isnan() & chosen).nonzero()[0, 0])
        count = int(background_loss[image].isnan().sum())
        priors = f"{count} of {positive.shape[1]} priors"
        raise ValueError(f"image {image}: {priors} have a background loss that is NaN")
    return torch.zeros_like(positive).scatter_(1, hardest, chosen)


def random_negatives(background_loss: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    """Choose as many negatives as `hard_negatives`, at random, whatever their loss.

    Arguments and result as there. Uses torch's global random numbers.
    """
    return hard_negatives(torch.rand_like(background_loss), positive, ratio)


def all_negatives(background_loss: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    """Choose every negative of the batch ``[B, P]``: no mining. Only `positive` is used."""
    return ~positive
