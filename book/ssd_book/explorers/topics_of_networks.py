"""What the figures of one knob show of a network and of its training (chapters 1 to 3, and 12);
see `topics_of_networks.js`."""

from collections import Counter
from functools import cache

import torch
from matplotlib.patches import Rectangle
from torch import Tensor

from ssd_book import plots
from ssd_book.explorers import film, training
from ssd_book.explorers.topics import HALF, LAST, PRESET, Topic
from ssd_book.explorers.topics_of_detectors import VAL, OfDetections
from ssd_book.explorers.trained import scenes_detector, val_scene
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.datasets import SCENE_CLASSES
from ssd_tutorial.priors import boxes_per_cell, locate, make_priors, priors_per_map

PLACE = (0.48, 0.37)
"""Where topic "place" begins: on the lower half of the kite."""
NUM_CLASSES = 21
"""Of PASCAL VOC, the background included."""
FAINT = 0.1
"""At most that is the highest score where all is background."""
_LEAST = 0.005  # lower scores are 0.00
_BALLOON, _COMPARED = 10, 12  # the scene of topic "maps"; its split's first scenes, for comparison
_LEVELS = 8  # of what its cells show
_LEARNT = 15  # scene of the recorded run; chapter 12's explorer shows another
_GUESS = 0.2  # the lowest score that is drawn while it learns


class Place(Topic):
    """What the network predicts at a place: the row with the highest score of an object."""

    scene = VAL + film.SCENE
    title = "a score of {}"
    alt = (
        "A drawn scene with a kite, a balloon, a lighthouse and a boat. A cell on the kite is "
        "filled. A tall dashed box lies around it, and a red one, a little larger, fits the kite."
    )

    def facts(self) -> dict:
        """Return the surest row of each cell: prior, class, score and box."""
        return {"rows": surest(), "faint": FAINT}

    def row(self) -> list:
        """Return the surest row of the cells that the point is in."""
        x, y = self.figure.point
        return max((row for row in surest() if _is_in(row[0], x, y)), key=lambda row: row[2])

    def number(self) -> str:
        """Return its score."""
        return f"{self.row()[2]:.2f}"

    def boxes(self) -> Tensor:
        """Return its box, unless all is background."""
        _, _, score, *box = self.row()
        return torch.tensor([box] if score > FAINT else []).view(-1, 4)

    def draw(self, axes) -> None:
        """Draw the cell, its prior and its box, unless all is background."""
        if len(self.boxes()):
            prior = self.row()[0]
            look = plots.map_look(locate(PRESET, prior).map)
            _fill(axes, cell_of(prior), look.color)
            box = cxcywh_to_xyxy(make_priors(PRESET)[prior])
            plots.draw_boxes(axes, box, color=look.color, line="--")
            plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)


class Grid(Topic):
    """The cells of a grid that the centres of objects fall into."""

    scene = 299
    low, high, start, whole = 1, 38, 7, True
    title = "{} of 8 objects have a cell"
    alt = (
        "A drawn scene under a grid of 7 by 7 cells, with a dot in the middle of each of eight "
        "objects. Three blue cells hold a dot each; one orange cell holds three, and another two."
    )

    def cells(self) -> Counter:
        """Count the centres in each cell, (column, row)."""
        n, boxes = int(self.at), [one["box"] for one in self.figure.objects]
        return Counter((int((a + c) / 2 * n), int((b + d) / 2 * n)) for a, b, c, d in boxes)

    def number(self) -> str:
        """Return how many objects can be named: one per cell."""
        return str(len(self.cells()))

    def boxes(self) -> Tensor:
        """Return the cells."""
        corners = torch.tensor(list(self.cells()))
        return torch.cat([corners, corners + 1], dim=1) / self.at

    def draw(self, axes) -> None:
        """Draw the grid, the cells, in orange those of several objects, and the centres."""
        lines = [k / self.at for k in range(int(self.at) + 1)]
        axes.hlines(lines, 0, 1, color="white", linewidth=0.6)
        axes.vlines(lines, 0, 1, color="white", linewidth=0.6)
        for box, count in zip(self.boxes(), self.cells().values(), strict=True):
            _fill(axes, box, plots.ORANGE if count > 1 else plots.BLUE, 0.75)
        middle = (self.truths()[:, :2] + self.truths()[:, 2:]) / 2
        axes.plot(*middle.T, "o", color=plots.INK, markeredgecolor="white", markersize=5)


