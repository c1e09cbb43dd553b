"""The explorer of hard negatives: what its page gets, and what mining selects from it."""

import numpy as np
import pytest
import torch
import traitlets
from ssd_book.explorers import MiningExplorer
from ssd_book.explorers.mining import EXACT, SCENES

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import load_weights


@pytest.fixture(scope="module")
def truth():
    """Compute the logits, offsets and targets of each scene again."""
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    found = {}
    for name, index in SCENES.items():
        image, target = open_dataset("scenes", "val")[index]
        boxes = target["boxes"].as_subclass(torch.Tensor) / 300
        with torch.inference_mode():
            outputs = network(image[None])
        found[name] = network.priors, *outputs, make_targets([boxes], [target["labels"]], 13)
    return found


def test_the_first_state_is_a_typical_scene_and_highlights_its_hardest_negative():
    explorer = MiningExplorer()
    positive, chosen = explorer.positive(), explorer.negatives()
    assert (int(positive.sum()), int(chosen.sum()), len(chosen)) == (12, 36, 8732)
    losses = explorer.background_loss()
    order = losses.argsort(descending=True, stable=True)
    assert positive[order[: explorer.shown]].all()
    assert chosen[order[explorer.shown]], "the prior that is marked at first counts"
    small = explorer.scenes[explorer.scene]["small"]
    held = losses[chosen].sum() / (losses[~positive & (losses >= EXACT)].sum() + small)
    assert held == pytest.approx(0.5, abs=0.01)  # as chapter 10 says of a typical scene


@pytest.mark.parametrize("scene", SCENES)
def test_the_losses_are_those_of_the_trained_detector(scene, truth):
    _, logits, _, _ = truth[scene]
    exact = logits[0].logsumexp(-1) - logits[0, :, 0]
    explorer = MiningExplorer(scene=scene)
    sent = np.frombuffer(explorer.losses, np.float16).reshape(len(SCENES), -1)
    sent = torch.from_numpy(sent[list(SCENES).index(scene)].astype(np.float32))
    assert torch.equal(sent, explorer.background_loss())
    large = sent >= EXACT
    torch.testing.assert_close(sent[large], exact[large], rtol=1e-3, atol=0)
    assert (exact[~large] < 1.001 * EXACT).all()
    total = float(sent[large].sum()) + explorer.scenes[scene]["small"]
    assert total == pytest.approx(float(exact.sum()), rel=1e-3)


@pytest.mark.parametrize("scene", SCENES)
def test_positives_and_mined_negatives_add_up_to_the_loss(scene, truth):
    priors, logits, offsets, targets = truth[scene]
    explorer = MiningExplorer(scene=scene)
    loss = multibox_loss(logits, offsets, targets, priors)
    own = explorer.scenes[scene]["own"][0]
    mined = explorer.background_loss()[explorer.negatives()].sum()
    total = (sum(own.values()) + float(mined)) / len(own)
    assert len(own) == int(loss.num_positives)
    assert total == pytest.approx(float(loss.confidence), rel=2e-3)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("forget", [False, True])
def test_no_ratio_of_the_slider_reaches_the_rounded_losses(scene, forget):
    explorer = MiningExplorer(scene=scene, forget=forget, ratio=10)
    chosen = explorer.negatives()
    assert int(chosen.sum()) == 10 * int(explorer.positive().sum())
    assert not chosen.any() or explorer.background_loss()[chosen].min() >= EXACT


def test_a_forgotten_label_becomes_the_hardest_negative():
    explorer = MiningExplorer(scene="balloon and fish")
    hardest = int(explorer.background_loss().argmax())
    assert explorer.positive()[hardest]
    first = explorer.background_loss().argsort(descending=True, stable=True)[:9]
    assert explorer.positive()[first].all()
    explorer.forget = True
    assert explorer.negatives()[hardest]
    assert explorer.negatives()[first].tolist() == 8 * [True] + [False]  # as chapter 10 says
    alone = MiningExplorer(scene="one house", forget=True)
    assert not alone.positive().any()
    assert not alone.negatives().any()


def test_random_negatives_are_as_many_and_easier():
    explorer = MiningExplorer()
    hard = explorer.background_loss()[explorer.negatives()].sum()
    explorer.choice = "at random"
    assert explorer.negatives().sum() == 36
    assert explorer.background_loss()[explorer.negatives()].sum() < hard / 5


def test_the_picture_follows_the_state():
    explorer = MiningExplorer()
    before = explorer.png()
    explorer.ratio = 1
    assert explorer.png()[:8] == b"\x89PNG\r\n\x1a\n"
    assert explorer.png() != before
    assert repr(explorer) == repr(MiningExplorer())


@pytest.mark.parametrize(
    "bad",
    [{"ratio": 11}, {"ratio": float("nan")}, {"ratio": -1}, {"scene": "a dog"}, {"shown": 8732}],
)
def test_impossible_states_are_refused(bad):
    with pytest.raises(traitlets.TraitError):
        MiningExplorer(**bad)
