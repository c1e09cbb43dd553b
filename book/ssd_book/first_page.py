"""What the book's first page shows below its film: the chapters as tiles, and detected scenes.

Each tile has a drawing of a few lines, as SVG in the page's own colours: what the package computes
for that chapter, and nothing else.
"""

import csv
import html
import io
import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ssd_book.after_ssd import candidates, centreness, make_points
from ssd_book.clinic import read_faults
from ssd_book.disagreements import shape_first
from ssd_book.explorers import film
from ssd_book.explorers.crop import draw_sample
from ssd_book.explorers.precision_recall import PrecisionRecallExplorer
from ssd_book.explorers.roi import SIZE_PX, RoiPoolingExplorer
from ssd_book.plots import LOOKS
from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect
from ssd_tutorial.matching import Matches, match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.presets import PRESETS, get_preset
from ssd_tutorial.priors import cell_shapes, locate, make_priors
from ssd_tutorial.scales import compute_scales
from ssd_tutorial.targets import make_targets
from ssd_tutorial.training.loop import learning_rate
from ssd_tutorial.training.recipes import RECIPES
from ssd_tutorial.weights.file import Detector

WIDTH, HEIGHT = 160, 104
_SIDE, _LEFT, _TOP = 92, 34, 6  # of a square picture in the middle
_PRESET = get_preset("caffe300_voc")


