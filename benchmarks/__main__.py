"""Time our steps and others' in one process, on the same inputs, taking turns.

Prints medians with quartiles, and the ratio of the medians: 2.0x means that ours takes half the
time. Before a step is timed, both sides must give the same result.
"""

import argparse
import gc
import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

import torch
import torchvision

from benchmarks.steps import STEPS, Step
from benchmarks.throughput import CLOCKS
from ssd_tutorial.training.provenance import processor


def take_turns(
    step: Step, seconds: float, least: int, clock: Callable[[], float]
) -> tuple[list[float], list[float]]:
    """Return the milliseconds of each run of ours and theirs; each round's order is random."""
    sides = [(step.ours, []), (step.theirs, [])]
    for call, _ in sides:
        call()
    end = perf_counter() + seconds
    chance = random.Random(0)
    gc.collect()
    while len(sides[0][1]) < least or perf_counter() < end:
        for call, times in chance.sample(sides, 2):
            start = clock()
            call()
            times.append(1000 * (clock() - start))
    return sides[0][1], sides[1][1]


def quartiles(times: list[float]) -> tuple[float, float, float]:
    low, _, high = quantiles(times, n=4)
    return low, median(times), high


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("steps", nargs="*", help=f"some of: {', '.join(STEPS)} (default: all)")
    parser.add_argument("--threads", type=int, help="PyTorch's threads (default: its own choice)")
    parser.add_argument("--seconds", type=float, default=15, help="seconds per step (default: 15)")
    parser.add_argument("--quick", action="store_true", help="2 seconds per step: rough numbers")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to FILE")
    options = parser.parse_args(arguments)
    if unknown := set(options.steps) - set(STEPS):
        parser.error(f"there is no step {', '.join(unknown)}; the steps are {', '.join(STEPS)}")
    if options.json and not options.json.absolute().parent.is_dir():
        parser.error(f"{options.json.parent} is not a folder")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    seconds, least = (2, 3) if options.quick else (options.seconds, 7)
    if options.threads:
        torch.set_num_threads(options.threads)
    where = {
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "clock": options.clock,
    }
    print(", ".join(f"{k} {v}" for k, v in where.items()))
    print("milliseconds: median [quartiles]; ratio: their median / ours\n")
    print(f"{'step':<66} {'ours':>24} {'theirs':>24} {'ratio':>7} {'aim':>5} {'rounds':>6}")
    rows = []
    for name in options.steps or STEPS:
        step = STEPS[name]()
        step.check()
        times = take_turns(step, seconds, least, CLOCKS[options.clock] or perf_counter)
        ours, theirs = (quartiles(one) for one in times)
        ratio, rounds = theirs[1] / ours[1], len(times[0])
        rows.append(
            {
                "step": step.name,
                "ours": ours,
                "theirs": theirs,
                "ratio": ratio,
                "aim": step.aim,
                "rounds": rounds,
            }
        )
        cells = (f"{m:.2f} [{low:.2f} {high:.2f}]" for low, m, high in (ours, theirs))
        print(
            f"{step.name:<66} {next(cells):>24} {next(cells):>24}"
            f" {ratio:>6.2f}x {step.aim:>4}x {rounds:>6}",
            flush=True,
        )
    if options.json:
        options.json.write_text(json.dumps({**where, "milliseconds": rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
