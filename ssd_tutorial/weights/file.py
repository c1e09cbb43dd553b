"""Save and load weights: safetensors files that describe themselves (chapter 12).

A file of weights holds the network's tensors and, in its header, the model's name and the classes:
enough to build the detector again. A checkpoint also holds the optimizer. Files appear complete or
not at all. The header has a SHA-256 checksum of everything else, which detects damage by a disk or
a copy; files of earlier versions, which lack it, can still be read.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ssd_tutorial._files import write_file
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import PRESETS, ModelPreset, get_model, get_preset

_MODEL, _OPTIMIZER = "model.", "optimizer."
_ENTRIES = {"model", "priors", "classes", "facts"}
_SHA256 = "sha256"
_KNOWN = _ENTRIES | {"optimizer", _SHA256, "tensors_sha256", "header_sha256"}  # the last two: once
WEIGHTS, CHECKPOINT = "weights.safetensors", "checkpoint.safetensors"
"""Names of files in the folder of a run."""


class DamagedWeights(ValueError):
    """A file of weights cannot be read, or its content is not what was written."""


@dataclass
class Detector:
    """A network and what its labels mean."""

    network: SSD
    classes: tuple[str, ...]
    """Names without the background: label i + 1 is ``classes[i]``."""
    metadata: dict
    """How it was trained: whatever `save_weights` was given."""

    def names(self, labels: Tensor) -> list[str]:
        """Return the names of labels ``[N]``, from 1, such as those of `Detections`."""
        return [self.classes[label - 1] for label in labels.tolist()]


def save_weights(
    path: str | Path,
    network: SSD,
    classes: tuple[str, ...],
    metadata: dict | None = None,
    optimizer: torch.optim.Optimizer | None = None,
) -> None:
    """Write a network (and, for a checkpoint, its optimizer) to a safetensors file, atomically.

    Args:
        path: the file; its folder is created if it is missing.
        network: on any device.
        classes: names without the background.
        metadata: anything about the file that JSON can hold.
        optimizer: its state is saved, not its settings, which are the caller's.

    Raises:
        ValueError: the number of classes is not the network's, its priors are not those of a
            preset that `load_weights` can find by name, or a number is NaN or infinite.
        OSError: the file cannot be written, such as on a full disk; an older one is kept.
    """
    check_names(network, classes)
    priors = network.config.priors
    if PRESETS.get(priors.name) != priors:
        raise ValueError(f"priors {priors.name!r} are not those of the preset of that name")
    tensors = {_MODEL + k: v for k, v in network.state_dict().items()}
    header = {
        "model": network.config.name,
        "priors": priors.name,
        "classes": json.dumps(list(classes)),
        "facts": json.dumps(metadata or {}),
    }
    if optimizer is not None:
        header["optimizer"] = type(optimizer).__name__
        for parameter, state in optimizer.state_dict()["state"].items():
            state = {k: torch.as_tensor(v) for k, v in state.items() if v is not None}
            tensors |= {f"{_OPTIMIZER}{parameter}.{k}": v for k, v in state.items()}
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    check_finite(tensors, f"not written to {path}: the network")
    content = save(tensors, header | {_SHA256: _sha256(tensors, header)})
    write_file(path, content, durable=True)


def check_names(network: SSD, classes: tuple[str, ...]) -> None:
    """Raise `ValueError` unless there is one name for each of the network's classes."""
    if len(classes) != network.num_classes - 1:
        raise ValueError(
            f"the network has {network.num_classes} classes with the background, so it needs"
            f" {network.num_classes - 1} names, not {len(classes)}"
        )


def check_finite(tensors: Mapping[str, Tensor], where: str | Path) -> None:
    """Raise `DamagedWeights`, naming the first tensor that holds NaN or infinity, if any does."""
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            name = name.removeprefix(_MODEL)
            raise DamagedWeights(f"{where} has NaN or infinite numbers, first in {name}")


class Header(NamedTuple):
    """What a file of weights says about itself."""

    config: ModelPreset
    classes: tuple[str, ...]
    metadata: dict


def read_header(path: str | Path, verify: bool = False) -> Header:
    """Read the header of a file of weights; its tensors stay on the disk, unchecked.

    Raises as `load_weights`; damage that leaves the header readable is seen under `verify` alone,
    which reads the whole file.
    """
    return _read(path, whole=verify)[0]


def load_weights(path: str | Path) -> Detector:
    """Build the detector that a file of `save_weights` describes, on the CPU, ready to detect.

    Args:
        path: the file, or the folder of a run (see `find_weights`).

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged (`DamagedWeights`), or was not written by `save_weights`.
    """
    header, tensors, _ = _read(path)
    state, num_classes = _named(_MODEL, tensors), len(header.classes) + 1
    with torch.device("meta"):  # shapes without numbers: a header may name 60 000 classes
        check_shapes(SSD(header.config, num_classes), state, path)
    network = SSD(header.config, num_classes)
    network.load_state_dict(state)
    return Detector(network.eval(), header.classes, header.metadata)


