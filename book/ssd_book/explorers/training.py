"""What a network detects in one picture, from before training to its end (chapter 12)."""

import json
from functools import cache

import torch
import traitlets
from torch import Tensor

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.trained import val_scene
from ssd_book.explorers.traits import Number
from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import SCENE_CLASSES
from ssd_tutorial.detect import Detections
from ssd_tutorial.doctor.detection_errors import DetectionErrors, classify_errors
from ssd_tutorial.evaluate import GroundTruth
from ssd_tutorial.figures import plots

SCENE = 17
"""Of the validation split: two kites, a boat, a car and the top of a lighthouse."""


@cache
def film() -> dict:
    """Return the record of the run, of which each frame has its losses and its detections."""
    return json.loads(data_path("runs/scenes_film/result.json").read_text(encoding="utf-8"))


class TrainingExplorer(Explorer, module="training"):
    """A slider from the untrained network to the trained one: its boxes and its losses."""

    alt = (
        "One scene several times. At first wrong boxes lie all over it; after training, one box "
        "each fits closely around both kites, the boat and the car."
    )
    moment = traitlets.Int(0, min=0).tag(sync=True)
    """Which frame: 0 is the untrained network."""
    score_threshold = Number(0.2, min=0.1, max=1).tag(sync=True)
    frames = traitlets.List(read_only=True).tag(sync=True)
    """``[samples, loss on seen pictures, loss on unseen ones, detections]``, the detections best
    first: ``[class from 0, score, xmin, ymin, xmax, ymax]``."""
    classes = traitlets.List(list(SCENE_CLASSES), read_only=True).tag(sync=True)
    objects = traitlets.List(read_only=True).tag(sync=True)
    """``[class from 0, xmin, ymin, xmax, ymax]``."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("frames")
    def _frames(self) -> list[list]:
        place = film()["scenes"].index(SCENE)
        return [
            [each["samples"], each["seen"], each["unseen"], each["detections"][place]]
            for each in film()["frames"]
        ]

    @traitlets.default("objects")
    def _objects(self) -> list[list]:
        target = val_scene(SCENE)[1]
        boxes = (target["boxes"].as_subclass(Tensor) / 300).tolist()
        labels = target["labels"].tolist()
        return [
            [label - 1, *(round(x, 4) for x in box)]
            for label, box in zip(labels, boxes, strict=True)
        ]

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(val_scene(SCENE)[0])

    @traitlets.validate("moment")
    def _known_moment(self, proposal) -> int:
        if proposal["value"] >= len(self.frames):
            raise traitlets.TraitError(
                f"TrainingExplorer.moment must be 0 to {len(self.frames) - 1},"
                f" not {proposal['value']}"
            )
        return proposal["value"]

    def errors(self, moment: int | None = None) -> DetectionErrors:
        """Return the kind of each detection of a moment, None for this one, and what is missed."""
        rows = self.frames[self.moment if moment is None else moment][3]
        table = torch.tensor(rows, dtype=torch.float64).reshape(-1, 6)
        found = Detections(table[:, 2:], table[:, 1], table[:, 0].long() + 1)
        objects = torch.tensor(self.objects, dtype=torch.float64)
        labels = objects[:, 0].long() + 1
        truth = GroundTruth(objects[:, 1:], labels, torch.zeros(len(labels), dtype=torch.bool))
        (errors,) = classify_errors([found], [truth], score_threshold=self.score_threshold)
        return errors

    def draw(self, figure) -> None:
        """Draw the strip: the picture at up to six moments, from the first to the last."""
        last = len(self.frames) - 1
        chosen = sorted({round(k * last / 5) for k in range(6)})
        figure.set_size_inches(6, 4.2)
        for ax, moment in zip(figure.subplots(2, 3).flat, chosen, strict=False):
            plots.show_image(ax, val_scene(SCENE)[0])
            ax.set_title(f"{self.frames[moment][0]:,} samples".replace(",", " "), fontsize=10)
            errors = self.errors(moment)
            drawn = list(zip(errors.found.boxes.float(), errors.kinds, strict=True))
            for box, kind in reversed(drawn):  # the best ones on top
                right = kind == "true positive"
                look = {"color": plots.BLUE} if right else {"color": plots.ORANGE, "line": "--"}
                plots.draw_boxes(ax, box[None], width=1.6, **look)
        for ax in figure.axes[len(chosen) :]:
            ax.axis("off")
