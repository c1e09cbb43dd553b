"""Figures with matplotlib: small functions that share one style.

Every function draws on the given `Axes` and returns what it drew. A chapter makes the
figure, calls a few of these, and ends the cell with ``plt.show()``::

    plt.style.use(plots.STYLE)
    fig, ax = plt.subplots(figsize=(5.2, 5.2))
    plots.show_image(ax, image)
    plots.draw_boxes(ax, boxes, ["cat", "eye"])

Boxes are drawn in the units of the axes: `show_image` and `show_canvas` make them fractions of the
image, as everywhere in the package. A feature map has the same colour in the whole book, from light
and yellow for the finest to dark and violet for the coarsest; its curve has a line style and a
marker, too, so that colour is never the only sign. Boxes on pictures are solid lines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from torch import Tensor

from ssd_tutorial.deploy.labels import COLORS, Anchor, caption, place_labels
from ssd_tutorial.training.log import Step, measured

STYLE = Path(__file__).with_name("book.mplstyle")
"""For ``plt.style.use(plots.STYLE)``, once at the top of a chapter."""

INK, QUIET = "#1f262e", "#8a939d"
"""For ground truths and text; for negatives and what is in the background."""
BLUE, ORANGE = "#0072b2", "#e06c00"
"""For what is right, or stays; for what is wrong, or falls."""


class MapLook(NamedTuple):
    """How a feature map is drawn in every figure: its boxes in the colour, its curves in all."""

    name: str
    color: str
    line: str | tuple
    """A matplotlib line style."""
    marker: str


LOOKS = (
    MapLook("conv4_3", "#b98902", "-", "o"),
    MapLook("conv7", "#738c5a", "--", "s"),
    MapLook("conv8_2", "#008777", "-.", "^"),
    MapLook("conv9_2", "#006a85", ":", "D"),
    MapLook("conv10_2", "#2c4ca1", (0, (6, 1, 1, 1, 1, 1)), "v"),
    MapLook("conv11_2", "#4100a3", (0, (9, 3)), "P"),
    MapLook("conv12_2", "#50004b", (0, (2, 1)), "X"),
)
"""By index of the map: ever darker, and distinct for every kind of colour vision."""
MAP_COLORS: dict[str, str] = {look.name: look.color for look in LOOKS}
"""The colour of each feature map by its name, in the order of the maps."""

_LETTERS = 10.5
"""Size of a label's letters, in points."""


def map_look(key: int | str) -> MapLook:
    """Return the style of a feature map, by its index from 0 or by its name.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    for k, look in enumerate(LOOKS):
        if key in (k, look.name):
            return look
    raise ValueError(f"no feature map is called {key!r}; there are {', '.join(MAP_COLORS)}")


def show_image(ax: Axes, image: Tensor) -> Axes:
    """Show an image ``[3, H, W]`` (uint8, or float in 0 .. 1), with axes in fractions of it.

    Args:
        ax: the axes to draw on.
        image: RGB.

    Raises:
        ValueError: another shape.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"an image must be [3, H, W], not {list(image.shape)}")
    pixels = torch.as_tensor(image) / (255 if image.dtype == torch.uint8 else 1)
    ax.imshow(pixels.permute(1, 2, 0).numpy(), extent=(0, 1, 1, 0), interpolation="antialiased")
    height, width = image.shape[1:]
    return show_canvas(ax, margin=0, aspect=height / width)


def literal(text: str) -> str:
    """Return a text from data, such as a class name, so that matplotlib sees no formula in it."""
    return text.replace("$", r"\$")


def show_canvas(ax: Axes, margin: float = 0.05, aspect: float = 1.0) -> Axes:
    """Set axes in fractions of an image, y downwards, without ticks; draw the image's border.

    `margin` stays free around it for boxes that reach outside; `aspect` is height over width.
    """
    ax.set(xlim=(-margin, 1 + margin), ylim=(1 + margin, -margin), aspect=aspect, xticks=[])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.grid(False)
    ax.add_patch(Rectangle((0, 0), 1, 1, fill=False, edgecolor=QUIET, linewidth=1, zorder=0.5))
    return ax


