"""What `doctor` and `eval` write: reports that replace older ones, and nothing else."""

from pathlib import Path

from ssd_tutorial._files import atomic_write, reason, reworded
from ssd_tutorial.datasets.messages import start_of

_HEAD = 4096  # bytes: the signs stand at the beginning


def refuse_foreign(path: Path, sign: str) -> None:
    """Check that a file can be written without replacing one that is not an older report.

    Args:
        path: the file to write.
        sign: what every report of this kind contains in its first 4096 bytes.

    Raises:
        FileExistsError: something else is there.
    """
    if path.is_file():
        ours = sign.encode() in start_of(path)[:_HEAD]
    else:
        ours = not path.exists()
    if not ours:
        raise FileExistsError(
            f"{path} already exists and is not an older report, so it is not replaced: give "
            f"another --out"
        )


def save(path: Path, content: bytes) -> None:
    """Write a file completely or not at all.

    Raises:
        OSError: it cannot be written; the message names the file and the reason.
    """
    try:
        with atomic_write(path) as file:
            file.write_bytes(content)
    except OSError as error:
        sentence = f"{path} cannot be written ({reason(error)}): give another --out"
        raise reworded(error, sentence) from error
