"""What JavaScript and Python both compute, and what the package answers to a case.

The package runs in float64 here, as JavaScript does, so all decisions must be equal. Only
`make_priors` has no float64: there the bound is the rounding of float32. (In training the package
runs in float32. If a small object lies inside several equal priors, which overlap it equally,
rounding decides, and an explorer may name a different one than Python does.)
"""

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any, NamedTuple

import torch
from ssd_book.receptive import View, field_box, nearest_cell
from ssd_book.roi import bin_spans, region_cells, roi_align, roi_pool
from torch import Tensor
from torch.nn import functional as F

from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import area, cxcywh_to_xyxy, decode, encode, iou, xyxy_to_cxcywh
from ssd_tutorial.detect import Detections, nms, postprocess
from ssd_tutorial.evaluate import GroundTruth, voc_ap
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import PRESETS
from ssd_tutorial.priors import (
    boxes_per_cell,
    cell_centres,
    cell_shapes,
    locate,
    make_priors,
    num_priors,
    priors_per_map,
)
from ssd_tutorial.scales import compute_scales
from ssd_tutorial.targets import Targets, make_targets
from tests.parity.cases import (
    Case,
    double,
    draw_ap,
    draw_decoding,
    draw_encoding,
    draw_impossible,
    draw_loss,
    draw_matching,
    draw_mining,
    draw_multibox,
    draw_nms,
    draw_output,
    draw_pair,
    draw_preset,
    draw_priors,
    draw_region,
    draw_view,
    from_json,
)


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


# --- scales and priors ----------------------------------------------------------------------------


def answer_scales(question: dict[str, Any]) -> Answer:
    return Answer(values=compute_scales(from_json(question["preset"])))


def answer_priors(question: dict[str, Any]) -> Answer:
    preset = from_json(question["preset"])
    counts = [boxes_per_cell(preset), priors_per_map(preset), num_priors(preset)]
    values = []
    for k in range(len(preset.maps)):
        values += [cell_shapes(preset, k).flatten(), cell_centres(preset, k)]
    values.append(make_priors(preset).flatten())
    return Answer([*counts, list(locate(preset, question["index"]))], torch.cat(values).double())


# --- boxes ----------------------------------------------------------------------------------------


def answer_pair(question: dict[str, Any]) -> Answer:
    a, b = double([question["a"]]), double([question["b"]])
    other = xyxy_to_cxcywh(a)
    numbers = [iou(a, b), iou(b, a), area(a), other, cxcywh_to_xyxy(other)]
    values = torch.cat([x.flatten() for x in numbers])
    return Answer(centres_inside(a, b[0]).tolist(), values)


def answer_view(question: dict[str, Any]) -> Answer:
    view = View(**question["view"])
    row, column = nearest_cell(view, question["place"])
    return Answer([row, column], field_box(view, row, column, question["head"]))


def answer_region(question: dict[str, Any]) -> Answer:
    region, stride, bins = (question[name] for name in ("region", "stride", "bins"))
    left, top, right, bottom = cells = region_cells(region, stride)
    spans = [bin_spans(left, right, bins), bin_spans(top, bottom, bins)]
    grid = double([question["grid"]])
    cut = [one(grid, region, stride, bins).flatten() for one in (roi_pool, roi_align)]
    return Answer([cells, [[list(span) for span in side] for side in spans]], torch.cat(cut))


def answer_impossible(question: dict[str, Any]) -> Answer:
    make_targets([double([question["box"]])], [torch.tensor([1])], 2)
    return Answer(["accepted"])


# --- matching -------------------------------------------------------------------------------------


@cache
def table(name: str) -> Tensor:
    return make_priors(PRESETS[name]).double()


def _targets(boxes: list, labels: list[int]) -> Targets:
    """Return the objects of one image in float64, padded if there is none."""
    padding = int(not boxes)
    corners = double([*boxes, *[[0.0] * 4] * padding])
    return Targets(corners[None], torch.tensor([[*labels, *[0] * padding]]))


def answer_matching(question: dict[str, Any]) -> Answer:
    name, boxes = question.get("table"), question["boxes"]
    priors = table(name) if name else double(question["priors"])
    targets = _targets(boxes, [1] * len(boxes))
    result = match(priors, targets, question["threshold"], question["rule"])
    shown = (result.positive[0] | (not name)).nonzero()[:, 0]
    decisions = torch.stack([shown, result.ground_truth[0, shown]], dim=1)
    return Answer(decisions.tolist(), result.iou[0, shown])


