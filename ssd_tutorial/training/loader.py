"""The training input pipeline: deterministic order, augmentation, batches (chapter 12).

Everything here is a pure function of the seed and the sample's number. Therefore a run can resume
anywhere, and the number of loader processes does not change it.
"""

import copy
import functools
import itertools
import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.augment import Item, Transform, resize
from ssd_tutorial.datasets import SkipUnreadable, UnreadablePicture
from ssd_tutorial.targets import Targets, make_targets

_ORDER, _AUGMENTATION = 0, 1  # two streams of random numbers from one seed


class TrainingStream(Dataset):
    """The whole run as one long dataset: sample i is the picture that step i // batch_size needs.

    Every epoch is a permutation, drawn from the seed and the epoch's number; every sample's
    augmentation is seeded by its own number. So a run can resume anywhere.

    Args:
        on_error: what to do with a picture that cannot be decoded: ``"raise"`` its error, or
            ``"drop"`` it and use the epoch's next one, with the reason in ``target["dropped"]``.
        repeats: how often an epoch shows each picture, ``[len(dataset)]``, on average; None shows
            each once. See `repeat_factors`.
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        count: int,
        seed: int,
        on_error: Literal["raise", "drop"] = "raise",
        repeats: Tensor | None = None,
    ):
        self._repeats = torch.ones(len(dataset)).double() if repeats is None else repeats
        self._epoch_length = round(self._repeats.sum().item())
        self.dataset, self.transform, self.count, self.seed = dataset, transform, count, seed
        self._readable = SkipUnreadable(dataset, on_error)
        self._epoch, self._order = -1, list[int]()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Item:
        epoch, place = divmod(i, self._epoch_length)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._order_of(epoch)
        dropped: list[str] = []
        for k in itertools.chain(range(place, len(self._order)), range(place)):
            item = self._readable[self._order[k]]
            if not isinstance(item, str):
                break
            dropped.append(item)
        else:
            raise UnreadablePicture(f"none of the {len(self.dataset)} pictures can be read")
        with torch.random.fork_rng(devices=[]):
            # torch.manual_seed would also queue a seed for each GPU, which takes a millisecond
            torch.default_generator.manual_seed(_mix(self.seed, _AUGMENTATION, i))
            image, target = self.transform(item)
        return image, {**target, "dropped": tuple(dropped)}

    def _order_of(self, epoch: int) -> list[int]:
        """Return the pictures of an epoch: each as often as it repeats, rounded up or down.

        Equally spaced marks, from a random start on, fall on a line on which each picture has its
        repeats as length (systematic sampling): so all epochs have the same number of samples,
        where LVIS' independent rounding makes every epoch another size.
        """
        generator = torch.Generator().manual_seed(_mix(self.seed, _ORDER, epoch))
        order = torch.randperm(self._epoch_length, generator=generator)
        ends = self._repeats.cumsum(0)
        marks = torch.rand(1, generator=generator, dtype=torch.float64) + torch.arange(len(order))
        marks = marks * ends[-1] / len(order)
        return torch.searchsorted(ends, marks, right=True).clamp(max=len(ends) - 1)[order].tolist()


class CachedDataset(Dataset):
    """A dataset in memory: every picture decoded (or drawn) and resized once, then kept.

    All objects stay, however small: a random crop may enlarge them, and measuring counts them.

    Args:
        on_error: as in `TrainingStream`; ``dropped`` lists what was left out, and why.
    """

    def __init__(
        self,
        dataset: Dataset,
        size: int,
        workers: int = 0,
        progress: bool | None = None,
        on_error: Literal["raise", "drop"] = "raise",
    ):
        self.classes = dataset.classes
        readable = SkipUnreadable(dataset, on_error)
        small = functools.partial(_resized, resize(size, smallest_px=0))
        loader = DataLoader(readable, batch_size=8, num_workers=workers, collate_fn=small)
        self._items: list[Item] = []
        self.dropped: list[str] = []
        with progress_bar(None, "pictures", progress, len(dataset)) as bar:
            for item in itertools.chain.from_iterable(loader):
                kept = self.dropped if isinstance(item, str) else self._items
                # a copy: each tensor from a worker is shared memory, and keeps a file open
                kept.append(copy.deepcopy(item))
                bar.update()

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, i: int) -> Item:
        return self._items[i]

    def target(self, i: int) -> dict:
        """Return only the target of item `i`."""
        return self._items[i][1]


def _resized(transform: Transform, items: list[Item | str]) -> list[Item | str]:
    """Resize items; keep the reason where one cannot be read."""
    return [item if isinstance(item, str) else transform(item) for item in items]


class Batch(NamedTuple):
    """The images and targets of one step."""

    images: Tensor
    """``[B, 3, S, S]`` uint8."""
    targets: Targets
    names: list[str]
    """The pictures' names."""
    dropped: list[str]
    """Why pictures were replaced: they could not be decoded."""

    def to(self, device: torch.device) -> "Batch":
        """Move the batch to a device; its images are channels last."""
        images = self.images.to(device, memory_format=torch.channels_last, non_blocking=True)
        return self._replace(images=images, targets=self.targets.to(device))

    def parts(self, count: int) -> Iterator["Batch"]:
        """Yield up to `count` parts of nearly equal size, which add up to the batch."""
        size = math.ceil(len(self.names) / count)
        for start in range(0, len(self.names), size):
            its = slice(start, start + size)
            targets = Targets(*(field[its] for field in self.targets))
            yield Batch(self.images[its], targets, self.names[its], self.dropped)


def load_batches(
    samples: TrainingStream,
    batch_size: int,
    num_classes: int,
    first_step: int = 0,
    workers: int = 0,
    share: tuple[int, int] = (0, 1),
    pin_memory: bool = False,
) -> Iterator[Batch]:
    """Return an iterator over the batches from step `first_step` on.

    Args:
        share: number of this process and of all: each takes an equal part of every batch.
        pin_memory: load into page-locked memory, from which a GPU can copy directly.

    Raises:
        ValueError: an impossible box or label, with the picture's name (see `make_targets`); a
            batch that the processes cannot share equally.
    """
    number, count = share
    if batch_size % count or (len(samples) % batch_size and count > 1):
        raise ValueError(
            f"{count} processes cannot share batches of {batch_size} pictures, {len(samples)} in"
            f" all, equally: take a batch size that {count} divides, and that divides the samples"
        )
    starts = range(first_step * batch_size, len(samples), batch_size)
    loader = DataLoader(
        samples,
        batch_sampler=(  # lazily: a long run has millions of batches
            range(start, min(start + batch_size, len(samples)))[number::count] for start in starts
        ),
        num_workers=workers,
        collate_fn=functools.partial(collate, num_classes),
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )
    return iter(loader)


def collate(num_classes: int, items: list[Item]) -> Batch:
    """Make a batch of items of the network's size; `ValueError` names an impossible object."""
    images = torch.stack([image.as_subclass(Tensor) for image, _ in items])
    targets = [target for _, target in items]
    names = [target["name"] for target in targets]
    boxes = [target["boxes"].as_subclass(Tensor) / images.shape[-1] for target in targets]
    labels = [target["labels"] for target in targets]
    dropped = [reason for target in targets for reason in target.get("dropped", ())]
    return Batch(images, make_targets(boxes, labels, num_classes, names), names, dropped)


def _mix(*numbers: int) -> int:
    """Return one seed made of several numbers; adjacent numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
