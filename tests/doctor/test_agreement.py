"""The doctor and the readers see the same data in every case and in our own variants."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from ssd_tutorial.datasets.layouts import LAYOUTS, find_layout, layout_of, open_folder
from ssd_tutorial.doctor import RULES, examine

CASES = os.environ.get("SSD_TUTORIAL_CASES")
needs_cases = pytest.mark.skipif(
    not CASES, reason="set SSD_TUTORIAL_CASES to the folder of cases (formats, expected.json)"
)
FORMATS = sorted(p.name for p in Path(CASES, "formats").iterdir() if p.is_dir()) if CASES else []
EXPECTED = json.loads(Path(CASES, "expected.json").read_text(encoding="utf-8")) if CASES else {}
OF_NO_LAYOUT = {
    "80_csv_retinanet",
    "81_labelme_json",
    "82_labelstudio_json_min",
    "83_zip_given",
    "90_detect_odd_files",
    "91_foreign_weights",
    "93_map_vs_pycocotools",
}
# What a reader does not check: it opens one split, and decodes a picture when its item is read.
DOCTOR_ALONE = {
    "split-overlap",
    "picture-copied",
    "picture-size",
    "picture-unreadable",
    "split-without-objects",
    "split-tiny",
}


def by_readers(root, on_error="raise"):
    """Return pictures and objects of each split, or the reader's error."""
    found = {}
    for split in LAYOUTS[find_layout(root)].find(root):
        try:
            dataset = open_folder(root, split, on_error=on_error)
        except (FileNotFoundError, ValueError) as error:
            found[split] = str(error)
        else:
            objects = sum(len(dataset.target(i)["labels"]) for i in range(len(dataset)))
            found[split] = [len(dataset), objects]
    return found


def by_doctor(root):
    """Return the same with the codes of the errors, or the doctor's own error if it gives up."""
    try:
        report = examine(root, workers=1, progress=False)
    except (FileNotFoundError, ValueError) as error:
        return str(error), set()
    pictures = report.records.pictures
    counts = {
        split: [len(keys), sum(len(pictures[key].objects) for key in keys)]
        for split, keys in report.records.splits.items()
    }
    return counts, {code for code in report.codes if RULES[code].severity == "error"}


def check_agreement(root):
    read = by_readers(root)
    refused = {split for split, outcome in read.items() if isinstance(outcome, str)}
    counts, errors = by_doctor(root)
    if isinstance(counts, str):
        assert refused == set(read), counts
        return
    for split in set(read) - refused:
        assert counts[split] == read[split], split
    assert set(counts) <= set(read)
    assert bool(errors - DOCTOR_ALONE) == bool(refused), (errors, read)


# --- the cases -----------------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in OF_NO_LAYOUT])
def test_doctor_and_reader_agree_on_the_cases(name):
    check_agreement(Path(CASES, "formats", name))


@needs_cases
@pytest.mark.parametrize("name", [name for name in FORMATS if name in OF_NO_LAYOUT])
def test_folders_in_no_layout_are_refused_by_both(name):
    root = Path(CASES, "formats", name)
    if layout_of(root):
        check_agreement(root)
        assert by_doctor(root)[1] or isinstance(by_doctor(root)[0], str)
        return
    for look in (find_layout, examine):
        with pytest.raises(FileNotFoundError, match="is not in a known layout"):
            look(root)


@needs_cases
@pytest.mark.parametrize("name", sorted(set(EXPECTED) - {"about"}))
def test_the_cases_are_read_as_expected(name):
    root, right = Path(CASES, "formats", name), EXPECTED[name]
    if name in OF_NO_LAYOUT:
        return  # about the evaluation
    read, (counts, errors) = by_readers(root), by_doctor(root)
    if isinstance(right.get("splits"), dict):
        assert read == right["splits"]
    elif "splits" in right:
        assert list(read) == right["splits"]
    if "errors" in right:
        assert len(errors) == right["errors"] == 0
    if "exit" in right:
        assert bool(errors) or isinstance(counts, str)
    if "says" in right:
        said = counts if isinstance(counts, str) else examine(root, progress=False).to_text()
        assert right["says"] in said
    if "objects" in right:
        assert sum(objects for _, objects in read.values()) == right["objects"]
    if "classes" in right:
        assert list(open_folder(root, next(iter(read))).classes) == right["classes"]
    if "boxes" in right:
        dataset = open_folder(root, next(iter(read)))
        for index in range(len(dataset)):
            assert dataset.target(index)["boxes"].tolist() == right["boxes"]


