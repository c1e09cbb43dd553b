"""``python -m tests.parity.live``: the live page's detector against Python's onnxruntime.

Both open the same file and see the same pixels: scenes of the validation split. The page's own
modules run in node with onnxruntime-web, from the pixels to the boxes; Python runs onnxruntime and
`ssd_tutorial.detect.postprocess`. They must find the same, at the default thresholds, with boxes
and scores within `BOUND`: the file computes with 8 bits, so a rounding may move an activation by a
step. A difference is excused where a score or an IoU is that close to a threshold. The last lines
compare the mAP with that of the network in torch, and the loss that the page computes of its own
raw output with `ssd_tutorial.loss.multibox_loss` of the same numbers.

Photographs come in any size, and the page stretches them as Pillow does. Python gets Pillow's
squares, too, and must find the same. By `detect`, torch stretches, which differs by a step of a
byte here and there; in 8 bits a network far from what it has learned amplifies that, so up to
`STEPS` of the detections may differ.
"""

import argparse
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from ssd_book.explorers import modules
from torch import Tensor

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import SCENE_CLASSES, open_dataset, read_picture
from ssd_tutorial.deploy.inference import detect, ground_truth
from ssd_tutorial.deploy.onnx_file import OnnxNetwork
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.evaluate import voc_ap
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights.file import load_weights
from tests.parity.javascript import NODE_MISSING
from tests.parity.reference import differing, unexcused

LIVE = Path(__file__).parents[2] / "book" / "_live"
MODEL = LIVE / "scenes.onnx"
RUNTIME = LIVE / "node_modules" / "onnxruntime-web" / "dist"
PAGE = dict.fromkeys(("detector.js", "scenes.onnx", "package.json"), LIVE)
PAGE |= {"resize.js": modules.LIVE, "geometry.js": modules.STATIC}
BOUND = 1e-2  # of scores, and of boxes in fractions
MAP_BOUND = 0.01
STEPS = 0.01
LOSS = ("total", "confidence", "localization", "positives")
LOSS_BOUND = 1e-4
LOSSES = 100  # pictures, at most, whose loss is compared
SIDE = 300  # pixels
WEIGHTS = "weights/scenes_slim300.safetensors"


def scenes(count: int) -> tuple[Tensor, list[dict]]:
    """Return the first scenes of the validation split, uint8 ``[count, 3, 300, 300]``."""
    dataset = open_dataset("scenes", "val")
    images, targets = zip(*(dataset[i] for i in range(count)), strict=True)
    return torch.stack([image.as_subclass(Tensor) for image in images]), list(targets)


def photographs(most_cells: int = 10) -> list[Tensor]:
    """Return the book's photographs, four odd parts of each, and some of BCCD's where they are."""
    whole = [read_picture(p) for p in sorted(data_path("photographs/JPEGImages").iterdir())]
    parts = [
        image[:, image.shape[1] // down :, : image.shape[2] // left]
        for image in whole
        for down, left in ((3, 1), (9, 2), (2, 7), (40, 3))
    ]
    folder = Path(os.environ.get("SSD_TUTORIAL_BCCD", "nowhere"), "JPEGImages")
    cells = [read_picture(p) for p in sorted(folder.glob("*.jpg"))[:most_cells]]
    return [image.as_subclass(Tensor).contiguous() for image in whole + parts + cells]


def ask_page(
    images: Sequence[Tensor], changed: Mapping[str, bytes] | None = None
) -> list[Detections]:
    """Return what the page's modules find in images, uint8 ``[3, H, W]``, with boxes in fractions.

    They run in node; `changed` replaces files by their name.

    Raises:
        RuntimeError: node or the runtime is missing, or the modules fail.
    """
    with tempfile.TemporaryDirectory() as folder:
        answers = _run_page(Path(folder), images, changed or {})
    rows = [torch.tensor(one["found"]).reshape(-1, 6) for one in answers]
    return [Detections(r[:, 2:], r[:, 1], r[:, 0].long()) for r in rows]


def ask_loss(
    images: Tensor, targets: Sequence[dict], changed: Mapping[str, bytes] | None = None
) -> list[tuple[dict[str, float], dict[str, float]]]:
    """Return the loss of each picture as the page and as the package computes it.

    Both get the page's raw output, and match the same priors in float64.

    Raises:
        RuntimeError: as `ask_page`.
    """
    truths = [
        {"boxes": (one["boxes"] / SIDE).tolist(), "labels": one["labels"].tolist()}
        for one in targets
    ]
    network = OnnxNetwork(MODEL)
    priors, classes = network.priors.double(), len(SCENE_CLASSES) + 1
    with tempfile.TemporaryDirectory() as folder:
        told, raw = Path(folder, "truths.json"), Path(folder, "raw")
        told.write_text(json.dumps(truths))
        answers = _run_page(Path(folder), images, changed or {}, told, raw)
        numbers = torch.from_numpy(np.fromfile(raw, np.float32)).reshape(len(images), -1)
    both = []
    for answer, row, truth in zip(answers, numbers, truths, strict=True):
        logits, offsets = row.split([len(priors) * classes, len(priors) * 4])
        boxes = [torch.tensor(truth["boxes"], dtype=torch.float64)]
        loss = multibox_loss(
            logits.reshape(1, -1, classes),
            offsets.reshape(1, -1, 4),
            make_targets(boxes, [torch.tensor(truth["labels"])], classes),
            priors,
        )
        ours = dict(zip(LOSS, (value.item() for value in loss), strict=True))
        both.append(({name: answer["loss"][name] for name in LOSS}, ours))
    return both


def worst_loss(both: Sequence[tuple[dict[str, float], dict[str, float]]]) -> float:
    """Return the largest difference of any number."""
    return max(abs(page[name] - ours[name]) for page, ours in both for name in LOSS)


def _run_page(
    folder: Path, images: Sequence[Tensor], changed: Mapping[str, bytes], *more: Path
) -> list[dict]:
    node = shutil.which("node")
    if node is None:
        raise RuntimeError(NODE_MISSING)
    if not RUNTIME.is_dir():
        raise RuntimeError("there is no onnxruntime-web: run `make live-files`")
    for name, origin in PAGE.items():
        Path(folder, name).write_bytes(changed.get(name, (origin / name).read_bytes()))
    pictures, answers = folder / "pictures", folder / "answers.json"
    with pictures.open("wb") as file:
        for image in images:
            rgba = torch.cat([image, torch.full_like(image[:1], 255)]).permute(1, 2, 0)
            file.write(struct.pack("<II", *image.shape[:0:-1]) + rgba.numpy().tobytes())
    driver = Path(__file__).with_suffix(".mjs")
    command = [node, driver, folder, pictures, RUNTIME, answers, *more]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"node {driver.name} failed:\n{run.stderr}")
    return json.loads(answers.read_text())


