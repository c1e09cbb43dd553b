"""The figures of one knob: what they begin with, what captions promise, and what they refuse."""

import itertools
import json
import re
from pathlib import Path

import pytest
import torch
import traitlets
from ssd_book.explorers import MiningExplorer, Opening, film
from ssd_book.explorers.opening import TOPICS
from ssd_book.explorers.topics import RATIO_MAP
from ssd_book.explorers.topics_of_networks import FAINT, cell_of
from ssd_book.explorers.trained import scenes_detector

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes, num_priors, priors_per_map
from ssd_tutorial.training.loop import learning_rate
from ssd_tutorial.training.recipes import RECIPES

BOOK = Path(__file__).resolve().parents[2] / "book"
PRESET = get_preset("caffe300_voc")
CHAPTERS = {
    "01_tour": "place",
    "02_why_one_shot": "grid",
    "03_network": "maps",
    "04_boxes_and_iou": "overlap",
    "05_scales": "scale",
    "06_aspect_ratios": "ratio",
    "07_priors": "priors",
    "08_matching": "threshold",
    "09_loss": "shift",
    "10_hard_negative_mining": "mining",
    "11_augmentation": "crop",
    "12_training_on_a_laptop": "learning",
    "13_detecting": "nms",
    "14_evaluation": "score",
    "15_full_gpu_training": "speed",
    "16_your_own_pictures": "distance",
    "17_when_training_goes_wrong": "slipped",
    "18_where_explanations_disagree": "reading",
    "19_after_ssd": "focal",
}


def truths(explorer):
    return torch.tensor([thing["box"] for thing in explorer.objects])


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_opens_with_its_figure_and_its_number(chapter):
    """It is the first figure, before the first section, and its caption states its number."""
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells]
    (at,) = [n for n, source in enumerate(sources) if "Opening(" in source]
    assert sources[at].endswith(f'Opening("{CHAPTERS[chapter]}")')
    figures = [n for n, cell in enumerate(cells) if "figure" in cell["metadata"].get("mystnb", {})]
    sections = [n for n, source in enumerate(sources) if source.startswith("## ")]
    assert at == figures[0] < sections[0]
    caption = cells[at]["metadata"]["mystnb"]["figure"]["caption"]
    caption = re.sub(r"\{counts\}`([^<`]+) <[^`]*`", r"\1", caption)  # the words that act
    number = Opening(CHAPTERS[chapter]).number()
    assert f"**{number.removesuffix('.00')}**" in caption


def test_shifted_by_a_third_of_its_width_the_box_has_an_iou_of_a_half():
    explorer = Opening("overlap")
    x0, y0, x1, y1 = explorer.objects[0]["box"]
    shift = (x1 - x0) / 3
    explorer.box = [x0 + shift, y0, x1 + shift, y1]
    assert explorer.number() == "0.50"
    explorer.box = [x0, y0, x1, y1]
    assert explorer.number() == "1.00"


def test_the_red_box_can_cover_the_balloon_exactly():
    explorer = Opening("overlap")
    (x0, y0, x1, y1), (tx0, ty0, tx1, ty1) = explorer.box, explorer.objects[0]["box"]
    assert [x1 - x0, y1 - y0] == pytest.approx([tx1 - tx0, ty1 - ty0], abs=0.001)


def test_a_square_fits_the_boat_and_none_fits_the_large_cat():
    explorer, fits = Opening("scale"), []
    for k in range(len(PRESET.maps)):
        explorer.at = k
        fits.append(iou(explorer.boxes(), truths(explorer)).diagonal())
    names = [thing["name"] for thing in explorer.objects]
    fits = torch.stack(fits)  # [K, G]
    boat, cat = fits[:, names.index("boat")], fits[:, names.index("cat")]
    assert (int(boat.argmax()), f"{boat.max():.2f}") == (0, "0.84")
    assert [f"{value:.1f}" for value in cat[3:]] == ["0.6", "0.6", "0.5"]
    assert cat.max() < 0.6
    assert [names[g] for g in fits.argmax(dim=1)] == ["boat", "cat", "fish", "cat", "cat", "cat"]


def test_the_area_stays_and_a_third_fits_the_lighthouse():
    explorer = Opening("ratio")
    found = {}
    for at in (1, 0, -1):
        explorer.at = at
        (box,) = explorer.boxes()
        width, height = (box[2:] - box[:2]).tolist()
        assert width * height == pytest.approx(cell_shapes(PRESET, RATIO_MAP)[0].prod().item())
        assert width / height == pytest.approx(3.0**at)
        found[at] = f"{iou(box[None], truths(explorer)).item():.2f}"
    assert (found[0], found[-1]) == ("0.40", "0.97")
    assert found[1] < found[0]


