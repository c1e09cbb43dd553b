"""What tools/record_disagreements.py reads, and that its counts add up."""

import json

import pytest
import record_disagreements as record
import torch

LINES = """\
wide.jpg 1 1 500 375 3 101 76 150 100 7
tall.jpg 51 101 350 480 0
large.jpg 1 1 640 300 2
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "voc2007_trainval.txt").write_text(LINES)
    return tmp_path


def test_boxes_become_fractions_of_a_picture_whose_size_is_guessed(folder):
    wide, tall, large = record.read(folder / "voc2007_trainval.txt")
    assert torch.equal(wide[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))
    assert wide[1].tolist() == pytest.approx([100 / 500, 75 / 375, 150 / 500, 100 / 375])
    assert tall[0].tolist() == pytest.approx([50 / 375, 100 / 500, 350 / 375, 480 / 500])
    assert large[0].tolist() == pytest.approx([0, 0, 1, 300 / 375])


def test_the_record_counts_every_object_once(folder):
    record.main([str(folder), "--out", str(folder)])
    result = json.loads((folder / record.RUN / "result.json").read_text())
    assert result["pictures"] == 3
    assert result["objects"] == 4
    for counts in result["matching"].values():
        assert counts["reached"] + counts["unmatched"] >= 4  # IoU 0.5 can still lose to another
        assert counts["at_045"] >= counts["positives"] >= 4
        assert counts["from_03"] >= counts["from_04"]
    assert set(result["crops"]) == {"Caffe", *record.CROP_RULES}
    assert all(0 <= rule["whole"] <= 1 for rule in result["crops"].values())


def test_expansion_is_drawn_for_half_of_the_pictures():
    factors = torch.tensor([record.in_training() for _ in range(2000)])
    assert 0.45 < (factors == 1).double().mean() < 0.55
    assert 3.9 < factors.max() <= record.ZOOM
