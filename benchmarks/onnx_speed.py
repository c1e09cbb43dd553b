"""Time a detector in torch and in onnxruntime, one thread each, taking turns on the same pictures.

    python -m benchmarks.onnx_speed [WEIGHTS] [--rounds 30]

Prints milliseconds of processor time per picture (which a busy machine changes little), median with
quartiles, and torch's median / onnxruntime's: 2.0x means that onnxruntime takes half the time.
First the network alone, then with the post-processing. Before either is timed, both must agree.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path
from time import process_time

import onnxruntime
import torch

from benchmarks.__main__ import quartiles
from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.deploy.inference import load_detector
from ssd_tutorial.deploy.onnx_file import export_onnx
from ssd_tutorial.detect import postprocess
from ssd_tutorial.training.provenance import processor


def take_turns(calls: dict, rounds: int) -> dict[str, list[float]]:
    """Return the milliseconds of processor time of each call; each round's order is random."""
    times = {name: [] for name in calls}
    for call in calls.values():
        call()
    chance = random.Random(0)
    for _ in range(rounds):
        for name in chance.sample(list(calls), len(calls)):
            start = process_time()
            calls[name]()
            times[name].append(1000 * (process_time() - start))
    return times


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_speed")
    parser.add_argument(
        "weights", nargs="?", default=data_path("weights/scenes_slim300.safetensors")
    )
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    detector = load_detector(options.weights)
    network, size = detector.network, detector.network.image_size
    print(
        f"{network.config.name}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__},"
        f" {processor()}, 1 thread, {options.rounds} rounds, CPU milliseconds per picture\n"
    )
    scenes = Scenes(8, size=size)
    images = torch.stack([scenes[i][0].as_subclass(torch.Tensor) for i in range(8)])
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        files = {kind: Path(folder) / f"{kind}.onnx" for kind in ("raw", "whole")}
        for kind, file in files.items():
            agreement = export_onnx(
                detector, file, postprocessing=kind == "whole", check=images.split((1, 2, 5))
            )
            print(f"{kind}: {agreement}")
        opened = {kind: load_detector(file).network for kind, file in files.items()}
        print(f"\n{'step':<34} {'torch':>20} {'onnxruntime':>20} {'ratio':>7}")
        for batch in (1, 8):
            some = images[:batch]
            for step, calls in {
                "network": {
                    "torch": lambda some=some: network(some),
                    "onnx": lambda some=some: opened["raw"](some),
                },
                "network, post-processing": {
                    "torch": lambda some=some: postprocess(*network(some), network.priors),
                    "onnx": lambda some=some: opened["whole"].detections(some),
                },
            }.items():
                times = take_turns(calls, options.rounds)
                spread = {name: [t / batch for t in quartiles(x)] for name, x in times.items()}
                cells = [f"{m:.1f} [{low:.1f} {high:.1f}]" for low, m, high in spread.values()]
                ratio = spread["torch"][1] / spread["onnx"][1]
                print(
                    f"{step + f', batch {batch}':<28} {cells[0]:>22} {cells[1]:>22} {ratio:>6.2f}x"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
