"""Read picture files, and write copies with detections drawn into them (chapter 13)."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor
from torchvision.utils import draw_bounding_boxes

from ssd_tutorial._files import atomic_write
from ssd_tutorial.datasets.pictures import EXTENSIONS
from ssd_tutorial.detect import Detections


def draw_copy(image: Tensor, found: Detections, names: list[str], target: Path) -> None:
    """Write an image as PNG with its detections (boxes in pixels) and their names."""
    captions = [f"{n} {s:.2f}" for n, s in zip(names, found.scores.tolist(), strict=True)]
    if captions:
        palette = ["#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"]
        colours = [palette[label % len(palette)] for label in found.labels.tolist()]
        image = draw_bounding_boxes(image, found.boxes, captions, colours, width=3)
    picture = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    with atomic_write(target) as file:
        picture.save(file, "PNG")


def find_pictures(paths: Iterable[Path]) -> list[Path]:
    """Return the given files, and the pictures of each given folder, sorted.

    Raises:
        FileNotFoundError: a folder contains no picture.
        ValueError: nothing was given.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in EXTENSIONS)
            if not inside:
                raise FileNotFoundError(f"the folder {path} contains no picture")
            found += inside
        else:
            found.append(path)
    if not found:
        raise ValueError("give at least one picture, or a folder of pictures")
    return found


def name_copies(pictures: Sequence[Path], out: Path) -> list[Path]:
    """Return a PNG path in `out` for each picture, no two the same.

    Raises:
        ValueError: a copy would overwrite a given picture.
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
            raise ValueError(f"{target} would be overwritten: give another folder with --out")
    return targets
