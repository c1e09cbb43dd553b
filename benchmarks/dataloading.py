"""Time the work before the network: ``python -m benchmarks.dataloading``.

Writes pictures of 500 x 375 pixels as JPEG, as PASCAL VOC's are, reads them back with the recipe's
augmentation, and prints

* milliseconds per picture for every step, in one process: reading, choosing distortion, expansion
  and crop, computing the pixels that remain, resizing, …
* pictures per second with 0, 1 and 2 loading processes, by wall-clock or processor time.

A GPU that trains g pictures per second needs g / (pictures per second of one process) of them. With
``--record NAME`` the numbers are kept in data/runs/NAME/result.json, where chapter 15 reads them.
"""

import argparse
import json
import os
import resource
import shlex
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from torch.utils.data import Dataset
from torchvision.transforms import v2
from tqdm.auto import tqdm

from benchmarks.throughput import RUNS
from ssd_tutorial._files import atomic_write
from ssd_tutorial.augment import training_transform
from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.datasets import Scenes, VOCFolder, write_voc
from ssd_tutorial.training.loader import TrainingStream, load_batches
from ssd_tutorial.training.provenance import processor
from ssd_tutorial.training.recipes import RECIPES, Recipe

WIDTH, HEIGHT = 500, 375  # of most pictures of PASCAL VOC


class LikeVOC(Dataset):
    """Drawn scenes in the shape of VOC's pictures."""

    def __init__(self, count: int):
        self.scenes, self.classes = Scenes(count, seed=0, size=WIDTH), Scenes.classes
        self.shape = v2.Resize((HEIGHT, WIDTH), antialias=True)

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, index: int) -> tuple:
        return self.shape(*self.scenes[index])


class Timed(Dataset):
    """A dataset whose reading is timed."""

    def __init__(self, dataset: Dataset, spent: dict[str, float]):
        self.dataset, self.spent, self.classes = dataset, spent, dataset.classes

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple:
        start = time.process_time()
        item = self.dataset[index]
        self.spent["read and decode"] += time.process_time() - start
        return item


def transform_of(recipe: Recipe):
    size = recipe.model_preset().priors.image_size
    names = (
        "horizontal_flip",
        "vertical_flip",
        "crop",
        "crop_prob",
        "expand",
        "distort",
        "interpolation",
    )
    return training_transform(size, **{name: getattr(recipe, name) for name in names})


def profile(dataset: Dataset, recipe: Recipe, pictures: int) -> dict[str, float]:
    """Return the milliseconds of processor time per picture for each step, in this process."""
    spent: dict[str, float] = defaultdict(float)
    transform = transform_of(recipe)
    for step in transform.transform.transforms:
        watch(step, type(step).__name__, spent)
    samples = TrainingStream(Timed(dataset, spent), transform, pictures, seed=0)
    start = time.process_time()
    total = pictures // recipe.batch_size
    with mock.patch.object(Framed, "pixels", timed(Framed.pixels, "pixels", spent)):
        for _ in tqdm(batches_of(samples, recipe), total=total, desc="steps", disable=None):
            pass
    spent["all else"] = time.process_time() - start - sum(spent.values())
    return {name: round(1000 * seconds / pictures, 2) for name, seconds in spent.items()}


def watch(step: torch.nn.Module, name: str, spent: dict[str, float]) -> None:
    """Add a step's time to `spent`, without the pixels that it had computed: they have a row."""
    started = []

    def now() -> float:
        return time.process_time() - spent["pixels"]

    step.register_forward_pre_hook(lambda *_: started.append(now()))

    def stop(*_):
        spent[name] += now() - started.pop()

    step.register_forward_hook(stop)


def timed(function: Callable, name: str, spent: dict[str, float]) -> Callable:
    def wrapper(*arguments):
        start = time.process_time()
        result = function(*arguments)
        spent[name] += time.process_time() - start
        return result

    return wrapper


def batches_of(samples: TrainingStream, recipe: Recipe, workers: int = 0):
    classes = len(samples.dataset.classes) + 1
    return load_batches(samples, recipe.batch_size, classes, workers=workers)


def pictures_per_second(
    dataset: Dataset, recipe: Recipe, pictures: int, workers: int, clock: str
) -> float:
    """Measure wall-clock time from each process's first batch on; processor time from the start."""
    samples = TrainingStream(dataset, transform_of(recipe), pictures, seed=0)
    before = processor_seconds()
    batches = batches_of(samples, recipe, workers)
    for _ in range(max(1, workers)):
        next(batches)
    start = time.perf_counter()
    seen = sum(len(images) for images, *_ in batches)
    if clock == "wall":
        return seen / (time.perf_counter() - start)
    del batches  # ends the processes; their seconds are known only then
    return pictures / (processor_seconds() - before)


def processor_seconds() -> float:
    """Return the seconds of this process and of its child processes that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dataloading", description=__doc__)
    parser.add_argument("--recipe", choices=RECIPES, default="voc0712")
    parser.add_argument("--files", type=int, default=64, help="pictures on disk (default: 64)")
    parser.add_argument(
        "--pictures", type=int, default=320, help="pictures loaded per row (default: 320)"
    )
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2], metavar="W")
    parser.add_argument(
        "--clock",
        choices=("wall", "processor"),
        default="wall",
        help="for the last table. processor: seconds of all processes together, which stay valid on"
        " a machine that others use, too (default: wall)",
    )
    parser.add_argument("--record", metavar="NAME", help="keep the numbers in data/runs/NAME")
    options = parser.parse_args(arguments)
    batch = RECIPES[options.recipe].batch_size
    least = batch * (1 + max(1, *options.workers))
    if options.pictures < least:
        parser.error(
            f"--pictures must be {least} or more: a batch of {batch} for each process, and one"
        )
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(1)
    recipe = RECIPES[options.recipe]
    with tempfile.TemporaryDirectory() as folder:
        write_voc(LikeVOC(options.files), folder, "train")
        dataset = VOCFolder(folder, "train", classes=Scenes.classes)
        sizes = [path.stat().st_size for path in Path(folder).glob("JPEGImages/*.jpg")]
        steps = profile(dataset, recipe, options.pictures)
        rates = {
            workers: round(
                pictures_per_second(dataset, recipe, options.pictures, workers, options.clock), 1
            )
            for workers in options.workers
        }
    record = {
        "device": processor(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "recipe": options.recipe,
        "kilobytes_a_file": round(sum(sizes) / len(sizes) / 1000, 1),
        "pictures": options.pictures,
        "clock": options.clock,
        "milliseconds_a_picture": steps,
        "pictures_a_second_by_workers": rates,
    }
    print(", ".join(f"{k} {v}" for k, v in record.items() if not isinstance(v, dict)))
    whole = sum(steps.values())
    for name, milliseconds in steps.items():
        print(f"{name:<28} {milliseconds:>7.2f} ms  {milliseconds / whole:>4.0%}")
    print(
        f"{'together':<28} {whole:>7.2f} ms, {1000 / whole:.0f} pictures per second of one process"
    )
    for workers, rate in rates.items():
        print(f"{workers} loading processes: {rate:.1f} pictures per second ({options.clock})")
    if options.record:
        words = sys.argv[1:] if arguments is None else arguments
        record["command"] = shlex.join(["python", "-m", "benchmarks.dataloading", *words])
        with atomic_write(RUNS / options.record / "result.json") as file:
            file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        print(f"kept in {RUNS / options.record / 'result.json'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
