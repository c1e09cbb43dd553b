"""Every exercise recognises the mistakes that its hints describe, planted as readers make them.

A planted mistake is an answer and words from the hint that it must get first. Every `Mistake` of
every exercise must be met by one of them.
"""

import math
from functools import cache, partial

import numpy as np
import pytest
import torch
from ssd_book.after_ssd import match_set
from ssd_book.checks import all_exercises, ch07_truth, ch17_truth, ch18_truth, examine, find
from ssd_book.disagreements import shape_first
from ssd_book.roi import interpolate

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.datasets.scenes import Scenes
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets

PRIORS = make_priors(get_preset("caffe300_voc"))


class Later:
    """A wrong answer that takes a while to compute."""

    def __init__(self, make):
        self.make = make


# Chapter 1


@cache
def detected_in_the_tour():
    image, _ = open_dataset("scenes", "val")[54]
    (found,) = detect(load_detector("scenes"), image, score_threshold=0.01)
    return found


# Chapter 2


def aligned(grid, region, stride, bins, half=0.5, middle=0.5, whole=False):
    left, top, right, bottom = (edge / stride for edge in region)
    if whole:
        left, top, right, bottom = map(round, (left, top, right, bottom))
    out = torch.zeros(len(grid), bins, bins)
    for i in range(bins):
        for j in range(bins):
            y = top + (i + middle) * (bottom - top) / bins - half
            x = left + (j + middle) * (right - left) / bins - half
            out[:, i, j] = interpolate(grid, y, x)
    return out


def owners(boxes, labels, cells, keep=True, centre=True, by=torch.floor):
    out = torch.full((cells, cells), -1)
    at = (boxes[:, :2] + boxes[:, 2:]) / 2 if centre else boxes[:, :2]
    for (x, y), label in zip(by(at * cells).long().tolist(), labels, strict=True):
        if not keep or out[min(y, cells - 1), min(x, cells - 1)] < 0:
            out[min(y, cells - 1), min(x, cells - 1)] = label
    return out


def grid_design(cells, boxes, own_classes, numbers):
    return {"cells": cells, "boxes": boxes, "own_classes": own_classes, "numbers": numbers}


# Chapter 3


def l2norm(x, weight, eps=1e-10, place="inside", dims=1):
    squared = x.square().sum(dim=dims, keepdim=True)
    length = (squared + eps).sqrt() if place == "inside" else squared.sqrt() + eps
    return x / length * weight[:, None, None]


def cut(output, width, *order):
    moved = output.permute(*order) if order else output
    return moved.reshape(len(output), -1, width)


def shuffled(output, width, k_first, *order):
    shape = (-1, width) if k_first else (width, -1)
    return output.unflatten(1, shape).permute(*order).reshape(len(output), -1, width)


def table(maps, class_heads, offset_heads, num_classes, order=(0, 2, 3, 1), offsets_first=False):
    found = []
    for x, scores, moves in zip(maps, class_heads, offset_heads, strict=True):
        parts = [cut(scores(x), num_classes, *order), cut(moves(x), 4, *order)]
        found.append(torch.cat(parts[::-1] if offsets_first else parts, dim=2))
    return torch.cat(found, dim=1)


def backwards(maps, class_heads, offset_heads, num_classes):
    return table(maps[::-1], class_heads[::-1], offset_heads[::-1], num_classes)


def design(layer, boxes, priors, parameters):
    return {"layer": layer, "boxes": boxes, "priors": priors, "parameters": parameters}


# Chapter 4


def iou_without_clamp(a, b):
    low = torch.maximum(a[:, None, :2], b[:, :2])
    high = torch.minimum(a[:, None, 2:], b[:, 2:])
    overlap = (high - low).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b))
    return overlap / (area_a[:, None] + area_b - overlap)


def iou_without_subtraction(a, b):
    low = torch.maximum(a[:, None, :2], b[:, :2])
    high = torch.minimum(a[:, None, 2:], b[:, 2:])
    overlap = (high - low).clamp(min=0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2]).prod(-1) for x in (a, b))
    return overlap / (area_a[:, None] + area_b)


def iou_of_inclusive_pixels(a, b):
    low = torch.maximum(a[:, None, :2], b[:, :2])
    high = torch.minimum(a[:, None, 2:], b[:, 2:])
    overlap = (high - low + 1).clamp(min=0).prod(-1)
    area_a, area_b = ((x[:, 2:] - x[:, :2] + 1).prod(-1) for x in (a, b))
    return overlap / (area_a[:, None] + area_b - overlap)


def offsets(box, prior, unit=None, log=torch.log, variances=(0.1, 0.1, 0.2, 0.2)):
    unit = prior if unit is None else unit
    shift, growth = (box[:2] - prior[:2]) / unit[2:], log(box[2:] / prior[2:])
    return torch.cat([shift, growth]) / torch.tensor(variances)


# Chapter 5


def caffe_sizes(image_size, first, low, high, maps, gaps=2, whole=True, unit=None):
    step = (high - low) // (maps - gaps) if whole else (high - low) / (maps - gaps)
    percents = [first] + [low + step * k for k in range(maps - 1)]
    return [(image_size if unit is None else unit) * percent / 100 for percent in percents]


# Chapter 6


def shapes(s, s_next, ratios, root=math.sqrt, large=None):
    large = math.sqrt(s * s_next) if large is None else large
    found = [(s, s), (large, large)]
    for r in ratios:
        found += [(s * root(r), s / root(r)), (s / root(r), s * root(r))]
    return torch.tensor(found)


def shapes_of_another_port(s, s_next, ratios):
    rows = shapes(s, s_next, ratios)
    return torch.cat([rows[:2], rows[2::2], rows[3::2]])


# Chapter 7


def grid(cells, spacing, shapes, half=0.5, indexing="ij"):
    at = (torch.arange(cells) + half) * spacing
    cy, cx = torch.meshgrid(at, at, indexing=indexing)
    boxes = [(x, y, *s) for y, x in zip(cy.ravel(), cx.ravel(), strict=True) for s in shapes]
    return torch.tensor(boxes)


def grid_shape_by_shape(cells, spacing, shapes):
    return torch.cat([grid(cells, spacing, shape[None]) for shape in shapes])


COUNTS = (8750, 8752, 7308, 8731)


# Chapter 8


def greedy_row_by_row(overlap):
    prior = []
    for row in overlap:
        order = [p for p in row.argsort(descending=True).tolist() if p not in prior]
        prior.append(order[0] if order and row[order[0]] > 0 else -1)
    return torch.tensor(prior)


def fill_up(overlap, taken, threshold, strict=False, keep=True):
    value, best = overlap.max(0)
    enough = value > threshold if strict else value >= threshold
    best = torch.where(enough, best, -1)
    return torch.where(taken >= 0, taken, best) if keep else best


@cache
def scenes():
    scenes = Scenes(20)
    targets = [scenes[i][1] for i in range(20)]
    return make_targets([t["boxes"] / 300 for t in targets], [t["labels"] for t in targets], 13)


def positives(threshold):
    return int(match(PRIORS, scenes(), threshold).positive.sum())


def above(threshold):
    overlap = iou(cxcywh_to_xyxy(PRIORS), scenes().boxes)  # [B, P, G]
    return int((overlap.amax(-1) >= threshold).sum())


FLAT = cxcywh_to_xyxy(
    torch.tensor([[148, 148, 32, 10], [148, 148, 42, 21]]) / 300
)  # one vanishes under argmax
FRIENDS = torch.tensor([[0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]])

# Chapter 10


def mine(loss, positive, ratio, keep_out=True, cap=True, easiest=False):
    ranked = (
        loss.masked_fill(positive, -math.inf if not easiest else math.inf) if keep_out else loss
    )
    wanted = int(ratio * positive.sum())
    if cap:
        wanted = min(wanted, int((~positive).sum()))
    chosen = torch.zeros_like(positive)
    chosen[ranked.argsort(descending=not easiest)[:wanted]] = True
    return chosen if keep_out else chosen & ~positive


