"""Find picture files, and write copies with detections drawn into them (chapter 13)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import PngImagePlugin
from torch import Tensor

from ssd_tutorial._files import atomic_write, is_foreign
from ssd_tutorial.datasets.pictures import EXTENSIONS, visible
from ssd_tutorial.deploy.labels import draw_labelled
from ssd_tutorial.deploy.listing import MADE_BY
from ssd_tutorial.detect import Detections


def find_pictures(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Return the given files and the pictures of each given folder, sorted by folder.

    Returns:
        The pictures, and the files of their folders that are none.

    Raises:
        FileNotFoundError: a folder contains no picture.
        ValueError: nothing was given.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    for path in paths:
        entries = visible(path) if path.is_dir() else [path]
        named = [p for p in entries if p == path or p.suffix.lower() in EXTENSIONS]
        if not named:
            endings = ", ".join(EXTENSIONS)
            raise FileNotFoundError(f"the folder {path} contains no picture ({endings})")
        pictures += named
        others += [entry for entry in entries if entry not in named]
    if not pictures:
        raise ValueError("give at least one picture, or a folder of pictures")
    return pictures, others


def name_copies(pictures: Sequence[Path], out: Path, overwrite: bool = False) -> list[Path]:
    """Return a PNG path in `out` for each picture, no two the same.

    Args:
        pictures: the originals.
        out: folder of the copies.
        overwrite: replace any file in it, but for the originals.

    Raises:
        FileExistsError: a copy would replace a file that is not an earlier copy, or an original.
    """
    targets: list[Path] = []
    taken: set[str] = set()
    for path in pictures:
        name, number = path.stem, 1
        while name.lower() in taken:  # on some systems A.png and a.png are one file
            number += 1
            name = f"{path.stem}-{number}"
        taken.add(name.lower())
        targets.append(out / f"{name}.png")
    originals = {path.resolve() for path in pictures}
    for target in targets:
        if target.resolve() in originals:
            raise FileExistsError(f"{target} would be overwritten: give another folder with --out")
        if not overwrite and is_foreign(target, MADE_BY):
            raise FileExistsError(
                f"{target} is not a copy that detect has written: give another folder with --out,"
                " or replace it with --overwrite"
            )
    return targets


def write_copy(image: Tensor, found: Detections, names: Sequence[str], target: Path) -> None:
    """Write an image as PNG with its detections (boxes in pixels) and their names."""
    marks = PngImagePlugin.PngInfo()
    marks.add_text("Software", MADE_BY)
    with atomic_write(target) as file:
        draw_labelled(image, found, names).save(file, "PNG", pnginfo=marks)
