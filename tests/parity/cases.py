"""Random cases: the questions to both JavaScript and the package, one function per quantity."""

from collections.abc import Callable
from dataclasses import asdict
from math import inf, nan
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import decode, iou, xyxy_to_cxcywh
from ssd_tutorial.presets import PRESETS, FeatureMap, Preset, ScaleRule
from ssd_tutorial.priors import num_priors
from tests.parity.drawing import THRESHOLDS, a_box, a_preset, kinds, near, some_boxes

TABLES = ("caffe300_voc", "naive_m6")  # whole sets of priors, for some cases of matching


class Case(NamedTuple):
    """One case: what JavaScript gets, and what is hostile about it."""

    question: dict[str, Any]
    hostile: set[str]


def double(numbers: Any) -> Tensor:
    """Return a float64 tensor."""
    return torch.tensor(numbers, dtype=torch.float64)


def from_json(preset: dict[str, Any]) -> Preset:
    """Return the preset that ``asdict`` turned into a dict."""
    maps = tuple(FeatureMap(**one) for one in preset["maps"])
    return Preset(**preset | {"maps": maps, "rule": ScaleRule(**preset["rule"])})


# --- scales and priors ----------------------------------------------------------------------------


def draw_preset(rng: Random, number: int) -> Case:
    """Draw the package's presets first, then random ones; some have too few maps to scale."""
    if number < len(PRESETS):
        preset, hostile = list(PRESETS.values())[number], set()
    else:
        preset, hostile = a_preset(rng)
        if rng.random() < 0.02:
            few = 1 if preset.rule.first is None else 2
            preset, hostile = (
                preset.vary(name="too few maps", maps=preset.maps[:few]),
                {"too few maps (refused)"},
            )
    return Case({"preset": asdict(preset)}, hostile)


def draw_priors(rng: Random, number: int) -> Case:
    case = draw_preset(rng, number)
    count = num_priors(from_json(case.question["preset"]))
    index = rng.choice((0, count - 1, rng.randrange(count), rng.randrange(count), count, -1))
    outside = {"no such prior (refused)"} if not 0 <= index < count else set()
    if number < len(PRESETS):
        index, outside = count // 2, set()
    return Case(case.question | {"index": index}, case.hostile | outside)


# --- boxes ----------------------------------------------------------------------------------------


def draw_pair(rng: Random, number: int) -> Case:
    a = a_box(rng, grid := rng.random() < 0.5)
    b = a_box(rng, grid) if rng.random() < 0.5 else near(rng, a)
    if rng.random() < 0.1:
        b = list(a)
    hostile = kinds([a, b])
    if rng.random() < 0.05:
        a, hostile = [a[2], a[1], a[0], a[3]], hostile | {"inverted"}
    if rng.random() < 0.05:
        a, b = [1e-170 * x for x in a], [1e-170 * x for x in b]
        hostile |= {"area below the smallest number"}
    return Case({"a": a, "b": b}, hostile)


def draw_view(rng: Random, number: int) -> Case:
    """Return a map's view of the picture, and a place, some of them outside."""
    stride = rng.choice([1, 2, 4, 8, 16, 32, 64, 128, 256])
    view = {
        "name": "map",
        "cells": rng.choice([1, 2, 3, 5, 10, 19, 38, 64]),
        "stride": stride,
        "field": rng.randrange(1, 2000),
        "centre": rng.choice([0.5, 4.0, 7.5, 8.0, 72.0, 136.0]),
    }
    outside = rng.random() < 0.2
    place = [rng.uniform(-900, 1200) if outside else rng.uniform(0, 300) for _ in range(2)]
    if on_edge := rng.random() < 0.2:  # as near to one cell as to the next
        place[0] = view["centre"] + (rng.randrange(view["cells"]) + 0.5) * stride
    hostile = ({"outside"} if outside else set()) | ({"between two cells"} if on_edge else set())
    return Case({"view": view, "place": place, "head": rng.random() < 0.5}, hostile)


