"""A folder in the layout of PASCAL VOC as a dataset: drawn scenes, BCCD, VOC, your own pictures.

::

    root/Annotations/NAME.xml          one file a picture (see `voc_xml`)
    root/JPEGImages/NAME.jpg           or .jpeg, .png, .bmp, .webp, .tif, .tiff
    root/ImageSets/Main/SPLIT.txt      the NAMEs of a split, one a line

CVAT and the VOC development kit write this. Shapes of other tools are read as well: ``images`` for
``JPEGImages`` and no lists (Label Studio: the split ``"all"`` is every annotation), annotations and
pictures in one folder (LabelImg), and such a folder for each split, ``root/SPLIT/NAME.xml``
(Roboflow). Chapters 12 and 16.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.faults import (
    BACKGROUND,
    check_classes,
    near,
    no_folder,
    no_split,
    read_text,
    unknown_class,
)
from ssd_tutorial.datasets.folder import Annotated, AnnotatedFolder, OnError, same_split
from ssd_tutorial.datasets.pictures import EXTENSIONS, by_last_part, files_below, picture_size
from ssd_tutorial.datasets.voc_xml import Annotation, box_edges, read_annotation

ALL = "all"
"""The split that is every picture, where a folder has no lists."""


class VOCFolder(AnnotatedFolder):
    """A split of a folder in VOC's layout; items and attributes are those of `AnnotatedFolder`.

    Args:
        root: the folder that holds ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``.
        split: the name of a list in ``ImageSets/Main``, such as ``"train"``.
        classes: the class names, without the background, in the order of the labels. None takes
            the names found in *all* annotations of the folder, sorted, so that ``train`` and
            ``val`` agree. Give the list when weights trained elsewhere are to be used.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with
            xmax <= xmin or ymax <= ymin.
        one_based: the files count pixels from 1 and include the last, as VOC does (see
            `voc_xml`). BCCD does too: its smallest xmin is 1 and its largest xmax is 640 of 640.

    Raises:
        FileNotFoundError: no such folder, split, annotation or picture.
        ValueError: an unreadable annotation, an unknown class, an impossible box, an empty split
            or one that names a picture twice.
    """

    def __init__(
        self,
        root: str | Path,
        split: str,
        classes: Sequence[str] | None = None,
        on_error: OnError = "raise",
        *,
        one_based: bool = True,
    ) -> None:
        super().__init__(root, split, on_error)
        self.one_based = one_based
        self._files, lines, pictures = _find(self.root, split)
        if classes is not None:
            classes = check_classes(classes)
        read = self._read_split(lines)
        self.classes = classes or self._classes_of_all(read)
        self._found = by_last_part(pictures) | pictures
        self._keep(self._annotated(read))

    def _read_split(self, lines: list[tuple[str, str]]) -> dict[str, Annotation]:
        read = {}
        for name, where in progress_bar(lines, f"{self.root.name}/{self.split}", None, len(lines)):
            annotation = self._attempt(name, self._read_one, name, where)
            if annotation is not None:
                read[name] = annotation
        return read

    def _read_one(self, name: str, where: str) -> Annotation:
        if name not in self._files:
            raise FileNotFoundError(
                f"{where}: there is no annotation {name}.xml{near(name, self._files)} Write one "
                f"(without objects, if the picture has none), or take {name} out of the split."
            )
        return read_annotation(self._files[name])

    def _classes_of_all(self, read: dict[str, Annotation]) -> tuple[str, ...]:
        """The class names of the whole folder, sorted."""
        named: dict[str, str] = {}
        for name, path in progress_bar(self._files.items(), "classes", None, len(self._files)):
            annotation = read.get(name)
            if annotation is None:
                try:
                    annotation = read_annotation(path)
                except ValueError:
                    if self.on_error == "raise":
                        raise
                    continue  # of this split, it is in `left_out`; of another, not ours to count
            named |= {entry.name: f"{path}, object {entry.number}" for entry in annotation.objects}
        if not named:
            raise ValueError("no annotation of the folder has an object: give `classes`.")
        for name in set(named) & set(BACKGROUND):
            raise ValueError(
                f"{named[name]}: the class is {name!r}, but the background is never annotated: "
                f"it is every place without an object. Take such objects out."
            )
        return tuple(sorted(named))

    def _annotated(self, read: dict[str, Annotation]) -> Iterator[Annotated]:
        for name, annotation in read.items():
            for entry in annotation.objects:  # before its picture: a wrong list is never dropped
                if entry.name not in self.classes:
                    where = f"{annotation.path}, object {entry.number}"
                    raise unknown_class(where, entry.name, self.classes)
            one = self._attempt(name, self._with_picture, name, annotation)
            if one is not None:
                yield one

    def _with_picture(self, name: str, annotation: Annotation) -> Annotated:
        # The annotation's own <filename>, of another name, comes last: files that were renamed
        # often still have the old one.
        own = Path(annotation.filename).name
        first = [own] if Path(own).stem == name else []
        endings = [name + e for ext in EXTENSIONS for e in (ext, ext.upper())]
        for candidate in (*first, *endings, own):
            if candidate in self._found:
                picture = self._found[candidate]
                size = annotation.size or picture_size(picture)
                return Annotated(name, picture, annotation.path, size, annotation.objects)
        raise FileNotFoundError(
            f"{annotation.path} has no picture: there is no {name}.jpg"
            f"{near(name + '.jpg', self._found)} Endings looked for: {' '.join(EXTENSIONS)}. "
            f"Bring it back, or take {name} out of the split."
        )

    def _edges(self, written: tuple[str, ...], width: int, height: int) -> tuple:
        return box_edges(written, width, height, self.one_based)


def is_voc(root: Path) -> bool:
    """Whether a folder looks like VOC's layout in one of its shapes."""
    return (root / "ImageSets").is_dir() or bool(_annotations(root) or _beside(root))


