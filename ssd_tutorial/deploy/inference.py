"""Detect on pictures of any size, with boxes in their pixels (chapters 12, 13 and 16).

The whole of it, with a detector that `train` or `export` wrote::

    from ssd_tutorial.deploy.inference import detect, load_detector

    detector = load_detector("runs/cells", device="cuda")
    pictures = ["a.jpg", "b.jpg"]
    for path, found in zip(pictures, detect(detector, pictures, score_threshold=0.5)):
        print(path, detector.names(found.labels), found.scores.tolist(), found.boxes.tolist())

onnxruntime runs ONNX files; it is imported only when one is opened.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from ssd_tutorial._files import data_path
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets import SkipUnreadable
from ssd_tutorial.deploy.inputs import Picture, as_image, is_picture
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, all_limits
from ssd_tutorial.detect import Detections, check_limits, postprocess
from ssd_tutorial.evaluate import GroundTruth
from ssd_tutorial.network import SSD
from ssd_tutorial.weights.file import Detector, load_weights
from ssd_tutorial.weights.pretrained import SHIPPED, load_coco

_log = logging.getLogger(__name__)


def load_detector(weights: str | Path, device: str | torch.device = "cpu") -> Detector:
    """Load a detector, ready to use.

    Args:
        weights: a file that `train` wrote (``.safetensors``) or `export` did (``.onnx``); the
            folder of a run (see `find_weights`); or a name: "scenes" or "bccd", which ship with
            the package, or "coco", torchvision's SSD300, which is downloaded. A path that exists
            goes before a name.
        device: such as ``"cuda"``; where `detect` computes.

    Returns:
        Its ``network`` is an `SSD`, or for ONNX an `OnnxNetwork`; `detect` takes both.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or another program wrote it.
        ImportError: onnxruntime is needed but not installed.
    """
    if str(weights) in SHIPPED and not Path(weights).exists():
        weights = data_path(SHIPPED[str(weights)])
    if str(weights) == "coco":
        detector = load_coco()
    elif Path(weights).suffix.lower() != ".onnx":
        detector = load_weights(weights)
    else:
        network = OnnxNetwork(weights)
        detector = Detector(network, network.classes, network.metadata)
    detector.network.to(device)
    return detector


@torch.inference_mode()
def detect(
    detector: Detector | SSD | OnnxNetwork,
    pictures: Picture | Iterable[Picture],
    *,
    batch_size: int = 16,
    score_threshold: float | Mapping[str, float] | None = None,
    **limits,
) -> list[Detections]:
    """Detect objects in pictures, on the device that the network is on.

    Args:
        detector: of `load_detector`, or its network; in evaluation mode during the call.
        pictures: one or several, of any size, see `as_image`: files, PIL pictures, arrays, tensors.
            Each is stretched to the network's square, by bilinear interpolation with antialias.
        batch_size: how many are read and computed at once.
        score_threshold: lowest score of a detection, or a number for each class by its name, which
            needs a `Detector`. For a person to look at, 0.5 is usual; None takes 0.01, to compute
            AP, or what is fixed in an ONNX file.
        limits: others of `ssd_tutorial.detect.postprocess`.

    Returns:
        One `Detections` per picture, best first, on the CPU; boxes xyxy in *pixels* of that
        picture.

    Raises:
        FileNotFoundError, ValueError: a picture that cannot be read or used, by its place in the
            list; a limit that cannot be; see `OnnxNetwork.detections`.
    """
    network = detector.network if isinstance(detector, Detector) else detector
    pictures = [pictures] if is_picture(pictures) else list(pictures)
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, not {batch_size}")
    by_class = None
    if isinstance(score_threshold, Mapping):
        by_class = _by_class(detector, score_threshold)
        score_threshold = min(score_threshold.values())
    if score_threshold is not None:
        limits["score_threshold"] = score_threshold
    all_limits(limits)
    found: list[Detections] = []
    was_training = network.training
    network.eval()
    try:
        for start in range(0, len(pictures), batch_size):
            batch = enumerate(pictures[start : start + batch_size], start)
            found += _detect(network, [_numbered(i, picture) for i, picture in batch], limits)
    finally:
        network.train(was_training)
    if by_class is None:
        return found
    return [Detections(*(x[one.scores > by_class[one.labels - 1]] for x in one)) for one in found]


def _by_class(detector: object, thresholds: Mapping[str, float]) -> Tensor:
    """Return the thresholds in the order of the detector's classes."""
    if not isinstance(detector, Detector):
        raise TypeError("a network has no names of classes: pass the detector of load_detector")
    if set(thresholds) != set(detector.classes):
        wrong = ", ".join(sorted(set(thresholds) ^ set(detector.classes)))
        raise ValueError(f"score_threshold must have a number for each class; see {wrong}")
    for threshold in thresholds.values():
        check_limits(score_threshold=threshold)
    return torch.tensor([thresholds[name] for name in detector.classes])


def _numbered(index: int, picture: Picture) -> Tensor:
    try:
        return as_image(picture)
    except (ValueError, TypeError) as error:
        if isinstance(picture, str | Path):
            raise
        raise type(error)(f"picture {index} of the list: {error}") from error


def _detect(network: SSD | OnnxNetwork, images: Sequence[Tensor], limits: dict) -> list[Detections]:
    size, device = network.image_size, network.priors.device
    squares = [F.resize(image, [size, size], antialias=True).to(device) for image in images]
    if getattr(network, "limits", None) is not None:
        found = network.detections(torch.stack(squares), **limits)
    else:
        limits = {**limits, "variances": network.config.priors.variances}
        found = postprocess(*network(torch.stack(squares)), network.priors, **limits)
    found = [Detections(*(x.cpu() for x in one)) for one in found]
    return [
        one._replace(boxes=one.boxes * torch.tensor(image.shape[:0:-1] * 2))  # width, height, twice
        for one, image in zip(found, images, strict=True)
    ]


def detect_dataset(
    network: Detector | SSD | OnnxNetwork,
    dataset: Dataset,
    *,
    batch_size: int = 16,
    workers: int = 0,
    on_error: Literal["raise", "drop"] = "raise",
    progress: bool | None = None,
) -> tuple[list[Detections], list[GroundTruth]]:
    """Detect on every picture of a dataset; return both arguments of `ssd_tutorial.evaluate`.

    Args:
        on_error: raise on a picture that cannot be decoded, or drop it and name it in the log.
        progress: show a bar; None shows it if standard error is a terminal.
    """
    readable = SkipUnreadable(dataset, on_error)
    # a list, since images that differ in size cannot be stacked
    loader = DataLoader(readable, batch_size, num_workers=workers, collate_fn=list)
    found: list[Detections] = []
    truths: list[GroundTruth] = []
    for items in progress_bar(loader, "detecting", progress, unit="batch"):
        for reason in (item for item in items if isinstance(item, str)):
            _log.warning("left out: %s", reason)
        items = [item for item in items if not isinstance(item, str)]
        found += detect(network, [image for image, _ in items], batch_size=batch_size)
        truths += [ground_truth(target) for _, target in items]
    return found, truths


def ground_truth(target: dict) -> GroundTruth:
    """Return the `GroundTruth` of a dataset's target, in pixels."""
    boxes = target["boxes"].as_subclass(Tensor)
    # copies: tensors from a worker keep files open for as long as they live
    return GroundTruth(*(x.clone() for x in (boxes, target["labels"], target["difficult"])))
