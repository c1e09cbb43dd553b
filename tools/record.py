"""Train, measure, and record the results that the book quotes in data/runs/NAME.

    python tools/record.py run scenes_slim300 --data scenes
    python tools/record.py run bccd_slim300 --data PATH/TO/BCCD --on-error drop -- --vertical-flip
    python tools/record.py ablation bccd_augmentation --data PATH/TO/BCCD --on-error drop
    python tools/record.py mining scenes_mining
    python tools/record.py hardest bccd_hardest --data PATH/TO/BCCD --on-error drop \\
        --weights data/weights/bccd_slim300.safetensors

``run`` trains one recipe with several seeds; what follows ``--`` is passed on to ``train``. The
weights of the first seed go to data/weights/NAME.safetensors. ``ablation`` trains one recipe
without augmentation and with all of SSD's, in each of several lengths, and keeps how mAP and loss
on unseen pictures went. ``mining`` trains one with other losses: "hard" is SSD's own, whose runs
are those of data/runs/scenes_slim300; "random" takes as many negatives at random, "all" takes all
of them, "ratio-1" and "ratio-10" take so many of the hardest per positive, and "focal" weights
every prior as RetinaNet does. Besides mAP it measures what the scores mean. Variants that are not
asked for keep their entries. ``hardest`` does not train: it lists, per picture, the negative that
mining would take first.

Training and measuring use the same command line as readers do, except for mining's losses, which
it does not offer. A complete training run is not repeated if its command was the same; an
unfinished one resumes from its checkpoint (mining's starts again: "random" uses torch's random
numbers). The record is data/runs/NAME/result.json, with the losses as CSV beside it; it is written
again after each run. Entries made by hand (``long``, ``looked_at``) are kept.
"""

import argparse
import csv
import functools
import json
import math
import shlex
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy
from torchvision.transforms.v2 import functional as F

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from ssd_tutorial.boxes import decode, iou  # noqa: E402
from ssd_tutorial.datasets import Scenes, open_dataset  # noqa: E402
from ssd_tutorial.deploy.inference import ground_truth  # noqa: E402
from ssd_tutorial.detect import postprocess  # noqa: E402
from ssd_tutorial.evaluate import voc_ap  # noqa: E402
from ssd_tutorial.loss import MultiBoxLoss, multibox_loss  # noqa: E402
from ssd_tutorial.matching import match  # noqa: E402
from ssd_tutorial.mining import all_negatives, random_negatives  # noqa: E402
from ssd_tutorial.network import SSD  # noqa: E402
from ssd_tutorial.targets import make_targets  # noqa: E402
from ssd_tutorial.training.loop import train  # noqa: E402
from ssd_tutorial.training.provenance import processor  # noqa: E402
from ssd_tutorial.training.recipes import Recipe, current_settings  # noqa: E402
from ssd_tutorial.weights.file import (  # noqa: E402
    Detector,
    load_weights,
    read_header,
    save_weights,
)

AUGMENTATIONS = {
    "none": "--no-horizontal-flip",
    "all of SSD's": "--vertical-flip --crop caffe --crop-prob 1 --expand 4 --distort"
    " --interpolation random",
}
MEASURED = 10  # times that a run of `ablation` is measured on unseen pictures
HARD = "scenes_slim300"
FOREGROUND = 0.01  # p(object) of every prior before the first step, under the focal loss