def focal(logits, labels, gamma, easy=False, label=None):
    p = logits.softmax(1)
    p = p[:, label] if label is not None else p[torch.arange(len(labels)), labels]
    return -((p if easy else 1 - p) ** gamma) * p.log()


@cache
def on_the_first_car_with_its_label():
    from ssd_tutorial._files import data_path
    from ssd_tutorial.boxes import decode
    from ssd_tutorial.datasets import open_dataset
    from ssd_tutorial.weights.file import load_weights

    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    image, target = open_dataset("scenes", "val")[0]
    boxes = target["boxes"].as_subclass(torch.Tensor) / 300
    positive = match(PRIORS, make_targets([boxes], [target["labels"]], 13)).positive[0]
    with torch.inference_mode():
        logits, offsets = network(image[None])
    background = logits[0].softmax(-1)[:, 0].masked_fill(positive, 2)
    ten = background.topk(10, largest=False).indices
    return int((iou(boxes[:1], decode(offsets[0, ten], PRIORS[ten])) >= 0.5).sum())


# Chapter 11


def lights(expand=2, crop_prob=1, flip=False, upside_down=False, distort=False):
    return {
        "horizontal_flip": flip,
        "vertical_flip": upside_down,
        "distort": distort,
        "expand": expand,
        "crop_prob": crop_prob,
    }


def cropped(boxes, crop, keep=None, cut=True, moved=True):
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    inside = ((middle > crop[:2]) & (middle < crop[2:])).all(1) if keep is None else keep
    rows = []
    for x0, y0, x1, y1 in boxes[inside].tolist():
        left, top, right, bottom = crop.tolist()
        if cut:
            x0, y0, x1, y1 = max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)
        rows.append([x0 - left, y0 - top, x1 - left, y1 - top] if moved else [x0, y0, x1, y1])
    return torch.tensor(rows).reshape(-1, 4)


def touching(boxes, crop):
    return ((boxes[:, :2] < crop[2:]) & (boxes[:, 2:] > crop[:2])).all(1)


def inside(boxes, crop):
    return ((boxes[:, :2] >= crop[:2]) & (boxes[:, 2:] <= crop[2:])).all(1)


SHOWS_HALF, SHOWS_ALL = [0.2, 0.3, 0.53, 0.7], [0.0, 0.1, 1.0, 1.0]


# Chapter 12


def rate(step, total, highest, warmup, first=1, turn=math.pi, cosine_from=None):
    warm = round(warmup * total)
    if step < warm:
        return highest * (step + first) / warm
    start = warm if cosine_from is None else cosine_from
    return highest * (1 + math.cos(turn * (step - start) / (total - start))) / 2


def rate_on_lines(step, total, highest, warmup):
    warm = round(warmup * total)
    return highest * ((step + 1) / warm if step < warm else (total - step) / (total - warm))


def best_threshold_of_sorted(scores, correct, num_objects):
    kept = torch.arange(1, len(scores) + 1)
    return scores[(2 * correct.cumsum(0) / (kept + num_objects)).argmax()]


# Chapter 16


def pairs_of(boxes, labels, threshold, *, diagonal=1, same=True):
    near = iou(boxes, boxes) >= threshold
    if same:
        near = near & (labels[:, None] == labels)
    return near.triu(diagonal).nonzero()


def both_ways(boxes, labels, threshold):
    near = (iou(boxes, boxes) >= threshold) & (labels[:, None] == labels)
    return (near & ~torch.eye(len(boxes), dtype=torch.bool)).nonzero()


def precision_at(scores, right, threshold):
    return right[scores >= threshold].double().mean()


def down_to_the_first_fall(scores, right, least):
    kept = 1.0
    for score in sorted(scores.tolist(), reverse=True):
        if precision_at(scores, right, score) < least:
            return kept
        kept = score
    return kept


def precise_ones(scores, right, least):
    return sorted(s for s in scores.tolist() if precision_at(scores, right, s) >= least)


# Chapter 15


def stairs(iteration, highest, milestones, warmup, late=False, once=False, first=1):
    passed = sum(iteration > m if late else iteration >= m for m in milestones)
    if iteration < warmup:
        return highest * (iteration + first) / warmup
    return highest / 10 ** (min(1, passed) if once else passed)


# Chapter 9


def bent(d, at=1.0, less=0.5):
    return torch.where(d.abs() < at, d**2 / 2, d.abs() - less)


def entropy(scores, labels, top=0.0):
    powers = (scores - top).exp()
    right = powers[torch.arange(len(labels)), labels]
    return -(right / powers.sum(dim=1)).log()


def whole_loss(*case, kind="", alpha=None, least=1):
    """Compute it by hand, with one mistake."""
    scores, offsets, wanted, labels, counted, given = case
    alpha, positive = given if alpha is None else alpha, labels > 0
    classes = scores.logsumexp(2) - scores.gather(2, labels[..., None])[..., 0]
    boxes = bent(offsets - wanted).sum(2)
    n = positive.sum().clamp(min=least)
    if kind == "images":
        each = (classes * counted + alpha * boxes * positive).sum(1)
        return (each / positive.sum(1)).mean()
    n = counted.sum() if kind == "counted" else n
    classes = classes.sum() if kind == "all" else classes[counted].sum()
    boxes = boxes[counted if kind == "negatives" else positive].sum()
    return classes / n + alpha * (boxes if kind == "boxes" else boxes / n)


def hardest_of_the_batch(loss, positive):
    """Take the hardest of all pictures together, three per positive or 20."""
    count = max(3 * int(positive.sum()), 20)
    ranked = loss.masked_fill(positive, -math.inf).flatten()
    chosen = torch.zeros_like(ranked, dtype=torch.bool)
    chosen[ranked.topk(count).indices] = True
    return chosen.view_as(positive)


def with_empty(loss, positive, count=9, easiest=False):
    """Give pictures without objects `count` negatives, and keep SSD's in the others."""
    chosen = hard_negatives(loss, positive)
    for image in range(len(loss)):
        if not positive[image].any():
            order = loss[image].argsort(descending=not easiest)
            chosen[image, order[:count]] = True
    return chosen


def loss_from_nothing(
    scores,
    offsets,
    boxes,
    labels,
    priors,
    mined="picture",
    divide="batch",
    variances=(0.1, 0.2),
    threshold=0.5,
    step_one=True,
    boxes_weigh=1,
    constant=False,
):
    """Write SSD's loss without the package, with one mistake."""
    corners = cxcywh_to_xyxy(priors)
    parts, counts, pools = [], [], []
    for score, offset, box, label in zip(scores, offsets, boxes, labels, strict=True):
        owner = [-1] * len(priors)
        if len(box):
            overlap = iou(box, corners)
            for p in range(len(priors)):
                g = int(overlap[:, p].argmax())
                owner[p] = g if overlap[g, p] >= threshold else -1
            while step_one and overlap.max() > 0:
                g, p = divmod(int(overlap.argmax()), len(priors))
                owner[p] = g
                overlap[g], overlap[:, p] = -1, -1
        owner = torch.tensor(owner)
        positive = owner >= 0
        matched = owner[positive]
        surprise = -score.log_softmax(1)
        positives = surprise[positive, label[matched]].sum()
        own = priors[positive]
        centre = (box[matched, :2] + box[matched, 2:]) / 2
        size = box[matched, 2:] - box[matched, :2]
        shift = (centre - own[:, :2]) / own[:, 2:] / variances[0]
        wanted = torch.cat([shift, (size / own[:, 2:]).log() / variances[1]], dim=1)
        places = bent(offset[positive] - wanted).sum()
        negatives = surprise[~positive, 0].sort(descending=True).values
        pools.append(negatives)
        kept = negatives if mined == "all" else negatives[: 3 * len(matched)]
        kept = 0 if mined == "batch" else kept.sum()
        parts.append(positives + kept + boxes_weigh * places)
        counts.append(len(matched))
    n = sum(counts)
    if constant and not n:
        return torch.tensor(0.0)
    if divide == "images":
        return sum(part / max(count, 1) for part, count in zip(parts, counts, strict=True)) / len(
            scores
        )
    if mined == "batch":
        parts.append(torch.cat(pools).sort(descending=True).values[: 3 * n].sum())
    return sum(parts) / max(n, 1)


