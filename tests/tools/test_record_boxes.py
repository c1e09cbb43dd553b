"""The counts of VOC 2007's objects that chapters 5, 6 and 8 quote, and the tool that makes them."""

import json
import os
from pathlib import Path

import pytest
import record_boxes
import torch
from voc_boxes import FILE

from ssd_tutorial._files import data_path
from ssd_tutorial.presets import get_preset

RECORD = json.loads(data_path("runs/voc2007_boxes/result.json").read_text(encoding="utf-8"))
voc = os.environ.get("SSD_TUTORIAL_VOC_BOXES")
needs_voc = pytest.mark.skipif(not voc, reason="SSD_TUTORIAL_VOC_BOXES names no folder")

LINES = """\
wide.jpg 1 1 250 375 7 251 1 500 188 15
tall.jpg 1 1 375 500 12
larger.jpg 101 101 600 200 1
"""


def test_corners_become_fractions_of_a_picture_whose_size_is_guessed(tmp_path):
    file = tmp_path / FILE
    file.write_text(LINES)
    boxes, labels, sizes = record_boxes.read(file)
    assert sizes.tolist() == [[500, 375], [375, 500], [600, 375]]
    assert [own.tolist() for own in labels] == [[8, 16], [13], [2]]
    assert torch.allclose(boxes[0][0], torch.tensor([0.0, 0.0, 0.5, 1.0]))
    assert torch.allclose(boxes[1][0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert torch.allclose(boxes[2][0], torch.tensor([1 / 6, 100 / 375, 1.0, 200 / 375]))


def test_a_folder_without_the_file_is_refused(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        record_boxes.main([str(tmp_path)])
    assert stopped.value.code == 2
    assert f"no {FILE} in {tmp_path}" in capsys.readouterr().err


def test_the_record_counts_every_object_once():
    objects = RECORD["objects"]
    assert sum(RECORD["sizes"]["objects"]) == objects
    assert sum(RECORD["matching"]["objects"]) == objects
    assert sum(its["objects"] for its in RECORD["classes"].values()) == objects


@needs_voc
def test_the_record_is_what_the_file_gives():
    boxes, _, _ = record_boxes.read(Path(voc) / FILE)
    assert (len(boxes), sum(map(len, boxes))) == (RECORD["pictures"], RECORD["objects"])
    some = torch.cat(boxes)[::10]  # all of them take a minute
    for name in ("naive_m6", "caffe300_voc"):
        best, _ = record_boxes.best_overlap(some, get_preset(name))
        reached = float((best >= 0.5).float().mean())
        assert reached == pytest.approx(RECORD["presets"][name]["reached"], abs=0.02)
