"""What lies behind the objects: land, sea or a sheet of patterned paper, with a grain of its own.

Everything here is background to a detector. Some of it is there to be mistaken: clouds and
bushes are round like tree crowns, hills are pointed like roofs and kites, loose discs, bars and
triangles have the colours and the sizes of the objects and no parts.
"""

import math

import numpy as np
from PIL import Image

from ssd_tutorial.datasets.scenes.paints import Colour, darker, hsv, lighter, mix
from ssd_tutorial.datasets.scenes.pen import Drawing

# (hue of the sky, its saturation, its value; hue of the ground, its saturation, its value)
MOODS = (
    (0.55, 0.30, 0.93, 0.27, 0.34, 0.74),  # noon, meadow
    (0.07, 0.28, 0.97, 0.12, 0.32, 0.80),  # sunset, sand
    (0.93, 0.14, 0.94, 0.36, 0.22, 0.68),  # dawn, moss
    (0.60, 0.10, 0.84, 0.24, 0.16, 0.66),  # overcast, heath
    (0.64, 0.45, 0.42, 0.58, 0.30, 0.34),  # night
    (0.53, 0.16, 0.93, 0.58, 0.05, 0.95),  # winter, snow
)


def _gradient(top: Colour, bottom: Colour, side: int) -> Image.Image:
    """Return a square that runs from ``top`` to ``bottom``."""
    share = np.linspace(0, 1, side)[:, None, None]
    column = (np.array(top) * (1 - share) + np.array(bottom) * share).astype(np.uint8)
    return Image.fromarray(column).resize((side, side), Image.Resampling.NEAREST)


def _ridge(rng: np.random.Generator, level: float, height: float, pointed: bool) -> list:
    """Return the outline of a range of hills around ``level``, closed along the lower border."""
    if pointed:
        x = np.sort(rng.uniform(-0.1, 1.1, 9))
        y = level - height * rng.uniform(0.2, 1.0, 9) * (np.arange(9) % 2)
    else:
        x = np.linspace(-0.05, 1.05, 40)
        waves = rng.uniform(0, 2 * math.pi, 2)
        y = np.sin(x * rng.uniform(3, 7) + waves[0]) + 0.5 * np.sin(x * 11 + waves[1])
        y = level - height * (0.35 + 0.25 * y)
    return [(-0.1, 1.1), (-0.1, y[0]), *zip(x, y, strict=True), (1.1, y[-1]), (1.1, 1.1)]


def _clouds(
    pen: Drawing, rng: np.random.Generator, sky: Colour, horizon: float, least: int
) -> None:
    """Draw at least ``least`` clouds and at most four."""
    colour = lighter(sky, 0.5)
    for _ in range(int(rng.integers(least, 5))):
        x, y, width = rng.uniform(0, 1), rng.uniform(0.05, horizon), rng.uniform(0.05, 0.16)
        for at, size in ((-0.6, 0.42), (-0.15, 0.62), (0.4, 0.5), (0.75, 0.3)):
            pen.ellipse(colour, x + at * width, y - size * width * 0.4, size * width, size * width)
        pen.box(colour, x - width, y - width * 0.1, x + width, y + width * 0.25, width * 0.17)


def _decoys(pen: Drawing, rng: np.random.Generator, colour: Colour) -> None:
    """Draw up to five plain shapes that are not objects: discs, bars, triangles and lozenges."""
    for _ in range(int(rng.integers(0, 6))):
        x, y, s = rng.uniform(0, 1), rng.uniform(0, 1), math.exp(rng.uniform(-3.8, -2.2))
        a = math.exp(rng.uniform(-0.7, 0.7))
        tint = hsv(rng.random(), rng.uniform(0.2, 0.55), rng.uniform(0.45, 0.95))
        tint = mix(colour, tint, rng.uniform(0.2, 0.65))
        kind = rng.integers(4)
        if kind == 0:
            pen.ellipse(tint, x, y, s * a, s / a)
        elif kind == 1:
            pen.box(tint, x - s * a, y - s / a, x + s * a, y + s / a, s * 0.2)
        elif kind == 2:
            pen.polygon(tint, [(x - s * a, y + s / a), (x + s * a, y + s / a), (x, y - s / a)])
        else:
            pen.polygon(tint, [(x, y - s / a), (x + s * a, y), (x, y + s / a), (x - s * a, y)])


