"""The tool that records runs: every seed trained and measured once, and what the record says."""

import csv
import json
import shutil
import subprocess
from types import SimpleNamespace

import pytest
import record_run
import torch

from ssd_tutorial.__main__ import main as command_line
from ssd_tutorial.datasets import Scenes, write_voc
from ssd_tutorial.weights.file import load_weights, save_weights

TINY = ["--", "--samples", "2", "--batch-size", "2", "--precision", "fp32", "--no-in-memory"]


@pytest.fixture
def commands(monkeypatch):
    """What the tool runs; run here, in this process, so that a test does not start it anew."""
    seen = []

    def here(command, cwd):
        assert command[1:3] == ["-m", "ssd_tutorial"]
        assert cwd == record_run.ROOT
        seen.append(command[3:])
        return subprocess.CompletedProcess(command, command_line(command[3:]))

    monkeypatch.setattr(record_run, "subprocess", SimpleNamespace(run=here))
    return seen


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Training and measuring pictures with the same classes: the same pictures."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    write_voc(Scenes(2), root, "train", progress=False)
    write_voc(Scenes(2), root, "val", progress=False)
    return root


def recording(tmp_path, data, *more, passed_on=TINY):
    record_run.main(
        ["tiny", "--data", str(data), "--threads", "1", "--work", str(tmp_path / "work"),
         "--records", str(tmp_path / "records"), *more, *passed_on]
    )  # fmt: skip


def test_a_record(tmp_path, data, commands, capsys, monkeypatch):
    monkeypatch.chdir(data.parent)  # relative paths are the caller's
    recording(tmp_path, data.name, "--seeds", "0", "4")
    assert [words[0] for words in commands] == ["train", "eval", "train", "eval"]
    folder = tmp_path / "records" / "runs" / "tiny"
    assert sorted(p.name for p in folder.iterdir()) == ["result.json", "seed-0.csv", "seed-4.csv"]
    text = (folder / "result.json").read_text()
    assert str(tmp_path) not in text
    assert str(data.parent) not in text
    record = json.loads(text)
    assert record["data"] == "drawn"
    assert (record["split"], record["measured_on"]) == ("train", "val")
    assert (record["pictures"], record["pictures_measured"]) == (2, 2)
    assert (record["model"], record["preset"]) == ("slim300", "caffe300_voc")
    assert (record["samples"], record["seeds"]) == (2, [0, 4])
    assert "seed" not in record["settings"]
    assert record["settings"]["batch_size"] == 2
    assert record["command"] == (
        "python -m ssd_tutorial train --out RUN --data drawn --split train"
        " --samples 2 --batch-size 2 --precision fp32 --no-in-memory --seed SEED"
    )
    assert record["torch"] == torch.__version__
    assert record["hardware"].endswith(", 1 thread")
    assert len(record["minutes"]) == len(record["commits"]) == 2

    evals = [
        json.loads((tmp_path / "work" / f"tiny-seed-{seed}" / "eval.json").read_text())
        for seed in (0, 4)
    ]
    maps = [result["map50"] for result in evals]
    assert record["map50"] == pytest.approx(maps, abs=1e-4)
    assert record["map50_mean"] == pytest.approx(sum(maps) / 2, abs=1e-4)
    assert record["map50_spread"] == pytest.approx(abs(maps[0] - maps[1]), abs=2e-4)
    assert record["objects"] == evals[0]["objects"]
    weights = load_weights(tmp_path / "records" / "weights" / "tiny.safetensors")
    assert weights.metadata["settings"]["seed"] == 0
    for seed in (0, 4):
        with (folder / f"seed-{seed}.csv").open(newline="") as file:
            (row,) = csv.DictReader(file)
        assert (row["step"], row["samples"]) == ("1", "2")
        assert float(row["total"]) > 0
    assert f"record in {folder}" in capsys.readouterr().out

    # again: nothing is trained or measured, and the record is the same
    commands.clear()
    recording(tmp_path, data.name, "--seeds", "0", "4")
    assert commands == []
    assert (folder / "result.json").read_text() == text


@pytest.fixture
def finished(tmp_path, data, commands):
    recording(tmp_path, data, "--seeds", "0")
    commands.clear()
    return tmp_path / "work" / "tiny-seed-0"


def test_seeds_of_different_recipes_make_no_record(tmp_path, data, commands, finished):
    other = shutil.copytree(finished, finished.with_name("tiny-seed-1"))
    (other / "command.json").unlink()
    detector = load_weights(other / "weights.safetensors")
    detector.metadata["settings"]["lr"] = 0.5
    save_weights(
        other / "weights.safetensors", detector.network, detector.classes, detector.metadata
    )
    shutil.rmtree(tmp_path / "records")
    with pytest.raises(SystemExit, match="tiny-seed-1 holds a run with other settings than"):
        recording(tmp_path, data, "--seeds", "0", "1")
    assert not (tmp_path / "records").exists()


def test_a_seed_that_another_command_trained_is_not_recorded(tmp_path, data, commands, finished):
    with pytest.raises(SystemExit, match="was trained by another command, train .* remove it"):
        recording(tmp_path, data, "--seeds", "0", passed_on=[*TINY, "--lr", "0.5"])
    assert commands == []


def test_an_average_that_does_not_exist_is_null(tmp_path, data, commands, finished):
    result = json.loads((finished / "eval.json").read_text())
    result["map50_by_size"]["small"] = None
    (finished / "eval.json").write_text(json.dumps(result))
    recording(tmp_path, data, "--seeds", "0")
    record = json.loads((tmp_path / "records" / "runs" / "tiny" / "result.json").read_text())
    assert record["map50_by_size"][0]["small"] is None


def test_a_command_that_fails_ends_it_with_its_code(tmp_path, data, commands, capsys):
    with pytest.raises(SystemExit) as exit_:
        recording(tmp_path, data.with_name("none"))
    assert exit_.value.code == 1
    assert "there is no folder" in capsys.readouterr().err
    assert len(commands) == 1
    assert not (tmp_path / "records").exists()


def test_bad_boxes_and_what_follows_the_dashes_are_passed_on(tmp_path, data, commands):
    recording(tmp_path, data, "--seeds", "3", "--on-error", "drop", "--val", "train")
    training, measuring = commands
    assert training[training.index("--on-error") + 1] == "drop"
    assert training[-len(TINY) + 1 :] == TINY[1:]
    assert measuring[measuring.index("--split") + 1] == "train"
    record = json.loads((tmp_path / "records" / "runs" / "tiny" / "result.json").read_text())
    assert "--on-error drop" in record["command"]
