"""The tool that records what each augmentation is worth; nothing is trained here."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch):
    spec = importlib.util.spec_from_file_location("ablation", ROOT / "tools/record_ablation.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ran = []
    monkeypatch.setattr(module, "_run", lambda command: pretend(module.ran, command))
    return module


def pretend(ran, command):
    """What train and eval would write."""
    ran.append(command)
    after = {word: command[i + 1] for i, word in enumerate(command[:-1])}
    if command[0] == "train":
        folder = Path(after["--out"])
        folder.mkdir(parents=True)
        (folder / "weights.safetensors").touch()
        (folder / "run.csv").write_text(
            "step,samples,total,seconds\n50,800,2.5,30.0\n100,1600,1.25,90.0\n"
        )
    else:
        found = {"map50": 0.5 + 0.1 * ("crop" in after["--out"]), "ap50": {"RBC": 0.123456}}
        Path(after["--out"]).write_text(json.dumps(found))


def record(tool, tmp_path, *words):
    folders = ["--work", str(tmp_path / "work"), "--records", str(tmp_path / "records")]
    tool.main(["few", "--data", str(tmp_path / "BCCD"), "--samples", "1600", *folders, *words])
    return json.loads((tmp_path / "records/few/result.json").read_text())


def test_every_variant_is_trained_measured_and_recorded_once(tool, tmp_path):
    found = record(tool, tmp_path, "--seeds", "0", "1", "--on-error", "drop")
    assert len(tool.ran) == 2 * 2 * len(tool.VARIANTS)
    assert [command[0] for command in tool.ran[:4]] == ["train", "eval", "train", "eval"]
    wanted = ["--crop", "caffe", "--crop-prob", "1"]
    crops = [command for command in tool.ran if command[0] == "train" and command[-4:] == wanted]
    assert len(crops) == 2
    assert list(found["variants"]) == list(tool.VARIANTS)
    crop = found["variants"]["flips and crop"]
    assert crop["map50"] == [0.6, 0.6]
    assert crop["last_loss"] == [1.25, 1.25]
    assert crop["ap50"][0] == {"RBC": 0.12346}
    assert set(found["minutes"]) == {1.5}
    assert found["data"] == "BCCD"  # no path of this machine
    assert str(tmp_path) not in json.dumps(found)
    assert found["command"].endswith("--data BCCD --on-error drop --samples 1600 --seeds 0 1")
    assert (tmp_path / "records/few/flips_and_crop-seed-1.csv").is_file()


def test_finished_runs_are_not_repeated_and_long_ones_kept(tool, tmp_path):
    record(tool, tmp_path, "--seeds", "0")
    result = tmp_path / "records/few/result.json"
    result.write_text(json.dumps(json.loads(result.read_text()) | {"long": {"samples": 40_000}}))
    tool.ran.clear()
    found = record(tool, tmp_path, "--seeds", "0")
    assert tool.ran == []
    assert found["long"] == {"samples": 40_000}


def test_every_variant_is_one_that_train_accepts(tool):
    from ssd_tutorial.training.recipes import Recipe

    names = set(Recipe.__dataclass_fields__)
    for flags in tool.VARIANTS.values():
        for flag in (word for word in flags.split() if word.startswith("--")):
            assert flag.removeprefix("--no-").removeprefix("--").replace("-", "_") in names
