"""A run's output folder: what it contains, and how to resume from it (chapter 12).

===============================  ==================================================================
settings.json                    recipe, classes, number of pictures
environment.json                 of the last start: when, from which step, versions, machine, commit
run.csv                          the losses, one line per report
tensorboard/                     the same, for TensorBoard
weights-best.safetensors         the network at its highest mAP on the validation split, if measured
checkpoint.safetensors           network, optimizer, and where the run was
checkpoint-previous.safetensors  the one before
===============================  ==================================================================

Whenever a process is killed, one of the two checkpoints is complete. A checksum detects whether a
disk or a copy has damaged one of them since (`ssd_tutorial.weights`).

A process that trains holds a lock on the folder, which the system removes however it ends: two
runs never write to one folder.
"""

import contextlib
import json
import os
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import torch

from ssd_tutorial import _files
from ssd_tutorial.network import SSD
from ssd_tutorial.training.lock import locked
from ssd_tutorial.training.log import Events, Step, read_log, write_log
from ssd_tutorial.training.provenance import environment
from ssd_tutorial.training.recipes import current_settings
from ssd_tutorial.weights.file import CHECKPOINT, DamagedWeights, read_header, restore, save_weights

LOG, EVENTS = "run.csv", "tensorboard"
SETTINGS, ENVIRONMENT = "settings.json", "environment.json"
PREVIOUS, BEST = "checkpoint-previous.safetensors", "weights-best.safetensors"
_IN_A_CHECKPOINT = {"step", "seconds", "pending"}


