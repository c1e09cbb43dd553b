"""``python -m ssd_tutorial data``: fetch PASCAL VOC, COCO or BCCD; split your own pictures."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from ssd_tutorial.datasets import fetch
from ssd_tutorial.datasets.splitting import split_folder


def data_command(
    action: Annotated[Literal["list", "get", "split"], tyro.conf.Positional],
    name: Annotated[str, tyro.conf.Positional] = "",
    root: Path | None = None,
    split: str = "",
    archives: Path | None = None,
    share: float = 0.2,
    seed: int = 0,
) -> None:
    """Manage data sets: `data list`, `data get voc0712`, `data split MYFOLDER`.

    "list" shows the registered data sets, their sizes and whether they are complete. "get" fetches
    and unpacks one, and verifies the checksum of every archive; `train --data voc0712` then finds
    it. An interrupted download starts again from the beginning. To resume COCO's 19 GB instead,
    download them by hand: repeat `curl -C - -O ADDRESS` in a folder of yours until it is complete;
    `data get coco --archives FOLDER` checks and uses the complete archives in it. "split" divides
    your own folder, exported by a tool without splits, into pictures for training and pictures for
    evaluation: it writes lists and moves no file.

    Args:
        action: list, get or split.
        name: to get, which data set: voc0712, coco or bccd; to split, the folder.
        root: folder for all data sets; by default $SSD_TUTORIAL_DATA, or ~/.cache/ssd_tutorial.
        split: fetch only what this split needs; COCO's val is 1 GB, all of it 20 GB.
        archives: folder that keeps the archives, such as on a drive that outlives the machine;
            complete ones in it are not fetched again. Unpacked files go to the root. Without it,
            the archives are deleted after unpacking.
        share: to split, the share of the pictures that go to val; the others go to train.
        seed: to split, seeds the random division.
    """
    if action == "list":
        _show([fetch.get_registered(name).name] if name else fetch.registered_names(), root)
    elif not name:
        names = ", ".join(fetch.registered_names()) if action == "get" else "data split MYFOLDER"
        raise ValueError(f"say which {'data set' if action == 'get' else 'folder'}: {names}")
    elif action == "split":
        counts = split_folder(name, share, seed)
        print(", ".join(f"{part}: {count} pictures" for part, count in counts.items()))
        where = name if name not in fetch.registered_names() else f"./{name}"
        _show_commands(where, "train", "val", "doctor")
    else:
        missing, entry = fetch.missing_archives(name, root, split), fetch.get_registered(name)
        print(f"{entry.title}\nlicence: {entry.licence}\nmore: {entry.home}")
        for archive in missing:
            print(f"to fetch: {archive.file}, {_size(archive.bytes)}, {archive.addresses[0]}")
        folder = fetch.get_dataset(name, root, split=split, archives=archives)
        print(f"complete: {folder}")
        splits = [split] if split else list(entry.splits)
        print(f"its splits: {', '.join(splits)}")
        _show_commands(name, splits[0], splits[-1])


def _show(names: Sequence[str], root: Path | None) -> None:
    print(f"data sets in {fetch.data_root(root)}")
    for name in names:
        entry, missing = fetch.get_registered(name), fetch.missing_archives(name, root)
        print(f"\n{name}: {entry.title}\n  licence: {entry.licence}")
        for archive in entry.archives:
            state = "missing" if archive in missing else "complete"
            place = fetch.data_root(root) / name / archive.folder
            print(f"  {archive.file:<28}  {_size(archive.bytes):>12}  {state:<8}  {place}")
        ready = [s for s in entry.splits if not fetch.missing_archives(name, root, s)]
        print(f"  splits: {', '.join(entry.splits)}; ready: {', '.join(ready) or 'none'}")


def _show_commands(data: str, train: str, val: str, *before: str) -> None:
    """Print commands that can be copied: those before training, training, and measuring."""
    run = f"runs/{Path(data).resolve().name}"
    weights = f"{run}/weights.safetensors"
    for words in (
        *([command, data] for command in before),
        ["train", "--data", data, "--split", train, "--out", run],
        ["eval", "--data", data, "--split", val, "--weights", weights],
    ):
        print(f"  python -m ssd_tutorial {shlex.join(words)}")


def _size(count: int | None) -> str:
    return "size unknown" if count is None else f"{count / 1e9:.2f} GB"
