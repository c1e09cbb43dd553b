"""The tool that records what mining is worth; nothing is trained here."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import record_mining
import torch

from ssd_tutorial.mining import all_negatives, random_negatives


@pytest.fixture
def trained(monkeypatch):
    """The miners that were trained with; what training and measuring would write is written."""
    miners = []

    def train(dataset, recipe, out, loss_function):
        assert recipe.samples == 1600
        miners.append(loss_function.keywords["mine"])
        out.mkdir(parents=True)
        (out / "run.csv").write_text(
            "step,samples,total,seconds\n50,800,2.5,30.0\n100,1600,1.25,90.0\n"
        )
        return None, []

    def evaluate(command, cwd):
        out = Path(command[command.index("--out") + 1])
        result = {"map50": 0.91239, "map50_by_size": {"small": 0.5}, "ap50": {"cat": 0.123456}}
        out.write_text(json.dumps(result))
        return SimpleNamespace(returncode=0)

    def measure(weights, out):
        out.write_text(json.dumps({"at_half": {"hits": 3}, "p_object_over_positives": 1.5}))

    monkeypatch.setattr(record_mining, "train", train)
    monkeypatch.setattr(record_mining, "save_weights", lambda path, *_: path.touch())
    monkeypatch.setattr(record_mining, "subprocess", SimpleNamespace(run=evaluate))
    monkeypatch.setattr(record_mining, "_measure_scores", measure)
    return miners


def record(tmp_path, *words):
    threads = torch.get_num_threads()
    folders = ["--work", str(tmp_path / "work"), "--records", str(tmp_path / "records")]
    record_mining.main(["few", "--samples", "1600", *folders, *words])
    torch.set_num_threads(threads)
    return json.loads((tmp_path / "records/few/result.json").read_text())


def test_each_miner_is_trained_measured_and_recorded_once(trained, tmp_path):
    found = record(tmp_path, "--seeds", "0", "1")
    assert trained == [random_negatives, all_negatives] * 2
    assert list(found["variants"]) == ["hard", "random", "all"]
    lot = found["variants"]["random"]
    assert (lot["seeds"], lot["map50"], lot["minutes"]) == ([0, 1], [0.9124] * 2, [1.5] * 2)
    assert lot["p_object_over_positives"] == [1.5, 1.5]
    assert found["variants"]["hard"]["record"] == "scenes_slim300"
    assert found["command"] == ("python tools/record_mining.py few --seeds 0 1 --samples 1600")
    assert str(tmp_path) not in json.dumps(found)  # no path of this machine
    assert (tmp_path / "records/few/all-seed-1.csv").is_file()

    assert record(tmp_path, "--seeds", "0", "1") == found
    assert len(trained) == 4


def test_without_training_only_complete_runs_are_measured(trained, tmp_path):
    record(tmp_path)
    (tmp_path / "work/few-all-seed-0/weights.safetensors").unlink()
    (tmp_path / "work/few-all-seed-0/scores.json").unlink()
    found = record(tmp_path, "--no-training")
    assert len(trained) == 2
    assert list(found["variants"]) == ["hard", "random"]


def test_the_record_of_the_book_is_one_of_this_tool():
    file = record_mining.ROOT / "data/runs/scenes_mining/result.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    assert list(found["variants"]) == ["hard", *record_mining.MINERS]
    for variant in record_mining.MINERS:
        for seed in found["variants"][variant]["seeds"]:
            assert file.with_name(f"{variant}-seed-{seed}.csv").is_file()
