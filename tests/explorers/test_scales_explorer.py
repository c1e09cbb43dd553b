"""The scales explorer: its first state, its presets, and what it refuses."""

from dataclasses import asdict
from itertools import pairwise

import pytest
import torch
import traitlets
from ssd_book.explorers import ScalesExplorer

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.scales import compute_scales, extra_scale


def around(centre, side):
    x, y = centre
    return torch.tensor([[x - side / 2, y - side / 2, x + side / 2, y + side / 2]])


def test_the_first_state_has_a_square_for_the_boat_and_naive_m6_has_none():
    explorer = ScalesExplorer()
    boat = next(thing["box"] for thing in explorer.objects if thing["name"] == "boat")
    best = {
        name: iou(
            around(explorer.centre, compute_scales(PRESETS[name])[0]), torch.tensor([boat])
        ).item()
        for name in (explorer.preset.name, explorer.compared)
    }
    assert {name: f"{value:.2f}" for name, value in best.items()} == {
        "caffe300_voc": "0.84",
        "naive_m6": "0.21",
    }


def best_square(preset, box):
    """Return IoU and side in pixels of the square that fits a box best, around its centre."""
    centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
    sides = [s for pair in pairwise(compute_scales(preset)) for s in (pair[0], extra_scale(*pair))]
    fits = [iou(around(centre, side), torch.tensor([box])).item() for side in sides]
    return max(fits), sides[fits.index(max(fits))] * preset.image_size


def test_the_ious_of_the_fish_are_those_of_chapter_5():
    fish = next(thing["box"] for thing in ScalesExplorer().objects if thing["name"] == "fish")
    found = [best_square(PRESETS[name], fish) for name in ("caffe300_voc", "caffe300_coco")]
    assert [f"{overlap:.2f} {side:.1f}" for overlap, side in found] == ["0.74 81.6", "0.68 66.7"]


def test_the_differences_are_those_of_chapter_5():
    def differences(ours, theirs):
        pairs = zip(compute_scales(ours), compute_scales(theirs), strict=True)
        return [round(300 * (a - b), 6) for a, b in pairs]

    voc, naive = get_preset("caffe300_voc"), get_preset("naive_m6")
    assert differences(ScalesExplorer(first=None).preset, naive) == [0, 0, 0, 0, 0, 0, 12]
    assert differences(ScalesExplorer(first=None, beyond=1.0).preset, naive) == [0] * 7
    assert differences(get_preset("paper"), voc)[:6] == [0, 0, 1.5, 3, 4.5, 6]


def test_objects_are_those_of_the_scene():
    image, target = draw_scene(0, ScalesExplorer.scene)
    objects = ScalesExplorer().objects
    assert [thing["name"] for thing in objects] == [
        SCENE_CLASSES[label - 1] for label in target["labels"].tolist()
    ]
    boxes = torch.tensor([thing["box"] for thing in objects])
    assert torch.allclose(boxes * image.shape[-1], target["boxes"], atol=0.05)


def test_javascript_gets_the_presets_unchanged():
    assert ScalesExplorer().presets == [asdict(preset) for preset in PRESETS.values()]


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_chosen_and_is_recognized(name):
    explorer = ScalesExplorer(name)
    assert compute_scales(explorer.preset) == compute_scales(PRESETS[name])
    assert explorer.preset.image_size == PRESETS[name].image_size
    same = {"torchvision300_coco": "caffe300_coco"}  # it differs by a clamp alone
    assert explorer.preset.name == same.get(name, name)


def test_a_changed_number_renames_the_preset_to_own():
    explorer, seen = ScalesExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "s_min")
    explorer.s_min = 0.3
    assert seen == [0.3]
    assert explorer.preset.name == "own"
    assert compute_scales(explorer.preset)[:3] == [0.1, 0.3, 0.45]  # (0.9 - 0.3) / 4 = 0.15
    explorer.preset = "caffe512_coco"
    assert explorer.preset is get_preset("caffe512_coco")
    assert explorer.maps == 7


def test_naive_m6_is_reached_by_three_changes():
    explorer = ScalesExplorer(first=None, beyond=1.0, whole_percent=False)
    assert explorer.preset.name == "naive_m6"


def test_the_picture_follows_the_state():
    explorer = ScalesExplorer()
    before = explorer.png()
    explorer.s_max = 0.5
    assert explorer.png() != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"s_min": 0.9}, "s_min must be below s_max, not s_min = 0.9, s_max = 0.9"),
        ({"s_max": 0.1}, "s_min must be below s_max"),
        ({"s_min": float("nan")}, "must be finite"),
        ({"first": 0.0}, "first"),
        ({"maps": 7}, "maps is 7; a network for 300 px has 6"),
        ({"maps": 2}, "maps"),
        ({"image_size": 400}, "image_size"),
        ({"compared": "ours"}, "compared"),
        ({"centre": [0.5, 1.5]}, "centre must be a point"),
        ({"centre": [0.5, float("nan")]}, "centre must be a point"),
        ({"centre": "ab"}, "centre must be a point"),
    ],
)
def test_impossible_states_are_refused(change, words):
    explorer = ScalesExplorer()
    ((name, value),) = change.items()
    before = getattr(explorer, name)
    with pytest.raises(traitlets.TraitError, match=words):
        setattr(explorer, name, value)
    assert getattr(explorer, name) == before
    with pytest.raises(traitlets.TraitError, match=words):
        ScalesExplorer(**change)


def test_an_unknown_preset_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="there are naive_m6, paper"):
        ScalesExplorer("ssd")
