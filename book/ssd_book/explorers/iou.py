"""Two boxes to drag, and how much they overlap (chapter 4)."""

import torch
import traitlets

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, picture_uri, square
from ssd_book.explorers.traits import Boxes
from ssd_book.photographs import load_photograph
from ssd_tutorial.boxes import iou


class IoUExplorer(Explorer, module="iou"):
    """Two boxes, their intersection, union and IoU, in both formats."""

    alt = "A cat in two overlapping boxes, A and B; the part that they share is shaded."
    boxes = Boxes([[0.22, 0.2, 0.72, 0.8], [0.4, 0.32, 0.9, 0.92]], fewest=2, most=2)
    boxes.tag(sync=True)
    """Boxes A and B, xyxy in fractions of the picture."""
    picture = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(square(load_photograph("cat")[0]))

    def draw(self, figure) -> None:
        """Draw both boxes over the picture, their intersection shaded, the IoU as title."""
        axes = figure.subplots()
        a, b = torch.tensor(self.boxes)
        plots.show_image(axes, square(load_photograph("cat")[0]))
        plots.draw_boxes(axes, a, ["A"], color=plots.BLUE, width=3)
        plots.draw_boxes(axes, b, ["B"], color=plots.ORANGE, line="--", width=3)
        plots.shade_overlap(axes, a, b)
        axes.set_title(f"IoU = {iou(a[None], b[None]).item():.2f}")
