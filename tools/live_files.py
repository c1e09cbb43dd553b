"""Make the files of the live page: ``python tools/live_files.py``.

* ``book/_live/scenes.onnx``: the book's detector of scenes as `export_onnx` writes it, without the
  exporter's notes, its convolutions in 8 bits. WebAssembly multiplies unsigned bytes ten times
  faster than signed ones, so the weights are unsigned here (`reduce_precision` keeps them signed).
* ``book/ssd_book/live/static/scenes.json``: what the figure draws and says. The twelve things as
  polygons in the unit square (of 24 drawings of each, the one that the detector finds best in
  several sizes), the background, the first scene, the numbers of the priors (of every preset: a
  reader may bring a detector), what the cells of each model's maps see, and the pictures that the
  page offers.
* ``book/_live/drawn/``: the first scenes of the validation split, as WebP.
* ``book/_live/first.svg``: the picture that stands on the page until a reader starts the detector:
  the first scene, and what this file finds in it.

It takes two minutes. ``--check`` makes the drawings and the picture again, with the file that is
there, and fails if something differs; ``tests/book/test_live_files.py`` holds the file itself to
the weights.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from dataclasses import asdict
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import torch
from PIL import Image, ImageDraw
from ssd_book.explorers.modules import LIVE
from ssd_book.receptive import views

from ssd_tutorial._files import atomic_write, data_path
from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets import SCENE_CLASSES, open_dataset
from ssd_tutorial.datasets.scenes.paints import hsv, pick_paints
from ssd_tutorial.datasets.scenes.pen import Drawing
from ssd_tutorial.datasets.scenes.things import SHAPES
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, export_onnx
from ssd_tutorial.deploy.precision import quantised
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import MODELS, PRESETS, ModelPreset
from ssd_tutorial.weights.file import load_weights

FOLDER = Path(__file__).parent.parent / "book" / "_live"
MODEL, PICTURE, DRAWN = FOLDER / "scenes.onnx", FOLDER / "first.svg", LIVE / "scenes.json"
SCENES = FOLDER / "drawn"
OFFERED = 12  # scenes of the validation split
PHOTOGRAPHS = "photographs"
WEIGHTS = "weights/scenes_slim300.safetensors"
DIGEST = "weights_sha256"
"""The entry of the file's metadata that names the weights it was made from."""

SIDE = 300
SKY, GROUND, HORIZON = hsv(0.55, 0.16, 0.95), hsv(0.13, 0.20, 0.84), 0.62
VARIANTS, SCALES = 24, (26, 50, 90)  # drawings of a thing, and in which sizes each is shown, px
FIRST = (
    ("lighthouse", 0.72, 0.42, 0.30),
    ("cat", 0.36, 0.74, 0.25),
    ("airplane", 0.34, 0.25, 0.24),
    ("car", 0.83, 0.80, 0.19),
)
"""Name, centre, scale (the root of width x height) of each thing, in fractions of the picture."""
SHOWN = 0.5  # lowest score of a box in the picture
INK, ACCENT = "#1f262e", "#c8321e"  # as in paper.js


# --- the detector ---------------------------------------------------------------------------------
def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def make_model(path: Path) -> None:
    """Write the detector's file."""
    weights = data_path(WEIGHTS)
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole.onnx")
        export_onnx(load_weights(weights), whole)
        model = quantised(onnx.load(whole), "QUInt8")
    for node in model.graph.node:  # notes on the lines of Python that a node came from
        del node.metadata_props[:]
        node.doc_string = ""
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.doc_string = ""
        del value.metadata_props[:]
    del model.graph.value_info[:], model.graph.metadata_props[:]
    for entry in model.metadata_props:
        if entry.key == "precision":
            entry.value = "int8"
    model.metadata_props.add(key=DIGEST, value=digest(weights))
    onnx.checker.check_model(model)
    with atomic_write(path) as file:
        file.write_bytes(model.SerializeToString())


@cache
def network() -> OnnxNetwork:
    return OnnxNetwork(MODEL)


@torch.inference_mode()
def find(images: torch.Tensor, **limits) -> list[Detections]:
    """Return what the file detects in images, uint8 ``[B, 3, 300, 300]``."""
    detector = network()
    return postprocess(*detector(images), detector.priors, **limits)


