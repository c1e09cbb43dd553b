"""Weights: file format, weights of other programs, where a run starts (chapters 12, 15)."""

from ssd_tutorial.weights.file import Detector, load_weights, read_header, save_weights
from ssd_tutorial.weights.pretrained import load_coco, load_start

__all__ = ["Detector", "load_coco", "load_start", "load_weights", "read_header", "save_weights"]
