"""``python -m ssd_tutorial data``: fetch PASCAL VOC, COCO or BCCD; divide your own pictures."""

from pathlib import Path
from typing import Annotated, Literal

import tyro

from ssd_tutorial.datasets.get import get_dataset
from ssd_tutorial.datasets.registered import missing_archives
from ssd_tutorial.datasets.registry import data_root, get_registered, registered_names
from ssd_tutorial.datasets.splitting import split_folder


def data_command(
    action: Annotated[Literal["list", "get", "split"], tyro.conf.Positional],
    name: Annotated[str, tyro.conf.Positional] = "",
    root: Path | None = None,
    split: str = "",
    archives: Path | None = None,
    keep: bool = False,
    share: float = 0.2,
    seed: int = 0,
) -> None:
    """Data sets: `data list`, `data get voc0712`, `data split MYFOLDER`.

    "list" shows the data sets that have a name, how large they are and whether they are complete.
    "get" fetches and unpacks one. An interrupted download goes on where it stopped when the command
    is given again, and every archive is compared with its checksum. `train --data voc0712` then
    finds the data set. "split" divides a folder of your own, which a tool exported as one heap,
    into pictures to train on and pictures to measure on: it writes lists and moves nothing.

    Args:
        action: list, get or split.
        name: to get, which data set: voc0712, coco or bccd; to split, the folder.
        root: folder for all data sets; by default $SSD_TUTORIAL_DATA, or ~/.cache/ssd_tutorial.
        split: fetch only what this split needs; COCO's val is 1 GB, all of it 20 GB.
        archives: folder where the archives stay, on a drive that outlives the machine, say; what
            is unpacked goes to the root.
        keep: keep the archives after unpacking; without --archives they are deleted.
        share: to split, the share of the pictures that go to val; the others go to train.
        seed: to split, another number divides otherwise.
    """
    if action == "list":
        if name:
            get_registered(name)
        _show([name] if name else registered_names(), root)
        return
    if action == "split":
        if not name:
            raise ValueError("say which folder to split: data split MYFOLDER")
        counts = split_folder(name, share, seed)
        print(", ".join(f"{part}: {count} pictures" for part, count in counts.items()))
        print(f"use it: train --data {name}; eval --data {name}. Look at it: doctor {name}")
        return
    if not name:
        raise ValueError(f"say which data set to get: {', '.join(registered_names())}")
    missing = missing_archives(name, root, split)
    entry = get_registered(name)
    print(f"{entry.title}\nlicence: {entry.licence}\nmore: {entry.home}")
    for archive in missing:
        print(f"to fetch: {archive.file}, {_size(archive.bytes)}")
    folder = get_dataset(name, root, split=split, archives=archives, keep=keep)
    print(f"complete: {folder}")
    print(f"use it: --data {name} --split {split or ' or '.join(entry.splits)}")


def _show(names: tuple[str, ...] | list[str], root: Path | None) -> None:
    print(f"data sets in {data_root(root)}")
    for name in names:
        entry = get_registered(name)
        print(f"\n{name}: {entry.title}\n  licence: {entry.licence}")
        missing = {archive.folder for archive in missing_archives(name, root)}
        width = max(len(archive.file) for archive in entry.archives)
        for archive in entry.archives:
            state = "missing" if archive.folder in missing else "complete"
            place = data_root(root) / name / archive.folder
            print(f"  {archive.file:<{width}}  {_size(archive.bytes):>12}  {state:<8}  {place}")
        ready = [s for s in entry.splits if not missing_archives(name, root, s)]
        print(f"  splits: {', '.join(entry.splits)}; ready: {', '.join(ready) or 'none'}")


def _size(count: int | None) -> str:
    return "size unknown" if count is None else f"{count / 1e9:.2f} GB"
