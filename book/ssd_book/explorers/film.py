"""What detection does, as a film: from all priors to the detections (the book's first page)."""

import base64
import io
from functools import cache
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, preset_state
from ssd_book.explorers.trained import scenes_detector, scenes_output, val_scene
from ssd_book.explorers.traits import Number
from ssd_tutorial.boxes import decode, iou
from ssd_tutorial.datasets import draw_scene
from ssd_tutorial.detect import nms

SCENE = 54
"""Of the validation split: a kite, a balloon, a lighthouse and a small boat."""
SCORE, OVERLAP = 0.5, 0.45
"""The lowest score of a detection, and the IoU above which NMS suppresses."""
_STEPS, _LOWEST = 200, 1e-5  # of the threshold on its way up to SCORE, at most
_SIDE, _QUALITY = 1200, 80  # of the picture, drawn four times as large as the network sees it


class FilmExplorer(Explorer, module="film"):
    """A slider from all priors, over those whose score passes and their decoded boxes, to NMS.

    Scores and boxes are those of the book's detector of scenes, computed when the film is created.
    """

    alt = (
        "A kite, a balloon, a lighthouse and a small boat on a beach. A box with a class and a "
        "score fits closely around each of the four."
    )
    position = Number(0, min=0, max=100).tag(sync=True)
    """0 is before the network has looked at the picture, 100 after NMS."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    preset = traitlets.Dict(read_only=True).tag(sync=True)
    classes = traitlets.List(read_only=True).tag(sync=True)
    thresholds = traitlets.List(read_only=True).tag(sync=True)
    """Ascending; a prior passes one if its best score, background aside, is above it."""
    passed = traitlets.Bytes(read_only=True).tag(sync=True)
    """Of each prior: the index of the last threshold that it passes, uint8."""
    candidates = traitlets.List(read_only=True).tag(sync=True)
    """Best first: ``[prior, class from 0, score, xmin, ymin, xmax, ymax, by]`` for each score above
    the last threshold; ``by`` is the candidate that suppresses it, itself if it is a detection."""

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(_name(), _SIDE, _QUALITY)

    @traitlets.default("preset")
    def _preset(self) -> dict:
        return preset_state(scenes_detector().network.config.priors)

    @traitlets.default("classes")
    def _classes(self) -> list[str]:
        return list(scenes_detector().classes)

    @traitlets.default("thresholds")
    def _thresholds(self) -> list[float]:
        return _thresholds().tolist()

    @traitlets.default("passed")
    def _passed(self) -> bytes:
        best = predicted().scores.amax(dim=1)
        # the number of thresholds below a score; the first is 0, which every score is above
        return (torch.bucketize(best, _thresholds()) - 1).to(torch.uint8).numpy().tobytes()

    @traitlets.default("candidates")
    def _candidates(self) -> list[list]:
        priors, labels, scores, boxes, by = _candidates()
        rows = zip(
            priors.tolist(), labels.tolist(), scores.tolist(), boxes.tolist(), by, strict=True
        )
        return [
            [prior, label, round(score, 4), *(round(x, 4) for x in box), i]
            for prior, label, score, box, i in rows
        ]

    def draw(self, figure) -> None:
        """Draw the last frame: the detections, on the picture alone."""
        figure.set_layout_engine("none")
        figure.set_size_inches(4.6, 4.6)
        axes = figure.add_axes((0, 0, 1, 1))
        plots.show_image(axes, draw_large(_name(), 600))
        for prior, label, score, *box, by in self.candidates:
            if self.candidates[by][0] == prior:
                words = f"{self.classes[label]} {score:.2f}"
                plots.draw_boxes(axes, torch.tensor([box]), labels=[words], color=plots.ACCENT)


class Predicted(NamedTuple):
    """What the network predicts for each prior of a scene."""

    scores: Tensor
    """``[P, C - 1]``, without the background."""
    boxes: Tensor
    """``[P, 4]``, decoded and clipped, xyxy."""


@cache
def predicted() -> Predicted:
    """Return what the book's detector predicts for the film's scene."""
    network = scenes_detector().network
    logits, offsets = scenes_output(SCENE)
    with torch.inference_mode():
        variances = network.config.priors.variances
        boxes = decode(offsets[0], network.priors, variances).clamp(0, 1)
        return Predicted(logits[0].softmax(dim=-1)[:, 1:].double(), boxes)


@cache
def _thresholds() -> Tensor:
    rising = [_LOWEST * (SCORE / _LOWEST) ** (i / (_STEPS - 1)) for i in range(_STEPS)]
    # two digits, because the film states them
    return torch.tensor([0.0, *sorted({float(f"{x:.1e}") for x in rising})], dtype=torch.float64)


@cache
def _candidates() -> tuple[Tensor, Tensor, Tensor, Tensor, list[int]]:
    """Return prior, class, score, box and suppressor of each score above `SCORE`, best first."""
    scores, boxes = predicted()
    prior, label = (scores > SCORE).nonzero(as_tuple=True)
    order = scores[prior, label].argsort(descending=True, stable=True)
    prior, label = prior[order], label[order]
    boxes = boxes[prior]
    by = torch.arange(len(prior))
    for k in label.unique():
        own = (label == k).nonzero()[:, 0]
        survives = nms(boxes[own], torch.ones(len(own), dtype=torch.bool), OVERLAP)
        # a survivor overlaps no survivor above it; another falls to the best one that it overlaps
        rivals = (iou(boxes[own], boxes[own]) > OVERLAP) & survives
        by[own] = torch.where(survives, own, own[rivals.int().argmax(dim=1)])
    return prior, label, scores[prior, label], boxes, by.tolist()


def draw_large(name: str, side: int) -> Tensor:
    """Draw a scene of any size by the name that is in its target."""
    _, seed, index = name.split("_")
    return draw_scene(int(seed), int(index), side)[0]


@cache
def picture_uri(name: str, side: int, quality: int) -> str:
    """Return a scene, drawn at `side` pixels, as a WebP data URI."""
    with io.BytesIO() as file:
        F.to_pil_image(draw_large(name, side)).save(file, "WEBP", quality=quality, method=6)
        return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()


def _name() -> str:
    return val_scene(SCENE)[1]["name"]
