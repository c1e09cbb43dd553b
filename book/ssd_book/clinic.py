"""Faults to train with, and a training loop that checks nothing (chapter 17).

The package refuses several of these faults by name, so that its own loop can't show what they do.
Here is what a code base does that looks at nothing: the loss as ports of SSD compute it, and a loop
around it. A fault changes the batch after augmentation, the settings, or the variances.
`tools/record_faults.py` records a run with each in data/runs/faults.
"""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, Subset

from ssd_tutorial._files import data_path
from ssd_tutorial.augment import training_transform
from ssd_tutorial.boxes import VARIANCES, cxcywh_to_xyxy, encode, iou
from ssd_tutorial.datasets import SCENE_CLASSES
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.network import SSD
from ssd_tutorial.training.loader import TrainingStream
from ssd_tutorial.training.loop import learning_rate, make_optimizer
from ssd_tutorial.training.recipes import RECIPES, Recipe

RECIPE = replace(RECIPES["laptop"], samples=960, batch_size=8, precision="fp32")
"""What every recorded run has in common, but for its fault."""
PICTURES = 320
UNSEEN = 40
EVERY = 160  # samples between two measurements on unseen pictures


class Seen(NamedTuple):
    """A batch as the network and the loss get it, unchecked and unpadded."""

    images: Tensor
    """``[B, 3, S, S]`` float, in [0, 1] if nothing is wrong."""
    boxes: list[Tensor]
    """For each image ``[N, 4]`` xyxy, in fractions of the image if nothing is wrong."""
    labels: list[Tensor]
    """For each image ``[N]``, from 1 if nothing is wrong."""
    names: list[str]


def as_it_should_be(seen: Seen) -> Seen:
    """Return the batch as it is."""
    return seen


def turn_over(seen: Seen, every: int = PICTURES, first: int = 100) -> Seen:
    """Exchange xmin and xmax of the first box of one picture in `every`."""
    boxes = [
        _turned(box) if _number(name) % every == first else box
        for box, name in zip(seen.boxes, seen.names, strict=True)
    ]
    return seen._replace(boxes=boxes)


def _turned(boxes: Tensor) -> Tensor:
    boxes = boxes.clone()
    boxes[:1] = boxes[:1, [2, 1, 0, 3]]
    return boxes


def _number(name: str) -> int:
    return int(name.rsplit("_", 1)[-1])


def in_pixels(seen: Seen) -> Seen:
    """Leave the boxes in pixels, where the priors are in fractions."""
    size = seen.images.shape[-1]
    return seen._replace(boxes=[boxes * size for boxes in seen.boxes])


def count_from_zero(seen: Seen) -> Seen:
    """Give the first class label 0, which is the background's."""
    return seen._replace(labels=[labels - 1 for labels in seen.labels])


def lose_boxes(seen: Seen, share: float = 1 / 3) -> Seen:
    """Leave a share of the pictures without boxes, always the same ones."""
    empty = [_number(name) % 30 < round(30 * share) for name in seen.names]
    return seen._replace(
        boxes=[b[:0] if none else b for b, none in zip(seen.boxes, empty, strict=True)],
        labels=[n[:0] if none else n for n, none in zip(seen.labels, empty, strict=True)],
    )


def shift_annotations(seen: Seen) -> Seen:
    """Give each picture of the batch the boxes of the next one."""
    return seen._replace(
        boxes=seen.boxes[1:] + seen.boxes[:1], labels=seen.labels[1:] + seen.labels[:1]
    )


def flip_pictures(seen: Seen) -> Seen:
    """Flip every other picture left to right, and leave its boxes where they were."""
    images = [
        image.flip(-1) if _number(name) % 2 else image
        for image, name in zip(seen.images, seen.names, strict=True)
    ]
    return seen._replace(images=torch.stack(images))


def skip_scaling(seen: Seen) -> Seen:
    """Feed the pixels as they are stored, 0 to 255."""
    return seen._replace(images=seen.images * 255)


@dataclass(frozen=True)
class Fault:
    """What is wrong with a run."""

    name: str
    change: Callable[[Seen], Seen] = as_it_should_be
    """What it does to a batch."""
    settings: Mapping = field(default_factory=dict)
    """Settings of the recipe that it changes."""
    variances: Sequence[float] = VARIANCES
    pictures: int = PICTURES
    everywhere: bool = False
    """Whether unseen pictures are read with the same fault: the code that reads them is shared."""


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault("none"),
        Fault("boxes of the next picture", shift_annotations),
        Fault("learning rate too high", settings={"lr": 0.1}),
        Fault("learning rate too low", settings={"lr": 3e-5}),
        Fault("label 0", count_from_zero, everywhere=True),
        Fault("boxes in pixels", in_pixels, everywhere=True),
        Fault("an inverted box", turn_over),
        Fault("pictures without boxes", lose_boxes, settings={"batch_size": 4}),
        Fault("variances forgotten", variances=(1.0,) * 4, everywhere=True),
        Fault("normalisation forgotten", skip_scaling),
        Fault("too few pictures", pictures=16, settings={"horizontal_flip": False}),
        Fault("boxes not flipped", flip_pictures, settings={"horizontal_flip": False}),
    )
}


