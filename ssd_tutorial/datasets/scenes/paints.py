"""The paints of the scenes: a few colour helpers and the one palette that all classes share."""

import colorsys
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]

# (hue, saturation, value): the colours of a quiet picture book.
PAINTS = (
    (0.01, 0.68, 0.78),  # brick red
    (0.05, 0.62, 0.90),  # terracotta
    (0.11, 0.66, 0.93),  # ochre
    (0.15, 0.48, 0.94),  # straw
    (0.25, 0.42, 0.66),  # olive
    (0.38, 0.46, 0.55),  # pine
    (0.47, 0.48, 0.66),  # teal
    (0.57, 0.52, 0.76),  # sky blue
    (0.62, 0.58, 0.52),  # ink blue
    (0.76, 0.32, 0.62),  # plum
    (0.93, 0.42, 0.86),  # rose
    (0.07, 0.45, 0.47),  # bark
    (0.10, 0.10, 0.95),  # cream
    (0.60, 0.14, 0.40),  # slate
)


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return an RGB colour (0..255) from hue, saturation and value in 0..1; hues wrap around."""
    limited = (min(max(x, 0.0), 1.0) for x in (saturation, value))
    return tuple(round(255 * x) for x in colorsys.hsv_to_rgb(hue % 1.0, *limited))


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` (0..1) of the way from ``a`` to ``b``."""
    return tuple(round(p + (q - p) * share) for p, q in zip(a, b, strict=True))


def darker(colour: Colour, share: float = 0.2) -> Colour:
    """Mix ``share`` of a deep blue into ``colour``: shadows outdoors are blue, not black."""
    return mix(colour, (28, 30, 58), share)


def lighter(colour: Colour, share: float = 0.2) -> Colour:
    """Mix ``share`` of a warm white into ``colour``."""
    return mix(colour, (255, 250, 238), share)


class Paints(NamedTuple):
    """The colours of one drawing: two that differ, a pale one, a dark one, and glass."""

    body: Colour
    second: Colour
    pale: Colour
    dark: Colour
    glass: Colour


def pick_paints(rng: np.random.Generator) -> Paints:
    """Draw two different entries of :data:`PAINTS`, slightly changed, and three neutral colours."""
    first, second = rng.choice(len(PAINTS), 2, replace=False)

    def near(paint: int) -> Colour:
        return hsv(*(np.array(PAINTS[paint]) + rng.normal(0, (0.012, 0.05, 0.04))))

    warm = rng.uniform(0.08, 0.13)
    return Paints(
        near(first),
        near(second),
        hsv(warm, rng.uniform(0.04, 0.14), rng.uniform(0.9, 0.98)),
        hsv(rng.uniform(0.58, 0.7), rng.uniform(0.2, 0.4), rng.uniform(0.2, 0.3)),
        hsv(rng.uniform(0.5, 0.58), rng.uniform(0.15, 0.35), rng.uniform(0.82, 0.95)),
    )
