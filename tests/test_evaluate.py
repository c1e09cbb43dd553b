"""Average precision: by hand, against a loop that follows VOC's kit, and against pycocotools."""

import contextlib
import io
import math
import re

import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ssd_tutorial import evaluate
from ssd_tutorial.boxes import iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.evaluate import COCO_SIZES, COCO_THRESHOLDS, GroundTruth, coco_ap, voc_ap

CLASSES = ("cat", "dog", "owl")
HERE, THERE, NOWHERE = [0, 0, 10, 10], [50, 50, 70, 90], [200, 200, 230, 220]


def truth(*rows, labels=None, difficult=None):
    return GroundTruth(
        torch.tensor(rows, dtype=torch.float32).view(-1, 4),
        torch.tensor(labels or [1] * len(rows), dtype=torch.int64),
        torch.tensor(difficult or [False] * len(rows), dtype=torch.bool),
    )


def found(*rows, scores=None, labels=None):
    scores = scores or [1 - i / 100 for i in range(len(rows))]
    return Detections(
        torch.tensor(rows, dtype=torch.float32).view(-1, 4),
        torch.tensor(scores, dtype=torch.float32),
        torch.tensor(labels or [1] * len(rows), dtype=torch.int64),
    )


def both(detections, truths, **kwargs):
    """Return (AP by area, AP by 11 points) of the first class."""
    return tuple(
        voc_ap(detections, truths, CLASSES, interpolation=rule, **kwargs).ap["cat"]
        for rule in ("area", "11 points")
    )


def draw(seed, images=12, classes=3, size=400):
    """Draw ground truths, and detections near them, doubled, elsewhere, or of another class.

    Integer pixels, so that IoUs at a threshold are exact; few scores, so that some are equal.
    """
    rng = np.random.default_rng(seed)
    truths, detections = [], []
    for _ in range(images):
        n = int(rng.integers(0, 7))
        side = np.exp(rng.uniform(np.log(8), np.log(size * 0.7), (n, 2)))
        low = rng.uniform(0, size - side)
        boxes = np.concatenate([low, low + side], 1).round()
        labels = rng.integers(1, classes + 1, n)
        truths.append(
            GroundTruth(
                torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
                torch.tensor(labels),
                torch.tensor(rng.random(n) < 0.2),
            )
        )
        guesses, names = [np.zeros((0, 4))], [np.zeros(0, dtype=np.int64)]
        for box, label in zip(boxes, labels, strict=True):
            for _ in range(int(rng.integers(0, 4))):
                width = np.tile(box[2:] - box[:2], 2)
                guesses.append((box + 0.15 * rng.normal(size=4) * width).round()[None])
                names.append(np.array([label if rng.random() < 0.85 else 1 + label % classes]))
        for _ in range(int(rng.integers(0, 4))):
            corner = rng.integers(0, size - 50, 2)
            guesses.append(np.concatenate([corner, corner + rng.integers(5, 50, 2)])[None])
            names.append(rng.integers(1, classes + 1, 1))
        boxes, labels = np.concatenate(guesses), np.concatenate(names)
        good = (boxes[:, 2:] > boxes[:, :2]).all(1)
        scores = (rng.integers(1, 40, len(boxes)) / 40)[good]
        order = np.argsort(-scores, kind="stable")
        detections.append(
            Detections(
                torch.tensor(boxes[good][order], dtype=torch.float32).view(-1, 4),
                torch.tensor(scores[order], dtype=torch.float32),
                torch.tensor(labels[good][order]),
            )
        )
    return detections, truths


# --- by hand -------------------------------------------------------------------------------------


def test_finding_every_object_gives_ap_1():
    assert both([found(HERE, THERE)], [truth(HERE, THERE)]) == (1, 1)
    assert coco_ap([found(HERE, THERE)], [truth(HERE, THERE)], CLASSES).ap["cat"] == 1


def test_nothing_found_is_0_and_nothing_to_find_is_nan():
    assert both([found()], [truth(HERE)]) == (0, 0)
    result = voc_ap([found(NOWHERE)], [truth(HERE, labels=[2])], CLASSES)
    assert math.isnan(result.ap["cat"])
    assert result.ap["dog"] == 0
    assert result.objects == {"cat": 0, "dog": 1, "owl": 0}
    assert result.mean_ap == 0  # over the classes with something to find
    assert math.isnan(voc_ap([found(HERE)], [truth()], CLASSES).mean_ap)


