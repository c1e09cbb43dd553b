"""Weights: file format, weights of other programs, where a run starts (chapters 12, 15)."""

from ssd_tutorial.weights.convert import from_torchvision_ssd300, from_torchvision_vgg16
from ssd_tutorial.weights.file import (
    DamagedWeights,
    Detector,
    Header,
    load_weights,
    read_header,
    save_weights,
)
from ssd_tutorial.weights.pretrained import COCO_CLASSES, load_coco, load_start

__all__ = [
    "COCO_CLASSES",
    "DamagedWeights",
    "Detector",
    "Header",
    "from_torchvision_ssd300",
    "from_torchvision_vgg16",
    "load_coco",
    "load_start",
    "load_weights",
    "read_header",
    "save_weights",
]
