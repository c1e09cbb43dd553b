"""The rules of other code bases, as chapter 18 states them, and what the chapter says of them."""

import json
import re
from pathlib import Path

import pytest
import torch
from ssd_book import disagreements as other
from torch.nn import functional as F
from torchvision.models.detection._utils import SSDMatcher
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.transforms import v2

from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors, priors_per_map
from ssd_tutorial.targets import make_targets

ROOT = Path(__file__).resolve().parents[2]
PRESET = get_preset("caffe300_voc")
PRIORS = make_priors(PRESET)
RECORD = json.loads(data_path("runs/voc2007_disagreements/result.json").read_text())


def page() -> str:
    """Return the Markdown of chapter 18."""
    file = ROOT / "book" / "18_where_explanations_disagree.ipynb"
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


# --- priors


def test_shape_first_lists_the_priors_as_heads_without_a_permute_would():
    # NVIDIA's bbox_view: [4 * n, c, c] becomes [4, n * c * c]; here each box's number for all four.
    theirs, start = [], 0
    for fm, count in zip(PRESET.maps, priors_per_map(PRESET), strict=True):
        c, n = fm.cells, fm.boxes_per_cell
        ours = torch.arange(start, start + count).view(c, c, n)
        head = ours.permute(2, 0, 1).expand(4, n, c, c).reshape(4 * n, c, c)
        theirs.append(head.reshape(4, -1)[0])
        start += count
    assert torch.equal(other.shape_first(PRESET), torch.cat(theirs))


def test_shape_first_begins_with_the_small_squares_of_one_row():
    boxes = PRIORS[other.shape_first(PRESET)]
    assert torch.equal(boxes[:38, 1], PRIORS[:1, 1].expand(38))
    assert (boxes[: 38 * 38, 2:] == PRIORS[0, 2:]).all()


def test_readings_of_the_list_give_the_numbers_that_are_printed():
    assert list(other.sums_of_cells(PRESET).values()) == [8732, 8731, 8750, 8752, 7308, 11640]


# --- network


@pytest.mark.parametrize("epsilon", ["in the root", "after the root", "none", "at least"])
def test_normalising_agrees_with_torch_where_no_pixel_is_zero(epsilon):
    x = torch.rand(2, 7, 3, 3) + 0.1
    assert torch.allclose(other.normalise(x, epsilon), F.normalize(x), atol=1e-5)


# --- matching


def test_by_threshold_alone_differs_from_matching_in_step_one_only():
    boxes = torch.tensor([[0.2, 0.2, 0.7, 0.8], [0.1, 0.1, 0.13, 0.12]])  # the second is tiny
    found = other.by_threshold_alone(PRIORS, boxes)
    ours = match(PRIORS, make_targets([boxes], [torch.tensor([1, 1])], 2)).ground_truth[0]
    assert set(found.unique().tolist()) == {-1, 0}
    differs = (found != ours).nonzero()[:, 0]
    assert ours[differs].tolist() == [1]


# --- the crop


def crop_case():
    boxes = torch.tensor([[0.1, 0.1, 0.4, 0.4], [0.7, 0.7, 0.95, 0.95]])
    crops = torch.tensor([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0], [0.38, 0.0, 0.9, 0.4]])
    overlap = iou(crops, boxes)
    inside = torch.tensor([[True, False], [True, True], [False, False]])
    return overlap, inside


@pytest.mark.parametrize(
    ("test", "minimum", "accepted"),
    [
        (other.no_object, 0.9, [True, True, True]),
        (other.any_object, 0.3, [True, False, False]),
        (other.any_object, 0.01, [True, True, True]),
        (other.object_that_stays, 0.01, [True, True, False]),
        (other.every_object, 0.05, [False, True, False]),
        (other.every_object, 0.3, [False, False, False]),
    ],
)
def test_a_crop_is_accepted_by_its_programs_test(test, minimum, accepted):
    assert test(*crop_case(), torch.tensor(minimum)).tolist() == accepted


