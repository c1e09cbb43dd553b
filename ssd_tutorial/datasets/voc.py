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
runs from 0 to 500, and its width is 500. That is ``one_based=True``: 1 is taken from ``xmin`` and
``ymin``, nothing from ``xmax`` and ``ymax`` (VOC development kit; Detectron2 does the same).
``one_based=False`` takes the four numbers as edges, as Caffe's reader does
(``ReadXMLToAnnotatedDatum`` in ``io.cpp``) and as some tools write them. Chapters 4, 12 and 16.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import defusedxml
from defusedxml import ElementTree as SafeElementTree
from torch.utils.data import Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.folder import AnnotatedFolder, OnError
from ssd_tutorial.datasets.messages import is_background, near, read_text, to_numbers
from ssd_tutorial.datasets.pictures import EXTENSIONS, Pictures, files_below, visible
from ssd_tutorial.datasets.records import RawObject, RawPicture, Records, with_size
from ssd_tutorial.datasets.writing import Item, write_items

CORNERS = ("xmin", "ymin", "xmax", "ymax")
ALL = "all"
"""The split of all pictures, if a folder has no lists."""
_ANNOTATIONS = ("annotations", "annotation", "annots", "xml", "xmls")
_PICTURES = ("jpegimages", "images", "imgs", "img")
_SPLITS = ("train", "val", "test", "dev")


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
        one_based: the files count pixels from 1 and include the last, as in VOC. BCCD does, too:
            its smallest xmin is 1 and its largest xmax is 640 of 640.

    Raises:
        FileNotFoundError: no such folder, split, annotation or picture.
        ValueError: an unreadable annotation, an unknown class, an impossible box, an empty split
            or one that lists a picture twice.
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
        self.one_based = one_based
        super().__init__(root, split, classes, on_error)

    def _read(self, split: str, classes: Sequence[str] | None) -> Records:
        records = read(self.root, [split], rest=classes is None)
        records.one_based = self.one_based
        return records

    def _find(self) -> dict[str, Path]:
        places = find(self.root, ALL if self.split == ALL else "")
        return {split: place.file for split, place in places.items()}

    _layout, _looked_for = "VOC", "Annotations/*.xml"


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


def find(root: Path, also: str = "") -> dict[str, Place]:
    """Return the splits of a folder in VOC's layout; none in other layouts.

    Args:
        root: the folder.
        also: the name of a split with every annotation, in addition to those of the lists.
    """
    heap = _heap(root)
    if heap is None:
        below = {path: _heap(path) for path in visible(root) if path.is_dir()}
        return {
            path.name: found._replace(prefix=f"{path.name}/")
            for path, found in below.items()
            if found and (found.annotations == path or path.name.lower().startswith(_SPLITS))
            if files_below(path) or path.name.lower().startswith(_SPLITS)
        }
    folders = (root / "ImageSets" / "Main", root / "ImageSets")
    lists = [[p for p in visible(folder) if p.suffix == ".txt"] for folder in folders]
    splits = {p.stem: heap._replace(list=p) for p in (lists[0] or lists[1])}
    if also not in splits and (also or not splits):
        splits[also or ALL] = heap
    return splits


def _heap(root: Path) -> Place | None:
    """Find a folder's annotations and pictures; LabelImg puts both into the folder itself."""
    inside = [path for path in visible(root) if path.is_dir()]
    named = [path for path in inside if path.name.lower() in _ANNOTATIONS]
    found = next((path for path in sorted(named) if files_below(path, (".xml",))), None)
    if found is None and any(path.suffix.lower() == ".xml" for path in visible(root)):
        found = root
    if found is None:
        return None
    pictures = [path for path in inside if path.name.lower() in _PICTURES]
    pictures.sort(key=lambda path: _PICTURES.index(path.name.lower()))
    if not pictures or any(path.suffix.lower() in EXTENSIONS for path in visible(root)):
        pictures = [found if files_below(found) else root]
    return Place(found, pictures[0])


# ---------------------------------------------------------------- reading


def read(
    root: Path,
    splits: Iterable[str] | None = None,
    *,
    rest: bool = True,
    progress: bool | None = None,
) -> Records:
    """Read the annotations of a folder in VOC's layout.

    Args:
        root: the folder.
        splits: those to read; None for all, without the lists of one class (``cat_train.txt``,
            with a second column of -1, 0 and 1).
        rest: also read the annotations that none of the splits lists.
        progress: see `progress_bar`.
    """
    records = Records(root, "VOC", one_based=True, whole=splits is None)
    splits = None if splits is None else list(splits)
    places = find(root, ALL if splits == [ALL] else "")
    folders = {place.annotations: _Folder(records, place) for place in places.values()}
    for split, place in places.items():
        folder = folders[place.annotations]
        if splits is not None and split not in splits:
            continue
        if place.list and splits is None and _is_of_one_class(place.list, folder.files):
            continue

        def read_split(split=split, place=place, folder=folder) -> list[str]:
            names = folder.listed(place)
            bar = progress_bar(names.items(), f"{root.name}/{split}", progress, len(names))
            return [folder.add(name, where) for name, wheres in bar for where in wheres]

        records.add_split(split, place.file, read_split, alone=splits is not None)
    for folder in folders.values() if rest else ():
        for name in progress_bar(folder.files, "annotations", progress, len(folder.files)):
            folder.add(name, "")
    records.pictures = dict(sorted(records.pictures.items()))
    names = {entry.name for picture in records.pictures.values() for entry in picture.objects}
    records.classes = tuple(sorted(name for name in names if not is_background(name)))
    if rest:
        records.unannotated = tuple(
            file for folder in folders.values() for file in folder.left_over(records)
        )
    return records