def find_weights(path: str | Path) -> Path:
    """Return the file of weights that a path means: itself or, in the folder of a run, the last.

    These are `WEIGHTS` of a complete run, and the newest checkpoint of one that is not complete.

    Raises:
        FileNotFoundError: no such file; a folder without weights.
    """
    path = Path(path)
    found = [path] if not path.is_dir() else [path / WEIGHTS, path / CHECKPOINT]
    for file in filter(Path.is_file, found):
        return file
    if path.is_dir():
        raise FileNotFoundError(f"the folder {path} has neither {WEIGHTS} nor {CHECKPOINT}")
    raise FileNotFoundError(f"there is no file of weights at {path}")


def restore(path: str | Path, network: SSD, optimizer: torch.optim.Optimizer) -> dict:
    """Load a checkpoint into a network and an optimizer of the same shape; return its metadata.

    Nothing is changed unless the whole file is good.

    Raises as `load_weights`, and `ValueError` if the file holds a different network or optimizer.
    """
    header, tensors, kind = _read(path)
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in _named(_OPTIMIZER, tensors).items():
        parameter, name = key.split(".", 1)
        state.setdefault(int(parameter), {})[name] = value
    if not state and kind is None:
        raise ValueError(f"{path} has weights but no optimizer: training cannot resume from it")
    if kind not in (None, type(optimizer).__name__):
        raise ValueError(f"{path} has the state of {kind}, not of {type(optimizer).__name__}")
    check_shapes(network, state_dict := _named(_MODEL, tensors), path)
    network.load_state_dict(state_dict)
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
    return header.metadata


def check_shapes(network: SSD, state: Mapping[str, Tensor], source: str | Path) -> None:
    """Raise `ValueError` unless a state dict has the network's names and shapes."""
    found, due = ({k: list(v.shape) for k, v in x.items()} for x in (state, network.state_dict()))
    if wrong := sorted(k for k in found | due if found.get(k) != due.get(k)):
        shapes = (shape.get(wrong[0], "missing") for shape in (found, due))
        raise ValueError(
            f"{source} does not contain the weights of a {network.config.name} with"
            f" {network.num_classes - 1} classes: {len(wrong)} tensors differ, such as {wrong[0]},"
            " {} in the file and {} in the network".format(*shapes)
        )


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the network or of the optimizer, by the names that they have there."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _read(path: str | Path, whole: bool = True) -> tuple[Header, dict[str, Tensor], str | None]:
    """Return header, tensors and the optimizer's kind; tensors are read and verified if `whole`."""
    path = find_weights(path)
    try:
        with safe_open(path, framework="pt") as file:
            entries = file.metadata() or {}
            tensors = {k: file.get_tensor(k) for k in (file.keys() if whole else ())}
    except SafetensorError as error:
        raise DamagedWeights(f"{path} is not a readable safetensors file: {error}") from error
    if missing := ", ".join(sorted(_ENTRIES - set(entries))):
        raise DamagedWeights(f"{path} was not written by ssd_tutorial: its header lacks {missing}")
    if unknown := ", ".join(sorted(set(entries) - _KNOWN)):  # such as a damaged "sha256"
        raise DamagedWeights(f"{path} is damaged: its header has {unknown!r:.80}")
    if whole and _SHA256 in entries and entries[_SHA256] != _sha256(tensors, entries):
        raise DamagedWeights(f"{path} is damaged: its content does not match its checksum")
    check_finite(tensors, path)
    try:
        header = parse_header(entries)
    except ValueError as error:
        raise DamagedWeights(f"{path} has a header that cannot be used: {error}") from error
    return header, tensors, entries.get("optimizer")


def parse_header(entries: Mapping[str, str]) -> Header:
    """Parse the entries that a file of weights and an ONNX file have alike.

    Raises:
        ValueError: one is missing, or holds something else.
    """
    try:
        config = get_model(entries["model"]).with_priors(get_preset(entries["priors"]))
        classes, metadata = json.loads(entries["classes"]), json.loads(entries["facts"])
    except KeyError as error:
        raise ValueError(f"it has no {error}") from error
    except RecursionError as error:
        raise ValueError("its classes or facts are nested too deeply") from error
    if not (isinstance(classes, list) and classes and all(isinstance(c, str) for c in classes)):
        raise ValueError(f"its classes are {classes!r:.80}")
    if not isinstance(metadata, dict):
        raise ValueError(f"its facts are {metadata!r:.80}")
    return Header(config, tuple(classes), metadata)


def _sha256(tensors: dict[str, Tensor], header: dict[str, str]) -> str:
    """Return the checksum of the header's other entries and of names, types, shapes and bytes."""
    entries = {key: value for key, value in header.items() if key != _SHA256}
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()
