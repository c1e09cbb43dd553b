"""Write a dataset as a folder in the layout of PASCAL VOC, for this package and for other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.datasets.voc_xml import format_annotation
from ssd_tutorial.datasets.writing import Item, check_split, class_names_of, write_items


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
        dataset: items as those of `AnnotatedFolder`, with ``__len__`` and ``__getitem__``.
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
    list_path = root / "ImageSets" / "Main" / f"{split}.txt"
    check_split(split, list_path, overwrite)

    def files_of(item: Item) -> dict[Path, bytes]:
        annotation = format_annotation(item.filename, item.size, item.objects, one_based)
        return {
            root / "JPEGImages" / item.filename: item.picture,
            root / "Annotations" / f"{item.name}.xml": annotation,
        }

    def finish(names: list[str]) -> dict[Path, bytes]:
        return {list_path: "".join(f"{name}\n" for name in names).encode()}

    write_items(
        dataset,
        f"{root.name}/{split}",
        files_of,
        finish,
        classes=class_names_of(dataset, classes, "write_voc"),
        picture_format=picture_format,
        more_than_px=1.0 if one_based else 0.0,
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )
    return list_path
