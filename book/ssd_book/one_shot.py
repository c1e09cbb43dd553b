"""How often objects share a cell of a grid, and what rounding takes from regions (chapter 2).

`tools/voc_cells.py` counts the objects of VOC 2007 by these functions, from a list of boxes, and
records what it finds in ``data/runs/voc2007_cells``, where the chapter reads it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import iou


def cell_of(boxes: Tensor, cells: int) -> Tensor:
    """Return for each box, xyxy in fractions, the cell that its centre is in, row by row."""
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    column, row = (centres * cells).long().clamp(0, cells - 1).unbind(dim=1)
    return row * cells + column


class Shared(NamedTuple):
    """What happens to the objects of a picture, or of many, on a grid."""

    objects: int
    sharing: int
    """Objects whose cell has the centre of another object."""
    other_class: int
    """Of these, those whose cell has an object of another class."""
    left_out: int
    """Objects that remain without a cell if each cell takes one."""


def shared(boxes: Tensor, labels: Tensor, cells: int) -> Shared:
    """Count on a grid of `cells` by `cells` the objects of one picture: ``[G, 4]``, ``[G]``."""
    at = cell_of(boxes, cells)
    same = at[:, None] == at
    other = same & (labels[:, None] != labels)
    return Shared(
        len(at),
        int((same.sum(dim=1) > 1).sum()),
        int(other.any(dim=1).sum()),
        len(at) - len(at.unique()),
    )


def total(counts: Sequence[Shared]) -> Shared:
    """Add the counts of several pictures."""
    return Shared(*map(sum, zip(*counts, strict=True)))


def kept_by_rounding(regions_px: Tensor, stride: int) -> Tensor:
    """Return `ssd_book.roi.share_kept` of many regions at once: ``[N, 4]`` to ``[N]``."""
    first, last = (regions_px / stride + 0.5).floor().split(2, dim=1)
    pooled = torch.cat([first, torch.maximum(first, last) + 1], dim=1) * stride
    pairs = zip(regions_px.split(256), pooled.split(256), strict=True)
    return torch.cat([iou(a, b).diagonal() for a, b in pairs])
