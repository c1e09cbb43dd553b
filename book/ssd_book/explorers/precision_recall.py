"""Precision and recall of a trained detector on six scenes, as the threshold falls (chapter 14)."""

from functools import cache

import numpy as np
import torch
import traitlets
from torch import Tensor

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.trained import scenes_detector
from ssd_book.explorers.traits import Number
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect_dataset
from ssd_tutorial.detect import Detections
from ssd_tutorial.doctor.detection_errors import DetectionErrors, classify_errors
from ssd_tutorial.evaluate import Evaluation, GroundTruth, voc_ap
from ssd_tutorial.figures import plots

_SCENES = (283, 173, 46, 244, 43, 68)  # of the validation split; trains show all three kinds
_COLUMNS = 2
_SIDE = 150  # px of one scene
ALL = "all classes"


class PrecisionRecallExplorer(Explorer, module="precision_recall"):
    """Hits, false boxes and misses at a score threshold, and the curve down to it."""

    alt = (
        "Six scenes with hits, false boxes and missed trains. Beside them precision against "
        "recall, from the best score down to the threshold."
    )
    score_threshold = Number(0.5, min=0.01, max=1).tag(sync=True)
    iou_threshold = Number(0.5, min=0.05, max=0.95).tag(sync=True)
    group = traitlets.Unicode("train").tag(sync=True)
    """A class, or "all classes"."""
    classes = traitlets.List(read_only=True).tag(sync=True)
    """Names of the classes that occur."""
    detections = traitlets.List(read_only=True).tag(sync=True)
    """Best first: ``[scene, class, score, xmin, ymin, xmax, ymax]``; scene and class from 0, the
    class as an index of `classes`, the box in fractions of its scene."""
    objects = traitlets.List(read_only=True).tag(sync=True)
    """``[scene, class, difficult, xmin, ymin, xmax, ymax]``."""
    columns = traitlets.Int(_COLUMNS, read_only=True).tag(sync=True)
    """Number of scenes side by side in the picture."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("classes")
    def _classes(self) -> list[str]:
        return list(_found()[0])

    @traitlets.default("detections")
    def _detections(self) -> list[list[float]]:
        return _found()[1]

    @traitlets.default("objects")
    def _objects(self) -> list[list[float]]:
        return _found()[2]

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(_strip(), side=_COLUMNS * _SIDE, quality=55)

    @traitlets.validate("group")
    def _known_group(self, proposal) -> str:
        if proposal["value"] not in (names := [*self.classes, ALL]):
            raise traitlets.TraitError(
                f"PrecisionRecallExplorer.group must be one of {', '.join(names)},"
                f" not {proposal['value']!r}"
            )
        return proposal["value"]

    def evaluation(self, whole: bool = False, rule: str = "area") -> Evaluation:
        """Return `voc_ap` of the detections that reach the threshold, or of all if `whole`."""
        found, truths = self._chosen()
        kept = found if whole else [one.above(self.score_threshold) for one in found]
        names = self.classes if self.group == ALL else [self.group]
        return voc_ap(kept, truths, names, iou_threshold=self.iou_threshold, interpolation=rule)

    def errors(self) -> list[DetectionErrors]:
        """Return the kind of each detection of the group, scene by scene, and what is missed."""
        thresholds = {
            "score_threshold": self.score_threshold,
            "iou_threshold": self.iou_threshold,
        }
        return classify_errors(*self._chosen(), **thresholds)

    def _chosen(self) -> tuple[list[Detections], list[GroundTruth]]:
        """Return the group's detections and objects per scene; a single class has label 1."""

        def rows(table: list, scene: int) -> tuple[Tensor, Tensor, Tensor]:
            kept = [
                (box, k + 1 if self.group == ALL else 1, value)
                for place, k, value, *box in table
                if place == scene and self.group in (ALL, self.classes[k])
            ]
            boxes, labels, values = zip(*kept, strict=True) if kept else ([], [], [])
            boxes = torch.tensor(boxes, dtype=torch.float64).reshape(-1, 4)
            labels = torch.tensor(labels, dtype=torch.int64)
            return boxes, labels, torch.tensor(values, dtype=torch.float64)

        found, truths = [], []
        for scene in range(len(_SCENES)):
            boxes, labels, scores = rows(self.detections, scene)
            found.append(Detections(boxes, scores, labels))
            boxes, labels, difficult = rows(self.objects, scene)
            truths.append(GroundTruth(boxes, labels, difficult.bool()))
        return found, truths

    def draw(self, figure) -> None:
        """Draw the scenes with hits, false boxes and misses; the curves down to the threshold."""
        figure.set_size_inches(6.6, 4.4)
        strip, axes = figure.subplots(1, 2)
        plots.show_image(strip, _strip())
        blue, orange = plots.BLUE, plots.ORANGE
        for scene, (one, truth) in enumerate(zip(self.errors(), self._chosen()[1], strict=True)):
            right = torch.tensor([kind == "true positive" for kind in one.kinds], dtype=torch.bool)
            boxes = _in_strip(one.found.boxes, scene)
            plots.draw_boxes(strip, boxes[right], color=blue)
            plots.draw_boxes(strip, boxes[~right], color=orange, line="--")
            plots.draw_boxes(strip, _in_strip(truth.boxes[one.missed], scene), line=":")
        for whole, color, width in ((True, plots.QUIET, 1), (False, blue, 2.2)):
            for curve in self.evaluation(whole=whole).curves.values():
                axes.plot(curve.recall, curve.precision, color=color, linewidth=width)
        points = self.evaluation(rule="11 points").mean_ap
        axes.set_title(f"AP {self.evaluation().mean_ap:.2f}; 11 points {points:.2f}", fontsize=11)
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.03), ylim=(0, 1.05), box_aspect=1)


