"""The command line: ``python -m ssd_tutorial train | eval | detect`` (chapter 12)."""

import json
import math
import os
import shlex
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro
from torch.utils.data import Dataset

from ssd_tutorial.copies import draw_copy, find_pictures, name_copies
from ssd_tutorial.datasets import VOCFolder, open_dataset, read_picture
from ssd_tutorial.evaluate import COCO_SIZES, coco_ap, voc_ap
from ssd_tutorial.inference import detect, detect_dataset
from ssd_tutorial.samples import Resized
from ssd_tutorial.train import Settings, Step, train
from ssd_tutorial.weights import load_weights, save_weights
from ssd_tutorial.whole_files import written_whole

WEIGHTS = "weights.safetensors"
OnBad = Literal["raise", "drop"]


def train_command(
    out: Path,
    data: str = "scenes",
    split: str = "train",
    settings: tyro.conf.OmitArgPrefixes[Settings] = Settings(),  # noqa: B008 (frozen)
    on_bad: OnBad = "raise",
    in_memory: bool = True,
    workers: int = 0,
    threads: int = 0,
    device: str = "",
    log_every: int = 50,
) -> None:
    """Train a detector from random weights.

    Writes OUT/weights.safetensors, OUT/run.csv and checkpoints. Given a folder with an unfinished
    run of the same settings, it goes on from the last checkpoint.

    Args:
        out: folder of the run.
        data: "scenes" (drawn, nothing is downloaded), or a folder in the layout of PASCAL VOC.
        split: which list of pictures to train on.
        settings: how to train.
        on_bad: impossible boxes in the data: stop, or leave them out and say which.
        in_memory: decode and resize every picture once and keep it (270 KB each at 300 px).
        workers: processes that load pictures beside the training.
        threads: processor threads for the arithmetic; 0 lets torch decide.
        device: "cpu", "cuda", "cuda:1", …; empty takes a GPU if there is one.
        log_every: steps between two lines of losses.
    """
    _use_threads(threads)
    computes_on = _device(device)
    dataset = open_dataset(data, split, on_bad=on_bad)
    print(f"{data}, split {split}: {len(dataset)} pictures, classes {', '.join(dataset.classes)}")
    _print_dropped(dataset)
    if in_memory:
        size = 512 if settings.model == "ssd512" else 300
        dataset = Resized(dataset, size, workers=max(workers, (os.cpu_count() or 2) // 2))
    network, history = train(
        dataset,
        settings,
        out=out,
        device=computes_on,
        workers=workers,
        log_every=log_every,
        report=_print_step,
    )
    facts = {
        "data": Path(data).resolve().name,
        "split": split,
        "pictures": len(dataset),
        "settings": asdict(settings),
        "minutes": round(history[-1].s / 60, 1),
        "torch": torch.__version__,
    }
    save_weights(out / WEIGHTS, network, dataset.classes, facts)
    print(f"trained in {facts['minutes']} minutes; weights in {out / WEIGHTS}")


def eval_command(
    weights: Path,
    data: str = "scenes",
    split: str = "val",
    on_bad: OnBad = "raise",
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
        on_bad: impossible boxes in the data: stop, or leave them out.
        out: the JSON file to write; by default eval-SPLIT.json beside the weights.
        workers: processes that load pictures.
        threads: processor threads; 0 lets torch decide.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    _use_threads(threads)
    detector = load_weights(weights)
    network = detector.network.to(_device(device))
    dataset = open_dataset(data, split, classes=detector.classes, on_bad=on_bad)
    _print_dropped(dataset)
    found, truths = detect_dataset(network, dataset, workers=workers)
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
    print(f"\nmAP@.5 (area)         {voc.mean_ap:.3f}   on {len(dataset)} pictures")
    print(f"mAP@.5 (11 points)    {eleven.mean_ap:.3f}")
    print(f"mAP@.5:.95 (COCO)     {(coco := coco_ap(found, truths, detector.classes).mean_ap):.3f}")
    sizes = ", ".join(f"{name} {ap:.3f}" for name, ap in by_size.items())
    print(f"mAP@.5 by size (px²)  {sizes}")
    result = {
        "weights": weights.name,
        "data": Path(data).resolve().name,
        "split": split,
        "pictures": len(dataset),
        "map50": voc.mean_ap,
        "map50_11_points": eleven.mean_ap,
        "map50_95_coco": coco,
        "map50_by_size": by_size,
        "ap50": voc.ap,
        "objects": voc.objects,
    }
    target = out or weights.with_name(f"eval-{split}.json")
    with written_whole(target) as file:
        text = json.dumps(_without_nan(result), indent=2, allow_nan=False)
        file.write_text(text + "\n", encoding="utf-8")
    print(f"written to {target}")


def detect_command(
    images: Annotated[tuple[Path, ...], tyro.conf.Positional],
    weights: Path,
    out: Path = Path("detections"),
    score: float = 0.5,
    device: str = "",
) -> None:
    """Draw what a detector finds into copies of pictures.

    Args:
        images: pictures, or folders of pictures. One that cannot be read is named, and the others
            are done.
        weights: a file that `train` wrote.
        out: folder for the copies, as PNG; not the folder of the pictures.
        score: show detections with at least this score.
        device: "cpu" or "cuda"; empty takes a GPU if there is one.
    """
    detector = load_weights(weights)
    network = detector.network.to(_device(device))
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
        raise ValueError(f"{unread} of {len(pictures)} pictures could not be read, see above")


def _print_step(step: Step) -> None:
    print(
        f"step {step.step:6d}  samples {step.samples:8d}  loss {step.total:6.3f}"
        f"  (confidence {step.confidence:.3f}, localization {step.localization:.3f})"
        f"  lr {step.lr:.1e}  {step.samples / max(step.s, 1e-9):5.1f} pictures/s",
        flush=True,
    )


def _print_dropped(dataset: Dataset) -> None:
    if isinstance(dataset, VOCFolder) and dataset.dropped:
        print(dataset.summary())


def _device(name: str) -> torch.device:
    """The device of that name, after a try whether it computes."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name) if name else device
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f"--device {name} cannot be used here ({reason}): try cpu") from error
    return device


def _use_threads(threads: int) -> None:
    if threads < 0:
        raise ValueError(f"--threads must be 0 or more, not {threads}")
    if threads:
        torch.set_num_threads(threads)


def _without_nan(value):
    """The same with None for NaN, which JSON does not know: an AP with nothing to find."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if isinstance(value, float) and math.isnan(value) else value


def _sentence(error: Exception) -> str:
    """The error's own words: a loading process puts its whole traceback before them."""
    whole = str(error).rstrip()
    return whole.rsplit(f"\n{type(error).__name__}: ")[-1] if "\nTraceback" in whole else whole


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a mistake of the user ends in one sentence, not in a traceback."""
    commands = {"train": train_command, "eval": eval_command, "detect": detect_command}
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            prog="python -m ssd_tutorial",
            description="Train, measure and use an SSD.",
            args=arguments,
        )
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"ssd_tutorial: {_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        words = sys.argv[1:] if arguments is None else arguments
        again = shlex.join(["python", "-m", "ssd_tutorial", *words])
        how = f"; the same command goes on from the last checkpoint:\n  {again}"
        print(f"\nstopped{how if words[:1] == ['train'] else ''}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
