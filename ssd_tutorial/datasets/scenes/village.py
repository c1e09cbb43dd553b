"""Six things of a village by the sea: cat, fish, house, lighthouse, mushroom, tree.

Each is a function ``(pen, random generator, paints)``; proportions, parts and colours are drawn
at random each time. A fish resembles an airplane on purpose, a mushroom a balloon or a round tree,
and a lighthouse a cypress.
"""

import math

import numpy as np

from ssd_tutorial.datasets.scenes.paints import Colour, Paints, darker, hsv, lighter
from ssd_tutorial.datasets.scenes.pen import Drawing


def cat(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A sitting cat that looks at us, its tail curled up on the right."""
    fat, head = rng.uniform(0.25, 0.34), rng.uniform(0.2, 0.25)
    reach = rng.uniform(0.12, 0.3)
    turn = np.radians(np.linspace(100, -70, 10))
    tail = np.stack([fat * 0.8 + reach * np.cos(turn), 0.7 + 0.24 * np.sin(turn)], 1)
    pen.line(darker(c.body, 0.12), tail, 0.085)
    pen.blob(
        c.body,
        [
            (0, 0.16),
            (fat * 0.7, 0.42),
            (fat, 0.8),
            (fat * 0.75, 0.98),
            (0, 1.0),
            (-fat * 0.75, 0.98),
            (-fat, 0.8),
            (-fat * 0.7, 0.42),
        ],
    )
    belly = lighter(c.body, 0.45) if rng.random() < 0.7 else c.pale
    pen.ellipse(belly, 0, 0.68, fat * 0.45, 0.25)
    for side in (-1, 1):
        pen.ellipse(darker(c.body, 0.15), side * fat * 0.45, 0.95, 0.1, 0.05)
        ear = [(side * head * 0.98, -head * 0.2), (side * head * 0.85, -head * 1.75)]
        pen.polygon(c.body, [*ear, (side * head * 0.1, -head * 0.75)])
        inner = [(side * head * 0.8, -head * 0.5), (side * head * 0.78, -head * 1.4)]
        pen.polygon(c.second, [*inner, (side * head * 0.35, -head * 0.75)])
    pen.ellipse(c.body, 0, 0, head * 1.12, head)
    if rng.random() < 0.5:
        for x in (-0.35, 0, 0.35):
            pen.line(darker(c.body, 0.4), [(x * head, -head * 0.9), (x * head, -head * 0.5)], 0.03)
    for side in (-1, 1):
        pen.ellipse(c.pale, side * head * 0.45, -head * 0.05, head * 0.24, head * 0.26)
        pen.ellipse(c.dark, side * head * 0.45, -head * 0.05, head * 0.12, head * 0.24)
    pen.ellipse(belly, 0, head * 0.5, head * 0.42, head * 0.3)
    pen.polygon(c.dark, [(-0.035, head * 0.3), (0.035, head * 0.3), (0, head * 0.5)])


def fish(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A fish swimming to the right: pointed body, forked tail, fins, one eye, bands."""
    h, tail = rng.uniform(0.16, 0.3), rng.uniform(0.13, 0.24)
    pen.polygon(
        c.second,
        [(0.26, 0), (0.02, -tail), (0.09, 0), (0.02, tail)],
    )
    pen.polygon(c.second, [(0.4, -h * 0.75), (0.52, -h * 1.35), (0.78, -h * 0.7)])
    pen.polygon(c.second, [(0.5, h * 0.8), (0.47, h * 1.3), (0.66, h * 0.75)])
    pen.blob(
        c.body,
        [
            (0.2, 0),
            (0.4, -h * 0.78),
            (0.62, -h),
            (0.85, -h * 0.66),
            (1, 0.01),
            (0.85, h * 0.66),
            (0.62, h),
            (0.4, h * 0.78),
        ],
    )
    pen.blob(
        lighter(c.body, 0.4), [(0.34, h * 0.4), (0.62, h * 0.55), (0.9, h * 0.38), (0.62, h * 0.95)]
    )
    for x in np.linspace(0.42, 0.64, int(rng.integers(0, 3)) + 1):
        high, low = -h * 0.72, h * 0.36
        pen.polygon(c.second, [(x, high), (x + 0.06, high), (x + 0.08, low), (x + 0.02, low)])
    pen.ellipse(darker(c.body, 0.3), 0.72, 0, 0.035, h * 0.5)
    pen.ellipse(c.body, 0.705, 0, 0.035, h * 0.5)
    pen.ellipse(c.pale, 0.86, -h * 0.2, 0.05, 0.05)
    pen.ellipse(c.dark, 0.868, -h * 0.2, 0.027, 0.027)


def house(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A house: walls, a pitched roof with eaves, door, windows, a chimney."""
    height, roof = rng.uniform(0.4, 0.8), rng.uniform(0.26, 0.46)
    eaves, ridge = rng.uniform(0.05, 0.1), rng.uniform(0.0, 0.3)
    wall = lighter(c.body, 0.35) if rng.random() < 0.5 else c.pale
    tile = c.second
    x = rng.uniform(0.68, 0.76)
    pen.box(darker(tile, 0.3), x, -roof * rng.uniform(0.95, 1.15), x + 0.11, -roof * 0.25)
    pen.box(wall, 0, -0.02, 1, height)
    pen.box(darker(wall, 0.12), 0.74, 0, 1, height)
    pen.polygon(
        tile, [(-eaves, 0.04), (0.5 - ridge, -roof), (0.5 + ridge, -roof), (1 + eaves, 0.04)]
    )
    pen.box(darker(tile, 0.25), -eaves, 0, 1 + eaves, 0.05)
    door = rng.choice([0.12, 0.42, 0.68])
    frame = darker(c.body, 0.25)
    pen.box(frame, door, height - min(0.36, height * 0.62), door + 0.18, height)
    floors = 2 if height > 0.64 else 1
    for floor in range(floors):
        top = 0.11 + floor * 0.32
        for left in (0.11, 0.41, 0.7):
            if floor == floors - 1 and abs(left - door) < 0.1:
                continue
            pen.box(c.pale if wall != c.pale else c.dark, left - 0.015, top, left + 0.2, top + 0.2)
            pen.box(c.glass, left + 0.01, top + 0.025, left + 0.175, top + 0.175)


def lighthouse(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A banded tower that narrows upwards, with a gallery, a lit lantern room and a dome."""
    foot, top, height = rng.uniform(0.19, 0.25), rng.uniform(0.11, 0.15), rng.uniform(0.85, 1.3)

    def tower(colour: Colour, low: float, high: float) -> None:
        a, b = (foot + (top - foot) * share for share in (low, high))
        ya, yb = -height * low, -height * high
        pen.polygon(colour, [(-a, ya), (a, ya), (b, yb), (-b, yb)])
        pen.polygon(darker(colour, 0.16), [(a * 0.35, ya), (a, ya), (b, yb), (b * 0.35, yb)])

    tower(c.pale, 0, 1)
    bands = int(rng.integers(2, 4))
    for band in range(bands):
        tower(c.body, (2 * band + 0.6) / (2 * bands + 0.6), (2 * band + 1.6) / (2 * bands + 0.6))
    pen.box(c.dark, -0.045, -0.15, 0.045, 0)
    pen.box(c.second, -foot - 0.025, -0.05, foot + 0.025, 0.03)
    room = rng.uniform(0.13, 0.18)
    pen.box((252, 226, 142), -top * 0.75, -height - room, top * 0.75, -height)
    for x in (-0.75, 0, 0.75):
        pen.line(c.dark, [(x * top, -height), (x * top, -height - room)], 0.02)
    pen.box(c.dark, -top * 1.3, -height - 0.025, top * 1.3, -height + 0.03)
    pen.ellipse(c.second, 0, -height - room, top * 1.05, rng.uniform(0.1, 0.16), 180, 360)


def mushroom(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A mushroom: a domed cap with dots, gills in its shadow, a stem that widens downwards."""
    cap, stem, thick = rng.uniform(0.34, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.17)
    flesh = c.pale
    pen.blob(
        flesh,
        [
            (-thick, 0),
            (thick, 0),
            (thick * 1.05, stem * 0.6),
            (thick * 1.4, stem),
            (-thick * 1.4, stem),
            (-thick * 1.05, stem * 0.6),
        ],
    )
    pen.polygon(
        darker(flesh, 0.18),
        [(thick * 0.3, 0), (thick, 0), (thick * 1.3, stem), (thick * 0.5, stem)],
    )
    pen.ellipse(darker(flesh, 0.25), 0, 0, 0.47, 0.09)
    pen.ellipse(c.body, 0, 0.02, 0.5, cap, 180, 360)
    pen.ellipse(c.body, 0, 0.02, 0.5, 0.05)
    pen.ellipse(darker(flesh, 0.3), 0, 0.055, 0.4, 0.045)
    dot = lighter(c.second, 0.6)
    for angle, far, size in (
        (200, 0.62, 0.055),
        (250, 0.66, 0.075),
        (305, 0.6, 0.07),
        (338, 0.72, 0.045),
    ):
        angle = math.radians(angle + rng.uniform(-9, 9))
        x, y = 0.5 * far * math.cos(angle), cap * far * math.sin(angle)
        pen.ellipse(dot, x, y, size, size * min(1.0, cap * 1.8))


def tree(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A tree of one of three kinds: a round crown, a fir in tiers, a narrow cypress."""
    kind = rng.choice(3)
    bark = hsv(rng.uniform(0.04, 0.09), rng.uniform(0.35, 0.5), rng.uniform(0.35, 0.5))
    width, trunk = rng.uniform(0.05, 0.075), rng.uniform(0.2, 0.34)
    shade = darker(c.body, 0.18)
    if kind == 0:
        pen.polygon(
            bark, [(-width, trunk), (width, trunk), (width * 0.6, -0.3), (-width * 0.6, -0.3)]
        )
        tall = rng.uniform(0.34, 0.46)
        lobes = [
            (-0.2, -0.2, 0.24),
            (0.2, -0.2, 0.24),
            (0, -0.2 - tall * 0.7, 0.3),
            (0, -0.22, 0.26),
        ]
        for x, y, r in lobes:
            pen.ellipse(shade, x + 0.02, y + 0.03, r, r)
        for x, y, r in lobes:
            pen.ellipse(c.body, x - 0.02, y - 0.02, r * 0.9, r * 0.9)
        if rng.random() < 0.4:
            for x, y in ((-0.22, -0.24), (0.02, -0.14), (0.2, -0.3), (-0.06, -0.48), (0.1, -0.62)):
                pen.ellipse(c.second, x, y, 0.04, 0.04)
    elif kind == 1:
        pen.box(bark, -width, -0.1, width, trunk * 0.8)
        tiers, half = int(rng.integers(3, 5)), rng.uniform(0.3, 0.42)
        for tier in range(tiers):
            y, w = -tier * 0.24, half * (1 - tier * 0.19)
            pen.polygon(c.body, [(-w, y), (w, y), (0, y - 0.42)])
            pen.polygon(shade, [(w * 0.1, y), (w, y), (0, y - 0.42)])
    else:
        pen.box(bark, -width * 0.8, -0.1, width * 0.8, trunk * 0.7)
        half, tall = rng.uniform(0.15, 0.22), rng.uniform(0.85, 1.1)
        outline = [(0, -tall), (half * 0.7, -tall * 0.62), (half, -tall * 0.22), (half * 0.5, 0)]
        pen.blob(c.body, outline + [(-x, y) for x, y in outline[:0:-1]])
        pen.blob(
            shade, [(0.02, -tall * 0.9), *outline[1:], (0.03, -0.01), (half * 0.4, -tall * 0.4)]
        )