def _land(pen: Drawing, rng: np.random.Generator, mood: np.ndarray, horizon: float) -> Colour:
    """Draw sun or moon, clouds, ranges of hills and bushes; return the colour of the ground."""
    sky, ground = hsv(*mood[:3]), hsv(*mood[3:])
    if rng.random() < 0.6:
        r = rng.uniform(0.04, 0.1)
        pen.ellipse(lighter(sky, 0.6), rng.uniform(0.1, 0.9), rng.uniform(0.08, horizon), r, r)
    _clouds(pen, rng, sky, horizon, least=0)
    ranges = int(rng.integers(1, 4))
    for i in range(ranges):
        far = (ranges - i) / (ranges + 1)
        outline = _ridge(rng, horizon + 0.02, 0.26 * far + 0.05, pointed=rng.random() < 0.4)
        pen.polygon(mix(darker(ground, 0.25), sky, far), outline)
    pen.polygon(ground, _ridge(rng, horizon + 0.06, 0.05, pointed=False))
    pen.polygon(darker(ground, 0.08), _ridge(rng, horizon + 0.25, 0.07, pointed=False))
    for _ in range(int(rng.integers(0, 5))):
        x, y, s = rng.uniform(0, 1), rng.uniform(horizon + 0.1, 1), rng.uniform(0.015, 0.05)
        colour = darker(ground, rng.uniform(0.12, 0.3))
        for dx in (-0.8, 0, 0.8):
            pen.ellipse(colour, x + dx * s, y, s, s * (1.2 if dx == 0 else 0.8), 180, 360)
    return ground


def _sea(pen: Drawing, rng: np.random.Generator, mood: np.ndarray, horizon: float) -> Colour:
    """Draw a sky with clouds over bands of water with crests; return the colour of the water."""
    sky = hsv(*mood[:3])
    water = hsv(rng.uniform(0.48, 0.6), rng.uniform(0.3, 0.5), mood[2] * rng.uniform(0.7, 0.85))
    _clouds(pen, rng, sky, horizon, least=1)
    if rng.random() < 0.5:
        pen.polygon(mix(darker(sky, 0.3), sky, 0.5), _ridge(rng, horizon + 0.02, 0.12, True))
    bands = int(rng.integers(3, 6))
    for i in range(bands):
        y = horizon + (1 - horizon) * i / bands
        pen.polygon(darker(water, 0.06 * i), _ridge(rng, y + 0.01, 0.012 * (i + 0.5), False))
    for _ in range(int(rng.integers(4, 14))):
        x, y, w = rng.uniform(0, 1), rng.uniform(horizon + 0.06, 1), rng.uniform(0.02, 0.07)
        pen.line(lighter(water, 0.35), [(x - w, y), (x + w, y)], 0.006)
    return water


def _paper(pen: Drawing, rng: np.random.Generator, mood: np.ndarray) -> Colour:
    """Draw stripes, dots, checks or triangles, of nearly the sheet's colour; return that colour."""
    sheet = hsv(*mood[:3])
    ink = mix(sheet, hsv(*mood[3:]), rng.uniform(0.25, 0.6))
    pitch, kind = 1 / int(rng.integers(5, 14)), rng.integers(4)
    if kind == 0:
        slope = rng.uniform(-0.6, 0.6)
        for x in np.arange(-0.7, 1.7, pitch):
            w = pitch * 0.45
            pen.polygon(ink, [(x, 0), (x + w, 0), (x + w + slope, 1), (x + slope, 1)])
    else:
        for row, y in enumerate(np.arange(0, 1 + pitch, pitch)):
            for x in np.arange((row % 2) * pitch / 2, 1 + pitch, pitch):
                if kind == 1:
                    pen.ellipse(ink, x, y, pitch * 0.22, pitch * 0.22)
                elif kind == 2:
                    pen.box(ink, x, y, x + pitch / 2, y + pitch)
                else:
                    r = pitch * 0.28
                    pen.polygon(ink, [(x - r, y + r), (x + r, y + r), (x, y - r)])
    return sheet


def _texture(rng: np.random.Generator, size: int) -> np.ndarray:
    """Smooth noise of a random coarseness, float32 [size, size, 1], standard deviation near 1."""
    total = np.zeros((size, size), np.float32)
    for cells in rng.integers((4, 16, 60), (12, 50, 150)):
        noise = Image.fromarray(rng.standard_normal((int(cells), int(cells)), dtype=np.float32))
        total += np.asarray(noise.resize((size, size), Image.Resampling.BILINEAR))
    return total[..., None]


def draw_background(rng: np.random.Generator, size: int) -> tuple[Image.Image, float]:
    """Draw a background picture of ``size`` by ``size`` pixels.

    Returns:
        The RGB picture, and the height of its horizon as a fraction of the picture's side
        (0.5 for paper, which has none).
    """
    base = np.array(MOODS[rng.integers(len(MOODS))])
    mood = base + rng.normal(0, 1, 6) * (0.02, 0.05, 0.04, 0.02, 0.05, 0.05)
    sky, pen = hsv(*mood[:3]), Drawing()
    kind, horizon = rng.random(), rng.uniform(0.4, 0.72)
    if kind < 0.7:
        top, bottom = darker(sky, rng.uniform(0, 0.25)), lighter(sky, 0.3)
        colour = (_land if kind < 0.42 else _sea)(pen, rng, mood, horizon)
    else:
        top, bottom, horizon = sky, darker(sky, rng.uniform(0, 0.3)), 0.5
        colour = _paper(pen, rng, mood)
    _decoys(pen, rng, colour)
    image = _gradient(top, bottom, 2 * size)
    pen.paint(image, 0, 0, *image.size)
    pixels = np.asarray(image.reduce(2), np.float32)
    pixels = pixels + _texture(rng, size) * rng.uniform(0.5, 6.0)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), horizon
