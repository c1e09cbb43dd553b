"""The crop explorer: it shows what a training run draws, and JavaScript decides alike."""

import json
import re

import pytest
import torch
import traitlets
from ssd_book.explorers import CropExplorer, modules
from ssd_book.explorers.crop import MINIMA, SEEDS, cut, draw_sample
from ssd_book.photographs import load_photograph
from torch import Tensor

from ssd_tutorial.augment import training_transform
from tests.explorers.test_modules import node


def test_the_first_state_ends_a_search_of_six_trials():
    explorer = CropExplorer()
    assert (explorer.seed, explorer.minimum, explorer.trial) == (2, "drawn", 6)
    draw = explorer.draws["2"]
    assert draw["mirror"]
    assert MINIMA[draw["chosen"]] == 0.7
    assert len(draw["samplers"][draw["chosen"]]) == 6
    _, target = cut(draw_sample(2), explorer.crop)
    assert [explorer.names[i] for i in (0, 3)] == ["person", "flag"]
    assert target["labels"].tolist() == [7, 5]


@pytest.mark.parametrize("seed", range(SEEDS))
def test_a_seed_gives_the_crop_of_training(seed):
    """The same canvas, crop and mirror as the package's pipeline with that seed, box by box."""
    torch.manual_seed(seed)
    image, target = training_transform(300, crop="caffe", expand=4)(load_photograph("astronaut"))
    ours_image, ours = cut(draw_sample(seed), CropExplorer(seed=seed).crop)
    assert ours["labels"].tolist() == target["labels"].tolist()
    boxes = [x["boxes"].as_subclass(Tensor) for x in (ours, target)]
    torch.testing.assert_close(*boxes, atol=1e-3, rtol=0)
    difference = (ours_image.int() - image.int()).abs().float()
    assert difference.mean() < 1  # resized before the mirror, or after


def test_the_global_random_state_is_unchanged():
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    draw_sample.__wrapped__(7)
    assert torch.equal(torch.rand(3), wanted)


def test_javascript_accepts_the_trial_that_the_package_accepts():
    """For every sampler and seed, from the page's data: IoUs, the centre rule, the end."""
    explorer = CropExplorer()
    source = re.sub(r"export default.*", "", modules.joined("crop"), flags=re.S)
    script = f"""{source}
    const {{ draws, minima }} = JSON.parse(process.argv.at(-1));
    const answer = (draw) => draw.samplers.map((trials, i) =>
      trials.map((trial) => judge(trial, draw, minima[i])));
    console.log(JSON.stringify(Object.values(draws).map(answer)));"""
    state = json.dumps({"draws": explorer.draws, "minima": explorer.minima})
    answers = json.loads(node("--input-type=module", "-", state, text=script))
    judged = 0
    for seed, samplers in enumerate(answers):
        search = draw_sample(seed).search
        for s, trials in enumerate(samplers):
            shown = [trial["number"] - 1 for trial in trials]
            best = torch.tensor([max(trial["ious"]) for trial in trials])
            torch.testing.assert_close(
                best.double(), search.trials.best_iou[s, shown], atol=1e-4, rtol=0
            )
            keeps = [sum(trial["inside"]) for trial in trials]
            assert keeps == search.trials.keeps[s, shown].tolist()
            accepted = [trial["number"] - 1 for trial in trials if trial["accepted"]]
            assert accepted == ([] if search.first[s] is None else [search.first[s]])
            judged += len(trials)
    assert judged > 300


def test_a_seed_that_the_page_lacks_is_drawn_by_python():
    explorer, seen = CropExplorer(), []
    assert sorted(map(int, explorer.draws)) == list(range(SEEDS))
    explorer.observe(lambda change: seen.append(sorted(map(int, change["new"]))), "draws")
    explorer.seed = 40
    assert seen == [[*range(SEEDS), 40]]
    assert "40" in CropExplorer(seed=40).draws


def test_another_seed_or_sampler_shows_the_end_of_its_search():
    explorer = CropExplorer(own=[0.1, 0.1, 0.6, 0.7])
    assert explorer.crop == (51, 51, 307, 358)
    explorer.minimum = 0.9
    assert explorer.own is None
    assert explorer.trial == 10  # of 17: the first nine, and the one that was accepted
    assert explorer.draws["2"]["samplers"][MINIMA.index(0.9)][-1][0] == 17
    explorer.seed = 3
    assert explorer.draws["3"]["samplers"][MINIMA.index(0.9)][-1][0] == 50
    assert explorer.crop is None
    assert len(explorer.png()) > 10_000


def test_state_sent_by_the_page_reaches_python():
    """As a kernel receives it: a seed that the page lacks, a dragged crop, a full reset."""
    explorer = CropExplorer()
    first = {
        name: explorer.get_state()[name] for name in ("seed", "minimum", "trial", "own", "draws")
    }
    explorer.set_state({"seed": 40})
    assert "40" in explorer.draws
    assert explorer.trial == len(explorer._trials())
    explorer.set_state({"own": [0.1, 0.2, 0.6, 0.9]})
    assert explorer.own == [0.1, 0.2, 0.6, 0.9]
    explorer.set_state(first)
    assert {name: explorer.get_state()[name] for name in first} == first


def test_the_numbers_of_chapter_11_hold():
    """About seeds 2, 3 and 10, and the helmet."""
    search = draw_sample(2).search
    refused = search.trials.best_iou[MINIMA.index(0.7), :5]
    assert round(refused.max().item(), 2) == 0.53
    assert round(search.trials.best_iou[MINIMA.index(0.7), 5].item(), 2) == 0.71
    assert search.first[MINIMA.index(0.9)] == 16
    small = draw_sample(3)
    assert small.size[0] > 512
    assert small.search.first[MINIMA.index(0.9)] is None
    assert small.search.first[MINIMA.index(0.7)] is None
    tiny = draw_sample(10)
    assert f"{tiny.size[0] / 512:.1f}" == "2.4"
    assert [m for m, f in zip(MINIMA, tiny.search.first, strict=True) if f is not None] == [
        0.1,
        0.3,
        0,
    ]
    explorer = CropExplorer(seed=10)
    _, target = cut(tiny, explorer.crop)
    assert target["labels"].tolist() == [6]
    assert explorer.names[1] == "helmet"
    right = explorer.draws["2"]["boxes"][1][2]  # the helmet reaches the picture's right border
    assert right == explorer.draws["2"]["size"][0]


def test_a_seed_without_a_crop_shows_the_whole_picture():
    explorer = CropExplorer(seed=5)
    assert explorer.draws["5"]["chosen"] is None
    assert explorer.trial == 0
    assert explorer.crop == (0, 0, 512, 512)


def test_the_stand_in_shows_the_state():
    explorer = CropExplorer()
    pictures = [explorer.png()]
    for change in ({"trial": 2}, {"own": [0.2, 0.2, 0.9, 0.9]}, {"seed": 10}, {"seed": 5}):
        for name, value in change.items():
            setattr(explorer, name, value)
        pictures.append(explorer.png())
    assert len(set(pictures)) == len(pictures)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", -1),
        ("seed", 1.5),
        ("minimum", 0.4),
        ("trial", -1),
        ("own", [0.5, 0, 0.5, 1]),
        ("own", [0, 0, float("nan"), 1]),
    ],
)
def test_impossible_states_are_refused(name, value):
    with pytest.raises(traitlets.TraitError, match=name):
        CropExplorer(**{name: value})
    explorer = CropExplorer()
    with pytest.raises(traitlets.TraitError, match=name):
        setattr(explorer, name, value)
