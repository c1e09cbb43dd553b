"""Start from trained weights: ImageNet's VGG-16, COCO's SSD300 or a file (chapter 15).

``load_start`` implements a recipe's ``start``:

* ``"imagenet"``: torchvision's VGG-16 (``IMAGENET1K_V1``) as the backbone. The default of the long
  recipes, because of torchvision's two it is the only one with the fully connected layers that the
  paper turns into conv6 and conv7.
* ``"imagenet-caffe"``: the weights that the authors started from (``IMAGENET1K_FEATURES``), up to
  conv5_3. conv6 and conv7 start random, as they did in torchvision's own SSD300.
* ``"coco"``: torchvision's SSD300, trained on COCO, with its heads.
* ``"scenes"`` and ``"bccd"``: our slim300, trained on drawn scenes or on blood cells; they ship
  with the package.
* a file of weights, written by us or for torchvision's SSD300; or the folder of a run.

torchvision downloads into its own folder and checks the hash in the file's name. How the starts
compare has not been measured here; chapter 15 says what others report.
"""

import pickle
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.models import VGG16_Weights, WeightsEnum
from torchvision.models.detection import SSD300_VGG16_Weights

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets.messages import listing
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD300, ModelPreset, get_preset
from ssd_tutorial.weights.convert import from_torchvision_ssd300, from_torchvision_vgg16
from ssd_tutorial.weights.file import (
    Detector,
    check_finite,
    check_names,
    check_shapes,
    load_weights,
)

COCO_MODEL = SSD300.with_priors(get_preset("torchvision300_coco"))
_IMAGENET = {
    "imagenet": VGG16_Weights.IMAGENET1K_V1,
    "imagenet-caffe": VGG16_Weights.IMAGENET1K_FEATURES,
}
SHIPPED = {name: f"weights/{name}_slim300.safetensors" for name in ("scenes", "bccd")}
"""Our own weights by name, each a file of `data_path`."""
STARTS = (*_IMAGENET, "coco", *SHIPPED)
"""The starts that are names; any other is a path."""

_UNNAMED = "N/A"  # COCO's ids run to 90, and ten of them were never used
_COCO_NAMES = tuple(SSD300_VGG16_Weights.COCO_V1.meta["categories"][1:])  # without the background
COCO_CLASSES = tuple(name for name in _COCO_NAMES if name != _UNNAMED)
"""The 80 classes of COCO, in the order of their ids."""

_IN_COCO = {"aeroplane": "airplane", "motorbike": "motorcycle", "sofa": "couch", "tvmonitor": "tv"}


class _Source(NamedTuple):
    """A whole detector to start from."""

    name: str
    config: ModelPreset
    classes: tuple[str, ...]  # "N/A" where the name is unknown
    state: dict[str, Tensor]


def load_start(network: SSD, start: str, classes: tuple[str, ...]) -> str:
    """Load a network's first weights; return a sentence that says which, and what stays random.

    When a whole detector is loaded, classes of the same name keep their class scores; spaces,
    dashes and capitals are ignored, and VOC's words count as COCO's. All other rows of the class
    heads stay as they are. Offsets belong to no class and are loaded.

    Args:
        network: changed in place.
        start: see the module; empty leaves the network as it is.
        classes: names of the network's classes, without the background.

    Raises:
        ValueError: the weights are another model's or cannot be read; a download is damaged.
        OSError: there is no such file, or the download failed.
    """
    check_names(network, classes)
    if not start:
        return "all weights start random"
    if start in _IMAGENET:
        return _load_imagenet(network, start)
    return _transfer(network, _read(start), classes)


def load_coco() -> Detector:
    """Return torchvision's SSD300, trained on COCO: 80 classes, on the CPU, ready to detect.

    Of its 91 outputs per box, the ten for ids that COCO never used are removed. They were never
    trained to be high, so the other scores hardly change.

    Raises as `load_start`.
    """
    network = SSD(COCO_MODEL, len(COCO_CLASSES) + 1)
    _transfer(network, _read("coco"), COCO_CLASSES)
    return Detector(network.eval(), COCO_CLASSES, {"start": str(SSD300_VGG16_Weights.COCO_V1)})


def _load_imagenet(network: SSD, start: str) -> str:
    if network.config.backbone != "vgg16":
        raise ValueError(
            f"start {start!r} is a VGG-16, and {network.config.name} has another backbone: choose"
            " ssd300 or ssd512, or start from random weights"
        )
    weights, whole = _IMAGENET[start], start == "imagenet"
    mean, std = weights.transforms().mean, weights.transforms().std
    state = from_torchvision_vgg16(_download(weights), mean, std, fully_connected=whole)
    network.load_state_dict(state, strict=False)
    return (
        f"{start}: conv1_1 to conv5_3{', conv6 and conv7' if whole else ''} from {weights}; the"
        f" L2Norm,{'' if whole else ' conv6, conv7,'} the extras and the heads start random"
    )


