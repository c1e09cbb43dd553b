"""YOLO's layout: the variants of several tools, class lists, and what is wrong with a line."""

import pytest
import torch
from PIL import Image

from ssd_tutorial.datasets import YOLOFolder, layout_of, open_dataset
from ssd_tutorial.datasets.yolo import label_path

NAMES = "nc: 2\nnames: [cat, dog]\n"


def picture(path, size=(60, 40)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 90, 200)).save(path)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def folder(tmp_path):
    """Make Ultralytics' variant: two training pictures, one of them without a label file."""
    for name in ("a", "b"):
        picture(tmp_path / "images" / "train" / f"{name}.jpg")
    write(tmp_path / "labels" / "train" / "a.txt", "1 0.5 0.5 0.25 0.5\n\n0 0.1 0.1 0.1 0.1")
    write(tmp_path / "data.yaml", f"path: .\ntrain: images/train\n{NAMES}")
    return tmp_path


def test_centres_and_sizes_become_edges_and_numbers_become_labels(folder):
    dataset = YOLOFolder(folder, "train")
    assert dataset.classes == ("cat", "dog")
    assert dataset.names == ["a", "b"]
    target = dataset.target(0)
    expected = torch.tensor([[22.5, 10, 37.5, 30], [3, 2, 9, 6]])
    assert torch.allclose(target["boxes"], expected, atol=1e-5)
    assert target["labels"].tolist() == [2, 1]
    assert not target["difficult"].any()
    assert dataset.target(1)["boxes"].shape == (0, 4)  # no label file: no objects


def test_an_empty_label_file_means_no_objects(folder):
    write(folder / "labels" / "train" / "b.txt", "\n")
    assert YOLOFolder(folder, "train").target(1)["labels"].shape == (0,)


def test_fractions_are_of_the_upright_picture(folder):
    turned = Image.new("RGB", (40, 60))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(folder / "images" / "train" / "a.jpg", exif=exif)
    dataset = YOLOFolder(folder, "train")
    assert dataset[0][1]["boxes"].canvas_size == (40, 60)
    assert dataset[0][0].shape == (3, 40, 60)


def test_a_polygon_becomes_its_bounding_box(folder):
    write(folder / "labels" / "train" / "a.txt", "0 0.1 0.2 0.5 0.1 0.4 0.9\n")
    boxes = YOLOFolder(folder, "train").target(0)["boxes"]
    assert torch.allclose(boxes, torch.tensor([[6.0, 4, 30, 36]]))


def test_classes_given_set_the_labels_by_name(folder):
    dataset = open_dataset(folder, "train", classes=["dog", "mouse", "cat"])
    assert dataset.target(0)["labels"].tolist() == [1, 3]


# ---------------------------------------------------------------- the variants of other tools


def roboflow(root):
    for split in ("train", "valid"):
        picture(root / split / "images" / "a.rf.12ab.jpg")
        write(root / split / "labels" / "a.rf.12ab.txt", "0 0.5 0.5 0.5 0.5\n")
    write(root / "data.yaml", f"train: ../train/images\nval: ../valid/images\n{NAMES}")
    return ["train", "val", "valid"]


