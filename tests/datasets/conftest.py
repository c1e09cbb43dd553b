"""Shared by the tests of several layouts: a dataset of given targets, and their comparison."""

import pytest
import torch
from torch.utils.data import Dataset
from torchvision import tv_tensors


class Items(Dataset):
    """Given objects, (box, label, difficult), over one smooth picture each."""

    classes = ("zebra", "ant", "R & B <3>")  # not sorted, and with characters that XML escapes

    def __init__(self, *objects, size=(40, 60), names=None):
        self.objects, self.size = objects, size
        self.names = names or [f"picture_{i}" for i in range(len(objects))]

    def __len__(self):
        return len(self.objects)

    def __getitem__(self, index):
        height, width = self.size
        rows = torch.linspace(0, 255, height)[:, None].expand(height, width)
        columns = torch.linspace(0, 200, width)[None, :].expand(height, width)
        image = torch.stack([rows, columns, (rows + columns + 20 * index) / 3]).clamp(0, 255)
        boxes = torch.tensor([o[0] for o in self.objects[index]], dtype=torch.float32)
        target = {
            "boxes": tv_tensors.BoundingBoxes(
                boxes.reshape(-1, 4), format="XYXY", canvas_size=self.size
            ),
            "labels": torch.tensor([o[1] for o in self.objects[index]], dtype=torch.int64),
            "difficult": torch.tensor([o[2] for o in self.objects[index]], dtype=torch.bool),
            "name": self.names[index],
        }
        return tv_tensors.Image(image.to(torch.uint8)), target


def same_target(a, b, px=0.0, difficult=True):
    """Return whether two targets are equal, their boxes within a number of pixels."""
    assert a["name"] == b["name"]
    for key in ("boxes", "labels", *(["difficult"] if difficult else [])):
        one, other = torch.as_tensor(a[key]), torch.as_tensor(b[key])
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        if key == "boxes" and px and one.numel():
            assert (one - other).abs().max() <= px
        else:
            assert torch.equal(one, other)
    assert a["boxes"].canvas_size == b["boxes"].canvas_size


@pytest.fixture(scope="session")
def items_of():
    return Items


@pytest.fixture(scope="session")
def same():
    return same_target
