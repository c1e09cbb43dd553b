"""Unpack an archive: whole or not at all, and nothing outside its folder."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from tqdm.auto import tqdm


class _Member(NamedTuple):
    name: str
    size: int
    kind: str  # "file", "folder", or what else it is
    handle: object


def unpack(archive: str | Path, take: str, folder: str | Path, progress: bool | None = None) -> int:
    """Unpack the folder ``take`` of a tar or zip file as ``folder``.

    Files go into a hidden folder beside ``folder``, which gets its name when all are there.
    Refused are absolute names, names with ``..``, links and devices: `tarfile` and `zipfile` would
    write some of them elsewhere on the disk. Permissions and owners are not taken over.

    Args:
        archive: the file.
        take: a folder inside it, with forward slashes; the rest of the archive is passed over.
        folder: must not exist yet.
        progress: show a bar; None shows it where standard error is a terminal.

    Returns:
        The number of files.

    Raises:
        FileExistsError: ``folder`` is there.
        ValueError: the archive is damaged, would write outside its folder, or has no ``take``.
        OSError: the disk has not enough room.
    """
    archive, folder = Path(archive), Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: delete it to unpack {archive} again.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f".{folder.name}.*.unfinished"):  # of a run that was killed
        shutil.rmtree(left)
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        with _opened(archive) as (members, read):
            wanted = _wanted(archive, members, take)
            _check_room(folder.parent, sum(member.size for member, _ in wanted))
            _write(archive.name, wanted, read, unfinished, progress)
        os.replace(unfinished, folder)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(
            f"{archive} is damaged or no archive ({error}): delete it and fetch it anew."
        ) from error
    finally:
        if unfinished.exists():
            shutil.rmtree(unfinished)
    return sum(member.kind == "file" for member, _ in wanted)


@contextmanager
def _opened(archive: Path) -> Iterator[tuple[list[_Member], object]]:
    """Every member, and a function that opens one."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            yield [_zip_member(info) for info in file.infolist()], file.open
    else:
        with tarfile.open(archive) as file:
            members = [_tar_member(info) for info in file]
            # tarfile takes the end of a file that was cut short for the end of the archive, which
            # is a block of zeros.
            file.fileobj.seek(file.offset)
            if file.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                raise tarfile.ReadError("it ends in the middle")
            yield members, file.extractfile


def _zip_member(info: zipfile.ZipInfo) -> _Member:
    kind = "folder" if info.is_dir() else "file"
    mode = info.external_attr >> 16
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        kind = "link or device"
    return _Member(info.filename, info.file_size, kind, info)


def _tar_member(info: tarfile.TarInfo) -> _Member:
    kind = "file" if info.isfile() else "folder" if info.isdir() else "link or device"
    return _Member(info.name, info.size if info.isfile() else 0, kind, info)


def _wanted(archive: Path, members: list[_Member], take: str) -> list[tuple[_Member, Path]]:
    """The members below ``take`` with their places in it, once all members are harmless."""
    top = PurePosixPath(take).parts
    wanted = []
    for member in members:
        parts = PurePosixPath(member.name.removeprefix("./")).parts
        # A backslash or a drive letter would be a folder on Windows only.
        outside = ".." in parts or member.name.startswith("/") or set(member.name) & set("\\:\0")
        if outside or member.kind not in ("file", "folder"):
            what = "a name outside its folder" if outside else f"a {member.kind}"
            raise ValueError(
                f"{archive} holds {what}, {member.name!r}, and was not unpacked: it is not the "
                f"archive of a data set. Delete it and fetch it from another address."
            )
        if parts[: len(top)] == top:
            wanted.append((member, Path(*parts[len(top) :])))
    if not any(member.kind == "file" for member, _ in wanted):
        first = sorted({PurePosixPath(m.name.removeprefix("./")).parts[:1] for m in members})[:5]
        there = ", ".join(part[0] for part in first if part) or "nothing"
        raise ValueError(f"{archive} holds no folder {take}: it holds {there}.")
    return wanted


def _check_room(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise OSError(
            f"{folder} has room for {free / 1e9:.1f} GB, and {needed / 1e9:.1f} GB are needed to "
            f"unpack. Make room, or choose another folder with --root."
        )


def _write(
    title: str,
    wanted: list[tuple[_Member, Path]],
    read: object,
    folder: Path,
    progress: bool | None,
) -> None:
    total = sum(member.size for member, _ in wanted)
    hide = None if progress is None else not progress
    folder.mkdir()
    with tqdm(
        desc=f"unpacking {title}", total=total, unit="B", unit_scale=True, disable=hide
    ) as bar:
        for member, place in wanted:
            target = folder / place
            if member.kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            source: IO[bytes]
            with read(member.handle) as source, target.open("xb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
            bar.update(member.size)
