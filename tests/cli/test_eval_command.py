"""What `eval` writes: JSON and a page, over its own older ones only, and before it prints."""

import io
import json
import sys

import pytest
import torch
from ssd_book.relabelled import Relabelled

from ssd_tutorial.__main__ import main
from ssd_tutorial._files import as_json
from ssd_tutorial.cli import eval_command as module
from ssd_tutorial.datasets import SCENE_CLASSES, Scenes, write_voc
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights.file import save_weights


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "drawn"
    write_voc(Scenes(2, start=50), root, "val", progress=False)
    return root


@pytest.fixture
def weights(tmp_path):
    """Return weights that see the fourth class in every cell of one map with a score near 0.8."""
    torch.manual_seed(0)
    network = SSD(SLIM300, 13)
    with torch.no_grad():
        network.class_heads[3].bias.view(-1, 13)[:, 4] = 4
    path = tmp_path / "w.safetensors"
    save_weights(path, network, SCENE_CLASSES, {})
    return path


def measured(weights, data, *words):
    words = ["eval", "--weights", weights, "--data", data, "--threads", "1", *words]
    return main([str(word) for word in words])


def test_json_and_page_stand_beside_the_weights(data, weights, capsys):
    assert measured(weights, data) == 0
    out = capsys.readouterr().out
    result = json.loads((weights.parent / "eval-val.json").read_text())
    assert result["pictures"] == 2
    assert set(result["suggested"]) == set(SCENE_CLASSES)
    assert len(result["confusion"]["counts"]) == len(SCENE_CLASSES) + 1
    page = (weights.parent / "eval-val.html").read_text()
    assert "w.safetensors on drawn, split val" in page
    assert page.count("<figure>") == 3 + 12
    assert f"report to look at: {weights.parent / 'eval-val.html'}" in out
    assert measured(weights, data) == 0  # over its own
    assert measured(weights, data, "--no-page", "--out", weights.parent / "new.json") == 0
    assert not (weights.parent / "new.html").exists()


def test_of_a_run_both_files_stand_in_its_folder(data, weights, capsys):
    run = weights.parent / "run"
    run.mkdir()
    weights.rename(run / "weights.safetensors")
    before = set(weights.parent.iterdir())
    assert measured(run, data) == 0
    assert f"written to {run / 'eval-val.json'}" in capsys.readouterr().out
    names = {path.name for path in run.iterdir()}
    assert names == {"weights.safetensors", "eval-val.json", "eval-val.html"}
    assert set(weights.parent.iterdir()) == before  # nothing beside the folder
    (run / "eval-val.json").write_text('{"map": 1}')  # somebody else's
    assert measured(run, data) == 1
    assert "is not an older report, so it is not replaced" in capsys.readouterr().err
    assert (run / "eval-val.json").read_text() == '{"map": 1}'


@pytest.mark.parametrize("name", ["w.safetensors", "theirs.json", "page.json"])
def test_nothing_of_others_is_replaced(data, weights, capsys, name, monkeypatch):
    folder = weights.parent
    (folder / "theirs.json").write_text('{"map": 1}')
    (folder / "page.html").write_text("<html>my page</html>")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def never(*arguments):
        raise AssertionError("it is refused before anything is computed")

    monkeypatch.setattr(module, "load_detector", never)
    assert measured(weights, data, "--out", folder / name) == 1
    assert "is not an older report, so it is not replaced" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_terminal_that_cannot_print_a_letter_costs_nothing(data, weights, monkeypatch):
    renamed = Relabelled(Scenes(2, start=50), {name: f"{name} ²猫" for name in SCENE_CLASSES})
    write_voc(renamed, data.with_name("cats"), "val", progress=False)
    network = SSD(SLIM300, 13)
    save_weights(weights, network, renamed.classes, {})
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert measured(weights, data.with_name("cats")) == 0
    sys.stdout.flush()
    assert rb"cat \xb2\u732b" in raw.getvalue()
    result = json.loads((weights.parent / "eval-val.json").read_text(encoding="utf-8"))
    assert "cat ²猫" in result["ap50"]


def test_numbers_are_printed_even_if_the_disk_is_full(data, weights, capsys, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_file", full)
    assert measured(weights, data) == 1
    captured = capsys.readouterr()
    assert "mAP@0.5:0.95, COCO" in captured.out
    assert "written to" not in captured.out


def test_weights_of_other_classes_are_told_with_both(data, tmp_path, capsys):
    path = tmp_path / "raccoon.safetensors"
    save_weights(path, SSD(SLIM300, 3), ["raccoon", "fox"], {})
    assert measured(path, data) == 1
    sentence = capsys.readouterr().err.splitlines()[-1]
    assert sentence.startswith("ssd_tutorial: the weights know the classes raccoon, fox, but ")
    assert "has car, cat, kite, lighthouse, train: measure on data with" in sentence


def test_workers_below_zero_are_refused(data, weights, capsys):
    assert measured(weights, data, "--workers", "-1") == 1
    assert "--workers must be 0 or more, not -1" in capsys.readouterr().err


def test_pictures_that_cannot_be_read_do_not_shift_the_others(weights, tmp_path):
    root = tmp_path / "some"
    write_voc(Scenes(3, start=50), root, "val", progress=False)
    broken = sorted((root / "JPEGImages").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:500])
    assert measured(weights, root, "--on-error", "drop") == 0
    page = (weights.parent / "eval-val.html").read_text()
    assert "<h1>" in page
    assert broken.stem not in page
    assert json.loads((weights.parent / "eval-val.json").read_text())["pictures"] == 2


def test_names_that_are_not_utf_8_stay_distinct_in_json():
    names = ["\udcff.jpg", "\udcfe.jpg"]
    assert json.loads(as_json({"files": names}))["files"] == names