@torch.inference_mode()
def ask_python(images: Iterable[Tensor], network: torch.nn.Module) -> list[Detections]:
    """Return what a network finds, a picture at a time, as the page does: 8 bits adapt to each."""
    return [postprocess(*network(image[None]), network.priors)[0] for image in images]


def stretched(image: Tensor, side: int = SIDE) -> Tensor:
    """Return an image, uint8 ``[3, H, W]``, as Pillow stretches it: rows first, as torch does.

    From version 13 on, Pillow takes high pictures the other way round if it is not told.
    """
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    for size in ((side, picture.height), (side, side)):
        picture = picture.resize(size, Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).contiguous()


def ask_package(images: Sequence[Tensor], network: OnnxNetwork) -> list[Detections]:
    """Return what `detect` finds, with boxes in fractions."""
    return [
        found._replace(boxes=found.boxes / torch.tensor(image.shape[:0:-1] * 2))
        for image in images
        for found in detect(network, image)
    ]


def compare(page: Sequence[Detections], python: Sequence[Detections]) -> dict[str, float]:
    """Return how many detections differ, without an excuse or at all, and by how much most.

    The largest differences are those of detections with a twin.
    """
    result = {"detections": 0, "differing": 0, "unexcused": 0, "score": 0.0, "box": 0.0}
    for ours, theirs in zip(page, python, strict=True):
        bounds = {"box": BOUND, "score": BOUND}
        lost, gained = differing(ours, theirs, **bounds)
        result["detections"] += len(ours.scores)
        result["differing"] += int(lost.sum() + gained.sum())
        result["unexcused"] += unexcused(ours, theirs, margin=BOUND, **bounds)
        same = ours.labels[:, None] == theirs.labels
        score = (ours.scores[:, None] - theirs.scores).abs()
        box = (ours.boxes[:, None] - theirs.boxes).abs().amax(-1)
        distance = torch.maximum(score, box) + ~same
        for i in torch.nonzero(~lost)[:, 0].tolist():
            twin = int(distance[i].argmin())
            result["score"] = max(result["score"], score[i, twin].item())
            result["box"] = max(result["box"], box[i, twin].item())
    return result


def mean_ap(found: Sequence[Detections], targets: Sequence[dict]) -> float:
    """Return the mAP at an IoU of 0.5."""
    pixels = [one._replace(boxes=one.boxes * SIDE) for one in found]
    return voc_ap(pixels, [ground_truth(t) for t in targets], SCENE_CLASSES).mean_ap


def told(pictures: str, result: Mapping[str, float]) -> str:
    return (
        f"{pictures}, {result['detections']} detections: {result['differing']} differ,"
        f" {result['unexcused']} of them not near a threshold; largest difference of a score"
        f" {result['score']:.1e}, of a box {result['box']:.1e} (allowed {BOUND:g})"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.parity.live")
    parser.add_argument("--pictures", type=int, default=200)
    options = parser.parse_args(arguments)
    images, targets = scenes(options.pictures)
    found = {
        "page": ask_page(images),
        "python": ask_python(images, OnnxNetwork(MODEL)),
        "torch": ask_python(images, load_weights(data_path(WEIGHTS)).network),
    }
    result = compare(found["page"], found["python"])
    print(told(f"{options.pictures} scenes", result))
    others = photographs()
    network, seen = OnnxNetwork(MODEL), ask_page(others)
    outside = compare(seen, ask_python([stretched(image) for image in others], network))
    print(told(f"{len(others)} photographs, stretched by Pillow", outside))
    print(told("by detect", compare(seen, ask_package(others, network))))
    ap = {name: mean_ap(one, targets) for name, one in found.items()}
    print(
        f"mAP@0.5: page {ap['page']:.4f}, the file in Python {ap['python']:.4f},"
        f" torch {ap['torch']:.4f} (allowed difference {MAP_BOUND:g})"
    )
    both = ask_loss(images[:LOSSES], targets[:LOSSES])
    mean = sum(page["total"] for page, _ in both) / len(both)
    worst = worst_loss(both)
    print(
        f"loss of {len(both)} pictures, {mean:.3f} on average: largest difference from"
        f" multibox_loss of the same output {worst:.1e} (allowed {LOSS_BOUND:g})"
    )
    far = max(ap.values()) - min(ap.values()) > MAP_BOUND or worst > LOSS_BOUND
    return 1 if result["unexcused"] or outside["unexcused"] or far else 0


if __name__ == "__main__":
    sys.exit(main())
