"""Several folders as one dataset: VOC 2007 and VOC 2012, say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from torchvision import tv_tensors

from ssd_tutorial.datasets.folder import AnnotatedFolder


class Joined(Dataset):
    """Datasets of the same classes, one after the other; items are those of `AnnotatedFolder`.

    Args:
        parts: the datasets.
        prefixes: for each, what stands in front of its pictures' names, such as ``"2007/"``.

    Attributes:
        parts: as given. ``classes``: of all parts. ``names``: with the prefixes.
        dropped, clipped, left_out: those of all parts.

    Raises:
        ValueError: parts with different classes, or two pictures of the same name.
    """

    def __init__(self, parts: Sequence[AnnotatedFolder], prefixes: Sequence[str]) -> None:
        self.parts = list(parts)
        self.classes = self.parts[0].classes
        for part in self.parts:
            if part.classes != self.classes:
                raise ValueError(
                    f"{part.root} has the classes {', '.join(part.classes)}, and "
                    f"{self.parts[0].root} has {', '.join(self.classes)}: give one list for both."
                )
        self.names = [
            prefix + name
            for part, prefix in zip(parts, prefixes, strict=True)
            for name in part.names
        ]
        if len(set(self.names)) < len(self.names):
            raise ValueError("two pictures have the same name: give each folder a prefix.")
        self._ends = np.cumsum([len(part) for part in self.parts])
        self.dropped = [bad for part in self.parts for bad in part.dropped]
        self.clipped = [bad for part in self.parts for bad in part.clipped]
        self.left_out = [bad for part in self.parts for bad in part.left_out]

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> tuple[tv_tensors.Image, dict[str, Any]]:
        part, place = self._place(index)
        image, target = part[place]
        return image, target | {"name": self.names[index]}

    def target(self, index: int) -> dict[str, Any]:
        """The target of item ``index`` alone; the picture is not decoded."""
        part, place = self._place(index)
        return part.target(place) | {"name": self.names[index]}

    def picture_path(self, index: int) -> Path:
        """Where the picture of item ``index`` lies."""
        part, place = self._place(index)
        return part.picture_path(place)

    def summary(self) -> str:
        """One line for each part."""
        return "\n".join(part.summary() for part in self.parts)

    def _place(self, index: int) -> tuple[AnnotatedFolder, int]:
        index = range(len(self))[index]
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self.parts[number], index - int(self._ends[number]) + len(self.parts[number])
