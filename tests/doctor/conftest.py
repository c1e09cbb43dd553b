"""Sound folders of drawn scenes in three layouts, and one fault of each kind to plant in a copy."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch.utils.data import Dataset

from ssd_tutorial.datasets import Scenes, write_coco, write_voc, write_yolo

WRITERS = {"VOC": write_voc, "COCO": write_coco, "YOLO": write_yolo}


class ThreeClasses(Dataset):
    """Small scenes whose twelve classes are merged into three, so that none is rare."""

    classes = ("red", "green", "blue")

    def __init__(self, count, start):
        self.scenes = Scenes(count, size=96, start=start)

    def __len__(self):
        return len(self.scenes)

    def __getitem__(self, index):
        image, target = self.scenes[index]
        boxes = target["boxes"]
        wide = ((boxes[:, 2:] - boxes[:, :2]) > 2).all(dim=1)  # thin slivers are not sound boxes
        return image, {
            "boxes": boxes[wide],
            "labels": target["labels"][wide] % 3 + 1,
            "difficult": target["difficult"][wide],
            "name": f"p{self.scenes.start + index}",
        }


class Kept(Dataset):
    """Items made once, for three writers."""

    def __init__(self, dataset):
        self.items, self.classes = [dataset[i] for i in range(len(dataset))], dataset.classes

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


@pytest.fixture(scope="session")
def clean_folders(tmp_path_factory):
    """Pictures p0 … p29 in train, p100 … p109 in val, in each layout. Do not change them."""
    torch.manual_seed(0)
    train, val = Kept(ThreeClasses(30, 0)), Kept(ThreeClasses(10, 100))
    folders = {}
    for layout, write in WRITERS.items():
        folders[layout] = tmp_path_factory.mktemp("doctor") / f"drawn_{layout.lower()}"
        write(train, folders[layout], "train", progress=False)
        write(val, folders[layout], "val", progress=False)
    return folders


@pytest.fixture
def own(clean_folders, tmp_path):
    """Copy the folder in VOC's layout, to damage it."""
    return shutil.copytree(clean_folders["VOC"], tmp_path / "own")


@pytest.fixture
def own_coco(clean_folders, tmp_path):
    return shutil.copytree(clean_folders["COCO"], tmp_path / "own_coco")


@pytest.fixture
def own_yolo(clean_folders, tmp_path):
    return shutil.copytree(clean_folders["YOLO"], tmp_path / "own_yolo")


@pytest.fixture(scope="session")
def plant():
    """``plant(code, root)`` plants one fault into a folder in VOC's layout; ``plant.codes``."""

    def put(code, root):
        FAULTS[code](root)

    put.codes = tuple(FAULTS)
    return put


@pytest.fixture(scope="session")
def tools():
    """The tools that plant faults: ``edit_xml``, ``set_box``, ``save``, ``edit_json``."""

    class Tools:
        pass

    Tools.edit_xml, Tools.set_box = staticmethod(edit_xml), staticmethod(set_box)
    Tools.save, Tools.edit_json = staticmethod(save), staticmethod(edit_json)
    return Tools


# --- how faults are planted ----------------------------------------------------------------------


def edit_xml(root, name, change):
    """Apply ``change(tree root)`` to one annotation."""
    path = root / "Annotations" / f"{name}.xml"
    tree = ElementTree.parse(path)
    change(tree.getroot())
    tree.write(path)


def edit_json(root, split, change):
    path = root / "annotations" / f"instances_{split}.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def set_box(node, *numbers):
    for corner, value in zip(("xmin", "ymin", "xmax", "ymax"), numbers, strict=True):
        node.find(f"bndbox/{corner}").text = str(value)


def add_object(tree, name, *numbers):
    node = ElementTree.fromstring(ElementTree.tostring(tree.find("object")))
    node.find("name").text = name
    set_box(node, *numbers)
    tree.append(node)


def one_box(*numbers):
    """Plant a faulty box: the first object of p0 gets these numbers."""

    def put(root):
        edit_xml(root, "p0", lambda tree: set_box(tree.find("object"), *numbers))

    return put


def more(*objects):
    """Add objects to p0."""

    def put(root):
        def change(tree):
            for name, *numbers in objects:
                add_object(tree, name, *numbers)

        edit_xml(root, "p0", change)

    return put


def picture(root, name):
    return root / "JPEGImages" / f"{name}.jpg"


def save(root, name, change, **how):
    """Write a changed picture again; the format stays JPEG."""
    with Image.open(picture(root, name)) as old:
        new = change(old.convert("RGB"))
    new.save(picture(root, name), "JPEG", **({"quality": 95} | how))


def repaint(name, change, **how):
    return lambda root: save(root, name, change, **how)


def turned_by_exif(root):
    """Store it lying on its side, with the entry that turns it upright again."""
    exif = Image.Exif()
    exif[0x0112] = 6
    save(root, "p0", lambda image: image.transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes())


def split_list(root, split):
    return root / "ImageSets" / "Main" / f"{split}.txt"


def listed(split, change):
    """Change the names of a split."""

    def put(root):
        path = split_list(root, split)
        names = path.read_text().split() if path.exists() else []
        path.write_text("".join(f"{name}\n" for name in change(names)))

    return put


def like(target, source, **how):
    """Give ``target`` the picture of ``source``: the same file, or nearly the same picture."""

    def put(root):
        if not how:
            shutil.copy(picture(root, source), picture(root, target))
            return
        with Image.open(picture(root, source)) as image:
            ImageEnhance.Brightness(image).enhance(1.1).save(picture(root, target), **how)

    return put