@pytest.mark.parametrize("name", other.CROP_RULES)
def test_a_ports_crop_keeps_an_object_and_its_bounds(name):
    boxes = torch.tensor([[0.3, 0.3, 0.6, 0.7]])
    rule = other.CROP_RULES[name]
    crops = [c for c in (other.port_crop(rule, boxes) for _ in range(40)) if c is not None]
    assert crops
    for crop in crops:
        w, h = (crop[2:] - crop[:2]).tolist()
        assert min(w, h) > 0.2999
        assert 0.4999 < w / h < 2.0001
        assert (crop[:2] < torch.tensor([0.45, 0.5])).all()
        assert (crop[2:] > torch.tensor([0.45, 0.5])).all()


# --- the loss


def test_mining_over_the_batch_takes_as_many_and_only_negatives():
    losses, positive = torch.rand(3, 50), torch.zeros(3, 50, dtype=torch.bool)
    positive[0, :4] = positive[1, :1] = True
    losses[2] += 1  # the picture without objects is the hardest
    over, ours = other.mine_over_batch(losses, positive), hard_negatives(losses, positive)
    assert over.sum() == ours.sum() == 15
    assert not (over & positive).any()
    assert over[2].sum() == 15
    assert ours[2].sum() == 0


def test_positives_are_mined_only_where_negatives_run_out():
    toy = torch.zeros(2, 12, dtype=torch.bool)
    toy[0, :5] = toy[1, :2] = True
    chosen = other.mine_with_positives(torch.rand(2, 12), toy)
    assert (chosen & toy).sum(dim=1).tolist() == [5, 0]
    assert chosen.sum(dim=1).tolist() == [12, 6]


def test_dividing_by_the_positives_of_the_batch_is_the_packages_loss():
    boxes = [torch.tensor([[0.1, 0.2, 0.6, 0.7]]), torch.tensor([[0.4, 0.4, 0.5, 0.55]])]
    targets = make_targets(boxes, [torch.tensor([1]), torch.tensor([2])], 3)
    logits, offsets = torch.randn(2, 8732, 3), torch.randn(2, 8732, 4)
    whole = multibox_loss(logits, offsets, targets, PRIORS)
    sums, positives = [], []
    for i in range(2):
        one = make_targets([boxes[i]], [targets.labels[i, :1]], 3)
        alone = multibox_loss(logits[i : i + 1], offsets[i : i + 1], one, PRIORS)
        sums.append(alone.total * alone.num_positives)
        positives.append(alone.num_positives)
    sums, positives = torch.stack(sums), torch.stack(positives)
    assert torch.allclose(
        other.divided(sums, positives, "positives of the batch"), whole.total, rtol=1e-5
    )
    by_picture = other.divided(sums, positives, "positives of each picture")
    assert torch.allclose(by_picture, (sums / positives).mean())
    assert torch.allclose(other.divided(sums, positives, "pictures"), sums.mean())


def test_a_picture_without_objects_adds_nothing_and_no_nan():
    for by in ("positives of the batch", "positives of each picture", "pictures"):
        value = other.divided(torch.zeros(2), torch.zeros(2, dtype=torch.int64), by)
        assert value == 0


def test_a_mean_over_offsets_is_a_quarter_of_the_sum_over_n():
    a, b = torch.randn(2, 9, 4)
    mean = other.localization(a, b, "mean of L1")
    assert torch.allclose(4 * mean, (a - b).abs().sum() / 9)


# --- detecting


def test_only_as_meant_are_the_best_left():
    found = Detections(torch.rand(5, 4), torch.tensor([0.1, 0.9, 0.5, 0.3, 0.7]), torch.ones(5))
    left = {
        rule: other.best_of_image(found, 2, rule).scores.tolist()
        for rule in ("as it runs", "as it reads", "as meant")
    }
    assert left["as meant"] == pytest.approx([0.9, 0.7])
    assert left["as it reads"] == pytest.approx([0.5, 0.3, 0.1])
    assert len(left["as it runs"]) == 5


# --- the page


def test_the_page_has_its_cases_in_order_and_each_has_a_place_and_a_price():
    text = page()
    cases = re.findall(r"^### (\d+) · (.+)$", text, re.M)
    assert [int(n) for n, _ in cases] == list(range(1, len(cases) + 1))
    assert len(cases) >= 15
    for part in re.split(r"^### \d+ · ", text, flags=re.M)[1:]:
        case = re.split(r"^##", part, flags=re.M)[0]
        assert "**Where.**" in case
        assert "**What it changes.**" in case


