"""``python -m ssd_tutorial detect``: draw what a detector finds (chapters 12 and 13)."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import tyro

from ssd_tutorial.cli.options import find_device
from ssd_tutorial.datasets import read_picture
from ssd_tutorial.deploy.annotate import draw_copy, find_pictures, name_copies
from ssd_tutorial.deploy.inference import detect, load_detector


def detect_command(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional],
    weights: Path,
    out: Path = Path("detections"),
    score: float = 0.5,
    device: str = "",
) -> None:
    """Draw what a detector finds into copies of pictures.

    Args:
        images: pictures, or folders of pictures. A picture that cannot be read is reported and
            skipped.
        weights: a file that `train` wrote (.safetensors) or `export` did (.onnx), or "coco" for
            torchvision's SSD300 with 80 classes, which is downloaded once (136 MB).
        out: folder for the copies, as PNG; not the folder of the originals.
        score: show detections with at least this score.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    detector = load_detector(weights)
    network = detector.network.to(find_device(device))
    pictures = find_pictures(images)
    targets = name_copies(pictures, out)
    out.mkdir(parents=True, exist_ok=True)
    unread = 0
    for path, target in zip(pictures, targets, strict=True):
        try:
            image = read_picture(path)
        except (ValueError, OSError) as error:
            print(f"ssd_tutorial: {error}", file=sys.stderr)
            unread += 1
            continue
        found = detect(network, [image], score_threshold=score)[0]
        names = [detector.classes[label - 1] for label in found.labels.tolist()]
        draw_copy(image, found, names, target)
        counts = ", ".join(f"{count} {name}" for name, count in Counter(names).most_common())
        print(f"{path.name}: {counts or 'nothing'} -> {target}")
    if unread:
        raise ValueError(f"{unread} of {len(pictures)} pictures could not be read (see above)")
