"""Every fault is found by its code where it was planted, and none in a sound folder."""

import re
import shutil
import struct
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import VOCFolder
from ssd_tutorial.datasets.messages import to_numbers
from ssd_tutorial.datasets.records import RawObject, RawPicture, Records
from ssd_tutorial.datasets.voc import CORNERS
from ssd_tutorial.doctor import RULES, examine
from ssd_tutorial.doctor.box_rules import check_boxes, find_duplicates
from ssd_tutorial.doctor.rules import SEVERITIES

OTHER_LAYOUTS = {"annotation-differs", "object-without-picture", "class-unknown"}
ELSEWHERE = {
    "split-empty": "ImageSets/Main/test.txt",
    "split-repeats": "ImageSets/Main/train.txt",
    "split-unreadable": "ImageSets/Main/test.txt",
    "split-without-objects": "ImageSets/Main/dev.txt",
    "split-tiny": "ImageSets/Main/dev.txt",
    "box-units": "ImageSets/Main/train.txt",
    "split-within": "ImageSets/Main/train_small.txt",
    "class-absent": "ImageSets/Main/val.txt",
    "class-spelling": "classes",
    "class-rare": "classes",
    "counts-from-zero": "Annotations",
    "picture-unannotated": "JPEGImages/extra.jpg",
}
CODES = sorted(set(RULES) - OTHER_LAYOUTS)


@pytest.mark.parametrize("layout", ["VOC", "COCO", "YOLO"])
def test_a_sound_folder_has_no_faults(clean_folders, layout):
    report = examine(clean_folders[layout], progress=False)
    assert set(report.codes) <= {"prior-unreached"}
    assert report.records.layout == layout
    assert {name: len(names) for name, names in report.records.splits.items()} == {
        "train": 30,
        "val": 10,
    }
    assert set(report.classes) == {"red", "green", "blue"}


def test_the_three_layouts_give_the_same_report(clean_folders):
    voc, coco, yolo = (examine(root, progress=False) for root in clean_folders.values())
    for other in (coco, yolo):
        assert other.objects.boxes.shape == voc.objects.boxes.shape
        assert [c.objects for c in other.classes.values()] == [
            c.objects for c in voc.classes.values()
        ]
        for mine, its in zip(voc.reaches, other.reaches, strict=True):
            assert its.mean_iou == pytest.approx(mine.mean_iou, abs=1e-5)


def test_every_rule_has_a_planted_fault(plant):
    assert set(plant.codes) == set(CODES)
    assert {rule.severity for rule in RULES.values()} == set(SEVERITIES)


@pytest.mark.parametrize("code", CODES)
def test_a_planted_fault_is_found_where_it_is(own, plant, code):
    plant(code, own)
    faults = examine(own, progress=False).of(code)
    assert faults, code
    assert faults[0].file in (
        [ELSEWHERE[code]]
        if code in ELSEWHERE
        else ["Annotations/p0.xml", "JPEGImages/p0.jpg", "JPEGImages/p0.png", "p0"]
    )
    assert faults[0].what
    assert len(faults) == 1 or code in ("box-units", "prior-unreached"), faults


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("box-reversed", r"object 1 \(\w+\), box \[60, 5, 30, 30\]: xmax must be above xmin"),
        ("box-empty", r"object 1 \(\w+\), box \[30, 5, 30, 30\]: xmax must be above xmin"),
        (
            "box-outside",
            r"object 1 \(\w+\), box \[130, 5, 160, 30\]: the box lies outside",
        ),
        ("box-unreadable", r"object 1 .*box \[left, 5, 30, 30\]: xmin is 'left', not a number"),
        ("box-sticks-out", r"object 1 .*: it extends 24 px beyond the border of 96 x 96 pixels"),
        (
            "box-tiny",
            r"it is 2 x 191 of 300 x 300 pixels, and 2 x 191 of 300 x 300: it is not learned",
        ),
        ("box-near-duplicate", r"IoU 0\.9\d\d with object \d+ \[11, 11, 60, 60\]"),
        (
            "box-duplicate",
            r"\(red\), box \[11, 11, 60, 60\]: equal to object \d+ \[11, 11, 60, 60\]",
        ),
        ("box-two-classes", r"\(green\).*: object \d+ is red"),
        ("picture-size", r"JPEGImages/p0\.jpg: 48 x 60 pixels, but 96 x 96 in its annotation"),
        ("picture-copied", r"p0\.jpg: the same file as JPEGImages/p100\.jpg \(train and val\)"),
        ("picture-twin", r"p0\.jpg: nearly JPEGImages/p100\.jpg \(train and val\)$"),
        ("picture-unreadable", r"p0\.jpg: cannot be decoded as a picture"),
        ("picture-rotated", r"its EXIF orientation is 6"),
        ("labels-missing", r"no red, which \d\d of \d\d pictures have \(\d+ green\)"),
        ("split-overlap", r"p0\.jpg: it is in train and in val"),
        ("split-repeats", r"p0 is listed 2 times"),
        ("annotation-unreadable", r"Annotations/p0\.xml: not readable XML"),
    ],
)
def test_a_fault_quotes_what_is_there(own, plant, code, words):
    plant(code, own)
    (fault,) = examine(own, progress=False).of(code)
    assert re.search(words, str(fault)), str(fault)


