"""Fetch data sets by name: registry, download, unpacking (chapter 15).

``data/datasets.json`` lists addresses, size and checksum of each archive, and the folders that make
up each split. `pooch` downloads and verifies checksums, `tarfile` and `zipfile` unpack. An
interrupted download starts again; for a file of 20 GB see `fetch`.
"""

import errno
import functools
import json
import os
import shutil
import stat
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from ssd_tutorial._files import atomic_write, data_path, remove_unfinished, reworded
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.messages import near

LARGEST_RATIO, SLACK = 20, 1 << 20  # pictures hardly compress; COCO's JSON does, 4 : 1


class Archive(NamedTuple):
    """One file to fetch."""

    file: str
    addresses: tuple[str, ...]  # the first is the publisher's, the others are mirrors
    bytes: int | None  # None if it is not known
    sha256: str | None
    md5: str | None  # as torchvision has it
    take: str  # the folder inside the archive to unpack
    folder: str  # the name of that folder here
    splits: tuple[str, ...]  # that need it


class _Unfit(ValueError):
    """What an archive must not contain, or lacks, in a sentence of ours."""


class Registered(NamedTuple):
    """A data set of the registry."""

    name: str
    title: str
    home: str
    licence: str
    checksums: str  # where they come from
    archives: list[Archive]
    splits: dict[str, list[tuple[str, str]]]  # of folders, and the split's name in each
    classes: tuple[str, ...] | None = None  # None: as the files say

    def archives_of(self, split: str = "") -> list[Archive]:
        """Return the archives that a split needs; all of them for "".

        Raises:
            ValueError: there is no such split.
        """
        if split and split not in self.splits:
            there = f"{near(split, self.splits)} Its splits: {', '.join(self.splits)}"
            raise ValueError(f"{self.name} has no split {split!r}{there}")
        return [archive for archive in self.archives if not split or split in archive.splits]


def registered_names() -> tuple[str, ...]:
    """Return the names in the registry."""
    return tuple(_content())


def get_registered(name: str) -> Registered:
    """Return one data set of the registry.

    Raises:
        ValueError: there is none with this name.
    """
    if name not in (names := registered_names()):
        there = ", ".join(names)
        raise ValueError(f"there is no data set {name!r}{near(name, names)} There are {there}")
    entry = _content()[name]
    return Registered(name, **entry | {"archives": [Archive(**one) for one in entry["archives"]]})


