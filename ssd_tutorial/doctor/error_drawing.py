"""Draw curves, confusions and the most confident errors of a detector (chapter 16)."""

from collections.abc import Mapping, Sequence
from itertools import cycle

import numpy as np
import torch
from matplotlib.axes import Axes
from torch import Tensor

from ssd_tutorial.doctor.detection_errors import Error
from ssd_tutorial.doctor.measures import OperatingPoint
from ssd_tutorial.evaluate import Curve
from ssd_tutorial.figures import plots


def draw_thresholds(ax: Axes, curve: Curve, point: OperatingPoint | None = None) -> None:
    """Draw precision, recall and F1 against the score from which on detections are kept."""
    f1 = 2 * curve.precision * curve.recall / np.maximum(curve.precision + curve.recall, 1e-12)
    ax.plot(curve.scores, curve.precision, color=plots.BLUE, label="precision")
    ax.plot(curve.scores, curve.recall, color=plots.ORANGE, linestyle="--", label="recall")
    ax.plot(curve.scores, f1, color="#117733", linestyle=":", linewidth=2.5, label="F1")
    if point is not None:
        ax.axvline(point.threshold, color=plots.QUIET, linewidth=1.2)
    ax.set(xlabel="keep detections from this score on", xlim=(0, 1), ylim=(0, 1.02))
    ax.legend(loc="lower center", ncols=3)


def draw_curves(
    ax: Axes, curves: Mapping[str, Curve], points: Mapping[str, OperatingPoint | None]
) -> None:
    """Draw precision against recall, a line per class, with a dot at the suggested score."""
    looks = cycle(zip(plots.LOOKS, plots.COLORS, strict=False))
    for (name, curve), (look, color) in zip(curves.items(), looks, strict=False):
        label = plots.literal(name)
        ax.plot(curve.recall, curve.precision, color=color, linestyle=look.line, label=label)
        if point := points[name]:
            ax.plot(point.recall, point.precision, look.marker, color=color, markersize=8)
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.04))
    ax.legend(loc="lower left")


def draw_confusion(ax: Axes, table: Tensor, classes: Sequence[str]) -> None:
    """Draw the matrix of `detection_errors.confusion`; its first row and column are "nothing"."""
    names = ["nothing", *map(plots.literal, classes)]
    shade = table.double().sqrt()  # so that few errors beside many hits can be seen
    ax.imshow(shade.numpy(), cmap="Blues", vmin=0, vmax=1.4 * max(1.0, float(shade.max())))
    for row, column in table.nonzero().tolist():
        ax.text(column, row, int(table[row, column]), ha="center", va="center")
    ax.set_xticks(range(len(names)), names, rotation=30, ha="right")
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="detected as", ylabel="is")
    ax.grid(visible=False)


def draw_error(
    ax: Axes, image: Tensor, target: Mapping[str, Tensor], error: Error, classes: Sequence[str]
) -> None:
    """Draw an error over the picture: its box is dashed, those of the objects are not.

    Args:
        ax: the axes to draw on.
        image: ``[3, H, W]``.
        target: ``boxes`` ``[N, 4]`` xyxy in pixels, and ``labels`` ``[N]``.
        error: one of this picture, from `detection_errors.surest_errors`.
        classes: names without the background.
    """
    scale = torch.tensor([image.shape[2], image.shape[1]] * 2)
    words = [classes[label - 1] for label in target["labels"].tolist()]
    plots.show_image(ax, image)
    plots.draw_boxes(ax, target["boxes"] / scale, words, width=1.4, label_at="bottom")
    label = f"{classes[error.label - 1]} {error.score:.2f}"
    plots.draw_boxes(ax, error.box / scale, [label], color=plots.ORANGE, line="--", width=2.4)
    ax.set_title(error.kind)