def draw_boxes(
    ax: Axes,
    boxes_xyxy: Tensor,
    labels: Sequence[str] | None = None,
    *,
    color: str = INK,
    line: str | tuple = "-",
    width: float = 2.2,
    label_at: str = "free",
    **style,
) -> list[Rectangle]:
    """Draw boxes ``[N, 4]`` xyxy, in the units of the axes, and return their patches.

    A white outline makes the lines visible on any image. Labels lie where `place_labels` finds
    room, as in the copies that ``detect`` writes, or each in the ``"bottom"`` right corner of its
    box.
    `style` goes to `matplotlib.patches.Rectangle`.
    """
    boxes = torch.as_tensor(boxes_xyxy).reshape(-1, 4).tolist()
    if labels is not None and len(labels) != len(boxes):
        raise ValueError(f"{len(labels)} labels for {len(boxes)} boxes")
    style = {"fill": False, "edgecolor": color, "linestyle": line, "linewidth": width} | style
    rim = [withStroke(linewidth=width + 1.4, foreground="white")]
    patches = []
    for x0, y0, x1, y1 in boxes:
        patch = Rectangle((x0, y0), x1 - x0, y1 - y0, path_effects=rim, **style)
        patches.append(ax.add_patch(patch))
    if labels:
        corners = [Anchor(x1, y1, "right", "bottom") for _, _, x1, y1 in boxes]
        anchors = corners if label_at == "bottom" else _free_places(ax, boxes, labels)
        box = {"facecolor": color, "edgecolor": "none", "pad": 1.5}
        look = {"color": "white", "fontsize": _LETTERS, "clip_on": True, "bbox": box}
        for (x, y, ha, va), text in zip(anchors, labels, strict=True):
            ax.text(x, y, f" {literal(text)} ", ha=ha, va=va, **look)
    return patches


def _free_places(ax: Axes, boxes: list, labels: Sequence[str]) -> list[Anchor]:
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    ax.apply_aspect()
    width, height = ax.get_window_extent().size  # pixels; a letter is about 0.6 as wide as high
    line = 1.5 * _LETTERS * ax.figure.dpi / 72
    x, y = abs(right - left) / width, abs(high - low) / height
    sizes = [(0.4 * line * (len(text) + 2) * x, line * y) for text in labels]
    return place_labels(boxes, sizes, (max(left, right), max(low, high)))


def draw_run(history: Sequence[Step]) -> Figure:
    """Draw a run over the samples seen: its losses, learning rate and, where measured, mAP."""
    samples, lines = [step.samples for step in history], measured(history)
    heights = (3, 1, 2) if lines else (3, 1)
    figure = Figure(figsize=(7, 1 + sum(heights)), layout="constrained")
    losses, rate, *maps = figure.subplots(len(heights), sharex=True, height_ratios=heights)
    parts = ("total", "confidence", "localization")
    for look, color, name in zip(LOOKS, COLORS, parts, strict=False):
        values = [getattr(step, name) for step in history]
        losses.plot(samples, values, color=color, linestyle=look.line, label=name)
        end = (samples[-1], values[-1])
        losses.annotate(f" {name}", end, color=color, va="center", fontsize=11)
    rate.plot(samples, [step.lr for step in history], color=INK)
    losses.set(ylabel="loss", ylim=(0, None))
    rate.set(ylabel="learning rate", ylim=(0, None))
    for axes in maps:
        samples = [step.samples for step in lines]
        losses.plot(samples, [step.val_total for step in lines], "o--k", markersize=3)
        end, pixels = (samples[-1], lines[-1].val_total), "offset points"
        losses.annotate("validation", end, (6, 0), textcoords=pixels, va="center")
        axes.plot(samples, [step.val_map50 for step in lines], "o-k", markersize=3)
        axes.set(ylabel="mAP, validation", ylim=(0, 1))
    (maps or [rate])[0].set(xlabel="samples seen")
    return figure


def draw_detections(
    ax: Axes, detections, classes: Sequence[str], score_threshold: float = 0.5
) -> list[Rectangle]:
    """Draw box, class and score of each of an image's `Detections` that reaches the threshold."""
    found = detections.above(score_threshold)
    names = [classes[label - 1] for label in found.labels.tolist()]
    texts = [caption(name, s) for name, s in zip(names, found.scores.tolist(), strict=True)]
    return draw_boxes(ax, found.boxes, texts, color=COLORS[0])
