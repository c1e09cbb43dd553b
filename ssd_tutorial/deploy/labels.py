"""Where the labels of boxes go, for figures and for copies of pictures alike (chapter 13)."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ssd_tutorial.detect import Detections

COLORS = ("#0072b2", "#b34700", "#00755a", "#a3346f", "#5b4a9e", "#6b5a00")
"""Of classes, in turn: white letters are readable on each."""


class Anchor(NamedTuple):
    """A point, and the sides of the label that touch it, as `matplotlib.text.Text` names them."""

    x: float
    y: float
    ha: str
    """``"left"`` or ``"right"``."""
    va: str
    """``"top"`` or ``"bottom"``; y points downwards."""

    def rectangle(self, size: tuple[float, float]) -> tuple[float, float, float, float]:
        """Return the label's place, xyxy."""
        left = self.x - (size[0] if self.ha == "right" else 0)
        top = self.y - (size[1] if self.va == "bottom" else 0)
        return left, top, left + size[0], top + size[1]


def caption(name: str, score: float) -> str:
    """Return what a label says: ``cat 0.97``, without letters that would break its line."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:40]) + (
        f" {score:.2f}"
    )


def place_labels(
    boxes: Sequence[Sequence[float]],
    sizes: Sequence[tuple[float, float]],
    frame: tuple[float, float],
) -> list[Anchor]:
    """Place each label at a corner of its box, inside the frame, clear of the labels before it.

    A label prefers the corner inside its box at the top left; one that would hide most of its box
    goes outside first. Where nothing is free, labels overlap as little as they can.

    Args:
        boxes: xyxy each, y downwards, the most important first.
        sizes: width and height of each label, in the units of the boxes.
        frame: width and height of the picture.
    """
    anchors: list[Anchor] = []
    taken: list[tuple[float, float, float, float]] = []
    for (x0, y0, x1, y1), size in zip(boxes, sizes, strict=True):
        inside = [(x0, y0, "left", "top"), (x1, y0, "right", "top")]
        inside += [(x0, y1, "left", "bottom"), (x1, y1, "right", "bottom")]
        outside = [(x0, y0, "left", "bottom"), (x0, y1, "left", "top")]
        outside += [(x1, y0, "right", "bottom"), (x1, y1, "right", "top")]
        small = size[0] > x1 - x0 or 3 * size[1] > y1 - y0
        places = [*outside, *inside] if small else [*inside, *outside]
        tried = [_within(Anchor(*place), size, frame) for place in places]
        hidden = [sum(_overlap(a.rectangle(size), other) for other in taken) for a in tried]
        anchors.append(tried[hidden.index(min(hidden))])  # the first of the best
        taken.append(anchors[-1].rectangle(size))
    return anchors


def _within(anchor: Anchor, size: tuple[float, float], frame: tuple[float, float]) -> Anchor:
    """Move an anchor so that the label lies within the frame, or begins at its border."""
    left, top, right, bottom = anchor.rectangle(size)
    dx = max(-left, min(0, frame[0] - right))
    dy = max(-top, min(0, frame[1] - bottom))
    return anchor._replace(x=anchor.x + dx, y=anchor.y + dy)


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


def draw_labelled(image: Tensor, found: Detections, names: Sequence[str]) -> Image.Image:
    """Return a picture with boxes, names and scores drawn as in the book's figures.

    Lines and letters grow with the picture, so that they can be read when it is shown whole.

    Args:
        image: uint8 ``[3, H, W]``.
        found: its detections, in pixels.
        names: of each detection.
    """
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    letters = max(12, round(max(picture.size) / 75))
    line, pad = max(2, letters // 6), letters // 4
    font, draw = ImageFont.truetype(str(_font()), letters), ImageDraw.Draw(picture)
    boxes = [[round(v) for v in box] for box in found.boxes.tolist()]
    colors = [COLORS[(label - 1) % len(COLORS)] for label in found.labels.tolist()]
    texts = [caption(name, s) for name, s in zip(names, found.scores.tolist(), strict=True)]
    sizes = [(font.getlength(text) + 2 * pad, letters + 2 * pad) for text in texts]
    for (x0, y0, x1, y1), color in zip(boxes, colors, strict=True):
        rim = line // 2
        outer = (x0 - rim, y0 - rim, x1 + rim, y1 + rim)
        draw.rectangle(outer, outline="white", width=line + 2 * rim)
        draw.rectangle((x0, y0, x1, y1), outline=color, width=line)
    anchors = place_labels(boxes, sizes, picture.size)
    for anchor, size, text, color in zip(anchors, sizes, texts, colors, strict=True):
        left, top, right, bottom = anchor.rectangle(size)
        draw.rectangle((left, top, right, bottom), fill=color)
        draw.text((left + pad, (top + bottom) / 2), text, fill="white", font=font, anchor="lm")
    return picture


def _font() -> Path:
    """Return matplotlib's own font, the one of the figures, without importing matplotlib."""
    package = importlib.util.find_spec("matplotlib").submodule_search_locations[0]
    return Path(package, "mpl-data", "fonts", "ttf", "DejaVuSans.ttf")
