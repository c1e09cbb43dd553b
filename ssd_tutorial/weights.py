"""Saving and loading weights: safetensors files that say what they are (chapter 12).

A file of weights holds the network's tensors and, in its header, the model's name and the classes:
enough to build the detector again. A checkpoint holds the optimizer too. Files appear complete or
not at all.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ssd_tutorial.network import SSD
from ssd_tutorial.presets import PRESETS, ModelPreset, get_model, get_preset
from ssd_tutorial.whole_files import written_whole

_MODEL, _OPTIMIZER = "model.", "optimizer."


@dataclass
class Detector:
    """A network and what its labels mean."""

    network: SSD
    classes: tuple[str, ...]
    """Names without the background: label i + 1 is ``classes[i]``."""
    facts: dict
    """How it was trained: whatever `save_weights` was given."""


def save_weights(
    path: str | Path,
    network: SSD,
    classes: tuple[str, ...],
    facts: dict | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a network (and, for a checkpoint, its optimizer) to a safetensors file, atomically.

    Raises:
        ValueError: the number of classes is not the network's, or its priors have no name that
            `load_weights` could find again.
    """
    if len(classes) != network.num_classes - 1:
        raise ValueError(
            f"the network has {network.num_classes} classes with the background, so it needs"
            f" {network.num_classes - 1} names, not {len(classes)}"
        )
    priors = network.model.priors
    if PRESETS.get(priors.name) != priors:
        raise ValueError(f"priors {priors.name!r} are not those of the preset of that name")
    tensors = {_MODEL + k: v for k, v in network.state_dict().items()}
    if optimizer is not None:
        for parameter, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"{_OPTIMIZER}{parameter}.{key}"] = torch.as_tensor(value)
    header = {
        "model": network.model.name,
        "priors": priors.name,
        "classes": json.dumps(list(classes)),
        "facts": json.dumps(facts or {}),
    }
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    with written_whole(path) as file:
        save_file(tensors, file, header)


class Header(NamedTuple):
    """What a file of weights says of itself."""

    model: ModelPreset
    classes: tuple[str, ...]
    facts: dict


def read_header(path: str | Path) -> Header:
    """Read what a file of weights says of itself; its tensors stay on the disk.

    Raises as `load_weights`.
    """
    with _opened(path) as file:
        return _header(path, file.metadata())


def load_weights(path: str | Path) -> Detector:
    """Build the detector that a file of `save_weights` describes, on the CPU, ready to detect.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or was not written by `save_weights`.
    """
    header, tensors = _read(path)
    network = SSD(header.model, len(header.classes) + 1)
    _fill(path, network, tensors)
    return Detector(network.eval(), header.classes, header.facts)


def restore(path: str | Path, network: SSD, optimizer: torch.optim.Optimizer) -> dict:
    """Put a checkpoint's state into a network and an optimizer of the same shape; return its facts.

    Raises as `load_weights`, and `ValueError` if it holds another network or no optimizer.
    """
    header, tensors = _read(path)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_OPTIMIZER):
            parameter, name = key.removeprefix(_OPTIMIZER).split(".", 1)
            state.setdefault(int(parameter), {})[name] = value
    if not state:
        raise ValueError(f"{path} holds weights but no optimizer: training can't go on from it")
    _fill(path, network, tensors)
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return header.facts


def _fill(path: str | Path, network: SSD, tensors: dict[str, Tensor]) -> None:
    """Put the file's tensors into a network, after a look at their names and shapes."""
    held = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
    due = network.state_dict()
    wrong = [name for name in held.keys() | due.keys() if _shape(held, name) != _shape(due, name)]
    if wrong:
        name = min(wrong)
        raise ValueError(
            f"{path} does not hold the weights of a {network.model.name} with"
            f" {network.num_classes - 1} classes: {len(wrong)} tensors differ, such as {name},"
            f" {_shape(held, name)} in the file and {_shape(due, name)} in the network"
        )
    network.load_state_dict(held)


def _shape(tensors: dict[str, Tensor], name: str) -> list[int] | str:
    return list(tensors[name].shape) if name in tensors else "missing"


def _read(path: str | Path) -> tuple[Header, dict[str, Tensor]]:
    with _opened(path) as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return _header(path, file.metadata()), tensors


@contextmanager
def _opened(path: str | Path) -> Iterator:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file of weights at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} is no readable safetensors file: {error}") from error


def _header(path: str | Path, found: dict[str, str] | None) -> Header:
    missing = {"model", "priors", "classes", "facts"} - set(found or {})
    if missing:
        raise ValueError(
            f"{path} was not written by ssd_tutorial: its header lacks {', '.join(sorted(missing))}"
        )
    try:
        model = get_model(found["model"]).with_priors(get_preset(found["priors"]))
        classes, facts = json.loads(found["classes"]), json.loads(found["facts"])
    except ValueError as error:
        raise ValueError(f"{path} has a header that cannot be used: {error}") from error
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise ValueError(f"{path} has a header that cannot be used: its classes are {classes!r}")
    return Header(model, tuple(classes), facts)