class RunFolder:
    """The folder of a run: its log and its checkpoints. Without a folder, nothing is kept.

    Args:
        out: the folder; None for none. It is created by the first `save`.
        settings: of the run, as JSON has them. Another run's folder is refused.
        classes: names without the background.
        pictures: how many there are to train on; None if that is not known yet.
        writes: False for all but one of several processes that share a run: they resume from the
            folder, but never write to it.

    Raises:
        OSError: the folder cannot be written to.
    """

    def __init__(
        self,
        out: str | Path | None,
        settings: dict,
        classes: tuple[str, ...],
        pictures: int | None = None,
        writes: bool = True,
    ):
        self.folder = None if out is None else Path(out)
        self.writes = writes and self.folder is not None
        self.classes = tuple(classes)
        # as it comes back from JSON, which has lists for tuples
        self.run = json.loads(json.dumps({"settings": settings, "pictures": pictures}))
        self.history: list[Step] = []
        self.pending: list[list[float]] = []
        self.seconds = 0.0
        self._kept: int | None = None  # the step of the folder's best checkpoint
        self._described, self._keeps_newest = False, True
        self._stack = contextlib.ExitStack()  # what `close` ends
        self._checkpoints: tuple[Path, ...] = ()
        if self.folder is not None:
            self._checkpoints = self.folder / CHECKPOINT, self.folder / PREVIOUS
            self._events = Events(self.folder / EVENTS)
        if self.writes:
            _files.refuse_unwritable(self.folder)

    def step(self) -> int:
        """Return the step of the checkpoint that the run will resume from; 0 for a new run.

        Only headers are read: `resume` checks the checkpoint's tensors.

        Raises:
            ValueError: the folder is another run's, or all of its checkpoints are damaged.
            BlockingIOError: another process trains into the folder.
        """
        busy = self.writes and self.folder.is_dir()
        with locked(self.folder) if busy else contextlib.nullcontext():
            return self._read(lambda path: read_header(path).metadata)[0].get("step", 0)

    def resume(
        self,
        network: SSD,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None = None,
    ) -> int:
        """Restore the folder's newest good checkpoint, if any; return the first step to take.

        From now on, until `close`, no other process can train into the folder. Raises as `step`.
        """
        with contextlib.ExitStack() as stack:
            if self.writes:
                self.folder.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.folder))
                for name in (LOG, SETTINGS, ENVIRONMENT, CHECKPOINT, BEST):
                    _files.remove_unfinished(self.folder / name)
            first = self._resume(network, optimizer, scaler)
            self._stack = stack.pop_all()
        return first

    def _resume(self, network, optimizer, scaler) -> int:
        metadata, passed_over = self._read(lambda path: restore(path, network, optimizer))
        if not metadata:
            return 0
        self._kept = step = metadata["step"]
        if passed_over:
            self._say(f"{passed_over}; resuming from {PREVIOUS}, step {step}")
        if scaler is not None and metadata.get("scaler"):
            scaler.load_state_dict(metadata["scaler"])
        if (self.folder / LOG).is_file():
            self.history += [line for line in read_log(self.folder / LOG) if line.step <= step]
        else:
            self._say(f"{self.folder / LOG} is missing: the curves start at the checkpoint")
        self.pending, self.seconds = metadata["pending"], metadata["seconds"]
        return step

    def save(
        self,
        network: SSD,
        optimizer: torch.optim.Optimizer,
        step: int,
        seconds: float,
        pending: list[list[float]],
        scaler: torch.amp.GradScaler | None = None,
    ) -> None:
        """Write log and checkpoint; `pending` are the losses since the log's last line.

        Raises:
            OSError: it cannot be written, such as on a full disk; the message names the checkpoint
                that is kept.
        """
        if not self.writes:
            return
        metadata = {**self.run, "step": step, "seconds": seconds, "pending": pending}
        metadata |= {} if scaler is None else {"scaler": scaler.state_dict()}
        try:
            if not self._described:
                self._describe()
            # the log first: resuming drops lines beyond the checkpoint, but cannot restore missing
            # ones; the events can be written again from the log at any time
            write_log(self.folder / LOG, self.history)
            newest, previous = self._checkpoints
            with _files.atomic_write(newest, durable=True) as complete:
                save_weights(complete, network, self.classes, metadata, optimizer)
                if self._keeps_newest and newest.is_file():
                    os.replace(newest, previous)
            self._keeps_newest, self._kept = True, step
            self._events.write(self.history, seconds)
        except OSError as error:
            kept = f"the checkpoint of step {self._kept} is kept"
            kept = "nothing is saved yet" if self._kept is None else kept
            again = "fix that and rerun the same command to resume"
            why = f"{self.folder} cannot be written ({_files.reason(error)}); {kept}: {again}"
            raise _files.reworded(error, why) from error

    def save_best(self, network: SSD, line: Step) -> bool:
        """Write the network, if its mAP is the highest of the run so far; return whether it is.

        Raises:
            OSError: it cannot be written.
        """
        if not self.writes or line.val_map50 <= self._best():
            return False
        measured = {"step": line.step, "samples": line.samples, "val_map50": line.val_map50}
        save_weights(self.folder / BEST, network, self.classes, self.run | measured)
        return True

    def close(self) -> None:
        """Close the events, and let others train into the folder."""
        if self.writes:
            self._events.close()
        self._stack.close()

    def _best(self) -> float:
        """Return the mAP of the folder's best weights of this run; -1 if there are none."""
        try:
            metadata = read_header(self.folder / BEST, verify=True).metadata
        except (FileNotFoundError, DamagedWeights):
            return -1.0
        ours = {key: metadata.get(key) for key in self.run} == self.run
        return metadata["val_map50"] if ours else -1.0

    def _read(self, read: Callable[[Path], dict]) -> tuple[dict, str]:
        """Return what `read` makes of the newest good checkpoint, and why none newer is used."""
        damaged: list[str] = []
        for path in filter(Path.is_file, self._checkpoints):
            try:
                self._refuse_another_run(path)
                metadata = read(path)
                if not metadata.keys() >= _IN_A_CHECKPOINT:
                    raise DamagedWeights(f"{path} is not the checkpoint of a run")
            except DamagedWeights as error:
                damaged.append(str(error))
                continue
            # a damaged one must not replace this one at the next `save`
            self._keeps_newest = not damaged
            missing = "" if path.name == CHECKPOINT else f"{self._checkpoints[0]} is missing"
            return metadata, damaged[0] if damaged else missing
        if damaged:
            raise ValueError(
                f"{self.folder} has no good checkpoint ({'; '.join(damaged)}): remove"
                f" {'it' if len(damaged) == 1 else 'both'} to start again, or give another folder"
            )
        return {}, ""

    def _refuse_another_run(self, path: Path) -> None:
        header = read_header(path)
        metadata = {"pictures": None, "settings": {}, **header.metadata}
        pictures = self.run["pictures"] or metadata["pictures"]  # unknown before they are loaded
        new = {**self.run["settings"], "pictures": pictures, "classes": ", ".join(self.classes)}
        old = {**current_settings(metadata["settings"]), "pictures": metadata["pictures"]}
        old["classes"] = ", ".join(header.classes)
        changes = [f"{key} {old.get(key)} -> {new[key]}" for key in new if old.get(key) != new[key]]
        if changes:
            read_header(path, verify=True)  # a damaged header may say anything
            raise ValueError(
                f"{self.folder} contains a run with other settings ({'; '.join(changes)}):"
                f" give another folder (--start takes the weights of this one), or remove this one"
            )

    def _describe(self) -> None:
        """Write settings and environment, once per start."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        start = {"at": now, "from_step": self._kept or 0, **environment()}
        settings = {**self.run, "classes": self.classes}
        _files.write_file(self.folder / SETTINGS, _files.as_json(settings), durable=True)
        _files.write_file(self.folder / ENVIRONMENT, _files.as_json(start), durable=True)
        self._described = True

    def _say(self, sentence: str) -> None:
        if self.writes:  # once, not once per process
            print(sentence, file=sys.stderr)
