"""The tool that lists the hardest negative of every picture."""

import importlib.util
import json
from pathlib import Path

import pytest
import torch

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import Scenes, write_voc

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = data_path("weights/scenes_slim300.safetensors")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("hardest", ROOT / "tools/record_hardest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Forgetful(Scenes):
    """Scenes whose first label is missing."""

    def __getitem__(self, index):
        image, target = super().__getitem__(index)
        return image, target | {k: target[k][1:] for k in ("boxes", "labels", "difficult")}


def test_a_missing_label_is_found_and_what_was_seen_is_kept(tool, tmp_path):
    write_voc(
        Forgetful(1, seed=0, start=1_000_010), tmp_path / "few", "train", picture_format="png"
    )
    words = ["name", "--data", str(tmp_path / "few"), "--weights", str(WEIGHTS)]
    words += ["--records", str(tmp_path / "records")]
    tool.main(words)
    there = tmp_path / "records" / "name" / "result.json"
    record = json.loads(there.read_text())
    (one,) = record["hardest"]
    assert one["seen_as"] == "balloon"  # the label that is gone
    assert one["loss"] > 5
    assert one["box_iou"] < 0.3
    assert str(tmp_path) not in there.read_text()

    there.write_text(json.dumps(record | {"looked_at": {"doubtful": []}}))
    tool.main(words)
    assert json.loads(there.read_text()) == record | {"looked_at": {"doubtful": []}}


def test_a_picture_without_objects_has_a_hardest_negative_too(tool):
    from ssd_tutorial.weights.file import load_weights

    nothing = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0).long(), "name": "empty"}
    grey = torch.full((3, 300, 300), 128, dtype=torch.uint8)
    one = tool.hardest_negative(load_weights(WEIGHTS), grey, nothing)
    assert (one["prior_iou"], one["box_iou"]) == (0, 0)
    assert 0 <= one["prior"] < 8732
