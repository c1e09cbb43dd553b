"""The right answers to chapter 2's exercises, and evidence against wrong ones."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torchvision import ops

from ssd_book import one_shot, roi
from ssd_book.checks.reader import describe

# Exercise 2.1: a region in cells

REGION_PX, STRIDE = (70, 44, 215, 150), 16


def cells_and_count(stride: int = STRIDE) -> list[int]:
    """Return first column and row, last column and row, and how many cells these are."""
    left, top, right, bottom = roi.region_cells(REGION_PX, stride)
    return [left, top, right, bottom, (right - left + 1) * (bottom - top + 1)]


def rounded_down() -> list[int]:
    """Return a wrong answer to 2.1: every edge is rounded down."""
    left, top, right, bottom = (at // STRIDE for at in REGION_PX)
    return [left, top, right, bottom, (right - left + 1) * (bottom - top + 1)]


def without_the_last() -> list[int]:
    """Return a wrong answer to 2.1: the last column and row are not counted."""
    left, top, right, bottom, _ = cells_and_count()
    return [left, top, right, bottom, (right - left) * (bottom - top)]


def rows_first() -> list[int]:
    """Return a wrong answer to 2.1: rows come before columns."""
    left, top, right, bottom, count = cells_and_count()
    return [top, left, bottom, right, count]


# Exercise 2.2: RoIAlign with one point per bin


@cache
def align_cases() -> list[tuple[Tensor, list[float], int, int]]:
    """Return maps ``[C, H, W]``, regions well inside them, strides and numbers of bins."""
    random = torch.Generator().manual_seed(22)
    ramp = torch.arange(6.0).expand(1, 6, 6)  # the value is the number of the column
    tall = torch.rand(2, 14, 10, generator=random)
    return [
        (ramp, [32.0, 32.0, 64.0, 48.0], 16, 2),
        (tall, [50.0, 60.0, 117.0, 180.0], 16, 3),
        (torch.rand(3, 9, 7, generator=random), [70.5, 64.0, 150.0, 222.0], 32, 7),
    ]


def aligned(
    grid: Tensor, region: list[float], stride: int, bins: int, half_cell: bool = True
) -> Tensor:
    """Return torchvision's, with one point per bin."""
    boxes = [torch.tensor([region], dtype=grid.dtype)]
    return ops.roi_align(grid[None], boxes, bins, 1 / stride, 1, half_cell)[0]


def without_the_half_cell(grid: Tensor, region: list[float], stride: int, bins: int) -> Tensor:
    """Return a wrong answer to 2.2: cell i is taken to have its centre at i strides."""
    return aligned(grid, region, stride, bins, half_cell=False)


def _by_points(grid: Tensor, region, stride: int, bins: int, at: float, rounds: bool) -> Tensor:
    left, top, right, bottom = (edge / stride for edge in region)
    if rounds:
        left, top, right, bottom = map(round, (left, top, right, bottom))
    out = grid.new_zeros(len(grid), bins, bins)
    for i in range(bins):
        for j in range(bins):
            y = top + (i + at) * (bottom - top) / bins - 0.5
            x = left + (j + at) * (right - left) / bins - 0.5
            out[:, i, j] = roi.interpolate(grid, y, x)
    return out


def at_the_corner(grid: Tensor, region: list[float], stride: int, bins: int) -> Tensor:
    """Return a wrong answer to 2.2: the point is the upper left corner of the bin."""
    return _by_points(grid, region, stride, bins, 0.0, rounds=False)


def rounded_first(grid: Tensor, region: list[float], stride: int, bins: int) -> Tensor:
    """Return a wrong answer to 2.2: the region is rounded to whole cells first."""
    return _by_points(grid, region, stride, bins, 0.5, rounds=True)


def turned(grid: Tensor, region: list[float], stride: int, bins: int) -> Tensor:
    """Return a wrong answer to 2.2: rows and columns are exchanged."""
    return aligned(grid, region, stride, bins).transpose(1, 2)


# Exercise 2.3: who gets the cell


@cache
def grid_cases() -> list[tuple[Tensor, Tensor, int]]:
    """Return boxes ``[G, 4]`` xyxy in fractions, labels ``[G]`` and cells; small cases first."""
    two = torch.tensor([[0.1, 0.5, 0.5, 0.9], [0.2, 0.6, 0.44, 0.84]])
    random = torch.Generator().manual_seed(23)
    cases = [(two[:1], torch.tensor([7]), 3), (two, torch.tensor([7, 2]), 3)]
    for count, cells in ((8, 4), (30, 7)):
        corner, side = torch.rand(2, count, 2, generator=random)
        boxes = torch.cat([corner * 0.6, corner * 0.6 + 0.05 + side * 0.34], dim=1)
        cases.append((boxes, torch.randint(0, 20, (count,), generator=random), cells))
    return cases


