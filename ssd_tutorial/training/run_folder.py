"""The folder of a training: what it holds, and how to go on from it (chapter 12).

===============================  ==================================================================
settings.json                    recipe, classes, number of pictures
environment.json                 for every start: when, from which step, versions, machine, commit
run.csv                          the losses, a line for every report
tensorboard/                     the same, for TensorBoard
checkpoint.safetensors           network, optimizer, and where the run was
checkpoint-previous.safetensors  the one before
nonfinite-batch.json             if the loss stopped being a number: the pictures it was seen on
===============================  ==================================================================
"""

import functools
import json
import os
import sys
from datetime import datetime, timezone
from pathlib import Path

import torch
from torch.utils.data import Dataset

from ssd_tutorial._files import (
    atomic_write,
    reason,
    refuse_unwritable,
    remove_unfinished,
    reworded,
)
from ssd_tutorial.network import SSD
from ssd_tutorial.training.checkpoints import Checkpoints
from ssd_tutorial.training.log import Events, Step, read_log, write_log
from ssd_tutorial.training.provenance import environment
from ssd_tutorial.training.recipes import current_settings
from ssd_tutorial.weights.file import Header, read_header, restore, save_weights

LOG, EVENTS = "run.csv", "tensorboard"
SETTINGS, ENVIRONMENT = "settings.json", "environment.json"


