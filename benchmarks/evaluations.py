"""AP of drawn pictures, by this package, pycocotools and torchmetrics."""

import contextlib
import io
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np
import torch
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torchmetrics.detection import MeanAveragePrecision

from ssd_tutorial.detect import Detections
from ssd_tutorial.evaluate import COCO_THRESHOLDS, GroundTruth, coco_ap, voc_ap

CLASSES = 21  # with the background
NAMES = [f"class {k}" for k in range(1, CLASSES)]


def draw_pictures(pictures: int, seed: int = 0) -> tuple[list[Detections], list[GroundTruth]]:
    """Draw 100 detections and 10 objects per picture; about half of the detections lie near one."""
    rng = np.random.default_rng(seed)
    found, truths = [], []
    for _ in range(pictures):
        low = rng.uniform(0, 400, (10, 2))
        there = np.concatenate([low, low + rng.uniform(10, 200, (10, 2))], axis=1)
        labels = rng.integers(1, CLASSES, 10)
        owner = rng.integers(0, 10, 100)
        boxes, names = there[owner] + rng.normal(0, 8, (100, 4)), labels[owner]
        boxes[50:, :2] = rng.uniform(0, 400, (50, 2))
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 4)
        names[50:] = rng.integers(1, CLASSES, 50)
        found.append(
            Detections(torch.tensor(boxes), torch.tensor(rng.random(100)), torch.tensor(names))
        )
        nothing = torch.zeros(10, dtype=torch.bool)
        truths.append(GroundTruth(torch.tensor(there), torch.tensor(labels), nothing))
    return found, truths


def as_coco(found: list[Detections], truths: list[GroundTruth]) -> tuple[COCO, COCO]:
    """Return the ground truths and the detections as pycocotools holds them."""

    def rows(part):
        for image, one in enumerate(part, start=1):
            for (x0, y0, x1, y1), label in zip(
                one.boxes.tolist(), one.labels.tolist(), strict=True
            ):
                row = {"image_id": image, "category_id": label, "bbox": [x0, y0, x1 - x0, y1 - y0]}
                yield row | {"id": next(ids), "area": (x1 - x0) * (y1 - y0), "iscrowd": 0}

    held = []
    for part in (truths, found):
        ids = count(1)
        coco = COCO()
        coco.dataset = {
            "images": [{"id": i + 1} for i in range(len(part))],
            "categories": [{"id": k} for k in range(1, CLASSES)],
            "annotations": list(rows(part)),
        }
        coco.createIndex()
        held.append(coco)
    scores = torch.cat([one.scores for one in found]).tolist()
    for row, score in zip(held[1].dataset["annotations"], scores, strict=True):
        row["score"] = score
    return tuple(held)


def evaluations(
    pictures: int, thresholds: Sequence[float] = COCO_THRESHOLDS
) -> dict[str, Callable[[], float]]:
    """Return evaluations of the same pictures, each of which gives mAP.

    All take the mean over the IoU thresholds, but for `voc_ap`, which takes the first.
    """
    found, truths = draw_pictures(pictures)
    with contextlib.redirect_stdout(io.StringIO()):
        held = as_coco(found, truths)

    def pycocotools():
        evaluation = COCOeval(*held, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.params.iouThrs = np.array(thresholds)
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation.evaluate()
            evaluation.accumulate()
        precision = evaluation.eval["precision"]
        return precision[precision > -1].mean()  # -1: a class with nothing to find

    def torchmetrics():
        recalls = np.linspace(0, 1, 101).tolist()  # its own are rounded to single precision
        metric = MeanAveragePrecision(iou_thresholds=list(thresholds), rec_thresholds=recalls)
        metric.update(
            [one._asdict() for one in found],
            [{"boxes": one.boxes, "labels": one.labels} for one in truths],
        )
        return metric.compute()["map"].item()

    return {
        "coco_ap": lambda: coco_ap(found, truths, NAMES, iou_thresholds=thresholds).mean_ap,
        "voc_ap": lambda: voc_ap(found, truths, NAMES, iou_threshold=thresholds[0]).mean_ap,
        "pycocotools": pycocotools,
        "torchmetrics": torchmetrics,
    }
