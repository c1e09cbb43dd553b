"""Folders in the layout of YOLO: one text file per picture.

::

    root/images/SPLIT/NAME.jpg        Ultralytics, CVAT
    root/labels/SPLIT/NAME.txt        one line per object: class cx cy width height
    root/data.yaml                    the class names, and where the splits are

    root/SPLIT/images, SPLIT/labels   Roboflow, with data.yaml
    root/SPLIT/NAME.jpg, NAME.txt     Roboflow's Darknet, with _darknet.labels
    root/SPLIT.txt                    a list of pictures, labels beside them: Darknet, CVAT
    root/images, labels               Label Studio, with classes.txt: the split "all"
    root/NAME.jpg, NAME.txt           labelImg, with classes.txt: the split "all"

A class is a number that counts from 0 in the list of names; 0 is label 1 here. The four numbers are
the centre and the size of a box, as fractions of the picture. A picture without a text file, or
with an empty one, has no objects. A line with more numbers is a polygon, class x y x y …; its
bounding box is used. Chapter 16.
"""

import os
import posixpath
import reprlib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import yaml
from torch.utils.data import Dataset

from ssd_tutorial.datasets.folder import AnnotatedFolder, short_names
from ssd_tutorial.datasets.messages import (
    check_classes,
    is_background,
    lines_of,
    parsed,
    start_of,
    to_numbers,
    to_text,
)
from ssd_tutorial.datasets.pictures import EXTENSIONS, Pictures, files_below, files_in, folders_in
from ssd_tutorial.datasets.records import ALL, SPLITS, UNKNOWN, RawObject, RawPicture, Records
from ssd_tutorial.datasets.writing import Item, class_names_of, write_items

SHAPE = "labels/SPLIT/*.txt with images/SPLIT, SPLIT/labels with SPLIT/images, or data.yaml"
CONFIGURATIONS = ("data.yaml", "data.yml", "dataset.yaml")
LISTS = ("classes.txt", "obj.names", "_darknet.labels")
DECIMALS = 9
"""Decimals of written fractions: finer than a thousandth of a pixel in any picture."""


class YOLOFolder(AnnotatedFolder):
    """A split of a folder in YOLO's layout; items and attributes are those of `AnnotatedFolder`.

    The files have no ``difficult``: it is always False.

    Args:
        root: the folder.
        split: such as ``"train"``; ``"val"`` also finds ``valid``. ``"all"`` has every picture of
            a folder without splits.
        classes: the class names in the order of the labels. None takes the names of
            ``data.yaml``, or of ``classes.txt`` or ``obj.names``, in their order. If the folder
            has none of them, the list also defines what the files' numbers mean.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with a width
            or height of 0 or less, or with numbers that are not fractions.

    Raises:
        FileNotFoundError: no such folder, split, class list, or a label file without a picture.
        ValueError: an unreadable file, an unknown class, an impossible box; no picture has labels.
    """

    def _find(self) -> Iterable[str]:
        return find(self.root)

    def _read(self, split: str, classes: Sequence[str] | None) -> Records:
        return read(self.root, [split], classes)

    _layout, _shape = "YOLO", SHAPE


# ---------------------------------------------------------------- where files are


def find(root: Path) -> dict[str, list[Path]]:
    """Return the splits of a folder in YOLO's layout, each with its folders and lists."""
    splits: dict[str, list[Path]] = {}
    for folder in folders_in(root):
        if folder.name == "images":
            inside = [p for p in folders_in(folder) if (root / "labels" / p.name).is_dir()]
            splits |= {path.name: [path] for path in inside}
        elif (folder / "images").is_dir() and (folder / "labels").is_dir():
            if not _is_whole(folder):
                splits[folder.name] = [folder / "images"]
        elif folder.name.lower().startswith(SPLITS) and _is_heap(folder):
            splits[folder.name] = [folder]
    for path in files_in(root, ".txt"):
        first = start_of(path).decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
        if path.name not in LISTS and first.strip().lower().endswith(EXTENSIONS):
            splits.setdefault(path.stem, [path])
    splits |= _splits_of_configuration(root)
    if splits:
        return splits
    if (root / "images").is_dir() and (root / "labels").is_dir():
        return {ALL: [root / "images"]}
    return {ALL: [root]} if _is_heap(root) else {}


