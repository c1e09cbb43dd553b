"""The clinic of chapter 17: sound, its loss and its loop are the package's; each fault is one."""

import math
from dataclasses import asdict, replace
from pathlib import Path

import nbformat
import pytest
import torch
from ssd_book import clinic
from ssd_book.clinic import FAULTS, RECIPE, RULES

from ssd_tutorial.datasets import Scenes
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets
from ssd_tutorial.training.loader import CachedDataset
from ssd_tutorial.training.loop import train

PRIORS = make_priors(get_preset("caffe300_voc"))
REFUSED = {  # by make_targets, with these words
    "an inverted box": "xmax must be above xmin",
    "boxes in pixels": "divide pixels",
    "label 0": "0 is the background",
}


@pytest.fixture(scope="module")
def scenes():
    return CachedDataset(Scenes(24), 300, progress=False)


@pytest.fixture(scope="module")
def batch(scenes):
    return clinic.collate([scenes[i] for i in range(1, 9)])  # the last one has class 1


def test_of_sound_boxes_the_unchecked_loss_is_the_packages(batch):
    random = torch.Generator().manual_seed(17)
    logits, offsets = (torch.randn(8, 8732, n, generator=random) for n in (13, 4))
    for tensor in (logits, offsets):
        tensor.requires_grad_()
    targets = make_targets(batch.boxes, batch.labels, 13)
    matches = match(PRIORS, targets, method="argmax")
    ours = multibox_loss(logits, offsets, targets, PRIORS, matches=matches)
    theirs = clinic.unchecked_loss(logits, offsets, batch.boxes, batch.labels, PRIORS)
    torch.testing.assert_close(tuple(theirs), tuple(ours))
    for tensor in (logits, offsets):
        mine, other = (torch.autograd.grad(loss.total, tensor)[0] for loss in (ours, theirs))
        torch.testing.assert_close(other, mine)


def test_without_a_fault_the_loop_takes_the_steps_of_the_package(scenes):
    recipe = replace(RECIPE, samples=6, batch_size=2)
    sound = replace(FAULTS["none"], pictures=24)
    ours = list(clinic.train_unchecked(sound, scenes, recipe=recipe))
    _, theirs = train(scenes, recipe, log_every=1, progress=False)
    assert [one.positives for one in ours] == [step.positives for step in theirs]
    for one, step in zip(ours, theirs, strict=True):
        assert one.total == pytest.approx(step.total, rel=2e-3)
        assert one.localization == pytest.approx(step.localization, rel=2e-3)


@pytest.mark.parametrize("name", FAULTS)
def test_make_targets_refuses_three_faults_and_accepts_the_others(name, batch):
    change = FAULTS[name].change
    if name == "an inverted box":
        batch = batch._replace(names=["scene_0_000100", *batch.names[1:]])
    seen = change(batch)
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            make_targets(seen.boxes, seen.labels, 13, seen.names)
    else:
        make_targets(seen.boxes, seen.labels, 13, seen.names)


def test_a_fault_changes_what_it_names_and_leaves_the_batch_alone(batch):
    before = [box.clone() for box in batch.boxes]
    for fault in FAULTS.values():
        seen = fault.change(batch)
        assert len(seen.boxes) == len(seen.labels) == len(seen.images) == 8
    assert all(torch.equal(a, b) for a, b in zip(before, batch.boxes, strict=True))
    flipped = clinic.flip_pictures(batch)
    odd = [int(name[-1]) % 2 for name in batch.names]
    same = [torch.equal(a, b) for a, b in zip(flipped.images, batch.images, strict=True)]
    assert same == [not one for one in odd]
    lost = clinic.lose_boxes(
        batch._replace(names=[f"s_{i}" for i in (0, 9, 10, 29, 30, 5, 11, 40)])
    )
    assert [len(b) == 0 for b in lost.boxes] == [True, True, False, False, True, True, False, False]


def test_an_inverted_box_makes_one_target_and_the_loss_nan(batch):
    seen = clinic.turn_over(batch, every=8, first=0)
    classes, wanted = clinic.unchecked_targets(seen.boxes, seen.labels, PRIORS)
    broken = wanted[classes > 0].isnan()
    assert broken.sum() == 1
    assert classes[7, 0] > 0  # the first prior gets what touches none
    logits, offsets = torch.zeros(8, 8732, 13), torch.zeros(8, 8732, 4)
    loss = clinic.unchecked_loss(logits, offsets, seen.boxes, seen.labels, PRIORS)
    assert loss.total.isnan()
    assert loss.confidence.isfinite()


def test_a_batch_without_boxes_divides_nothing_by_nothing():
    empty = [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.int64)] * 2
    zeros = torch.zeros(2, 8732, 13), torch.zeros(2, 8732, 4)
    assert clinic.unchecked_loss(*zeros, *empty, PRIORS).total.isnan()


# --- the record -----------------------------------------------------------------------------------


