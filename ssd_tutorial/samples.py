"""What a training sees: pictures in an order, augmented, in batches (chapter 12).

Everything here is a pure function of the seed and the sample's number. That is why a run can start
again in the middle, and why the number of loading processes changes nothing.
"""

import functools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from ssd_tutorial.augment import Item, Transform, resize
from ssd_tutorial.targets import Targets, make_targets

_ORDER, _AUGMENTATION = 0, 1  # two streams of random numbers from one seed


class Samples(Dataset):
    """The whole run as one long dataset: sample i is the picture that step i // batch_size needs.

    Every epoch is a permutation, drawn from the seed and the epoch's number; every sample's
    augmentation is seeded by its own number. So a run can start again anywhere.
    """

    def __init__(self, dataset: Dataset, transform: Transform, count: int, seed: int):
        if len(dataset) == 0:
            raise ValueError("the dataset is empty: there is nothing to train on")
        self.dataset, self.transform, self.count, self.seed = dataset, transform, count, seed
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, i: int) -> Item:
        epoch, place = divmod(i, len(self.dataset))
        if epoch != self._epoch:
            generator = torch.Generator().manual_seed(_mix(self.seed, _ORDER, epoch))
            self._epoch = epoch
            self._order = torch.randperm(len(self.dataset), generator=generator)
        item = self.dataset[int(self._order[place])]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(_mix(self.seed, _AUGMENTATION, i))
            return self.transform(item)


class Resized(Dataset):
    """A dataset in memory: every picture decoded (or drawn) and resized once, then kept."""

    def __init__(self, dataset: Dataset, size: int, workers: int = 0, progress: bool | None = None):
        self.classes = dataset.classes
        loader = DataLoader(
            _Mapped(dataset, resize(size)),
            batch_size=8,
            num_workers=workers,
            collate_fn=list,
        )
        hide = None if progress is None else not progress
        self._items: list[Item] = []
        with tqdm(total=len(dataset), desc="pictures", unit="", disable=hide, leave=False) as bar:
            for items in loader:
                self._items += [_own(item) for item in items]
                bar.update(len(items))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, i: int) -> Item:
        return self._items[i]


def _own(item: Item) -> Item:
    """A copy: workers hand over shared memory, and each tensor in it holds a file open."""
    image, target = item
    copied = {k: v.clone() if isinstance(v, Tensor) else v for k, v in target.items()}
    return image.clone(), copied


class _Mapped(Dataset):
    def __init__(self, dataset: Dataset, transform: Transform):
        self.dataset, self.transform = dataset, transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> Item:
        return self.transform(self.dataset[i])


def load_batches(
    samples: Samples, batch_size: int, num_classes: int, first_step: int = 0, workers: int = 0
) -> Iterator[tuple[Tensor, Targets, list[str]]]:
    """Batches from step `first_step` on.

    Yields:
        images ``[B, 3, S, S]`` uint8, their targets, and the pictures' names.

    Raises:
        ValueError: an impossible box or label, with the picture's name (see `make_targets`).
    """
    loader = DataLoader(
        samples,
        batch_size=batch_size,
        sampler=range(first_step * batch_size, len(samples)),
        num_workers=workers,
        collate_fn=functools.partial(_collate, num_classes),
        persistent_workers=workers > 0,
    )
    return iter(loader)


def _collate(num_classes: int, items: list[Item]) -> tuple[Tensor, Targets, list[str]]:
    images = torch.stack([image.as_subclass(Tensor) for image, _ in items])
    names = [target["name"] for _, target in items]
    boxes = [target["boxes"].as_subclass(Tensor) / images.shape[-1] for _, target in items]
    labels = [target["labels"] for _, target in items]
    return images, make_targets(boxes, labels, num_classes, names), names


def _mix(*numbers: int) -> int:
    """One seed out of several numbers, such that neighbours are nothing alike."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
