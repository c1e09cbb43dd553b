"""Divide a folder without splits into pictures for training and for evaluation (chapter 16).

Many tools export a single folder. The two parts are written as lists in its layout; no picture and
no annotation is moved or changed.
"""

import json
from hashlib import sha256
from pathlib import Path

from ssd_tutorial._files import write_file
from ssd_tutorial.datasets.folder import AnnotatedFolder, short_names
from ssd_tutorial.datasets.layouts import LAYOUTS, find_layout, open_folder

PARTS = ("train", "val")


def split_folder(root: str | Path, share: float = 0.2, seed: int = 0) -> dict[str, int]:
    """Write the splits ``train`` and ``val`` of a folder that has one split.

    A picture's name and the seed decide where it goes. Pictures that belong together, such as the
    frames of a video, are not recognised: `doctor` finds those that are nearly the same in both
    parts.

    Args:
        root: a folder in the layout of VOC, COCO or YOLO.
        share: share of the pictures that go to ``val``, above 0 and below 1.
        seed: seeds the division.

    Returns:
        The number of pictures of each part.

    Raises:
        FileNotFoundError: as `find_layout`.
        FileExistsError: the folder already has several splits, or one named ``train`` or ``val``.
        ValueError: ``share`` leaves a part empty; otherwise as the reader of the layout.
    """
    root = Path(root)
    layout = find_layout(root)
    splits = LAYOUTS[layout].find(root)
    if len(splits) != 1 or set(splits) & set(PARTS):
        raise FileExistsError(
            f"{root} has the splits {', '.join(splits)} already: only a folder with one, such as "
            f"'all', can be divided. Use those, or remove their lists first."
        )
    (whole,) = splits
    if layout == "VOC" and splits[whole].prefix:
        raise ValueError(f"the pictures of {root} are in {root / whole}: pass that folder itself")
    # Bad boxes and pictures do not matter here: each reader finds them again.
    dataset = open_folder(root, whole, on_error="drop")
    names = sorted(dataset.names, key=lambda name: sha256(f"{seed}/{name}".encode()).digest())
    count = round(share * len(names)) if 0 < share < 1 else 0
    if not 0 < count < len(names):
        raise ValueError(
            f"a share of {share:g} of {len(names)} pictures leaves a part empty: it must be above "
            f"0 and below 1, with at least one picture per part"
        )
    chosen = {"val": set(names[:count]), "train": set(names[count:])}
    for part in PARTS:
        paths = {
            name: dataset.picture_path(index)
            for index, name in enumerate(dataset.names)
            if name in chosen[part]
        }
        file, text = _LISTS[layout](dataset, part, paths)
        write_file(root / file, text.encode())
    return {part: len(chosen[part]) for part in PARTS}


def _voc_list(dataset: AnnotatedFolder, part: str, pictures: dict[str, Path]) -> tuple[str, str]:
    return f"ImageSets/Main/{part}.txt", "".join(f"{name}\n" for name in pictures)


def _yolo_list(dataset: AnnotatedFolder, part: str, pictures: dict[str, Path]) -> tuple[str, str]:
    paths = (path.relative_to(dataset.root).as_posix() for path in pictures.values())
    return f"{part}.txt", "".join(f"./{path}\n" for path in paths)


def _coco_list(dataset: AnnotatedFolder, part: str, pictures: dict[str, Path]) -> tuple[str, str]:
    content = json.loads(LAYOUTS["COCO"].find(dataset.root)[dataset.split].read_bytes())
    called = short_names([str(image["file_name"]) for image in content["images"]])
    pairs = zip(called, content["images"], strict=True)
    images = [image for name, image in pairs if name in pictures]
    ids = {image["id"] for image in images}
    annotations = [one for one in content["annotations"] if one["image_id"] in ids]
    changed = content | {"images": images, "annotations": annotations}
    return f"annotations/instances_{part}.json", json.dumps(changed, ensure_ascii=False) + "\n"


_LISTS = {"VOC": _voc_list, "COCO": _coco_list, "YOLO": _yolo_list}
"""What returns the file of a part, relative to the root, and its content."""
