"""``python -m ssd_tutorial eval``: measure a detector (chapters 12 and 14)."""

import contextlib
import json
import math
import sys
from pathlib import Path

from ssd_tutorial._files import atomic_write
from ssd_tutorial.cli.options import OnError, find_device, print_dropped, print_log, use_threads
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect_dataset, load_detector
from ssd_tutorial.evaluate import COCO_SIZES, coco_ap, voc_ap


def eval_command(
    weights: Path,
    data: str = "scenes",
    split: str = "val",
    on_error: OnError = "raise",
    out: Path | None = None,
    workers: int = 0,
    threads: int = 0,
    device: str = "",
) -> None:
    """Measure a detector: AP of every class, mAP, and mAP by size of the objects.

    Args:
        weights: a file that `train` wrote.
        data: "scenes", or a folder in the layout of PASCAL VOC.
        split: which list of pictures to look at.
        on_error: impossible boxes and unreadable files in the data: stop, or leave them out and
            say which.
        out: the JSON file to write; by default eval-SPLIT.json beside the weights.
        workers: processes that load pictures.
        threads: processor threads; 0 lets torch decide.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    use_threads(threads)
    detector = load_detector(weights)
    network = detector.network.to(find_device(device))
    dataset = open_dataset(data, split, classes=detector.classes, on_error=on_error)
    print_dropped(dataset)
    with contextlib.ExitStack() as stack:
        print_log(stack, sys.stdout)
        found, truths = detect_dataset(network, dataset, workers=workers, on_error=on_error)
    voc = voc_ap(found, truths, detector.classes)
    eleven = voc_ap(found, truths, detector.classes, interpolation="11 points")
    by_size = {
        name: coco_ap(found, truths, detector.classes, iou_thresholds=[0.5], size=size).mean_ap
        for name, size in COCO_SIZES.items()
    }
    width = max(map(len, (*detector.classes, "class")))
    print(f"{'class':<{width}}  objects   AP@.5")
    for name, ap in voc.ap.items():
        print(f"{name:<{width}}  {voc.objects[name]:7d}  {ap:6.3f}")
    print(f"\nmAP@.5 (area)         {voc.mean_ap:.3f}   on {len(truths)} pictures")
    print(f"mAP@.5 (11 points)    {eleven.mean_ap:.3f}")
    print(f"mAP@.5:.95 (COCO)     {(coco := coco_ap(found, truths, detector.classes).mean_ap):.3f}")
    sizes = ", ".join(f"{name} {ap:.3f}" for name, ap in by_size.items())
    print(f"mAP@.5 by size (px²)  {sizes}")
    result = {
        "weights": weights.name,
        "data": Path(data).resolve().name,
        "split": split,
        "pictures": len(truths),
        "map50": voc.mean_ap,
        "map50_11_points": eleven.mean_ap,
        "map50_95_coco": coco,
        "map50_by_size": by_size,
        "ap50": voc.ap,
        "objects": voc.objects,
    }
    target = out or weights.with_name(f"eval-{split}.json")
    with atomic_write(target) as file:
        text = json.dumps(_without_nan(result), indent=2, allow_nan=False)
        file.write_text(text + "\n", encoding="utf-8")
    print(f"written to {target}")


def _without_nan(value):
    """The same with None for NaN, which JSON does not know: an AP with nothing to find."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