def test_rotation_that_the_annotation_ignores_is_an_error(own, plant, tools):
    tools.save(own, "p0", lambda image: image.resize((96, 60)))
    plant("picture-rotated", own)  # stored 60 x 96, upright 96 x 60

    def lying(tree):
        tree.find("size/width").text, tree.find("size/height").text = "60", "96"

    tools.edit_xml(own, "p0", lying)
    (fault,) = examine(own, progress=False).of("picture-size")
    assert "before EXIF rotated it" in fault.what


def test_unions_and_lists_of_one_class_are_not_faults(own, plant):
    lists = own / "ImageSets" / "Main"
    train, val = ((lists / f"{s}.txt").read_text() for s in ("train", "val"))
    (lists / "trainval.txt").write_text(val + train)  # the union of two
    (lists / "red_train.txt").write_text("p0  1\np1 -1\np2  0\n")  # VOC's lists of one class
    report = examine(own, progress=False)
    assert set(report.codes) <= {"prior-unreached"}
    assert list(report.records.splits) == ["train", "trainval", "val"]


def test_a_list_named_after_a_split_is_the_split_whatever_stands_beside_its_names(own):
    file = own / "ImageSets" / "Main" / "val.txt"
    before = examine(own, progress=False).records.splits
    file.write_text("".join(f"{name} 0\n" for name in file.read_text().split()))
    assert examine(own, progress=False).records.splits == before


def test_a_damaged_list_of_a_split_is_not_taken_for_a_list_of_one_class(own):
    """Names may end in " 0"; a list that names no annotation is a split with a fault."""
    (own / "ImageSets" / "Main" / "val.txt").write_bytes(b"pic\xb1 0\n\xb1 1\n")
    report = examine(own, progress=False)
    (fault,) = report.of("split-unreadable")
    assert fault.file == "ImageSets/Main/val.txt"
    assert "UTF-8" in fault.what
    (own / "ImageSets" / "Main" / "val.txt").write_text("one 0\ntwo 1\n")
    assert [f.what for f in examine(own, progress=False).of("annotation-missing")] != []
    with pytest.raises(FileNotFoundError, match=r"val\.txt, line 1: there is no annotation one"):
        VOCFolder(own, "val")


def test_a_union_that_hides_an_overlap_does_not_hide_it(own, plant):
    plant("split-overlap", own)
    lists = own / "ImageSets" / "Main"
    names = {*(lists / "train.txt").read_text().split(), *(lists / "val.txt").read_text().split()}
    (lists / "trainval.txt").write_text("\n".join(sorted(names)))
    assert len(examine(own, progress=False).of("split-overlap")) == 1


def test_equal_train_and_val_are_not_nested_splits(own):
    lists = own / "ImageSets" / "Main"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    report = examine(own, progress=False)
    assert report.codes["split-overlap"] == 30


@pytest.mark.parametrize("workers", [-1, -5])
def test_no_number_of_workers_means_no_pictures(own, plant, workers):
    plant("picture-unreadable", own)
    with pytest.raises(ValueError, match=f"workers must be 0 or more, not {workers}"):
        examine(own, workers=workers, progress=False)


@pytest.mark.parametrize("orientation", [0, 1, 9, 65537])
def test_an_orientation_that_means_nothing_is_upright(own, tools, orientation):
    entry = struct.pack("<HHII", 0x0112, 4, 1, orientation)  # as a long: cameras write odd types
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0)
    tools.save(own, "p0", lambda image: image, exif=exif)
    with Image.open(own / "JPEGImages" / "p0.jpg") as picture:
        assert picture.getexif()[0x0112] == orientation
    assert not examine(own, progress=False).of("picture-rotated")


