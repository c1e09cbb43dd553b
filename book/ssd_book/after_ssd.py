"""Ideas that came after SSD, each reduced to what chapter 19 computes with it.

Boxes are xyxy and fractions of the picture, as in the package. Nothing here is trained, except a
linear classifier in closed form.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import generalized_box_iou

from ssd_book.receptive import View, field_box
from ssd_tutorial.boxes import area, iou, xyxy_to_cxcywh
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import Preset
from ssd_tutorial.priors import cell_centres, make_priors, priors_per_map

_FOLDS = 4


def maps_and_predictions(network: SSD, images: Tensor) -> list[Tensor]:
    """Return the feature maps of a batch, and after them logits and offsets, by one pass."""
    maps = network.feature_maps(images)
    logits = network._predict(maps, network.class_heads, network.num_classes)
    return [*maps, logits, network._predict(maps, network.offset_heads, 4)]


# --- FPN ------------------------------------------------------------------------------------------
def top_down_field(views: Sequence[View], row: int, column: int) -> list[float]:
    """Return what a cell of the first map depends on once the others were added to it.

    Each map is enlarged to the first one's cells by repeating its own, and added: the cell sees
    what any of the cells that arrive at it sees. xyxy in pixels, not cut at the border.
    """
    finest, boxes = views[0], []
    for view in views:
        at = (place * view.cells // finest.cells for place in (row, column))
        boxes.append(field_box(view, *at))
    lows, highs = zip(*((box[:2], box[2:]) for box in boxes), strict=True)
    return [*map(min, zip(*lows, strict=True)), *map(max, zip(*highs, strict=True))]


def enlarged(maps: Sequence[Tensor]) -> Tensor:
    """Return maps ``[B, C_k, n_k, n_k]`` beside one another, all with the cells of the first."""
    cells = maps[0].shape[-2:]
    return torch.cat([F.interpolate(x, size=cells) for x in maps], dim=1)


def read_names(
    features: Tensor, boxes: Sequence[Tensor], labels: Sequence[Tensor], num_classes: int
) -> list[Tensor]:
    """Return for each object whether a linear classifier names it right, from one cell.

    The classifier (least squares, one output per class) learns from the cells inside the objects of
    three quarters of the scenes, and is asked at the middle cells of the rest; four times, so that
    every object is asked for once, and never in a scene that was learned.

    Args:
        features: ``[B, C, n, n]``.
        boxes: ``[G, 4]`` of each scene.
        labels: ``[G]`` of each scene, from 1.
        num_classes: with the background, which takes no part.
    """
    x = features.permute(0, 2, 3, 1).double()
    x = (x - x.mean(dim=(0, 1, 2))) / (x.std(dim=(0, 1, 2)) + 1e-6)
    x = torch.cat([x, torch.ones_like(x[..., :1])], dim=3)
    owner = torch.stack([_painted(*one, x.shape[1]) for one in zip(boxes, labels, strict=True)])
    fold = torch.arange(len(x)) % _FOLDS
    sums = []
    for f in range(_FOLDS):
        cells = (fold == f)[:, None, None] & (owner > 0)
        wanted = F.one_hot(owner[cells] - 1, num_classes - 1).double()
        sums.append((x[cells].T @ x[cells], x[cells].T @ wanted))
    squares, products = (sum(parts) for parts in zip(*sums, strict=True))
    ridge = torch.eye(len(squares), dtype=x.dtype)
    weights = [torch.linalg.solve(squares - s + ridge, products - p) for s, p in sums]
    right = []
    for b, (some, names) in enumerate(zip(boxes, labels, strict=True)):
        column, row = (xyxy_to_cxcywh(some)[:, :2] * x.shape[1]).long().clamp(max=37).unbind(1)
        right.append((x[b, row, column] @ weights[b % _FOLDS]).argmax(dim=1) + 1 == names)
    return right


def _painted(boxes: Tensor, labels: Tensor, cells: int) -> Tensor:
    """Return the label of the object at each cell's centre, the smallest one; 0 for none."""
    at = (torch.arange(cells) + 0.5) / cells
    owner = torch.zeros(cells, cells, dtype=torch.int64)
    for g in area(boxes).argsort(descending=True).tolist():
        x0, y0, x1, y1 = boxes[g].tolist()
        owner[((at > y0) & (at < y1))[:, None] & (at > x0) & (at < x1)] = labels[g]
    return owner


