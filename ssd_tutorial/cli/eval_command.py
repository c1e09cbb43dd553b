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
from ssd_tutorial.figures.tables import Table


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
    """Measure a detector: AP per class, mAP, and mAP by size of the objects.

    Args:
        weights: a file that `train` wrote.
        data: "scenes" (drawn, nothing is downloaded); a folder in the layout of PASCAL VOC, COCO
            or YOLO; or "voc0712", "coco" or "bccd", once "data get" has fetched it.
        split: which list of pictures to evaluate on.
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
    eleven = voc_ap(found, truths, detector.classes, interpolation="11 points").mean_ap
    coco = coco_ap(found, truths, detector.classes).mean_ap
    by_size = {
        name: coco_ap(found, truths, detector.classes, iou_thresholds=[0.5], size=size).mean_ap
        for name, size in COCO_SIZES.items()
    }
    rows = [[name, voc.objects[name], f"{ap:.3f}"] for name, ap in voc.ap.items()]
    print(Table(["class", "objects", "AP@0.5"], rows), end="\n\n")
    measures = {"mAP@0.5": voc.mean_ap, "mAP@0.5, 11 points": eleven, "mAP@0.5:0.95, COCO": coco}
    measures |= {f"mAP@0.5, {name} objects": ap for name, ap in by_size.items()}
    rows = [[name, f"{value:.3f}"] for name, value in measures.items()]
    print(Table([f"on {len(truths)} pictures", ""], rows))
    result = {
        "weights": weights.name,
        "data": Path(data).resolve().name,
        "split": split,
        "pictures": len(truths),
        "map50": voc.mean_ap,
        "map50_11_points": eleven,
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
    """Replace NaN by None, as JSON has no NaN: the AP of a class without objects."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value
