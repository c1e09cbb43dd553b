"""Matching: which prior is responsible for which ground truth (chapter 8).

Every prior becomes positive, matched to one ground truth, or negative, to be classified as
background. There is no third kind.
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
    """``[B, P]``: index of the ground truth that each prior is matched to; -1 for a negative."""
    iou: Tensor
    """``[B, P]``: IoU of each prior with that ground truth (for a negative: with its nearest)."""

    @property
    def positive(self) -> Tensor:
        """``[B, P]``: True where a prior is matched to a ground truth."""
        return self.ground_truth >= 0

    def labels(self, targets: Targets) -> Tensor:
        """``[B, P]``: the class that each prior should predict, 0 for a negative."""
        labels = targets.labels.gather(1, self.ground_truth.clamp(min=0))
        return labels.where(self.positive, 0)


def match(
    priors_cxcywh: Tensor,
    targets: Targets,
    threshold: float = 0.5,
    method: Method = "bipartite",
) -> Matches:
    """Match priors with the ground truths of a batch of images.

    First every ground truth gets one prior, whatever the IoU; then every prior left takes the
    ground truth that it overlaps most, if their IoU is at least `threshold` (paper, section 2.2).

    Args:
        priors_cxcywh: ``[P, 4]``, in fractions of the image.
        targets: ground truths of B images, from `ssd_tutorial.targets.make_targets`.
        threshold: an IoU in (0, 1].
        method: how the first step is done.
            ``"bipartite"``, as in Caffe's ``MatchBBox``: the best pair of all first, then the best
            of what is left. Every ground truth gets one, as long as a prior that it touches is
            left: in a corner, 54 objects on one spot (``caffe300_coco``) use them up.
            ``"argmax"``, as in the ports and torchvision: every ground truth takes its best prior.
            Where two have the same best prior, the last one keeps it and the other may end
            without.

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
    """Return the pairs (image, ground truth, prior), ``[K]`` each, of greedy global matching.

    One round assigns one prior in every image of the batch. Only a ground truth that has just lost
    its best prior searches again, so `overlap` is searched in full once and hardly ever more.
    """
    best_iou, best_prior = overlap.max(dim=2)  # [B, G]: for each ground truth
    best_iou = best_iou.where(real, 0)
    assigned = torch.full_like(best_prior, -1)  # [B, G]: the prior of each ground truth
    claimed_priors = torch.zeros_like(overlap[:, 0], dtype=torch.bool)  # [B, P]
    images = torch.arange(len(overlap), device=overlap.device)
    for _ in range(overlap.shape[1]):
        highest, ground_truth = best_iou.max(dim=1)  # [B]: the best pair that is left
        prior = best_prior[images, ground_truth]
        active = highest > 0  # images in which a ground truth with some overlap is left
        assigned[images[active], ground_truth[active]] = prior[active]
        claimed_priors[images[active], prior[active]] = True
        best_iou[images, ground_truth] = 0
        lost_best = (best_prior == prior[:, None]) & (best_iou > 0)  # [B, G]
        if lost_best.any():
            image, owner = lost_best.nonzero(as_tuple=True)
            rows = overlap[image, owner].masked_fill(claimed_priors[image], 0)  # [R, P], a copy
            best_iou[image, owner], best_prior[image, owner] = rows.max(dim=1)
    image, owner = (assigned >= 0).nonzero(as_tuple=True)
    return image, owner, assigned[image, owner]


def _argmax(overlap: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return every ground truth's best prior; where two share it, for the one of higher index."""
    best_iou, best_prior = overlap.max(dim=2)  # [B, G]
    image, owner = (real & (best_iou > 0)).nonzero(as_tuple=True)
    prior = best_prior[image, owner]
    last_owner = torch.full_like(overlap[:, 0], -1, dtype=torch.int64)  # [B, P]
    last_owner.view(-1).scatter_reduce_(0, image * overlap.shape[2] + prior, owner, "amax")
    keeps = last_owner[image, prior] == owner
    return image[keeps], owner[keeps], prior[keeps]