class _Folder:
    """The annotations of one folder, and the pictures that belong to them."""

    def __init__(self, records: Records, place: Place) -> None:
        self.records, self.annotations = records, place.annotations
        below = files_below(place.annotations, (".xml",))
        self.files = {name[: -len(".xml")]: path for name, path in below.items()}
        self.pictures = Pictures(place.pictures)
        self.beside, self.prefix = place.annotations == place.pictures, place.prefix

    def listed(self, place: Place) -> dict[str, list[str]]:
        """Return the names of a split, each with the places that list it."""
        if place.list:
            return _read_list(place.list, self.files)
        there = self.pictures.files if self.beside and self.prefix else ()
        there = [name.rsplit(".", 1)[0] for name in there]  # labelled or not
        return {name: [str(self.annotations)] for name in sorted({*there, *self.files})}

    def add(self, name: str, where: str) -> str:
        """Read one picture's annotation into the records; return its key there."""
        key = self.prefix + name
        if key not in self.records.pictures:
            self.records.pictures[key] = self._read(name, where)
        return key

    def _read(self, name: str, where: str) -> RawPicture:
        path = self.files.get(name)
        if path is None:
            reason = (
                f"{where}: there is no annotation {name}.xml{near(name, self.files)} Write one "
                f"(without objects, if the picture has none), or remove {name} from the split."
            )
            picture = self.pictures.called(name)
            return RawPicture(name, picture, None, "", None, (), "annotation-missing", reason)
        shown = self.records.shown(path)
        try:
            filename, size, objects = read_annotation(path)
        except ValueError as error:
            picture, fault = self.pictures.called(name), "annotation-unreadable"
            return RawPicture(name, picture, path, shown, None, (), fault, str(error))
        picture = self._picture(name, filename)
        found = RawPicture(name, picture, path, shown, size, objects)
        if picture is None:
            reason = (
                f"{path} has no picture: there is no {name}.jpg{near(name, self.pictures.files)} "
                f"Extensions: {' '.join(EXTENSIONS)}. Put it back, or remove {name} from "
                f"the split."
            )
            return found._replace(fault="picture-missing", reason=reason)
        return with_size(found)

    def _picture(self, name: str, filename: str) -> Path | None:
        # The annotation's <filename>, if it is a different name, comes last: renamed files often
        # still have the old one.
        own = Path(filename.replace("\\", "/")).name
        same = Path(own).stem == Path(name).name and self.pictures.find(
            f"{Path(name).parent}/{own}"
        )
        return same or self.pictures.called(name) or self.pictures.find(own)

    def left_over(self, records: Records) -> list[str]:
        """Return the pictures without an annotation."""
        known = {picture.picture for picture in records.pictures.values()}
        return [records.shown(path) for path in self.pictures.files.values() if path not in known]


def _is_flagged(line: str, files: dict[str, Path]) -> bool:
    """Return whether a line has VOC's second column, which says if a class is in the picture."""
    words = line.split()
    return len(words) > 1 and words[-1] in ("-1", "0", "1") and line not in files


def _is_of_one_class(path: Path, files: dict[str, Path]) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")  # its faults are reported later
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_is_flagged(line, files) for line in lines)


def _read_list(path: Path, files: dict[str, Path]) -> dict[str, list[str]]:
    lines: dict[str, list[str]] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        name = name.rsplit(maxsplit=1)[0] if _is_flagged(name, files) else name
        if name not in files:  # a list of the pictures' file names
            stem = name[: -len(Path(name).suffix)] if name.lower().endswith(EXTENSIONS) else name
            short = stem.replace("\\", "/").rsplit("/", 1)[-1]
            name = next((n for n in (stem, short) if n in files), name)
        lines.setdefault(name, []).append(f"{path}, line {number}")
    return lines