def _is_heap(folder: Path) -> bool:
    """Return whether a folder has label files beside their pictures."""
    labels = {path.stem for path in files_in(folder, ".txt")}
    return any(path.stem in labels for path in files_in(folder, *EXTENSIONS))


def _is_whole(folder: Path) -> bool:
    """Return whether a folder with images and labels is a data set of its own, not a split."""
    names = (*CONFIGURATIONS, *LISTS, "labels/classes.txt")
    listed = any((folder / name).is_file() for name in names)
    own = listed and not folder.name.lower().startswith(SPLITS)
    return own or not files_in(folder / "images", *EXTENSIONS)


def _splits_of_configuration(root: Path) -> dict[str, list[Path]]:
    """Return those splits of data.yaml that exist: paths of another machine are common."""
    configuration, _ = _configuration(root)
    base = root / configuration.get("path", "")
    splits = {}
    for split in ("train", "val", "test"):
        entry = configuration.get(split) or []
        places = []
        for name in [entry] if isinstance(entry, str) else entry:
            # Roboflow writes ../train/images and means train/images.
            name = name.replace("\\", "/")
            tries = (base / name, root / name, root / name.removeprefix("../"))
            places += [path for path in tries if _is_place(root, path)][:1]
        if places:
            splits[split] = places
    return splits


def _is_place(root: Path, path: Path) -> bool:
    """Return whether a path is a list, or a folder of pictures that may be searched.

    Elsewhere than in the root, only one with labels is: ``path: /`` must not read the whole disk.
    """
    if not os.path.isdir(path):
        return os.path.isfile(path)
    inside = path.resolve().is_relative_to(root.resolve())
    labels = label_path(root, path / "any.jpg").parent
    return inside or (labels.is_dir() if labels != path else _is_heap(path))


def _configuration(root: Path) -> tuple[dict[str, Any], Path]:
    """Return the settings of data.yaml, or of another file that lists classes, and its path."""
    known = [root / name for name in CONFIGURATIONS if (root / name).is_file()]
    others = files_in(root, ".yaml", ".yml")
    # Everything as text: YAML would read a class "no" as False, and "01" as 1.
    parse = partial(yaml.load, Loader=yaml.BaseLoader)
    for path in known[:1] or others:
        content = parsed(path, "YAML", parse, "Correct it.")
        if isinstance(content, dict) and ("names" in content or known):
            for key in ("path", "nc", "train", "val", "test"):
                its = content.get(key, "")
                its = its if isinstance(its, list) and key not in ("path", "nc") else [its]
                if not all(isinstance(text, str) for text in its):
                    raise ValueError(f"{path}: `{key}` must be one line of text, not a list or map")
            return content, path
        if known:
            raise ValueError(f"{path} has no settings, such as `names: [cat, dog]`")
    return {}, root


def class_names(root: Path, given: Sequence[str] | None = None) -> tuple[list[str], str]:
    """Return the names that the files' numbers mean, counted from 0, and the file with the list.

    Raises:
        FileNotFoundError: no file lists the classes, and none were given.
        ValueError: a list cannot be read, or contradicts another one.
    """
    configuration, path = _configuration(root)
    if "names" in configuration:
        names = _in_order(configuration["names"], path)
        count = configuration.get("nc", str(len(names)))
        if count != str(len(names)):
            raise ValueError(f"{path} says nc: {count}, but names {len(names)}. Correct one.")
        return names, path.name
    for level in ("", "labels/", "*/", "*/labels/", "labels/*/"):
        files = [file for name in LISTS for file in sorted(root.glob(f"{level}{name}"))]
        found = [list(lines_of(file).values()) for file in files]
        for file, names in zip(files, found, strict=True):
            if names != found[0]:
                raise ValueError(f"{file} and {files[0]} list different classes. Correct one.")
        if found:
            return _checked(found[0], files[0]), files[0].relative_to(root).as_posix()
    if given is not None:
        return list(given), "the list of classes"
    raise FileNotFoundError(
        f"{root} has no list of its classes: write their names into {root / 'classes.txt'}, one "
        f"per line and in the order of the numbers, or pass `classes`"
    )


