"""How a crop is drawn: Caffe's policy, and those of the best-known ports.

In all but one of them an object must overlap the crop with a minimum IoU, which is itself drawn at
random (paper, section 2.2). They agree on little else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ssd_tutorial.boxes import iou

Crop = tuple[int, int, int, int]  # left, top, right, bottom, in whole pixels


@dataclass(frozen=True)
class CropPolicy:
    """One implementation's way to draw a crop."""

    min_ious: tuple[float | None, ...]
    """The samplers, by their minimum IoU. None is the whole picture; 0 allows any crop."""
    trials: int
    """Number of crops that a sampler may try."""
    all_try: bool = False
    """True, as in Caffe: all samplers try, and one of the successful ones is drawn; a crop is a
    scale, whose square is its area, and an aspect ratio, both in fractions of the picture. False,
    as in the ports: a sampler is drawn first, and another one if it fails; width and height are
    drawn independently, and their ratio is tested in pixels."""
    iou_with: Literal["any", "kept", "none"] = "any"
    """Which objects' IoU counts: any, only those with the centre inside, or none."""
    needs_object: bool = True
    """Whether a crop must contain the centre of an object."""
    scales: tuple[float, float] = (0.3, 1.0)
    """Of the sides, not of the area."""
    aspects: tuple[float, float] = (0.5, 2.0)
    """Width : height."""

    def __post_init__(self):
        if None not in self.min_ious:  # without it, a picture without objects would never end
            raise ValueError("min_ious must contain None, the whole picture")
        if self.trials < 1:
            raise ValueError(f"trials must be 1 or more, not {self.trials}")
        if self.all_try and self.iou_with != "any":
            raise ValueError('all_try needs iou_with="any", the only rule that Caffe has')


# weiliu89/caffe, src/caffe/util/sampler.cpp and examples/ssd/ssd_pascal.py
_CAFFE = CropPolicy(min_ious=(None, 0.1, 0.3, 0.5, 0.7, 0.9, 0.0), trials=50, all_try=True)
# sgrvinod/a-PyTorch-Tutorial-to-Object-Detection, utils.py, random_crop
_PORT = CropPolicy(min_ious=(0.0, 0.1, 0.3, 0.5, 0.7, 0.9, None), trials=50)

CROP_POLICIES: dict[str, CropPolicy] = {
    "caffe": _CAFFE,
    "caffe_literal": replace(_CAFFE, needs_object=False),
    # torchvision.transforms.v2.RandomIoUCrop
    "torchvision": replace(_PORT, trials=40, iou_with="kept"),
    "sgrvinod": _PORT,
    # amdegroot/ssd.pytorch, utils/augmentations.py, RandomSampleCrop: without 0.5
    "amdegroot": replace(_PORT, min_ious=(None, 0.1, 0.3, 0.7, 0.9, 0.0), iou_with="none"),
}
"""By name. ``"caffe"`` differs from ``"caffe_literal"`` in one respect: Caffe also accepts a
crop that keeps no object's centre, and from such a crop only background can be learned."""


def draw_crop(policy: CropPolicy, boxes: Tensor, height: int, width: int) -> Crop | None:
    """Draw a crop by the policy; None is the whole picture.

    Args:
        policy: see `CROP_POLICIES`.
        boxes: ``[N, 4]``, xyxy in pixels; N may be 0.
        height, width: of the picture, in pixels.
    """
    draw = _draw_among_all if policy.all_try else _draw_sampler_first
    return draw(policy, boxes, height, width)


def centres_inside(boxes: Tensor, crop: Tensor) -> Tensor:
    """Return which boxes' centres lie strictly inside: ``[N, 4]``, ``[..., 4]`` to ``[..., N]``.

    Both xyxy. Caffe also counts a centre on the border; the ports do not.
    """
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    crop = crop.unsqueeze(-2)
    return ((crop[..., :2] < centres) & (centres < crop[..., 2:])).all(dim=-1)


# --- Caffe ----------------------------------------------------------------------------------------


class Trials(NamedTuple):
    """The results of a number of trials."""

    crops: Tensor
    """``[..., 4]``, xyxy in fractions of the picture, as sampled."""
    crops_px: Tensor
    """``[..., 4]``, xyxy in whole pixels: what would be cropped."""
    best_iou: Tensor
    """``[...]``, highest IoU of the crop with an object; 0 without objects."""
    keeps: Tensor
    """``[...]`` int64, objects whose centre is inside."""


