"""The prior browser: what chapter 7 says of it, and what Python reads, sets and refuses."""

import json
import random

import pytest
import torch
import traitlets
from ssd_book.explorers import PriorExplorer, modules
from ssd_book.explorers.priors import SHAPES

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.presets import PRESETS
from ssd_tutorial.priors import locate, make_priors, num_priors, priors_per_map
from tests.explorers.test_modules import node


def test_the_first_state_shows_boxes_inside_and_across_the_border():
    explorer = PriorExplorer()
    assert explorer.cell == (1, 1)
    assert list(explorer.indices) == [8578, 8579, 8580, 8581, 8582, 8583]
    across = PriorExplorer(crossing=True).kept(explorer.indices)
    assert across.tolist() == [8580, 8581, 8582, 8583]


def test_the_numbers_that_chapter_7_promises_appear():
    middle = PriorExplorer(point=[0.5, 0.5], crossing=True)
    assert middle.cell == (2, 2)
    assert len(middle.kept(middle.indices)) == 2
    cx, _, width, _ = (300 * make_priors(PRESETS["caffe300_voc"])[middle.indices[4]]).tolist()
    assert (round(cx), round(width)) == (160, 281)
    middle.preset = "paper"
    assert len(middle.kept(middle.indices)) == 0
    cells = [PriorExplorer(map=0, point=place) for place in ([0, 0], [0.04, 0], [0, 0.04])]
    assert [cell.indices[0] for cell in cells] == [0, 4, 152]
    assert [cell.cell for cell in cells] == [(0, 0), (0, 1), (1, 0)]
    for preset, count in (("caffe300_voc", 2869), ("caffe300_coco", 2223)):
        browser = PriorExplorer(preset=preset, map=0, crossing=True)
        assert len(browser.kept(range(8732))) == count


def test_the_indices_of_a_cell_are_located_in_it():
    for preset in PRESETS:
        for k in range(len(PRESETS[preset].maps)):
            explorer = PriorExplorer(preset=preset, map=k, point=[0.99, 0.4])
            for box, index in enumerate(explorer.indices):
                assert locate(PRESETS[preset], index) == (k, *explorer.cell, box)


def test_the_last_cell_of_conv8_2_lies_at_the_corner_and_its_centre_outside():
    explorer = PriorExplorer(map=2, point=[1, 1])
    assert explorer.cell == (9, 9)
    centre = make_priors(PRESETS["caffe300_voc"])[explorer.indices[0], :2]
    assert (centre > 1).all()


def test_a_point_stays_when_the_map_changes():
    explorer = PriorExplorer(point=[0.5, 0.5])
    cells = []
    for k in range(6):
        explorer.map = k
        cells.append(explorer.cell)
    assert cells == [(18, 18), (9, 9), (4, 4), (2, 2), (1, 1), (0, 0)]


def test_filters_keep_what_they_name():
    explorer = PriorExplorer(map=1, shape="1/3")
    (index,) = explorer.kept(explorer.indices).tolist()
    width, height = make_priors(PRESETS["caffe300_voc"])[index, 2:].tolist()
    assert height / width == pytest.approx(3)
    assert len(PriorExplorer(map=0, shape="3").kept(range(4))) == 0  # conv4_3 has no such box


def test_the_state_can_be_set_observed_and_drawn():
    explorer, seen, pictures = PriorExplorer(), [], set()
    explorer.observe(lambda change: seen.append(change["new"]), "point")
    for traits in (
        {},
        {"point": torch.tensor([0.75, 0.5])},
        {"shape": "2"},
        {"everything": True},
        {"crossing": True},
        {"map": 4},
        {"preset": "paper"},
    ):
        explorer.set_state({k: getattr(v, "tolist", lambda v=v: v)() for k, v in traits.items()})
        pictures.add(explorer.png())
    assert seen == [[0.75, 0.5]]
    assert len(pictures) == 7


def test_a_preset_with_fewer_maps_selects_its_last_one():
    explorer = PriorExplorer(preset="caffe512_voc", map=6)
    explorer.preset = "caffe300_voc"
    assert explorer.map == 5


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"map": 6}, r"caffe300_voc has the maps 0 to 5 \(conv4_3, .*conv11_2\), not 6"),
        ({"map": -1}, "map"),
        ({"point": [0.5]}, "a point"),
        ({"point": [0.5, float("nan")]}, "a point"),
        ({"point": [0.5, 1.2]}, "from 0 to 1"),
        ({"shape": "5"}, "shape"),
        ({"preset": "ssd300"}, "preset"),
    ],
)
def test_impossible_states_are_refused(wrong, words):
    with pytest.raises(traitlets.TraitError, match=words):
        PriorExplorer(**wrong)


BROWSE = """
let input = "";
for await (const part of process.stdin) input += part;
const { presets, places, shapes } = JSON.parse(input);
const outcome = {};
for (const [name, preset] of Object.entries(presets)) {
  const list = catalogue(preset);
  const count = (...filters) => list.maps.map((_, k) => chosenBoxes(list, k, ...filters).length);
  outcome[name] = {
    total: list.total,
    firsts: list.maps.map((map) => map.first),
    kept: shapes.map((shape) => [count(shape, false), count(shape, true)]),
    cells: list.maps.map((map) => places.map((place) => cellAt(preset, map, place))),
  };
}
console.log(JSON.stringify(outcome));
"""


@pytest.fixture(scope="module")
def browsed(tmp_path_factory):
    """Return places, and JavaScript's result for every preset, shape and place."""
    dice = random.Random(7)
    places = [[dice.random(), dice.random()] for _ in range(40)] + [[0, 0], [1, 1], [0.5, 0.5]]
    file = tmp_path_factory.mktemp("priors") / "browse.mjs"
    file.write_text(modules.joined("priors").replace("export default", "") + BROWSE)
    question = {"presets": PriorExplorer().presets, "places": places, "shapes": SHAPES}
    return places, json.loads(node(str(file), text=json.dumps(question)))


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_counts_priors_as_the_package_does(browsed, name):
    preset, outcome = PRESETS[name], browsed[1][name]
    counts = priors_per_map(preset)
    assert outcome["total"] == num_priors(preset)
    assert outcome["firsts"] == [sum(counts[:k]) for k in range(len(counts))]
    explorer = PriorExplorer(preset=name, map=0, point=[0, 0])
    for shape, kept in zip(SHAPES, outcome["kept"], strict=True):
        for crossing, theirs in zip((False, True), kept, strict=True):
            ours = []
            for k, (first, count) in enumerate(zip(outcome["firsts"], counts, strict=True)):
                explorer.map, explorer.shape, explorer.crossing = k, shape, crossing
                ours.append(len(explorer.kept(range(first, first + count))))
            assert theirs == ours, (shape, crossing)


@pytest.mark.parametrize("name", PRESETS)
def test_the_page_finds_the_same_cells(browsed, name):
    places, outcome = browsed
    explorer = PriorExplorer(preset=name)
    for k, cells in enumerate(outcome[name]["cells"]):
        for place, theirs in zip(places, cells, strict=True):
            explorer.map, explorer.point = k, place
            assert (theirs["row"], theirs["column"]) == explorer.cell


def test_the_page_counts_border_crossings_as_the_chapter_does(browsed):
    kept = browsed[1]["caffe300_voc"]["kept"][0][1]
    assert kept == [1356, 914, 427, 136, 34, 2]
    assert sum(kept) == 2869
    corners = cxcywh_to_xyxy(make_priors(PRESETS["caffe300_voc"]))
    assert int(((corners < -1e-6) | (corners > 1 + 1e-6)).any(dim=1).sum()) == 2869
