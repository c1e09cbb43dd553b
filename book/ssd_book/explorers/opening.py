"""One picture, one knob, one number: what chapters open with, and the first page shows."""

from typing import NamedTuple

import torch
import traitlets
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torchvision.transforms.v2 import functional as F

from ssd_book import plots
from ssd_book.explorers import film, mining
from ssd_book.explorers.explorer import preset_state
from ssd_book.explorers.nms import raw_detections
from ssd_book.explorers.on_scene import OnScene
from ssd_book.explorers.traits import Box, Number
from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import cxcywh_to_xyxy, encode, iou
from ssd_tutorial.datasets import draw_scene, open_dataset
from ssd_tutorial.detect import nms
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes, make_priors, priors_per_map
from ssd_tutorial.scales import compute_scales
from ssd_tutorial.targets import make_targets

_PRESET = get_preset("caffe300_voc")
_LAST = len(_PRESET.maps) - 1
_SIDE = 640  # pixels of the picture on the page
_THRESHOLD = 0.5  # of matching
_VAL = open_dataset("scenes", "val").start  # the split's first scene, for `draw_scene`
_SHOWN = 36  # scene of the validation split, with three cars
_FOUND = _VAL + _SHOWN
_SUPPRESS = 0.45  # NMS of topic "score"
_MINED = "one house"
_KITTEN = 2  # of the objects of scene 57
_CLASS, _LOWEST = "car", 0.3  # what topic "nms" shows
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
    "shift": Topic(
        *(373, -1, 1, 0.3, "a loss of {}"),
        "A drawn scene with a balloon in a black box. A red box of the same size lies to the right "
        "of it by three tenths of its width.",
    ),
    "crop": Topic(
        *(57, 0.2, 1, 0.6, "{} of 4 objects stay"),
        "A drawn scene with a cat, a fish, a kitten and a boat. A square around the middle is the "
        "crop; the objects whose centres lie inside it have black boxes, the others grey ones.",
    ),
    "mining": Topic(
        *(_VAL + mining.SCENES[_MINED], 0, 10, 3, "{} priors count"),
        "A drawn scene with a house in a black box. Around it are thin boxes in the colours of "
        "their maps, the negatives that count; most overlap the house.",
    ),
    "distance": Topic(
        *(57, 1, 5, 1, "{} of 4 objects are reached"),
        "A drawn scene with a cat, a fish, a kitten and a boat, each with a prior around it that "
        "overlaps it by half or more.",
    ),
    "nms": Topic(
        *(_FOUND, 0, 0.95, 0.45, "{} boxes are kept"),
        "A drawn scene with three cars, a kite and a lighthouse. Each car has one thick red box; "
        "around them are 49 thin grey ones.",
    ),
    "score": Topic(
        *(_FOUND, 0.01, 0.95, 0.5, "{} boxes are reported"),
        "A drawn scene with three cars, a kite and a lighthouse. A blue box fits each of the five; "
        "an orange one is on the lower half of the lighthouse.",
    ),
}
CROP_CENTRE = (0.55, 0.5)
"""Where the crop of topic "crop" is, unless it would leave the picture."""


