"""What a start from trained weights is worth on few pictures of one's own: data/runs/own_scenes.

    python tools/record_own.py

Trains chapter 16's detector, of its four classes, on few and on more pictures, from random weights
and from those of ``scenes_slim300``, and measures each on the same 60 others. The record is written
anew after every run; runs that it holds are not repeated.
"""

import argparse
import json
import platform
import time
from pathlib import Path

import torch

from ssd_tutorial.data_files import data_path
from ssd_tutorial.datasets import Relabelled, Scenes
from ssd_tutorial.evaluate import voc_ap
from ssd_tutorial.inference import detect_dataset
from ssd_tutorial.recipes import Recipe
from ssd_tutorial.samples import Resized
from ssd_tutorial.train import train
from ssd_tutorial.whole_files import written_whole

ROOT = Path(__file__).parent.parent
CLASSES = {
    "airplane": "aircraft",
    "balloon": "aircraft",
    "kite": "aircraft",
    "car": "car",
    "cat": "cat",
    "mushroom": "plant",
    "tree": "plant",
}
STARTS = {"random": ("", 3e-3), "scenes_slim300": ("weights/scenes_slim300.safetensors", 1e-3)}
PICTURES = (120, 30)


def main(words: list[str] | None = None) -> None:
    """Read the command line, run what is missing, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1000, help="pictures seen in each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--records", type=Path, default=ROOT / "data" / "runs")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    file = arguments.records / "own_scenes" / "result.json"
    record = _begin(arguments, json.loads(file.read_text()) if file.is_file() else {})
    drawn = {}
    for seed in arguments.seeds:
        for pictures in PICTURES:
            for start in STARTS:
                row = {"start": start, "pictures": pictures, "seed": seed}
                if not any(row.items() <= done.items() for done in record["rows"]):
                    if not drawn:
                        drawn["train"] = _draw(max(PICTURES), 0)
                        drawn["val"] = _draw(60, 100_000)
                    record["rows"].append(row | _run(arguments, drawn, start, pictures, seed))
                    _write(record, file)


def _draw(count: int, start: int) -> Resized:
    scenes = Scenes(count, seed=16, start=start)
    return Resized(Relabelled(scenes, CLASSES), 300, progress=False)


class _First(torch.utils.data.Subset):
    """The first few pictures of a set."""

    def __init__(self, dataset, count: int):
        super().__init__(dataset, range(count))
        self.classes = dataset.classes


def _run(arguments, drawn: dict, start: str, pictures: int, seed: int) -> dict:
    file, lr = STARTS[start]
    recipe = Recipe(
        samples=arguments.samples, lr=lr, start=str(data_path(file)) if file else "", seed=seed
    )
    began = time.perf_counter()
    network, _ = train(_First(drawn["train"], pictures), recipe, progress=False)
    minutes = (time.perf_counter() - began) / 60
    found, truths = detect_dataset(network, drawn["val"], progress=False)
    measured = voc_ap(found, truths, drawn["val"].classes)
    print(f"{start}, {pictures} pictures, seed {seed}: {measured.mean_ap:.3f}", flush=True)
    return {
        "lr": lr,
        "map50": round(measured.mean_ap, 4),
        "ap50": {name: round(ap, 4) for name, ap in measured.ap.items()},
        "minutes": round(minutes, 1),
    }


def _begin(arguments, old: dict) -> dict:
    """The record's head; rows of an older record of the same samples are kept."""
    same = old.get("samples") == arguments.samples
    seeds = " ".join(map(str, arguments.seeds))
    return {
        "data": "scenes of seed 16 under four classes of chapter 16, as they are drawn",
        "split": "the first pictures",
        "measured_on": "60 others, from number 100000",
        "model": "slim300",
        "preset": "caffe300_voc",
        "samples": arguments.samples,
        "seeds": arguments.seeds,
        "hardware": f"CPU {platform.machine()}, {arguments.threads} thread, shared with others",
        "command": f"python tools/record_own.py --samples {arguments.samples} --seeds {seeds}",
        "rows": old["rows"] if same else [],
    }


def _write(record: dict, file: Path) -> None:
    record["map50"] = [row["map50"] for row in record["rows"]]
    record["minutes"] = [row["minutes"] for row in record["rows"]]
    with written_whole(file) as new:
        new.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
