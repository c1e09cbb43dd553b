"""The book's first picture: one scene, from 8732 priors to what a detector finds in it."""

import matplotlib.pyplot as plt
import torch
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import Tensor

from ssd_tutorial import plots
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.inference import detect
from ssd_tutorial.matching import match
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights import Detector


def draw_overview(detector: Detector, image: Tensor, target: dict, score: float = 0.5) -> Figure:
    """Three panels: all priors; those that answer for an object; the detections.

    Args:
        detector: a trained detector, from `ssd_tutorial.weights.load_weights`.
        image: uint8 ``[3, H, W]``.
        target: of that image, as the datasets give it: boxes in pixels.
        score: show detections with at least this score.
    """
    preset = detector.network.model.priors
    height, width = image.shape[-2:]
    scale = torch.tensor([width, height, width, height])
    truths = target["boxes"].as_subclass(Tensor) / scale
    priors = make_priors(preset)
    targets = make_targets([truths], [target["labels"]], detector.network.num_classes)
    positive = match(priors, targets).positive[0].nonzero()[:, 0].tolist()
    found = detect(detector.network, [image], score_threshold=score)[0]

    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.9))
    for ax in axes:
        plots.show_image(ax, image)
    _draw_all(axes[0], cxcywh_to_xyxy(priors))
    axes[0].set_title(f"{len(priors)} priors")
    plots.draw_priors(axes[1], preset, positive, width=1.2)
    axes[1].set_title(f"{len(positive)} are matched to {len(truths)} objects")
    found = found._replace(boxes=found.boxes / scale)
    plots.draw_detections(axes[2], found, detector.classes, score)
    axes[2].set_title(f"{len(found.scores)} detections")
    return fig


def _draw_all(ax: plt.Axes, boxes_xyxy: Tensor) -> None:
    x0, y0, x1, y1 = boxes_xyxy.unbind(1)
    corners = torch.stack([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], dim=1).view(-1, 5, 2)
    ax.add_collection(LineCollection(corners.numpy(), colors=plots.INK, linewidths=0.3, alpha=0.12))
