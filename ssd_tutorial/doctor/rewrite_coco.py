"""The files of a folder in COCO's layout, as a `Plan` changes them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ssd_tutorial.datasets.coco import coco_splits
from ssd_tutorial.doctor.from_coco import read_json, read_pictures_of
from ssd_tutorial.doctor.plan import Plan, correct
from ssd_tutorial.doctor.records import RawPicture, Records


def rewrite_coco(records: Records, plan: Plan, near: float) -> Iterator[tuple[Path, bytes | None]]:
    """Every file with its new content, or None where it is not copied.

    Images, annotations and categories keep all that the file says about them, beside the boxes
    that change. A picture that one file lists twice keeps its first entry, with all objects.
    """
    for split, path in coco_splits(records.root).items():
        content = None
        if split in records.splits:
            gone = set(plan.left_out) | plan.leaving.get(split, set())
            content = _rewrite(records, split, read_json(path), gone, near)
        yield path, (json.dumps(content, ensure_ascii=False) + "\n").encode() if content else None


def _rewrite(
    records: Records, split: str, content: dict[str, list[dict]], gone: set[str], near: float
) -> dict[str, Any] | None:
    """The content of one file, or None where no picture is left."""
    its_annotations = defaultdict(list)
    for annotation in content["annotations"]:
        its_annotations[annotation["image_id"]].append(annotation)
    by_id = {image["id"]: image for image in content["images"]}
    entries: dict[str, list[tuple[Any, RawPicture]]] = defaultdict(list)
    for name, image_id, picture in read_pictures_of(records, split, content):
        if name not in gone:
            entries[name].append((image_id, picture))

    images, annotations = [], []
    for its_entries in entries.values():
        first, picture = its_entries[0]
        images.append(by_id[first])
        objects = tuple(entry for _, each in its_entries for entry in each.objects)
        written = [a for image_id, _ in its_entries for a in its_annotations[image_id]]
        # Not the plan's edits: another split's file may have other boxes for this picture.
        edits = dict(correct(records, picture._replace(objects=objects), near, []))
        for position, annotation in enumerate(written):
            if position not in edits:
                annotations.append(annotation | {"image_id": first})
            elif edits[position] is not None:
                x1, y1, x2, y2 = edits[position]
                new = {"image_id": first, "bbox": [x1, y1, x2 - x1, y2 - y1]}
                if not annotation.get("segmentation"):
                    new["area"] = (x2 - x1) * (y2 - y1)
                annotations.append(annotation | new)
    return content | {"images": images, "annotations": annotations} if images else None