class Opening(OnScene, module="opening"):
    """A figure of one topic: ``Opening("scale")``.

    The knob is `at`, whose meaning depends on the topic; topic "overlap" has a `box` to drag.
    """

    topic = traitlets.Enum(tuple(TOPICS), "overlap", read_only=True).tag(sync=True)
    at = Number(0).tag(sync=True)
    """Topics "scale" and "priors": the index of a map; "ratio": the logarithm of the ratio to base
    3; "threshold": the threshold of matching; "shift": by which share of its width the box is off;
    "crop": the side of the crop; "distance": how many times as wide the canvas is; "nms": the
    IoU above which a box falls; "score": the score that a box must exceed; "mining": negatives per
    positive."""
    box = Box().tag(sync=True)
    """Of topic "overlap"; initially the object's, shifted by steps that the arrow keys undo."""
    low = traitlets.Float(read_only=True).tag(sync=True)
    high = traitlets.Float(read_only=True).tag(sync=True)
    centre = traitlets.List(list(CROP_CENTRE), read_only=True).tag(sync=True)
    """Of topic "crop"."""
    detections = traitlets.List(read_only=True).tag(sync=True)
    """Of topics "nms" and "score", best first: ``[name, score, xmin, ymin, xmax, ymax]``, of cars
    before NMS, or of all classes after it."""
    negatives = traitlets.List(read_only=True).tag(sync=True)
    """Of topic "mining": priors that are matched to nothing, the hardest first; as many as the knob
    can ask for."""
    variances = traitlets.List(list(_PRESET.variances), read_only=True).tag(sync=True)
    """Of topic "shift"."""
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
        if self.topic in ("crop", "distance"):  # whose sentences must tell the two cats apart
            found[_KITTEN]["name"] = "kitten"
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
        if self.topic in ("scale", "priors", "mining") and at != int(at):
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
        if self.topic == "shift":
            return f"{self.loss():.2f}"
        if self.topic == "crop":
            return str(int(self.learned().sum()))
        if self.topic in ("nms", "score"):
            return str(len(self.kept()))
        if self.topic == "mining":
            return str(len(self.positives()) + len(self.mined()))
        if self.topic == "distance":
            return str(int((self.reached()[0] >= _THRESHOLD).sum()))
        return str(len(self.positives()))

    @traitlets.default("negatives")
    def _negatives(self) -> list[int]:
        if self.topic != "mining":
            return []
        losses = mining.MiningExplorer(scene=_MINED).background_loss()
        losses[self.positives()] = -1
        most = int(self.high) * len(self.positives())
        return losses.argsort(descending=True, stable=True)[:most].tolist()

    def mined(self) -> Tensor:
        """Return the indices of the negatives that count, of topic "mining"."""
        return torch.tensor(self.negatives[: int(self.at) * len(self.positives())])

    @traitlets.default("detections")
    def _detections(self) -> list[list]:
        if self.topic not in ("nms", "score"):
            return []
        before_nms = self.topic == "nms"
        classes, rows = raw_detections(_SHOWN, 1.0 if before_nms else _SUPPRESS)
        named = [[classes[k], *rest] for k, *rest in rows]
        return [r for r in named if not before_nms or (r[0] == _CLASS and r[1] > _LOWEST)]

    def kept(self) -> list[list]:
        """Return the detections of topics "nms" and "score" that the knob leaves."""
        if self.topic == "score":
            return [row for row in self.detections if row[1] > self.at]
        boxes = torch.tensor([row[2:] for row in self.detections], dtype=torch.float64)
        survives = nms(boxes, torch.ones(len(boxes), dtype=torch.bool), self.at)
        return [self.detections[i] for i in survives.nonzero()[:, 0].tolist()]

    def right(self) -> list[bool]:
        """Return which boxes of topic "score" are right: the first of its class on an object."""
        free, right = list(self.objects), []
        for name, _, *box in self.kept():
            hit = [o for o in free if o["name"] == name and self._overlap(o, box) >= _THRESHOLD][:1]
            free = [o for o in free if o not in hit]
            right.append(bool(hit))
        return right

    @staticmethod
    def _overlap(thing: dict, box: list[float]) -> float:
        return iou(torch.tensor([thing["box"]]), torch.tensor([box])).item()

    def learned(self) -> Tensor:
        """Return which objects have black boxes, ``[G]``; topic "crop" drops some."""
        truths = self._truths()
        if self.topic == "crop":
            return centres_inside(truths, self.boxes()[0])
        shown = {"shift": 1, "nms": 0, "score": 0}.get(self.topic, len(truths))
        return torch.arange(len(truths)) < shown

    def loss(self) -> float:
        """Return the localization loss of topic "shift", for the object's best prior."""
        truth, priors = self._truths()[:1], make_priors(_PRESET)
        prior = priors[iou(truth, cxcywh_to_xyxy(priors)).argmax()][None]
        output, target = encode(self.boxes(), prior), encode(truth, prior)
        return smooth_l1_loss(output, target, reduction="sum").item()

    def reached(self) -> tuple[Tensor, Tensor]:
        """Return, for topic "distance", each object's best IoU and its prior's index, ``[G]``."""
        return iou(self._truths(), cxcywh_to_xyxy(make_priors(_PRESET))).max(dim=1)

    def positives(self) -> Tensor:
        """Return the indices of the priors that are matched, of topics "threshold" and "mining"."""
        threshold = self.at if self.topic == "threshold" else _THRESHOLD
        targets = make_targets([self._truths()], [torch.ones(1, dtype=torch.int64)], 2)
        return match(make_priors(_PRESET), targets, threshold).positive[0].nonzero()[:, 0]

    def boxes(self) -> Tensor:
        """Return the boxes that are drawn beside the objects, xyxy; not of topic "threshold"."""
        if self.topic in ("nms", "score"):
            return torch.tensor([row[2:] for row in self.kept()])
        k, truths = int(self.at), self._truths()
        centres = (truths[:, :2] + truths[:, 2:]) / 2
        if self.topic == "overlap":
            return torch.tensor([self.box])
        if self.topic == "shift":
            by = self.at * (truths[:1, 2] - truths[:1, 0])
            return truths[:1] + torch.stack([by, 0 * by, by, 0 * by], dim=1)
        if self.topic == "crop":
            middle = torch.tensor([CROP_CENTRE]).clamp(self.at / 2, 1 - self.at / 2)
            return cxcywh_to_xyxy(torch.cat([middle, torch.full((1, 2), self.at)], dim=1))
        if self.topic == "distance":
            best, index = self.reached()
            return cxcywh_to_xyxy(make_priors(_PRESET)[index[best >= _THRESHOLD]])
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
        image = draw_scene(0, self.scene)[0]
        if self.topic == "distance":
            side = image.shape[-1]
            image = F.resize(image, [round(side / self.at)] * 2)
            room = side - image.shape[-1]
            image = F.pad(image, [room // 2, room // 2, -(-room // 2), -(-room // 2)], fill=127)
        plots.show_image(axes, image)
        if self.topic == "threshold":
            plots.draw_priors(axes, _PRESET, self.positives(), width=1.4)
        elif self.topic in ("overlap", "shift", "crop"):
            plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)
            if self.topic == "crop":
                plots.draw_boxes(axes, self._truths()[~self.learned()], color=plots.QUIET, width=2)
            if self.topic == "overlap":
                plots.shade_overlap(axes, torch.tensor(self.box), self._truths()[0])
        elif self.topic == "mining":
            plots.draw_priors(axes, _PRESET, self.mined(), width=1.2)
        elif self.topic == "nms":
            boxes = torch.tensor([row[2:] for row in self.detections])
            plots.draw_boxes(axes, boxes, color=plots.QUIET, width=0.8)
            plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)
        elif self.topic == "score":
            right = torch.tensor(self.right())
            plots.draw_boxes(axes, self.boxes()[right], color=plots.BLUE, width=2.4)
            plots.draw_boxes(axes, self.boxes()[~right], color=plots.ORANGE, width=1.6)
        elif self.topic == "distance":
            best, index = self.reached()
            plots.draw_priors(axes, _PRESET, index[best >= _THRESHOLD], width=1.4)
        else:
            look = plots.map_look(RATIO_MAP if self.topic == "ratio" else k)
            plots.draw_boxes(axes, self.boxes(), color=look.color, width=2.4)
        if self.topic == "priors":
            plots.draw_centres(axes, _PRESET, k)
        else:
            plots.draw_boxes(axes, self._truths()[self.learned()], width=2.4)
        axes.set(xlim=(-0.1, 1.1), ylim=(1.1, -0.1), title=self._title.format(self.number()))

    def _truths(self) -> Tensor:
        """Return the boxes of the objects that the topic is about, ``[G, 4]`` xyxy."""
        boxes = torch.tensor([thing["box"] for thing in self.objects])
        return (boxes - 0.5) / self.at + 0.5 if self.topic == "distance" else boxes
