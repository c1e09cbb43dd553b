"""Datasets by name: the splits of the scenes, and folders."""

import pytest
import torch

from ssd_tutorial.datasets import SCENE_CLASSES, Scenes, VOCFolder, open_dataset, write_voc


def test_splits_of_the_scenes_share_no_picture():
    splits = {name: open_dataset("scenes", name) for name in ("train", "val", "test")}
    assert {name: len(dataset) for name, dataset in splits.items()} == {
        "train": 5000,
        "val": 300,
        "test": 300,
    }
    numbers = [range(d.start, d.start + len(d)) for d in splits.values()]
    assert len(set().union(*numbers)) == sum(map(len, numbers))
    assert {d.seed for d in splits.values()} == {0}
    names = [d[0][1]["name"] for d in splits.values()]
    assert names == ["scene_0_000000", "scene_0_1000000", "scene_0_2000000"]


def test_an_unknown_split_of_the_scenes_is_refused():
    with pytest.raises(ValueError, match="splits train, val, test, not 'trainval'"):
        open_dataset("scenes", "trainval")


def test_scenes_for_a_detector_of_the_same_classes_only():
    assert open_dataset("scenes", "val", classes=list(SCENE_CLASSES)).classes == SCENE_CLASSES
    for other in (("cat",), SCENE_CLASSES[::-1]):
        with pytest.raises(ValueError, match=f", not {other[0]}"):
            open_dataset("scenes", "val", classes=other)


def test_a_folder_is_opened_by_its_path(tmp_path):
    write_voc(Scenes(2, seed=5), tmp_path, "mine", progress=False)
    dataset = open_dataset(str(tmp_path), "mine", classes=SCENE_CLASSES)
    assert isinstance(dataset, VOCFolder)
    assert dataset.classes == SCENE_CLASSES
    assert torch.equal(dataset[1][1]["labels"], Scenes(2, seed=5)[1][1]["labels"])
    assert set(open_dataset(tmp_path, "mine").classes) <= set(SCENE_CLASSES)
    with pytest.raises(FileNotFoundError, match="no split 'train'"):
        open_dataset(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        open_dataset(tmp_path / "none", "train")


def test_what_to_do_with_bad_boxes_is_passed_on(tmp_path):
    write_voc(Scenes(1, seed=5), tmp_path, "mine", progress=False)
    file = next((tmp_path / "Annotations").iterdir())
    text = file.read_text()
    start, end = text.index("<xmax>"), text.index("</xmax>")
    file.write_text(text[:start] + "<xmax>0" + text[end:])
    with pytest.raises(ValueError, match="1 box is impossible"):
        open_dataset(tmp_path, "mine")
    assert len(open_dataset(tmp_path, "mine", on_error="drop").dropped) == 1
