"""Kinds of errors: by hand, and against the evaluation's own count of hits."""

import pytest
import torch

from ssd_tutorial.detect import Detections
from ssd_tutorial.doctor.detection_errors import KINDS, classify_errors, confusion, count_errors
from ssd_tutorial.evaluate import GroundTruth, voc_ap

A, B = (0.0, 0.0, 0.4, 0.4), (0.5, 0.5, 0.9, 0.9)
NEAR_A = (0.0, 0.0, 0.4, 0.36)  # IoU .9
HALF_A = (0.2, 0.0, 0.6, 0.4)  # IoU 1/3
FAR = (0.6, 0.0, 0.9, 0.3)


def found(*rows) -> Detections:
    boxes, scores, labels = zip(*rows, strict=True) if rows else ((), (), ())
    return Detections(
        torch.tensor(boxes).reshape(-1, 4), torch.tensor(scores), torch.tensor(labels).long()
    )


def truth(*rows) -> GroundTruth:
    boxes, labels, difficult = zip(*rows, strict=True) if rows else ((), (), ())
    return GroundTruth(
        torch.tensor(boxes).reshape(-1, 4),
        torch.tensor(labels).long(),
        torch.tensor(difficult).bool(),
    )


TRUTH = truth((A, 1, False), (B, 2, False))


@pytest.mark.parametrize(
    ("box", "label", "kind", "nearest"),
    [
        (A, 1, "true positive", 0),
        (NEAR_A, 1, "true positive", 0),
        (A, 2, "classification", 0),
        (HALF_A, 1, "localization", 0),
        (HALF_A, 2, "both", 0),
        (FAR, 1, "background", -1),
    ],
)
def test_each_kind_of_error_is_recognised(box, label, kind, nearest):
    (one,) = classify_errors([found((box, 0.9, label))], [TRUTH])
    assert one.kinds == (kind,)
    assert one.nearest.tolist() == [nearest]
    assert one.missed.tolist() == ([1] if kind == "true positive" else [0, 1])


def test_the_better_score_takes_the_object_and_the_other_is_a_duplicate():
    (one,) = classify_errors([found((A, 0.7, 1), (NEAR_A, 0.8, 1))], [TRUTH])
    assert one.kinds == ("true positive", "duplicate")
    assert one.found.scores.tolist() == pytest.approx([0.8, 0.7])
    assert one.missed.tolist() == [1]


def test_scores_under_the_threshold_are_not_classified():
    (one,) = classify_errors([found((A, 0.5, 1), (B, 0.49, 2))], [TRUTH])
    assert one.kinds == ("true positive",)
    assert one.missed.tolist() == [1]


def test_difficult_objects_are_neither_found_nor_missed():
    hard = truth((A, 1, True), (B, 2, False))
    (one,) = classify_errors([found((A, 0.9, 1), (A, 0.8, 2), (B, 0.7, 2))], [hard])
    assert one.kinds == ("true positive",)
    assert one.nearest.tolist() == [1]
    assert one.missed.tolist() == []


@pytest.mark.parametrize(("detections", "objects"), [(0, 2), (3, 0), (0, 0)])
def test_images_without_detections_or_objects_are_classified(detections, objects):
    rows = [(A, 0.9, 1)] * detections
    there = truth(*[(B, 2, False)] * objects)
    (one,) = classify_errors([found(*rows)], [there])
    assert one.kinds == ("background",) * detections
    assert len(one.missed) == objects


def test_true_positives_are_the_hits_of_the_evaluation():
    random = torch.Generator().manual_seed(16)

    def boxes(n):
        corner, size = torch.rand(2, n, 2, generator=random)
        return torch.cat([0.6 * corner, 0.6 * corner + 0.4 * size + 0.02], dim=1)

    def moved(there):
        low, high = (there + 0.03 * torch.randn(len(there), 4, generator=random)).chunk(2, dim=1)
        return torch.cat([low, torch.maximum(high, low + 0.01)], dim=1)

    truths, detections = [], []
    for _ in range(40):
        there, labels = boxes(6), torch.randint(1, 4, (6,), generator=random)
        truths.append(GroundTruth(there, labels, torch.rand(6, generator=random) < 0.2))
        near = torch.cat([moved(there), moved(there[:2]), boxes(5)])
        called = torch.randint(1, 4, (5,), generator=random)
        called = torch.cat([labels, labels[:2], called])
        detections.append(Detections(near, torch.rand(13, generator=random), called))
    errors = classify_errors(detections, truths, score_threshold=0.0)
    counts = count_errors(errors)
    curves = voc_ap(detections, truths, ("a", "b", "c")).curves.values()
    objects = sum(int((~t.difficult).sum()) for t in truths)
    hits = 0
    for name, curve in zip(("a", "b", "c"), curves, strict=True):
        label = "abc".index(name) + 1
        total = sum(int(((t.labels == label) & ~t.difficult).sum()) for t in truths)
        hits += round(curve.recall[-1] * total)
    assert counts["true positive"] == hits > 100
    assert counts["missed"] == objects - hits
    assert all(counts[kind] for kind in KINDS)
    table = confusion(errors, truths, 3)
    assert table.diagonal()[1:].sum() == hits
    false = ("localization", "both", "background")
    assert table[0].sum() == sum(counts[kind] for kind in false)


def test_confusion_agrees_with_a_case_worked_by_hand():
    detections = [found((A, 0.9, 2), (FAR, 0.8, 1)), found((B, 0.9, 2), (B, 0.8, 2))]
    table = confusion(classify_errors(detections, [TRUTH, TRUTH]), [TRUTH, TRUTH], 2)
    # Object A of the first image is called 2; B of the first and A of the second are missed.
    assert table.tolist() == [[0, 1, 0], [1, 0, 1], [1, 0, 1]]


def test_inputs_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="detections of 0 images but ground truths of 1"):
        classify_errors([], [TRUTH])
    with pytest.raises(ValueError, match=r"score_threshold must be in \[0, 1\], not 50"):
        classify_errors([found()], [TRUTH], score_threshold=50)
