"""The core maths against plain loops, and with numbers that nobody should pass.

Where two values differ by less than float32 rounds, the order is free; such cases are left out.
"""

import math
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor

from ssd_tutorial.boxes import decode, encode, iou, xyxy_to_cxcywh
from ssd_tutorial.detect import Detections, nms, postprocess
from ssd_tutorial.evaluate import GroundTruth, coco_ap, voc_ap
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.presets import VARIANCES
from ssd_tutorial.targets import make_targets
from tests.fuzz import plain
from tests.fuzz.runner import Fault, Refused, answer

NEAR = 1e-5
POISON = (math.nan, math.inf, -math.inf)


def case(rng: Random, folder: Path) -> Any:
    """Try one function, chosen at random."""
    torch.manual_seed(rng.getrandbits(40))
    return rng.choice([boxes, suppression, detections, matching, losses, precision, poisoned])(rng)


def draw_boxes(rng: Random, count: int, grid: int = 0) -> Tensor:
    """Draw boxes xyxy in [0, 1], float32; on a grid some are equal, others only touch."""

    def side() -> tuple[float, float]:
        if grid:
            low = rng.randrange(grid)
            return low / grid, rng.randint(low + 1, grid) / grid
        low = rng.uniform(0, 0.95)
        return low, rng.uniform(low + 0.02, 1)

    pairs = [(side(), side()) for _ in range(count)]
    return torch.tensor([[x[0], y[0], x[1], y[1]] for x, y in pairs]).reshape(-1, 4)


def close(values: list[float], *others: float) -> bool:
    """Return whether rounding could change the order of the values, or put one past another."""
    ranked = sorted([*values, *others])
    return any(b - a < NEAR for a, b in pairwise(ranked))


def same(got: list[float], right: list[float], what: str, tolerance: float = 1e-4) -> None:
    """Compare numbers, relative where they are above 1."""
    apart = [
        (a, b)
        for a, b in zip(got, right, strict=True)
        if not (abs(a - b) <= tolerance * max(1, abs(b)) or (math.isnan(a) and math.isnan(b)))
    ]
    if apart:
        raise Fault(f"{what} differs from plain loops: {apart[0][0]} instead of {apart[0][1]}")


def boxes(rng: Random) -> None:
    grid = rng.choice([0, 4])
    a, b = (draw_boxes(rng, rng.randrange(6), grid).double() for _ in range(2))
    right = [plain.iou(x, y) for x in a.tolist() for y in b.tolist()]
    same(iou(a, b).flatten().tolist(), right, "iou", 1e-9)
    unit = 10.0 ** rng.choice([-15, -6, 0, 3, 15])
    same(iou(unit * a.float(), unit * b.float()).flatten().tolist(), right, "iou of another unit")
    priors = xyxy_to_cxcywh(draw_boxes(rng, len(a)).double())
    offsets = encode(a, priors)
    pairs = list(zip(a.tolist(), priors.tolist(), strict=True))
    right = [x for box, prior in pairs for x in plain.encode(box, prior, VARIANCES)]
    same(offsets.flatten().tolist(), right, "encode", 1e-9)
    same(decode(offsets, priors).flatten().tolist(), a.flatten().tolist(), "decode", 1e-9)


def suppression(rng: Random) -> None:
    count, threshold = rng.choice([0, 1, 5, 17, 40]), rng.choice([0.0, 0.25, 0.45, 0.9, 1.0])
    given = draw_boxes(rng, count, rng.choice([0, 0, 5])).double()
    overlaps = iou(given, given).flatten().tolist()
    if any(abs(x - threshold) < 1e-9 and x % 0.25 for x in overlaps):
        return
    got = nms(given[None], torch.ones(1, count, dtype=torch.bool), threshold)[0]
    right = plain.nms(given.tolist(), threshold)
    if got.nonzero()[:, 0].tolist() != right:
        raise Fault(f"nms differs from plain loops: {got.nonzero()[:, 0].tolist()}, not {right}")


def draw_output(rng: Random) -> tuple[Tensor, Tensor, Tensor]:
    """Draw logits [B, P, C], offsets [B, P, 4] and priors [P, 4] cxcywh."""
    batch, count, classes = rng.choice([1, 2, 3]), rng.choice([1, 4, 20, 40]), rng.choice([2, 3, 6])
    logits = torch.randn(batch, count, classes) * rng.choice([0.5, 2, 8])
    offsets = torch.randn(batch, count, 4) * rng.choice([0, 1, 6])
    if rng.random() < 0.3:
        logits = logits.mT.contiguous().mT
    return logits, offsets, xyxy_to_cxcywh(draw_boxes(rng, count))


