"""Folders in the layout of PASCAL VOC: drawn scenes, BCCD, VOC, your own pictures.

::

    root/Annotations/NAME.xml          one file per picture
    root/JPEGImages/NAME.jpg           or .jpeg, .png, .bmp, .webp, .tif, .tiff, .gif, .jfif
    root/ImageSets/Main/SPLIT.txt      the NAMEs of a split, one per line

CVAT and the VOC development kit write this. Variants of other tools are read, too: ``annots`` for
``Annotations``, ``images`` for ``JPEGImages`` and no lists (Label Studio: the split ``"all"`` is
every annotation), annotations and pictures in one folder (LabelImg), and all of these in a folder
per split, ``root/SPLIT/NAME.xml`` (Roboflow) or ``root/SPLIT/annots/NAME.xml``.

An annotation counts pixels from 1 and includes the last one: a box over the whole of a 500 pixel
wide picture runs from ``xmin`` 1 to ``xmax`` 500. Here a box is a pair of *edges*, so the same box
runs from 0 to 500, and its width is 500: 1 is taken from ``xmin`` and ``ymin``, nothing from
``xmax`` and ``ymax`` (VOC development kit; Detectron2 does the same). Caffe's reader takes the four
numbers as edges (``ReadXMLToAnnotatedDatum`` in ``io.cpp``), and some tools write them so: `doctor`
recognises such files, and ``--fix`` writes them as VOC does. Chapters 4, 12 and 16.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import defusedxml
import numpy as np
from defusedxml import ElementTree as SafeElementTree
from torch.utils.data import Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.folder import AnnotatedFolder
from ssd_tutorial.datasets.messages import lines_of, parsed, to_flag, to_numbers, to_text
from ssd_tutorial.datasets.pictures import (
    EXTENSIONS,
    Pictures,
    files_below,
    files_in,
    folders_in,
    last_part,
)
from ssd_tutorial.datasets.records import ALL, SPLITS, RawObject, RawPicture, Records, to_size
from ssd_tutorial.datasets.writing import Item, write_items

SHAPE = "ImageSets/Main/SPLIT.txt with Annotations/*.xml, or SPLIT/*.xml"
CORNERS = ("xmin", "ymin", "xmax", "ymax")
_ANNOTATIONS = ("annotations", "annotation", "annots", "xml", "xmls")
_PICTURES = ("jpegimages", "images", "imgs", "img")


class VOCFolder(AnnotatedFolder):
    """A split of a folder in VOC's layout; items and attributes are those of `AnnotatedFolder`.

    Args:
        root: the folder with ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``.
        split: the name of a list in ``ImageSets/Main``, such as ``"train"``.
        classes: the class names, without the background, in the order of the labels. None takes
            the names found in *all* annotations of the folder, sorted, so that ``train`` and
            ``val`` agree. Pass the list to use weights that were trained elsewhere.
        on_error: ``"raise"`` or ``"drop"``, see `AnnotatedFolder`. A box is impossible with
            xmax <= xmin or ymax <= ymin.

    Raises:
        FileNotFoundError: no such folder, split, annotation or picture.
        ValueError: an unreadable annotation, an unknown class, an impossible box, an empty split
            or one that lists a picture twice.
    """

    _layout, _shape = "VOC", SHAPE

    def _find(self) -> Iterable[str]:
        return find(self.root, self.split)

    def _read(self, split: str, classes: Sequence[str] | None) -> Records:
        return read(self.root, [split], rest=classes is None)


# ---------------------------------------------------------------- where files are


class Place(NamedTuple):
    """The folders and the list of a split."""

    annotations: Path
    pictures: Path
    prefix: str = ""  # of the keys of its pictures
    list: Path | None = None  # of its names; None: the split has every annotation

    @property
    def file(self) -> Path:
        """The file or folder that defines the split."""
        return self.list or self.annotations


def find(root: Path, wanted: str = "") -> dict[str, Place]:
    """Return the splits of a folder in VOC's layout; none in other layouts.

    Args:
        root: the folder.
        wanted: ``"all"`` adds the split of every annotation to those of the lists.
    """
    heap = _heap(root)
    if heap is None:
        below = {path: _heap(path) for path in folders_in(root)}
        return {
            path.name: found._replace(prefix=f"{path.name}/")
            for path, found in below.items()
            if found
            if path.name.lower().startswith(SPLITS)
            or (found.annotations == path and files_below(path))
        }
    folders = (root / "ImageSets" / "Main", root / "ImageSets")
    lists = [files_in(folder, ".txt") for folder in folders]
    splits = {p.stem: heap._replace(list=p) for p in (lists[0] or lists[1])}
    if wanted == ALL or not splits:
        splits.setdefault(ALL, heap)
    return splits


def _heap(root: Path) -> Place | None:
    """Find a folder's annotations and pictures; LabelImg puts both into the folder itself."""
    inside = folders_in(root)
    named, pictures = (
        [path for name in names for path in inside if path.name.lower() == name]
        for names in (_ANNOTATIONS, _PICTURES)
    )
    found = next((path for path in named if files_below(path, (".xml",))), None)
    found = root if found is None and files_in(root, ".xml") else found
    if found is None:
        return None
    if not pictures or files_in(root, *EXTENSIONS):
        pictures = [found if files_below(found) else root]
    return Place(found, pictures[0])