def test_the_sum_ends_at_all_priors():
    explorer, sums = Opening("priors"), []
    for k in range(len(PRESET.maps)):
        explorer.at = k
        sums.append(int(explorer.number()))
    assert sums[-1] == num_priors(PRESET) == 8732
    assert [b - a for a, b in zip([0, *sums], sums, strict=False)] == list(priors_per_map(PRESET))


def test_no_threshold_leaves_the_object_without_a_prior():
    explorer, counts = Opening("threshold"), []
    for step in range(2, 20):
        explorer.at = step / 20
        counts.append(int(explorer.number()))
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] == 1


def test_the_loss_grows_as_smooth_l1_does():
    explorer, losses = Opening("shift"), []
    for step in range(11):
        explorer.at = step / 10
        losses.append(explorer.shown.loss())
    steps = [b - a for a, b in itertools.pairwise(losses)]
    assert losses[0] == 0
    assert steps[0] < steps[1]
    assert steps[3:] == pytest.approx([steps[3]] * 7, rel=1e-4)  # a straight line
    explorer.at = -0.3
    assert explorer.shown.loss() == pytest.approx(losses[3], rel=1e-4)


def test_a_crop_loses_objects_whose_centres_it_leaves_outside():
    explorer, counts = Opening("crop"), []
    for side in (1, 0.8, 0.6, 0.5, 0.4):
        explorer.at = side
        counts.append(int(explorer.number()))
        (crop,) = explorer.boxes()
        assert crop.min() >= 0
        assert crop.max() <= 1 + 1e-6
    assert counts == [4, 4, 3, 2, 0]


def test_further_away_fewer_objects_are_reached():
    explorer, counts = Opening("distance"), []
    for at in (1, 1.5, 2.5, 4):
        explorer.at = at
        counts.append(int(explorer.number()))
        assert len(explorer.boxes()) == counts[-1]
    assert counts == [4, 3, 2, 1]


@pytest.mark.parametrize("topic", TOPICS)
def test_every_topic_is_drawn_and_says_what_it_shows(topic):
    explorer = Opening(topic)
    assert 40 < len(explorer.alt) < 400
    assert explorer.png().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("topic", "at", "words"),
    [
        ("scale", 6, "at is 6; scale takes 0 to 5"),
        ("priors", 1.5, "priors takes whole numbers"),
        ("grid", 0, "grid takes 1 to 38"),
        ("threshold", 0, "threshold takes 0.1 to 0.95"),
        ("ratio", float("nan"), "at must be finite"),
    ],
)
def test_places_off_the_slider_are_refused(topic, at, words):
    explorer = Opening(topic)
    with pytest.raises(traitlets.TraitError, match=words):
        explorer.at = at
    assert explorer.at == TOPICS[topic].start


def test_an_unknown_topic_is_refused():
    with pytest.raises(traitlets.TraitError, match="topic"):
        Opening("loss")


def test_nms_keeps_a_box_per_car_over_a_wide_range():
    explorer, counts = Opening("nms"), []
    for at in (0, 0.1, 0.3, 0.45, 0.6, 0.95):
        explorer.at = at
        counts.append(int(explorer.number()))
    assert counts == [2, 3, 3, 3, 4, 49]


def test_a_lower_score_reports_more_boxes_and_no_other_order():
    explorer, counts = Opening("score"), []
    for at in (0.01, 0.1, 0.5, 0.8, 0.95):
        explorer.at = at
        counts.append((len(explorer.shown.kept()), sum(explorer.shown.right())))
    assert counts == [(68, 5), (11, 5), (6, 5), (5, 5), (3, 3)]


def test_mining_takes_the_negatives_that_the_package_takes():
    explorer, workbench, counts = Opening("mining"), MiningExplorer(), []
    for ratio in (0, 3, 10):
        explorer.at = workbench.ratio = ratio
        counts.append(int(explorer.number()))
        chosen = workbench.negatives().nonzero()[:, 0].tolist()
        assert sorted(explorer.shown.indices().tolist()) == chosen
    assert counts == [12, 48, 132]


def test_a_ratio_of_0_draws_no_negative():
    explorer = Opening("mining", at=0)
    assert explorer.boxes().shape == (0, 4)
    assert explorer.png()


def test_ten_times_the_speed_takes_a_tenth_of_the_time():
    explorer, times, days = Opening("speed"), [], []
    for at in (0, 1, 2, 3):
        explorer.at = at
        times.append(explorer.number())
        days.append(round(explorer.shown.day()))
    assert times == ["44.4 days", "4.4 days", "10.7 hours", "1.1 hours"]
    assert days == [2700, 27_000, 120_000, 120_000]


def test_the_schedule_is_the_recipes():
    facts = Opening("speed").facts
    recipe = RECIPES["voc0712"]
    corners, rates = map(list, zip(*facts["rates"], strict=True))
    assert corners == [0, 999, 79_999, 80_000, 99_999, 100_000, 119_999]
    assert rates == [learning_rate(step, facts["steps"], recipe) for step in corners]
    between = [learning_rate(step, facts["steps"], recipe) for step in (5000, 90_000, 110_000)]
    assert between == [rates[1], rates[3], rates[5]]


