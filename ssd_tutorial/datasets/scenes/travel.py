"""Six things that go places: airplane, balloon, boat, car, kite, train.

Each is a function ``(pen, random generator, paints)``; proportions, parts and colours are drawn
at random each time. Car and train resemble each other on purpose, and so do the kite and a sail.
"""

import math

import numpy as np

from ssd_tutorial.datasets.scenes.paints import Colour, Paints, darker, hsv, lighter
from ssd_tutorial.datasets.scenes.pen import Drawing


def airplane(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Flying to the right: a long body, a fin, a row of windows, one wing towards us."""
    h = rng.uniform(0.08, 0.115)  # half the height of the body, whose length is 1
    fin = rng.uniform(0.12, 0.22)
    pen.polygon(c.second, [(0.02, -h - fin), (0.11, -h - fin), (0.26, -h * 0.6), (0.05, -h * 0.2)])
    wing = rng.uniform(0.36, 0.46)
    pen.polygon(
        darker(c.body, 0.3),
        [
            (wing + 0.14, -h),
            (wing - 0.02, -h - fin * 0.55),
            (wing - 0.09, -h - fin * 0.55),
            (wing, -h),
        ],
    )
    pen.blob(
        c.body,
        [
            (0, -h * 0.75),
            (0.3, -h),
            (0.75, -h),
            (0.93, -h * 0.55),
            (1, h * 0.15),
            (0.92, h * 0.75),
            (0.7, h),
            (0.35, h * 0.85),
        ],
    )
    pen.polygon(darker(c.body, 0.15), [(0.2, h * 0.55), (0.95, h * 0.45), (0.86, h), (0.35, h)])
    windows = int(rng.integers(4, 8))
    for x in np.linspace(0.28, 0.74, windows):
        pen.ellipse(c.glass, x, -h * 0.25, 0.022, h * 0.24)
    pen.polygon(c.glass, [(0.82, -h * 0.72), (0.9, -h * 0.6), (0.95, -h * 0.1), (0.82, -h * 0.1)])
    drop = rng.uniform(0.06, 0.16)
    pen.polygon(
        c.second,
        [
            (wing + 0.18, h * 0.35),
            (wing - 0.02, h * 0.35),
            (wing - 0.2, h + drop),
            (wing - 0.1, h + drop),
        ],
    )
    pen.polygon(c.second, [(0.16, 0), (0.03, 0), (-0.04, h * 0.9), (0.03, h * 0.9)])


def balloon(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A hot-air balloon: a striped envelope, ropes, a basket."""
    ry, drop = rng.uniform(0.46, 0.56), rng.uniform(0.24, 0.38)
    neck, foot = rng.uniform(0.13, 0.18), ry + drop
    for rope in (-1, 1):
        pen.line(c.dark, [(rope * neck, ry * 0.95), (rope * neck * 0.75, foot)], 0.025)

    def gore(colour: Colour, share: float) -> None:
        angles = np.radians(np.linspace(150, 390, 25))
        arc = np.stack([0.5 * share * np.cos(angles), ry * np.sin(angles)], 1)
        bottom = ry * 1.12
        pen.polygon(colour, [*arc, (neck * share, bottom), (-neck * share, bottom)])

    stripes = rng.choice(3)
    gore(c.body, 1.0)
    if stripes:
        gore(c.second, 0.72)
        gore(c.body if stripes == 1 else c.pale, 0.4)
    else:
        pen.box(c.second, -0.49, -ry * 0.2, 0.49, ry * 0.16)
    pen.box(c.dark, -neck, ry * 1.06, neck, ry * 1.14)
    basket = hsv(0.08, 0.5, rng.uniform(0.5, 0.7))
    pen.box(basket, -neck * 0.95, foot, neck * 0.95, foot + rng.uniform(0.13, 0.18), 0.03)
    pen.box(darker(basket, 0.3), -neck * 0.95, foot, neck * 0.95, foot + 0.04)


def boat(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A sailing boat: a hull, a mast, a main sail and a jib of different height."""
    mast, height = rng.uniform(0.48, 0.58), rng.uniform(0.8, 1.25)
    pen.line(c.dark, [(mast, -height), (mast, 0)], 0.028)
    jib = rng.uniform(0.6, 0.9)
    pen.polygon(c.second, [(mast - 0.03, -height * jib), (mast - 0.03, -0.07), (0.04, -0.07)])
    sail = c.pale if rng.random() < 0.6 else lighter(c.body, 0.5)
    pen.polygon(sail, [(mast + 0.03, -height * 0.97), (mast + 0.03, -0.07), (0.97, -0.07)])
    if rng.random() < 0.5:
        pen.polygon(
            c.second,
            [
                (mast + 0.03, -height * 0.5),
                (mast + 0.03, -height * 0.36),
                (mast + 0.3, -height * 0.36),
                (mast + 0.22, -height * 0.5),
            ],
        )
    depth = rng.uniform(0.17, 0.26)
    hull = [(-0.02, 0), (1.04, 0), (0.88, depth), (0.14, depth)]
    pen.polygon(c.body, hull)
    pen.polygon(darker(c.body, 0.3), [(0.07, depth * 0.6), (0.945, depth * 0.6), *hull[2:]])
    pen.polygon(c.pale, [(-0.02, 0), (1.04, 0), (1.015, 0.04), (0.0, 0.04)])


def car(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A small car driving to the right: a cabin with two windows on a low body, two wheels."""
    height, roof = rng.uniform(0.2, 0.27), rng.uniform(0.18, 0.26)
    back = rng.uniform(0.02, 0.2)  # a hatchback or a saloon
    front, top = rng.uniform(0.68, 0.76), -roof
    pen.polygon(
        c.body, [(back, 0.02), (back + 0.1, top), (front - 0.16, top), (front + 0.03, 0.02)]
    )
    pen.box(c.body, 0, 0, 1, height, 0.07)
    pen.box(darker(c.body, 0.22), 0.01, height * 0.62, 0.99, height, 0.05)
    middle = (back + front) / 2
    sill, pane = middle - 0.02, top + 0.045
    pen.polygon(c.glass, [(back + 0.05, 0), (back + 0.12, pane), (sill, pane), (sill, 0)])
    sill = middle + 0.02
    pen.polygon(c.glass, [(sill, 0), (sill, pane), (front - 0.14, pane), (front - 0.02, 0)])
    pen.box(c.second, 0.03, height * 0.3, 0.97, height * 0.42)
    pen.ellipse(lighter((250, 214, 120)), 0.965, height * 0.36, 0.03, 0.04)
    wheel = rng.uniform(0.095, 0.125)
    for x in (rng.uniform(0.18, 0.23), rng.uniform(0.76, 0.81)):
        pen.ellipse(c.dark, x, height, wheel, wheel)
        pen.ellipse(c.pale, x, height, wheel * 0.48, wheel * 0.48)


def kite(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A kite in four fields with a bow-tied tail that swings to one side."""
    half, low = rng.uniform(0.3, 0.42), rng.uniform(0.55, 0.72)
    swing, length = rng.uniform(0.1, 0.26), rng.uniform(0.25, 0.55)
    t = np.linspace(0, 1, 14)
    path = np.stack([swing * np.sin(t * math.pi * 1.6), low + length * t], 1)
    pen.line(c.dark, path, 0.03)
    for at in (5, 9, 13):
        (x, y), size = path[at], 0.075
        pen.polygon(c.second, [(x, y), (x - size, y - size * 0.7), (x - size, y + size * 0.7)])
        pen.polygon(c.body, [(x, y), (x + size, y - size * 0.7), (x + size, y + size * 0.7)])
    top, left, right, bottom = (0, -0.36), (-half, 0), (half, 0), (0, low)
    middle = (0, 0)
    pen.polygon(c.body, [top, left, middle])
    pen.polygon(c.second, [top, right, middle])
    pen.polygon(c.second if rng.random() < 0.5 else c.pale, [bottom, left, middle])
    pen.polygon(darker(c.body, 0.12), [bottom, right, middle])
    for a, b in ((top, bottom), (left, right)):
        pen.line(darker(c.body, 0.5), [a, b], 0.02)


def train(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """A steam engine heading right and one or two waggons; the longest thing there is."""
    waggons, length = int(rng.integers(1, 3)), rng.uniform(0.62, 0.85)
    top, r = rng.uniform(0.4, 0.5), 0.085
    end = waggons * (length + 0.09)
    pen.box(c.dark, 0.05, -0.05, end + 0.9, 0.0)
    for waggon in range(waggons):
        x = waggon * (length + 0.09)
        pen.box(c.second, x, -top, x + length, 0, 0.04)
        pen.box(darker(c.second, 0.3), x - 0.02, -top - 0.04, x + length + 0.02, -top + 0.04, 0.03)
        panes = 3 if length > 0.7 else 2
        pane = (length - 0.1) / panes
        for i in range(panes):
            left = x + 0.05 + i * pane
            pen.box(c.glass, left + 0.03, -top * 0.78, left + pane - 0.03, -top * 0.42)
        for share in (0.22, 0.78):
            pen.ellipse(c.dark, x + length * share, 0.02, r, r)
            pen.ellipse(c.pale, x + length * share, 0.02, r * 0.45, r * 0.45)
    pen.box(c.body, end, -top * 1.15, end + 0.36, 0, 0.03)
    pen.box(darker(c.body, 0.35), end - 0.04, -top * 1.15 - 0.05, end + 0.42, -top * 1.15 + 0.03)
    pen.box(c.glass, end + 0.07, -top * 0.95, end + 0.28, -top * 0.6)
    boiler = top * rng.uniform(0.66, 0.8)
    pen.box(c.body, end + 0.3, -boiler, end + 0.9, 0, 0.06)
    pen.box(c.second, end + 0.5, -boiler, end + 0.56, -0.02)
    chimney = boiler + rng.uniform(0.12, 0.2)
    pen.polygon(
        c.dark,
        [
            (end + 0.67, -boiler),
            (end + 0.64, -chimney),
            (end + 0.82, -chimney),
            (end + 0.79, -boiler),
        ],
    )
    pen.polygon(c.second, [(end + 0.86, -0.12), (end + 1.02, 0.1), (end + 0.86, 0.1)])
    for x, size in ((0.16, 1.35), (0.5, 1.0), (0.74, 1.0)):
        pen.ellipse(c.dark, end + x, 0.1 - r * size, r * size, r * size)
        pen.ellipse(c.pale, end + x, 0.1 - r * size, r * size * 0.45, r * size * 0.45)
