"""How a scene is put together: a background, objects placed one by one, light over the whole.

Every choice is drawn from one generator, seeded with (seed, index) and handed on, so a scene is
the same wherever and whenever it is drawn. Visibility is counted in pixels: a map of the picture
says which object each pixel shows, and boxes are read off it.
"""

import math
import operator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageFilter
from torchvision.ops import masks_to_boxes

from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets.scenes.backgrounds import draw_background
from ssd_tutorial.datasets.scenes.paints import pick_paints
from ssd_tutorial.datasets.scenes.pen import Drawing
from ssd_tutorial.datasets.scenes.things import SHAPES

SCENE_CLASSES: tuple[str, ...] = tuple(shape.__name__ for shape in SHAPES)

SMALLEST = 64  # side in pixels: on a smaller picture, objects cannot be seen
MAX_OBJECTS = 8
MIN_VISIBLE = 0.4  # share of an object's own pixels that no other object and no border may hide
DIFFICULT_BELOW = 0.55  # a visible share under this is marked difficult
MIN_SIDE = 0.03  # no visible box is narrower than this share of the picture: 9 pixels of 300
MAX_SIDE = 0.92  # no drawing is wider or taller than this share of the picture
MAX_IOU = 0.4  # between two boxes: closer pairs would not survive non-maximum suppression
MIN_CONTRAST = 0.14  # RGB distance (0..sqrt 3) between an object's mean colour and what is behind

_SUPERSAMPLING = 3
_IN_THE_AIR = frozenset({"airplane", "balloon", "kite"})
_AT_AN_ANGLE = {"airplane": 16, "kite": 22, "fish": 14, "balloon": 7, "boat": 5, "train": 2}


@dataclass(frozen=True)
class Scene:
    """A picture and everything that is known about it; boxes in pixels, in drawing order.

    Attributes:
        image: uint8 [size, size, 3], RGB.
        boxes: float32 [N, 4], xmin ymin xmax ymax in pixels; N >= 1.
        labels: int64 [N], 1..12; label i + 1 is ``SCENE_CLASSES[i]``.
        visible: float32 [N], the share of each object's own pixels that can be seen.
        owner: int8 [size, size], which object a pixel shows, counted from 1; 0 is background.
    """

    image: np.ndarray
    boxes: np.ndarray
    labels: np.ndarray
    visible: np.ndarray
    owner: np.ndarray

    @property
    def difficult(self) -> np.ndarray:
        """bool [N]: less than `DIFFICULT_BELOW` of the object can be seen."""
        return self.visible < DIFFICULT_BELOW


def _pick_scale(rng: np.random.Generator) -> float:
    """Draw sqrt(width x height) / side: log-uniform, a few very small, a few large."""
    kind = rng.random()
    low, high = (0.05, 0.08) if kind < 0.05 else (0.08, 0.4) if kind < 0.88 else (0.4, 0.8)
    return math.exp(rng.uniform(math.log(low), math.log(high)))


class _Canvas:
    """A picture in the making; an object that would hide too much is refused."""

    def __init__(self, background: Image.Image, size: int) -> None:
        side = size * _SUPERSAMPLING
        self.size = size
        self.image = background.resize((side, side), Image.Resampling.NEAREST)
        self.owner = np.zeros((size, size), np.int8)
        self.labels: list[int] = []
        self.totals: list[int] = []  # pixels that each object would show if nothing hid it
        self.boxes = torch.zeros(0, 4)

    def add(self, drawing: Drawing, label: int, x: float, y: float, w: float, h: float) -> bool:
        """Paint a fitted drawing at (x, y) with the given width and height, all in pixels.

        Returns False, and changes nothing, where the new object would be seen too little, or hide
        too much of another one, or could not be told apart from what is behind it.
        """
        size, factor, count = self.size, _SUPERSAMPLING, len(self.labels) + 1
        left, top = math.floor(x), math.floor(y)
        wide, tall = math.ceil(x + w) - left, math.ceil(y + h) - top
        mask = Image.new("L", (wide * factor, tall * factor))
        drawing.paint(mask, (x - left) * factor, (y - top) * factor, w * factor, h * factor)
        inside = np.asarray(mask.reduce(factor)) > 127
        x0, y0 = max(left, 0), max(top, 0)
        x1, y1 = min(left + wide, size), min(top + tall, size)
        if x1 <= x0 or y1 <= y0:
            return False
        window = (slice(y0, y1), slice(x0, x1))
        seen = inside[y0 - top : y1 - top, x0 - left : x1 - left]
        owner = self.owner.copy()
        owner[window][seen] = count
        totals = np.array([*self.totals, inside.sum()])
        shown = np.bincount(owner.ravel(), minlength=count + 1)[1:]
        if not seen.any() or (shown < MIN_VISIBLE * totals).any():
            return False
        there = self.image.crop(tuple(edge * factor for edge in (x0, y0, x1, y1)))
        behind = np.asarray(there)[1::factor, 1::factor][seen].mean(0) / 255
        if np.linalg.norm(drawing.mean_colour() - behind) < MIN_CONTRAST:
            return False
        masks = torch.from_numpy(owner) == torch.arange(1, count + 1).view(-1, 1, 1)
        boxes = masks_to_boxes(masks) + torch.tensor([0, 0, 1, 1])  # past the last pixel
        narrowest, overlaps = (boxes[:, 2:] - boxes[:, :2]).min(), iou(boxes, boxes).triu(1)
        if narrowest < MIN_SIDE * size or overlaps.max() > MAX_IOU:
            return False
        drawing.paint(self.image, x * factor, y * factor, w * factor, h * factor)
        self.owner, self.boxes = owner, boxes
        self.labels.append(label)
        self.totals.append(int(inside.sum()))
        return True


