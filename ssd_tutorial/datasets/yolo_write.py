"""Write a dataset as a folder in the layout of YOLO, for this package and for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from torch.utils.data import Dataset

from ssd_tutorial.datasets.faults import read_text
from ssd_tutorial.datasets.writing import Item, check_split, class_names_of, write_items

DECIMALS = 9
"""Of the fractions: below a thousandth of a pixel in any picture."""


def write_yolo(
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
    """Write every item into ``root/images/SPLIT`` and ``root/labels/SPLIT``.

    Boxes and labels come back from ``YOLOFolder(root, split)``, to a thousandth of a pixel;
    ``difficult`` does not, since YOLO's files have no place for it. ``data.yaml`` lists the
    classes and the splits; it is written last.

    Args:
        dataset, root, split, classes, picture_format, overwrite, workers, progress: see
            `write_voc`.

    Returns:
        The path of ``data.yaml``.

    Raises:
        FileExistsError: as `write_voc`; also a ``data.yaml`` with other classes, or other pictures
            in the split's folder.
        ValueError: as `write_voc`.
    """
    root = Path(root)
    pictures, labels = root / "images" / split, root / "labels" / split
    check_split(split, next(pictures.glob("*"), pictures / "none"), overwrite)
    names = class_names_of(dataset, classes, "write_yolo")
    file = root / "data.yaml"
    settings = yaml.safe_load(read_text(file)) if file.is_file() else {"names": list(names)}
    if settings.get("names") != list(names) and not overwrite:
        raise FileExistsError(
            f"{file} is there already and lists other classes. Choose another folder, or pass "
            f"overwrite=True to replace it."
        )

    def files_of(item: Item) -> dict[Path, bytes]:
        lines = [
            f"{names.index(name)} {_fractions(box, *item.size)}\n" for name, box, _ in item.objects
        ]
        return {
            pictures / item.filename: item.picture,
            labels / f"{item.name}.txt": "".join(lines).encode(),
        }

    def finish(written: list[str]) -> dict[Path, bytes]:
        own = {f"{name}.{picture_format}" for name in written}
        others = sorted(path.name for path in pictures.iterdir() if path.name not in own)
        if others:  # in this layout whatever lies in the folder belongs to the split
            raise FileExistsError(
                f"{pictures} holds {len(others)} other files, such as {others[0]}, which would "
                f"belong to the split. Delete the folder, or choose another."
            )
        whole = settings | {split: f"images/{split}", "names": list(names)}
        return {file: yaml.safe_dump(whole, sort_keys=False, allow_unicode=True).encode()}

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


def _fractions(box: tuple[float, ...], width: int, height: int) -> str:
    x1, y1, x2, y2 = box
    centre = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height)
    size = ((x2 - x1) / width, (y2 - y1) / height)
    return " ".join(f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") for value in (*centre, *size))
