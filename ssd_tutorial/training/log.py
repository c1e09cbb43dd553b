"""What a training reports: steps, their CSV file, and TensorBoard's events (chapter 12)."""

import csv
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ssd_tutorial._files import atomic_write

_FIELDS = ("step", "samples", "lr", "total", "confidence", "localization", "positives", "seconds")
_WHOLE = ("step", "samples", "positives")


@dataclass(frozen=True)
class Step:
    """What one step of a training did."""

    step: int
    samples: int
    """Pictures seen, this step's included."""
    lr: float
    total: float
    confidence: float
    localization: float
    positives: int
    seconds: float
    """Seconds since the training started."""


def read_log(path: str | Path) -> list[Step]:
    """The steps in a CSV file of `write_log`.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a line of it is no report; the message names it.
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
            f"{path} is damaged in line {len(steps) + 2}: remove it, and training goes on without"
            f" its earlier lines"
        ) from error
    return steps


def write_log(path: str | Path, history: list[Step]) -> None:
    """Write steps as CSV, atomically."""
    with (
        atomic_write(path, durable=True) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(_FIELDS)
        writer.writerows([getattr(line, field) for field in _FIELDS] for line in history)


class Events:
    """A run's reports for TensorBoard: ``tensorboard --logdir FOLDER``.

    Scalars: loss/total, loss/confidence, loss/localization, learning rate, positives, images per
    second. A run that goes on writes all its reports once more and marks the earlier ones as void
    (`purge_step`): no gap and no line that the run did not take, wherever it was interrupted.
    Without the package tensorboard, one line on standard error says so, and nothing is written.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self._writer = None
        self._missing = False
        self._written = 0

    def write(self, history: list[Step], seconds: float) -> None:
        """Write those reports of the whole history that are not written yet.

        Args:
            history: all reports of the run.
            seconds: how long it has trained until now, from which the lines get their times.
        """
        if self._writer is None and not self._missing:
            self._open()
        if self._missing:
            return
        started = time.time() - seconds
        for k in range(self._written, len(history)):
            self._add(history[k], history[k - 1] if k else None, started)
        self._written = len(history)
        self._writer.flush()

    def close(self) -> None:
        """Finish the file of events."""
        if self._writer is not None:
            self._writer.close()
        self._writer, self._written = None, 0

    def _open(self) -> None:
        again = self.folder.is_dir()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            self._missing = True
            print(
                f"no curves in {self.folder}: the package tensorboard is not installed"
                f" (run.csv has the same numbers)",
                file=sys.stderr,
            )
        else:
            self._writer = SummaryWriter(str(self.folder), purge_step=1 if again else None)

    def _add(self, line: Step, before: Step | None, started: float) -> None:
        pictures = line.samples - (before.samples if before else 0)
        seconds = line.seconds - (before.seconds if before else 0.0)
        scalars = {
            "loss/total": line.total,
            "loss/confidence": line.confidence,
            "loss/localization": line.localization,
            "learning rate": line.lr,
            "positives": line.positives,
            "images per second": pictures / max(seconds, 1e-9),
        }
        for name, value in scalars.items():
            self._writer.add_scalar(name, value, line.step, walltime=started + line.seconds)
