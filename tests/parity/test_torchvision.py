"""Every step, and the whole detector, against torchvision's SSD300."""

import pytest
import torch

from tests.parity import measure, reference


def check(rows):
    assert rows
    for row in rows:
        print(row)
        assert row.largest <= row.bound, row


def test_priors_agree():
    check(measure.priors())


def test_matching_offsets_loss_and_gradients_agree():
    check(measure.training(batches=4))


def test_postprocessing_agrees():
    check(measure.postprocessing(batches=3))


@pytest.fixture(scope="module")
def whole_model():
    return measure.whole_model(pictures=3)


def test_the_whole_detector_with_converted_weights_agrees(whole_model):
    """Pictures in, detections out, with pre- and post-processing."""
    check(whole_model)


@torch.no_grad()
def test_the_reference_is_not_degenerate():
    """Random weights that found nothing, or the same everywhere, would compare nothing."""
    model = reference.torchvision_ssd300()
    (found,) = model([reference.draw_picture(300, 300, torch.Generator().manual_seed(1))])
    assert len(found["scores"]) == 200
    assert len(found["labels"].unique()) > 10
    assert found["scores"][0] > 0.8
    sides = (found["boxes"][:, 2:] - found["boxes"][:, :2]).amax(1)
    assert sides.min() < 60
    assert sides.max() > 200
