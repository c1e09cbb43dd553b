"""The data sets that can be fetched by name, as ``data/datasets.json`` lists them.

For each archive it holds where it is, how large it is and its checksums; for each split, which
folders it is made of. Fetching is `download`, unpacking `unpack`; `registered` puts them together.
"""

from __future__ import annotations

import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets.faults import near

ROOT_VARIABLE = "SSD_TUTORIAL_DATA"


@dataclass(frozen=True)
class Archive:
    """One file to fetch."""

    file: str
    addresses: tuple[str, ...]  # the first is the publisher's, the others are mirrors
    bytes: int | None  # None where it is not certain
    sha256: str | None
    md5: str | None
    take: str  # the folder inside the archive that matters
    folder: str  # what that folder is called here


@dataclass(frozen=True)
class Part:
    """One folder of a split."""

    folder: str
    split: str  # the split's name in that folder
    prefix: str  # in front of the pictures' names, so that no two of a split are the same
    needs: tuple[str, ...]  # the folders of the archives that hold it


@dataclass(frozen=True)
class Registered:
    """A data set of the registry."""

    name: str
    title: str
    home: str
    licence: str
    checksums: str  # where they come from
    classes: tuple[str, ...] | None  # None: as the files say
    archives: tuple[Archive, ...]
    splits: dict[str, tuple[Part, ...]]

    def archives_of(self, split: str = "") -> tuple[Archive, ...]:
        """The archives that a split needs; all of them for "".

        Raises:
            ValueError: there is no such split.
        """
        if not split:
            return self.archives
        needed = {folder for part in self.parts_of(split) for folder in part.needs}
        return tuple(archive for archive in self.archives if archive.folder in needed)

    def parts_of(self, split: str) -> tuple[Part, ...]:
        """The folders that a split is made of; raises as `archives_of`."""
        if split not in self.splits:
            raise ValueError(
                f"{self.name} has no split {split!r}{near(split, self.splits)} Its splits: "
                f"{', '.join(self.splits)}."
            )
        return self.splits[split]


@functools.cache
def registered_names() -> tuple[str, ...]:
    """The names of the registry."""
    return tuple(_content())


def get_registered(name: str) -> Registered:
    """One data set of the registry.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in registered_names():
        raise ValueError(
            f"there is no data set {name!r}{near(name, registered_names())} There are "
            f"{', '.join(registered_names())}."
        )
    entry = _content()[name]
    archives = tuple(
        Archive(**{**archive, "addresses": tuple(archive["addresses"])})
        for archive in entry["archives"]
    )
    splits = {
        split: tuple(
            Part(p["folder"], p["split"], p["prefix"], tuple(p.get("needs", [p["folder"]])))
            for p in parts
        )
        for split, parts in entry["splits"].items()
    }
    classes = tuple(entry["classes"]) if "classes" in entry else None
    words = {key: entry[key] for key in ("title", "home", "licence", "checksums")}
    return Registered(name, **words, classes=classes, archives=archives, splits=splits)


def data_root(root: str | Path | None = None) -> Path:
    """Where fetched data sets lie: as given, or ``$SSD_TUTORIAL_DATA``, or ``~/.cache``.

    On Colab, a folder of the mounted drive outlives the machine.
    """
    if root is not None:
        return Path(root).expanduser()
    named = os.environ.get(ROOT_VARIABLE)
    if named:
        return Path(named).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "ssd_tutorial"


@functools.cache
def _content() -> dict:
    return json.loads(data_path("datasets.json").read_text(encoding="utf-8"))
