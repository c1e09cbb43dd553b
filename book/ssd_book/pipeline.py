"""The picture that stays with the reader (chapter 1): one scene on its way through SSD.

Two rows begin where the network ends: one turns its output into detections, the other compares it
with the ground truth. Every part names the chapter that explains it.
"""

from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon, Rectangle
from torch import Tensor

from ssd_book import plots
from ssd_tutorial.boxes import cxcywh_to_xyxy, decode
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.priors import priors_per_map
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import Detector

CHAPTERS = {
    "network": "3",
    "maps": "3, 5",
    "priors": "5–7",
    "decode": "4",
    "threshold": "13",
    "NMS": "13",
    "ground truth": "4, 11",
    "matching": "8",
    "loss": "9, 10",
}
"""Which chapters explain a part of the picture."""

_WIDTH, _HEIGHT = 5.2, 9.3  # inches
_LEFTS, _TOPS, _SIDE = (0.1, 1.78, 3.46), (4.98, 7.48), 1.48  # of the six small pictures
_SCORE = 0.5  # what is worth showing
_SMALL, _LARGE = 10.0, 11.5  # points: what a phone still shows at 60 %


class Passage(NamedTuple):
    """What happens to one scene on its way through a detector."""

    logits: Tensor
    """``[P, C]``."""
    offsets: Tensor
    """``[P, 4]``."""
    boxes: Tensor
    """``[P, 4]`` xyxy, all of them, decoded."""
    passing: Tensor
    """``[P]``: whether some class has a score above the threshold."""
    found: Detections
    """What NMS leaves of these."""
    truths: Tensor
    """``[G, 4]`` xyxy."""
    positive: Tensor
    """``[P]``: matched to a ground truth."""
    mined: Tensor
    """``[P]``: negatives that the loss counts."""


@torch.inference_mode()
def follow(detector: Detector, image: Tensor, target: dict) -> Passage:
    """Take a scene through all steps of detecting and of training.

    Args:
        detector: of the scene's classes, in evaluation mode.
        image: uint8 ``[3, S, S]``, as large as the network's input.
        target: of that image, as the datasets return it: boxes in pixels.
    """
    network = detector.network
    logits, offsets = network(image[None])
    (found,) = postprocess(logits, offsets, network.priors, score_threshold=_SCORE)
    truths = target["boxes"].as_subclass(Tensor) / image.shape[-1]
    targets = make_targets([truths], [target["labels"]], network.num_classes)
    positive = match(network.priors, targets).positive
    mined = hard_negatives(-logits.log_softmax(-1)[..., 0], positive)
    return Passage(
        logits[0],
        offsets[0],
        decode(offsets[0], network.priors),
        (logits[0].softmax(-1)[:, 1:] > _SCORE).any(dim=1),
        found,
        truths,
        positive[0],
        mined[0],
    )


