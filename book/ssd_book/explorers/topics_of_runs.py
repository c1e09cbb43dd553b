"""What the figures of one knob show of whole runs, and of rules that differ (chapters 15 to 19);
see `topics_of_runs.js`."""

import json
import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ssd_book import plots
from ssd_book.disagreements import shape_first
from ssd_book.explorers.topics import PRESET, OfPriors, Topic
from ssd_book.explorers.topics_of_detectors import VAL, OfDetections
from ssd_book.explorers.trained import scenes_detector, scenes_output, val_scene
from ssd_tutorial._files import data_path
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, get_preset
from ssd_tutorial.priors import make_priors
from ssd_tutorial.targets import Targets, make_targets
from ssd_tutorial.training.loop import learning_rate
from ssd_tutorial.training.recipes import RECIPES

RECIPE = RECIPES["voc0712"]
STEPS = math.ceil(RECIPE.samples / RECIPE.batch_size)
DAY = 24 * 3600
SIZE = 300  # pixels of the network's input
APART = 3
"""Pixels between two places of topic "slipped"."""
SHARE = 0.9
"""Of the negatives' loss, which the priors of topic "focal" hold."""
_LOWEST = 0.5  # score of the detections that topic "reading" shows


class Speed(Topic):
    """How long the paper's recipe takes; the knob is the logarithm of the pictures per second."""

    scene = None
    high, start = 3.0, 1.0
    title = "{}"
    alt = (
        "A chart of the learning rate over 120 thousand iterations: a staircase that falls at 80 "
        "and at 100 thousand. The part of the first day, less than a quarter, is red."
    )

    def number(self) -> str:
        """Return the time that the whole run takes."""
        hours = RECIPE.samples / self.speed() / 3600
        return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"

    def speed(self) -> float:
        """Return the pictures per second."""
        return 10**self.at

    def day(self) -> float:
        """Return the iteration at which the first day ends."""
        return min(STEPS, self.speed() * DAY / RECIPE.batch_size)

    def boxes(self) -> Tensor:
        """Return none: there is no picture."""
        return torch.zeros(0, 4)

    def facts(self) -> dict:
        """Return the corners of the schedule, and how fast this book's processor is."""
        rows = json.loads((data_path("runs") / "costs_cpu/result.json").read_text())["rows"]
        (core,) = (
            row["median"]
            for row in rows
            if (row["model"], row["batch"]) == (RECIPE.model, 8)
            and (row["kind"], row["precision"]) == ("training", "bf16")
        )
        return {
            "rates": [(step, learning_rate(step, STEPS, RECIPE)) for step in _corners()],
            "batch": RECIPE.batch_size,
            "samples": RECIPE.samples,
            "steps": STEPS,
            "core": core,
        }

    def paint(self, axes) -> None:
        """Draw the schedule, and what the first day does of it."""
        steps, rates = zip(*self.figure.facts["rates"], strict=True)
        day = self.day()
        done = [step for step in steps if step < day]
        rates_done = [*rates[: len(done)], rates[len(done) - 1]]
        thousands = [step / 1000 for step in steps]
        axes.plot(thousands, rates, color=plots.QUIET)
        axes.plot([*thousands[: len(done)], day / 1000], rates_done, color=plots.ACCENT, lw=4)
        axes.set(yscale="log", xlabel="thousand iterations", ylabel="learning rate")


class Slipped(Topic):
    """The first loss of a network whose boxes lie beside their objects."""

    scene = VAL + 167
    high, whole = 20, True
    title = "a first loss of {}"
    alt = "A drawn scene with two fish and a train, each in a red box that fits."

    def number(self) -> str:
        """Return the loss of an untrained network."""
        return f"{self.figure.facts['untrained'][int(self.at)]:.1f}"

    def boxes(self) -> Tensor:
        """Return the boxes where the loss believes them."""
        return _to_the_right(self.truths(), self.at)

    def facts(self) -> dict:
        """Return both networks' losses at every place of the knob."""
        places = range(self.high + 1)
        boxes = [_to_the_right(self.truths(), at) for at in places]
        networks = {"untrained": _untrained(), "trained": scenes_detector().network}
        losses = {name: _losses(one, boxes, self.scene) for name, one in networks.items()}
        return {**losses, "apart": APART, "size": SIZE}

    def draw(self, axes) -> None:
        """Draw the boxes alone, as a check of the data does."""
        plots.draw_boxes(axes, self.boxes(), color=plots.ACCENT, width=3)