def test_every_fault_is_recorded_with_the_settings_that_it_has():
    runs = clinic.read_faults()
    assert list(runs) == list(FAULTS)
    for name, (run, reports) in runs.items():
        fault = FAULTS[name]
        assert run["settings"] == dict(fault.settings)
        assert run["variances"] == list(fault.variances)
        size = fault.settings.get("batch_size", RECIPE.batch_size)
        assert [r.samples for r in reports] == [size * (i + 1) for i in range(len(reports))]
        assert run["samples"] == reports[-1].samples
        assert reports[-1].samples == RECIPE.samples or math.isnan(reports[-1].total)
        assert all(math.isfinite(r.total) for r in reports[:-1])
        due = [r.samples for r in reports if r.unseen is not None]
        ends = range(clinic.EVERY, reports[-1].samples + 1, clinic.EVERY)
        assert due == [samples for samples in ends if samples <= reports[-1].samples]


def test_what_is_measured_before_training_is_what_the_record_has():
    few = clinic.check(FAULTS["too few pictures"], Scenes(16))
    kept = clinic.read_faults()["too few pictures"][0]["checks"]
    for key, value in asdict(few).items():
        assert kept[key] == pytest.approx(
            list(value) if isinstance(value, tuple) else value, rel=1e-3
        )


def test_a_sound_run_obeys_every_rule_and_each_measurable_fault_breaks_one():
    broken = {
        name: [rule for rule, (_, holds) in RULES.items() if not holds(run["checks"])]
        for name, (run, _) in clinic.read_faults().items()
    }
    assert broken == {
        "none": [],
        "boxes of the next picture": [],
        "learning rate too high": [],
        "learning rate too low": [],
        "boxes not flipped": [],
        "label 0": ["labels"],
        "boxes in pixels": ["corners", "positives", "spread"],
        "an inverted box": ["narrowest"],
        "pictures without boxes": ["empty"],
        "variances forgotten": ["spread"],
        "normalisation forgotten": ["inputs"],
        "too few pictures": ["different"],
    }


def test_the_first_step_of_a_record_can_be_repeated():
    pictures = Scenes(clinic.PICTURES)
    (first,) = clinic.train_unchecked(FAULTS["none"], pictures, steps=1)
    kept = clinic.read_faults()["none"][1][0]
    assert first.positives == kept.positives
    assert first.total == pytest.approx(kept.total, rel=1e-3)


# --- what the chapter says ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prose():
    path = Path(__file__).resolve().parents[2] / "book" / "17_when_training_goes_wrong.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def last(name, part="total", count=30):
    values = [getattr(step, part) for step in clinic.read_faults()[name][1][-count:]]
    return sum(values) / len(values)


def test_its_numbers_are_those_of_the_record(prose):
    runs = clinic.read_faults()
    checks = {name: run["checks"] for name, (run, _) in runs.items()}
    assert f"numbers up to {checks['normalisation forgotten']['inputs'][1]:.0f}" in prose
    assert round(checks["none"]["positives"], -1) == 30
    assert "where a sound run has about thirty" in prose
    assert round(checks["none"]["spread"], 1) == 1.4
    assert "about 1.4 on the scenes" in prose
    assert RECIPE.samples // FAULTS["too few pictures"].pictures == 60
    assert "each seen 60 times" in prose
    assert (3**16 // 10**6, 3**4) == (43, 81)
    assert "once in 43 million batches, for a batch of 4 once in 81" in prose
    unseen = runs["too few pictures"][1][-1].unseen / runs["none"][1][-1].unseen
    assert 2 < unseen < 3
    assert "to more than twice that of the sound run" in prose


def test_its_comparisons_of_curves_hold(prose):
    assert last("label 0") < last("none") < last("boxes of the next picture")
    assert last("variances forgotten") < last("none")
    assert last("none") < last("boxes not flipped") < last("boxes of the next picture")
    assert "between a sound run and one with all boxes wrong" in " ".join(solutions().split())
    plateau = [last(n) for n in ("learning rate too high", "boxes of the next picture")]
    assert plateau[0] == pytest.approx(plateau[1], rel=0.06)
    ends = [clinic.read_faults()["normalisation forgotten"][1][-1].unseen]
    assert ends[0] > plateau[1]
    first = clinic.read_faults()["boxes in pixels"][1][0]
    assert 10_000 < first.localization < 100_000


def solutions():
    path = Path(__file__).resolve().parents[2] / "book" / "17_when_training_goes_wrong.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(
        cell.source.replace("\n# ", " ")
        for cell in cells
        if "solution" in cell.metadata.get("tags", [])
    )


def test_all_finite_runs_fall_but_one():
    for name, (_, steps) in clinic.read_faults().items():
        if math.isfinite(steps[-1].total):
            falls = last(name) < 0.75 * steps[0].total
            assert falls == (name != "boxes in pixels"), name