def draw_pipeline(detector: Detector, image: Tensor, target: dict, prior: int) -> Figure:
    """Draw the whole of SSD, with one scene as its example.

    Args:
        detector, image, target: see `follow`.
        prior: the one of which scores and offsets are shown, between the first two and the last.
    """
    passage = follow(detector, image, target)
    config = detector.network.config.priors
    fig = plt.figure(figsize=(_WIDTH, _HEIGHT), layout="none")
    page = fig.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, _WIDTH), ylim=(_HEIGHT, 0))
    page.axis("off")

    plots.show_image(_panel(fig, 0.1, 0.42, 1.3), image)
    _head(page, 0.1, 0.3, "picture")
    _arrow(page, (1.43, 1.07), (1.59, 1.07))
    _draw_network(page)
    _draw_maps(page, [feature_map.cells for feature_map in config.maps])
    _arrow(page, (3.0, 2.02), (3.0, 2.3))
    _draw_rows(page, passage, prior)

    counts = {
        "decode": f"{len(passage.boxes)} boxes",
        "threshold": f"{int(passage.passing.sum())} boxes",
        "NMS": f"{len(passage.found.scores)} boxes",
        "ground truth": f"{len(passage.truths)} objects",
        "matching": f"{int(passage.positive.sum())} priors",
        "loss": f"{int(passage.positive.sum())} + {int(passage.mined.sum())}",
    }
    panels = []
    for number, (name, count) in enumerate(counts.items()):
        left, top = _LEFTS[number % 3], _TOPS[number // 3]
        panels.append(_panel(fig, left, top, _SIDE))
        plots.show_image(panels[-1], image)
        _head(page, left, top - 0.1, name)
        page.text(left, top + _SIDE + 0.2, count, fontsize=_SMALL, color=plots.INK)
        _chapters(page, left + _SIDE, top + _SIDE + 0.2, name, ha="right")
        if number % 3 < 2:
            middle = top + _SIDE / 2
            _arrow(page, (left + _SIDE + 0.03, middle), (_LEFTS[number % 3 + 1] - 0.03, middle))
    for top, title in zip(_TOPS, ("To detect", "To train"), strict=True):
        page.plot([0.1, 4.94], [top - 0.72] * 2, color=plots.QUIET, linewidth=1)
        page.text(0.1, top - 0.45, title, fontsize=_LARGE + 2, color=plots.INK, weight="bold")
    _arrow(page, (3.0, _TOPS[0] - 0.98), (3.0, _TOPS[0] - 0.74))
    # the output goes to the loss, too: a line around the first row of pictures
    side, middle = 5.08, _TOPS[1] + _SIDE / 2
    page.plot([4.7, side, side], [3.42, 3.42, middle], color=plots.INK, linewidth=1.3)
    _arrow(page, (side, middle), (_LEFTS[2] + _SIDE + 0.02, middle))
    _fill(panels, passage, detector)
    return fig


def _fill(panels: list[Axes], passage: Passage, detector: Detector) -> None:
    """Draw the boxes into the six small pictures."""
    decoded, passing, kept, truth, matched, counted = panels
    config, priors = detector.network.config.priors, detector.network.priors
    owner = torch.arange(len(config.maps)).repeat_interleave(torch.tensor(priors_per_map(config)))
    for k in range(len(config.maps)):
        color = plots.map_look(k).color
        draw_thin(decoded, passage.boxes[owner == k], color, 0.25, 0.14)
        draw_thin(passing, passage.boxes[passage.passing & (owner == k)], color, 0.8, 0.9)
        matched_here = cxcywh_to_xyxy(priors[passage.positive & (owner == k)])
        draw_thin(matched, matched_here, color, 0.8, 0.9)
    origins = torch.cdist(passage.found.boxes, passage.boxes.clamp(0, 1)).argmin(dim=1)
    for box, prior in zip(passage.found.boxes, origins.tolist(), strict=True):
        plots.draw_boxes(kept, box, color=plots.map_look(int(owner[prior])).color, width=1.8)
    plots.draw_boxes(truth, passage.truths, width=1.8)
    positives = passage.positive.nonzero()[:, 0]
    for ax in panels:
        ax.set(xlim=(0, 1), ylim=(1, 0))
    x, y = priors[passage.mined, :2].T.tolist()
    counted.scatter(x, y, s=9, marker="x", color=plots.INK, linewidths=0.7, alpha=0.7)
    colors = [plots.map_look(int(owner[i])).color for i in positives]
    x, y = priors[positives, :2].T.tolist()
    counted.scatter(x, y, s=16, c=colors, edgecolors="white", linewidths=0.5, zorder=3)


def _draw_network(page: Axes) -> None:
    """Draw the network as a funnel: each layer looks at less detail than the one before it."""
    left, right, middle = 1.62, 2.36, 1.07
    funnel = [(left, middle - 0.65), (right, middle - 0.4), (right, middle + 0.4)]
    funnel.append((left, middle + 0.65))
    page.add_patch(Polygon(funnel, facecolor="#e9edf2", edgecolor=plots.INK, linewidth=1.2))
    for share in (0.25, 0.5, 0.75):
        x, half = left + share * (right - left), 0.65 - 0.25 * share
        page.plot([x, x], [middle - half, middle + half], color=plots.QUIET, linewidth=0.8)
    _head(page, left, 0.3, "network")
    _chapters(page, left, 1.92, "network")
    _arrow(page, (right + 0.03, middle), (right + 0.17, middle))


def _draw_maps(page: Axes, cells: list[int]) -> None:
    """Draw a grid per feature map, with the true number of cells."""
    left, middle = 2.56, 1.07
    _head(page, left, 0.3, f"{len(cells)} feature maps")
    for k, (count, side) in enumerate(zip(cells, (0.8, 0.56, 0.4, 0.26, 0.16, 0.1), strict=True)):
        look, top = plots.map_look(k), middle - side / 2
        face = to_rgba(look.color, 0.12)
        page.add_patch(
            Rectangle((left, top), side, side, facecolor=face, edgecolor=look.color, linewidth=1.2)
        )
        at = [i * side / count for i in range(1, count)]
        across = [[(left, top + a), (left + side, top + a)] for a in at]
        down = [[(left + a, top), (left + a, top + side)] for a in at]
        page.add_collection(LineCollection(across + down, colors=look.color, linewidths=0.3))
        where = {"ha": "center", "fontsize": _SMALL, "color": plots.INK}
        page.text(left + side / 2, middle + 0.6, str(count), **where)
        left += side + 0.05
    page.text(2.56, 1.92, "cells per side", fontsize=_SMALL, color=plots.INK)
    _chapters(page, 4.94, 1.92, "maps", ha="right")


def _draw_rows(page: Axes, passage: Passage, prior: int) -> None:
    """Draw the output as a table: a row per prior, a column per class, four for the offsets."""
    scores = passage.logits.softmax(-1)
    count, classes = scores.shape
    _head(page, 0.1, 2.52, f"{count} priors, a row of numbers for each")
    left, top, cell, high = 1.25, 2.84, 0.18, 0.2
    offsets = left + cell * classes + 0.18
    page.text(left, top - 0.06, f"{classes} class scores", fontsize=_SMALL, color=plots.INK)
    page.text(offsets, top - 0.06, "4 offsets", fontsize=_SMALL, color=plots.INK)
    _chapters(page, 4.94, 2.52, "priors", ha="right")
    strongest = passage.offsets[[0, 1, prior, count - 1]].abs().max().item()
    for index in (0, 1, None, prior, None, count - 1):
        if index is None:
            look = {"va": "center", "fontsize": _SMALL, "color": plots.INK}
            page.text(left - 0.5, top + 0.07, "\N{VERTICAL ELLIPSIS}", **look)
            top += 0.15
            continue
        look = {"ha": "right", "va": "center", "fontsize": _SMALL, "color": plots.INK}
        look["weight"] = "bold" if index == prior else "normal"
        page.text(left - 0.08, top + high / 2, f"prior {index}", **look)
        for k, score in enumerate(scores[index].tolist()):
            color = to_rgba(plots.BLUE, score)
            _cell(page, left + k * cell, top, cell, high, color)
        for k, offset in enumerate(passage.offsets[index].tolist()):
            color = to_rgba("#b34700" if offset > 0 else "#00755a", abs(offset) / strongest)
            _cell(page, offsets + k * cell, top, cell, high, color)
        top += high


def _cell(page: Axes, x: float, y: float, width: float, height: float, color) -> None:
    look = {"facecolor": color, "edgecolor": plots.QUIET, "linewidth": 0.6}
    page.add_patch(Rectangle((x, y), width, height, **look))


def _head(page: Axes, x: float, y: float, name: str) -> None:
    page.text(x, y, name, weight="bold", fontsize=_LARGE, color=plots.INK)


def _chapters(page: Axes, x: float, y: float, part: str, **where) -> None:
    page.text(x, y, f"ch. {CHAPTERS[part]}", fontsize=_SMALL, color=plots.INK, **where)


def _arrow(page: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    look = {"arrowstyle": "-|>", "mutation_scale": 9, "color": plots.INK, "linewidth": 1.3}
    page.add_patch(FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, **look))


def _panel(fig: Figure, left: float, top: float, side: float) -> Axes:
    """Return axes at a place in inches, from the upper left corner."""
    return fig.add_axes((left / _WIDTH, 1 - (top + side) / _HEIGHT, side / _WIDTH, side / _HEIGHT))


def draw_thin(ax: Axes, boxes_xyxy: Tensor, color: str, width: float, alpha: float) -> None:
    """Draw many boxes ``[N, 4]`` as lines, without the white rims of `plots.draw_boxes`."""
    corners = boxes_xyxy[:, [0, 1, 2, 1, 2, 3, 0, 3, 0, 1]].unflatten(1, (5, 2))
    ax.add_collection(LineCollection(corners.tolist(), colors=color, linewidths=width, alpha=alpha))