def test_a_miss_between_two_hits_costs_as_worked_by_hand():
    """Precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1: area 1/2 * 1 + 1/2 * 2/3."""
    area, points = both([found(HERE, NOWHERE, THERE)], [truth(HERE, THERE)])
    assert area == pytest.approx(1 / 2 + 1 / 3)
    assert points == pytest.approx((6 * 1 + 5 * 2 / 3) / 11)  # recalls 0 .. .5, then .6 .. 1


def test_miss_first_costs_more():
    area, points = both([found(NOWHERE, HERE, THERE)], [truth(HERE, THERE)])
    assert area == pytest.approx(2 / 3)  # the envelope lifts 1/2 at recall 1/2 to 2/3
    assert points == pytest.approx(2 / 3)


def test_finding_half_of_the_objects_gives_half_the_area():
    area, points = both([found(HERE)], [truth(HERE, THERE)])
    assert area == pytest.approx(1 / 2)
    assert points == pytest.approx(6 / 11)


@pytest.mark.parametrize("hits", range(11))
def test_rounding_loses_none_of_the_eleven_points(hits):
    """Three of ten reach recall 0.3: rounding must not lose a point (0.3 < 3 * 0.1)."""
    rows = [[20 * i, 0, 20 * i + 10, 10] for i in range(10)]
    _, points = both([found(*rows[:hits])], [truth(*rows)])
    assert points == pytest.approx((hits + 1) / 11 if hits else 0)


def test_a_second_detection_of_the_same_object_is_wrong():
    area, _ = both([found(HERE, HERE, THERE)], [truth(HERE, THERE)])
    assert area == pytest.approx(1 / 2 + 1 / 3)


def test_detections_are_ranked_over_all_images():
    """The second image's miss comes between the hits, by its score."""
    detections = [found(HERE, THERE, scores=[0.9, 0.3]), found(NOWHERE, scores=[0.5])]
    area, _ = both(detections, [truth(HERE, THERE), truth()])
    assert area == pytest.approx(1 / 2 + 1 / 3)
    assert both(detections[::-1], [truth(), truth(HERE, THERE)])[0] == area


def test_unsorted_detections_are_sorted():
    rows, scores = [NOWHERE, HERE, THERE], [0.1, 0.9, 0.8]
    assert both([found(*rows, scores=scores)], [truth(HERE, THERE)])[0] == 1


def test_an_iou_at_the_threshold_is_enough():
    half = [found([0, 0, 10, 5])]
    assert both(half, [truth(HERE)])[0] == 1
    assert both(half, [truth(HERE)], iou_threshold=0.51)[0] == 0
    assert coco_ap(half, [truth(HERE)], CLASSES, iou_thresholds=[0.5]).ap["cat"] == 1


def test_a_detection_counts_for_its_own_class_only():
    result = voc_ap([found(HERE, labels=[2])], [truth(HERE, THERE, labels=[1, 2])], CLASSES)
    assert (result.ap["cat"], result.ap["dog"]) == (0, 0)


def test_difficult_objects_are_neither_hits_nor_misses():
    hard = truth(HERE, THERE, difficult=[False, True])
    for detections in ([found(HERE)], [found(THERE, HERE)], [found(THERE, THERE, THERE, HERE)]):
        assert both(detections, [hard]) == (1, 1)
    assert voc_ap([found(HERE)], [hard], CLASSES).objects["cat"] == 1
    easy = truth(HERE, THERE)
    assert both([found(THERE, THERE, HERE)], [easy])[0] < 1
    assert math.isnan(voc_ap([found(THERE)], [truth(THERE, difficult=[True])], CLASSES).ap["cat"])


def test_voc_gives_a_detection_to_its_best_object_and_coco_to_the_best_that_is_free():
    """Two objects overlap; two detections fit the first best, and the second well."""
    one, other = [0, 0, 10, 10], [0, 0, 10, 8]
    truths = [truth(one, other)]
    twice = [found(one, [0, 0, 10, 10])]
    assert voc_ap(twice, truths, CLASSES).ap["cat"] == pytest.approx(1 / 2)
    assert coco_ap(twice, truths, CLASSES, iou_thresholds=[0.5]).ap["cat"] == 1


