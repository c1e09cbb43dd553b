"""Measure how far an ONNX file is from the torch detector that it was exported from."""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_tutorial.deploy.graphs import decoded
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.weights.file import Detector


class Tolerance(NamedTuple):
    """How far a file may be from torch."""

    most: float
    """Largest difference of probabilities, and of boxes in fractions, of what agrees."""
    share: float
    """Smallest share that must agree. Not 1: rounding decides where a score or an IoU lies on a
    threshold."""


TOLERANCES = {
    "fp32": Tolerance(1e-4, 0.99),
    "fp16": Tolerance(5e-3, 0.99),
    "int8": Tolerance(0.1, 0.95),
}
"""By the precision of the file. ``data/runs/onnx_accuracy_bccd`` has what AP each costs."""


class Agreement(NamedTuple):
    """How far an ONNX file is from torch."""

    score: float
    """Largest difference between probabilities."""
    box: float
    """Largest difference between coordinates of boxes, in fractions of the image."""
    same: int
    """Of `of` detections (without post-processing: priors), how many agree within the tolerance."""
    of: int
    tolerance: Tolerance = TOLERANCES["fp32"]

    @property
    def holds(self) -> bool:
        """Whether something could be compared, and the file is close enough.

        A file with all of its bits may differ nowhere.
        """
        near = max(self.score, self.box) <= self.tolerance.most
        every = near or self.tolerance != TOLERANCES["fp32"]
        return self.of > 0 and every and self.same >= self.tolerance.share * self.of

    def __str__(self) -> str:
        if self.of == 0:
            return "nothing was detected on the pictures, so nothing could be compared"
        return (
            f"largest difference of a score {self.score:.1e}, of a box {self.box:.1e}"
            f" (allowed {self.tolerance.most:.0e}); {self.same} of {self.of} agree"
        )


@torch.inference_mode()
def measure_agreement(
    detector: Detector,
    onnx: nn.Module,
    batches: Iterable[Tensor],
    tolerance: Tolerance = TOLERANCES["fp32"],
) -> Agreement:
    """Compare an exported file with the detector that it came from.

    With the post-processing inside, the differences are those of detections that both find.

    Args:
        detector: in evaluation mode, as loaded.
        onnx: the file, an `OnnxNetwork`.
        batches: uint8 ``[B, 3, S, S]`` each; at least one.
        tolerance: within which two results are the same.
    """
    network, rows = detector.network, []
    for images in batches:
        logits, offsets = network(images.to(network.priors.device))
        if onnx.limits is None:
            rows.append(_compare_raw(network, (logits, offsets), onnx(images), tolerance))
        else:
            limits = onnx.limits | {"variances": network.config.priors.variances}
            expected = postprocess(logits, offsets, network.priors, **limits)
            for one, other in zip(expected, onnx.detections(images), strict=True):
                rows.append(_compare_detections(one, other, tolerance))
    score, box, same, of = zip(*rows, strict=True)
    return Agreement(max(score), max(box), sum(same), sum(of), tolerance)


def _compare_raw(
    network: SSD, expected: tuple[Tensor, ...], found: tuple[Tensor, ...], tolerance: Tolerance
):
    """Return (score, box, same, of) for the outputs of one batch."""
    both = ([x.cpu() for x in decoded(network, *one)] for one in (expected, found))
    (scores, boxes), (other_scores, other_boxes) = both
    score = (scores - other_scores).abs().amax(-1).flatten()
    box = (boxes - other_boxes).abs().amax(-1).flatten()
    same = int((torch.maximum(score, box) <= tolerance.most).sum())
    return score.max().item(), box.max().item(), same, len(score)


def _compare_detections(
    expected: Detections, found: Detections, tolerance: Tolerance = TOLERANCES["fp32"]
):
    """Return (score, box, same, of) for one image, by the nearest detections of each class."""
    expected, found = (Detections(*(x.cpu() for x in one)) for one in (expected, found))
    of = max(len(expected.scores), len(found.scores))
    if min(len(expected.scores), len(found.scores)) == 0:
        return 0.0, 0.0, 0, of
    score = (expected.scores[:, None] - found.scores).abs()
    box = (expected.boxes[:, None] - found.boxes).abs().amax(-1)
    distance = torch.maximum(score, box) + (expected.labels[:, None] != found.labels)  # [E, F]
    nearest = distance.min(dim=1)
    same = nearest.values <= tolerance.most
    pairs = same.nonzero()[:, 0], nearest.indices[same]
    if not same.any():
        return 0.0, 0.0, 0, of
    return score[pairs].max().item(), box[pairs].max().item(), int(same.sum()), of