def limits(rng: Random) -> dict:
    return {
        "score_threshold": rng.choice([0.01, 0.2, 0.5]),
        "iou_threshold": rng.choice([0.3, 0.45, 0.9]),
        "candidates_per_class": rng.choice([1, 5, 400]),
        "detections_per_image": rng.choice([1, 7, 200]),
    }


def detections(rng: Random) -> None:
    output, chosen = draw_output(rng), limits(rng)
    compare_detections(postprocess(*output, **chosen), output, chosen)


def compare_detections(found: list[Detections], output: tuple, chosen: dict) -> None:
    """Compare with plain loops; scores alone, since equal ones may come in any order."""
    logits, offsets, priors = output
    for one, *image in zip(found, logits.tolist(), offsets.tolist(), strict=True):
        scores = [s for row in image[0] for s in plain.softmax(row)[1:]]
        if close(scores, chosen["score_threshold"]):
            continue
        right = plain.detections(*image, priors.tolist(), VARIANCES, *chosen.values())
        if len(one.scores) != len(right):
            raise Fault(f"postprocess differs: {len(one.scores)} detections, not {len(right)}")
        same(one.scores.tolist(), [s for s, _, _ in right], "a score", 1e-5)
        if one.labels.tolist() != [label for _, label, _ in right]:
            raise Fault("postprocess differs: other labels")
        same(one.boxes.flatten().tolist(), [x for *_, box in right for x in box], "a box", 1e-3)


def draw_truths(rng: Random, batch: int, classes: int) -> tuple[list[Tensor], list[Tensor]]:
    its = [draw_boxes(rng, rng.choice([0, 1, 2, 5, 9])) for _ in range(batch)]
    return its, [torch.randint(1, classes, (len(one),)) for one in its]


def matching(rng: Random) -> list[list[int]] | None:
    priors = xyxy_to_cxcywh(draw_boxes(rng, rng.choice([1, 3, 20, 50])))
    its, labels = draw_truths(rng, rng.choice([1, 2, 4]), 4)
    threshold, method = rng.choice([0.1, 0.3, 0.5]), rng.choice(["bipartite", "argmax"])
    right = []
    for one in its:
        pairs = [plain.iou(b, plain.corners(p)) for b in one.tolist() for p in priors.tolist()]
        if close([x for x in pairs if x], threshold):
            return
        right.append(plain.match(one.tolist(), priors.tolist(), threshold, method))
    got = match(priors, make_targets(its, labels, 4), threshold, method).ground_truth.tolist()
    if got != right:
        raise Fault(f"match ({method}, {threshold}) differs from plain loops: {got}, not {right}")


def losses(rng: Random) -> None:
    logits, offsets, priors = draw_output(rng)
    its, labels = draw_truths(rng, len(logits), logits.shape[2])
    targets, ratio = make_targets(its, labels, logits.shape[2]), rng.choice([0, 1, 3, 3.5, 100])
    logits.requires_grad_()
    offsets.requires_grad_()
    found = multibox_loss(logits, offsets, targets, priors, negative_ratio=ratio)
    found.total.backward()
    if not (logits.grad.isfinite().all() and offsets.grad.isfinite().all()):
        raise Fault("a gradient of finite inputs is not finite")
    owners = match(priors, targets).ground_truth.tolist()
    truths = [(b.tolist(), t.tolist()) for b, t in zip(its, labels, strict=True)]
    args = (logits.tolist(), offsets.tolist(), truths, priors.tolist(), owners, VARIANCES, ratio)
    same([found.confidence.item(), found.localization.item()], [*plain.loss(*args)], "loss", 1e-3)