@cache
def read_faults(folder: str = "runs/faults") -> dict[str, tuple[dict, list["Report"]]]:
    """Return the recorded runs by the name of their fault: what the record says, and the steps."""
    where = data_path(folder)
    runs = json.loads((where / "result.json").read_text(encoding="utf-8"))["runs"]
    return {name: (run, _read_steps(where / run["file"])) for name, run in runs.items()}


def _read_steps(path: Path) -> list["Report"]:
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Report(
                int(row["samples"]),
                *(float(row[name]) for name in ("total", "confidence", "localization")),
                int(row["positives"]),
                float(row["unseen"]) if row["unseen"] else None,
            )
            for row in csv.DictReader(file)
        ]


def unchecked_targets(
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
    priors_cxcywh: Tensor,
    variances: Sequence[float] = VARIANCES,
) -> tuple[Tensor, Tensor]:
    """Return the class ``[B, P]`` and the offsets ``[B, P, 4]`` that each prior should predict.

    Each object takes its best prior, even one that it does not touch; then every prior with an IoU
    of 0.5 takes the object that it overlaps most. No argument is checked.
    """
    corners = cxcywh_to_xyxy(priors_cxcywh)
    classes = torch.zeros(len(boxes), len(corners), dtype=torch.long)
    wanted = torch.zeros(len(boxes), len(corners), 4)
    for image, (its_boxes, its_labels) in enumerate(zip(boxes, labels, strict=True)):
        if not len(its_boxes):
            continue
        overlap = iou(its_boxes, corners)  # [N, P]
        best, owner = overlap.max(dim=0)  # [P]
        favourite = overlap.argmax(dim=1)  # [N]; of zeros alone, prior 0
        for one, prior in enumerate(favourite.tolist()):
            best[prior], owner[prior] = 2.0, one
        classes[image] = its_labels[owner] * (best >= 0.5)
        wanted[image] = encode(its_boxes[owner], priors_cxcywh, variances)
    return classes, wanted


class Losses(NamedTuple):
    """What `unchecked_loss` returns; each part is divided by the number of positives."""

    total: Tensor
    confidence: Tensor
    localization: Tensor
    num_positives: Tensor


def unchecked_loss(
    logits: Tensor,
    offsets: Tensor,
    boxes: Sequence[Tensor],
    labels: Sequence[Tensor],
    priors_cxcywh: Tensor,
    variances: Sequence[float] = VARIANCES,
) -> Losses:
    """Return the MultiBox loss as ports of SSD compute it: no argument is checked.

    A positive is a prior whose class is above 0. The sums are divided by the number of positives,
    even by 0. Of sound ground truths, this is `ssd_tutorial.loss.multibox_loss` with matches of
    ``method="argmax"``.
    """
    classes, wanted = unchecked_targets(boxes, labels, priors_cxcywh, variances)
    positive = classes > 0
    with torch.no_grad():
        background_loss = -logits.log_softmax(dim=-1)[..., 0]
    counted = positive | hard_negatives(background_loss.nan_to_num(nan=torch.inf), positive)
    confidence = F.cross_entropy(logits[counted], classes[counted], reduction="sum")
    localization = F.smooth_l1_loss(offsets[positive], wanted[positive], reduction="sum")
    n = positive.sum()
    confidence, localization = confidence / n, localization / n
    return Losses(confidence + localization, confidence, localization, n)


@dataclass(frozen=True)
class Checks:
    """What can be measured on the first samples of a run without training."""

    inputs: tuple[float, float]
    """Smallest and largest number that the first convolution gets."""
    corners: tuple[float, float]
    """Smallest and largest corner of a box."""
    narrowest: float
    """The least xmax - xmin."""
    labels: tuple[int, int]
    """Smallest and largest label."""
    empty: float
    """Share of the pictures without a box."""
    positives: float
    """Positive priors per picture."""
    spread: float
    """Standard deviation of the offsets that positives should predict, all four together."""
    different: int
    """How many different pictures there are among the samples."""


def check(fault: Fault, pictures: Dataset, samples: int = PICTURES) -> Checks:
    """Measure what a run with a fault feeds to its network and its loss."""
    network = SSD(RECIPE.model_preset(), 2)
    inputs, boxes, labels, names, empty, positives, offsets = [], [], [], [], 0, 0, []
    for seen in batches(fault, pictures, replace(RECIPE, samples=samples, **fault.settings)):
        inputs += [x.item() for x in ((seen.images - network.mean) / network.std).aminmax()]
        boxes += seen.boxes
        labels += seen.labels
        names += seen.names
        empty += sum(not len(its) for its in seen.boxes)
        classes, wanted = unchecked_targets(
            seen.boxes, seen.labels, network.priors, fault.variances
        )
        positives += int((classes > 0).sum())
        offsets.append(wanted[classes > 0])
    every, kinds, moves = torch.cat(boxes), torch.cat(labels), torch.cat(offsets)
    return Checks(
        inputs=(min(inputs), max(inputs)),
        corners=tuple(x.item() for x in every.aminmax()),
        narrowest=(every[:, 2] - every[:, 0]).min().item(),
        labels=tuple(x.item() for x in kinds.aminmax()),
        empty=empty / len(names),
        positives=positives / len(names),
        spread=moves[moves.isfinite().all(dim=1)].std().item(),
        different=len(set(names)),
    )