def _in_order(names: Any, path: Path) -> list[str]:
    if isinstance(names, dict):
        numbers, names = ", ".join(names), [names.get(str(i)) for i in range(len(names))]
        if None in names:
            raise ValueError(
                f"{path}: the numbers under `names` must be 0 to {len(names) - 1}, not {numbers}. "
                f"A gap would shift the classes: name every number."
            )
    if not isinstance(names, list) or not names:
        raise ValueError(f"{path}: `names` must be a list of class names")
    return _checked(names, path)


def _checked(names: list[Any], path: Path) -> list[str]:
    texts = [to_text(name) for name in names]
    if None in texts:
        raise ValueError(f"{path}: the name of class {texts.index(None)} is not one line of text")
    check_classes([name for name in texts if not is_background(name)], f"{path}: the classes")
    return texts


def label_path(root: Path, picture: Path) -> Path:
    """Return where a picture's label file is: in ``labels`` for ``images``, else beside it."""
    base = root if picture.is_relative_to(root) else Path(picture.anchor)
    above, found, below = f"/{picture.relative_to(base).as_posix()}".rpartition("/images/")
    return (base / f"{above}/labels/{below}"[1:] if found else picture).with_suffix(".txt")


# ---------------------------------------------------------------- reading


def read(
    root: Path,
    splits: Iterable[str] | None = None,
    classes: Sequence[str] | None = None,
    progress: bool | None = None,
) -> Records:
    """Read the label files of a folder in YOLO's layout.

    Args:
        root: the folder.
        splits: those to read; None for all.
        classes: what the numbers mean, if no file says so.
        progress: see `progress_bar`.

    Raises:
        FileNotFoundError, ValueError: as `class_names`; labels that are XML.
    """
    places = find(root)
    for folder in (root / "labels", *(path.parent / "labels" for (path, *_) in places.values())):
        if files_below(folder, (".xml",)) and not files_below(folder, (".txt",)):
            raise ValueError(
                f"{folder} contains XML (VOC), not YOLO's text: rename it to Annotations to "
                f"read it in VOC's layout"
            )
    records = Records(root, "YOLO", whole=splits is None)
    reader = _Reader(records, *class_names(root, classes))
    files = {split: its[0] for split, its in sorted(places.items())}
    records.read_splits(files, splits, lambda split: reader.pairs(split, places[split]), progress)
    records.name_classes(reader.names)
    return records


