"""Fetch a file: resumed, checked, from the first address that has it.

`requests` speaks HTTP. pooch, which would also check and unpack, fetches a file in one go: a
connection that breaks after 18 of COCO's 19 GB would begin at 0. So the resuming is written here.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from pathlib import Path

import requests
from requests.exceptions import RequestException
from tqdm.auto import tqdm

from ssd_tutorial import __version__
from ssd_tutorial._files import written_whole
from ssd_tutorial.datasets.registry import Archive

CHUNK = 1 << 16
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers of a server that may be another in a moment."""
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class DownloadError(OSError):
    """A file that could not be fetched from any address; the message says why, for each."""


class _Refused(Exception):
    """This address does not have the file: try the next."""


class _Again(Exception):
    """The transfer broke off: go on from what is there."""


def fetch(
    archive: Archive,
    folder: str | Path,
    *,
    timeout: tuple[float, float] = (10.0, 60.0),
    tries: int = 5,
    pause: float = 1.0,
    progress: bool | None = None,
) -> Path:
    """Fetch an archive, unless it is there, and check it.

    What has come so far stands in ``FILE.part``, which a later call goes on from. ``FILE`` appears
    when it is complete and its checksum is right. A server that cannot send the rest of a file
    (HTTP ``Range``), or has another version of it by now (``If-Range``), sends all of it again.

    Args:
        archive: what to fetch; its addresses are tried in order.
        folder: where it goes; made where it is missing.
        timeout: seconds to wait for a connection, and for the next bytes.
        tries: how often in a row an address may fail without a byte.
        pause: seconds before the second try; doubled with each.
        progress: show a bar; None shows it where standard error is a terminal.

    Returns:
        The path of the file.

    Raises:
        DownloadError: no address has it, or the disk is full. What came so far is kept.
        ValueError: a file of this name is there and is another.
    """
    folder = Path(folder)
    target = folder / archive.file
    if target.exists():
        wrong = _difference(archive, target, progress)
        if wrong:
            raise ValueError(f"{target} is not the file it should be ({wrong}): delete it.")
        return target
    folder.mkdir(parents=True, exist_ok=True)
    transfer = _Transfer(archive, folder / f"{archive.file}.part", timeout, progress)
    problems = []
    try:
        for address in archive.addresses:
            try:
                transfer.run(address, tries, pause)
                os.replace(transfer.part, target)
                transfer.forget()
                return target
            except _Refused as error:
                problems.append(f"{address} {error}")
            except RequestException as error:
                problems.append(f"{address} cannot be used ({error})")
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DownloadError(
            f"no room is left in {folder} for {archive.file} ({_size(transfer.have())} of "
            f"{_size(archive.bytes)} are there). Make room, or choose another folder with --root "
            f"or $SSD_TUTORIAL_DATA; the same command then goes on."
        ) from error
    kept = f" {_size(transfer.have())} are kept in {transfer.part}." if transfer.have() else ""
    raise DownloadError(
        f"{archive.file} could not be fetched: {'; '.join(problems)}.{kept} Try again later: the "
        f"same command goes on. Or put the file into {folder} yourself."
    )


def digest(path: str | Path, kind: str = "sha256", progress: bool | None = None) -> str:
    """The checksum of a file, in hexadecimal; ``kind`` as `hashlib` calls it."""
    total, found = Path(path).stat().st_size, hashlib.new(kind)
    with (
        Path(path).open("rb") as file,
        _bar(f"{kind} of {Path(path).name}", total, progress) as bar,
    ):
        while block := file.read(1 << 20):
            found.update(block)
            bar.update(len(block))
    return found.hexdigest()


