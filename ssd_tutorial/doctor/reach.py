"""Compare objects with each preset's priors: which are reached, and what would reach the others.

An object is *reached* if a prior overlaps it with an IoU of at least 0.5: then every such prior
learns it. One that is not reached is still matched to its best prior (chapter 8), and only that one
learns it. All boxes here are fractions of the picture: a picture is stretched to the square input,
so its shape does not matter.

Priors of one shape on one map differ in their centre only, and the nearer the centre is to an
object's, in x and in y separately, the more they overlap it. So an object needs to be compared with
one prior per shape and map, not with all 8732: that is 300 times faster, and exact.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import cxcywh_to_xyxy, iou, xyxy_to_cxcywh
from ssd_tutorial.datasets.records import RawObject, Records
from ssd_tutorial.doctor.box_rules import TINY
from ssd_tutorial.doctor.rules import Fault, fault_at
from ssd_tutorial.presets import Preset
from ssd_tutorial.priors import boxes_per_cell, cell_centres, make_priors, priors_per_map

REACHED = 0.5
_SCALES = tuple(0.02 * 2 ** (step / 4) for step in range(23))  # 0.02 to 0.905, four per octave
_RATIOS = (1.0, 2.0, 1 / 2, 3.0, 1 / 3, 5.0, 1 / 5)
_WORTH = 0.002  # an extra box that reaches a smaller share of the objects is too costly
_MOST_EXTRAS = 3
_SAMPLE = 2000  # unreached objects that choose the next box


class Objects(NamedTuple):
    """All possible boxes of a dataset, N of them."""

    boxes: Tensor
    """``[N, 4]`` xyxy, fractions of the picture."""
    picture: Tensor
    """``[N]``: index of the picture."""
    where: list[tuple[str, RawObject]]
    """N pairs: the annotation's file, the object in it."""


class Extra(NamedTuple):
    """One more box in every cell of a map, and how many objects it would reach."""

    map: str
    scale: float
    ratio: float
    """w / h."""
    gain: int
    """How many more objects are reached."""
    priors: int
    """How many more priors there are."""

    def __str__(self) -> str:
        r = f"{self.ratio:g}" if self.ratio >= 1 else f"1/{1 / self.ratio:g}"
        return f"scale {self.scale:.3f} with ratio {r} on {self.map}"


class Reach(NamedTuple):
    """How well a preset's priors fit the objects of a dataset."""

    preset: str
    objects: int
    mean_iou: float
    """Mean of the objects' best IoU."""
    unreached: tuple[int, ...]
    """Indices of the objects below 0.5."""
    sharing: int
    """Objects whose best prior is also the best of another object of the same picture."""
    histogram: tuple[int, ...]
    """Counts of the best IoU in 20 bins from 0 to 1."""
    extras: tuple[Extra, ...]
    """The boxes that would reach most of the others, each one given the previous ones."""

    @property
    def unreached_share(self) -> float:
        """Share of the objects below 0.5."""
        return len(self.unreached) / max(self.objects, 1)


def collect_objects(records: Records) -> Objects:
    """Return the boxes of all objects that can be learned, as the network will see them."""
    boxes, owners, where = [], [], []
    for index, picture in enumerate(records.pictures.values()):
        if picture.size is None:
            continue
        width, height = picture.size
        for entry in picture.objects:
            if (box := records.judge(picture, entry).edges) is not None:
                x1, y1, x2, y2 = box
                boxes.append((x1 / width, y1 / height, x2 / width, y2 / height))
                owners.append(index)
                where.append((picture.annotation, entry))
    return Objects(torch.tensor(boxes).reshape(-1, 4), torch.tensor(owners), where)


def reach_of(preset: Preset, objects: Objects) -> Reach:
    """Compare all objects with all priors of a preset."""
    best, prior = best_priors(preset, objects.boxes)
    unreached = (best < REACHED).nonzero()[:, 0]
    pairs = Counter(zip(objects.picture.tolist(), prior.tolist(), strict=True))
    return Reach(
        preset.name,
        len(best),
        float(best.double().mean()) if len(best) else 0.0,
        tuple(unreached.tolist()),
        sum(count for count in pairs.values() if count > 1),
        tuple(int(n) for n in torch.histc(best, bins=20, min=0, max=1)),
        suggest_extras(preset, objects.boxes[unreached], len(best)),
    )