def read_annotation(path: Path) -> tuple[str, tuple[int, int] | None, tuple[RawObject, ...]]:
    """Read one annotation file. Entities and document types are refused, as they can use up memory.

    Returns:
        The picture's file name; its (width, height) in pixels, or None if the file does not
        say; the objects.

    Raises:
        ValueError: the file is not XML, has a document type or an entity, or has an object
            without a name. The message names the file and the object.
    """
    try:
        root = SafeElementTree.fromstring(_decoded(path.read_bytes()), forbid_dtd=True)
    except defusedxml.DefusedXmlException as error:
        raise ValueError(
            f"{path} declares a document type or an entity ({error}). An annotation needs "
            f"neither, and both can be used to exhaust memory: delete that declaration."
        ) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(
            f"{path} is not readable XML ({error}). Write the annotation again, or remove its name "
            f"from the split."
        ) from error
    nodes = root.findall("object")
    if not nodes and root.tag != "annotation":
        raise ValueError(
            f"{path} is not an annotation in VOC's layout (it has <{root.tag}>): export the "
            f"boxes in the format that tools call PASCAL VOC."
        )
    objects = tuple(_read_object(path, number, node) for number, node in enumerate(nodes, 1))
    size = (_whole(root.findtext("size/width")), _whole(root.findtext("size/height")))
    filename = (root.findtext("filename") or "").strip()
    # Some tools write <width>0</width>: such a file does not say the size of its picture.
    return filename, size if min(size) > 0 else None, objects


def _decoded(content: bytes) -> bytes:
    """Convert a file that declares an encoding to UTF-8: Python knows more encodings than expat."""
    declared = re.match(rb"\s*<\?xml[^>]*?encoding=[\"']([\w.-]+)[\"'][^>]*\?>", content)
    if declared is None:
        return content
    return content[declared.end() :].decode(declared[1].decode()).encode()


def _read_object(path: Path, number: int, node: ElementTree.Element) -> RawObject:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise ValueError(f"{path}, object {number}: it has no <name>, so its class is unknown.")
    # Only the object's own <bndbox>: VOC's persons also have <part>s with boxes of their own.
    written = tuple((node.findtext(f"bndbox/{c}") or "").strip() for c in CORNERS)
    difficult = (node.findtext("difficult") or "0").strip().lower() in ("1", "true")
    values, fault = to_numbers(CORNERS, written)
    return RawObject(number, name, written, tuple(values) or None, fault, difficult)


def _whole(text: str | None) -> int:
    try:
        return int(float(text))
    except (TypeError, ValueError, OverflowError):
        return 0


# ---------------------------------------------------------------- writing


def write_voc(
    dataset: Dataset,
    root: str | Path,
    split: str,
    *,
    one_based: bool = True,
    **how,
) -> Path:
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
        one_based: count pixels as VOC does (see above), or write the bare edges.
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
    return write_items(
        dataset,
        Path(root),
        split,
        lambda item: picture_files(item, one_based),
        split_files,
        Path(root) / "ImageSets" / "Main" / f"{split}.txt",
        more_than_px=1.0 if one_based else 0.0,
        **how,
    )


def picture_files(item: Item, one_based: bool = True) -> dict[str, bytes]:
    """Return the files of one picture, keyed by their paths in the folder."""
    annotation = format_annotation(item.filename, item.size, item.objects, one_based)
    return {
        f"JPEGImages/{item.filename}": item.picture,
        f"Annotations/{item.name}.xml": annotation,
    }


def split_files(
    split: str, items: Sequence[Item], classes: Sequence[str], root: Path
) -> dict[str, bytes]:
    """Return the files that define a split of these pictures."""
    lines = "".join(f"{item.name}\n" for item in items)
    return {f"ImageSets/Main/{split}.txt": lines.encode()}


def format_annotation(
    filename: str,
    size: tuple[int, int],
    objects: Sequence[tuple[str, tuple[float, ...], bool]],
    one_based: bool = True,
) -> bytes:
    """Return the annotation file for one picture; the inverse of `read_annotation`.

    Args:
        filename: of the picture, within ``JPEGImages``.
        size: (width, height) in pixels.
        objects: a triple of class name, edges xyxy in pixels, and ``difficult`` for each.
        one_based: write ``xmin + 1, ymin + 1, xmax, ymax`` as VOC does, or the bare edges.
    """
    root = ElementTree.Element("annotation")

    def add(parent: ElementTree.Element, tag: str, text: object = None) -> ElementTree.Element:
        node = ElementTree.SubElement(parent, tag)
        node.text = None if text is None else str(text)
        return node

    add(root, "folder", "JPEGImages")
    add(root, "filename", filename)
    node = add(root, "size")
    for tag, value in zip(("width", "height", "depth"), (*size, 3), strict=True):
        add(node, tag, value)
    add(root, "segmented", 0)
    for name, (x1, y1, x2, y2), difficult in objects:
        node = add(root, "object")
        for tag, value in (("name", name), ("pose", "Unspecified"), ("truncated", 0)):
            add(node, tag, value)
        add(node, "difficult", int(difficult))
        box, shift = add(node, "bndbox"), 1 if one_based else 0
        for corner, value in zip(CORNERS, (x1 + shift, y1 + shift, x2, y2), strict=True):
            add(box, corner, int(value) if float(value).is_integer() else repr(float(value)))
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"
