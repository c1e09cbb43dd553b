"""Matching: which prior is responsible for which ground truth (chapter 8).

Every prior becomes positive, matched to one ground truth, or negative, to be classified as
background. There is no third kind.
"""

import heapq
from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.targets import Targets

Method = Literal["bipartite", "argmax"]
_BLOCK = 16  # objects whose IoUs with every prior are held at a time: 0.6 MB, which a cache keeps


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
        ValueError: for an unknown method, a threshold outside (0, 1], wrong shapes, or priors or
            ground truths that are not finite.
    """
    _check(priors_cxcywh, targets, threshold, method)
    # One plane per coordinate, as `iou` needs them: otherwise every block would make its own.
    corners = cxcywh_to_xyxy(priors_cxcywh).mT.contiguous().mT
    planes = targets.boxes.mT.contiguous()  # [B, 4, G]
    image, number = targets.real.nonzero(as_tuple=True)  # [N]: every object of the batch
    objects = targets.boxes[image, number]  # [N, 4]

    # Every object looks at all priors, a block of objects at a time: no [B, G, P] is needed.
    dtype = torch.promote_types(objects.dtype, corners.dtype)
    best_iou = corners.new_zeros(len(targets.labels), len(corners), dtype=dtype)  # [B, P]
    blocks = []
    for some, where in zip(objects.split(_BLOCK), image.split(_BLOCK), strict=True):
        overlap = iou(some, corners)  # [<= 16, P]
        best_iou.scatter_reduce_(0, where[:, None].expand_as(overlap), overlap, "amax")
        blocks.append(overlap.max(dim=1))

    # The second step is taken first, because the first overrules it. Which object it was is asked
    # only for the few priors that reach the threshold.
    ground_truth = torch.full_like(best_iou, -1, dtype=torch.int64)
    for reached in (best_iou >= threshold).nonzero().split(64 * _BLOCK):
        i, prior = reached.unbind(1)
        overlap = iou(corners[prior, None], planes[i].mT)[:, 0]  # [<= 1024, G]
        ground_truth[i, prior] = overlap.argmax(dim=1)

    values, favourites = (torch.cat(parts).tolist() for parts in zip(*blocks, strict=True))
    wishes = zip(values, range(len(objects)), image.tolist(), favourites, strict=True)
    wishes = [(-value, *wish) for value, *wish in wishes if value > 0]

    def look_again(rows: list[int]) -> Tensor:
        return torch.cat([iou(some, corners) for some in objects[rows].split(_BLOCK)])

    if method == "bipartite":
        given = _bipartite(wishes, look_again)
    else:  # where two wish for the same prior, the later object overwrites the other
        given = {(i, prior): owner for _, owner, i, prior in wishes}
    row = torch.tensor([*given.values()], dtype=torch.int64, device=image.device)
    prior = torch.tensor([prior for _, prior in given], dtype=torch.int64, device=image.device)
    ground_truth[image[row], prior] = number[row]
    best_iou[image[row], prior] = iou(objects[row, None], corners[prior, None])[:, 0, 0]
    return Matches(ground_truth, best_iou)


def _check(priors: Tensor, targets: Targets, threshold: float, method: str) -> None:
    if method not in get_args(Method):
        raise ValueError(f"method must be 'bipartite' or 'argmax', not {method!r}")
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be an IoU in (0, 1], not {threshold}")
    if priors.ndim != 2 or priors.shape[1] != 4 or not len(priors):
        raise ValueError(f"priors must be [P, 4], not {list(priors.shape)}")
    if targets.labels.ndim != 2 or 0 in targets.labels.shape:
        raise ValueError(f"targets must be [B, G], B, G >= 1, not {list(targets.labels.shape)}")
    for name, boxes in {"priors": priors, "targets": targets.boxes}.items():
        if not boxes.isfinite().all():
            first = (~boxes.isfinite()).nonzero()[0, :-1].tolist()
            raise ValueError(f"{name}{first}: {boxes[tuple(first)].tolist()} is not finite")


def _bipartite(wishes: list[tuple], overlaps_of: Callable[[list[int]], Tensor]) -> dict:
    """Return the object of each (image, prior) of greedy matching: the best pair, then the next.

    Every object wishes for its best prior, and the best wish is granted first. One whose prior has
    gone is made again, for the best prior that is left, and waits its turn.

    Args:
        wishes: (-IoU, object, its image, prior), so that the smallest is the best; one per object
            that overlaps a prior.
        overlaps_of: from N objects to their IoUs ``[N, P]`` with all priors.
    """
    wishes.sort()  # which makes a heap, too
    given, best = {}, {}
    # Most of those that lose a wish are known before: another's for the same prior is better. They
    # look again together, because a look at a time takes several times as long. `left` has the IoUs
    # of everyone who lost, less those that were lost.
    lost = [owner for _, owner, *at in wishes if best.setdefault(tuple(at), owner) != owner]
    left = dict(zip(lost, overlaps_of(lost).cpu().numpy(), strict=True)) if lost else {}
    while wishes:
        _, owner, image, prior = heapq.heappop(wishes)
        if (image, prior) not in given:
            given[image, prior] = owner
            continue
        if owner not in left:
            left[owner] = overlaps_of([owner])[0].cpu().numpy()
        left[owner][prior] = 0
        prior = int(left[owner].argmax())
        if left[owner][prior] > 0:
            heapq.heappush(wishes, (-float(left[owner][prior]), owner, image, prior))
    return given