RULES: dict[str, tuple[str, Callable[[Mapping], bool]]] = {
    "inputs": ("the network gets no number beyond 10", lambda c: max(map(abs, c["inputs"])) <= 10),
    "corners": (
        "box corners lie between 0 and 1",
        lambda c: c["corners"][0] >= -0.001 and c["corners"][1] <= 1.001,
    ),
    "narrowest": ("xmax − xmin is above 0", lambda c: c["narrowest"] > 0),
    "labels": ("labels begin at 1", lambda c: c["labels"][0] >= 1),
    "empty": ("no picture is without a box", lambda c: c["empty"] == 0),
    "positives": ("a picture has 10 positives or more", lambda c: c["positives"] >= 10),
    "spread": ("targets spread by 0.5 to 3", lambda c: 0.5 <= c["spread"] <= 3),
    "different": (
        "no picture comes twice in the first 320 samples",
        lambda c: c["different"] == PICTURES,
    ),
}
"""By the name of a measurement: what should hold of it, in words and as a test of `Checks`."""


class Report(NamedTuple):
    """The losses of one step, of the batch that it learned from."""

    samples: int
    total: float
    confidence: float
    localization: float
    positives: int
    unseen: float | None = None
    """The loss on unseen pictures after the step, if it was measured."""


def train_unchecked(
    fault: Fault,
    pictures: Dataset,
    unseen: Dataset | None = None,
    recipe: Recipe = RECIPE,
    steps: int | None = None,
) -> Iterator[Report]:
    """Train slim300 with a fault; yield each step's losses, and end after one that is NaN.

    Without a fault and in float32, these are the steps of `ssd_tutorial.training.loop.train`.

    Args:
        fault: what is wrong.
        pictures: items of 300 x 300 px; a fault may take the first few alone.
        unseen: pictures to measure the loss on, every `EVERY` samples.
        recipe: the settings; the fault's replace them.
        steps: how many steps to take; None takes all.
    """
    recipe = replace(recipe, **fault.settings)
    torch.manual_seed(recipe.seed)
    network = SSD(recipe.model_preset(), len(SCENE_CLASSES) + 1)
    network = network.to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(network, recipe)
    whole = math.ceil(recipe.samples / recipe.batch_size)
    for step, seen in enumerate(batches(fault, pictures, recipe)):
        if step == (whole if steps is None else steps):
            return
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, whole, recipe) * group["factor"]
        optimizer.zero_grad()
        losses = _losses(network, seen, fault)
        losses.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), recipe.grad_clip_norm)
        optimizer.step()
        before, after = step * recipe.batch_size, (step + 1) * recipe.batch_size
        measures = unseen is not None and after // EVERY > before // EVERY
        found = measure(network, unseen, fault) if measures else None
        *parts, positives = (value.item() for value in losses)
        yield Report(after, *parts, positives, found)
        if not math.isfinite(parts[0]):
            return


def batches(fault: Fault, pictures: Dataset, recipe: Recipe) -> Iterator[Seen]:
    """Yield the batches of a run as its network gets them."""
    some = Subset(pictures, range(fault.pictures))
    transform = training_transform(300, horizontal_flip=recipe.horizontal_flip)
    stream = TrainingStream(some, transform, recipe.samples, recipe.seed)
    for first in range(0, recipe.samples, recipe.batch_size):
        numbers = range(first, min(first + recipe.batch_size, recipe.samples))
        yield fault.change(collate([stream[i] for i in numbers]))


def collate(items: Sequence[tuple]) -> Seen:
    """Make a batch of items, without the checks of `ssd_tutorial.training.loader.collate`."""
    images = torch.stack([image.as_subclass(Tensor) for image, _ in items]) / 255
    targets = [target for _, target in items]
    return Seen(
        images,
        [target["boxes"].as_subclass(Tensor) / images.shape[-1] for target in targets],
        [target["labels"] for target in targets],
        [target["name"] for target in targets],
    )


@torch.no_grad()
def measure(network: SSD, unseen: Dataset, fault: Fault) -> float:
    """Return the loss per positive over all of `unseen`, with the network as it would be used."""
    network.eval()
    total, positives = 0.0, 0
    for first in range(0, len(unseen), 8):
        seen = collate([unseen[i] for i in range(first, min(first + 8, len(unseen)))])
        losses = _losses(network, fault.change(seen) if fault.everywhere else seen, fault)
        total += float(losses.total * losses.num_positives)
        positives += int(losses.num_positives)
    network.train()
    return total / max(positives, 1)


def _losses(network: SSD, seen: Seen, fault: Fault) -> Losses:
    images = seen.images.contiguous(memory_format=torch.channels_last)
    logits, offsets = network(images)
    return unchecked_loss(logits, offsets, seen.boxes, seen.labels, network.priors, fault.variances)