def draw_region(rng: Random, number: int) -> Case:
    """Return a map with one channel and a region of the picture, some with edges between cells."""
    stride, bins = rng.choice([8, 16, 32]), rng.choice([1, 2, 3, 5, 7, 7, 7])
    height, width = (rng.choice([1, 2, 7, 14, 19]) for _ in range(2))
    hostile = set()

    def edges(cells: int) -> list[float]:
        if rng.random() < 0.2:
            hostile.add("edge between two cells")
            return sorted(rng.randrange(cells) * stride + stride / 2 for _ in range(2))
        if rng.random() < 0.1:
            hostile.add("thinner than a cell")
            at = rng.uniform(0, cells * stride - 1)
            return [at, at + rng.random()]
        if rng.random() < 0.2:
            hostile.add("to the border")
            return [rng.uniform(0, cells * stride), float(cells * stride)]
        return sorted(rng.uniform(0, cells * stride) for _ in range(2))

    (x0, x1), (y0, y1) = edges(width), edges(height)
    grid = [[rng.uniform(-1, 1) for _ in range(width)] for _ in range(height)]
    question = {"grid": grid, "region": [x0, y0, x1, y1], "stride": stride, "bins": bins}
    return Case(question, hostile)


def draw_impossible(rng: Random, number: int) -> Case:
    box = a_box(rng, grid=True)
    hostile = kinds([box])
    if rng.random() < 0.5:
        box = [torch.tensor(rng.random()).item() for _ in range(4)]  # corners in any order
        hostile = {"inverted"} if box[2] <= box[0] or box[3] <= box[1] else set()
    if rng.random() < 0.3:
        box[rng.randrange(4)] = bad = rng.choice((nan, inf, -inf))
        hostile = {f"{bad} (refused)"}
    return Case({"box": box}, hostile)


# --- matching -------------------------------------------------------------------------------------


def draw_matching(rule: str) -> Callable[[Random, int], Case]:
    def draw(rng: Random, number: int) -> Case:
        boxes = some_boxes(rng, 8)
        hostile = kinds(boxes)
        question = {"boxes": boxes, "rule": rule, "threshold": rng.choice(THRESHOLDS)}
        if number % 40 == 0:
            return Case(question | {"table": rng.choice(TABLES)}, hostile)
        chosen = [a_box(rng, grid) for grid in (rng.random() < 0.5,) for _ in range(30)]
        chosen = [one for one in chosen if one[2] > one[0] and one[3] > one[1]]
        chosen = rng.sample(chosen, rng.randint(1, len(chosen)))
        chosen += [list(box) for box in boxes if rng.random() < 0.2]  # a prior at the same place
        overlap = iou(double(boxes).reshape(-1, 4), double(chosen))
        if overlap.numel() and (overlap == question["threshold"]).any():
            hostile |= {"IoU at the threshold"}
        best = overlap.amax(dim=1, keepdim=True) if overlap.numel() else overlap
        if ((overlap == best) & (best > 0)).sum() > (best > 0).sum():
            hostile |= {"tie between priors"}
        if overlap.numel() and len(set(overlap.argmax(dim=1).tolist())) < len(boxes):
            hostile |= {"two want one prior"}
        return Case(question | {"priors": xyxy_to_cxcywh(double(chosen)).tolist()}, hostile)

    return draw


# --- mining, offsets, loss ------------------------------------------------------------------------


def draw_mining(rng: Random, number: int) -> Case:
    count, hostile = rng.randint(1, 200), set()
    losses = [rng.expovariate(1) for _ in range(count)]
    if rng.random() < 0.3:
        losses, hostile = [rng.randint(0, 5) / 4 for _ in losses], {"ties"}
    if rng.random() < 0.1:
        losses[rng.randrange(count)] = inf
        hostile |= {"infinite loss"}
    share = rng.choice((0, 0.02, 0.1, 0.5, 1))
    positive = [rng.random() < share for _ in losses]
    if not any(positive):
        hostile |= {"no positive"}
    if all(positive):
        hostile |= {"no negative"}
    ratio = rng.choice((3, 3, 1, 0, 2.9, rng.uniform(0, 10)))
    if rng.random() < 0.2:  # times the positives it is whole in float32, but not in float64
        ratio = rng.randint(1, 40) / max(1, sum(positive)) * (1 - 1e-12)
        hostile |= {"ratio at a whole number"}
    return Case({"losses": losses, "positive": positive, "ratio": ratio}, hostile)


