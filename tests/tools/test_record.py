"""The tool that makes records: each run once, and the contents of the record."""

import csv
import json
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import record
import torch

from ssd_tutorial.__main__ import main as command_line
from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import Scenes, write_voc
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.targets import make_targets
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.weights.file import load_weights, save_weights

LOG = "step,samples,total,seconds\n50,800,2.5,30.0\n100,1600,1.25,90.0\n"
VALIDATED = (
    "step,samples,total,seconds,val_map50,val_total\n"
    "50,800,2.5,30.0,,\n100,1600,1.25,90.0,0.5,2.125\n"
)
WEIGHTS = data_path("weights/scenes_slim300.safetensors")


def result_in(tmp_path, name="few"):
    return json.loads((tmp_path / "records" / "runs" / name / "result.json").read_text())


# --- run: one recipe, several seeds; here it is really trained, on two pictures -------------------

TINY = ["--", "--samples", "2", "--batch-size", "2", "--precision", "fp32", "--no-in-memory"]


@pytest.fixture
def commands(monkeypatch):
    """Run the tool's commands in this process, so that no test starts Python again."""
    seen = []

    def here(command, cwd):
        assert command[1:3] == ["-m", "ssd_tutorial"]
        assert cwd == record.ROOT
        seen.append(command[3:])
        return subprocess.CompletedProcess(command, command_line(command[3:]))

    monkeypatch.setattr(record, "subprocess", SimpleNamespace(run=here))
    return seen


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Training and measuring pictures with the same classes: the same pictures."""
    root = tmp_path_factory.mktemp("data") / "drawn"
    write_voc(Scenes(2), root, "train", progress=False)
    write_voc(Scenes(2), root, "val", progress=False)
    return root


def recording(tmp_path, data, *more, passed_on=TINY):
    record.main(
        ["run", "tiny", "--data", str(data), "--threads", "1", "--work", str(tmp_path / "work"),
         "--records", str(tmp_path / "records"), *more, *passed_on]
    )  # fmt: skip


def test_a_record_has_results_losses_and_no_path_of_the_machine(
    tmp_path, data, commands, capsys, monkeypatch
):
    monkeypatch.chdir(data.parent)  # relative paths are the caller's
    recording(tmp_path, data.name, "--seeds", "0", "4")
    assert [words[0] for words in commands] == ["train", "eval", "train", "eval"]
    folder = tmp_path / "records" / "runs" / "tiny"
    assert sorted(p.name for p in folder.iterdir()) == ["result.json", "seed-0.csv", "seed-4.csv"]
    text = (folder / "result.json").read_text()
    assert str(tmp_path) not in text
    assert str(data.parent) not in text
    found = json.loads(text)
    assert found["data"] == "drawn"
    assert (found["split"], found["measured_on"]) == ("train", "val")
    assert (found["pictures"], found["pictures_measured"]) == (2, 2)
    assert (found["model"], found["preset"]) == ("slim300", "caffe300_voc")
    assert (found["samples"], found["seeds"]) == (2, [0, 4])
    assert "seed" not in found["settings"]
    assert found["settings"]["batch_size"] == 2
    assert found["command"] == (
        "python -m ssd_tutorial train --out RUN --data drawn --split train"
        " --samples 2 --batch-size 2 --precision fp32 --no-in-memory --seed SEED"
    )
    assert found["torch"] == torch.__version__
    assert found["hardware"].endswith(", 1 thread")
    assert len(found["minutes"]) == len(found["commits"]) == 2

    evals = [
        json.loads((tmp_path / "work" / f"tiny-seed-{seed}" / "eval.json").read_text())
        for seed in (0, 4)
    ]
    maps = [result["map50"] for result in evals]
    assert found["map50"] == pytest.approx(maps, abs=1e-4)
    assert found["map50_mean"] == pytest.approx(sum(maps) / 2, abs=1e-4)
    assert found["map50_spread"] == pytest.approx(abs(maps[0] - maps[1]), abs=2e-4)
    assert found["objects"] == evals[0]["objects"]
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


def test_seeds_of_different_recipes_are_refused(tmp_path, data, commands, finished):
    other = shutil.copytree(finished, finished.with_name("tiny-seed-1"))
    (other / "command.json").unlink()
    detector = load_weights(other / "weights.safetensors")
    detector.metadata["settings"]["lr"] = 0.5
    save_weights(
        other / "weights.safetensors", detector.network, detector.classes, detector.metadata
    )
    shutil.rmtree(tmp_path / "records")
    with pytest.raises(SystemExit, match=r"tiny-seed-1 and .*tiny-seed-0 differ"):
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
    found = result_in(tmp_path, "tiny")
    assert found["map50_by_size"][0]["small"] is None


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
    found = result_in(tmp_path, "tiny")
    assert "--on-error drop" in found["command"]


# --- ablation: nothing is trained here ------------------------------------------------------------


@pytest.fixture
def pretended(monkeypatch):
    """The commands of training and measuring; what they would write is written."""
    commands = []

    def pretend(command):
        commands.append(command)
        after = {word: command[i + 1] for i, word in enumerate(command[:-1])}
        out = Path(after["--out"])
        if command[0] == "train":
            (out / "weights.safetensors").touch()
            (out / "run.csv").write_text(VALIDATED)
        else:
            found = {"map50": 0.5 + 0.1 * ("SSDs" in after["--out"]), "ap50": {"RBC": 0.123456}}
            out.write_text(json.dumps(found))

    monkeypatch.setattr(record, "run", pretend)
    return commands


def ablation(tmp_path, *words):
    folders = ["--work", str(tmp_path / "work"), "--records", str(tmp_path / "records")]
    data = ["--data", str(tmp_path / "BCCD"), "--samples", "1600", "4800"]
    record.main(["ablation", "few", *data, *folders, *words])
    return result_in(tmp_path)


def test_every_cell_is_trained_measured_and_recorded_once(pretended, tmp_path):
    found = ablation(tmp_path, "--seeds", "0", "1", "--on-error", "drop")
    assert len(pretended) == 2 * 2 * 2 * len(record.AUGMENTATIONS)
    assert [command[0] for command in pretended[:4]] == ["train", "eval", "train", "eval"]
    wanted = ["--samples", "4800", "--val-every", "480", "--no-horizontal-flip"]
    assert sum(command[-5:] == wanted for command in pretended) == 2
    cells = {(one["augmentation"], one["samples"]): one for one in found["runs"]}
    assert list(cells) == [(name, n) for name in record.AUGMENTATIONS for n in (1600, 4800)]
    long = cells["all of SSD's", 4800]
    assert long["seeds"] == [0, 1]
    assert long["map50"] == [0.6, 0.6]
    assert cells["none", 1600]["map50"] == [0.5, 0.5]
    assert long["loss"] == [1.25, 1.25]
    assert long["loss_unseen"] == [2.125, 2.125]
    assert long["ap50"][0] == {"RBC": 0.1235}
    assert set(found["minutes"]) == {1.5}
    assert found["data"] == "BCCD"
    assert str(tmp_path) not in json.dumps(found)  # no path of this machine
    assert found["command"] == (
        "python tools/record.py ablation few --data BCCD --on-error drop --samples 1600 4800"
        " --seeds 0 1"
    )
    curve = (tmp_path / "records/runs/few/all_of_SSDs_4800-seed-1.csv").read_text()
    assert curve == VALIDATED.replace("0.0,", "0,")


def test_finished_runs_are_not_repeated_and_entries_by_hand_are_kept(pretended, tmp_path):
    before = ablation(tmp_path, "--seeds", "0") | {"long": {"samples": 40_000}}
    (tmp_path / "records/runs/few/result.json").write_text(json.dumps(before))
    pretended.clear()
    assert ablation(tmp_path, "--seeds", "0") == before
    assert pretended == []
    with pytest.raises(SystemExit, match="was trained by another command"):
        ablation(tmp_path, "--seeds", "0", "--on-error", "drop")


def test_every_variant_is_one_that_train_accepts():
    for flags in record.AUGMENTATIONS.values():
        for flag in (word for word in flags.split() if word.startswith("--")):
            name = flag.removeprefix("--no-").removeprefix("--").replace("-", "_")
            assert name in Recipe.__dataclass_fields__


# --- mining: nothing is trained here --------------------------------------------------------------


@pytest.fixture
def losses(monkeypatch):
    """The losses that were trained with; what training and measuring would write is written."""
    used = []

    def train(dataset, recipe, out, loss_function):
        assert recipe.samples == 1600
        used.append(loss_function)
        out.mkdir(parents=True)
        (out / "run.csv").write_text(LOG)
        return SSD(SLIM300, 3), []

    def evaluate(command):
        result = {"map50": 0.91239, "map50_by_size": {"small": 0.5}, "ap50": {"cat": 0.123456}}
        Path(command[command.index("--out") + 1]).write_text(json.dumps(result))

    def measure(weights, out):
        out.write_text(json.dumps({"at_half": {"hits": 3}, "p_object_over_positives": 1.5}))

    monkeypatch.setattr(record, "train", train)
    monkeypatch.setattr(record, "save_weights", lambda path, *_: path.touch())
    monkeypatch.setattr(record, "run", evaluate)
    monkeypatch.setattr(record, "measure_scores", measure)
    return used


def mining(tmp_path, *words):
    folders = ["--work", str(tmp_path / "work"), "--records", str(tmp_path / "records")]
    record.main(["mining", "few", "--samples", "1600", *folders, *words])
    return result_in(tmp_path)


def test_each_loss_is_trained_measured_and_recorded_once(losses, tmp_path):
    found = mining(tmp_path, "--seeds", "0", "1")
    assert losses == list(record.LOSSES.values()) * 2
    assert list(found["variants"]) == ["hard", *record.LOSSES]
    random = found["variants"]["random"]
    assert (random["seeds"], random["map50"]) == ([0, 1], [0.9124] * 2)
    assert random["minutes"] == random["p_object_over_positives"] == [1.5, 1.5]
    assert found["variants"]["hard"]["record"] == "scenes_slim300"
    assert found["command"] == "python tools/record.py mining few --seeds 0 1 --samples 1600"
    assert str(tmp_path) not in json.dumps(found)  # no path of this machine
    assert (tmp_path / "records/runs/few/all-seed-1.csv").is_file()

    assert mining(tmp_path, "--seeds", "0", "1") == found
    assert len(losses) == 2 * len(record.LOSSES)


def test_without_training_only_complete_runs_are_measured(losses, tmp_path):
    mining(tmp_path, "--variants", "random", "all")
    (tmp_path / "work/few-all-seed-0/weights.safetensors").unlink()
    (tmp_path / "work/few-all-seed-0/scores.json").unlink()
    shutil.rmtree(tmp_path / "records")
    found = mining(tmp_path, "--no-training")
    assert len(losses) == 2
    assert list(found["variants"]) == ["hard", "random"]


def test_variants_that_are_not_asked_for_keep_their_entries(losses, tmp_path):
    before = mining(tmp_path, "--variants", "all", "--seeds", "3")["variants"]["all"]
    found = mining(tmp_path, "--variants", "random")
    assert losses == [record.LOSSES["all"], record.LOSSES["random"]]
    assert list(found["variants"]) == ["hard", "random", "all"]
    assert found["variants"]["all"] == before


def test_the_focal_loss_is_its_formula_and_begins_with_few_objects():
    torch.manual_seed(0)
    network = SSD(SLIM300, 3).eval()
    box = torch.tensor([[0.1, 0.1, 0.5, 0.5]])
    targets = make_targets([box], [torch.tensor([2])], 3)
    with torch.no_grad():
        logits, offsets = network(torch.zeros(1, 3, 300, 300))
        found = record.focal_loss(logits, offsets, targets, network.priors)
        plain = multibox_loss(logits, offsets, targets, network.priors)
        record.shift_background(network)
        shifted = network(torch.zeros(1, 3, 300, 300))[0][0]
    p = shifted.softmax(dim=-1)
    assert 1 - p[:, 0].mean() == pytest.approx(record.FOREGROUND, rel=0.5)
    matches = match(network.priors, targets)
    right = p.gather(1, matches.labels(targets)[0, :, None])[:, 0]
    weights = torch.where(matches.positive[0], 0.25, 0.75)
    whole = (weights * (1 - right) ** 2 * -right.log()).sum() / matches.positive.sum()
    assert found.confidence == pytest.approx(float(whole), rel=1e-4)
    assert found.localization == plain.localization
    assert found.total == found.confidence + found.localization


def test_the_record_of_the_book_is_one_of_this_tool():
    file = record.ROOT / "data/runs/scenes_mining/result.json"
    found = json.loads(file.read_text(encoding="utf-8"))
    assert list(found["variants"]) == [
        x for x in ("hard", *record.LOSSES) if x in found["variants"]
    ]
    for variant in found["variants"].keys() - {"hard"}:
        for seed in found["variants"][variant]["seeds"]:
            assert file.with_name(f"{variant}-seed-{seed}.csv").is_file()


# --- hardest --------------------------------------------------------------------------------------


class Forgetful(Scenes):
    """Scenes whose first label is missing."""

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target | {k: target[k][1:] for k in ("boxes", "labels", "difficult")}


def test_a_missing_label_is_found_and_what_was_seen_is_kept(tmp_path):
    write_voc(
        Forgetful(1, seed=0, start=1_000_010), tmp_path / "few", "train", picture_format="png"
    )
    words = ["hardest", "name", "--data", str(tmp_path / "few"), "--weights", str(WEIGHTS)]
    words += ["--records", str(tmp_path / "records")]
    record.main(words)
    there = tmp_path / "records/runs/name/result.json"
    found = json.loads(there.read_text())
    (one,) = found["hardest"]
    assert one["seen_as"] == "balloon"  # the label that is gone
    assert one["loss"] > 5
    assert one["box_iou"] < 0.3
    assert str(tmp_path) not in there.read_text()

    there.write_text(json.dumps(found | {"looked_at": {"doubtful": []}}))
    record.main(words)
    assert json.loads(there.read_text()) == found | {"looked_at": {"doubtful": []}}


def test_a_picture_without_objects_has_a_hardest_negative_too():
    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "name": "empty"}
    grey = torch.full((3, 300, 300), 128, dtype=torch.uint8)
    one = record.hardest_negative(load_weights(WEIGHTS), grey, nothing)
    assert (one["prior_iou"], one["box_iou"]) == (0, 0)
    assert 0 <= one["prior"] < 8732
