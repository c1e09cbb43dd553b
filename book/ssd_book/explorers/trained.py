"""The trained detector that several explorers use, and what it sees, each computed once."""

from functools import cache

import torch
from torch import Tensor

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.weights.file import Detector, load_weights


@cache
def scenes_detector() -> Detector:
    """Return the book's detector of drawn scenes, which is shared: do not train or change it."""
    detector = load_weights(data_path("weights/scenes_slim300.safetensors"))
    detector.network.eval()
    return detector


@cache
def val_scene(index: int) -> tuple[Tensor, dict]:
    """Return a picture that the detector was not trained on, ``[3, 300, 300]``, and its target."""
    return open_dataset("scenes", "val")[index]


@cache
def scenes_output(index: int) -> tuple[Tensor, Tensor]:
    """Return the detector's logits and offsets for one of these pictures, a batch of one."""
    with torch.inference_mode():
        return scenes_detector().network(val_scene(index)[0][None])