def test_a_picture_that_is_a_device_is_not_read(own):
    path = own / "JPEGImages" / "p0.jpg"
    path.unlink()
    path.symlink_to("/dev/zero")
    report = examine(own, progress=False)
    assert report.count("error") == 1


def test_splits_can_be_chosen(own, plant):
    plant("split-overlap", own)
    report = examine(own, splits=["train"], progress=False)
    assert not report.of("split-overlap")
    assert len(report.records.pictures) == 30
    with pytest.raises(FileNotFoundError, match=r"no split 'trian' .*Its splits: train, val"):
        examine(own, splits=["trian"])


def test_without_pictures_files_are_not_decoded(own, plant):
    plant("picture-unreadable", own)
    plant("box-empty", own)
    report = examine(own, pictures=False, progress=False)
    assert report.pictures is None
    assert report.count("error") == 1
    assert "pictures were not decoded" in report.to_text()


def test_three_equal_boxes_are_two_duplicates(own, tools):
    def change(tree):
        for _ in range(2):
            tree.append(tree.find("object"))

    tools.edit_xml(own, "p0", change)
    assert len(examine(own, progress=False).of("box-duplicate")) == 2


def test_a_crowd_of_boxes_is_compared_in_seconds_and_each_is_reported_once():
    draw = np.random.default_rng(0)
    low = draw.uniform(0, 3000, (5000, 2)).round()
    boxes = np.concatenate([low, low + draw.uniform(40, 60, (5000, 2)).round()], axis=1).tolist()
    objects = [
        RawObject(number, "cell", tuple(box), tuple(box)) for number, box in enumerate(boxes * 2, 1)
    ]
    picture = RawPicture("p", None, Path("p.xml"), "p.xml", (4000, 4000), tuple(objects))
    records = Records(Path(), "VOC", {"p": picture}, {"all": ("p",)})
    began = time.process_time()
    found = Counter(fault.code for fault in check_boxes(records))
    assert time.process_time() - began < 10
    distinct = len({tuple(box) for box in boxes})
    near = found["box-near-duplicate"]
    assert found["box-duplicate"] + near >= 5000
    assert found["box-duplicate"] + 2 * near >= 10_000 - distinct > 0


@pytest.mark.parametrize("near", [0.6, 0.8])
def test_duplicates_are_those_of_a_plain_loop(near):
    draw = np.random.default_rng(int(10 * near))
    low = draw.integers(0, 9, (60, 2))
    boxes = np.concatenate([low, low + draw.integers(9, 14, (60, 2))], axis=1).astype(float)
    boxes[40:] = boxes[:20]
    objects = [
        (RawObject(i, "ab"[i % 2], tuple(box), tuple(box)), None if i % 10 == 0 else tuple(box))
        for i, box in enumerate(boxes)
    ]
    overlap = iou(torch.tensor(boxes), torch.tensor(boxes))
    kept, expected = [], {}
    for i, (entry, box) in enumerate(objects):
        if box is None:
            continue
        alike = [j for j in kept if objects[j][0].name == entry.name and overlap[i, j] > near]
        if alike:
            best = max(alike, key=lambda j: overlap[i, j])
            expected[i] = (
                "box-duplicate" if objects[best][1] == box else "box-near-duplicate",
                best,
            )
        else:
            kept.append(i)
    found = find_duplicates(objects, near)
    assert {i: (twin.code, twin.kept.number) for i, twin in found.items()} == expected
    assert {code for code, _ in expected.values()} == {"box-duplicate", "box-near-duplicate"}


def test_the_bound_of_near_can_be_chosen(own, plant):
    plant("box-near-duplicate", own)
    plant("box-duplicate", own)
    assert examine(own, near=1, progress=False).codes["box-duplicate"] >= 1
    assert not examine(own, near=1, progress=False).of("box-near-duplicate")
    for near in (0, 1.5):
        with pytest.raises(ValueError, match="near must be an IoU"):
            examine(own, near=near)


number = st.one_of(
    st.integers(-5, 110), st.floats(-5, 110, width=32), st.sampled_from(["", "x", "nan", "inf"])
)