def main(words: list[str] | None = None) -> None:
    """Read the command line, run what is missing, write the record."""
    words = sys.argv[1:] if words is None else words
    at = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, record, samples, seeds, threads in (
        ("run", record_run, None, [0, 1, 2], 0),
        ("ablation", record_ablation, [4000, 40000], [0, 1, 2], 1),
        ("mining", record_mining, Recipe().samples, [0], 1),
        ("hardest", record_hardest, None, None, 0),
    ):
        one = kinds.add_parser(kind)
        one.set_defaults(record=record)
        one.add_argument("name", help="name of the record: a folder below data/runs")
        one.add_argument(
            "--records", type=Path, default=ROOT / "data", help="where runs/ and weights/ are kept"
        )
        if kind != "mining":
            one.add_argument("--data", default="scenes", help='"scenes" or a folder of pictures')
            one.add_argument("--on-error", choices=("raise", "drop"), default="raise")
        if kind in ("run", "hardest"):
            one.add_argument("--split", default="train", help="split to train on, or to examine")
        if kind == "run":
            one.add_argument("--val", default="val", help="split to measure on")
        if samples:
            several = {"nargs": "+"} if kind == "ablation" else {}
            what = "pictures that a run sees"
            one.add_argument("--samples", type=int, default=samples, help=what, **several)
        if seeds:
            one.add_argument("--seeds", type=int, nargs="+", default=seeds)
            one.add_argument(
                "--threads", type=int, default=threads, help="0 leaves the choice to torch"
            )
            one.add_argument(
                "--work", type=Path, default=ROOT / "runs", help="folder of the complete runs"
            )
        if kind == "mining":
            one.add_argument("--variants", nargs="+", choices=LOSSES, default=list(LOSSES))
            one.add_argument(
                "--no-training", action="store_true", help="only measure complete runs"
            )
        if kind == "hardest":
            one.add_argument("--weights", type=Path, required=True)
    arguments = parser.parse_args(words[:at])
    arguments.passed_on = words[at + 1 :]
    if arguments.kind != "run" and arguments.passed_on:
        parser.error(f"{arguments.kind} passes nothing on to train")
    if getattr(arguments, "data", "scenes") != "scenes":
        arguments.data = str(Path(arguments.data).resolve())  # commands run in the root
    arguments.record(arguments)


# --- what the four have in common -----------------------------------------------------------------


def folder_of(arguments, label: str, seed: int) -> Path:
    """Return the folder of the complete run, of which the record keeps the numbers."""
    middle = f"-{label}" if label else ""
    return arguments.work.resolve() / f"{arguments.name}{middle}-seed-{seed}"


def complete(arguments, label: str, done: str = "eval") -> dict[int, Path]:
    """Return, by seed, the folders of a variant's runs that have been measured."""
    folders = {seed: folder_of(arguments, label, seed) for seed in arguments.seeds}
    return {s: folder for s, folder in folders.items() if (folder / f"{done}.json").is_file()}


def trained(arguments, folder: Path, seed: int, *more: str) -> None:
    """Train a run by the command line unless it is complete; exit if another command began it."""
    data = ["--data", arguments.data, "--on-error", arguments.on_error]
    command = ["train", "--out", str(folder), "--seed", str(seed), *data]
    command += ["--threads", str(arguments.threads), *more]
    note = folder / "command.json"
    if not note.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(command) + "\n", encoding="utf-8")
    elif (before := json.loads(note.read_text(encoding="utf-8"))) != command:
        sys.exit(f"{folder} was trained by another command, {shlex.join(before)}: remove it")
    if not (folder / "weights.safetensors").is_file():
        run(command)


def measured(arguments, folder: Path, data: list[str], split: str = "val") -> None:
    """Measure a trained run by the command line unless that is done."""
    if not (folder / "eval.json").is_file():
        command = ["eval", "--weights", str(folder / "weights.safetensors"), "--split", split]
        command += [*data, "--threads", str(arguments.threads)]
        run([*command, "--out", str(folder / "eval.json")])


def run(command: list[str]) -> None:
    whole = [sys.executable, "-m", "ssd_tutorial", *command]
    print("$", shlex.join(["python", *whole[1:]]), flush=True)
    if code := subprocess.run(whole, cwd=ROOT).returncode:
        sys.exit(code)  # its own message is above


def result_of(folder: Path, name: str = "eval") -> dict:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def write_record(arguments, record: dict, logs: dict[str, Path] | None = None) -> None:
    """Write result.json, with the entries made by hand, and a CSV of losses per run."""
    target = arguments.records / "runs" / arguments.name
    target.mkdir(parents=True, exist_ok=True)
    for name, folder in (logs or {}).items():
        rows = log_of(folder)
        with (target / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], lineterminator="\n")
            writer.writeheader()
            for row in rows:
                writer.writerow({k: f"{float(v):.6g}" if "." in v else v for k, v in row.items()})
    there = target / "result.json"
    if there.is_file():
        before = json.loads(there.read_text(encoding="utf-8"))
        record |= {key: before[key] for key in ("long", "looked_at") if key in before}
    rows = ",\n    ".join(json.dumps(row) for row in record.get("hardest", ()))
    text = json.dumps(record | ({"hardest": "ROWS"} if rows else {}), indent=2)
    there.write_text(text.replace('"ROWS"', f"[\n    {rows}\n  ]") + "\n", encoding="utf-8")
    print(f"record in {target}")


