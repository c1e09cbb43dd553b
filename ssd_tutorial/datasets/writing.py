"""What the writers of all layouts share: items are checked, files complete, failures undone."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ssd_tutorial._files import atomic_write
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.boxes import box_problem


class Item(NamedTuple):
    """One picture with its objects, checked and ready to be written."""

    name: str
    filename: str  # the name with the ending of the picture's format
    picture: bytes  # encoded
    size: tuple[int, int]  # (width, height) in pixels
    objects: list[tuple[str, tuple[float, ...], bool]]  # class, edges xyxy in pixels, difficult
    classes: tuple[str, ...]  # in the order of the labels


def write_items(
    dataset: Dataset,
    root: Path,
    split: str,
    picture_files: Callable[[Item], dict[str, bytes]],
    split_files: Callable[..., dict[str, bytes]],
    sign: Path,
    *,
    classes: Sequence[str] | None = None,
    picture_format: str = "jpg",
    more_than_px: float = 0.0,
    overwrite: bool = False,
    workers: int = 0,
    progress: bool | None = None,
) -> Path:
    """Write every item's files, and then those that define the split.

    If anything fails, the files that this call wrote are removed.

    Args:
        dataset: items as those of `AnnotatedFolder`.
        root: the folder to write.
        split: its name.
        picture_files: returns an item's files, by their paths in the folder.
        split_files: returns the last files by path, given the split, all items without their
            pictures, the classes and the root; they replace existing ones.
        sign: the file whose existence means that the split exists.
        classes: the class names; None takes those of the dataset.
        picture_format: ``"jpg"`` or ``"png"``.
        more_than_px: width and height that a box must exceed, in pixels.
        overwrite, workers, progress: see `write_voc`.

    Returns:
        `sign`.

    Raises:
        FileExistsError: the split, or a file of the same name with other content, exists.
        ValueError: an item that cannot be written; the message names it and the rule.
    """
    if not _plain(split):
        raise ValueError(f"the split {split!r} cannot be a file name")
    if sign.exists() and not overwrite:
        raise FileExistsError(
            f"{sign} already exists. Choose another folder or split, or pass overwrite=True to "
            f"replace it."
        )
    if picture_format not in ("jpg", "png"):
        raise ValueError(f'picture_format must be "jpg" or "png", not {picture_format!r}')
    names = class_names_of(dataset, classes)
    # Its own generator: the loader draws a seed, and must not disturb the caller's random numbers.
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        collate_fn=_as_it_is,
        generator=torch.Generator(),
    )
    items: dict[str, Item] = {}
    made: list[Path] = []
    try:
        bar = progress_bar(loader, f"{root.name}/{split}", progress, unit="picture")
        for index, (image, target) in enumerate(bar):
            item = _checked(index, image, target, names, picture_format, more_than_px)
            if item.name in items:
                first = list(items).index(item.name)
                raise ValueError(f"items {first} and {index} have the same name, {item.name!r}")
            for path, content in picture_files(item).items():
                made += put(root / path, content, overwrite)
            items[item.name] = item._replace(picture=b"")
        if not items:
            raise ValueError("the dataset is empty: there is nothing to write")
        for path, content in split_files(split, list(items.values()), names, root).items():
            made += put(root / path, content, overwrite=True)
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise
    return sign


def class_names_of(dataset: Dataset, classes: Sequence[str] | None) -> tuple[str, ...]:
    """Return the class names to write: the given ones, or the dataset's.

    Raises:
        ValueError: there are none, or one could not be read back.
    """
    names = tuple(getattr(dataset, "classes", ()) if classes is None else classes)
    if not names:
        raise ValueError("the dataset has no attribute `classes`: pass classes=[...]")
    if len(set(names)) < len(names):
        raise ValueError(f"two classes have the same name: {', '.join(names)}")
    for name in names:
        if not isinstance(name, str) or name != name.strip() or not name or not name.isprintable():
            raise ValueError(f"the class name {name!r} cannot be written to a file and read back")
    return names


def _as_it_is(item: Any) -> Any:
    return item


def _plain(name: object) -> bool:
    """Return whether a name is a file name on every system, and one line of a list."""
    return (
        isinstance(name, str)
        and name == name.strip(" .")
        and name != ""
        and name.isprintable()
        and not set(name) & set('/\\:*?"<>|')
    )


def _checked(
    index: int,
    image: torch.Tensor,
    target: dict,
    classes: tuple[str, ...],
    picture_format: str,
    more_than_px: float,
) -> Item:
    """Return an item ready to be written, or raise if it cannot be."""
    name = target["name"]
    if not _plain(name):
        raise ValueError(f"item {index}: the name {name!r} cannot be a file name")
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(
            f"item {index} ({name}): the image must be uint8 [3, H, W], not {image.dtype} "
            f"{list(image.shape)}"
        )
    boxes, labels, difficult = target["boxes"], target["labels"], target["difficult"]
    if boxes.shape != (len(labels), 4) or difficult.shape != labels.shape:
        raise ValueError(
            f"item {index} ({name}): {list(boxes.shape)} boxes, {list(labels.shape)} labels and "
            f"{list(difficult.shape)} difficult flags do not match"
        )
    size = (image.shape[2], image.shape[1])
    rows = list(zip(labels.tolist(), boxes.tolist(), difficult.tolist(), strict=True))
    for number, (label, box, _) in enumerate(rows, 1):
        rule = _broken_rule(box, label, size, len(classes), more_than_px)
        if rule:
            raise ValueError(f"item {index} ({name}), object {number}, box {box}: {rule}")
    objects = [(classes[label - 1], tuple(box), flag) for label, box, flag in rows]
    encoded = _encode(image, picture_format)
    return Item(name, f"{name}.{picture_format}", encoded, size, objects, classes)


def _broken_rule(
    box: list[float], label: int, size: tuple[int, int], num_classes: int, more_than_px: float
) -> str:
    x1, y1, x2, y2 = box
    if not 1 <= label <= num_classes:
        return f"the label must be 1 to {num_classes}, not {label}"
    if problem := box_problem(box):
        return problem
    if not (x1 >= 0 and y1 >= 0 and x2 <= size[0] and y2 <= size[1]):
        return f"it must lie inside the picture of {size[0]} x {size[1]} pixels"
    if not (x2 - x1 > more_than_px and y2 - y1 > more_than_px):
        return (
            "it must be more than one pixel wide and high, since files that count from 1 write "
            "such a box with xmin = xmax, which readers refuse; one_based=False can write it"
        )
    return ""


def _encode(image: torch.Tensor, picture_format: str) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    if picture_format == "jpg":
        picture.save(buffer, "JPEG", quality=95, subsampling=0)
    else:
        picture.save(buffer, "PNG")
    return buffer.getvalue()


def put(path: Path, content: bytes, overwrite: bool) -> list[Path]:
    """Write a file completely or not at all; return ``[path]`` if it did not exist before."""
    there = path.exists()
    if there and path.read_bytes() == content:
        return []
    if there and not overwrite:
        raise FileExistsError(
            f"{path} already exists and differs. Choose another folder, or pass "
            f"overwrite=True to replace it."
        )
    with atomic_write(path) as file:
        file.write_bytes(content)
    return [] if there else [path]
