"""Annotations that nobody should write, but tools and attackers do: read rightly, or refused."""

import json
import os
import shutil
import signal
from contextlib import contextmanager

import pytest
from PIL import Image

from ssd_tutorial.datasets import BadPicture, open_folder
from ssd_tutorial.datasets.layouts import find_layout, read_folder

XML = """{head}<annotation><filename>a.jpg</filename><size><width>{w}</width><height>{h}</height>
</size><object><name>{name}</name>{extra}<bndbox><xmin>11</xmin><ymin>6</ymin><xmax>{x}</xmax>
<ymax>20</ymax></bndbox></object></annotation>"""
RIGHT = [[10, 5, 30, 20]]


def xml(head="", w="60", h="40", name="cat", extra="", x="30"):
    return XML.format(head=head, w=w, h=h, name=name, extra=extra, x=x)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (60, 40), (9, 90, 200)).save(path, "JPEG")


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


@contextmanager
def at_most(seconds):
    """Fail instead of hanging."""

    def stop(*_):
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def boxes(root, split):
    """Return all boxes of a split."""
    with at_most(10):
        dataset = open_folder(root, split)
    return [box for i in range(len(dataset)) for box in dataset.target(i)["boxes"].tolist()]


def refusal(root, split):
    """Return the sentence that opening and examining a split end with; it names a file."""
    with at_most(10), pytest.raises((ValueError, FileNotFoundError)) as caught:
        open_folder(root, split)
    assert str(root) in str(caught.value)
    assert len(str(caught.value)) < 2_000
    with at_most(10):
        try:
            records = read_folder(root, progress=False)
        except (ValueError, FileNotFoundError):
            return str(caught.value)
    assert records.faults or any(one.fault or one.objects for one in records.pictures.values())
    return str(caught.value)


# ---------------------------------------------------------------- XML


@pytest.fixture
def voc(tmp_path):
    picture(tmp_path / "JPEGImages" / "a.jpg")
    return tmp_path


READ_XML = {
    "gb2312": (xml("<?xml version='1.0' encoding='gb2312'?>", name="安全帽"), "gb2312", "安全帽"),
    "big5": (xml("<?xml version='1.0' encoding='big5'?>", name="貓"), "big5", "貓"),
    "utf-7": (xml("<?xml version='1.0' encoding='utf-7'?>"), "utf-7", "cat"),
    "utf-16": (xml(), "utf-16", "cat"),
    "namespace": (xml().replace("<annotation>", "<annotation xmlns='http://x/y'>"), "utf-8", "cat"),
    "capitals": (xml().upper(), "utf-8", "CAT"),
    "size of 309 digits": (xml(w="1e308", h="1e308"), "utf-8", "cat"),
    "endless size": (xml(w="9" * 400), "utf-8", "cat"),
    "comment": (xml(x="3<!-- c -->0"), "utf-8", "cat"),
}


@pytest.mark.parametrize("name", READ_XML)
def test_unusual_xml_is_read(voc, name):
    content, encoding, category = READ_XML[name]
    write(voc / "Annotations" / "a.xml", content.encode(encoding))
    assert boxes(voc, "all") == RIGHT
    assert open_folder(voc, "all").classes == (category,)


@pytest.mark.parametrize(
    ("word", "difficult"),
    [("yes", True), ("1.0", True), ("2", True), ("TRUE", True), ("no", False), ("", False)],
)
def test_difficult_in_words(voc, word, difficult):
    write(voc / "Annotations" / "a.xml", xml(extra=f"<difficult>{word}</difficult>"))
    assert open_folder(voc, "all").target(0)["difficult"].tolist() == [difficult]


REFUSED_XML = {
    "rot13": (xml("<?xml version='1.0' encoding='rot13'?>"), "not readable XML"),
    "no such encoding": (xml("<?xml version='1.0' encoding='nope'?>"), "not readable XML"),
    "difficult": (xml(extra="<difficult>maybe</difficult>"), "<difficult> must be 0 or 1"),
    "underscore": (xml(x="3_0"), "xmax is '3_0', not a number"),
    "lines in a name": (xml(name="a\nb"), "it has no <name> of a class in one line"),
    "escapes in a name": (xml(name="a\x7f[2J"), "it has no <name> of a class in one line"),
    "long name": (xml(name="x" * 100_000), "it has no <name> of a class in one line"),
    "edge of 309 digits": (xml(x="1e400"), "not finite"),
}


