"""One JSON file in the format of COCO: what it says, and what is wrong with it.

It lists ``images`` (id, file_name, width, height), ``categories`` (id, name) and ``annotations``
(id, image_id, category_id, bbox, iscrowd). Chapter 14, chapter 16.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from ssd_tutorial.datasets.faults import BACKGROUND, BadBox
from ssd_tutorial.datasets.folder import Entry

NEEDED = {
    "images": ("id", "file_name"),
    "categories": ("id", "name"),
    "annotations": ("image_id", "category_id"),
}


class COCOFile(NamedTuple):
    """What a file holds, in order."""

    path: Path
    images: list[dict[str, Any]]  # as in the file
    classes: tuple[str, ...]  # in the order of their ids; a name with two ids counts once
    objects: dict[Any, list[Entry]]  # by the id of the image; ``difficult`` is ``iscrowd``
    lost: list[BadBox]  # objects of an image that is not in the file


def read_coco(path: Path) -> COCOFile:
    """Read and check one file.

    Raises:
        ValueError: it is not JSON, not COCO's, gives an id twice, or an annotation has a category
            that is not listed. The message names the file, the entry and the fix.
    """
    content = read_json(path)
    ids = {image["id"] for image in content["images"]}
    if len(ids) < len(content["images"]):
        raise ValueError(f"{path}: two images have the same id. Give each its own.")
    names = _categories(path, content["categories"], content["annotations"])
    objects: dict[Any, list[Entry]] = {}
    lost = []
    for place, annotation in enumerate(content["annotations"], 1):
        number, category = annotation.get("id", place), annotation["category_id"]
        if category not in names:
            raise ValueError(
                f"{path}, annotation {number}: there is no category with the id {category!r}; the "
                f"ids are {', '.join(map(str, names))}. Correct it, or add the category."
            )
        box = annotation.get("bbox")
        whole = isinstance(box, list) and len(box) == 4
        written = tuple(map(str, box)) if whole else ("missing",) * 4
        entry = Entry(number, names[category], written, bool(annotation.get("iscrowd")))
        if annotation["image_id"] in ids:
            objects.setdefault(annotation["image_id"], []).append(entry)
        else:
            reason = f"there is no image with the id {annotation['image_id']!r}"
            lost.append(BadBox(path.name, number, entry.name, written, reason))
    classes = tuple(dict.fromkeys(names.values()))
    return COCOFile(path, content["images"], classes, objects, lost)


def read_json(path: Path) -> dict[str, list[dict]]:
    """The three lists of a file; their entries have the keys of `NEEDED`, unjudged otherwise.

    Raises:
        ValueError: it is not JSON, or not COCO's.
    """
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_outline)
    except ValueError as error:  # also a wrong encoding
        raise ValueError(
            f"{path} is not readable JSON ({error}). It may have been cut short: copy or export it "
            f"anew."
        ) from error
    for part, keys in NEEDED.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise ValueError(
                f"{path} is no JSON of COCO's layout: it has no list {part!r}. Export the boxes "
                f"in the format that tools call COCO."
            )
        for number, entry in enumerate(entries, 1):
            lacking = [k for k in keys if not isinstance(entry, dict) or entry.get(k) is None]
            if lacking:
                raise ValueError(
                    f"{path}: entry {number} of {part!r} has no {' and no '.join(lacking)}. Export "
                    f"the file anew, or complete the entry."
                )
            odd = [k for k in keys if not isinstance(entry[k], (int, str))]
            if odd:
                raise ValueError(
                    f"{path}: entry {number} of {part!r}: {odd[0]} must be a number or a word, and "
                    f"is {entry[odd[0]]!r}."
                )
    return content


def _without_outline(entry: dict) -> dict:
    """Polygons are nine tenths of COCO's file, and would be gigabytes of memory."""
    entry.pop("segmentation", None)
    return entry


def _categories(path: Path, categories: list[dict], annotations: list[dict]) -> dict[Any, str]:
    """Class names by id, in the order of the ids."""
    used = {annotation["category_id"] for annotation in annotations}
    parents = {category.get("supercategory") for category in categories}
    names = {}
    for category in sorted(categories, key=lambda category: _order(category["id"])):
        number, name = category["id"], str(category["name"]).strip()
        # Roboflow puts the name of the project first, as a parent of the classes that no object
        # belongs to; other tools list the background.
        parent = name in parents and category.get("supercategory") in ("none", None)
        if number not in used and (parent or name in BACKGROUND):
            continue
        if name in BACKGROUND:
            raise ValueError(
                f"{path}: objects have the class {name!r}, but the background is never annotated: "
                f"it is every place without an object. Take such objects out."
            )
        if number in names:
            raise ValueError(f"{path}: two categories have the id {number}. Give each its own.")
        names[number] = name
    if not names:
        raise ValueError(f"{path} lists no category, so no object has a class: export it anew.")
    return names


def _order(number: int | str) -> tuple[bool, int | str]:
    return isinstance(number, str), number
