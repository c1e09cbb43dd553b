"""What code bases do otherwise than SSD's own, written again in a few lines each (chapter 18).

Nothing here is used by `ssd_tutorial`. Each function names the file that holds the rule, as we read
it: weiliu89/caffe, branch ssd, 4817bf8; pytorch/vision 0.29; amdegroot/ssd.pytorch 5b0b77f;
lufficc/SSD 68dc0a2; sgrvinod/a-PyTorch-Tutorial-to-Object-Detection 5d5b759; qfgaohao/pytorch-ssd
7a839cb; balancap/SSD-Tensorflow e0e3104; pierluigiferrari/ssd_keras 3ac9ada; NVIDIA's
DeepLearningExamples, PyTorch/Detection/SSD, 07d6234.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_tutorial.augment.crop_policies import centres_inside
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.presets import Preset
from ssd_tutorial.priors import priors_per_map


# --- priors ---------------------------------------------------------------------------------------
def shape_first(preset: Preset) -> Tensor:
    """Return where NVIDIA's list of priors has its boxes in ours, ``[P]``.

    Its ``DefaultBoxes`` goes through shapes, then rows, then columns of a map, because its heads
    reshape their output without a permute (``src/utils.py``, ``bbox_view`` in ``src/model.py``).
    """
    moved, start = [], 0
    for fm, count in zip(preset.maps, priors_per_map(preset), strict=True):
        ours = torch.arange(start, start + count).view(-1, fm.boxes_per_cell)
        moved.append(ours.T.flatten())
        start += count
    return torch.cat(moved)


# --- network --------------------------------------------------------------------------------------
def normalise(x: Tensor, epsilon: str) -> Tensor:
    """Scale each pixel of ``[B, C, H, W]`` to length 1, with one of four ideas of zero.

    ``"in the root"``: Caffe, ``normalize_layer.cpp``. ``"after the root"``: amdegroot, ``L2Norm``
    in ``l2norm.py``, and lufficc, ``layers/__init__.py``. ``"none"``: sgrvinod, ``SSD300.forward``
    in ``model.py``. ``"at least"``: ``F.normalize``, in torchvision and qfgaohao.
    """
    tiny = 1e-10
    squared = x.square().sum(dim=1, keepdim=True)
    rules = {
        "in the root": lambda: (squared + tiny).sqrt(),
        "after the root": lambda: squared.sqrt() + tiny,
        "none": squared.sqrt,
        "at least": lambda: x.norm(dim=1, keepdim=True).clamp_min(1e-12),
    }
    return x / rules[epsilon]()


# --- matching -------------------------------------------------------------------------------------
def by_threshold_alone(priors_cxcywh: Tensor, boxes: Tensor, threshold: float = 0.5) -> Tensor:
    """Return the object of each prior of one image, ``[P]``, -1 for none: step two on its own.

    balancap, ``tf_ssd_bboxes_encode_layer`` in ``nets/ssd_common.py`` and ``ssd_losses``: an object
    that no prior overlaps by more than the threshold is matched to nothing.
    """
    value, best = iou(boxes, cxcywh_to_xyxy(priors_cxcywh)).max(dim=0)
    return torch.where(value > threshold, best, -1)


# --- the crop -------------------------------------------------------------------------------------
Test = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Which trials of a crop are accepted ``[T]``: from the IoU of crop and object ``[T, N]``, whether
the object's centre is inside ``[T, N]``, and the minimum."""


def no_object(overlap: Tensor, inside: Tensor, minimum: Tensor) -> Tensor:
    """Accept every crop: the second half of the condition compares with infinity."""
    return torch.ones(len(overlap), dtype=torch.bool)


def any_object(overlap: Tensor, inside: Tensor, minimum: Tensor) -> Tensor:
    """Accept a crop if some object reaches the minimum."""
    return (overlap >= minimum).any(dim=1)


def object_that_stays(overlap: Tensor, inside: Tensor, minimum: Tensor) -> Tensor:
    """Accept a crop if some object reaches the minimum and has its centre inside."""
    return ((overlap >= minimum) & inside).any(dim=1)


def every_object(overlap: Tensor, inside: Tensor, minimum: Tensor) -> Tensor:
    """Accept a crop if all objects of the picture exceed the minimum."""
    return (overlap > minimum).all(dim=1)


class CropRule(NamedTuple):
    """How a port draws a crop: it draws a minimum, then tries."""

    minima: tuple[float | None, ...]
    """None is the whole picture; minus infinity allows any crop."""
    trials: int
    accepts: Test


_ANY = -math.inf
CROP_RULES: dict[str, CropRule] = {
    # utils/augmentations.py and vision/transforms/transforms.py, RandomSampleCrop
    "amdegroot, qfgaohao": CropRule((None, 0.1, 0.3, 0.7, 0.9, _ANY), 50, no_object),
    # ssd/data/transforms/transforms.py, RandomSampleCrop
    "lufficc": CropRule((None, 0.1, 0.3, 0.7, 0.9, _ANY), 50, any_object),
    # utils.py, random_crop
    "sgrvinod": CropRule((None, 0.1, 0.3, 0.5, 0.7, 0.9, 0), 50, any_object),
    # transforms/v2/_geometry.py, RandomIoUCrop
    "torchvision": CropRule((None, 0.1, 0.3, 0.5, 0.7, 0.9, 0), 40, object_that_stays),
    # src/utils.py, SSDCropping: a comment speaks of 50 trials, the loop makes one
    "NVIDIA": CropRule((None, 0.1, 0.3, 0.5, 0.7, 0.9, _ANY), 1, every_object),
}
"""All draw width and height from 0.3 to 1 of the picture's, independently, test the ratio, and want
the centre of an object inside."""