# --- lines ----------------------------------------------------------------------------------------
def _number(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")


def _rect(box: Iterable[float], look: str) -> str:
    """Return a box, xyxy in fractions of the square picture."""
    x0, y0, x1, y1 = (_SIDE * float(x) for x in box)
    x, y, w, h = map(_number, (_LEFT + x0, _TOP + y0, x1 - x0, y1 - y0))
    return f'<rect x="{x}" y="{y}" width="{w}" height="{h}" {look}/>'


def _line(points: Iterable[tuple[float, float]], look: str, end: str = "") -> str:
    """Return a line through points in fractions of the drawing, y upwards."""
    places = [(8 + 144 * x, 96 - 88 * y) for x, y in points]
    d = "L".join(f"{_number(x)} {_number(y)}" for x, y in places)
    return f'<path d="M{d}{end}" {look}/>'


def _of_map(k: int) -> str:
    return f'class="tile-map" style="--map: {LOOKS[k].color}"'


INK, QUIET, HIT, FRAME = (f'class="tile-{name}"' for name in ("ink", "quiet", "hit", "frame"))
_FRAME = _rect((0, 0, 1, 1), FRAME)


# --- one drawing per chapter ----------------------------------------------------------------------
def _opened() -> str:
    """Return what is found in the film's scene, and the prior behind the surest of it."""
    found = film.FilmExplorer().candidates
    best = [(score, prior, box) for i, (prior, _, score, *box, by) in enumerate(found) if i == by]
    _, prior, _ = max(best)
    start = cxcywh_to_xyxy(make_priors(_PRESET)[prior : prior + 1])[0].tolist()
    drawn = "".join(_rect(box, HIT) for _, _, box in best)
    return _FRAME + _rect(start, _of_map(locate(_PRESET, prior).map)) + drawn


def _rounded() -> str:
    """Return a region and the cells of a map that RoI pooling makes of it."""
    explorer = RoiPoolingExplorer()
    part = explorer.stride / SIZE_PX
    left, top, right, bottom = explorer.cells
    rows = [(left, i, right + 1, i + 1) for i in range(top, bottom + 1)]
    columns = [(j, top, j + 1, bottom + 1) for j in range(left + 1, right, 2)]
    cells = [[at * part for at in box] for box in rows + columns]
    return _FRAME + "".join(_rect(cell, QUIET) for cell in cells) + _rect(explorer.region, HIT)


def _maps() -> str:
    """Return the feature maps, each as wide as it has cells."""
    drawn, left = [], 0.04
    for k, m in enumerate(_PRESET.maps):
        side, top = 0.018 * m.cells, 0.5 - 0.018 * m.cells / 2
        drawn.append(_rect((left - 0.37, top, left - 0.37 + side, top + side), _of_map(k)))
        left += side + 0.05
    return "".join(drawn)


def _overlap() -> str:
    a, b = torch.tensor([[-0.1, 0.05, 0.72, 0.72]]), torch.tensor([[0.1, 0.2, 1.1, 0.95]])
    shared = torch.cat([torch.maximum(a, b)[0, :2], torch.minimum(a, b)[0, 2:]])
    words = f'<text x="{_LEFT + 0.41 * _SIDE:.0f}" y="53">{iou(a, b).item():.2f}</text>'
    area = _rect(shared, 'class="tile-area"')
    return area + _rect(a[0], INK) + _rect(b[0], HIT) + words


def _squares() -> str:
    sides = compute_scales(_PRESET)[: len(_PRESET.maps)]
    return "".join(
        _rect((0.5 - s / 2, 1 - s, 0.5 + s / 2, 1), _of_map(k)) for k, s in enumerate(sides)
    )


def _shapes() -> str:
    shapes = 2.6 * cell_shapes(_PRESET, 1)
    boxes = cxcywh_to_xyxy(torch.cat([torch.full_like(shapes, 0.5), shapes], dim=1))
    return "".join(_rect(box, _of_map(1)) for box in boxes.tolist())


def _cells() -> str:
    priors = make_priors(_PRESET)
    on_map = [i for i in range(len(priors)) if locate(_PRESET, i).map == 3]
    middle = [i for i in on_map if locate(_PRESET, i)[1:3] == (2, 2)]
    dots = "".join(
        f'<circle cx="{_number(_LEFT + _SIDE * x)}" cy="{_number(_TOP + _SIDE * y)}" r="1.6"/>'
        for x, y in priors[on_map, :2].unique(dim=0).tolist()
    )
    boxes = cxcywh_to_xyxy(priors[middle]).tolist()
    return _FRAME + dots + "".join(_rect(box, _of_map(3)) for box in boxes)


def _scene() -> tuple[Tensor, Matches]:
    """Return the objects of the film's scene, and what is matched to them."""
    image, target = open_dataset("scenes", "val")[film.SCENE]
    objects = target["boxes"].as_subclass(Tensor) / image.shape[-1]
    targets = make_targets([objects], [target["labels"]], 13)
    return objects, match(make_priors(_PRESET), targets)


def _matched() -> str:
    objects, matches = _scene()
    positive = matches.positive[0].nonzero()[:, 0].tolist()
    boxes = cxcywh_to_xyxy(make_priors(_PRESET)[positive]).clamp(-0.3, 1.3).tolist()
    drawn = [
        _rect(b, _of_map(locate(_PRESET, i).map)) for i, b in zip(positive, boxes, strict=True)
    ]
    return "".join(drawn) + "".join(_rect(box, INK) for box in objects.tolist())


def _losses() -> str:
    x = torch.linspace(-3, 3, 31)
    smooth = F.smooth_l1_loss(x, torch.zeros_like(x), reduction="none")
    across = ((x + 3) / 6).tolist()

    def curve(y: Tensor, look: str) -> str:
        points = zip(across, (y / 3).tolist(), strict=True)
        return _line([(a, b) for a, b in points if b <= 1], look)

    return curve(x**2 / 2, QUIET) + curve(smooth, HIT)


def _mined() -> str:
    scores, _ = film.predicted()
    loss = -(1 - scores.sum(dim=1)).clamp(min=1e-9).log()[None].float()
    positive = _scene()[1].positive
    chosen = int(hard_negatives(loss, positive).sum())
    hardest = loss[~positive].sort(descending=True).values[: 3 * chosen : 3].pow(0.5)
    points = [(i / len(hardest), y / hardest[0].item()) for i, y in enumerate(hardest.tolist())]
    cut = len(points) // 3
    area = _line([(0, 0), *points[: cut + 1], (points[cut][0], 0)], 'class="tile-area"', "Z")
    return area + _line(points[cut:], QUIET) + _line(points[: cut + 1], HIT)


def _crops() -> str:
    sample = draw_sample(2)
    search, s = sample.search, sample.search.chosen
    trials = search.trials.crops[s, : search.first[s] + 1].tolist()
    width, height = sample.size
    objects = (sample.boxes / torch.tensor([width, height, width, height])).tolist()
    drawn = "".join(_rect(crop, QUIET) for crop in trials[:-1])
    return _FRAME + drawn + _rect(trials[-1], HIT) + "".join(_rect(b, INK) for b in objects)


def _trained() -> str:
    file = data_path("runs/scenes_slim300/seed-0.csv")
    rows = list(csv.DictReader(io.StringIO(file.read_text(encoding="utf-8"))))
    total = [float(row["total"]) for row in rows]
    points = [(i / (len(rows) - 1), y / max(total)) for i, y in enumerate(total)]
    return _line([(0, 0), (1, 0)], QUIET) + _line(points, HIT)


def _detected() -> str:
    found = film.FilmExplorer().candidates
    thin = "".join(_rect(box, QUIET) for _, _, _, *box, _ in found)
    best = "".join(_rect(box, HIT) for i, (_, _, _, *box, by) in enumerate(found) if i == by)
    return _FRAME + thin + best


def _curve() -> str:
    (curve,) = PrecisionRecallExplorer().evaluation(whole=True).curves.values()
    points = list(zip(curve.recall.tolist(), curve.precision.tolist(), strict=True))
    return _line([(0, 1), (0, 0), (1, 0)], QUIET) + _line(points, HIT)


def _schedule() -> str:
    recipe = RECIPES["voc0712"]
    rates = [learning_rate(step, 120, recipe) / recipe.lr for step in range(120)]
    points = [(0, 0), *((i / 119, 0.9 * rate) for i, rate in enumerate(rates))]
    area = _line([*points, (1, 0)], 'class="tile-area"', "Z")
    return area + _line([(0, 0), (1, 0)], QUIET) + _line(points, HIT)


def _own() -> str:
    record = json.loads(data_path("runs/bccd_slim300/result.json").read_text(encoding="utf-8"))
    ap = record["ap50"][0].values()
    bars = [
        _line([(x, 0), (x, y)], 'class="tile-bar"')
        for x, y in zip((0.2, 0.5, 0.8), ap, strict=True)
    ]
    return "".join(bars) + _line([(0, 0), (1, 0)], QUIET)


def _faults() -> str:
    """Return the losses of a sound run and of one with the boxes of the next picture."""
    drawn = ""
    for name, look in (("none", QUIET), ("boxes of the next picture", HIT)):
        total = [report.total for report in read_faults()[name][1]]
        means = [sum(total[i - 6 : i]) / 6 for i in range(6, len(total) + 1, 6)]
        points = [(i / (len(means) - 1), min(y / 16, 1)) for i, y in enumerate(means)]
        drawn += _line(points, look)
    return drawn


def _two_orders() -> str:
    """Return neighbours in two orders of a map of 3 x 3 cells: a cell's shapes, a row's squares."""
    boxes = cxcywh_to_xyxy(make_priors(_PRESET))
    start = sum(m.boxes_per_cell * m.cells**2 for m in _PRESET.maps[:4])
    middle = range(start + 16, start + 20)
    row = shape_first(_PRESET)[start + 3 : start + 6].tolist()
    drawn = []
    for left, places in ((-0.44, middle), (0.36, row)):
        shift = torch.tensor([left, 0, left, 0])
        drawn += [_rect(0.6 * boxes[i] + 0.2 + shift, _of_map(4)) for i in places]
    return "".join(drawn)


def _central() -> str:
    """Return a box of the film's scene and the points in it, the larger the more central."""
    objects, _ = _scene()
    height, width = (objects[:, 3] - objects[:, 1]), (objects[:, 2] - objects[:, 0])
    box = objects[(height * width).argmax()][None]
    points = make_points(_PRESET)
    inside = points.at[candidates(points, box)[:, 0] & (points.map == 1)]
    zoom = 1.1 / float((box[:, 2:] - box[:, :2]).max())
    places = (inside - (box[:, :2] + box[:, 2:]) / 2) * zoom + 0.5
    dots = "".join(
        f'<circle cx="{_number(_LEFT + _SIDE * x)}" cy="{_number(_TOP + _SIDE * y)}"'
        f' r="{_number(1 + 3 * c)}"/>'
        for (x, y), c in zip(places.tolist(), centreness(inside, box).tolist(), strict=True)
    )
    half = (box[0, 2:] - box[0, :2]) * zoom / 2
    return dots + _rect([*(0.5 - half), *(0.5 + half)], INK)


def _composed() -> str:
    """Return two things that touch, and the box that a detector sees between them."""
    left, right = (0.1, 0.28, 0.5, 0.88), (0.5, 0.28, 0.9, 0.88)
    between = [(a + b) / 2 for a, b in zip(left, right, strict=True)]
    return _FRAME + _rect(left, INK) + _rect(right, INK) + _rect(between, HIT)


def _handles() -> str:
    box = (0.0, 0.2, 1.0, 0.85)
    corners = [(x, y) for x in box[::2] for y in box[1::2]]
    dots = [_rect((x - 0.05, y - 0.05, x + 0.05, y + 0.05), 'class="tile-dot"') for x, y in corners]
    return _rect(box, HIT) + "".join(dots)


def _all_presets() -> str:
    """Return the small squares' sides of every preset, one preset per row, one path per map."""
    marks = [""] * len(LOOKS)
    for row, preset in enumerate(PRESETS.values()):
        for k, side in enumerate(compute_scales(preset)[:-1]):
            x, y = _number(8 + 144 * side), 10 + 13 * row
            marks[k] += f"M{x} {y}L{x} {y + 9}"
    return "".join(f'<path d="{mark}" {_of_map(k)}/>' for k, mark in enumerate(marks))


def _names() -> str:
    """Return a prior, the box that its offsets lead to, and an arrow between their centres."""
    prior, _, _, *box, _ = film.FilmExplorer().candidates[14]
    start = cxcywh_to_xyxy(make_priors(_PRESET)[prior : prior + 1])[0].tolist()
    return _FRAME + _rect(start, _of_map(locate(_PRESET, prior).map)) + _rect(box, HIT)


# --- tiles ----------------------------------------------------------------------------------------
class Tile(NamedTuple):
    """A chapter as the first page shows it."""

    file: str
    title: str
    question: str
    draw: Callable[[], str]


TILES = (
    Tile("01_tour", "A tour in ten minutes", "Where does a detection come from?", _opened),
    Tile("02_why_one_shot", "Why one shot", "Why look once if one can look twice?", _rounded),
    Tile("03_network", "The network", "How does a picture become 8732 answers?", _maps),
    Tile("04_boxes_and_iou", "Boxes and IoU", "When do two boxes mean the same place?", _overlap),
    Tile("05_scales", "Scales", "How large should the boxes be?", _squares),
    Tile("06_aspect_ratios", "Aspect ratios", "Which shapes, and how many?", _shapes),
    Tile("07_priors", "Priors", "Which 8732 boxes, and what do they all miss?", _cells),
    Tile("08_matching", "Matching", "Which box learns which object?", _matched),
    Tile("09_loss", "The loss", "How wrong is an answer, in one number?", _losses),
    Tile(
        "10_hard_negative_mining",
        "Hard negative mining",
        "Which of 8700 empty boxes teach something?",
        _mined,
    ),
    Tile("11_augmentation", "Augmentation", "How does one picture become many?", _crops),
    Tile(
        "12_training_on_a_laptop", "Training on a laptop", "Can it be done over coffee?", _trained
    ),
    Tile("13_detecting", "Detecting", "How do 8732 boxes become a few?", _detected),
    Tile("14_evaluation", "Evaluation", "How good is a list of boxes?", _curve),
    Tile("15_full_gpu_training", "Full GPU training", "What does the real thing cost?", _schedule),
    Tile(
        "16_your_own_pictures", "Your own pictures", "What if no public set has your classes?", _own
    ),
    Tile(
        "17_when_training_goes_wrong",
        "When training goes wrong",
        "Which fault is it, and how do you find out?",
        _faults,
    ),
    Tile(
        "18_where_explanations_disagree",
        "Where explanations disagree",
        "Which differences cost nothing, and which everything?",
        _two_orders,
    ),
    Tile("19_after_ssd", "After SSD", "Which later idea answers which limit?", _central),
    Tile("live", "Compose a scene", "What does it find in a picture of yours?", _composed),
    Tile("explorers", "All explorers", "Fourteen figures to take hold of.", _handles),
    Tile("presets", "Presets", "Whose boxes are how large?", _all_presets),
    Tile("glossary", "Glossary", "What is a prior? And an offset?", _names),
)


def draw_tiles(tiles: Sequence[Tile] = TILES) -> str:
    """Return the tiles as HTML: links with a number, a title, a question and a drawing."""
    items = []
    for file, title, question, draw in tiles:
        drawing = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" aria-hidden="true">{draw()}</svg>'
        number = f"<b>{int(file[:2])}</b> " if file[:2].isdigit() else ""
        name = f'<span class="tile-name">{number}{html.escape(title)}</span>'
        words = f"{name}<span>{html.escape(question)}</span>"
        items.append(f'<li><a class="tile" href="{file}.html">{drawing}{words}</a></li>')
    return f'<ul class="tiles">{"".join(items)}</ul>'


# --- what a laptop trained ------------------------------------------------------------------------
def draw_facts() -> str:
    """Return what two recorded runs took and reached, as HTML."""
    records = {
        name: json.loads(data_path(f"runs/{name}/result.json").read_text(encoding="utf-8"))
        for name in ("scenes_slim300", "bccd_slim300")
    }
    scenes, cells = records.values()
    minutes = f"{min(scenes['minutes']):.0f}–{max(scenes['minutes']):.0f} min"
    new, cell_pictures = scenes["pictures_measured"], cells["pictures"]
    facts = (
        (minutes, "on one thread of a CPU, from random weights"),
        (
            f"{scenes['map50_mean']:.2f} of 1",
            f"on {new} drawn scenes that it has never seen: 1 is every object found and nothing "
            'else (<a href="14_evaluation.html">mAP</a>, the usual measure)',
        ),
        (
            f"{cells['map50_mean']:.2f} of 1",
            f"on blood cells under a microscope, trained on {cell_pictures} photographs",
        ),
    )
    items = "".join(f"<div><dt>{number}</dt><dd>{words}</dd></div>" for number, words in facts)
    return f'<dl class="first-facts">{items}</dl>'


def draw_found(detector: Detector, scenes: Sequence[int], score: float = 0.5) -> str:
    """Return what a detector finds in some scenes of the validation split, as HTML."""
    drawings = []
    for index in scenes:
        image, target = open_dataset("scenes", "val")[index]
        (found,) = detect(detector.network, [image], score_threshold=score)
        names = [detector.classes[label - 1] for label in found.labels.tolist()]
        words = f"A drawn scene. Found in it: {', '.join(names)}."
        picture = film.picture_uri(target["name"], 2 * image.shape[-1], quality=70)
        drawn = f'<image href="{picture}" width="300" height="300"/>'
        for name, value, box in zip(
            names, found.scores.tolist(), found.boxes.tolist(), strict=True
        ):
            drawn += _labelled(box, f"{name} {value:.2f}")
        drawings.append(f'<svg viewBox="0 0 300 300" role="img" aria-label="{words}">{drawn}</svg>')
    return f'<div class="first-found">{"".join(drawings)}</div>'


def _labelled(box: Sequence[float], words: str) -> str:
    """Return a box, xyxy in pixels of a scene, and its label."""
    x0, y0, x1, y1 = box
    place = f'x="{x0:.1f}" y="{y0:.1f}" width="{x1 - x0:.1f}" height="{y1 - y0:.1f}"'
    # the text is drawn over its own thick outline, so no width has to be known
    x, y = min(max(x0, 4), 296 - 6.6 * len(words)), y0 - 4 if y0 > 16 else y0 + 12
    return f'<rect {place}/><text x="{x:.1f}" y="{y:.1f}">{words}</text>'
