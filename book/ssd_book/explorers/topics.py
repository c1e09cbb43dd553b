"""What the figures of one knob show of boxes and priors (chapters 4 to 8); see `topics.js`."""

import torch
from torch import Tensor

from ssd_book import plots
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets import draw_scene
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes, make_priors, priors_per_map
from ssd_tutorial.scales import compute_scales
from ssd_tutorial.targets import make_targets

PRESET = get_preset("caffe300_voc")
HALF = 0.5
"""The threshold of matching."""
RATIO_MAP = 2
"""The feature map whose scale the box of topic "ratio" has."""
LAST = len(PRESET.maps) - 1
"""The index of the coarsest map."""


class Topic:
    """Base of the topics: a scene, a knob and what follows it.

    The knob goes from `low` to `high`, in whole numbers if `whole`, and is initially at `start`.
    """

    scene: int | None = 0
    """Of ``draw_scene(0, …)``; None for a chart without a picture."""
    low = high = start = 0.0
    whole = False
    title = "{}"
    alt = ""

    def __init__(self, figure):
        self.figure = figure

    @property
    def at(self) -> float:
        """Where the knob is."""
        return self.figure.at

    def objects(self, drawn: list[dict]) -> list[dict]:
        """Return the objects that the topic is about, of those of its scene."""
        return drawn

    def detections(self) -> list[list]:
        """Return `Opening.detections`."""
        return []

    def negatives(self) -> list[int]:
        """Return `Opening.negatives`."""
        return []

    def facts(self) -> dict:
        """Return `Opening.facts`."""
        return {}

    def image(self) -> Tensor:
        """Return the picture, ``[3, H, W]``."""
        return draw_scene(0, self.scene)[0]

    def truths(self) -> Tensor:
        """Return the boxes of the objects, ``[G, 4]`` xyxy."""
        return torch.tensor([thing["box"] for thing in self.figure.objects])

    def number(self) -> str:
        """Return the number that the figure shows."""
        raise NotImplementedError

    def boxes(self) -> Tensor:
        """Return the boxes that are drawn beside the objects, ``[N, 4]`` xyxy."""
        raise NotImplementedError

    def paint(self, axes) -> None:
        """Draw the picture with what is on it."""
        plots.show_image(axes, self.image())
        self.draw(axes)
        axes.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1))

    def draw(self, axes) -> None:
        """Draw the topic's boxes and the objects on the picture."""
        plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)
        plots.draw_boxes(axes, self.truths(), width=2.4)


class OfMap(Topic):
    """Base of topics whose boxes have the colour of a map."""

    def map_index(self) -> int:
        """Return the map."""
        return int(self.at)

    def draw(self, axes) -> None:
        """Draw the boxes in the map's colour, and the objects."""
        color = plots.map_look(self.map_index()).color
        plots.draw_boxes(axes, self.boxes(), color=color, width=2.4)
        plots.draw_boxes(axes, self.truths(), width=2.4)


class OfPriors(Topic):
    """Base of topics that choose some of the priors."""

    width = 1.4
    """Of their lines."""

    def indices(self) -> Tensor:
        """Return which priors are drawn, ``[N]``."""
        raise NotImplementedError

    def number(self) -> str:
        """Return how many there are."""
        return str(len(self.indices()))

    def boxes(self) -> Tensor:
        """Return them."""
        return cxcywh_to_xyxy(make_priors(PRESET)[self.indices()])

    def draw(self, axes) -> None:
        """Draw them in the colours of their maps, and the objects."""
        plots.draw_priors(axes, PRESET, self.indices(), width=self.width)
        plots.draw_boxes(axes, self.truths(), width=2.4)


class Overlap(Topic):
    """A box to drag, and its IoU with the object."""

    scene = 373
    title = "IoU = {}"
    alt = (
        "A drawn scene with a balloon in a black box. A red box of the same size overlaps it at "
        "its upper right corner; the part that both share is shaded."
    )

    def number(self) -> str:
        """Return the IoU."""
        return f"{iou(self.boxes(), self.truths()).item():.2f}"

    def boxes(self) -> Tensor:
        """Return the box that the reader drags."""
        return torch.tensor([self.figure.box])

    def draw(self, axes) -> None:
        """Draw the shared part, too."""
        plots.shade_overlap(axes, self.boxes()[0], self.truths()[0])
        super().draw(axes)