def test_the_last_table_names_every_case():
    text = page()
    cases = {int(n) for n in re.findall(r"^### (\d+) · ", text, re.M)}
    table = text.split("## All cases")[1].split("## Exercises")[0]
    rows = re.findall(r"^\| \*\*.+\| (.+) \|$", table, re.M)
    named = {int(n) for row in rows for n in re.findall(r"\{ref\}`(\d+) <sec-disagree", row)}
    assert cases <= named


def test_torchvisions_column_is_that_of_the_installed_version():
    colours, crop, canvas = v2.RandomPhotometricDistort(), v2.RandomIoUCrop(), v2.RandomZoomOut()
    table = page().split("(sec-disagree-augmentation)=")[1]
    row = {
        line.split("|")[1].strip(): line.split("|")[4].strip()
        for line in table.splitlines()
        if line.count("|") == 8
    }
    low, high = colours.brightness
    assert row["brightness, p 1/2"] == f"× U({low}, {high})"
    assert colours.contrast == colours.saturation == (0.5, 1.5)
    assert row["hue, p 1/2"].startswith(f"± {360 * colours.hue[1]:.0f}°")
    assert colours.p == canvas.p == 0.5
    assert row["trials"] == str(crop.trials)
    assert canvas.side_range == (1, 4)
    assert canvas.fill == 0
    assert row["canvas"].endswith("black by default")
    assert row["size of a crop"] == f"sides U({crop.min_scale}, {crop.max_scale:.0f}) each"
    assert (crop.min_aspect_ratio, crop.max_aspect_ratio) == (0.5, 2)
    assert [o for o in crop.options if 0 < o < 1] == [0.1, 0.3, 0.5, 0.7, 0.9]


def test_torchvision_clamps_sizes_and_lets_the_last_object_take_a_prior():
    sizes = DefaultBoxGenerator([[2]], scales=[0.9, 1.05])
    boxes = sizes._grid_default_boxes([[1, 1]], [300, 300])
    assert boxes[:, 2:].max() == 1
    table = torch.tensor([[0.6, 0.0], [0.7, 0.0]])  # two objects, one favourite
    assert SSDMatcher(0.5)(table).tolist() == [1, -1]


@pytest.mark.parametrize(
    ("sentence", "share"),
    [
        ("one more real object in six", lambda m: m["paper"]["reached"] - m["naive_m6"]["reached"]),
        ("one object in fifteen", lambda m: m["caffe300_coco"]["unmatched"]),
    ],
)
def test_shares_in_words_are_those_of_the_record(sentence, share):
    assert sentence in page()
    one_in = RECORD["objects"] / share(RECORD["matching"])
    words = {"six": 6, "fifteen": 15}
    assert round(one_in) == words[sentence.split()[-1]]


def test_percentages_of_crops_are_those_of_the_record():
    untested, tested = (RECORD["crops"][n]["whole"] for n in ("amdegroot, qfgaohao", "lufficc"))
    says = f"{untested:.0%} of the pictures are left whole instead of {tested:.0%}"
    assert says.replace("%", " %") in page()
    assert 0.4 < RECORD["crops"]["NVIDIA"]["whole"] < 0.5  # "nearly half"


def test_the_record_says_what_it_measured():
    assert RECORD["objects"] == 12609
    lost = RECORD["lost_by_argmax"]
    assert lost["as they are"] < lost["expanded as in training"] < lost["zoomed out by 4"]
    assert 0.008 < lost["expanded as in training"] / RECORD["objects"] < 0.012  # "one in a hundred"
    matching = RECORD["matching"]["caffe300_voc"]
    assert 1.6 < matching["at_045"] / matching["positives"] < 1.75  # "by two thirds"


def test_clamping_is_no_clip():
    before, after = (cxcywh_to_xyxy(boxes) for boxes in (PRIORS, PRIORS.clamp(0, 1)))
    crosses = [int(((c < -1e-6) | (c > 1 + 1e-6)).any(dim=1).sum()) for c in (before, after)]
    assert crosses[0] - crosses[1] == 4  # "all but four"
