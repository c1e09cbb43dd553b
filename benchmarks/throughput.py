"""Time training and inference of each model on this device: ``python -m benchmarks.throughput``.

Prints pictures per second (median and quartiles of the timed steps) for batches of 1, 8 and 32 in
float32 and in half precision. The pictures are noise that is already on the device: loading is
what ``python -m benchmarks.dataloading`` measures. With ``--record NAME`` the table is kept in
data/runs/NAME/result.json, where chapter 15 reads it; the same command resumes an interrupted run.
"""

import argparse
import json
import shlex
import sys
import time
from itertools import product
from pathlib import Path

import torch
from ssd_book.costs import images_per_second
from tqdm.auto import tqdm

from ssd_tutorial._files import atomic_write
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import MODELS, get_model
from ssd_tutorial.training.provenance import processor

RUNS = Path(__file__).parent.parent / "data" / "runs"
CLOCKS = {"wall": None, "processor": time.process_time}
CLASSES = 21  # PASCAL VOC's 20 and the background


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.throughput", description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8, 32], metavar="B")
    parser.add_argument(
        "--precisions", nargs="+", choices=("fp32", "bf16", "fp16"), default=["fp32", "bf16"]
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="PyTorch's CPU threads (default: its choice)")
    parser.add_argument(
        "--seconds", type=float, default=5.0, help="timed seconds per row (default: 5)"
    )
    parser.add_argument(
        "--clock",
        choices=CLOCKS,
        default="wall",
        help="processor: with --threads 1, on a CPU that others use, too (default: wall)",
    )
    parser.add_argument("--record", metavar="NAME", help="keep the table in data/runs/NAME")
    options = parser.parse_args(arguments)
    if options.clock == "processor" and (options.device != "cpu" or options.threads != 1):
        parser.error("--clock processor measures a single CPU thread: add --device cpu --threads 1")
    return options


def cases_of(options: argparse.Namespace) -> list[tuple]:
    """Return model, precision, batch and kind of step, in the order of the table."""
    kinds = ("training", "forward")
    return list(product(options.models, options.precisions, options.batches, kinds))


def measure(case: tuple, options: argparse.Namespace) -> dict:
    """Return the table's row for a case."""
    model, precision, batch, kind = case
    network = SSD(get_model(model), CLASSES)
    speed = images_per_second(
        network.to(options.device, memory_format=torch.channels_last),
        batch,
        precision,
        training=kind == "training",
        seconds=options.seconds,
        clock=CLOCKS[options.clock],
    )
    numbers = {name: round(value, 2) for name, value in speed._asdict().items()}
    return {"model": model, "precision": precision, "batch": batch, "kind": kind, **numbers}


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    on_gpu = torch.device(options.device).type == "cuda"
    where = {
        "device": torch.cuda.get_device_name(options.device) if on_gpu else processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "clock": options.clock,
        "seconds": options.seconds,
    }
    print(", ".join(f"{k} {v}" for k, v in where.items()))
    print("pictures per second: median [quartiles]")
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.throughput", *words])
    path = RUNS / options.record / "result.json" if options.record else None
    rows = kept_rows(path, where) if path else {}
    for case in tqdm(cases_of(options), unit="row", disable=None):
        if case not in rows:
            rows[case] = measure(case, options)
        row = rows[case]
        tqdm.write(
            f"{row['model']:<8} {row['precision']} batch {row['batch']:>3} {row['kind']:<9}"
            f" {row['median']:>9.2f} [{row['low']:.2f} {row['high']:.2f}]"
        )
        if path:
            record = {**where, "rows": list(rows.values()), "command": command}
            with atomic_write(path) as file:
                file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


def kept_rows(path: Path, where: dict) -> dict[tuple, dict]:
    """Return the rows of an interrupted measurement, if it was made in the same way."""
    if not path.is_file():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    if any(record.get(name) != value for name, value in where.items()):
        raise SystemExit(
            f"{path} has a measurement of another kind or machine: choose another --record"
        )
    names = ("model", "precision", "batch", "kind")
    return {tuple(row[name] for name in names): row for row in record["rows"]}


if __name__ == "__main__":
    sys.exit(main())