# --- the drawings ---------------------------------------------------------------------------------
def draw_thing(name: str, variant: int) -> tuple[Drawing, float]:
    """Draw a thing upright, facing right; return it in the unit square, and its aspect ratio."""
    pen, rng = Drawing(), np.random.default_rng((SCENE_CLASSES.index(name), variant))
    SHAPES[SCENE_CLASSES.index(name)](pen, rng, pick_paints(rng))
    return pen.fitted()


def paint(things, factor: int = 3) -> torch.Tensor:
    """Return a scene as an image: of (drawing, box xyxy in fractions), the last one in front."""
    side = SIDE * factor
    image = Image.new("RGB", (side, side), SKY)
    ImageDraw.Draw(image).rectangle((0, round(HORIZON * side), side, side), fill=GROUND)
    for drawing, (x0, y0, x1, y1) in things:
        drawing.paint(image, x0 * side, y0 * side, (x1 - x0) * side, (y1 - y0) * side)
    return torch.from_numpy(np.array(image.reduce(factor))).permute(2, 0, 1).contiguous()


def box_of(x: float, y: float, scale: float, aspect: float) -> list[float]:
    """Return the box of a thing, xyxy in fractions, rounded to what the page keeps."""
    w, h = scale * aspect**0.5, scale / aspect**0.5
    return [round(edge, 4) for edge in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]


def rating(name: str, variant: int) -> float:
    """Return the mean score of a drawing: alone, on sky and ground, in some sizes."""
    drawing, aspect = draw_thing(name, variant)
    places = [(x, y, s / SIDE) for s in SCALES for x, y in ((0.33, 0.3), (0.61, 0.72))]
    boxes = [box_of(*place, aspect) for place in places]
    images = torch.stack([paint([(drawing, box)]) for box in boxes])
    label, scores = SCENE_CLASSES.index(name) + 1, []
    for box, found in zip(boxes, find(images, score_threshold=0.05), strict=True):
        right = (iou(found.boxes, torch.tensor([box]))[:, 0] >= 0.5) & (found.labels == label)
        scores.append(found.scores[right].max().item() if right.any() else 0.0)
    return sum(scores) / len(scores)


def colour(rgb) -> str:
    return "#" + "".join(f"{value:02x}" for value in rgb)


def polygons(drawing: Drawing) -> list:
    """Return [colour, x, y, x, y ..] of each polygon, in thousandths of the drawing's sides."""
    return [
        [colour(fill), *np.rint(points * 1000).astype(int).ravel().tolist()]
        for fill, points in drawing.polygons
    ]


def pick_variants() -> dict[str, int]:
    """Return which drawing of each thing the detector finds best."""
    picked = {}
    for name in SCENE_CLASSES:
        ratings = [rating(name, variant) for variant in range(VARIANTS)]
        picked[name] = int(np.argmax(ratings))
        low, high = min(ratings), max(ratings)
        print(f"{name:11} drawing {picked[name]:2}: mean score {high:.3f} (worst {low:.3f})")
    return picked


def describe(variants: dict[str, int]) -> dict:
    """Return what scenes.json holds."""
    things = {}
    for name in SCENE_CLASSES:
        drawing, aspect = draw_thing(name, variants[name])
        shape = {"variant": variants[name], "aspect": round(aspect, 4)}
        things[name] = shape | {"polygons": polygons(drawing)}
    first = [
        {"name": name, "box": box_of(x, y, scale, things[name]["aspect"])}
        for name, x, y, scale in FIRST
    ]
    back = {"sky": colour(SKY), "ground": colour(GROUND), "horizon": HORIZON}
    return {
        **{"background": back, "things": things, "first": first},
        "preset": asdict(network().config.priors),
        "presets": {name: asdict(preset) for name, preset in PRESETS.items()},
        "views": {model.name: seen_by(model) for model in MODELS.values()},
        "drawn": [drawn(index) for index in range(OFFERED)],
        "photographs": photographs(),
    }


def seen_by(model: ModelPreset) -> list[dict]:
    """Return what the cells of each map of a model see of the picture."""
    with torch.device("meta"):  # only the layers matter
        return [view._asdict() for view in views(SSD(model, num_classes=2))]


