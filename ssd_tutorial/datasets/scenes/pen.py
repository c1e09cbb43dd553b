"""A pen that draws flat-coloured shapes as polygons, so that one drawing serves every size.

A `Drawing` is a list of coloured polygons in units of its own. It is mirrored, leaned and
scaled as a list of points; pixels appear only when it is painted, so a boat 15 pixels wide is
drawn as carefully as one 250 pixels wide, and the extent of what was drawn is known exactly.
"""

import itertools
import math

import numpy as np
from PIL import Image, ImageDraw

from ssd_tutorial.datasets.scenes.paints import Colour


def arc(
    cx: float, cy: float, rx: float, ry: float, start: float, stop: float, n: int
) -> np.ndarray:
    """Return ``n`` points [n, 2] of an ellipse from ``start`` to ``stop`` degrees (clockwise)."""
    angles = np.radians(np.linspace(start, stop, n))
    return np.stack([cx + rx * np.cos(angles), cy + ry * np.sin(angles)], 1)


class Drawing:
    """Coloured polygons, painted in the order in which they were added; x to the right, y down."""

    def __init__(self) -> None:
        self.polygons: list[tuple[Colour, np.ndarray]] = []

    def polygon(self, colour: Colour, points) -> None:
        """Add a filled polygon through ``points`` [n, 2]."""
        self.polygons.append((colour, np.asarray(points, dtype=np.float64)))

    def box(self, colour: Colour, x0: float, y0: float, x1: float, y1: float, r=0.0) -> None:
        """Add an upright rectangle from (x0, y0) to (x1, y1), with corners of radius ``r``."""
        if r <= 0:
            self.polygon(colour, [(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
            return
        r = min(r, (x1 - x0) / 2, (y1 - y0) / 2)
        corners = ((x1 - r, y0 + r), (x1 - r, y1 - r), (x0 + r, y1 - r), (x0 + r, y0 + r))
        turns = [arc(*xy, r, r, 90 * k - 90, 90 * k, 6) for k, xy in enumerate(corners)]
        self.polygon(colour, np.concatenate(turns))

    def ellipse(
        self, colour: Colour, cx: float, cy: float, rx: float, ry: float, start=0, stop=360
    ) -> None:
        """Add an ellipse, or the part of it from ``start`` to ``stop`` degrees (see `arc`)."""
        self.polygon(colour, arc(cx, cy, rx, ry, start, stop, 37))

    def line(self, colour: Colour, points, width: float) -> None:
        """Add a line of the given width through ``points``, with round joints and ends."""
        points = np.asarray(points, dtype=np.float64)
        for (ax, ay), (bx, by) in itertools.pairwise(points):
            length = math.hypot(bx - ax, by - ay) or 1.0
            nx, ny = (ay - by) / length * width / 2, (bx - ax) / length * width / 2
            ends = [(ax + nx, ay + ny), (bx + nx, by + ny), (bx - nx, by - ny), (ax - nx, ay - ny)]
            self.polygon(colour, ends)
        for x, y in points:
            self.ellipse(colour, x, y, width / 2, width / 2)

    def blob(self, colour: Colour, points) -> None:
        """Add a smooth closed outline through ``points`` (a Catmull-Rom spline)."""
        p = np.asarray(points, dtype=np.float64)
        before, after, next_but_one = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
        t = np.linspace(0, 1, 8, endpoint=False)[None, :, None]
        p0, p1, p2, p3 = (q[:, None] for q in (before, p, after, next_but_one))
        curve = 0.5 * (
            2 * p1
            + (p2 - p0) * t
            + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2
            + (3 * p1 - p0 - 3 * p2 + p3) * t**3
        )
        self.polygon(colour, curve.reshape(-1, 2))

    def fitted(self, mirrored: bool = False, lean: float = 0.0) -> "tuple[Drawing, float]":
        """Return the drawing mirrored, leaned by ``lean`` degrees and moved into the unit square.

        Returns:
            The new drawing, whose extent is exactly 0..1 in x and in y, and the aspect ratio
            (width / height) that it had and has to get back when it is painted.
        """
        cos, sin = math.cos(math.radians(lean)), math.sin(math.radians(lean))
        turn = np.array([[cos, sin], [-sin, cos]]) * [[-1.0 if mirrored else 1.0], [1.0]]
        turned = [(colour, points @ turn) for colour, points in self.polygons]
        every = np.concatenate([points for _, points in turned])
        low, extent = every.min(0), np.ptp(every, 0)
        new = Drawing()
        new.polygons = [(colour, (points - low) / extent) for colour, points in turned]
        return new, float(extent[0] / extent[1])

    def paint(self, image: Image.Image, x: float, y: float, width: float, height: float) -> None:
        """Paint a fitted drawing into the rectangle of ``image`` that starts at (x, y), in pixels.

        An image of mode ``"L"`` receives the silhouette, in 255.
        """
        brush = ImageDraw.Draw(image)
        silhouette = image.mode == "L"
        for colour, points in self.polygons:
            corners = (points * (width, height) + (x, y)).ravel().tolist()
            brush.polygon(corners, fill=255 if silhouette else colour)

    def mean_colour(self) -> np.ndarray:
        """Return the mean RGB colour (0..1, float64 [3]) of a fitted drawing, from a thumbnail."""
        thumbnail, mask = Image.new("RGB", (32, 32)), Image.new("L", (32, 32))
        self.paint(thumbnail, 0, 0, 31, 31)
        self.paint(mask, 0, 0, 31, 31)
        return np.asarray(thumbnail)[np.asarray(mask) > 0].mean(0) / 255
