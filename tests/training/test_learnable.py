"""What a data set offers to learn, and what is refused before the first step."""

import pytest
import torch
from torch.utils.data import ConcatDataset
from torchvision import tv_tensors

from ssd_tutorial.training.learnable import check_learnable, repeat_factors
from ssd_tutorial.training.recipes import Recipe


class Annotations:
    """Targets without pictures: boxes of these sizes in pictures of 600 x 300 pixels."""

    classes = ("cat", "dog", "owl")

    def __init__(self, *sizes, labels=None):
        self.sizes, self.labels = sizes, labels

    def __len__(self):
        return len(self.sizes)

    def target(self, i):
        boxes = torch.tensor([[5, 5, 5 + w, 5 + h] for w, h in self.sizes[i]]).float().view(-1, 4)
        labels = torch.ones(len(boxes)).long() if self.labels is None else self.labels[i]
        boxes = tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(300, 600))
        return {"boxes": boxes, "labels": torch.as_tensor(labels)}


class Pictures(Annotations):
    """The same where a target costs a picture."""

    target = property()

    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.read = []

    def __getitem__(self, i):
        self.read.append(i)
        return None, Annotations.target(self, i)


def test_nothing_to_learn_is_refused_with_counts():
    with pytest.raises(ValueError, match="the dataset is empty: there is nothing to train on"):
        check_learnable(Annotations(), Recipe())
    empty = Annotations((), (), ())
    with pytest.raises(ValueError, match="^the dataset has 3 pictures and no object, so nothing"):
        check_learnable(empty, Recipe())
    empty.split, empty.dropped = "val", ["a box"]
    empty.summary = lambda: "a/val: dropped 1 impossible: a.xml"
    with pytest.raises(
        ValueError, match=r"^split 'val' has 3 .* learned \(a/val: dropped 1 imposs"
    ):
        check_learnable(empty, Recipe())


def test_objects_below_three_pixels_are_counted_at_the_networks_size():
    """600 x 300 pixels become 300 x 300: a width of 5.9 px is 2.95 px there, of 6 px 3 px."""
    mixed = Annotations([(5.9, 50), (6, 3)], [(60, 2.9)], [(50, 50)])
    assert check_learnable(mixed, Recipe()) == (
        "2 of 4 objects are under 3 px at 300 px and cannot be learned: take a larger model"
        " (ssd512), or cut the pictures into tiles"
    )
    assert check_learnable(Annotations([(6, 3)]), Recipe()) == ""
    tiny = Annotations([(5, 5)], [(2, 2)])
    with pytest.raises(
        ValueError, match="dataset: 2 of 2 objects are under 3 px at 300 px and can"
    ):
        check_learnable(tiny, Recipe())


def test_a_crop_makes_objects_larger():
    tiny = Annotations([(5, 2.5)])
    assert check_learnable(tiny, Recipe(crop="caffe")) == ""
    with pytest.raises(ValueError, match="under 3 px at 300 px, even in the smallest crop, and"):
        check_learnable(Annotations([(5, 0.5)]), Recipe(crop="caffe"))
    with pytest.raises(ValueError, match="cannot be learned"):
        check_learnable(tiny, Recipe(crop="caffe", crop_prob=0))


def test_pictures_are_decoded_only_until_one_can_be_learned():
    pictures = Pictures((), [(2, 2)], [(50, 50)], [(50, 50)])
    assert check_learnable(pictures, Recipe()) == ""
    assert pictures.read == [0, 1, 2]
    with pytest.raises(ValueError, match="1 of 1 objects"):
        check_learnable(Pictures((), [(2, 2)]), Recipe())


def test_joined_folders_are_counted_together():
    joined = ConcatDataset([Annotations([(50, 50)]), Annotations([(2, 2)])])
    assert check_learnable(joined, Recipe()).startswith("1 of 2 objects are under 3 px")


def test_repeat_factors_are_those_of_lvis():
    """Of 16 pictures all have cats, 4 a dog, 1 an owl; asked for is a half of the pictures."""
    labels = [[1, 1], [1, 2], [1, 2], [2, 1], [2, 3, 1], *[[1]] * 11]
    pictures = Annotations(*[[(50, 50)] * len(found) for found in labels], labels=labels)
    factors = repeat_factors(pictures, 0.5)
    dog, owl = (0.5 / (4 / 16)) ** 0.5, (0.5 / (1 / 16)) ** 0.5
    assert factors.tolist() == pytest.approx([1, dog, dog, dog, owl, *[1] * 11])
    assert repeat_factors(Annotations(()), 0.5).tolist() == [1]
    assert set(repeat_factors(pictures, 0.0).tolist()) == {1.0}