def test_coco_prefers_an_object_that_counts_to_a_better_one_that_does_not():
    truths = [truth([0, 0, 10, 10], [0, 0, 10, 8], difficult=[True, False])]
    detections = [found([0, 0, 10, 10])]
    got = coco_ap(detections, truths, CLASSES, iou_thresholds=[0.5])
    assert got.ap["cat"] == 1
    check_coco(got, pycocotools(detections, truths)[:1, ..., 0, 0])
    assert voc_ap(detections, truths, CLASSES).ap["cat"] == 0  # there the find is set aside


def test_an_object_counts_in_its_own_size_only():
    """A small object is found, a large one is missed."""
    small, large = [0, 0, 20, 20], [100, 100, 300, 300]
    truths, detections = [truth(small, large)], [found(small)]
    got = {
        name: voc_ap(detections, truths, CLASSES, size=size) for name, size in COCO_SIZES.items()
    }
    assert {name: result.objects["cat"] for name, result in got.items()} == {
        "small": 1,
        "medium": 0,
        "large": 1,
    }
    assert got["small"].ap["cat"] == 1
    assert math.isnan(got["medium"].ap["cat"])
    assert got["large"].ap["cat"] == 0  # the small find does not count against the large


def test_the_curve_has_recall_precision_and_score_of_each_detection():
    result = voc_ap([found(HERE, NOWHERE, THERE)], [truth(HERE, THERE)], CLASSES)
    curve = result.curves["cat"]
    np.testing.assert_allclose(curve.recall, [1 / 2, 1 / 2, 1])
    np.testing.assert_allclose(curve.precision, [1, 1 / 2, 2 / 3])
    np.testing.assert_allclose(curve.scores, [1, 0.99, 0.98])


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
def test_ap_does_not_depend_on_the_unit_of_boxes(rule):
    detections, truths = draw(3)
    scaled = [d._replace(boxes=d.boxes / 512) for d in detections]  # exact in binary
    want = rule(detections, truths, CLASSES).ap
    assert rule(scaled, [t._replace(boxes=t.boxes / 512) for t in truths], CLASSES).ap == want


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
def test_ap_does_not_depend_on_the_order_of_an_images_detections(rule):
    detections, truths = draw(4)
    detections = [d._replace(scores=torch.linspace(0.9, 0.1, len(d.scores))) for d in detections]
    want = rule(detections, truths, CLASSES).ap
    reverse = [Detections(*(x.flip(0) for x in d)) for d in detections]
    assert rule(reverse, truths, CLASSES).ap == want
    assert 0 < want["cat"] < 1


@pytest.mark.parametrize(("difficult", "ap"), [([False, True], 1), ([True, False], 0)])
def test_voc_takes_the_first_of_two_equal_objects(difficult, ap):
    truths = [truth(HERE, HERE, difficult=difficult)]
    assert voc_ap([found(HERE)], truths, CLASSES).ap["cat"] == ap


# --- VOC against a loop that follows its kit -----------------------------------------------------


def slow_voc(detections, truths, label, threshold, eleven_points):
    """Evaluate one class as VOCevaldet does: detection by detection, with lists."""
    ranked = sorted(
        (
            (-d.scores[i].item(), image, d.boxes[i])
            for image, d in enumerate(detections)
            for i in range(len(d.scores))
            if d.labels[i] == label
        ),
        key=lambda one: one[0],
    )
    wanted = [t.boxes[t.labels == label] for t in truths]
    hard = [t.difficult[t.labels == label].tolist() for t in truths]
    seen = [[False] * len(boxes) for boxes in wanted]
    total = sum(not h for image in hard for h in image)
    hits = misses = 0
    recall, precision = [], []
    for _, image, box in ranked:
        overlaps = iou(box[None], wanted[image])[0].tolist()
        best = max(overlaps, default=-1)
        if best >= threshold:
            truth_index = overlaps.index(best)
            if hard[image][truth_index]:
                continue
            if seen[image][truth_index]:
                misses += 1
            else:
                hits += 1
                seen[image][truth_index] = True
        else:
            misses += 1
        recall.append(hits / total if total else 0)
        precision.append(hits / (hits + misses))
    if total == 0:
        return math.nan
    if eleven_points:
        best = [
            max((p for p, r in zip(precision, recall, strict=True) if r >= t / 10), default=0)
            for t in range(11)
        ]
        return sum(best) / 11
    area, before = 0.0, 0.0
    for i, r in enumerate(recall):
        area += (r - before) * max(precision[i:])
        before = r
    return area


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("threshold", [0.5, 0.75])
def test_voc_equals_a_loop(seed, threshold):
    detections, truths = draw(seed)
    for rule in ("area", "11 points"):
        got = voc_ap(detections, truths, CLASSES, iou_threshold=threshold, interpolation=rule).ap
        want = [
            slow_voc(detections, truths, label, threshold, rule == "11 points")
            for label in (1, 2, 3)
        ]
        assert list(got.values()) == pytest.approx(want, nan_ok=True)
        assert 0 < np.nanmean(want) < 1