# ---------------------------------------------------------------- reading


def read(
    root: Path,
    splits: Iterable[str] | None = None,
    *,
    rest: bool | None = None,
    progress: bool | None = None,
) -> Records:
    """Read the annotations of a folder in VOC's layout.

    Args:
        root: the folder.
        splits: those to read; None for all, without the lists of one class (``cat_train.txt``,
            with a second column of -1, 0 and 1).
        rest: also read the annotations that none of the splits lists; None does with all splits.
        progress: see `progress_bar`.
    """
    rest = splits is None if rest is None else rest
    records = Records(root, "VOC", one_based=True, whole=splits is None)
    places = find(root, *(splits or ()))
    folders = {place.annotations: _Folder(records, place) for place in places.values()}
    if splits is None:
        places = {s: p for s, p in places.items() if not folders[p.annotations].is_of_one_class(p)}
    files = {split: place.file for split, place in places.items()}
    its = {split: folders[place.annotations] for split, place in places.items()}
    records.read_splits(files, splits, lambda split: its[split].pairs(places[split]), progress)
    for folder in folders.values() if rest else ():
        for name in progress_bar(folder.files, "annotations", progress, len(folder.files)):
            records.add(*folder.pair(name))
    records.pictures = dict(sorted(records.pictures.items()))
    names = {entry.name for picture in records.pictures.values() for entry in picture.objects}
    records.name_classes(sorted(names))
    known = {picture.picture for picture in records.pictures.values()}
    there = [path for folder in folders.values() for path in folder.pictures.files.values()]
    records.unannotated = tuple(records.shown(p) for p in there if rest and p not in known)
    return records


