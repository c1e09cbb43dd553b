"""All priors of a detector by their loss, and the negatives that count (chapter 10)."""

import functools
from typing import NamedTuple

import numpy as np
import torch
import traitlets
from torch import Tensor
from torch.nn import functional as F

from ssd_book import plots
from ssd_book.explorers.explorer import Explorer, picture_uri, preset_state
from ssd_book.explorers.trained import scenes_detector, scenes_output, val_scene
from ssd_book.explorers.traits import Number
from ssd_tutorial.matching import Matches, match
from ssd_tutorial.mining import hard_negatives
from ssd_tutorial.targets import Targets, make_targets

SCENES = {"one house": 23, "balloon and fish": 10}
"""Pictures of the scenes' split "val", by their buttons' labels."""
EXACT, NONE = 0.005, 0.001  # smaller losses: rounded down, and 0; the slider ends above


class MiningExplorer(Explorer, module="mining"):
    """Which negatives of a picture count: how many, and the hardest ones or random ones.

    The losses are those of the book's detector of scenes, computed when the explorer is created.
    """

    alt = (
        "A scene with its ground truths as thick black boxes, and the negatives that count as thin "
        "boxes in the colours of their feature maps. Below it, the loss of all 8732 priors in "
        "descending order: a steep curve, of which the left end counts."
    )
    scene = traitlets.Enum(tuple(SCENES), "one house").tag(sync=True)
    ratio = Number(3, min=0, max=10).tag(sync=True)
    """Negatives per positive."""
    choice = traitlets.Enum(("the hardest", "at random"), "the hardest").tag(sync=True)
    forget = traitlets.Bool(False).tag(sync=True)
    """Whether the label of the scene's first object is missing."""
    shown = traitlets.Int(12, min=0, max=8731).tag(sync=True)
    """Rank of the highlighted prior among all priors; 0 has the largest loss."""
    scenes = traitlets.Dict(read_only=True).tag(sync=True)
    losses = traitlets.Bytes(read_only=True).tag(sync=True)
    """-log p(background), float16, of each scene and prior."""
    exact = traitlets.Float(EXACT, read_only=True).tag(sync=True)
    """Losses below it are rounded down; ``small`` of a scene is their sum before that."""
    preset = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("scenes")
    def _scenes(self) -> dict:
        return {name: _state(name) for name in SCENES}

    @traitlets.default("losses")
    def _losses(self) -> bytes:
        return b"".join(_measured(name).losses.tobytes() for name in SCENES)

    @traitlets.default("preset")
    def _preset(self) -> dict:
        return preset_state(scenes_detector().network.config.priors)

    def background_loss(self) -> Tensor:
        """Return -log p(background) of the scene's priors, ``[P]``, as stored in the page."""
        return torch.from_numpy(_measured(self.scene).losses.astype(np.float32))

    def positive(self) -> Tensor:
        """Return which priors are matched, ``[P]``."""
        return _matches(self.scene, self.forget)[1].positive[0]

    def negatives(self) -> Tensor:
        """Return which negatives count, ``[P]``: those that `ssd_tutorial.mining` chooses."""
        losses = self.background_loss()
        if self.choice == "at random":  # a pseudo-random number per prior, the same as in the page
            lots = torch.arange(len(losses), dtype=torch.int64) * 2654435761 % 2**32
            losses = lots.double()
        return hard_negatives(losses[None], self.positive()[None], self.ratio)[0]

    def draw(self, figure) -> None:
        """Draw the scene with the negatives that count, and the curve of all losses."""
        figure.set_size_inches(5.2, 6.8)
        axes, curve = figure.subplots(2, 1, height_ratios=[2.4, 1])
        preset = scenes_detector().network.config.priors
        image, boxes, names, _ = _scene(self.scene)
        chosen, positive, losses = self.negatives(), self.positive(), self.background_loss()
        plots.show_image(axes, image)
        plots.draw_priors(axes, preset, chosen.nonzero()[:, 0], width=1.5)
        for i, (box, name) in enumerate(zip(boxes, names, strict=True)):
            gone = self.forget and i == 0
            words, line = (f"{name}: no label", ":") if gone else (name, "-")
            plots.draw_boxes(axes, box, [words], line=line, width=3)
        axes.set_title(f"{int(chosen.sum())} of {int((~positive).sum())} negatives count")
        order = losses.argsort(descending=True, stable=True)
        rank = torch.arange(1, len(order) + 1)
        curve.plot(rank, losses[order], color=plots.QUIET)
        for marks, look in (
            (positive, {"facecolor": "none", "edgecolor": plots.INK}),
            (chosen, {}),
        ):
            at = marks[order]
            style = {"s": 22, "zorder": 3, "color": plots.BLUE} if not look else {"s": 36, **look}
            curve.scatter(rank[at], losses[order][at], **style)
        curve.set(xscale="log", xlabel="place in the list of all priors")
        curve.set(yscale="log", ylim=(1e-3, 20), ylabel="−log p(background)")


class _Measured(NamedTuple):
    losses: np.ndarray  # [P] float16
    small: float  # the sum of the losses that were rounded down
    logits: Tensor  # [P, C]


@functools.cache
def _scene(name: str) -> tuple[Tensor, Tensor, list[str], Tensor]:
    """Return the image, its boxes in fractions of it, their names and labels."""
    image, target = val_scene(SCENES[name])
    boxes = target["boxes"].as_subclass(Tensor) / image.shape[-1]
    return (
        image,
        boxes,
        [scenes_detector().classes[k - 1] for k in target["labels"]],
        target["labels"],
    )


@functools.cache
def _measured(name: str) -> _Measured:
    logits = scenes_output(SCENES[name])[0][0]
    exact = (logits.logsumexp(dim=-1) - logits[:, 0]).numpy()
    small = float(exact[exact.astype(np.float16) < EXACT].sum())
    losses = exact.astype(np.float16)
    bits = losses.view(np.uint16)
    bits[losses < EXACT] &= 0xFF00  # two bits after the exponent, which compresses well
    bits[losses < NONE] = 0
    return _Measured(losses, small, logits)


@functools.cache
def _matches(name: str, forget: bool) -> tuple[Targets, Matches]:
    _, boxes, _, labels = _scene(name)
    network = scenes_detector().network
    targets = make_targets([boxes[forget:]], [labels[forget:]], network.num_classes)
    return targets, match(network.priors, targets)


def _state(name: str) -> dict:
    image, boxes, names, _ = _scene(name)
    rounded = [[round(number, 5) for number in box] for box in boxes.tolist()]
    own = [_own_losses(name, forget) for forget in (False, True)]
    picture = picture_uri(image, quality=55)
    small = round(_measured(name).small, 3)
    return {"picture": picture, "boxes": rounded, "names": names, "own": own, "small": small}


def _own_losses(name: str, forget: bool) -> dict[int, float]:
    """Return the class loss of each positive, by its index; `forget` as in the explorer."""
    targets, matches = _matches(name, forget)
    positive, labels = matches.positive[0], matches.labels(targets)[0]
    loss = F.cross_entropy(_measured(name).logits[positive], labels[positive], reduction="none")
    indices = positive.nonzero()[:, 0].tolist()
    return {i: round(x, 3) for i, x in zip(indices, loss.tolist(), strict=True)}
