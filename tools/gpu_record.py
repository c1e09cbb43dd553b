"""Record what one GPU does, in pieces of under ten minutes: ``python tools/gpu_record.py``.

    python tools/gpu_record.py                    # one call: as many pieces as fit into 9 minutes
    python tools/gpu_record.py --minutes 0        # all of them
    python tools/gpu_record.py --bccd PATH        # also train on the photographs of BCCD
    python tools/gpu_record.py --dry-run          # everything, tiny, on any machine

The same command resumes where it stopped, and ends with exit code 3 while something is left. What
is finished is kept in data/runs:

* ``gpu_checks``: the GPU computes what the CPU computes: detections, loss and gradient, a step
* ``gpu_throughput``: images per second and peak memory of SSD300 and SSD512, in float32 (with and
  without TF32), bfloat16, float16 and compiled, batches of 1 to 64, inference and training, beside
  torchvision's SSD300
* ``gpu_loading``: images per second that the input pipeline delivers
* ``gpu_scenes`` and ``gpu_bccd``: a training run of SSD300 from random weights: its curve, and mAP

A record of another GPU or another torch is not mixed with new pieces: remove it first.
"""

import argparse
import csv
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "book")]

from ssd_tutorial._files import atomic_write  # noqa: E402
from ssd_tutorial.augment import training_transform  # noqa: E402
from ssd_tutorial.datasets import Scenes  # noqa: E402
from ssd_tutorial.detect import postprocess  # noqa: E402
from ssd_tutorial.loss import multibox_loss  # noqa: E402
from ssd_tutorial.network import SSD  # noqa: E402
from ssd_tutorial.presets import get_model  # noqa: E402
from ssd_tutorial.training.loader import (  # noqa: E402
    CachedDataset,
    TrainingStream,
    collate,
    load_batches,
)
from ssd_tutorial.training.loop import make_optimizer  # noqa: E402
from ssd_tutorial.training.provenance import environment  # noqa: E402
from ssd_tutorial.training.recipes import Recipe, get_recipe  # noqa: E402

CLASSES = 21  # PASCAL VOC's 20 and the background
PRECISIONS = ("fp32", "tf32", "bf16", "fp16", "bf16 compiled")
LONGEST = 540.0  # seconds of a piece that could take longer, such as training


class Unfinished(Exception):
    """A piece that continues in the next call."""


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=9, help="of one call; 0: no limit")
    parser.add_argument("--bccd", type=Path, help="folder of BCCD")
    parser.add_argument("--dry-run", action="store_true", help="tiny, on the CPU if need be")
    parser.add_argument("--records", type=Path, default=ROOT / "data" / "runs")
    parser.add_argument("--work", type=Path, default=ROOT / "runs", help="folders of the runs")
    options = parser.parse_args(words)
    options.device = "cuda" if torch.cuda.is_available() else "cpu"
    if options.device == "cpu" and not options.dry_run:
        sys.exit("there is no GPU that torch can use here: --dry-run tries everything without one")
    if options.dry_run:
        scratch = Path(tempfile.mkdtemp(prefix="gpu_record-"))
        options.records, options.work = scratch / "records", scratch / "work"
    options.ends = time.monotonic() + 60 * (options.minutes or 1e9)
    for name, piece, work in pieces(options):
        if piece in finished(options, name):
            continue
        if time.monotonic() > options.ends:
            print("time is up: run the same command to continue")
            return 3
        print(f"{name}: {piece} ...", flush=True)
        try:
            keep(options, name, piece, work())
        except Unfinished:
            print("time is up: run the same command to continue")
            return 3
    print(f"all is recorded in {options.records}")
    return 0