def voc_splits(root: Path) -> list[str]:
    """The splits of a folder in VOC's layout."""
    lists = sorted(path.stem for path in (root / "ImageSets" / "Main").glob("*.txt"))
    if lists or not _annotations(root):
        return lists or _beside(root)
    return [ALL]


def _annotations(root: Path) -> Path | None:
    """The folder of all annotations; LabelImg puts them beside the pictures, maybe in the root."""
    for folder in (root / "Annotations", root / "annotations"):
        if folder.is_dir() and any(folder.rglob("*.xml")):
            return folder
    return root if any(root.glob("*.xml")) else None


def _beside(root: Path) -> list[str]:
    """The folders of a root that hold annotations."""
    return sorted(p.name for p in root.iterdir() if p.is_dir() and any(p.glob("*.xml")))


def _find(root: Path, split: str) -> tuple[dict[str, Path], list[tuple[str, str]], dict]:
    """Annotations by name; the split's names, each with the line it stands in; picture files."""
    if not root.is_dir():
        raise no_folder(root)
    annotations, lists = _annotations(root), root / "ImageSets" / "Main"
    if annotations is None:
        if not _beside(root):
            there = ", ".join(sorted(p.name for p in root.iterdir())) or "nothing"
            raise FileNotFoundError(
                f"{root} is no folder in VOC's layout: it has no Annotations/*.xml (it holds "
                f"{there})."
            )
        found = same_split(split, _beside(root))
        if found is None:
            raise no_split(root, split, _beside(root))
        return _find_beside(root, found)
    files = _stems(annotations)
    places = (root / "JPEGImages", root / "images", annotations)
    pictures = files_below(next(place for place in places if place.is_dir()))
    if (lists / f"{split}.txt").is_file():
        return files, _read_list(lists / f"{split}.txt", files), pictures
    if split == ALL:
        return files, [(name, str(annotations)) for name in files], pictures
    if voc_splits(root) == [ALL]:
        raise FileNotFoundError(
            f"{root} has no split {split!r}: without lists in ImageSets/Main, its only split is "
            f"{ALL!r}. Write {lists / split}.txt, with the name of a picture in each line, or let "
            f"`python -m ssd_tutorial data split {root}` divide the pictures."
        )
    raise no_split(root, split, voc_splits(root))


def _find_beside(root: Path, split: str) -> tuple[dict[str, Path], list[tuple[str, str]], dict]:
    """The same where pictures and annotations of a split share a folder."""
    files = _stems(root / split)
    others = [root / name for name in _beside(root) if name != split]
    every = {f"{p.name}/{name}": path for p in others for name, path in _stems(p).items()} | files
    pictures = files_below(root / split)
    names = sorted({Path(p).with_suffix("").as_posix() for p in pictures} | set(files))
    return every, [(name, str(root / split)) for name in names], pictures


def _stems(annotations: Path) -> dict[str, Path]:
    below = files_below(annotations, (".xml",))
    return {name[: -len(".xml")]: path for name, path in below.items()}


def _read_list(path: Path, files: dict[str, Path]) -> list[tuple[str, str]]:
    lines: dict[str, str] = {}
    twice = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        # VOC's lists of one class ("cat_train") have a second column, -1, 0 or 1.
        if name not in files and name.split()[-1] in ("-1", "0", "1") and len(name.split()) > 1:
            name = name.rsplit(maxsplit=1)[0]
        if name in lines:
            twice.append(name)
        lines.setdefault(name, f"{path}, line {number}")
    if not lines:
        raise ValueError(f"{path} names no picture.")
    if twice:
        raise ValueError(
            f"{path} names a picture more than once: {', '.join(sorted(set(twice))[:5])}. It would "
            f"be counted twice in training and in the evaluation: delete the second line."
        )
    return list(lines.items())
