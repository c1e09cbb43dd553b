"""One picture, one knob, one number: what chapters 4 to 8 open with, and the first page shows."""

from typing import NamedTuple

import torch
import traitlets
from torch import Tensor

from ssd_book import plots
from ssd_book.explorers import film
from ssd_book.explorers.explorer import preset_state
from ssd_book.explorers.on_scene import OnScene
from ssd_book.explorers.traits import Box, Number
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets import draw_scene
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes, make_priors, priors_per_map
from ssd_tutorial.scales import compute_scales
from ssd_tutorial.targets import make_targets

_PRESET = get_preset("caffe300_voc")
_LAST = len(_PRESET.maps) - 1
_SIDE = 640  # pixels of the picture on the page
RATIO_MAP = 2
"""The feature map whose scale the box of topic "ratio" has."""


class Topic(NamedTuple):
    """What one figure shows, and where its knob is: from `low` to `high`, initially at `at`."""

    scene: int
    low: float
    high: float
    at: float
    title: str
    alt: str


TOPICS = {
    "overlap": Topic(
        *(373, 0, 0, 0, "IoU = {}"),
        "A drawn scene with a balloon in a black box. A red box of the same size overlaps it at "
        "its upper right corner; the part that both share is shaded.",
    ),
    "scale": Topic(
        *(57, 0, _LAST, 0, "a side of {}"),
        "A drawn scene with a cat, a fish, a kitten and a boat in black boxes. In the middle of "
        "each is the square of the finest map, a tenth of the picture wide; it fits the boat best.",
    ),
    "ratio": Topic(
        *(374, -1.5, 1.5, 0, "a = {}"),
        "A drawn scene with a lighthouse in a black box. A square has the same centre: wider than "
        "the lighthouse, and not as tall.",
    ),
    "priors": Topic(
        *(354, 0, _LAST, 3, "{} priors so far"),
        "A drawn scene. Dots mark the centres of 5 by 5 cells; around the middle one are its six "
        "boxes: two squares, two wide and two tall ones.",
    ),
    "threshold": Topic(
        *(354, 0.1, 0.95, 0.5, "{} priors are positive"),
        "A drawn scene with a fish in a black box, and around it the 20 priors of two maps that "
        "overlap it with an IoU of at least one half.",
    ),
}


class Opening(OnScene, module="opening"):
    """A figure of one topic: ``Opening("scale")``.

    The knob is `at`, whose meaning depends on the topic; topic "overlap" has a `box` to drag.
    """

    topic = traitlets.Enum(tuple(TOPICS), "overlap", read_only=True).tag(sync=True)
    at = Number(0).tag(sync=True)
    """Topics "scale" and "priors": the index of a map; "ratio": the logarithm of the ratio to base
    3; "threshold": the threshold of matching."""
    box = Box().tag(sync=True)
    """Of topic "overlap"; initially the object's, shifted by steps that the arrow keys undo."""
    low = traitlets.Float(read_only=True).tag(sync=True)
    high = traitlets.Float(read_only=True).tag(sync=True)
    preset = traitlets.Dict(preset_state(_PRESET), read_only=True).tag(sync=True)

    def __init__(self, topic: str = "overlap", **traits):
        self.set_trait("topic", topic)
        self.scene, low, high, at, self._title, self.alt = TOPICS[topic]
        self.set_trait("low", low)
        self.set_trait("high", high)
        super().__init__(**({"at": at} | traits))

    @traitlets.default("objects")
    def _topic_objects(self) -> list[dict]:
        found = super()._objects()
        return [one for one in found if self.topic != "ratio" or one["name"] == "lighthouse"]

    @traitlets.default("box")
    def _box(self) -> list[float]:
        x0, y0, x1, y1 = self.objects[0]["box"]
        return [x0 + 0.15, y0 - 0.13, x1 + 0.15, y1 - 0.13]

    @traitlets.default("picture")
    def _picture(self) -> str:
        return film.picture_uri(draw_scene(0, self.scene)[1]["name"], _SIDE, 75)

    @traitlets.validate("at")
    def _on_the_slider(self, proposal) -> float:
        at = proposal["value"]
        if not self.low <= at <= self.high:
            bounds = f"{self.low:g} to {self.high:g}"
            raise traitlets.TraitError(f"Opening.at is {at:g}; {self.topic} takes {bounds}")
        if self.topic in ("scale", "priors") and at != int(at):
            raise traitlets.TraitError(f"Opening.at is {at:g}; {self.topic} takes whole numbers")
        return at

    def number(self) -> str:
        """Return the number that the figure shows."""
        k, truth = int(self.at), self._truths()[:1]
        if self.topic == "overlap":
            return f"{iou(torch.tensor([self.box]), truth).item():.2f}"
        if self.topic == "scale":
            return f"{_PRESET.image_size * compute_scales(_PRESET)[k]:.0f} px"
        if self.topic == "ratio":
            return f"{3**self.at:.2f}"
        if self.topic == "priors":
            return str(sum(priors_per_map(_PRESET)[: k + 1]))
        return str(len(self.positives()))

    def positives(self) -> Tensor:
        """Return the indices of the priors that topic "threshold" matches to the object."""
        targets = make_targets([self._truths()], [torch.ones(1, dtype=torch.int64)], 2)
        return match(make_priors(_PRESET), targets, self.at).positive[0].nonzero()[:, 0]

    def boxes(self) -> Tensor:
        """Return the boxes that topics "overlap", "scale", "ratio" and "priors" draw, xyxy."""
        k, truths = int(self.at), self._truths()
        centres = (truths[:, :2] + truths[:, 2:]) / 2
        if self.topic == "overlap":
            return torch.tensor([self.box])
        if self.topic == "scale":
            sizes = torch.full_like(centres, compute_scales(_PRESET)[k])
        elif self.topic == "ratio":
            sizes = torch.tensor([[3 ** (self.at / 2), 3 ** (-self.at / 2)]])
            sizes = compute_scales(_PRESET)[RATIO_MAP] * sizes
        else:
            middle = _PRESET.maps[k].cells // 2
            cell = plots.cell_indices(_PRESET, k, middle, middle)
            sizes = cell_shapes(_PRESET, k)
            centres = make_priors(_PRESET)[list(cell), :2]
        return cxcywh_to_xyxy(torch.cat([centres, sizes], dim=1))

    def draw(self, figure) -> None:
        """Draw the picture, its objects and the boxes; the number as title."""
        figure.set_size_inches(3, 3.2)
        axes, k = figure.subplots(), int(self.at)
        plots.show_image(axes, draw_scene(0, self.scene)[0])
        if self.topic == "threshold":
            plots.draw_priors(axes, _PRESET, self.positives(), width=1.4)
        elif self.topic == "overlap":
            plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)
            plots.shade_overlap(axes, torch.tensor(self.box), self._truths()[0])
        else:
            look = plots.map_look(RATIO_MAP if self.topic == "ratio" else k)
            plots.draw_boxes(axes, self.boxes(), color=look.color, width=2.4)
        if self.topic == "priors":
            plots.draw_centres(axes, _PRESET, k)
        else:
            plots.draw_boxes(axes, self._truths(), width=2.4)
        axes.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1), title=self._title.format(self.number()))

    def _truths(self) -> Tensor:
        """Return the boxes of the objects that the topic is about, ``[G, 4]`` xyxy."""
        return torch.tensor([thing["box"] for thing in self.objects])
