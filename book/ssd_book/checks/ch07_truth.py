"""The right answers to chapter 7's exercises, and evidence against wrong ones."""

from functools import cache

import torch
from torch import Tensor

from ssd_book.checks.data import scene_boxes
from ssd_book.checks.reader import as_tensor, describe
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import (
    boxes_per_cell,
    cell_shapes,
    make_priors,
    num_priors,
    priors_per_map,
)

SCENES = 50  # exercises 7.5 and 7.6
MOST_PRIORS, LEAST_REACHED = 4400, 0.85  # exercise 7.6
CLAIMED_COUNTS = (8750, 8752, 7308, 8731)  # exercise 7.4: met in explanations of SSD300


def cells_of(preset_name: str) -> list[int]:
    """Return the cells along a side of each map."""
    return [m.cells for m in get_preset(preset_name).maps]


def num_boxes(per_cell: list[int], preset_name: str = "caffe300_voc") -> int:
    """Return the number of priors of a detector with this many boxes per cell."""
    return sum(n * c * c for n, c in zip(per_cell, cells_of(preset_name), strict=True))


def priors_of(layer: str, preset_name: str = "caffe300_voc") -> Tensor:
    """Return the priors of one map."""
    preset = get_preset(preset_name)
    k = [m.name for m in preset.maps].index(layer)
    return make_priors(preset).split(priors_per_map(preset))[k]


def centre_outside(priors: Tensor) -> Tensor:
    """Return ``[P]``: whether a centre lies beyond the right or the lower border."""
    return (priors[:, :2] > 1).any(dim=1)


def grid_cases() -> list[tuple[int, float, Tensor]]:
    """Return maps, small ones first, so that a failure can be read."""
    found = []
    for name in ("caffe300_voc", "caffe512_voc"):
        preset = get_preset(name)
        for k, m in enumerate(preset.maps):
            if m.cells in (2, 3, 4, 10):
                found.append((m.cells, m.step_px / preset.image_size, cell_shapes(preset, k)))
    return sorted(found, key=lambda case: case[0])


def grid_of(cells: int, spacing: float, shapes: Tensor) -> Tensor:
    """Return the priors of the map with this many cells, from `make_priors`."""
    for name in ("caffe300_voc", "caffe512_voc"):
        for m in get_preset(name).maps:
            if m.cells == cells:
                return priors_of(m.name, name)
    raise ValueError(f"no map has {cells} cells")


def columns_first(cells: int, spacing: float, shapes: Tensor) -> Tensor:
    """Return a wrong answer to 7.2: columns change slowest."""
    grid = grid_of(cells, spacing, shapes).reshape(cells, cells, -1, 4)
    return grid.transpose(0, 1).reshape(-1, 4)


def boxes_first(cells: int, spacing: float, shapes: Tensor) -> Tensor:
    """Return a wrong answer to 7.2: boxes change slowest."""
    grid = grid_of(cells, spacing, shapes).reshape(cells * cells, -1, 4)
    return grid.transpose(0, 1).reshape(-1, 4)


def no_half(cells: int, spacing: float, shapes: Tensor) -> Tensor:
    """Return a wrong answer to 7.2: centres are on the cells' corners."""
    return grid_of(cells, spacing, shapes) - torch.tensor([spacing / 2, spacing / 2, 0, 0])


def first_centre(function) -> str | None:
    """Return evidence that the first centre is not in the middle of its cell."""
    for cells, spacing, shapes in grid_cases():
        first = function(cells, spacing, shapes)[0, :2]
        if ((first - spacing / 2).abs() > 1e-5).any():
            return f"with spacing {describe(spacing)} your first centre is {describe(first)}"
    return None


def shapes_apart(function) -> str | None:
    """Return evidence that a cell's boxes are not contiguous."""
    for cells, spacing, shapes in grid_cases():
        given = function(cells, spacing, shapes)
        if len(given[: len(shapes), :2].unique(dim=0)) > 1:
            centres = describe(given[: len(shapes), :2])
            n = len(shapes)
            return f"with {n} boxes per cell your first {n} centres are {centres}"
    return None