def best_priors(preset: Preset, boxes_xyxy: Tensor) -> tuple[Tensor, Tensor]:
    """Find the best prior of each box ``[N, 4]`` xyxy, among all of `make_priors`.

    If several are equally good, as inside a large object, the one nearest to the centre is taken.

    Returns:
        The IoU and the prior's index, ``[N]`` each.

    Raises:
        ValueError: the preset clips centres or corners, so shapes differ from cell to cell.
    """
    if preset.clip not in ("none", "wh"):
        raise ValueError(f"{preset.name} clips {preset.clip}: its priors differ from cell to cell")
    value = torch.full((len(boxes_xyxy),), -1.0)
    index = torch.zeros(len(boxes_xyxy), dtype=torch.int64)
    first = 0
    per_cell = boxes_per_cell(preset)
    for k, priors in enumerate(make_priors(preset).split(priors_per_map(preset))):
        cell, overlap = overlap_shapes(preset, k, priors[: per_cell[k], 2:], boxes_xyxy)
        best, box = overlap.max(dim=1)
        better = best > value
        value = best.where(better, value)
        index = (first + cell * per_cell[k] + box).where(better, index)
        first += len(priors)
    return value, index


def overlap_shapes(
    preset: Preset, k: int, shapes: Tensor, boxes_xyxy: Tensor
) -> tuple[Tensor, Tensor]:
    """Compare boxes with shapes ``[S, 2]`` (width, height) in the nearest cell of map `k`.

    Returns:
        The cell ``[N]``, counted row by row, and the IoU ``[N, S]``.
    """
    centres = cell_centres(preset, k)
    centre = xyxy_to_cxcywh(boxes_xyxy)[:, :2]
    nearest = (centre[:, :, None] - centres).abs().argmin(dim=2)  # [N, 2]: column, row
    at = centres[nearest][:, None].expand(-1, len(shapes), -1)
    priors = cxcywh_to_xyxy(torch.cat([at, shapes.expand_as(at)], dim=2))  # [N, S, 4]
    overlap = iou(boxes_xyxy[:, None], priors)[:, 0]
    return nearest[:, 1] * len(centres) + nearest[:, 0], overlap


def suggest_extras(preset: Preset, unreached_xyxy: Tensor, objects: int) -> tuple[Extra, ...]:
    """Suggest up to three extra boxes that reach most of the unreached objects, one after another.

    Every map is tried with 23 scales and 7 ratios; the box that reaches most is taken, then the
    next one, given the first. It stops when a box reaches less than 0.2 % of the objects. Of more
    than 2000 objects a sample chooses; what the chosen box reaches is counted among all.

    Args:
        preset: the existing priors.
        unreached_xyxy: ``[U, 4]``, the objects below 0.5.
        objects: number of all objects.
    """
    scale, ratio = torch.cartesian_prod(torch.tensor(_SCALES), torch.tensor(_RATIOS)).T
    shapes = torch.stack([scale * ratio.sqrt(), scale / ratio.sqrt()], dim=1)
    left, extras = unreached_xyxy, []
    while len(extras) < _MOST_EXTRAS and len(left):
        some = left[:: len(left) // _SAMPLE + 1]
        overlaps = [overlap_shapes(preset, k, shapes, some)[1] for k in range(len(preset.maps))]
        gains = (torch.stack(overlaps) >= REACHED).sum(dim=1)  # [maps, shapes]
        # Of equal gains the last map's: it has the fewest cells.
        k, s = (int(n) for n in (gains == gains.max()).nonzero()[-1])
        reached = overlap_shapes(preset, k, shapes[s : s + 1], left)[1][:, 0] >= REACHED
        gain = int(reached.sum())
        if gain < max(2, _WORTH * objects):
            break
        name, cells = preset.maps[k].name, preset.maps[k].cells
        extras.append(Extra(name, float(scale[s]), float(ratio[s]), gain, cells**2))
        left = left[~reached]
    return tuple(extras)


def check_sizes(records: Records, objects: Objects) -> Iterator[Fault]:
    """Report the splits from which nothing is learned at 300 px, as all of their objects are tiny.

    Random crops enlarge objects: with them, training accepts more
    (`ssd_tutorial.training.learnable`).
    """
    keys, largest = list(records.pictures), Counter()
    sides = (objects.boxes[:, 2:] - objects.boxes[:, :2]).amin(dim=1)
    for index, side in zip(objects.picture.tolist(), sides.tolist(), strict=True):
        largest[keys[index]] = max(round(side, 6), largest[keys[index]])  # 0.01 is not tiny
    for split, names in records.splits.items():
        if 0 < (most := max((largest[name] for name in names), default=0)) < TINY:
            what = f"its objects are at most {300 * most:.2g} px in width or in height at 300 px"
            yield Fault("split-tiny", records.shown_split(split), what)


def check_reach(objects: Objects, reaches: Sequence[Reach]) -> Iterator[Fault]:
    """Report the objects that no preset's priors reach, except those that are tiny."""
    lost = set.intersection(*(set(reach.unreached) for reach in reaches))
    for index in sorted(lost):
        x1, y1, x2, y2 = objects.boxes[index].tolist()
        if min(x2 - x1, y2 - y1) >= TINY:  # tiny ones are not learned at all
            what = f"{x2 - x1:.3f} of the picture wide and {y2 - y1:.3f} high, reached by no preset"
            yield fault_at("prior-unreached", *objects.where[index], what)
