"""The steps to time: for each, our code, another's, and a check that they agree.

The other is torchvision, but for AP, which it does not have.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.transforms import v2

from benchmarks.evaluations import evaluations
from ssd_tutorial.augment import CAFFE_MEAN, training_transform
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.detect import postprocess
from ssd_tutorial.evaluate import COCO_THRESHOLDS
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD300, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights.convert import from_torchvision_ssd300
from tests.parity import reference

PRESET = get_preset("torchvision300_coco")
CLASSES = 21


@dataclass(frozen=True)
class Step:
    """One line of the table."""

    name: str
    ours: Callable[[], object]
    theirs: Callable[[], object]
    check: Callable[[], None]
    """Raises `AssertionError` if the results differ."""
    aim: float
    """How many times as fast ours should be."""


def priors() -> Step:
    generator = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    images = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
    maps = [torch.zeros(1, 1, n, n) for n in (38, 19, 10, 5, 3, 1)]

    def ours():
        return make_priors.__wrapped__(PRESET)  # computed, not the copy that is kept

    def theirs():
        return generator(images, maps)[0]

    def check():
        same = cxcywh_to_xyxy(ours()) * 300
        torch.testing.assert_close(same, theirs(), atol=1e-4, rtol=0)

    return Step("priors", ours, theirs, check, aim=1.6)


def ragged(batch: int, generator: torch.Generator) -> list[int]:
    """Draw numbers of objects as uneven as in real data: geometric, 7 on average, 60 at most.

    One image has 60: a batch is as wide as its fullest image.
    """
    chance = 1 - torch.rand(batch - 1, generator=generator)  # in (0, 1]
    drawn = 1 + (chance.log() / math.log(1 - 1 / 7)).floor().long()
    return [60, *drawn.clamp(max=60).tolist()]


def loss(rule: str, batch: int = 32, objects: int | str = 10) -> Step:
    """Time matching, the loss, and the gradients of the network's outputs."""
    generator = torch.Generator().manual_seed(0)
    boxes = make_priors(PRESET)
    counts = ragged(batch, generator) if objects == "ragged" else [objects] * batch
    targets = reference.draw_targets(counts, CLASSES, generator)
    logits = 2 * torch.randn(batch, len(boxes), CLASSES, generator=generator)
    offsets = torch.randn(batch, len(boxes), 4, generator=generator)
    outputs = [logits.requires_grad_(), offsets.requires_grad_()]

    def ours(rule=rule):
        matches = match(boxes, targets, method=rule)
        total = multibox_loss(*outputs, targets, boxes, matches=matches).total
        return total, *torch.autograd.grad(total, outputs)

    def theirs():
        total = sum(reference.loss(*outputs, targets, boxes, reference.match(boxes, targets)))
        return total, *torch.autograd.grad(total, outputs)

    def check():
        for a, b in zip(ours("argmax"), theirs(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)

    name = f"matching ({rule}) + loss, forward and backward, {batch} x {objects} objects"
    return Step(name, ours, theirs, check, aim=2.3)


def detections(kind: str, batch: int = 8) -> Step:
    """Time decoding and suppression on noise or on outputs like those of a trained network."""
    generator = torch.Generator().manual_seed(0)
    boxes = make_priors(PRESET)
    logits = torch.randn(batch, len(boxes), CLASSES, generator=generator)
    offsets = torch.randn(batch, len(boxes), 4, generator=generator)
    if kind == "trained":
        logits[..., 0] += 9  # background nearly everywhere
        for image in range(batch):
            for _ in range(10):  # objects, each seen by a cluster of priors
                at, label = (int(torch.randint(1, n, (), generator=generator)) for n in (8732, 21))
                near = (boxes - boxes[at]).abs().amax(1).argsort()[:40]
                logits[image, near, label] += 8 + 3 * torch.rand(40, generator=generator)
    else:
        logits *= 2

    def ours():
        return postprocess(logits, offsets, boxes)

    def theirs():
        return reference.postprocess(logits, offsets, boxes)

    def check():
        for a, b in zip(ours(), theirs(), strict=True):
            assert len(a.scores) > 0
            assert reference.unexcused(a, b) == 0

    return Step(f"decode + NMS, {batch} images, {kind} scores", ours, theirs, check, aim=2)


@torch.no_grad()
def network(batch: int = 1) -> Step:
    """Time SSD300 with VGG-16, from pixels to scores and offsets."""
    model = reference.torchvision_ssd300(CLASSES)
    mine = SSD(SSD300.with_priors(PRESET), CLASSES).eval()
    mine.load_state_dict(from_torchvision_ssd300(model.state_dict()))
    generator = torch.Generator().manual_seed(0)
    images = torch.stack([reference.draw_picture(300, 300, generator) for _ in range(batch)])

    @torch.no_grad()
    def ours() -> tuple[Tensor, Tensor]:
        return mine(images)

    @torch.no_grad()
    def theirs() -> tuple[Tensor, Tensor]:
        maps = model.backbone(model.transform.normalize(images))
        heads = model.head(list(maps.values()))
        return heads["cls_logits"], heads["bbox_regression"]

    def check():
        for a, b in zip(ours(), theirs(), strict=True):
            torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)

    return Step(f"network forward, SSD300 VGG-16, {batch} image", ours, theirs, check, aim=1)


