"""Write a dataset as a folder in the layout of PASCAL VOC, for this package and for other tools."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from tqdm.auto import tqdm

from ssd_tutorial.datasets.voc_xml import format_annotation
from ssd_tutorial.whole_files import written_whole


def write_voc(
    dataset: Dataset,
    root: str | Path,
    split: str,
    *,
    classes: Sequence[str] | None = None,
    picture_format: str = "jpg",
    one_based: bool = True,
    overwrite: bool = False,
    workers: int = 0,
    progress: bool | None = None,
) -> Path:
    """Write every item of ``dataset`` into ``root`` and list them in ``ImageSets/Main/SPLIT.txt``.

    Boxes, labels and ``difficult`` come back exactly from ``VOCFolder(root, split, classes=
    dataset.classes)``; the pixels do so with ``"png"``, and nearly with ``"jpg"``.

    Call it again for another split: splits share one folder, and a picture that belongs to two
    splits is kept once. The list is written last, so a split that can be read is complete. When
    anything fails, the files that this call made are taken away again.

    Args:
        dataset: items as those of `VOCFolder`, with ``__len__`` and ``__getitem__``.
        root: the folder; made where it is missing.
        split: the name of the list, such as ``"train"``.
        classes: the class names; None takes ``dataset.classes``. A ``Subset`` has none.
        picture_format: ``"jpg"``, as in VOC (quality 95, full colour resolution, since drawn
            pictures have sharp coloured edges), or ``"png"``, exact and about five times larger.
        one_based: count pixels as VOC does (see `voc_xml`), or write the bare edges.
        overwrite: replace files of the same name that differ. Otherwise they are an error.
        workers: processes that make the items; 0 makes them here.
        progress: show a bar; None shows it where standard error is a terminal.

    Returns:
        The path of the split's list.

    Raises:
        FileExistsError: the split, or a file of the same name with other content, is there.
        ValueError: an item that VOC's layout cannot hold; the message names the item, the object
            and the rule.
    """
    root = Path(root)
    if picture_format not in ("jpg", "png"):
        raise ValueError(f'picture_format must be "jpg" or "png", and is {picture_format!r}')
    if not _plain(split):
        raise ValueError(f"the split {split!r} cannot be a file name")
    classes = tuple(getattr(dataset, "classes", ()) if classes is None else classes)
    _check_class_names(classes)
    list_path = root / "ImageSets" / "Main" / f"{split}.txt"
    if list_path.exists() and not overwrite:
        raise FileExistsError(
            f"{list_path} is there already. Choose another folder or split, or pass "
            f"overwrite=True to replace it."
        )
    # A generator of its own: the loader draws a seed, and the caller's random numbers are theirs.
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        generator=torch.Generator(),
    )
    names: dict[str, int] = {}
    made: list[Path] = []
    try:
        bar = tqdm(loader, desc=f"{root.name}/{split}", unit="picture", disable=_hide(progress))
        for index, (image, target) in enumerate(bar):
            name = _check_item(index, image, target, classes, one_based)
            if name in names:
                raise ValueError(f"items {names[name]} and {index} have the same name, {name!r}")
            names[name] = index
            filename = f"{name}.{picture_format}"
            annotation = format_annotation(
                filename,
                (image.shape[2], image.shape[1]),
                _objects(target, classes),
                one_based,
            )
            picture = _encode(image, picture_format)
            made += _put(root / "JPEGImages" / filename, picture, overwrite)
            made += _put(root / "Annotations" / f"{name}.xml", annotation, overwrite)
        if not names:
            raise ValueError("the dataset is empty: there is nothing to write")
        _put(list_path, "".join(f"{name}\n" for name in names).encode(), overwrite)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return list_path


def _as_it_is(item: Any) -> Any:
    return item


def _hide(progress: bool | None) -> bool | None:
    return None if progress is None else not progress


def _plain(name: object) -> bool:
    """Whether a name is a file name on every system, and one line of a list."""
    return (
        isinstance(name, str)
        and name == name.strip(" .")
        and name != ""
        and name.isprintable()
        and not set(name) & set('/\\:*?"<>|')
    )


def _check_class_names(classes: Sequence[str]) -> None:
    if not classes:
        raise ValueError("the dataset has no attribute `classes`: pass classes=[...] to write_voc")
    for name in classes:
        if not isinstance(name, str) or name != name.strip() or not name or not name.isprintable():
            raise ValueError(f"the class name {name!r} cannot be written to XML and read back")


def _check_item(
    index: int, image: torch.Tensor, target: dict, classes: Sequence[str], one_based: bool
) -> str:
    name = target["name"]
    if not _plain(name):
        raise ValueError(f"item {index}: the name {name!r} cannot be a file name")
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            f"item {index} ({name}): the image must be uint8 [3, H, W], and is {image.dtype} "
            f"{list(image.shape)}"
        )
    boxes, labels, difficult = target["boxes"], target["labels"], target["difficult"]
    if boxes.shape != (len(labels), 4) or difficult.shape != labels.shape:
        raise ValueError(
            f"item {index} ({name}): {list(boxes.shape)} boxes, {list(labels.shape)} labels and "
            f"{list(difficult.shape)} difficult flags do not belong together"
        )
    height, width = image.shape[1:]
    for number, (box, label) in enumerate(zip(boxes.tolist(), labels.tolist(), strict=True), 1):
        rule = _broken_rule(box, label, width, height, len(classes), one_based)
        if rule:
            raise ValueError(f"item {index} ({name}), object {number}, box {box}: {rule}")
    return name


def _broken_rule(
    box: list[float], label: int, width: int, height: int, num_classes: int, one_based: bool
) -> str:
    x1, y1, x2, y2 = box
    if not 1 <= label <= num_classes:
        return f"the label must be 1 to {num_classes}, and is {label}"
    if not (x2 > x1 and y2 > y1):  # also true for NaN
        return "it must have xmax > xmin and ymax > ymin"
    if not (x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height):
        return f"it must lie inside the picture of {width} x {height} pixels"
    if one_based and not (x2 - x1 > 1 and y2 - y1 > 1):
        return (
            "it must be more than one pixel wide and high, since files that count from 1 write "
            "such a box with xmin = xmax, and readers refuse that; one_based=False can hold it"
        )
    return ""


def _objects(target: dict, classes: Sequence[str]) -> list[tuple[str, tuple, bool]]:
    columns = (target["labels"], target["boxes"], target["difficult"])
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [(classes[label - 1], tuple(box), difficult) for label, box, difficult in rows]


def _encode(image: torch.Tensor, picture_format: str) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    if picture_format == "jpg":
        picture.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def _put(path: Path, content: bytes, overwrite: bool) -> list[Path]:
    """Write a file whole or not at all; returns ``[path]`` where it was not there before."""
    there = path.exists()
    if there and path.read_bytes() == content:
        return []
    if there and not overwrite:
        raise FileExistsError(
            f"{path} is there already and differs. Choose another folder, or pass "
            f"overwrite=True to replace it."
        )
    with written_whole(path) as file:
        file.write_bytes(content)
    return [] if there else [path]
