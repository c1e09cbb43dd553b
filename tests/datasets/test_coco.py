"""COCO's layout: category ids, crowds, the variants of other tools, and faults of a file."""

import json

import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from ssd_tutorial.datasets import COCOFolder, layout_of, open_dataset, write_coco


def picture(path, size=(60, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 90, 200)).save(path)


CONTENT = {
    "images": [
        {"id": 139, "file_name": "000000000139.jpg", "width": 60, "height": 40},
        {"id": 7, "file_name": "000000000007.jpg", "width": 60, "height": 40},
    ],
    # Ids with gaps, out of order, as in COCO: 12 and 26 are missing there.
    "categories": [
        {"id": 90, "name": "toothbrush", "supercategory": "indoor"},
        {"id": 1, "name": "person", "supercategory": "person"},
        {"id": 13, "name": "stop sign", "supercategory": "outdoor"},
    ],
    "annotations": [
        {"id": 55, "image_id": 139, "category_id": 90, "bbox": [1, 2, 3.5, 4.25], "iscrowd": 0},
        {"id": 56, "image_id": 139, "category_id": 1, "bbox": [0, 0, 60, 40], "iscrowd": 1},
        {"id": 57, "image_id": 139, "category_id": 13, "bbox": [50.1, 30.2, 10.2, 9.8]},
    ],
}


def written(root, content=CONTENT, file="annotations/instances_val2017.json", pictures="val2017"):
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    for image in CONTENT["images"]:
        picture(root / pictures / image["file_name"])
    return root


def changed(part, place, **values):
    content = json.loads(json.dumps(CONTENT))
    content[part][place] |= values
    return content


def test_ids_with_gaps_become_labels_without(tmp_path):
    dataset = COCOFolder(written(tmp_path), "val2017")
    assert dataset.classes == ("person", "stop sign", "toothbrush")
    target = dataset.target(0)
    assert target["labels"].tolist() == [3, 1, 2]
    assert target["difficult"].tolist() == [False, True, False]
    assert target["name"] == "000000000139"
    expected = [[1, 2, 4.5, 6.25], [0, 0, 60, 40], [50.1, 30.2, 60, 40]]
    assert torch.allclose(target["boxes"], torch.tensor(expected))
    assert dataset.clipped == []  # 50.1 + 10.2 exceeds the border by the file's rounding
    assert dataset.target(1)["boxes"].shape == (0, 4)  # a picture without objects is kept
    assert dataset[1][0].shape == (3, 40, 60)


def test_classes_given_set_the_labels(tmp_path):
    names = ("toothbrush", "person", "stop sign", "cat")
    dataset = open_dataset(written(tmp_path), "val", classes=names)
    assert dataset.classes == names
    assert dataset.target(0)["labels"].tolist() == [1, 2, 3]


def test_pycocotools_reads_what_is_written(tmp_path, items_of):
    items = items_of([([3.25, 1.5, 17.75, 39], 2, True), ([0, 0, 60, 40], 3, False)], [])
    reference = COCO(write_coco(items, tmp_path, "train"))
    assert reference.loadCats(reference.getCatIds()) == [
        {"id": i, "name": name} for i, name in enumerate(items.classes, 1)
    ]
    assert [image["file_name"] for image in reference.loadImgs(reference.getImgIds())] == [
        "picture_0.jpg",
        "picture_1.jpg",
    ]
    first = reference.loadAnns(reference.getAnnIds(imgIds=[1]))
    assert [(a["category_id"], a["bbox"], a["iscrowd"], a["area"]) for a in first] == [
        (2, [3.25, 1.5, 14.5, 37.5], 1, 14.5 * 37.5),
        (3, [0, 0, 60, 40], 0, 2400),
    ]


# ---------------------------------------------------------------- the variants of other tools


@pytest.mark.parametrize(
    ("file", "pictures", "split"),
    [
        ("annotations/instances_train2017.json", "train2017", "train"),
        ("annotations/instances_train2017.json", "images/train2017", "train2017"),
        ("annotations/instances_default.json", "images/default", "default"),  # CVAT
        ("annotations/instances_default.json", "images", "default"),
        ("annotations/train.json", "images", "train"),
        ("valid/_annotations.coco.json", "valid", "val"),  # Roboflow
        ("result.json", "images", "result"),  # Label Studio
    ],
)
def test_folders_of_labelling_tools_are_read(tmp_path, file, pictures, split):
    root = written(tmp_path, file=file, pictures=pictures)
    assert layout_of(root) == "COCO"
    assert len(open_dataset(root, split)) == 2


def test_captions_and_keypoints_are_not_splits(tmp_path):
    root = written(tmp_path)
    (root / "annotations" / "captions_val2017.json").write_text('{"images": [], "annotations": []}')
    with pytest.raises(FileNotFoundError, match=r"no split 'test'.* Its splits: val2017\."):
        open_dataset(root, "test")


