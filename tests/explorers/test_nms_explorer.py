"""The NMS explorer: the detections, which box suppresses which, and what chapter 13 says of it."""

import json
import re

import pytest
import torch
import traitlets
from ssd_book.explorers import NMSExplorer, modules

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.detect import postprocess
from ssd_tutorial.weights.file import load_weights
from tests.explorers.test_modules import node

GAMES = [
    {},
    {"group": "each class"},
    {"group": "all as one", "iou_threshold": 0.3},
    {"group": "kite", "score_threshold": 0.2},
    {"group": "each class", "iou_threshold": 0.0},
    {"group": "car", "iou_threshold": 1.0},
    {"group": "tree", "score_threshold": 0.99},
]


@pytest.fixture(scope="module")
def output():
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    with torch.inference_mode():
        return *network(open_dataset("scenes", "val")[36][0][None]), network.priors


def after(**state):
    """Return which boxes stay, which each suppresses, and how many that stay score 0.5 or more."""
    explorer = NMSExplorer(**state)
    rounds = explorer.rounds()
    worth_showing = sum(explorer.detections[best][1] >= 0.5 for best, _ in rounds)
    return [len(fallen) for _, fallen in rounds], worth_showing


def test_the_first_state_is_round_one_of_the_cars():
    explorer = NMSExplorer()
    fallen, sure = after()
    assert explorer.step == 1
    assert len(fallen) + sum(fallen) == 109
    assert (fallen[:3], len(fallen), sure) == ([38, 32, 27], 11, 3)


def test_the_numbers_that_chapter_13_promises_appear():
    explorer = NMSExplorer()
    assert max(explorer.detections[best][1] for best, _ in explorer.rounds()[3:]) < 0.03
    assert after(iou_threshold=0)[1] == 2
    assert after(iou_threshold=0.75)[1] == 6
    fallen, sure = after(score_threshold=0.5)
    assert (len(fallen) + sum(fallen), len(fallen), sure) == (42, 3, 3)
    assert len(after(group="each class")[0]) == 68
    assert len(after(group="all as one")[0]) == 43
    assert after(group="all as one")[1] == 6
    assert after(group="all as one", iou_threshold=0.3)[1] == 5


def test_the_tour_opens_the_kite_of_another_scene():
    explorer = NMSExplorer(scene=54, group="kite")
    (best, fallen), *rest = explorer.rounds()
    kite, score, *box = explorer.detections[best]
    assert explorer.classes[kite] == "kite"
    assert round(score, 2) == 0.96
    assert [round(300 * x) for x in box] == [100, 43, 188, 214]
    assert len(fallen) == 38
    assert sum(explorer.detections[best][1] >= 0.5 for best, _ in rest) == 0
    assert explorer.alt.startswith("A scene with a kite, a balloon, a lighthouse and a boat. One")
    assert explorer.picture != NMSExplorer().picture
    assert NMSExplorer().alt.startswith("A scene with a kite, three cars and a lighthouse. One box")


@pytest.mark.parametrize(("score", "overlap"), [(0.01, 0.45), (0.05, 0.3), (0.5, 0.7)])
def test_the_boxes_kept_are_those_that_the_package_keeps(output, score, overlap):
    explorer = NMSExplorer(group="each class", score_threshold=score, iou_threshold=overlap)
    (found,) = postprocess(*output, score_threshold=score, iou_threshold=overlap)
    stay = [explorer.detections[best] for best, _ in explorer.rounds()]
    assert [k + 1 for k, *_ in stay] == found.labels.tolist()
    got = torch.tensor([row[1:] for row in stay])
    torch.testing.assert_close(got[:, 0], found.scores, atol=1e-5, rtol=0)
    torch.testing.assert_close(got[:, 1:], found.boxes, atol=1e-4, rtol=0)


def test_javascript_plays_the_same_rounds():
    explorer = NMSExplorer()
    games = [
        [getattr(NMSExplorer(**game), name) for name in names]
        for names in [("group", "score_threshold", "iou_threshold")]
        for game in GAMES
    ]
    source = re.sub(r"export default.*?\n}\);\n", "", modules.joined("nms"), flags=re.S)
    script = f"""{source}
    const [detections, classes, games] = JSON.parse(process.argv.at(-1));
    const index = new Map(detections.map((row, i) => [JSON.stringify(row), i]));
    const place = ({{ k, score, box }}) => index.get(JSON.stringify([k, score, ...box]));
    const answers = games.map((game) => play(detections, classes, ...game).rounds);
    console.log(JSON.stringify(answers.map((rounds) =>
      rounds.map(({{ best, fallen }}) => [place(best), fallen.map(place)]))));"""
    state = json.dumps([explorer.detections, explorer.classes, games])
    answers = json.loads(node("--input-type=module", "-", state, text=script))
    wanted = [[[best, fallen] for best, fallen in NMSExplorer(**game).rounds()] for game in GAMES]
    assert answers == wanted
    assert [len(rounds) for rounds in wanted][:2] == [11, 68]
    assert wanted[-1] == []


def test_no_two_detections_are_equal():
    rows = NMSExplorer().detections
    assert len({tuple(row) for row in rows}) == len(rows) == 371
    assert [row[1] for row in rows] == sorted((row[1] for row in rows), reverse=True)


def test_the_picture_follows_the_step():
    explorer, seen = NMSExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "step")
    pictures = {explorer.png()}
    for step in (0, 2, 12, 99):
        explorer.step = step
        pictures.add(explorer.png())
    assert seen == [0, 2, 12, 99]
    assert len(pictures) == 4  # 99 is the end, as 12 is


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"scene": 35}, "scene"),
        ({"group": "dog"}, "group must be one of airplane, .*all as one, not 'dog'"),
        ({"iou_threshold": float("nan")}, "iou_threshold must be finite"),
        ({"iou_threshold": 1.2}, "iou_threshold"),
        ({"score_threshold": 0.0}, "score_threshold"),
        ({"step": -1}, "step"),
        ({"detections": []}, "read-only"),
    ],
)
def test_impossible_states_are_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        NMSExplorer(**state)