# --- mining, offsets, loss ------------------------------------------------------------------------


def answer_mining(question: dict[str, Any]) -> Answer:
    """Return the chosen losses and indices; if losses tie, only their number: topk may take any."""
    losses = question["losses"]
    mask = hard_negatives(double([losses]), torch.tensor([question["positive"]]), question["ratio"])
    chosen = sorted(mask[0].nonzero()[:, 0].tolist(), key=lambda i: -losses[i])
    distinct = len(set(losses)) == len(losses)
    return Answer([[losses[i] for i in chosen], chosen if distinct else len(chosen)])


def answer_encoding(question: dict[str, Any]) -> Answer:
    box, prior = double(question["box"]), double(question["prior"])
    return Answer(values=encode(box, prior, question["variances"]))


def answer_decoding(question: dict[str, Any]) -> Answer:
    offsets, prior = double(question["offsets"]), double(question["prior"])
    box = decode(offsets, prior, question["variances"])
    return Answer(values=torch.cat([box, box.clamp(0, 1)]))


def answer_loss(question: dict[str, Any]) -> Answer:
    x, logits = double(question["x"]), double(question["logits"])
    smooth = F.smooth_l1_loss(x, torch.zeros_like(x))
    entropy = F.cross_entropy(logits, torch.tensor(question["label"]))
    return Answer(values=torch.cat([smooth[None], entropy[None], logits.softmax(dim=0)]))


def answer_multibox(question: dict[str, Any]) -> Answer:
    """Return the loss, which the package sums in float32, of the matching in float64."""
    priors, targets = double(question["priors"]), _targets(question["boxes"], question["labels"])
    logits, offsets = (double([question[name]]) for name in ("logits", "offsets"))
    loss = multibox_loss(
        logits,
        offsets,
        targets,
        priors,
        matches=match(priors, targets),
        negative_ratio=question["ratio"],
        variances=question["variances"],
    )
    values = torch.stack([loss.total, loss.confidence, loss.localization]).double()
    return Answer([int(loss.num_positives), "as many negatives as wanted"], values)


# --- detecting and evaluation ---------------------------------------------------------------------


def answer_nms(question: dict[str, Any]) -> Answer:
    """Return the package's survivors; a suppressor is the first survivor above the threshold."""
    boxes = double(question["boxes"]).reshape(-1, 4)
    survives = nms(boxes, torch.ones(len(boxes), dtype=torch.bool), question["threshold"])
    beats = (iou(boxes, boxes) > question["threshold"]) & survives[:, None]
    first = beats.int().argmax(dim=0) if len(boxes) else survives.long()
    return Answer(first.masked_fill(survives, -1).tolist())


def answer_output(question: dict[str, Any]) -> Answer:
    logits, offsets = (double([question[name]]) for name in ("logits", "offsets"))
    names = ("score_threshold", "iou_threshold", "candidates_per_class", "detections_per_image")
    limits = {name: question[name] for name in (*names, "variances")}
    (found,) = postprocess(logits, offsets, double(question["priors"]), **limits)
    values = torch.cat([found.scores[:, None], found.boxes], dim=1).double().flatten()
    return Answer([found.labels.tolist(), "every suppressor is better and overlaps"], values)


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
    Quantity("receptive field", draw_view, answer_view, "receptive field"),
    Quantity("RoI pooling, RoIAlign", draw_region, answer_region, "region"),
    Quantity("boxes refused", draw_impossible, answer_impossible, "impossible boxes"),
    Quantity("matching, bipartite", draw_matching("bipartite"), answer_matching, "matching"),
    Quantity("matching, argmax", draw_matching("argmax"), answer_matching, "matching"),
    Quantity("mining order", draw_mining, answer_mining, "mining"),
    Quantity("encode", draw_encoding, answer_encoding, "encoding"),
    Quantity("decode", draw_decoding, answer_decoding, "decoding"),
    Quantity("smooth L1, cross-entropy, softmax", draw_loss, answer_loss, "loss"),
    Quantity("MultiBox loss", draw_multibox, answer_multibox, "MultiBox loss", bound=1e-5),
    Quantity("NMS", draw_nms, answer_nms, "NMS"),
    Quantity("post-processing", draw_output, answer_output, "post-processing", bound=1e-5),
    Quantity("AP, 11 points and area", draw_ap, answer_ap, "AP"),
)
