"""What JavaScript and Python both compute: how a case is drawn, and what the package answers.

The package runs in float64 here, as JavaScript does, so that decisions must be equal to the last
one. Only `make_priors` has no float64: there the bound is the rounding of float32.
"""

from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from math import inf, nan
from random import Random
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_tutorial.augment.crop_rules import centres_inside
from ssd_tutorial.boxes import area, cxcywh_to_xyxy, decode, encode, iou, xyxy_to_cxcywh
from ssd_tutorial.detect import Detections, nms
from ssd_tutorial.evaluate import GroundTruth, voc_ap
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import PRESETS, FeatureMap, Preset, ScaleRule
from ssd_tutorial.priors import (
    boxes_per_cell,
    cell_centres,
    cell_shapes,
    locate,
    make_priors,
    num_priors,
    priors_per_map,
)
from ssd_tutorial.scales import scales
from ssd_tutorial.targets import Targets, make_targets
from tests.parity import drawing

TABLES = ("caffe300_voc", "naive_m6")  # whole sets of priors, for some cases of matching


class Case(NamedTuple):
    """One case: what JavaScript gets, and what is hostile about it."""

    question: dict[str, Any]
    hostile: set[str]


class Answer(NamedTuple):
    """What must be equal, and what may differ by the quantity's bound."""

    decisions: Any = None
    values: list[float] | Tensor = ()


class Quantity(NamedTuple):
    """One line of the table."""

    name: str
    draw: Callable[[Random, int], Case]
    """The case of a number; the first numbers may be fixed ones."""
    answer: Callable[[dict[str, Any]], Answer]
    """The package's, which raises `ValueError` or the like where it refuses."""
    function: str
    """The driver's."""
    bound: float = 1e-12


def double(numbers: Any) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64)


def from_json(preset: dict[str, Any]) -> Preset:
    maps = tuple(FeatureMap(**one) for one in preset["maps"])
    return Preset(**preset | {"maps": maps, "rule": ScaleRule(**preset["rule"])})


# --- scales and priors ----------------------------------------------------------------------------


def draw_preset(rng: Random, number: int) -> Case:
    """The package's presets first, then random ones; some have too few maps for the formula."""
    if number < len(PRESETS):
        preset, hostile = list(PRESETS.values())[number], set()
    else:
        preset, hostile = drawing.preset(rng)
        if rng.random() < 0.02:
            few = 1 if preset.rule.first is None else 2
            preset, hostile = preset.vary(maps=preset.maps[:few]), {"too few maps (refused)"}
    return Case({"preset": asdict(preset)}, hostile)


def answer_scales(question: dict[str, Any]) -> Answer:
    return Answer(values=scales(from_json(question["preset"])))


def draw_priors(rng: Random, number: int) -> Case:
    case = draw_preset(rng, number)
    count = num_priors(from_json(case.question["preset"]))
    index = rng.choice((0, count - 1, rng.randrange(count), rng.randrange(count), count, -1))
    outside = {"no such prior (refused)"} if not 0 <= index < count else set()
    if number < len(PRESETS):
        index, outside = count // 2, set()
    return Case(case.question | {"index": index}, case.hostile | outside)


def answer_priors(question: dict[str, Any]) -> Answer:
    preset = from_json(question["preset"])
    counts = [boxes_per_cell(preset), priors_per_map(preset), num_priors(preset)]
    values = []
    for k in range(len(preset.maps)):
        values += [cell_shapes(preset, k).flatten(), cell_centres(preset, k)]
    values.append(make_priors(preset).flatten())
    return Answer([*counts, list(locate(preset, question["index"]))], torch.cat(values).double())


# --- boxes ----------------------------------------------------------------------------------------


def draw_pair(rng: Random, number: int) -> Case:
    a = drawing.box(rng, grid := rng.random() < 0.5)
    b = drawing.box(rng, grid) if rng.random() < 0.5 else drawing.near(rng, a)
    if rng.random() < 0.1:
        b = list(a)
    hostile = drawing.kinds([a, b])
    if rng.random() < 0.05:
        a, hostile = [a[2], a[1], a[0], a[3]], hostile | {"inside out"}
    if rng.random() < 0.05:
        a, b = [1e-170 * x for x in a], [1e-170 * x for x in b]
        hostile |= {"area below the smallest number"}
    return Case({"a": a, "b": b}, hostile)


def answer_pair(question: dict[str, Any]) -> Answer:
    a, b = double([question["a"]]), double([question["b"]])
    other = xyxy_to_cxcywh(a)
    numbers = [iou(a, b), iou(b, a), area(a), other, cxcywh_to_xyxy(other)]
    values = torch.cat([x.flatten() for x in numbers])
    return Answer(centres_inside(a, b[0]).tolist(), values)


