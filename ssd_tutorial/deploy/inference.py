"""Detect on pictures of any size, with boxes in their pixels (chapters 12, 13 and 16).

``load_detector`` opens what `train` or `export` wrote; ``detect`` takes either. onnxruntime runs
ONNX files; it is imported only when one is opened.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets import SkipUnreadable
from ssd_tutorial.deploy.onnx_file import OnnxNetwork
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.evaluate import GroundTruth
from ssd_tutorial.network import SSD
from ssd_tutorial.weights.file import Detector, load_weights
from ssd_tutorial.weights.pretrained import load_coco

_log = logging.getLogger(__name__)


def load_detector(weights: str | Path) -> Detector:
    """Load a detector, ready to use, on the CPU.

    Args:
        weights: a file that `train` wrote (``.safetensors``) or `export` did (``.onnx``), or
            "coco": torchvision's SSD300, which is downloaded.

    Returns:
        Its ``network`` is an `SSD`, or for ONNX an `OnnxNetwork`; `detect` takes both.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is damaged, or another program wrote it.
        ImportError: onnxruntime is needed but not installed.
    """
    if str(weights) == "coco":
        return load_coco()
    if Path(weights).suffix.lower() != ".onnx":
        return load_weights(weights)
    network = OnnxNetwork(weights)
    return Detector(network, network.classes, network.metadata)


@torch.inference_mode()
def detect(network: SSD | OnnxNetwork, images: Sequence[Tensor], **limits) -> list[Detections]:
    """Detect objects in images.

    Args:
        network: put into evaluation mode during the call.
        images: uint8 ``[3, H, W]`` RGB each, of any size; stretched to the network's square.
        limits: passed to `ssd_tutorial.detect.postprocess`, such as ``score_threshold=0.5``;
            the variances are those of the network's priors.

    Returns:
        One `Detections` per image, boxes xyxy in *pixels* of that image.
    """
    if not images:
        return []
    size, device = network.image_size, network.priors.device
    batch = torch.stack([F.resize(image, [size, size], antialias=True) for image in images])
    was_training = network.training
    network.eval()
    try:
        if getattr(network, "limits", None) is not None:
            found = network.detections(batch, **limits)
        else:
            limits = {"variances": network.config.priors.variances} | limits
            found = postprocess(*network(batch.to(device)), network.priors, **limits)
    finally:
        network.train(was_training)
    return [
        one._replace(boxes=one.boxes * _size(image).to(device))
        for one, image in zip(found, images, strict=True)
    ]


def detect_dataset(
    network: SSD | OnnxNetwork,
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
    items_or_reasons = SkipUnreadable(dataset, on_error)
    loader = DataLoader(items_or_reasons, batch_size, num_workers=workers, collate_fn=_items)
    found: list[Detections] = []
    truths: list[GroundTruth] = []
    for items in progress_bar(loader, "detecting", progress, unit="batch"):
        for reason in (item for item in items if isinstance(item, str)):
            _log.warning("left out: %s", reason)
        items = [item for item in items if not isinstance(item, str)]
        found += [_on_cpu(one) for one in detect(network, [image for image, _ in items])]
        truths += [ground_truth(target) for _, target in items]
    return found, truths


def ground_truth(target: dict) -> GroundTruth:
    """Return the `GroundTruth` of a dataset's target, in pixels."""
    boxes = target["boxes"].as_subclass(Tensor)
    # copies: tensors from a worker keep files open for as long as they live
    return GroundTruth(*(x.clone() for x in (boxes, target["labels"], target["difficult"])))


def _items(items: Iterable) -> list:
    return list(items)  # images differ in size: they cannot be stacked yet


def _size(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return torch.tensor([width, height, width, height], dtype=torch.float32)


def _on_cpu(found: Detections) -> Detections:
    return Detections(*(x.cpu() for x in found))