def draw_evaluation(rng: Random) -> tuple[list[Detections], list[GroundTruth], list[str]]:
    classes, found, truths = ["a", "b", "c"][: rng.choice([1, 2, 3])], [], []
    for _ in range(rng.choice([1, 2, 5])):
        its = draw_boxes(rng, rng.choice([0, 1, 3, 8]), rng.choice([0, 4]))
        labels = torch.randint(1, len(classes) + 1, (len(its),))
        truths.append(GroundTruth(its, labels, torch.rand(len(its)) < 0.25))
        boxes = draw_boxes(rng, rng.choice([0, 1, 6, 14]))
        for row in range(len(boxes)):
            if len(its) and rng.random() < 0.6:
                boxes[row] = its[rng.randrange(len(its))] + rng.choice([0, 0, 0.004])
        scores = torch.rand(len(boxes))
        if rng.random() < 0.4:
            scores = (scores * 4).ceil() / 4
        scores = scores.sort(descending=True).values
        found.append(Detections(boxes, scores, torch.randint(1, len(classes) + 1, (len(boxes),))))
    return found, truths, classes


def precision(rng: Random) -> None:
    found, truths, classes = draw_evaluation(rng)
    threshold, rule = rng.choice([0.1, 0.5, 0.75]), rng.choice(["area", "11 points"])
    got = voc_ap(found, truths, classes, iou_threshold=threshold, interpolation=rule)
    right = []
    for label in range(1, len(classes) + 1):
        images = []
        for one in found:
            rows = zip(one.scores.tolist(), one.boxes.tolist(), one.labels.tolist(), strict=True)
            images.append([(score, box) for score, box, of in rows if of == label])
        there = []
        for one in truths:
            rows = zip(one.boxes.tolist(), one.difficult.tolist(), one.labels.tolist(), strict=True)
            there.append([(box, hard) for box, hard, of in rows if of == label])
        overlaps = [
            plain.iou(box, its)
            for a, b in zip(images, there, strict=True)
            for _, box in a
            for its, _ in b
        ]
        if any(abs(x - threshold) < NEAR for x in overlaps):
            return
        right.append(plain.voc_ap(images, there, threshold, rule == "11 points"))
    same([*got.ap.values()], right, "voc_ap", 1e-9)
    strict = coco_ap(found, truths, classes)
    perfect = [Detections(t.boxes, torch.ones(len(t.labels)), t.labels) for t in truths]
    best = coco_ap(perfect, truths, classes)
    for name in classes:
        if not (math.isnan(strict.ap[name]) or 0 <= strict.ap[name] <= best.ap[name] + 1e-9):
            raise Fault(f"coco_ap {strict.ap[name]} is above that of the truth, {best.ap[name]}")


# --- what nobody should pass ---------------------------------------------------------------------


def poison(rng: Random, tensor: Tensor) -> tuple[Tensor, Any]:
    """Return a copy with one number that is not finite, and its place."""
    place = tuple(rng.randrange(side) for side in tensor.shape)
    tensor = tensor.clone()
    tensor[place] = rng.choice(POISON)
    return tensor, place


def poisoned(rng: Random) -> Any:
    return rng.choice([poisoned_output, poisoned_truths, poisoned_evaluation, wrong_settings])(rng)


def poisoned_output(rng: Random) -> Any:
    """Refused, or every other prior keeps its detections."""
    logits, offsets, priors = draw_output(rng)
    chosen = limits(rng) | {"candidates_per_class": 400, "detections_per_image": 200}
    if rng.random() < 0.5:
        logits, (image, prior, _) = poison(rng, logits)
    else:
        offsets, (image, prior, _) = poison(rng, offsets)
    got = answer(lambda: postprocess(logits, offsets, priors, **chosen))
    if isinstance(got, Refused):
        return got
    if not all(one.boxes.isfinite().all() and one.scores.isfinite().all() for one in got):
        raise Fault("postprocess of a NaN or an infinity returns one")
    others = [p for p in range(len(priors)) if p != prior]
    for i, one in enumerate(got):
        rest = others if i == image else range(len(priors))
        args = [[x[i][p] for p in rest] for x in (logits.tolist(), offsets.tolist())]
        scores = [s for row in args[0] for s in plain.softmax(row)[1:]]
        right = plain.detections(
            *args, [priors.tolist()[p] for p in rest], VARIANCES, *chosen.values()
        )
        if not close(scores, chosen["score_threshold"]) and len(right) - len(one.scores) > 1:
            raise Fault(f"one bad prior leaves {len(one.scores)} detections of {len(right)}")
    return got


