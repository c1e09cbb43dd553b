"""Priors: the 8732 boxes from which SSD starts (chapters 6 and 7).

A prior (default box, anchor) is a box that exists before any picture is seen. Every cell of every
feature map carries a few, of different size and shape. Their order is part of a trained network:
map by map, row by row, column by column, box by box.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import cxcywh_to_xyxy, xyxy_to_cxcywh
from ssd_tutorial.presets import Preset
from ssd_tutorial.scales import compute_scales, extra_scale


class PriorAddress(NamedTuple):
    """The place of a prior; see `locate`."""

    map: int
    """Index of the feature map in ``preset.maps``, from 0."""
    row: int
    column: int
    box: int
    """Which of the cell's boxes, from 0."""


def cell_shapes(preset: Preset, k: int) -> Tensor:
    """Return widths and heights ``[n, 2]`` of the boxes of a cell of map `k` (from 0), unclipped.

    Small square, large square, then for each ratio r: w = s sqrt(r), h = s / sqrt(r), which has
    the small square's area (paper, section 2.2). ``preset.order`` says which comes first.
    """
    s = compute_scales(preset)
    ratios = preset.maps[k].ratios
    inverse = tuple(1 / r for r in ratios)
    if preset.order == "caffe":  # 2, 1/2, 3, 1/3
        ordered = [r for pair in zip(ratios, inverse, strict=True) for r in pair]
    else:  # 2, 3, 1/2, 1/3
        ordered = [*ratios, *inverse]
    large = extra_scale(s[k], s[k + 1])
    shapes = [(s[k], s[k]), (large, large)] + [(s[k] * r**0.5, s[k] / r**0.5) for r in ordered]
    return torch.tensor(shapes, dtype=torch.float32)


def cell_centres(preset: Preset, k: int) -> Tensor:
    """Return the centres ``[cells]`` of the cells of map `k` along one side.

    With ``preset.centres == "step"`` the last may lie outside the image: chapter 7 shows which.
    """
    feature_map = preset.maps[k]
    spacing = 1 / feature_map.cells
    if preset.centres == "step":
        spacing = feature_map.step_px / preset.image_size
    return (torch.arange(feature_map.cells, dtype=torch.float32) + 0.5) * spacing


def _kept(make: Callable[[Preset], Tensor]) -> Callable[[Preset], Tensor]:
    """Compute once per preset (and default device), and hand out copies: ten times as fast."""
    cached = cache(lambda preset, device: make(preset))
    # torch.get_default_device() of torch 2.4 does not see `with torch.device(...)`
    return wraps(make)(lambda preset: cached(preset, torch.empty(0).device).clone())


@_kept
def make_priors(preset: Preset) -> Tensor:
    """Return all priors of a preset, ``[P, 4]`` cxcywh, in fractions of the image.

    Source: ``prior_box_layer.cpp`` of Caffe; ``preset.clip`` adds what the ports do.
    """
    maps = []
    for k in range(len(preset.maps)):
        shapes, centres = cell_shapes(preset, k), cell_centres(preset, k)  # [n, 2], [c]
        c, n = len(centres), len(shapes)
        boxes = torch.empty(c, c, n, 4, dtype=torch.float32)  # rows, columns, boxes of a cell
        boxes[..., 0] = centres[:, None]  # x changes along the columns,
        boxes[..., 1] = centres[:, None, None]  # y along the rows
        boxes[..., 2:] = shapes
        maps.append(boxes.view(-1, 4))
    return _clip(torch.cat(maps), preset.clip)


def _clip(priors: Tensor, clip: str) -> Tensor:
    if clip == "wh":
        priors[:, 2:].clamp_(0, 1)
    if clip == "cxcywh":
        return priors.clamp(0, 1)
    if clip == "corners":
        return xyxy_to_cxcywh(cxcywh_to_xyxy(priors).clamp(0, 1))
    return priors


def boxes_per_cell(preset: Preset) -> list[int]:
    """Return the boxes per cell of each map: 4 6 6 6 4 4 for SSD300."""
    return [feature_map.boxes_per_cell for feature_map in preset.maps]


def priors_per_map(preset: Preset) -> list[int]:
    """Return the priors per map: 5776 2166 600 150 36 4 for SSD300."""
    return [fm.cells**2 * fm.boxes_per_cell for fm in preset.maps]


def num_priors(preset: Preset) -> int:
    """Return the number of priors P: 8732 for SSD300, 24 564 for SSD512."""
    return sum(priors_per_map(preset))


def locate(preset: Preset, index: int) -> PriorAddress:
    """Return the map, row, column and box of prior `index`, in the order of `make_priors`.

    Raises:
        IndexError: `index` is not in 0 .. P - 1.
    """
    if not 0 <= index < num_priors(preset):
        raise IndexError(f"prior {index} does not exist: there are {num_priors(preset)}, from 0")
    for k, (feature_map, count) in enumerate(zip(preset.maps, priors_per_map(preset), strict=True)):
        if index < count:
            cell, box = divmod(index, feature_map.boxes_per_cell)
            row, column = divmod(cell, feature_map.cells)
            return PriorAddress(k, row, column, box)
        index -= count
    raise AssertionError("unreachable: index was checked against the sum of the counts")