# Chapter 12

FIRST = math.log(13) * torch.tensor([16 * 8732 / 528, 1, 4 * 528 / 16])


def plan(samples=45_000, augmented=True, **wrong):
    right = {"samples": samples, "augmented": augmented, "steps": samples / 16}
    return right | {"times_seen": samples / 300, "minutes": samples / 20 / 60} | wrong


# Chapter 13


def keep(boxes, scores, threshold):
    """Suppress greedily; return a mask in the order of the boxes."""
    alive = torch.zeros(len(scores), dtype=torch.bool)
    for i in scores.argsort(descending=True).tolist():
        alive[i] = not (iou(boxes[[i]], boxes[alive]) > threshold).any()
    return alive


def moved_apart(step):
    def one_call(boxes, scores, labels, threshold):
        return keep(boxes + labels[:, None] * step(boxes), scores, threshold)

    return one_call


def in_order_of_score(boxes, scores, labels, threshold):
    order = scores.argsort(descending=True)
    far = 2 * boxes.abs().max() + 1
    return keep((boxes + labels[:, None] * far)[order], scores[order], threshold)


def faded(boxes, scores, threshold, fade, again=True):
    new, left = scores.clone(), list(range(len(scores)))
    while left:
        best = max(left, key=lambda i: (new if again else scores)[i].item())
        left.remove(best)
        for i in left:
            overlap = iou(boxes[[best]], boxes[[i]]).item()
            new[i] *= fade(overlap) if overlap > threshold else 1
    return new


# Chapter 14


def eleven(recall, precision, points=range(11), unit=10, envelope=True):
    total = 0
    for k in points:
        at = k / unit if unit else k * 0.1
        reached = [p for r, p in zip(recall, precision, strict=True) if r >= at]
        total += (max(reached) if envelope else reached[0]) if reached else 0
    return total / len(points)


def coco_verdicts(overlap, threshold, free=True, pick=max, takes=True):
    taken, hits = set(), []
    for row in overlap.tolist():
        places = [g for g in range(len(row)) if not (free and g in taken)]
        if pick is min:  # the first that fits
            places = [g for g in places if row[g] >= threshold][:1]
        best = max(places, key=lambda g: row[g], default=None)
        hit = best is not None and row[best] >= threshold and best not in taken
        if hit and takes:
            taken.add(best)
        hits.append(hit)
    return hits


def unbordered(boxes, width, height, share=0.5, clip=True):
    """13.6 with a part of the border, or without the clip."""
    side = max(width, height)
    border = share * torch.tensor([side - width, side - height] * 2)
    pixels = boxes * side - border
    limit = torch.tensor([width, height] * 2, dtype=torch.float32)
    return torch.minimum(pixels.clamp(min=0), limit) if clip else pixels


def compared(a, b, objects, draws, paired=True, other=False, mean=False, ends=(2.5, 97.5)):
    """14.3 by hand, with one thing wrong."""
    pairs = ((draws, a), (draws[::-1] if other else draws, b))
    if mean:
        sides = [(d * (found / objects)).sum(axis=1) / d.sum(axis=1) for d, found in pairs]
    else:
        sides = [(d * found).sum(axis=1) / (d * objects).sum(axis=1) for d, found in pairs]
    if paired:
        return np.percentile(sides[0] - sides[1], ends)
    return np.percentile(sides[0], ends) - np.percentile(sides[1], ends)


# Chapter 18


def unpapered(back=True, variances=(0.1, 0.1, 0.2, 0.2)):
    def translate(logits, offsets):
        rows = shape_first(get_preset("caffe300_voc"))
        rows = rows.argsort() if back else rows
        return logits[:, rows].roll(1, dims=2), offsets[:, rows] / torch.tensor(variances)

    return translate


# Chapter 19


def greedy_pairs(cost, way):
    """Return columns: each row's best, the best that is left row by row, or the best pair first."""
    left, found = cost.clone(), [0] * len(cost)
    for turn in range(len(cost)):
        row = turn if way == "in turn" else int(left.amin(dim=1).argmin())
        found[row] = int(left[row].argmin())
        left[:, found[row]] = math.inf
        left[row] = math.inf
    return torch.tensor(found)


def moved_clusters(shapes, clusters, nearest):
    return torch.stack([shapes[nearest == i].mean(dim=0) for i in range(len(clusters))])


def four_sides(points, boxes):
    return points - boxes[:, :2], boxes[:, 2:] - points


def central(points, boxes, power=0.5, join=lambda ratios: ratios.prod(dim=1)):
    low, high = four_sides(points, boxes)
    return join(torch.minimum(low, high) / torch.maximum(low, high)) ** power


def crossed(points, boxes):
    low, high = four_sides(points, boxes)
    return ((low.amin(1) / low.amax(1)) * (high.amin(1) / high.amax(1))).sqrt()


def summed(weights, parts, own=False, divide=True, skip=0):
    """15.2 without the first parts, or with another divisor."""
    weights = weights.clone().requires_grad_()
    together = max(1, sum(n for *_, n in parts))
    for x, y, n in parts[skip:]:
        by = (max(1, n) if own else together) if divide else 1
        (((x @ weights - y) ** 2).sum() / by).backward()
    return weights.grad


