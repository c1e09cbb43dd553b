"""Ground truths of a batch of images, checked and padded (chapter 8).

Images have different numbers of objects; a batched computation needs one tensor. `make_targets`
pads with label 0, the background, and refuses every box that would make the loss NaN later.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import area, box_problem

_OUTSIDE = 1e-3  # how far a box may stick out of the image: rounding in a crop or a resize


class Targets(NamedTuple):
    """Ground truths of B images, padded to the same number G >= 1."""

    boxes: Tensor
    """``[B, G, 4]`` xyxy in fractions of the image; zeros where padded."""
    labels: Tensor
    """``[B, G]`` class indices from 1; 0 where padded."""

    @property
    def real(self) -> Tensor:
        """Tell objects (True) from padding (False), ``[B, G]``."""
        return self.labels > 0

    def to(self, device: torch.device | str) -> "Targets":
        """Return the same targets on another device."""
        return Targets(self.boxes.to(device), self.labels.to(device))


def make_targets(
    boxes_xyxy: Sequence[Tensor],
    labels: Sequence[Tensor],
    num_classes: int,
    names: Sequence[str] | None = None,
) -> Targets:
    """Check the ground truths of a batch and pad them into `Targets`.

    Args:
        boxes_xyxy: for each image, ``[N, 4]`` xyxy in fractions of the image; N may be 0.
        labels: for each image, ``[N]`` integers from 1 to num_classes - 1.
        num_classes: classes with the background counted, as `ssd_tutorial.network.SSD` takes it.
        names: what to call the images in an error, beside their index.

    Raises:
        ValueError: names the image, the box and the rule that it breaks: wrong shape or type, a
            number that is not finite, xmax <= xmin or ymax <= ymin, an area that float32 rounds to
            0, corners outside the image (usually pixels instead of fractions), a label that
            is 0 or not below `num_classes`.
    """
    if len(boxes_xyxy) != len(labels):
        raise ValueError(f"{len(boxes_xyxy)} images of boxes but {len(labels)} images of labels")
    if not boxes_xyxy:
        raise ValueError("a batch needs at least one image")
    for image, (box, label) in enumerate(zip(boxes_xyxy, labels, strict=True)):
        _check_image(f"{image} ({names[image]})" if names else f"{image}", box, label, num_classes)
    most = max(1, *(len(label) for label in labels))
    device = boxes_xyxy[0].device
    padded_boxes = torch.zeros(len(labels), most, 4, device=device)
    padded_labels = torch.zeros(len(labels), most, dtype=torch.int64, device=device)
    for image, (box, label) in enumerate(zip(boxes_xyxy, labels, strict=True)):
        padded_boxes[image, : len(box)] = box
        padded_labels[image, : len(label)] = label
    return Targets(padded_boxes, padded_labels)


def _check_image(image: str, boxes: Tensor, labels: Tensor, num_classes: int) -> None:
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not boxes.is_floating_point():
        raise ValueError(
            f"image {image}: boxes must be a float tensor [N, 4],"
            f" not {boxes.dtype} {list(boxes.shape)}"
        )
    integers = not (labels.is_floating_point() or labels.dtype == torch.bool)
    if labels.shape != boxes.shape[:1] or not integers:
        raise ValueError(
            f"image {image}: labels must be integers [{len(boxes)}], one per box,"
            f" not {labels.dtype} {list(labels.shape)}"
        )
    boxes = boxes.float()  # as they will be stored: what is too thin for float32 has no width there
    problems = [box_problem(box) for box in boxes.tolist()]
    for rule in filter(None, problems):
        _refuse(image, boxes, torch.tensor([problem == rule for problem in problems]), rule)
    no_area = area(boxes) < torch.finfo(boxes.dtype).tiny
    _refuse(image, boxes, no_area, "the area must be at least 1e-38, or every IoU is 0")
    outside = (boxes.amin(1) < -_OUTSIDE) | (boxes.amax(1) > 1 + _OUTSIDE)
    _refuse(
        image,
        boxes,
        outside,
        "corners must lie in [0, 1]: divide pixels by the image's width and height",
    )
    wrong = (labels < 1) | (labels >= num_classes)
    if wrong.any():
        box = int(wrong.nonzero()[0])
        raise ValueError(
            f"image {image}, box {box}: label {int(labels[box])} is not in 1 .. {num_classes - 1};"
            f" 0 is the background and there are {num_classes} classes with it"
        )


def _refuse(image: str, boxes: Tensor, broken: Tensor, rule: str) -> None:
    if broken.any():
        box = int(broken.nonzero()[0])
        numbers = ", ".join(f"{x:.4g}" for x in boxes[box].tolist())
        raise ValueError(f"image {image}, box {box} [{numbers}]: {rule}")
