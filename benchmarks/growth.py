"""Time our steps and others' as their inputs grow: ``python -m benchmarks.growth``.

* matching + loss, forward and backward, against torchvision's, over objects per image and images
  per batch; "ragged" has uneven numbers of objects, as real data have: geometric, 7 on average, 60
  at most
* the peak memory of both matchings
* AP over pictures of 100 detections and 10 objects each, in 20 classes, against pycocotools and
  torchmetrics

All in one process, taking turns; medians with quartiles. With ``--record NAME`` the numbers are
kept in data/runs/NAME/result.json, and drawn in growth.png beside it.
"""

import argparse
import ctypes
import gc
import json
import random
import shlex
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import matplotlib.pyplot as plt
import torch

from benchmarks.evaluations import evaluations
from benchmarks.steps import CLASSES, PRESET, ragged
from benchmarks.throughput import CLOCKS, RUNS
from ssd_tutorial._files import atomic_write
from ssd_tutorial.figures import plots
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets
from ssd_tutorial.training.provenance import processor
from tests.parity import reference


def draw(batch: int, objects: int | str) -> Targets:
    generator = torch.Generator().manual_seed(0)
    counts = ragged(batch, generator) if objects == "ragged" else [objects] * batch
    return reference.draw_targets(counts, CLASSES, generator)


def losses(batch: int, objects: int | str) -> dict[str, Callable]:
    """Return ours and torchvision's matching, loss and gradients, as calls without arguments."""
    targets, priors = draw(batch, objects), make_priors(PRESET)
    generator = torch.Generator().manual_seed(1)
    outputs = [
        torch.randn(batch, len(priors), width, generator=generator).requires_grad_()
        for width in (CLASSES, 4)
    ]

    def ours():
        matches = match(priors, targets)
        total = multibox_loss(*outputs, targets, priors, matches=matches).total
        return torch.autograd.grad(total, outputs)

    def theirs():
        total = sum(reference.loss(*outputs, targets, priors, reference.match(priors, targets)))
        return torch.autograd.grad(total, outputs)

    return {"ours": ours, "torchvision": theirs}


def peak_megabytes(call: Callable) -> float | None:
    """Return by how much a call raised this process's memory at most; None but on Linux."""
    status, switch = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not switch.exists():
        return None

    def kilobytes(field: str) -> int:
        return int(status.read_text().partition(f"{field}:")[2].split()[0])

    call()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # or the call would use what an earlier one has left
    switch.write_text("5")  # the peak starts again from here
    before = kilobytes("VmRSS")
    call()
    return round((kilobytes("VmHWM") - before) / 1024, 1)


def take_turns(calls: dict[str, Callable], rounds: int, clock: Callable) -> dict[str, list[float]]:
    """Return quartiles of the milliseconds of each call; each round has an order of its own."""
    times = {name: [] for name in calls}
    chance = random.Random(0)
    gc.collect()
    for _ in range(rounds):
        for name in chance.sample(list(calls), len(calls)):
            start = clock()
            calls[name]()
            times[name].append(1000 * (clock() - start))
    if rounds == 1:
        return {name: [round(some[0], 3)] * 3 for name, some in times.items()}
    return {
        name: [round(q, 3) for q in quantiles(some, n=4, method="inclusive")]
        for name, some in times.items()
    }


