"""The tool that trains with some priors left out: which, and that nothing of them remains."""

import json

import pytest
import record_priors
import torch

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import MODELS
from ssd_tutorial.priors import locate, make_priors
from ssd_tutorial.targets import make_targets

MODEL = MODELS["slim300"]
PRIORS = make_priors(MODEL.priors)


@pytest.mark.parametrize(
    ("variant", "count"),
    [
        ("all", 8732),
        ("no thirds", 7760),  # 2 x (19^2 + 10^2 + 5^2) less
        ("squares", 3880),  # 2 x (38^2 + 19^2 + 10^2 + 5^2 + 3^2 + 1)
        ("one map", 2166),
        ("not the finest", 2956),
    ],
)
def test_counts_of_priors(variant, count):
    assert int(record_priors.KEPT[variant](MODEL.priors).sum()) == count


def test_what_is_kept_is_what_the_name_says():
    kept = {name: rule(MODEL.priors) for name, rule in record_priors.KEPT.items()}
    width, height = PRIORS[:, 2], PRIORS[:, 3]
    torch.testing.assert_close(width[kept["squares"]], height[kept["squares"]])
    shape = torch.maximum(width / height, height / width)[kept["no thirds"]]
    assert shape.max() == pytest.approx(2)
    assert {locate(MODEL.priors, int(i)).map for i in kept["one map"].nonzero()} == {1}
    corners = cxcywh_to_xyxy(PRIORS)
    outside = (corners < 0).any(dim=-1) | (corners > 1).any(dim=-1)
    assert torch.equal(kept["no border"], ~outside)


def test_a_prior_left_out_is_in_no_loss():
    keep = record_priors.KEPT["squares"](MODEL.priors)
    torch.manual_seed(0)
    logits, offsets = torch.randn(1, len(PRIORS), 3), torch.randn(1, len(PRIORS), 4)
    targets = make_targets([torch.tensor([[0.1, 0.1, 0.9, 0.4]])], [torch.tensor([1])], 3)
    logits.requires_grad_()
    loss = record_priors.loss_of(keep, logits, offsets, targets, PRIORS)
    loss.total.backward()
    assert logits.grad[:, ~keep].abs().max() == 0
    assert logits.grad[:, keep].abs().max() > 0
    assert loss.total != multibox_loss(logits, offsets, targets, PRIORS).total


def test_a_prior_left_out_detects_nothing():
    network = SSD(MODEL, 3).eval()
    images = torch.zeros(2, 3, 300, 300, dtype=torch.uint8)
    keep = record_priors.KEPT["one map"](MODEL.priors)
    with torch.inference_mode():
        logits, offsets = network(images)
        record_priors.leave_out(network, keep)
        kept_logits, kept_offsets = network(images)
    assert torch.equal(kept_logits, logits[:, keep])
    assert torch.equal(kept_offsets, offsets[:, keep])
    assert torch.equal(network.priors, PRIORS[keep])


def test_a_run_is_trained_measured_and_recorded_once(tmp_path, monkeypatch):
    words = ["few", "--samples", "32", "--pictures", "2", "--variants", "all", "one map"]
    words += ["--work", str(tmp_path / "work"), "--records", str(tmp_path / "records")]
    record_priors.main(words)
    file = tmp_path / "records/runs/few/result.json"
    found = json.loads(file.read_text())
    assert list(found["variants"]) == ["all", "one map"]
    assert found["variants"]["one map"]["priors"] == 2166
    assert len(found["map50"]) == len(found["minutes"]) == 2
    assert str(tmp_path) not in json.dumps(found)
    assert (tmp_path / "records/runs/few/one_map-seed-0.csv").is_file()
    monkeypatch.setattr(record_priors, "train", None)  # whoever trains again fails
    record_priors.main(words)
    assert json.loads(file.read_text()) == found
