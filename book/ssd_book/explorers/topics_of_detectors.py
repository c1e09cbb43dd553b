"""What the figures of one knob show of training and detecting (chapters 9 to 16); see
`topics_of_detectors.js`."""

import torch
from torch import Tensor
from torch.nn.functional import smooth_l1_loss
from torchvision.transforms.v2 import functional as F

from ssd_book import plots
from ssd_book.explorers import mining
from ssd_book.explorers.nms import raw_detections
from ssd_book.explorers.topics import HALF, PRESET, OfPriors, Topic, positives
from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import cxcywh_to_xyxy, encode, iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.detect import nms
from ssd_tutorial.priors import make_priors

CROP_CENTRE = (0.55, 0.5)
"""Where the crop is, unless it would leave the picture."""
VAL = open_dataset("scenes", "val").start
"""The split's first scene, for `draw_scene`."""
_SHOWN = 36  # scene of the validation split, with three cars
_SUPPRESS = 0.45  # NMS of topic "score"
_MINED = "one house"
_KITTEN = 2  # of the objects of scene 57
_CLASS, _LOWEST = "car", 0.3  # what topic "nms" shows


class Shift(Topic):
    """What smooth L1 says of a box that is off by a share of its width."""

    scene = 373
    low, high, start = -1, 1, 0.3
    title = "a loss of {}"
    alt = (
        "A drawn scene with a balloon in a black box. A red box of the same size lies to the right "
        "of it by three tenths of its width."
    )

    def number(self) -> str:
        """Return the loss."""
        return f"{self.loss():.2f}"

    def truths(self) -> Tensor:
        """Return the box of the first object."""
        return super().truths()[:1]

    def boxes(self) -> Tensor:
        """Return the box that is off."""
        ((x0, y0, x1, y1),) = self.truths().tolist()
        by = self.at * (x1 - x0)
        return torch.tensor([[x0 + by, y0, x1 + by, y1]])

    def loss(self) -> float:
        """Return the localization loss of the object's best prior."""
        truth, priors = self.truths(), make_priors(PRESET)
        prior = priors[iou(truth, cxcywh_to_xyxy(priors)).argmax()][None]
        output, target = encode(self.boxes(), prior), encode(truth, prior)
        return smooth_l1_loss(output, target, reduction="sum").item()


class _OfScene57(Topic):
    """Topics of a scene with two cats, which their sentences must tell apart."""

    scene = 57

    def objects(self, drawn: list[dict]) -> list[dict]:
        """Return all of them, the smaller cat as a kitten."""
        drawn[_KITTEN]["name"] = "kitten"
        return drawn


class Crop(_OfScene57):
    """The objects that remain when a square is cut out."""

    low, high, start = 0.2, 1, 0.6
    title = "{} of 4 objects stay"
    alt = (
        "A drawn scene with a cat, a fish, a kitten and a boat. A square around the middle is the "
        "crop; the objects whose centres lie inside it have black boxes, the others grey ones."
    )

    def number(self) -> str:
        """Return how many remain."""
        return str(int(self.learned().sum()))

    def boxes(self) -> Tensor:
        """Return the crop."""
        middle = torch.tensor([CROP_CENTRE]).clamp(self.at / 2, 1 - self.at / 2)
        return cxcywh_to_xyxy(torch.cat([middle, torch.full((1, 2), self.at)], dim=1))

    def learned(self) -> Tensor:
        """Return which objects remain, ``[G]``."""
        return centres_inside(self.truths(), self.boxes()[0])

    def draw(self, axes) -> None:
        """Draw what is lost in grey."""
        plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)
        plots.draw_boxes(axes, self.truths()[~self.learned()], color=plots.QUIET, width=2)
        plots.draw_boxes(axes, self.truths()[self.learned()], width=2.4)


