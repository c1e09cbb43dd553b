"""What a cell of a feature map sees of the picture (chapter 3)."""

from functools import cache

import torch
import traitlets
from matplotlib.patches import Rectangle

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.on_scene import Point
from ssd_book.photographs import load_photograph
from ssd_book.receptive import View, field_box, nearest_cell, views
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, SSD300

SIZE_PX = 300
MODELS = {model.name: model for model in (SSD300, SLIM300)}
REACHES = {"slim300": (50, 100, 110, 160, 260, 280)}
"""By `reach` on four scenes, with the weights trained on scenes, to the nearest ten pixels."""


@cache
def _views(name: str) -> list[View]:
    with torch.device("meta"):
        return views(SSD(MODELS[name], num_classes=21))


class ReceptiveFieldExplorer(Explorer, module="receptive"):
    """A cell of a feature map, and the pixels that it depends on."""

    alt = (
        "A portrait with one cell of a feature map marked near its middle; a square around the "
        "cell, larger than it, shows the pixels that the cell sees."
    )
    network = traitlets.Enum(tuple(MODELS), "ssd300").tag(sync=True)
    """Whose layers decide how far a cell sees."""
    map = traitlets.Int(0, min=0, max=5).tag(sync=True)
    """Index of the feature map, from 0."""
    point = Point([0.5, 0.42])
    point.tag(sync=True)
    """A point in the picture; the cell that looks there is shown."""
    head = traitlets.Bool(False).tag(sync=True)
    """Whether a 3 x 3 head on top of the cell is included."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    views = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(load_photograph("astronaut")[0], quality=55)

    @traitlets.default("views")
    def _default_views(self) -> dict:
        return {
            name: [
                {**view._asdict(), "reach": REACHES[name][k] if name in REACHES else None}
                for k, view in enumerate(_views(name))
            ]
            for name in MODELS
        }

    def _view(self) -> View:
        return _views(self.network)[self.map]

    @property
    def cell(self) -> tuple[int, int]:
        """Row and column, from 0, of the cell that looks at `point`."""
        return nearest_cell(self._view(), [SIZE_PX * at for at in self.point])

    @property
    def field(self) -> list[float]:
        """What it sees: xyxy in pixels of a picture of 300 x 300, not cut at the border."""
        return field_box(self._view(), *self.cell, self.head)

    def draw(self, figure) -> None:
        """Draw the picture, faded where the cell does not see it, and the cell."""
        axes, view, look = figure.subplots(), self._view(), plots.map_look(self.map)
        row, column = self.cell
        image = load_photograph("astronaut")[0]
        plots.show_image(axes, 1 - 0.3 * (1 - image / 255))
        field = torch.tensor(self.field).clamp(0, SIZE_PX) / SIZE_PX
        seen = Rectangle(field[:2].tolist(), *(field[2:] - field[:2]).tolist(), fill=False)
        plots.show_image(axes, image)
        axes.images[-1].set_clip_path(seen.get_path(), seen.get_patch_transform() + axes.transData)
        plots.draw_boxes(axes, field, color=look.color)
        centre = [(view.centre + at * view.stride) / SIZE_PX for at in (column, row)]
        half = view.stride / SIZE_PX / 2
        cell = torch.tensor(
            [centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half]
        )
        plots.draw_boxes(axes, cell.clamp(0, 1), color=plots.INK, width=1.6)
        axes.set_title(f"{view.name}, row {row}, column {column}\nfield {view.field} pixels")