class _Reader:
    """Reads the labels of a folder, with its list of class names."""

    def __init__(self, records: Records, names: list[str], listed: str) -> None:
        self.records, self.root = records, records.root
        self.names, self.listed = names, listed
        self.lost: set[Path] = set()  # label files without a picture, each reported once

    def pairs(self, split: str, places: list[Path]) -> list[tuple[str, Callable[[], RawPicture]]]:
        """Return the keys of a split's pictures, each with what reads its labels.

        Raises:
            ValueError: none of its pictures has a label file.
        """
        found = self._pictures(places)
        there = [picture for picture, _ in found.values() if os.path.isfile(picture)]
        if there and not any(label_path(self.root, picture).is_file() for picture in there):
            raise ValueError(
                f"{self.root}, split {split!r}: none of its {len(found)} pictures has a label file "
                f"(the first would be {label_path(self.root, there[0])}). Put the labels there."
            )
        lost = _lost_labels(self.root, there)
        for path in [path for path in lost if path not in self.lost]:
            self.lost.add(path)
            what = "it has no picture. Put the picture back, or delete the label file"
            self.records.note("picture-missing", self.records.shown(path), what)
        return [
            (self.records.shown(picture), partial(self._read, name, picture, where))
            for name, (picture, where) in found.items()
        ]

    def _pictures(self, places: list[Path]) -> dict[str, tuple[Path, str]]:
        """Return the pictures of a split by name, each with the place that lists it."""
        files: dict[str, tuple[Path, str]] = {}
        for place in places:
            if place.suffix == ".txt":
                files |= self._listed(place)
            else:
                files |= {name: (path, "") for name, path in files_below(place).items()}
        names = list(files)
        last = list(map(posixpath.basename, names))
        if any(place.suffix == ".txt" for place in places) and len(set(last)) == len(last):
            names = last  # a list's paths contain the folders of the whole data set
        return dict(zip(short_names(names), files.values(), strict=True))

    def _listed(self, path: Path) -> dict[str, tuple[Path, str]]:
        """Return the pictures of a list, by their paths as written there."""
        files, pictures = {}, None
        for number, line in lines_of(path).items():
            name = posixpath.normpath(line.replace("\\", "/"))
            # CVAT writes data/obj_train_data/… but omits `data` from the archive.
            tries = (self.root / name, path.parent / name, self.root / name.removeprefix("data/"))
            picture = next((p for p in tries if os.path.isfile(p)), None)
            if picture is None:  # perhaps a path on another machine
                pictures = pictures or Pictures(self.root)
                picture = pictures.find(name) or self.root / name
            files[name] = (picture, f"{path}, line {number}")
        return files

    def _read(self, name: str, picture: Path, where: str) -> RawPicture:
        path = label_path(self.root, picture)
        there = picture if os.path.isfile(picture) else None
        found = RawPicture(name, there, path, self.records.shown(path), None)
        found = found.sized(where, f"{picture}", ())
        try:
            rows = read_label_file(path)
        except ValueError as error:
            return found._replace(fault="annotation-unreadable", reason=str(error))
        return found._replace(objects=tuple(self._object(found, *row) for row in rows))

    def _object(self, picture: RawPicture, number: int, category: int, *written: str) -> RawObject:
        corners, unread = _corners(written, picture.size or (1, 1))
        name = self.names[category] if 0 <= category < len(self.names) else UNKNOWN
        entry = RawObject(number, name, written, corners, unread)
        if name == UNKNOWN:
            what = (
                f"there is no class {reprlib.repr(category)}, since {self.listed} lists "
                f"{len(self.names)} (0 to {len(self.names) - 1}): correct the line, or complete "
                f"the list"
            )
            self.records.note("class-unknown", picture.annotation, what, entry)
        return entry


def _lost_labels(root: Path, pictures: Iterable[Path]) -> list[Path]:
    """Return label files without a picture, in the ``labels`` folders of a split's pictures."""
    lost = []
    for folder in sorted({picture.parent for picture in pictures}):
        labels = label_path(root, folder / "any.jpg").parent
        # Every picture there has one, since a list may contain only some of a folder.
        known = {label_path(root, path) for path in files_in(folder, *EXTENSIONS)}
        its = files_in(labels, ".txt") if labels != folder else ()
        lost += [path for path in its if path.name not in LISTS and path not in known]
    return lost


def read_label_file(path: Path) -> list[tuple]:
    """Return the line, the class and the numbers of each object; nothing if there is no file.

    Raises:
        ValueError: it is not text, or a line does not begin with the number of a class.
    """
    rows = []
    for number, line in lines_of(path).items() if os.path.lexists(path) else ():
        first, *written = line.split()
        try:
            category = int(first) if first.isdigit() else float(first)
            if category != int(category):
                raise ValueError
        except (ValueError, OverflowError):
            raise ValueError(
                f"{path}, line {number}: it must begin with the number of a class, not with "
                f"{reprlib.repr(first)}. A line is: class cx cy width height."
            ) from None
        rows.append((number, int(category), *written))
    return rows