def cvat_darknet(root):
    picture(root / "obj_train_data" / "a.jpg")
    write(root / "obj_train_data" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    write(root / "obj.names", "cat\ndog\n")
    write(root / "obj.data", "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    write(root / "train.txt", "data/obj_train_data/a.jpg\n")
    return ["train"]


def cvat_ultralytics(root):
    picture(root / "images" / "train" / "a.jpg")
    write(root / "labels" / "train" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    write(root / "train.txt", "images/train/a.jpg\n")
    write(root / "data.yaml", "path: .\ntrain: train.txt\nnames:\n  0: cat\n  1: dog\n")
    return ["train"]


def label_studio(root):
    picture(root / "images" / "0f1c-a.jpg")
    write(root / "labels" / "0f1c-a.txt", "0 0.5 0.5 0.5 0.5\n")
    write(root / "classes.txt", "cat\ndog\n")
    write(root / "notes.json", '{"categories": [], "info": {}}')
    return ["all"]


def somewhere_else(root):
    picture(root / "photos" / "images" / "spring" / "a.jpg")
    write(root / "photos" / "labels" / "spring" / "a.txt", "0 0.5 0.5 0.5 0.5\n")
    write(root / "data.yaml", f"train: [photos/images/spring]\nval: /nowhere/images\n{NAMES}")
    return ["train"]


@pytest.mark.parametrize(
    "shape", [roboflow, cvat_darknet, cvat_ultralytics, label_studio, somewhere_else]
)
def test_folders_of_labelling_tools_are_read(tmp_path, shape):
    for split in shape(tmp_path):
        assert layout_of(tmp_path) == "YOLO"
        dataset = open_dataset(tmp_path, split)
        assert dataset.classes == ("cat", "dog")
        assert dataset.target(0)["boxes"].tolist() == [[15, 10, 45, 30]]
        assert dataset[0][1]["name"] == dataset.picture_path(0).stem


def test_a_list_may_name_only_some_pictures_of_a_folder(folder):
    write(folder / "half.txt", "./images/train/b.jpg\n\n")
    dataset = YOLOFolder(folder, "train")
    assert len(dataset) == 2
    with pytest.raises(ValueError, match="none of its 1 pictures has a label file"):
        YOLOFolder(folder, "half")
    write(folder / "half.txt", "./images/train/a.jpg\n")
    assert len(YOLOFolder(folder, "half")) == 1


def test_a_picture_that_a_list_names_must_exist(folder):
    write(folder / "both.txt", "images/train/a.jpg\nimages/train/z.jpg\n")
    with pytest.raises(FileNotFoundError, match=r'no picture .*z\.jpg.*on_error="drop"'):
        YOLOFolder(folder, "both")
    dataset = YOLOFolder(folder, "both", on_error="drop")
    assert len(dataset) == len(dataset.left_out) == 1


def test_labels_belong_to_the_last_folder_called_images(tmp_path):
    inside = tmp_path / "images" / "x" / "images" / "a.b.png"
    assert label_path(tmp_path, inside) == tmp_path / "images" / "x" / "labels" / "a.b.txt"
    assert label_path(tmp_path, tmp_path / "x" / "a.png") == tmp_path / "x" / "a.txt"
    # A folder above the data set may have any name.
    root = tmp_path / "images"
    assert label_path(root, root / "images" / "a.png") == root / "labels" / "a.txt"


# ---------------------------------------------------------------- class lists


def test_a_missing_class_list_says_what_to_do(folder):
    (folder / "data.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"no list of its classes: write .*classes\.txt"):
        open_dataset(folder, "train")
    # A list that is passed then also defines what the numbers mean.
    dataset = open_dataset(folder, "train", classes=["cat", "dog"])
    assert dataset.target(0)["labels"].tolist() == [2, 1]
    write(folder / "classes.txt", "dog\ncat\n")
    assert open_dataset(folder, "train").classes == ("dog", "cat")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names: [cat, dog", "is not readable YAML"),
        ("cat, dog", "has no settings"),
        ("names: cat", "`names` must be a list of class names"),
        ("names: []", "`names` must be a list"),
        ("names: {0: cat, 2: dog}", "must be 0 to 1, not 0, 2"),
        ("nc: 3\nnames: [cat, dog]", "says nc: 3, but names 2"),
        ("names: [cat, cat]", r"data\.yaml: the classes must be a list of different names"),
        ("names: [background, dog]", "the background is never annotated"),
    ],
)
def test_a_wrong_class_list_is_refused(folder, text, words):
    write(folder / "data.yaml", text)
    with pytest.raises(ValueError, match=words):
        YOLOFolder(folder, "train")


def test_a_background_that_no_line_uses_is_not_a_class(folder):
    write(folder / "data.yaml", "names: [cat, dog, background]")
    assert YOLOFolder(folder, "train").classes == ("cat", "dog")


@pytest.mark.parametrize("on_error", ["raise", "drop"])
def test_a_class_that_is_not_in_the_list_is_refused(folder, on_error):
    write(folder / "labels" / "train" / "b.txt", "0 .5 .5 .1 .1\n2 .5 .5 .1 .1\n")
    with pytest.raises(
        ValueError, match=r"b\.txt, object 2: there is no class 2, since data\.yaml"
    ):
        YOLOFolder(folder, "train", on_error=on_error)


# ---------------------------------------------------------------- lines that are wrong


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("0 .5 .5 0 .1", "width and height must be positive, not 0 and 4 pixels"),
        ("0 .5 .5 .1 -.1", "width and height must be positive"),
        ("0 .5 .5 .1 .1 .93", "four numbers, found 5; is the fifth a score"),
        ("0 .5 .5", "four numbers, found 2"),
        ("0 300 200 50 40", "must be fractions of the picture's size, 0 to 1, not pixels"),
        ("0 .5 wide .1 .1", "cy is 'wide', not a number"),
        ("0 .5 nan .1 .1", "not finite"),
        ("0 1.2 .5 .1 .1", "outside the picture of 60 x 40"),
        ("0 .5 .5 .5 .6 .5 .7", "width and height must be positive, not 0"),
    ],
)
def test_impossible_boxes_are_refused_or_dropped_by_line(folder, line, rule):
    write(folder / "labels" / "train" / "b.txt", f"0 .5 .5 .1 .1\n{line}\n")
    with pytest.raises(
        ValueError, match=r"1 box is impossible: labels/train/b\.txt, object 2 \(cat\)"
    ) as caught:
        YOLOFolder(folder, "train")
    assert rule in str(caught.value)
    dataset = YOLOFolder(folder, "train", on_error="drop")
    (bad,) = dataset.dropped
    assert (bad.file, bad.number) == ("labels/train/b.txt", 2)
    assert (bad.name, bad.other) == ("cat", "b")
    assert len(dataset.target(1)["labels"]) == 1


def test_rounding_at_the_border_is_accepted_and_more_is_clipped(folder):
    labels = folder / "labels" / "train" / "b.txt"
    write(labels, "0 0.95 0.5 0.101 1\n")
    dataset = YOLOFolder(folder, "train")
    assert dataset.target(1)["boxes"][0, 2] == 60
    assert dataset.clipped == []
    write(labels, "0 0.95 0.5 0.2 1\n")
    assert [bad.file for bad in YOLOFolder(folder, "train").clipped] == ["labels/train/b.txt"]


def test_label_files_without_valid_labels_are_refused_or_left_out(folder):
    path = folder / "labels" / "train" / "b.txt"
    write(path, "cat 0.5 0.5 0.1 0.1\n")
    with pytest.raises(
        ValueError, match=r"line 1: it must begin with the number of a class.*'cat'"
    ):
        YOLOFolder(folder, "train")
    assert YOLOFolder(folder, "train", on_error="drop").names == ["a"]
    path.write_bytes(b"\xff\xfe0\x00")
    with pytest.raises(ValueError, match=r"b\.txt is not readable UTF-8"):
        YOLOFolder(folder, "train")


def test_pictures_without_any_label_file_are_refused(folder):
    (folder / "labels" / "train" / "a.txt").unlink()
    with pytest.raises(ValueError, match=r"none of its 2 pictures has a label file .*a\.txt"):
        YOLOFolder(folder, "train")


def test_a_split_without_a_picture_is_refused(folder):
    (folder / "images" / "val").mkdir()
    (folder / "labels" / "val").mkdir()
    with pytest.raises(ValueError, match=r"val has no picture \(extensions"):
        YOLOFolder(folder, "val")
