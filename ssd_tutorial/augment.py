"""Changing pictures so that a few hundred are worth thousands (first version, for chapter 12).

Every transform takes and returns an item ``(image, target)`` of `ssd_tutorial.datasets`, with its
boxes as `tv_tensors.BoundingBoxes`, so that torchvision's ``transforms.v2`` moves both together.
"""

from collections.abc import Callable

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

Item = tuple  # (tv_tensors.Image, target)
Transform = Callable[[Item], Item]

_SMALLEST_PX = 3.0  # a sliver that a crop has left of an object teaches nothing


def resize(size: int) -> Transform:
    """To ``size`` x ``size`` pixels, without keeping the aspect ratio: what SSD expects.

    Raises `ValueError` on an impossible box, as every transform here.
    """
    return _OnBoth(v2.Resize((size, size), antialias=True))


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
    return _OnBoth(v2.Compose(steps))


class _OnBoth:
    """A transform of whole items. A class, not a closure: loading processes get it pickled."""

    def __init__(self, transform: v2.Transform):
        self.transform = transform

    def __call__(self, item: Item) -> Item:
        _refuse_impossible(item[1])  # now: afterwards it would pass for a sliver
        image, target = self.transform(*item)
        return image, _without_slivers(target)


def _refuse_impossible(target: dict) -> None:
    boxes = target["boxes"].as_subclass(Tensor)
    wrong = ~(boxes.isfinite().all(dim=1) & (boxes[:, 2:] > boxes[:, :2]).all(dim=1))
    if wrong.any():
        box = int(wrong.nonzero()[0])
        numbers = ", ".join(f"{x:g}" for x in boxes[box].tolist())
        raise ValueError(
            f"picture {target['name']}, box {box} [{numbers}]:"
            f" finite numbers, xmax above xmin and ymax above ymin are due"
        )


def _without_slivers(target: dict) -> dict:
    """Leave out the boxes of which a crop has left (nearly) nothing."""
    boxes = target["boxes"]
    keep = ((boxes[:, 2:] - boxes[:, :2]) >= _SMALLEST_PX).all(dim=1)
    if keep.all():
        return target
    kept = {key: target[key][keep] for key in ("labels", "difficult")}
    return {**target, **kept, "boxes": tv_tensors.wrap(boxes[keep], like=boxes)}