def _read(start: str) -> _Source:
    path = Path(start)
    if start == "coco":
        state = from_torchvision_ssd300(_download(SSD300_VGG16_Weights.COCO_V1))
        return _Source(start, COCO_MODEL, _COCO_NAMES, state)
    if start in SHIPPED:
        path = data_path(SHIPPED[start])
    elif not path.exists():
        raise FileNotFoundError(
            f"start must be one of {', '.join(STARTS)}, a file of weights or the folder of a run:"
            f" there is no {start}"
        )
    if path.suffix in (".pth", ".pt"):
        return _read_foreign(path)
    network, classes = (detector := load_weights(path)).network, detector.classes
    return _Source(path.name, network.config, classes, network.state_dict())


def _read_foreign(path: Path) -> _Source:
    """Read a file of ``torch.save``, but only plain tensors; see `_Source`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as plain tensors, and anything else in such a file could run a"
            " program. If you trust it, load it yourself and save its state dict alone"
            f" ({str(error).strip().splitlines()[0] if str(error) else type(error).__name__})"
        ) from error
    for inside in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(inside), dict):
            state = state[inside]
    entries = state.items() if isinstance(state, dict) else [(None, None)]
    if not all(isinstance(k, str) and isinstance(v, Tensor) for k, v in entries):
        raise ValueError(
            f"{path} does not contain a state dict: expected names with one tensor each"
        )
    if "features.0.weight" in state:
        raise ValueError(
            f"{path} is a VGG-16 classifier: give it the file name that its address has, move it to"
            f" {Path(torch.hub.get_dir()) / 'checkpoints'} and start from imagenet"
        )
    try:
        ours = from_torchvision_ssd300(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    num_classes = len(ours["class_heads.5.bias"]) // 4 - 1
    names = _COCO_NAMES if num_classes == len(_COCO_NAMES) else (_UNNAMED,) * num_classes
    return _Source(path.name, COCO_MODEL, names, ours)


def _download(weights: WeightsEnum) -> dict[str, Tensor]:
    """Return torchvision's weights, from its folder of downloads or from the network."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        return weights.get_state_dict(
            progress=True, check_hash=True, map_location="cpu", weights_only=True
        )
    except OSError as error:
        raise OSError(
            f"{weights.url} could not be downloaded ({error}): try again, or copy the file from"
            f" another machine to {folder}"
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        again = f"delete it from {folder} if it is there, and try again"
        raise ValueError(f"{weights.url} is damaged ({error}): {again}") from error


def _transfer(network: SSD, source: _Source, classes: tuple[str, ...]) -> str:
    """Load what fits from a source; see `load_start`."""
    if source.config.name != network.config.name:
        raise ValueError(
            f"{source.name} holds the weights of {source.config.name}, but this network is"
            f" {network.config.name}: choose the same model, or another start"
        )
    check_finite(source.state, source.name)
    # without names, only an equal number can mean the same classes
    in_order = {_UNNAMED} == set(source.classes) and len(source.classes) == len(classes)
    theirs = _labels_of(classes, classes if in_order else source.classes)
    heads = {
        name: _rows(ours, source.state[name], len(source.classes) + 1, [0, *theirs])
        for name, ours in network.state_dict().items()
        if name.startswith("class_heads.")
    }
    state = source.state | heads
    check_shapes(network, state, source.name)
    network.load_state_dict(state)
    said = f"{source.name}: all weights are loaded"
    if fresh := [name for name, label in zip(classes, theirs, strict=True) if label is None]:
        said += (
            f" but the class scores of {len(fresh)} of {len(classes)} classes, which start random:"
            f" {listing(fresh, 5, ', ')}"
        )
    elif in_order:
        said += "; its classes have no names and are taken in the order of yours"
    if source.config.priors != network.config.priors:
        said += (
            f"; it was trained with the priors {source.config.priors.name}, and has to adapt to"
            f" {network.config.priors.name}"
        )
    return said


def _rows(ours: Tensor, theirs: Tensor, num_theirs: int, labels: list[int | None]) -> Tensor:
    """Return a class head's tensor: of every box of a cell, their rows where a label is known."""
    mixed = ours.clone().unflatten(0, (-1, len(labels)))  # [boxes, classes, …]
    theirs = theirs.to(ours).unflatten(0, (-1, num_theirs))
    for label, their_label in enumerate(labels):
        if their_label is not None:
            mixed[:, label] = theirs[:, their_label]
    return mixed.flatten(0, 1)


def _labels_of(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[int | None]:
    """Return the label that each class has there, by an equal or a nearly equal name."""
    exact = {name: label for label, name in enumerate(theirs, start=1) if name != _UNNAMED}
    nearly = {_plain(name): label for name, label in exact.items()}
    return [exact.get(name, nearly.get(_plain(name))) for name in ours]


def _plain(name: str) -> str:
    """Return a class's name without case, spaces and dashes, in COCO's words."""
    word = "".join(character for character in name.lower() if character.isalnum())
    return _IN_COCO.get(word, word)
