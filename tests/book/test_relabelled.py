"""Other class names for the same pictures."""

import pytest
import torch
from ssd_book.relabelled import Relabelled
from torchvision import tv_tensors

from ssd_tutorial.datasets import Scenes, open_dataset, write_voc

NAMES = {"airplane": "aircraft", "cat": "cat", "kite": "aircraft", "tree": "plant"}


def test_every_kept_object_has_its_new_name_and_its_own_box():
    old = Scenes(12, seed=3)
    new = Relabelled(old, NAMES)
    assert new.classes == ("aircraft", "cat", "plant")
    assert len(new) == 12
    kept = 0
    for (image, before), (same, after) in zip(
        map(old.__getitem__, range(12)), map(new.__getitem__, range(12)), strict=True
    ):
        assert torch.equal(image, same)
        assert after["name"] == before["name"]
        expected = [
            (NAMES[old.classes[label - 1]], box, hard)
            for label, box, hard in zip(
                before["labels"].tolist(),
                before["boxes"].tolist(),
                before["difficult"].tolist(),
                strict=True,
            )
            if old.classes[label - 1] in NAMES
        ]
        found = zip(
            [new.classes[label - 1] for label in after["labels"].tolist()],
            after["boxes"].tolist(),
            after["difficult"].tolist(),
            strict=True,
        )
        assert list(found) == expected
        kept += len(expected)
    assert kept > 5


def test_boxes_stay_bounding_boxes_of_the_picture_even_without_any_object():
    new = Relabelled(Scenes(12, seed=3), {"kite": "kite"})
    targets = [new[index][1] for index in range(12)]
    assert min(len(target["labels"]) for target in targets) == 0
    for target in targets:
        assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
        assert target["boxes"].canvas_size == (300, 300)
        assert target["boxes"].shape == (len(target["labels"]), 4)


def test_it_can_be_written_and_read_back(tmp_path):
    new = Relabelled(Scenes(6, seed=3), NAMES)
    write_voc(new, tmp_path, "train", progress=False)
    back = open_dataset(tmp_path, "train", classes=new.classes)
    for index in range(6):
        assert torch.equal(back[index][1]["boxes"], new[index][1]["boxes"])
        assert torch.equal(back[index][1]["labels"], new[index][1]["labels"])


@pytest.mark.parametrize(("names", "words"), [({"unicorn": "x"}, "unicorn"), ({}, "none")])
def test_unknown_and_missing_names_are_refused(names, words):
    with pytest.raises(ValueError, match=f"new names to some of airplane.*{words}"):
        Relabelled(Scenes(2), names)
