"""What each augmentation is worth: train and measure one recipe with each, and keep the record.

    python tools/record_ablation.py bccd_augmentation --data PATH/TO/BCCD --on-error drop

Everything goes through the command line that readers use: ``python -m ssd_tutorial train`` and
``eval``. A variant whose run is complete is not run again; an unfinished one goes on from its
checkpoint. The record is data/runs/NAME/result.json, with the mAP of every variant and seed, and
the losses as VARIANT-seed-N.csv beside it. It is written anew after each run, so that a record of
fewer seeds can be read while the others train.
"""

import argparse
import csv
import json
import platform
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent

ALL = "--vertical-flip --crop caffe --crop-prob 1 --expand 4 --distort --interpolation random"
VARIANTS = {
    "none": "--no-horizontal-flip",
    "flips": "--vertical-flip",
    "flips and crop": "--vertical-flip --crop caffe --crop-prob 1",
    "all of SSD's": ALL,
    "flips and expansion": "--vertical-flip --expand 4",
    "flips and distortion": "--vertical-flip --distort",
}


def main(words: list[str] | None = None) -> None:
    """Read the command line, run what is missing, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the record: a folder below data/runs")
    parser.add_argument("--data", default="scenes", help='"scenes" or a folder of pictures')
    parser.add_argument("--on-error", choices=("raise", "drop"), default="raise")
    parser.add_argument("--samples", type=int, default=4000, help="pictures seen in each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="folder of the full runs")
    parser.add_argument("--records", type=Path, default=ROOT / "data" / "runs")
    arguments = parser.parse_args(words)
    for seed in arguments.seeds:  # all variants once, then all again
        for variant in VARIANTS:
            _train_and_measure(arguments, variant, seed)
            _write_record(arguments)


def _folder(arguments, variant: str, seed: int) -> Path:
    name = variant.replace(" ", "_").replace("'", "")
    return arguments.work.resolve() / f"{arguments.name}-{name}-seed-{seed}"


def _train_and_measure(arguments, variant: str, seed: int) -> None:
    folder = _folder(arguments, variant, seed)
    data = ["--data", arguments.data, "--on-error", arguments.on_error]
    threads = ["--threads", str(arguments.threads)]
    if not (folder / "weights.safetensors").is_file():
        size = ["--samples", str(arguments.samples), "--seed", str(seed)]
        _run(["train", "--out", str(folder), *data, *threads, *size, *VARIANTS[variant].split()])
    if not (folder / "eval.json").is_file():
        weights = ["--weights", str(folder / "weights.safetensors"), "--split", "val"]
        _run(["eval", *weights, *data, *threads, "--out", str(folder / "eval.json")])


def _run(command: list[str]) -> None:
    whole = [sys.executable, "-m", "ssd_tutorial", *command]
    print("$", shlex.join(["python", *whole[1:]]), flush=True)
    code = subprocess.run(whole).returncode
    if code:
        sys.exit(code)  # it has said why


def _write_record(arguments) -> None:
    name = "scenes" if arguments.data == "scenes" else Path(arguments.data).resolve().name
    target = arguments.records / arguments.name
    target.mkdir(parents=True, exist_ok=True)
    variants, seeds, minutes = {}, set(), []
    for variant, flags in VARIANTS.items():
        done = [s for s in arguments.seeds if _measured(arguments, variant, s).is_file()]
        if not done:
            continue
        seeds |= set(done)
        results = [json.loads(_measured(arguments, variant, s).read_text()) for s in done]
        logs = [_copy_log(arguments, variant, s, target) for s in done]
        minutes += [round(float(log[-1]["seconds"]) / 60, 1) for log in logs]
        variants[variant] = {
            "flags": flags,
            "seeds": done,
            "map50": [round(r["map50"], 5) for r in results],
            "ap50": [{k: round(v, 5) for k, v in r["ap50"].items()} for r in results],
            "last_loss": [round(float(log[-1]["total"]), 4) for log in logs],
        }
    drop = f" --on-error {arguments.on_error}" if arguments.on_error != "raise" else ""
    record = {
        "data": name,
        "split": "train",
        "measured_on": "val",
        "preset": "caffe300_voc",
        "model": "slim300",
        "samples": arguments.samples,
        "seeds": sorted(seeds),
        "map50": [m for v in variants.values() for m in v["map50"]],
        "minutes": minutes,
        "hardware": f"CPU {platform.machine()}, {arguments.threads} thread, shared with others",
        "variants": variants,
        "command": f"python tools/record_ablation.py {arguments.name} --data {name}{drop}"
        f" --samples {arguments.samples} --seeds {' '.join(map(str, arguments.seeds))}",
    }
    there = target / "result.json"
    if there.is_file():  # longer runs, entered by hand with their commands
        record |= {k: v for k, v in json.loads(there.read_text()).items() if k == "long"}
    there.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _measured(arguments, variant: str, seed: int) -> Path:
    return _folder(arguments, variant, seed) / "eval.json"


def _copy_log(arguments, variant: str, seed: int, target: Path) -> list[dict]:
    folder = _folder(arguments, variant, seed)
    with (folder / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (target / f"{folder.name.removeprefix(arguments.name + '-')}.csv").open("w") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{float(v):.6g}" if "." in v else v for k, v in row.items()})
    return rows


if __name__ == "__main__":
    main()
