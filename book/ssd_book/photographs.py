"""Five photographs, annotated by hand, so that priors can be drawn over real pictures.

They are in the public domain or under CC0, and come with the package (see ``data/README.md``).
They are a folder in VOC's layout: `VOCFolder(data_path("photographs"), "all")` reads them, too.
"""

import functools
import json

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets.voc import VOCFolder

PHOTOGRAPH_CLASSES = (
    "camera",
    "cat",
    "cup",
    "eye",
    "flag",
    "helmet",
    "person",
    "rocket",
    "saucer",
    "space shuttle",
    "spoon",
    "tower",
    "tripod",
)


@functools.cache
def _folder() -> VOCFolder:
    return VOCFolder(data_path("photographs"), "all", classes=PHOTOGRAPH_CLASSES)


@functools.cache
def _sources() -> dict[str, dict[str, str]]:
    return json.loads(data_path("photographs/sources.json").read_text(encoding="utf-8"))


def photographs() -> tuple[str, ...]:
    """Return the names of the photographs, sorted."""
    return tuple(_folder().names)


def load_photograph(name: str) -> tuple:
    """Read a photograph and its objects: ``(image, target)`` as an item of `VOCFolder`.

    Label ``i + 1`` is ``PHOTOGRAPH_CLASSES[i]``. Boxes enclose the visible part of an object.

    Raises:
        ValueError: there is no photograph of this name; the message lists the names.
    """
    return _folder()[_index(name)]


def photograph_credit(name: str) -> str:
    """Return title, author and licence in one line; raises as `load_photograph`."""
    _index(name)
    source = _sources()[name]
    return f"{source['title']}. {source['author']}, {source['licence']}."


def _index(name: str) -> int:
    if name not in photographs():
        raise ValueError(f"there is no photograph {name!r}; there are {', '.join(photographs())}")
    return photographs().index(name)
