"""Figures are tested by their geometry: where the patches lie, not how the pixels look."""

import warnings
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from skimage.color import deltaE_ciede2000, rgb2lab

from ssd_tutorial.datasets import draw_scene
from ssd_tutorial.detect import Detections
from ssd_tutorial.figures import plots
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.training.log import Step
from tests.figures.drawn import corners

PRESET = get_preset("caffe300_voc")


def test_every_map_of_every_preset_has_its_own_look():
    for preset in PRESETS.values():
        names = [feature_map.name for feature_map in preset.maps]
        assert list(plots.MAP_COLORS)[: len(names)] == names
    for sign in ("color", "line", "marker"):
        assert len({getattr(look, sign) for look in plots.LOOKS}) == len(plots.LOOKS)


def test_a_look_is_found_by_index_and_by_name():
    assert plots.map_look(2) == plots.map_look("conv8_2")
    assert plots.map_look("conv8_2").color == plots.MAP_COLORS["conv8_2"]
    for wrong in ("conv4_1", 7, -1):
        with pytest.raises(ValueError, match="no feature map is called"):
            plots.map_look(wrong)


def linear(color):
    c = np.array(to_rgb(color))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


# Machado, Oliveira, Fernandes (2009): full deutan, protan and tritan vision, in linear RGB.
VISION = {
    "all cones": np.eye(3),
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
               [-0.011820, 0.042940, 0.968881]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
               [-0.003882, -0.048116, 1.051998]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
               [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def lab(vision="all cones"):
    """Return the colours of the maps in CIELAB, ``[7, 3]``."""
    seen = np.array([linear(c) for c in plots.MAP_COLORS.values()]) @ np.array(VISION[vision]).T
    seen = seen.clip(0, 1)
    return rgb2lab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))


def test_colours_of_maps_get_darker_from_fine_to_coarse():
    assert (np.diff(lab()[:, 0]) < -4).all()


@pytest.mark.parametrize("vision", VISION)
def test_colours_of_maps_differ_for_colour_blind_readers_too(vision):
    colors = lab(vision)
    distance = deltaE_ciede2000(colors[:, None], colors[None])
    assert distance[np.triu_indices(len(colors), 1)].min() > 8.5  # 1 can just be told


@pytest.mark.parametrize("color", plots.MAP_COLORS.values())
def test_colours_of_maps_stand_out_from_white(color):
    luminance = linear(color) @ [0.2126, 0.7152, 0.0722]
    assert 1.05 / (luminance + 0.05) >= 3  # WCAG 2.1, 1.4.11: graphical objects


def test_an_image_spans_the_unit_square_with_y_downwards(ax):
    image, _ = draw_scene(0, 0, size=96)
    image = image[:, :64]
    plots.show_image(ax, image)
    assert list(ax.images[0].get_extent()) == [0, 1, 1, 0]
    assert ax.get_xlim() == (0, 1)
    assert ax.get_ylim() == (1, 0)
    height, width = image.shape[1:]
    assert ax.get_aspect() == height / width
    shown = image.permute(1, 2, 0).numpy() / 255.0
    np.testing.assert_allclose(ax.images[0].get_array(), shown, atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (4, 4, 3)])
def test_an_image_of_another_shape_is_refused(ax, shape):
    with pytest.raises(ValueError, match=r"\[3, H, W\]"):
        plots.show_image(ax, torch.zeros(shape))


def test_patches_are_where_the_boxes_are(ax):
    boxes = torch.tensor([[0.1, 0.2, 0.5, 0.4], [-0.1, 0.0, 1.2, 0.9]])
    patches = plots.draw_boxes(ax, boxes, ["a", "b"], color="#0072b2", line="--")
    np.testing.assert_allclose(corners(patches), boxes, atol=1e-6)
    assert [text.get_text().strip() for text in ax.texts] == ["a", "b"]
    np.testing.assert_allclose(ax.texts[0].get_position(), (0.1, 0.2), atol=1e-6)
    assert patches[0].get_linestyle() == "--"


def test_labels_stand_apart_and_none_is_cut_at_the_border(ax):
    boxes = torch.tensor([[0.1, 0.4, 0.3, 0.6], [0.15, 0.4, 0.4, 0.7], [0.9, 0.4, 1.0, 0.9]])
    plots.draw_boxes(plots.show_canvas(ax, margin=0), boxes, ["balloon", "balloon", "mushroom"])
    ax.figure.canvas.draw()
    places = [text.get_window_extent().padded(-0.1) for text in ax.texts]  # they may touch
    assert not any(a.overlaps(b) for a, b in combinations(places, 2))
    inside = ax.get_window_extent()
    assert all(inside.x0 - 1 <= place.x0 and place.x1 <= inside.x1 + 1 for place in places)


