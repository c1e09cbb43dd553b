"""The twelve things that a scene shows, one function ``(pen, random generator, paints)`` for each.

Proportions, parts and colours are drawn at random each time. Look-alikes are intended: car and
train, a kite and a sail, a fish and an airplane, a mushroom and a balloon or a round tree, a
lighthouse and a cypress.
"""

import math

import numpy as np

from ssd_tutorial.datasets.scenes.paints import Colour, Paints, darker, hsv, lighter
from ssd_tutorial.datasets.scenes.pen import Drawing, arc


def airplane(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw an airplane flying to the right: long body, fin, row of windows, one wing towards us."""
    h = rng.uniform(0.08, 0.115)  # half the height of the body, whose length is 1
    fin, x = rng.uniform(0.12, 0.22), rng.uniform(0.36, 0.46)  # x: where the wings begin
    pen.polygon(c.second, [(0.02, -h - fin), (0.11, -h - fin), (0.26, -h * 0.6), (0.05, -h * 0.2)])
    y = -h - fin * 0.55
    pen.polygon(darker(c.body, 0.3), [(x + 0.14, -h), (x - 0.02, y), (x - 0.09, y), (x, -h)])
    back = [(0, -h * 0.75), (0.3, -h), (0.75, -h), (0.93, -h * 0.55)]
    pen.blob(c.body, [*back, (1, h * 0.15), (0.92, h * 0.75), (0.7, h), (0.35, h * 0.85)])
    pen.polygon(darker(c.body, 0.15), [(0.2, h * 0.55), (0.95, h * 0.45), (0.86, h), (0.35, h)])
    for window in np.linspace(0.28, 0.74, int(rng.integers(4, 8))):
        pen.ellipse(c.glass, window, -h * 0.25, 0.022, h * 0.24)
    pen.polygon(c.glass, [(0.82, -h * 0.72), (0.9, -h * 0.6), (0.95, -h * 0.1), (0.82, -h * 0.1)])
    root, tip = h * 0.35, h + rng.uniform(0.06, 0.16)
    pen.polygon(c.second, [(x + 0.18, root), (x - 0.02, root), (x - 0.2, tip), (x - 0.1, tip)])
    pen.polygon(c.second, [(0.16, 0), (0.03, 0), (-0.04, h * 0.9), (0.03, h * 0.9)])


def balloon(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a hot-air balloon: a striped envelope, ropes, a basket."""
    ry, drop = rng.uniform(0.46, 0.56), rng.uniform(0.24, 0.38)
    neck, foot = rng.uniform(0.13, 0.18), ry + drop
    for rope in (-1, 1):
        pen.line(c.dark, [(rope * neck, ry * 0.95), (rope * neck * 0.75, foot)], 0.025)

    def gore(colour: Colour, share: float) -> None:
        round_top = arc(0, 0, 0.5 * share, ry, 150, 390, 25)
        pen.polygon(colour, [*round_top, (neck * share, ry * 1.12), (-neck * share, ry * 1.12)])

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
    """Draw a sailing boat: a hull, a mast, a main sail and a jib of different height."""
    mast, height = rng.uniform(0.48, 0.58), rng.uniform(0.8, 1.25)
    fore, aft = mast - 0.03, mast + 0.03
    pen.line(c.dark, [(mast, -height), (mast, 0)], 0.028)
    pen.polygon(c.second, [(fore, -height * rng.uniform(0.6, 0.9)), (fore, -0.07), (0.04, -0.07)])
    sail = c.pale if rng.random() < 0.6 else lighter(c.body, 0.5)
    pen.polygon(sail, [(aft, -height * 0.97), (aft, -0.07), (0.97, -0.07)])
    if rng.random() < 0.5:  # a stripe across the sail
        y0, y1 = -height * 0.5, -height * 0.36
        pen.polygon(c.second, [(aft, y0), (aft, y1), (mast + 0.3, y1), (mast + 0.22, y0)])
    depth = rng.uniform(0.17, 0.26)
    keel = [(0.88, depth), (0.14, depth)]
    pen.polygon(c.body, [(-0.02, 0), (1.04, 0), *keel])
    pen.polygon(darker(c.body, 0.3), [(0.07, depth * 0.6), (0.945, depth * 0.6), *keel])
    pen.polygon(c.pale, [(-0.02, 0), (1.04, 0), (1.015, 0.04), (0.0, 0.04)])


def car(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a small car driving to the right: a cabin with two windows on a low body, two wheels."""
    height, top = rng.uniform(0.2, 0.27), -rng.uniform(0.18, 0.26)
    back = rng.uniform(0.02, 0.2)  # a hatchback or a saloon
    front = rng.uniform(0.68, 0.76)
    roof = [(back + 0.1, top), (front - 0.16, top)]
    pen.polygon(c.body, [(back, 0.02), *roof, (front + 0.03, 0.02)])
    pen.box(c.body, 0, 0, 1, height, 0.07)
    pen.box(darker(c.body, 0.22), 0.01, height * 0.62, 0.99, height, 0.05)
    middle, pane = (back + front) / 2, top + 0.045
    x = middle - 0.02
    pen.polygon(c.glass, [(back + 0.05, 0), (back + 0.12, pane), (x, pane), (x, 0)])
    x = middle + 0.02
    pen.polygon(c.glass, [(x, 0), (x, pane), (front - 0.14, pane), (front - 0.02, 0)])
    pen.box(c.second, 0.03, height * 0.3, 0.97, height * 0.42)
    pen.ellipse(lighter((250, 214, 120)), 0.965, height * 0.36, 0.03, 0.04)
    wheel = rng.uniform(0.095, 0.125)
    for x in (rng.uniform(0.18, 0.23), rng.uniform(0.76, 0.81)):
        _wheel(pen, c, x, height, wheel, wheel * 0.48)


def cat(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a sitting cat that looks at us, its tail curled up on the right."""
    fat, head = rng.uniform(0.25, 0.34), rng.uniform(0.2, 0.25)
    tail = arc(fat * 0.8, 0.7, rng.uniform(0.12, 0.3), 0.24, 100, -70, 10)
    pen.line(darker(c.body, 0.12), tail, 0.085)
    flank = [(fat * 0.7, 0.42), (fat, 0.8), (fat * 0.75, 0.98)]
    pen.blob(c.body, [(0, 0.16), *flank, (0, 1.0), *_other_side(flank)])
    belly = lighter(c.body, 0.45) if rng.random() < 0.7 else c.pale
    pen.ellipse(belly, 0, 0.68, fat * 0.45, 0.25)
    for side in (-1, 1):
        pen.ellipse(darker(c.body, 0.15), side * fat * 0.45, 0.95, 0.1, 0.05)
        x = side * head
        ear = [(x * 0.98, -head * 0.2), (x * 0.85, -head * 1.75), (x * 0.1, -head * 0.75)]
        inner = [(x * 0.8, -head * 0.5), (x * 0.78, -head * 1.4), (x * 0.35, -head * 0.75)]
        pen.polygon(c.body, ear)
        pen.polygon(c.second, inner)
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
    """Draw a fish swimming to the right: pointed body, forked tail, fins, one eye, bands."""
    h, tail = rng.uniform(0.16, 0.3), rng.uniform(0.13, 0.24)
    pen.polygon(c.second, [(0.26, 0), (0.02, -tail), (0.09, 0), (0.02, tail)])
    pen.polygon(c.second, [(0.4, -h * 0.75), (0.52, -h * 1.35), (0.78, -h * 0.7)])
    pen.polygon(c.second, [(0.5, h * 0.8), (0.47, h * 1.3), (0.66, h * 0.75)])
    back = [(0.2, 0), (0.4, -h * 0.78), (0.62, -h), (0.85, -h * 0.66)]
    pen.blob(c.body, [*back, (1, 0.01), (0.85, h * 0.66), (0.62, h), (0.4, h * 0.78)])
    belly = [(0.34, h * 0.4), (0.62, h * 0.55), (0.9, h * 0.38), (0.62, h * 0.95)]
    pen.blob(lighter(c.body, 0.4), belly)
    for x in np.linspace(0.42, 0.64, int(rng.integers(0, 3)) + 1):
        high, low = -h * 0.72, h * 0.36
        pen.polygon(c.second, [(x, high), (x + 0.06, high), (x + 0.08, low), (x + 0.02, low)])
    pen.ellipse(darker(c.body, 0.3), 0.72, 0, 0.035, h * 0.5)
    pen.ellipse(c.body, 0.705, 0, 0.035, h * 0.5)
    pen.ellipse(c.pale, 0.86, -h * 0.2, 0.05, 0.05)
    pen.ellipse(c.dark, 0.868, -h * 0.2, 0.027, 0.027)


def house(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a house: walls, a pitched roof with eaves, door, windows, a chimney."""
    height, roof = rng.uniform(0.4, 0.8), rng.uniform(0.26, 0.46)
    eaves, ridge = rng.uniform(0.05, 0.1), rng.uniform(0.0, 0.3)
    wall = lighter(c.body, 0.35) if rng.random() < 0.5 else c.pale
    x, tile = rng.uniform(0.68, 0.76), c.second
    pen.box(darker(tile, 0.3), x, -roof * rng.uniform(0.95, 1.15), x + 0.11, -roof * 0.25)
    pen.box(wall, 0, -0.02, 1, height)
    pen.box(darker(wall, 0.12), 0.74, 0, 1, height)
    top = [(0.5 - ridge, -roof), (0.5 + ridge, -roof)]
    pen.polygon(tile, [(-eaves, 0.04), *top, (1 + eaves, 0.04)])
    pen.box(darker(tile, 0.25), -eaves, 0, 1 + eaves, 0.05)
    door = rng.choice([0.12, 0.42, 0.68])
    pen.box(darker(c.body, 0.25), door, height - min(0.36, height * 0.62), door + 0.18, height)
    floors = 2 if height > 0.64 else 1
    frame = c.pale if wall != c.pale else c.dark
    for floor in range(floors):
        y = 0.11 + floor * 0.32
        for x in (0.11, 0.41, 0.7):
            if floor < floors - 1 or abs(x - door) >= 0.1:
                pen.box(frame, x - 0.015, y, x + 0.2, y + 0.2)
                pen.box(c.glass, x + 0.01, y + 0.025, x + 0.175, y + 0.175)


def kite(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a kite in four fields with a bow-tied tail that swings to one side."""
    half, low = rng.uniform(0.3, 0.42), rng.uniform(0.55, 0.72)
    swing, length = rng.uniform(0.1, 0.26), rng.uniform(0.25, 0.55)
    t = np.linspace(0, 1, 14)
    path = np.stack([swing * np.sin(t * math.pi * 1.6), low + length * t], 1)
    pen.line(c.dark, path, 0.03)
    for x, y in path[[5, 9, 13]]:
        up, down = y - 0.075 * 0.7, y + 0.075 * 0.7
        pen.polygon(c.second, [(x, y), (x - 0.075, up), (x - 0.075, down)])
        pen.polygon(c.body, [(x, y), (x + 0.075, up), (x + 0.075, down)])
    middle, top, left, right, bottom = (0, 0), (0, -0.36), (-half, 0), (half, 0), (0, low)
    pen.polygon(c.body, [top, left, middle])
    pen.polygon(c.second, [top, right, middle])
    pen.polygon(c.second if rng.random() < 0.5 else c.pale, [bottom, left, middle])
    pen.polygon(darker(c.body, 0.12), [bottom, right, middle])
    for ends in ([top, bottom], [left, right]):
        pen.line(darker(c.body, 0.5), ends, 0.02)


def lighthouse(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a banded tower that narrows upwards, with a gallery, a lit lantern room and a dome."""
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
    dome = -height - rng.uniform(0.13, 0.18)
    pen.box((252, 226, 142), -top * 0.75, dome, top * 0.75, -height)
    for x in (-0.75, 0, 0.75):
        pen.line(c.dark, [(x * top, -height), (x * top, dome)], 0.02)
    pen.box(c.dark, -top * 1.3, -height - 0.025, top * 1.3, -height + 0.03)
    pen.ellipse(c.second, 0, dome, top * 1.05, rng.uniform(0.1, 0.16), 180, 360)


def mushroom(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a mushroom: a domed cap with dots, gills in its shadow, a stem that widens downwards."""
    cap, stem, thick = rng.uniform(0.34, 0.6), rng.uniform(0.3, 0.6), rng.uniform(0.1, 0.17)
    flesh, dot = c.pale, lighter(c.second, 0.6)
    side = [(thick, 0), (thick * 1.05, stem * 0.6), (thick * 1.4, stem)]
    pen.blob(flesh, [*side, *_other_side(side)])
    shadow = [(thick * 0.3, 0), (thick, 0), (thick * 1.3, stem), (thick * 0.5, stem)]
    pen.polygon(darker(flesh, 0.18), shadow)
    pen.ellipse(darker(flesh, 0.25), 0, 0, 0.47, 0.09)
    pen.ellipse(c.body, 0, 0.02, 0.5, cap, 180, 360)
    pen.ellipse(c.body, 0, 0.02, 0.5, 0.05)
    pen.ellipse(darker(flesh, 0.3), 0, 0.055, 0.4, 0.045)
    dots = ((200, 0.62, 0.055), (250, 0.66, 0.075), (305, 0.6, 0.07), (338, 0.72, 0.045))
    for degrees, far, size in dots:
        angle = math.radians(degrees + rng.uniform(-9, 9))
        x, y = 0.5 * far * math.cos(angle), cap * far * math.sin(angle)
        pen.ellipse(dot, x, y, size, size * min(1.0, cap * 1.8))


def train(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a steam engine heading right and one or two wagons; the longest of all objects."""
    wagons, length = int(rng.integers(1, 3)), rng.uniform(0.62, 0.85)
    top, r = rng.uniform(0.4, 0.5), 0.085
    end = wagons * (length + 0.09)
    pen.box(c.dark, 0.05, -0.05, end + 0.9, 0.0)
    for wagon in range(wagons):
        x = wagon * (length + 0.09)
        pen.box(c.second, x, -top, x + length, 0, 0.04)
        pen.box(darker(c.second, 0.3), x - 0.02, -top - 0.04, x + length + 0.02, -top + 0.04, 0.03)
        panes = 3 if length > 0.7 else 2
        pane = (length - 0.1) / panes
        for i in range(panes):
            left = x + 0.05 + i * pane
            pen.box(c.glass, left + 0.03, -top * 0.78, left + pane - 0.03, -top * 0.42)
        for share in (0.22, 0.78):
            _wheel(pen, c, x + length * share, 0.02, r, r * 0.45)
    pen.box(c.body, end, -top * 1.15, end + 0.36, 0, 0.03)
    pen.box(darker(c.body, 0.35), end - 0.04, -top * 1.15 - 0.05, end + 0.42, -top * 1.15 + 0.03)
    pen.box(c.glass, end + 0.07, -top * 0.95, end + 0.28, -top * 0.6)
    boiler = top * rng.uniform(0.66, 0.8)
    pen.box(c.body, end + 0.3, -boiler, end + 0.9, 0, 0.06)
    pen.box(c.second, end + 0.5, -boiler, end + 0.56, -0.02)
    mouth = -(boiler + rng.uniform(0.12, 0.2))
    chimney = [(0.67, -boiler), (0.64, mouth), (0.82, mouth), (0.79, -boiler)]
    pen.polygon(c.dark, [(end + x, y) for x, y in chimney])
    pen.polygon(c.second, [(end + 0.86, -0.12), (end + 1.02, 0.1), (end + 0.86, 0.1)])
    for x, size in ((0.16, 1.35), (0.5, 1.0), (0.74, 1.0)):
        _wheel(pen, c, end + x, 0.1 - r * size, r * size, r * size * 0.45)


def tree(pen: Drawing, rng: np.random.Generator, c: Paints) -> None:
    """Draw a tree of one of three kinds: a round crown, a fir in tiers, a narrow cypress."""
    kind = rng.choice(3)
    bark = hsv(rng.uniform(0.04, 0.09), rng.uniform(0.35, 0.5), rng.uniform(0.35, 0.5))
    width, trunk = rng.uniform(0.05, 0.075), rng.uniform(0.2, 0.34)
    shade = darker(c.body, 0.18)
    if kind == 0:
        side = [(width, trunk), (width * 0.6, -0.3)]
        pen.polygon(bark, [*side, *_other_side(side)])
        top = -0.2 - rng.uniform(0.34, 0.46) * 0.7
        lobes = ((-0.2, -0.2, 0.24), (0.2, -0.2, 0.24), (0, top, 0.3), (0, -0.22, 0.26))
        for x, y, r in lobes:
            pen.ellipse(shade, x + 0.02, y + 0.03, r, r)
        for x, y, r in lobes:
            pen.ellipse(c.body, x - 0.02, y - 0.02, r * 0.9, r * 0.9)
        if rng.random() < 0.4:  # fruit
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
        side = [(half * 0.7, -tall * 0.62), (half, -tall * 0.22), (half * 0.5, 0)]
        pen.blob(c.body, [(0, -tall), *side, *_other_side(side)])
        shadow = [(0.02, -tall * 0.9), *side, (0.03, -0.01), (half * 0.4, -tall * 0.4)]
        pen.blob(shade, shadow)


def _other_side(points: list) -> list:
    """Return the left half of an upright outline whose right half is ``points``, from below."""
    return [(-x, y) for x, y in reversed(points)]


def _wheel(pen: Drawing, c: Paints, x: float, y: float, tyre: float, hub: float) -> None:
    pen.ellipse(c.dark, x, y, tyre, tyre)
    pen.ellipse(c.pale, x, y, hub, hub)


SHAPES = (airplane, balloon, boat, car, cat, fish, house, kite, lighthouse, mushroom, train, tree)
