"""Items: an image with its target, and what every transform must preserve."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.boxes import box_problem

Item = tuple  # (tv_tensors.Image, target)
Transform = Callable[[Item], Item]

_COLUMNS = ("labels", "difficult")  # one row per box, like the boxes themselves


class Operation(v2.Transform):
    """A ``v2.Transform``: `make_params` draws the random numbers, `transform` applies them.

    It works on a framed picture, and frames an image for as long as it works.
    """

    _transformed_types = (Framed, tv_tensors.BoundingBoxes)

    def forward(self, image: tv_tensors.Image | Framed, target: dict) -> Item:
        """Apply the operation to an item."""
        if isinstance(image, Framed):
            return super().forward(image, target)
        size_of([image])  # raises if it is not an image
        framed, target = super().forward(Framed(image), target)
        return framed.pixels(), target

    # what torchvision before 0.21 calls

    def _get_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        return self.make_params(flat_inputs)

    def _transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return self.transform(inpt, params)


def size_of(flat_inputs: list[Any]) -> tuple[int, int]:
    """Return (height, width) in pixels of the image, or framed picture, among the inputs."""
    for inpt in flat_inputs:
        if isinstance(inpt, (tv_tensors.Image, Framed)):
            return tuple(inpt.shape[-2:])
    raise TypeError("expected a tv_tensors.Image; pass an item of a dataset")


def boxes_of(flat_inputs: list[Any]) -> Tensor:
    """Return the boxes ``[N, 4]``, xyxy in pixels, among a transform's inputs."""
    for inpt in flat_inputs:
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            if inpt.format != tv_tensors.BoundingBoxFormat.XYXY:
                raise ValueError(f"boxes must be XYXY, not {inpt.format.value}")
            return inpt.as_subclass(Tensor)
    raise TypeError('expected tv_tensors.BoundingBoxes; pass them as target["boxes"]')


def keep_boxes(target: dict, keep: Tensor) -> dict:
    """Return the target with only the boxes where `keep`, ``[N]`` bool, their labels and flags."""
    if keep.all():
        return target
    boxes = target["boxes"]
    columns = {key: target[key][keep] for key in _COLUMNS if key in target}
    return {**target, **columns, "boxes": tv_tensors.wrap(boxes[keep], like=boxes)}


def refuse_impossible(target: dict) -> None:
    """Raise `ValueError`, with the picture's name, unless boxes are finite and have an area."""
    for index, box in enumerate(target["boxes"].tolist()):
        if problem := box_problem(box):
            numbers = ", ".join(f"{x:g}" for x in box)
            name = target.get("name", "without a name")
            raise ValueError(f"picture {name}, box {index} [{numbers}]: {problem}")