@functools.cache
def _content() -> dict:
    return json.loads(data_path("datasets.json").read_text(encoding="utf-8"))


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder of fetched data sets: `root`, ``$SSD_TUTORIAL_DATA``, or in ``~/.cache``.

    On Colab, a folder in the mounted drive outlives the machine.
    """
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root or os.environ.get("SSD_TUTORIAL_DATA") or f"{cache}/ssd_tutorial").expanduser()


def missing_archives(name: str, root: str | Path | None = None, split: str = "") -> list[Archive]:
    """Return what `get_dataset` would fetch."""
    folder = data_root(root) / name
    return [a for a in get_registered(name).archives_of(split) if not (folder / a.folder).is_dir()]


def get_dataset(
    name: str,
    root: str | Path | None = None,
    *,
    split: str = "",
    archives: str | Path | None = None,
    progress: bool | None = None,
) -> Path:
    """Fetch and unpack what is missing of a data set.

    Args:
        name: in the registry, such as ``"voc0712"``.
        root: the folder for all data sets; None uses `data_root`.
        split: fetch what this split needs; "" fetches everything.
        archives: the folder for the archives; they are kept there, and those already there are
            used. None puts them beside the unpacked folders, and deletes them after that.
        progress: show bars; None shows them if standard error is a terminal.

    Returns:
        The folder of the data set.

    Raises:
        OSError, ValueError: as `fetch` and `unpack`; complete folders are kept.
        ValueError: no such name or split.
    """
    folder = data_root(root) / name
    for archive in missing_archives(name, root, split):
        file = fetch(archive, archives or folder, progress)
        if not archive.sha256:
            from pooch import file_hash  # after `fetch`, it is there

            print(f"{file.name}: SHA-256 {file_hash(file)} (there is none to compare it with)")
        unpack(file, archive.take, folder / archive.folder, progress)
        if archives is None:
            file.unlink()
    return folder


def fetch(archive: Archive, folder: str | Path, progress: bool | None = None) -> Path:
    """Fetch an archive, unless it is there, from the first address that has it, and verify it.

    The file appears once it is complete and its checksum is right; an interrupted download is not
    kept. To resume a download by hand, repeat ``curl -C - -O ADDRESS`` in `folder` until it is
    complete; the file is then used from there.

    Args:
        archive: what to fetch; its addresses are tried in order.
        folder: where to put it; created if it is missing.
        progress: show a bar; None shows it if standard error is a terminal.

    Returns:
        The path of the file.

    Raises:
        OSError: no address has it, or there is not enough room on the disk.
        ValueError: a file of this name is there, but is incomplete or another one.
    """
    import pooch  # here: both take half a second, for those who fetch alone
    import requests

    target = Path(folder, archive.file)
    by_hand = f"`curl -LC - -o {archive.file} {archive.addresses[0]}` resumes a download"
    if target.exists():
        if pooch.hashes.hash_matches(target, archive.sha256):
            return target
        size = f"{target.stat().st_size} of {archive.bytes} bytes"
        raise ValueError(f"{target} is incomplete or wrong ({size}): {by_hand}, or delete it")
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_room(target.parent, archive.bytes or 0)
    pooch.get_logger().setLevel("WARNING")  # the command says what it fetches
    problems = []
    for address in archive.addresses:
        bar = progress_bar(None, target.name, progress, archive.bytes or 1, unit_scale=True)
        http = pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=(10, 60))
        try:
            pooch.retrieve(address, archive.sha256, target.name, target.parent, downloader=http)
            if archive.sha256 or zipfile.is_zipfile(target) or tarfile.is_tarfile(target):
                return target
            target.unlink()
            raise ValueError("not an archive")
        except requests.HTTPError as error:
            with error.response as answer:
                problems.append(f"{address} answers {answer.status_code} {answer.reason}")
        except requests.RequestException:
            problems.append(f"{address} cannot be reached, or was interrupted")
        except ValueError:  # pooch raises it if the checksum differs
            problems.append(f"{address} sends a different file (damaged, or a login page)")
    why = f"{archive.file} could not be fetched: {'; '.join(problems)}"
    raise OSError(f"{why}: try again later, or copy it to {target.parent} yourself ({by_hand})")


def unpack(archive: Path, take: str, folder: Path, progress: bool | None = None) -> None:
    """Unpack the folder `take` of a tar or zip file as `folder`: all of it, or nothing.

    Archives are refused if they have absolute names, names with ``..``, links, devices, or files
    that declare far more bytes than the archive has. Files go to a hidden folder beside `folder`,
    which is renamed once all are there.

    Args:
        archive: the file.
        take: a folder inside it, with forward slashes; the rest of the archive is ignored.
        folder: must not exist yet.
        progress: show a bar; None shows it if standard error is a terminal.

    Raises:
        FileExistsError: `folder` exists.
        ValueError: the archive is damaged or hostile, or has no `take`.
        OSError: there is not enough room on the disk.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} already exists: delete it to unpack {archive} again")
    remove_unfinished(folder)  # left by a killed run
    with atomic_write(folder) as unfinished:
        beside = unfinished.with_name("archive")
        opened = zipfile.ZipFile if zipfile.is_zipfile(archive) else tarfile.open
        try:
            with opened(archive) as file:
                # in addition to `_wanted`; Python before 3.11.4 has no such filter
                file.extraction_filter = getattr(tarfile, "data_filter", None)
                wanted = _wanted(file, take, archive.stat().st_size)
                _check_room(folder.parent, sum(size for _, size in wanted))
                for member, _ in progress_bar(wanted, f"unpacking {archive.name}", progress):
                    file.extract(member, beside)
        except Exception as error:  # both libraries raise many types over damaged bytes
            # the disk's, not the archive's; a damaged zip makes zipfile seek before its beginning
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise
            # these say what is wrong; others, as over a number that is not one, are Python's words
            clear = (_Unfit, OSError, EOFError, RuntimeError, tarfile.TarError, zipfile.BadZipFile)
            why = str(error) if isinstance(error, clear) else "it is damaged"
            why = why.partition("\n")[0][:300].rstrip(":")
            sentence = f"{archive} was not unpacked ({why}): delete it and fetch it again"
            raise ValueError(sentence) from error
        os.replace(beside / take, unfinished)


def _wanted(file: zipfile.ZipFile | tarfile.TarFile, take: str, archive_size: int) -> list[tuple]:
    """Return the members below `take` with their sizes, after checking that all are harmless."""
    top, wanted, total = PurePosixPath(take).parts, [], 0
    for name, size, plain, member in _members(file):
        parts = PurePosixPath(name).parts
        # on Windows, a backslash or a drive letter would be a folder
        if ".." in parts or name.startswith("/") or set(name) & set("\\:\0"):
            raise _Unfit(f"it contains a name outside its folder, {name[:200]!r}")
        if not plain:
            raise _Unfit(f"it contains a link or device, {name[:200]!r}")
        total += size
        if size < 0 or total > LARGEST_RATIO * archive_size + SLACK:
            raise _Unfit(f"its {archive_size} bytes would become {total} or more")
        if parts[: len(top)] == top:
            wanted.append((member, size))
    if not any(size for _, size in wanted):
        raise _Unfit(f"it contains no files in a folder {take}")
    return wanted


def _members(file: zipfile.ZipFile | tarfile.TarFile) -> Iterator[tuple[str, int, bool, object]]:
    """Yield the name and size of each member, whether it is a plain file or folder, and itself."""
    if isinstance(file, zipfile.ZipFile):
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            yield info.filename, info.file_size, kind in (0, stat.S_IFREG, stat.S_IFDIR), info
        return
    for info in file:
        yield info.name, info.size, info.isreg() or info.isdir(), info
    # tarfile mistakes the end of a truncated file for that of the archive, a block of zeros
    file.fileobj.seek(file.offset)
    if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise _Unfit("it ends in the middle")


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        text = f"{folder} has {free / 1e9:.1f} GB free, but {needed / 1e9:.1f} GB are needed"
        raise reworded(OSError(errno.ENOSPC, ""), f"{text}: choose another folder with --root")
