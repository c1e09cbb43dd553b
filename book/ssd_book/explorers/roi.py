"""A region of the picture, its cells, and the 7 x 7 numbers cut out of them (chapter 2)."""

from functools import cache

import torch
import traitlets
from matplotlib.patches import Rectangle
from torch import Tensor
from torch.nn import functional as F
from torchvision.transforms.v2 import functional as TF

from ssd_book import plots, roi
from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.trained import val_scene
from ssd_book.explorers.traits import Box

SIZE_PX = 224
STRIDES = (16, 32)
BINS = 7
SCENE = 39
"""Of the validation split: its boat lies nearly where the region of the first state does."""
REGION_PX = (52, 106, 117, 206)


@cache
def scene() -> Tensor:
    """Return the scene, ``[3, 224, 224]`` uint8."""
    return TF.resize(val_scene(SCENE)[0], [SIZE_PX, SIZE_PX], antialias=True)


@cache
def unusual(stride: int) -> Tensor:
    """Return a map with one channel, ``[1, cells, cells]``, whole numbers from 0 to 99.

    How far the colours of a cell are from the mean colour of the scene; 99 is the farthest.
    """
    pixels = scene().double()
    far = (pixels - pixels.mean(dim=(1, 2), keepdim=True)).norm(dim=0, keepdim=True)
    grid = F.avg_pool2d(far, stride)
    return (99 * (grid - grid.min()) / (grid.max() - grid.min())).round()


class RoiPoolingExplorer(Explorer, module="roi"):
    """A region to drag, and what RoI pooling or RoIAlign makes of it."""

    alt = (
        "A drawn scene with a boat. A box around the boat, and a larger dashed one: the cells of a"
        " coarse map to which the box is rounded. Beside it the 7 by 7 numbers that are cut out."
    )
    region = Box([at / SIZE_PX for at in REGION_PX])
    region.tag(sync=True)
    """The region, xyxy in fractions of the picture."""
    stride = traitlets.Enum(STRIDES, 32).tag(sync=True)
    """Pixels per cell of the map."""
    method = traitlets.Enum(("pool", "align"), "pool").tag(sync=True)
    """RoI pooling, which rounds, or RoIAlign, which does not."""
    bin = traitlets.List(
        traitlets.Int(min=0, max=BINS - 1), [3, 2], minlen=2, maxlen=2, allow_none=False
    ).tag(sync=True)
    """Row and column of the marked bin, from 0."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    grids = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(scene(), quality=60)

    @traitlets.default("grids")
    def _default_grids(self) -> dict:
        return {str(stride): unusual(stride)[0].int().tolist() for stride in STRIDES}

    @property
    def region_px(self) -> list[float]:
        """The region, xyxy in pixels."""
        return [at * SIZE_PX for at in self.region]

    @property
    def cells(self) -> list[int]:
        """First column and row, last column and row of the cells to which pooling rounds it."""
        return roi.region_cells(self.region_px, self.stride)

    @property
    def output(self) -> Tensor:
        """The numbers that are cut out, ``[7, 7]``."""
        cut = roi.roi_pool if self.method == "pool" else roi.roi_align
        return cut(unusual(self.stride), self.region_px, self.stride, BINS)[0]

    def draw(self, figure) -> None:
        """Draw the region, the cells that are read as the map holds them, and the numbers."""
        axes, numbers = figure.subplots(1, 2)
        figure.set_size_inches(5.2, 2.9)
        plots.show_image(axes, scene())
        part, grid = self.stride / SIZE_PX, unusual(self.stride)[0]
        if self.method == "pool":
            left, top, right, bottom = self.cells
            for i in range(top, min(bottom + 1, len(grid))):
                for j in range(left, min(right + 1, len(grid))):
                    look = {"facecolor": str(grid[i, j].item() / 99), "linewidth": 0, "alpha": 0.8}
                    axes.add_patch(Rectangle((j * part, i * part), part, part, **look))
            pooled = torch.tensor([left, top, right + 1, bottom + 1]) * part
            plots.draw_boxes(axes, pooled, color=plots.ORANGE, line="--", width=2)
        lines = torch.arange(len(grid) + 1) * part
        axes.hlines(lines, 0, 1, color=plots.QUIET, linewidth=0.4)
        axes.vlines(lines, 0, 1, color=plots.QUIET, linewidth=0.4)
        plots.draw_boxes(axes, torch.tensor(self.region), color=plots.BLUE, width=2.4)
        axes.set(xlim=(0, 1), ylim=(1, 0), title=f"stride {self.stride}")
        numbers.imshow(self.output.numpy(), cmap="gray", vmin=0, vmax=99, extent=(0, BINS, BINS, 0))
        for row, line in enumerate(self.output.round().int().tolist()):
            for column, value in enumerate(line):
                tone = "black" if value > 50 else "white"
                where = {"ha": "center", "va": "center", "fontsize": 8}
                numbers.text(column + 0.5, row + 0.5, str(value), color=tone, **where)
        numbers.set(xticks=[], yticks=[], title="7 × 7 numbers")
        numbers.grid(False)
