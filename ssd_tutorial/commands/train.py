"""``python -m ssd_tutorial train``: train a detector (chapters 12 and 15)."""

import os
from dataclasses import asdict
from pathlib import Path

import torch
import tyro

from ssd_tutorial.commands.common import OnBad, find_device, print_dropped, use_threads
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.samples import Resized
from ssd_tutorial.train import Settings, Step, train
from ssd_tutorial.weights import save_weights

WEIGHTS = "weights.safetensors"


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
    use_threads(threads)
    computes_on = find_device(device)
    dataset = open_dataset(data, split, on_bad=on_bad)
    print(f"{data}, split {split}: {len(dataset)} pictures, classes {', '.join(dataset.classes)}")
    print_dropped(dataset)
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


def _print_step(step: Step) -> None:
    print(
        f"step {step.step:6d}  samples {step.samples:8d}  loss {step.total:6.3f}"
        f"  (confidence {step.confidence:.3f}, localization {step.localization:.3f})"
        f"  lr {step.lr:.1e}  {step.samples / max(step.s, 1e-9):5.1f} pictures/s",
        flush=True,
    )
