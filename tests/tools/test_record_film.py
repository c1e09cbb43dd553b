"""The tool that records chapter 12's film strip: it resumes, and measures each network once."""

import json

import pytest
import record_film
import torch

from ssd_tutorial.datasets import Scenes
from ssd_tutorial.training.log import Step, read_log
from ssd_tutorial.training.recipes import Recipe


def step(samples, total):
    return Step(samples // 16, samples, 0.001, total, total, 0.0, 5, 1.0)


def test_losses_are_compared_with_the_recorded_run_where_both_report():
    log = [step(208, 22.0), step(400, 13.0), step(800, 9.0), step(1200, 7.0)]
    ((samples, ours, theirs),) = record_film.agreement(log)
    assert samples == 800
    assert ours == pytest.approx((208 * 22 + 192 * 13 + 400 * 9) / 800, abs=0.001)
    assert theirs == pytest.approx(12.864, abs=0.001)


def test_the_rows_of_a_picture_stand_in_one_line():
    record = {"frames": [{"samples": 0, "detections": [[[1, 0.5]], []]}]}
    wanted = json.loads(json.dumps(record))
    text = record_film.short_rows(record)
    assert json.loads(text) == wanted
    assert "[[1, 0.5]]" in text


def test_moments_are_whole_batches_and_the_run_ends_after_the_last():
    batch = Recipe().batch_size
    assert all(moment % batch == 0 for moment in record_film.MOMENTS)
    moments = record_film.Moments(None, 1)
    moments.last = 400
    assert moments.is_due(192, 208, False)
    assert not moments.is_due(208, 224, False)
    assert not moments.gives_up([])
    assert not moments.gives_up([step(208, 1.0)])
    assert moments.gives_up([step(400, 1.0)])


@pytest.fixture
def tiny(monkeypatch):
    """Let a run have two steps of two pictures each, and measure on two."""
    monkeypatch.setattr(record_film, "MOMENTS", (2, 4))
    monkeypatch.setattr(record_film, "SCENES", (3,))
    monkeypatch.setattr(record_film, "MEASURED", 2)
    few = Scenes(4)
    monkeypatch.setattr(record_film, "open_dataset", lambda name, split: few)
    return Recipe(samples=8, batch_size=2, seed=0, precision="fp32")


def test_a_run_ends_at_its_last_moment_resumes_and_leaves_weights(tiny, tmp_path):
    threads = torch.get_num_threads()
    log = record_film.train_until(2, tmp_path, tiny)
    assert [line.samples for line in log] == [2]
    record_film.train_until(4, tmp_path, tiny)
    assert [line.samples for line in read_log(tmp_path / "run.csv")] == [2, 4]
    for moment in (2, 4):
        assert (tmp_path / f"weights-{moment}.safetensors").is_file()
    assert not (tmp_path / "weights-now.safetensors").exists()
    assert torch.get_num_threads() == threads