def _in_strip(boxes: Tensor, scene: int) -> Tensor:
    """Return boxes of a scene, in fractions of the strip."""
    rows = -(-len(_SCENES) // _COLUMNS)
    offset = torch.tensor([scene % _COLUMNS, scene // _COLUMNS] * 2)
    return (boxes + offset) / torch.tensor([_COLUMNS, rows] * 2)


@cache
def _pictures() -> list:
    scenes = open_dataset("scenes", "val")
    return [scenes[index] for index in _SCENES]


@cache
def _strip() -> Tensor:
    """Return the scenes in rows of two, as one image ``[3, H, W]``."""
    images = [image.as_subclass(Tensor) for image, _ in _pictures()]
    rows = [images[i : i + _COLUMNS] for i in range(0, len(images), _COLUMNS)]
    return torch.cat([torch.cat(row, dim=2) for row in rows], dim=1)


@cache
def _found() -> tuple[list[str], list[list[float]], list[list[float]]]:
    """Return classes, detections and objects in the form of the traits."""
    detector = scenes_detector()
    found, truths = detect_dataset(detector.network, _pictures(), progress=False)
    size = _pictures()[0][0].shape[-1]
    labels = sorted({int(label) for truth in truths for label in truth.labels})

    def rows(boxes: Tensor, kinds: Tensor, values: list, scene: int) -> list[list[float]]:
        boxes = np.round(boxes.double().numpy() / size, 4).tolist()
        table = zip(kinds.tolist(), values, boxes, strict=True)
        return [[scene, labels.index(k), v, *box] for k, v, box in table if k in labels]

    detections, objects = [], []
    for scene, (one, truth) in enumerate(zip(found, truths, strict=True)):
        scores = [round(score, 5) for score in one.scores.tolist()]
        detections += rows(one.boxes, one.labels, scores, scene)
        objects += rows(truth.boxes, truth.labels, truth.difficult.int().tolist(), scene)
    detections.sort(key=lambda row: -row[2])
    return [detector.classes[label - 1] for label in labels], detections, objects