@pytest.mark.parametrize("name", REFUSED_XML)
def test_impossible_xml_is_refused_by_file(voc, name):
    content, words = REFUSED_XML[name]
    write(voc / "Annotations" / "a.xml", content)
    assert words in refusal(voc, "all")
    assert "a.xml" in refusal(voc, "all")


def test_an_annotation_that_is_no_file(voc):
    write(voc / "Annotations" / "a.xml", xml())
    os.mkfifo(voc / "Annotations" / "b.xml")
    os.symlink("/dev/zero", voc / "Annotations" / "c.xml")
    os.symlink("/dev/zero", voc / "JPEGImages" / "d.jpg")
    assert boxes(voc, "all") == RIGHT
    assert [p.picture.name for p in read_folder(voc, progress=False).pictures.values()] == ["a.jpg"]


# ---------------------------------------------------------------- JSON


def content(**changes):
    """Return COCO's JSON of one picture and one box; images_id=… changes images[0]["id"]."""
    found = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 60, "height": 40}],
        "categories": [{"id": 1, "name": "cat", "supercategory": "pet"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 5, 20, 15]}],
    }
    for place, value in changes.items():
        part, _, key = place.partition("_")
        found[part][0][key] = value
    return found


@pytest.fixture
def coco(tmp_path):
    picture(tmp_path / "train" / "a.jpg")

    def written(what):
        text = what if isinstance(what, str) else json.dumps(what)
        write(tmp_path / "annotations" / "instances_train.json", text)
        return tmp_path

    return written


READ_JSON = {
    "ids are whole floats": content(images_id=1.0, annotations_image_id=1),
    "ids are words in one place": content(annotations_image_id="1", categories_id="1"),
    "ids are words": content(images_id="x", annotations_image_id="x"),
    "endless id": content(images_id=10**400, annotations_image_id=10**400),
    "width is true": content(images_width=True),
    "width is endless": content(images_width=10**400),
    "width is text": content(images_width="60"),
    "width is missing": content(images_width=None),
    "supercategory is a list": content(categories_supercategory=["pet"]),
    "supercategory is an object": content(categories_supercategory={"a": 1}),
    "numbers are text": content(annotations_bbox=["10", "5", "20", "15"]),
    "outline": content(annotations_bbox=None, annotations_segmentation=[[10, 5, 30, 5, 30, 20]]),
    "flat outline": content(annotations_bbox=[], annotations_segmentation=[10, 5, 30, 5, 30, 20]),
    "id is a list": content(annotations_id=[1]),
    "class is a number": content(categories_name=7),
}


@pytest.mark.parametrize("name", READ_JSON)
def test_unusual_json_is_read(coco, name):
    root = coco(READ_JSON[name])
    assert boxes(root, "train") == RIGHT
    assert read_folder(root, progress=False).faults == []


@pytest.mark.parametrize("said", [0, False, "0", "false", "", None, 0.0])
def test_words_that_say_no_crowd(coco, said):
    target = open_folder(coco(content(annotations_iscrowd=said)), "train").target(0)
    assert target["difficult"].tolist() == [False]


@pytest.mark.parametrize("said", [1, True, "1", "true", 1.0])
def test_words_that_say_a_crowd(coco, said):
    target = open_folder(coco(content(annotations_iscrowd=said)), "train").target(0)
    assert target["difficult"].tolist() == [True]


