"""Data sets as folders: VOC's XML, COCO's JSON, YOLO's text and data.yaml.

A case draws pictures with boxes and writes them in one of the ways in which tools write; the reader
must return exactly these. Half of the cases then damage a file, in its bytes or in its meaning: the
reader refuses with the file's name, or returns boxes that are possible. Either way the doctor sees
the same, and has an error exactly where the reader refuses.
"""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from PIL import Image

from ssd_tutorial.datasets import open_folder
from ssd_tutorial.datasets.layouts import LAYOUTS, find_layout
from ssd_tutorial.doctor import RULES, examine
from tests.fuzz.mutate import mutated, swapped
from tests.fuzz.runner import EXPECTED, Fault, Refused, answer, check_sentence

NAMES = ["cat", "dog", "red blood cell", "Straße", "猫", "a&b", "x<y", "no", "01", "null", "$a_b^"]
SPLIT = "train"
Objects = list[tuple[str, tuple[float, float, float, float]]]
DOCTOR_ALONE = {"split-overlap", "picture-copied", "picture-size", "picture-unreadable"}
DOCTOR_ALONE |= {"split-without-objects", "split-tiny"}
"""Rules about what a reader, which opens one split and decodes no picture, does not look for."""


class Drawn(NamedTuple):
    """One picture of a case."""

    name: str
    ending: str
    size: tuple[int, int]
    objects: Objects  # xyxy edges in pixels


def draw(rng: Random) -> tuple[list[Drawn], list[str]]:
    """Draw up to four pictures with whole boxes, and the classes in their order."""
    classes = rng.sample(NAMES, rng.randint(1, 4))
    drawn = []
    for number in range(rng.randint(1, 4)):
        size = rng.randint(8, 90), rng.randint(8, 90)
        its: Objects = []
        for _ in range(rng.choice([0, 1, 2, 5])):
            # at least two pixels: in VOC, xmin = xmax is refused as a click without a drag
            low = [rng.randint(0, side - 2) for side in size]
            (x1, x2), (y1, y2) = (
                (a, rng.randint(a + 2, side)) for a, side in zip(low, size, strict=True)
            )
            its.append((rng.choice(classes), (x1, y1, x2, y2)))
        name = rng.choice(["{}", "pic {}", "IMG_{}", "a.b.{}", "ü{}"]).format(number)
        drawn.append(Drawn(name, rng.choice([".png", ".png", ".PNG", ".bmp"]), size, its))
    if not any(one.objects for one in drawn):
        w, h = drawn[0].size
        drawn[0] = drawn[0]._replace(objects=[(classes[0], (0, 0, w, h))])
    return drawn, classes


