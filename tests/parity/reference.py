"""torchvision's SSD taken apart, so that each of its steps runs on the same inputs as ours.

Everything here takes and returns our types; boxes are fractions of the image, which works in
torchvision's steps, too.
"""

import functools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models.detection import ssd300_vgg16
from torchvision.models.detection.anchor_utils import DefaultBoxGenerator
from torchvision.models.detection.ssd import SSD as TorchvisionSSD
from torchvision.ops import box_iou

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.detect import Detections
from ssd_tutorial.targets import Targets, make_targets


@functools.cache
def torchvision_steps() -> TorchvisionSSD:
    """Build torchvision's SSD without a network: matcher, loss, post-processing."""
    backbone = nn.Identity()
    backbone.out_channels = [8] * 6
    boxes = DefaultBoxGenerator([[2], [2, 3], [2, 3], [2, 3], [2], [2]])
    return TorchvisionSSD(backbone, boxes, (300, 300), num_classes=21, head=nn.Identity())


def draw_targets(
    counts: Sequence[int], num_classes: int, generator: torch.Generator, smallest: float = 0.02
) -> Targets:
    """Draw ground truths, `counts` of them per image, of every size between `smallest` and 1."""
    boxes, labels = [], []
    for count in counts:
        side = smallest ** torch.rand(count, 2, generator=generator)  # log-uniform
        low = torch.rand(count, 2, generator=generator) * (1 - side)
        boxes.append(torch.cat([low, low + side], dim=1))
        labels.append(torch.randint(1, num_classes, (count,), generator=generator))
    return make_targets(boxes, labels, num_classes)


def as_dicts(targets: Targets) -> list[dict[str, Tensor]]:
    """Return targets without their padding, as torchvision takes them."""
    return [
        {"boxes": boxes[real], "labels": labels[real]}
        for boxes, labels, real in zip(*targets, targets.real, strict=True)
    ]


def match(priors_cxcywh: Tensor, targets: Targets) -> Tensor:
    """Return torchvision's matching, ``[B, P]``: the loop of its ``SSD.forward``."""
    priors = cxcywh_to_xyxy(priors_cxcywh)
    return torch.stack(
        [
            torchvision_steps().proposal_matcher(box_iou(one["boxes"], priors))
            if len(one["boxes"])
            else torch.full((len(priors),), -1)
            for one in as_dicts(targets)
        ]
    )


def loss(
    logits: Tensor, offsets: Tensor, targets: Targets, priors_cxcywh: Tensor, matched: Tensor
) -> tuple[Tensor, Tensor]:
    """Return torchvision's (confidence, localization) for a given matching ``[B, P]``."""
    batch = len(logits)
    losses = torchvision_steps().compute_loss(
        as_dicts(targets),
        {"cls_logits": logits, "bbox_regression": offsets},
        [cxcywh_to_xyxy(priors_cxcywh)] * batch,
        list(matched),
    )
    return losses["classification"], losses["bbox_regression"]


def postprocess(logits: Tensor, offsets: Tensor, priors_cxcywh: Tensor) -> list[Detections]:
    """Return torchvision's detections in our form."""
    batch = len(logits)
    found = torchvision_steps().postprocess_detections(
        {"cls_logits": logits, "bbox_regression": offsets},
        [cxcywh_to_xyxy(priors_cxcywh)] * batch,
        [(1, 1)] * batch,
    )
    return [Detections(one["boxes"], one["scores"], one["labels"]) for one in found]


def draw_picture(height: int, width: int, generator: torch.Generator) -> Tensor:
    """Draw a picture ``[3, height, width]`` of coloured blobs with some noise."""
    coarse = torch.rand(1, 3, 12, 12, generator=generator)
    picture = nn.functional.interpolate(coarse, (height, width), mode="bilinear")[0]
    return (picture + 0.1 * torch.randn(picture.shape, generator=generator)).clamp(0, 1)


@torch.no_grad()
def torchvision_ssd300(num_classes: int = 21, seed: int = 0) -> nn.Module:
    """Build torchvision's SSD300 with random weights that are not degenerate.

    As initialised, it gives all priors of a map nearly the same scores. Here every convolution of
    the backbone keeps the spread of its input, and those of the heads are scaled and shifted so
    that every output is spread around zero over the cells of a picture.
    """
    torch.manual_seed(seed)
    model = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=num_classes).eval()
    for layer in model.backbone.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.normal_(layer.bias, std=0.02)
    nn.init.uniform_(model.backbone.scale_weight, 10, 30)
    picture = draw_picture(300, 300, torch.Generator().manual_seed(seed))
    maps = list(model.backbone(model.transform([picture])[0].tensors).values())
    for head, spread in ((model.head.classification_head, 2.5), (model.head.regression_head, 1.5)):
        for layer, x in zip(head.module_list, maps, strict=True):
            nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)
            out = layer(x).flatten(2)  # [1, outputs, cells]
            if out.shape[2] > 1:
                layer.weight.mul_(spread / out.std())
                layer.bias.copy_(-spread / out.std() * out.mean((0, 2)))
            else:
                layer.weight.mul_(spread / out.std() / 2)
    return model


# --- comparing detections ------------------------------------------------------------------------


def differing(
    ours: Detections, theirs: Detections, *, box: float = 1e-4, score: float = 1e-4
) -> tuple[Tensor, Tensor]:
    """Return which of ours have no twin among theirs, and the reverse: two masks.

    A twin has the same label, and a box and a score within the tolerances.
    """
    twins = (
        (ours.labels[:, None] == theirs.labels)
        & ((ours.scores[:, None] - theirs.scores).abs() <= score)
        & ((ours.boxes[:, None] - theirs.boxes).abs().amax(-1) <= box)
    )
    return ~twins.any(1), ~twins.any(0)


def unexcused(
    ours: Detections,
    theirs: Detections,
    *,
    score_threshold: float = 0.01,
    iou_threshold: float = 0.45,
    most: int = 200,
    margin: float = 1e-3,
    **tolerances: float,
) -> int:
    """Return the differing detections that rounding does not excuse.

    A detection is excused if it is within `margin` of a decision: its score at the threshold or at
    the score of the last one kept, or its IoU with another of its class at the threshold. What such
    a detection suppresses or lets survive is excused with it.
    """
    lost, gained = differing(ours, theirs, **tolerances)
    boxes = torch.cat([ours.boxes, theirs.boxes[gained]])
    scores = torch.cat([ours.scores, theirs.scores[gained]])
    labels = torch.cat([ours.labels, theirs.labels[gained]])
    differs = torch.cat([lost, torch.ones(int(gained.sum()), dtype=torch.bool)])
    same_class = labels[:, None] == labels
    overlap = iou(boxes, boxes)
    excused = (scores - score_threshold).abs() < margin
    for found in (ours, theirs):
        if len(found.scores) == most:
            excused |= (scores - found.scores[-1]).abs() < margin
    excused |= (((overlap - iou_threshold).abs() < margin) & same_class).any(1)
    spreads = (overlap > iou_threshold) & same_class & differs[:, None] & differs
    for _ in range(len(differs)):
        grown = excused | (spreads & excused).any(1)
        if torch.equal(grown, excused):
            break
        excused = grown
    return int((differs & ~excused).sum())
