"""Handle pictures that cannot be decoded: raise, or leave them out by name (chapter 16)."""

from typing import Literal

from torch.utils.data import Dataset

from ssd_tutorial.datasets.pictures import UnreadablePicture


class SkipUnreadable(Dataset):
    """A dataset's items; with ``on_error="drop"``, the reason (a str) if one cannot be decoded.

    It is returned, not raised or stored, since loader processes pass on return values only.
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
                raise UnreadablePicture(f"{error}. --on-error drop leaves it out") from error
            return str(error)
