"""From scores and offsets to detections: decode, threshold, suppress duplicates (chapter 13)."""

from numbers import Integral, Real
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import VARIANCES, decode, iou

_BLOCK = 16  # boxes whose overlaps `_nms_blocked` computes at a time


class Detections(NamedTuple):
    """What was found in one image, best first."""

    boxes: Tensor
    """``[N, 4]`` xyxy in fractions of the image."""
    scores: Tensor
    """``[N]``, in (0, 1]."""
    labels: Tensor
    """``[N]``, from 1."""

    def above(self, score: float) -> "Detections":
        """Return only those with at least this score."""
        return Detections(*(values[self.scores >= score] for values in self))


def nms(boxes_xyxy: Tensor, valid: Tensor, iou_threshold: float = 0.45) -> Tensor:
    """Suppress duplicates: greedy non-maximum suppression, on many lists of boxes at once.

    A box survives if no *surviving* box with a better score overlaps it by more than the threshold.

    Args:
        boxes_xyxy: ``[..., N, 4]``, each list sorted by descending score.
        valid: ``[..., N]``, False for the padding at a list's end.

    Returns:
        ``[..., N]``, True for a survivor.

    Raises:
        ValueError: a threshold outside [0, 1].

    Source: ``ApplyNMSFast`` in Caffe's ``bbox_util.cpp``.
    """
    check_limits(iou_threshold=iou_threshold)
    overlaps = iou(boxes_xyxy, boxes_xyxy) > iou_threshold  # [..., N, N]
    survives = valid.clone()
    for i in range(valid.shape[-1]):
        suppressed = overlaps[..., i, i + 1 :] & survives[..., i, None]
        survives[..., i + 1 :] &= ~suppressed
    return survives


# Why not torchvision.ops.batched_nms: it takes one image, and keeps the classes of few boxes apart
# by shifting them by multiples of the largest coordinate, which costs digits of float32.
# Why not `nms`: 8 images x 20 classes x 400 boxes take 304 ms on one core, batched_nms in a loop
# over the images 118 ms, and this 38 ms.
def _nms_blocked(boxes_xyxy: Tensor, valid: Tensor, iou_threshold: float) -> Tensor:
    """Return what `nms` returns, by blocks of boxes; lists that are at their end are left out."""
    lists = valid.shape[:-1].numel()
    boxes, survives = boxes_xyxy.reshape(lists, -1, 4), valid.reshape(lists, -1)
    lengths = survives.sum(dim=1)
    order = lengths.argsort(descending=True)  # so that the lists with boxes left are a slice
    boxes, survives = boxes[order].mT.contiguous().mT, survives[order]  # planes, as `iou` needs
    for start in range(0, boxes.shape[1], _BLOCK):
        count = int((lengths > start).sum())
        # [count, <= 16, N - start]: a block's IoUs stay in the cache, those of all pairs would not
        overlaps = iou(boxes[:count, start : start + _BLOCK], boxes[:count, start:])
        left = survives[:count, start:]
        block = left[:, :_BLOCK]
        inside = overlaps[..., : block.shape[1]].triu_(diagonal=1)
        # Suppress the block by all of it, then by what that left, and so on until nothing changes:
        # each round settles one more box at least, most rounds nearly all.
        kept, before = block, ~block
        while not torch.equal(kept, before):
            kept, before = block & ((inside * kept[..., None]).amax(dim=1) <= iou_threshold), kept
        left &= (overlaps * kept[..., None]).amax(dim=1) <= iou_threshold
    return survives[order.argsort()].view_as(valid)


