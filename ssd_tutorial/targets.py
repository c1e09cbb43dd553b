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
    called = [f"image {i} ({names[i]})" if names else f"image {i}" for i in range(len(labels))]
    for image, box, label in zip(called, boxes_xyxy, labels, strict=True):
        _check_types(image, box, label)
    # As they will be stored: what is too thin for float32 has no width there.
    objects = torch.cat([box.detach().float() for box in boxes_xyxy])  # [N, 4] of all images
    classes = torch.cat([label.long() for label in labels])
    counts = torch.tensor([len(label) for label in labels], device=objects.device)
    _check_values(called, objects, classes, counts, num_classes)
    real = torch.arange(max(1, int(counts.max())), device=counts.device) < counts[:, None]
    padded_boxes = objects.new_zeros(*real.shape, 4)
    padded_boxes[real] = objects
    padded_labels = classes.new_zeros(real.shape)
    padded_labels[real] = classes
    return Targets(padded_boxes, padded_labels)


def _check_types(image: str, boxes: Tensor, labels: Tensor) -> None:
    for kind, value in {"boxes": boxes, "labels": labels}.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{image}: {kind} must be a tensor, not {type(value).__name__}")
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not boxes.is_floating_point():
        raise ValueError(
            f"{image}: boxes must be a float tensor [N, 4], not {boxes.dtype} {list(boxes.shape)}"
        )
    integers = not (labels.is_floating_point() or labels.dtype == torch.bool)
    if labels.shape != boxes.shape[:1] or not integers:
        raise ValueError(
            f"{image}: labels must be integers [{len(boxes)}], one per box,"
            f" not {labels.dtype} {list(labels.shape)}"
        )


def _check_values(
    called: list[str], boxes: Tensor, labels: Tensor, counts: Tensor, num_classes: int
) -> None:
    """Check all objects of a batch, end to end: ``[N, 4]``, ``[N]``, and ``[B]`` per image."""
    large = area(boxes) >= torch.finfo(boxes.dtype).tiny
    inside = (boxes.amin(1) >= -_OUTSIDE) & (boxes.amax(1) <= 1 + _OUTSIDE)  # False for NaN
    known = (labels > 0) & (labels < num_classes)
    broken = (~(large & inside & known)).nonzero()
    if not len(broken):
        return
    i = int(broken[0])
    image = int((counts.cumsum(0) <= i).sum())
    where = f"{called[image]}, box {i - int(counts[:image].sum())}"
    box, label = boxes[i].tolist(), int(labels[i])
    if not (large & inside)[i]:
        where += f" [{', '.join(f'{x:.4g}' for x in box)}]"
    problem = (
        box_problem(box)
        or (not large[i] and "the area must be at least 1e-38, or every IoU is 0")
        or (
            not inside[i]
            and "corners must lie in [0, 1]: divide pixels by the image's width and height"
        )
        or f"label {label} is not in 1 .. {num_classes - 1};"
        f" 0 is the background and there are {num_classes} classes with it"
    )
    raise ValueError(f"{where}: {problem}")