# --- pictures -------------------------------------------------------------------------------------
def drawn(index: int) -> dict:
    """Return what the page says of a scene of the validation split."""
    scenes = open_dataset("scenes", "val")
    _, target = scenes[index]
    labels, boxes = target["labels"].tolist(), (target["boxes"] / SIDE).tolist()
    truth = [
        {"name": SCENE_CLASSES[label - 1], "box": [round(edge, 4) for edge in box]}
        for label, box in zip(labels, boxes, strict=True)
    ]
    number = scenes.start + index
    call = f"draw_scene({scenes.seed}, {number})"
    return {
        "file": f"{SCENES.name}/{number}.webp",
        "title": str(number),
        "about": f"{call} in Python draws it. The detector was not trained on it.",
        "truth": truth,
    }


def photographs() -> list[dict]:
    """Return file and title of the photographs that ship with the package, and who made them."""
    sources = json.loads(data_path(f"{PHOTOGRAPHS}/sources.json").read_text(encoding="utf-8"))
    return [
        {
            "file": f"{PHOTOGRAPHS}/{name}.jpg",
            "title": of["title"],
            "about": f"{of['author']}, {of['licence']}.",
        }
        for name, of in sources.items()
    ]


def make_scenes() -> None:
    """Write the scenes that the page offers."""
    SCENES.mkdir(exist_ok=True)
    for index in range(OFFERED):
        image, _ = open_dataset("scenes", "val")[index]
        picture = Image.fromarray(image.permute(1, 2, 0).numpy())
        picture.save(FOLDER / drawn(index)["file"], "WEBP", quality=90, method=6)


# --- the picture ----------------------------------------------------------------------------------
def draw_picture(described: dict) -> str:
    """Return the first scene with the boxes found in it, as SVG."""
    back, things, first = (described[key] for key in ("background", "things", "first"))
    scene = [(draw_thing(o["name"], things[o["name"]]["variant"])[0], o["box"]) for o in first]
    (found,) = find(paint(scene)[None], score_threshold=SHOWN)
    horizon = round(back["horizon"] * SIDE)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIDE} {SIDE}" width="600" '
        'height="600" font-family="system-ui, sans-serif" font-size="9" font-weight="600">',
        f'<path fill="{back["sky"]}" d="M0 0H{SIDE}V{SIDE}H0Z"/>',
        f'<path fill="{back["ground"]}" d="M0 {horizon}H{SIDE}V{SIDE}H0Z"/>',
    ]
    for thing in first:
        x0, y0, x1, y1 = (SIDE * edge for edge in thing["box"])
        scale = f"scale({(x1 - x0) / 1000:.5f} {(y1 - y0) / 1000:.5f})"
        parts.append(f'<g transform="translate({x0:.2f} {y0:.2f}) {scale}">')
        for fill, *points in things[thing["name"]]["polygons"]:
            parts.append(f'<path fill="{fill}" d="M{" ".join(map(str, points))}Z"/>')
        parts.append("</g>")
    for box, score, label in zip(*(part.tolist() for part in found), strict=True):
        x0, y0, x1, y1 = (SIDE * edge for edge in box)
        words = f"{SCENE_CLASSES[label - 1]} {score:.2f}"
        parts.append(
            f'<rect x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}" '
            f'fill="none" stroke="{ACCENT}" stroke-width="1.6"/>'
            f'<text x="{x0:.1f}" y="{y0 - 3:.1f}" fill="{INK}" stroke="#fff" stroke-width="2" '
            f'paint-order="stroke" stroke-linejoin="round">{words}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def as_json(described: dict) -> str:
    return json.dumps(described, separators=(",", ":")) + "\n"


def written(described: dict) -> dict[Path, str]:
    """Return the text files."""
    return {DRAWN: as_json(described), PICTURE: draw_picture(described)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if it differs")
    options = parser.parse_args(arguments)
    if not options.check:
        make_model(MODEL)
        print(f"{MODEL.name}: {MODEL.stat().st_size / 1e6:.2f} MB")
        make_scenes()
    files = written(describe(pick_variants()))
    stale = [p.name for p, t in files.items() if not p.is_file() or p.read_text() != t]
    if options.check:
        print(f"differs: {', '.join(stale)}" if stale else "the files are what this tool makes")
        return 1 if stale else 0
    for path, text in files.items():
        with atomic_write(path) as file:
            file.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
