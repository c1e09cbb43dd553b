"""What a run reports: steps, their CSV file, and TensorBoard's events (chapter 12)."""

import csv
import itertools
import shutil
import time
from collections.abc import Iterable
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
    val_map50: float | None = None
    """mAP at IoU 0.5 on the validation split, if it was measured at this step."""
    val_total: float | None = None
    """The loss there, without augmentation."""


def measured(history: Iterable[Step]) -> list[Step]:
    """Return the reports with a measurement on the validation split."""
    return [step for step in history if step.val_map50 is not None]


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
                numbers = {k: float(v) for k, v in row.items() if v != ""}
                steps.append(Step(**numbers | {k: int(numbers[k]) for k in _WHOLE}))
    except (ValueError, TypeError, KeyError, OverflowError, csv.Error) as error:
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
    second, and where they were measured validation/mAP and validation/loss.

    A run that resumes writes all its reports again, from the log, instead of the earlier ones:
    wherever it was interrupted, no report is missing and none is left over.
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
            if line.val_map50 is not None:
                scalars |= {"validation/mAP": line.val_map50, "validation/loss": line.val_total}
            for name, value in scalars.items():
                self._writer.add_scalar(name, value, line.step, walltime=started + line.seconds)
        self._written = len(history)
        self._writer.flush()

    def close(self) -> None:
        """Close the file of events."""
        if self._writer is not None:
            self._writer.close()
        self._writer = None
