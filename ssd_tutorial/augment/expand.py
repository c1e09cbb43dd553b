"""Expansion: place the picture on a larger canvas, so that its objects become small."""

from typing import Any

import torch
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import Operation, size_of

CAFFE_MEAN = (123, 117, 104)
"""The mean colour of ImageNet in Caffe's scripts, RGB, 0 to 255: nearly 0 after normalisation."""


LARGEST_RATIO = 16
"""On the average canvas, an object of half the side is then 18 pixels long at 300."""


class Expand(Operation):
    """Put the picture at a random place on a canvas up to `ratio` times as wide and high.

    The factor is drawn uniformly from 1 to `ratio`, the same for both sides. Paper, section 3.6
    (its first version has no expansion); Caffe, ``DataTransformer::ExpandImage``. The canvas has
    the mean colour, which becomes 0 after normalisation; black does not.

    Args:
        ratio: largest ratio of the sides, from 1 to `LARGEST_RATIO`.
        share: probability of expanding at all.
    """

    def __init__(self, ratio: float = 4.0, share: float = 0.5):
        super().__init__()
        if not 1 <= ratio <= LARGEST_RATIO:
            raise ValueError(f"ratio must be from 1 to {LARGEST_RATIO}, not {ratio}")
        if not 0 <= share <= 1:
            raise ValueError(f"share must be from 0 to 1, not {share}")
        self.ratio, self.share = ratio, share

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the pixels to add: ``{"padding": [left, top, right, bottom]}``, or nothing."""
        height, width = size_of(flat_inputs)
        chance, growth, x, y = torch.rand(4).tolist()
        if chance >= self.share:
            return {}
        ratio = 1 + growth * (self.ratio - 1)
        more_x, more_y = int(width * ratio) - width, int(height * ratio) - height
        left, top = int(x * more_x), int(y * more_y)
        return {"padding": [left, top, more_x - left, more_y - top]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Place the image on its canvas, or move the boxes with it."""
        if not params:
            return inpt
        if isinstance(inpt, Framed):
            return inpt.expanded(params["padding"], CAFFE_MEAN)
        return F.pad(inpt, params["padding"])