def owners(boxes: Tensor, labels: Tensor, cells: int, last: bool = False) -> Tensor:
    """Return the label that each cell learns, ``[cells, cells]``, -1 for none; the first wins."""
    out = torch.full((cells * cells,), -1)
    for at, label in zip(one_shot.cell_of(boxes, cells).tolist(), labels.tolist(), strict=True):
        if last or out[at] < 0:
            out[at] = label
    return out.view(cells, cells)


def last_wins(boxes: Tensor, labels: Tensor, cells: int) -> Tensor:
    """Return a wrong answer to 2.3: a later object replaces an earlier one."""
    return owners(boxes, labels, cells, last=True)


def columns_first(boxes: Tensor, labels: Tensor, cells: int) -> Tensor:
    """Return a wrong answer to 2.3: x chooses the row."""
    return owners(boxes, labels, cells).T


def by_corner(boxes: Tensor, labels: Tensor, cells: int) -> Tensor:
    """Return a wrong answer to 2.3: the upper left corner chooses the cell."""
    return owners(torch.cat([boxes[:, :2], boxes[:, :2]], dim=1), labels, cells)


# Exercise 2.4: waiting for a batch

CAMERA, BATCH, ALONE_FPS, BATCH_FPS = 30, 8, 46, 59


def waits(frames: int = BATCH - 1, work_ms: float = BATCH * 1000 / BATCH_FPS) -> list[float]:
    """Return how long a picture takes alone, and as the first of a batch, in milliseconds."""
    return [1000 / ALONE_FPS, frames * 1000 / CAMERA + work_ms]


# Exercise 2.5: a grid for a crowd (a design)

CLASSES, NUMBERS, LOST = 12, 10_000, 0.005
NAMES = ("cells", "boxes", "own_classes", "numbers")


@cache
def crowds() -> list[tuple[Tensor, Tensor]]:
    """Return the boxes and labels of 200 pictures with 20 objects each."""
    random = torch.Generator().manual_seed(25)
    found = []
    for _ in range(200):
        centres, sides = torch.rand(2, 20, 2, generator=random)
        half = 0.02 + 0.08 * sides
        centres = half + centres * (1 - 2 * half)
        labels = torch.randint(0, CLASSES, (20,), generator=random)
        found.append((torch.cat([centres - half, centres + half], dim=1), labels))
    return found


def lost(cells: int, boxes: int, own_classes: bool) -> float:
    """Return the share of the crowds' objects for which their cell has no place.

    With classes of their own, the boxes of a cell hold any objects, otherwise those of one class.
    """
    out = total = 0
    for xyxy, labels in crowds():
        at = one_shot.cell_of(xyxy, cells)
        for cell in at.unique().tolist():
            inside = labels[at == cell]
            fit = len(inside) if own_classes else int(inside.bincount().max())
            out += len(inside) - min(fit, boxes)
        total += len(labels)
    return out / total


def not_a_design(answer) -> str | None:
    """Return evidence that the answer is not a dictionary with the four entries."""
    if not isinstance(answer, dict) or set(answer) != set(NAMES):
        return f"you give {describe(answer)}"
    for name in ("cells", "boxes", "numbers"):
        if type(answer[name]) is not int or answer[name] < 1:
            return f"{name} is {answer[name]!r}"
    if not isinstance(answer["own_classes"], bool):
        return f"own_classes is {answer['own_classes']!r}"
    if answer["cells"] > 100 or answer["boxes"] > 100:
        return "more than 100 cells along a side, or 100 boxes per cell"
    return None


def numbers_of(answer: dict) -> int:
    """Return how many numbers a head of this design puts out."""
    per_cell = 5 * answer["boxes"] + CLASSES * (answer["boxes"] if answer["own_classes"] else 1)
    return answer["cells"] ** 2 * per_cell


def loses_too_many(answer: dict) -> str | None:
    """Return evidence that too many objects remain without a place."""
    share = lost(answer["cells"], answer["boxes"], answer["own_classes"])
    return None if share <= LOST else f"{share:.1%} of the objects have no place"


def miscounts(answer: dict) -> str | None:
    """Return evidence that the count of numbers is not that of the design."""
    return None if answer["numbers"] == numbers_of(answer) else f"you give {answer['numbers']}"


def costs_too_much(answer: dict) -> str | None:
    """Return evidence that the output is too large."""
    count = numbers_of(answer)
    return None if count <= NUMBERS else f"yours has {count} numbers"


def counts_as_if(own_classes: bool) -> Callable[[dict], bool]:
    """Recognise a count for the other way to place the classes."""

    def seen(answer) -> bool:
        if not_a_design(answer) or answer["own_classes"] == own_classes:
            return False
        other = numbers_of({**answer, "own_classes": own_classes})
        return answer["numbers"] == other != numbers_of(answer)

    return seen


def is_yolo(answer) -> bool:
    """Recognise YOLO's own grid."""
    return not not_a_design(answer) and (answer["cells"], answer["own_classes"]) == (7, False)
