"""Pictures that cannot be decoded: fatal, or a reason in their place."""

import pytest
from torch.utils.data import DataLoader

from ssd_tutorial.datasets import SkipUnreadable, UnreadablePicture


class Damaged(list):
    def __getitem__(self, index):
        if index == 1:
            raise UnreadablePicture("b.jpg cannot be decoded")
        return super().__getitem__(index), {}


@pytest.mark.parametrize("workers", [0, 1])
def test_the_reason_is_returned_instead_of_an_unreadable_picture(workers):
    items = SkipUnreadable(Damaged("abc"), "drop")
    loaded = DataLoader(items, batch_size=3, num_workers=workers, collate_fn=list)
    assert list(loaded) == [[("a", {}), "b.jpg cannot be decoded", ("c", {})]]


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_picture_raises_if_told_to(workers):
    items = SkipUnreadable(Damaged("abc"), "raise")
    with pytest.raises(UnreadablePicture, match="b.jpg cannot be decoded"):
        list(DataLoader(items, batch_size=3, num_workers=workers, collate_fn=list))
