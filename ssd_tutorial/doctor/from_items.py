"""Read datasets without files, such as drawn scenes, as `Records`: every item once."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.records import RawObject, RawPicture, Records
from ssd_tutorial.doctor.picture_rules import PictureFacts, facts_of


def read_items(
    items: Mapping[str, Dataset], title: str, workers: int = 0, progress: bool | None = None
) -> tuple[Records, dict[str, PictureFacts]]:
    """Read every item of every split.

    Args:
        items: one dataset per split, with items as those of `VOCFolder` and ``classes``.
        title: the name of the dataset.
        workers: processes that read the items; 0 reads them here.
        progress: see `examine`.
    """
    records, facts = Records(Path(title), "drawn"), {}
    for split, dataset in items.items():
        records.classes = records.classes or tuple(dataset.classes)
        loader = DataLoader(
            dataset,
            num_workers=workers,
            collate_fn=_look,
            generator=torch.Generator(),  # its own, as the loader draws a seed
        )
        names = []
        for name, seen, boxes, labels in progress_bar(loader, split, progress, len(dataset)):
            objects = []
            for number, (box, label) in enumerate(zip(boxes, labels, strict=True), 1):
                written = tuple(f"{value:.2f}" for value in box)
                objects.append(RawObject(number, records.classes[label - 1], written, tuple(box)))
            records.pictures[name] = RawPicture(name, None, None, name, seen.size, tuple(objects))
            facts[name] = seen
            names.append(name)
        records.splits[split] = tuple(names)
    return records, facts


def _look(items: list[tuple]) -> tuple[str, PictureFacts, list, list]:
    """Return what `Records` needs of a batch of one item: workers extract it."""
    ((image, target),) = items
    return target["name"], facts_of(image), target["boxes"].tolist(), target["labels"].tolist()
