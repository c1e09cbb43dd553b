"""What the writers of all layouts share: items are checked, files complete, failures undone."""

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ssd_tutorial._files import write_file
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.boxes import box_problem
from ssd_tutorial.datasets.messages import check_classes, to_text

_FORMATS = {"jpg": {"format": "JPEG", "quality": 95, "subsampling": 0}, "png": {"format": "PNG"}}


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
    root: str | Path,
    split: str,
    picture_files: Callable[[Item], dict[str, bytes]],
    split_files: Callable[..., dict[str, bytes]],
    sign: Path,
    home: str = "",
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
            pictures, and the root; they replace existing ones.
        sign: the file or folder whose existence means that the split exists.
        home: what the pictures' names begin with in the folder, such as ``"train/"``.
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
    root = Path(root)
    if not _plain(split):
        raise ValueError(f"the split {split!r} cannot be a file name")
    if sign.exists() and not overwrite:
        raise FileExistsError(
            f"{sign} already exists. Choose another folder or split, or pass overwrite=True to "
            f"replace it."
        )
    if picture_format not in _FORMATS:
        raise ValueError(f'picture_format must be "jpg" or "png", not {picture_format!r}')
    names = class_names_of(dataset, classes)
    # Its own generator: the loader draws a seed, and must not disturb the caller's random numbers.
    own = torch.Generator()
    loader = DataLoader(dataset, batch_size=None, num_workers=workers, generator=own)
    items: dict[str, Item] = {}
    made: list[Path] = []
    try:
        bar = progress_bar(loader, f"{root.name}/{split}", progress, unit="picture")
        for index, (image, target) in enumerate(bar):
            name = target["name"]
            for fault in _faults(image, target, len(names), more_than_px):
                raise ValueError(f"item {index} ({name}){fault}")
            if name in items:
                first = list(items).index(name)
                raise ValueError(f"items {first} and {index} have the same name, {name!r}")
            rows = (target[key].tolist() for key in ("labels", "boxes", "difficult"))
            objects = [(names[i - 1], tuple(box), flag) for i, box, flag in zip(*rows, strict=True)]
            file, size = f"{home}{name}.{picture_format}", (image.shape[2], image.shape[1])
            item = Item(f"{home}{name}", file, b"", size, objects, names)
            encoded = _encoded(image, picture_format)
            for path, content in picture_files(item._replace(picture=encoded)).items():
                made += put(root / path, content, overwrite)
            items[name] = item
        if not items:
            raise ValueError("the dataset is empty: there is nothing to write")
        for path, content in split_files(split, list(items.values()), root).items():
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
    names = getattr(dataset, "classes", None) if classes is None else classes
    if not names:
        raise ValueError("the dataset has no attribute `classes`: pass classes=[...]")
    for name in check_classes(names):
        if name != to_text(name):
            raise ValueError(f"the class name {name!r} cannot be written to a file and read back")
    return tuple(names)


def _plain(name: object) -> bool:
    """Return whether a name is a file name on every system, and one line of a list."""
    if not isinstance(name, str) or name != name.strip(" .") or not name.isprintable():
        return False
    return name != "" and not set(name) & set('/\\:*?"<>|')


def _faults(
    image: torch.Tensor, target: dict, num_classes: int, more_than_px: float
) -> Iterator[str]:
    """Yield the reasons why an item cannot be written."""
    if not _plain(target["name"]):
        yield f": the name {target['name']!r} cannot be a file name"
    if image.dtype != torch.uint8 or image.ndim != 3 or image.shape[0] != 3:
        yield f": the image must be uint8 [3, H, W], not {image.dtype} {list(image.shape)}"
    boxes, labels, difficult = target["boxes"], target["labels"], target["difficult"]
    shapes = ", ".join(f"{list(rows.shape)}" for rows in (boxes, labels, difficult))
    if boxes.shape != (len(labels), 4) or difficult.shape != labels.shape:
        yield f": the shapes of its boxes, labels and difficult flags do not match: {shapes}"
    height, width = image.shape[1:]
    for number, (label, box) in enumerate(zip(labels.tolist(), boxes.tolist(), strict=True), 1):
        x1, y1, x2, y2 = box
        rule = box_problem(box)
        if not 1 <= label <= num_classes:
            rule = f"the label must be 1 to {num_classes}, not {label}"
        elif not rule and not (x1 >= 0 and y1 >= 0 and x2 <= width and y2 <= height):
            rule = f"it must lie inside the picture of {width} x {height} pixels"
        elif not rule and not (x2 - x1 > more_than_px and y2 - y1 > more_than_px):
            rule = (
                "it must be more than one pixel wide and high, since files that count from 1 write "
                "such a box with xmin = xmax, which readers refuse"
            )
        if rule:
            yield f", object {number}, box {box}: {rule}"


def _encoded(image: torch.Tensor, picture_format: str) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    picture.save(buffer, **_FORMATS[picture_format])
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
    write_file(path, content)
    return [] if there else [path]
