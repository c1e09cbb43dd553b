"""The folder of a training: its log, its checkpoint, and how to go on from them (chapter 12)."""

import csv
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Dataset

from ssd_tutorial.network import SSD
from ssd_tutorial.weights import read_header, restore, save_weights
from ssd_tutorial.whole_files import written_whole

CHECKPOINT = "checkpoint.safetensors"
LOG = "run.csv"
_LOG_FIELDS = ("step", "samples", "lr", "total", "confidence", "localization", "positives", "s")


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
    s: float
    """Seconds since the training started."""


class RunFolder:
    """The folder of a run: its log and its checkpoint. Without a folder, nothing is kept."""

    def __init__(self, out: str | Path | None, settings: dict, dataset: Dataset):
        self.folder = None if out is None else Path(out)
        self.classes = tuple(dataset.classes)
        self.recipe = {**settings, "pictures": len(dataset)}
        self.history: list[Step] = []
        self.pending: list[list[float]] = []
        self.seconds = 0.0

    def resume(self, network: SSD, optimizer: torch.optim.Optimizer) -> int:
        """Restore the folder's checkpoint, if there is one; return the first step to take."""
        if self.folder is None or not (self.folder / CHECKPOINT).is_file():
            return 0
        self._refuse_another_run()
        facts = restore(self.folder / CHECKPOINT, network, optimizer)
        lines = _read_log(self.folder / LOG)
        self.history += [line for line in lines if line.step <= facts["step"]]
        self.pending, self.seconds = facts.get("pending", []), facts["seconds"]
        return facts["step"]

    def _refuse_another_run(self) -> None:
        header = read_header(self.folder / CHECKPOINT)
        old = {"pictures": self.recipe["pictures"], **header.facts.get("settings", {})}
        if "pictures" in header.facts:
            old["pictures"] = header.facts["pictures"]
        differ = [
            f"{key} {old.get(key)} -> {self.recipe.get(key)}"
            for key in {**old, **self.recipe}
            if old.get(key) != self.recipe.get(key)
        ]
        if header.classes != self.classes:
            differ.append(f"classes {', '.join(header.classes)} -> {', '.join(self.classes)}")
        if differ:
            raise ValueError(
                f"{self.folder} holds a run with other settings ({'; '.join(differ)}):"
                f" give another folder, or remove that one"
            )

    def save(
        self,
        network: SSD,
        optimizer: torch.optim.Optimizer,
        step: int,
        seconds: float,
        pending: list[list[float]],
    ) -> None:
        """Write log and checkpoint; `pending` are the losses since the log's last line."""
        if self.folder is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        # the log first: lines beyond the checkpoint are left out on resuming, missing ones are lost
        _write_log(self.folder / LOG, self.history)
        settings = {k: v for k, v in self.recipe.items() if k != "pictures"}
        facts = {"settings": settings, "pictures": self.recipe["pictures"]}
        facts |= {"step": step, "seconds": seconds, "pending": pending}
        save_weights(self.folder / CHECKPOINT, network, self.classes, facts, optimizer)


def _read_log(path: Path) -> list[Step]:
    whole = ("step", "samples", "positives")
    with path.open(newline="") as file:
        return [
            Step(**{k: int(float(v)) if k in whole else float(v) for k, v in row.items()})
            for row in csv.DictReader(file)
        ]


def _write_log(path: Path, history: list[Step]) -> None:
    with written_whole(path) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(_LOG_FIELDS)
        writer.writerows([getattr(line, field) for field in _LOG_FIELDS] for line in history)
