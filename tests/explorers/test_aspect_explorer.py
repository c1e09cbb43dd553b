"""The aspect-ratio explorer: its first state, its boxes, and what it refuses."""

from dataclasses import asdict

import pytest
import torch
import traitlets
from ssd_book.explorers import AspectRatioExplorer

from ssd_tutorial.boxes import iou
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes
from ssd_tutorial.scales import compute_scales

PRESET = get_preset("caffe300_voc")


def overlaps(explorer, name, ratios):
    """Return the IoU of boxes of these ratios with an object, around its centre."""
    x0, y0, x1, y1 = next(thing["box"] for thing in explorer.objects if thing["name"] == name)
    explorer.centre = [(x0 + x1) / 2, (y0 + y1) / 2]
    found = {}
    for ratio in ratios:
        explorer.ratio = ratio
        value = iou(torch.tensor([explorer.box]), torch.tensor([[x0, y0, x1, y1]])).item()
        found[ratio] = f"{value:.2f}"
    return found


def test_a_third_fits_the_lighthouse_best_and_a_square_does_not_match():
    explorer = AspectRatioExplorer()
    before = explorer.centre
    found = overlaps(explorer, "lighthouse", (1, 1 / 2, 1 / 3))
    assert found == {1: "0.40", 1 / 2: "0.67", 1 / 3: "0.97"}
    assert explorer.centre == pytest.approx(before, abs=1e-4)  # where it is initially


def test_the_ious_of_the_train_are_those_of_chapter_6():
    found = overlaps(AspectRatioExplorer(scale=0.42), "train", (2, 3))
    assert found == {2: "0.75", 3: "0.91"}


def test_javascript_gets_the_preset_unchanged():
    assert AspectRatioExplorer().preset == asdict(PRESET)


@pytest.mark.parametrize("k", range(len(PRESET.maps)))
def test_the_box_at_a_maps_scale_and_ratio_is_a_prior(k):
    explorer = AspectRatioExplorer(map=k, ratio=2)
    assert explorer.scale == compute_scales(PRESET)[k]
    x0, y0, x1, y1 = explorer.box
    assert torch.allclose(torch.tensor([x1 - x0, y1 - y0]), cell_shapes(PRESET, k)[2])


def test_the_area_stays_when_the_ratio_changes():
    explorer = AspectRatioExplorer(scale=0.4)
    for ratio in (1 / 9, 0.7, 1, 9):
        explorer.ratio = ratio
        x0, y0, x1, y1 = explorer.box
        assert (x1 - x0) * (y1 - y0) == pytest.approx(0.16)
        assert (x1 - x0) / (y1 - y0) == pytest.approx(ratio)


def test_another_map_sets_its_scale_unless_one_was_chosen():
    explorer, seen = AspectRatioExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "scale")
    explorer.map = 1
    assert seen == [0.2]
    explorer.scale = 0.3
    explorer.map = 3
    assert explorer.scale == 0.3
    explorer.map = 0  # 0.3 is above the scale after the first map
    assert explorer.scale == 0.1
    assert AspectRatioExplorer(map=4, scale=0.6).scale == 0.6


def test_the_picture_follows_the_state():
    explorer = AspectRatioExplorer()
    before = explorer.png()
    explorer.ratio = 3
    assert explorer.png() != before


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ratio", 0, "ratio"),
        ("ratio", 10, "ratio"),
        ("ratio", float("nan"), "ratio must be finite"),
        ("map", 6, "map"),
        ("scale", 0.6, "scale is 0.6: the scale after conv8_2's is 0.54; choose a later map"),
        ("scale", float("inf"), "scale"),
        ("centre", [0.5], "centre must be a point"),
    ],
)
def test_impossible_states_are_refused(name, value, words):
    explorer = AspectRatioExplorer()
    before = getattr(explorer, name)
    with pytest.raises(traitlets.TraitError, match=words):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    with pytest.raises(traitlets.TraitError, match=words):
        AspectRatioExplorer(**{name: value})
