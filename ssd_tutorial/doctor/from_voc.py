"""A folder in VOC's layout as `Records`."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from ssd_tutorial.datasets.pictures import EXTENSIONS
from ssd_tutorial.datasets.voc_xml import read_annotation
from ssd_tutorial.doctor.faults import Fault
from ssd_tutorial.doctor.pictures import header_size
from ssd_tutorial.doctor.progress import follow
from ssd_tutorial.doctor.records import RawObject, RawPicture, Records, finite


def read_voc(root: Path, progress: bool | None = None) -> Records:
    """Read every annotation and every split of a folder in VOC's layout.

    Lists of one class (``cat_train.txt``, with a second column of -1, 0 and 1) are no splits and
    are left aside.

    Raises:
        FileNotFoundError: the folder lacks ``Annotations``, ``JPEGImages`` or ``ImageSets/Main``.
    """
    for part in ("Annotations", "JPEGImages", "ImageSets/Main"):
        if not (root / part).is_dir():
            raise FileNotFoundError(f"{root} is no folder in VOC's layout: it has no {part}.")
    files = {path.name: path for path in (root / "JPEGImages").iterdir() if path.is_file()}
    annotations = sorted((root / "Annotations").glob("*.xml"))
    pictures = {
        path.stem: _read_picture(path, root, files)
        for path in follow(annotations, "annotations", progress)
    }
    records = Records(root, "voc", pictures, {}, one_based=True)
    for path in sorted((root / "ImageSets" / "Main").glob("*.txt")):
        names = _read_list(path, pictures)
        if names is not None:
            records.splits[path.stem] = tuple(names)
    _find_lost_pictures(records, files)
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


def _corners(records: Records) -> list:
    entries = (entry for picture in records.pictures.values() for entry in picture.objects)
    return [entry.corners for entry in entries if entry.corners is not None]


def _read_picture(path: Path, root: Path, files: dict[str, Path]) -> RawPicture:
    shown = path.relative_to(root).as_posix()
    try:
        annotation = read_annotation(path)
    except (ValueError, OSError) as error:
        picture = _picture_of(path.stem, "", files)
        return RawPicture(path.stem, picture, shown, None, unread=_reason(error, path))
    picture = _picture_of(path.stem, annotation.filename, files)
    objects = tuple(
        RawObject(entry.number, entry.name, entry.written, finite(entry.written), entry.difficult)
        for entry in annotation.objects
    )
    return RawPicture(path.stem, picture, shown, annotation.size or header_size(picture), objects)


def _reason(error: Exception, path: Path) -> str:
    """The error's own words, without the path that the fault says already."""
    return str(error).replace(f"{path} ", "").replace(f"{path}, ", "").rstrip(".")


def _picture_of(stem: str, filename: str, files: dict[str, Path]) -> Path | None:
    names = [stem + ending for ext in EXTENSIONS for ending in (ext, ext.upper())]
    return next((files[name] for name in (*names, Path(filename).name) if name in files), None)


def _read_list(path: Path, pictures: Container[str]) -> list[str] | None:
    """The names of a split, or None for a list of one class."""
    lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    lines = [line for line in lines if line]
    of_one_class = lines and all(is_flagged(line, pictures) for line in lines)
    return None if of_one_class else lines


def is_flagged(line: str, pictures: Container[str]) -> bool:
    """Whether a line of a list has VOC's second column, which says if a class is in the picture."""
    words = line.split()
    return len(words) > 1 and words[-1] in ("-1", "0", "1") and line not in pictures


def _find_lost_pictures(records: Records, files: dict[str, Path]) -> None:
    """Names in splits without annotation become pictures of their own; the rest is counted."""
    for name in dict.fromkeys(name for names in records.splits.values() for name in names):
        if name not in records.pictures:
            picture = _picture_of(name, "", files)
            records.pictures[name] = RawPicture(name, picture, "", header_size(picture))
    known = {picture.picture for picture in records.pictures.values()}
    records.unannotated = tuple(
        path.relative_to(records.root).as_posix()
        for path in sorted(files.values())
        if path not in known and path.suffix.lower() in EXTENSIONS
    )
