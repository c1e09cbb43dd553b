"""``python -m ssd_tutorial export``: write a detector as one ONNX file (chapter 16)."""

from pathlib import Path
from typing import Annotated

import torch
import tyro
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import read_picture
from ssd_tutorial.deploy.annotate import find_pictures
from ssd_tutorial.deploy.inference import load_detector
from ssd_tutorial.deploy.onnx_file import export_onnx
from ssd_tutorial.deploy.precision import Precision
from ssd_tutorial.weights.file import find_weights

_BATCHES = (1, 2, 5)  # the file must accept batches of any size


def export_command(
    weights: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    postprocessing: bool = False,
    precision: Precision = "fp32",
    score: float | None = None,
    iou: float | None = None,
    candidates: int | None = None,
    detections: int | None = None,
    check: bool = True,
) -> None:
    """Write a detector as one ONNX file, and keep it only if it agrees with torch.

    Most want --postprocessing: the file then outputs detections, boxes [N, 4] in fractions of the
    image, scores [N], labels [N] from 1, and image [N], the index of each one's image. Without it
    the outputs are logits [B, P, C], offsets [B, P, 4] and priors [P, 4], and whoever reads the
    file decodes them. Its input is uint8 images [B, 3, S, S], RGB, any B, stretched to S x S with
    antialias. Its metadata name the classes. `detect` and `eval` take it instead of the weights;
    ssd_book/onnx_example.py, in the same wheel, uses it with onnxruntime, PIL and numpy alone.

    Args:
        weights: a file that `train` wrote, the folder of a run, or "coco" for torchvision's SSD300
            (a download).
        out: the file to write; by default the weights' name with .onnx.
        postprocessing: put softmax, decoding, thresholds and non-maximum suppression inside, with
            the four limits below.
        precision: fp16 halves the file, int8 quarters it and is faster on most processors; int8 is
            opened by onnxruntime 1.24 and newer, which need Python 3.11.
        score: lowest score of a detection (0.01).
        iou: overlap above which the better of two boxes of a class suppresses the other (0.45).
        candidates: highest number of boxes per class that enter the suppression (400).
        detections: highest number of detections per image (200).
        check: compare with torch on batches of 1, 2 and 5 pictures; needs onnxruntime.
    """
    weights = weights if str(weights) == "coco" else find_weights(weights)
    out = out or weights.with_suffix(".onnx")
    if out.suffix.lower() != ".onnx":
        raise ValueError(f"--out must end in .onnx, so that it is recognised; {out} does not")
    detector = load_detector(weights)
    names = ("score_threshold", "iou_threshold", "candidates_per_class", "detections_per_image")
    given = zip(names, (score, iou, candidates, detections), strict=True)
    agreement = export_onnx(
        detector,
        out,
        postprocessing=postprocessing,
        precision=precision,
        check=_pictures(detector.network.image_size) if check else (),
        **{name: value for name, value in given if value is not None},
    )
    inside = "with its post-processing" if postprocessing else "raw outputs (see --postprocessing)"
    print(
        f"{out}: {out.stat().st_size / 1e6:.1f} MB, {detector.network.config.name},"
        f" {len(detector.classes)} classes, {precision}, {inside}"
    )
    compared = f"against torch, batches of {', '.join(map(str, _BATCHES))}: {agreement}"
    print(compared if check else "not compared with torch")


def _pictures(size: int) -> list[Tensor]:
    """Return batches of photographs and noise, uint8 ``[B, 3, size, size]``."""
    files, _ = find_pictures([data_path("photographs/JPEGImages")])
    chance = torch.Generator().manual_seed(0)
    count = sum(_BATCHES)
    noise = torch.randint(0, 256, (count, 3, size, size), generator=chance, dtype=torch.uint8)
    pictures = [F.resize(read_picture(files[i % len(files)]), [size, size]) for i in range(count)]
    mixed = [pictures[i] if i % 2 else noise[i] for i in range(count)]
    return list(torch.stack(mixed).split(_BATCHES))
