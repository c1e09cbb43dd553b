"""One annotation file in the layout of PASCAL VOC: what it says, and what is wrong with it.

An annotation counts pixels from 1 and includes the last one: a box over the whole of a 500 pixel
wide picture runs from ``xmin`` 1 to ``xmax`` 500. Here a box is a pair of *edges*, so the same box
runs from 0 to 500, and its width is 500. That is ``one_based=True``: 1 is taken from ``xmin`` and
``ymin``, nothing from ``xmax`` and ``ymax`` (VOC development kit; Detectron2 does the same).
``one_based=False`` takes the four numbers as edges, as Caffe's reader does
(``ReadXMLToAnnotatedDatum`` in ``io.cpp``) and as some tools write them. Chapter 4, chapter 16.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import defusedxml
from defusedxml import ElementTree as SafeElementTree

from ssd_tutorial.datasets.faults import cut_to_picture, to_numbers
from ssd_tutorial.datasets.folder import Entry

CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """One file. ``size`` is (width, height) in pixels, or None where the file does not say."""

    path: Path
    filename: str
    size: tuple[int, int] | None
    objects: tuple[Entry, ...]


def read_annotation(path: Path) -> Annotation:
    """Read one annotation file. Entities and document types are refused, so no file can blow up.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not XML, holds a document type or an entity, or has an object
            without a name. The message names the file and the object.
    """
    try:
        root = SafeElementTree.parse(path, forbid_dtd=True).getroot()
    except (ElementTree.ParseError, UnicodeDecodeError, LookupError) as error:
        raise ValueError(
            f"{path} is not readable XML ({error}). Write the annotation anew, or take its name "
            f"out of the split."
        ) from error
    except defusedxml.DefusedXmlException as error:
        raise ValueError(
            f"{path} declares a document type or an entity ({error}). An annotation needs "
            f"neither, and both can be used to exhaust memory: delete that declaration."
        ) from error
    objects = tuple(
        _read_object(path, number, node) for number, node in enumerate(root.findall("object"), 1)
    )
    size = (_whole(root.findtext("size/width")), _whole(root.findtext("size/height")))
    filename = (root.findtext("filename") or "").strip()
    # Some tools write <width>0</width>: such a file does not say how large its picture is.
    return Annotation(path, filename, size if min(size) > 0 else None, objects)


def _read_object(path: Path, number: int, node: ElementTree.Element) -> Entry:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise ValueError(f"{path}, object {number}: it has no <name>, so its class is unknown.")
    # Only the object's own <bndbox>: VOC's persons also have <part>s with boxes of their own.
    written = tuple((node.findtext(f"bndbox/{c}") or "").strip() for c in CORNERS)
    difficult = (node.findtext("difficult") or "0").strip().lower() in ("1", "true")
    return Entry(number, name, written, difficult)


def _whole(text: str | None) -> int:
    try:
        return int(float(text))
    except (TypeError, ValueError, OverflowError):
        return 0


def box_edges(
    written: tuple[str, str, str, str], width: int, height: int, one_based: bool = True
) -> tuple[tuple[float, float, float, float], str, bool]:
    """Turn the four written numbers into edges in pixels, inside the picture.

    Returns:
        ``(xyxy, fault, clipped)``: the four edges in pixels; the rule that the box breaks, or ""
        for a possible box; whether it stuck out of the picture and was cut at its border.
    """
    nothing = (0.0, 0.0, 0.0, 0.0)
    values, fault = to_numbers(CORNERS, written)
    if fault:
        return nothing, fault, False
    x1, y1, x2, y2 = values
    # Judged as written. Counted inclusively, xmin = xmax would be one pixel wide: in practice it
    # is a click without a drag, never an object.
    if x2 <= x1:
        return nothing, f"xmax must be larger than xmin, and {x2:g} <= {x1:g}", False
    if y2 <= y1:
        return nothing, f"ymax must be larger than ymin, and {y2:g} <= {y1:g}", False
    if one_based:
        x1, y1 = x1 - 1, y1 - 1
    return cut_to_picture(x1, y1, x2, y2, width, height)


def format_annotation(
    filename: str,
    size: tuple[int, int],
    objects: list[tuple[str, tuple[float, float, float, float], bool]],
    one_based: bool = True,
) -> bytes:
    """The annotation file for one picture; the inverse of `read_annotation` with `box_edges`.

    Args:
        filename: of the picture, within ``JPEGImages``.
        size: (width, height) in pixels.
        objects: a triple of class name, edges xyxy in pixels, and ``difficult`` for each.
        one_based: write ``xmin + 1, ymin + 1, xmax, ymax`` as VOC does, or the bare edges.
    """
    root = ElementTree.Element("annotation")

    def add(parent: ElementTree.Element, tag: str, text: object) -> None:
        ElementTree.SubElement(parent, tag).text = str(text)

    add(root, "folder", "JPEGImages")
    add(root, "filename", filename)
    node = ElementTree.SubElement(root, "size")
    for tag, value in zip(("width", "height", "depth"), (*size, 3), strict=True):
        add(node, tag, value)
    add(root, "segmented", 0)
    for name, (x1, y1, x2, y2), difficult in objects:
        node = ElementTree.SubElement(root, "object")
        add(node, "name", name)
        add(node, "pose", "Unspecified")
        add(node, "truncated", 0)
        add(node, "difficult", int(difficult))
        box = ElementTree.SubElement(node, "bndbox")
        shift = 1 if one_based else 0
        for corner, value in zip(CORNERS, (x1 + shift, y1 + shift, x2, y2), strict=True):
            add(box, corner, int(value) if float(value).is_integer() else repr(float(value)))
    ElementTree.indent(root, "\t")
    return ElementTree.tostring(root, encoding="utf-8") + b"\n"