class _Folder:
    """The annotations of one folder, and the pictures that belong to them."""

    def __init__(self, records: Records, place: Place) -> None:
        self.records, self.place = records, place
        below = files_below(place.annotations, (".xml",))
        self.files = {name[: -len(".xml")]: path for name, path in below.items()}
        self.pictures = Pictures(place.pictures)

    def pairs(self, place: Place) -> list[tuple[str, Callable[[], RawPicture]]]:
        """Return the keys of a split's pictures, each with what reads its annotation."""
        if place.list:
            lines = lines_of(place.list).items()
            return [self.pair(self._key(line), f"{place.list}, line {n}") for n, line in lines]
        beside = place.prefix and place.annotations == place.pictures
        there = [name.rsplit(".", 1)[0] for name in self.pictures.files] if beside else ()
        return [self.pair(name, f"{place.file}") for name in sorted({*there, *self.files})]

    def pair(self, name: str, where: str = "") -> tuple[str, Callable[[], RawPicture]]:
        """Return the key of a picture, and what reads its annotation."""
        return self.place.prefix + name, partial(self._read, name, where)

    def is_of_one_class(self, place: Place) -> bool:
        """Return whether a list says of each picture whether it has a class (``cat_train.txt``).

        One that names no annotation is a damaged list of a split, whose names may end in numbers.
        """
        named = place.list and "_" in place.list.stem  # CLASS_SPLIT
        lines = lines_of(place.list, "replace").values() if named else ()
        known = any(self._key(line) in self.files for line in lines)
        return known and all(map(self._is_flagged, lines))

    def _is_flagged(self, line: str) -> bool:
        """Return whether a line has a second column, of -1, 0 or 1."""
        words = line.split()
        return len(words) > 1 and words[-1] in ("-1", "0", "1") and line not in self.files

    def _key(self, line: str) -> str:
        """Return the annotation that a line of a list means, or its name if there is none."""
        name = line.rsplit(maxsplit=1)[0] if self._is_flagged(line) else line
        stem = name[: -len(Path(name).suffix)] if name.lower().endswith(EXTENSIONS) else name
        tries = (name, stem, last_part(stem))  # some lists have the pictures' file names
        return next((n for n in tries if n in self.files), name)

    def _read(self, name: str, where: str) -> RawPicture:
        path = self.files.get(name)
        found = RawPicture(name, self.pictures.called(name), path, "", None)
        if path is None:
            return found.without("annotation", where, f"{name}.xml", self.files)
        found = found._replace(annotation=self.records.shown(path))
        try:
            filename, size, objects = read_annotation(path)
        except ValueError as error:
            return found._replace(fault="annotation-unreadable", reason=str(error))
        picture = self._picture(name, filename)
        found = found._replace(picture=picture, size=size, objects=objects)
        return found.sized(f"{path}", f"{name}.jpg", self.pictures.files)

    def _picture(self, name: str, filename: str) -> Path | None:
        # The annotation's <filename>, if it is a different name, comes last: renamed files often
        # still have the old one.
        own, find = last_part(filename), self.pictures.find
        same = Path(own).stem == Path(name).name and find(f"{Path(name).parent}/{own}")
        return same or self.pictures.called(name) or find(own)


def read_annotation(path: Path) -> tuple[str, tuple[int, int] | None, tuple[RawObject, ...]]:
    """Read one annotation file. Entities and document types are refused, as they can use up memory.

    Returns:
        The picture's file name; its (width, height) in pixels, or None if the file does not
        say; the objects.

    Raises:
        ValueError: the file is not XML, has a document type or an entity, or has an object
            without a name. The message names the file and the object.
    """
    advice = "Write the annotation again, or remove its name from the split."
    root = parsed(path, "XML", _parse, advice)
    nodes = root.findall("object")
    if not nodes and root.tag != "annotation":
        raise ValueError(
            f"{path} is not an annotation in VOC's layout (it has <{root.tag}>): export the "
            f"boxes in the format that tools call PASCAL VOC."
        )
    objects = tuple(_read_object(path, number, node) for number, node in enumerate(nodes, 1))
    # Some tools write <width>0</width>: such a file does not say the size of its picture.
    size = to_size(root.findtext("size/width"), root.findtext("size/height"))
    return (root.findtext("filename") or "").strip(), size, objects


def _parse(content: bytes) -> ElementTree.Element:
    """Parse XML in any encoding that Python knows; expat knows fewer."""
    declared = re.match(rb"\s*<\?xml[^>]*?encoding=[\"']([\w.-]+)[\"'][^>]*\?>", content)
    if declared:
        content = content[declared.end() :].decode(declared[1].decode()).encode()
    try:
        root = SafeElementTree.fromstring(content, forbid_dtd=True)
    except defusedxml.DefusedXmlException as error:
        raise ValueError(
            f"it declares a document type or an entity, {error}. An annotation needs neither, and "
            f"both can be used to exhaust memory: delete that declaration"
        ) from error
    for node in root.iter():  # some tools write a namespace, or capitals
        node.tag = node.tag.rsplit("}", 1)[-1].lower()
    return root


