"""Train SSD with some of its priors left out, and record what that costs in data/runs/NAME.

    python tools/record_priors.py scenes_priors

The network is the same in every run. The outputs of a prior that is left out are dropped before the
loss and before decoding: it is neither positive nor negative, and detects nothing. "squares" keeps
those of ratio 1, "no thirds" leaves 3 and 1/3 out, "one map" keeps the 19 x 19 map, "not the
finest" leaves the 38 x 38 map out, and "no border" leaves out what crosses the picture's border.

A complete run is not repeated. The record is data/runs/NAME/result.json, with the losses as CSV
beside it; it is written again after each run.
"""

import argparse
import functools
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import torch
from record import (
    ROOT,
    complete,
    first_scenes,
    folder_of,
    hardware,
    minutes_of,
    result_of,
    rounded,
    write_record,
)
from torch import Tensor

from ssd_tutorial._files import as_json, write_file
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect_dataset
from ssd_tutorial.doctor.measures import measure
from ssd_tutorial.loss import MultiBoxLoss, multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import MODELS, Preset
from ssd_tutorial.priors import make_priors, priors_per_map
from ssd_tutorial.training.loop import train
from ssd_tutorial.training.recipes import Recipe

MODEL = "slim300"


def maps_of(preset: Preset) -> Tensor:
    """Return the index of every prior's map, ``[P]``."""
    counts = torch.tensor(priors_per_map(preset))
    return torch.arange(len(counts)).repeat_interleave(counts)


def inside(preset: Preset) -> Tensor:
    """Return which priors lie within the picture, ``[P]``."""
    corners = cxcywh_to_xyxy(make_priors(preset))
    return ((corners >= 0) & (corners <= 1)).all(dim=-1)


def wide(preset: Preset) -> Tensor:
    """Return how many times longer the longer side of every prior is, ``[P]``."""
    sides = make_priors(preset)[:, 2:]
    return sides.amax(dim=1) / sides.amin(dim=1)


KEPT: dict[str, Callable[[Preset], Tensor]] = {
    "all": lambda preset: torch.ones(len(make_priors(preset)), dtype=torch.bool),
    "no thirds": lambda preset: wide(preset) < 2.5,
    "squares": lambda preset: wide(preset) < 1.5,
    "one map": lambda preset: maps_of(preset) == 1,
    "not the finest": lambda preset: maps_of(preset) > 0,
    "no border": inside,
}
"""Which priors a variant keeps, ``[P]`` bool."""


def loss_of(keep: Tensor, logits, offsets, targets, priors_cxcywh, **options) -> MultiBoxLoss:
    """`multibox_loss` of the priors that are kept."""
    kept = priors_cxcywh[keep]
    return multibox_loss(logits[:, keep], offsets[:, keep], targets, kept, **options)


def leave_out(network: SSD, keep: Tensor) -> None:
    """Make a network output only the priors that are kept."""
    network.register_forward_hook(lambda _, __, outputs: [x[:, keep] for x in outputs])
    network.priors = network.priors[keep]


def train_without(arguments, variant: str, seed: int) -> None:
    """Train and measure one variant unless that is done."""
    folder = folder_of(arguments, variant.replace(" ", "_"), seed)
    if (folder / "eval.json").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    keep = KEPT[variant](MODELS[MODEL].priors)
    print(f"training with {variant}: {int(keep.sum())} priors, seed {seed} ...", flush=True)
    scenes = open_dataset("scenes", "train")
    recipe = Recipe(model=MODEL, samples=arguments.samples, seed=seed)
    loss = functools.partial(loss_of, keep)
    network, _ = train(scenes, recipe, out=folder, loss_function=loss)
    leave_out(network, keep)
    found, truths = detect_dataset(network, first_scenes("val", arguments.pictures))
    measures = measure(found, truths, scenes.classes)
    write_file(folder / "eval.json", as_json(measures.to_dict()))


def write(arguments) -> None:
    """Write the record of what is complete."""
    preset, variants, logs = MODELS[MODEL].priors, {}, {}
    for variant, kept in KEPT.items():
        label = variant.replace(" ", "_")
        folders = complete(arguments, label)
        if not folders:
            continue
        logs |= {f"{label}-seed-{seed}": folder for seed, folder in folders.items()}
        results = [result_of(folder) for folder in folders.values()]
        variants[variant] = {
            "priors": int(kept(preset).sum()),
            "seeds": list(folders),
            "map50": [round(result["map50"], 4) for result in results],
            "map50_by_size": [rounded(result["map50_by_size"]) for result in results],
            "map50_95_coco": [round(result["map50_95_coco"], 4) for result in results],
            "ap50": [rounded(result["ap50"]) for result in results],
        }
    seeds = list(map(str, arguments.seeds))
    words = [arguments.name, "--samples", str(arguments.samples), "--seeds", *seeds]
    record = {
        "data": "scenes",
        "split": "train",
        "measured_on": "val",
        "pictures_measured": arguments.pictures,
        "preset": preset.name,
        "model": MODEL,
        "samples": arguments.samples,
        "seeds": arguments.seeds,
        "map50": [value for variant in variants.values() for value in variant["map50"]],
        "minutes": [minutes_of(folder) for folder in logs.values()],
        "hardware": f"{hardware(arguments.threads)}, shared with others",
        "variants": variants,
        "command": shlex.join(["python", "tools/record_priors.py", *words]),
    }
    write_record(arguments, record, logs)


def main(words: list[str] | None = None) -> None:
    """Train what is missing, and write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the record: a folder below data/runs")
    parser.add_argument("--samples", type=int, default=6000, help="pictures that a run sees")
    parser.add_argument("--pictures", type=int, default=300, help="to measure on")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--variants", nargs="+", choices=KEPT, default=list(KEPT))
    parser.add_argument("--threads", type=int, default=1, help="0 leaves the choice to torch")
    parser.add_argument("--records", type=Path, default=ROOT / "data", help="where runs/ is kept")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="of the complete runs")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    for seed in arguments.seeds:
        for variant in arguments.variants:
            train_without(arguments, variant, seed)
            write(arguments)


if __name__ == "__main__":
    main()
