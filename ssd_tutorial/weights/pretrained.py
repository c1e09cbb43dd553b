"""First weights that others have trained: ImageNet's VGG-16, COCO's SSD300, a file (chapter 15).

``load_start`` is what a recipe's ``start`` means:

* ``"imagenet"``: torchvision's VGG-16 (``IMAGENET1K_V1``) as the backbone. The default of the long
  recipes, because it is the only one of torchvision's two with the fully connected layers that the
  paper turns into conv6 and conv7.
* ``"imagenet-caffe"``: the numbers that the authors began with (``IMAGENET1K_FEATURES``), up to
  conv5_3. conv6 and conv7 start random: so did torchvision's own SSD300.
* ``"coco"``: torchvision's SSD300, trained on COCO, with its heads.
* a file of weights, of ours or of torchvision's SSD300.

Downloads are torchvision's: into its folder, checked against the hash in the file's name. Nobody
has measured here what each start is worth; chapter 15 says what others report.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import VGG16_Weights, WeightsEnum
from torchvision.models.detection import SSD300_VGG16_Weights

from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SSD300, ModelPreset, get_preset
from ssd_tutorial.weights.convert import from_torchvision_ssd300, from_torchvision_vgg16
from ssd_tutorial.weights.file import Detector, load_weights

COCO_MODEL = SSD300.with_priors(get_preset("torchvision300_coco"))
_IMAGENET = {
    "imagenet": VGG16_Weights.IMAGENET1K_V1,
    "imagenet-caffe": VGG16_Weights.IMAGENET1K_FEATURES,
}
STARTS = (*_IMAGENET, "coco")
"""The starts that are names; any other is a path."""

_UNNAMED = "N/A"  # COCO's ids run to 90, and ten of them were never used
_COCO_NAMES = tuple(SSD300_VGG16_Weights.COCO_V1.meta["categories"][1:])  # without the background
COCO_CLASSES = tuple(name for name in _COCO_NAMES if name != _UNNAMED)
"""The 80 classes of COCO, in the order of their ids."""

_VOC_WORDS = {
    "aeroplane": "airplane",
    "motorbike": "motorcycle",
    "sofa": "couch",
    "tvmonitor": "tv",
}


@dataclass(frozen=True)
class _Source:
    """A whole detector to start from."""

    name: str
    config: ModelPreset
    classes: tuple[str, ...] | None  # None: nobody knows their names
    state: dict[str, Tensor]


def load_start(network: SSD, start: str, classes: tuple[str, ...]) -> str:
    """Give a network its first weights; say in one sentence which, and what stays random.

    Where a whole detector is loaded, a class that is called the same there keeps its class scores;
    spaces, dashes and capitals don't count, and VOC's words are COCO's. Every other row of the
    class heads stays as it is. Offsets belong to no class and go over.

    Args:
        network: changed in place.
        start: see the module; empty leaves the network as it is.
        classes: names of the network's classes, without the background.

    Raises:
        ValueError: weights of another model, or that cannot be read; damaged downloads.
        OSError: there is no such file, or the download failed.
    """
    if len(classes) != network.num_classes - 1:
        raise ValueError(
            f"the network has {network.num_classes} classes with the background, so it needs"
            f" {network.num_classes - 1} names, not {len(classes)}"
        )
    if not start:
        return "all weights start random"
    if start in _IMAGENET:
        return _load_imagenet(network, start)
    return _transfer(network, _read(start), classes)


def load_coco() -> Detector:
    """torchvision's SSD300, trained on COCO: 80 classes, on the CPU, ready to detect.

    Its 91 outputs a box lose the ten that stand for ids that COCO never used. Nothing taught them
    to be high, so the other scores hardly move.

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
    weights = _IMAGENET[start]
    normalise = weights.transforms()
    whole = start == "imagenet"
    state = from_torchvision_vgg16(
        _download(weights), normalise.mean, normalise.std, fully_connected=whole
    )
    network.load_state_dict(state, strict=False)
    return (
        f"{start}: conv1_1 to conv5_3{', conv6 and conv7' if whole else ''} from {weights}; the"
        f" L2Norm,{'' if whole else ' conv6, conv7,'} the extras and the heads start afresh"
    )


def _read(start: str) -> _Source:
    path = Path(start)
    if start == "coco":
        state = _download(SSD300_VGG16_Weights.COCO_V1)
        return _Source(start, COCO_MODEL, _COCO_NAMES, from_torchvision_ssd300(state))
    if not path.is_file():
        raise FileNotFoundError(
            f"start must be one of {', '.join(STARTS)} or a file of weights: there is no {start}"
        )
    if path.suffix in (".pth", ".pt"):
        return _read_foreign(path)
    detector = load_weights(path)
    return _Source(
        path.name, detector.network.config, detector.classes, detector.network.state_dict()
    )


