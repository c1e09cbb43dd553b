"""What can be learned from a data set, checked before the first step (chapters 12, 15, 16)."""

import itertools
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, Dataset

from ssd_tutorial.augment import CROP_POLICIES
from ssd_tutorial.augment.pipelines import SMALLEST_PX
from ssd_tutorial.training.recipes import Recipe


def targets_of(dataset: Dataset) -> Iterator[dict]:
    """Yield the dataset's targets, without decoding pictures if it has a method ``target``."""
    if isinstance(dataset, ConcatDataset):
        return itertools.chain.from_iterable(map(targets_of, dataset.datasets))
    read = getattr(dataset, "target", None) or (lambda i: dataset[i][1])
    return (read(i) for i in range(len(dataset)))


def check_learnable(dataset: Dataset, recipe: Recipe) -> str:
    """Refuse a dataset from which a recipe can learn nothing; describe what it cannot learn.

    An object that is narrower or lower than 3 px when the picture has the network's size is removed
    (`training_transform`). A random crop can make it up to as many times as large as the picture is
    larger than the smallest crop.

    If reading targets means decoding pictures, one object that can be learned is enough.

    Returns:
        How many objects cannot be learned, and what would help; empty if all can.

    Raises:
        ValueError: no pictures, no object, or none that is large enough; the message has the
        counts.
    """
    if len(dataset) == 0:
        raise ValueError("the dataset is empty: there is nothing to train on")
    size = recipe.model_preset().priors.image_size
    smallest = 1.0
    if recipe.crop and recipe.crop_prob:
        policy = CROP_POLICIES[recipe.crop]
        smallest = policy.scales[0] * policy.aspects[0] ** 0.5
    parts = dataset.datasets if isinstance(dataset, ConcatDataset) else [dataset]
    objects = tiny = 0
    for target in targets_of(dataset):
        sides = _sides_px(target["boxes"], size / smallest)
        objects += len(sides)
        tiny += int((sides < SMALLEST_PX).any(dim=1).sum())
        if objects > tiny and not all(hasattr(part, "target") for part in parts):
            return ""
    where = f"split {dataset.split!r}" if hasattr(dataset, "split") else "the dataset"
    if not objects:
        left_out = getattr(dataset, "dropped", None) or getattr(dataset, "left_out", None)
        why = f" ({dataset.summary()})" if left_out else ""
        raise ValueError(
            f"{where} has {len(dataset)} pictures and no object, so nothing can be learned{why}"
        )
    even = ", even in the smallest crop," if smallest < 1 else ""
    said = (
        f"{tiny} of {objects} objects are under {SMALLEST_PX:g} px at {size} px{even} and cannot be"
        f" learned: take a larger model (ssd512), or cut the pictures into tiles"
    )
    if tiny == objects:
        raise ValueError(f"{where}: {said}")
    return said if tiny else ""


def repeat_factors(dataset: Dataset, threshold: float) -> Tensor:
    """Return how often an epoch shows each picture, float64 ``[len(dataset)]``, 1 or more.

    A class that a share f of the pictures has asks for max(1, sqrt(threshold / f)); a picture
    follows the rarest of its classes (Gupta et al., LVIS, 2019).
    """
    labels = [target["labels"].unique().tolist() for target in targets_of(dataset)]
    pictures = torch.zeros(len(dataset.classes) + 1, dtype=torch.float64)
    for found in labels:
        pictures[found] += 1
    wanted = (threshold * len(labels) / pictures.clamp(min=1)).sqrt().clamp(min=1)
    return torch.stack([wanted[found].max() if found else wanted.new_ones(()) for found in labels])


def _sides_px(boxes: Tensor, size: float) -> Tensor:
    """Return widths and heights, ``[N, 2]``, in pixels of the picture stretched to `size`."""
    height, width = boxes.canvas_size
    edges = boxes.as_subclass(Tensor)
    return (edges[:, 2:] - edges[:, :2]) * size / torch.tensor([width, height])
