"""``python -m ssd_tutorial train``: train a detector (chapters 12, 15 and 16)."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch.utils.data import Dataset

from ssd_tutorial._files import atomic_write
from ssd_tutorial.cli.options import find_device, print_dropped, print_log, use_threads
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.datasets.folder import OnError
from ssd_tutorial.training.distributed import Devices
from ssd_tutorial.training.learnable import check_learnable
from ssd_tutorial.training.loader import CachedDataset
from ssd_tutorial.training.log import Step, measured, read_log
from ssd_tutorial.training.loop import train
from ssd_tutorial.training.recipes import RECIPES, Recipe, get_recipe
from ssd_tutorial.training.run_folder import BEST, LOG, RunFolder
from ssd_tutorial.training.validation import Validation
from ssd_tutorial.weights.file import WEIGHTS, save_weights

CURVES = "curves.png"


def train_command(
    out: Path,
    data: str = "scenes",
    split: str = "train",
    recipe: Annotated[str, tyro.conf.arg(metavar="|".join(RECIPES))] = "laptop",
    settings: tyro.conf.OmitArgPrefixes[Recipe] = RECIPES["laptop"],
    on_error: OnError = "raise",
    in_memory: bool = True,
    workers: int = 0,
    threads: int = 0,
    device: str = "",
    compile: bool = False,
    val_every: int = 0,
    val_split: str = "val",
    patience: int = 0,
    checkpoint_every: int = 2_000,
    log_every: int = 50,
) -> None:
    """Train a detector.

    Writes OUT/weights.safetensors and, beside it, a record of the run: settings.json,
    environment.json, run.csv, curves.png, tensorboard/ and two checkpoints; with --val-every, also
    weights-best.safetensors, those of the highest mAP so far. Given a folder with an unfinished run
    of the same settings, it resumes from the last checkpoint.

    On several GPUs: torchrun --nproc-per-node 4 -m ssd_tutorial train ...

    Args:
        out: folder of the run. On Colab, a folder in the mounted drive survives a disconnection.
        data: "scenes" (drawn, nothing is downloaded); a folder in the layout of PASCAL VOC, COCO
            or YOLO; or "voc0712", "coco" or "bccd", once "data get" has fetched it.
        split: which list of pictures to train on.
        recipe: the settings to start from: laptop (from random weights on a CPU, in minutes),
            voc0712 (Caffe's final schedule, for which the paper reports 77.2 mAP on VOC),
            voc0712_first (the paper's first schedule; it reports 74.3), coco. The settings below
            show its values; train --recipe coco --help shows those of coco.
        settings: how to train.
        on_error: impossible boxes and unreadable files in the data: stop, or leave them out and say
            which.
        in_memory: decode and resize every picture once and keep it (270 KB each at 300 px).
        workers: processes that load pictures during training.
        threads: processor threads for the arithmetic; 0 lets torch decide.
        device: "cpu", "cuda", "cuda:1", …; empty takes a GPU if there is one.
        compile: compile the network with torch.compile, which pays off in long runs on a GPU.
        val_every: samples between two measurements on --val-split: mAP, and the loss without
            augmentation; 0 measures never. The weights of the last step are the same either way.
        val_split: the list of pictures to measure on.
        patience: stop after this many measurements in a row without a better mAP; 0: never.
        checkpoint_every: samples between two checkpoints.
        log_every: steps between two lines of losses.
    """
    use_threads(threads)
    if min(workers, val_every, patience) < 0:
        raise ValueError("--workers, --val-every and --patience must be 0 or more")
    devices = Devices(find_device(device), settings.precision)
    with contextlib.ExitStack() as stack:
        stack.callback(devices.close)
        main = devices.is_main_process
        print_log(stack, sys.stdout if main else sys.stderr)
        if not main:  # only the first process prints
            stack.enter_context(contextlib.redirect_stdout(None))
        dataset = open_dataset(data, split, on_error=on_error)
        classes = ", ".join(dataset.classes)
        print(f"{data}, split {split}: {len(dataset)} pictures, classes {classes}")
        print_dropped(dataset)
        check_learnable(dataset, settings)  # before all pictures are loaded
        step = RunFolder(out, asdict(settings), dataset.classes, writes=main).step()
        if step * settings.batch_size >= settings.samples and (out / WEIGHTS).is_file():
            print(f"this run is complete; weights in {out / WEIGHTS}")
            return
        if in_memory:
            dataset = _in_memory(dataset, settings, workers, on_error)
        validation = None
        if val_every:
            unseen = open_dataset(data, val_split, dataset.classes, on_error)
            unseen = _in_memory(unseen, settings, workers, on_error)
            validation = Validation(unseen, val_every, patience)
        if main:
            stack.push(lambda *error: _draw_curves(out, error[1]))
        network, history = train(
            dataset,
            settings,
            out=out,
            devices=devices,
            workers=workers,
            on_error=on_error,
            compile=compile,
            validation=validation,
            checkpoint_every=checkpoint_every,
            log_every=log_every,
            report=_print_step,
        )
        if main:
            metadata = {
                "data": Path(data).resolve().name,
                "split": split,
                "pictures": len(dataset),
                "settings": asdict(settings),
                "minutes": round(history[-1].seconds / 60, 1),
                "torch": torch.__version__,
            }
            save_weights(out / WEIGHTS, network, dataset.classes, metadata)
            print(f"trained in {metadata['minutes']} minutes; weights in {out / WEIGHTS}")
            if history[-1].samples < settings.samples:
                print(f"stopped early: no better mAP in {patience} measurements")
            if measurements := measured(history):
                best = max(measurements, key=lambda step: step.val_map50)
                print(
                    f"those are of the last step, {history[-1].step}; the best, of step {best.step}"
                    f" with mAP {best.val_map50:.3f} on {val_split}, in {out / BEST}"
                )


def train_command_of(recipe: str) -> Callable[..., None]:
    """Return `train_command` with a recipe's settings, and what suits them, as its defaults."""
    if recipe == "laptop":
        return train_command
    return functools.partial(
        train_command,
        recipe=recipe,
        settings=get_recipe(recipe),
        in_memory=False,  # crops are taken from pictures at full size
        workers=os.cpu_count() or 1,
        checkpoint_every=32_000,
    )


def _in_memory(dataset: Dataset, recipe: Recipe, workers: int, on_error: OnError) -> CachedDataset:
    size, several = recipe.model_preset().priors.image_size, (os.cpu_count() or 2) // 2
    kept = CachedDataset(dataset, size, max(workers, several), on_error=on_error)
    print(*(f"left out: {reason}\n" for reason in kept.dropped), sep="", end="")
    return kept


def _draw_curves(out: Path, error: BaseException | None) -> None:
    """Draw the run's log so far; after an error, draw nothing, so that the error is noticed."""
    failed = isinstance(error, Exception) or not (out / LOG).is_file()
    if history := [] if failed else read_log(out / LOG):
        from ssd_tutorial.figures.plots import draw_run  # here: matplotlib takes a second

        with atomic_write(out / CURVES) as file:
            draw_run(history).savefig(file, format="png", dpi=120)


def _print_step(step: Step) -> None:
    found = ""
    if step.val_map50 is not None:
        found = f"  validation mAP {step.val_map50:.3f}, loss {step.val_total:.3f}"
    print(
        f"step {step.step:6d}  samples {step.samples:8d}  loss {step.total:6.3f}"
        f"  (confidence {step.confidence:.3f}, localization {step.localization:.3f})"
        f"  lr {step.lr:.1e}  {step.samples / max(step.seconds, 1e-9):5.1f} pictures/s{found}",
        flush=True,
    )
