"""The training input pipeline: deterministic order, augmentation, batches (chapter 12).

Everything here is a pure function of the seed and the sample's number. Therefore a run can resume
anywhere, and the number of loader processes does not change it.
"""

import copy
import functools
import itertools
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
    """

    def __init__(
        self,
        dataset: Dataset,
        transform: Transform,
        count: int,
        seed: int,
        on_error: Literal["raise", "drop"] = "raise",
    ):
        if len(dataset) == 0:
            raise ValueError("the dataset is empty: there is nothing to train on")
        self.dataset, self.transform, self.count, self.seed = dataset, transform, count, seed
        self._readable = SkipUnreadable(dataset, on_error)
        self._epoch, self._order = -1, list[int]()

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Item:
        epoch, place = divmod(i, len(self.dataset))
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(_mix(self.seed, _ORDER, epoch))
            self._order = torch.randperm(len(self.dataset), generator=generator).tolist()
            self._epoch = epoch
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


class CachedDataset(Dataset):
    """A dataset in memory: every picture decoded (or drawn) and resized once, then kept.

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
        small = functools.partial(_resized, resize(size))
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
        batch_sampler=[
            range(start, min(start + batch_size, len(samples)))[number::count] for start in starts
        ],
        num_workers=workers,
        collate_fn=functools.partial(_collate, num_classes),
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
    )
    return iter(loader)


def _collate(num_classes: int, items: list[Item]) -> Batch:
    images = torch.stack([image.as_subclass(Tensor) for image, _ in items])
    targets = [target for _, target in items]
    names = [target["name"] for target in targets]
    boxes = [target["boxes"].as_subclass(Tensor) / images.shape[-1] for target in targets]
    labels = [target["labels"] for target in targets]
    dropped = [reason for target in targets for reason in target["dropped"]]
    return Batch(images, make_targets(boxes, labels, num_classes, names), names, dropped)


def _mix(*numbers: int) -> int:
    """Return one seed made of several numbers; adjacent numbers give unrelated seeds."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
