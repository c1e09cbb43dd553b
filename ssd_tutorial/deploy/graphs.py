"""What an ONNX file computes: torch modules that the exporter translates."""

from functools import cache

import torch
from torch import Tensor, nn

from ssd_tutorial.boxes import decode
from ssd_tutorial.detect import nms
from ssd_tutorial.network import SSD


class Raw(nn.Module):
    """What a file without post-processing computes."""

    names = ("logits", "offsets", "priors")

    def __init__(self, network: SSD):
        super().__init__()
        self.network = network

    def forward(self, images: Tensor):
        """Turn images, uint8 ``[B, 3, S, S]``, into the outputs in `names`."""
        return *self.network(images), self.network.priors.clone()


class WithPostprocessing(nn.Module):
    """`ssd_tutorial.detect.postprocess` with fixed shapes until its last line."""

    names = ("boxes", "scores", "labels", "image")

    def __init__(self, network: SSD, limits: dict):
        super().__init__()
        self.network, self.limits = network, limits

    def forward(self, images: Tensor):
        """Turn images, uint8 ``[B, 3, S, S]``, into all detections of the batch, as in `names`."""
        image = torch.arange(images.shape[0], device=images.device)
        logits, offsets = self.network(images)
        scores, boxes = decoded(self.network, logits, offsets)
        scores = scores[..., 1:].mT  # [B, C - 1, P]
        candidates = min(self.limits["candidates_per_class"], scores.shape[2])
        scores, place = scores.topk(candidates, dim=2)  # [B, C - 1, k], sorted
        boxes = boxes[image[:, None, None], place]  # [B, C - 1, k, 4]
        keep = survivors()(
            boxes, scores, self.limits["iou_threshold"], self.limits["score_threshold"]
        )
        label = torch.arange(1, scores.shape[1] + 1, device=images.device)[:, None]
        label = label.expand(*scores.shape[1:]).flatten()  # [(C - 1) k]
        scores = torch.where(keep, scores, 0.0).flatten(1)  # [B, (C - 1) k]
        most = min(self.limits["detections_per_image"], scores.shape[1])
        best, place = scores.topk(most, dim=1)
        boxes = boxes.flatten(1, 2)[image[:, None], place]  # [B, most, 4]
        image, slot = (best > 0).nonzero(as_tuple=True)
        return boxes[image, slot], best[image, slot], label[place][image, slot], image


@cache
def survivors():
    """Return our NMS as one torch operator, exported as one of ONNX: see `survivors_in_onnx`."""

    @torch.library.custom_op("ssd_tutorial::survivors", mutates_args=())
    def ssd_survivors(
        boxes: Tensor, scores: Tensor, iou_threshold: float, score_threshold: float
    ) -> Tensor:
        return nms(boxes, scores > score_threshold, iou_threshold)

    @ssd_survivors.register_fake
    def _(boxes, scores, iou_threshold, score_threshold):
        return scores.new_empty(scores.shape, dtype=torch.bool)

    return ssd_survivors


def survivors_in_onnx(boxes, scores, iou_threshold: float, score_threshold: float):
    """Turn ``boxes`` [B, C, k, 4] and sorted ``scores`` [B, C, k] into a mask [B, C, k].

    NonMaxSuppression takes lists of boxes and returns the indices of those that survive.
    """
    from onnxscript import opset18 as op

    k = op.Shape(scores, start=2, end=3)
    any_length = op.Constant(value_ints=[-1])
    flat = op.Reshape(scores, op.Concat(any_length, k, axis=0))  # [B C, k]
    selected = op.NonMaxSuppression(  # [S, 3]: list, class (there is one), place
        op.Reshape(boxes, op.Concat(any_length, op.Shape(boxes, start=2, end=4), axis=0)),
        op.Unsqueeze(flat, op.Constant(value_ints=[1])),
        k,
        op.Constant(value_floats=[iou_threshold]),
        op.Constant(value_floats=[score_threshold]),
    )
    places = op.Gather(selected, op.Constant(value_ints=[0, 2]), axis=1)
    ones = op.Expand(op.Constant(value_floats=[1.0]), op.Shape(places, start=0, end=1))
    survives = op.ScatterND(op.ConstantOfShape(op.Shape(flat)), places, ones)
    half = op.Constant(value_floats=[0.5])
    return op.Reshape(op.Greater(survives, half), op.Shape(scores))


def decoded(network: SSD, logits: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Return probabilities ``[B, P, C]`` and boxes ``[B, P, 4]`` xyxy, clipped to the image."""
    boxes = decode(offsets.to(network.priors), network.priors, network.config.priors.variances)
    return logits.float().softmax(dim=-1), boxes.clamp(0, 1)