def port_crop(rule: CropRule, boxes: Tensor) -> Tensor | None:
    """Draw a crop of a square picture, xyxy in fractions; None is the whole picture.

    Args:
        rule: whose.
        boxes: ``[N, 4]``, xyxy in fractions of the picture; at least one.

    Uses torch's global random numbers.
    """
    while True:
        minimum = rule.minima[int(torch.randint(len(rule.minima), ()))]
        if minimum is None:
            return None
        sides = 0.3 + 0.7 * torch.rand(rule.trials, 2)
        corner = torch.rand(rule.trials, 2) * (1 - sides)
        crops = torch.cat([corner, corner + sides], dim=1)
        inside = centres_inside(boxes, crops)
        ratio = sides[:, 0] / sides[:, 1]
        good = (ratio >= 0.5) & (ratio <= 2) & inside.any(dim=1)
        good &= rule.accepts(iou(crops, boxes), inside, torch.tensor(minimum))
        if good.any():
            return crops[int(good.nonzero()[0, 0])]


# --- the loss -------------------------------------------------------------------------------------
def mine_over_batch(background_loss: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    """Choose the hardest negatives of the whole batch, in whichever picture they are, ``[B, P]``.

    pierluigiferrari, ``SSDLoss.compute_loss`` in ``keras_ssd_loss.py``; balancap, ``ssd_losses``,
    which adds one negative per picture.
    """
    wanted = min(int(ratio * positive.sum()), int((~positive).sum()))
    loss = background_loss.masked_fill(positive, -torch.inf).flatten()
    chosen = torch.zeros_like(loss, dtype=torch.bool)
    chosen[loss.topk(wanted).indices] = True
    return chosen.view_as(positive)


def mine_with_positives(losses: Tensor, positive: Tensor, ratio: float = 3) -> Tensor:
    """Return the rows that torchvision adds as negatives, ``[B, P]``: positives if those run out.

    ``SSD.compute_loss`` in ``models/detection/ssd.py``: positives rank last, but they rank.
    """
    rank = losses.masked_fill(positive, -torch.inf).argsort(dim=1, descending=True).argsort(dim=1)
    return rank < ratio * positive.sum(dim=1, keepdim=True)


def divided(sums: Tensor, positives: Tensor, by: str) -> Tensor:
    """Return a batch's loss, from the sum of each picture ``[B]`` and its number of positives.

    ``"positives of the batch"``: Caffe, torchvision, amdegroot, lufficc, sgrvinod, qfgaohao and
    pierluigiferrari. ``"positives of each picture"``: NVIDIA, ``Loss`` in ``src/model.py``.
    ``"pictures"``: balancap, ``ssd_losses`` in ``nets/ssd_vgg_300.py``.
    """
    rules = {
        "positives of the batch": lambda: sums.sum() / positives.sum().clamp(min=1),
        "positives of each picture": lambda: (
            sums / positives.clamp(min=1e-6) * (positives > 0)
        ).mean(),
        "pictures": sums.mean,
    }
    return rules[by]()


def localization(predicted: Tensor, wanted: Tensor, rule: str) -> Tensor:
    """Return the loss of the offsets of all positives, ``[N, 4]`` each.

    ``"smooth L1 / N"`` is SSD's. ``"mean of L1"``: sgrvinod, ``MultiBoxLoss`` in ``model.py``,
    whose README says that L1 was not meant.
    """
    rules = {
        "smooth L1 / N": lambda: (
            F.smooth_l1_loss(predicted, wanted, reduction="sum") / len(predicted)
        ),
        "mean of L1": lambda: F.l1_loss(predicted, wanted),
    }
    return rules[rule]()


# --- detecting ------------------------------------------------------------------------------------
def best_of_image(found: Detections, count: int, rule: str) -> Detections:
    """Return what is left of a picture's detections where ``Detect`` cuts them to `count`.

    amdegroot, ``layers/functions/detection.py``. ``"as it runs"``: a copy is filled with zeros, so
    nothing is cut. ``"as it reads"``: if the zeros were written, they would erase the best.
    ``"as meant"``: the best remain.
    """
    order = found.scores.argsort(descending=True, stable=True)
    kept = {"as it runs": order, "as it reads": order[count:], "as meant": order[:count]}[rule]
    return Detections(*(part[kept] for part in found))


# --- counting -------------------------------------------------------------------------------------
def sums_of_cells(preset: Preset) -> dict[str, int]:
    """Return the numbers of priors that are printed for SSD300, with the reading behind each."""
    cells = [fm.cells**2 for fm in preset.maps]
    readings = {
        "4, 6, 6, 6, 4, 4: Caffe and all ports": (4, 6, 6, 6, 4, 4),
        "4, 6, 6, 6, 4, 3: the last map's large square left out": (4, 6, 6, 6, 4, 3),
        "4, 6, 6, 6, 6, 4: four on the first and the last map only": (4, 6, 6, 6, 6, 4),
        "4, 6, 6, 6, 6, 6: four on the first map only": (4, 6, 6, 6, 6, 6),
        "3, 6, 6, 6, 6, 6: the paper's first version": (3, 6, 6, 6, 6, 6),
        "6, 6, 6, 6, 6, 6: six on every map": (6,) * 6,
    }
    return {
        name: sum(n * c for n, c in zip(boxes, cells, strict=True))
        for name, boxes in readings.items()
    }


def hue_turns() -> dict[str, float]:
    """Return by how many degrees implementations turn the hue at most, each from its own unit."""
    return {
        "18 steps of 180 (Caffe)": 18 * 360 / 180,
        "18 / 255 of a turn (sgrvinod)": 18 / 255 * 360,
        "0.05 of a turn (torchvision)": 0.05 * 360,
        "18 steps of 360 (amdegroot, lufficc, qfgaohao)": 18 * 360 / 360,
    }
