"""``--fix``: a copy without errors, nothing else changed, and the original untouched."""

import json
import os
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from ssd_tutorial.datasets import VOCFolder, open_dataset, read_picture
from ssd_tutorial.datasets.writing import put
from ssd_tutorial.doctor import examine, fix
from ssd_tutorial.doctor.rules import RULES

LEFT_TO_THE_READER = {
    "box-tiny",
    "box-two-classes",
    "class-spelling",
    "class-rare",
    "class-absent",
    "labels-missing",
    "picture-twin",
    "picture-repeated",
}
ERRORS_AND_WARNINGS = sorted(
    {code for code, rule in RULES.items() if rule.severity != "note"}
    - {"annotation-differs", "object-without-picture", "class-unknown"}  # of other layouts
    - {"box-units", "split-without-objects", "split-tiny"}  # no single thing is at fault
)


def fixed(root, **how):
    out = root.with_name(f"{root.name}_fixed")
    changes = fix(examine(root, progress=False, **how), out, progress=False)
    return out, changes, examine(out, progress=False, **how)


def objects(root, name):
    tree = ElementTree.parse(root / "Annotations" / f"{name}.xml").getroot()
    return [
        (node.findtext("name").strip(), *(float(v.text) for v in node.find("bndbox")))
        for node in tree.findall("object")
    ]


@pytest.mark.parametrize("code", ERRORS_AND_WARNINGS)
def test_each_fault_is_fixed_or_left_and_listed(own, plant, all_files, code):
    plant(code, own)
    before = all_files(own)
    found = examine(own, progress=False)
    _, changes, after = fixed(own)
    assert all_files(own) == before
    assert after.count("error") == 0, after.to_text()
    if code in LEFT_TO_THE_READER:
        assert after.of(code)
        assert code not in {change.code for change in changes}
        assert "--fix" not in RULES[code].fix
    else:
        assert not after.of(code)
        told = "picture-rotated" if code == "picture-size" and changes[0].code != code else code
        assert told in {change.code for change in changes}
        assert "--fix" in RULES[code].fix or "the datasets cut" in RULES[code].fix
    assert found.count("warning") >= after.count("warning") - 1


def test_a_sound_folder_is_copied_byte_by_byte(own, all_files):
    (own / "README.md").write_text("whose pictures these are")
    (own / "notes.txt").write_text("not a part of the data set")
    (own / ".git").mkdir()
    (own / ".git" / "config").write_text("hidden")
    out, changes, _ = fixed(own)
    assert changes == ()
    after = all_files(out)
    listing = json.loads(after.pop(next(p for p in after if p.name == "changes.json")))
    assert listing == {"data": "own", "counts": {}, "changes": []}
    before = {p: c for p, c in all_files(own).items() if p.parts[0] not in (".git", "notes.txt")}
    assert after == before


def test_many_faults_in_one_folder_are_fixed_at_once(own, plant, all_files, tools):
    def change(tree):
        first = tree.find("object")
        for numbers in ((60, 5, 30, 30), (30, 5, 30, 30), (130, 5, 160, 30)):
            node = ElementTree.fromstring(ElementTree.tostring(first))
            tools.set_box(node, *numbers)
            tree.append(node)
        for numbers in ((60, 40, 120, 90), (60, 40, 120, 90), (61, 41, 120, 90)):
            node = ElementTree.fromstring(ElementTree.tostring(first))
            tools.set_box(node, *numbers)
            tree.append(node)

    sound = len(objects(own, "p5"))
    tools.edit_xml(own, "p5", change)
    plant("split-overlap", own)
    plant("split-empty", own)
    tools.edit_xml(own, "p14", lambda tree: tools.set_box(tree.find("object"), "x", 5, 30, 30))
    for name in ("p10", "p11"):
        (own / "JPEGImages" / f"{name}.jpg").write_bytes(b"no picture")
    (own / "Annotations" / "p12.xml").write_text("<annotation>")
    (own / "JPEGImages" / "p13.jpg").unlink()
    before = all_files(own)
    out, changes, after = fixed(own)
    assert all_files(own) == before
    assert after.count("error") == 0

    kept = objects(out, "p5")
    assert len(kept) == sound + 2
    assert kept[-2][1:] == (30, 5, 60, 30)  # swapped: xmin and xmax change places
    assert kept[-1][1:] == (60, 40, 96, 90)  # cut at the border; its twins are dropped
    names = (out / "ImageSets" / "Main" / "train.txt").read_text().split()
    assert set(names) == {f"p{i}" for i in range(30)} - {"p0", "p10", "p11", "p12", "p13", "p14"}
    assert "p0" in (out / "ImageSets" / "Main" / "val.txt").read_text().split()
    assert not (out / "ImageSets" / "Main" / "test.txt").exists()
    assert not (out / "Annotations" / "p10.xml").exists()
    for split in ("train", "val"):  # training would start
        dataset = VOCFolder(out, split)
        assert dataset[len(dataset) - 1][0].shape == (3, 96, 96)
        assert not dataset.dropped
        assert not dataset.clipped
    listing = json.loads((out / "changes.json").read_text())
    assert listing["counts"]["picture-unreadable"] == 2
    assert len(listing["changes"]) == len(changes) == sum(listing["counts"].values())
    assert {"code", "file", "object", "class", "what"} == set(listing["changes"][0])