@needs_cases
@pytest.mark.parametrize(
    ("name", "pictures"),
    [("11_voc_uppercase_xml_jpg", 4), ("12_voc_gif_jfif", 2), ("31_coco_float_ids", 4)],
)
def test_notes_of_the_cases_that_say_read(name, pictures):
    read = by_readers(Path(CASES, "formats", name))
    assert sum(count for count, _ in read.values()) >= pictures


@needs_cases
def test_notes_of_the_cases_that_say_otherwise():
    formats = Path(CASES, "formats")
    assert "counts-from-zero" not in examine(formats / "24_voc_zero_based_labels").codes
    assert all(objects for _, objects in by_readers(formats / "32_coco_string_image_id").values())
    (complaint,) = by_readers(formats / "36_coco_duplicate_images").values()
    assert "lists a picture more than once" in complaint


# --- our own shapes ------------------------------------------------------------------------------

VOC = """<?xml version="1.0" encoding="{encoding}"?><annotation><filename>{file}</filename>
<size><width>60</width><height>40</height></size><object><name>{name}</name><bndbox>
<xmin>11</xmin><ymin>6</ymin><xmax>30</xmax><ymax>20</ymax></bndbox></object></annotation>"""
YOLO = "0 0.5 0.5 0.25 0.5\n"


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {".gif": "GIF", ".png": "PNG"}.get(path.suffix.lower(), "JPEG")
    Image.new("RGB", (60, 40), (9, 90, len(path.stem) * 7 % 255)).save(path, kind)


def text(path, content, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))


def voc(root, annotations="Annotations", pictures="JPEGImages", names=("a", "b"), **how):
    ending, encoding = how.get("ending", ".jpg"), how.get("encoding", "utf-8")
    for name in names:
        picture(root / pictures / f"{name}{ending}")
        content = VOC.format(file=f"{name}{ending}", encoding=encoding, name=how.get("name", "cat"))
        text(root / annotations / f"{name}.xml", content, encoding)


def yolo(root, labels, pictures, names=("a", "b")):
    for name in names:
        picture(root / pictures / f"{name}.jpg")
        text(root / labels / f"{name}.txt", YOLO)


def coco(root, bboxes=((10, 5, 20, 15),) * 3, **images):
    content = {
        "images": [
            {"id": i, "file_name": f"{i}.jpg", "width": 60, "height": 40} | images
            for i in range(len(bboxes))
        ],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": i, "image_id": i, "category_id": 1, "bbox": box} for i, box in enumerate(bboxes)
        ],
    }
    for i in range(len(bboxes)):
        picture(root / "images" / f"{i}.jpg")
    text(root / "train.json", json.dumps(content))
    return content


def annots(root):
    voc(root, "annots", "images")
    return {"all": [2, 2]}


def labelimg_voc(root):
    voc(root, ".", ".")
    return {"all": [2, 2]}


def lists_with_endings(root):
    voc(root)
    text(root / "ImageSets" / "train.txt", "a.jpg\n")
    text(root / "ImageSets" / "val.txt", "JPEGImages/b.jpg\n")
    return {"train": [1, 1], "val": [1, 1]}


def splits_with_annots(root):
    for split, name in (("train", "a"), ("valid", "bbb")):
        voc(root, f"{split}/annots", f"{split}/images", [name])
    return {"train": [1, 1], "valid": [1, 1]}


