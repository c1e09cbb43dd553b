"""The live page's files are what tools/live_files.py makes of the weights and of the drawings."""

import json
import re
from collections import Counter

import live_files
import onnx
import pytest
import torch

from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import SCENE_CLASSES, open_dataset
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.priors import priors_per_map
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import load_weights

DRAWN = json.loads(live_files.DRAWN.read_text(encoding="utf-8"))
THINGS = DRAWN["things"]


def test_the_model_is_made_of_the_weights_that_are_there():
    model = onnx.load(live_files.MODEL)
    facts = {entry.key: entry.value for entry in model.metadata_props}
    assert facts[live_files.DIGEST] == live_files.digest(data_path(live_files.WEIGHTS))
    assert facts["precision"] == "int8"
    assert tuple(json.loads(facts["classes"])) == SCENE_CLASSES == tuple(THINGS)


def test_every_convolution_has_unsigned_bytes_which_webassembly_multiplies_quickly():
    graph = onnx.load(live_files.MODEL).graph
    kinds = Counter(node.op_type for node in graph.node)
    assert kinds["Conv"] == 0
    weights = {node.input[1] for node in graph.node if node.op_type == "ConvInteger"}
    types = {t.data_type for t in graph.initializer if t.name in weights}
    assert (len(weights), types) == (kinds["ConvInteger"], {onnx.TensorProto.UINT8})


def test_the_model_is_small_and_tells_nothing_of_the_machine_that_made_it():
    content = live_files.MODEL.read_bytes()
    assert len(content) < 3e6
    assert not re.findall(rb"/(?:work|home|root|tmp|usr)/|site-packages|\.py\b", content)


@torch.inference_mode()
def mean_difference(network):
    """Return by how much scores above 0.1 differ from the file's, on six scenes."""
    scenes = open_dataset("scenes", "val")
    images = torch.stack([scenes[i][0].as_subclass(torch.Tensor) for i in range(6)])
    scores = network(images)[0].softmax(dim=-1)[..., 1:]
    others = torch.cat([live_files.network()(image[None])[0] for image in images])
    sure = scores > 0.1
    assert sure.sum() > 100
    return (scores - others.softmax(dim=-1)[..., 1:]).abs()[sure].mean().item()


def test_the_model_agrees_with_the_weights():
    assert mean_difference(load_weights(data_path(live_files.WEIGHTS)).network) < 0.01


def test_other_weights_do_not_agree():
    network = load_weights(data_path(live_files.WEIGHTS)).network
    with torch.no_grad():
        for head in network.class_heads:
            head.weight.mul_(0.8)
    assert mean_difference(network) > 0.02


def test_drawings_and_numbers_are_those_of_the_package():
    described = live_files.describe({name: thing["variant"] for name, thing in THINGS.items()})
    assert live_files.as_json(described) == live_files.DRAWN.read_text(encoding="utf-8")


def test_the_picture_shows_the_first_scene_and_what_is_found_in_it():
    """Boxes and scores may differ by a rounding: the model computes in 8 bits."""
    number = r'(?<=[ "])-?\d+\.\d+(?=[ "<])'

    def parts(text):
        return re.sub(number, "N", text), [float(n) for n in re.findall(number, text)]

    (drawn, numbers), (stored, kept) = map(
        parts, (live_files.draw_picture(DRAWN), live_files.PICTURE.read_text(encoding="utf-8"))
    )
    assert drawn == stored
    assert numbers == pytest.approx(kept, abs=0.3)
    names = re.findall(r">(\w+) N</text>", stored)
    assert sorted(names) == sorted(thing["name"] for thing in DRAWN["first"])


# --- what the page says about its things ----------------------------------------------------------
def found(*things, **limits):
    """Return the names and boxes found, of (name, box) each, the last one in front."""
    drawn = [(live_files.draw_thing(n, THINGS[n]["variant"])[0], box) for n, box in things]
    limits = {"score_threshold": 0.5, **limits}
    (seen,) = live_files.find(live_files.paint(drawn)[None], **limits)
    return [
        (SCENE_CLASSES[label - 1], box) for label, box in zip(seen.labels, seen.boxes, strict=True)
    ]


def is_found(name, box, *others):
    boxes = [b for n, b in found((name, box), *others) if n == name]
    return any(iou(b[None], torch.tensor([box])).item() >= 0.5 for b in boxes)


def box_of(name, x, y, scale):
    return live_files.box_of(x, y, scale, THINGS[name]["aspect"])