def spread(length, side, step):
    """16.6 with another step."""
    if length <= side:
        return [0]
    steps = -(-(length - side) // step)
    return [k * (length - side) // steps for k in range(steps + 1)]


def resampled(picture, mode="bilinear", antialias=None):
    """16.7 by torch."""
    image = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    smooth = {"antialias": antialias is not False} if mode == "bilinear" else {}
    square = torch.nn.functional.interpolate(image, (300, 300), mode=mode, **smooth)
    return square.round().to(torch.uint8).numpy()


PLANTED = {
    "19.1": [
        ([68.968, 689.676], "You weigh the easy ones only"),
        ([68.968, 3.448], "Your weight is 1 - p"),
        ([68.968, 2.5], "the ratio of the two weights"),
        ([68.968, 172419], "wanted in thousands"),
        ([1, 1], "Divide the loss of the hard one"),
        ([69.0], "2 numbers"),
    ],
    "19.2": [
        (lambda p, b: central(p, b, power=1), "One step is missing"),
        (lambda p, b: central(p, b, 1, lambda r: r.mean(dim=1)), "the mean of the two ratios"),
        (crossed, "Opposite edges belong together"),
        (lambda p, b: central(p, b, 2), "Begin with four distances"),
        (lambda p, b: central(p, b)[:, None], "no table of all pairs"),
    ],
    "19.3": [
        (lambda cost: cost.argmin(dim=1), "takes its own best"),
        (lambda cost: greedy_pairs(cost, "in turn"), "take turns"),
        (lambda cost: greedy_pairs(cost, "best first"), "the cheapest pair first"),
        (lambda cost: torch.tensor(match_set(-cost)), "the largest sum"),
        (lambda cost: torch.arange(len(cost)), "Add up the cost"),
        (lambda cost: cost.amin(dim=1), "a tensor of G integers"),
    ],
    "19.4": [
        (lambda s, c: moved_clusters(s, c, torch.cdist(s, c).argmin(1)), "distances in pixels"),
        (lambda s, c: c, "have not moved"),
        (lambda s, c: c + 1, "On one centre"),
        (lambda s, c: s, "Stack one mean"),
    ],
    "19.5": [
        ([0.1, 0.2, 0.4, 0.8, 1.0], "not fractions"),
        ([64, 128, 256, 512, 1024], "for pictures of 800"),
        ([40, 80, 60, 240, 280], "which are FCOS's"),
        ([5, 10, 20, 40, 80], "close enough to hit"),
        ([20, 50, 120, 200, 280], "The finest map has the most points"),
        ([100, 200, 250, 280, 290], "Two boxes compete"),
    ],
    "02.1": [
        ([4, 2, 13, 9, 80], "You round down"),
        ([4, 3, 13, 9, 54], "their number is not"),
        ([3, 4, 9, 13, 70], "Columns come first"),
        ([2, 1, 7, 5, 30], "a stride of 32"),
        ([5, 3, 14, 10, 80], "Divide each edge"),
        ([4, 3, 13, 9], "A list of 5 numbers"),
    ],
    "02.2": [
        (lambda *case: aligned(*case, half=0), "half a cell too far"),
        (lambda *case: aligned(*case, middle=0), "upper left corners"),
        (lambda *case: aligned(*case, whole=True), "does not round anything"),
        (lambda *case: aligned(*case).transpose(1, 2), "the row comes first"),
        (lambda *case: aligned(*case, half=-0.5), "In cells the region is"),
        (lambda *case: aligned(*case)[0], "one number per channel"),
    ],
    "02.3": [
        (lambda *case: owners(*case, keep=False), "The cell keeps the first"),
        (lambda *case: owners(*case).T, "x chooses the column"),
        (lambda *case: owners(*case, centre=False), "The centre of a box chooses"),
        (lambda *case: owners(*case, by=torch.round), "The column is the whole part"),
        (lambda *case: owners(*case).float(), "torch.full"),
    ],
    "02.4": [
        ([1000 / 46, 8000 / 59], "seven more pictures must come"),
        ([1000 / 46, 8000 / 30 + 8000 / 59], "seven more come, not eight"),
        ([1000 / 46, 7000 / 30 + 1000 / 59], "the share of one picture"),
        ([46, 59], "46 pictures a second are"),
        (21.7, "A list of 2 numbers"),
    ],
    "02.5": [
        (grid_design(7, 2, False, 7 * 7 * 22), "YOLO's grid"),
        (grid_design(14, 2, True, 14 * 14 * 22), "your boxes have their own"),
        (grid_design(14, 2, False, 14 * 14 * 34), "your cells have them once"),
        (grid_design(14, 2, False, 14 * 14 * 22), "Two ways help"),
        (grid_design(14, 2, True, 14 * 14 * 32), "A box has x, y"),
        (grid_design(28, 2, True, 28 * 28 * 34), "Doubling the cells"),
        (grid_design(14, 2, 1, 6664), '"own_classes": …'),
        (grid_design(14.0, 2, True, 6664), '"own_classes": …'),
    ],
    "03.1": [
        (420, "with the dilation of 6"),
        (276, "You add three cells"),
        (230, "as if they were one pixel apart"),
        (244, "A layer adds"),
        (-1, "A number such as"),
    ],
    "03.2": [
        (lambda x, w: l2norm(x, w, place="outside"), "your tiny number comes too late"),
        (lambda x, w: l2norm(x, w, dims=(1, 2, 3)), "the whole map"),
        (lambda x, w: l2norm(x, w * 0 + 1), "multiply each channel by its weight"),
        (lambda x, w: l2norm(x, w, eps=0), "Zero divided by zero"),
        (lambda x, w: l2norm(x, w, dims=2), "dimension 1"),
        (lambda x, w: l2norm(x, w)[0], "keepdim=True"),
        (lambda x, w: l2norm(x.detach(), w), "your tiny number comes too late"),
    ],
    "03.3": [
        (cut, "You cut the memory into rows"),
        (lambda out, width: cut(out, width, 0, 3, 2, 1), "You go down the columns"),
        (lambda out, width: shuffled(out, width, True, 0, 1, 3, 4, 2), "all cells for the first"),
        (lambda out, width: shuffled(out, width, False, 0, 3, 4, 2, 1), "class, then prior"),
        (lambda out, width: cut(out, width).flip(1), "must come last"),
        (lambda out, width: out, "-1 lets PyTorch count"),
    ],
    "03.4": [
        (lambda *case: table(*case, order=()), "the channels are not yet last"),
        (lambda *case: table(*case, offsets_first=True), "Offsets come before scores"),
        (backwards, "begins with the coarsest map"),
        (lambda *case: table(*case, order=(0, 3, 2, 1)), "The finest map comes first"),
        (lambda *case: table(*case)[..., :-4], "make rows of the output"),
    ],
    "03.5": [
        (design("conv3_3", 2, 75 * 75 * 2, 2 * 25 * 2305), "the new priors alone"),
        (design("conv3_3", 2, 8732 + 11250, 2 * 21 * 2305), "The offset head is missing"),
        (design("conv3_3", 2, 8732 + 11250, 2 * 24 * 2305), "The background has a score"),
        (design("conv3_3", 2, 8732 + 11250, 2 * 25 * 2304), "A head has biases, too"),
        (design("conv3_3", 2, 8732 + 75 * 75, 2 * 25 * 2305), "and the 8732"),
        (design("conv3_3", 2, 8732 + 11250, 25 * 2305), "21 scores and 4 offsets"),
        (design("conv4_3", 4, 8732 + 38 * 38 * 4, 4 * 25 * 4609), "Each pooling doubles"),
        (design("conv2_2", 4, 8732 + 150 * 150 * 4, 4 * 25 * 1153), "Run the rule for the field"),
        (design("conv8_2", 4, 9000, 9000), '"layer": …'),
        (design("conv3_3", 2.0, 19982, 115250), '"layer": …'),
    ],
    "04.1": [
        (0.04 / 0.32, "counts the overlap twice"),
        (0.04 / 0.16, "area of one box"),
        (0.04, "only the numerator"),
        (0.5, "from the larger xmin"),
    ],
    "04.2": [
        (iou_without_clamp, "come out negative"),
        (iou_without_subtraction, "subtract it once"),
        (iou_of_inclusive_pixels, "You add 1"),
        (lambda a, b: iou(a, b).diagonal(), "[N, 1, 4]"),
    ],
    "04.3": [
        (lambda b, p: offsets(b, p, variances=(1, 1, 1, 1)), "division by the variances"),
        (lambda b, p: offsets(b, p, variances=(10, 10, 5, 5)), "You multiply by the variances"),
        (lambda b, p: offsets(b, p, unit=b), "in sizes of the box"),
        (lambda b, p: offsets(b, p, log=lambda x: x), "Its logarithm"),
        (lambda b, p: offsets(b, p, log=torch.log2), "Which function does that"),
        (lambda b, p: (b - p) / p[2], "one whole prior width"),
    ],
    "04.4": [
        (0.5, "half of the box is still covered"),
        (0.667, "how far it moved"),
        (0.2, "in small steps"),
    ],
    "04.5": [
        ((0.405, 0.4, 0.785, 0.6), "Give the centre and the size"),
        ((0.566, 0.5, 0.2, 0.2), "Let one of them stay"),
        ((0.59, 0.5, 0.2, 0.2), "Let one of them stay"),
        ((0.65, 0.5, 0.4, 0.2), "how much do both cover"),
        ((0.56, 0.5, 0.3, 0.2), "the shift of the centre"),
        ((0.595, 0.5, -0.38, 0.2), "The centre first"),
        ((0.595, 0.5), "The centre first"),
    ],
    "05.1": [
        (0.34, "over all six maps"),
        (0.37, "rounds the step"),
        (0.55, "one map too far"),
        (0.5, "Which k".lower()),
    ],
    "05.2": [
        (lambda *case: caffe_sizes(*case, whole=False), "You use the exact step"),
        (lambda *case: caffe_sizes(*case, gaps=1), "too short by one map"),
        (lambda *case: caffe_sizes(*case, unit=1), "These are fractions"),
        (lambda *case: caffe_sizes(*case, unit=100), "These are percentages"),
        (lambda *case: caffe_sizes(*case)[1:], "start at `low`"),
    ],
    "05.3": [
        ((10, 20, 90), "30 px or more"),
        ((7, 15, 90), "hardly larger"),
        ((9, 60, 100), "between two maps"),
        ((9, 20, 20), "Caffe's own"),
        ((9, 20), "Caffe's own"),
    ],
    "05.4": [
        (0.9766, "ratio of two sides"),
        (1.0, "Nothing changes for SSD300"),
        (0.5, "makes the twin"),
    ],
    "06.1": [
        ((0.2136, 0.6409), "This box is tall"),
        ((1.11, 0.37), "three times the area"),
        ((1.11, 0.1233), "nine times as wide"),
        ((0.37, 0.37), "Two conditions"),
    ],
    "06.2": [
        (shapes_of_another_port, "the order of another port"),
        (lambda *case: shapes(*case, root=lambda r: r), "Take the root"),
        (lambda s, t, r: shapes(s, t, r, large=(s + t) / 2), "arithmetic mean"),
        (lambda s, t, r: shapes(s, t, r, large=t), "next map already has"),
        (lambda s, t, r: torch.cat([shapes(s, t, r)[:1], shapes(s, t, r)[2:]]), "its inverse: a"),
        (lambda s, t, r: shapes(s, t, r) * torch.tensor([1, 1.1]), "Divide your widths"),
        (lambda s, t, r: shapes(s, t, r).flip(0), "Every ratio keeps it"),
    ],
    "06.3": [
        ((2, 3), "6.75"),
        ((6,), "leaves a gap"),
        ((3,), "in both directions"),
        ((2, 4), "a factor of 5"),
        ((0.5,), "One ratio alone"),
        (4, "One ratio alone"),
    ],
    "06.4": [
        (2, "below 1"),
        (1 / 3, "Only a lighthouse"),
        (1, "Measure it"),
        (0.7, "For each of the three ratios"),
    ],
    "07.1": [
        (8732, "This is SSD300"),
        (32766, "Not every map has 6"),
        (24532, "pattern"),
        (24564 - 5461, "is missing a box"),
        (100, "Square each"),
    ],
    "07.2": [
        (lambda *case: grid(*case, indexing="xy"), "go down the columns"),
        (grid_shape_by_shape, "all cells for the first shape"),
        (lambda *case: grid(*case, half=0), "on the cells' corners"),
        (lambda *case: 300 * grid(*case), "in its middle"),
        (lambda c, s, shapes: grid(c, s, shapes[:1]), "[cells, cells, n, 4]"),
        (lambda c, s, shapes: grid(c, s, shapes.flip(1)), "The second cell"),
    ],
    "07.3": [
        (19, "the number of cells"),
        (120, "You count the corner cell twice"),
        (60, "one side of the picture"),
        (0, "Caffe steps by 32"),
        (7, "10 cells along a side"),
    ],
    "07.4": [
        ({count: [4, 6, 6, 6, 4, 4] for count in COUNTS}, "all give 8732"),
        ({count: [4, 6, 6, 6, 6, 4] for count in COUNTS}, "How far is the count"),
        ({count: [9, 9, 9, 9, 9, 9] for count in COUNTS}, "Change a few entries"),
        (dict.fromkeys(COUNTS, "six"), "Change a few entries"),
        ({8750: [4, 6, 6, 6, 4, 4]}, "Change a few entries"),
    ],
    "07.5": [
        ((0.8408, 0.9826), "These are the shares that are left"),
        (Later(lambda: ch07_truth.border_costs(ch07_truth.all_objects)), "no match before, either"),
        ((0.3285, 0.5), "easier seen in xyxy"),
    ],
    "07.6": [
        ([2, 2, 2, 2, 2, 2], "You take the ratios from every map"),
        ([0, 6, 6, 6, 4, 4], "Without conv4_3"),
        ([4, 6, 6, 6, 4, 4], "How many priors does one box per cell cost"),
        ([2, 3, 6, 4, 4, 4], "How many priors does one box per cell cost"),
        ([1, 3, 6, 6, 4, 4], "Two maps have nine tenths"),
        ([1, 6, 6, 6, 4, 5], "or 0 for a map"),
        ([1, 6.5, 6, 6, 4, 4], "or 0 for a map"),
        ([1, 6, 6], "or 0 for a map"),
    ],
    "08.1": [
        ([1, -1, 1, -1, -1], "Ground truth 0 has no prior at all"),
        ([0, -1, 1, -1, -1], "You start with ground truth 0"),
        ([1, 0, -1, -1, -1], "The first step is right"),
        ([2, 1, 2, 0, 0], "count ground truths from 0"),
        ([1, 0, 1], "A list of 5"),
        ([0, 0, 0, 0, 0], "cross out its row"),
    ],
    "08.2": [
        (lambda overlap: overlap.argmax(1), "This is the argmax rule"),
        (greedy_row_by_row, "in file order"),
        (lambda overlap: overlap.argmax(0), "a tensor of G times -1"),
        (lambda overlap: overlap.max(1).values, "a tensor of G times -1"),
        (lambda overlap: torch.full((len(overlap),), -1), "not row by row"),
    ],
    "08.3": [
        (lambda *case: fill_up(*case, strict=True), "at least, not above"),
        (lambda o, taken, t: fill_up(o, taken, 0), "Where is the threshold?"),
        (lambda *case: fill_up(*case, keep=False), "You never look at `taken`"),
        (lambda o, taken, t: fill_up(o, taken, 2), "`max` over a dimension"),
        (lambda o, taken, t: taken + 1, "is the answer"),
        (lambda o, taken, t: o.argmax(1), "its own column"),
    ],
    "08.4": [
        (FLAT * 300, "These look like pixels"),
        (FLAT.flip(0), "in the other order"),
        (FLAT[:1], "two rows of xmin"),
        (FLAT[[0, 0]], "Make one clearly smaller"),
        (FRIENDS, "the same best prior"),
        (FLAT.flip(1), "two rows of xmin"),
    ],
    "08.5": [
        (Later(lambda: 1 - positives(0.6) / positives(0.5)), "the share that is lost"),
        (Later(lambda: above(0.6) / above(0.5)), "let `match` count"),
        (Later(lambda: positives(0.5) / positives(0.6)), "A number such as"),
        (0.999, "`match` takes the threshold"),
    ],
    "09.1": [
        (4.4 + math.log(4), "plain absolute values"),
        (0.08 + 4.5 + 0.5 + math.log(4), "past the bend"),
        (3.08 / 4 + math.log(4), "the mean of the four"),
        (3.08 + math.log10(4), "base 10"),
        (3.08, "What does the class cost"),
        (5, "For each difference, ask"),
        (-1, "A number such as"),
    ],
    "09.2": [
        (2.64, "drags it far off"),
        (1.1, "This is the median"),
        (1.05, "the fifth still pulls"),
        (9, "for each of the candidates"),
    ],
    "09.3": [
        (lambda s, y: -entropy(s, y), "the opposite sign"),
        (lambda s, y: (-entropy(s, y)).exp(), "This is the probability"),
        (lambda s, y: entropy(s, y), "Adding the same number"),
        (lambda s, y: entropy(s, y, top=s.max()), "Adding the same number"),
        (lambda s, y: entropy(s, y, top=s.amax(1, keepdim=True)), "Adding the same number"),
        (lambda s, y: entropy(s, y) / math.log(2), "Softmax is e to the power"),
        (lambda s, y: entropy(s, y).mean(), "one per row"),
    ],
    "09.4": [
        (lambda *case: whole_loss(*case, kind="images"), "positives of the whole batch"),
        (lambda *case: whole_loss(*case, kind="counted"), "the number of priors that count"),
        (lambda *case: whole_loss(*case, kind="all"), "Only those that count"),
        (lambda *case: whole_loss(*case, kind="negatives"), "has no box to find"),
        (lambda *case: whole_loss(*case, kind="boxes"), "only one of the two parts"),
        (lambda *case: whole_loss(*case, least=0), "What is 0 divided by 0"),
        (lambda *case: whole_loss(*case, alpha=1), "with a label above 0"),
        (lambda *case: case[0].mean(0), "without `dim`"),
    ],
    "09.5": [
        (bent, "pulls with 1 at 9"),
        (lambda d: bent(d).clamp(max=1.2), "never pulled back"),
        (lambda d: bent(d).sum(), "keeps its place"),
        (lambda d: d, "makes the sign not matter"),
        (lambda d: d.abs(), "Near 0 the slope should shrink"),
        (lambda d: d**2 / (1 + 9 * d**2), "What is the slope at 3"),
        (lambda d: d**2 / 2, "How hard does your loss pull there"),
    ],
    "10.1": [
        (partial(mine, keep_out=False, cap=False), "take part in your ranking"),
        (partial(mine, cap=False), "what torchvision does"),
        (partial(mine, easiest=True), "the easiest ones"),
        (lambda loss, positive, ratio: loss, "Start from `torch.zeros_like"),
        (lambda loss, positive, ratio: positive, "Keep it out of the ranking"),
        (lambda loss, positive, ratio: ~positive, "Two numbers limit the count"),
    ],
    "10.2": [
        (partial(focal, easy=True), "keeps the easy priors"),
        (partial(focal, label=0), "judged by its own class"),
        (lambda logits, labels, gamma: logits.sum(), "no mean and no sum"),
        (lambda logits, labels, gamma: 0.5 * focal(logits, labels, gamma), "power of 0"),
        (lambda logits, labels, gamma: focal(logits, labels, 2 * gamma), "p is exp"),
    ],
    "10.3": [
        (Later(on_the_first_car_with_its_label), "every label in place"),
        (5, "Match again"),
        (12, "A number such as"),
    ],
    "10.4": [
        (hard_negatives, "three times no positive"),
        (hardest_of_the_batch, "You rank the batch as a whole"),
        (lambda loss, positive: loss, "Start from what"),
        (lambda loss, positive: positive, "Start from what"),
        (lambda loss, positive: ~positive, "Change only the rows"),
        (partial(with_empty, count=60), "Choose a number of your own"),
        (partial(with_empty, easiest=True), "`topk` on that picture"),
    ],
    "10.5": [
        (partial(loss_from_nothing, mined="all"), "You count every negative"),
        (partial(loss_from_nothing, mined="batch"), "You mine over the batch"),
        (partial(loss_from_nothing, divide="images"), "N counts those of the whole batch"),
        (partial(loss_from_nothing, variances=(1, 1)), "not divided by the variances"),
        (partial(loss_from_nothing, threshold=2), "has no second step"),
        (partial(loss_from_nothing, step_one=False), "The pair with the highest IoU"),
        (partial(loss_from_nothing, threshold=0.7), "Print per picture"),
        (partial(loss_from_nothing, boxes_weigh=0), "Nothing is mined here"),
        (partial(loss_from_nothing, constant=True), "Divide by at least 1"),
        (lambda scores, *rest: scores.sum(0), "`sum()` without `dim`"),
    ],
    "11.1": [
        ([2 / 3, 2], "a ratio of sides"),
        ([0.4, 3], "the paper's smallest area"),
        ([0.04, 5], "that with the whole picture"),
        ([0.5, 3], "Which crop is best?"),
        ([4 / 9, 2], "Which crop is best?"),
        (4 / 9, "A list of 2 numbers"),
    ],
    "11.2": [
        ([SHOWS_ALL, SHOWS_HALF], "in the other order"),
        ([SHOWS_HALF], "two lists of xmin"),
        ([[30, 40, 52, 60], [10, 30, 90, 80]], "two lists of xmin"),
        ([[0.3, 0.4, 0.5, 0.6], SHOWS_ALL], "at least 0.09"),
        ([SHOWS_ALL, SHOWS_ALL], "lies inside the object"),
        ([SHOWS_HALF, SHOWS_HALF], "lies inside the crop"),
    ],
    "11.3": [
        (lights(4, 1, flip=True, distort=True), "SSD's own settings"),
        (lights(flip=True), "speak of a direction"),
        (lights(upside_down=True), "speak of a direction"),
        (lights(distort=True), "speak of a direction"),
        (lights(4, 1), "Expansion shrinks objects"),
        (lights(0, 1), "enlarges too many"),
        (lights(0, 0), "Only the crop"),
        (lights(9), '"horizontal_flip": …'),
        (lights(flip=1), '"horizontal_flip": …'),
        ({"expand": 2}, '"horizontal_flip": …'),
    ],
    "11.4": [
        (lambda b, c: cropped(b, c, touching(b, c)), "no more than an ear"),
        (lambda b, c: cropped(b, c, inside(b, c)), "A centre is enough"),
        (lambda b, c: cropped(b, c, cut=False), "reach outside the crop"),
        (lambda b, c: cropped(b, c, moved=False), "measured from the corner of the whole"),
        (lambda b, c: b, "The centre is the mean"),
        (lambda b, c: 2 * cropped(b, c), "Clip first"),
    ],
    "11.5": [
        (1 / 4, "What about the other half?"),
        (0.5 + 0.5 / 2.5**2, "You squared the mean ratio"),
        (0.5 + math.log(4) / 6, "An area has two"),
        (0.9, "a picture fills 1 / r²"),
        (16, "A number such as"),
    ],
    "12.1": [
        (FIRST / math.log(2), "to base 2"),
        (FIRST * math.log(12) / math.log(13), "The background is a class"),
        (math.log(13) * torch.tensor([(16 * 8732 - 528) / 528, 1, 99]), "negatives alone"),
        (math.log(13) * torch.tensor([3.0, 1, 1]), "what is the cross-entropy"),
        (10.26, "A list of 3 numbers"),
    ],
    "12.2": [
        (plan(minutes=45_000 / 20), "These are seconds"),
        (plan(times_seen=45_000 / 16 / 300), "You divide the steps"),
        (plan(steps=45_000), "A sample is one picture"),
        (plan(300_000), "Choose fewer samples"),
        (plan(6_000), "Seen seldom"),
        (plan(45_000, augmented=False), "Seen seldom"),
        (plan(augmented=1), '"samples": …'),
        ({"samples": 45_000}, '"samples": …'),
    ],
    "12.3": [
        (lambda *case: rate(*case, first=0), "moves nothing"),
        (lambda *case: rate(*case, turn=2 * math.pi), "a whole turn"),
        (lambda *case: rate(*case, cosine_from=0), "starts with the run"),
        (rate_on_lines, "your rate falls linearly"),
        (lambda step, total, highest, warmup: highest, "How many steps does the warm-up"),
        (lambda step, total, highest, warmup: 2 * highest, "Print it for every step"),
    ],
    "12.4": [
        (lambda scores, correct, n: scores.min(), "You keep everything"),
        (lambda scores, correct, n: scores.max(), "You keep one detection"),
        (lambda scores, correct, n: 0.5, "a habit"),
        (best_threshold_of_sorted, "Compute it with each score"),
        (lambda scores, correct, n: 50, "One of the scores will do"),
    ],
    "12.5": [
        (4 * 9 * 64 + 26 * 9 * 128, "has a bias, too"),
        (30, "Each has 3 x 3 weights"),
        (1_000_000, "Build"),
    ],
    "16.1": [
        ([256, 120, 384, 264], "These are the edges"),
        ([257, 121, 385, 265], "You shift all four"),
        ([321, 193, 448, 336], "for a corner"),
        ([257, 121, 128, 144], "how COCO writes"),
        ([193, 161, 288, 352], "You multiply x by the height"),
        ([0.4, 0.25, 0.6, 0.55], "centre and size"),
    ],
    "16.2": [
        ([192, 108], "the size of the prior"),
        ([96, 54], "a quarter of the area"),
        ([76.4, 135.8], "in the other order"),
        ([21.2, 21.2], "one of those?"),
        ([30, 30], "Put the object inside"),
    ],
    "16.3": [
        (torch.tensor([10.0, 140.0, 290.0, 160.0]), "These look like pixels"),
        (torch.tensor([0.2, 0.2, 0.7, 0.6]), "Change the shape"),
        (torch.tensor([0.1, 0.1, 0.12, 0.9]), "width times height"),
        (torch.tensor([0.1, 0.4, 0.9, 0.6]), "Which objects have another shape"),
        (torch.tensor([0.9, 0.4, 0.1, 0.6]), "four numbers between"),
    ],
    "16.4": [
        (lambda *case: pairs_of(*case, diagonal=0), "Every box overlaps itself"),
        (both_ways, "You have each pair twice"),
        (lambda *case: pairs_of(*case, same=False), "never look at the labels"),
        (lambda boxes, labels, t: iou(boxes, boxes) >= t, "is a table [N, N]"),
    ],
    "16.5": [
        (down_to_the_first_fall, "You stop where"),
        (lambda *case: precise_ones(*case)[-1], "You take the highest"),
        (lambda scores, right, least: least, "does not mean"),
        (lambda scores, right, least: scores.min(), "What is its mean?"),
        (lambda scores, right, least: 90, "One of the scores will do"),
        (lambda *case: precise_ones(*case)[-2], "Try every score"),
    ],
    "17.1": [
        (ch17_truth.first_loss(variances=(1.0,) * 4), "before they are divided"),
        (ch17_truth.first_loss(squared=True), "smooth L1 is linear"),
        (ch17_truth.first_loss() / 4, "The loss adds them"),
        (500.0, "over the prior's size over 0.1"),
    ],
    "17.2": [
        (ch17_truth.without("background"), "the background's"),
        (ch17_truth.without("last"), "the last label is 12"),
        (ch17_truth.without("size"), "A box without any width passes"),
        (ch17_truth.without("height"), "What about ymin and ymax?"),
        (ch17_truth.without("upper"), "Fractions end at 1"),
        (ch17_truth.without("nan"), "Ask for what is right"),
        (lambda boxes, labels, classes: labels > 0, "Four rules"),
        (lambda boxes, labels, classes: True, "Compare columns"),
    ],
    "17.3": [
        (
            lambda unseen, n: (unseen.index(min(unseen)), ch17_truth.when_to_stop(unseen, n)[1]),
            "may have ended before it",
        ),
        (
            lambda unseen, n: ch17_truth.when_to_stop(unseen, n, before=True),
            "than the one before it",
        ),
        (lambda unseen, n: ch17_truth.when_to_stop(unseen, n, equal=True), "gained nothing"),
        (lambda unseen, n: (0, n), "How many measurements ago"),
    ],
    "17.4": [
        ("boxes of the next picture", "Count: each picture has"),
        ("x and y exchanged", "Compare the shapes"),
        ("boxes in pixels", "no box would lie in a picture"),
        ("learning rate too high", "moves weights, not boxes"),
        ("the network", "Copy one of the five"),
    ],
    "17.5": [
        (["inputs", "labels"], "must be found by one of yours"),
        (["inputs", "narrowest", "labels", "empty", "spread", "different", "corners"], "Leave out"),
        (["loss"], "in the first column"),
        ("inputs", "in the first column"),
    ],
    "16.6": [
        (lambda length, side, lap: list(range(0, length, side - lap)), "Move it back"),
        (
            lambda length, side, lap: list(range(0, max(1, length - side + 1), side - lap)),
            "A strip at the end",
        ),
        (lambda length, side, lap: [0, max(0, length - side)], "The first tile begins at 0"),
        (lambda length, side, lap: spread(length, side, side), "at most side - overlap"),
        (lambda length, side, lap: spread(length, side, 10), "each further tile"),
    ],
    "16.7": [
        (lambda p: resampled(p, antialias=False), "most pixels of a large picture"),
        (lambda p: resampled(p, mode="nearest-exact"), "one pixel for each"),
        (lambda p: resampled(p).swapaxes(2, 3), "on its side"),
        (lambda p: resampled(p)[:, ::-1], "how many of its pixels"),
        (lambda p: resampled(p).transpose(0, 2, 3, 1), "Channels come first"),
        (lambda p: resampled(p) / np.float32(255), "Channels come first"),
    ],
    "14.1": [
        (0.55, "which the chapter computes"),
        (3 / 11, "the eleven-point rule"),
        (1 / 16, "You call B a duplicate"),
        (0.5, "the number of all objects"),
        (0.3, "Write down the table again"),
    ],
    "14.2": [
        (lambda r, p: eleven(r, p, envelope=False), "better one, at a higher recall"),
        (lambda r, p: eleven(r, p, range(1, 11)), "You leave out recall 0"),
        (lambda r, p: eleven(r, p, unit=None), "0.1 * 3 is 0.30000000000000004"),
        (lambda r, p: sum(p) / len(p), "which entries have at least this recall"),
    ],
    "14.3": [
        (lambda *case: compared(*case, paired=False), "the ends of two intervals"),
        (lambda *case: compared(*case, other=True), "other samples than A"),
        (lambda *case: compared(*case, mean=True), "a picture with one object counts"),
        (lambda *case: compared(*case, ends=[5, 95]), "a 90 % interval"),
        (lambda *case: [0.0, 0.0], "A sample's recall is a ratio"),
    ],
    "14.4": [
        (lambda o, t: coco_verdicts(o, t, free=False), "This is VOC's rule"),
        (lambda o, t: coco_verdicts(o, t, pick=min), "first free object that overlaps enough"),
        (lambda o, t: coco_verdicts(o, t, takes=False), "An object can be found once"),
        (lambda o, t: [False] * len(o), "leave out the objects that are taken"),
    ],
    "14.5": [
        (15, "divides by the union"),
        (14, "shifted down as well"),
        (2 / 0.25, "squares cover together"),
    ],
    "15.1": [
        ([250, 3_840_000 / 250 / 3600, 5], "It waits"),
        ([180, 3_840_000 / 180 / 3600, 4], "still a little slower"),
        ([104.65, 10.192, 5], "one after the other"),
        ([180, 21333, 5], "Which of the two is slower"),
        ([180, 5.9], "A list of 3 numbers"),
    ],
    "15.2": [
        (lambda w, parts: summed(w, parts, own=True), "divides by its own positives"),
        (lambda w, parts: summed(w, parts, own=True) / len(parts), "You average the gradients"),
        (lambda w, parts: summed(w, parts, skip=len(parts) - 1), "the last part alone"),
        (lambda w, parts: summed(w, parts, divide=False), "the gradient of the sum"),
        (lambda w, parts: torch.zeros_like(w), "Which number does the loss"),
    ],
    "15.3": [
        (lambda *case: stairs(*case, late=True), "one iteration late"),
        (lambda *case: stairs(*case, once=True), "Each milestone divides again"),
        (lambda *case: stairs(*case, first=0), "moves nothing"),
        (lambda i, highest, milestones, warmup: highest, "How many milestones"),
        (lambda i, highest, milestones, warmup: 2 * highest, "Print it for the first"),
    ],
    "15.4": [
        (lambda ns: [n / max(1, sum(ns)) for n in ns], "divides by their number, too"),
        (lambda ns: [1.0] * len(ns), "a process with few positives"),
        (lambda ns: [max(1, sum(ns)) / max(1, n) for n in ns], "the other way round"),
        (lambda ns: [2.0] * len(ns), "Each process has divided its sum"),
    ],
    "15.5": [
        (20, "You count the activations alone"),
        (32, "This is for bfloat16"),
        (3, "is in bytes"),
    ],
    "01.1": [
        (8732 * 84, "score for the background"),
        (8732 * 81, "how its prior should move"),
        (8732 * 17, "COCO has more classes"),
        (85, "How many rows are there"),
    ],
    "01.2": [
        ([135, -75, 225, 15], "An offset counts tenths"),
        ([109.5, 36, 199.5, 126], "in the box's new size"),
        ([63, -12, 243, 168], "twice as wide"),
        ([153, 78, 90, 90], "as centre and size"),
        ([105, 45, 195, 135], "Move the centre first"),
    ],
    "01.3": [
        ([0, 0, 1, 0, 1], "let a cat remove a dog"),
        ([0, 1, 1, 0, 0], "not a reason to be removed by NMS"),
        ([1, 1, 1, 1, 0], "asks about overlap"),
        ([1, 0, 0, 1, 0], "the other way round"),
        ([1, 1, 1, 1, 1], "Two things decide about a box"),
    ],
    "01.4": [
        (0.96, "This detection is right"),
        (Later(lambda: detected_in_the_tour().scores[-1].item()), "Start at the other end"),
        (Later(lambda: detected_in_the_tour().scores[6].item()), "with a higher score comes"),
        (0.5, "Detect with a threshold of 0.01"),
    ],
    "01.5": [
        (lambda image: image, "returns the picture unchanged"),
        (lambda image: image.flip(2), "were mirrored left to right"),
        (lambda image: 255 - image, "Other colours hardly disturb it"),
        (lambda image: image[[2, 1, 0]], "Other colours hardly disturb it"),
        (lambda image: image / 255, "whole numbers from 0 to 255"),
        (lambda image: torch.full_like(image, 90), "don't delete them"),
        (lambda image: image // 64 * 64, "that it was trained on"),
    ],
    "13.1": [
        ([8732 * 81, 400 * 81, 200], "count the background"),
        ([8732 * 80, 400, 200], "to each class separately"),
        ([8732, 32000, 200], "one score per class"),
    ],
    "13.2": [
        ([1, 0, 0, 1, 1], "in the order of the list"),
        ([0, 1, 0, 1, 1], "that was itself removed"),
        ([0, 1, 1, 1, 0], "not more than the threshold"),
        ([1, 1, 1, 1, 1], "Which boxes does it cross out"),
    ],
    "13.3": [
        (lambda b, s, c, t: keep(b, s, t), "the labels have no effect"),
        (moved_apart(lambda boxes: 1), "in pixels"),
        (moved_apart(lambda boxes: boxes.max() + 1), "no coordinate is negative"),
        (in_order_of_score, "in the order of the list"),
        (lambda b, s, c, t: keep(b, s, t).nonzero()[:, 0], "N times False"),
        (lambda b, s, c, t: torch.ones_like(c), "move the classes apart"),
    ],
    "13.4": [
        (torch.tensor([[60.0, 60, 190, 180], [98, 60, 228, 180]]), "look like pixels"),
        (torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.21, 0.2, 0.61, 0.6]]), "on the same object"),
        (torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.5, 0.2, 0.9, 0.6]]), "move the boxes a little"),
        (torch.tensor([[0.2, 0.2, 0.6, 0.6], [0.36, 0.2, 0.76, 0.6]]), "need not lie exactly"),
        ([0.2, 0.6], "two rows"),
    ],
    "13.5": [
        (lambda b, s, t: faded(b, s, t, lambda overlap: 0), "This is plain NMS"),
        (lambda b, s, t: faded(b, s, t, lambda o: 1 - o, again=False), "order of the old scores"),
        (lambda b, s, t: faded(b, s, t, lambda overlap: overlap), "does the opposite"),
        (lambda b, s, t: faded(b, s, 0.0, lambda o: 1 - o), "is taken out"),
        (lambda b, s, t: s[:1], "scores.clone()"),
    ],
    "13.6": [
        (lambda b, w, h: b * torch.tensor([w, h, w, h]), "undoes stretching"),
        (lambda b, w, h: unbordered(b, w, h, share=1.0), "You subtract the whole border"),
        (lambda b, w, h: unbordered(b, w, h, clip=False), "reach into the grey"),
        (lambda b, w, h: b * max(w, h), "How wide is the square"),
        (lambda b, w, h: b[:, :2], "with all boxes at once"),
    ],
    "18.1": [
        (20, "SSD300's number"),
        (21, "A wide one has a high twin"),
        (10, "You left out a map"),
        (ch18_truth.across(), "reach out of the picture"),
        (2, "Which sides"),
        (-1, "A number such as"),
    ],
    "18.2": [
        (lambda rows, cells, boxes: rows, "as they came"),
        (ch18_truth.shapes_first, "This is the way back"),
        (ch18_truth.columns_first, "run down the columns"),
        (lambda rows, cells, boxes: rows.flip(0), "which index changes slowest"),
        (lambda rows, cells, boxes: rows.view(boxes, -1), "reshape back"),
    ],
    "18.3": [
        ({"A": 1, "B": 2, "C": 3}, "Copy the names"),
        ("pictures", "Copy the names"),
        (dict(zip("ABC", sorted(ch18_truth.DIVISORS.values()), strict=True)), "equal sums"),
    ],
    "18.4": [
        (0.5, "leaves the picture as it is"),
        (5 / 6, "half of them"),
        (0.3, "How many orders"),
        (2, "A number such as"),
    ],
    "18.5": [
        (lambda logits, offsets: logits, "a tuple of two tensors"),
        (lambda logits, offsets: (logits, offsets), "largest in most rows"),
        (lambda logits, offsets: (logits.roll(1, dims=2), offsets), "shows a period"),
        (unpapered(back=False), "it goes the wrong way"),
        (unpapered(variances=(1, 1, 1, 1)), "the spread of the four columns"),
    ],
}