def folders_in_names(root):
    voc(root, "Annotations/cam1", "JPEGImages/cam1", ["a"])
    voc(root, "Annotations/cam2", "JPEGImages/cam2", ["a"])
    text(root / "ImageSets" / "Main" / "default.txt", "cam1/a\ncam2/a\n")
    return {"default": [2, 2]}


def chinese(root):
    voc(root, encoding="gb2312", name="安全帽")
    return {"all": [2, 2]}


def odd_endings(root):
    voc(root, names=["a"], ending=".gif")
    voc(root, names=["b"], ending=".Jpg")
    voc(root, names=["c"], ending=".jfif")
    return {"all": [3, 3]}


def rubbish_of_macos_and_notebooks(root):
    yolo(root, "labels/train", "images/train")
    text(root / "classes.txt", "cat\n")
    for place in ("images", "labels"):
        text(root / place / ".ipynb_checkpoints" / "a-checkpoint.txt", YOLO)
        text(root / place / "train" / "._a.txt", "\0\5")
    text(root / "._train.txt", "\0\5")
    text(root / "__MACOSX" / "._a.xml", "\0\5")
    return {"train": [2, 2]}


def labelimg_yolo(root):
    yolo(root, ".", ".")
    text(root / "classes.txt", "cat\n")
    return {"all": [2, 2]}


def classes_in_the_splits(root):
    for split, name in (("train", "a"), ("valid", "bbb")):
        yolo(root, f"{split}/labels", f"{split}/images", [name])
        text(root / split / "labels" / "classes.txt", "cat\n")
    return {"train": [1, 1], "valid": [1, 1]}


def roboflow_darknet(root):
    for split, name in (("train", "a"), ("valid", "bbb")):
        yolo(root, split, split, [name])
        text(root / split / "_darknet.labels", "cat\n")
    return {"train": [1, 1], "valid": [1, 1]}


def yaml_of_another_name(root):
    yolo(root, "labels/train", "images/train")
    text(root / "custom.yaml", "train: images/train\nnames: [no]\n")
    return {"train": [2, 2]}


def lists_of_another_machine(root):
    yolo(root, "obj", "obj")
    text(root / "obj.names", "cat\n")
    text(root / "train.txt", "C:\\data\\obj\\a.jpg\n/content/darknet/obj/b.jpg\n")
    return {"train": [2, 2]}


def outlines_and_words_as_ids(root):
    content = coco(root)
    for entry in content["annotations"]:
        del entry["bbox"]
        entry["segmentation"] = [[10, 5, 30, 5, 30, 20]]
        entry["image_id"] = f"{entry['image_id']}"
    content["images"][0]["id"] = 0.0
    text(root / "train.json", json.dumps(content))
    return {"train": [3, 3]}


READ = [
    annots,
    labelimg_voc,
    lists_with_endings,
    splits_with_annots,
    folders_in_names,
    chinese,
    odd_endings,
    rubbish_of_macos_and_notebooks,
    labelimg_yolo,
    classes_in_the_splits,
    roboflow_darknet,
    yaml_of_another_name,
    lists_of_another_machine,
    outlines_and_words_as_ids,
]


@pytest.mark.parametrize("shape", READ)
def test_shapes_of_tools_are_read_by_both(tmp_path, shape):
    right = shape(tmp_path)
    assert by_readers(tmp_path) == right
    counts, errors = by_doctor(tmp_path)
    assert counts == right
    assert errors <= {"picture-copied"}  # the pictures of these folders look alike


def test_names_of_yaml_are_text(tmp_path):
    yaml_of_another_name(tmp_path)
    assert open_folder(tmp_path, "train").classes == ("no",)
    labels = "names: {0: 'yes', 1: 01}\n"
    text(tmp_path / "custom.yaml", labels)
    assert open_folder(tmp_path, "train").classes == ("yes", "01")


def xml_in_labels(root):
    voc(root, "labels/train", "images/train")
    return r"labels contains XML \(VOC\).*rename it to Annotations"


