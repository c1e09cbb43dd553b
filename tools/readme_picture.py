"""Draw the picture of README.md: the figure of the book's first page, as a file.

    python tools/readme_picture.py

writes book/_static/preview.png with the trained weights of data/weights. The detector was not
trained on this scene.
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
from notebooks import ROOT
from PIL import Image
from ssd_book.overview import draw_overview

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.figures import plots
from ssd_tutorial.weights.file import load_weights

PICTURE = ROOT / "book" / "_static" / "preview.png"
SCENE = 1  # of the split "val"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--weights", type=Path, help="default: data/weights/scenes_slim300.safetensors"
    )
    parser.add_argument("--out", type=Path, default=PICTURE, help="default: %(default)s")
    options = parser.parse_args()
    plt.style.use(plots.STYLE)
    detector = load_weights(options.weights or data_path("weights/scenes_slim300.safetensors"))
    figure = draw_overview(detector, *open_dataset("scenes", "val")[SCENE])
    figure.savefig(options.out, dpi=110)
    with Image.open(options.out) as picture:  # 256 colours: a third of the bytes
        fewer = picture.convert("RGB").quantize(256)
    fewer.save(options.out, optimize=True)
    print(f"{options.out.name}: {options.out.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
