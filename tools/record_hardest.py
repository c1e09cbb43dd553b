"""The hardest negative of every picture, for a trained detector: the record that chapter 10 reads.

    python tools/record_hardest.py bccd_hardest --data PATH/TO/BCCD --on-error drop \\
        --weights data/weights/bccd_slim300.safetensors

For each picture of a split: the negative prior that mining would take first, its loss, the class
that the detector sees there, and two IoUs with the nearest ground truth, the prior's own and that
of the box which the detector makes of it. What a person saw on looking at some of them is entered
by hand, under ``looked_at``, and kept when the record is written anew.
"""

import argparse
import json
import shlex
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from torchvision.transforms.v2 import functional as F  # noqa: E402

from ssd_tutorial.boxes import decode, iou  # noqa: E402
from ssd_tutorial.datasets import open_dataset  # noqa: E402
from ssd_tutorial.matching import match  # noqa: E402
from ssd_tutorial.targets import make_targets  # noqa: E402
from ssd_tutorial.weights.file import Detector, load_weights  # noqa: E402


def main(words: list[str] | None = None) -> None:
    """Read the command line, look at every picture, write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="name of the record: a folder below data/runs")
    parser.add_argument("--data", default="scenes", help='"scenes" or a folder of pictures')
    parser.add_argument("--split", default="train")
    parser.add_argument("--on-error", choices=("raise", "drop"), default="raise")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--records", type=Path, default=ROOT / "data" / "runs")
    arguments = parser.parse_args(words)

    detector = load_weights(arguments.weights)
    pictures = open_dataset(
        arguments.data, arguments.split, classes=detector.classes, on_error=arguments.on_error
    )
    hardest = [hardest_negative(detector, *pictures[i]) for i in range(len(pictures))]
    name = arguments.data if arguments.data == "scenes" else Path(arguments.data).resolve().name
    weights = f"data/weights/{arguments.weights.name}"
    command = ["python", "tools/record_hardest.py", arguments.name, "--data", name]
    command += ["--split", arguments.split, "--on-error", arguments.on_error, "--weights", weights]
    record = {
        "data": name,
        "split": arguments.split,
        "weights": weights,
        "preset": detector.network.config.priors.name,
        "pictures": len(hardest),
        "hardest": hardest,
        "command": shlex.join(command),
    }
    there = arguments.records / arguments.name / "result.json"
    if there.is_file():
        before = json.loads(there.read_text(encoding="utf-8"))
        record |= {key: before[key] for key in ("looked_at",) if key in before}
    there.parent.mkdir(parents=True, exist_ok=True)
    there.write_text(_one_line_a_picture(record), encoding="utf-8")
    print(f"record in {there.parent}")


@torch.inference_mode()
def hardest_negative(detector: Detector, image, target: dict) -> dict:
    """The negative of one picture that looks least like background; IoUs are 0 without objects."""
    network = detector.network.eval()
    height, width = image.shape[-2:]
    size = network.image_size
    boxes = target["boxes"].as_subclass(torch.Tensor) / torch.tensor([width, height] * 2)
    targets = make_targets([boxes], [target["labels"]], network.num_classes)
    matches = match(network.priors, targets)
    logits, offsets = network(F.resize(image, [size, size], antialias=True)[None])
    loss = logits.logsumexp(dim=-1) - logits[..., 0]
    prior = int(loss.masked_fill(matches.positive, -torch.inf).argmax())
    variances = network.config.priors.variances
    box = decode(offsets[0, prior], network.priors[prior], variances)[None]
    overlap = iou(boxes, box)
    return {
        "picture": target["name"],
        "prior": prior,
        "loss": round(float(loss[0, prior]), 3),
        "seen_as": detector.classes[int(logits[0, prior, 1:].argmax())],
        "prior_iou": round(float(matches.iou[0, prior]), 3),
        "box_iou": round(float(overlap.max()) if len(boxes) else 0.0, 3),
    }


def _one_line_a_picture(record: dict) -> str:
    rows = ",\n    ".join(json.dumps(row) for row in record["hardest"])
    text = json.dumps(record | {"hardest": "ROWS"}, indent=2)
    return text.replace('"ROWS"', f"[\n    {rows}\n  ]") + "\n"


if __name__ == "__main__":
    main()