def from_zero(root):
    """Subtract one from the coordinates of all lower corners."""
    for path in (root / "Annotations").iterdir():
        tree = ElementTree.parse(path)
        for corner in ("xmin", "ymin"):
            for node in tree.iter(corner):
                node.text = f"{float(node.text) - 1:g}"
        tree.write(path)


def as_fractions(root):
    """Write all boxes as YOLO does."""
    for path in (root / "Annotations").iterdir():
        tree = ElementTree.parse(path)
        for corner in ("xmin", "ymin", "xmax", "ymax"):
            for node in tree.iter(corner):
                node.text = f"{float(node.text) / 96:.4f}"
        tree.write(path)


def no_red_in_p0(root):
    for path in (root / "Annotations").iterdir():
        tree = ElementTree.parse(path)
        nodes = tree.getroot().findall("object")
        for number, node in enumerate(nodes):
            if path.stem == "p0":
                node.find("name").text = "green"
            elif number == 0:
                node.find("name").text = "red"
        tree.write(path)


def large_picture(root):
    """Plant a box of 2 of 300 pixels: of 96 pixels, none could be tiny if counted from 1."""
    save(root, "p0", lambda image: image.resize((300, 300)))

    def change(tree):
        for tag in ("width", "height"):
            tree.find(f"size/{tag}").text = "300"
        set_box(tree.find("object"), 10, 10, 11, 200)

    edit_xml(root, "p0", change)


def all_tiny(root):
    """List one picture in dev, whose only object is 2 of 300 pixels wide."""
    large_picture(root)
    edit_xml(root, "p0", lambda tree: [tree.remove(n) for n in tree.findall("object")[1:]])
    listed("train", lambda names: names[1:])(root)
    listed("dev", lambda _: ["p0"])(root)


def empty(root):
    def change(tree):
        for node in tree.findall("object"):
            tree.remove(node)

    edit_xml(root, "p0", change)


def of_one_empty_picture(root):
    empty(root)
    listed("train", lambda names: names[1:])(root)
    listed("dev", lambda _: ["p0"])(root)


def as_palette(root):
    with Image.open(picture(root, "p0")) as image:
        image.quantize(32).save(picture(root, "p0").with_suffix(".png"))
    picture(root, "p0").unlink()


def cut_short(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


FAULTS = {
    "annotation-unreadable": lambda root: cut_short(root / "Annotations" / "p0.xml"),
    "annotation-missing": lambda root: (root / "Annotations" / "p0.xml").unlink(),
    "split-empty": listed("test", lambda _: []),
    "split-unreadable": lambda root: split_list(root, "test").write_bytes(b"\xff\xfep\x000"),
    "split-without-objects": of_one_empty_picture,
    "split-tiny": all_tiny,
    "split-repeats": listed("train", lambda names: [*names, "p0"]),
    "split-overlap": listed("val", lambda names: [*names, "p0"]),
    "picture-copied": like("p100", "p0"),
    "picture-missing": lambda root: picture(root, "p0").unlink(),
    "picture-unreadable": lambda root: cut_short(picture(root, "p0")),
    "picture-size": repaint("p0", lambda image: image.resize((48, 60))),
    "box-unreadable": one_box("left", 5, 30, 30),
    "box-reversed": one_box(60, 5, 30, 30),
    "box-empty": one_box(30, 5, 30, 30),
    "box-outside": one_box(130, 5, 160, 30),
    "box-units": as_fractions,
    "class-background": more(("background", 5, 5, 60, 60)),
    "box-sticks-out": one_box(60, 5, 120, 30),
    "box-tiny": large_picture,
    "box-duplicate": more(("red", 11, 11, 60, 60), ("red", 11, 11, 60, 60)),
    "box-near-duplicate": more(("red", 11, 11, 60, 60), ("red", 12, 12, 61, 61)),
    "box-two-classes": more(("red", 11, 11, 60, 60), ("green", 11, 11, 60, 60)),
    "counts-from-zero": from_zero,
    "class-spelling": more(("Red ", 11, 11, 60, 60)),
    "class-rare": more(("purple", 11, 11, 60, 60)),
    "class-absent": more(("purple", 11, 11, 60, 60)),
    "labels-missing": no_red_in_p0,
    "picture-twin": like("p100", "p0", quality=60),
    "picture-repeated": like("p1", "p0"),
    "picture-rotated": turned_by_exif,
    "picture-cmyk": repaint("p0", lambda image: image.convert("CMYK")),
    "picture-similar": like("p1", "p0", quality=60),
    "picture-grey": repaint("p0", lambda image: image.convert("L")),
    "picture-mode": as_palette,
    "picture-empty": empty,
    "picture-unlisted": listed("train", lambda names: names[1:]),
    "picture-unannotated": lambda root: Image.new("RGB", (9, 9)).save(picture(root, "extra")),
    "split-within": listed("train_small", lambda _: ["p0", "p1", "p2"]),
    "prior-unreached": one_box(10, 3, 11, 93),
}
"""By code, how to plant it around picture p0 of a folder in VOC's layout."""


def snapshot(root: Path):
    return {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture(scope="session")
def all_files():
    """Return the content of every file of a folder, to check that none changes."""
    return snapshot


@pytest.fixture
def pixels():
    return lambda path: np.asarray(Image.open(path).convert("RGB"), dtype=np.int16)
