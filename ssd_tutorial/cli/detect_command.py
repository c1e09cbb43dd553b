"""``python -m ssd_tutorial detect``: find objects in pictures (chapters 12, 13 and 16)."""

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import tyro

from ssd_tutorial._files import refuse_unwritable
from ssd_tutorial.cli.options import find_device
from ssd_tutorial.cli.terminal import complain
from ssd_tutorial.datasets import read_picture
from ssd_tutorial.datasets.messages import listing, near
from ssd_tutorial.deploy.annotate import find_pictures, name_copies, write_copy
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.deploy.listing import list_picture, refuse_foreign, write_csv, write_json
from ssd_tutorial.weights.file import Detector


def detect_command(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional],
    weights: Path,
    out: Path = Path("detections"),
    json: Path | None = None,
    csv: Path | None = None,
    draw: bool = True,
    score: tyro.conf.UseAppendAction[tuple[str, ...]] = (),
    iou: float | None = None,
    batch_size: int = 8,
    overwrite: bool = False,
    device: str = "",
) -> int:
    """Find objects in pictures: draw them into copies, and list them for other programs.

    Boxes are in pixels of the picture as it is seen, turned upright by its EXIF orientation. The
    exit code is 1 if a picture could not be read; the others are done all the same.

    Args:
        images: pictures, or folders of pictures. What cannot be read, and what lies in a folder
            and is not a picture, is named and passed over.
        weights: a file that `train` wrote (.safetensors) or `export` did (.onnx), the folder of a
            run, "scenes" for the book's detector of drawn scenes, "bccd" for that of blood cells,
            or "coco" for torchvision's SSD300 with 80 classes, which is downloaded once (136 MB).
        out: folder for the copies, as PNG. A file in it is replaced only if it is an earlier copy.
        json: file for the list of all pictures with name, score and box of each detection.
        csv: the same as a table: picture, name, score, xmin, ymin, xmax, ymax.
        draw: write copies with the detections drawn into them.
        score: the lowest score to show, 0.5 by default; --score cat=0.7 sets that of one class.
            Give the option several times for several classes.
        iou: overlap above which the better of two boxes of a class suppresses the other (0.45).
        batch_size: pictures that are computed at once.
        overwrite: replace files that detect has not written. Originals are never replaced.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    pictures, others = find_pictures(images)
    targets = name_copies(pictures, out, overwrite) if draw else [None] * len(pictures)
    for path in filter(None, (json, csv) if not overwrite else ()):
        refuse_foreign(path)
    if draw:
        refuse_unwritable(out)
    detector = load_detector(weights, find_device(device))
    thresholds = _thresholds(score, detector)
    if others:
        names = [f"{path.name}/" if path.is_dir() else path.name for path in others]
        complain(f"skipped, because they are not pictures: {listing(names, 8, ', ')}")
    limits = {} if iou is None else {"iou_threshold": iou}
    listed, unread = [], []
    try:
        for start in range(0, len(pictures), batch_size):
            paths, read = pictures[start : start + batch_size], {}
            for path, target in zip(paths, targets[start : start + batch_size], strict=True):
                try:
                    read[path, target] = read_picture(path)
                except (ValueError, OSError) as error:
                    complain(error)
                    unread.append({"picture": str(path), "reason": str(error)})
            found = detect(
                detector, read.values(), batch_size=batch_size, score_threshold=thresholds, **limits
            )
            for ((path, target), image), one in zip(read.items(), found, strict=True):
                names = detector.names(one.labels)
                listed.append(list_picture(path, image, one, names))
                if target:
                    write_copy(image, one, names, target)
                counts = ", ".join(f"{n} {name}" for name, n in Counter(names).most_common())
                print(f"{path.name}: {counts or 'nothing'}{f' -> {target}' if target else ''}")
    finally:  # an interruption or a full disk does not lose what was found
        complete = len(listed) + len(unread) == len(pictures)
        if json:
            facts = {"weights": str(weights), "score": thresholds, "complete": complete}
            write_json(json, listed, **facts, unread=unread)
        if csv:
            write_csv(csv, listed)
        for path in filter(None, (json, csv)):
            print(f"written to {path}{'' if complete else ', as far as it got'}")
    if unread:
        complain(f"{len(unread)} of {len(pictures)} pictures could not be read (see above)")
    return 1 if unread else 0


def _thresholds(words: Sequence[str], detector: Detector) -> dict[str, float]:
    """Return the lowest score for each class, from words like "0.5" and "cat=0.7"."""
    fixed = getattr(detector.network, "limits", None) or {}
    found = dict.fromkeys(detector.classes, max(0.5, fixed.get("score_threshold", 0)))
    one_class = {}
    for word in words:
        name, _, number = word.rpartition("=")
        value = _score(word, number)
        if not name:
            found = dict.fromkeys(detector.classes, value)
        elif name in found:
            one_class[name] = value
        else:
            raise ValueError(
                f"--score {word}: the weights have no class {name!r}{near(name, detector.classes)}"
                f" Their classes: {', '.join(detector.classes)}"
            )
    return found | one_class


def _score(word: str, number: str) -> float:
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        percent = f", such as {value / 100:g} for {value:g} %" if 1 < value <= 100 else ""
        raise ValueError(f"--score {word}: a score is a number from 0 to 1{percent}")
    return value