# --- FCOS -----------------------------------------------------------------------------------------
class Points(NamedTuple):
    """The centres of the cells of all feature maps."""

    at: Tensor
    """``[N, 2]``: x and y, in fractions of the picture."""
    map: Tensor
    """``[N]``: the index of the map, from 0."""


def make_points(preset: Preset) -> Points:
    """Return one point per cell, in the order of the priors: map by map, row by row."""
    places = []
    for k in range(len(preset.maps)):
        y, x = torch.meshgrid(*[cell_centres(preset, k)] * 2, indexing="ij")
        places.append(torch.stack([x, y], dim=-1).flatten(0, 1))
    maps = [torch.full((len(some),), k) for k, some in enumerate(places)]
    return Points(torch.cat(places), torch.cat(maps))


def distances(points: Tensor, boxes: Tensor) -> Tensor:
    """Return how far each point is from the left, top, right and bottom edge of each box.

    ``[N, 2]`` and ``[G, 4]`` give ``[N, G, 4]``; outside a box at least one of them is negative.
    """
    low, high = points[:, None] - boxes[:, :2], boxes[:, 2:] - points[:, None]
    return torch.cat([low, high], dim=2)


def candidates(points: Points, boxes: Tensor, limits: Sequence[float] | None = None) -> Tensor:
    """Return whether each point may be responsible for each box, ``[N, G]``.

    It may if it lies inside. With `limits`, the point's map must have the box's size as well: the
    largest of the four distances is above ``limits[k]`` and at most ``limits[k + 1]``.
    """
    far = distances(points.at, boxes)
    fits = far.amin(dim=2) > 0
    if limits is None:
        return fits
    edges, largest = torch.as_tensor(limits), far.amax(dim=2)
    low, high = edges[points.map, None], edges[points.map + 1, None]
    return fits & (largest > low) & (largest <= high)


def assign_points(points: Points, boxes: Tensor, limits: Sequence[float]) -> Tensor:
    """Return the index of each point's object, -1 for background: of several, the smallest."""
    fits = candidates(points, boxes, limits)
    size = area(boxes).expand_as(fits).masked_fill(~fits, torch.inf)
    return size.argmin(dim=1).where(fits.any(dim=1), -1)


def centreness(points: Tensor, boxes: Tensor) -> Tensor:
    """Return how central each point lies in its box: 1 in the middle, 0 at an edge.

    ``[N, 2]`` and ``[N, 4]`` give ``[N]``.
    """
    left, top, right, bottom = torch.cat([points - boxes[:, :2], boxes[:, 2:] - points], 1).T
    across = torch.minimum(left, right) / torch.maximum(left, right)
    down = torch.minimum(top, bottom) / torch.maximum(top, bottom)
    return (across * down).clamp(min=0).sqrt()


# --- DETR -----------------------------------------------------------------------------------------
def set_cost(scores: Tensor, boxes: Tensor, truths: Tensor, labels: Tensor) -> Tensor:
    """Return what it costs to hold each prediction responsible for each object, ``[G, N]``.

    DETR's terms and weights: the probability of the object's class, counted negatively, 5 times the
    L1 distance of the boxes as cxcywh, and 2 times their generalized IoU, counted negatively.

    Args:
        scores: ``[N, C]``, after softmax.
        boxes: ``[N, 4]``.
        truths: ``[G, 4]``.
        labels: ``[G]``.
    """
    apart = torch.cdist(xyxy_to_cxcywh(truths), xyxy_to_cxcywh(boxes), p=1)
    return 5 * apart - scores[:, labels].T - 2 * generalized_box_iou(truths, boxes)