@pytest.mark.parametrize("name", SCENE_CLASSES)
def test_each_thing_is_found_at_24_pixels_and_lost_at_14(name):
    for x, y in ((0.31, 0.3), (0.5, 0.55), (0.687, 0.79), (0.42, 0.47)):
        assert is_found(name, box_of(name, x, y, 24 / 300)), (x, y)
        assert not is_found(name, box_of(name, x, y, 14 / 300)), (x, y)


def test_the_cat_is_found_until_two_thirds_of_its_width_are_covered():
    cat, house = box_of("cat", 0.42, 0.6, 0.28), box_of("house", 0, 0.58, 0.36)
    seen = {}
    for covered in (0.3, 0.6, 0.75, 0.9):
        left = cat[2] - covered * (cat[2] - cat[0])
        here = [left, house[1], left + house[2] - house[0], house[3]]
        seen[covered] = "cat" in [name for name, _ in found(("cat", cat), ("house", here))]
    assert seen == {0.3: True, 0.6: True, 0.75: False, 0.9: False}


def test_a_cat_twice_as_wide_is_a_cat_and_three_times_as_wide_is_none():
    x0, y0, x1, y1 = box_of("cat", 0.5, 0.6, 0.24)
    for times, expected in ((1, True), (2, True), (3, False)):
        more = (times - 1) * (x1 - x0) / 2
        names = [name for name, _ in found(("cat", [x0 - more, y0, x1 + more, y1]))]
        assert ("cat" in names) is expected, times


def test_two_cats_are_one_two_or_three():
    x0, y0, x1, y1 = box_of("cat", 0.42, 0.6, 0.24)

    def count(distance, threshold=0.45):
        by = distance * (x1 - x0)
        pair = ("cat", [x0, y0, x1, y1]), ("cat", [x0 + by, y0, x1 + by, y1])
        return len(found(*pair, iou_threshold=threshold))

    assert [count(0.3), count(0.8), count(1.0), count(1.4)] == [1, 2, 3, 2]
    assert count(1.0, 0.3) == 2  # NMS at 0.30 removes the one in the middle
    assert count(0.3, 0.75) > 1


# --- what the page says about all predictions and about the loss ----------------------------------
@torch.inference_mode()
def raw(*things):
    """Return logits ``[1, P, C]`` and offsets ``[1, P, 4]`` for a scene of (name, box)."""
    drawn = [(live_files.draw_thing(n, THINGS[n]["variant"])[0], box) for n, box in things]
    return live_files.network()(live_files.paint(drawn)[None])


FIRST = [(thing["name"], thing["box"]) for thing in DRAWN["first"]]


def test_one_prediction_in_fifty_reaches_a_hundredth():
    scores = raw(*FIRST)[0].softmax(dim=-1)[0, :, 1:].amax(dim=1)
    assert 0.015 < (scores >= 0.01).double().mean() < 0.025


def test_the_heat_of_a_cat_moves_from_the_finest_map_to_the_coarse_ones():
    def heat(size):
        logits, _ = raw(("cat", box_of("cat", 0.5, 0.55, size / 300)))
        cats = logits.softmax(dim=-1)[0, :, SCENE_CLASSES.index("cat") + 1]
        return [
            m.max().item() for m in cats.split(priors_per_map(live_files.network().config.priors))
        ]

    hottest = [int(torch.tensor(heat(size)).argmax()) for size in (30, 60, 120, 175)]
    assert hottest == [0, 1, 2, 3]
    assert sum(most > 0.6 for most in heat(150)) == 3


def test_most_of_the_loss_of_the_first_scene_comes_from_negatives_on_its_things():
    logits, offsets = raw(*FIRST)
    boxes = torch.tensor([box for _, box in FIRST])
    labels = torch.tensor([SCENE_CLASSES.index(name) + 1 for name, _ in FIRST])
    targets = make_targets([boxes], [labels], len(SCENE_CLASSES) + 1)
    priors = live_files.network().priors
    matches = match(priors, targets)
    loss = multibox_loss(logits, offsets, targets, priors, matches=matches)
    background = -logits.log_softmax(dim=-1)[..., 0]
    mined = hard_negatives(background, matches.positive)
    assert background[mined].sum() / matches.positive.sum() > 0.5 * loss.total
    centres = priors[mined[0], None, :2]
    on = ((boxes[:, :2] < centres) & (centres < boxes[:, 2:])).all(dim=2).any(dim=1)
    assert on.double().mean() > 0.8
