"""A folder in YOLO's layout, in any of the shapes that `YOLOFolder` reads, as `Records`."""

from __future__ import annotations

from pathlib import Path

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.faults import to_numbers
from ssd_tutorial.datasets.yolo import Line, read_label_file
from ssd_tutorial.datasets.yolo_files import (
    class_names,
    find_pictures,
    label_path,
    lost_labels,
    yolo_splits,
)
from ssd_tutorial.doctor.box_rules import at
from ssd_tutorial.doctor.faults import Fault
from ssd_tutorial.doctor.from_coco import UNKNOWN
from ssd_tutorial.doctor.records import (
    Box,
    RawObject,
    RawPicture,
    Records,
    header_size,
    reason_of,
)


def read_yolo(root: Path, progress: bool | None = None) -> Records:
    """Read every label file of a folder in YOLO's layout.

    Raises:
        FileNotFoundError, ValueError: no file lists the classes, or it cannot be read.
    """
    classes, _ = class_names(root)
    records = Records(root, "YOLO", {}, {}, classes=tuple(classes))
    for split, places in sorted(yolo_splits(root).items()):
        try:
            pictures = find_pictures(root, split)
        except FileNotFoundError:
            pictures = {}
        names = []
        for picture in progress_bar(pictures.values(), split, progress, len(pictures)):
            name = records.shown(picture)
            if name not in records.pictures:
                records.pictures[name] = _read_one(records, name, picture)
            names.append(name)
        records.splits[split] = tuple(names)
        records.split_files[split] = places[0]
    known = [picture.picture for picture in records.pictures.values() if picture.picture]
    for path in lost_labels(root, known):
        records.faults.append(Fault("picture-missing", records.shown(path), "it has no picture"))
    return records


def _read_one(records: Records, name: str, picture: Path) -> RawPicture:
    path = label_path(records.root, picture)
    shown = records.shown(path)
    there = picture if picture.is_file() else None
    size = header_size(there)
    try:
        lines = read_label_file(path)
    except ValueError as error:
        return RawPicture(name, there, shown, size, (), reason_of(error, path), path)
    objects = []
    for line in lines:
        corners, fault = _corners(line, size or (1, 1))
        known = 0 <= line.category < len(records.classes)
        category = records.classes[line.category] if known else UNKNOWN
        objects.append(RawObject(line.number, category, line.written, corners, fault))
    found = RawPicture(name, there, shown, size, tuple(objects), file=path)
    for line, entry in zip(lines, objects, strict=True):
        if entry.name == UNKNOWN:
            what = f"there is no class {line.category}, the list has {len(records.classes)}"
            records.faults.append(at("class-unknown", found, entry, what))
    return found


def _corners(line: Line, size: tuple[int, int]) -> tuple[Box | None, str]:
    """Corners in pixels; of a polygon (x y x y …), those of the box around it."""
    count = len(line.written)
    polygon = count >= 6 and count % 2 == 0
    if count != 4 and not polygon:
        return None, f"after the class stand four numbers, and here are {count}"
    values, fault = to_numbers([str(n) for n in range(1, count + 1)], line.written)
    if fault:
        return None, fault
    if max(map(abs, values)) > 2:
        return None, "the numbers must be fractions of the picture's size, 0 to 1, not pixels"
    width, height = size
    if polygon:
        xs, ys = values[0::2], values[1::2]
        x1, y1, x2, y2 = min(xs), min(ys), max(xs), max(ys)
    else:
        cx, cy, w, h = values
        x1, y1, x2, y2 = cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2
    return (x1 * width, y1 * height, x2 * width, y2 * height), ""
