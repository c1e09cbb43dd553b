"""Runs with a fault, to be diagnosed from curves, pictures and a few measurements (chapter 17)."""

from collections.abc import Mapping
from functools import cache
from statistics import mean
from typing import NamedTuple

import torch
import traitlets
from torch import Tensor
from torchvision.utils import make_grid

from ssd_book import plots
from ssd_book.clinic import FAULTS, RECIPE, Report, Seen, collate, read_faults
from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene

ORDER = (
    "learning rate too high",
    "boxes in pixels",
    "too few pictures",
    "an inverted box",
    "label 0",
    "variances forgotten",
    "pictures without boxes",
    "boxes of the next picture",
    "normalisation forgotten",
    "learning rate too low",
)
RUNS = dict(zip("ABCDEFGHIJ", ORDER, strict=True))
"""The fault of each run; readers see the letter."""
SOUND = "none"
SCENES = (100, 8, 17, 14)
"""Four pictures that every run learns from; `turn_over` spoils the first of them."""
FEW = (8, 14, 5, 12)
"""Four of the few pictures of "too few pictures"."""
POINTS = 40  # of a curve
TOP = 20.0  # of the chart


class Clues(NamedTuple):
    """What gives a fault away, and what a reader who suspects it should have seen."""

    sign: str
    expected: str


CLUES: dict[str, Clues] = {
    "learning rate too high": Clues(
        "All that the network is fed is sound. The loss climbs to {peak:.0f} in the first steps,"
        " falls, and stays where a network stays that takes no notice of its pictures.",
        "a loss that climbs in the first steps and stays too high, on pictures and targets that are"
        " sound",
    ),
    "learning rate too low": Clues(
        "All that the network is fed is sound. The loss falls smoothly, in both parts, and much"
        " too slowly.",
        "a loss that falls smoothly and is still high at the end",
    ),
    "boxes in pixels": Clues(
        "The corners of the boxes go up to {corners[1]:.0f}, where fractions end at 1. No box lies"
        " in its picture, the only prior that each gets is one that it does not touch, and the"
        " localization loss begins at {box:.0f}.",
        "corners above 1, and a localization loss of thousands",
    ),
    "label 0": Clues(
        "Labels begin at 0, so the first class counts as background, and every other object has"
        " the name of the class before its own. The loss cannot show it.",
        "labels that begin at 0, and objects with the wrong name",
    ),
    "an inverted box": Clues(
        "One box is {narrowest:.2f} wide: its xmax lies left of its xmin, and the dot is at its"
        " right. The logarithm of its width is not a number, and neither is the loss.",
        "a box with a negative width, and a loss that is NaN from one batch on",
    ),
    "pictures without boxes": Clues(
        "{empty:.0%} of the pictures have no box, though they show objects. The first batch"
        " without any positive divides 0 by 0.",
        "pictures without boxes, and a loss that is NaN from one batch on",
    ),
    "variances forgotten": Clues(
        "The targets spread by {spread:.2f}, where they spread by {sound.spread:.2f} in the sound"
        " run. So the localization loss is small from the first step on, and boxes hardly count.",
        "targets with a small spread, and a localization loss that is small from the first step on",
    ),
    "boxes of the next picture": Clues(
        "The numbers are those of a sound run, but the boxes lie where nothing is. Only the"
        " pictures show it, and a loss that soon stops falling.",
        "boxes that lie beside the objects",
    ),
    "normalisation forgotten": Clues(
        "The network gets numbers up to {inputs[1]:.0f}, where it should get at most"
        " {sound.inputs[1]:.0f}. Batch norm hides that in training; on unseen pictures, which are"
        " read correctly, the loss rises again while it falls in training.",
        "inputs far from 0, and a loss that rises on unseen pictures",
    ),
    "too few pictures": Clues(
        "Only {different} different pictures occur. The loss on them falls below that of the sound"
        " run, while the loss on unseen pictures rises.",
        "a falling loss on seen pictures with a rising loss on unseen ones",
    ),
}


