"""The trained detector that several explorers use, loaded once."""

from functools import cache

from ssd_tutorial._files import data_path
from ssd_tutorial.weights.file import Detector, load_weights


@cache
def scenes_detector() -> Detector:
    """Return the book's detector of drawn scenes, which is shared: do not train or change it."""
    detector = load_weights(data_path("weights/scenes_slim300.safetensors"))
    detector.network.eval()
    return detector
