"""Pictures that cannot be decoded: fatal, or left out by name (chapter 16)."""

from typing import Literal

from torch.utils.data import Dataset

from ssd_tutorial.datasets.pictures import UnreadablePicture


class SkipUnreadable(Dataset):
    """A dataset's items; under ``on_error="drop"``, the reason (a str) where one cannot be decoded.

    Loading processes hand on what `__getitem__` returns, and nothing else.
    """

    def __init__(self, dataset: Dataset, on_error: Literal["raise", "drop"]):
        self.dataset, self.on_error = dataset, on_error

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, i: int) -> tuple | str:
        try:
            return self.dataset[i]
        except UnreadablePicture as error:
            if self.on_error == "raise":
                raise
            return str(error)
