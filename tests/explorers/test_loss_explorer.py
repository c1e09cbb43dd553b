"""The loss explorer: chapter 9's numbers, what Python reads and sets, and what it refuses."""

import math

import pytest
import torch
import traitlets
from ssd_book.explorers import LossExplorer

from ssd_tutorial.boxes import decode, encode
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.presets import VARIANCES, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets


def test_the_first_state_is_the_prior_that_the_chapter_works_out():
    explorer = LossExplorer()
    said = encode(torch.tensor(explorer.prediction), torch.tensor(explorer.prior))
    torch.testing.assert_close(said, torch.tensor([0.9, 0.25, 0.6, 1.2]), atol=1e-4, rtol=0)
    assert [round(x, 4) for x in explorer.differences] == [0.6297, -0.786, 1.5387, 0.2213]
    assert round(explorer.loss.localization.item(), 4) == 1.5704
    assert round(explorer.loss.confidence.item(), 4) == 0.5147
    assert round(explorer.loss.total.item(), 4) == 2.0851


def test_prior_and_ground_truth_are_a_match_of_a_real_picture():
    explorer = LossExplorer()
    image, target = open_dataset("scenes", "val")[10]
    boxes = target["boxes"] / image.shape[-1]
    preset = get_preset("caffe300_voc")
    priors = make_priors(preset)
    prior = (priors - torch.tensor(explorer.prior)).abs().sum(1).argmin()
    found = match(priors, make_targets([boxes], [target["labels"]], 13)).ground_truth[0, prior]
    torch.testing.assert_close(boxes[found], torch.tensor(explorer.truth))
    assert preset.maps[explorer.map].name == "conv8_2"
    assert tuple(explorer.variances) == VARIANCES


@pytest.mark.parametrize("matched", ["balloon", "nothing"])
def test_the_loss_agrees_with_the_package(matched):
    explorer = LossExplorer(matched=matched, alpha=2.5, fish=3.0, prediction=[0, 0, 0.5, 0.25])
    prior = torch.tensor(explorer.prior)
    scores = torch.tensor([getattr(explorer, name) for name in explorer.classes])
    said = encode(torch.tensor(explorer.prediction), prior)
    # A second prior, far away, is the positive for which a negative is mined.
    other = torch.tensor([0.9, 0.9, 0.1, 0.1])
    priors = torch.stack([prior, other])
    truth = explorer.truth if matched == "balloon" else [0.85, 0.85, 0.95, 0.95]
    targets = make_targets([torch.tensor([truth])], [torch.tensor([1])], num_classes=4)
    logits = torch.stack([scores, torch.tensor([50.0, 0, 0, 0])])
    if matched == "nothing":
        logits[1] = torch.tensor([0.0, 50, 0, 0])  # the other one is right, and costs nothing
    offsets = torch.stack([said, torch.zeros(4)])
    package = multibox_loss(logits[None], offsets[None], targets, priors, alpha=2.5)
    assert package.num_positives == 1
    torch.testing.assert_close(explorer.loss.total, package.total, atol=1e-4, rtol=1e-4)


def test_the_numbers_that_chapter_9_promises_appear():
    explorer = LossExplorer()
    explorer.prediction = explorer.truth
    assert explorer.loss.localization.item() == pytest.approx(0, abs=1e-9)
    still = decode(torch.zeros(4), torch.tensor(explorer.prior))
    explorer.prediction = still.tolist()
    assert f"{explorer.loss.localization:.2f}" == "1.49"  # no move at all
    explorer.balloon = 6.0
    assert f"{explorer.loss.confidence:.2f}" == "0.01"
    explorer.balloon = -4.0
    assert f"{explorer.loss.confidence:.2f}" == "5.61"
    explorer.set_trait("balloon", 2.0)
    explorer.matched = "nothing"
    assert explorer.loss.localization == 0
    assert f"{explorer.loss.confidence:.2f}" == "1.51"
    for name in explorer.classes:
        setattr(explorer, name, 0)
    assert explorer.loss.confidence.item() == pytest.approx(math.log(4), abs=1e-6)


def test_changes_are_observed_and_redraw_the_picture():
    explorer, seen = LossExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), ["prediction", "fish"])
    before = explorer.png()
    explorer.prediction = [0.1, 0.1, 0.4, 0.4]
    explorer.fish = 4
    assert seen == [[0.1, 0.1, 0.4, 0.4], 4.0]
    assert before[:4] == b"\x89PNG"
    assert explorer.png() != before
    assert repr(explorer) == repr(LossExplorer())


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"prediction": [0.5, 0.1, 0.5, 0.4]}, "xmax must be above xmin"),
        ({"prediction": [0.1, 0.1, math.nan, 0.4]}, "must be a finite number"),
        ({"prediction": [100, 20, 190, 160]}, "divide pixels"),
        ({"balloon": math.inf}, "balloon"),
        ({"house": 11}, "house"),
        ({"alpha": -1}, "alpha"),
        ({"matched": "fish"}, "matched"),
        ({"truth": [0, 0, 1, 1]}, "read-only"),
    ],
)
def test_impossible_states_are_refused(traits, message):
    with pytest.raises(traitlets.TraitError, match=message):
        LossExplorer(**traits)
