"""The IoU explorer: its first state, and what Python reads and sets."""

import pytest
import torch
import traitlets
from ssd_book.explorers import IoUExplorer

from ssd_tutorial.boxes import iou


def test_the_first_state_overlaps_but_does_not_match():
    a, b = torch.tensor(IoUExplorer().boxes)
    assert 0.3 < iou(a[None], b[None]).item() < 0.5


def test_boxes_can_be_set_watched_and_drawn():
    explorer, seen = IoUExplorer(), []
    explorer.observe(lambda change: seen.append(change["new"]), "boxes")
    before = explorer.png()
    explorer.boxes = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]
    assert seen == [explorer.boxes]
    assert explorer.png() != before


def test_exactly_two_boxes_are_required():
    with pytest.raises(traitlets.TraitError, match="takes 2 to 2 boxes, not 1"):
        IoUExplorer(boxes=[[0, 0, 1, 1]])