def first_scenes(split: str, count: int) -> Scenes:
    """Return the first pictures of a split of the scenes."""
    whole = open_dataset("scenes", split)
    return Scenes(count, whole.seed, whole.size, whole.start)


def log_of(folder: Path) -> list[dict]:
    with (folder / "run.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def minutes_of(folder: Path) -> float:
    return round(float(log_of(folder)[-1]["seconds"]) / 60, 1)


def command_of(arguments, *more: str) -> str:
    """Return the command that makes this record, without a path of this machine."""
    return shlex.join(["python", "tools/record.py", arguments.kind, arguments.name, *more])


def name_of(data: str) -> str:
    return data if data == "scenes" else Path(data).name


def rounded(numbers: dict[str, float | None], digits: int = 4) -> dict[str, float | None]:
    return {key: None if value is None else round(value, digits) for key, value in numbers.items()}


def hardware(threads: int) -> str:
    used = threads or torch.get_num_threads()
    return f"CPU {processor()}, {used} thread{'s' if used > 1 else ''}"


# --- one recipe, several seeds --------------------------------------------------------------------


def record_run(arguments) -> None:
    folders = [folder_of(arguments, "", seed) for seed in arguments.seeds]
    data = ["--data", arguments.data, "--on-error", arguments.on_error]
    for seed, folder in zip(arguments.seeds, folders, strict=True):
        trained(arguments, folder, seed, "--split", arguments.split, *arguments.passed_on)
        measured(arguments, folder, data, arguments.val)
    results = [result_of(folder) for folder in folders]
    all_facts = [read_header(folder / "weights.safetensors").metadata for folder in folders]
    metadata = all_facts[0]
    for folder, other in zip(folders, all_facts, strict=True):
        if _recipe(other) != _recipe(metadata):
            sys.exit(f"the settings of the runs {folder} and {folders[0]} differ: remove one")
    maps = [round(result["map50"], 4) for result in results]
    name = name_of(arguments.data)
    shown = [name if word == arguments.data else word for word in arguments.passed_on]
    drop = ["--on-error", arguments.on_error] if arguments.on_error != "raise" else []
    command = ["train", "--out", "RUN", "--data", name, "--split", arguments.split, *drop, *shown]
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
        "command": shlex.join(["python", "-m", "ssd_tutorial", *command, "--seed", "SEED"]),
    }
    logs = {f"seed-{seed}": f for seed, f in zip(arguments.seeds, folders, strict=True)}
    write_record(arguments, record, logs)
    weights = arguments.records / "weights" / f"{arguments.name}.safetensors"
    weights.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(folders[0] / "weights.safetensors", weights)
    print(f"mAP at IoU 0.5: {maps}, mean {record['map50_mean']}")


def _commit(folder: Path) -> str | None:
    """Return the commit at the run's last start, with + if files had been changed since."""
    start = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    git = (start[-1] if isinstance(start, list) else start)["git"]  # early runs list every start
    return git and git["commit"] + ("+" if git["dirty"] else "")


def _recipe(metadata: dict) -> dict:
    settings = current_settings(metadata["settings"])
    return {key: value for key, value in settings.items() if key != "seed"}


# --- how much each augmentation gains -------------------------------------------------------------


