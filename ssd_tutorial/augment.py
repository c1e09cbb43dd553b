"""Changing pictures so that a few hundred are worth thousands (first version, for chapter 12).

Every transform takes and returns an item ``(image, target)`` of `ssd_tutorial.datasets`, with its
boxes as `tv_tensors.BoundingBoxes`, so that torchvision's ``transforms.v2`` moves both together.
"""

from collections.abc import Callable

from torchvision import tv_tensors
from torchvision.transforms import v2

Item = tuple  # (tv_tensors.Image, target)
Transform = Callable[[Item], Item]

_SMALLEST_PX = 3.0  # a sliver that a crop has left of an object teaches nothing


def resize(size: int) -> Transform:
    """To ``size`` x ``size`` pixels, without keeping the aspect ratio: what SSD expects."""
    return _on_both(v2.Resize((size, size), antialias=True))


def laptop_transform(
    size: int, *, mirror: bool = True, turn_over: bool = False, crop: bool = False
) -> Transform:
    """The augmentation of a short training.

    Args:
        size: side of the result in pixels.
        mirror: flip left to right, every second time.
        turn_over: flip upside down, every second time: for pictures without an up, such as those
            of a microscope.
        crop: SSD's random crop (paper, section 2.2), half of the time. It makes a short training
            slower and a long one better: chapter 11 measures it.
    """
    steps: list[v2.Transform] = []
    if crop:
        steps.append(v2.RandomApply([v2.RandomIoUCrop()], p=0.5))
    steps += [v2.RandomHorizontalFlip()] if mirror else []
    steps += [v2.RandomVerticalFlip()] if turn_over else []
    steps.append(v2.Resize((size, size), antialias=True))
    return _on_both(v2.Compose(steps))


def _on_both(transform: v2.Transform) -> Transform:
    def apply(item: Item) -> Item:
        image, target = transform(*item)
        return image, _without_slivers(target)

    return apply


def _without_slivers(target: dict) -> dict:
    """Leave out the boxes of which a crop has left (nearly) nothing."""
    boxes = target["boxes"]
    keep = ((boxes[:, 2:] - boxes[:, :2]) >= _SMALLEST_PX).all(dim=1)
    if keep.all():
        return target
    kept = {key: target[key][keep] for key in ("labels", "difficult")}
    return {**target, **kept, "boxes": tv_tensors.wrap(boxes[keep], like=boxes)}
