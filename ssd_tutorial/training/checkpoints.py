"""The checkpoints of a run: two files, of which one is always whole (chapter 12)."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from ssd_tutorial.weights.file import DamagedWeights

CHECKPOINT = "checkpoint.safetensors"
PREVIOUS = "checkpoint-previous.safetensors"
NEXT = "checkpoint-next.safetensors"  # whole, and about to become the checkpoint

Contents = TypeVar("Contents")


class Found(NamedTuple):
    """A checkpoint that could be read."""

    path: Path
    contents: object
    """What the reading function returned."""
    passed_over: str
    """Why a newer one was not taken; empty if this is the newest."""


class Checkpoints:
    """The checkpoint of a folder and the one before it.

    Whatever moment a process is killed at, one of the two files is whole; whether a disk or a copy
    has damaged one of them since, its checksums tell (`weights`).
    """

    def __init__(self, folder: Path):
        self.newest, self.previous = folder / CHECKPOINT, folder / PREVIOUS
        self._next = folder / NEXT
        self._keeps_newest = True

    def read(self, read: Callable[[Path], Contents]) -> Found | None:
        """Read the newest good one; None if there is none.

        Args:
            read: from a path; raises `DamagedWeights` if it must not be used.

        Raises:
            ValueError: there are checkpoints, and all of them are damaged.
        """
        damaged: list[DamagedWeights] = []
        for path in (self.newest, self.previous):
            if path.is_file():
                try:
                    contents = read(path)
                except DamagedWeights as error:
                    damaged.append(error)
                    continue
                # a damaged one must not take the place of this one at the next `save`
                self._keeps_newest = not damaged
                missing = "" if path == self.newest else f"{self.newest} is missing"
                return Found(path, contents, str(damaged[0]) if damaged else missing)
        if damaged:
            raise ValueError(
                f"{self.newest.parent} has no good checkpoint ({'; '.join(map(str, damaged))}):"
                f" remove {'it' if len(damaged) == 1 else 'both'} to start anew, or give another"
                f" folder"
            )
        return None

    def save(self, write: Callable[[Path], None]) -> None:
        """Write a new one; the newest becomes the one before. If `write` raises, both stay.

        Args:
            write: to a path, completely or not at all.
        """
        write(self._next)
        if self._keeps_newest and self.newest.is_file():
            os.replace(self.newest, self.previous)
        os.replace(self._next, self.newest)
        self._keeps_newest = True

    def files(self) -> tuple[Path, ...]:
        """All that may lie in the folder."""
        return self.newest, self.previous, self._next
