"""The film of the first page: every number in it is the package's own."""

import base64
import gzip
import io
import json

import numpy as np
import pytest
import torch
import traitlets
from PIL import Image
from ssd_book.explorers import FilmExplorer, film

from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.weights.file import load_weights

TOLERANCE = 6e-5  # the film rounds to four digits


@pytest.fixture(scope="module")
def explorer():
    return FilmExplorer()


@pytest.fixture(scope="module")
def output():
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.eval()
    with torch.inference_mode():
        return *network(open_dataset("scenes", "val")[film.SCENE][0][None]), network.priors


def detections(explorer, rows) -> Detections:
    """Return candidates in the form of `postprocess`."""
    table = torch.tensor([row[1:7] for row in rows], dtype=torch.float64)
    return Detections(table[:, 2:], table[:, 1], table[:, 0].long() + 1)


def same(ours: Detections, theirs: Detections) -> bool:
    alike = ours.labels.tolist() == theirs.labels.tolist()
    return alike and all(
        torch.allclose(a.double(), b.double(), atol=TOLERANCE, rtol=0)
        for a, b in zip(ours[:2], theirs[:2], strict=True)
    )


def test_what_stays_is_what_postprocess_detects(explorer, output):
    stays = [row for i, row in enumerate(explorer.candidates) if row[-1] == i]
    (found,) = postprocess(*output, score_threshold=film.SCORE, iou_threshold=film.OVERLAP)
    assert len(stays) == 4
    assert same(detections(explorer, stays), found)


def test_the_candidates_are_all_decoded_boxes_above_the_last_threshold(explorer, output):
    (found,) = postprocess(*output, score_threshold=film.SCORE, iou_threshold=1.0)
    assert same(detections(explorer, explorer.candidates), found)


def test_every_suppressed_box_overlaps_a_better_one_of_its_class_that_stays(explorer):
    rows = explorer.candidates
    boxes = torch.tensor([row[3:7] for row in rows], dtype=torch.float64)
    overlaps = iou(boxes, boxes)
    suppressed = [i for i, row in enumerate(rows) if row[-1] != i]
    assert len(suppressed) == len(rows) - 4
    for i in suppressed:
        by = rows[i][-1]
        assert rows[by][-1] == by < i
        assert rows[by][1] == rows[i][1]
        assert overlaps[i, by] > film.OVERLAP


def test_the_count_at_every_threshold_is_that_of_the_networks_scores(explorer, output):
    best = output[0][0].softmax(dim=-1)[:, 1:].amax(dim=1).double()
    passed = np.frombuffer(explorer.passed, np.uint8)
    assert explorer.thresholds == sorted(set(explorer.thresholds))
    assert len(explorer.thresholds) > 100
    assert explorer.thresholds[0] == 0
    assert explorer.thresholds[-1] == film.SCORE
    for step, threshold in enumerate(explorer.thresholds):
        assert (passed >= step).sum() == (best > threshold).sum(), threshold
    assert (passed >= 0).sum() == len(passed) == 8732
    priors = {row[0] for row in explorer.candidates}
    assert priors == set((passed == len(explorer.thresholds) - 1).nonzero()[0].tolist())


def test_the_picture_is_the_scene_that_the_network_sees_drawn_larger(explorer):
    head, _, body = explorer.picture.partition(",")
    assert head == "data:image/webp;base64"
    large = Image.open(io.BytesIO(base64.b64decode(body))).convert("RGB")
    small = open_dataset("scenes", "val")[film.SCENE][0].permute(1, 2, 0).numpy()
    reduced = np.asarray(large.resize((300, 300), Image.Resampling.BOX), dtype=float)
    assert large.width == 1200
    assert np.abs(reduced - small).mean() < 8  # of 255: the grain
    other = open_dataset("scenes", "val")[film.SCENE + 1][0].permute(1, 2, 0).numpy()
    assert np.abs(reduced - other).mean() > 20


def test_the_film_is_light(explorer):
    state = {n: explorer.trait_values()[n] for n in ("thresholds", "candidates", "preset")}
    data = json.dumps(state).encode() + base64.b64encode(explorer.passed)
    assert len(gzip.compress(data)) < 16_000
    assert len(explorer.picture) < 50_000


@pytest.mark.parametrize("position", [-1, 100.5, float("nan")])
def test_a_position_outside_the_film_is_refused(explorer, position):
    with pytest.raises(traitlets.TraitError):
        explorer.position = position