def pieces(options: argparse.Namespace) -> list[tuple[str, str, Callable[[], dict]]]:
    """Return records, pieces and what computes them, in order: the most telling ones first."""
    tiny = options.dry_run
    found = [("gpu_checks", name, lambda c=check: c(options)) for name, check in CHECKS.items()]
    models = ["slim300"] if tiny else ["ssd300", "ssd512", "torchvision ssd300"]
    precisions = ["fp32", "bf16"] if tiny else PRECISIONS
    batches = [2] if tiny else [1, 2, 4, 8, 16, 32, 64]
    for case in product(models, precisions, batches, ("inference", "training")):
        found.append(
            ("gpu_throughput", " ".join(map(str, case)), lambda c=case: speed(options, *c))
        )
    counts = [0, 1] if tiny else sorted({0, 1, 2, 4, os.cpu_count() or 1})
    for workers in counts:
        found.append(("gpu_loading", f"{workers} workers", lambda w=workers: load(options, w)))
    data = {"scenes": "scenes"} | ({"bccd": str(options.bccd.resolve())} if options.bccd else {})
    for name, source in data.items():
        found.append((f"gpu_{name}", "training", lambda n=name, s=source: train(options, n, s)))
    return found


def finished(options: argparse.Namespace, name: str) -> dict:
    """Return what a record has; exit if another machine or another torch made it."""
    path = options.records / name / "result.json"
    if not path.is_file():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["hardware"] != hardware(options) or record["torch"] != torch.__version__:
        sys.exit(f"{path} was made on {record['hardware']}, torch {record['torch']}: remove it")
    return record["pieces"]


def keep(options: argparse.Namespace, name: str, piece: str, result: dict) -> None:
    """Add a piece to its record."""
    record = {
        "hardware": hardware(options),
        "torch": torch.__version__,
        "environment": {k: v for k, v in environment().items() if k != "command"},
        "command": "python tools/gpu_record.py",
        "pieces": finished(options, name) | {piece: result},
    }
    record |= {k: v for k, v in result.items() if k in RUN_KEYS}
    with atomic_write(options.records / name / "result.json") as file:
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print("  ", json.dumps(result)[:300], flush=True)


def hardware(options: argparse.Namespace) -> str:
    return torch.cuda.get_device_name() if options.device == "cuda" else environment()["processor"]


# --- the GPU computes what the CPU computes -------------------------------------------------------


def batch_of(network: SSD, count: int):
    pictures = CachedDataset(Scenes(count, seed=0), network.image_size, progress=False)
    return collate(network.num_classes, [pictures[i] for i in range(count)])


def check_detections(options: argparse.Namespace) -> dict:
    torch.manual_seed(0)
    network = SSD(get_model("slim300"), 13).eval()
    images = batch_of(network, 2).images
    results = []
    for device in ("cpu", options.device):
        with torch.inference_mode():
            logits, offsets = network.to(device)(images.to(device))
            results.append(postprocess(logits.cpu(), offsets.cpu(), network.priors.cpu()))
            on_it = postprocess(logits, offsets, network.priors)
        same = all(
            torch.allclose(a.cpu(), b, atol=1e-5)
            for one, other in zip(on_it, results[-1], strict=True)
            for a, b in zip(one, other, strict=True)
        )
        if not same:
            raise SystemExit(f"postprocess on {device} and on the CPU differ for the same outputs")
    counts = [[len(one.scores) for one in result] for result in results]
    return {"detections on the CPU": counts[0], "on the GPU": counts[1], "postprocess": "equal"}


def check_gradient(options: argparse.Namespace) -> dict:
    torch.manual_seed(0)
    network = SSD(get_model("slim300"), 13).eval()
    batch, found = batch_of(network, 2), []
    for device in ("cpu", options.device):
        network = network.to(device)
        network.zero_grad()
        images, targets, *_ = batch.to(torch.device(device))
        loss = multibox_loss(*network(images), targets, network.priors)
        loss.total.backward()
        grads = [p.grad.flatten().cpu() for p in network.parameters() if p.grad is not None]
        found.append((loss.total.item(), int(loss.num_positives), torch.cat(grads)))
    (total, positives, cpu), (other_total, other_positives, gpu) = found
    apart = float((cpu - gpu).norm() / cpu.norm())
    if positives != other_positives or apart > 1e-2:
        raise SystemExit(f"gradients differ by {apart:.2g}, N is {positives} and {other_positives}")
    return {"loss": [total, other_total], "positives": positives, "gradients apart": apart}