@cache
def _first_hint(id: str, number: int) -> str:
    """Return the first hint to a planted mistake, examined once for both tests."""
    answer, _ = PLANTED[id][number]
    answer = answer.make() if isinstance(answer, Later) else answer
    verdict = examine(find(id), answer)
    assert verdict.status == "failed", verdict.text
    assert "Must hold: " in verdict.text
    assert "Yours: " in verdict.text
    return " ".join(verdict.text.split()).split("Hint 1 of ")[1]


@pytest.mark.parametrize(
    ("id", "number", "words"),
    [
        pytest.param(id, number, words, id=f"{id}-{words}")
        for id, planted in PLANTED.items()
        for number, (_, words) in enumerate(planted)
    ],
)
def test_a_planted_mistake_gets_its_own_hint(id, number, words):
    assert words in _first_hint(id, number)


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.id)
def test_every_mistake_of_every_exercise_is_planted(exercise):
    hints = [_first_hint(exercise.id, number) for number in range(len(PLANTED[exercise.id]))]
    for mistake in exercise.mistakes:
        assert any(mistake.hint in hint for hint in hints), f"nobody makes it: {mistake.hint}"


class Unspeakable:
    def __repr__(self):
        raise RuntimeError


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError


def raises_it(*args):
    raise UnspeakableError


ENDLESS = []
ENDLESS.append(ENDLESS)
VALUES = [
    "text", b"", 1j, float("nan"), float("inf"), -(10**400), [], {}, {1: 2}, set(), [[1], [2, 3]],
    torch.empty(0), torch.full((2, 4), float("nan")), torch.ones(5, dtype=torch.bool),
    torch.eye(3).to_sparse(), object(), Unspeakable(), ENDLESS, ValueError(), int,
]  # fmt: skip
FUNCTIONS = [lambda value=value: value for value in VALUES] + [
    lambda *args: "text",
    lambda *args: torch.tensor(float("nan")),
    lambda *args: torch.zeros(1, 1, 1, 1),
    lambda *args: args,
    lambda *args: args[0],
    lambda *args: Unspeakable(),
    lambda *args: ENDLESS,
    raises_it,
]


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.id)
def test_no_odd_answer_raises_or_passes(exercise):
    for answer in VALUES + FUNCTIONS:
        verdict = examine(exercise, answer)
        assert verdict.status != "passed"
        assert exercise.id in verdict.text
