"""A folder in COCO's layout, in any of the shapes that `COCOFolder` reads, as `Records`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.coco import coco_splits, find_split, look_up, picture_folder
from ssd_tutorial.datasets.coco_json import COCOFile, read_json
from ssd_tutorial.datasets.faults import to_numbers
from ssd_tutorial.datasets.pictures import by_last_part, files_below
from ssd_tutorial.doctor.faults import Fault
from ssd_tutorial.doctor.records import (
    Box,
    RawObject,
    RawPicture,
    Records,
    header_size,
    reason_of,
)

UNKNOWN = "?"
"""The class of an object whose category is not listed."""


def read_coco(root: Path, progress: bool | None = None) -> Records:
    """Read the file of every split of a folder in COCO's layout.

    A picture is known by its path; one that several files name is one picture, with the objects
    that the first of them has.
    """
    records = Records(root, "COCO", {}, {})
    classes: dict[str, None] = {}
    for split, path in progress_bar(coco_splits(root).items(), "annotations", progress):
        try:
            content = read_json(path)
            pictures = list(read_pictures_of(records, split, content))
        except ValueError as error:
            what = reason_of(error, path)
            records.faults.append(Fault("annotation-unreadable", records.shown(path), what))
            continue
        for name, _, picture in pictures:
            _add(records, name, picture)
        records.splits[split] = tuple(name for name, _, _ in pictures)
        records.split_files[split] = path
        used = {o.name for _, _, picture in pictures for o in picture.objects}
        classes |= dict.fromkeys(_names(content).values())
        # A parent of other classes, or a background that no object has, is no class.
        idle = {c.get("supercategory") for c in content["categories"]} | {"background"}
        records.classes = tuple(name for name in classes if name in used or name not in idle)
        records.faults += _lost(records, path, content)
    return records


def read_pictures_of(
    records: Records, split: str, content: dict[str, list[dict]]
) -> Iterator[tuple[str, Any, RawPicture]]:
    """The pictures of one file: for each its name, its id, and what the file says about it.

    Raises:
        ValueError: two images have the same id.
    """
    path, folders = find_split(records.root, split)
    try:
        folder = picture_folder(COCOFile(path, content["images"], (), {}, []), folders)
    except (FileNotFoundError, ValueError):
        folder = None
    files = files_below(folder) if folder else {}
    by_last = by_last_part(files)
    objects = _objects(content)
    if len({image["id"] for image in content["images"]}) < len(content["images"]):
        raise ValueError(f"{path}: two images have the same id. Give each its own.")
    for image in content["images"]:
        picture = look_up(image["file_name"], files, by_last)
        name = records.shown(picture) if picture else f"{split}/{image['file_name']}"
        size = (image.get("width"), image.get("height"))
        if not all(isinstance(side, int) and side > 0 for side in size):
            size = header_size(picture)
        shown = f"{records.shown(path)}: {image['file_name']}"
        its = tuple(objects.get(image["id"], ()))
        yield name, image["id"], RawPicture(name, picture, shown, size, its)


def numbered(content: dict[str, list[dict]]) -> Iterator[tuple[int, dict]]:
    """The annotations of a file, each with its id, or with its place where it has none."""
    for place, annotation in enumerate(content["annotations"], 1):
        yield annotation.get("id", place), annotation


def _names(content: dict[str, list[dict]]) -> dict[Any, str]:
    return {category["id"]: str(category["name"]).strip() for category in content["categories"]}


def _objects(content: dict[str, list[dict]]) -> dict[Any, list[RawObject]]:
    names = _names(content)
    objects: dict[Any, list[RawObject]] = {}
    for number, annotation in numbered(content):
        box = annotation.get("bbox")
        written = tuple(map(str, box)) if isinstance(box, list) else ()
        corners, fault = _corners(written)
        name = names.get(annotation["category_id"], UNKNOWN)
        entry = RawObject(number, name, written, corners, fault)
        objects.setdefault(annotation["image_id"], []).append(entry)
    return objects


def _corners(written: tuple[str, ...]) -> tuple[Box | None, str]:
    if len(written) != 4:
        return None, f"a box has four numbers, and here are {len(written)}"
    values, fault = to_numbers(("x", "y", "width", "height"), written)
    if fault:
        return None, fault
    x, y, w, h = values
    return (x, y, x + w, y + h), ""


def _add(records: Records, name: str, picture: RawPicture) -> None:
    first = records.pictures.setdefault(name, picture)
    if first.annotation == picture.annotation:
        if first is not picture:  # the same file names it twice: one picture with all objects
            both = first._replace(objects=first.objects + picture.objects)
            records.pictures[name] = both
    elif _said(first) != _said(picture):
        what = f"its boxes are others than in {picture.annotation}"
        records.faults.append(Fault("annotation-differs", first.annotation, what))


def _said(picture: RawPicture) -> list:
    return sorted((entry.name, entry.written) for entry in picture.objects)


def _lost(records: Records, path: Path, content: dict[str, list[dict]]) -> list[Fault]:
    """Objects of pictures or classes that the file does not list."""
    ids = {image["id"] for image in content["images"]}
    names, shown = _names(content), records.shown(path)
    faults = []
    for number, annotation in numbered(content):
        image, category = annotation["image_id"], annotation["category_id"]
        box = tuple(map(str, annotation.get("bbox") or ()))
        if image not in ids:
            what = f"there is no image with the id {image!r}"
            name = names.get(category, UNKNOWN)
            faults.append(Fault("object-without-picture", shown, what, number, name, box))
        elif category not in names:
            what = f"there is no category with the id {category!r}"
            faults.append(Fault("class-unknown", shown, what, number, UNKNOWN, box))
    return faults
