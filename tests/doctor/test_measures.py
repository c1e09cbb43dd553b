"""The measures of an evaluation, on detections made by hand, and the page that shows them."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from ssd_tutorial.detect import Detections
from ssd_tutorial.doctor.detection_errors import surest_errors
from ssd_tutorial.doctor.error_drawing import draw_confusion, draw_thresholds
from ssd_tutorial.doctor.measures import best_point, measure, pooled_curve, size_words
from ssd_tutorial.doctor.page import evaluation_page
from ssd_tutorial.evaluate import Curve, GroundTruth, voc_ap

CLASSES = ("cat", "dog", "owl")
A, B, C, D = [0, 0, 20, 20], [40, 0, 90, 50], [0, 100, 120, 220], [300, 0, 340, 40]
AWAY = [300, 300, 330, 330]


def image_of(objects, found):
    """Return one image's detections and ground truths: (box, label), (box, score, label)."""
    return (
        Detections(
            torch.tensor([box for box, _, _ in found], dtype=torch.float32).reshape(-1, 4),
            torch.tensor([score for _, score, _ in found], dtype=torch.float32),
            torch.tensor([label for _, _, label in found], dtype=torch.int64),
        ),
        GroundTruth(
            torch.tensor([box for box, _ in objects], dtype=torch.float32).reshape(-1, 4),
            torch.tensor([label for _, label in objects], dtype=torch.int64),
            torch.zeros(len(objects), dtype=torch.bool),
        ),
    )


@pytest.fixture(scope="module")
def hand_made():
    """Two images: three cats of which two are found, a dog that is called a cat, no owl."""
    first = image_of(
        [(A, 1), (B, 1), (C, 2)],
        [(A, 0.9, 1), (AWAY, 0.6, 1), (B, 0.5, 1), (C, 0.8, 1), (AWAY, 0.2, 1)],
    )
    second = image_of([(D, 1)], [(AWAY, 0.3, 3)])
    return [list(part) for part in zip(first, second, strict=True)]


def test_the_suggested_score_has_the_best_f1(hand_made):
    measures = measure(*hand_made, CLASSES)
    # cats by score: hit .9, false .8, false .6, hit .5, false .2; of 3 objects
    cat = measures.points["cat"]
    assert cat.threshold == pytest.approx(0.5)
    assert (cat.precision, cat.recall) == pytest.approx((2 / 4, 2 / 3))
    assert cat.f1 == pytest.approx(4 / 7)  # at .9: 2 / 4
    assert measures.points["dog"] is None
    assert measures.points["owl"] is None
    assert measures.class_table().rows == [
        ["cat", "3", f"{measures.voc.ap['cat']:.3f}", "0.50", "0.50", "0.67", "0.57"],
        ["dog", "1", "0.000", "–", "–", "–", "–"],
        ["owl", "0", "nan", "–", "–", "–", "–"],
    ]


def test_errors_and_confusion_are_those_at_the_suggested_scores(hand_made):
    measures = measure(*hand_made, CLASSES)
    assert measures.confusion.tolist() == [
        [0, 1, 0, 0],  # nothing is called a cat once: the one at .2 is below the score
        [1, 2, 0, 0],  # of three cats one is missed
        [0, 1, 0, 0],  # the dog is called a cat
        [0, 0, 0, 0],
    ]
    assert measures.to_dict()["errors"] == {
        "true positive": 2,
        "classification": 1,
        "localization": 0,
        "both": 0,
        "duplicate": 0,
        "background": 1,
        "missed": 2,
    }
    errors = surest_errors(measures.errors)
    assert [(e.kind, e.image, e.label) for e in errors] == [
        ("classification", 0, 1),
        ("background", 0, 1),
    ]
    assert [e.score for e in errors] == pytest.approx([0.8, 0.6])
    assert errors[0].box.tolist() == C


def test_sizes_are_told_in_pixels_and_counted(hand_made):
    measures = measure(*hand_made, CLASSES)
    result = json.loads(json.dumps(measures.to_dict(), allow_nan=False))
    assert result["objects_by_size"] == {"small": 1, "medium": 2, "large": 1}  # 20, 40 and 50, 120
    assert result["map50_by_size"]["small"] == pytest.approx(1.0)
    assert result["ap50"]["owl"] is None
    assert size_words("small") == "up to 32 x 32 px"
    assert size_words("medium") == "32 x 32 to 96 x 96 px"
    assert size_words("large") == "from 96 x 96 px"
    assert "mAP@0.5, medium objects: 32 x 32 to 96 x 96 px" in str(measures.summary_table())