REFUSED_JSON = {
    "iscrowd": (content(annotations_iscrowd="perhaps"), "iscrowd is 'perhaps', not 0 or 1"),
    "iscrowd is a list": (content(annotations_iscrowd=[1]), "iscrowd is [1], not 0 or 1"),
    "id is true": (content(images_id=True), "entry 1 of 'images' has no id"),
    "id is a fraction": (content(images_id=1.5), "entry 1 of 'images' has no id"),
    "id is NaN": (content(images_id=float("nan")), "entry 1 of 'images' has no id"),
    "file_name is a list": (content(images_file_name=["a"]), "has no file_name"),
    "file_name is true": (content(images_file_name=True), "has no file_name"),
    "file_name is empty": (content(images_file_name=""), "has no file_name"),
    "file_name is a point": (content(images_file_name="."), "has no file_name"),
    "file_name is a slash": (content(images_file_name="/"), "has no file_name"),
    "file_name is long": (content(images_file_name="x" * 5_000), "has no file_name"),
    "file_name with NUL": (content(images_file_name="a\0.jpg"), "has no file_name"),
    "file_name of half a letter": (content(images_file_name="\ud800.jpg"), "has no file_name"),
    "name is true": (content(categories_name=True), "has no name"),
    "name with escapes": (content(categories_name="\x1b[2Jcat"), "has no name"),
    "bbox is a number": (content(annotations_bbox=5), "expected four numbers, found 0"),
    "bbox holds true": (content(annotations_bbox=[True, 5, 9, 9]), "x is True, not a number"),
    "bbox is nested": (content(annotations_bbox=[[1], [2], [3], [4]]), "x is [1], y is [2]"),
    "bbox is endless": (content(annotations_bbox=[10**400, 5, 9, 9]), "x is 1000"),
    "nested": ('{"a":' + "[" * 200_000 + "]" * 200_000 + "}", "is not readable JSON"),
    "5000 digits": (json.dumps(content()).replace("60", "9" * 5_000), "is not readable JSON"),
    "passwords": (content(images_file_name="../../../../etc/passwd"), "pictures cannot be found"),
}


@pytest.mark.parametrize("name", REFUSED_JSON)
def test_impossible_json_is_refused_by_file(coco, name):
    what, words = REFUSED_JSON[name]
    message = refusal(coco(what), "train")
    assert words in message
    assert "instances_train.json" in message


# ---------------------------------------------------------------- YAML, lists and labels


@pytest.fixture
def yolo(tmp_path):
    root = tmp_path / "set"
    picture(root / "images" / "train" / "a.jpg")
    write(root / "labels" / "train" / "a.txt", "0 0.5 0.5 0.25 0.5\n")
    write(root / "data.yaml", "names: [cat]\n")
    return root


INSIDE = [[22.5, 10, 37.5, 30]]
BOMB = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        ("[no, yes]", ("no", "yes")),
        ("{0: on, 1: off}", ("on", "off")),
        ("[01, 1.10]", ("01", "1.10")),
        ("[null, 2024-13-45]", ("null", "2024-13-45")),
    ],
)
def test_bare_words_of_yaml_are_text(yolo, names, classes):
    write(yolo / "data.yaml", f"names: {names}\nnc: '2'\n")
    assert open_folder(yolo, "train").classes == classes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{BOMB}names: [*a8, dog]", "the name of class 0 is not one line of text"),
        (f"{BOMB}names: *a8", "the name of class 0 is not one line of text"),
        (f"{BOMB}names: [cat]\npath: *a8", "`path` must be one line of text"),
        (f"{BOMB}names: [cat]\nnc: *a8", "`nc` must be one line of text"),
        (f"{BOMB}names: [cat]\ntrain: *a8", "`train` must be one line of text"),
        ("names: [cat]\ntrain: {a: b}", "`train` must be one line of text"),
        ("names: [cat]\nval: [[x]]", "`val` must be one line of text"),
        ("names: &a [*a, dog]", "is not readable YAML"),
        ("names: {0: cat, x: dog}", "must be 0 to 1, not 0, x"),
        ("names: " + "[" * 500 + "]" * 500, "is not readable YAML"),
        ("names: [cat]\n? [1, 2]\n: 3", "is not readable YAML"),
        ("names: [cat]\n---\nnames: [dog]", "is not readable YAML"),
        ("names: [cat]\nnc: " + "9" * 5_000, "but names 1"),
    ],
)
def test_impossible_yaml_is_refused_by_file(yolo, text, words):
    write(yolo / "data.yaml", text)
    with at_most(10), pytest.raises(ValueError, match=r"data\.yaml") as caught:
        open_folder(yolo, "train")
    assert words in str(caught.value)


