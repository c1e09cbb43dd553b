"""Measure how far an ONNX file is from the torch detector that it was exported from."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_tutorial.deploy.graphs import decoded
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.weights.file import Detector

TOLERANCE = 1e-4
"""Largest difference between the file and torch: of probabilities, and of boxes in fractions."""
AGREEING = 0.99
"""Smallest share of detections that both find, within `TOLERANCE`. Not 1: rounding decides where a
score or an IoU lies on a threshold."""


class Agreement(NamedTuple):
    """How far an ONNX file is from torch."""

    score: float
    """Largest difference between probabilities."""
    box: float
    """Largest difference between coordinates of boxes, in fractions of the image."""
    same: int
    """Of `of` detections (without post-processing: priors), how many agree within `TOLERANCE`."""
    of: int

    @property
    def holds(self) -> bool:
        """Whether the file is close enough."""
        return max(self.score, self.box) <= TOLERANCE and self.same >= AGREEING * self.of

    def __str__(self) -> str:
        if self.of == 0:
            return "nothing was detected on the pictures, so nothing could be compared"
        return (
            f"largest difference of a score {self.score:.1e}, of a box {self.box:.1e}"
            f" (allowed {TOLERANCE:.0e}); {self.same} of {self.of} agree"
        )


@torch.inference_mode()
def measure_agreement(detector: Detector, onnx: nn.Module, batches: Iterable[Tensor]) -> Agreement:
    """Compare an exported file with the detector that it came from.

    With the post-processing inside, the differences are those of detections that both find.

    Args:
        detector: in evaluation mode, as loaded.
        onnx: the file, an `OnnxNetwork`.
        batches: uint8 ``[B, 3, S, S]`` each; at least one.
    """
    network, rows = detector.network, []
    for images in batches:
        logits, offsets = network(images.to(network.priors.device))
        if onnx.limits is None:
            rows.append(_compare_raw(network, (logits, offsets), onnx(images)))
        else:
            limits = onnx.limits | {"variances": network.config.priors.variances}
            expected = postprocess(logits, offsets, network.priors, **limits)
            for one, other in zip(expected, onnx.detections(images), strict=True):
                rows.append(_compare_detections(one, other))
    score, box, same, of = zip(*rows, strict=True)
    return Agreement(max(score), max(box), sum(same), sum(of))


def _compare_raw(network: SSD, expected: tuple[Tensor, ...], found: tuple[Tensor, ...]):
    """Return (score, box, same, of) for the outputs of one batch."""
    scores, boxes = (
        [x.cpu() for x in pair]
        for pair in zip(*(decoded(network, *one) for one in (expected, found)), strict=True)
    )
    score = (scores[0] - scores[1]).abs().amax(-1).flatten()
    box = (boxes[0] - boxes[1]).abs().amax(-1).flatten()
    same = int((torch.maximum(score, box) <= TOLERANCE).sum())
    return score.max().item(), box.max().item(), same, len(score)


def _compare_detections(expected: Detections, found: Detections):
    """Return (score, box, same, of) for one image, by the nearest detections of each class."""
    expected, found = (Detections(*(x.cpu() for x in one)) for one in (expected, found))
    of = max(len(expected.scores), len(found.scores))
    if min(len(expected.scores), len(found.scores)) == 0:
        return 0.0, 0.0, 0, of
    score = (expected.scores[:, None] - found.scores).abs()
    box = (expected.boxes[:, None] - found.boxes).abs().amax(-1)
    distance = torch.maximum(score, box) + (expected.labels[:, None] != found.labels)  # [E, F]
    nearest = distance.min(dim=1)
    same = nearest.values <= TOLERANCE
    pairs = same.nonzero()[:, 0], nearest.indices[same]
    if not same.any():
        return 0.0, 0.0, 0, of
    return score[pairs].max().item(), box[pairs].max().item(), int(same.sum()), of
