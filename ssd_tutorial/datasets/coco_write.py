"""Write a dataset as a folder in the layout of COCO, for this package and for other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from ssd_tutorial.datasets.writing import Item, check_split, class_names_of, write_items


def write_coco(
    dataset: Dataset,
    root: str | Path,
    split: str,
    *,
    classes: Sequence[str] | None = None,
    picture_format: str = "jpg",
    overwrite: bool = False,
    workers: int = 0,
    progress: bool | None = None,
) -> Path:
    """Write every item into ``root/SPLIT`` and their boxes into ``instances_SPLIT.json``.

    Boxes, labels and ``difficult`` come back from ``COCOFolder(root, split)``. COCO's format has no
    ``difficult``; ``iscrowd`` is written in its place, which evaluation passes over in the same
    way. Category ids count from 1 in the order of the classes. The JSON file is written last, so a
    split that can be read is complete.

    Args:
        dataset, root, split, classes, picture_format, overwrite, workers, progress: see
            `write_voc`.

    Returns:
        The path of the JSON file, in ``root/annotations``.

    Raises:
        FileExistsError, ValueError: as `write_voc`.
    """
    root = Path(root)
    file = root / "annotations" / f"instances_{split}.json"
    check_split(split, file, overwrite)
    names = class_names_of(dataset, classes, "write_coco")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []

    def files_of(item: Item) -> dict[Path, bytes]:
        width, height = item.size
        number = len(images) + 1
        images.append({"id": number, "file_name": item.filename, "width": width, "height": height})
        for name, (x1, y1, x2, y2), difficult in item.objects:
            w, h = x2 - x1, y2 - y1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": names.index(name) + 1,
                    "bbox": [x1, y1, w, h],
                    "area": w * h,
                    "segmentation": [],
                    "iscrowd": int(difficult),
                }
            )
        return {root / split / item.filename: item.picture}

    def finish(_: list[str]) -> dict[Path, bytes]:
        categories = [{"id": i, "name": name} for i, name in enumerate(names, 1)]
        content = {"images": images, "categories": categories, "annotations": annotations}
        return {file: (json.dumps(content, ensure_ascii=False) + "\n").encode()}

    write_items(
        dataset,
        f"{root.name}/{split}",
        files_of,
        finish,
        classes=names,
        picture_format=picture_format,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )
    return file