def draw_impossible(rng: Random, number: int) -> Case:
    box = drawing.box(rng, grid=True)
    hostile = drawing.kinds([box])
    if rng.random() < 0.5:
        box = [torch.tensor(rng.random()).item() for _ in range(4)]  # corners in any order
        hostile = {"inside out"} if box[2] <= box[0] or box[3] <= box[1] else set()
    if rng.random() < 0.3:
        box[rng.randrange(4)] = bad = rng.choice((nan, inf, -inf))
        hostile = {f"{bad} (refused)"}
    return Case({"box": box}, hostile)


def answer_impossible(question: dict[str, Any]) -> Answer:
    make_targets([double([question["box"]])], [torch.tensor([1])], 2)
    return Answer(["accepted"])


# --- matching -------------------------------------------------------------------------------------


@cache
def table(name: str) -> Tensor:
    return make_priors(PRESETS[name]).double()


def draw_matching(rule: str) -> Callable[[Random, int], Case]:
    def draw(rng: Random, number: int) -> Case:
        boxes = drawing.boxes(rng, 8)
        hostile = drawing.kinds(boxes)
        question = {"boxes": boxes, "rule": rule, "threshold": rng.choice(drawing.THRESHOLDS)}
        if number % 40 == 0:
            return Case(question | {"table": rng.choice(TABLES)}, hostile)
        chosen = [drawing.box(rng, grid) for grid in (rng.random() < 0.5,) for _ in range(30)]
        chosen = [one for one in chosen if one[2] > one[0] and one[3] > one[1]]
        chosen = rng.sample(chosen, rng.randint(1, len(chosen)))
        chosen += [list(box) for box in boxes if rng.random() < 0.2]  # a prior on the very spot
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


def answer_matching(question: dict[str, Any]) -> Answer:
    name, boxes = question.get("table"), double(question["boxes"]).reshape(-1, 4)
    priors = table(name) if name else double(question["priors"])
    padding = torch.zeros(int(not len(boxes)), 4, dtype=torch.float64)
    labels = torch.tensor([1] * len(boxes) + [0] * len(padding))
    targets = Targets(torch.cat([boxes, padding])[None], labels[None])
    result = match(priors, targets, question["threshold"], question["rule"])
    shown = (result.positive[0] | (not name)).nonzero()[:, 0]
    decisions = torch.stack([shown, result.ground_truth[0, shown]], dim=1)
    return Answer(decisions.tolist(), result.iou[0, shown])


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


def answer_mining(question: dict[str, Any]) -> Answer:
    """Where losses are equal, torch's topk may take any of them: then the losses are compared."""
    losses = question["losses"]
    mask = hard_negatives(double([losses]), torch.tensor([question["positive"]]), question["ratio"])
    chosen = sorted(mask[0].nonzero()[:, 0].tolist(), key=lambda i: -losses[i])
    distinct = len(set(losses)) == len(losses)
    return Answer([[losses[i] for i in chosen], chosen if distinct else len(chosen)])


def _variances(rng: Random) -> list[float]:
    return rng.choice(([0.1, 0.1, 0.2, 0.2], [1.0] * 4, [rng.uniform(0.05, 1) for _ in range(4)]))


def draw_encoding(rng: Random, number: int) -> Case:
    box, prior = (drawing.box(rng, rng.random() < 0.3) for _ in range(2))
    if rng.random() < 0.1:
        prior = list(box)
    while prior[2] <= prior[0] or prior[3] <= prior[1]:
        prior = drawing.box(rng, grid=False)
    question = {"box": box, "prior": xyxy_to_cxcywh(double(prior)).tolist()}
    return Case(question | {"variances": _variances(rng)}, drawing.kinds([box, prior]))


def answer_encoding(question: dict[str, Any]) -> Answer:
    box, prior = double(question["box"]), double(question["prior"])
    return Answer(values=encode(box, prior, question["variances"]))


def draw_decoding(rng: Random, number: int) -> Case:
    question = draw_encoding(rng, number).question
    spread, hostile = rng.choice(((1, set()), (1, set()), (8, {"wild offsets"}), (0, {"zeros"})))
    offsets = [rng.gauss(0, spread) for _ in range(4)]
    if rng.random() < 0.02:
        offsets[2], hostile = 1e5, {"overflow"}
    del question["box"]
    return Case(question | {"offsets": offsets}, hostile)


def answer_decoding(question: dict[str, Any]) -> Answer:
    offsets, prior = double(question["offsets"]), double(question["prior"])
    return Answer(values=decode(offsets, prior, question["variances"]))


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


