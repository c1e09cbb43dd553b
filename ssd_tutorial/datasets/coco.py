"""Folders in the layout of COCO: one JSON file per split.

::

    root/annotations/instances_SPLIT.json     COCO; CVAT's "instances_default.json" is "default"
    root/SPLIT/NAME.jpg                       or root/images/SPLIT/, root/images/, root/

    root/SPLIT/_annotations.coco.json         Roboflow, with the pictures beside it
    root/SPLIT.json                           Label Studio's "result.json" is the split "result"

A file lists ``images`` (id, file_name, width, height), ``categories`` (id, name) and
``annotations`` (id, image_id, category_id, bbox, iscrowd). A bbox is ``[x, y, width, height]`` in
pixels, counted from 0, so x and y are edges already. Category ids are names, not labels: COCO's run
to 90 with ten gaps, and some tools begin at 0. Here labels are 1, 2, … in the order of the ids.
Chapters 14 and 16.
"""

import json
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.datasets.folder import AnnotatedFolder, short_names
from ssd_tutorial.datasets.messages import parsed, start_of, to_flag, to_numbers, to_text
from ssd_tutorial.datasets.pictures import Pictures, files_in, folders_in
from ssd_tutorial.datasets.records import UNKNOWN, RawObject, RawPicture, Records, to_size
from ssd_tutorial.datasets.writing import Item, write_items

SHAPE = "annotations/instances_SPLIT.json, SPLIT/_annotations.coco.json, or SPLIT.json"
ROBOFLOW = "_annotations.coco.json"
NEEDED = {
    "images": ("id", "file_name"),
    "categories": ("id", "name"),
    "annotations": ("image_id", "category_id"),
}


class COCOFolder(AnnotatedFolder):
    """A split of a folder in COCO's layout; items and attributes are those of `AnnotatedFolder`.

    Pictures without any object are kept, as background to learn from. A picture's name is its
    ``file_name`` without the extension. An annotation with ``iscrowd`` is one box around many
    objects; it is difficult, as in Caffe's SSD (``ReadJSONToAnnotatedDatum`` in ``io.cpp``), so
    that the evaluation counts it neither as hit nor as miss.

    Args:
        root: the folder.
        split: such as ``"train"``, which also finds ``train2017``, as ``"val"`` finds ``valid``.
        classes: the class names in the order of the labels. None takes the file's categories in
            the order of their ids.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with a width
            or height of 0 or less, or without an image in the file.

    Raises:
        FileNotFoundError: no such folder, split or picture.
        ValueError: a file that is not COCO's JSON, an unknown class, an impossible box.
    """

    def _find(self) -> Iterable[str]:
        return find(self.root)

    def _read(self, split: str, classes: Sequence[str] | None) -> Records:
        return read(self.root, [split])

    _layout, _shape = "COCO", SHAPE


# ---------------------------------------------------------------- where files are


def find(root: Path) -> dict[str, Path]:
    """Return the splits of a folder in COCO's layout, each with its file; none in other layouts."""
    found = {p.stem: p for p in files_in(root, ".json") if _looks_like_coco(p)}
    found |= {p.name: p / ROBOFLOW for p in folders_in(root) if (p / ROBOFLOW).is_file()}
    files = files_in(root / "annotations", ".json")
    # COCO's own folder also holds captions and keypoints.
    instances = [p for p in files if p.stem.startswith("instances_")]
    return found | {p.stem.removeprefix("instances_"): p for p in instances or files}


def _looks_like_coco(path: Path) -> bool:
    return re.search(rb'"(images|annotations)"\s*:\s*\[', start_of(path)) is not None


def _pictures(root: Path, split: str, file: Path, names: list[str]) -> Pictures:
    """Return the pictures of the first likely folder that holds one of the file's.

    Raises:
        FileNotFoundError: none of them does.
    """
    folders = [root / split, root / "images" / split, root / "images", root]
    folders = [file.parent] if file.name == ROBOFLOW else folders
    searched = []
    for folder in [folder for folder in folders if folder.is_dir()]:
        searched.append(Pictures(folder))
        if not names or any(name in searched[-1].files for name in names):
            return searched[-1]
    for pictures in searched:  # exported paths may begin with folders of another machine
        if any(map(pictures.find, names)):
            return pictures
    raise FileNotFoundError(
        f"{file}: its pictures cannot be found: {reprlib.repr(names[0])} is in none of "
        f"{', '.join(map(str, folders))}. Copy the folder of pictures there."
    )


# ---------------------------------------------------------------- reading


