"""Files of the package: where `data/` is, and files that appear complete or not at all.

A wheel carries a copy of the top-level folder `data` as ``ssd_tutorial/_data``, so that a chapter
opened outside the checkout finds the same photographs, weights and recorded runs.
"""

import errno
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parent
_UNFINISHED = ".unfinished"
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)


def data_path(name: str) -> Path:
    """Return the path of a file or folder of ``data``, such as ``"photographs"``.

    Args:
        name: relative to ``data``, with forward slashes.

    Raises:
        FileNotFoundError: there is no such file; the message lists its neighbours.
        ValueError: ``name`` is absolute or leads out of ``data``.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"data_path takes a path below data, not {name!r}")
    root = _root()
    path = root / name
    if not path.exists():
        parent = next(p for p in path.parents if p.is_dir())
        beside = ", ".join(sorted(p.name for p in parent.iterdir())) or "nothing"
        raise FileNotFoundError(f"there is no {name} in {root}: {parent} contains {beside}")
    return path


def _root() -> Path:
    packaged, checkout = PACKAGE / "_data", PACKAGE.parent
    if packaged.is_dir():
        return packaged
    # An installed package also has a folder beside it that might be called data, of another
    # package: only beside a pyproject.toml is it ours.
    if (checkout / "data").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    raise FileNotFoundError(
        f"ssd_tutorial was installed without its data: neither {packaged} nor {checkout / 'data'} "
        f"is there. Install it again from a checkout or a wheel that contains it"
    )


@contextmanager
def atomic_write(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Yield a path to write to; the file written there then replaces `path` in one step.

    If the block raises, `path` is as it was before and nothing is left beside it. A process that is
    killed meanwhile leaves a hidden folder behind: see `remove_unfinished`. The folder of `path` is
    created if it is missing.

    Args:
        path: the file to create or replace.
        durable: wait until the disk has it. For files that must survive a power cut, such as a
            checkpoint that replaces an older one; it costs milliseconds per file.

    Raises:
        OSError: its folder cannot be created or written to, or the disk is full; the message says
            what could not be written, and why.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # a folder of its own, because some libraries write to one of their own beside the one named
        beside = tempfile.mkdtemp(prefix=f".{path.name}.", suffix=_UNFINISHED, dir=path.parent)
    except OSError as error:
        file = next((parent for parent in path.parents if parent.is_file()), None)
        why = f"{file} is a file, not a folder" if file else reason(error)
        raise reworded(error, f"{path} cannot be written: {why}") from error
    try:
        unfinished = Path(beside, path.name)
        yield unfinished
        if durable:
            _wait_for_disk(unfinished, os.O_RDWR)
        os.replace(unfinished, path)
        if durable and os.name == "posix":  # elsewhere a folder cannot be opened
            _wait_for_disk(path.parent, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _FULL or not error.strerror:  # or it has been reworded already
            raise
        raise reworded(error, f"{path} cannot be written ({reason(error)})") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def write_file(path: str | Path, content: bytes, durable: bool = False) -> None:
    """Write a file completely or not at all; arguments and errors as those of `atomic_write`."""
    with atomic_write(path, durable) as file:
        file.write_bytes(content)


def is_foreign(path: Path, *signs: str) -> bool:
    """Return whether there is something without any of our signs in its first 4096 bytes."""
    if not path.is_file():
        return path.exists()
    with path.open("rb") as file:
        head = file.read(4096)
    return not any(sign.encode() in head for sign in signs)


def remove_unfinished(path: str | Path) -> None:
    """Remove what killed processes left while writing `path`; no process may be writing it."""
    path = Path(path)
    random = "?" * 8  # what mkdtemp puts there
    for beside in path.parent.glob(f".{glob.escape(path.name)}.{random}{_UNFINISHED}"):
        shutil.rmtree(beside, ignore_errors=True)


def refuse_unwritable(folder: str | Path) -> None:
    """Check that files can be written to a folder, or where it would be created.

    Raises:
        OSError: it cannot be written to; the message says why.
    """
    there = next(parent for parent in (Path(folder), *Path(folder).parents) if parent.exists())
    try:
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"a try")
    except OSError as error:
        raise reworded(
            error, f"{folder} cannot be written to ({reason(error)}): give another folder"
        ) from error


def as_json(content: dict) -> bytes:
    """Return readable JSON; file names that are not valid UTF-8 remain distinct, by escapes."""
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode(errors="backslashreplace")


def reworded(error: OSError, sentence: str) -> OSError:
    """Return an error of the same type and number, with a message that says what to do."""
    clear = type(error)(sentence)
    clear.errno = error.errno
    return clear


def reason(error: OSError) -> str:
    """Return the system's words without number and path: "No space left on device"."""
    return os.strerror(error.errno) if error.errno else str(error)


def _wait_for_disk(path: Path, flags: int) -> None:
    number = os.open(path, flags)
    try:
        os.fsync(number)
    except OSError as error:
        # mounted storage (Colab's Drive, some network folders) may not know how to wait
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS):
            raise
    finally:
        os.close(number)
