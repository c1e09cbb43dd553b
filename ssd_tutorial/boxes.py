"""Boxes: two formats, area, IoU, and the offsets that a network learns (chapter 4).

``xyxy`` is (xmin, ymin, xmax, ymax); ``cxcywh`` is (centre x, centre y, width, height). Both are
``[..., 4]`` tensors. Nothing here depends on the unit, as long as both boxes share it; the rest of
the package uses fractions of the image.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ssd_tutorial.presets import VARIANCES


def cxcywh_to_xyxy(boxes: Tensor) -> Tensor:
    """Convert ``[..., 4]`` cxcywh to ``[..., 4]`` xyxy."""
    centre, size = boxes[..., :2], boxes[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], dim=-1)


def xyxy_to_cxcywh(boxes: Tensor) -> Tensor:
    """Convert ``[..., 4]`` xyxy to ``[..., 4]`` cxcywh."""
    low, high = boxes[..., :2], boxes[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def area(boxes_xyxy: Tensor) -> Tensor:
    """Return areas ``[...]`` of ``[..., 4]`` xyxy boxes; 0 for an inverted box (xmax < xmin)."""
    x_min, y_min, x_max, y_max = boxes_xyxy.unbind(-1)
    return (x_max - x_min).clamp(min=0) * (y_max - y_min).clamp(min=0)


def intersection(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Return the area that each box of `a_xyxy` shares with each of `b_xyxy`; shapes as `iou`'s."""
    # One contiguous [..., N, M] plane per coordinate, updated in place: 6x faster than the usual
    # stacked corners, because memory is the bottleneck of a batch of 32 x 10 x 8732 pairs.
    ax0, ay0, ax1, ay1 = a_xyxy.unsqueeze(-2).unbind(-1)  # [..., N, 1]
    bx0, by0, bx1, by1 = b_xyxy.mT.contiguous().unsqueeze(-2).unbind(-3)  # [..., 1, M]
    width = torch.minimum(ax1, bx1).sub_(torch.maximum(ax0, bx0)).clamp_(min=0)
    height = torch.minimum(ay1, by1).sub_(torch.maximum(ay0, by0)).clamp_(min=0)
    return width.mul_(height)


def iou(a_xyxy: Tensor, b_xyxy: Tensor) -> Tensor:
    """Return the intersection over union of each box of `a_xyxy` with each of `b_xyxy`.

    ``[..., N, 4]`` and ``[..., M, 4]`` give ``[..., N, M]``; leading dimensions broadcast. Two
    boxes without area have IoU 0. Paper, section 2.2, where it is called the jaccard overlap.
    """
    a, b = _with_room(a_xyxy, b_xyxy)
    shared = intersection(a, b)
    # clamp: so that the union is never 0
    both = area(a).clamp(min=torch.finfo(a.dtype).tiny).unsqueeze(-1) + area(b).unsqueeze(-2)
    overlap = shared.div_(both.sub_(shared))
    dtype = torch.promote_types(a_xyxy.dtype, b_xyxy.dtype)
    return overlap.to(dtype) if dtype.is_floating_point else overlap


def _with_room(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Convert boxes to float32 or, where it has no room for their areas, to float64.

    float16 ends at 65504, the area of 256 x 256 pixels; float32 at 1e38, and below 1e-38 is 0.
    """
    if a.dtype != torch.float64 and a.numel():
        a = a.float()
        sides = a[..., 2:] - a[..., :2]
        least, most = (x.item() for x in sides.where(sides > 0, 1.0).aminmax())
        if least < 1e-15 or most > 1e15:
            a = a.double()
    return a, b.to(a.dtype) if b.dtype != torch.float64 else b


def box_problem(box_xyxy: Sequence[float]) -> str:
    """Return the rule that four corners xyxy break, or "" for a possible box.

    Which numbers lie inside a picture depends on the unit, so the caller asks that.
    """
    x_min, y_min, x_max, y_max = box_xyxy
    if not all(map(math.isfinite, box_xyxy)):
        return "every coordinate must be a finite number"
    if x_max <= x_min:
        return "xmax must be above xmin"
    return "ymax must be above ymin" if y_max <= y_min else ""


def encode(boxes_xyxy: Tensor, priors_cxcywh: Tensor, variances=VARIANCES) -> Tensor:
    """Return the offsets ``[..., 4]`` from each prior to its box: what the network must predict.

    Centres shift in units of the prior's size, sizes change by a logarithm, and both are divided
    by the variances (paper, equation 2; the variances are Caffe's, ``bbox_util.cpp``).
    """
    box, prior = xyxy_to_cxcywh(boxes_xyxy), priors_cxcywh
    shift = (box[..., :2] - prior[..., :2]) / prior[..., 2:]
    growth = torch.log(box[..., 2:] / prior[..., 2:])
    return torch.cat([shift, growth], dim=-1) / boxes_xyxy.new_tensor(variances)


def decode(offsets: Tensor, priors_cxcywh: Tensor, variances=VARIANCES) -> Tensor:
    """Return the xyxy boxes ``[..., 4]`` to which `offsets` move the priors; inverts `encode`."""
    offsets = offsets * offsets.new_tensor(variances)
    centre = priors_cxcywh[..., :2] + offsets[..., :2] * priors_cxcywh[..., 2:]
    size = priors_cxcywh[..., 2:] * torch.exp(offsets[..., 2:])
    return cxcywh_to_xyxy(torch.cat([centre, size], dim=-1))
