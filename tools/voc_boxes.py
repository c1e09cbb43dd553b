"""Read the boxes of VOC 2007 from a list of them, for the tools that count real objects.

The list, `voc2007_trainval.txt`, has a line per picture: its name, then xmin ymin xmax ymax class
for every object that is not marked difficult. The pictures' sizes are not in it; nearly all have
sides of 500 and 375 pixels.
"""

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial._files import write_file
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import make_targets

ROOT = Path(__file__).parent.parent
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


def count_priors(
    boxes: list[Tensor], labels: list[Tensor], preset: str, method: str = "bipartite"
) -> Tensor:
    """Return how many priors each object gets when its picture is matched, one after another.

    Args:
        boxes: ``[G, 4]`` of each picture, in fractions.
        labels: ``[G]`` of each picture, from 1.
        preset: the name of the priors.
        method: as in `ssd_tutorial.matching.match`.
    """
    priors, counts = make_priors(get_preset(preset)), []
    for start in range(0, len(boxes), 32):
        part = slice(start, start + 32)
        targets = make_targets([own.float() for own in boxes[part]], labels[part], 21)
        found = match(priors, targets, method=method).ground_truth  # [B, P]
        for row, own in zip(found, labels[part], strict=True):
            counts.append(torch.bincount(row[row >= 0], minlength=len(own)))
    return torch.cat(counts)


def write_record(
    name: str, about: str, measure: Callable[[Path], dict], words: list[str] | None = None
) -> None:
    """Run a tool: read its command line, measure a list of boxes, write data/runs/NAME.

    Args:
        name: of the record.
        about: the tool's docstring, for ``--help``.
        measure: returns the record of a list.
        words: the command line; None takes the program's.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help=f"the folder that holds {FILE}")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "data/runs", help="where the record's folder is kept"
    )
    options = parser.parse_args(words)
    file = options.folder.resolve() / FILE
    if not file.is_file():
        parser.error(f"no {FILE} in {options.folder}")
    record, there = measure(file), options.out / name / "result.json"
    write_file(there, f"{json.dumps(record, indent=2)}\n".encode())
    print(f"record in {there.parent}")