def test_equal_scores_are_kept_together():
    curve = Curve(
        np.array([0.9, 0.5, 0.5, 0.4]),
        np.array([0.5, 1.0, 1.0, 1.0]),
        np.array([1.0, 1.0, 2 / 3, 2 / 4]),
    )
    point = best_point(curve)
    # .5 keeps three boxes, not the two that would be best
    assert point.threshold == 0.5
    assert point.precision == pytest.approx(2 / 3)
    assert point.f1 == pytest.approx(0.8)


def test_of_equal_f1_the_higher_score_is_suggested():
    curve = Curve(np.array([0.9, 0.4]), np.array([1.0, 1.0]), np.array([1.0, 1.0]))
    assert best_point(curve).threshold == 0.9
    nothing = Curve(np.zeros(0), np.zeros(0), np.zeros(0))
    assert best_point(nothing) is None
    assert best_point(Curve(np.array([0.9]), np.zeros(1), np.zeros(1))) is None


def test_the_pooled_curve_walks_down_the_scores_of_all_classes(hand_made):
    pooled = pooled_curve(voc_ap(*hand_made, CLASSES))
    assert pooled.scores.tolist() == pytest.approx([0.9, 0.8, 0.6, 0.5, 0.3, 0.2])
    assert pooled.recall.tolist() == pytest.approx([0.25, 0.25, 0.25, 0.5, 0.5, 0.5])  # of 4
    assert pooled.precision.tolist() == pytest.approx([1, 1 / 2, 1 / 3, 2 / 4, 2 / 5, 2 / 6])


# --- the page ------------------------------------------------------------------------------------


class Pictures(Dataset):
    """Three pictures; the second cannot be read, and so was left out."""

    def __init__(self, truths):
        self.truths = {0: truths[0], 2: truths[1]}

    def __getitem__(self, index):
        image = torch.full((3, 400, 400), 200, dtype=torch.uint8)
        truth = self.truths[index]
        target = {"boxes": truth.boxes, "labels": truth.labels, "name": f"<picture {index}>"}
        return image, target


def test_the_page_shows_every_measure_and_needs_nothing_else(hand_made):
    measures, open_before = measure(*hand_made, CLASSES), plt.get_fignums()
    html = evaluation_page(measures, Pictures(hand_made[1]), [0, 2], "w & <data>")
    assert "<h1>w &amp; &lt;data&gt;</h1>" in html
    for cell in ("0.57", "32 x 32 to 96 x 96 px", "suggested score"):
        assert cell in html
    assert html.count("<figure>") == 3 + 2  # curves, scores, confusion; two errors
    assert "&lt;picture 0&gt;: classification" in html
    sources = re.findall(r'(?:src|href)="([^"]{0,30})', html)
    assert len(sources) == 5
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert plt.get_fignums() == open_before


def test_class_names_may_look_like_formulas_or_be_chinese(hand_made):
    names = ("$a_$b^", "$\\frac$", "安全帽")
    measures = measure(*hand_made, names)
    html = evaluation_page(measures, Pictures(hand_made[1]), [0, 2], "formulas")
    assert html.count("<figure>") == 5


def test_a_page_without_errors_says_so():
    found, truths = image_of([(A, 1)], [(A, 0.9, 1)])
    measures = measure([found], [truths], ["cat"])
    assert "There is none." in evaluation_page(measures, Pictures([truths, truths]), [0], "good")


def test_nothing_found_at_all():
    found, truths = image_of([(A, 1)], [])
    measures = measure([found], [truths], ["cat"])
    assert measures.points == {"cat": None}
    assert measures.confusion.tolist() == [[0, 0], [1, 0]]
    html = evaluation_page(measures, Pictures([truths, truths]), [0], "nothing")
    assert html.count("<figure>") == 3


def test_drawings_show_the_numbers(hand_made):
    measures = measure(*hand_made, CLASSES)
    _, (left, right) = plt.subplots(1, 2)
    draw_confusion(left, measures.confusion, CLASSES)
    shown = {text.get_position(): text.get_text() for text in left.texts}
    assert shown == {(1, 0): "1", (0, 1): "1", (1, 1): "2", (1, 2): "1"}
    assert [t.get_text() for t in left.get_xticklabels()] == ["nothing", *CLASSES]
    pooled = pooled_curve(measures.voc)
    draw_thresholds(right, pooled, best_point(pooled))
    precision, recall, f1, at = right.lines
    assert list(precision.get_ydata()) == list(pooled.precision)
    assert max(f1.get_ydata()) == pytest.approx(best_point(pooled).f1)
    assert at.get_xdata()[0] == pytest.approx(0.5)  # F1 2 / 4, at .9 it is 2 / 5
    assert list(recall.get_xdata()) == list(pooled.scores)
    plt.close("all")