class _Transfer:
    """One file on its way, and what is known about the part that is there."""

    def __init__(
        self, archive: Archive, part: Path, timeout: tuple[float, float], progress: bool | None
    ) -> None:
        self.archive, self.part, self.timeout, self.progress = archive, part, timeout, progress
        self.note = part.with_name(part.name + ".json")  # where the part came from

    def have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def run(self, address: str, tries: int, pause: float) -> None:
        """Fetch all that is missing from one address and check the whole."""
        failures = 0
        while True:
            before = self.have()
            try:
                self._request(address)
                break
            except (_Again, requests.ConnectionError, requests.Timeout) as error:
                reason = error
            except requests.exceptions.ChunkedEncodingError:
                reason = _Again("broke off the connection")
            failures = 1 if self.have() > before else failures + 1
            if failures >= tries:
                raise _Refused(_words(reason, self.timeout)) from reason
            time.sleep(pause * 2 ** (failures - 1))
        wrong = _difference(self.archive, self.part, self.progress)
        if wrong:
            self.forget()
            raise _Refused(f"sends another file ({wrong})")

    def _request(self, address: str) -> None:
        have, validator = self._resumable(address)
        if have and have == self.archive.bytes:
            return
        headers = {"Accept-Encoding": "identity", "User-Agent": f"ssd_tutorial/{__version__}"}
        if have:
            headers["Range"] = f"bytes={have}-"
        if have and validator:
            headers["If-Range"] = validator
        with requests.get(address, headers=headers, stream=True, timeout=self.timeout) as answer:
            if answer.status_code == 416 and _total(answer) == have:
                return
            total = self._check(answer, have)
            if answer.status_code == 200:
                have = 0
            self._write(answer, address, have, total)

    def _resumable(self, address: str) -> tuple[int, str]:
        """How many bytes can be kept, and what the server called the version they are of."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            note = {}
        validator = note.get("validator", "") if note.get("address") == address else ""
        known = self.archive.sha256 or self.archive.md5
        # Without a checksum nobody would notice a file put together from two versions.
        if not (known or validator) or (self.archive.bytes and self.have() > self.archive.bytes):
            return 0, ""
        return self.have(), validator

    def _check(self, answer: requests.Response, have: int) -> int | None:
        """The size of the whole file, as the server says; raises where it cannot be used."""
        status = answer.status_code
        total = _total(answer)
        if status == 416 or (status == 206 and _start(answer) != have):
            self.forget()
            raise _Again("does not send the rest that was asked for")
        if status in PASSING:
            raise _Again(f"answers {status} {answer.reason}")
        if status not in (200, 206):
            raise _Refused(f"answers {status} {answer.reason}")
        if total is not None and self.archive.bytes not in (None, total):
            raise _Refused(f"has {total} bytes, where {self.archive.bytes} were expected")
        return total

    def _write(self, answer: requests.Response, address: str, have: int, total: int | None) -> None:
        tag = answer.headers.get("ETag", "")
        # A weak tag ("W/…") may stay the same when bytes change, so it is no ground to resume on.
        validator = tag if tag and not tag.startswith("W/") else ""
        validator = validator or answer.headers.get("Last-Modified", "")
        with written_whole(self.note) as note:
            text = json.dumps({"address": address, "validator": validator})
            note.write_text(text, encoding="utf-8")
        with (
            self.part.open("r+b" if have else "wb") as file,
            _bar(self.archive.file, total or self.archive.bytes, self.progress, have) as bar,
        ):
            file.seek(have)
            for block in answer.iter_content(CHUNK):
                file.write(block)
                bar.update(len(block))
        if total is not None and self.have() < total:
            raise _Again("broke off the connection")


def _difference(archive: Archive, path: Path, progress: bool | None) -> str:
    """What tells a file from the one that was meant, or ""."""
    size = path.stat().st_size
    if archive.bytes not in (None, size):
        return f"{size} bytes, where {archive.bytes} were expected"
    kind = "sha256" if archive.sha256 else "md5"
    expected = archive.sha256 or archive.md5
    if not expected:
        return ""
    found = digest(path, kind, progress)
    return "" if found == expected else f"{kind} {found}, where {expected} was expected"


def _total(answer: requests.Response) -> int | None:
    """The size of the whole file, from the headers."""
    whole = re.fullmatch(r"bytes .*/(\d+)", answer.headers.get("Content-Range", ""))
    if whole:
        return int(whole[1])
    length = answer.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and answer.status_code == 200 else None


def _start(answer: requests.Response) -> int | None:
    start = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(start[1]) if start else None


def _words(error: Exception, timeout: tuple[float, float]) -> str:
    if isinstance(error, requests.ConnectTimeout):
        return f"does not answer within {timeout[0]:g} s"
    if isinstance(error, requests.Timeout) or "Read timed out" in str(error):
        return f"sends nothing for {timeout[1]:g} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "has no valid certificate"
    if isinstance(error, requests.ConnectionError):
        return "cannot be reached"
    return str(error)


def _size(count: int | None) -> str:
    if count is None:
        return "an unknown size"
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def _bar(title: str, total: int | None, progress: bool | None, initial: int = 0) -> tqdm:
    hide = None if progress is None else not progress
    return tqdm(desc=title, total=total, initial=initial, unit="B", unit_scale=True, disable=hide)
