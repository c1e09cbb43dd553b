"""A dataset with other classes: renamed, merged, or left out (chapter 16)."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors


class Relabelled(Dataset):
    """The same pictures with other classes, such as two classes merged into one.

    ::

        Relabelled(Scenes(150), {"airplane": "aircraft", "balloon": "aircraft", "cat": "cat"})

    Objects of a class without a new name are left out, and become background.

    Args:
        dataset: items as those of `AnnotatedFolder`, with ``classes``.
        names: the new name of each old class that is kept.

    Attributes:
        classes: the new names, each once, in the order in which ``names`` has them.

    Raises:
        ValueError: ``names`` is empty, or has an old name that is not a class of the dataset.
    """

    def __init__(self, dataset: Dataset, names: Mapping[str, str]) -> None:
        unknown = [name for name in names if name not in dataset.classes]
        if unknown or not names:
            raise ValueError(
                f"names must give new names to some of {', '.join(dataset.classes)}, but has"
                f" {', '.join(unknown) or 'none'}"
            )
        self.dataset, self.classes = dataset, tuple(dict.fromkeys(names.values()))
        new = [self.classes.index(names[old]) + 1 if old in names else 0 for old in dataset.classes]
        self._new = torch.tensor([0, *new])  # by old label; 0: left out

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        image, target = self.dataset[index]
        labels = self._new[target["labels"]]
        keep = labels > 0
        changed = {"labels": labels[keep], "difficult": target["difficult"][keep]}
        boxes = tv_tensors.wrap(target["boxes"][keep], like=target["boxes"])
        return image, {**target, **changed, "boxes": boxes}
