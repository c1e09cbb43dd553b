"""The package's plots, and those that only pages draw: priors, cells and scales, heat maps.

They are used alike, on the given `Axes`: see `ssd_tutorial.figures.plots`.
"""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgba
from matplotlib.image import AxesImage
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from torch import Tensor

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.deploy.labels import COLORS
from ssd_tutorial.figures.plots import (
    BLUE,
    INK,
    LOOKS,
    MAP_COLORS,
    ORANGE,
    QUIET,
    STYLE,
    MapLook,
    draw_boxes,
    draw_detections,
    literal,
    map_look,
    show_canvas,
    show_image,
)
from ssd_tutorial.presets import Preset
from ssd_tutorial.priors import (
    boxes_per_cell,
    cell_centres,
    cell_shapes,
    locate,
    make_priors,
    priors_per_map,
)
from ssd_tutorial.scales import compute_scales

ACCENT = "#c8321e"
"""What the reader holds, and what the detector has found: the one colour besides the maps'."""

SERIES = tuple(look._replace(color=one) for look, one in zip(LOOKS, COLORS, strict=False))
"""For the lines of charts that are not maps, in turn: colour, line style and marker."""

__all__ = [
    "ACCENT",
    "BLUE",
    "INK",
    "LOOKS",
    "MAP_COLORS",
    "ORANGE",
    "QUIET",
    "SERIES",
    "STYLE",
    "MapLook",
    "cell_indices",
    "draw_boxes",
    "draw_centres",
    "draw_detections",
    "draw_heat_map",
    "draw_priors",
    "draw_scales",
    "draw_shapes",
    "literal",
    "map_legend",
    "map_look",
    "shade_overlap",
    "show_canvas",
    "show_image",
    "swatch",
]


def draw_priors(
    ax: Axes, preset: Preset, indices: Sequence[int] | Tensor, width: float = 1.8, **style
) -> list[Rectangle]:
    """Draw the priors with these indices by `draw_boxes`, each in the colour of its map."""
    indices = torch.as_tensor(indices, dtype=torch.int64).reshape(-1)
    boxes = cxcywh_to_xyxy(make_priors(preset)[indices])
    patches = []
    for index, box in zip(indices.tolist(), boxes, strict=True):
        look = map_look(locate(preset, index).map)
        patches += draw_boxes(ax, box, color=look.color, width=width, **style)
    return patches


def cell_indices(preset: Preset, k: int, row: int, column: int) -> range:
    """Return the indices of the priors of one cell of map `k` (from 0): the inverse of `locate`."""
    cells, n = preset.maps[k].cells, boxes_per_cell(preset)[k]
    if not (0 <= row < cells and 0 <= column < cells):
        raise IndexError(
            f"{preset.maps[k].name} has {cells} x {cells} cells, not ({row}, {column})"
        )
    first = sum(priors_per_map(preset)[:k]) + (row * cells + column) * n
    return range(first, first + n)


def draw_shapes(
    ax: Axes, preset: Preset, k: int, centre: tuple[float, float] = (0.5, 0.5), **style
) -> list[Rectangle]:
    """Draw the shapes of one cell's boxes on map `k` (from 0), around any point."""
    shapes = cell_shapes(preset, k)
    boxes = cxcywh_to_xyxy(torch.cat([torch.tensor(centre).expand_as(shapes), shapes], dim=1))
    look = map_look(k)
    return draw_boxes(ax, boxes, **{"color": look.color} | style)


def draw_scales(ax: Axes, preset: Preset, **style) -> list[Rectangle]:
    """Draw the small square of every map around the centre of the image, one inside another."""
    patches = []
    for k, s in enumerate(compute_scales(preset)[:-1]):
        look, box = map_look(k), torch.tensor([0.5 - s / 2, 0.5 - s / 2, 0.5 + s / 2, 0.5 + s / 2])
        patches += draw_boxes(ax, box, **{"color": look.color} | style)
    return patches


def draw_centres(ax: Axes, preset: Preset, k: int, size: float = 14) -> PathCollection:
    """Draw the centres of all cells of map `k` (from 0), as markers of area `size`, in points²."""
    centres, look = cell_centres(preset, k), map_look(k)
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    style = {"c": look.color, "marker": look.marker, "edgecolors": "white", "linewidths": 0.5}
    return ax.scatter(x.reshape(-1), y.reshape(-1), s=size, zorder=3, clip_on=False, **style)


def shade_overlap(ax: Axes, a_xyxy: Tensor, b_xyxy: Tensor, color: str = INK) -> Rectangle:
    """Hatch the intersection of two boxes ``[4]``; return the patch (area 0 if there is none)."""
    low, high = torch.maximum(a_xyxy[:2], b_xyxy[:2]), torch.minimum(a_xyxy[2:], b_xyxy[2:])
    width, height = (high - low).clamp(min=0).tolist()
    patch = Rectangle(tuple(low.tolist()), width, height, hatch="///", linewidth=0, zorder=0.9)
    patch.set(facecolor=to_rgba(color, 0.18), edgecolor=to_rgba(color, 0.6))
    return ax.add_patch(patch)


def map_legend(
    ax: Axes, preset: Preset, maps: Sequence[int] | None = None, extra=(), curves=False, **where
) -> Legend:
    """Add a legend: the handles in `extra`, then the line of each map (all, or those in `maps`).

    `curves` shows the line styles that curves have and boxes have not.
    """
    looks = [map_look(k) for k in (range(len(preset.maps)) if maps is None else maps)]
    lines = [
        Line2D([], [], color=x.color, linestyle=x.line if curves else "-", label=x.name)
        for x in looks
    ]
    return ax.legend(handles=[*extra, *lines], **{"handlelength": 2.6} | where)


def swatch(label: str, color: str = INK, **style) -> Patch:
    """Return a legend handle for areas or outlines: ``swatch("ground truth", fill=False)``."""
    return Patch(label=label, **{"facecolor": color, "edgecolor": color} | style)


def draw_heat_map(
    ax: Axes,
    values: Tensor,
    extent: tuple[float, float, float, float],
    label: str,
    contours: Sequence[float] = (),
    **style,
) -> AxesImage:
    """Draw values ``[rows, columns]``, row 0 at the bottom, over (left, right, bottom, top).

    `contours` are values at which lines are drawn and labelled; `label` names the colour bar.
    `style` goes to `Axes.imshow`.
    """
    values = torch.as_tensor(values).numpy()
    image = ax.imshow(values, extent=extent, origin="lower", aspect="auto", **style)
    if contours:
        lines = ax.contour(
            values, levels=sorted(contours), extent=extent, colors="white", linewidths=1.8
        )
        ax.clabel(lines, fontsize=10.5)
    ax.figure.colorbar(image, ax=ax, label=label)
    ax.grid(False)
    return image
