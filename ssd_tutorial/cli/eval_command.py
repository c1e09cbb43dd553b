"""``python -m ssd_tutorial eval``: measure a detector (chapters 12 and 14)."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from torch.utils.data import Dataset

from ssd_tutorial._files import as_json, write_file
from ssd_tutorial.cli import options
from ssd_tutorial.datasets import SkipUnreadable, open_dataset
from ssd_tutorial.datasets.folder import OnError
from ssd_tutorial.deploy.inference import detect_dataset, load_detector
from ssd_tutorial.doctor.measures import measure

_JSON_SIGN, _PAGE_SIGN = '"map50_11_points": ', "ssd_tutorial eval"


def eval_command(
    weights: Path,
    data: str = "scenes",
    split: str = "val",
    on_error: OnError = "raise",
    out: Path | None = None,
    page: bool = True,
    workers: int = 0,
    threads: int = 0,
    device: str = "",
) -> None:
    """Measure a detector: AP per class and by size, suggested thresholds, confident errors.

    Args:
        weights: a file that `train` wrote, or the folder of a run.
        data: "scenes" (drawn, nothing is downloaded); a folder in the layout of PASCAL VOC, COCO
            or YOLO; or "voc0712", "coco" or "bccd", once "data get" has fetched it.
        split: which list of pictures to evaluate on.
        on_error: impossible boxes and unreadable files in the data: stop, or leave them out and
            say which.
        out: the JSON file to write; by default eval-SPLIT.json in the folder of the weights.
        page: also write an HTML report beside it: curves, confusion, and the most confident errors
            as pictures.
        workers: processes that load pictures.
        threads: processor threads; 0 lets torch decide.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    options.use_threads(threads)
    if workers < 0:
        raise ValueError(f"--workers must be 0 or more, not {workers}")
    target = out or (weights if weights.is_dir() else weights.parent) / f"eval-{split}.json"
    options.refuse_foreign(target, _JSON_SIGN)
    if page:
        options.refuse_foreign(target.with_suffix(".html"), _PAGE_SIGN)
    detector = load_detector(weights)
    network = detector.network.to(options.find_device(device))
    dataset = _open(data, split, detector.classes, on_error)
    options.print_dropped(dataset)
    with contextlib.ExitStack() as stack:
        options.print_log(stack, sys.stdout)
        found, truths = detect_dataset(network, dataset, workers=workers, on_error=on_error)
    measures = measure(found, truths, detector.classes)
    about = {"weights": weights.name, "data": Path(data).resolve().name, "split": split}
    try:  # the numbers are safe before a terminal can fail, and are told if a disk does
        write_file(target, as_json(about | measures.to_dict()))
    finally:
        print(measures.class_table(), measures.summary_table(), sep="\n\n")
    print(f"written to {target}")
    if page:
        # imported here, so that --no-page does not wait for matplotlib
        from ssd_tutorial.doctor.page import evaluation_page

        title = "{weights} on {data}, split {split}".format(**about)
        kept = range(len(dataset)) if len(truths) == len(dataset) else _readable(dataset)
        html = evaluation_page(measures, dataset, kept, title)
        write_file(target.with_suffix(".html"), html.encode(errors="replace"))
        print(f"report to look at: {target.with_suffix('.html')}")


def _open(data: str, split: str, classes: Sequence[str], on_error: OnError) -> Dataset:
    """Open the data with the detector's classes; if it has others, name those of both."""
    try:
        return open_dataset(data, split, classes=classes, on_error=on_error)
    except ValueError:
        there = open_dataset(data, split, on_error="drop").classes
        if set(there) <= set(classes):
            raise
        raise ValueError(
            f"the weights know the classes {', '.join(classes)}, but {data} has "
            f"{', '.join(there)}: measure on data with the classes of the weights"
        ) from None


def _readable(dataset: Dataset) -> list[int]:
    """Return the indices of the pictures that `detect_dataset` did not leave out."""
    items = SkipUnreadable(dataset, "drop")
    return [index for index in range(len(dataset)) if not isinstance(items[index], str)]