def test_counted_from_zero_reads_the_same_as_before(own, plant, clean_folders):
    plant("counts-from-zero", own)
    out, _, _ = fixed(own)
    before, after = VOCFolder(clean_folders["VOC"], "train"), VOCFolder(out, "train")
    for index in range(len(before)):
        boxes = before.target(index)["boxes"]
        assert np.allclose(boxes, after.target(index)["boxes"], atol=2e-3)


def test_unions_stay_unions(own, plant):
    plant("split-overlap", own)  # p0 in train and val
    lists = own / "ImageSets" / "Main"
    test = ["p1", "p100"]
    (lists / "test.txt").write_text("\n".join(test))
    train, val = ((lists / f"{s}.txt").read_text().split() for s in ("train", "val"))
    (lists / "trainval.txt").write_text("\n".join(dict.fromkeys([*train, *val])))
    (lists / "red_train.txt").write_text("p0  1\np2 -1\n")
    _, _, after = fixed(own)
    split = {name: set(names) for name, names in after.records.splits.items()}
    assert split["test"] == set(test)
    assert "p0" in split["val"]
    assert not {"p0", "p1"} & split["train"]
    assert "p100" not in split["val"]
    assert split["trainval"] == split["train"] | split["val"]


def test_a_rotated_picture_becomes_upright(own, plant, pixels):
    plant("picture-rotated", own)
    out, _, _ = fixed(own)
    path = out / "JPEGImages" / "p0.jpg"
    with Image.open(path) as picture:
        assert picture.getexif().get(0x0112) is None
    upright = read_picture(own / "JPEGImages" / "p0.jpg").permute(1, 2, 0).numpy()
    assert abs(pixels(path) - upright).mean() < 3


def test_a_rotation_that_the_boxes_ignore_is_dropped(own, plant, tools, pixels):
    tools.save(own, "p0", lambda image: image.resize((96, 60)))
    plant("picture-rotated", own)  # stored 60 x 96, upright 96 x 60

    def lying(tree):
        tree.find("size/width").text, tree.find("size/height").text = "60", "96"
        tools.set_box(tree.find("object"), 5, 5, 50, 90)

    tools.edit_xml(own, "p0", lying)
    out, changes, after = fixed(own)
    assert after.count("error") == 0
    assert [c.code for c in changes if "EXIF" in c.what] == ["picture-rotated"]
    stored = pixels(own / "JPEGImages" / "p0.jpg")  # Pillow does not rotate by itself
    assert stored.shape == (96, 60, 3)
    assert abs(pixels(out / "JPEGImages" / "p0.jpg") - stored).max() <= 12


def test_cmyk_becomes_rgb(own, plant, pixels):
    plant("picture-cmyk", own)
    out, _, _ = fixed(own)
    with Image.open(out / "JPEGImages" / "p0.jpg") as picture:
        assert picture.mode == "RGB"
    was = read_picture(own / "JPEGImages" / "p0.jpg").permute(1, 2, 0).numpy().astype(np.int16)
    assert abs(pixels(out / "JPEGImages" / "p0.jpg") - was).mean() < 3


# --- the other layouts ---------------------------------------------------------------------------