def check_steps(options: argparse.Namespace) -> dict:
    """Take steps in every precision: the loss of one batch must fall."""
    falls = {}
    for precision in ("fp32", "bf16", "fp16") if options.device == "cuda" else ("fp32", "bf16"):
        torch.manual_seed(0)
        network = SSD(get_model("slim300"), 13).train().to(options.device)
        batch = batch_of(network, 2).to(torch.device(options.device))
        step = training_step(network, batch, precision)
        losses = [step().item() for _ in range(4 if options.dry_run else 20)]
        if not losses[-1] < losses[0]:
            raise SystemExit(f"the loss does not fall in {precision}: {losses}")
        falls[precision] = [losses[0], losses[-1]]
    return falls


CHECKS = {"detections": check_detections, "gradient": check_gradient, "steps": check_steps}


# --- speed ----------------------------------------------------------------------------------------


def training_step(network: nn.Module, batch, precision: str) -> Callable[[], torch.Tensor]:
    device = batch.images.device.type
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision.split()[0])
    scaler = torch.amp.GradScaler(device, enabled=half is torch.float16)
    optimizer = make_optimizer(network, Recipe())
    forward = torch.compile(network) if "compiled" in precision else network

    def step() -> torch.Tensor:
        with torch.autocast(device, half or torch.bfloat16, enabled=half is not None):
            logits, offsets = forward(batch.images)
        loss = multibox_loss(logits, offsets, batch.targets, network.priors).total
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        return loss.detach()

    return step


def speed(options: argparse.Namespace, model: str, precision: str, batch: int, kind: str) -> dict:
    """Return images per second, as median and quartiles, and peak memory."""
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    device, half = options.device, {"bf16": torch.bfloat16, "fp16": torch.float16}
    half = half.get(precision.split()[0])
    try:
        if model.startswith("torchvision"):
            step = torchvision_step(device, batch, precision, half, kind)
        else:
            network = SSD(get_model(model), CLASSES).to(device, memory_format=torch.channels_last)
            data = batch_of(network, batch).to(torch.device(device))
            network.train(kind == "training")
            step = training_step(network, data, precision)
            forward = torch.compile(network) if "compiled" in precision else network
            if kind == "inference":
                step = inference_step(forward, data.images, device, half)
        return timed(step, batch, device, 0.2 if options.dry_run else 3.0)
    except torch.OutOfMemoryError:
        return {"out of memory": True}
    finally:
        torch.compiler.reset()
        if device == "cuda":
            torch.cuda.empty_cache()


def inference_step(forward: nn.Module, images, device: str, half) -> Callable[[], object]:
    @torch.inference_mode()
    def step():
        with torch.autocast(device, half or torch.bfloat16, enabled=half is not None):
            return forward(images)

    return step


def torchvision_step(device: str, batch: int, precision: str, half, kind: str):
    """Return a step of torchvision's SSD300. Its inference includes NMS, ours here does not."""
    from torchvision.models.detection import ssd300_vgg16

    network = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=CLASSES).to(device)
    ours = SSD(get_model("ssd300"), CLASSES)
    data = batch_of(ours, batch)
    images = [image.to(device) / 255 for image in data.images]
    targets = [
        {"boxes": boxes[labels > 0].to(device) * 300, "labels": labels[labels > 0].to(device)}
        for boxes, labels in zip(*data.targets, strict=True)
    ]
    network.train(kind == "training")
    forward = torch.compile(network) if "compiled" in precision else network
    if kind == "inference":
        return inference_step(forward, images, device, half)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4)
    scaler = torch.amp.GradScaler(device, enabled=half is torch.float16)

    def step():
        with torch.autocast(device, half or torch.bfloat16, enabled=half is not None):
            loss = sum(forward(images, targets).values())
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def timed(step: Callable, batch: int, device: str, seconds: float) -> dict:
    def wait() -> float:
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    for _ in range(3):
        step()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    speeds, ends = [], wait() + seconds
    while not speeds or time.perf_counter() < ends:
        start = wait()
        step()
        speeds.append(batch / (wait() - start))
    low, median, high = torch.tensor(speeds).quantile(torch.tensor([0.25, 0.5, 0.75])).tolist()
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    rounded = {"median": round(median, 2), "low": round(low, 2), "high": round(high, 2)}
    return rounded | {"steps": len(speeds), "peak_mib": round(peak / 2**20)}


