"""One dataset in three layouts: what is written as VOC, COCO or YOLO is read back the same."""

import shutil

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Subset

from ssd_tutorial.datasets import (
    AnnotatedFolder,
    COCOFolder,
    UnreadablePicture,
    VOCFolder,
    YOLOFolder,
    layout_of,
    open_dataset,
    write_coco,
    write_voc,
    write_yolo,
)

WRITERS = {"VOC": write_voc, "COCO": write_coco, "YOLO": write_yolo}
READERS = {"VOC": VOCFolder, "COCO": COCOFolder, "YOLO": YOLOFolder}
# How precisely boxes are restored, in pixels. VOC's files have every digit; COCO's have width and
# height, of which the far edge is a sum; YOLO's have nine decimals.
PX = {"VOC": 0.0, "COCO": 1e-5, "YOLO": 1e-4}

OBJECTS = (
    [
        ([0, 0, 60, 40], 1, False),
        ([3.25, 1.1, 17.7, 39.999], 2, True),
        ([58, 38, 60, 40], 3, False),
    ],
    [],
    [([10, 20, 12, 39], 3, True)],
)


@pytest.fixture(params=WRITERS)
def layout(request):
    return request.param


@pytest.fixture
def items(items_of):
    return items_of(*OBJECTS)


@pytest.fixture
def folder(tmp_path, layout, items):
    """Make a sound folder with the splits train (2 pictures) and val (1)."""
    root = tmp_path / "pets"
    write = WRITERS[layout]
    write(Subset(items, [0, 1]), root, "train", classes=items.classes, picture_format="png")
    write(Subset(items, [2]), root, "val", classes=items.classes, picture_format="png")
    return root


def all_files(root):
    return {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}


# ---------------------------------------------------------------- round trip


def test_what_is_written_is_found_and_read_back(folder, layout, items, same):
    assert layout_of(folder) == layout
    for split, numbers in (("train", [0, 1]), ("val", [2])):
        back = open_dataset(folder, split, classes=items.classes)
        assert isinstance(back, AnnotatedFolder)
        assert isinstance(back, READERS[layout])
        assert len(back) == len(numbers)
        assert back.dropped == back.clipped == back.left_out == []
        for place, number in enumerate(numbers):
            image, target = items[number]
            image_back, target_back = back[place]
            assert torch.equal(image, image_back)
            same(target, target_back, PX[layout], difficult=layout != "YOLO")
            assert back.picture_path(place).is_file()


@st.composite
def boxes_in(draw, width=60, height=40):
    def side(length):
        low = draw(st.one_of(st.just(0.0), st.floats(0.125, length - 2, width=32)))
        high = low + draw(st.floats(1.25, 64, width=32))
        return low, float(np.float32(min(high, length)))

    (x1, x2), (y1, y2) = side(width), side(height)
    return ([x1, y1, x2, y2], draw(st.integers(1, 3)), draw(st.booleans()))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(objects=st.lists(boxes_in(), min_size=1, max_size=4))
def test_any_boxes_are_the_same_in_all_layouts(tmp_path, items_of, same, objects):
    one = items_of(objects)
    for layout, write in WRITERS.items():
        root = tmp_path / layout
        shutil.rmtree(root, ignore_errors=True)
        write(one, root, "all")
        back = READERS[layout](root, "all", classes=one.classes)
        same(one[0][1], back[0][1], PX[layout], difficult=layout != "YOLO")


def test_classes_of_coco_and_yolo_keep_their_order_and_those_of_voc_are_sorted(folder, layout):
    names = ("zebra", "ant", "R & B <3>")
    for split in ("train", "val"):
        classes = open_dataset(folder, split).classes
        assert classes == (tuple(sorted(names)) if layout == "VOC" else names)


def test_items_can_be_counted_from_the_end(folder):
    train = open_dataset(folder, "train")
    assert train.target(-1)["name"] == train[-1][1]["name"] == "picture_1"
    assert train[-1][0].shape == (3, 40, 60)
    with pytest.raises(IndexError):
        train[2]


# ---------------------------------------------------------------- writing: nothing lost


