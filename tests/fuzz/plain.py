"""SSD's arithmetic once more, on lists and with one loop after another: slow, and easy to check.

Boxes are lists of four floats, xyxy; nothing here uses the package.
"""

import math


def iou(a: list[float], b: list[float]) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = [max(x[2] - x[0], 0) * max(x[3] - x[1], 0) for x in (a, b)]
    return width * height / (sum(areas) - width * height)


def corners(prior: list[float]) -> list[float]:
    x, y, w, h = prior
    return [x - w / 2, y - h / 2, x + w / 2, y + h / 2]


def encode(box: list[float], prior: list[float], variances: tuple[float, ...]) -> list[float]:
    x, y, w, h = prior
    shift = ((box[0] + box[2]) / 2 - x) / w, ((box[1] + box[3]) / 2 - y) / h
    growth = math.log((box[2] - box[0]) / w), math.log((box[3] - box[1]) / h)
    return [value / v for value, v in zip((*shift, *growth), variances, strict=True)]


def decode(offsets: list[float], prior: list[float], variances: tuple[float, ...]) -> list[float]:
    dx, dy, dw, dh = (offset * v for offset, v in zip(offsets, variances, strict=True))
    x, y, w, h = prior
    return corners([x + dx * w, y + dy * h, w * math.exp(dw), h * math.exp(dh)])


def softmax(logits: list[float]) -> list[float]:
    powers = [math.exp(x - max(logits)) for x in logits]
    return [p / sum(powers) for p in powers]


def nms(boxes: list[list[float]], threshold: float) -> list[int]:
    """Return the survivors of boxes that are sorted, best first."""
    kept: list[int] = []
    for i, box in enumerate(boxes):
        if all(iou(box, boxes[j]) <= threshold for j in kept):
            kept.append(i)
    return kept


def detections(
    logits: list[list[float]],
    offsets: list[list[float]],
    priors: list[list[float]],
    variances: tuple[float, ...],
    score: float,
    threshold: float,
    per_class: int,
    per_image: int,
) -> list[tuple[float, int, list[float]]]:
    """Return (score, label, box) of one image, best first."""
    scores = [softmax(row) for row in logits]
    boxes = [decode(o, p, variances) for o, p in zip(offsets, priors, strict=True)]
    boxes = [[min(max(x, 0.0), 1.0) for x in box] for box in boxes]
    found = []
    for label in range(1, len(scores[0]) if scores else 0):
        order = [i for i in range(len(priors)) if scores[i][label] > score]
        order.sort(key=lambda i: -scores[i][label])
        order = order[:per_class]
        kept = nms([boxes[i] for i in order], threshold)
        found += [(scores[order[k]][label], label, boxes[order[k]]) for k in kept]
    return sorted(found, key=lambda one: -one[0])[:per_image]


def match(
    boxes: list[list[float]], priors: list[list[float]], threshold: float, method: str
) -> list[int]:
    """Return for each prior of one image the ground truth that it is matched to, or -1."""
    overlap = [[iou(box, corners(prior)) for prior in priors] for box in boxes]
    matched = [-1] * len(priors)
    for p in range(len(priors)):
        best = max(range(len(boxes)), key=lambda g: overlap[g][p], default=None)
        if best is not None and overlap[best][p] >= threshold:
            matched[p] = best
    if method == "argmax":
        for g, row in enumerate(overlap):
            best = max(range(len(priors)), key=row.__getitem__)
            if row[best] > 0:
                matched[best] = g
        return matched
    pairs = [(row[p], g, p) for g, row in enumerate(overlap) for p in range(len(priors)) if row[p]]
    served, used = set(), set()
    for _, g, p in sorted(pairs, key=lambda pair: -pair[0]):
        if g not in served and p not in used:
            matched[p] = g
            served.add(g)
            used.add(p)
    return matched


def loss(
    logits: list[list[list[float]]],
    offsets: list[list[list[float]]],
    truths: list[tuple[list[list[float]], list[int]]],
    priors: list[list[float]],
    matched: list[list[int]],
    variances: tuple[float, ...],
    ratio: float,
) -> tuple[float, float]:
    """Return confidence and localization of a batch, already divided by N."""
    confidence = localization = 0.0
    positives = 0
    for rows, moves, (boxes, labels), owners in zip(logits, offsets, truths, matched, strict=True):
        wrong = [-math.log(max(softmax(row)[0], 1e-300)) for row in rows]
        negatives = [p for p, g in enumerate(owners) if g < 0]
        negatives.sort(key=lambda p: -wrong[p])
        here = len(owners) - len(negatives)
        confidence += sum(wrong[p] for p in negatives[: int(ratio * here)])
        positives += here
        for p, g in enumerate(owners):
            if g < 0:
                continue
            confidence -= math.log(max(softmax(rows[p])[labels[g]], 1e-300))
            for a, b in zip(moves[p], encode(boxes[g], priors[p], variances), strict=True):
                d = abs(a - b)
                localization += 0.5 * d * d if d < 1 else d - 0.5
    n = max(positives, 1)
    return confidence / n, localization / n


def voc_ap(
    found: list[list[tuple[float, list[float]]]],
    truths: list[list[tuple[list[float], bool]]],
    threshold: float,
    eleven: bool,
) -> float:
    """Return one class's AP from (score, box) and (box, difficult) of each image; NaN for none."""
    total = sum(not difficult for image in truths for _, difficult in image)
    if not total:
        return math.nan
    ranked = [(s, i, box) for i, image in enumerate(found) for s, box in image]
    ranked.sort(key=lambda one: -one[0])  # stable, so image by image among equals
    taken, hits, curve, seen = set(), 0, [], 0
    for _, i, box in ranked:
        overlaps = [iou(box, there) for there, _ in truths[i]]
        best = max(range(len(overlaps)), key=overlaps.__getitem__, default=None)
        if best is not None and overlaps[best] >= threshold:
            if truths[i][best][1]:
                continue
            hits += (i, best) not in taken
            taken.add((i, best))
        seen += 1
        curve.append((hits / total, hits / seen))
    if eleven:
        return sum(max((p for r, p in curve if r >= k / 10), default=0) for k in range(11)) / 11
    area = before = 0.0
    for k, (recall, _) in enumerate(curve):
        area += (recall - before) * max(p for _, p in curve[k:])
        before = recall
    return area
