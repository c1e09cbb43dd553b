"""How far our numbers are from torchvision's: one function per step, over random batches."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import box_iou
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.boxes import cxcywh_to_xyxy, decode, encode, iou
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD300, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights.convert import from_torchvision_ssd300
from tests.parity import reference

PRIORS = make_priors(get_preset("torchvision300_coco"))
CLASSES = 21


class Difference(NamedTuple):
    """One line of the table."""

    quantity: str
    largest: float
    """The largest absolute difference; for a count, how many differ."""
    bound: float
    over: str
    """How many numbers were compared."""


def _largest(pairs: Iterable[tuple[Tensor, Tensor]]) -> float:
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


def priors() -> list[Difference]:
    generator = DefaultBoxGenerator(
        [[2], [2, 3], [2, 3], [2, 3], [2], [2]],
        scales=[0.07, 0.15, 0.33, 0.51, 0.69, 0.87, 1.05],
        steps=[8, 16, 32, 64, 100, 300],
    )
    images = ImageList(torch.zeros(1, 3, 300, 300), [(300, 300)])
    theirs = generator(images, [torch.zeros(1, 1, n, n) for n in (38, 19, 10, 5, 3, 1)])[0]
    gap = _largest([(cxcywh_to_xyxy(PRIORS), theirs / 300)])
    return [Difference("priors", gap, 1e-6, "8732 boxes")]


def training(batches: int, images: int = 4) -> list[Difference]:
    """Compare IoU, matching under the argmax rule, offsets, loss and gradients."""
    ious, offsets, values, grads, matched = [], [], [], [], 0
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        counts = torch.randint(0, 20, (images,), generator=generator).tolist()
        targets = reference.draw_targets(counts, CLASSES, generator)
        ours = match(PRIORS, targets, method="argmax")
        theirs = reference.match(PRIORS, targets)
        matched += int((ours.ground_truth != theirs).sum())
        corners = cxcywh_to_xyxy(PRIORS)
        ious += [(iou(b, corners), box_iou(b, corners)) for b in targets.boxes]

        image, prior = ours.positive.nonzero(as_tuple=True)
        if len(image):
            boxes = targets.boxes[image, ours.ground_truth[image, prior]]
            coder = reference.torchvision_steps().box_coder
            wanted = encode(boxes, PRIORS[prior])
            offsets.append((wanted, coder.encode_single(boxes, corners[prior])))
            offsets.append(
                (decode(wanted, PRIORS[prior]), coder.decode_single(wanted, corners[prior]))
            )

        logits = 2 * torch.randn(images, len(PRIORS), CLASSES, generator=generator)
        shifts = torch.randn(images, len(PRIORS), 4, generator=generator)
        outputs = [logits.requires_grad_(), shifts.requires_grad_()]
        loss = multibox_loss(*outputs, targets, PRIORS, matches=ours)
        pair = reference.loss(*outputs, targets, PRIORS, ours.ground_truth)
        values += [(loss.confidence.detach(), pair[0].detach())]
        values += [(loss.localization.detach(), pair[1].detach())]
        mine = torch.autograd.grad(loss.total, outputs)
        grads += zip(mine, torch.autograd.grad(sum(pair), outputs), strict=True)
    over = f"{batches} batches of {images}"
    return [
        Difference("IoU", _largest(ious), 1e-6, over),
        Difference("matching (argmax): priors that differ", matched, 0, over),
        Difference("offsets, encoded and decoded", _largest(offsets), 1e-4, over),
        Difference("loss", _largest(values), 1e-4, over),
        Difference("gradients of the loss", _largest(grads), 1e-6, over),
    ]


def _detections(
    name: str, pairs: list[tuple[Detections, Detections]], over: str, **tolerances: float
) -> list[Difference]:
    unexcused = sum(reference.unexcused(a, b, **tolerances) for a, b in pairs)
    total = sum(len(a.scores) for a, _ in pairs)
    excused = sum(int(reference.differing(a, b, **tolerances)[0].sum()) for a, b in pairs)
    boxes, scores = [], []
    for a, b in pairs:
        same = (a.labels[:, None] == b.labels) & (
            (a.boxes[:, None] - b.boxes).abs().amax(-1) < 0.01
        )
        apart = (a.scores[:, None] - b.scores).abs().masked_fill(~same, torch.inf)
        gap, twin = apart.min(1)
        paired = gap < 0.01
        scores.append((a.scores[paired], b.scores[twin][paired]))
        boxes.append((a.boxes[paired], b.boxes[twin][paired]))
    over = f"{over}, {total} detections"
    return [
        Difference(f"{name}: detections that differ", unexcused, 0, f"{over}, {excused} excused"),
        Difference(f"{name}: boxes", _largest(boxes), 1e-3, over),
        Difference(f"{name}: scores", _largest(scores), 1e-3, over),
    ]


def postprocessing(batches: int, images: int = 2) -> list[Difference]:
    pairs = []
    for seed in range(batches):
        generator = torch.Generator().manual_seed(seed)
        logits = 2 * torch.randn(images, len(PRIORS), CLASSES, generator=generator)
        shifts = torch.randn(images, len(PRIORS), 4, generator=generator)
        ours = postprocess(logits, shifts, PRIORS)
        pairs += zip(ours, reference.postprocess(logits, shifts, PRIORS), strict=True)
    return _detections("post-processing", pairs, f"{batches} batches of {images}")


@torch.no_grad()
def whole_model(pictures: int, seed: int = 0) -> list[Difference]:
    """Run pictures of several sizes through both detectors, with weights converted by name."""
    theirs = reference.torchvision_ssd300(CLASSES, seed)
    ours = SSD(SSD300.with_priors(get_preset("torchvision300_coco")), CLASSES).eval()
    ours.load_state_dict(from_torchvision_ssd300(theirs.state_dict()))
    mine_out, heads = [], []
    ours.register_forward_hook(lambda module, args, result: mine_out.append(result))
    theirs.head.register_forward_hook(lambda module, args, result: heads.append(result))
    generator = torch.Generator().manual_seed(seed + 1)
    pairs, outputs = [], []
    for i in range(pictures):
        height, width = ((300, 300), (240, 280), (150, 300))[i % 3]
        picture = reference.draw_picture(height, width, generator)
        square = F.resize(picture, [300, 300], antialias=True)[None]  # `detect` would round it
        (mine,) = postprocess(*ours(square), ours.priors)
        (found,) = theirs([picture])
        outputs.append((mine_out[-1][0], heads[-1]["cls_logits"]))
        outputs.append((mine_out[-1][1], heads[-1]["bbox_regression"]))
        size = torch.tensor([width, height, width, height])
        found = Detections(found["boxes"] / size, found["scores"], found["labels"])
        pairs.append((mine, found))
    over = f"{pictures} pictures"
    return [
        Difference("network: logits and offsets", _largest(outputs), 1e-3, over),
        *_detections("whole detector", pairs, over, box=1e-3, score=1e-3),
    ]
