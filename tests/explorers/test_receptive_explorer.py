"""What a cell sees: the rules of chapter 3 against the gradient, and what the explorer refuses."""

import pytest
import torch
import traitlets
from ssd_book.explorers import ReceptiveFieldExplorer
from ssd_book.explorers.receptive import REACHES
from ssd_book.receptive import field_box, nearest_cell, reach, views
from torch import nn
from torch.nn import functional as F

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, SSD300, SSD512
from ssd_tutorial.weights import load_weights


def on_paper(model):
    with torch.device("meta"):
        return SSD(model, num_classes=3)


def seen_by_gradient(network, length=4001):
    """Return (field, centre of cell 0, stride) of each map, from kernels of ones on one row.

    Only the layers' geometry is taken from the network. Where the gradient of a cell is not 0,
    the cell sees.
    """

    def side(value):
        return value if isinstance(value, int) else value[0]

    pixels = torch.zeros(1, 1, length, dtype=torch.float64, requires_grad=True)
    parts = [part for part in network.backbone.children() if isinstance(part, nn.Sequential)]
    row, found = pixels, []
    for stage in [*parts, *network.extras]:
        for layer in stage:
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                ones = torch.ones(1, 1, side(layer.kernel_size), dtype=torch.float64)
                how = (layer.stride, layer.padding, layer.dilation)
                row = F.conv1d(row, ones, None, *map(side, how))
        ends = []
        for cell in (row.shape[-1] // 2, row.shape[-1] // 2 + 1):
            (slope,) = torch.autograd.grad(row[0, 0, cell], pixels, retain_graph=True)
            seen = slope.flatten().nonzero()
            ends.append((int(seen.min()), int(seen.max()) + 1))
        (first, last), (other, _) = ends
        stride = other - first
        centre = (first + last) / 2 - row.shape[-1] // 2 * stride
        found.append((last - first, centre, stride))
    return found


@pytest.mark.parametrize("model", [SSD300, SSD512, SLIM300], ids=lambda model: model.name)
def test_the_rules_give_what_the_gradient_sees(model):
    network = on_paper(model)
    by_rule = [(view.field, view.centre, view.stride) for view in views(network)]
    assert by_rule == seen_by_gradient(network)
    assert [view.cells for view in views(network)] == [fm.cells for fm in model.priors.maps]


def test_the_numbers_of_chapter_3():
    ssd300 = views(on_paper(SSD300))
    assert [view.field for view in ssd300] == [92, 420, 452, 516, 644, 772]
    assert [view.stride for view in ssd300] == [8, 16, 32, 64, 64, 64]
    assert [view.centre for view in ssd300] == [4, 8, 8, 8, 72, 136]
    assert [view.field for view in views(on_paper(SLIM300))] == [61, 133, 165, 229, 357, 613]
    assert field_box(ssd300[0], 19, 19) == [110, 110, 202, 202]
    assert field_box(ssd300[0], 19, 19, head=True) == [102, 102, 210, 210]


def test_the_recorded_reaches_are_those_of_the_trained_network():
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    scenes = open_dataset("scenes", "val")
    images = torch.stack([scenes[i][0] for i in range(4)]) / 255
    measured = torch.tensor(reach(network, images))
    assert (measured - torch.tensor(REACHES["slim300"])).abs().max() <= 6  # rounded to tens


def test_a_point_chooses_the_cell_that_looks_there():
    explorer = ReceptiveFieldExplorer()
    assert explorer.cell == (
        15,
        18,
    )  # 126 and 150 px: 15.25 and 18.25 strides after the first centre
    explorer.map = 5
    assert explorer.cell == (0, 0)
    assert explorer.field == [136 - 386, 136 - 386, 136 + 386, 136 + 386]
    for view in views(on_paper(SSD300)):
        for row, column in ((0, 0), (view.cells - 1, 0), (view.cells // 2, view.cells - 1)):
            place = [view.centre + at * view.stride for at in (column, row)]
            assert nearest_cell(view, place) == (row, column)


@pytest.mark.parametrize(
    "wrong", [{"map": 6}, {"map": -1}, {"network": "ssd512"}, {"point": [1.2, 0]}, {"head": "no"}]
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(traitlets.TraitError):
        ReceptiveFieldExplorer(**wrong)


def test_the_picture_without_scripts_is_drawn():
    png = ReceptiveFieldExplorer(network="slim300", map=2, head=True).png()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 10_000