class RunFolder:
    """The folder of a run: its log and its checkpoints. Without a folder, nothing is kept.

    Args:
        out: the folder; None for none. It is made at the first `save`.
        settings: of the run, as JSON has them. Another run's folder is refused.
        dataset: what is trained on, with ``classes``.
        writes: False for all but one of several processes that share a run: they go on from the
            folder, and never write to it.

    Raises:
        OSError: the folder cannot be written to.
    """

    def __init__(
        self, out: str | Path | None, settings: dict, dataset: Dataset, writes: bool = True
    ):
        self.folder = None if out is None else Path(out)
        self.writes = writes and self.folder is not None
        self.classes = tuple(dataset.classes)
        self.recipe = _recipe(settings, len(dataset))
        self.history: list[Step] = []
        self.pending: list[list[float]] = []
        self.seconds = 0.0
        self._kept: int | None = None  # the step of the folder's best checkpoint
        self._described = False
        if self.folder is not None:
            self._checkpoints = Checkpoints(self.folder)
            self._events = Events(self.folder / EVENTS)
        if self.writes:
            refuse_unwritable(self.folder)
            own = [self.folder / name for name in (LOG, SETTINGS, ENVIRONMENT)]
            for path in (*own, *self._checkpoints.files()):
                remove_unfinished(path)

    def resume(
        self,
        network: SSD,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler | None = None,
    ) -> int:
        """Restore the folder's newest good checkpoint, if any; return the first step to take.

        Raises:
            ValueError: the folder is another run's, or none of its checkpoints is good.
        """
        if self.folder is None:
            return 0

        def take(path: Path) -> dict:
            _refuse_another_run(self.folder, read_header(path), self.recipe, self.classes)
            return restore(path, network, optimizer)

        found = self._checkpoints.read(take)
        if found is None:
            return 0
        metadata = found.contents
        step = metadata["step"]
        if found.passed_over:
            self._say(f"{found.passed_over}; going on from {found.path.name}, step {step}")
        if scaler is not None and metadata.get("scaler"):
            scaler.load_state_dict(metadata["scaler"])
        self.history += [line for line in self._log() if line.step <= step]
        self.pending, self.seconds = metadata.get("pending", []), metadata["seconds"]
        self._kept = step
        return step

    def _log(self) -> list[Step]:
        try:
            return read_log(self.folder / LOG)
        except FileNotFoundError:
            self._say(f"{self.folder / LOG} is missing: the curves start at the checkpoint")
            return []

    def _say(self, sentence: str) -> None:
        if self.writes:  # once, not once a process
            print(sentence, file=sys.stderr)

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
            OSError: it cannot be written, such as on a full disk; says which checkpoint is kept.
        """
        if not self.writes:
            return
        metadata = {"settings": self.recipe["settings"], "pictures": self.recipe["pictures"]}
        metadata |= {"step": step, "seconds": seconds, "pending": pending}
        if scaler is not None:
            metadata["scaler"] = scaler.state_dict()
        parts = {"network": network, "classes": self.classes, "metadata": metadata}
        try:
            self._describe()
            # the log first: lines beyond the checkpoint are left out on resuming, missing ones are
            # lost; the events can be written again from the log at any time
            write_log(self.folder / LOG, self.history)
            self._checkpoints.save(functools.partial(save_weights, **parts, optimizer=optimizer))
            self._kept = step
            self._events.write(self.history, seconds)
        except OSError as error:
            raise self._unsaved(error) from error

    def not_finite(self, step: int, loss: float, names: list[str]) -> FloatingPointError:
        """The error for a loss that is NaN or infinite; the batch's pictures are kept in a file.

        Every process of a run may meet one; all but the first add their number to the file's name.
        """
        message = (
            f"the loss is {loss:.3g} at step {step}, with {names}: most often the learning rate is"
            f" too high, or its warm-up too short"
        )
        if self.folder is None:
            return FloatingPointError(message)
        process = int(os.environ.get("RANK", 0))  # torchrun's name for it
        path = self.folder / f"nonfinite-batch{f'-{process}' if process else ''}.json"
        batch = {"step": step, "loss": str(loss), "process": process, "pictures": names}
        try:
            _write_json(path, batch)
        except OSError as error:
            return FloatingPointError(f"{message} ({path} cannot be written: {reason(error)})")
        return FloatingPointError(f"{message}; the pictures are listed in {path}")

    def close(self) -> None:
        """Finish the events. A later `save` opens new ones."""
        if self.writes:
            self._events.close()

    def _describe(self) -> None:
        """Write settings and environment, once a start."""
        if self._described:
            return
        _write_json(self.folder / SETTINGS, {**self.recipe, "classes": self.classes})
        start = {"at": datetime.now(timezone.utc).isoformat(timespec="seconds")}
        start |= {"from_step": self._kept or 0, **environment()}
        earlier = _read_list(self.folder / ENVIRONMENT) if self._kept else []
        _write_json(self.folder / ENVIRONMENT, [*earlier, start])
        self._described = True

    def _unsaved(self, error: OSError) -> OSError:
        if self._kept is None:
            kept = "nothing is saved yet"
        else:
            kept = f"the checkpoint of step {self._kept} is kept"
        return reworded(
            error,
            f"{error.filename or self.folder} cannot be written ({reason(error)}); {kept}:"
            f" mend that, and the same command goes on from there",
        )


def check_run_folder(
    out: str | Path, settings: dict, classes: tuple[str, ...], pictures: int | None = None
) -> int:
    """Refuse at once, before pictures are loaded, what `RunFolder` would refuse later.

    Args:
        out: the folder, there or not.
        settings: of the run that is to begin or to go on.
        classes: names without the background.
        pictures: how many there are to train on; None where that is not known yet.

    Returns:
        The step of the checkpoint that the run will go on from; 0 for a new run. (Whether that
        checkpoint's tensors are good is seen when they are read.)

    Raises:
        OSError: the folder cannot be written to.
        ValueError: it holds another run, or no checkpoint that can be read.
    """
    folder = Path(out)
    refuse_unwritable(folder)
    found = Checkpoints(folder).read(read_header)
    if found is None:
        return 0
    recipe = _recipe(settings, pictures)
    if pictures is None:
        recipe["pictures"] = found.contents.metadata.get("pictures")
    _refuse_another_run(folder, found.contents, recipe, tuple(classes))
    return found.contents.metadata["step"]


def _recipe(settings: dict, pictures: int | None) -> dict:
    """As they come back from JSON, which has lists for tuples."""
    return {"settings": json.loads(json.dumps(settings)), "pictures": pictures}


def _refuse_another_run(
    folder: Path, header: Header, recipe: dict, classes: tuple[str, ...]
) -> None:
    new = {**recipe["settings"], "pictures": recipe["pictures"]}
    # the earliest checkpoints did not say how many pictures there were
    old = {"pictures": recipe["pictures"], **current_settings(header.metadata.get("settings", {}))}
    if "pictures" in header.metadata:
        old["pictures"] = header.metadata["pictures"]
    differ = [
        f"{key} {old.get(key)} -> {new.get(key)}"
        for key in {**old, **new}
        if old.get(key) != new.get(key)
    ]
    if header.classes != classes:
        differ.append(f"classes {', '.join(header.classes)} -> {', '.join(classes)}")
    if differ:
        raise ValueError(
            f"{folder} holds a run with other settings ({'; '.join(differ)}):"
            f" give another folder, or remove that one"
        )


def _write_json(path: Path, value: dict | list) -> None:
    with atomic_write(path, durable=True) as file:
        file.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _read_list(path: Path) -> list:
    """Empty where there is no such file or it is damaged: a run needs nothing of what it says."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []
