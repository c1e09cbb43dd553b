"""Draw the picture of README.md: from the boxes that SSD starts with to what it finds.

    python tools/readme_picture.py

writes book/_static/preview.png. The photograph, the priors and the weights are those of the
chapters; the scene on the right is none that the detector was trained on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from notebooks import ROOT
from PIL import Image

from ssd_tutorial import plots
from ssd_tutorial.data_files import data_path
from ssd_tutorial.datasets import draw_scene, load_photograph
from ssd_tutorial.inference import detect
from ssd_tutorial.matching import match
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import make_priors, num_priors
from ssd_tutorial.targets import make_targets
from ssd_tutorial.weights import load_weights

PRESET = get_preset("caffe300_voc")
PICTURE = ROOT / "book" / "_static" / "preview.png"
PHOTOGRAPH = "cat"
SHOWN_CELLS = ((0, 8, 31), (1, 7, 7), (3, 3, 1))
"""Map, row and column of the cells whose boxes are drawn."""
UNSEEN = (2026, 7)
"""Seed and index of the scene; training draws its scenes from other seeds."""


def draw_grid(ax, image):
    """The centres of all priors, each map in its colour, and the boxes around one centre a map."""
    plots.show_image(ax, image, fade=0.5)
    for k in range(len(PRESET.maps)):
        plots.draw_centres(ax, PRESET, k, size=2 + 3 * k**1.5)
    for k, row, column in SHOWN_CELLS:
        plots.draw_priors(ax, PRESET, plots.cell_indices(PRESET, k, row, column), width=1.3)
    ax.set_title(f"{num_priors(PRESET)} boxes on every picture")


def draw_matches(ax, image, target):
    """The priors that learn from the objects of a photograph."""
    height, width = image.shape[1:]
    boxes = target["boxes"] / torch.tensor([width, height, width, height])
    targets = make_targets([boxes], [target["labels"]], int(target["labels"].max()) + 1)
    positive = match(make_priors(PRESET), targets).positive[0].nonzero().flatten()
    plots.show_image(ax, image, fade=0.25)
    plots.draw_priors(ax, PRESET, positive, width=1.1)
    plots.draw_boxes(ax, boxes, width=2.6)
    ax.set_title(f"{len(positive)} of them learn from {len(boxes)} objects")


def draw_finds(ax, weights: Path):
    """What a trained detector sees in a scene that it never saw."""
    detector = load_weights(weights)
    image, _ = draw_scene(*UNSEEN)
    (found,) = detect(detector.network, [image])
    plots.show_image(ax, image)
    height, width = image.shape[1:]
    in_fractions = found.boxes / torch.tensor([width, height, width, height])
    plots.draw_detections(ax, found._replace(boxes=in_fractions), detector.classes)
    ax.set_title("what a trained network finds")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="default: data/weights/scenes.safetensors")
    parser.add_argument("--out", type=Path, default=PICTURE, help="default: %(default)s")
    options = parser.parse_args()
    plt.style.use(plots.STYLE)
    image, target = load_photograph(PHOTOGRAPH)
    figure, axes = plt.subplots(
        1, 3, figsize=(12, 3.4), width_ratios=[1.5, 1.5, 1], layout="constrained"
    )
    draw_grid(axes[0], image)
    draw_matches(axes[1], image, target)
    draw_finds(axes[2], options.weights or data_path("weights/scenes.safetensors"))
    figure.savefig(options.out, dpi=110)
    with Image.open(options.out) as picture:  # 256 colours: a third of the bytes
        fewer = picture.convert("RGB").quantize(256)
    fewer.save(options.out, optimize=True)
    print(options.out.name)


if __name__ == "__main__":
    main()
