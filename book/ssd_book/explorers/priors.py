"""The list of priors, cell by cell, over a photograph (chapter 7)."""

import torch
import traitlets
from matplotlib.collections import PolyCollection
from matplotlib.patches import Rectangle
from torch import Tensor

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, picture_uri, preset_state
from ssd_book.explorers.on_scene import Point
from ssd_book.photographs import load_photograph
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.presets import PRESETS, Preset
from ssd_tutorial.priors import make_priors, priors_per_map

_ROUNDING = 1e-6  # a box that ends on the border does not cross it
SHAPES = ("all", "small", "large", "2", "1/2", "3", "1/3")
"""All shapes of a cell, its small or its large square, or one of its ratios."""


class PriorExplorer(Explorer, module="priors"):
    """A feature map, one of its cells, and the priors of that cell."""

    alt = (
        "A portrait with the grid of a feature map on it; around the centre of one cell are "
        "that cell's boxes, some of which extend beyond the picture."
    )
    preset = traitlets.Enum(tuple(PRESETS), "caffe300_voc").tag(sync=True)
    """The set of priors, by its name in `ssd_tutorial.presets`."""
    map = traitlets.Int(3, min=0).tag(sync=True)
    """Index of the feature map, from 0."""
    point = Point([0.3, 0.3])
    point.tag(sync=True)
    """A point in the picture; the cell around it is shown."""
    shape = traitlets.Enum(SHAPES, "all").tag(sync=True)
    """Which of a cell's boxes are drawn and counted."""
    crossing = traitlets.Bool(False).tag(sync=True)
    """Whether boxes inside the picture are left out."""
    everything = traitlets.Bool(False).tag(sync=True)
    """Whether the boxes of all cells of the map are drawn."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    presets = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(load_photograph("astronaut")[0], quality=55)

    @traitlets.default("presets")
    def _presets(self) -> dict:
        return {name: preset_state(preset) for name, preset in PRESETS.items()}

    @traitlets.validate("map")
    def _check_map(self, proposal) -> int:
        names = [feature_map.name for feature_map in self._preset().maps]
        if proposal["value"] >= len(names):
            raise traitlets.TraitError(
                f"PriorExplorer.map: {self.preset} has the maps 0 to {len(names) - 1} "
                f"({', '.join(names)}), not {proposal['value']}"
            )
        return proposal["value"]

    @traitlets.observe("preset")
    def _fewer_maps(self, _) -> None:
        self.map = min(self.map, len(self._preset().maps) - 1)

    def _preset(self) -> Preset:
        return PRESETS[self.preset]

    def _side(self) -> float:
        """Return the side of a cell, in fractions of the picture."""
        preset, feature_map = self._preset(), self._preset().maps[self.map]
        by_step = preset.centres == "step"
        return feature_map.step_px / preset.image_size if by_step else 1 / feature_map.cells

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column, from 0, of the cell around `point`."""
        (x, y), last = self.point, self._preset().maps[self.map].cells - 1
        return min(int(y / self._side()), last), min(int(x / self._side()), last)

    @property
    def indices(self) -> range:
        """The indices of this cell's priors in `ssd_tutorial.priors.make_priors`."""
        return plots.cell_indices(self._preset(), self.map, *self.cell)

    def kept(self, indices: range) -> Tensor:
        """Return those of `indices`, all of this map, that pass `shape` and `crossing`: ``[N]``."""
        preset, chosen = self._preset(), torch.tensor(indices)
        ratios = preset.maps[self.map].ratios
        pairs = [name for ratio in ratios for name in (f"{ratio:g}", f"1/{ratio:g}")]
        names = ["small", "large", *pairs]
        if self.shape != "all":
            box = (chosen - self.indices[0]) % len(names)
            chosen = chosen[box == (names.index(self.shape) if self.shape in names else -1)]
        corners = _corners(preset, chosen)
        outside = ((corners < -_ROUNDING) | (corners > 1 + _ROUNDING)).any(dim=1)
        return chosen[outside] if self.crossing else chosen

    def draw(self, figure) -> None:
        """Draw the picture, the grid, the cell and its boxes; their indices as title."""
        axes, preset = figure.subplots(), self._preset()
        look, side, (row, column) = plots.map_look(self.map), self._side(), self.cell
        plots.show_image(axes, load_photograph("astronaut")[0])
        lines = torch.arange(preset.maps[self.map].cells + 1) * side
        for along in (axes.hlines, axes.vlines):
            along(lines, 0, lines[-1], colors=plots.QUIET, linewidth=0.5)
        if self.everything:
            first = self.indices[0] - (row * (len(lines) - 1) + column) * len(self.indices)
            count = priors_per_map(preset)[self.map]
            x0, y0, x1, y1 = _corners(preset, self.kept(range(first, first + count))).unbind(-1)
            rings = torch.stack([x0, y0, x1, y0, x1, y1, x0, y1], dim=-1).view(-1, 4, 2)
            faint = {"facecolors": "none", "edgecolors": look.color, "linewidths": 0.5}
            axes.add_collection(
                PolyCollection(rings.numpy(), alpha=min(0.8, 6.5 / count**0.5), **faint)
            )
        square = (column * side, row * side)
        axes.add_patch(Rectangle(square, side, side, color=look.color, alpha=0.3))
        plots.draw_priors(axes, preset, self.kept(self.indices))
        axes.set(xlim=(-0.34, 1.34), ylim=(1.34, -0.34))
        where = f"{look.name}, row {row}, column {column}"
        axes.set_title(f"{where}\npriors {self.indices[0]} to {self.indices[-1]}")


def _corners(preset: Preset, indices: Tensor) -> Tensor:
    return cxcywh_to_xyxy(make_priors(preset)[indices])