def test_faults_of_a_coco_folder_are_fixed(own_coco, tools, all_files):
    def change(content):
        entries = content["annotations"]
        names = {image["id"]: image["file_name"] for image in content["images"]}
        by_image = {names[entry["image_id"]]: entry for entry in entries}
        entries[0] |= {"bbox": [50, 5, -30, 20], "iscrowd": 1}
        entries[1]["bbox"] = [5, 5, 0, 20]
        entries[2]["bbox"] = [500, 5, 10, 20]
        by_image["p20.jpg"]["bbox"] = [1, 2, 3]
        by_image["p21.jpg"]["category_id"] = 77
        entries[5]["image_id"] = 7777
        entries.append(entries[6] | {"id": 5000})
        content["images"].append(content["images"][9] | {"id": 999})

    tools.edit_json(own_coco, "train", change)
    (own_coco / "train" / "p3.jpg").write_bytes(b"no picture")
    shutil.copy(own_coco / "val" / "p100.jpg", own_coco / "train" / "p4.jpg")
    before = all_files(own_coco)
    out, changes, after = fixed(own_coco)
    assert all_files(own_coco) == before
    assert after.count("error") == 0, after.to_text()
    content = json.loads((out / "annotations" / "instances_train.json").read_text())
    first = content["annotations"][0]
    assert (first["bbox"], first["area"], first["iscrowd"]) == ([20, 5, 30, 20], 600, 1)
    files = [image["file_name"] for image in content["images"]]
    assert len(files) == len(set(files)) == 26
    assert not {"p3.jpg", "p4.jpg", "p20.jpg", "p21.jpg"} & set(files)
    assert not (out / "train" / "p3.jpg").exists()
    expected = {"box-reversed", "box-empty", "box-outside", "box-unreadable", "class-unknown"}
    expected |= {"object-without-picture", "box-duplicate", "split-repeats"}
    expected |= {"picture-unreadable", "picture-copied"}
    assert expected == {change.code for change in changes}
    assert len(open_dataset(out, "train", on_error="raise")) == 26


def test_faults_of_a_yolo_folder_are_fixed(own_yolo, all_files):
    labels = own_yolo / "labels" / "train"
    sound = "1 0.25 0.25 0.2 0.2"
    (labels / "p0.txt").write_text(
        f"0 0.5 0.5 0.2 -0.2\n1 0.5 0.5 0 0.3\n2 1.5 0.5 0.2 0.2\n{sound}\n1 0.95 0.5 0.2 0.2\n"
    )
    (labels / "p1.txt").write_text("cat 0.5 0.5 0.2 0.2\n")
    (labels / "p2.txt").write_text("7 0.5 0.5 0.2 0.2\n")  # the list has no such class
    (labels / "ghost.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    listing = own_yolo / "data.yaml"
    listing.write_text(f"path: {own_yolo.resolve()}\n{listing.read_text()}")
    before = all_files(own_yolo)
    out, _, after = fixed(own_yolo)
    assert all_files(own_yolo) == before
    assert after.count("error") == 0, after.to_text()
    lines = (out / "labels" / "train" / "p0.txt").read_text().splitlines()
    assert lines == ["0 0.5 0.5 0.2 0.2", sound, "1 0.925 0.5 0.15 0.2"]
    assert not (out / "labels" / "train" / "ghost.txt").exists()
    assert not (out / "images" / "train" / "p1.jpg").exists()
    assert not (out / "images" / "train" / "p2.jpg").exists()
    assert str(own_yolo) not in (out / "data.yaml").read_text()
    shutil.rmtree(own_yolo)  # the copy stands alone
    assert len(open_dataset(out, "train", on_error="raise")) == 28


def test_yolo_lists_lose_what_they_share(own_yolo):
    """Darknet's and CVAT's variant: one list of pictures per split."""
    root = own_yolo
    shutil.move(root / "images" / "train", root / "data")
    for path in (root / "labels" / "train").iterdir():
        shutil.move(path, root / "data" / path.name)
    for name in ("labels", "images"):
        shutil.rmtree(root / name)
    (root / "data.yaml").unlink()
    (root / "obj.names").write_text("red\ngreen\nblue\n")
    (root / "train.txt").write_text("".join(f"data/p{i}.jpg\n" for i in range(25)))
    (root / "valid.txt").write_text("".join(f"{root}/data/p{i}.jpg\n" for i in range(22, 30)))
    assert examine(root, progress=False).codes["split-overlap"] == 3
    out, _, after = fixed(root)
    assert after.count("error") == 0
    assert {s: len(names) for s, names in after.records.splits.items()} == {"train": 22, "valid": 8}
    assert str(root) not in (out / "data.yaml").read_text()


def test_a_folder_shared_by_two_splits_is_not_divided(own_yolo):
    listing = own_yolo / "data.yaml"
    text = listing.read_text()
    listing.write_text(text.replace("val: images/val", "test: images/train"))
    assert listing.read_text() != text
    shutil.rmtree(own_yolo / "images" / "val")
    report = examine(own_yolo, progress=False)
    assert report.codes["split-overlap"] == 30
    out = own_yolo.with_name("out")
    with pytest.raises(ValueError, match=r"split-overlap would drop all 30 pictures of train"):
        fix(report, out, progress=False)
    assert not out.exists()


def test_every_change_is_listed_once(own_coco, tools):
    def change(content):
        for entry in content["annotations"][:3]:
            entry["image_id"] = 7777

    tools.edit_json(own_coco, "train", change)
    (own_coco / "train" / "p20.jpg").unlink()
    _, changes, after = fixed(own_coco)
    assert after.count("error") == 0
    codes = [change.code for change in changes]
    assert sorted(codes) == ["object-without-picture"] * 3 + ["picture-missing"]


# --- data at fault as a whole -------------------------------------------------------------------


def no_pictures(root):
    for path in list((root / "JPEGImages").iterdir())[:15]:
        path.unlink()


def half_of_the_boxes_empty(root):
    for path in (root / "Annotations").iterdir():
        tree = ElementTree.parse(path)
        for box in list(tree.iter("bndbox"))[::2]:
            box.find("xmax").text = box.find("xmin").text
        tree.write(path)


def no_picture_of_val(root):
    for name in (root / "ImageSets" / "Main" / "val.txt").read_text().split():
        (root / "JPEGImages" / f"{name}.jpg").unlink()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (no_pictures, r"picture-missing would drop 15 of 40 pictures"),
        (half_of_the_boxes_empty, r"box-empty would drop \d+ of \d+ objects"),
        (no_picture_of_val, r"picture-missing would drop all 10 pictures of val"),
    ],
)
def test_fix_refuses_to_drop_a_large_share(own, all_files, damage, words):
    damage(own)
    before = all_files(own)
    out = own.with_name("out")
    report = examine(own, progress=False)
    with pytest.raises(ValueError, match=words + r".*read wrongly.*first: (Annotations|JPEG)"):
        fix(report, out, progress=False)
    assert sorted(path.name for path in own.parent.iterdir()) == ["own"]
    assert all_files(own) == before