def load(options: argparse.Namespace, workers: int) -> dict:
    """Return images per second of the input pipeline with all of SSD's augmentation."""
    recipe = get_recipe("voc0712")
    pictures = CachedDataset(Scenes(8 if options.dry_run else 64, seed=0, size=500), 500)
    names = ("distort", "expand", "crop", "crop_prob", "interpolation", "horizontal_flip")
    transform = training_transform(300, **{name: getattr(recipe, name) for name in names})
    count = 16 if options.dry_run else 256 * (1 + workers)
    stream = TrainingStream(pictures, transform, count + 8, 0)
    batches = load_batches(stream, 8, 13, workers=workers)
    next(batches)
    started = time.perf_counter()
    seen = sum(len(batch.names) for batch in batches)
    return {"images per second": round(seen / (time.perf_counter() - started), 1), "images": seen}


# --- training -------------------------------------------------------------------------------------

RUN_KEYS = ("data", "split", "preset", "samples", "seeds", "map50", "minutes")


def train(options: argparse.Namespace, name: str, data: str) -> dict:
    """Train SSD300 from random weights by the command line, in calls that end in time."""
    out = options.work / f"gpu_{name}"
    samples, model = ("8", "slim300") if options.dry_run else ("160000", "ssd300")
    words = ["train", "--out", str(out), "--data", data, "--recipe", "voc0712", "--start", ""]
    words += ["--model", model, "--samples", samples, "--on-error", "drop", "--in-memory"]
    words += ["--val-every", str(int(samples) // 16 or 1), "--checkpoint-every", "4000"]
    words += ["--optimizer", "sgd", "--lr", "1e-3", "--warmup", "0.05", "--grad-clip-norm", "10"]
    if options.dry_run:
        words += ["--data", data, "--val-every", "8", "--batch-size", "4", "--no-in-memory"]
    if not (out / "weights.safetensors").is_file():
        run(options, words)
    measuring = ["eval", "--weights", str(out / "weights.safetensors"), "--data", data]
    run(options, [*measuring, "--on-error", "drop", "--out", str(out / "eval.json")])
    target = options.records / f"gpu_{name}"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(out / "run.csv", target / "seed-0.csv")
    shutil.copyfile(out / "curves.png", target / "curves.png")
    with (out / "run.csv").open(newline="") as file:
        seconds = float(list(csv.DictReader(file))[-1]["seconds"])
    result = json.loads((out / "eval.json").read_text(encoding="utf-8"))
    return {
        "data": name,
        "split": "train",
        "preset": "caffe300_voc",
        "samples": int(samples),
        "seeds": [0],
        "map50": [round(result["map50"], 4)],
        "minutes": [round(seconds / 60, 1)],
        "train": shlex.join(["python", "-m", "ssd_tutorial", *words]).replace(data, name),
    }


def run(options: argparse.Namespace, words: list[str]) -> None:
    """Run a command of the package; end it where the call's time is up."""
    left = min(LONGEST, max(5.0, options.ends - time.monotonic()))
    command = [sys.executable, "-m", "ssd_tutorial", *words]
    try:
        done = subprocess.run(command, cwd=ROOT, timeout=None if options.dry_run else left)
    except subprocess.TimeoutExpired:
        raise Unfinished from None  # its last checkpoint is kept
    if done.returncode:
        sys.exit(done.returncode)  # its own message is above


if __name__ == "__main__":
    sys.exit(main())