def measure(options: argparse.Namespace, clock: Callable) -> dict[str, list[dict]]:
    rows = {"loss": [], "memory": [], "ap": []}
    for batch in options.batches:
        for objects in (*options.objects, "ragged"):
            calls = losses(batch, objects)
            for a, b in zip(*(call() for call in calls.values()), strict=True):
                torch.testing.assert_close(a.isfinite(), b.isfinite())
            times = take_turns(calls, options.rounds, clock)
            ratio = times["torchvision"][1] / times["ours"][1]
            rows["loss"].append({"batch": batch, "objects": objects, "ratio": ratio} | times)
            print(f"loss     {batch:3} x {objects:<6} {ratio:6.2f} x torchvision", flush=True)
    priors = make_priors(PRESET)
    for objects in (*options.objects, "ragged"):
        targets = draw(max(options.batches), objects)
        peaks = {
            "ours": peak_megabytes(lambda targets=targets: match(priors, targets)),
            "torchvision": peak_megabytes(lambda targets=targets: reference.match(priors, targets)),
        }
        rows["memory"].append({"batch": max(options.batches), "objects": objects} | peaks)
        print(f"memory   {max(options.batches):3} x {objects:<6} {peaks} MB", flush=True)
    for pictures in options.pictures:
        calls = evaluations(pictures)
        if pictures > options.slow:  # minutes of others' work would show nothing new
            calls = {name: calls[name] for name in ("coco_ap", "voc_ap")}
        values = {name: call() for name, call in calls.items() if name != "voc_ap"}
        assert max(values.values()) - min(values.values()) < 1e-3, values
        times = take_turns(calls, options.rounds if pictures <= 600 else 1, clock)
        rows["ap"].append({"pictures": pictures} | times)
        print(f"AP       {pictures:5} pictures", end="")
        for name, (_, middle, _) in times.items():
            print(f", {name} {middle / 1000:.2f} s", end="")
        print(flush=True)
    return rows


def plot(result: dict) -> plt.Figure:
    """Draw time over objects, peak memory over objects, and time over pictures."""
    plt.style.use(plots.STYLE)
    fig, (times, memory, ap) = plt.subplots(1, 3, figsize=(11, 3.4))
    for k, batch in enumerate(sorted({row["batch"] for row in result["loss"]})):
        even = [r for r in result["loss"] if r["batch"] == batch and r["objects"] != "ragged"]
        for name, line in (("ours", "-"), ("torchvision", "--")):
            x, y = [r["objects"] for r in even], [r[name][1] for r in even]
            color = plots.LOOKS[k].color
            times.plot(x, y, line, color=color, marker="o", label=f"{name}, batch {batch}")
    even = [r for r in result["memory"] if r["objects"] != "ragged" and r["ours"] is not None]
    for name, line in (("ours", "-"), ("torchvision", "--")):
        memory.plot(
            [r["objects"] for r in even], [r[name] for r in even], line, marker="o", label=name
        )
    for name in ("coco_ap", "voc_ap", "pycocotools", "torchmetrics"):
        known = [r for r in result["ap"] if name in r]
        y = [r[name][1] / 1000 for r in known]
        ap.plot([r["pictures"] for r in known], y, marker="o", label=name)
    times.set(title="matching + loss", xlabel="objects per image", ylabel="ms")
    memory.set(title="peak memory of matching", xlabel="objects per image", ylabel="MB")
    ap.set(title="AP", xlabel="pictures", ylabel="s")
    for ax in (times, memory, ap):
        ax.set(xscale="log", yscale="log")
        ax.legend(fontsize=7, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return fig


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--batches", nargs="+", type=int, default=[8, 32, 64], metavar="B")
    parser.add_argument("--objects", nargs="+", type=int, default=[1, 10, 50, 200], metavar="G")
    parser.add_argument(
        "--pictures", nargs="+", type=int, default=[100, 300, 600, 2000, 5000], metavar="N"
    )
    parser.add_argument(
        "--slow", type=int, default=600, help="pictures up to which others are timed (default: 600)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="runs per number (default: 5)")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument(
        "--record", metavar="NAME", help="keep numbers and figure in data/runs/NAME"
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    torch.set_num_threads(1)
    rows = measure(options, CLOCKS[options.clock] or time.perf_counter)
    worst = min(row["ratio"] for row in rows["loss"])
    middle = median(row["ratio"] for row in rows["loss"])
    print(f"matching + loss: {middle:.1f} x torchvision in the middle, {worst:.1f} x at least")
    if not options.record:
        return 0
    words = sys.argv[1:] if arguments is None else arguments
    result = {
        "hardware": f"CPU {processor()}, 1 thread",
        "torch": torch.__version__,
        "clock": options.clock,
        "milliseconds": "quartiles",
        **rows,
        "command": shlex.join(["python", "-m", "benchmarks.growth", *words]),
    }
    folder = RUNS / options.record
    with atomic_write(folder / "result.json") as file:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    with atomic_write(folder / "growth.png") as file:
        plot(result).savefig(file, format="png", dpi=120, bbox_inches="tight")
    print(f"kept in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
