"""Chapter 2: objects that share a cell, what rounding keeps, and the record that it quotes."""

import json
import os
from pathlib import Path

import nbformat
import pytest
import torch
import voc_cells
from ssd_book.one_shot import Shared, cell_of, kept_by_rounding, shared, total
from ssd_book.roi import share_kept
from voc_boxes import FILE

from ssd_tutorial._files import data_path

ROOT = Path(__file__).resolve().parents[2]
RECORD = json.loads(data_path("runs/voc2007_cells/result.json").read_text(encoding="utf-8"))
FOLDER = os.environ.get("SSD_TUTORIAL_VOC_BOXES")


def around(x, y):
    """Return a small box, xyxy in fractions, around a centre."""
    return [x - 0.03, y - 0.03, x + 0.03, y + 0.03]


def test_the_centre_chooses_the_cell():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], around(0.99, 0.02), around(0.51, 0.49)])
    assert cell_of(boxes, 2).tolist() == [3, 1, 1]
    assert cell_of(boxes, 7).tolist() == [24, 6, 24]
    assert cell_of(torch.tensor([[1.0, 1.0, 1.0, 1.0]]), 7).tolist() == [48]


def test_objects_that_share_a_cell_are_counted():
    places = [(0.1, 0.1), (0.12, 0.1), (0.1, 0.12), (0.9, 0.9), (0.92, 0.9), (0.5, 0.5)]
    boxes = torch.tensor([around(*place) for place in places])
    labels = torch.tensor([1, 1, 2, 4, 4, 5])
    assert shared(boxes, labels, 7) == Shared(6, sharing=5, other_class=3, left_out=3)
    assert shared(boxes, labels, 100).sharing == 0
    assert shared(boxes, labels, 1) == Shared(6, 6, 6, 5)
    assert total([Shared(1, 2, 3, 4), Shared(10, 20, 30, 40)]) == Shared(11, 22, 33, 44)


@pytest.mark.parametrize("stride", [16, 32])
def test_many_regions_are_rounded_as_one(stride):
    random = torch.Generator().manual_seed(1)
    low, size = 300 * torch.rand(2, 300, 2, generator=random, dtype=torch.float64)
    regions = torch.cat([low, low + size + 0.1], dim=1)
    one_by_one = [share_kept(region, stride) for region in regions.tolist()]
    assert kept_by_rounding(regions, stride).tolist() == pytest.approx(one_by_one)


@pytest.mark.skipif(not FOLDER, reason="SSD_TUTORIAL_VOC_BOXES is not set")
def test_the_record_is_what_the_boxes_of_voc_give():
    assert json.loads(json.dumps(voc_cells.record(Path(FOLDER) / FILE))) == RECORD


def test_the_record_adds_up():
    for shape in ("landscape", "upright"):
        counts = RECORD[shape]
        objects = RECORD["objects"]
        assert {grid["objects"] for grid in counts["grids"].values()} == {objects}
        assert sum(count for _, count in counts["classes"].values()) == objects
        assert sum(n for n, _ in counts["classes"].values()) == counts["grids"]["7"]["sharing"]
        assert sum(counts["rounding"]["objects"].values()) == objects
        for grid in counts["grids"].values():
            assert grid["other_class"] <= grid["sharing"] <= 2 * grid["left_out"]


@pytest.fixture(scope="module")
def words():
    cells = nbformat.read(ROOT / "book" / "02_why_one_shot.ipynb", as_version=4).cells
    return " ".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_the_numbers_that_the_chapter_quotes_are_in_the_record(words):
    objects, unsure = RECORD["objects"], RECORD["size_unsure"]["objects"]
    assert f"{objects:,}".replace(",", " ") in words
    assert f"For {unsure / objects:.0%}".replace("%", " %") in words
    both = [RECORD[shape]["grids"] for shape in ("landscape", "upright")]
    for cells in both[0]:
        for name in ("sharing", "other_class", "left_out", "pictures"):
            a, b = (grids[cells][name] for grids in both)
            assert abs(a - b) < 0.005 * objects
    seven = both[0]["7"]
    assert f"{seven['sharing'] / objects:.0%}".replace("%", " %") + " of VOC's objects" in words
    assert f"{seven['left_out'] / objects:.1%}".replace("%", " %") + " have no place" in words
    assert (round(objects / seven["sharing"]), round(objects / seven["left_out"])) == (7, 13)
    assert "One object in seven" in words
    assert "one in thirteen" in words
    assert 55 < objects / both[0]["19"]["sharing"] < 62
    assert "one object in sixty" in words
    small = RECORD["landscape"]["rounding"]["iou"]["16"]["below 50"]
    assert f"an IoU of {small[1]:.2f} or less" in words
    assert RECORD["landscape"]["matching"]["without_prior"] == 0
    assert RECORD["upright"]["matching"]["without_prior"] == 0