@settings(max_examples=400)
@given(written=st.tuples(number, number, number, number), one_based=st.booleans())
def test_errors_are_the_boxes_that_the_dataset_drops(written, one_based):
    written = tuple(map(str, written))
    values, unread = to_numbers(CORNERS, written)
    entry = RawObject(1, "cat", written, tuple(values) or None, unread)
    picture = RawPicture("p", None, Path("p.xml"), "p.xml", (96, 60), (entry,))
    records = Records(Path(), "VOC", {"p": picture}, {"all": ("p",)}, one_based=one_based)
    x1, y1, x2, y2 = values or (0, 0, 0, 0)
    shift = 1 if one_based else 0
    sound = x1 < x2 and y1 < y2  # as written, and some of it in the picture
    sound = sound and x1 - shift < 96 and y1 - shift < 60 and x2 > 0 and y2 > 0
    faults = list(check_boxes(records))
    assert any(fault.severity == "error" for fault in faults) == (not sound)
    assert (records.judge(picture, entry).code == "") == sound


def test_a_folder_without_errors_is_one_that_can_be_read(clean_folders):
    for split in ("train", "val"):
        assert not VOCFolder(clean_folders["VOC"], split, on_error="raise").dropped


def test_many_equal_and_many_similar_pictures_are_one_fault_each(own, plant):
    for number in range(1, 6):
        shutil.copy(own / "JPEGImages" / "p0.jpg", own / "JPEGImages" / f"p{number}.jpg")
    with Image.open(own / "JPEGImages" / "p10.jpg") as picture:
        for number, quality in ((11, 80), (12, 70), (101, 60)):
            picture.save(own / "JPEGImages" / f"p{number}.jpg", quality=quality)
    report = examine(own, progress=False)
    (equal,), (like,) = report.of("picture-repeated"), report.of("picture-twin")
    assert not report.of("picture-copied")
    assert not report.of("picture-similar")
    assert (equal.file, equal.other) == ("JPEGImages/p0.jpg", "JPEGImages/p1.jpg")
    assert equal.more == tuple(f"JPEGImages/p{n}.jpg" for n in range(2, 6))
    assert equal.what.endswith(
        "p1.jpg, and 4 more: JPEGImages/p2.jpg, JPEGImages/p3.jpg, JPEGImages/p4.jpg, …"
    )
    assert (like.file, like.other) == ("JPEGImages/p10.jpg", "JPEGImages/p101.jpg")
    assert like.more == ("JPEGImages/p11.jpg", "JPEGImages/p12.jpg")
    assert "p101.jpg (train and val), and 2 more: " in like.what
    assert like.to_dict()["more"] == list(like.more)


def test_a_wrong_folder_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        examine(tmp_path / "nowhere")
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(FileNotFoundError, match=r"not in a known layout.*It contains notes\.txt"):
        examine(tmp_path)


# --- the other layouts ---------------------------------------------------------------------------


def test_every_fault_of_a_coco_file_is_found_at_its_object(own_coco, tools):
    def change(content):
        objects = content["annotations"]
        objects[0]["bbox"] = [50, 5, -30, 20]
        objects[1]["bbox"] = [5, 5, 0, 20]
        objects[2]["bbox"] = [500, 5, 10, 20]
        objects[3]["bbox"] = [1, 2, 3]
        objects[4]["category_id"] = 77
        objects[5]["image_id"] = 7777
        objects.append(objects[6] | {"id": 5000})

    tools.edit_json(own_coco, "train", change)
    report = examine(own_coco, progress=False)
    file = "annotations/instances_train.json"
    found = {code: [f.number for f in report.of(code)] for code in report.codes}
    assert found["box-reversed"] == [1]
    assert found["box-empty"] == [2]
    assert found["box-outside"] == [3]
    assert found["box-unreadable"] == [4]
    assert found["class-unknown"] == [5]
    assert found["object-without-picture"] == [6]
    assert found["box-duplicate"] == [5000]
    assert report.of("box-reversed")[0].file == f"{file}: p0.jpg"


def test_coco_pictures_of_two_files_may_not_differ(own_coco, tools):
    folder = own_coco / "annotations"
    shutil.copy(folder / "instances_train.json", folder / "instances_train_more.json")
    shutil.copytree(own_coco / "train", own_coco / "images", dirs_exist_ok=True)
    shutil.rmtree(own_coco / "train")
    assert not examine(own_coco, progress=False).of("annotation-differs")
    tools.edit_json(own_coco, "train_more", lambda c: c["annotations"].pop(0))
    report = examine(own_coco, progress=False)
    assert [f.file for f in report.of("annotation-differs")] == [
        "annotations/instances_train.json: p0.jpg"
    ]
    assert len(report.records.pictures) == 40  # not 70


