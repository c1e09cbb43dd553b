"""The film strip of chapter 12: its frames are the record's, its verdicts those of the package."""

import json

import pytest
import torch
import traitlets
from ssd_book.explorers import TrainingExplorer, modules
from ssd_book.explorers.training import SCENE, film

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.weights.file import load_weights
from tests.explorers.test_modules import node

THRESHOLDS = (0.1, 0.2, 0.3, 0.5, 0.9)


@pytest.fixture(scope="module")
def explorer():
    return TrainingExplorer()


def counts(explorer, moment):
    """Return right and wrong boxes and missed objects."""
    errors = explorer.errors(moment)
    right = errors.kinds.count("true positive")
    return [right, len(errors.kinds) - right, len(errors.missed)]


def test_the_frames_go_from_no_sample_to_all_of_the_recipe(explorer):
    samples = [frame[0] for frame in explorer.frames]
    assert samples[0] == 0
    assert samples[-1] == Recipe().samples
    assert samples == sorted(set(samples))
    assert len(samples) >= 5


def test_the_last_frame_is_what_the_books_weights_detect(explorer):
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network
    (found,) = detect(network, [open_dataset("scenes", "val")[SCENE][0]])
    found = found.above(film()["least_score"])
    rows = torch.tensor(explorer.frames[-1][3])
    assert (rows[:, 0] + 1).tolist() == found.labels.tolist()
    assert torch.allclose(rows[:, 1], found.scores, atol=0.002)
    assert torch.allclose(rows[:, 2:], found.boxes / 300, atol=0.002)


def test_training_turns_wrong_boxes_into_right_ones(explorer):
    first, last = counts(explorer, 0), counts(explorer, len(explorer.frames) - 1)
    assert first[0] == 0
    assert first[2] == len(explorer.objects) == 5
    assert last == [4, 1, 1]
    assert first[1] > 10


def test_the_losses_fall_and_seen_and_unseen_stay_together(explorer):
    for column in (1, 2):
        losses = [frame[column] for frame in explorer.frames]
        assert losses == sorted(losses, reverse=True)
    for _, seen, unseen, _ in explorer.frames:
        assert unseen == pytest.approx(seen, rel=0.15)


def test_the_run_is_the_recorded_one(explorer):
    """The first frames are trained again: the losses must be those of the weights' own run."""
    record = film()
    hard = json.loads(data_path("runs/scenes_slim300/result.json").read_text())
    for name in ("model", "samples", "batch_size", "lr", "warmup", "weight_decay"):
        assert record["settings"][name] == hard["settings"][name]
    assert record["agreement"]
    for _, ours, theirs in record["agreement"]:
        assert ours == pytest.approx(theirs, rel=0.01)


def test_the_verdicts_are_the_same_in_javascript(explorer):
    source = modules.joined("training").replace("export default", "const widget =")
    state = [explorer.frames, explorer.objects, THRESHOLDS]
    script = (
        source + f"\nconst [frames, objects, thresholds] = {json.dumps(state)};"
        "console.log(JSON.stringify(frames.map((f) => thresholds.map((t) => {"
        "const { shown, missed } = referee(f[3], objects, t);"
        "const right = shown.filter((one) => one.right).length;"
        "return [right, shown.length - right, missed.length]; }))));"
    )
    theirs = json.loads(node("--input-type=module", text=script))
    for moment in range(len(explorer.frames)):
        for place, threshold in enumerate(THRESHOLDS):
            one = TrainingExplorer(score_threshold=threshold)
            assert theirs[moment][place] == counts(one, moment)


@pytest.mark.parametrize("moment", [-1, 100])
def test_a_moment_outside_the_film_is_refused(explorer, moment):
    with pytest.raises(traitlets.TraitError):
        explorer.moment = moment