def save(one: Drawn, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{one.name}{one.ending}"
    kind = "bmp" if one.ending == ".bmp" else "png"
    Image.new("RGB", one.size, (90, 120, 30)).save(folder / file, format=kind)
    return file


# --- VOC -----------------------------------------------------------------------------------------


def voc_text(rng: Random, one: Drawn, file: str) -> bytes:
    """Write an annotation, with the parts in any order and more of them than needed."""

    def number(value: float) -> str:
        return rng.choice([f"{value}", f"{value:.1f}", f" {value}\n"])

    def node(name: str, box: tuple) -> str:
        edges = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
        edges["xmin"] += 1
        edges["ymin"] += 1
        its = [f"<{key}>{number(value)}</{key}>" for key, value in edges.items()]
        rng.shuffle(its)
        parts = [f"<name>{escape(name)}</name>", f"<bndbox>{''.join(its)}</bndbox>"]
        parts += rng.sample(["<pose>Left</pose>", "<truncated>1</truncated>", "<difficult/>"], 2)
        rng.shuffle(parts)
        return f"<object>{''.join(parts)}</object>"

    w, h = one.size
    parts = [f"<filename>{escape(file)}</filename>", "<folder>x</folder>"]
    parts += [node(*entry) for entry in one.objects]
    if rng.random() < 0.7:
        parts.insert(rng.randrange(2), f"<size><width>{w}</width><height>{h}</height></size>")
    gap = rng.choice(["", "\n", "\n\t", "<!-- a note -->"])
    text = f"<annotation>{gap.join(parts)}</annotation>"
    encoding = rng.choice(["utf-8", "utf-8", "utf-8-sig", "utf-16", "gb18030"])
    if encoding in ("utf-16", "gb18030"):
        text = f'<?xml version="1.0" encoding="{encoding}"?>{text}'
    return text.encode(encoding)


def voc_folder(rng: Random, root: Path) -> list[Path]:
    drawn, files = draw(rng)[0], []
    if rng.random() < 0.6:
        pictures, notes = root / "JPEGImages", root / "Annotations"
        lists = root / "ImageSets" / "Main"
        lists.mkdir(parents=True)
        ending = rng.choice(["\n", "\r\n", "  \n"])
        text = ending.join(one.name for one in drawn)
        (lists / f"{SPLIT}.txt").write_text(text + rng.choice(["", ending]), newline="")
        files.append(lists / f"{SPLIT}.txt")
    else:
        pictures = notes = root / SPLIT
    notes.mkdir(parents=True)
    for one in drawn:
        note = notes / f"{one.name}.xml"
        note.write_bytes(voc_text(rng, one, save(one, pictures)))
        files.append(note)
    check(rng, root, drawn, sorted({name for one in drawn for name, _ in one.objects}))
    return files


# --- COCO ----------------------------------------------------------------------------------------


def coco_folder(rng: Random, root: Path) -> list[Path]:
    drawn, classes = draw(rng)
    first, step = rng.choice([0, 1, 90]), rng.choice([1, 7])
    ids = {name: first + step * i for i, name in enumerate(classes)}
    write = rng.choice([int, int, str, float])
    roboflow = rng.random() < 0.4
    home = root / SPLIT if roboflow else root / rng.choice(["", "images"]) / SPLIT
    images, notes = [], []
    for number, one in enumerate(drawn, rng.choice([0, 1, 5000])):
        entry = {"id": write(number), "file_name": save(one, home)}
        if rng.random() < 0.7:
            entry |= {"width": one.size[0], "height": one.size[1]}
        images.append(entry)
        for name, (x1, y1, x2, y2) in one.objects:
            box = {"bbox": [x1, y1, x2 - x1, y2 - y1], "category_id": write(ids[name])}
            notes.append({"id": len(notes), "image_id": write(number), **box})
            if rng.random() < 0.3:
                notes[-1] |= {"iscrowd": 0, "segmentation": [[x1, y1, x2, y1, x2, y2]]}
    categories = [{"id": write(ids[name]), "name": name} for name in classes]
    for part in (images, notes, categories):
        rng.shuffle(part)
    content = {"images": images, "annotations": notes, "categories": categories, "info": {}}
    file = root / "annotations" / f"instances_{SPLIT}.json"
    file = home / "_annotations.coco.json" if roboflow else file
    file.parent.mkdir(exist_ok=True)
    text = json.dumps(content, indent=rng.choice([None, 1]), ensure_ascii=rng.random() < 0.5)
    file.write_text(text, encoding=rng.choice(["utf-8", "utf-8", "utf-8-sig"]))
    check(rng, root, drawn, classes)
    return [file]


# --- YOLO ----------------------------------------------------------------------------------------


def yolo_line(rng: Random, label: int, box: tuple, size: tuple[int, int]) -> str:
    (x1, y1, x2, y2), (w, h) = box, size
    if rng.random() < 0.2:
        numbers = [x1 / w, y1 / h, x2 / w, y1 / h, x2 / w, y2 / h, x1 / w, y2 / h]
    else:
        numbers = [(x1 + x2) / 2 / w, (y1 + y2) / 2 / h, (x2 - x1) / w, (y2 - y1) / h]
    return rng.choice([" ", " ", "\t", "  "]).join([str(label), *(f"{x:.12g}" for x in numbers)])


def yolo_folder(rng: Random, root: Path) -> list[Path]:
    drawn, classes = draw(rng)
    ultralytics = rng.random() < 0.5
    pictures = root / "images" / SPLIT if ultralytics else root / SPLIT / "images"
    labels = root / "labels" / SPLIT if ultralytics else root / SPLIT / "labels"
    labels.mkdir(parents=True)
    files = []
    for one in drawn:
        save(one, pictures)
        lines = [yolo_line(rng, classes.index(n), box, one.size) for n, box in one.objects]
        if lines or rng.random() < 0.5:
            file = labels / f"{one.name}.txt"
            file.write_text(rng.choice(["\n", "\r\n"]).join(lines) + rng.choice(["", "\n", "\n\n"]))
            files.append(file)
    if rng.random() < 0.7:
        # JSON is YAML, and quotes what YAML would take for another type
        names = classes if rng.random() < 0.5 else dict(enumerate(classes))
        if isinstance(names, dict):
            lines = "\n".join(f"  {k}: {json.dumps(v)}" for k, v in names.items())
            text = f"names:\n{lines}\n"
        else:
            text = f"names: {json.dumps(names)}\n"
        if rng.random() < 0.5:
            text += f"nc: {len(classes)}\n"
        if rng.random() < 0.5:
            text += f"path: {rng.choice(['.', '/content/data', '../data'])}\n"
            text += f"{SPLIT}: {rng.choice(['', '../']) if not ultralytics else ''}"
            text += f"{pictures.relative_to(root)}\n"
        files.append(root / "data.yaml")
    else:
        text = "\n".join(classes) + "\n"
        files.append(root / "classes.txt")
    files[-1].write_text(text, encoding="utf-8")
    check(rng, root, drawn, classes)
    return files


# --- right results -------------------------------------------------------------------------------


def check(rng: Random, root: Path, drawn: list[Drawn], classes: list[str]) -> None:
    """Read a sound folder: every object comes back, with its class and its box."""
    dataset = open_folder(root, SPLIT)
    if list(dataset.classes) != classes:
        raise Fault(f"classes {dataset.classes} were written as {classes}")
    right = {one.name: one for one in drawn}
    if sorted(dataset.names) != sorted(right):
        raise Fault(f"pictures {dataset.names} were written as {sorted(right)}")
    for index, name in enumerate(dataset.names):
        target = dataset.target(index)
        labels = [classes[label - 1] for label in target["labels"].tolist()]
        boxes = [[round(x, 3) for x in box] for box in target["boxes"].tolist()]  # 1e-12 is 0
        got = sorted(zip(labels, boxes, strict=True))
        wanted = sorted((c, [*map(float, box)]) for c, box in right[name].objects)
        if [c for c, _ in got] != [c for c, _ in wanted]:
            raise Fault(f"{name} has objects {got}, written as {wanted}")
        for (_, a), (_, b) in zip(got, wanted, strict=True):
            if max(abs(x - y) for x, y in zip(a, b, strict=True)) > 1e-3:
                raise Fault(f"{name} has a box {a}, written as {b}")
    if dataset.dropped or dataset.clipped or dataset.left_out:
        raise Fault(f"a sound folder is not read whole: {dataset.summary()}")


# --- damage --------------------------------------------------------------------------------------


def damage(rng: Random, root: Path, files: list[Path]) -> Any:
    """Damage one file, then compare the reader with the doctor."""
    file = rng.choice(files)
    content = file.read_bytes()
    file.write_bytes((mutated if rng.random() < 0.5 else swapped)(rng, content))
    return agree(root)


def agree(root: Path) -> Any:
    """Read every split, in both ways; the doctor must see the same."""
    names = [str(root), *(path.name for path in root.rglob("*"))]
    found = answer(lambda: find_layout(root), *names)
    if isinstance(found, Refused):
        return found
    splits = answer(lambda: list(LAYOUTS[found].find(root)), *names)
    if isinstance(splits, Refused):
        return splits
    read: dict[str, Any] = {}
    for split in splits:
        read[split] = answer(lambda split=split: open_folder(root, split), *names)
        dropped = answer(lambda split=split: open_folder(root, split, on_error="drop"), *names)
        for dataset in (read[split], dropped):
            if not isinstance(dataset, Refused):
                check_possible(dataset)
    refused = [split for split, outcome in read.items() if isinstance(outcome, Refused)]
    try:
        report = examine(root, workers=1, progress=False)
    except EXPECTED as error:
        check_sentence(str(error), type(error).__name__, tuple(names))
        if len(refused) < len(read):
            raise Fault("the doctor gives up where the reader reads") from error
        return read[refused[0]] if refused else None
    records = report.records
    for split, dataset in read.items():
        if not isinstance(dataset, Refused):
            seen = [records.pictures[key] for key in records.splits.get(split, ())]
            objects = sum(len(picture.objects) for picture in seen)
            mine = sum(len(dataset.target(i)["labels"]) for i in range(len(dataset)))
            if (len(seen), objects) != (len(dataset), mine):
                raise Fault("the doctor sees other pictures or objects than the reader")
    errors = {code for code in report.codes if RULES[code].severity == "error"} - DOCTOR_ALONE
    if bool(errors) != bool(refused):
        if errors:
            raise Fault(f"an error of the doctor alone ({', '.join(sorted(errors))})")
        raise Fault(f"the reader refuses, and the doctor has no error: {read[refused[0]].message}")
    report.to_text()
    return read[refused[0]] if refused else None


def check_possible(dataset: Any) -> None:
    """Check that every box can be: inside its picture, with an area, of a class that exists."""
    for index in range(len(dataset)):
        target = dataset.target(index)
        boxes = target["boxes"].as_subclass(type(target["labels"]))
        height, width = target["boxes"].canvas_size
        if not boxes.isfinite().all():
            raise Fault("a box is not finite")
        if len(boxes) and ((boxes[:, 2:] <= boxes[:, :2]).any() or boxes.min() < 0):
            raise Fault("a box has no area, or begins outside its picture")
        # a YOLO or COCO box may reach half a pixel over the border, by rounding
        if len(boxes) and (boxes[:, 2] > width + 0.5).any() | (boxes[:, 3] > height + 0.5).any():
            raise Fault("a box ends outside its picture")
        labels = target["labels"]
        if len(labels) and (labels.min() < 1 or labels.max() > len(dataset.classes)):
            raise Fault("a label has no class")
    if not all(isinstance(name, str) and name.strip() for name in dataset.classes):
        raise Fault("a class has no name")
    dataset.summary()


def _target(write: Callable[[Random, Path], list[Path]]) -> Callable[[Random, Path], Any]:
    def case(rng: Random, folder: Path) -> Any:
        root = folder / "data"
        root.mkdir()
        files = write(rng, root)
        return damage(rng, root, files) if rng.random() < 0.6 else agree(root)

    return case


voc, coco, yolo = map(_target, (voc_folder, coco_folder, yolo_folder))