def _read_foreign(path: Path) -> _Source:
    """A file of ``torch.save``, of which only plain tensors are read; see `_Source`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, KeyError, ValueError) as error:
        raise ValueError(
            f"{path} cannot be read as plain tensors, and nothing else is read from a file that"
            " could run a program. If you trust it, load it yourself and save its state dict alone"
            f" ({str(error).strip().splitlines()[0] if str(error) else type(error).__name__})"
        ) from error
    for inside in ("model", "state_dict"):
        if isinstance(state, dict) and isinstance(state.get(inside), dict):
            state = state[inside]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise ValueError(f"{path} holds no state dict: it needs a tensor for each name")
    if "features.0.weight" in state:
        raise ValueError(
            f"{path} is a VGG-16 that classifies: name it as in its address, put it into"
            f" {Path(torch.hub.get_dir()) / 'checkpoints'} and start from imagenet"
        )
    try:
        ours = from_torchvision_ssd300(state)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    num_classes = len(ours["class_heads.5.bias"]) // 4
    names = _COCO_NAMES if num_classes == len(_COCO_NAMES) + 1 else None
    return _Source(path.name, COCO_MODEL, names, ours)


def _download(weights: WeightsEnum) -> dict[str, Tensor]:
    """torchvision's file, from its folder of downloads or from the network."""
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        return weights.get_state_dict(
            progress=True, check_hash=True, map_location="cpu", weights_only=True
        )
    except OSError as error:
        raise OSError(
            f"{weights.url} could not be downloaded ({error}): try again, or bring the file from"
            f" another machine into {folder}"
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise ValueError(
            f"{weights.url} came damaged ({error}): delete it from {folder} if it is there, and try"
            " again"
        ) from error


def _transfer(network: SSD, source: _Source, classes: tuple[str, ...]) -> str:
    """Load what a source can give; see `load_start`."""
    if source.config.name != network.config.name:
        raise ValueError(
            f"{source.name} holds the weights of an {source.config.name}, and this network is an"
            f" {network.config.name}: choose the same model, or another start"
        )
    theirs = source.classes
    if theirs is None:  # without names, only the same number can mean the same classes
        num_theirs = len(source.state["class_heads.5.bias"]) // 4
        theirs = classes if num_theirs == network.num_classes else ("",) * (num_theirs - 1)
    pairs = [(0, 0), *_same_classes(classes, theirs)]
    state = dict(source.state)
    if broken := [name for name, x in state.items() if not x.isfinite().all()]:
        raise ValueError(f"{source.name} holds weights that are no numbers: {', '.join(broken)}")
    for name, ours in network.state_dict().items():
        if name.startswith("class_heads."):
            state[name] = _rows(ours, network.num_classes, state[name], len(theirs) + 1, pairs)
        elif state[name].shape != ours.shape:
            raise ValueError(
                f"{source.name} has {name} of {list(state[name].shape)}, and this network has"
                f" {list(ours.shape)}"
            )
    network.load_state_dict(state)
    kept = {i for i, _ in pairs}
    fresh = [name for i, name in enumerate(classes, start=1) if i not in kept]
    said = f"{source.name}: all weights are loaded"
    if fresh:
        some = ", ".join(fresh[:5]) + (", …" if len(fresh) > 5 else "")
        said += (
            f" but the class scores of {len(fresh)} of {len(classes)} classes, which start random:"
            f" {some}"
        )
    elif source.classes is None:
        said += "; its classes have no names and are taken in the order of yours"
    if source.config.priors != network.config.priors:
        said += (
            f"; it was trained with the priors {source.config.priors.name}, and has to get used to"
            f" {network.config.priors.name}"
        )
    return said


def _rows(
    ours: Tensor, num_ours: int, theirs: Tensor, num_theirs: int, pairs: list[tuple[int, int]]
) -> Tensor:
    """A class head's weight or bias with some classes' rows, for every box of a cell, replaced."""
    mixed = ours.clone().unflatten(0, (-1, num_ours))  # [boxes, classes, …]
    mine, other = (torch.tensor(side) for side in zip(*pairs, strict=True))
    mixed[:, mine] = theirs.to(ours).unflatten(0, (-1, num_theirs))[:, other]
    return mixed.flatten(0, 1)


def _same_classes(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[tuple[int, int]]:
    """Labels of the classes that both have: called the same to the letter, or nearly."""
    exact = {
        name: label for label, name in enumerate(theirs, start=1) if name not in ("", _UNNAMED)
    }
    nearly = {_plain(name): label for name, label in exact.items()}
    found = [exact.get(name, nearly.get(_plain(name))) for name in ours]
    return [(mine, other) for mine, other in enumerate(found, start=1) if other is not None]


def _plain(name: str) -> str:
    """A class's name without what people write differently."""
    word = "".join(character for character in name.lower() if character.isalnum())
    return _VOC_WORDS.get(word, word)
