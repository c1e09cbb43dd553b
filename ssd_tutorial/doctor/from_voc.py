"""A folder in VOC's layout, in any of the shapes that `VOCFolder` reads, as `Records`."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.faults import read_text, to_numbers
from ssd_tutorial.datasets.pictures import EXTENSIONS, by_last_part, files_below
from ssd_tutorial.datasets.voc_xml import CORNERS, read_annotation
from ssd_tutorial.doctor.faults import Fault
from ssd_tutorial.doctor.records import RawObject, RawPicture, Records, header_size, reason_of

ALL = "all"
LISTS = "ImageSets/Main"


def read_voc(root: Path, progress: bool | None = None) -> Records:
    """Read every annotation and every split of a folder in VOC's layout.

    Lists of one class (``cat_train.txt``, with a second column of -1, 0 and 1) are no splits and
    are left aside.
    """
    records = Records(root, "VOC", {}, {}, one_based=True)
    if (root / "Annotations").is_dir():
        _read_lists(records, progress)
    else:
        _read_folders(records, progress)
    if counts_from_zero(records):
        records.one_based = False
        zeros = sum(1 for box in _corners(records) if min(box[:2]) == 0)
        what = f"{zeros} boxes begin at pixel 0, and hardly one at pixel 1"
        records.faults.append(Fault("counts-from-zero", "Annotations", what))
    return records


def counts_from_zero(records: Records) -> bool:
    """Whether the files count pixels from 0: more boxes touch the border at 0 than at 1."""
    lows = [low for box in _corners(records) for low in box[:2]]
    return lows.count(0.0) > lows.count(1.0)


def is_flagged(line: str, pictures: Container[str]) -> bool:
    """Whether a line of a list has VOC's second column, which says if a class is in the picture."""
    words = line.split()
    return len(words) > 1 and words[-1] in ("-1", "0", "1") and line not in pictures


def _read_lists(records: Records, progress: bool | None) -> None:
    """Annotations in one folder, pictures in another, splits as lists."""
    root = records.root
    folder = next((p for p in (root / "JPEGImages", root / "images") if p.is_dir()), None)
    pictures = _files(folder) if folder else {}
    annotations = files_below(root / "Annotations", (".xml",))
    for shown, path in progress_bar(annotations.items(), "annotations", progress, len(annotations)):
        name = shown[: -len(".xml")]
        records.pictures[name] = _read_one(records, name, path, pictures)
    for path in sorted((root / LISTS).glob("*.txt")):
        names = _read_list(path, records.pictures)
        if names is not None:
            records.splits[path.stem] = tuple(names)
            records.split_files[path.stem] = path
    if not (root / LISTS).is_dir():
        records.splits[ALL] = tuple(records.pictures)
    for name in [name for names in records.splits.values() for name in names]:
        if name not in records.pictures:
            picture = _picture_of(name, "", pictures)
            records.pictures[name] = RawPicture(name, picture, "", header_size(picture))
    known = {picture.picture for picture in records.pictures.values()}
    records.unannotated = tuple(
        records.shown(path) for path in dict.fromkeys(pictures.values()) if path not in known
    )


def _read_folders(records: Records, progress: bool | None) -> None:
    """A folder for each split, with pictures and annotations side by side."""
    for folder in sorted(path for path in records.root.iterdir() if path.is_dir()):
        annotations = files_below(folder, (".xml",))
        if not annotations:
            continue
        pictures = _files(folder)
        files = (*annotations, *files_below(folder))
        stems = {Path(shown).with_suffix("").as_posix() for shown in files}
        names = []
        for stem in progress_bar(sorted(stems), folder.name, progress):
            name = f"{folder.name}/{stem}"
            path = annotations.get(f"{stem}.xml")
            if path is None:
                picture = _picture_of(stem, "", pictures)
                records.pictures[name] = RawPicture(name, picture, "", header_size(picture))
            else:
                records.pictures[name] = _read_one(records, name, path, pictures)
            names.append(name)
        records.splits[folder.name] = tuple(names)
        records.split_files[folder.name] = folder


def _read_one(records: Records, name: str, path: Path, pictures: dict[str, Path]) -> RawPicture:
    shown = records.shown(path)
    try:
        annotation = read_annotation(path)
    except (ValueError, OSError) as error:
        picture = _picture_of(path.stem, "", pictures)
        return RawPicture(name, picture, shown, None, (), reason_of(error, path), path)
    picture = _picture_of(path.stem, annotation.filename, pictures)
    objects = []
    for entry in annotation.objects:
        values, fault = to_numbers(CORNERS, entry.written)
        corners = None if fault else tuple(values)
        objects.append(RawObject(entry.number, entry.name, entry.written, corners, fault))
    size = annotation.size or header_size(picture)
    return RawPicture(name, picture, shown, size, tuple(objects), file=path)


def _files(folder: Path) -> dict[str, Path]:
    """Picture files by their path in the folder, and by their bare name where that is unique."""
    files = files_below(folder)
    return by_last_part(files) | files


def _picture_of(stem: str, filename: str, pictures: dict[str, Path]) -> Path | None:
    """As `VOCFolder` looks for it."""
    own = Path(filename).name
    first = [own] if Path(own).stem == Path(stem).name else []
    endings = [stem + ending for ext in EXTENSIONS for ending in (ext, ext.upper())]
    return next((pictures[name] for name in (*first, *endings, own) if name in pictures), None)


def _read_list(path: Path, pictures: Container[str]) -> list[str] | None:
    """The names of a split, or None for a list of one class."""
    lines = [line.strip() for line in read_text(path).splitlines()]
    lines = [line for line in lines if line]
    of_one_class = lines and all(is_flagged(line, pictures) for line in lines)
    return None if of_one_class else lines


def _corners(records: Records) -> list:
    entries = (entry for picture in records.pictures.values() for entry in picture.objects)
    return [entry.corners for entry in entries if entry.corners is not None]
