"""The precision/recall explorer: its numbers are the package's, in Python and in JavaScript."""

import json
import math
import re

import pytest
import traitlets
from ssd_book.explorers import PrecisionRecallExplorer, modules

from ssd_tutorial.doctor.detection_errors import count_errors
from tests.explorers.test_modules import node

ALL = "all classes"
STATES = [
    {},
    {"score_threshold": 0.01},
    {"score_threshold": 0.2, "iou_threshold": 0.75},
    {"iou_threshold": 0.3},
    {"score_threshold": 1.0},
    {"group": "car", "iou_threshold": 0.9},
    {"group": ALL},
    {"group": ALL, "score_threshold": 0.05, "iou_threshold": 0.8},
]


def counts(**state):
    """Return the hits, false boxes and missed objects."""
    kinds = count_errors(PrecisionRecallExplorer(**state).errors())
    right, missed = kinds["true positive"], kinds["missed"]
    return right, sum(kinds.values()) - right - missed, missed


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.2, (7, 7, 0)), (0.5, (6, 3, 1)), (0.9, (3, 1, 4))]
)
def test_chapter_12_finds_so_many_of_its_seven_trains(threshold, expected):
    assert counts(score_threshold=threshold) == expected


def aps(**state):
    """Return AP by area and by eleven points, down to the threshold and of the whole list."""
    explorer = PrecisionRecallExplorer(**state)
    return [
        explorer.evaluation(whole, rule).mean_ap
        for whole in (False, True)
        for rule in ("area", "11 points")
    ]


def test_the_first_state_has_hits_false_boxes_and_a_miss():
    assert counts() == (6, 3, 1)
    assert [round(ap, 2) for ap in aps()] == [0.80, 0.77, 0.87, 0.86]


def test_the_numbers_that_chapter_14_promises_appear():
    assert counts(score_threshold=0.9) == (3, 1, 4)
    assert round(aps(score_threshold=0.9)[0], 2) == 0.43
    assert counts(score_threshold=0.2) == (7, 7, 0)
    assert counts(score_threshold=0.01) == (7, 34, 0)
    assert aps(score_threshold=0.2)[:2] == aps(score_threshold=0.01)[:2] == aps()[2:]
    assert counts(iou_threshold=0.75) == (4, 5, 3)
    assert round(aps(iou_threshold=0.75)[2], 2) == 0.39
    assert [round(ap, 2) for ap in aps(group=ALL)] == [0.63, 0.64, 0.81, 0.81]


def test_more_boxes_never_lower_ap():
    falling = [aps(score_threshold=t / 20)[0] for t in range(20, 0, -1)]
    assert falling == sorted(falling)
    assert falling[0] < falling[-1]


def test_javascript_gives_the_same_numbers():
    explorer = PrecisionRecallExplorer()
    source = re.sub(
        r"export default.*?\n}\);\n", "", modules.joined("precision_recall"), flags=re.S
    )
    script = f"""{source}
    const [detections, objects, classes, states] = JSON.parse(process.argv.at(-1));
    const answers = states.map(([least, threshold, group]) => {{
      const chosen = classes.map((_, k) => k).filter((k) => [ALL, classes[k]].includes(group));
      const games = chosen.map((k) => referee(detections, objects, k, threshold));
      const parts = games.map((game) => measure(game, least));
      const wholes = games.map((game) => measure(game, 0));
      const counted = parts.flatMap((part) => part.counted);
      const hits = counted.filter(({{ hit }}) => hit).length;
      const missed = parts.flatMap((part) => part.missed).length;
      const ap = [parts, wholes].flatMap((ones) =>
        ["area", "points"].map((rule) => mean(ones.map((one) => one[rule]))));
      return [[hits, counted.length - hits, missed], ap];
    }});
    console.log(JSON.stringify(answers));"""
    names = ("score_threshold", "iou_threshold", "group")
    states = [
        [getattr(PrecisionRecallExplorer(**state), name) for name in names] for state in STATES
    ]
    state = json.dumps([explorer.detections, explorer.objects, explorer.classes, states])
    answers = json.loads(node("--input-type=module", "-", state, text=script))
    for state, ((*numbers,), ap) in zip(STATES, answers, strict=True):
        if state.get("group") != ALL:  # over all classes, a box on another class is judged as such
            assert tuple(numbers) == counts(**state), state
        assert ap == pytest.approx(aps(**state), abs=1e-12), state


def test_every_class_has_something_to_find():
    explorer = PrecisionRecallExplorer(group=ALL)
    result = explorer.evaluation()
    assert list(result.ap) == explorer.classes
    assert not any(map(math.isnan, result.ap.values()))


def test_the_picture_follows_the_state():
    explorer, seen = PrecisionRecallExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "score_threshold")
    pictures = {explorer.png()}
    for threshold in (0.3, 0.95):
        explorer.score_threshold = threshold
        pictures.add(explorer.png())
    explorer.group = ALL
    pictures.add(explorer.png())
    assert seen == [0.3, 0.95]
    assert len(pictures) == 4


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"group": "dog"}, "group must be one of airplane, .*all classes, not 'dog'"),
        ({"score_threshold": float("nan")}, "score_threshold must be finite"),
        ({"score_threshold": 1.5}, "score_threshold"),
        ({"iou_threshold": 0.0}, "iou_threshold"),
        ({"objects": []}, "read-only"),
    ],
)
def test_impossible_states_are_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        PrecisionRecallExplorer(**state)