def _place(canvas: _Canvas, rng: np.random.Generator, horizon: float, scale: float) -> bool:
    """Add one object of the given scale; up to twelve tries, each with new paints and place."""
    label = int(rng.integers(len(SHAPES))) + 1
    name = SCENE_CLASSES[label - 1]
    for _ in range(12):
        drawing = Drawing()
        SHAPES[label - 1](drawing, rng, pick_paints(rng))
        lean = _AT_AN_ANGLE.get(name, 1.5) * rng.uniform(-1, 1)
        drawing, aspect = drawing.fitted(mirrored=rng.random() < 0.5, lean=lean)
        w, h = scale * math.sqrt(aspect), scale / math.sqrt(aspect)
        shrink = min(1.0, MAX_SIDE / max(w, h))
        w, h = w * shrink, h * shrink
        inside = 0.3 if rng.random() < 0.12 else 0.5  # 0.3: may reach out of the picture
        x, y = (rng.uniform(inside * side, 1 - inside * side) for side in (w, h))
        if inside == 0.5 and rng.random() < 0.6:  # in the air or on the ground, as expected
            y = y * horizon if name in _IN_THE_AIR else horizon + (1 - horizon) * y
            y = min(max(y, h / 2), 1 - h / 2)
        size = canvas.size
        if canvas.add(drawing, label, (x - w / 2) * size, (y - h / 2) * size, w * size, h * size):
            return True
    return False


def _develop(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Add light, tint, blur and grain to the finished picture: uint8 [size, size, 3]."""
    size = image.size[0]
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.8) * size / 300))
    angle, strength = rng.uniform(0, 2 * math.pi), rng.uniform(0, 0.16)
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    light = math.cos(angle) * axis[None, :] + math.sin(angle) * axis[:, None]
    exposure = rng.uniform(0.86, 1.06) * (1 + rng.normal(0, 0.025, 3))
    pixels = np.asarray(image, np.float32) * (1 + strength * light)[..., None]
    pixels *= exposure.astype(np.float32)
    grain = rng.standard_normal((size, size, 3), dtype=np.float32)
    pixels += grain * float(rng.uniform(0.5, 7.0))
    return pixels.clip(0, 255).astype(np.uint8)


def check_numbers(size: int, **numbers: int) -> None:
    """Raise ``ValueError`` for a number under 0, or a picture too small to show its objects."""
    if size < SMALLEST or min(numbers.values()) < 0:
        given = ", ".join(f"{name} {number}" for name, number in numbers.items())
        rule = f"must not be negative and size must be at least {SMALLEST} pixels"
        raise ValueError(f"{', '.join(numbers)} {rule}, got {given}, size {size}")


def compose(seed: int, index: int, size: int = 300) -> Scene:
    """Draw scene ``index`` of ``seed``, with the pixels of each object; see `draw_scene`."""
    seed, index, size = (operator.index(value) for value in (seed, index, size))
    check_numbers(size, seed=seed, index=index)
    rng = np.random.default_rng((seed, index))
    background, horizon = draw_background(rng, size)
    canvas = _Canvas(background, size)
    wanted = int(rng.choice(MAX_OBJECTS, p=(0.14, 0.2, 0.2, 0.16, 0.12, 0.08, 0.06, 0.04))) + 1
    # Large objects first: they form the background, and small ones stand in front of them.
    for scale in sorted((_pick_scale(rng) for _ in range(wanted)), reverse=True):
        _place(canvas, rng, horizon, scale)
    while not canvas.labels:
        _place(canvas, rng, horizon, _pick_scale(rng))
    shown = np.bincount(canvas.owner.ravel(), minlength=len(canvas.labels) + 1)[1:]
    return Scene(
        image=_develop(canvas.image.reduce(_SUPERSAMPLING), rng),
        boxes=canvas.boxes.numpy(),
        labels=np.array(canvas.labels, np.int64),
        visible=(shown / np.array(canvas.totals)).astype(np.float32),
        owner=canvas.owner,
    )