class Reading(OfDetections):
    """What one set of weights finds when its output is read by the rules of others."""

    scene = VAL + 39
    high, whole = 8, True
    title = "{} of 5 objects are found"
    alt = "A drawn scene with a balloon, a car, a fish and two boats. A blue box fits each of them."

    def kept(self) -> list[list]:
        """Return the detections."""
        return self.figure.facts["readings"][int(self.at)]["found"]

    def facts(self) -> dict:
        """Return each reading's name and what it finds."""
        logits, offsets = scenes_output(self.scene - VAL)
        read = [
            {"name": name, "found": _named(postprocess(logits, offsets, priors, **how)[0])}
            for name, (priors, how) in readings().items()
        ]
        return {"readings": read}


class Focal(OfPriors):
    """The negatives that hold nine tenths of their loss; the knob is the focal loss's exponent."""

    scene = VAL + 6
    high, start = 5, 2
    width = 1.2
    title = "{} negatives count"
    alt = (
        "A drawn scene with a cat, a kite and an airplane in black boxes. Nine thin boxes in the "
        "colours of their maps lie on them, each a bit too high, too low or too small."
    )

    def indices(self) -> Tensor:
        """Return the hardest negatives, as many as hold `SHARE` of the loss."""
        facts = self.figure.facts
        return torch.tensor(facts["hardest"][: facts["counts"][round(self.at * 10)]])

    def facts(self) -> dict:
        """Return the negatives in order, how many count at each exponent, and what mining keeps."""
        targets = _targets(self.scene, self.truths())
        matches = match(make_priors(PRESET), targets)
        positive = matches.positive[0]
        logits, _ = scenes_output(self.scene - VAL)
        loss = cross_entropy(logits[0], matches.labels(targets)[0], reduction="none")
        order = loss.masked_fill(positive, -1).argsort(descending=True, stable=True)
        hardest = loss[order[: int((~positive).sum())]].double()
        counts = []
        for tenths in range(self.high * 10 + 1):
            focal = (1 - (-hardest).exp()) ** (tenths / 10) * hardest
            counts.append(int((focal.cumsum(0) < SHARE * focal.sum()).sum()) + 1)
        mined = hard_negatives(loss[None], positive[None])
        return {
            "hardest": order[: counts[0]].tolist(),
            "counts": counts,
            "negatives": len(hardest),
            "mined": int(mined.sum()),
        }


def readings() -> dict[str, tuple[Tensor, dict]]:
    """Return nine ways to read an output: the priors, and settings of `postprocess`."""

    def ours(**changes) -> Tensor:
        return make_priors(PRESET.vary(name="read", **changes))

    def sizes(name: str) -> Tensor:
        return make_priors(get_preset(name).vary(name="read", centres=PRESET.centres))

    return {
        "as trained": (ours(), {}),
        "sizes of the paper's formula": (sizes("paper"), {}),
        "corners clipped": (ours(clip="corners"), {}),
        "centres (i + 0.5) / cells": (ours(centres="cells"), {}),
        "sgrvinod's order": (ours(order="sgrvinod"), {}),
        "sizes for COCO": (sizes("caffe300_coco"), {}),
        "sizes of the formula, m = 6": (sizes("naive_m6"), {}),
        "NVIDIA's order": (ours()[shape_first(PRESET)], {}),
        "offsets without variances": (ours(), {"variances": (1, 1, 1, 1)}),
    }


def _corners() -> list[int]:
    """Return the steps between which the learning rate is a straight line."""
    falls = [round(share * STEPS) for share in RECIPE.milestones]
    warm = round(RECIPE.warmup * STEPS)
    return [0, warm - 1, *(step for fall in falls for step in (fall - 1, fall)), STEPS - 1]


def _to_the_right(boxes: Tensor, places: float) -> Tensor:
    return boxes + torch.tensor([1, 0, 1, 0]) * places * APART / SIZE


@cache
def _untrained() -> SSD:
    classes = len(scenes_detector().classes) + 1
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return SSD(SLIM300, classes).train()


def _targets(scene: int, boxes: Tensor) -> Targets:
    """Return the targets of a scene whose objects have these boxes."""
    labels = val_scene(scene - VAL)[1]["labels"]
    return make_targets([boxes], [labels], len(scenes_detector().classes) + 1)


def _losses(network: SSD, boxes: list[Tensor], scene: int) -> list[float]:
    with torch.no_grad():
        output = network(val_scene(scene - VAL)[0][None])
    losses = [multibox_loss(*output, _targets(scene, one), network.priors) for one in boxes]
    return [round(loss.total.item(), 1) for loss in losses]


def _named(found: Detections) -> list[list]:
    """Return the sure detections: ``[name, score, xmin, ymin, xmax, ymax]``."""
    classes = scenes_detector().classes
    rows = zip(found.labels.tolist(), found.scores.tolist(), found.boxes.tolist(), strict=True)
    return [
        [classes[label - 1], round(score, 3), *(round(x, 4) for x in box)]
        for label, score, box in rows
        if score > _LOWEST
    ]
