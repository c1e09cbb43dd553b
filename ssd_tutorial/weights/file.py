"""Saving and loading weights: safetensors files that say what they are (chapter 12).

A file of weights holds the network's tensors and, in its header, the model's name and the classes:
enough to build the detector again. A checkpoint holds the optimizer too. Files appear complete or
not at all. Two SHA-256 checksums in the header, of the tensors and of the header itself, tell a
file that a disk or a copy has damaged; a file without them is read all the same.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ssd_tutorial._files import atomic_write
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import PRESETS, ModelPreset, get_model, get_preset

_MODEL, _OPTIMIZER = "model.", "optimizer."
_ENTRIES = {"model", "priors", "classes", "facts"}
_TENSORS_SHA256, _HEADER_SHA256 = "tensors_sha256", "header_sha256"


class DamagedWeights(ValueError):
    """A file of weights that cannot be read, or that is not what was written."""


@dataclass
class Detector:
    """A network and what its labels mean."""

    network: SSD
    classes: tuple[str, ...]
    """Names without the background: label i + 1 is ``classes[i]``."""
    metadata: dict
    """How it was trained: whatever `save_weights` was given."""


def save_weights(
    path: str | Path,
    network: SSD,
    classes: tuple[str, ...],
    metadata: dict | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a network (and, for a checkpoint, its optimizer) to a safetensors file, atomically.

    Args:
        path: the file; its folder is made where it is missing.
        network: where its tensors are does not matter.
        classes: names without the background.
        metadata: whatever belongs to the file and is JSON.
        optimizer: its state, not its settings, which are the caller's.

    Raises:
        ValueError: the number of classes is not the network's, or its priors have no name that
            `load_weights` could find again.
        OSError: the file cannot be written, such as on a full disk; an older one is still there.
    """
    if len(classes) != network.num_classes - 1:
        raise ValueError(
            f"the network has {network.num_classes} classes with the background, so it needs"
            f" {network.num_classes - 1} names, not {len(classes)}"
        )
    priors = network.config.priors
    if PRESETS.get(priors.name) != priors:
        raise ValueError(f"priors {priors.name!r} are not those of the preset of that name")
    tensors = {_MODEL + k: v for k, v in network.state_dict().items()}
    if optimizer is not None:
        for parameter, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                if value is not None:  # SGD without momentum
                    tensors[f"{_OPTIMIZER}{parameter}.{key}"] = torch.as_tensor(value)
    header = {
        "model": network.config.name,
        "priors": priors.name,
        "classes": json.dumps(list(classes)),
        "facts": json.dumps(metadata or {}),
    }
    if optimizer is not None:
        header["optimizer"] = type(optimizer).__name__
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    header[_TENSORS_SHA256] = _tensors_sha256(tensors)
    header[_HEADER_SHA256] = _header_sha256(header)
    with atomic_write(path, durable=True) as file:
        file.touch()
        mode = file.stat().st_mode  # safetensors' own file could be read by its owner alone
        try:
            save_file(tensors, file, header)
        except SafetensorError as error:
            raise _as_os_error(error, path) from error
        file.chmod(mode)


class Header(NamedTuple):
    """What a file of weights says of itself."""

    config: ModelPreset
    classes: tuple[str, ...]
    metadata: dict


def read_header(path: str | Path) -> Header:
    """Read what a file of weights says of itself; its tensors stay on the disk, unchecked.

    Raises as `load_weights`.
    """
    with _opened(path) as file:
        return _header(path, file.metadata())


def load_weights(path: str | Path) -> Detector:
    """Build the detector that a file of `save_weights` describes, on the CPU, ready to detect.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged (`DamagedWeights`), or was not written by `save_weights`.
    """
    header, tensors, _ = _read(path)
    network = SSD(header.config, len(header.classes) + 1)
    _fill(path, network, tensors)
    return Detector(network.eval(), header.classes, header.metadata)