def test_paths_of_another_machine_are_found_by_their_last_part(tmp_path):
    content = changed("images", 0, file_name="C:\\data\\upload\\000000000139.jpg")
    dataset = COCOFolder(written(tmp_path, content), "val")
    assert dataset.picture_path(0).name == "000000000139.jpg"
    # But never a picture that could be another of the same name.
    picture(tmp_path / "val2017" / "other" / "000000000139.jpg")
    content = changed("images", 0, file_name="upload/000000000139.jpg")
    with pytest.raises(FileNotFoundError, match="there is no picture upload/000000000139"):
        COCOFolder(written(tmp_path, content), "val")


def test_pictures_that_differ_in_the_suffix_get_different_names(tmp_path):
    content = changed("images", 1, file_name="000000000139.png")
    picture(tmp_path / "val2017" / "000000000139.png")
    dataset = COCOFolder(written(tmp_path, content), "val")
    assert dataset.names == ["000000000139.jpg", "000000000139.png"]


def test_roboflows_parent_and_an_unused_background_are_not_classes(tmp_path):
    content = {
        **CONTENT,
        "categories": [
            {"id": 0, "name": "cells", "supercategory": "none"},
            *({**c, "supercategory": "cells"} for c in CONTENT["categories"]),
            {"id": 95, "name": "background", "supercategory": "cells"},
        ],
    }
    dataset = COCOFolder(written(tmp_path, content), "val")
    assert dataset.classes == ("person", "stop sign", "toothbrush")


def test_a_missing_size_is_taken_from_the_picture(tmp_path):
    content = changed("images", 0, width=0, height=None)
    assert COCOFolder(written(tmp_path, content), "val")[0][1]["boxes"].canvas_size == (40, 60)


# ---------------------------------------------------------------- what is wrong with a file


@pytest.mark.parametrize(
    ("bbox", "rule"),
    [
        ([1, 2, 0, 4], "width and height must be positive, not 0 and 4"),
        ([1, 2, 3, -4], "width and height must be positive, not 3 and -4"),
        ([1, 2, 3], "four numbers, found 3"),
        (None, "four numbers, found 0"),
        ([1, 2, "wide", 4], "width is 'wide', not a number"),
        ([1, None, 3, 4], "y is None, not a number"),
        ([1, 2, float("nan"), 4], "not finite"),
        ([61, 2, 3, 4], "outside the picture of 60 x 40"),
    ],
)
def test_impossible_boxes_are_refused_or_dropped_by_number(tmp_path, bbox, rule):
    root = written(tmp_path, changed("annotations", 0, bbox=bbox))
    with pytest.raises(
        ValueError, match=r"1 box is impossible: annotations/instances_val2017\.json"
    ) as caught:
        COCOFolder(root, "val")
    assert "object 55 (toothbrush)" in str(caught.value)
    assert rule in str(caught.value)
    dataset = COCOFolder(root, "val", on_error="drop")
    (bad,) = dataset.dropped
    assert (bad.number, bad.name, bad.other) == (55, "toothbrush", "000000000139")
    assert rule in bad.what
    assert dataset.target(0)["labels"].tolist() == [1, 2]


def test_an_object_of_no_image_is_refused_or_dropped(tmp_path):
    root = written(tmp_path, changed("annotations", 0, image_id=8))
    with pytest.raises(ValueError, match="there is no image with the id 8"):
        COCOFolder(root, "val")
    dataset = COCOFolder(root, "val", on_error="drop")
    assert [bad.number for bad in dataset.dropped] == [55]
    assert "dropped 1 impossible" in dataset.summary()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"images": [', r"is not readable JSON \(.*copy or export it again"),
        ("[]", "is not JSON in COCO's layout: it has no list 'images'"),
        ('{"images": [], "annotations": []}', "it has no list 'categories'"),
        (changed("images", 0, file_name=None), "entry 1 of 'images' has no file_name"),
        (
            changed("images", 0, id=[1]),
            "entry 1 of 'images' has no id that is a whole number or one line",
        ),
        (changed("images", 0, id=7), "two images have the same id"),
        (changed("categories", 0, id=1), "two categories have the id 1"),
        (changed("annotations", 0, category_id=2), "object 55: there is no category .*id 2;"),
        (changed("categories", 1, name="background"), "the background is never annotated"),
        ({**CONTENT, "images": [], "annotations": []}, "has no picture"),
        ({**CONTENT, "categories": [], "annotations": []}, "lists no category"),
    ],
)
@pytest.mark.parametrize("on_error", ["raise", "drop"])
def test_a_file_that_is_not_coco_is_refused_by_name(tmp_path, content, words, on_error):
    with pytest.raises(ValueError, match=words) as caught:
        COCOFolder(written(tmp_path, content), "val", on_error=on_error)
    assert "instances_val2017.json" in str(caught.value)


def test_a_missing_folder_of_pictures_is_reported(tmp_path):
    root = written(tmp_path, pictures="elsewhere")
    assert len(COCOFolder(root, "val")) == 2  # found below the root
    for path in root.rglob("*.jpg"):
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"pictures cannot be found: '000000000139\.jpg' is in"
    ):
        COCOFolder(root, "val", on_error="drop")
