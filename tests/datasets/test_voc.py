"""VOC folders: what is written comes back, and what is wrong is named."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.utils.data import Subset
from torchvision import tv_tensors

from ssd_tutorial.datasets import (
    UnreadablePicture,
    VOCFolder,
    open_dataset,
    read_picture,
    write_voc,
)
from ssd_tutorial.datasets.pictures import read_header
from ssd_tutorial.datasets.records import RawObject, RawPicture, Records
from ssd_tutorial.datasets.voc import format_annotation, read_annotation

BCCD = os.environ.get("SSD_TUTORIAL_BCCD")
needs_bccd = pytest.mark.skipif(
    not BCCD, reason="set SSD_TUTORIAL_BCCD to the folder of BCCD (Annotations, JPEGImages, ...)"
)


@pytest.fixture
def items(items_of):
    return items_of(
        [
            ([0, 0, 60, 40], 1, False),
            ([3.25, 1.1, 17.7, 39.999], 2, True),
            ([58, 38, 60, 40], 3, False),
        ],
        [],
        [([10, 20, 12, 39], 3, True)],
    )


@pytest.fixture
def folder(tmp_path, items):
    """Make a sound folder with the splits train (2 pictures) and val (1)."""
    root = tmp_path / "pets"
    write_voc(Subset(items, [0, 1]), root, "train", classes=items.classes)
    write_voc(Subset(items, [2]), root, "val", classes=items.classes)
    return root


def edit(root, name, old, new):
    path = root / "Annotations" / f"{name}.xml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# ---------------------------------------------------------------- round trip


def test_round_trip_is_exact_with_png(tmp_path, items, same):
    written = write_voc(items, tmp_path, "all", picture_format="png")
    back = VOCFolder(tmp_path, "all", classes=items.classes)
    assert written == tmp_path / "ImageSets" / "Main" / "all.txt"
    assert len(back) == len(items) == 3
    for (image, target), (image_back, target_back) in zip(
        (items[i] for i in range(3)), (back[i] for i in range(3)), strict=True
    ):
        assert isinstance(image_back, tv_tensors.Image)
        assert isinstance(target_back["boxes"], tv_tensors.BoundingBoxes)
        assert image_back.dtype == torch.uint8
        assert torch.equal(image, image_back)
        same(target, target_back)
    assert back.dropped == back.clipped == []


def test_jpeg_keeps_boxes_exactly_and_pixels_nearly(folder, items, same):
    back = VOCFolder(folder, "train", classes=items.classes)
    for index in range(2):
        same(items[index][1], back[index][1])
        difference = back[index][0].int() - items[index][0].int()
        assert 0 < difference.abs().float().mean() < 2


@st.composite
def boxes_in(draw, width=60, height=40):
    def side(length):
        low = draw(st.floats(0, length - 2, width=32).filter(lambda v: v == 0 or v > 1e-6))
        high = draw(st.floats(0, length, width=32).filter(lambda v: v - low > 1.001))
        return low, high

    (x1, x2), (y1, y2) = side(width), side(height)
    return ([x1, y1, x2, y2], draw(st.integers(1, 3)), draw(st.booleans()))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(objects=st.lists(boxes_in(), max_size=4))
def test_any_boxes_survive_the_round_trip(tmp_path, objects, items_of, same):
    root = tmp_path / "any"
    shutil.rmtree(root, ignore_errors=True)
    items = items_of(objects)
    write_voc(items, root, "all")
    back = VOCFolder(root, "all", classes=items.classes)
    same(items[0][1], back[0][1])


def test_one_is_subtracted_from_the_lower_corner_only(folder):
    text = (folder / "Annotations" / "picture_2.xml").read_text()
    for tag, value in (("xmin", 11), ("ymin", 21), ("xmax", 12), ("ymax", 39)):
        assert f"<{tag}>{value}</{tag}>" in text  # whole numbers, which every reader takes
    assert VOCFolder(folder, "val").target(0)["boxes"].tolist() == [[10, 20, 12, 39]]


def test_classes_come_from_the_whole_folder_sorted(folder):
    train, val = VOCFolder(folder, "train"), VOCFolder(folder, "val")
    assert train.classes == val.classes == ("R & B <3>", "ant", "zebra")
    assert val.target(0)["labels"].tolist() == [1]
    assert train.target(0)["labels"].tolist() == [3, 2, 1]


def test_workers_write_the_same_bytes(tmp_path, items):
    write_voc(items, tmp_path / "here", "all")
    write_voc(items, tmp_path / "there", "all", workers=1)
    files = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*.*"))
    assert len(files) == 7
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes()


def test_writing_leaves_the_callers_random_numbers_alone(tmp_path, items):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    write_voc(items, tmp_path, "all")
    assert torch.equal(torch.rand(3), expected)


def test_splits_may_share_pictures(folder, items):
    write_voc(items, folder, "trainval")
    assert len(VOCFolder(folder, "trainval")) == 3
    assert len(list((folder / "JPEGImages").iterdir())) == 3


def test_progress_is_shown_on_request(tmp_path, capsys, items):
    write_voc(items, tmp_path / "a", "all", progress=True)
    assert "a/all" in capsys.readouterr().err
    write_voc(items, tmp_path / "b", "all", progress=False)
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- writing: refusals, nothing lost


def all_files(root):
    return {p: p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_write_refuses_to_replace_another_picture_of_the_same_name(folder, items_of):
    before = all_files(folder)
    others = items_of([([0, 0, 5, 5], 1, False)], [], names=["new", "picture_0"])
    with pytest.raises(FileExistsError, match=r"picture_0\.jpg already exists and differs"):
        write_voc(others, folder, "test")
    assert all_files(folder) == before  # the item written before the clash is gone again
    write_voc(others, folder, "test", overwrite=True)
    assert VOCFolder(folder, "test").names == ["new", "picture_0"]


def test_a_failing_disk_leaves_no_half_written_file(tmp_path, monkeypatch, items):
    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="no space"):
        write_voc(items, tmp_path, "all")
    assert all_files(tmp_path) == {}


@pytest.mark.parametrize(
    ("entry", "rule"),
    [
        (([5, 5, 5, 9], 1, False), "xmax must be above xmin"),
        (([5, 9, 8, 5], 1, False), "ymax must be above ymin"),
        (([5, float("nan"), 8, 9], 1, False), "must be a finite number"),
        (([5, 5, 61, 9], 1, False), "inside the picture of 60 x 40"),
        (([-1, 5, 6, 9], 1, False), "inside the picture"),
        (([5, 5, 6, 9], 1, False), "more than one pixel"),
        (([5, 5, 8, 9], 0, False), "label must be 1 to 3, not 0"),
        (([5, 5, 8, 9], 4, False), "label must be 1 to 3, not 4"),
    ],
)
def test_write_names_the_item_the_object_and_the_rule(tmp_path, entry, rule, items_of):
    items = items_of([], [([0, 0, 9, 9], 1, False), entry])
    with pytest.raises(ValueError, match=rf"item 1 \(picture_1\), object 2, box .*{rule}"):
        write_voc(items, tmp_path, "all")
    assert all_files(tmp_path) == {}


@pytest.mark.parametrize("name", ["", "../up", "a/b", "line\nbreak", " blank", "..", 7])
def test_write_refuses_names_that_are_not_file_names(tmp_path, name, items_of):
    with pytest.raises(ValueError, match="cannot be a file name"):
        write_voc(items_of([], names=[name]), tmp_path, "all")


def test_write_refuses_equal_names_an_empty_dataset_and_unknown_classes(
    tmp_path, items, items_of, same
):
    with pytest.raises(ValueError, match="items 0 and 1 have the same name, 'twin'"):
        write_voc(items_of([], [], names=["twin", "twin"]), tmp_path, "all")
    with pytest.raises(ValueError, match="dataset is empty"):
        write_voc(items_of(), tmp_path, "all")
    with pytest.raises(ValueError, match=r"pass classes=\[\.\.\.\]"):
        write_voc(Subset(items, [0]), tmp_path, "all")
    with pytest.raises(ValueError, match="cannot be written to a file"):
        write_voc(items, tmp_path, "all", classes=["a", " b", "c"])
    with pytest.raises(ValueError, match="picture_format"):
        write_voc(items, tmp_path, "all", picture_format="gif")
    assert all_files(tmp_path) == {}


# ---------------------------------------------------------------- reading: impossible boxes


def spoil(root, corner, value, name="picture_2"):
    path = root / "Annotations" / f"{name}.xml"
    before, rest = path.read_text().split(f"<{corner}>", 1)
    path.write_text(f"{before}<{corner}>{value}</{corner}>{rest.split(f'</{corner}>', 1)[1]}")


BAD = [
    ("xmax", "11", "xmax must be above xmin"),
    ("ymax", "21", "ymax must be above ymin"),
    ("ymax", "3", "ymax must be above ymin"),
    ("xmin", "left", "xmin is 'left', not a number"),
    ("ymin", "", "ymin is '', not a number"),
    ("ymin", "2\n>", r"ymin is '2\n>', not a number"),
    ("xmax", "nan", "not finite"),
    ("xmax", "inf", "not finite"),
]


@pytest.mark.parametrize(("corner", "value", "rule"), BAD)
def test_impossible_boxes_are_refused_by_name(folder, corner, value, rule):
    spoil(folder, corner, value)
    with pytest.raises(ValueError, match="1 box is impossible") as caught:
        VOCFolder(folder, "val")
    message = str(caught.value)
    assert "Annotations/picture_2.xml, object 1 (R & B <3>), box [" in message
    assert rule in message
    assert "\n" not in message
    assert 'on_error="drop"' in message
    VOCFolder(folder, "train")  # the other split is sound


@pytest.mark.parametrize(("corner", "value", "rule"), BAD)
def test_impossible_boxes_are_dropped_when_asked(folder, corner, value, rule):
    spoil(folder, corner, value)
    dataset = VOCFolder(folder, "val", on_error="drop")
    (record,) = dataset.dropped
    assert (record.file, record.number) == ("Annotations/picture_2.xml", 1)
    assert (record.name, record.other) == ("R & B <3>", "picture_2")
    assert value in record.box
    assert rule in record.what
    assert "val: 1 pictures, 0 objects of 3 classes; dropped 1" in dataset.summary()
    image, target = dataset[0]
    assert image.shape == (3, 40, 60)
    assert target["boxes"].shape == (0, 4)
    assert target["labels"].shape == target["difficult"].shape == (0,)


def test_a_box_outside_the_picture_is_impossible(folder):
    spoil(folder, "xmin", 62)
    spoil(folder, "xmax", 70)
    with pytest.raises(ValueError, match="outside the picture of 60 x 40 pixels"):
        VOCFolder(folder, "val")


def test_a_box_that_sticks_out_is_clipped_and_listed(folder):
    spoil(folder, "xmax", 65)
    spoil(folder, "ymin", 0)  # in files that count from 0
    dataset = VOCFolder(folder, "val")
    assert dataset.target(0)["boxes"].tolist() == [[10, 0, 60, 39]]
    assert [r.file for r in dataset.clipped] == ["Annotations/picture_2.xml"]
    assert "clipped 1 at the border: Annotations/picture_2.xml, object 1" in dataset.summary()


def test_only_the_objects_own_box_counts(folder):
    part = "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part><bndbox>"
    edit(folder, "picture_2", "<bndbox>", part)
    assert VOCFolder(folder, "val").target(0)["boxes"].tolist() == [[10, 20, 12, 39]]


@pytest.mark.parametrize("one_based", [True, False])
def test_boxes_may_end_at_the_border(one_based):
    whole = ("1", "1", "60", "40") if one_based else ("0", "0", "60", "40")
    entry = RawObject(1, "cat", whole, tuple(map(float, whole)))
    picture = RawPicture("p", None, None, "p.xml", (60, 40), (entry,))
    records = Records(Path(), "VOC", one_based=one_based)
    assert records.judge(picture, entry) == ("", "", (0, 0, 60, 40), 0)


# ---------------------------------------------------------------- reading: files that are wrong


@pytest.mark.parametrize("size", ["", "<width>0</width><height>0</height>"])
def test_a_missing_size_is_taken_from_the_picture(folder, size):
    whole = (
        "<size>\n\t\t<width>60</width>\n\t\t<height>40</height>\n\t\t<depth>3</depth>\n\t</size>"
    )
    edit(folder, "picture_2", whole, f"<size>{size}</size>" if size else "")
    assert VOCFolder(folder, "val")[0][1]["boxes"].canvas_size == (40, 60)


def test_a_size_that_contradicts_the_picture_names_both(folder):
    edit(folder, "picture_2", "<width>60</width>", "<width>61</width>")
    dataset = VOCFolder(folder, "val")
    with pytest.raises(ValueError, match=r"picture_2\.jpg is 60 x 40 .* says 61 x 40"):
        dataset[0]


def test_wrong_folder_or_split_offers_near_names(folder):
    with pytest.raises(FileNotFoundError, match=r"no folder .*pest \(did you mean 'pets'\?\)"):
        VOCFolder(folder.parent / "pest", "train")
    with pytest.raises(FileNotFoundError, match="not a folder in VOC's layout .ImageSets"):
        VOCFolder(folder.parent, "train")
    with pytest.raises(
        FileNotFoundError, match=r"no split 'trian' \(did you mean 'train'\?\).*: train, val"
    ):
        VOCFolder(folder, "trian")


def test_faults_of_a_split_list_are_refused_with_line_and_name(folder):
    lists = folder / "ImageSets" / "Main"
    (lists / "typo.txt").write_text("picture_0\n\npicture_x\n")
    with pytest.raises(FileNotFoundError, match=r"typo\.txt, line 3: .*annotation picture_x\.xml"):
        VOCFolder(folder, "typo")
    (lists / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"empty\.txt has no picture"):
        VOCFolder(folder, "empty")
    (lists / "twice.txt").write_text("picture_0\npicture_1\npicture_0\n")
    with pytest.raises(ValueError, match=r"more than once: picture_0\."):
        VOCFolder(folder, "twice")
    (lists / "ant_train.txt").write_text("picture_0  1\npicture_1 -1\n")  # VOC's per-class lists
    assert VOCFolder(folder, "ant_train").names == ["picture_0", "picture_1"]


@pytest.mark.parametrize("on_error", ["raise", "drop"])
def test_a_folder_without_objects_is_named(folder, on_error):
    for path in (folder / "Annotations").iterdir():
        path.write_text("<annotation></annotation>")
    with pytest.raises(ValueError, match=re.escape(f"{folder} has no object that can be read")):
        VOCFolder(folder, "train", on_error=on_error)


def test_missing_and_broken_pictures_are_named(folder):
    picture = folder / "JPEGImages" / "picture_2.jpg"
    content = picture.read_bytes()
    picture.write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"picture_2\.jpg cannot be decoded"):
        VOCFolder(folder, "val")[0]
    picture.write_bytes(b"GIF89a, perhaps")
    with pytest.raises(ValueError, match=r"picture_2\.jpg cannot be decoded"):
        VOCFolder(folder, "val")[0]
    picture.unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no picture .*picture_2\.jpg"):
        read_picture(picture)
    with pytest.raises(
        FileNotFoundError, match=r"picture_2\.xml: there is no picture picture_2\.jpg"
    ):
        VOCFolder(folder, "val")


def test_a_renamed_picture_is_found_by_its_filename(folder):
    pictures = folder / "JPEGImages"
    (pictures / "picture_2.jpg").rename(pictures / "holiday.jpg")
    edit(folder, "picture_2", "<filename>picture_2.jpg", "<filename>C/holiday.jpg")
    assert VOCFolder(folder, "val").picture_path(0) == pictures / "holiday.jpg"


def test_unreadable_annotations_are_named(folder):
    path = folder / "Annotations" / "picture_2.xml"
    text = path.read_text()
    path.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"picture_2\.xml is not readable XML"):
        VOCFolder(folder, "val")
    path.write_text(text.replace("<name>R &amp; B &lt;3&gt;</name>", ""))
    with pytest.raises(ValueError, match=r"picture_2\.xml, object 1: it has no <name>"):
        VOCFolder(folder, "val")


def test_unreadable_and_missing_annotations_are_left_out_when_asked(folder):
    annotations = folder / "Annotations"
    text = (annotations / "picture_1.xml").read_text()
    (annotations / "picture_1.xml").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r'picture_1\.xml is not readable XML.*on_error="drop"'):
        VOCFolder(folder, "train")
    train = VOCFolder(folder, "train", on_error="drop")
    assert train.names == ["picture_0"]
    assert [(bad.name, "not readable XML" in bad.reason) for bad in train.left_out] == [
        ("picture_1", True)
    ]
    assert "left out 1 pictures: " in train.summary()
    assert "picture_1.xml is not readable XML" in train.summary()
    # It belongs to another split, which has nothing to report.
    assert VOCFolder(folder, "val", on_error="drop").left_out == []
    with pytest.raises(ValueError, match=r"picture_1\.xml is not readable"):
        VOCFolder(folder, "val")
    (annotations / "picture_1.xml").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"train\.txt, line 2: .*picture_1\.xml.*Put it back"
    ):
        VOCFolder(folder, "train")
    assert len(VOCFolder(folder, "train", on_error="drop").left_out) == 1


def test_objects_called_background_are_refused(folder):
    edit(folder, "picture_2", "<name>R &amp; B &lt;3&gt;", "<name>background")
    with pytest.raises(ValueError, match=r"picture_2\.xml, object 1: the class is 'background'"):
        VOCFolder(folder, "val")


# ---------------------------------------------------------------- shapes of other tools


def test_label_studio_has_images_and_no_lists(folder):
    shutil.rmtree(folder / "ImageSets")
    (folder / "JPEGImages").rename(folder / "images")
    assert open_dataset(folder, "all").names == ["picture_0", "picture_1", "picture_2"]
    with pytest.raises(FileNotFoundError, match=r"its only split is 'all'.* data split .*pets"):
        open_dataset(folder, "train")
    (folder / "Annotations").rename(folder / "annotations")  # as many published sets have it
    assert len(open_dataset(folder, "all")) == 3


@pytest.mark.parametrize("inside", [".", "Annotations"])
def test_labelimg_puts_annotations_beside_the_pictures(folder, tmp_path, inside):
    one = tmp_path / "one"
    shutil.copytree(folder / "Annotations", one / inside)
    for path in (folder / "JPEGImages").iterdir():
        shutil.copy(path, one / inside)
    assert open_dataset(one, "all").names == ["picture_0", "picture_1", "picture_2"]


def test_roboflow_has_a_folder_for_each_split(folder, tmp_path):
    root = tmp_path / "roboflow"
    for split, names in (("train", ("picture_0", "picture_1")), ("valid", ("picture_2",))):
        (root / split).mkdir(parents=True)
        for name in names:
            shutil.copy(folder / "JPEGImages" / f"{name}.jpg", root / split)
            shutil.copy(folder / "Annotations" / f"{name}.xml", root / split)
    train, valid = open_dataset(root, "train"), open_dataset(root, "valid")
    assert (len(train), len(valid)) == (2, 1)
    assert train.classes == valid.classes == ("R & B <3>", "ant", "zebra")
    assert valid[0][1]["name"] == "picture_2"
    assert len(open_dataset(root, "val")) == 1
    with pytest.raises(FileNotFoundError, match=r"no split 'test'.* Its splits: train, valid"):
        open_dataset(root, "test")
    (root / "train" / "picture_1.xml").unlink()  # a picture not annotated yet
    with pytest.raises(
        FileNotFoundError, match=r"there is no annotation picture_1\.xml.*Put it back"
    ):
        open_dataset(root, "train")
    assert open_dataset(root, "train", on_error="drop").names == ["picture_0"]
    (root / "valid" / "picture_2.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"picture_2\.xml: there is no picture"):
        open_dataset(root, "valid")


def test_cvat_keeps_folders_in_the_names(folder):
    for part in ("Annotations", "JPEGImages"):
        (folder / part / "spring").mkdir()
        (path,) = (folder / part).glob("picture_2.*")
        path.rename(folder / part / "spring" / path.name)
    (folder / "ImageSets" / "Main" / "val.txt").write_text("spring/picture_2\n")
    dataset = open_dataset(folder, "val")
    assert dataset.names == ["spring/picture_2"]
    assert dataset[0][0].shape == (3, 40, 60)


def test_hidden_files_of_macos_are_not_annotations(folder):
    (folder / "Annotations" / "._picture_2.xml").write_bytes(b"\0\5\26\7")
    (folder / "JPEGImages" / "._picture_2.jpg").write_bytes(b"\0\5\26\7")
    assert len(VOCFolder(folder, "val")) == 1


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]><annotation><object><name>&i;</name></object></annotation>"
)
OUTSIDE = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    "<annotation><filename>&a;</filename></annotation>"
)


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, "<!DOCTYPE annotation><annotation/>"])
def test_xml_bombs_and_foreign_entities_are_refused(folder, text):
    (folder / "Annotations" / "picture_2.xml").write_text(text)
    with pytest.raises(
        ValueError, match=r"picture_2\.xml is not readable XML .it declares a document type"
    ):
        VOCFolder(folder, "val")


def test_a_wrong_class_list_is_refused(folder):
    with pytest.raises(ValueError, match=r"class 'zebra' is not in `classes` \(did you mean 'zebr"):
        VOCFolder(folder, "train", classes=["ant", "zebras", "R & B <3>"])
    for classes in ("zebra", [], ["ant", "ant"]):
        with pytest.raises(ValueError, match="list of different names"):
            VOCFolder(folder, "train", classes=classes)
    with pytest.raises(ValueError, match="must not contain the background"):
        VOCFolder(folder, "train", classes=["background", "ant", "zebra"])
    with pytest.raises(ValueError, match="on_error"):
        VOCFolder(folder, "train", on_error="ignore")


# ---------------------------------------------------------------- pictures of every kind


def one_picture(root, picture, size, **save):
    """Make a folder with one picture, saved by Pillow, and one box."""
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / part).mkdir(parents=True)
    name = save.pop("name", "p.png")
    picture.save(root / "JPEGImages" / name, **save)
    box = [("thing", (0, 0, 2, 2), False)]
    (root / "Annotations" / "p.xml").write_bytes(format_annotation(name, size, box))
    (root / "ImageSets" / "Main" / "all.txt").write_text("p\n")
    return VOCFolder(root, "all")


RED = np.zeros((4, 6, 3), np.uint8) + np.array([200, 30, 10], np.uint8)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "P with transparency"])
def test_coloured_pictures_become_rgb(tmp_path, mode):
    picture = Image.fromarray(RED)
    picture = picture.quantize() if mode.startswith("P") else picture.convert(mode)
    save = {"transparency": b"\x80"} if mode.endswith("transparency") else {}
    image, _ = one_picture(tmp_path, picture, (6, 4), **save)[0]
    assert torch.equal(image[:, 0, 0], torch.tensor([200, 30, 10], dtype=torch.uint8))


def test_cmyk_pictures_become_rgb(tmp_path):
    cmyk = Image.fromarray(RED).convert("CMYK")
    image, _ = one_picture(tmp_path, cmyk, (6, 4), name="p.jpg", quality=95)[0]
    assert (image[:, 0, 0].int() - torch.tensor([200, 30, 10])).abs().max() <= 8


@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 120), (np.uint16, 120 * 256 + 77)])
def test_grey_pictures_become_rgb(tmp_path, dtype, value):
    grey = Image.fromarray(np.full((4, 6), value, dtype))
    image, _ = one_picture(tmp_path, grey, (6, 4))[0]
    assert image.shape == (3, 4, 6)
    assert torch.equal(image, torch.full_like(image, 120))


@pytest.mark.parametrize("value", [120, 120 * 256 + 77])
def test_grey_of_32_bits_is_taken_for_16_or_8(tmp_path, value):
    # as Pillow before 11 reads a PNG of 16 bits
    picture = Image.fromarray(np.full((4, 6), value, np.int32))
    image, _ = one_picture(tmp_path, picture, (6, 4), name="p.tif")[0]
    assert torch.equal(image, torch.full_like(image, 120))


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_pictures_of_every_mode_are_scaled_to_bytes(tmp_path, mode):
    image, _ = one_picture(tmp_path, Image.new("L", (6, 4), 255).convert(mode), (6, 4))[0]
    assert torch.equal(image, torch.full_like(image, 255))


def test_real_numbers_are_refused_since_their_range_is_unknown(tmp_path):
    picture = Image.fromarray(np.full((4, 6), 0.5, np.float32))
    dataset = one_picture(tmp_path, picture, (6, 4), name="p.tif")
    with pytest.raises(UnreadablePicture, match=r"p\.tif cannot be decoded .*save it with 8 bits"):
        dataset[0]


def test_the_size_of_a_png_is_read_without_decoding_it(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "p.png")
    content = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").write_bytes(content[:60])
    assert read_header(tmp_path / "p.png").size == (300, 200)
    turned = Image.new("RGB", (300, 200))
    exif = turned.getexif()
    exif[0x0112] = 8
    turned.save(tmp_path / "q.png", exif=exif)
    assert read_header(tmp_path / "q.png").size == (200, 300)
    assert read_picture(tmp_path / "q.png").shape == (3, 300, 200)


@pytest.mark.parametrize("name", ["p.JPG", "p.jpeg", "p.bmp", "p.webp", "p.tif"])
def test_pictures_with_other_suffixes_are_found(tmp_path, name):
    dataset = one_picture(tmp_path, Image.fromarray(RED), (6, 4), name=name)
    assert dataset[0][0].shape == (3, 4, 6)


def test_pictures_are_turned_upright_as_their_exif_says(tmp_path):
    pixels = np.zeros((16, 32, 3), np.uint8)
    pixels[:, :16] = 255  # bright left half; orientation 6 (turn clockwise) puts it on top
    picture = Image.fromarray(pixels)
    exif = picture.getexif()
    exif[0x0112] = 6
    dataset = one_picture(tmp_path, picture, (16, 32), name="p.jpg", exif=exif)
    image, _ = dataset[0]
    assert image.shape == (3, 32, 16)
    assert image[:, :14].min() > 200
    assert image[:, 18:].max() < 50
    edit(tmp_path, "p", "<width>16</width>", "<width></width>")
    assert VOCFolder(tmp_path, "all")[0][1]["boxes"].canvas_size == (32, 16)
    edit(tmp_path, "p", "<width></width>", "<width>32</width>")
    edit(tmp_path, "p", "<height>32</height>", "<height>16</height>")
    with pytest.raises(ValueError, match=r"16 x 32 .* 32 x 16.*EXIF"):
        VOCFolder(tmp_path, "all")[0]


# ---------------------------------------------------------------- BCCD


@needs_bccd
@pytest.mark.parametrize(("split", "count"), [("train", 205), ("val", 87), ("trainval", 292)])
def test_bccd_has_the_published_pictures_per_split(split, count):
    dataset = VOCFolder(BCCD, split, on_error="drop")
    assert len(dataset) == count
    assert dataset.classes == ("Platelets", "RBC", "WBC")
    assert dataset.clipped == []
    image, target = dataset[0]
    assert image.shape == (3, 480, 640)
    assert target["boxes"].canvas_size == (480, 640)


@needs_bccd
def test_bccd_has_two_impossible_boxes():
    with pytest.raises(ValueError, match=r"2 boxes are impossible: .*BloodImage_00338.*00343"):
        VOCFolder(BCCD, "trainval")
    dropped = VOCFolder(BCCD, "trainval", on_error="drop").dropped
    assert [(r.file, r.name, r.box) for r in dropped] == [
        ("Annotations/BloodImage_00338.xml", "RBC", ("504", "337", "504", "337")),
        ("Annotations/BloodImage_00343.xml", "RBC", ("181", "329", "181", "329")),
    ]


@needs_bccd
def test_bccd_counts_pixels_from_one():
    """The reason to subtract 1: no box begins at 0, many begin at 1 and end at the border."""
    boxes = [
        tuple(map(int, entry.written))
        for path in sorted((Path(BCCD) / "Annotations").glob("*.xml"))
        for entry in read_annotation(path)[2]
    ]
    x1, y1, x2, y2 = np.array(boxes).T
    assert len(boxes) == 3943
    assert (x1.min(), y1.min(), x2.max(), y2.max()) == (1, 1, 640, 480)
    assert ((x1 == 1).sum(), (y1 == 1).sum()) == (192, 301)
    assert ((x2 == 640) | (y2 == 480)).sum() == 433
