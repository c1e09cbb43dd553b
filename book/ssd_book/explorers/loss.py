"""One prior's prediction, and its loss (chapter 9)."""

from functools import cache

import torch
import traitlets
from torch import Tensor
from torch.nn import functional as F

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.traits import Box, Number
from ssd_tutorial.boxes import cxcywh_to_xyxy, decode, encode
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene
from ssd_tutorial.figures import plots
from ssd_tutorial.loss import MultiBoxLoss
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import locate, make_priors

_PRESET = get_preset("caffe300_voc")
_SCENE, _OBJECT, _PRIOR = 1_000_010, 0, 8086  # picture 10 of the scenes' "val", as in the chapter
_SAID = (0.9, 0.25, 0.6, 1.2)  # the offsets that the chapter works out by hand
_MARKERS = "osDP"  # of the four offsets, in the order of the offsets


class LossExplorer(Explorer, module="loss"):
    """A prediction to drag against its prior and its ground truth, and scores to set.

    Without arguments: the prior that chapter 9 works out by hand.
    """

    alt = (
        "A balloon in a black box, its prior as a green square and the predicted box in"
        " blue; beside them the curve of smooth L1 with one mark per offset."
    )
    prediction = Box().tag(sync=True)
    """The box that the network predicts, xyxy in fractions of the picture."""
    background = Number(1.0, min=-10, max=10).tag(sync=True)
    balloon = Number(2.0, min=-10, max=10).tag(sync=True)
    fish = Number(0.5, min=-10, max=10).tag(sync=True)
    house = Number(-0.5, min=-10, max=10).tag(sync=True)
    """The scores of the four classes, before softmax."""
    matched = traitlets.Enum(("balloon", "nothing"), "balloon").tag(sync=True)
    """What the prior is matched to: the balloon (a positive), or nothing (a negative)."""
    alpha = Number(1.0, min=0, max=4).tag(sync=True)
    """Weight of the box loss."""
    classes = traitlets.List(["background", "balloon", "fish", "house"], read_only=True)
    classes.tag(sync=True)
    picture = traitlets.Unicode(read_only=True).tag(sync=True)
    prior = traitlets.List(read_only=True).tag(sync=True)
    """The prior, cxcywh in fractions of the picture."""
    map = traitlets.Int(locate(_PRESET, _PRIOR).map, read_only=True).tag(sync=True)
    """Index of the feature map that the prior belongs to."""
    truth = traitlets.List(read_only=True).tag(sync=True)
    """The ground truth, xyxy in fractions of the picture."""
    variances = traitlets.List(list(_PRESET.variances), read_only=True).tag(sync=True)

    @traitlets.default("prediction")
    def _prediction(self) -> list[float]:
        return decode(torch.tensor(_SAID).double(), torch.tensor(self.prior).double()).tolist()

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(_scene()[0])

    @traitlets.default("prior")
    def _prior(self) -> list[float]:
        return make_priors(_PRESET)[_PRIOR].double().tolist()

    @traitlets.default("truth")
    def _truth(self) -> list[float]:
        image, target = _scene()
        box = target["boxes"].as_subclass(Tensor)[_OBJECT].double()
        assert SCENE_CLASSES[target["labels"][_OBJECT] - 1] == self.classes[1]
        return (box / image.shape[-1]).tolist()

    @property
    def differences(self) -> list[float]:
        """Return the prediction's offsets minus the ground truth's: the input of smooth L1."""
        prior, variances = torch.tensor(self.prior), tuple(self.variances)
        said, wanted = (
            encode(torch.tensor(box), prior, variances) for box in (self.prediction, self.truth)
        )
        return (said - wanted).tolist()

    @property
    def loss(self) -> MultiBoxLoss:
        """Return the loss of this prior alone, N = 1."""
        scores = torch.tensor([getattr(self, name) for name in self.classes])
        positive = self.matched != "nothing"
        label = torch.tensor(self.classes.index(self.matched) if positive else 0)
        confidence = F.cross_entropy(scores, label)
        away = torch.tensor(self.differences)
        localization = F.smooth_l1_loss(away, 0 * away, reduction="sum") * positive
        total = confidence + self.alpha * localization
        return MultiBoxLoss(total, confidence, localization, torch.tensor(int(positive)))

    def draw(self, figure) -> None:
        """Draw the three boxes, and the four differences on the curve; the title is their sum."""
        figure.set_size_inches(5.2, 3.2)
        left, right = figure.subplots(1, 2)
        plots.show_image(left, _scene()[0])
        look = plots.map_look(self.map)
        plots.draw_boxes(left, torch.tensor(self.truth), width=2.6)
        prior = cxcywh_to_xyxy(torch.tensor(self.prior))
        plots.draw_boxes(left, prior, color=look.color)
        plots.draw_boxes(left, torch.tensor(self.prediction), color=plots.BLUE, width=2.6)
        x = torch.linspace(-4, 4, 321)
        right.plot(x, F.smooth_l1_loss(x, 0 * x, reduction="none"), color=plots.QUIET)
        names = ("shift x", "shift y", "width", "height")
        for away, marker, name in zip(self.differences, _MARKERS, names, strict=True):
            away = torch.tensor(away).clamp(-4, 4)
            cost = F.smooth_l1_loss(away, 0 * away)
            right.plot(away, cost, marker, color=plots.INK, markersize=8, label=name)
        right.set(xlabel="difference", title="smooth L1", ylim=(-0.15, 3.6))
        figure.legend(loc="outside lower center", ncols=4, handlelength=0.8)
        left.set_title(f"L = {self.loss.total:.2f}")


@cache
def _scene() -> tuple[Tensor, dict]:
    return draw_scene(0, _SCENE)