def test_a_label_can_be_placed_at_the_bottom(ax):
    plots.draw_boxes(ax, torch.tensor([0.1, 0.2, 0.5, 0.4]), ["a"], label_at="bottom")
    np.testing.assert_allclose(ax.texts[0].get_position(), (0.5, 0.4), atol=1e-6)


def test_labels_that_do_not_fit_the_boxes_are_refused(ax):
    with pytest.raises(ValueError, match="2 labels for 1 boxes"):
        plots.draw_boxes(ax, torch.tensor([[0, 0, 1, 1]]), ["a", "b"])
    assert plots.draw_boxes(ax, torch.zeros(0, 4), []) == []


def test_a_run_is_drawn_against_the_samples_it_has_seen():
    steps = [Step(k, 16 * k, 0.1 * k, 5 - k, 3 - k / 2, 2 - k / 2, 9, 1.0 * k) for k in (1, 2, 3)]
    losses, rate = plots.draw_run(steps).axes
    assert [line.get_label() for line in losses.lines] == ["total", "confidence", "localization"]
    assert len({line.get_linestyle() for line in losses.lines}) == 3
    np.testing.assert_allclose(losses.lines[0].get_xydata(), [[16, 4], [32, 3], [48, 2]])
    assert (losses.texts[0].get_text().strip(), losses.texts[0].xy) == ("total", (48, 2))
    np.testing.assert_allclose(rate.lines[0].get_xydata(), [[16, 0.1], [32, 0.2], [48, 0.3]])
    assert (losses.get_xlabel(), rate.get_xlabel()) == ("", "samples seen")


def test_what_was_measured_is_drawn_below_a_run():
    seen = Step(1, 16, 0.1, 4, 3, 1, 9, 1.0)
    steps = [seen, replace(seen, step=2, samples=32, val_map50=0.5, val_total=3.5)]
    losses, rate, maps = plots.draw_run(steps).axes
    np.testing.assert_allclose(losses.lines[3].get_xydata(), [[32, 3.5]])
    np.testing.assert_allclose(maps.lines[0].get_xydata(), [[32, 0.5]])
    assert (rate.get_xlabel(), maps.get_xlabel()) == ("", "samples seen")


def test_detections_below_the_threshold_are_left_out(ax):
    boxes = torch.tensor([[0.1, 0.1, 0.3, 0.3], [0.5, 0.5, 0.9, 0.9]])
    found = Detections(boxes, torch.tensor([0.9, 0.2]), torch.tensor([2, 1]))
    patches = plots.draw_detections(ax, found, ("car", "cat"))
    np.testing.assert_allclose(corners(patches), boxes[:1], atol=1e-6)
    assert ax.texts[0].get_text().strip() == "cat 0.90"


def test_labels_of_detections_stand_apart_and_say_what_is_written(ax):
    boxes = torch.tensor([[0.1, 0.1, 0.8, 0.8]]).repeat(3, 1)
    found = Detections(boxes, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 1, 1]))
    plots.draw_detections(plots.show_canvas(ax, margin=0), found, ["$a_$b^"])
    ax.figure.canvas.draw()  # as mathematics, the name could not be drawn
    assert ax.texts[0].get_text().replace("\\", "").strip() == "$a_$b^ 0.90"
    places = [text.get_window_extent().padded(-0.1) for text in ax.texts]  # they may touch
    assert not any(a.overlaps(b) for a, b in combinations(places, 2))


def test_color_is_accepted_as_in_matplotlib(ax):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (patch,) = plots.draw_boxes(ax, torch.tensor([[0.1, 0.1, 0.5, 0.5]]), color="red")
    assert not caught
    assert to_rgb(patch.get_edgecolor()) == (1, 0, 0)


def test_a_class_name_is_no_formula(ax):
    name = "$a_$b^"  # matplotlib would try to set it as one, and fail
    found = Detections(torch.tensor([[0.1, 0.1, 0.3, 0.3]]), torch.tensor([0.9]), torch.tensor([1]))
    plots.draw_detections(ax, found, (name,))
    plots.draw_boxes(ax, torch.tensor([0.1, 0.2, 0.5, 0.4]), [name])
    ax.figure.canvas.draw()
    assert [text.get_text().split()[0] for text in ax.texts] == [r"\$a_\$b^"] * 2
