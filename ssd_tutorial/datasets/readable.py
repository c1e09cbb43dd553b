"""Pictures that cannot be decoded: fatal, or left out by name (chapter 16)."""

from typing import Literal

from torch.utils.data import Dataset

from ssd_tutorial.datasets.pictures import UnreadablePicture


class OrReason(Dataset):
    """A dataset's items; under ``on_bad="drop"``, the reason (a str) where one cannot be decoded.

    Loading processes hand on what `__getitem__` returns, and nothing else.
    """

    def __init__(self, dataset: Dataset, on_bad: Literal["raise", "drop"]):
        self.dataset, self.on_bad = dataset, on_bad

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple | str:
        try:
            return self.dataset[i]
        except UnreadablePicture as error:
            if self.on_bad == "raise":
                raise
            return str(error)