def augmentation(pictures: int = 16) -> Step:
    """Time Caffe's recipe on pictures of VOC's size, and torchvision's transforms in its order.

    They draw other random numbers, so the checked result is what each keeps: an image of 300 x 300
    with at least one object, all inside.
    """
    shape = v2.Resize((375, 500), antialias=True)
    items = [shape(*item) for item in Scenes(pictures, size=500)]
    mine = training_transform(300, crop="caffe", expand=4, distort=True)
    torchvisions = v2.Compose(
        [
            v2.RandomPhotometricDistort(),
            v2.RandomZoomOut(fill=CAFFE_MEAN),
            v2.RandomIoUCrop(),
            v2.RandomHorizontalFlip(),
            v2.Resize((300, 300), antialias=True),
            v2.SanitizeBoundingBoxes(min_size=3),
        ]
    )

    def ours():
        torch.manual_seed(0)
        return [mine(item) for item in items]

    def theirs():
        torch.manual_seed(0)
        return [torchvisions(*item) for item in items]

    def check():
        for image, target in (*ours(), *theirs()):
            assert image.shape == (3, 300, 300)
            assert image.dtype == torch.uint8
            assert target["boxes"].min() >= 0
            assert target["boxes"].max() <= 300
            assert len(target["boxes"]) == len(target["labels"]) >= 1

    return Step(f"augmentation, {pictures} pictures of 500 x 375", ours, theirs, check, aim=4)


def average_precision(ours: str, theirs: str, thresholds: Sequence[float], aim: float) -> Step:
    """Time AP of 600 pictures with 100 detections and 10 objects each, in 20 classes."""
    calls = evaluations(600, thresholds)

    def check():
        # VOC sums the curve in another way, and takes the nearest object, not the nearest free one
        assert abs(calls[ours]() - calls[theirs]()) < (1e-6 if ours == "coco_ap" else 0.01)

    name = f"{ours}, 600 pictures, IoU {thresholds[0]} to {thresholds[-1]}; theirs: {theirs}"
    return Step(name, calls[ours], calls[theirs], check, aim)


STEPS: dict[str, Callable[[], Step]] = {
    "priors": priors,
    "loss": lambda: loss("bipartite"),
    "loss-argmax": lambda: loss("argmax"),
    "loss-200": lambda: loss("bipartite", objects=200),
    "loss-ragged": lambda: loss("bipartite", objects="ragged"),
    "detect": lambda: detections("trained"),
    "detect-noise": lambda: detections("random"),
    "network": network,
    "augment": augmentation,
    "ap": lambda: average_precision("coco_ap", "pycocotools", COCO_THRESHOLDS, aim=10),
    "ap-voc": lambda: average_precision("voc_ap", "torchmetrics", (0.5,), aim=30),
}
