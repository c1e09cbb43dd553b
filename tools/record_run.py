"""Train and measure one recipe with several seeds, and keep the record in data/runs/NAME.

    python tools/record_run.py scenes_slim300 --data scenes
    python tools/record_run.py bccd_slim300 --data PATH/TO/BCCD --on-error drop -- --vertical-flip

Everything goes through the command line that readers use: ``python -m ssd_tutorial train`` and
``eval``. What follows ``--`` is passed on to ``train``. A seed whose run is complete is not run
again, if its command was the same; an unfinished one goes on from its checkpoint. The record holds

* ``result.json``: what was trained on what, how, and the mAP of every seed,
* ``seed-N.csv``: the losses of every seed,

and the weights of the first seed go to data/weights/NAME.safetensors. Another folder than data:
``--records FOLDER``.
"""

import argparse
import csv
import json
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ssd_tutorial.training.provenance import processor  # noqa: E402
from ssd_tutorial.training.recipes import Recipe, current_settings  # noqa: E402
from ssd_tutorial.weights.file import read_header  # noqa: E402


def main(words: list[str] | None = None) -> None:
    """Read the command line, run what is missing, write the record."""
    own, passed_on = _split_arguments(sys.argv[1:] if words is None else words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the record: a folder below data/runs")
    parser.add_argument("--data", default="scenes", help='"scenes" or a folder in VOC layout')
    parser.add_argument("--split", default="train", help="split to train on")
    parser.add_argument("--val", default="val", help="split to measure on")
    parser.add_argument("--on-error", choices=("raise", "drop"), default="raise")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: torch's")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="folder of the full runs")
    parser.add_argument(
        "--records", type=Path, default=ROOT / "data", help="where runs/ and weights/ are kept"
    )
    arguments = parser.parse_args(own)
    arguments.work = arguments.work.resolve()  # the commands run in the repository's root
    if arguments.data != "scenes":
        arguments.data = str(Path(arguments.data).resolve())

    folders = [arguments.work / f"{arguments.name}-seed-{seed}" for seed in arguments.seeds]
    for seed, folder in zip(arguments.seeds, folders, strict=True):
        _train_and_measure(arguments, passed_on, seed, folder)
    _write_record(arguments, passed_on, folders)


def _split_arguments(arguments: list[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return arguments, []
    at = arguments.index("--")
    return arguments[:at], arguments[at + 1 :]


def _train_and_measure(arguments, passed_on: list[str], seed: int, folder: Path) -> None:
    data = ["--data", arguments.data, "--on-error", arguments.on_error]
    threads = ["--threads", str(arguments.threads)]
    training = ["--out", str(folder), "--split", arguments.split, "--seed", str(seed)]
    command = ["train", *training, *data, *threads, *passed_on]
    _refuse_another(folder / "command.json", command)
    if not (folder / "weights.safetensors").is_file():
        _run(command)
    if not (folder / "eval.json").is_file():
        measuring = ["--weights", str(folder / "weights.safetensors"), "--split", arguments.val]
        _run(["eval", *measuring, *data, *threads, "--out", str(folder / "eval.json")])


def _refuse_another(path: Path, command: list[str]) -> None:
    """Note the command of a seed; end if the seed was trained by another one."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(command) + "\n", encoding="utf-8")
    elif (before := json.loads(path.read_text(encoding="utf-8"))) != command:
        sys.exit(f"{path.parent} was trained by another command, {shlex.join(before)}: remove it")


def _run(command: list[str]) -> None:
    whole = [sys.executable, "-m", "ssd_tutorial", *command]
    print("$", shlex.join(["python", *whole[1:]]), flush=True)
    code = subprocess.run(whole, cwd=ROOT).returncode
    if code:
        sys.exit(code)  # it has said why


def _write_record(arguments, passed_on: list[str], folders: list[Path]) -> None:
    results = [json.loads((folder / "eval.json").read_text()) for folder in folders]
    all_facts = [read_header(folder / "weights.safetensors").metadata for folder in folders]
    metadata = all_facts[0]
    for folder, other in zip(folders, all_facts, strict=True):
        if _recipe(other) != _recipe(metadata):
            sys.exit(f"{folder} holds a run with other settings than {folders[0]}: remove one")
    maps = [round(result["map50"], 4) for result in results]
    name = "scenes" if arguments.data == "scenes" else Path(arguments.data).name
    shown = [name if word == arguments.data else word for word in passed_on]
    drop = ["--on-error", arguments.on_error] if arguments.on_error != "raise" else []
    train = ["train", "--out", "RUN", "--data", name, "--split", arguments.split, *drop, *shown]
    record = {
        "data": name,
        "split": arguments.split,
        "measured_on": arguments.val,
        "pictures": metadata["pictures"],
        "pictures_measured": results[0]["pictures"],
        "model": metadata["settings"]["model"],
        "preset": Recipe(**_recipe(metadata)).model_preset().priors.name,
        "samples": metadata["settings"]["samples"],
        "seeds": arguments.seeds,
        "map50": maps,
        "map50_mean": round(statistics.mean(maps), 4),
        "map50_spread": round(max(maps) - min(maps), 4),
        "map50_11_points": [round(r["map50_11_points"], 4) for r in results],
        "map50_95_coco": [round(r["map50_95_coco"], 4) for r in results],
        "map50_by_size": [rounded(r["map50_by_size"]) for r in results],
        "ap50": [rounded(r["ap50"]) for r in results],
        "objects": results[0]["objects"],
        "minutes": [one["minutes"] for one in all_facts],
        "hardware": hardware(arguments.threads),
        "torch": metadata["torch"],
        "commits": [_commit(folder) for folder in folders],
        "settings": _recipe(metadata),
        "command": shlex.join(["python", "-m", "ssd_tutorial", *train, "--seed", "SEED"]),
    }
    target = arguments.records / "runs" / arguments.name
    target.mkdir(parents=True, exist_ok=True)
    for seed, folder in zip(arguments.seeds, folders, strict=True):
        copy_log(folder / "run.csv", target / f"seed-{seed}.csv")
    (target / "result.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    weights = arguments.records / "weights" / f"{arguments.name}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folders[0] / "weights.safetensors", weights)
    print(f"mAP@.5 {maps}, mean {record['map50_mean']}; record in {target}")


def _commit(folder: Path) -> str | None:
    """The commit that the run's last start had, with + if files had been changed since."""
    git = json.loads((folder / "environment.json").read_text(encoding="utf-8"))[-1]["git"]
    return git and git["commit"] + ("+" if git["dirty"] else "")


def _recipe(metadata: dict) -> dict:
    settings = current_settings(metadata["settings"])
    return {key: value for key, value in settings.items() if key != "seed"}


def rounded(numbers: dict[str, float | None]) -> dict[str, float | None]:
    return {key: None if value is None else round(value, 4) for key, value in numbers.items()}


def copy_log(source: Path, target: Path) -> None:
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    with target.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        for row in rows:
            short = {k: f"{float(v):.6g}" if "." in v else v for k, v in row.items()}
            writer.writerow(short)


def hardware(threads: int) -> str:
    used = threads or torch.get_num_threads()
    return f"CPU {processor()}, {used} thread{'s' if used > 1 else ''}"


if __name__ == "__main__":
    main()
