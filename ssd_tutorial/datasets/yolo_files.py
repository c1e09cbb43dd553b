"""Where a folder in the layout of YOLO keeps what: class names, pictures of a split, labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ssd_tutorial.datasets.faults import no_split, read_text
from ssd_tutorial.datasets.folder import same_split, short_names
from ssd_tutorial.datasets.pictures import EXTENSIONS, files_below

CONFIGURATIONS = ("data.yaml", "data.yml", "dataset.yaml")
LISTS = ("classes.txt", "obj.names", "labels/classes.txt", "_darknet.labels")
ALL = "all"


def class_names(root: Path, given: Sequence[str] | None = None) -> tuple[list[str], str]:
    """The names that the files' numbers mean, counted from 0, and the file that lists them.

    Raises:
        FileNotFoundError: no file lists the classes, and none were given.
        ValueError: a list that cannot be read, or that contradicts itself.
    """
    configuration, path = _configuration(root)
    names = configuration.get("names")
    if names is not None:
        names = _in_order(names, path)
        count = configuration.get("nc", len(names))
        if count != len(names):
            raise ValueError(f"{path} says nc: {count}, but names {len(names)}. Correct one.")
        return names, path.name
    for name in LISTS:
        if (root / name).is_file():
            lines = read_text(root / name).splitlines()
            return [line.strip() for line in lines if line.strip()], name
    if given is not None:
        return list(given), "the list of classes"
    raise FileNotFoundError(
        f"{root} has no list of its classes: write their names into {root / 'classes.txt'}, one a "
        f"line and in the order of the numbers, or pass `classes`."
    )


def find_pictures(root: Path, split: str) -> dict[str, Path]:
    """The pictures of a split by name.

    Raises:
        FileNotFoundError: the folder is in another layout, or has no such split.
    """
    splits = yolo_splits(root)
    if not splits:
        raise FileNotFoundError(
            f"{root} is no folder in YOLO's layout: it has no images/SPLIT beside labels/SPLIT, no "
            f"SPLIT/images, no SPLIT.txt that lists pictures, and no data.yaml that says where "
            f"they are."
        )
    found = same_split(split, splits)
    if found is None:
        raise no_split(root, split, splits)
    files: dict[str, Path] = {}
    for place in splits[found]:
        files |= _listed(root, place) if place.suffix == ".txt" else files_below(place)
    if not files:
        places = ", ".join(map(str, splits[found]))
        raise FileNotFoundError(
            f"{root}, split {split!r}: there is no picture in {places}. Endings looked for: "
            f"{' '.join(EXTENSIONS)}."
        )
    names = list(files)
    last = [name.rsplit("/", 1)[-1] for name in names]
    if any(place.suffix == ".txt" for place in splits[found]) and len(set(last)) == len(last):
        names = last  # the folders of a list's paths are those of the whole data set
    return dict(zip(short_names(names), files.values(), strict=True))


def label_path(root: Path, picture: Path) -> Path:
    """Where a picture's label file is: in ``labels`` for ``images``, else beside it."""
    inside = picture.is_relative_to(root)
    parts = list((picture.relative_to(root) if inside else picture).parts)
    if "images" in parts[:-1]:
        at = len(parts) - 2 - parts[-2::-1].index("images")
        parts[at] = "labels"
        return (root if inside else Path()).joinpath(*parts).with_suffix(".txt")
    return picture.with_suffix(".txt")


def lost_labels(root: Path, pictures: Iterable[Path]) -> list[Path]:
    """Label files of no picture, in the ``labels`` folders that belong to a split's pictures."""
    known, folders = set(), set()
    for folder in sorted({picture.parent for picture in pictures}):
        # Every picture there is, since a list may name only some of a folder.
        beside = [p for p in folder.iterdir() if p.suffix.lower() in EXTENSIONS]
        known |= {label_path(root, picture) for picture in beside}
        where = label_path(root, folder / "any.jpg").parent
        if where != folder:
            folders.add(where)
    found = [path for folder in sorted(folders) for path in sorted(folder.glob("*.txt"))]
    return [path for path in found if path not in known and path.name != "classes.txt"]


def yolo_splits(root: Path) -> dict[str, list[Path]]:
    """The splits of a folder in YOLO's layout, each with its folders and lists of pictures."""
    splits: dict[str, list[Path]] = {}
    if (root / "labels").is_dir() and (root / "images").is_dir():
        folders = [p for p in (root / "images").iterdir() if p.is_dir()]
        splits |= {p.name: [p] for p in folders if (root / "labels" / p.name).is_dir()}
        if not splits:
            splits[ALL] = [root / "images"]
    for images in sorted(root.glob("*/images")):
        if (images.parent / "labels").is_dir() and not _is_whole(images.parent):
            splits[images.parent.name] = [images]
    for path in sorted(root.glob("*.txt")):
        if path.name not in LISTS and _lists_pictures(path):
            splits.setdefault(path.stem, [path])
    return splits | _splits_of_configuration(root)


def _is_whole(folder: Path) -> bool:
    """Whether a folder with images and labels is a data set of its own, and no split."""
    listed = any((folder / name).is_file() for name in (*CONFIGURATIONS, *LISTS))
    return listed or not any(p.is_file() for p in (folder / "images").iterdir())


def _splits_of_configuration(root: Path) -> dict[str, list[Path]]:
    """What data.yaml says, as far as it is there: paths of another machine are common."""
    configuration, _ = _configuration(root)
    base = root / str(configuration.get("path") or "")
    splits = {}
    for split in ("train", "val", "test"):
        entry = configuration.get(split) or []
        places = []
        for name in [entry] if isinstance(entry, str) else entry:
            # Roboflow writes ../train/images and means train/images.
            tries = (base / name, root / name, root / str(name).removeprefix("../"))
            places += [p for p in tries if p.is_dir() or p.is_file()][:1]
        if places:
            splits[split] = places
    return splits


def _configuration(root: Path) -> tuple[dict[str, Any], Path]:
    for name in CONFIGURATIONS:
        path = root / name
        if path.is_file():
            try:
                content = yaml.safe_load(read_text(path))
            except yaml.YAMLError as error:
                reason = " ".join(str(error).split())
                raise ValueError(f"{path} is not readable YAML ({reason}): correct it.") from error
            if not isinstance(content, dict):
                raise ValueError(f"{path} holds no settings, such as `names: [cat, dog]`.")
            return content, path
    return {}, root


def _in_order(names: Any, path: Path) -> list[str]:
    if isinstance(names, dict):
        if sorted(names) != list(range(len(names))):
            raise ValueError(
                f"{path}: the numbers under `names` must be 0 to {len(names) - 1}, and are "
                f"{', '.join(map(str, names))}. A gap would shift the classes: name every number."
            )
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ValueError(f"{path}: `names` must be a list of class names, and is {names!r}.")
    return [str(name).strip() for name in names]


def _lists_pictures(path: Path) -> bool:
    first = next((line for line in read_text(path).splitlines() if line.strip()), "")
    return first.strip().lower().endswith(EXTENSIONS)


def _listed(root: Path, path: Path) -> dict[str, Path]:
    """The pictures of a list, by their paths as they stand there."""
    files = {}
    for line in read_text(path).splitlines():
        name = line.strip().removeprefix("./")
        if not name:
            continue
        # CVAT writes data/obj_train_data/… and leaves `data` out of the archive.
        tries = (root / name, path.parent / name, root / name.removeprefix("data/"))
        # One that is nowhere is named later, with all else that is missing.
        files[name] = next((p for p in tries if p.is_file()), root / name)
    return files
