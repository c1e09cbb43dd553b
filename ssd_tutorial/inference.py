"""From pictures of any size to detections in their own pixels (chapters 12 and 13)."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.v2 import functional as F
from tqdm.auto import tqdm

from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.evaluate import GroundTruth
from ssd_tutorial.network import SSD


@torch.inference_mode()
def detect(network: SSD, images: Sequence[Tensor], **limits) -> list[Detections]:
    """Detect objects in pictures.

    Args:
        network: put into evaluation mode for the time of the call.
        images: uint8 ``[3, H, W]`` RGB each, of any size; stretched to the network's square.
        limits: passed on to `ssd_tutorial.detect.postprocess`, such as ``score_threshold=0.5``.

    Returns:
        One `Detections` a picture, boxes xyxy in *pixels* of that picture.
    """
    if not images:
        return []
    size, device = network.image_size, network.priors.device
    batch = torch.stack([F.resize(image, [size, size], antialias=True) for image in images])
    was_training = network.training
    network.eval()
    try:
        logits, offsets = network(batch.to(device))
    finally:
        network.train(was_training)
    found = postprocess(logits, offsets, network.priors, **limits)
    return [
        one._replace(boxes=one.boxes * _size(image).to(device))
        for one, image in zip(found, images, strict=True)
    ]


def detect_dataset(
    network: SSD,
    dataset: Dataset,
    *,
    batch_size: int = 16,
    workers: int = 0,
    progress: bool | None = None,
) -> tuple[list[Detections], list[GroundTruth]]:
    """Detect on every picture of a dataset: both arguments that `ssd_tutorial.evaluate` wants.

    Args:
        progress: show a bar; None shows it where standard error is a terminal.
    """
    loader = DataLoader(dataset, batch_size=batch_size, num_workers=workers, collate_fn=_items)
    found: list[Detections] = []
    truths: list[GroundTruth] = []
    hide = None if progress is None else not progress
    for items in tqdm(loader, desc="detecting", unit="batch", disable=hide, leave=False):
        found += [_on_cpu(one) for one in detect(network, [image for image, _ in items])]
        truths += [ground_truth(target) for _, target in items]
    return found, truths


def ground_truth(target: dict) -> GroundTruth:
    """The `GroundTruth` of a dataset's target, in pixels."""
    boxes = target["boxes"].as_subclass(Tensor)
    # copies: what a worker hands over holds files open for as long as it is kept
    return GroundTruth(*(x.clone() for x in (boxes, target["labels"], target["difficult"])))


def _items(items: Iterable) -> list:
    return list(items)  # pictures differ in size: there is nothing to stack yet


def _size(image: Tensor) -> Tensor:
    height, width = image.shape[-2:]
    return torch.tensor([width, height, width, height], dtype=torch.float32)


def _on_cpu(found: Detections) -> Detections:
    return Detections(*(x.cpu() for x in found))