def test_fix_refuses_boxes_in_other_units(own, plant):
    plant("box-units", own)
    with pytest.raises(ValueError, match="look like fractions.*not a fault of single boxes"):
        fix(examine(own, progress=False), own.with_name("out"), progress=False)


def test_fractions_are_never_shifted(own, all_files):
    for path in (own / "Annotations").iterdir():
        tree = ElementTree.parse(path)
        for corner in ("xmin", "ymin"):
            for node in tree.iter(corner):
                node.text = f"{float(node.text) - 1 + 0.25:g}" if node.text != "1" else "0"
        tree.write(path)
    assert not examine(own, progress=False).of("counts-from-zero")


# --- refusals ------------------------------------------------------------------------------------


def test_fix_never_writes_into_the_data_or_over_something(own, tmp_path, all_files):
    report = examine(own, progress=False)
    before = all_files(tmp_path)
    with pytest.raises(FileExistsError, match="the examined folder, or lies in it"):
        fix(report, own)
    with pytest.raises(FileExistsError, match="or lies in it"):
        fix(report, own / "new")
    os.symlink(own, tmp_path / "link")
    with pytest.raises(FileExistsError, match="or lies in it"):
        fix(report, tmp_path / "link" / "new")
    with pytest.raises(FileExistsError, match="not empty"):
        fix(report, tmp_path)
    (tmp_path / "link").unlink()
    assert all_files(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert fix(report, tmp_path / "empty", progress=False) == ()
    assert (tmp_path / "empty" / "Annotations" / "p0.xml").is_file()


def test_fix_needs_a_complete_examination_of_files(own, tmp_path):
    with pytest.raises(ValueError, match="omit --no-pictures"):
        fix(examine(own, pictures=False, progress=False), tmp_path / "out")
    with pytest.raises(ValueError, match="omit --splits"):
        fix(examine(own, splits=["train"], progress=False), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failing_disk_leaves_nothing_half_written(own, tmp_path, monkeypatch):
    report = examine(own, progress=False)
    copied = []

    def full(path, content, overwrite):
        copied.append(path)
        if len(copied) == 20:
            raise OSError("no space left on device")
        return put(path, content, overwrite)

    monkeypatch.setattr("ssd_tutorial.doctor.corrections.put", full)
    with pytest.raises(OSError, match="no space left"):
        fix(report, tmp_path / "out", progress=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["own"]
