"""What the resize and fewer bits cost in AP: ``python -m benchmarks.onnx_accuracy``.

Measures an exported file, with its post-processing inside, on a split of a data set: with pictures
resized as `detect` does it and in three other ways that programs use, and with its convolutions in
16 and in 8 bits. With ``--record NAME`` the table is kept in data/runs/NAME/result.json.
"""

import argparse
import json
import shlex
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate
from torchvision.transforms.v2 import functional as F
from tqdm.auto import tqdm

from ssd_tutorial._files import atomic_write, data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import ground_truth, load_detector
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, export_onnx
from ssd_tutorial.evaluate import coco_ap, voc_ap
from ssd_tutorial.training.provenance import processor

RUNS = Path(__file__).parent.parent / "data" / "runs"


def pil(image: torch.Tensor, size: int) -> torch.Tensor:
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    resized = picture.resize((size, size), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)


def four_neighbours(image: torch.Tensor, size: int) -> torch.Tensor:
    """Bilinear without antialias: what cv2.resize and most runtimes do by default."""
    resized = interpolate(image[None].float(), (size, size), mode="bilinear", antialias=False)
    return resized[0].round().to(torch.uint8)


RESIZES = {
    "torchvision, bilinear with antialias": lambda x, size: F.resize(x, [size] * 2, antialias=True),
    "PIL, bilinear": pil,
    "bilinear without antialias": four_neighbours,
    "nearest": lambda x, size: F.resize(x, [size] * 2, F.InterpolationMode.NEAREST),
}
USUAL = next(iter(RESIZES))
VARIANTS = [*((resize, "fp32") for resize in RESIZES), (USUAL, "fp16"), (USUAL, "int8")]


def measure(networks: dict[str, OnnxNetwork], dataset, classes) -> list[dict]:
    """Return a row for each variant; every picture is read once."""
    found = {variant: [] for variant in VARIANTS}
    truths = []
    for image, target in tqdm(dataset, leave=False):
        truths.append(ground_truth(target))
        image = image.as_subclass(torch.Tensor)
        height, width = image.shape[1:]
        scale = torch.tensor([width, height, width, height])
        for resize, precision in VARIANTS:
            network = networks[precision]
            square = RESIZES[resize](image, network.image_size)[None].contiguous()
            (one,) = network.detections(square)
            found[resize, precision].append(one._replace(boxes=one.boxes * scale))
    return [
        {
            "resize": resize,
            "precision": precision,
            "megabytes": round(networks[precision].path.stat().st_size / 1e6, 2),
            "map50": round(voc_ap(found[resize, precision], truths, classes).mean_ap, 4),
            "map50_95": round(coco_ap(found[resize, precision], truths, classes).mean_ap, 4),
        }
        for resize, precision in VARIANTS
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.onnx_accuracy")
    parser.add_argument("--weights", default=data_path("weights/scenes_slim300.safetensors"))
    parser.add_argument("--data", default="scenes")
    parser.add_argument("--split", default="val")
    parser.add_argument("--pictures", type=int, help="only the first of the split")
    parser.add_argument("--record", metavar="NAME", help="keep the table in data/runs/NAME")
    words = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(words)
    started = time.monotonic()
    detector = load_detector(options.weights)
    dataset = open_dataset(options.data, options.split, detector.classes, on_error="drop")
    count = min(len(dataset), options.pictures or len(dataset))
    with tempfile.TemporaryDirectory() as folder:
        networks = {}
        for precision in ("fp32", "fp16", "int8"):
            file = Path(folder, f"{precision}.onnx")
            export_onnx(detector, file, postprocessing=True, precision=precision)
            networks[precision] = OnnxNetwork(file)
        rows = measure(networks, (dataset[i] for i in range(count)), detector.classes)
    for row in rows:
        print(
            f"{row['resize']:38} {row['precision']:5} {row['megabytes']:5.2f} MB"
            f"  mAP@0.5 {row['map50']:.4f}  mAP@0.5:0.95 {row['map50_95']:.4f}"
        )
    if options.record:
        result = {
            "data": Path(options.data).name,
            "split": options.split,
            "pictures": count,
            "model": detector.network.config.name,
            "preset": detector.network.config.priors.name,
            "weights": Path(options.weights).name,
            "samples": detector.metadata.get("settings", {}).get("samples"),
            "seeds": [detector.metadata.get("settings", {}).get("seed")],
            "map50": [rows[0]["map50"]],
            "minutes": round((time.monotonic() - started) / 60, 1),
            "hardware": processor(),
            "command": shlex.join(["python", "-m", "benchmarks.onnx_accuracy", *words]),
            "rows": rows,
        }
        with atomic_write(RUNS / options.record / "result.json") as file:
            file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