def read(root: Path, splits: Iterable[str] | None = None, progress: bool | None = None) -> Records:
    """Read the files of a folder in COCO's layout.

    Pictures are identified by their paths: one that several files list is one picture, with the
    objects of the first of them.

    Args:
        root: the folder.
        splits: those to read; None for all.
        progress: see `progress_bar`.
    """
    records, files = Records(root, "COCO", whole=splits is None), find(root)
    records.read_splits(files, splits, lambda split: _pairs(records, split, files[split]), progress)
    return records


def _pairs(records: Records, split: str, file: Path) -> list[tuple[str, Callable[[], RawPicture]]]:
    """Return the keys of a file's pictures, each with what makes its record.

    Raises:
        FileNotFoundError: its pictures cannot be found.
        ValueError: it is not JSON, not COCO's, or uses an id twice. The message names the file,
            the entry and the fix.
    """
    content = read_json(file)
    images = content["images"]
    ids = [image["id"] for image in images]
    twice = [number for number, count in Counter(ids).items() if count > 1]
    if twice:
        raise ValueError(f"{file}: two images have the same id, {twice[0]}. Give each its own.")
    classes = _categories(file, content["categories"], content["annotations"])
    objects = _objects(records, file, content["annotations"], set(ids), classes)
    records.name_classes((*records.classes, *classes.values()))
    written = [image["file_name"] for image in images]
    pictures = _pictures(records.root, split, file, written)
    found = [pictures.find(name) for name in written]
    keys = [
        records.shown(picture) if picture else f"{split}/{name}"
        for picture, name in zip(found, written, strict=True)
    ]
    its: dict[str, tuple[RawObject, ...]] = {}
    for key, number in zip(keys, ids, strict=True):  # one picture, even if it is listed twice
        its[key] = its.get(key, ()) + tuple(objects.get(number, ()))
    for key, mine in its.items():
        first = records.pictures.get(key)
        if first and sorted(map(_said, first.objects)) != sorted(map(_said, mine)):
            what = f"its boxes differ from those in {records.shown(file)}: {first.name}"
            records.note("annotation-differs", first.annotation, what)

    def read(name: str, key: str, picture: Path | None, image: dict) -> RawPicture:
        size = to_size(image.get("width"), image.get("height"))
        shown = f"{records.shown(file)}: {image['file_name']}"
        one = RawPicture(name, picture, file, shown, size, its[key])
        return one.sized(f"{file}", image["file_name"], pictures.files)

    rows = zip(short_names(written), keys, found, images, strict=True)
    return [(row[1], partial(read, *row)) for row in rows]


def read_json(path: Path) -> dict[str, list[dict]]:
    """Return the three lists of a file; their entries have the keys of `NEEDED`, as text.

    Raises:
        ValueError: it is not JSON, or not COCO's.
    """
    advice = "It may have been cut short: copy or export it again."
    content = parsed(path, "JSON", partial(json.loads, object_hook=_without_outline), advice)
    for part, keys in NEEDED.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError(
                f"{path} is not JSON in COCO's layout: it has no list {part!r}. Export the boxes "
                f"in the format that tools call COCO."
            )
        for number, entry in enumerate(entries, 1):
            for key in keys:
                value = entry.get(key) if isinstance(entry, dict) else None
                if (text := to_text(value)) is None:
                    raise ValueError(
                        f"{path}: entry {number} of {part!r} has no {key} that is a whole number "
                        f"or one line of text, but {reprlib.repr(value)}. Complete the entry, or "
                        f"export the file again."
                    )
                entry[key] = text
    return content


def _without_outline(entry: dict) -> dict:
    """Drop an outline: outlines are nine tenths of COCO's file, and would need gigabytes of memory.

    An object with an outline but no box gets the box around it.
    """
    outline = entry.pop("segmentation", None)
    if outline and not entry.get("bbox") and isinstance(outline, list):
        try:
            parts = outline if isinstance(outline[0], list) else [outline]
            points = [value for part in parts for value in part]
            xs, ys = points[0::2], points[1::2]
            entry["bbox"] = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        except (TypeError, ValueError):
            pass  # then it has no box
    return entry