# --- COCO against pycocotools --------------------------------------------------------------------


def pycocotools(detections, truths, max_detections=100):
    """Return COCOeval's precision ``[T, R, K, A, M]``: thresholds, recalls, classes, sizes, limits.

    What is difficult is a crowd there.
    """
    annotations, results = [], []
    for image, t in enumerate(truths, start=1):
        for box, label, hard in zip(t.boxes.tolist(), t.labels.tolist(), t.difficult, strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": label,
                    "bbox": [x, y, w, h],
                    "area": w * h,
                    "iscrowd": int(hard),
                }
            )
    for image, d in enumerate(detections, start=1):
        rows = zip(d.boxes.tolist(), d.scores.tolist(), d.labels.tolist(), strict=True)
        for (x0, y0, x1, y1), score, label in rows:
            results.append(
                {
                    "image_id": image,
                    "category_id": label,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "score": score,
                }
            )
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": i + 1} for i in range(len(truths))],
            "categories": [{"id": i + 1, "name": name} for i, name in enumerate(CLASSES)],
            "annotations": annotations,
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "bbox")
        evaluation.params.maxDets = [max_detections]
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"]
    return np.where(precision < 0, np.nan, precision)


def check_coco(result, precision):
    """Compare `result` with ``[T, R, K]`` of pycocotools, class by class."""
    want = precision.mean(axis=(0, 1))
    assert list(result.ap.values()) == pytest.approx(want.tolist(), nan_ok=True, abs=1e-12)
    assert result.mean_ap == pytest.approx(np.nanmean(want), abs=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_coco_equals_pycocotools(seed):
    detections, truths = draw(seed)
    want = pycocotools(detections, truths)
    check_coco(coco_ap(detections, truths, CLASSES), want[..., 0, 0])
    for t, threshold in ((0, 0.5), (5, 0.75)):
        one = coco_ap(detections, truths, CLASSES, iou_thresholds=[threshold])
        check_coco(one, want[t : t + 1, ..., 0, 0])
    for a, size in enumerate(COCO_SIZES.values(), start=1):
        check_coco(coco_ap(detections, truths, CLASSES, size=size), want[..., a, 0])
    assert 0 < np.nanmean(want) < 1


def test_coco_sets_aside_every_detection_in_a_crowd():
    """A crowd is never taken, and what counts is the share of the detection that lies inside."""
    crowd, person = [0, 0, 100, 100], [200, 0, 220, 40]
    in_crowd = [[10, 10, 20, 30], [40, 40, 50, 60], [90, 90, 112, 108]]  # the last: 25 % inside
    truths = [truth(person, crowd, difficult=[False, True])]
    for rows, ap in ((in_crowd[:2], 1), (in_crowd, 0.5)):
        detections = [found(*rows, person)]
        got = coco_ap(detections, truths, CLASSES)
        check_coco(got, pycocotools(detections, truths)[..., 0, 0])
        assert got.ap["cat"] == pytest.approx(ap)
        assert got.objects["cat"] == 1


def test_coco_sets_aside_a_detection_of_no_area_in_no_crowd():
    truths = [truth(HERE, [20, 20, 40, 40], difficult=[False, True])]
    got = coco_ap([found([30, 30, 30, 30], HERE)], truths, CLASSES, iou_thresholds=[0.5])
    assert got.ap["cat"] == pytest.approx(0.5)


def test_coco_limits_detections_per_class_and_image():
    detections, truths = draw(1)
    want = pycocotools(detections, truths, max_detections=2)
    check_coco(coco_ap(detections, truths, CLASSES, max_detections=2), want[..., 0, 0])
    assert coco_ap(detections, truths, CLASSES).mean_ap > np.nanmean(want[..., 0, 0])


@pytest.mark.parametrize(("better", "ap"), [(99, 0.01), (100, 0)])
def test_coco_counts_100_detections_by_default(better, ap):
    detections = [found(*[NOWHERE] * better, HERE, scores=[0.9] * better + [0.5])]
    assert coco_ap(detections, [truth(HERE)], CLASSES).ap["cat"] == pytest.approx(ap)


def test_thresholds_and_sizes_are_cocos():
    assert COCO_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    assert COCO_SIZES == {"small": (0, 1024), "medium": (1024, 9216), "large": (9216, 1e10)}


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
def test_lists_and_labels_that_do_not_match_are_refused(rule):
    with pytest.raises(ValueError, match="detections of 2 images but ground truths of 1"):
        rule([found(), found()], [truth()], CLASSES)
    for label in (0, 4):
        with pytest.raises(
            ValueError, match=rf"image 1: a detection has label {label}, but.*1 \.\. 3"
        ):
            rule([found(), found(HERE, labels=[label])], [truth(), truth()], CLASSES)
        with pytest.raises(ValueError, match=rf"image 0: a ground truth has label {label}"):
            rule([found()], [truth(HERE, labels=[label])], CLASSES)
    with pytest.raises(ValueError, match="^there is no image to evaluate$"):
        rule([], [], CLASSES)


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(rule, value):
    """One NaN box would be everybody's nearest; a NaN score would rank somewhere."""
    good = truth(HERE, THERE)
    box = [0, 0, value, 10]
    with pytest.raises(ValueError, match="image 1: a ground truth has box .*not finite"):
        rule([found(), found(HERE)], [truth(), truth(HERE, box)], CLASSES)
    with pytest.raises(ValueError, match="image 1: a detection has box .*not finite"):
        rule([found(), found(box)], [truth(), good], CLASSES)
    with pytest.raises(ValueError, match=f"image 0: a detection has box .* value {value}: not fin"):
        rule([found(HERE, THERE, scores=[value, 0.5])], [good], CLASSES)


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
def test_inverted_boxes_are_refused_and_boxes_without_area_are_not(rule):
    with pytest.raises(ValueError, match="image 0: a ground truth has box .*xmax < xmin"):
        rule([found(HERE)], [truth([10, 0, 0, 10])], CLASSES)
    assert rule([found([5, 0, 5, 10], HERE)], [truth(HERE)], CLASSES).ap["cat"] == 0.5


@pytest.mark.parametrize("bad", [[7, 0, 3, 10], [7, 0, math.nan, 10]])
def test_the_one_box_that_is_wrong_is_named(bad):
    good = truth(HERE, THERE)
    with pytest.raises(ValueError, match=r"image 1: a detection has box \[7\.0, 0\.0, .*"):
        voc_ap([found(HERE), found(THERE, bad, HERE)], [good, good], CLASSES)


@pytest.mark.parametrize("rule", [voc_ap, coco_ap])
def test_shapes_and_types_that_do_not_fit(rule):
    d, t = found(HERE, THERE), truth(HERE, THERE)
    for broken in (
        d._replace(labels=d.labels + 0.5),
        d._replace(labels=d.labels[:1]),
        d._replace(scores=d.scores[:, None]),
        d._replace(boxes=d.boxes[:, :3]),
    ):
        shapes = [list(x.shape) for x in (broken.boxes, broken.labels, broken.scores)]
        why = rf"image 1: boxes, labels .* of a detection must be .*, not {re.escape(str(shapes))}"
        with pytest.raises(ValueError, match=why):
            rule([d, broken], [t, t], CLASSES)
    with pytest.raises(ValueError, match="image 0: boxes.*ground truth.*torch.bool"):
        rule([d], [t._replace(labels=t.labels > 0)], CLASSES)


@pytest.mark.parametrize("classes", ["cat", ("cat", "cat"), ["cat", "dog", "cat"]])
def test_names_are_distinct_and_not_one_string(classes):
    with pytest.raises(ValueError, match="classes must be distinct names, not"):
        voc_ap([found(HERE)], [truth(HERE)], classes)


@pytest.mark.parametrize("value", [0, -1, 50, 1.001, math.nan])
def test_thresholds_outside_0_to_1_are_refused(value):
    with pytest.raises(ValueError, match=r"IoU thresholds must be in \(0, 1\], not"):
        voc_ap([found(HERE)], [truth(HERE)], CLASSES, iou_threshold=value)
    with pytest.raises(ValueError, match=r"IoU thresholds must be in \(0, 1\], not"):
        coco_ap([found(HERE)], [truth(HERE)], CLASSES, iou_thresholds=[0.5, value])


@pytest.mark.parametrize("rule", [{"iou_threshold": 1}, {"size": (100, 100)}])
def test_limits_at_their_ends_are_accepted(rule):
    assert voc_ap([found(HERE)], [truth(HERE)], CLASSES, **rule).ap["cat"] == 1


def test_other_limits_that_cannot_be():
    with pytest.raises(ValueError, match="IoU thresholds.*not \\[\\]"):
        coco_ap([found(HERE)], [truth(HERE)], CLASSES, iou_thresholds=[])
    for value in (0, -1, 1.5, math.nan, math.inf):
        with pytest.raises(ValueError, match="max_detections must be a whole number from 1"):
            coco_ap([found(HERE)], [truth(HERE)], CLASSES, max_detections=value)
    for size in ((2, 1), (math.nan, 1)):
        with pytest.raises(ValueError, match="size must be a range"):
            voc_ap([found(HERE)], [truth(HERE)], CLASSES, size=size)


def test_detections_with_a_gradient_are_evaluated():
    d = found(HERE)
    d = d._replace(scores=d.scores.requires_grad_(), boxes=d.boxes.requires_grad_())
    assert voc_ap([d], [truth(HERE)], CLASSES).ap["cat"] == 1


def test_lists_side_by_side_do_not_know_of_each_other(monkeypatch):
    """The same result, whatever number of lists is matched at once."""
    detections, truths = draw(5, images=30)
    want = [voc_ap(detections, truths, CLASSES), coco_ap(detections, truths, CLASSES)]
    for block in (1, 7):
        monkeypatch.setattr(evaluate, "_BLOCK", block)
        assert voc_ap(detections, truths, CLASSES).ap == want[0].ap
        assert coco_ap(detections, truths, CLASSES).ap == want[1].ap


def test_an_unknown_interpolation_is_refused():
    with pytest.raises(ValueError, match="'area', '11 points'.*not '12 points'"):
        voc_ap([found()], [truth()], CLASSES, interpolation="12 points")


# --- COCO against torchmetrics -------------------------------------------------------------------


def test_coco_equals_torchmetrics():
    """The metric that PyTorch users know (without `difficult`, which it does not have)."""
    from torchmetrics.detection import MeanAveragePrecision

    detections, truths = draw(2)
    truths = [t._replace(difficult=torch.zeros_like(t.difficult)) for t in truths]
    metric = MeanAveragePrecision(  # its own lists are rounded to single precision
        iou_thresholds=list(COCO_THRESHOLDS), rec_thresholds=np.linspace(0, 1, 101).tolist()
    )
    metric.update(
        [d._asdict() for d in detections],
        [{"boxes": t.boxes, "labels": t.labels} for t in truths],
    )
    want = metric.compute()
    assert coco_ap(detections, truths, CLASSES).mean_ap == pytest.approx(
        want["map"].item(), abs=1e-6
    )
    for threshold in (50, 75):
        got = coco_ap(detections, truths, CLASSES, iou_thresholds=[threshold / 100])
        assert got.mean_ap == pytest.approx(want[f"map_{threshold}"].item(), abs=1e-6)
    for name, size in COCO_SIZES.items():
        got = coco_ap(detections, truths, CLASSES, size=size)
        assert got.mean_ap == pytest.approx(want[f"map_{name}"].item(), abs=1e-6)