class Maps(Topic):
    """What the cells of each map have found, and how many numbers are predicted from them."""

    scene = VAL + _BALLOON
    high, whole = LAST, True
    title = "{} numbers"
    alt = (
        "A drawn scene with a striped balloon above a fish, under 38 by 38 cells. Where nothing "
        "is unusual they darken it; the outlines of balloon and fish stay bright."
    )

    def facts(self) -> dict:
        """Return how unusual each cell is, a digit per cell, and the number of scores."""
        return {"levels": unusual_cells(), "scores": NUM_CLASSES}

    def number(self) -> str:
        """Return the number of scores and offsets of this map's priors."""
        count = priors_per_map(PRESET)[int(self.at)] * (NUM_CLASSES + 4)
        return f"{count:,}".replace(",", "\u00a0") if count >= 10_000 else str(count)

    def boxes(self) -> Tensor:
        """Return the cells."""
        n = PRESET.maps[int(self.at)].cells
        corners = torch.cartesian_prod(torch.arange(n), torch.arange(n)).flip(1)
        return torch.cat([corners, corners + 1], dim=1) / n

    def draw(self, axes) -> None:
        """Darken the cells in which nothing is unusual."""
        for box, level in zip(self.boxes(), unusual_cells()[int(self.at)], strict=True):
            _fill(axes, box, plots.INK, 0.8 * (1 - int(level) / (_LEVELS - 1)))


class Learning(OfDetections):
    """What a network detects while it learns."""

    scene = VAL + _LEARNT
    high, whole = len(training.film()["frames"]) - 1, True
    title = "{} of 3 objects are found"
    alt = (
        "A drawn scene with a cat, and a train in front of a house. Thin grey boxes lie at the "
        "left border and on the roof, on nothing in particular."
    )

    def facts(self) -> dict:
        """Return the moments of the run: samples, loss on unseen pictures, and detections."""
        place = training.film()["scenes"].index(_LEARNT)
        moments = [
            [frame["samples"], frame["unseen"], _named(frame["detections"][place])]
            for frame in training.film()["frames"]
        ]
        return {"moments": moments}

    def guesses(self) -> list[list]:
        """Return all detections of this moment, best first."""
        return self.figure.facts["moments"][int(self.at)][2]

    def kept(self) -> list[list]:
        """Return those that a user would see."""
        return [row for row in self.guesses() if row[1] >= HALF]

    def draw(self, axes) -> None:
        """Draw them, and the lower ones in grey."""
        boxes = torch.tensor([row[2:] for row in self.guesses() if row[1] < HALF])
        plots.draw_boxes(axes, boxes, color=plots.QUIET, width=0.8)
        super().draw(axes)


@cache
def surest() -> list[list]:
    """Return each cell's row with the highest score of an object, unless that is 0.00.

    In the order of the priors: ``[prior, class, score, xmin, ymin, xmax, ymax]``. The single cell
    of the coarsest map is among them, so there is one at every place.
    """
    scores, boxes = film.predicted()
    best, label = scores.max(dim=1)
    of_cells = zip(best.split(priors_per_map(PRESET)), boxes_per_cell(PRESET), strict=True)
    highest = torch.cat([each.view(-1, n).amax(dim=1).repeat_interleave(n) for each, n in of_cells])
    chosen = ((best == highest) & (best >= _LEAST)).nonzero()[:, 0].tolist()
    return [
        [i, SCENE_CLASSES[label[i]], round(best[i].item(), 4), *(round(x, 4) for x in box)]
        for i, box in zip(chosen, boxes[chosen].tolist(), strict=True)
    ]


@cache
def unusual_cells() -> list[str]:
    """Return how far each cell's vector is from what it holds on average: a digit per cell.

    The digits of a map go from 0 to its most unusual cell, which has the highest.
    """
    images = [val_scene(i)[0] for i in range(_COMPARED)]
    with torch.inference_mode():
        maps = scenes_detector().network.feature_maps(torch.stack(images))
    far = [(grid[_BALLOON] - grid.mean(dim=0)).norm(dim=0).flatten() for grid in maps]
    levels = [(_LEVELS - 1) * each / each.max() for each in far]
    return ["".join(str(round(x)) for x in each.tolist()) for each in levels]


def cell_of(prior: int) -> Tensor:
    """Return the cell of a prior, ``[4]`` xyxy."""
    place = locate(PRESET, prior)
    step = PRESET.maps[place.map].step_px / PRESET.image_size
    corner = torch.tensor([place.column, place.row])
    return (torch.cat([corner, corner + 1]) * step).clamp(max=1)


def _is_in(prior: int, x: float, y: float) -> bool:
    place = locate(PRESET, prior)
    fm = PRESET.maps[place.map]
    column, row = (min(fm.cells - 1, int(at * PRESET.image_size / fm.step_px)) for at in (x, y))
    return (place.column, place.row) == (column, row)


def _named(rows: list[list]) -> list[list]:
    return [[SCENE_CLASSES[k], *rest] for k, *rest in rows if rest[0] >= _GUESS]


def _fill(axes, box: Tensor, color: str, opacity: float = 0.5) -> None:
    x0, y0, x1, y1 = box.tolist()
    look = {"facecolor": color, "alpha": opacity, "linewidth": 0}
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **look))