def _corners(written: tuple[str, ...], size: tuple[int, int]) -> tuple[tuple | None, str]:
    """Return the corners in pixels; of a polygon, those of its bounding box."""
    count = len(written)
    polygon = count >= 6 and count % 2 == 0
    names = [str(i) for i in range(count)] if polygon else ("cx", "cy", "width", "height")
    values, fault = to_numbers(names, written)
    if fault:
        return None, f"{fault}; is the fifth a score, perhaps" if count == 5 else fault
    if max(map(abs, values)) > 2:
        return None, "the numbers must be fractions of the picture's size, 0 to 1, not pixels"
    if polygon:
        xs, ys = sorted(values[0::2]), sorted(values[1::2])
    else:
        cx, cy, w, h = values
        xs, ys = (cx - w / 2, cx + w / 2), (cy - h / 2, cy + h / 2)
    width, height = size
    return (xs[0] * width, ys[0] * height, xs[-1] * width, ys[-1] * height), ""


# ---------------------------------------------------------------- writing


def write_yolo(dataset: Dataset, root: str | Path, split: str, **how) -> Path:
    """Write every item to ``root/images/SPLIT`` and ``root/labels/SPLIT``.

    Boxes and labels come back from ``YOLOFolder(root, split)``, to a thousandth of a pixel;
    ``difficult`` is lost, since YOLO's files have no field for it. ``data.yaml`` lists the
    classes and the splits; it is written last.

    Args:
        dataset, root, split: see `write_voc`.
        how: ``classes``, ``picture_format``, ``overwrite``, ``workers``, ``progress``; as there.

    Returns:
        The path of ``data.yaml``.

    Raises:
        FileExistsError: as `write_voc`; also a ``data.yaml`` with other classes, or other pictures
            in the split's folder.
        ValueError: as `write_voc`.
    """
    file, folder = Path(root) / "data.yaml", Path(root) / "images" / split
    sign = next(folder.glob("*"), folder / "none")
    names = class_names_of(dataset, how.get("classes"))
    if file.is_file() and not how.get("overwrite") and class_names(file.parent)[0] != list(names):
        raise FileExistsError(
            f"{file} already exists and lists other classes. Choose another folder, or pass "
            f"overwrite=True to replace it."
        )
    write_items(dataset, root, split, picture_files, split_files, sign, f"{split}/", **how)
    return file


def picture_files(item: Item) -> dict[str, bytes]:
    """Return the files of one picture, keyed by their paths in the folder."""
    width, height = item.size
    lines = []
    for name, (x1, y1, x2, y2), _ in item.objects:
        centre = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
        numbers = *centre, (x2 - x1) / width, (y2 - y1) / height
        shown = (f"{value:.{DECIMALS}f}".rstrip("0").rstrip(".") for value in numbers)
        lines.append(f"{item.classes.index(name)} {' '.join(shown)}\n")
    return {
        f"images/{item.filename}": item.picture,
        f"labels/{item.name}.txt": "".join(lines).encode(),
    }


def split_files(split: str, items: Sequence[Item], root: Path) -> dict[str, bytes]:
    """Return the files that define a split of these pictures: data.yaml, and a list if needed."""
    file, files, place = root / "data.yaml", {}, f"images/{split}"
    settings = parsed(file, "YAML", yaml.safe_load, "Correct it.") if file.is_file() else {}
    own = [f"images/{item.filename}" for item in items]
    if all(path.startswith(f"{place}/") for path in own):
        others = [name for name in files_below(root / place) if f"{place}/{name}" not in own]
        if others:  # in this layout, all pictures in the folder belong to the split
            raise FileExistsError(
                f"{root / place} contains {len(others)} other files, such as {others[0]}, which "
                f"would belong to the split. Delete the folder, or choose another."
            )
    else:
        place = f"{split}.txt"
        files[place] = "".join(f"{path}\n" for path in own).encode()
    names = {"names": list(items[0].classes)}
    settings = names | settings | {split: place} | names
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    return files | {"data.yaml": text.encode()}