def test_an_existing_split_is_refused(folder, layout, items):
    before = all_files(folder)
    with pytest.raises(FileExistsError, match=r"already exists.*overwrite=True"):
        WRITERS[layout](items, folder, "train")
    assert all_files(folder) == before
    for item in (items, Subset(items, [0, 1])):
        given = {"classes": items.classes, "overwrite": True, "picture_format": "png"}
        if layout == "YOLO" and len(item) == 2:
            with pytest.raises(
                FileExistsError, match="contains 1 other files, such as picture_2.png"
            ):
                WRITERS[layout](item, folder, "train", **given)
        else:
            WRITERS[layout](item, folder, "train", **given)
            assert len(open_dataset(folder, "train")) == len(item)


def test_a_split_rewritten_in_another_format_is_the_new_one(folder, layout, items_of):
    new = items_of([([1, 1, 9, 9], 1, False)], [], names=["picture_0", "picture_1"])
    if layout == "YOLO":
        with pytest.raises(FileExistsError, match="contains 2 other files, such as picture_0.png"):
            WRITERS[layout](new, folder, "train", overwrite=True)
        return
    WRITERS[layout](new, folder, "train", overwrite=True)
    back = open_dataset(folder, "train", classes=new.classes)
    assert back.picture_path(0).suffix == ".jpg"
    assert back.target(0)["boxes"].tolist() == [[1, 1, 9, 9]]


def test_a_failure_takes_back_what_was_written_and_the_next_try_works(
    tmp_path, layout, items_of, items
):
    class Breaks(items_of):
        def __getitem__(self, index):
            if index == 2:
                raise RuntimeError("the lamp went out")
            return super().__getitem__(index)

    with pytest.raises(RuntimeError, match="lamp"):
        WRITERS[layout](Breaks(*OBJECTS), tmp_path, "train")
    assert all_files(tmp_path) == {}
    WRITERS[layout](items, tmp_path, "train")
    assert len(open_dataset(tmp_path, "train")) == 3


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (([5, 5, 5, 9], 1, False), "xmax must be above xmin"),
        (([5, float("nan"), 8, 9], 1, False), "must be a finite number"),
        (([5, 5, 61, 9], 1, False), "inside the picture of 60 x 40"),
        (([5, 5, 8, 9], 0, False), "label must be 1 to 3, not 0"),
    ],
)
def test_writing_names_the_item_the_object_and_the_rule(tmp_path, layout, items_of, entry, rule):
    bad = items_of([], [([0, 0, 9, 9], 1, False), entry])
    with pytest.raises(ValueError, match=rf"item 1 \(picture_1\), object 2, box .*{rule}"):
        WRITERS[layout](bad, tmp_path, "all")
    assert all_files(tmp_path) == {}


def test_yolo_refuses_a_second_split_of_other_classes(tmp_path, items, items_of):
    write_yolo(items, tmp_path, "train")
    with pytest.raises(FileExistsError, match=r"data\.yaml already exists and lists other"):
        write_yolo(items_of([]), tmp_path, "val", classes=["cat"])
    with pytest.raises(ValueError, match="must be a list of different names"):
        write_yolo(items, tmp_path, "val", classes=["a", "a", "b"])


def test_a_box_of_less_than_a_pixel_survives_in_coco_and_yolo(tmp_path, items_of):
    small = items_of([([5, 5, 5.5, 5.25], 1, False)])
    for layout in ("COCO", "YOLO"):
        WRITERS[layout](small, tmp_path / layout, "all")
        boxes = open_dataset(tmp_path / layout, "all").target(0)["boxes"]
        assert torch.allclose(boxes, torch.tensor([[5, 5, 5.5, 5.25]]), atol=1e-4)
    with pytest.raises(ValueError, match="more than one pixel"):
        write_voc(small, tmp_path / "VOC", "all")


# ---------------------------------------------------------------- faults, in every layout


def picture_file(folder, name):
    return next(folder.rglob(f"{name}.png"))


def test_a_missing_picture_is_named_or_left_out_and_counted(folder, layout):
    picture_file(folder, "picture_1").unlink()
    if layout == "YOLO":  # where a label file without its picture shows that one is missing
        assert next(folder.rglob("picture_1.txt")).is_file()
    with pytest.raises(FileNotFoundError, match=r'picture_1.*(P|p)ut .*on_error="drop"'):
        open_dataset(folder, "train")
    left = open_dataset(folder, "train", on_error="drop")
    assert left.names == ["picture_0"]
    assert [bad.name for bad in left.left_out] == ["picture_1"]
    assert "1 pictures, 3 objects" in left.summary()
    assert "left out 1 pictures: " in left.summary()
    assert left.target(0)["labels"].numel() == 3
    assert len(open_dataset(folder, "val")) == 1  # the other split is sound