def cvat_for_images(root):
    picture(root / "images" / "a.jpg")
    text(root / "annotations.xml", "<annotations><image/></annotations>")
    return r"is not an annotation in VOC's layout \(it has <annotations>\)"


def labels_elsewhere(root):
    yolo(root, "labels/train", "images")
    text(root / "classes.txt", "cat\n")
    return r"none of its 2 pictures has a label file"


def lists_of_lost_pictures(root):
    yolo(root, "obj", "obj")
    text(root / "obj.names", "cat\n")
    text(root / "train.txt", "obj/a.jpg\nobj/z.jpg\n")
    return r"train\.txt, line 2: there is no picture"


def fractions(root):
    coco(root, [(0.2, 0.1, 0.3, 0.4)] * 3)
    return r"look like fractions of the picture"


def corners(root):
    coco(root, [(30, 20, 50, 35)] * 3)
    return r"if the numbers were corners"


def one_picture_twice(root):
    coco(root, file_name="0.jpg")
    return r"lists a picture more than once: 0"


def two_lists_of_classes(root):
    classes_in_the_splits(root)
    text(root / "valid" / "labels" / "classes.txt", "dog\n")
    return r"list different classes"


REFUSED = [
    xml_in_labels,
    cvat_for_images,
    labels_elsewhere,
    lists_of_lost_pictures,
    fractions,
    corners,
    one_picture_twice,
    two_lists_of_classes,
]


@pytest.mark.parametrize("shape", REFUSED)
def test_shapes_that_are_refused_by_both_with_advice(tmp_path, shape):
    words = shape(tmp_path)
    splits = LAYOUTS[find_layout(tmp_path)].find(tmp_path)
    for split in splits:
        with pytest.raises((FileNotFoundError, ValueError), match=words):
            open_folder(tmp_path, split)
    check_agreement(tmp_path)
    assert isinstance(by_doctor(tmp_path)[0], str) or by_doctor(tmp_path)[1]


def test_the_advice_about_xml_in_labels_works(tmp_path):
    xml_in_labels(tmp_path)
    (tmp_path / "labels").rename(tmp_path / "Annotations")
    assert by_readers(tmp_path) == {"all": [2, 2]}
    check_agreement(tmp_path)


@pytest.mark.parametrize("layout", ["VOC", "COCO", "YOLO"])
def test_sound_folders_agree(clean_folders, layout):
    check_agreement(clean_folders[layout])


@pytest.mark.parametrize("code", [code for code, rule in RULES.items() if rule.severity != "note"])
def test_planted_faults_agree(own, plant, code):
    if code in plant.codes:
        plant(code, own)
        check_agreement(own)


# --- nothing is never "0 errors" -----------------------------------------------------------------


def test_a_folder_without_objects_is_an_error(tmp_path):
    labelimg_yolo(tmp_path)
    for name in ("a", "b"):
        text(tmp_path / f"{name}.txt", "\n")
    assert by_doctor(tmp_path) == (
        {"all": [2, 0]},
        {"split-without-objects", "picture-copied"},
    ) or (by_doctor(tmp_path) == ({"all": [2, 0]}, {"split-without-objects"}))


def test_a_folder_without_pictures_is_an_error(tmp_path):
    voc(tmp_path)
    text(tmp_path / "ImageSets" / "Main" / "train.txt", "\n")
    shutil.rmtree(tmp_path / "JPEGImages")
    assert "split-empty" in by_doctor(tmp_path)[1]


def test_a_suggested_folder_can_be_read(tmp_path):
    yolo(tmp_path / "mine", ".", ".")
    text(tmp_path / "mine" / "classes.txt", "cat\n")
    text(tmp_path / "mine" / "notes" / "x.md", "hello")
    with pytest.raises(FileNotFoundError, match="Did you mean .*mine, which is in YOLO's layout"):
        find_layout(tmp_path)
    with pytest.raises(FileNotFoundError) as caught:
        find_layout(tmp_path / "mine" / "notes")
    assert "Did you mean" not in str(caught.value)