def _read_object(path: Path, number: int, node: ElementTree.Element) -> RawObject:
    name = to_text(node.findtext("name"))
    difficult = to_flag(node.findtext("difficult") or "")
    if name is None:
        raise ValueError(f"{path}, object {number}: it has no <name> of a class in one line.")
    if difficult is None:
        raise ValueError(f"{path}, object {number}: its <difficult> must be 0 or 1.")
    # Only the object's own <bndbox>: VOC's persons also have <part>s with boxes of their own.
    written = tuple((node.findtext(f"bndbox/{c}") or "").strip() for c in CORNERS)
    values, fault = to_numbers(CORNERS, written)
    return RawObject(number, name, written, tuple(values) or None, fault, difficult)


# ---------------------------------------------------------------- writing


def write_voc(dataset: Dataset, root: str | Path, split: str, **how) -> Path:
    """Write every item of ``dataset`` to ``root`` and list them in ``ImageSets/Main/SPLIT.txt``.

    Boxes, labels and ``difficult`` come back exactly from ``VOCFolder(root, split, classes=
    dataset.classes)``; the pixels do so with ``"png"``, and nearly with ``"jpg"``.

    Call it again for another split: splits share one folder, and a picture that belongs to two
    splits is kept once. The list is written last, so a split that can be read is complete. If
    anything fails, the files that this call wrote are removed.

    Args:
        dataset: items as those of `AnnotatedFolder`, with ``__len__`` and ``__getitem__``.
        root: the folder; created if it is missing.
        split: the name of the list, such as ``"train"``.
        how: ``classes``, the class names (by default ``dataset.classes``; a ``Subset`` has none);
            ``picture_format``, ``"jpg"``, as in VOC (quality 95, full colour resolution, since
            drawn pictures have sharp coloured edges), or ``"png"``, exact and about five times
            larger; ``overwrite``, replace files of the same name that differ, which is otherwise
            an error; ``workers``, processes that read the items (0 reads them here);
            ``progress``, show a bar (None shows it if standard error is a terminal).

    Returns:
        The path of the split's list.

    Raises:
        FileExistsError: the split, or a file of the same name with other content, exists.
        ValueError: an item that VOC's layout cannot hold; the message names the item, the object
            and the rule.
    """
    sign = Path(root) / "ImageSets" / "Main" / f"{split}.txt"
    how["more_than_px"] = 1.0
    return write_items(dataset, root, split, picture_files, split_files, sign, **how)


def picture_files(item: Item) -> dict[str, bytes]:
    """Return the files of one picture, keyed by their paths in the folder."""
    annotation = format_annotation(item.filename, item.size, item.objects)
    files = {f"JPEGImages/{item.filename}": item.picture}
    return files | {f"Annotations/{item.name}.xml": annotation}


def split_files(split: str, items: Sequence[Item], root: Path) -> dict[str, bytes]:
    """Return the files that define a split of these pictures."""
    lines = "".join(f"{item.name}\n" for item in items)
    return {f"ImageSets/Main/{split}.txt": lines.encode()}


def format_annotation(
    filename: str,
    size: tuple[int, int],
    objects: Sequence[tuple[str, tuple[float, ...], bool]],
) -> bytes:
    """Return the annotation file for one picture; the inverse of `read_annotation`.

    Args:
        filename: of the picture, within ``JPEGImages``.
        size: (width, height) in pixels.
        objects: a triple of class name, edges xyxy in pixels, and ``difficult`` for each.
    """
    size = zip(("width", "height", "depth"), (*size, 3), strict=True)
    content = [("folder", "JPEGImages"), ("filename", filename), ("size", size), ("segmented", 0)]
    for name, (x1, y1, x2, y2), difficult in objects:
        corners = x1 + 1, y1 + 1, x2, y2
        edges = (np.format_float_positional(value, trim="-") for value in corners)
        flags = ("pose", "Unspecified"), ("truncated", 0), ("difficult", int(difficult))
        box = zip(CORNERS, edges, strict=True)
        content.append(("object", [("name", name), *flags, ("bndbox", box)]))
    root = _element("annotation", content)
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"


def _element(tag: str, content: object) -> ElementTree.Element:
    """Return an element that holds text, or an element for each pair of tag and content."""
    node = ElementTree.Element(tag)
    if isinstance(content, (str, int)):
        node.text = str(content)
    else:
        node.extend(_element(*pair) for pair in content)
    return node
