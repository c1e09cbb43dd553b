"""What mining is worth: train one recipe with other choices of negatives, and keep the record.

    python tools/record_mining.py scenes_mining

"hard" is SSD's own choice, whose runs are those of data/runs/scenes_slim300; "random" takes as
many negatives, but any; "all" takes every one. The recipe is "laptop", the data are the drawn
scenes, and each run is measured as readers do it, with ``python -m ssd_tutorial eval``. A run that
is complete is not run again; an unfinished one starts anew, because "random" draws on torch's
random numbers.
The record is data/runs/NAME/result.json, with the losses as VARIANT-seed-N.csv beside it. It is
written anew after each run. Besides mAP it says what the scores mean: how many detections reach 0.5
and how many of them are hits, and how many times too large p(object) is on the mean.
"""

import argparse
import functools
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch
from record_run import ROOT, copy_log, hardware, rounded

from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import ground_truth
from ssd_tutorial.detect import postprocess
from ssd_tutorial.evaluate import GroundTruth, voc_ap
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import all_negatives, random_negatives
from ssd_tutorial.targets import make_targets
from ssd_tutorial.training.loop import train
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.weights.file import load_weights, save_weights

MINERS = {"random": random_negatives, "all": all_negatives}
HARD = "scenes_slim300"


def main(words: list[str] | None = None) -> None:
    """Read the command line, run what is missing, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the record: a folder below data/runs")
    parser.add_argument("--samples", type=int, default=Recipe().samples, help="pictures a run sees")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1, help="processor threads")
    parser.add_argument(
        "--no-training", action="store_true", help="only measure the runs that are complete"
    )
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="folder of the full runs")
    parser.add_argument("--records", type=Path, default=ROOT / "data" / "runs")
    arguments = parser.parse_args(words)
    torch.set_num_threads(arguments.threads)
    for seed in arguments.seeds:  # all variants once, then all again
        for variant in MINERS:
            done = _folder(arguments, variant, seed) / "weights.safetensors"
            if done.is_file() or not arguments.no_training:
                _train_and_measure(arguments, variant, seed)
                _write_record(arguments)


def _folder(arguments, variant: str, seed: int) -> Path:
    return arguments.work.resolve() / f"{arguments.name}-{variant}-seed-{seed}"


def _train_and_measure(arguments, variant: str, seed: int) -> None:
    folder = _folder(arguments, variant, seed)
    if not (folder / "weights.safetensors").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        recipe = Recipe(samples=arguments.samples, seed=seed)
        loss = functools.partial(multibox_loss, mine=MINERS[variant])
        print(f"training with {variant} negatives, seed {seed} ...", flush=True)
        scenes = open_dataset("scenes", "train")
        network, _ = train(scenes, recipe, out=folder, loss_function=loss)
        save_weights(folder / "weights.safetensors", network, scenes.classes)
    if not (folder / "eval.json").is_file():
        command = ["eval", "--weights", str(folder / "weights.safetensors"), "--data", "scenes"]
        command += ["--threads", str(arguments.threads), "--out", str(folder / "eval.json")]
        whole = [sys.executable, "-m", "ssd_tutorial", *command]
        if code := subprocess.run(whole, cwd=ROOT).returncode:
            sys.exit(code)  # it has said why
    if not (folder / "scores.json").is_file():
        _measure_scores(folder / "weights.safetensors", folder / "scores.json")


@torch.inference_mode()
def _measure_scores(weights: Path, out: Path, split: str = "val") -> None:
    """What the scores of a detector mean, on one split of the scenes."""
    detector = load_weights(weights)
    network, scenes = detector.network.eval(), open_dataset("scenes", split)
    said, positives, found, truths = 0.0, 0, [], []
    for image, target in (scenes[i] for i in range(len(scenes))):
        logits, offsets = network(image[None])
        truth: GroundTruth = ground_truth(target)
        boxes = truth.boxes / network.image_size
        targets = make_targets([boxes], [truth.labels], network.num_classes)
        said += float((1 - logits.softmax(dim=-1)[..., 0]).sum())
        positives += int(match(network.priors, targets).positive.sum())
        found += postprocess(logits, offsets, network.priors)
        truths.append(truth._replace(boxes=boxes))
    curves = voc_ap(found, truths, detector.classes)
    at_half = {"detections": 0, "hits": 0, "objects": sum(curves.objects.values())}
    for name, curve in curves.curves.items():
        kept = int((curve.scores >= 0.5).sum())  # scores fall
        at_half["detections"] += kept
        at_half["hits"] += round(curve.recall[kept - 1] * curves.objects[name]) if kept else 0
    text = {"at_half": at_half, "p_object_over_positives": round(said / positives, 3)}
    out.write_text(json.dumps(text) + "\n", encoding="utf-8")


def _write_record(arguments) -> None:
    target = arguments.records / arguments.name
    target.mkdir(parents=True, exist_ok=True)
    hard = json.loads((ROOT / "data" / "runs" / HARD / "result.json").read_text(encoding="utf-8"))
    kept = ("seeds", "map50", "map50_by_size", "ap50", "minutes", "command")
    variants = {"hard": {key: hard[key] for key in kept} | {"record": HARD}}
    scores = arguments.work.resolve() / f"{arguments.name}-hard-scores.json"
    if not scores.is_file():
        _measure_scores(ROOT / "data" / "weights" / f"{HARD}.safetensors", scores)
    variants["hard"] |= {key: [x] for key, x in json.loads(scores.read_text()).items()}
    for variant in MINERS:
        folders = {seed: _folder(arguments, variant, seed) for seed in arguments.seeds}
        folders = {s: folder for s, folder in folders.items() if (folder / "scores.json").is_file()}
        if not folders:
            continue
        results = [json.loads((f / "eval.json").read_text()) for f in folders.values()]
        for seed, folder in folders.items():
            copy_log(folder / "run.csv", target / f"{variant}-seed-{seed}.csv")
        variants[variant] = {
            "seeds": list(folders),
            "map50": [round(result["map50"], 4) for result in results],
            "map50_by_size": [rounded(result["map50_by_size"]) for result in results],
            "ap50": [rounded(result["ap50"]) for result in results],
            "minutes": [_minutes(folder) for folder in folders.values()],
        } | _scores_of(list(folders.values()))
    seeds = [str(seed) for seed in arguments.seeds]
    command = ["python", "tools/record_mining.py", arguments.name, "--seeds", *seeds]
    record = {
        "data": "scenes",
        "split": "train",
        "measured_on": "val",
        "preset": "caffe300_voc",
        "model": "slim300",
        "samples": arguments.samples,
        "seeds": arguments.seeds,
        "map50": [value for variant in variants.values() for value in variant["map50"]],
        "minutes": [value for variant in variants.values() for value in variant["minutes"]],
        "hardware": f"{hardware(arguments.threads)}, shared with others",
        "variants": variants,
        "command": shlex.join([*command, "--samples", str(arguments.samples)]),
    }
    (target / "result.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"record in {target}")


def _scores_of(folders: list[Path]) -> dict[str, list]:
    each = [json.loads((folder / "scores.json").read_text()) for folder in folders]
    return {key: [one[key] for one in each] for key in each[0]}


def _minutes(folder: Path) -> float:
    last = (folder / "run.csv").read_text(encoding="utf-8").strip().splitlines()[-1]
    return round(float(last.split(",")[-1]) / 60, 1)


if __name__ == "__main__":
    main()