def answer_loss(question: dict[str, Any]) -> Answer:
    x, logits = double(question["x"]), double(question["logits"])
    smooth = F.smooth_l1_loss(x, torch.zeros_like(x))
    entropy = F.cross_entropy(logits, torch.tensor(question["label"]))
    return Answer(values=torch.cat([smooth[None], entropy[None], logits.softmax(dim=0)]))


# --- detecting and evaluation ---------------------------------------------------------------------


def draw_nms(rng: Random, number: int) -> Case:
    boxes = drawing.boxes(rng, 12)
    if boxes and rng.random() < 0.5:  # a heap, as a detector leaves it
        boxes = [drawing.near(rng, rng.choice(boxes)) for _ in range(3 * len(boxes))]
    threshold, hostile = rng.choice(drawing.THRESHOLDS), drawing.kinds(boxes)
    if len(boxes) > 1 and (iou(double(boxes), double(boxes)) == threshold).any():
        hostile |= {"IoU at the threshold"}
    return Case({"boxes": boxes, "threshold": threshold}, hostile)


def answer_nms(question: dict[str, Any]) -> Answer:
    """The survivors are the package's; a suppressor is the first survivor above the threshold."""
    boxes = double(question["boxes"]).reshape(-1, 4)
    survives = nms(boxes, torch.ones(len(boxes), dtype=torch.bool), question["threshold"])
    beats = (iou(boxes, boxes) > question["threshold"]) & survives[:, None]
    first = beats.int().argmax(dim=0) if len(boxes) else survives.long()
    return Answer(first.masked_fill(survives, -1).tolist())


def draw_ap(rng: Random, number: int) -> Case:
    detections, truths, hostile = [], [], set()
    scores = rng.choice(([rng.random() for _ in range(60)], [0.9, 0.8, 0.5]))
    for image in range(rng.randint(1, 4)):
        here = drawing.boxes(rng, 4)
        hostile |= drawing.kinds(here)
        found = drawing.boxes(rng, 4) + [
            rng.choice((list, lambda box: drawing.near(rng, box)))(rng.choice(here))
            for _ in range(rng.randint(0, 6) if here else 0)
        ]
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
    threshold = rng.choice(drawing.THRESHOLDS)
    question = {"detections": detections, "truths": truths, "threshold": threshold}
    return Case(question | {"images": image + 1}, hostile)


def answer_ap(question: dict[str, Any]) -> Answer:
    found, truth = [], []
    for image in range(question["images"]):
        here = [one for one in question["detections"] if one["image"] == image]
        boxes = double([one["box"] for one in here]).reshape(-1, 4)
        scores = double([one["score"] for one in here])
        found.append(Detections(boxes, scores, torch.ones(len(here), dtype=torch.int64)))
        there = [one for one in question["truths"] if one["image"] == image]
        boxes = double([one["box"] for one in there]).reshape(-1, 4)
        difficult = torch.tensor([one["difficult"] for one in there], dtype=torch.bool)
        truth.append(GroundTruth(boxes, torch.ones(len(there), dtype=torch.int64), difficult))
    results = [
        voc_ap(
            found,
            truth,
            ["object"],
            iou_threshold=question["threshold"],
            interpolation=interpolation,
        )
        for interpolation in ("11 points", "area")
    ]
    curve, objects = results[0].curves["object"], results[0].objects["object"]
    decisions = [objects, *(x.tolist() for x in (curve.scores, curve.recall, curve.precision))]
    return Answer(decisions, [one.ap["object"] for one in results] if objects else [])


QUANTITIES = (
    Quantity("scales", draw_preset, answer_scales, "scales"),
    Quantity("priors", draw_priors, answer_priors, "priors", bound=3e-7),
    Quantity("IoU, area, formats, centre rule", draw_pair, answer_pair, "IoU"),
    Quantity("boxes refused", draw_impossible, answer_impossible, "impossible boxes"),
    Quantity("matching, bipartite", draw_matching("bipartite"), answer_matching, "matching"),
    Quantity("matching, argmax", draw_matching("argmax"), answer_matching, "matching"),
    Quantity("mining order", draw_mining, answer_mining, "mining"),
    Quantity("encode", draw_encoding, answer_encoding, "encoding"),
    Quantity("decode", draw_decoding, answer_decoding, "decoding"),
    Quantity("smooth L1, cross-entropy, softmax", draw_loss, answer_loss, "loss"),
    Quantity("NMS", draw_nms, answer_nms, "NMS"),
    Quantity("AP, 11 points and area", draw_ap, answer_ap, "AP"),
)
