"""What a second stage cuts out of a feature map: RoI pooling and RoIAlign (chapter 2).

Plain versions for one region, by the rules of Fast R-CNN's Caffe layer and of Mask R-CNN;
`torchvision.ops` has fast ones. Cell i of a map looks at the pixels from i to i + 1 strides.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ssd_tutorial.boxes import iou


def region_cells(region_px: Sequence[float], stride: int) -> list[int]:
    """Return the first column and row and the last column and row of a region, the last included.

    Args:
        region_px: xyxy in pixels, inside the picture.
        stride: pixels per cell.
    """
    left, top, right, bottom = (math.floor(at / stride + 0.5) for at in region_px)  # halves up
    return [left, top, max(left, right), max(top, bottom)]


def covered_px(cells: Sequence[int], stride: int) -> list[int]:
    """Return the pixels, xyxy, that the cells from first to last look at."""
    left, top, right, bottom = cells
    return [left * stride, top * stride, (right + 1) * stride, (bottom + 1) * stride]


def share_kept(region_px: Sequence[float], stride: int) -> float:
    """Return the IoU of a region with what its cells look at: 1 if rounding changed nothing."""
    pooled = covered_px(region_cells(region_px, stride), stride)
    a, b = (torch.tensor([box], dtype=torch.float64) for box in (region_px, pooled))
    return iou(a, b).item()


def bin_spans(first: int, last: int, bins: int) -> list[tuple[int, int]]:
    """Divide cells into bins: (start, end) of each, the end not included. Bins may share cells."""
    n = last - first + 1
    return [(first + i * n // bins, first - (-(i + 1) * n // bins)) for i in range(bins)]


def roi_pool(grid: Tensor, region_px: Sequence[float], stride: int, bins: int = 7) -> Tensor:
    """Return the largest value in each bin of a region, ``[C, bins, bins]``.

    Args:
        grid: a feature map, ``[C, H, W]``.
        region_px: xyxy in pixels, inside the picture.
        stride: pixels per cell.
        bins: along each side. A bin beyond the map is 0.
    """
    left, top, right, bottom = region_cells(region_px, stride)
    out = grid.new_zeros(len(grid), bins, bins)
    for row, (y0, y1) in enumerate(bin_spans(top, bottom, bins)):
        for column, (x0, x1) in enumerate(bin_spans(left, right, bins)):
            part = grid[:, y0:y1, x0:x1]
            if part.numel():
                out[:, row, column] = part.amax(dim=(1, 2))
    return out


def sample_points(start: float, end: float, bins: int, samples: int = 2) -> list[list[float]]:
    """Return for each bin along one side the points that RoIAlign looks at, in cells."""
    step = (end - start) / bins
    return [[start + (i + (k + 0.5) / samples) * step for k in range(samples)] for i in range(bins)]


def interpolate(grid: Tensor, y: float, x: float) -> Tensor:
    """Return the bilinear value ``[C]`` at a place; cell (i, j) has its centre at y = i, x = j.

    Up to one cell beyond the border the border's value goes on; farther out it is 0.
    """
    height, width = grid.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return grid.new_zeros(len(grid))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    below, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = (1 - across) * grid[:, top, left] + across * grid[:, top, right]
    lower = (1 - across) * grid[:, below, left] + across * grid[:, below, right]
    return (1 - down) * upper + down * lower


def roi_align(grid: Tensor, region_px: Sequence[float], stride: int, bins: int = 7) -> Tensor:
    """Return the mean of four interpolated values per bin, ``[C, bins, bins]``; nothing is rounded.

    The arguments are those of `roi_pool`. As `torchvision.ops.roi_align` with ``aligned=True`` and
    ``sampling_ratio=2``.
    """
    # in cells, from the centre of the first
    left, top, right, bottom = (at / stride - 0.5 for at in region_px)
    out = grid.new_zeros(len(grid), bins, bins)
    for row, ys in enumerate(sample_points(top, bottom, bins)):
        for column, xs in enumerate(sample_points(left, right, bins)):
            values = [interpolate(grid, y, x) for y in ys for x in xs]
            out[:, row, column] = torch.stack(values).mean(dim=0)
    return out
