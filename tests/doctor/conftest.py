"""A sound folder of drawn scenes, and a copy of it to plant faults in."""

import shutil

import pytest
import torch
from torch.utils.data import Dataset

from ssd_tutorial.datasets import Scenes, write_voc


class ThreeClasses(Dataset):
    """Small scenes whose twelve classes are thrown together into three, so that none is rare."""

    classes = ("red", "green", "blue")

    def __init__(self, count, start):
        self.scenes = Scenes(count, size=96, start=start)

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, index):
        image, target = self.scenes[index]
        boxes = target["boxes"]
        wide = ((boxes[:, 2:] - boxes[:, :2]) > 2).all(dim=1)  # thin slivers are no sound boxes
        return image, {
            "boxes": boxes[wide],
            "labels": target["labels"][wide] % 3 + 1,
            "difficult": target["difficult"][wide],
            "name": f"p{self.scenes.start + index}",
        }


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """Pictures p0 … p29 in train, p100 … p109 in val. Do not change it: see `own`."""
    root = tmp_path_factory.mktemp("doctor") / "drawn"
    torch.manual_seed(0)
    write_voc(ThreeClasses(30, 0), root, "train", progress=False)
    write_voc(ThreeClasses(10, 100), root, "val", progress=False)
    return root


@pytest.fixture
def own(clean, tmp_path):
    """A copy to damage."""
    return shutil.copytree(clean, tmp_path / "own")