def postprocess(
    logits: Tensor,
    offsets: Tensor,
    priors_cxcywh: Tensor,
    *,
    score_threshold: float = 0.01,
    iou_threshold: float = 0.45,
    candidates_per_class: int = 400,
    detections_per_image: int = 200,
    variances=VARIANCES,
) -> list[Detections]:
    """Turn the network's output into detections, one `Detections` per image.

    Per class: scores above the threshold, the best `candidates_per_class` of them, `nms`. Then the
    best `detections_per_image` of all classes. Boxes are clipped to the image. The defaults
    are those of the paper (section 3.7) and of ``ssd_pascal.py``.

    Args:
        logits: ``[B, P, C]`` before softmax, background first.
        offsets: ``[B, P, 4]``.
        priors_cxcywh: ``[P, 4]``, in fractions of the image, as are the boxes of the result.

    Raises:
        ValueError: shapes that do not fit together, impossible limits, or logits or offsets
            that are not finite, with the image and their number.
    """
    if logits.ndim != 3 or 0 in logits.shape or logits.shape[2] < 2:
        raise ValueError(
            f"logits must be [B, P, C] with B, P >= 1, C >= 2, not {list(logits.shape)}"
        )
    batch, num_priors, _ = logits.shape
    if offsets.shape != (batch, num_priors, 4) or priors_cxcywh.shape != (num_priors, 4):
        raise ValueError(
            f"expected offsets [{batch}, {num_priors}, 4] and priors [{num_priors}, 4] for logits"
            f" {list(logits.shape)}, not {list(offsets.shape)} and {list(priors_cxcywh.shape)}"
        )
    check_limits(
        score_threshold=score_threshold,
        iou_threshold=iou_threshold,
        candidates_per_class=candidates_per_class,
        detections_per_image=detections_per_image,
    )
    _check_finite("logits", logits)  # NaN would rank above every score
    _check_finite("offsets", offsets)
    # Where the best class is far behind the background, no score can pass: p <= exp(lead). Most
    # priors drop out here, before the softmax.
    logits = logits.float()
    lead = logits[..., 1:].amax(dim=-1) - logits[..., 0]  # [B, P]
    likely = int((lead.exp() > score_threshold).sum(dim=1).max())
    prior = lead.topk(likely, dim=1, sorted=False).indices  # [B, K]
    image = torch.arange(batch, device=prior.device)[:, None]
    boxes = decode(offsets[image, prior].float(), priors_cxcywh[prior], variances).clamp(0, 1)
    scores = logits[image, prior].softmax(dim=-1)[..., 1:].mT  # [B, C - 1, K]

    k = min(candidates_per_class, int((scores > score_threshold).sum(dim=2).max()))
    scores, place = scores.topk(k, dim=2)  # [B, C - 1, k], sorted
    candidates = boxes[image[..., None], place]  # [B, C - 1, k, 4]
    keep = _nms_blocked(candidates, scores > score_threshold, iou_threshold)
    image, label, _ = keep.nonzero(as_tuple=True)
    found = Detections(candidates[keep], scores[keep], label + 1)
    best = found.scores.argsort(descending=True, stable=True)
    best = best[image[best].argsort(stable=True)]  # grouped by image, best first
    counts = torch.bincount(image, minlength=batch).tolist()
    return [
        Detections(*(x[:detections_per_image] for x in one))
        for one in zip(*(x[best].split(counts) for x in found), strict=True)
    ]


def check_limits(**limits: float) -> None:
    """Refuse a ``..._threshold`` outside [0, 1], and other limits but 1, 2, 3 and so on.

    Raises:
        ValueError: names the limit and its value.
    """
    for name, value in limits.items():
        kind, low, high = (Real, 0, 1) if name.endswith("_threshold") else (Integral, 1, value)
        if not isinstance(value, kind) or not low <= value <= high:
            must = "in [0, 1]" if kind is Real else "a whole number from 1"
            raise ValueError(f"{name} must be {must}, not {value!r:.80}")


def _check_finite(name: str, values: Tensor) -> None:
    """Refuse ``[B, P, ...]`` with NaN or infinity, and name the first image that has any."""
    if values.sum().isfinite():  # quicker than to look at each
        return
    for image, count in enumerate((~values.isfinite()).any(dim=2).sum(dim=1).tolist()):
        if count:
            priors = f"{count} of {values.shape[1]} priors"
            raise ValueError(f"image {image}: {priors} have {name} that are not finite")