def _variances(rng: Random) -> list[float]:
    return rng.choice(([0.1, 0.1, 0.2, 0.2], [1.0] * 4, [rng.uniform(0.05, 1) for _ in range(4)]))


def draw_encoding(rng: Random, number: int) -> Case:
    box, prior = (a_box(rng, rng.random() < 0.3) for _ in range(2))
    if rng.random() < 0.1:
        prior = list(box)
    while prior[2] <= prior[0] or prior[3] <= prior[1]:
        prior = a_box(rng, grid=False)
    question = {"box": box, "prior": xyxy_to_cxcywh(double(prior)).tolist()}
    return Case(question | {"variances": _variances(rng)}, kinds([box, prior]))


def draw_decoding(rng: Random, number: int) -> Case:
    question = draw_encoding(rng, number).question
    spread, hostile = rng.choice(((1, set()), (1, set()), (8, {"wild offsets"}), (0, {"zeros"})))
    offsets = [rng.gauss(0, spread) for _ in range(4)]
    if rng.random() < 0.02:
        offsets[2], hostile = 1e5, {"overflow"}
    del question["box"]
    return Case(question | {"offsets": offsets}, hostile)


def draw_loss(rng: Random, number: int) -> Case:
    x, hostile = rng.gauss(0, 2), set()
    if rng.random() < 0.1:
        x, hostile = rng.choice((-1.0, 0.0, 1.0)), {"where two pieces meet"}
    spread = rng.choice((2, 2, 2, 1000, 0))
    logits = [rng.gauss(0, spread) for _ in range(rng.randint(1, 21))]
    if spread == 1000:
        hostile |= {"huge scores"}
    if spread == 0 or len(logits) == 1:
        hostile |= {"equal scores"}
    return Case({"x": x, "logits": logits, "label": rng.randrange(len(logits))}, hostile)


def draw_multibox(rng: Random, number: int) -> Case:
    """Draw a picture's output and its objects; the scores of some are all background or equal."""
    boxes = [box for box in some_boxes(rng, 4) if box[2] > box[0] and box[3] > box[1]]
    priors = [a_box(rng, grid=False) for _ in range(rng.randint(1, 60))]
    priors += [near(rng, box) for box in boxes for _ in range(rng.randint(0, 3))]
    classes = rng.randint(2, 6)
    spread, hostile = rng.choice(((3, set()), (3, set()), (300, {"huge scores"}), (0, {"ties"})))
    if not boxes:
        hostile |= {"no positive"}
    if len(priors) < 4 * len(boxes):
        hostile |= {"few negatives"}
    question = {
        "logits": [[rng.gauss(0, spread) for _ in range(classes)] for _ in priors],
        "offsets": [[rng.gauss(0, rng.choice((1, 4))) for _ in range(4)] for _ in priors],
        "priors": xyxy_to_cxcywh(double(priors)).tolist(),
        "boxes": boxes,
        "labels": [rng.randrange(1, classes) for _ in boxes],
        "ratio": rng.choice((3, 3, 1, 0)),
        "variances": _variances(rng),
    }
    return Case(question, hostile)


# --- detecting and evaluation ---------------------------------------------------------------------


def draw_nms(rng: Random, number: int) -> Case:
    boxes = some_boxes(rng, 12)
    if boxes and rng.random() < 0.5:  # a cluster, as a detector leaves it
        boxes = [near(rng, rng.choice(boxes)) for _ in range(3 * len(boxes))]
    threshold, hostile = rng.choice(THRESHOLDS), kinds(boxes)
    if len(boxes) > 1 and (iou(double(boxes), double(boxes)) == threshold).any():
        hostile |= {"IoU at the threshold"}
    return Case({"boxes": boxes, "threshold": threshold}, hostile)