def restore(path: str | Path, network: SSD, optimizer: torch.optim.Optimizer) -> dict:
    """Put a checkpoint's state into a network and an optimizer of the same shape; return its
    metadata.

    Nothing is changed unless the whole file is good.

    Raises as `load_weights`, and `ValueError` if it holds another network or no such optimizer.
    """
    header, tensors, kind = _read(path)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_OPTIMIZER):
            parameter, name = key.removeprefix(_OPTIMIZER).split(".", 1)
            state.setdefault(int(parameter), {})[name] = value
    if not state and kind is None:
        raise ValueError(f"{path} holds weights but no optimizer: training can't go on from it")
    if kind not in (None, type(optimizer).__name__):
        raise ValueError(f"{path} holds the state of {kind}, not of {type(optimizer).__name__}")
    _fill(path, network, tensors)
    optimizer.load_state_dict(
        {"state": state, "param_groups": optimizer.state_dict()["param_groups"]}
    )
    return header.metadata


def _fill(path: str | Path, network: SSD, tensors: dict[str, Tensor]) -> None:
    """Put the file's tensors into a network, after a look at their names and shapes."""
    held = {k.removeprefix(_MODEL): v for k, v in tensors.items() if k.startswith(_MODEL)}
    due = network.state_dict()
    wrong = [name for name in held.keys() | due.keys() if _shape(held, name) != _shape(due, name)]
    if wrong:
        name = min(wrong)
        raise ValueError(
            f"{path} does not hold the weights of a {network.config.name} with"
            f" {network.num_classes - 1} classes: {len(wrong)} tensors differ, such as {name},"
            f" {_shape(held, name)} in the file and {_shape(due, name)} in the network"
        )
    network.load_state_dict(held)


def _shape(tensors: dict[str, Tensor], name: str) -> list[int] | str:
    return list(tensors[name].shape) if name in tensors else "missing"


def _read(path: str | Path) -> tuple[Header, dict[str, Tensor], str | None]:
    """Header, tensors and the optimizer's kind, all verified."""
    with _opened(path) as file:
        entries = file.metadata() or {}
        header = _header(path, entries)
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    due = entries.get(_TENSORS_SHA256)
    if due is not None and _tensors_sha256(tensors) != due:
        raise DamagedWeights(f"{path} is damaged: its tensors are not those that were written")
    return header, tensors, entries.get("optimizer")


@contextmanager
def _opened(path: str | Path) -> Iterator:
    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file of weights at {path}")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise DamagedWeights(f"{path} is no readable safetensors file: {error}") from error


def _header(path: str | Path, found: dict[str, str] | None) -> Header:
    found = found or {}
    missing = _ENTRIES - set(found)
    if missing:
        raise DamagedWeights(
            f"{path} was not written by ssd_tutorial: its header lacks {', '.join(sorted(missing))}"
        )
    # An entry that nobody writes may be a checksum whose name is damaged. The first files had none.
    unknown = set(found) - _ENTRIES - {"optimizer", _TENSORS_SHA256, _HEADER_SHA256}
    due = found.get(_HEADER_SHA256)
    if unknown or (due is None and _TENSORS_SHA256 in found):
        raise DamagedWeights(f"{path} is damaged: its header has lost a checksum")
    if due is not None and _header_sha256(found) != due:
        raise DamagedWeights(f"{path} is damaged: its header is not the one that was written")
    try:
        model = get_model(found["model"]).with_priors(get_preset(found["priors"]))
        classes, metadata = json.loads(found["classes"]), json.loads(found["facts"])
    except ValueError as error:
        raise DamagedWeights(f"{path} has a header that cannot be used: {error}") from error
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise DamagedWeights(
            f"{path} has a header that cannot be used: its classes are {classes!r}"
        )
    if not isinstance(metadata, dict):
        raise DamagedWeights(f"{path} has a header that cannot be used: its facts are {metadata!r}")
    return Header(model, tuple(classes), metadata)


def _tensors_sha256(tensors: dict[str, Tensor]) -> str:
    """Of names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _header_sha256(header: dict[str, str]) -> str:
    covered = {key: value for key, value in header.items() if key != _HEADER_SHA256}
    return hashlib.sha256(json.dumps(covered, sort_keys=True).encode()).hexdigest()


def _as_os_error(error: SafetensorError, path: str | Path) -> OSError:
    """What the system said, which safetensors wraps into words (two versions of them)."""
    number = re.search(r"(?:os error|code:) (\d+)", str(error))
    if number is None:
        return OSError(f"{path} cannot be written: {error}")
    return OSError(int(number[1]), os.strerror(int(number[1])), str(path))
