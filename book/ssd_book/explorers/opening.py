"""One picture, one knob, one number: what chapters open with, and the first page shows."""

import traitlets
from torch import Tensor

from ssd_book.explorers import (
    film,
    topics,
    topics_of_detectors,
    topics_of_networks,
    topics_of_runs,
)
from ssd_book.explorers.explorer import preset_state
from ssd_book.explorers.on_scene import OnScene, Point
from ssd_book.explorers.traits import Box, Number
from ssd_tutorial.datasets import draw_scene

_SIDE = 640  # pixels of the picture on the page

TOPICS: dict[str, type[topics.Topic]] = {
    "overlap": topics.Overlap,
    "scale": topics.Scale,
    "ratio": topics.Ratio,
    "priors": topics.Priors,
    "threshold": topics.Threshold,
    "shift": topics_of_detectors.Shift,
    "crop": topics_of_detectors.Crop,
    "mining": topics_of_detectors.Mining,
    "distance": topics_of_detectors.Distance,
    "nms": topics_of_detectors.Suppression,
    "score": topics_of_detectors.Score,
    "speed": topics_of_runs.Speed,
    "slipped": topics_of_runs.Slipped,
    "reading": topics_of_runs.Reading,
    "focal": topics_of_runs.Focal,
    "place": topics_of_networks.Place,
    "grid": topics_of_networks.Grid,
    "maps": topics_of_networks.Maps,
    "learning": topics_of_networks.Learning,
}


class Opening(OnScene, module="opening"):
    """A figure of one topic: ``Opening("scale")``.

    The knob is `at`, whose meaning depends on the topic; topic "overlap" has a `box` to drag, and
    topic "place" a `point`.
    """

    topic = traitlets.Enum(tuple(TOPICS), "overlap", read_only=True).tag(sync=True)
    at = Number(0).tag(sync=True)
    """Topics "scale", "priors" and "maps": the index of a map; "grid": cells per side; "learning":
    the index of a moment of the recorded run; "ratio": the logarithm of the ratio to base
    3; "threshold": the threshold of matching; "shift": by which share of its width the box is off;
    "crop": the side of the crop; "distance": how many times as wide the canvas is; "nms": the
    IoU above which a box falls; "score": the score that a box must exceed; "mining": negatives per
    positive; "speed": the logarithm, to base 10, of the pictures per second; "slipped": how far the
    boxes are off, in steps of three pixels; "reading": the index of a rule; "focal": the
    exponent of the focal loss."""
    box = Box().tag(sync=True)
    """Of topic "overlap"; initially the object's, shifted by steps that the arrow keys undo."""
    point = Point(list(topics_of_networks.PLACE)).tag(sync=True)
    """Of topic "place"."""
    low = traitlets.Float(read_only=True).tag(sync=True)
    high = traitlets.Float(read_only=True).tag(sync=True)
    centre = traitlets.List(list(topics_of_detectors.CROP_CENTRE), read_only=True).tag(sync=True)
    """Of topic "crop"."""
    detections = traitlets.List(read_only=True).tag(sync=True)
    """Of topics "nms" and "score", best first: ``[name, score, xmin, ymin, xmax, ymax]``, of cars
    before NMS, or of all classes after it."""
    negatives = traitlets.List(read_only=True).tag(sync=True)
    """Of topic "mining": priors that are matched to nothing, the hardest first; as many as the knob
    can ask for."""
    facts = traitlets.Dict(read_only=True).tag(sync=True)
    """What else a topic draws, computed by a network or recorded: see its `facts`."""
    variances = traitlets.List(list(topics.PRESET.variances), read_only=True).tag(sync=True)
    """Of topic "shift"."""
    preset = traitlets.Dict(preset_state(topics.PRESET), read_only=True).tag(sync=True)

    def __init__(self, topic: str = "overlap", **traits):
        self.set_trait("topic", topic)
        self.shown = shown = TOPICS[topic](self)
        self.scene, self.alt = shown.scene, shown.alt
        self.set_trait("low", shown.low)
        self.set_trait("high", shown.high)
        super().__init__(**({"at": shown.start} | traits))

    @traitlets.default("objects")
    def _topic_objects(self) -> list[dict]:
        return [] if self.scene is None else self.shown.objects(super()._objects())

    @traitlets.default("box")
    def _box(self) -> list[float]:
        if not self.objects:
            return [0.0, 0.0, 1.0, 1.0]
        x0, y0, x1, y1 = self.objects[0]["box"]
        return [x0 + 0.15, y0 - 0.13, x1 + 0.15, y1 - 0.13]

    @traitlets.default("picture")
    def _picture(self) -> str:
        if self.scene is None:
            return ""
        return film.picture_uri(draw_scene(0, self.scene)[1]["name"], _SIDE, 75)

    @traitlets.default("detections")
    def _detections(self) -> list[list]:
        return self.shown.detections()

    @traitlets.default("negatives")
    def _negatives(self) -> list[int]:
        return self.shown.negatives()

    @traitlets.default("facts")
    def _facts(self) -> dict:
        return self.shown.facts()

    @traitlets.validate("at")
    def _on_the_slider(self, proposal) -> float:
        at = proposal["value"]
        if not self.low <= at <= self.high:
            bounds = f"{self.low:g} to {self.high:g}"
            raise traitlets.TraitError(f"Opening.at is {at:g}; {self.topic} takes {bounds}")
        if self.shown.whole and at != int(at):
            raise traitlets.TraitError(f"Opening.at is {at:g}; {self.topic} takes whole numbers")
        return at

    def number(self) -> str:
        """Return the number that the figure shows."""
        return self.shown.number()

    def boxes(self) -> Tensor:
        """Return the boxes that are drawn beside the objects, ``[N, 4]`` xyxy."""
        return self.shown.boxes()

    def draw(self, figure) -> None:
        """Draw the picture, its objects and the boxes; the number as title."""
        figure.set_size_inches(3, 3.2)
        axes = figure.subplots()
        self.shown.paint(axes)
        axes.set_title(self.shown.title.format(self.number()))