def match_set(cost: Tensor) -> list[int]:
    """Return for each row a column of its own, such that the sum of the costs is the least.

    ``[G, N]`` with G <= N; exact. Columns are taken one by one, and of every set of rows that they
    can serve the cheapest way is kept: 2^G sets, so G is at most a dozen.
    """
    rows, columns = cost.shape
    table = cost.tolist()
    best = {0: (0.0, ())}  # by the set of rows, as bits: the cost, and (row, column) of each
    for c in range(columns):
        grown = dict(best)
        for served, (total, pairs) in best.items():
            for r in range(rows):
                more = served | 1 << r
                price = total + table[r][c]
                if more != served and price < grown.get(more, (torch.inf,))[0]:
                    grown[more] = (price, (*pairs, (r, c)))
        best = grown
    return [column for _, column in sorted(best[(1 << rows) - 1][1])]


# --- YOLO -----------------------------------------------------------------------------------------
def shape_iou(a: Tensor, b: Tensor) -> Tensor:
    """Return the IoUs ``[N, M]`` of shapes (width, height) ``[N, 2]``, ``[M, 2]`` on one centre."""
    shared = torch.minimum(a[:, None], b).prod(dim=2)
    return shared / (a.prod(dim=1)[:, None] + b.prod(dim=1) - shared)


def cluster_shapes(shapes: Tensor, k: int, rounds: int = 50) -> Tensor:
    """Return k shapes ``[k, 2]`` that represent all: k-means whose distance is 1 - IoU.

    It starts from k shapes that are spread evenly over the areas, so it has no random numbers.
    """
    order = shapes.prod(dim=1).argsort()
    middle = ((torch.arange(k) + 0.5) / k * len(shapes)).long()
    means = shapes[order[middle]]
    for _ in range(rounds):
        nearest = shape_iou(shapes, means).argmax(dim=1)
        means = torch.stack([shapes[nearest == i].mean(dim=0) for i in range(k)])
    return means


def near_middle(preset: Preset, truths: Tensor) -> Tensor:
    """Return whether each prior's centre lies in a box and near its middle, ``[G, P]``.

    Near: at most 2.5 cells away, across and down.
    """
    steps = torch.tensor([fm.step_px / preset.image_size for fm in preset.maps])
    step = steps.repeat_interleave(torch.tensor(priors_per_map(preset)))
    centres = make_priors(preset)[:, :2]
    apart = (centres - xyxy_to_cxcywh(truths)[:, None, :2]).abs().amax(dim=2)
    inside = distances(centres, truths).amin(dim=2).T > 0
    return inside & (apart < 2.5 * step)


class Dynamic(NamedTuple):
    """Who is responsible for what, decided by the predictions."""

    wanted: Tensor
    """``[G]``: how many predictions each object asks for."""
    ground_truth: Tensor
    """``[N]``: the index of each prediction's object, -1 for background."""


def match_dynamically(
    scores: Tensor, boxes: Tensor, near: Tensor, truths: Tensor, labels: Tensor
) -> Dynamic:
    """Match as YOLOX's SimOTA: an object gets as many predictions as overlap it well.

    How many: the sum of its ten best IoUs, rounded down, at least 1. Which: those that cost least,
    cross-entropy plus three times -log IoU, among those that are near. One that two objects want
    goes to the cheaper.

    Args:
        scores: ``[N, C]``, after softmax.
        boxes: ``[N, 4]``, predicted.
        near: ``[G, N]``, which predictions an object may take.
        truths: ``[G, 4]``.
        labels: ``[G]``.
    """
    overlap = iou(truths, boxes)
    cost = -scores[:, labels].T.clamp(min=1e-9).log() - 3 * overlap.clamp(min=1e-9).log()
    cost = cost.masked_fill(~near, torch.inf)
    ten = overlap.masked_fill(~near, 0).topk(10, dim=1).values
    wanted = ten.sum(dim=1).int().clamp(min=1)
    taken = torch.full_like(cost, torch.inf)
    for g, count in enumerate(wanted.tolist()):
        least = cost[g].topk(count, largest=False).indices
        taken[g, least] = cost[g, least]
    free = taken.amin(dim=0).isinf()
    return Dynamic(wanted, taken.argmin(dim=0).where(~free, -1))
