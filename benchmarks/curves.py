"""Record the curves of right and wrong training runs: ``python -m benchmarks.curves``.

Trains slim300 on drawn scenes four times, with the same first weights and the same pictures in the
same order: once as it should be, and three times with one planted fault. The curves are kept in
data/runs/wrong_curves, from which chapter 15 draws them. About half a minute per curve on one core.
"""

import argparse
import csv
import json
import shlex
import sys
from collections.abc import Callable
from dataclasses import asdict, replace

import torch
from torch.utils.data import Dataset

from benchmarks.throughput import RUNS
from ssd_tutorial._files import atomic_write
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.training.loader import CachedDataset
from ssd_tutorial.training.log import Step
from ssd_tutorial.training.loop import train
from ssd_tutorial.training.provenance import processor
from ssd_tutorial.training.recipes import RECIPES, Recipe

SIZE = 300
FIELDS = ("samples", "total", "confidence", "localization", "positives")


class Spoilt(Dataset):
    """A dataset with a fault."""

    def __init__(self, dataset: Dataset, fault: Callable[[Dataset, int], tuple]):
        self.dataset, self.fault, self.classes = dataset, fault, dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple:
        return self.fault(self.dataset, index)


def boxes_of_the_next(dataset: Dataset, index: int) -> tuple:
    """Return annotations that belong to other pictures: a list that is off by one."""
    return dataset[index][0], dataset[(index + 1) % len(dataset)][1]


CURVES: dict[str, tuple[dict, Callable | None]] = {
    "as it should be": ({}, None),
    "learning rate too high": ({"lr": 0.1}, None),
    "learning rate too low": ({"lr": 3e-5}, None),
    "boxes of the next picture": ({}, boxes_of_the_next),
}


def record(name: str, recipe: Recipe, pictures: Dataset) -> list[Step]:
    changes, fault = CURVES[name]
    dataset = pictures if fault is None else Spoilt(pictures, fault)
    print(f"{name}: {recipe.samples} samples")
    _, history = train(dataset, replace(recipe, **changes), log_every=4)
    return history


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curves", description=__doc__)
    parser.add_argument("--samples", type=int, default=960, help="samples per curve (default: 960)")
    parser.add_argument("--pictures", type=int, default=240, help="drawn scenes (default: 240)")
    parser.add_argument("--record", metavar="NAME", default="wrong_curves")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    recipe = replace(RECIPES["laptop"], samples=options.samples)
    pictures = CachedDataset(Scenes(options.pictures, seed=0), SIZE)
    histories = {name: record(name, recipe, pictures) for name in CURVES}
    folder = RUNS / options.record
    for name, history in histories.items():
        path = folder / f"{name.replace(' ', '-')}.csv"
        with atomic_write(path) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(FIELDS)
            writer.writerows([getattr(line, field) for field in FIELDS] for line in history)
    words = sys.argv[1:] if arguments is None else arguments
    result = {
        "data": "scenes",
        "split": "train",
        "pictures": options.pictures,
        "settings": asdict(recipe),
        "curves": {
            name: {
                "file": f"{name.replace(' ', '-')}.csv",
                "fault": fault.__doc__ if fault else "",
                "changes": changes,
                "last": round(histories[name][-1].total, 3),
            }
            for name, (changes, fault) in CURVES.items()
        },
        "hardware": f"CPU {processor()}, 1 thread",
        "torch": torch.__version__,
        "command": shlex.join(["python", "-m", "benchmarks.curves", *words]),
    }
    with atomic_write(folder / "result.json") as file:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"kept in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