def test_tags_of_yaml_run_nothing(yolo, tmp_path):
    call = f"!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']"
    write(yolo / "data.yaml", f"names: [cat]\nother: {call}\n")
    assert boxes(yolo, "train") == INSIDE
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("path", ["/", "/proc", "../..", ".."])
def test_a_path_of_another_place_without_labels_is_not_searched(yolo, path):
    write(yolo / "data.yaml", f"names: [cat]\npath: {path}\ntrain: .\nval: 5\n")
    assert boxes(yolo, "train") == INSIDE


def test_a_path_of_another_place_with_labels_is(yolo, tmp_path):
    picture(tmp_path / "disk" / "images" / "v" / "a.jpg")
    write(tmp_path / "disk" / "labels" / "v" / "a.txt", "0 0.5 0.5 0.25 0.5\n")
    write(yolo / "data.yaml", f"names: [cat]\npath: {tmp_path / 'disk'}\nval: images/v\n")
    assert boxes(yolo, "val") == INSIDE


@pytest.mark.parametrize("links", [["a"], ["a", "b"]])
def test_links_in_a_circle_multiply_nothing(yolo, links):
    for name in links:
        os.symlink(".", yolo / "images" / "train" / name)
    assert boxes(yolo, "train") == INSIDE


def test_what_stands_in_the_root_harms_nothing(yolo):
    (yolo / "notes.txt").mkdir()
    (yolo / "x.json").mkdir()
    os.mkfifo(yolo / "pipe.txt")
    os.mkfifo(yolo / "pipe.json")
    os.symlink("/dev/zero", yolo / "zero.txt")
    write(yolo / "latin.txt", b"caf\xe9\n")
    write(yolo / "other.json", '{"images": 3}')
    with at_most(10):
        assert find_layout(yolo) == "YOLO"
    assert boxes(yolo, "train") == INSIDE


@pytest.mark.parametrize(
    ("line", "right"),
    [
        ("0 0.5 0.5 0.25 0.5\r\n\r\n", INSIDE),
        ("\ufeff0 0.5 0.5 0.25 0.5", INSIDE),
        ("0.0 0.5 0.5 0.25 0.5", INSIDE),
        ("² 0.5 0.5 0.25 0.5", "must begin with the number of a class"),
        ("True 0.5 0.5 0.25 0.5", "must begin with the number of a class"),
        ("9" * 5_000 + " 0.5 0.5 0.25 0.5", "must begin with the number of a class"),
        ("1e300 0.5 0.5 0.25 0.5", "there is no class 1"),
        ("0 " + "0.5 " * 200_001, "0.5, 0.5, …]: expected four numbers, found 200001"),
        ("0 0_1 0.5 0.25 0.5", "cx is '0_1', not a number"),
        ("0 1e308 0.5 0.25 0.5", "must be fractions"),
        ("0,0.5,0.5,0.25,0.5", "must begin with the number of a class"),
    ],
)
def test_lines_of_labels(yolo, line, right):
    write(yolo / "labels" / "train" / "a.txt", line)
    if isinstance(right, str):
        assert right in refusal(yolo, "train")
    else:
        assert boxes(yolo, "train") == right


def test_a_label_that_is_a_folder_is_no_background(yolo):
    label = yolo / "labels" / "train" / "a.txt"
    picture(yolo / "images" / "train" / "b.jpg")
    write(yolo / "labels" / "train" / "b.txt", "0 0.5 0.5 0.25 0.5\n")
    label.unlink()
    label.mkdir()
    assert f"{label} is not a file" in refusal(yolo, "train")
    (left,) = open_folder(yolo, "train", on_error="drop").left_out
    assert isinstance(left, BadPicture)
    assert left.name == "a"


def test_lists_of_missing_and_of_repeated_pictures(yolo):
    write(yolo / "data.yaml", "names: [cat]\ntrain: train.txt\n")
    lines = ["./images/train/a.jpg", "images/train/a.jpg", "images/../images/train/a.jpg"]
    write(yolo / "train.txt", "\n".join(lines))
    assert boxes(yolo, "train") == INSIDE
    write(yolo / "train.txt", f"{lines[0]}\n./gone/p9.jpg\n{'x' * 5_000}.jpg\na\0b.jpg\n")
    assert "train.txt, line 2: there is no picture" in refusal(yolo, "train")
    dataset = open_folder(yolo, "train", on_error="drop")
    assert (dataset.names, len(dataset.left_out)) == (["a"], 3)