def caffe_trials(policy: CropPolicy, boxes: Tensor, height: int, width: int, u: Tensor) -> Trials:
    """Turn random numbers into crops: a scale, an aspect ratio and a place, in fractions.

    Caffe, ``SampleBBox``. The ratio is drawn uniformly from 0.5 to 2, so two of three crops are
    wider than high, and is then limited to what fits into the picture at this scale.

    Args:
        u: ``[..., 4]`` in [0, 1): for scale, aspect ratio, x and y. Results are float64.
    """
    scale_u, aspect_u, x_u, y_u = u.double().unbind(-1)  # so that rounding keeps a full side full
    scale = policy.scales[0] + scale_u * (policy.scales[1] - policy.scales[0])
    aspect = policy.aspects[0] + aspect_u * (policy.aspects[1] - policy.aspects[0])
    aspect = aspect.maximum(scale**2).minimum(1 / scale**2)
    w, h = (scale * aspect.sqrt()).clamp(max=1), (scale / aspect.sqrt()).clamp(max=1)
    x, y = x_u * (1 - w), y_u * (1 - h)
    crops = torch.stack([x, y, x + w, y + h], dim=-1)

    sides = crops.new_tensor([width, height])
    corner = (crops[..., :2] * sides).floor()
    size = (torch.stack([w, h], dim=-1) * sides).floor().clamp(min=1)
    crops_px = torch.cat([corner, corner + size], dim=-1)
    best = crops.new_zeros(crops.shape[:-1])
    if len(boxes):
        fractions = boxes / crops.new_tensor([width, height, width, height])
        best = iou(crops.flatten(0, -2), fractions).amax(dim=1).unflatten(0, best.shape)
    return Trials(crops, crops_px, best, centres_inside(boxes, crops_px).sum(dim=-1))


class Search(NamedTuple):
    """The results of Caffe's samplers on one picture: S samplers with T trials each."""

    minima: tuple[float, ...]
    """``[S]``, the minimum IoU of each sampler; the whole picture needs no trial."""
    trials: Trials
    """``[S, T]``."""
    first: list[int | None]
    """``[S]``, the first trial that each accepts; None if it accepts none."""
    chosen: int | None
    """The sampler whose first success is used; None for the whole picture."""


def caffe_search(policy: CropPolicy, boxes: Tensor, height: int, width: int) -> Search:
    """Take each sampler's first success, then draw one of those (Caffe, ``GenerateBatchSamples``).

    Uses torch's global random generator. Arguments as for `draw_crop`.
    """
    minima = tuple(t for t in policy.min_ious if t is not None)
    trials = caffe_trials(policy, boxes, height, width, torch.rand(len(minima), policy.trials, 4))
    good = trials.best_iou >= torch.tensor(minima, dtype=torch.float64)[:, None]
    good &= (trials.keeps > 0) if policy.needs_object else bool(len(boxes))
    place = good.int().argmax(dim=1).tolist()
    found = zip(good.any(dim=1).tolist(), place, strict=True)
    first = [trial if succeeded else None for succeeded, trial in found]
    options = [i for i, trial in enumerate(first) if trial is not None]
    options += [None] * policy.min_ious.count(None)  # the whole picture never fails
    return Search(minima, trials, first, options[int(torch.randint(len(options), ()))])


def _draw_among_all(policy: CropPolicy, boxes: Tensor, height: int, width: int) -> Crop | None:
    search = caffe_search(policy, boxes, height, width)
    if search.chosen is None:
        return None
    return tuple(search.trials.crops_px[search.chosen, search.first[search.chosen]].int().tolist())


# --- the ports ------------------------------------------------------------------------------------


def _draw_sampler_first(policy: CropPolicy, boxes: Tensor, height: int, width: int) -> Crop | None:
    """Draw as torchvision's ``RandomIoUCrop``, random numbers included, with any settings."""
    while True:
        threshold = policy.min_ious[int(torch.randint(len(policy.min_ious), (1,)))]
        if threshold is None:
            return None
        for crop in _sides(policy, height, width):
            inside = centres_inside(boxes, crop)
            if policy.needs_object and not inside.any():
                continue
            judged = {"any": boxes, "kept": boxes[inside], "none": None}[policy.iou_with]
            if judged is not None and len(judged) and iou(judged, crop[None]).max() < threshold:
                continue
            return tuple(crop.int().tolist())


def _sides(policy: CropPolicy, height: int, width: int) -> Iterator[Tensor]:
    """Return crops, ``[4]`` xyxy in whole pixels, of the trials whose aspect ratio is allowed."""
    low, high = policy.scales
    for _ in range(policy.trials):
        u = low + (high - low) * torch.rand(2)
        w, h = int(width * u[0]), int(height * u[1])
        if w == 0 or h == 0 or not policy.aspects[0] <= w / h <= policy.aspects[1]:
            continue
        u = torch.rand(2)
        left, top = int((width - w) * u[0]), int((height - h) * u[1])
        yield torch.tensor([left, top, left + w, top + h], dtype=torch.float32)