def test_a_picture_that_cannot_be_decoded_shows_when_it_is_read(folder):
    path = picture_file(folder, "picture_0")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    dataset = open_dataset(folder, "train", on_error="drop")
    with pytest.raises(UnreadablePicture, match=r"picture_0\.png cannot be decoded.*replace the"):
        dataset[0]
    assert dataset[1][0].shape == (3, 40, 60)


def test_a_picture_of_another_size_shows_when_it_is_read(folder, layout):
    Image.new("RGB", (30, 20)).save(picture_file(folder, "picture_0"))
    dataset = open_dataset(folder, "train")
    if layout == "YOLO":  # its files do not state the size of a picture; fractions fit any size
        assert dataset[0][1]["boxes"][0].tolist() == [0, 0, 30, 20]
        return
    with pytest.raises(UnreadablePicture, match=r"30 x 20 pixels.*says 60 x 40"):
        dataset[0]


def test_a_split_without_a_usable_picture_is_an_error(folder):
    for path in folder.rglob("*.png"):
        path.unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"picture"):
        open_dataset(folder, "train", on_error="drop")


# ---------------------------------------------------------------- a reader's mistakes


def test_a_wrong_split_lists_the_existing_ones(folder):
    with pytest.raises(
        FileNotFoundError, match=r"no split 'trian' \(did you mean 'train'\?\).*: train, val\."
    ):
        open_dataset(folder, "trian")


def test_valid_and_val_are_one_split(tmp_path, layout, items):
    WRITERS[layout](items, tmp_path, "valid")
    if layout != "VOC":  # VOC's lists are files that the reader names
        assert len(open_dataset(tmp_path, "val")) == 3


def test_a_wrong_class_list_is_refused(folder, layout):
    with pytest.raises(ValueError, match=r"class 'zebra' is not in `classes` \(did you mean 'zebr"):
        open_dataset(folder, "train", classes=["ant", "zebras", "R & B <3>"])
    # A wrong list is the reader's mistake and not a fault of the pictures.
    with pytest.raises(ValueError, match=r"class 'zebra' is not in `classes`"):
        open_dataset(folder, "train", classes=["ant"], on_error="drop")
    for position in (0, 1):
        classes = ["ant", "zebra", "R & B <3>"]
        classes.insert(position, "background")
        with pytest.raises(ValueError, match="must not contain the background"):
            open_dataset(folder, "train", classes=classes)
    with pytest.raises(ValueError, match="list of different names"):
        open_dataset(folder, "train", classes="zebra")


def test_a_wrong_folder_is_refused_with_a_suggestion(folder, tmp_path, layout):
    with pytest.raises(FileNotFoundError, match=r"no folder .*pest \(did you mean 'pets'\?\)"):
        open_dataset(tmp_path / "pest", "train")
    with pytest.raises(FileNotFoundError, match=rf"Did you mean .*pets, which is in {layout}'s"):
        open_dataset(tmp_path, "train")
    inside = picture_file(folder, "picture_0").parent
    with pytest.raises(FileNotFoundError, match=rf"Did you mean .*pets, which is in {layout}'s"):
        open_dataset(inside, "train")
    with pytest.raises(FileNotFoundError, match=r"is a file: pass the folder"):
        open_dataset(picture_file(folder, "picture_0"), "train")
    (tmp_path / "pets").rename(tmp_path / "away")
    (tmp_path / "empty").mkdir()
    (tmp_path / "away").rename(tmp_path / "empty" / ".hidden")
    with pytest.raises(FileNotFoundError, match=r"VOC: .*COCO: .*YOLO: .*It contains \.hidden"):
        open_dataset(tmp_path / "empty", "train")


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_reader_says_that_a_folder_is_in_another_layout(tmp_path, reader):
    with pytest.raises(FileNotFoundError, match="is not a folder in .*'s layout"):
        reader(tmp_path, "train")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        reader(tmp_path / "none", "train")
    with pytest.raises(ValueError, match="on_error must be"):
        reader(tmp_path, "train", on_error="ignore")
