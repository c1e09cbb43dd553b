"""Record the runs of chapter 17, each with a fault: ``python tools/record_faults.py``.

Trains slim300 on drawn scenes with each fault of `ssd_book.clinic`, one seed, by a loop that checks
nothing. What is complete in data/runs/faults is not repeated: the command resumes with the fault
at which it stopped. A run whose loss is NaN ends there. About three minutes per fault on one busy
core.
"""

import argparse
import csv
import json
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path

import torch
from record import first_scenes

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "book")]

from ssd_book import clinic  # noqa: E402
from ssd_book.clinic import FAULTS, RECIPE  # noqa: E402

from ssd_tutorial._files import as_json, atomic_write, write_file  # noqa: E402
from ssd_tutorial.training.loader import CachedDataset  # noqa: E402
from ssd_tutorial.training.provenance import processor  # noqa: E402


def main(words: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("faults", nargs="*", help="which; all by default")
    parser.add_argument("--folder", type=Path, default=ROOT / "data" / "runs" / "faults")
    parser.add_argument("--steps", type=int, help="end each run early, to try the command")
    options = parser.parse_args(words)
    if unknown := set(options.faults) - set(FAULTS):
        parser.error(f"no fault is called {', '.join(unknown)}: there are {', '.join(FAULTS)}")
    torch.set_num_threads(1)
    there = options.folder / "result.json"
    done = json.loads(there.read_text(encoding="utf-8"))["runs"] if there.is_file() else {}
    left = [name for name in options.faults or FAULTS if name not in done]
    if left:
        most = max(FAULTS[name].pictures for name in left)
        pictures = CachedDataset(first_scenes("train", most), 300)
        unseen = CachedDataset(first_scenes("val", clinic.UNSEEN), 300)
    for name in left:
        print(f"{name} ...", flush=True)
        fault, started = FAULTS[name], time.perf_counter()
        reports = list(clinic.train_unchecked(fault, pictures, unseen, steps=options.steps))
        seconds = time.perf_counter() - started
        file = f"{name.replace(' ', '-')}.csv"
        write_curve(options.folder / file, reports)
        done[name] = {
            "file": file,
            "settings": dict(fault.settings),
            "variances": list(fault.variances),
            "pictures": fault.pictures,
            "samples": reports[-1].samples,
            "minutes": round(seconds / 60, 1),
            "checks": numbers(clinic.check(fault, pictures)),
        }
        write_file(there, as_json(record_of(done)))
        print(f"  {reports[-1]}, {seconds:.0f} s", flush=True)
    print(f"record in {options.folder}")
    return 0


def numbers(checks: clinic.Checks) -> dict:
    """Return the checks with four significant digits."""
    return json.loads(
        json.dumps(asdict(checks)), parse_float=lambda number: float(f"{float(number):.4g}")
    )


def write_curve(path: Path, reports: list[clinic.Report]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(clinic.Report._fields)
        for samples, *losses, positives, unseen in reports:
            found = "" if unseen is None else f"{unseen:.5g}"
            writer.writerow([samples, *(f"{loss:.5g}" for loss in losses), positives, found])


def record_of(done: dict) -> dict:
    """Return the record; the AP of such short runs says nothing, so it is not measured."""
    return {
        "data": "scenes",
        "split": "train",
        "measured_on": "val",
        "pictures_measured": clinic.UNSEEN,
        "measured_every": clinic.EVERY,
        "pictures": clinic.PICTURES,
        "model": RECIPE.model,
        "preset": RECIPE.model_preset().priors.name,
        "samples": RECIPE.samples,
        "seeds": [RECIPE.seed],
        "map50": [],
        "minutes": [run["minutes"] for run in done.values()],
        "hardware": f"CPU {processor()}, 1 thread, shared with others",
        "torch": torch.__version__,
        "settings": asdict(RECIPE),
        "runs": {name: done[name] for name in FAULTS if name in done},
        "command": shlex.join(["python", "tools/record_faults.py"]),
    }


if __name__ == "__main__":
    sys.exit(main())
