"""What several commands share: devices, threads, and reports of what was dropped."""

import contextlib
import logging
import sys
from pathlib import Path
from typing import TextIO

import torch
from torch.utils.data import Dataset

from ssd_tutorial._files import is_foreign

_MOST_THREADS = 1_024


def print_dropped(dataset: Dataset) -> None:
    """Print which boxes and pictures ``on_error="drop"`` has left out, if any."""
    if getattr(dataset, "dropped", None) or getattr(dataset, "left_out", None):
        print(dataset.summary())


def print_log(stack: contextlib.ExitStack, stream: TextIO) -> None:
    """Print what the package logs until the stack unwinds: all on stdout, elsewhere warnings."""
    logger, handler = logging.getLogger("ssd_tutorial"), logging.StreamHandler(stream)
    handler.setLevel(logging.INFO if stream is sys.stdout else logging.WARNING)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    stack.callback(logger.removeHandler, handler)


def find_device(name: str) -> torch.device:
    """Return the device of that name, after checking that it can compute."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name) if name else device
        torch.zeros(1, device=device).item()  # "meta" has no numbers
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here ({reason}): try cpu") from error
    return device


def use_threads(threads: int) -> None:
    """Compute on this many processor threads; 0 leaves the number to torch."""
    if not 0 <= threads <= _MOST_THREADS:
        raise ValueError(f"--threads must be 0 or more, at most {_MOST_THREADS}, not {threads}")
    if threads:
        torch.set_num_threads(threads)


def refuse_foreign(path: Path, sign: str) -> None:
    """Check that a file can be written without replacing one that is not an older report.

    Args:
        path: the file to write.
        sign: what every report of this kind contains in its first 4096 bytes.

    Raises:
        FileExistsError: something else is there.
    """
    if is_foreign(path, sign):
        raise FileExistsError(
            f"{path} already exists and is not an older report, so it is not replaced: give "
            f"another --out"
        )
