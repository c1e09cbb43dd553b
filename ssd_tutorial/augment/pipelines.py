"""The pipelines: what training does to an image, and what inference does."""

from typing import Literal

from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from ssd_tutorial.augment.colour import PhotometricDistort
from ssd_tutorial.augment.crop import IoUCrop
from ssd_tutorial.augment.expand import Expand
from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import Item, Operation, Transform, keep_boxes, refuse_impossible
from ssd_tutorial.augment.resizing import RandomInterpolationResize

SMALLEST_PX = 3.0  # nothing can be learned from the sliver that a crop leaves of an object


def resize(size: int, smallest_px: float = SMALLEST_PX) -> Transform:
    """Return a resize to ``size`` x ``size`` pixels that does not keep the aspect ratio, as in SSD.

    Objects that end up narrower or lower than ``smallest_px`` are removed; with 0, none is.
    When called, it raises `ValueError` on an impossible box, as every transform here does.
    """
    return _OnItems(v2.Resize((size, size), antialias=True), smallest_px)


def training_transform(
    size: int,
    *,
    horizontal_flip: bool = True,
    vertical_flip: bool = False,
    crop: str = "",
    crop_prob: float = 1.0,
    expand: float = 0.0,
    distort: bool = False,
    interpolation: Literal["bilinear", "random"] = "bilinear",
) -> Transform:
    """Return SSD's training augmentation, in Caffe's order: distort, expand, crop, resize, flip.

    SSD's complete augmentation is ``training_transform(300, crop="caffe", expand=4, distort=True,
    interpolation="random")``. Objects of which fewer than 3 pixels remain are removed.

    Args:
        size: side of the result in pixels.
        horizontal_flip: flip half of the pictures, chosen at random, left to right.
        vertical_flip: flip half of the pictures upside down: for pictures without an up, such as
            microscope images.
        crop: the policy of SSD's random crop, a name in `CROP_POLICIES`; "" for none.
        crop_prob: probability that the crop is tried at all. Caffe always tries it, and leaves at
            least a seventh of the pictures whole.
        expand: largest ratio of `Expand`, applied to half of the pictures; 0 for none.
        distort: `PhotometricDistort`, with Caffe's settings.
        interpolation: ``"bilinear"``, or ``"random"`` for `RandomInterpolationResize`.

    Raises:
        ValueError: a setting out of range; when called, an impossible box.
    """
    if interpolation not in ("bilinear", "random"):
        raise ValueError(f"interpolation must be bilinear or random, not {interpolation!r}")
    steps: list[v2.Transform] = [PhotometricDistort()] if distort else []
    steps += [Expand(expand)] if expand else []
    steps += [IoUCrop(crop, crop_prob)] if crop else []
    flips: list[v2.Transform] = [v2.RandomHorizontalFlip()] if horizontal_flip else []
    flips += [v2.RandomVerticalFlip()] if vertical_flip else []
    if interpolation == "random":
        steps += [RandomInterpolationResize(size), *flips]
    else:  # either order gives the same pixels, but boxes that differ in the last bit
        steps += [*flips, v2.Resize((size, size), antialias=True)]
    return _OnItems(_Steps(steps))


class _Steps(v2.Compose):
    """A ``v2.Compose`` that computes a framed picture's pixels when a step needs them."""

    def forward(self, image: tv_tensors.Image, target: dict) -> Item:
        seen = Framed(image)
        for step in self.transforms:
            if isinstance(seen, Framed) and not isinstance(step, Operation):
                seen = seen.pixels()
            seen, target = step(seen, target)
        return (seen.pixels() if isinstance(seen, Framed) else seen), target


class _OnItems:
    """A transform of whole items: a class, not a closure, because loader processes unpickle it."""

    def __init__(self, transform: v2.Transform, smallest_px: float = SMALLEST_PX):
        self.transform, self.smallest_px = transform, smallest_px

    def __call__(self, item: Item) -> Item:
        refuse_impossible(item[1])  # before the crop: afterwards it would look like a sliver
        image, target = self.transform(*item)
        boxes = target["boxes"].as_subclass(Tensor)
        sides = boxes[:, 2:] - boxes[:, :2]
        return image, keep_boxes(target, (sides >= self.smallest_px).all(dim=1))