class Scale(OfMap):
    """The square of one map on each object."""

    scene = 57
    high, whole = LAST, True
    title = "a side of {}"
    alt = (
        "A drawn scene with a cat, a fish, a kitten and a boat in black boxes. In the middle of "
        "each is the square of the finest map, a tenth of the picture wide; it fits the boat best."
    )

    def number(self) -> str:
        """Return the side in pixels."""
        return f"{PRESET.image_size * compute_scales(PRESET)[int(self.at)]:.0f} px"

    def boxes(self) -> Tensor:
        """Return the squares."""
        return centred(self.truths(), [[compute_scales(PRESET)[int(self.at)]] * 2])


class Ratio(OfMap):
    """A box of one area; the knob is the logarithm of its ratio to base 3."""

    scene = 374
    low, high = -1.5, 1.5
    title = "a = {}"
    alt = (
        "A drawn scene with a lighthouse in a black box. A square has the same centre: wider than "
        "the lighthouse, and not as tall."
    )

    def map_index(self) -> int:
        """Return `RATIO_MAP`."""
        return RATIO_MAP

    def objects(self, drawn: list[dict]) -> list[dict]:
        """Return the lighthouse."""
        return [one for one in drawn if one["name"] == "lighthouse"]

    def number(self) -> str:
        """Return the ratio."""
        return f"{3**self.at:.2f}"

    def boxes(self) -> Tensor:
        """Return the box."""
        side = compute_scales(PRESET)[RATIO_MAP]
        return centred(self.truths(), [[side * 3 ** (self.at / 2), side * 3 ** (-self.at / 2)]])


class Priors(OfMap):
    """The centres of a map's cells, and the boxes of one cell."""

    scene = 354
    high, start, whole = LAST, 3, True
    title = "{} priors so far"
    alt = (
        "A drawn scene. Dots mark the centres of 5 by 5 cells; around the middle one are its six "
        "boxes: two squares, two wide and two tall ones."
    )

    def number(self) -> str:
        """Return the number of priors of this map and of the finer ones."""
        return str(sum(priors_per_map(PRESET)[: int(self.at) + 1]))

    def boxes(self) -> Tensor:
        """Return the boxes of the middle cell."""
        k = int(self.at)
        middle = PRESET.maps[k].cells // 2
        cell = plots.cell_indices(PRESET, k, middle, middle)
        centres = make_priors(PRESET)[list(cell), :2]
        return cxcywh_to_xyxy(torch.cat([centres, cell_shapes(PRESET, k)], dim=1))

    def draw(self, axes) -> None:
        """Draw the centres and the boxes in the map's colour."""
        k = int(self.at)
        plots.draw_boxes(axes, self.boxes(), color=plots.map_look(k).color, width=2.4)
        plots.draw_centres(axes, PRESET, k)


class Threshold(OfPriors):
    """The priors that are positive at a threshold of matching."""

    scene = 354
    low, high, start = 0.1, 0.95, 0.5
    title = "{} priors are positive"
    alt = (
        "A drawn scene with a fish in a black box, and around it the 20 priors of two maps that "
        "overlap it with an IoU of at least one half."
    )

    def indices(self) -> Tensor:
        """Return the positives."""
        return positives(self.truths(), self.at)


def centred(truths: Tensor, sizes: list[list[float]]) -> Tensor:
    """Return boxes of a size in the middle of every object, ``[G, 4]`` xyxy."""
    centres = (truths[:, :2] + truths[:, 2:]) / 2
    return cxcywh_to_xyxy(torch.cat([centres, torch.tensor(sizes).expand_as(centres)], dim=1))


def positives(truths: Tensor, threshold: float) -> Tensor:
    """Return the indices of the priors that are matched to an object."""
    labels = torch.ones(len(truths), dtype=torch.int64)
    targets = make_targets([truths], [labels], 2)
    return match(make_priors(PRESET), targets, threshold).positive[0].nonzero()[:, 0]
