"""From scores and offsets to detections: decode, threshold, suppress duplicates (chapter 13)."""

from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import VARIANCES, decode, iou

_BLOCK = 16  # boxes whose overlaps `nms` computes at a time


class Detections(NamedTuple):
    """What was found in one image, best first."""

    boxes: Tensor
    """``[N, 4]`` xyxy in fractions of the image."""
    scores: Tensor
    """``[N]``, in (0, 1]."""
    labels: Tensor
    """``[N]``, from 1."""

    def above(self, score: float) -> "Detections":
        """Only those with at least this score."""
        keep = self.scores >= score
        return Detections(self.boxes[keep], self.scores[keep], self.labels[keep])


def nms(boxes_xyxy: Tensor, valid: Tensor, iou_threshold: float = 0.45) -> Tensor:
    """Greedy non-maximum suppression, on many lists of boxes at once.

    A box survives if no *surviving* box with a better score overlaps it by more than the threshold.

    Args:
        boxes_xyxy: ``[..., N, 4]``, each list sorted by falling score.
        valid: ``[..., N]``, False for the padding at a list's end.

    Returns:
        ``[..., N]``, True for a survivor.
    """
    lists = valid.shape[:-1].numel()
    boxes, survives = boxes_xyxy.reshape(lists, -1, 4), valid.reshape(lists, -1)
    lengths = survives.sum(dim=1)
    order = lengths.argsort(descending=True)  # so that the lists with boxes left are a slice
    boxes, survives = boxes[order], survives[order]
    for start in range(0, boxes.shape[1], _BLOCK):
        open_ = int((lengths > start).sum())
        # [open, <= 16, n - start]: a block's IoUs stay in the cache, those of all pairs would not
        beats = iou(boxes[:open_, start : start + _BLOCK], boxes[:open_, start:]) > iou_threshold
        for i in range(beats.shape[1]):
            rest = start + i + 1
            beaten = beats[:, i, i + 1 :] & survives[:open_, rest - 1, None]
            survives[:open_, rest:] &= ~beaten
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
    """Turn the network's output into detections, one `Detections` an image.

    Per class: scores above the threshold, the best `candidates_per_class` of them, `nms`. Then the
    best `detections_per_image` of all classes. Boxes are cut at the image's border. The defaults
    are those of the paper (section 3.7) and of ``ssd_pascal.py``.

    Args:
        logits: ``[B, P, C]`` before softmax, background first.
        offsets: ``[B, P, 4]``.
        priors_cxcywh: ``[P, 4]``.

    Raises:
        ValueError: shapes that do not fit together.
    """
    batch, num_priors, _ = logits.shape
    if offsets.shape != (batch, num_priors, 4) or priors_cxcywh.shape != (num_priors, 4):
        raise ValueError(
            f"logits {list(logits.shape)} want offsets [{batch}, {num_priors}, 4] and priors"
            f" [{num_priors}, 4], not {list(offsets.shape)} and {list(priors_cxcywh.shape)}"
        )
    # Where the best class is far behind the background, no score can pass: p <= exp(lead). Most
    # priors drop out here, before the softmax.
    logits = logits.float()
    lead = logits[..., 1:].amax(dim=-1) - logits[..., 0]  # [B, P]
    likely = int((lead.exp() > score_threshold).sum(dim=1).max())
    prior = lead.topk(likely, dim=1).indices  # [B, K]
    image = torch.arange(batch, device=prior.device)[:, None]
    boxes = decode(offsets[image, prior].float(), priors_cxcywh[prior], variances).clamp(0, 1)
    scores = logits[image, prior].softmax(dim=-1)[..., 1:].mT  # [B, C - 1, K]

    passing = (scores > score_threshold).sum(dim=2)
    k = min(candidates_per_class, int(passing.max()))
    scores, place = scores.topk(k, dim=2)  # [B, C - 1, k], sorted
    candidates = boxes[image[..., None], place]  # [B, C - 1, k, 4]
    keep = nms(candidates, scores > score_threshold, iou_threshold)
    image, label, _ = keep.nonzero(as_tuple=True)
    found = Detections(candidates[keep], scores[keep], label + 1)
    best = found.scores.argsort(descending=True, stable=True)
    best = best[image[best].argsort(stable=True)]  # grouped by image, best first
    counts = torch.bincount(image, minlength=batch).tolist()
    return [
        Detections(*(x[:detections_per_image] for x in one))
        for one in zip(*(x[best].split(counts) for x in found), strict=True)
    ]
