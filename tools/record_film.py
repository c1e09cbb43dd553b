"""Record the film strip of chapter 12: ``python tools/record_film.py``.

Trains the recipe of data/runs/scenes_slim300 again, with its first seed, until ``--last``, and
keeps the weights at each of `MOMENTS`. Then measures the untrained network, these weights, and
those that come with the package, which saw all samples of the recipe: the loss and the mAP on
pictures that training has not seen, the loss on as many that it has, and what each network detects
in the four scenes of `SCENES`. The command resumes where it was interrupted. On a quiet core, 6000
samples take ten minutes.
"""

import argparse
import csv
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from record import HARD, ROOT, first_scenes, hardware, result_of, rounded, write_record
from torch.utils.data import Dataset, Subset

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import SCENE_CLASSES, open_dataset
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.training.distributed import Devices
from ssd_tutorial.training.loader import CachedDataset, TrainingStream
from ssd_tutorial.training.log import Step
from ssd_tutorial.training.loop import train
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.training.validation import Validation
from ssd_tutorial.weights.file import load_weights, save_weights

NAME = "scenes_film"
MOMENTS = (208, 400, 800, 1200, 1600, 2400, 3200, 4000, 4800, 6000)
"""Samples after which the weights are kept: whole batches of the recipe."""
SCENES = (3, 10, 15, 17)
"""Of the validation split: the four that chapter 12 shows."""
MEASURED = 50  # pictures seen, and as many unseen
LEAST, MOST = 0.1, 40  # the lowest score of a detection that is kept, and how many are


class Moments(Validation):
    """Keeps the weights of a run at some moments, and ends it after `last` samples."""

    folder: Path
    last: int

    def is_due(self, before: int, seen: int, last: bool) -> bool:
        """Return whether a step has reached a moment."""
        return any(before < moment <= seen for moment in MOMENTS)

    def measure(self, network: SSD, devices: Devices, loss_function: Callable) -> list[float]:
        """Keep the weights, and measure them as any run does, for its log."""
        save_weights(self.folder / "weights-now.safetensors", network, self.dataset.classes)
        return super().measure(network, devices, loss_function)

    def gives_up(self, history: Sequence[Step]) -> bool:
        """Return whether the last moment has come."""
        return bool(history) and history[-1].samples >= self.last


def train_until(last: int, folder: Path, recipe: Recipe) -> list[Step]:
    """Train, or resume; return the run's reports."""
    folder.mkdir(parents=True, exist_ok=True)
    moments = Moments(first_scenes("val", 8), 1)
    moments.folder, moments.last = folder, last

    def report(step: Step) -> None:
        now = folder / "weights-now.safetensors"
        if now.is_file():
            now.rename(folder / f"weights-{step.samples}.safetensors")
        print(step, flush=True)

    options = {"workers": 1, "log_every": 25, "checkpoint_every": 400, "progress": False}
    whole = open_dataset("scenes", "train")
    return train(whole, recipe, out=folder, validation=moments, report=report, **options)[1]


def seen_pictures(recipe: Recipe) -> Dataset:
    """Return the pictures of the run's first samples, as they are, without augmentation."""
    whole = open_dataset("scenes", "train")
    order = TrainingStream(whole, lambda item: item, recipe.samples, recipe.seed)._order_of(0)
    return CachedDataset(Part(whole, order[:MEASURED]), 300, progress=False)


class Part(Subset):
    """Some pictures of a dataset, with its classes."""

    classes = SCENE_CLASSES


def frame(network: SSD, samples: int, seen: Dataset, unseen: Dataset, pictures: list) -> dict:
    """Return what a network is worth, and what it detects in the pictures."""
    devices = Devices("cpu", "fp32")
    _, known = Validation(seen, 1).measure(network, devices, multibox_loss)
    map50, new = Validation(unseen, 1).measure(network, devices, multibox_loss)
    network.eval()
    found = []
    for one in detect(network, pictures):
        one = one.above(LEAST)
        rows = zip(one.labels.tolist(), one.scores.tolist(), one.boxes.tolist(), strict=True)
        boxes = [[k - 1, round(s, 3), *(round(x / 300, 4) for x in box)] for k, s, box in rows]
        found.append(boxes[:MOST])
    losses = rounded({"seen": known, "unseen": new, "map50": map50})
    return {"samples": samples, **losses, "detections": found}