class DiagnosisExplorer(Explorer, module="diagnosis"):
    """Ten runs, each with one fault: which?"""

    alt = (
        "Four drawn scenes with boxes. Beside them a chart with two curves of a loss over the"
        " samples seen: that of a run with a fault stays high, that of a sound run falls."
    )
    run = traitlets.Enum(tuple(RUNS), "A").tag(sync=True)
    """Which of the ten."""
    part = traitlets.Enum(("total", "confidence", "localization"), "total").tag(sync=True)
    """Which loss the chart shows."""
    at = traitlets.Int(RECIPE.samples // 2, min=0, max=RECIPE.samples).tag(sync=True)
    """Samples seen at the point that the text reads off the curves."""
    diagnoses = traitlets.Dict(key_trait=traitlets.Enum(tuple(RUNS))).tag(sync=True)
    """What the reader takes for the fault of each run."""
    runs = traitlets.Dict(read_only=True).tag(sync=True)
    """By letter: curves, boxes, measurements, and the fault; "sound" is the run without one."""
    clues = traitlets.Dict(read_only=True).tag(sync=True)
    """By fault: what is to be seen where it is suspected."""
    pictures = traitlets.Dict(read_only=True).tag(sync=True)
    """Two sheets of four pictures each, as data URIs."""
    top = traitlets.Float(TOP, read_only=True).tag(sync=True)

    @traitlets.validate("diagnoses")
    def _known(self, proposal):
        if unknown := set(proposal["value"].values()) - set(ORDER):
            raise traitlets.TraitError(
                f"DiagnosisExplorer.diagnoses: {', '.join(map(str, unknown))} is not one of the"
                f" faults, {', '.join(ORDER)}"
            )
        return proposal["value"]

    @traitlets.default("runs")
    def _runs(self) -> dict:
        return {"sound": _run(SOUND)} | {letter: _run(name) for letter, name in RUNS.items()}

    @traitlets.default("clues")
    def _clues(self) -> dict:
        return {name: CLUES[name].expected for name in sorted(ORDER)}

    @traitlets.default("pictures")
    def _pictures(self) -> dict:
        return {name: picture_uri(_sheet(name), side=360, quality=60) for name in ("many", "few")}

    @property
    def right(self) -> list[str]:
        """The letters of the runs that are diagnosed correctly."""
        return [letter for letter, cause in self.diagnoses.items() if RUNS[letter] == cause]

    def draw(self, figure) -> None:
        """Draw the four pictures with their boxes, and both curves."""
        figure.set_size_inches(6.4, 3.2)
        left, right = figure.subplots(1, 2)
        run, sound = self.runs[self.run], self.runs["sound"]
        plots.show_image(left, _sheet(run["sheet"]))
        for number, boxes in enumerate(run["boxes"]):
            shift = torch.tensor([number % 2, number // 2] * 2)
            for *box, _ in boxes:
                corners = torch.tensor(box)
                if corners.max() <= 1.01:
                    low, high = corners.view(2, 2).aminmax(dim=0)
                    plots.draw_boxes(left, (torch.cat([low, high]) + shift) / 2, width=1.4)
        left.set_title(f"run {self.run}")
        for name, one, look in (("sound", sound, "-"), (f"run {self.run}", run, "-")):
            color = plots.QUIET if name == "sound" else plots.INK
            points = [(x, _part(self.part, total, box)) for x, total, box in one["curve"]]
            points = [(x, min(y, TOP)) for x, y in points if y is not None]
            right.plot(*zip(*points, strict=True), look, color=color, label=name)
        right.set(xlabel="samples seen", title=f"{self.part} loss", ylim=(0, TOP))
        right.legend()


def _part(name: str, total: float | None, box: float | None) -> float | None:
    if total is None or box is None:
        return None
    return {"total": total, "confidence": total - box, "localization": box}[name]


@cache
def _seen(sheet: str) -> Seen:
    """Return the pictures of a sheet as a batch."""
    return collate([draw_scene(0, index) for index in (SCENES if sheet == "many" else FEW)])


def _sheet(sheet: str) -> Tensor:
    """Return four pictures side by side, ``[3, 600, 600]`` uint8."""
    images = (255 * _seen(sheet).images).round().to(torch.uint8)
    return make_grid(images, nrow=2, padding=0)


def _name(label: int) -> str:
    """Return what a label means to the loss."""
    return ("background", *SCENE_CLASSES)[label]


def _run(name: str) -> dict:
    """Return a run as `diagnosis.js` reads it."""
    record, reports = read_faults()[name]
    fault, sheet = FAULTS[name], "few" if name == "too few pictures" else "many"
    seen = fault.change(_seen(sheet))
    checks = record["checks"]
    sound = read_faults()[SOUND][0]["checks"]
    numbers = {**checks, "sound": _Sound(sound), "box": reports[0].localization}
    numbers["peak"] = max(report.total for report in reports)
    ended = [report.samples for report in reports if report.total != report.total]
    return {
        "fault": name,
        "sign": CLUES[name].sign.format(**numbers).replace(" -", " −") if name in CLUES else "",
        "sheet": sheet,
        "curve": _thinned(reports),
        "unseen": [[r.samples, round(r.unseen, 2)] for r in reports if r.unseen is not None],
        "ended": ended[0] if ended else None,
        "boxes": [
            [
                [*(round(x, 3) for x in box), _name(label)]
                for box, label in zip(boxes.tolist(), labels.tolist(), strict=True)
            ]
            for boxes, labels in zip(seen.boxes, seen.labels, strict=True)
        ],
        "checks": _words(checks),
    }


class _Sound:
    """The measurements of the sound run, for `str.format`."""

    def __init__(self, checks: Mapping):
        self.__dict__.update(checks)


def _words(checks: Mapping) -> list[list[str]]:
    """Return what is measured, and the value, as rows of a table."""
    low, high = checks["inputs"]
    least, most = checks["corners"]
    first, last = checks["labels"]
    return [
        ["network inputs", f"{low:.0f} to {high:.0f}".replace("-", "−")],
        ["box corners", f"{least:.2f} to {most:.2f}"],
        ["narrowest box", f"{checks['narrowest']:.2f}".replace("-", "−")],
        ["labels", f"{first} to {last}"],
        ["pictures without box", f"{checks['empty']:.0%}".replace("%", " %")],
        ["positives per picture", f"{checks['positives']:.1f}"],
        ["spread of targets", f"{checks['spread']:.3g}"],
        ["different pictures", f"{checks['different']}"],
    ]


def _thinned(reports: list[Report]) -> list[list]:
    """Return at most `POINTS` means of losses, ``[samples, total, localization]``.

    The end of a run whose loss is NaN has None in their place.
    """
    size = RECIPE.samples // POINTS
    groups: dict[int, list[Report]] = {}
    for report in reports:
        groups.setdefault((report.samples - 1) // size, []).append(report)
    return [
        [
            group[-1].samples,
            *(
                _mean(values)
                for values in zip(*((r.total, r.localization) for r in group), strict=True)
            ),
        ]
        for group in groups.values()
    ]


def _mean(values: tuple[float, ...]) -> float | None:
    value = mean(values)
    return round(value, 2) if value == value else None
