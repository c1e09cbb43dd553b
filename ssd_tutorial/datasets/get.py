"""Fetch a data set of the registry and unpack it. The only module here that needs a network."""

from __future__ import annotations

from pathlib import Path

from ssd_tutorial.datasets.download import digest, fetch
from ssd_tutorial.datasets.registered import missing_archives
from ssd_tutorial.datasets.registry import data_root
from ssd_tutorial.datasets.unpack import unpack


def get_dataset(
    name: str,
    root: str | Path | None = None,
    *,
    split: str = "",
    archives: str | Path | None = None,
    keep: bool = False,
    progress: bool | None = None,
) -> Path:
    """Fetch what is missing of a data set and unpack it.

    Args:
        name: of the registry, such as ``"voc0712"``.
        root: the folder for all data sets; None as `data_root` says.
        split: fetch what this split needs; "" fetches everything.
        archives: the folder for the archives; they are kept there. None puts them beside what is
            unpacked.
        keep: keep the archives once they are unpacked.
        progress: show bars; None shows them where standard error is a terminal.

    Returns:
        The folder of the data set.

    Raises:
        DownloadError, OSError, ValueError: as `fetch` and `unpack`; what is complete stays.
        ValueError: no such name or split.
    """
    folder = data_root(root) / name
    for archive in missing_archives(name, root, split):
        place = folder if archives is None else Path(archives)
        file = fetch(archive, place, progress=progress)
        if not (archive.sha256 or archive.md5):
            print(f"{archive.file}: SHA-256 {digest(file)} (there is none to compare it with)")
        unpack(file, archive.take, folder / archive.folder, progress)
        if archives is None and not keep:
            file.unlink()
    return folder