def agreement(log: list[Step]) -> list[list[float]]:
    """Return samples, our loss and the recorded run's, where both were reported."""
    with data_path(f"runs/{HARD}/seed-0.csv").open(newline="") as file:
        recorded = {int(row["samples"]): float(row["total"]) for row in csv.DictReader(file)}
    rows, start = [], 0
    for samples, total in recorded.items():
        ours = [step for step in log if start < step.samples <= samples]
        if ours and ours[-1].samples == samples:
            ends = [start, *(step.samples for step in ours)]
            sizes = [after - before for before, after in itertools.pairwise(ends)]
            whole = sum(step.total * size for step, size in zip(ours, sizes, strict=True))
            rows.append([samples, round(whole / (samples - start), 3), round(total, 3)])
        start = samples
    return rows


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--last", type=int, default=MOMENTS[-1], choices=MOMENTS)
    parser.add_argument("--work", type=Path, default=ROOT / "runs" / NAME)
    parser.add_argument("--records", type=Path, default=ROOT / "data")
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    recipe = Recipe(seed=0)
    log = train_until(options.last, options.work, recipe)
    write(options, recipe, [step for step in log if step.samples <= options.last])
    return 0


def write(options: argparse.Namespace, recipe: Recipe, log: list[Step]) -> None:
    """Measure all networks and write the record."""
    torch.manual_seed(recipe.seed)
    networks = {0: SSD(recipe.model_preset(), len(SCENE_CLASSES) + 1)}
    for moment in MOMENTS:
        if moment <= options.last:
            weights = options.work / f"weights-{moment}.safetensors"
            networks[moment] = load_weights(weights).network
    networks[recipe.samples] = load_weights(data_path(f"weights/{HARD}.safetensors")).network
    seen = seen_pictures(recipe)
    unseen = CachedDataset(first_scenes("val", MEASURED), 300, progress=False)
    pictures = [open_dataset("scenes", "val")[scene][0] for scene in SCENES]
    frames = []
    for samples, network in networks.items():
        done = options.work / f"frame-{samples}.json"
        if not done.is_file():
            measured = frame(network, samples, seen, unseen, pictures)
            done.write_text(json.dumps(measured), encoding="utf-8")
        frames.append(result_of(options.work, done.stem))
        print({key: value for key, value in frames[-1].items() if key != "detections"}, flush=True)
    before = result_of(data_path(f"runs/{HARD}"), "result")
    options.name = NAME
    record = {
        "data": "scenes",
        "split": "train",
        "measured_on": "val",
        "pictures": len(open_dataset("scenes", "train")),
        "pictures_measured": MEASURED,
        "model": recipe.model,
        "preset": recipe.model_preset().priors.name,
        "samples": options.last,
        "seeds": [recipe.seed],
        "map50": [each["map50"] for each in frames],
        "minutes": [round(log[-1].seconds / 60, 1)],
        "hardware": f"{hardware(1)}, shared with others",
        "torch": torch.__version__,
        "settings": asdict(recipe),
        "last_frame": {"weights": f"data/weights/{HARD}.safetensors", "torch": before["torch"]},
        "agreement": agreement(log),
        "scenes": list(SCENES),
        "least_score": LEAST,
        "command": f"python tools/record_film.py --last {options.last}",
        "frames": frames,
    }
    write_record(options, record, {"seed-0": options.work})
    there = options.records / "runs" / NAME / "result.json"
    there.write_text(short_rows(json.loads(there.read_text(encoding="utf-8"))), encoding="utf-8")


def short_rows(record: dict) -> str:
    """Return the record as JSON, with the detections of a picture in one line."""
    rows = {}
    for number, each in enumerate(record["frames"]):
        for place, found in enumerate(each["detections"]):
            rows[f'"{number} {place}"'] = json.dumps(found)
            each["detections"][place] = f"{number} {place}"
    text = json.dumps(record, indent=2)
    for name, row in rows.items():
        text = text.replace(name, row)
    return text + "\n"


if __name__ == "__main__":
    sys.exit(main())