def no_four_lists(answer) -> str | None:
    """Return evidence that an answer is not one list of boxes per cell for each count."""
    if not isinstance(answer, dict) or set(answer) != set(CLAIMED_COUNTS):
        return f"you give {describe(answer)}"
    for count, per_cell in answer.items():
        boxes = as_tensor(per_cell)
        if boxes.shape != (6,) or not set(boxes.tolist()) <= {3, 4, 5, 6}:
            return f"for {count} you give {describe(per_cell)}"
    return None


def other_sum(answer) -> str | None:
    """Return evidence that a list of boxes per cell makes another number of priors."""
    for count, per_cell in answer.items():
        if (total := num_boxes(as_tensor(per_cell).int().tolist())) != count:
            return f"for {count} you give {describe(per_cell)}, which makes {total} boxes"
    return None


def all_right_count(answer) -> bool:
    """Return whether every list gives the right count, 8732: a mistake in 7.4."""
    lists = [] if no_four_lists(answer) else [as_tensor(n).int().tolist() for n in answer.values()]
    right = num_priors(get_preset("caffe300_voc"))
    return bool(lists) and all(num_boxes(per_cell) == right for per_cell in lists)


def all_objects(matches: Tensor) -> Tensor:
    """Return ``[N]``, all true: a mistake in 7.5, which asks for those that had a match."""
    return torch.ones(len(matches), dtype=torch.bool)


@cache
def border_costs(counted=lambda matches: matches.any(dim=1)) -> list[float]:
    """Return what exercise 7.5 asks for: the shares of matches and of objects that are lost."""
    corners = cxcywh_to_xyxy(make_priors(get_preset("caffe300_voc")))
    inside = ((corners >= 0) & (corners <= 1)).all(dim=1)
    matches = iou(torch.cat(scene_boxes(SCENES)), corners) >= 0.5
    left = matches[:, inside]
    lost = 1 - left[counted(matches)].any(dim=1).float().mean()
    return [float(1 - left.sum() / matches.sum()), float(lost)]


def no_six_numbers(answer) -> str | None:
    """Return evidence that an answer is not a number of boxes for each map."""
    most = boxes_per_cell(get_preset("caffe300_voc"))
    kept = as_tensor(answer)
    right = kept.shape == (6,) and not (kept != kept.round()).any()
    right = right and all(0 <= n <= has for n, has in zip(kept.tolist(), most, strict=True))
    return None if right else f"you give {describe(answer)}"


def too_many_priors(answer) -> str | None:
    """Return evidence that a design keeps too many priors."""
    count = num_boxes(as_tensor(answer).int().tolist())
    return None if count <= MOST_PRIORS else f"yours leaves {count}"


@cache
def _best_by_box() -> list[Tensor]:
    """Return, for each map, the best IoU of each object with each box of a cell: ``[N, n]``."""
    preset = get_preset("caffe300_voc")
    overlap = iou(torch.cat(scene_boxes(SCENES)), cxcywh_to_xyxy(make_priors(preset)))
    parts = zip(overlap.split(priors_per_map(preset), 1), boxes_per_cell(preset), strict=True)
    return [part.view(len(part), -1, n).amax(dim=1) for part, n in parts]


def reached(kept: list[int]) -> float:
    """Return the share of the objects that the first boxes of each map reach."""
    best = torch.cat([b[:, :n] for b, n in zip(_best_by_box(), kept, strict=True)], dim=1)
    return float((best >= 0.5).any(dim=1).float().mean())


def too_few_reached(answer) -> str | None:
    """Return evidence that a design leaves too many objects without a prior."""
    share = reached(as_tensor(answer).int().tolist())
    return None if share >= LEAST_REACHED else f"yours reaches {share:.0%}"


def squares_everywhere(answer) -> bool:
    """Return whether a design keeps squares alone, on every map: a mistake in 7.6."""
    return not no_six_numbers(answer) and max(as_tensor(answer).tolist()) <= 2


def without_the_first(answer) -> bool:
    """Return whether a design leaves conv4_3 out: a mistake in 7.6."""
    return not no_six_numbers(answer) and as_tensor(answer).tolist()[0] == 0
