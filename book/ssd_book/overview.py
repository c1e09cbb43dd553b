"""The book's first picture: one scene, from 8732 priors to what a detector finds in it."""

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure
from torch import Tensor

from ssd_book import plots
from ssd_book.pipeline import draw_thin
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.matching import match
from ssd_tutorial.priors import make_priors, priors_per_map
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import Detector


def draw_overview(detector: Detector, image: Tensor, target: dict, score: float = 0.5) -> Figure:
    """Draw three panels: all priors; those matched to an object; the detections.

    Args:
        detector: a trained detector, from `ssd_tutorial.weights.file.load_weights`.
        image: uint8 ``[3, H, W]``.
        target: of that image, as the datasets return it: boxes in pixels.
        score: show detections with at least this score.
    """
    preset = detector.network.config.priors
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
    for k, boxes in enumerate(cxcywh_to_xyxy(priors).split(priors_per_map(preset))):
        draw_thin(axes[0], boxes, plots.map_look(k).color, 0.25, 0.14)
    axes[0].set_title(f"{len(priors)} priors")
    plots.draw_priors(axes[1], preset, positive, width=1.2)
    axes[1].set_title(f"{len(positive)} are matched to {len(truths)} objects")
    found = found._replace(boxes=found.boxes / scale)
    plots.draw_detections(axes[2], found, detector.classes, score)
    axes[2].set_title(f"{len(found.scores)} detections")
    return fig
