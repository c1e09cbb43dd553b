"""Plots of pages are tested by their geometry, as those of the package are."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgb
from ssd_book import plots

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.figures import plots as package_plots
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import locate, make_priors
from ssd_tutorial.scales import compute_scales
from tests.figures.drawn import corners

PRESET = get_preset("caffe300_voc")


def test_priors_are_drawn_in_the_colours_of_their_maps(ax):
    indices = [0, 5776, 8731]
    patches = plots.draw_priors(ax, PRESET, indices)
    expected = cxcywh_to_xyxy(make_priors(PRESET)[indices])
    np.testing.assert_allclose(corners(patches), expected, atol=1e-6)
    colours = [to_rgb(patch.get_edgecolor()) for patch in patches]
    assert colours == [to_rgb(plots.MAP_COLORS[n]) for n in ("conv4_3", "conv7", "conv11_2")]


def test_indices_of_a_cell_agree_with_locate():
    for k, row, column in ((0, 0, 0), (1, 18, 3), (3, 2, 4), (5, 0, 0)):
        places = [locate(PRESET, i) for i in plots.cell_indices(PRESET, k, row, column)]
        assert [tuple(p) for p in places] == [
            (k, row, column, box) for box in range(PRESET.maps[k].boxes_per_cell)
        ]
    with pytest.raises(IndexError, match="conv9_2 has 5 x 5 cells"):
        plots.cell_indices(PRESET, 3, 5, 0)


def test_shapes_are_those_of_a_cell_around_the_point(ax):
    patches = plots.draw_shapes(ax, PRESET, 3, centre=(0.5, 0.5))
    cell = plots.cell_indices(PRESET, 3, 2, 2)
    boxes = make_priors(PRESET)[list(cell)]
    boxes[:, :2] = 0.5
    np.testing.assert_allclose(corners(patches), cxcywh_to_xyxy(boxes), atol=1e-6)


def test_scales_are_drawn_as_nested_squares(ax):
    drawn = corners(plots.draw_scales(ax, PRESET))
    np.testing.assert_allclose(drawn[:, 2] - drawn[:, 0], compute_scales(PRESET)[:-1], atol=1e-6)
    np.testing.assert_allclose(drawn[:, :2] + drawn[:, 2:], 1, atol=1e-6)


def test_centres_are_the_priors_centres(ax):
    points = plots.draw_centres(ax, PRESET, 2).get_offsets()
    first = 5776 + 2166
    expected = make_priors(PRESET)[first : first + 600 : 6, :2]
    np.testing.assert_allclose(points, expected, atol=1e-6)


def test_the_shaded_part_is_what_two_boxes_share(ax):
    a, b = torch.tensor([0.1, 0.1, 0.5, 0.6]), torch.tensor([0.3, 0.0, 0.9, 0.4])
    np.testing.assert_allclose(
        corners([plots.shade_overlap(ax, a, b)])[0], [0.3, 0.1, 0.5, 0.4], atol=1e-6
    )
    apart = plots.shade_overlap(ax, a, torch.tensor([0.7, 0.7, 0.9, 0.9]))
    assert apart.get_width() * apart.get_height() == 0


def test_a_legend_names_the_maps(ax):
    legend = plots.map_legend(ax, PRESET, [0, 5], [plots.swatch("ground truth", fill=False)])
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["ground truth", "conv4_3", "conv11_2"]
    assert len(plots.map_legend(ax, PRESET).get_texts()) == 6


def test_a_heat_map_keeps_its_values_and_draws_contours(ax):
    values = torch.linspace(0, 1, 20).reshape(4, 5)
    image = plots.draw_heat_map(ax, values, (0, 5, 0, 4), "IoU", contours=[0.5])
    np.testing.assert_array_equal(image.get_array(), values)
    assert list(image.get_extent()) == [0, 5, 0, 4]
    assert len(ax.figure.axes) == 2  # the map and its colour bar
    assert ax.figure.axes[1].get_ylabel() == "IoU"


def test_a_page_has_the_plots_of_the_package_and_its_own():
    own = {n for n, x in vars(plots).items() if getattr(x, "__module__", "") == plots.__name__}
    assert own < set(plots.__all__)
    assert {"draw_boxes", "show_image", "STYLE"} < vars(package_plots).keys() & set(plots.__all__)
    assert all(hasattr(plots, name) for name in plots.__all__)