def _categories(path: Path, categories: list[dict], annotations: list[dict]) -> dict[str, str]:
    """Return class names by id, in the order of the ids."""
    used = {annotation["category_id"] for annotation in annotations}
    parents = [category.get("supercategory") for category in categories]
    names: dict[str, str] = {}
    for category in sorted(categories, key=_number):
        number, name = category["id"], category["name"]
        # Roboflow lists the name of the project first, as a parent of the classes, without objects.
        parent = name in parents and category.get("supercategory") in ("none", None)
        if parent and number not in used:
            continue
        if number in names:
            raise ValueError(f"{path}: two categories have the id {number}. Give each its own.")
        names[number] = name
    if not names:
        raise ValueError(f"{path} lists no category, so no object has a class: export it again")
    return names


def _number(category: dict) -> tuple[bool, int, str]:
    """Sort numbers as numbers, before words."""
    text = category["id"]
    return not text.isdigit(), len(text) if text.isdigit() else 0, text


def _objects(
    records: Records, file: Path, annotations: list[dict], ids: set[str], names: dict[str, str]
) -> dict[str, list[RawObject]]:
    """Return objects by the id of their image; those without an image are noted as faults."""
    objects: dict[str, list[RawObject]] = {}
    for place, annotation in enumerate(annotations, 1):
        category, image = annotation["category_id"], annotation["image_id"]
        name, crowd = names.get(category, UNKNOWN), to_flag(annotation.get("iscrowd"))
        number, written = annotation.get("id"), annotation.get("bbox")
        if crowd is None:
            odd = reprlib.repr(annotation["iscrowd"])
            raise ValueError(
                f"{file}: entry {place} of 'annotations': iscrowd is {odd}, not 0 or 1"
            )
        written = tuple(written) if isinstance(written, list) else ()
        values, unread = to_numbers(("x", "y", "width", "height"), written)
        corners = None if unread else (*values[:2], values[0] + values[2], values[1] + values[3])
        number = number if isinstance(number, (int, str)) else place
        entry = RawObject(number, name, written, corners, unread, crowd)
        if name == UNKNOWN:
            what = f"there is no category with the id {category}; the ids are {', '.join(names)}"
            records.note("class-unknown", records.shown(file), what, entry)
        if image in ids:
            objects.setdefault(image, []).append(entry)
        else:
            what = f"there is no image with the id {image}"
            records.note("object-without-picture", records.shown(file), what, entry)
    return objects


def _said(entry: RawObject) -> tuple[str, ...]:
    return entry.name, *map(str, entry.written)


# ---------------------------------------------------------------- writing


def write_coco(dataset: Dataset, root: str | Path, split: str, **how) -> Path:
    """Write every item into ``root/SPLIT`` and their boxes into ``instances_SPLIT.json``.

    Boxes, labels and ``difficult`` come back from ``COCOFolder(root, split)``. COCO's format has no
    ``difficult``; ``iscrowd`` is written instead, which evaluation ignores in the same
    way. Category ids count from 1 in the order of the classes. The JSON file is written last, so a
    split that can be read is complete.

    Args:
        dataset, root, split: see `write_voc`.
        how: ``classes``, ``picture_format``, ``overwrite``, ``workers``, ``progress``; as there.

    Returns:
        The path of the JSON file, in ``root/annotations``.

    Raises:
        FileExistsError, ValueError: as `write_voc`.
    """
    sign = Path(root) / "annotations" / f"instances_{split}.json"
    return write_items(dataset, root, split, picture_files, split_files, sign, f"{split}/", **how)


def picture_files(item: Item) -> dict[str, bytes]:
    """Return the file of one picture, keyed by its path in the folder."""
    return {item.filename: item.picture}


def split_files(split: str, items: Sequence[Item], root: Path) -> dict[str, bytes]:
    """Return the file that defines a split of these pictures."""
    images, annotations, classes = [], [], items[0].classes
    inside = all(item.filename.startswith(f"{split}/") for item in items)
    for number, item in enumerate(items, 1):
        file = item.filename.removeprefix(f"{split}/" if inside else "")
        width, height = item.size
        images.append({"id": number, "file_name": file, "width": width, "height": height})
        for name, (x1, y1, x2, y2), difficult in item.objects:
            w, h = x2 - x1, y2 - y1
            entry = {"image_id": number, "category_id": classes.index(name) + 1}
            box = {"bbox": [x1, y1, w, h], "area": w * h, "segmentation": []}
            crowd = {"iscrowd": int(difficult)}
            annotations.append({"id": len(annotations) + 1} | entry | box | crowd)
    categories = [{"id": i, "name": name} for i, name in enumerate(classes, 1)]
    content = {"images": images, "categories": categories, "annotations": annotations}
    text = json.dumps(content, ensure_ascii=False) + "\n"
    return {f"annotations/instances_{split}.json": text.encode()}