# ---------------------------------------------------------------- what the numbers mean


def many(root, layout, rows):
    """Write three pictures with one box each, given as the numbers of the file."""
    for i, row in enumerate(rows):
        name = f"{i}.jpg"
        if layout == "VOC":
            picture(root / "JPEGImages" / name)
            corners = "".join(
                f"<{tag}>{value}</{tag}>"
                for tag, value in zip(("xmin", "ymin", "xmax", "ymax"), row, strict=True)
            )
            box = f"<object><name>cat</name><bndbox>{corners}</bndbox></object>"
            write(root / "Annotations" / f"{i}.xml", f"<annotation>{box}</annotation>")
        if layout == "YOLO":
            picture(root / name)
            write(root / f"{i}.txt", f"0 {' '.join(map(str, row))}\n")
            write(root / "classes.txt", "cat\n")
        if layout == "COCO":
            picture(root / "images" / name)
    if layout == "COCO":
        whole = {"categories": [{"id": 1, "name": "cat"}]}
        whole["images"] = [{"id": i, "file_name": f"{i}.jpg"} for i in range(len(rows))]
        whole["annotations"] = [
            {"image_id": i, "category_id": 1, "bbox": list(row)} for i, row in enumerate(rows)
        ]
        write(root / "all.json", json.dumps(whole))


UNITS = {
    "VOC fractions": ("VOC", [(0.1, 0.2, 0.5, 0.6)] * 4, "look like fractions"),
    "VOC width and height": ("VOC", [(40, 25, 15, 12)] * 4, "if the numbers were x y width height"),
    "COCO fractions": ("COCO", [(0.1, 0.2, 0.5, 0.6)] * 4, "look like fractions"),
    "COCO corners": ("COCO", [(30, 20, 50, 35)] * 4, "if the numbers were corners, x1 y1 x2 y2"),
    "YOLO corners": ("YOLO", [(0.6, 0.7, 0.9, 0.95)] * 4, "if the numbers were corners"),
    "YOLO pixels": ("YOLO", [(30, 20, 10, 10)] * 4, "must be fractions"),
}


@pytest.mark.parametrize("name", UNITS)
def test_numbers_that_mean_something_else(tmp_path, name):
    layout, rows, words = UNITS[name]
    many(tmp_path, layout, rows)
    assert words in refusal(tmp_path, "all")


SOUND = {
    "VOC": [(3, 3, 9, 9), (40, 25, 15, 12), (3, 3, 50, 39), (31, 21, 60, 40)],
    "COCO": [(30, 20, 50, 35), (1, 1, 9, 9), (50, 30, 10, 10), (0, 0, 60, 40)],
    "YOLO": [(0.6, 0.7, 0.9, 0.95), (0.5, 0.5, 1, 1), (0.2, 0.2, 0.1, 0.1), (0.9, 0.9, 0.2, 0.2)],
}


@pytest.mark.parametrize("layout", SOUND)
def test_single_odd_boxes_say_nothing_about_the_others(tmp_path, layout):
    many(tmp_path, layout, SOUND[layout])
    assert read_folder(tmp_path, progress=False).wrong_units("all") == ""
    dataset = open_folder(tmp_path, "all", on_error="drop")
    assert len(dataset) == 4
    assert len(dataset.dropped) == (layout == "VOC")


# ---------------------------------------------------------------- the hostile pictures themselves

CASES = os.environ.get("SSD_TUTORIAL_CASES")


@pytest.mark.skipif(not CASES, reason="set SSD_TUTORIAL_CASES to the folder of cases")
def test_a_damaged_avif_is_one_bad_picture(yolo):
    shutil.copy(f"{CASES}/hostile/damaged_avif.jpg", yolo / "images" / "train" / "b.jpg")
    write(yolo / "labels" / "train" / "b.txt", "0 0.5 0.5 0.25 0.5\n")
    assert "it is in the format AVIF" in refusal(yolo, "train")
    dataset = open_folder(yolo, "train", on_error="drop")
    assert (dataset.names, [bad.name for bad in dataset.left_out]) == (["a"], ["b"])