def test_a_first_loss_does_not_see_that_the_boxes_are_off():
    """A trained detector's loss does."""
    explorer = Opening("slipped")
    untrained, trained = explorer.facts["untrained"], explorer.facts["trained"]
    assert len(untrained) == len(trained) == explorer.high + 1
    assert max(untrained) - min(untrained) < 0.05 * untrained[0]
    assert trained[0] < 1.5
    assert trained[-1] > 10 * trained[0]


def test_boxes_that_are_off_stay_in_the_picture():
    explorer = Opening("slipped")
    explorer.at = explorer.high
    far = explorer.boxes() - truths(explorer)
    assert far[:, 0].tolist() == pytest.approx([0.2] * 3)  # 60 of 300 pixels
    assert explorer.boxes().max() <= 1


def test_another_reading_of_the_same_output_finds_fewer_objects():
    explorer, found, wrong = Opening("reading"), [], []
    for at in range(9):
        explorer.at = at
        found.append(int(explorer.number()))
        wrong.append(len(explorer.boxes()) - found[-1])
    assert found == [5, 5, 5, 5, 5, 3, 3, 0, 0]
    assert wrong[:4] == [0] * 4
    assert min(wrong[-2:]) > 30  # a box for every prior that was sure of something


def test_a_larger_exponent_leaves_fewer_negatives_that_count():
    explorer = Opening("focal")
    counts, mined = explorer.facts["counts"], explorer.facts["mined"]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 1000
    explorer.at = 0.2
    assert len(explorer.boxes()) == int(explorer.number()) < mined == 96
    explorer.at = 0.1
    assert int(explorer.number()) > mined


def test_some_place_shows_each_detection_of_the_tour():
    explorer, detector = Opening("place"), scenes_detector()
    (found,) = detect(detector, open_dataset("scenes", "val")[54][0], score_threshold=0.5)
    names = detector.names(found.labels)
    assert sorted(names) == ["balloon", "boat", "kite", "lighthouse"]
    for name, score, box in zip(names, found.scores, found.boxes / 300, strict=True):
        own = [row for row in explorer.facts["rows"] if row[1] == name]
        prior = max(own, key=lambda row: row[2])[0]
        explorer.point = cell_of(prior).view(2, 2).mean(dim=0).tolist()
        assert explorer.shown.row()[:2] == [prior, name]
        assert explorer.number() == f"{score:.2f}"
        assert explorer.boxes()[0].tolist() == pytest.approx(box.tolist(), abs=1e-3)


def test_a_place_takes_the_surest_row_of_the_six_cells_that_it_is_in():
    explorer, steps = Opening("place"), [i / 23 for i in range(24)]
    drawn = 0
    for point in itertools.product(steps, steps):
        explorer.point = list(point)
        x0, y0, x1, y1 = (edge + 1e-6 for edge in cell_of(explorer.shown.row()[0]).tolist())
        assert x0 - 2e-6 <= point[0] <= x1
        assert y0 - 2e-6 <= point[1] <= y1
        drawn += len(explorer.boxes())
    assert 100 < drawn < 300  # of 576: elsewhere is background


def test_where_scores_are_faint_the_network_predicts_background():
    scores = film.predicted().scores
    assert ((1 - scores.sum(dim=1))[scores.amax(dim=1) <= FAINT] > 0.5).all()


def test_a_finer_grid_names_all_from_some_size_on_but_not_always_more():
    explorer, counts = Opening("grid"), {}
    for n in range(1, 39):
        explorer.at = n
        counts[n] = int(explorer.number())
        assert len(explorer.boxes()) == counts[n]
    assert (counts[1], counts[5], counts[7], counts[8]) == (1, 8, 5, 7)
    assert {counts[n] for n in range(9, 39)} == {8}


def test_six_maps_predict_all_numbers_and_show_every_cell():
    explorer, numbers = Opening("maps"), []
    for k, fm in enumerate(PRESET.maps):
        explorer.at = k
        numbers.append(int("".join(explorer.number().split())))
        levels = explorer.facts["levels"][k]
        assert len(levels) == len(explorer.boxes()) == fm.cells**2
        assert max(levels) == "7"
    assert sum(numbers) == num_priors(PRESET) * 25 == 218_300
    assert 0.65 < numbers[0] / sum(numbers) < 0.67


def test_objects_are_found_late():
    explorer, found, losses = Opening("learning"), [], []
    for moment, (_, loss, _) in enumerate(explorer.facts["moments"]):
        explorer.at = moment
        found.append(int(explorer.number()))
        losses.append(loss)
    assert found == [0, 0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert losses == sorted(losses, reverse=True)
    assert losses[6] < losses[0] / 3
