"""The matching explorer: what chapter 8 says of it, and what Python reads, sets and refuses."""

import json

import pytest
import torch
import traitlets
from ssd_book.explorers import MatchingExplorer, modules

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.presets import PRESETS
from ssd_tutorial.priors import make_priors
from tests.explorers.test_modules import node


def shares(explorer: MatchingExplorer) -> list[int]:
    """Return the number of priors matched to each ground truth."""
    owner = explorer.matches().ground_truth[0]
    return [int((owner == g).sum()) for g in range(len(explorer.boxes))]


def example(words: str, **traits) -> MatchingExplorer:
    return MatchingExplorer(**MatchingExplorer().examples[words] | traits)


def test_the_first_state_is_the_one_that_chapter_8_begins_with():
    explorer = MatchingExplorer()
    assert shares(explorer) == [6, 11, 12]
    assert explorer.matches().ground_truth.shape == (1, 8732)
    assert explorer.examples["Cat and eyes"]["boxes"] == explorer.boxes


def test_argmax_loses_one_of_two_objects_on_one_spot_and_bipartite_none():
    assert shares(example("Two on one spot")) == [6, 11, 12, 0, 6]
    assert shares(example("Two on one spot", rule="bipartite")) == [6, 11, 12, 1, 6]


def test_both_objects_have_the_same_best_prior_without_a_tie():
    boxes = torch.tensor(example("Two on one spot").boxes[3:])
    overlap = iou(boxes, cxcywh_to_xyxy(make_priors(PRESETS["caffe300_voc"])))
    (first, second), index = overlap.topk(2).values.T, overlap.argmax(dim=1)
    assert index[0] == index[1]
    assert (first - second).min() > 0.01  # so that rounding decides nothing
    assert first[0] < 0.5 < first[1]


def test_no_prior_reaches_the_slim_objects():
    explorer = example("Slim objects")
    matches = explorer.matches()
    assert shares(explorer) == [1, 1, 1, 1, 1]
    assert matches.iou[matches.positive].max() < 0.5


def test_the_numbers_that_chapter_8_promises_appear():
    shared = {t: shares(MatchingExplorer(threshold=t)) for t in (0.4, 0.5, 0.6, 0.65)}
    assert {t: sum(share) for t, share in shared.items()} == {0.4: 86, 0.5: 29, 0.6: 10, 0.65: 5}
    assert shared[0.65] == [3, 1, 1]
    assert shares(MatchingExplorer(preset="naive_m6")) == [7, 26, 1]

    crowd = example("Two on one spot")
    x0, y0, x1, y1 = crowd.boxes[3]
    crowd.boxes = [*crowd.boxes[:3], [x0, y0 + 0.03, x1, y1 + 0.03], crowd.boxes[4]]
    assert shares(crowd) == [6, 11, 12, 1, 6]  # found, under argmax too

    slim = example("Slim objects")
    x0, y0, x1, y1 = slim.boxes[0]
    slim.boxes = [[x0, y0, x1 + 0.09, y1], *slim.boxes[1:]]
    assert round(300 * (x1 + 0.09 - x0)) == 38
    matches = slim.matches()
    own = matches.iou[matches.ground_truth == 0]
    assert (len(own), f"{own.max():.2f}") == (2, "0.54")


def test_another_preset_is_matched_with_its_own_priors():
    assert MatchingExplorer(preset="caffe512_voc").matches().ground_truth.shape == (1, 24564)


def test_another_photograph_sets_its_objects():
    assert len(MatchingExplorer(photograph="rocket").boxes) == 5


def test_boxes_can_be_set_observed_drawn_and_removed():
    explorer, seen = MatchingExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "boxes")
    before = explorer.png()
    explorer.boxes = torch.tensor([[0.25, 0.25, 0.5, 0.75]])
    assert seen == [[[0.25, 0.25, 0.5, 0.75]]]
    assert explorer.png() != before
    explorer.boxes = []
    assert int(explorer.matches().positive.sum()) == 0
    assert explorer.png().startswith(b"\x89PNG")


def test_a_lost_object_is_drawn_differently():
    assert example("Two on one spot").png() != example("Two on one spot", rule="bipartite").png()
    assert example("Cat and eyes", only=True, chosen=1).png() != MatchingExplorer().png()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"boxes": [[0.5, 0, 0.4, 1]]}, "box 0: .*xmax must be above xmin"),
        ({"boxes": [[0, 0, 1, 1]] * 9}, "takes 0 to 8 boxes, not 9"),
        ({"threshold": 0.0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"rule": "hungarian"}, "rule"),
        ({"preset": "ssd300"}, "preset"),
        ({"photograph": "dog"}, "photograph"),
        ({"chosen": -1}, "chosen"),
    ],
)
def test_impossible_states_are_refused(wrong, words):
    with pytest.raises(traitlets.TraitError, match=words):
        MatchingExplorer(**wrong)


SURVEY = """
let input = "";
for await (const part of process.stdin) input += part;
console.log(JSON.stringify(JSON.parse(input).map(({ preset, boxes, threshold, rule }) => {
  const { objects, positives } = survey(preset, makePriors(preset), boxes, threshold, rule);
  const truths = named(objects);
  const total = numPriors(preset);
  const said = words(truths, total, threshold, rule);
  return { truths, perMap: positives.map((some) => some.length), said };
})));
"""


@pytest.fixture(scope="module")
def surveyed(tmp_path_factory):
    """Return JavaScript's result for the three examples under both rules: (explorer, outcome)."""
    explorers = [
        example(words, rule=rule)
        for words in MatchingExplorer().examples
        for rule in ("bipartite", "argmax")
    ]
    cases = [
        {
            "preset": explorer.presets[explorer.preset],
            "boxes": explorer.boxes,
            "threshold": explorer.threshold,
            "rule": explorer.rule,
        }
        for explorer in explorers
    ]
    file = tmp_path_factory.mktemp("matching") / "survey.mjs"
    file.write_text(modules.joined("matching").replace("export default", "") + SURVEY)
    outcomes = json.loads(node(str(file), text=json.dumps(cases)))
    return list(zip(explorers, outcomes, strict=True))


def test_the_page_counts_positives_as_the_package_does(surveyed):
    for explorer, outcome in surveyed:
        preset = PRESETS[explorer.preset]
        assert [truth["priors"] for truth in outcome["truths"]] == shares(explorer)
        overlap = iou(torch.tensor(explorer.boxes), cxcywh_to_xyxy(make_priors(preset)))
        best = torch.tensor([truth["best"] for truth in outcome["truths"]])
        assert (overlap.amax(dim=1) - best).abs().max() < 1e-5
        sizes = [fm.cells**2 * fm.boxes_per_cell for fm in preset.maps]
        positive = explorer.matches().positive[0].split(sizes)
        assert outcome["perMap"] == [int(part.sum()) for part in positive]


def test_the_page_names_lost_objects_and_those_that_no_prior_reaches(surveyed):
    said = [outcome["said"] for _, outcome in surveyed]
    assert said[0].startswith("29 of 8732 priors are positive; the other 8703 must")
    assert said[1].endswith("Here argmax loses no object.")
    assert "G4 has the best prior of G3 (0.34): G3 gets at most 0.30." in said[2]
    assert "G3 is lost: G4 took its best prior" in said[3]
    assert "lost" not in "".join(said[:3] + said[4:]).replace("loses", "")
    assert "No prior reaches 0.50 with G0, G1, G2, G3 and G4" in said[4]
