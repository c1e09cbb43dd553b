"""One process at a time trains into a folder (chapter 15)."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_SECONDS_TO_DIE = 6.0  # loader processes outlive a killed run by up to 5, and keep its lock


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Hold the lock of a folder: the system's own, on the folder itself.

    However a process ends, the system removes its lock, so that none is ever left over. Where the
    system has no such locks (Windows, Colab's Drive) nothing is held. A folder that is still empty
    at the end is removed.

    Raises:
        BlockingIOError: another process holds it; the message says what to do.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, number := os.open(folder, os.O_RDONLY))
        deadline = time.monotonic() + _SECONDS_TO_DIE
        while not _take(number):
            if time.monotonic() > deadline:
                advice = "wait until it ends, or give another folder"
                raise BlockingIOError(f"another training run writes to {folder}: {advice}")
            time.sleep(0.1)
        stack.callback(_remove_if_empty, folder)
        yield


def _take(number: int) -> bool:
    try:
        if fcntl is not None:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # there are no locks here
        pass
    return True


def _remove_if_empty(folder: str | Path) -> None:
    with contextlib.suppress(OSError):
        Path(folder).rmdir()