class Distance(_OfScene57, OfPriors):
    """The objects that a prior reaches when all are further away."""

    low, high, start = 1, 5, 1
    title = "{} of 4 objects are reached"
    alt = (
        "A drawn scene with a cat, a fish, a kitten and a boat, each with a prior around it that "
        "overlaps it by half or more."
    )

    def truths(self) -> Tensor:
        """Return the boxes on a canvas that is `at` times as wide."""
        return (super().truths() - 0.5) / self.at + 0.5

    def indices(self) -> Tensor:
        """Return the best prior of each object that is reached."""
        best, index = iou(self.truths(), cxcywh_to_xyxy(make_priors(PRESET))).max(dim=1)
        return index[best >= HALF]

    def image(self) -> Tensor:
        """Return the picture, smaller, in the middle of a grey canvas."""
        image = super().image()
        side = image.shape[-1]
        image = F.resize(image, [round(side / self.at)] * 2)
        room = side - image.shape[-1]
        return F.pad(image, [room // 2, room // 2, -(-room // 2), -(-room // 2)], fill=127)


class Mining(OfPriors):
    """The negatives that count, so many per positive."""

    scene = VAL + mining.SCENES[_MINED]
    high, start, whole = 10, 3, True
    width = 1.2
    title = "{} priors count"
    alt = (
        "A drawn scene with a house in a black box. Around it are thin boxes in the colours of "
        "their maps, the negatives that count; most overlap the house."
    )

    def negatives(self) -> list[int]:
        """Return as many of the hardest negatives as the knob can ask for."""
        losses = mining.MiningExplorer(scene=_MINED).background_loss()
        losses[self.positives()] = -1
        most = self.high * len(self.positives())
        return losses.argsort(descending=True, stable=True)[:most].tolist()

    def positives(self) -> Tensor:
        """Return the indices of the positives."""
        return positives(self.truths(), HALF)

    def indices(self) -> Tensor:
        """Return the negatives that count."""
        count = int(self.at) * len(self.positives())
        return torch.tensor(self.figure.negatives[:count], dtype=torch.int64)  # of none, too

    def number(self) -> str:
        """Return how many priors count."""
        return str(len(self.positives()) + len(self.indices()))


class OfDetections(Topic):
    """Base of topics of what a detector finds."""

    def kept(self) -> list[list]:
        """Return the detections that the knob leaves, as `named` does."""
        raise NotImplementedError

    def right(self) -> list[bool]:
        """Return which are right: the first of its class on an object."""
        free, right = list(self.figure.objects), []
        for name, _, *box in self.kept():
            hit = [one for one in free if one["name"] == name and _overlap(one, box) >= HALF][:1]
            free = [one for one in free if one not in hit]
            right.append(bool(hit))
        return right

    def number(self) -> str:
        """Return how many are right."""
        return str(sum(self.right()))

    def boxes(self) -> Tensor:
        """Return their boxes."""
        return torch.tensor([row[2:] for row in self.kept()]).view(-1, 4)

    def draw(self, axes) -> None:
        """Draw the right ones in blue, the wrong ones in orange."""
        hits = torch.tensor(self.right(), dtype=torch.bool)
        plots.draw_boxes(axes, self.boxes()[hits], color=plots.BLUE, width=2.4)
        plots.draw_boxes(axes, self.boxes()[~hits], color=plots.ORANGE, width=1.6)


class _OfThreeCars(OfDetections):
    """Topics whose number is how many detections the knob leaves."""

    scene = VAL + _SHOWN

    def number(self) -> str:
        """Return how many there are."""
        return str(len(self.kept()))


class Suppression(_OfThreeCars):
    """The boxes that NMS keeps."""

    high, start = 0.95, 0.45
    title = "{} boxes are kept"
    alt = (
        "A drawn scene with three cars, a kite and a lighthouse. Each car has one thick red box; "
        "around them are 49 thin grey ones."
    )

    def detections(self) -> list[list]:
        """Return the detections of one class before NMS."""
        return [row for row in named(1.0) if row[0] == _CLASS and row[1] > _LOWEST]

    def kept(self) -> list[list]:
        """Return what NMS keeps."""
        rows = self.figure.detections
        boxes = torch.tensor([row[2:] for row in rows], dtype=torch.float64)
        survives = nms(boxes, torch.ones(len(boxes), dtype=torch.bool), self.at)
        return [rows[i] for i in survives.nonzero()[:, 0].tolist()]

    def draw(self, axes) -> None:
        """Draw what NMS suppresses in grey."""
        boxes = torch.tensor([row[2:] for row in self.figure.detections])
        plots.draw_boxes(axes, boxes, color=plots.QUIET, width=0.8)
        plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)


class Score(_OfThreeCars):
    """The boxes whose score passes, right and wrong ones."""

    low, high, start = 0.01, 0.95, 0.5
    title = "{} boxes are reported"
    alt = (
        "A drawn scene with three cars, a kite and a lighthouse. A blue box fits each of the five; "
        "an orange one is on the lower half of the lighthouse."
    )

    def detections(self) -> list[list]:
        """Return the detections of all classes after NMS."""
        return named(_SUPPRESS)

    def kept(self) -> list[list]:
        """Return those with a higher score."""
        return [row for row in self.figure.detections if row[1] > self.at]


def named(suppress: float) -> list[list]:
    """Return detections, best first: ``[name, score, xmin, ymin, xmax, ymax]``."""
    classes, rows = raw_detections(_SHOWN, suppress)
    return [[classes[k], *rest] for k, *rest in rows]


def _overlap(thing: dict, box: list[float]) -> float:
    return iou(torch.tensor([thing["box"]]), torch.tensor([box])).item()
