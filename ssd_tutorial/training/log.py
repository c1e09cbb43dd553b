"""What a run reports: steps, their CSV file, and TensorBoard's events (chapter 12)."""

import csv
import itertools
import shutil
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ssd_tutorial._files import atomic_write

_WHOLE = ("step", "samples", "positives")


@dataclass(frozen=True)
class Step:
    """One report of a run, at the end of a step."""

    step: int
    samples: int
    """Pictures seen, including this step's."""
    lr: float
    total: float
    confidence: float
    localization: float
    positives: int
    seconds: float
    """Seconds since the run started."""


def read_log(path: str | Path) -> list[Step]:
    """Read the steps from a CSV file of `write_log`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line cannot be parsed; the message names it.
    """
    steps = []
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file, strict=True):
                if "s" in row:  # its name in the logs of early runs
                    row["seconds"] = row.pop("s")
                numbers = {k: int(float(v)) if k in _WHOLE else float(v) for k, v in row.items()}
                steps.append(Step(**numbers))
    except (ValueError, TypeError, AttributeError, OverflowError, csv.Error) as error:
        raise ValueError(
            f"{path} is damaged in line {len(steps) + 2}: remove it, and the run resumes without"
            f" its earlier lines"
        ) from error
    return steps


def write_log(path: str | Path, history: list[Step]) -> None:
    """Write steps as CSV, atomically."""
    with (
        atomic_write(path, durable=True) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, [field.name for field in fields(Step)])
        writer.writeheader()
        writer.writerows(map(asdict, history))


class Events:
    """A run's reports for TensorBoard: ``tensorboard --logdir FOLDER``.

    Scalars: loss/total, loss/confidence, loss/localization, learning rate, positives, images per
    second. A run that resumes writes all its reports again, from the log, instead of the earlier
    ones: wherever it was interrupted, no report is missing and none is left over.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._writer = None
        self._written = 0

    def write(self, history: list[Step], seconds: float) -> None:
        """Write the reports that are not written yet.

        Args:
            history: all reports of the run.
            seconds: how long the run has trained until now; the reports' times follow from it.
        """
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter  # here: importing it takes a second

            shutil.rmtree(self.folder, ignore_errors=True)
            self._writer, self._written = SummaryWriter(str(self.folder)), 0
        started = time.time() - seconds
        lines = [Step(0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0.0), *history]
        for before, line in list(itertools.pairwise(lines))[self._written :]:
            spent = max(line.seconds - before.seconds, 1e-9)
            scalars = {
                "loss/total": line.total,
                "loss/confidence": line.confidence,
                "loss/localization": line.localization,
                "learning rate": line.lr,
                "positives": line.positives,
                "images per second": (line.samples - before.samples) / spent,
            }
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, line.step, walltime=started + line.seconds)
        self._written = len(history)
        self._writer.flush()

    def close(self) -> None:
        """Close the file of events."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None