def draw_output(rng: Random, number: int) -> Case:
    """Draw a network's output whose decisions are not left to a rounding of float32."""
    while True:
        count, classes, hostile = rng.randint(1, 40), rng.randint(2, 6), set()
        priors = [a_box(rng, grid=False) for _ in range(count)]
        if rng.random() < 0.6:  # as a detector does it: many boxes on a few objects
            few = [a_box(rng, grid=False) for _ in range(rng.randint(1, 3))]
            priors, hostile = [near(rng, rng.choice(few)) for _ in priors], {"clusters"}
        spread = rng.choice((0.3, 0.3, 4))
        if spread > 1:
            hostile |= {"cut at the border"}
        limits = {
            "score_threshold": rng.choice((0.0, 0.01, 0.3, 0.5, 0.9)),
            "iou_threshold": rng.choice((0.0, 0.3, 0.45, 0.6, 1.0)),
            "candidates_per_class": rng.choice((400, 400, 3)),
            "detections_per_image": rng.choice((200, 200, 2)),
            "variances": _variances(rng),
        }
        question = limits | {
            "logits": [[rng.gauss(0, 3) for _ in range(classes)] for _ in range(count)],
            "offsets": [[rng.gauss(0, spread) for _ in range(4)] for _ in range(count)],
            "priors": xyxy_to_cxcywh(double(priors)).tolist(),
        }
        scores, boxes = _decoded(question)
        passing = (scores > limits["score_threshold"]).sum(dim=0)
        if (passing > limits["candidates_per_class"]).any():
            hostile |= {"more candidates than are taken"}
        if passing.sum() > limits["detections_per_image"]:
            hostile |= {"more detections than are taken"}
        if not passing.any():
            hostile |= {"nothing found"}
        if _is_clear(scores, boxes, limits):
            return Case(question, hostile)


def _decoded(question: dict) -> tuple[Tensor, Tensor]:
    """Return the scores ``[P, C - 1]`` and the boxes ``[P, 4]`` of a question."""
    priors, offsets = double(question["priors"]), double(question["offsets"])
    boxes = decode(offsets, priors, question["variances"]).clamp(0, 1)
    return double(question["logits"]).softmax(dim=1)[:, 1:], boxes


def _is_clear(scores: Tensor, boxes: Tensor, limits: dict) -> bool:
    """Return whether no score and no IoU lies at a threshold, and no two scores are equal."""
    margin = 1e-5
    apart = scores.flatten().sort().values.diff().abs()
    overlaps = iou(boxes, boxes).triu(1).flatten()
    overlaps = overlaps[overlaps > 0]  # boxes apart are so in any precision
    clear = [(scores - limits["score_threshold"]).abs() > margin, apart > 1e-6]
    if limits["iou_threshold"] < 1:  # which nothing is above
        clear.append((overlaps - limits["iou_threshold"]).abs() > margin)
    return all(bool(one.all()) for one in clear)


def draw_ap(rng: Random, number: int) -> Case:
    detections, truths, hostile = [], [], set()
    scores = rng.choice(([rng.random() for _ in range(60)], [0.9, 0.8, 0.5]))
    for image in range(rng.randint(1, 4)):
        here = some_boxes(rng, 4)
        hostile |= kinds(here)
        found = some_boxes(rng, 4) + [
            rng.choice((list, lambda box: near(rng, box)))(rng.choice(here))
            for _ in range(rng.randint(0, 6) if here else 0)
        ]
        # `voc_ap` refuses inverted boxes, which no explorer can hold
        here, found = (
            [b for b in boxes if b[0] <= b[2] and b[1] <= b[3]] for boxes in (here, found)
        )
        difficult = [rng.random() < 0.2 for _ in here]
        if any(difficult):
            hostile |= {"difficult"}
        for box in found:
            detections.append({"image": image, "box": box, "score": rng.choice(scores)})
        for box, flag in zip(here, difficult, strict=True):
            truths.append({"image": image, "box": box, "difficult": flag})
    if len({one["score"] for one in detections}) < len(detections):
        hostile |= {"equal scores"}
    if all(one["difficult"] for one in truths):
        hostile |= {"nothing to find"}
    threshold = rng.choice(THRESHOLDS)
    question = {"detections": detections, "truths": truths, "threshold": threshold}
    return Case(question | {"images": image + 1}, hostile)