def poisoned_truths(rng: Random) -> Any:
    its, labels = draw_truths(rng, 2, 4)
    if not len(its[0]):
        its[0], labels[0] = draw_boxes(rng, 1), torch.tensor([1])
    names = [f"image {i}" for i in range(2)]
    kind = rng.randrange(6)
    if kind == 0:
        its[0], _ = poison(rng, its[0])
    elif kind == 1:
        its[0] = its[0][:, [2, 1, 0, 3]]
    elif kind == 2:
        its[0] = its[0] * 300
    elif kind == 3:
        labels[0][rng.randrange(len(labels[0]))] = rng.choice([0, -1, 4, 99])
    elif kind == 4:
        labels[0] = rng.choice([labels[0].float(), labels[0][:-1], labels[0][:, None]])
    else:
        its[0] = rng.choice([its[0].long(), its[0][:, :3], its[0][0], its[0][None]])
    got = answer(lambda: make_targets(its, labels, 4), "image 0", *names)
    if not isinstance(got, Refused):
        raise Fault(f"make_targets takes impossible ground truths (kind {kind})")
    return got


def poisoned_evaluation(rng: Random) -> Any:
    found, truths, classes = draw_evaluation(rng)
    image = rng.randrange(len(found))
    kind = rng.choice(["score", "box", "truth", "label", "float label", "twice", "word", "none"])
    one, truth = found[image], truths[image]
    box, label = torch.tensor([[0.1, 0.1, 0.5, 0.5]]), torch.tensor([1])
    if not len(one.labels):
        one = Detections(box, torch.tensor([0.5]), label)
    if not len(truth.labels):
        truth = GroundTruth(box, label, torch.tensor([False]))
    if kind == "score":
        one = one._replace(scores=poison(rng, one.scores)[0])
    elif kind == "box":
        one = one._replace(boxes=poison(rng, one.boxes)[0])
    elif kind == "truth":
        truth = truth._replace(boxes=poison(rng, truth.boxes)[0])
    elif kind == "label":
        one.labels[0] = rng.choice([0, -1, len(classes) + 1])
    elif kind == "float label":
        one = one._replace(labels=one.labels + 0.5)
    elif kind == "twice":
        classes = [*classes, classes[0]]
    elif kind == "word":
        classes = "".join(classes)
        if len(classes) == 1:
            return None
    else:
        one = one._replace(scores=one.scores[:-1])
    found[image], truths[image] = one, truth
    function = rng.choice([voc_ap, coco_ap])
    got = answer(lambda: function(found, truths, classes))
    if not isinstance(got, Refused):
        raise Fault(f"{function.__name__} takes what is impossible ({kind})")
    return got


def wrong_settings(rng: Random) -> Any:
    """Settings that cannot be: every one is refused."""
    bad = rng.choice([math.nan, -0.1, 1.5, 45.0, math.inf])
    logits, offsets, priors = output = draw_output(rng)
    found, truths, classes = draw_evaluation(rng)
    targets = make_targets(*draw_truths(rng, len(logits), 2), 2)
    name, call = rng.choice(
        [
            ("score_threshold", lambda: postprocess(*output, score_threshold=bad)),
            ("iou_threshold", lambda: postprocess(*output, iou_threshold=bad)),
            ("detections_per_image", lambda: postprocess(*output, detections_per_image=-1)),
            ("candidates_per_class", lambda: postprocess(*output, candidates_per_class=-3)),
            ("offsets", lambda: postprocess(logits, offsets[:, :-1], priors)),
            ("logits", lambda: postprocess(logits[0], offsets, priors)),
            ("match's threshold", lambda: match(priors, targets, bad)),
            ("match's priors", lambda: match(priors[0], targets)),
            ("voc_ap's threshold", lambda: voc_ap(found, truths, classes, iou_threshold=bad)),
            ("coco_ap's thresholds", lambda: coco_ap(found, truths, classes, iou_thresholds=[bad])),
            ("coco_ap's no threshold", lambda: coco_ap(found, truths, classes, iou_thresholds=[])),
            ("max_detections", lambda: coco_ap(found, truths, classes, max_detections=-1)),
            ("interpolation", lambda: voc_ap(found, truths, classes, interpolation="points")),
            ("loss's logits", lambda: multibox_loss(logits[..., 0], offsets, targets, priors)),
            ("loss's offsets", lambda: multibox_loss(logits, offsets[..., :3], targets, priors)),
        ]
    )
    got = answer(call)
    if not isinstance(got, Refused):
        raise Fault(f"{name} takes what is impossible")
    return got
