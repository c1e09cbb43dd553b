"""A data set of the registry, opened by its name (chapter 15)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial.datasets.folder import OnBad
from ssd_tutorial.datasets.joined import Joined
from ssd_tutorial.datasets.layouts import open_folder
from ssd_tutorial.datasets.registry import Archive, data_root, get_registered


def missing_archives(name: str, root: str | Path | None = None, split: str = "") -> list[Archive]:
    """What `get.get_dataset` would fetch."""
    folder = data_root(root) / name
    return [a for a in get_registered(name).archives_of(split) if not (folder / a.folder).is_dir()]


def open_registered(
    name: str,
    split: str,
    classes: Sequence[str] | None = None,
    on_bad: OnBad = "raise",
    root: str | Path | None = None,
) -> Dataset:
    """A split of a data set of the registry; nothing is fetched here.

    Args:
        name: of the registry.
        split: ``"train"``, …; the registry says which folders it is made of.
        classes: the class names that labels must follow. None takes those of the registry (VOC's
            20 in their usual order), or else as `open_folder`.
        on_bad: see `AnnotatedFolder`.
        root: the folder for all data sets; None as `data_root` says.

    Raises:
        FileNotFoundError: something of it is missing; the message has the command that fetches it.
        ValueError: no such name or split; otherwise as `open_folder`.
    """
    entry = get_registered(name)
    parts = entry.parts_of(split)
    missing = missing_archives(name, root, split)
    folder = data_root(root) / name
    if missing:
        known = [archive.bytes for archive in missing if archive.bytes]
        size = f" ({sum(known) / 1e9:.1f} GB)" if known else ""
        at = f" --root {root}" if root is not None else ""
        raise FileNotFoundError(
            f"{name}, split {split}, is not complete: {folder} has no "
            f"{', '.join(archive.folder for archive in missing)}. Fetch what is missing{size}: "
            f"python -m ssd_tutorial data get {name} --split {split}{at}"
        )
    names = classes if classes is not None else entry.classes
    opened = [open_folder(folder / part.folder, part.split, names, on_bad) for part in parts]
    if len(parts) == 1 and not parts[0].prefix:
        return opened[0]
    return Joined(opened, [part.prefix for part in parts])