def test_a_coco_file_that_is_not_json_is_reported(own_coco):
    path = own_coco / "annotations" / "instances_val.json"
    path.write_text(path.read_text()[:400])
    report = examine(own_coco, progress=False)
    (fault,) = report.of("split-unreadable")
    assert fault.file == "annotations/instances_val.json"
    assert "readable JSON" in fault.what
    assert list(report.records.splits) == ["train"]


def test_a_coco_image_that_is_listed_twice_is_reported(own_coco, tools):
    tools.edit_json(own_coco, "train", lambda c: c["images"].append(c["images"][0] | {"id": 999}))
    report = examine(own_coco, progress=False)
    assert "p0" in report.of("split-repeats")[0].what


def label(root, name="p0", split="train"):
    return root / "labels" / split / f"{name}.txt"


def test_every_fault_of_a_yolo_label_is_found_at_its_line(own_yolo):
    label(own_yolo).write_text(
        "0 0.5 0.5 0.2 -0.2\n1 0.5 0.5 0 0.3\n2 1.5 0.5 0.2 0.2\n0 0.5 0.5 0.2\n"
        "7 0.5 0.5 0.2 0.2\n1 50 50 20 20\n1 0.95 0.5 0.2 0.2\n"
        "2 0.1 0.1 0.4 0.1 0.4 0.5\n"
    )
    label(own_yolo, "p1").write_text("cat 0.5 0.5 0.2 0.2\n")
    (own_yolo / "labels" / "train" / "ghost.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    report = examine(own_yolo, progress=False)
    found = {code: [(f.file, f.number) for f in report.of(code)] for code in report.codes}
    file = "labels/train/p0.txt"
    assert found["box-reversed"] == [(file, 1)]
    assert found["box-empty"] == [(file, 2)]
    assert found["box-outside"] == [(file, 3)]
    assert found["box-unreadable"] == [(file, 4), (file, 6)]
    assert found["class-unknown"] == [(file, 5)]
    assert found["box-sticks-out"] == [(file, 7)]
    assert found["annotation-unreadable"] == [("labels/train/p1.txt", None)]
    assert found["picture-missing"] == [("labels/train/ghost.txt", None)]
    polygon = report.records.pictures["images/train/p0.jpg"].objects[7]
    assert polygon.corners == pytest.approx((9.6, 9.6, 38.4, 48))


def test_a_yolo_picture_without_labels_has_no_objects(own_yolo):
    label(own_yolo).unlink()
    report = examine(own_yolo, progress=False)
    assert [f.file for f in report.of("picture-empty")] == ["labels/train/p0.txt"]
    assert report.count("error") == 0


def test_progress_is_shown_on_request(clean_folders, capsys):
    examine(clean_folders["VOC"], progress=True)
    assert "pictures" in capsys.readouterr().err
    examine(clean_folders["VOC"], progress=False)
    assert capsys.readouterr().err == ""


def test_folders_of_labelling_tools_are_examined(clean_folders, tmp_path):
    """Roboflow's and LabelImg's: annotations beside the pictures, one folder per split."""
    source = SimpleNamespace(**{p.name: p for p in clean_folders["VOC"].iterdir()})
    for split in ("train", "valid"):
        (tmp_path / split).mkdir()
        for name in (("p0", "p1"), ("p100",))[split == "valid"]:
            shutil.copy(source.Annotations / f"{name}.xml", tmp_path / split)
            shutil.copy(source.JPEGImages / f"{name}.jpg", tmp_path / split)
    (tmp_path / "train" / "p1.xml").unlink()
    report = examine(tmp_path, progress=False)
    assert report.records.splits == {"train": ("train/p0", "train/p1"), "valid": ("valid/p100",)}
    assert [f.file for f in report.of("annotation-missing")] == ["train/p1.jpg"]


def test_a_yolo_class_list_may_begin_with_the_background(own_yolo):
    listing = own_yolo / "data.yaml"
    text = listing.read_text()
    listing.write_text(text.replace("- blue", "- blue\n- background"))
    assert listing.read_text() != text
    report = examine(own_yolo, progress=False)
    assert set(report.classes) == {"red", "green", "blue"}
    assert report.count("error") == 0
    (own_yolo / "labels" / "train" / "p0.txt").write_text("3 0.5 0.5 0.2 0.2\n")
    assert len(examine(own_yolo, progress=False).of("class-background")) == 1
