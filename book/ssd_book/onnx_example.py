"""Detect with a file of ``export --postprocessing``: onnxruntime, PIL and numpy, nothing else.

    python onnx_example.py weights.onnx picture.jpg

Copy it into your own program. The boxes are those of `detect`: in pixels of the upright picture.
Of the ways to resize, take one with antialias, as PIL's: OpenCV's default costs AP (chapter 16).
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def detect(file: str, path: str, threshold: float = 0.5) -> list[tuple]:
    """Return name, score and box (xyxy, pixels) of each object, best first."""
    session = onnxruntime.InferenceSession(file)
    classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    side = session.get_inputs()[0].shape[2]
    picture = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    square = np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))
    images = square.transpose(2, 0, 1)[None]  # [1, 3, S, S], uint8
    boxes, scores, labels, _ = session.run(None, {"images": images})
    pixels = boxes * [*picture.size, *picture.size]
    names = [classes[label - 1] for label in labels]
    found = zip(names, scores.tolist(), pixels.tolist(), strict=True)
    return [(name, s, box) for name, s, box in found if s > threshold]


if __name__ == "__main__":
    print(*detect(*sys.argv[1:]), sep="\n")
