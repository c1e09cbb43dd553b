"""RoI pooling and RoIAlign against torchvision, and what their explorer shows and refuses."""

import pytest
import torch
import traitlets
from ssd_book.explorers import RoiPoolingExplorer
from ssd_book.explorers.roi import REGION_PX, SCENE, SIZE_PX, unusual
from ssd_book.roi import bin_spans, covered_px, region_cells, roi_align, roi_pool, share_kept
from torchvision import ops

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import SCENE_CLASSES, open_dataset


def random_regions(count):
    """Yield maps, regions inside their pictures, strides and numbers of bins."""
    random = torch.Generator().manual_seed(2)
    for number in range(count):
        stride, bins = (16, 32)[number % 2], (7, 2, 3, 5)[number % 4]
        height, width = torch.randint(3, 20, (2,), generator=random).tolist()
        grid = torch.rand(3, height, width, generator=random, dtype=torch.float64) - 0.3
        x = sorted((torch.rand(2, generator=random) * width * stride).tolist())
        y = sorted((torch.rand(2, generator=random) * height * stride).tolist())
        yield grid, [x[0], y[0], x[1], y[1]], stride, bins


def test_pooling_is_torchvisions():
    for grid, region, stride, bins in random_regions(200):
        theirs = ops.roi_pool(grid[None], [torch.tensor([region]).double()], bins, 1 / stride)[0]
        assert torch.equal(roi_pool(grid, region, stride, bins), theirs)


def test_align_is_torchvisions():
    for grid, region, stride, bins in random_regions(100):
        boxes = [torch.tensor([region]).double()]
        theirs = ops.roi_align(grid[None], boxes, bins, 1 / stride, 2, aligned=True)[0]
        torch.testing.assert_close(roi_align(grid, region, stride, bins), theirs)


@pytest.mark.parametrize("bins", [2, 3, 7])
def test_the_bins_of_n_cells_are_torchvisions_but_for_its_rounding(bins):
    """They are whole numbers here. torchvision computes in float32: 57 / 7 * 7 is then above 57."""
    grid = torch.arange(64.0).view(1, 1, 1, 64)
    for n in range(1, 65):
        last = ops.roi_pool(grid, torch.tensor([[0.0, 0, 0, n - 1, 0]]), (1, bins), 1.0)[0, 0, 0]
        ours = [end - 1 for _, end in bin_spans(0, n - 1, bins)]
        if (bins, n) == (7, 57):
            assert last.tolist()[:-1] == ours[:-1]
            assert last[-1] == ours[-1] + 1
        else:
            assert last.tolist() == ours


def test_the_numbers_of_chapter_2():
    assert region_cells(REGION_PX, 16) == [3, 7, 7, 13]
    assert region_cells(REGION_PX, 32) == [2, 3, 4, 6]
    assert covered_px([2, 3, 4, 6], 32) == [64, 96, 160, 224]
    assert share_kept(REGION_PX, 32) == pytest.approx(5300 / (6500 + 96 * 128 - 5300))
    assert bin_spans(2, 4, 7) == [(2, 3), (2, 3), (2, 4), (3, 4), (3, 5), (4, 5), (4, 5)]
    assert bin_spans(0, 0, 3) == [(0, 1)] * 3


def test_halves_are_rounded_up_and_a_thin_region_keeps_a_cell():
    assert region_cells((8, 24, 40, 56), 16) == [1, 2, 3, 4]
    assert region_cells((20, 20, 20.5, 21), 16) == [1, 1, 1, 1]


def test_the_first_state_shows_the_chapters_region_on_a_boat():
    explorer = RoiPoolingExplorer()
    assert explorer.region_px == pytest.approx(REGION_PX)
    assert explorer.cells == [2, 3, 4, 6]
    _, target = open_dataset("scenes", "val")[SCENE]
    overlaps = iou(torch.tensor([explorer.region]), target["boxes"] / 300)[0]
    assert overlaps.max() > 0.8
    assert SCENE_CLASSES[int(target["labels"][overlaps.argmax()]) - 1] == "boat"


@pytest.mark.parametrize("stride", [16, 32])
def test_its_maps_are_those_that_it_sends(stride):
    grid = unusual(stride)
    assert list(grid.shape) == [1, SIZE_PX // stride, SIZE_PX // stride]
    assert RoiPoolingExplorer().grids[str(stride)] == grid[0].tolist()
    assert (grid.min(), grid.max()) == (0, 99)


def test_the_output_follows_region_stride_and_method():
    explorer = RoiPoolingExplorer()
    for stride in (32, 16):
        explorer.stride = stride
        for method, cut in (("pool", roi_pool), ("align", roi_align)):
            explorer.method = method
            wanted = cut(unusual(stride), explorer.region_px, stride)[0]
            assert torch.equal(explorer.output, wanted)
    before = explorer.output
    explorer.region = [0.5, 0.5, 1, 1]
    assert not torch.equal(explorer.output, before)


@pytest.mark.parametrize(
    "wrong",
    [
        {"stride": 8},
        {"method": "warp"},
        {"bin": [7, 0]},
        {"bin": [1]},
        {"bin": [0, -1]},
        {"region": [0.5, 0, 0.5, 1]},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(traitlets.TraitError):
        RoiPoolingExplorer(**wrong)


@pytest.mark.parametrize("method", ["pool", "align"])
def test_the_picture_without_scripts_is_drawn(method):
    png = RoiPoolingExplorer(method=method, region=[0.6, 0.6, 1, 1]).png()
    assert png.startswith(b"\x89PNG")
    assert len(png) > 10_000
