"""Read the boxes of VOC 2007 from a list of them, for the tools that count real objects.

The list, `voc2007_trainval.txt`, has a line per picture: its name, then xmin ymin xmax ymax class
for every object that is not marked difficult. The pictures' sizes are not in it; nearly all have
sides of 500 and 375 pixels.
"""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

FILE = "voc2007_trainval.txt"
LONG, SHORT = 500, 375  # pixels
_SURE = 380  # a side that reaches beyond is a long one


class Picture(NamedTuple):
    """The objects of one picture."""

    boxes_px: Tensor
    """``[G, 4]`` xyxy, whole numbers, the first pixel from 0 to 1."""
    labels: Tensor
    """``[G]``, from 0."""


def read_pictures(file: Path) -> list[Picture]:
    """Read a list, whose corners count from 1 with the last pixel included, as in VOC."""
    found = []
    for line in file.read_text(encoding="utf-8").splitlines():
        numbers = torch.tensor([int(word) for word in line.split()[1:]]).view(-1, 5)
        boxes = numbers[:, :4] - torch.tensor([1, 1, 0, 0])
        found.append(Picture(boxes, numbers[:, 4]))
    return found


def size_of(picture: Picture, upright: bool = False) -> tuple[int, int]:
    """Return width and height of a picture, as far as its boxes tell.

    Most pictures have sides of 500 and 375 pixels, and a box beyond 380 shows which is long.
    Where no box does, `upright` decides. A picture is never smaller than its boxes.
    """
    right, bottom = picture.boxes_px[:, 2:].amax(dim=0).tolist()
    if right > _SURE or bottom > _SURE:
        upright = bottom > _SURE and right <= _SURE
    width, height = (SHORT, LONG) if upright else (LONG, SHORT)
    return max(width, math.ceil(right)), max(height, math.ceil(bottom))


def is_sure(picture: Picture) -> bool:
    """Return whether some box shows which side is the long one."""
    return bool((picture.boxes_px[:, 2:] > _SURE).any())


def fractions(picture: Picture, upright: bool = False, dtype=torch.float32) -> Tensor:
    """Return the boxes of a picture as fractions of its width and height (see `size_of`)."""
    width, height = size_of(picture, upright)
    return picture.boxes_px.to(dtype) / torch.tensor([width, height, width, height])