def record_ablation(arguments) -> None:
    data = ["--data", arguments.data, "--on-error", arguments.on_error]
    for seed in arguments.seeds:  # every cell of the table once, the short runs first; then again
        for samples in arguments.samples:
            for variant, flags in AUGMENTATIONS.items():
                folder = folder_of(arguments, _label(variant, samples), seed)
                size = ["--samples", str(samples), "--val-every", str(samples // MEASURED)]
                trained(arguments, folder, seed, *size, *flags.split())
                measured(arguments, folder, data)
                _write_ablation(arguments)


def _label(variant: str, samples: int) -> str:
    return f"{variant} {samples}".replace(" ", "_").replace("'", "")


def _write_ablation(arguments) -> None:
    runs, logs = [], {}
    for variant, flags in AUGMENTATIONS.items():
        for samples in arguments.samples:
            label = _label(variant, samples)
            folders = complete(arguments, label)
            if not folders:
                continue
            logs |= {f"{label}-seed-{seed}": folder for seed, folder in folders.items()}
            results = [result_of(folder) for folder in folders.values()]
            ends = [log_of(folder)[-1] for folder in folders.values()]
            runs.append(
                {
                    "augmentation": variant,
                    "flags": flags,
                    "samples": samples,
                    "seeds": list(folders),
                    "map50": [round(r["map50"], 4) for r in results],
                    "ap50": [rounded(r["ap50"]) for r in results],
                    "loss": [round(float(end["total"]), 3) for end in ends],
                    "loss_unseen": [round(float(end["val_total"]), 3) for end in ends],
                }
            )
    name, seeds = name_of(arguments.data), list(map(str, arguments.seeds))
    drop = ["--on-error", arguments.on_error] if arguments.on_error != "raise" else []
    size = ["--samples", *map(str, arguments.samples), "--seeds", *seeds]
    record = {
        "data": name,
        "split": "train",
        "measured_on": "val",
        "preset": "caffe300_voc",
        "model": "slim300",
        "samples": arguments.samples,
        "seeds": sorted({seed for one in runs for seed in one["seeds"]}),
        "map50": [value for one in runs for value in one["map50"]],
        "minutes": [minutes_of(folder) for folder in logs.values()],
        "hardware": f"{hardware(arguments.threads)}, shared with others",
        "runs": runs,
        "command": command_of(arguments, "--data", name, *drop, *size),
    }
    write_record(arguments, record, logs)


# --- how much mining gains ------------------------------------------------------------------------


def background_shift(num_classes: int) -> float:
    """Return what the background's logit must exceed the others by for p(object) = FOREGROUND."""
    return math.log((num_classes - 1) * (1 - FOREGROUND) / FOREGROUND)


def focal_loss(logits, offsets, targets, priors_cxcywh, **options) -> MultiBoxLoss:
    """`multibox_loss` with the focal loss of all priors as confidence (Lin et al., 2017).

    The class scores stay SSD's softmax; gamma is 2, positives count 0.25 and negatives 0.75. Heads
    begin with zero biases; the shift of the background's logit is their prior, and
    `shift_background` writes it into the trained heads.
    """
    matches = match(priors_cxcywh, targets)
    scores = logits.float().movedim(-1, 1)  # [B, C, P]
    scores = torch.cat([scores[:, :1] + background_shift(scores.shape[1]), scores[:, 1:]], dim=1)
    loss = cross_entropy(scores, matches.labels(targets), reduction="none")  # [B, P]
    weight = 0.75 - 0.5 * matches.positive
    whole = (weight * (1 - (-loss).exp()) ** 2 * loss).sum()
    plain = multibox_loss(logits, offsets, targets, priors_cxcywh, matches=matches, **options)
    confidence = whole / plain.num_positives.clamp(min=1)
    return plain._replace(total=confidence + plain.localization, confidence=confidence)


def shift_background(network: SSD) -> None:
    """Add to the class heads' biases what `focal_loss` adds to the logits."""
    for head in network.class_heads:
        head.bias.data[:: network.num_classes] += background_shift(network.num_classes)


LOSSES = {
    "random": functools.partial(multibox_loss, mine=random_negatives),
    "all": functools.partial(multibox_loss, mine=all_negatives),
    "ratio-1": functools.partial(multibox_loss, negative_ratio=1),
    "ratio-10": functools.partial(multibox_loss, negative_ratio=10),
    "focal": focal_loss,
}


def record_mining(arguments) -> None:
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    for seed in arguments.seeds:  # all variants once, then all again
        for variant in arguments.variants:
            folder = folder_of(arguments, variant, seed)
            if (folder / "weights.safetensors").is_file() or not arguments.no_training:
                _train_with(arguments, variant, seed, folder)
                measured(arguments, folder, ["--data", "scenes"])
                if not (folder / "scores.json").is_file():
                    measure_scores(folder / "weights.safetensors", folder / "scores.json")
                _write_mining(arguments)


def _train_with(arguments, variant: str, seed: int, folder: Path) -> None:
    if (folder / "weights.safetensors").is_file():
        return
    shutil.rmtree(folder, ignore_errors=True)
    print(f"training with {variant}, seed {seed} ...", flush=True)
    scenes = open_dataset("scenes", "train")
    recipe = Recipe(samples=arguments.samples, seed=seed)
    network, _ = train(scenes, recipe, out=folder, loss_function=LOSSES[variant])
    if variant == "focal":
        shift_background(network)
    save_weights(folder / "weights.safetensors", network, scenes.classes)


@torch.inference_mode()
def measure_scores(weights: Path, out: Path, split: str = "val") -> None:
    """Measure what the scores of a detector mean, on one split of the scenes."""
    detector = load_weights(weights)
    network, scenes = detector.network.eval(), open_dataset("scenes", split)
    said, positives, found, truths = 0.0, 0, [], []
    for image, target in (scenes[i] for i in range(len(scenes))):
        logits, offsets = network(image[None])
        truth = ground_truth(target)
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


def _write_mining(arguments) -> None:
    hard = result_of(ROOT / "data" / "runs" / HARD, "result")
    kept = ("seeds", "map50", "map50_by_size", "ap50", "minutes", "command")
    scores = arguments.work.resolve() / f"{arguments.name}-hard-scores.json"
    if not scores.is_file():
        measure_scores(ROOT / "data" / "weights" / f"{HARD}.safetensors", scores)
    there = arguments.records / "runs" / arguments.name / "result.json"
    variants = json.loads(there.read_text(encoding="utf-8"))["variants"] if there.is_file() else {}
    variants["hard"] = {key: hard[key] for key in kept} | {"record": HARD}
    variants["hard"] |= {key: [x] for key, x in json.loads(scores.read_text()).items()}
    logs = {}
    for variant in arguments.variants:
        folders = complete(arguments, variant, "scores")
        if not folders:
            continue
        results = [result_of(folder) for folder in folders.values()]
        means = [result_of(folder, "scores") for folder in folders.values()]
        logs |= {f"{variant}-seed-{seed}": folder for seed, folder in folders.items()}
        variants[variant] = {
            "seeds": list(folders),
            "map50": [round(result["map50"], 4) for result in results],
            "map50_by_size": [rounded(result["map50_by_size"]) for result in results],
            "ap50": [rounded(result["ap50"]) for result in results],
            "minutes": [minutes_of(folder) for folder in folders.values()],
        } | {key: [one[key] for one in means] for key in means[0]}
    variants = {name: variants[name] for name in ("hard", *LOSSES) if name in variants}
    seeds = list(map(str, arguments.seeds))
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
        "command": command_of(arguments, "--seeds", *seeds, "--samples", str(arguments.samples)),
    }
    write_record(arguments, record, logs)


# --- the hardest negative of every picture --------------------------------------------------------


def record_hardest(arguments) -> None:
    detector = load_weights(arguments.weights)
    given = {"classes": detector.classes, "on_error": arguments.on_error}
    pictures = open_dataset(arguments.data, arguments.split, **given)
    hardest = [hardest_negative(detector, *pictures[i]) for i in range(len(pictures))]
    name, weights = name_of(arguments.data), f"data/weights/{arguments.weights.name}"
    words = ["--data", name, "--split", arguments.split, "--on-error", arguments.on_error]
    record = {
        "data": name,
        "split": arguments.split,
        "weights": weights,
        "preset": detector.network.config.priors.name,
        "pictures": len(hardest),
        "hardest": hardest,
        "command": command_of(arguments, *words, "--weights", weights),
    }
    write_record(arguments, record)


@torch.inference_mode()
def hardest_negative(detector: Detector, image, target: dict) -> dict:
    """Find the negative of one picture that looks least like background.

    The IoUs, of the prior and of the box decoded from it, are 0 without objects.
    """
    network = detector.network.eval()
    height, width = image.shape[-2:]
    size = network.image_size
    boxes = target["boxes"].as_subclass(torch.Tensor) / torch.tensor([width, height] * 2)
    targets = make_targets([boxes], [target["labels"]], network.num_classes)
    matches = match(network.priors, targets)
    logits, offsets = network(F.resize(image, [size, size], antialias=True)[None])
    loss = logits.logsumexp(dim=-1) - logits[..., 0]
    prior = int(loss.masked_fill(matches.positive, -torch.inf).argmax())
    variances = network.config.priors.variances
    box = decode(offsets[0, prior], network.priors[prior], variances)[None]
    overlap = iou(boxes, box)
    return {
        "picture": target["name"],
        "prior": prior,
        "loss": round(float(loss[0, prior]), 3),
        "seen_as": detector.classes[int(logits[0, prior, 1:].argmax())],
        "prior_iou": round(float(matches.iou[0, prior]), 3),
        "box_iou": round(float(overlap.max()) if len(boxes) else 0.0, 3),
    }


if __name__ == "__main__":
    main()
