"""Matching: which prior answers for which ground truth (chapter 8).

Every prior becomes positive (it must find one ground truth) or negative (it must say background).
There is no third kind.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.targets import Targets

Method = Literal["bipartite", "argmax"]


class Matches(NamedTuple):
    """The outcome of `match` for B images and P priors."""

    ground_truth: Tensor
    """``[B, P]``: index of the ground truth that each prior must find; -1 for a negative."""
    iou: Tensor
    """``[B, P]``: IoU of each prior with that ground truth (for a negative: with its nearest)."""

    @property
    def positive(self) -> Tensor:
        """``[B, P]``: True where a prior has a ground truth to find."""
        return self.ground_truth >= 0

    def labels(self, targets: Targets) -> Tensor:
        """``[B, P]``: the class that each prior must predict, 0 for a negative."""
        labels = targets.labels.gather(1, self.ground_truth.clamp(min=0))
        return labels.where(self.positive, 0)


def match(
    priors_cxcywh: Tensor,
    targets: Targets,
    threshold: float = 0.5,
    method: Method = "bipartite",
) -> Matches:
    """Match priors ``[P, 4]`` with the ground truths of a batch of images.

    First every ground truth gets one prior, whatever the IoU; then every prior left takes the
    ground truth that it overlaps most, if their IoU is at least `threshold` (paper, section 2.2).

    Args:
        method: how the first step is done.
            ``"bipartite"``, as in Caffe's ``MatchBBox``: the best pair of all first, then the best
            of what is left. No ground truth goes without, as long as a prior that it touches is
            left: in a corner, 54 objects on one spot (``caffe300_coco``) use them up.
            ``"argmax"``, as in the ports and torchvision: every ground truth takes its best prior.
            Where two want the same one, the last wins and the other may end with none.

    Raises:
        ValueError: for an unknown method, a threshold outside (0, 1], or wrong shapes.
    """
    if method not in ("bipartite", "argmax"):
        raise ValueError(f"method must be 'bipartite' or 'argmax', not {method!r}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an IoU in (0, 1], not {threshold}")
    if priors_cxcywh.ndim != 2 or priors_cxcywh.shape[1] != 4:
        raise ValueError(f"priors must be [P, 4], not {list(priors_cxcywh.shape)}")

    overlap = iou(targets.boxes, cxcywh_to_xyxy(priors_cxcywh))  # [B, G, P]; padding overlaps 0
    best_iou, best = overlap.max(dim=1)  # [B, P]: for each prior, its ground truth
    ground_truth = best.where(best_iou >= threshold, -1)

    first_step = _bipartite if method == "bipartite" else _argmax
    image, owner, prior = first_step(overlap, targets.real)
    ground_truth[image, prior] = owner
    best_iou[image, prior] = overlap[image, owner, prior]
    return Matches(ground_truth, best_iou)


def _bipartite(overlap: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The pairs (image, ground truth, prior) that greedy global matching finds.

    One round gives one prior away in every image of the batch. Only a ground truth whose favourite
    has just gone looks again, so `overlap` is searched in full once and hardly ever more.
    """
    value, favourite = overlap.max(dim=2)  # [B, G]: for each ground truth, its prior
    value = value.where(real, 0)
    taken = torch.full_like(favourite, -1)  # [B, G]: the prior that each ground truth was given
    gone = torch.zeros_like(overlap[:, 0], dtype=torch.bool)  # [B, P]: priors given away
    images = torch.arange(len(overlap), device=overlap.device)
    for _ in range(overlap.shape[1]):
        best_value, winner = value.max(dim=1)  # [B]
        prior = favourite[images, winner]
        alive = best_value > 0  # images in which a ground truth with some overlap is left
        taken[images[alive], winner[alive]] = prior[alive]
        gone[images[alive], prior[alive]] = True
        value[images, winner] = 0
        robbed = (favourite == prior[:, None]) & (value > 0)  # [B, G]
        if robbed.any():
            image, loser = robbed.nonzero(as_tuple=True)
            rows = overlap[image, loser].masked_fill(gone[image], 0)  # [R, P], a copy
            value[image, loser], favourite[image, loser] = rows.max(dim=1)
    image, owner = (taken >= 0).nonzero(as_tuple=True)
    return image, owner, taken[image, owner]


def _argmax(overlap: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every ground truth's best prior; where two share it, the ground truth of higher index."""
    value, favourite = overlap.max(dim=2)  # [B, G]
    image, owner = (real & (value > 0)).nonzero(as_tuple=True)
    prior = favourite[image, owner]
    last = torch.full_like(overlap[:, 0], -1, dtype=torch.int64)  # [B, P]
    last.view(-1).scatter_reduce_(0, image * overlap.shape[2] + prior, owner, "amax")
    wins = last[image, prior] == owner
    return image[wins], owner[wins], prior[wins]
