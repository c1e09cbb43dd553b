"""SSD's random crop, trial by trial, after the expansion and before the flip (chapter 11).

Random numbers come from torch, which a page without Python does not have. So the results of a dozen
seeds are computed here, by the package's policy, and stored in the page; other seeds need Python.
"""

from functools import cache
from typing import Any, NamedTuple

import torch
import traitlets
from torch import Tensor
from torchvision.transforms import v2

from ssd_book.explorers.explorer import Explorer, picture_uri
from ssd_book.explorers.traits import Box
from ssd_book.photographs import PHOTOGRAPH_CLASSES, load_photograph
from ssd_tutorial.augment import (
    CAFFE_MEAN,
    CROP_POLICIES,
    Expand,
    IoUCrop,
    Item,
    resize,
)
from ssd_tutorial.augment.crop_policies import Search, caffe_search, centres_inside
from ssd_tutorial.augment.framed import Framed
from ssd_tutorial.augment.items import keep_boxes
from ssd_tutorial.figures import plots

RULE = CROP_POLICIES["caffe"]
MINIMA = tuple(minimum for minimum in RULE.min_ious if minimum is not None)
SEEDS = 12  # computed beforehand
_SHOWN = 10  # shown trials of a sampler, at most: the first ones and the last one

Crop = tuple[int, int, int, int]  # left, top, right, bottom, in pixels of the canvas


class Sample(NamedTuple):
    """What one seed does to the photograph."""

    item: Item
    """The canvas (the photograph itself if the seed does not expand it) and the target."""
    place: list[int]
    """Where the photograph is on the canvas, xyxy in pixels."""
    search: Search
    mirror: bool

    @property
    def boxes(self) -> Tensor:
        """``[N, 4]`` xyxy in pixels of the canvas."""
        return self.item[1]["boxes"].as_subclass(Tensor)

    @property
    def size(self) -> list[int]:
        """Width and height of the canvas, in pixels."""
        return list(self.item[0].shape[:0:-1])


@cache
def draw_sample(seed: int) -> Sample:
    """Record the draws of ``training_transform(300, crop="caffe", expand=4)``, one by one.

    The state of torch's global generator is unchanged.
    """
    image, target = load_photograph("astronaut")
    expand, (height, width) = Expand(4), image.shape[-2:]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        padding = expand.make_params([image])
        item = (
            expand.transform(Framed(image), padding).pixels(),
            {**target, "boxes": expand.transform(target["boxes"], padding)},
        )
        boxes = item[1]["boxes"].as_subclass(Tensor)
        search = caffe_search(RULE, boxes, *item[0].shape[-2:])
        mirror = bool(torch.rand(1) < 0.5)
    left, top, *_ = padding.get("padding", [0, 0])
    return Sample(item, [left, top, left + width, top + height], search, mirror)


def cut(sample: Sample, crop: Crop) -> Item:
    """Return the network's input: the item cropped, resized, and flipped if the seed says so."""
    image, target = sample.item
    stays = centres_inside(sample.boxes, torch.tensor(crop))
    operation, params = IoUCrop(), {"crop": crop, "stays": stays}
    target = {**target, "boxes": operation.transform(target["boxes"], params)}
    item = resize(300)((Framed(image).cropped(crop).pixels(), keep_boxes(target, stays)))
    return v2.RandomHorizontalFlip(p=1)(*item) if sample.mirror else item


def _steps(first: int | None, trials: int) -> list[int]:
    """Return which trials of a sampler are shown: the first ones, and its last."""
    made = range(trials if first is None else first + 1)
    return [*made[: _SHOWN - 1], *made[_SHOWN - 1 :][-1:]]


@cache
def _state(seed: int) -> dict[str, Any]:
    """Return a sample as ``crop.js`` reads it: only what was drawn, not what follows from it."""
    sample = draw_sample(seed)
    search, samplers = sample.search, []
    for s, first in enumerate(search.first):
        steps = _steps(first, RULE.trials)
        crops, pixels = search.trials.crops[s, steps], search.trials.crops_px[s, steps]
        trials = zip(steps, crops.tolist(), pixels.int().tolist(), strict=True)
        samplers.append([[t + 1, [round(x, 5) for x in crop], px] for t, crop, px in trials])
    return {
        "size": sample.size,
        "place": sample.place,
        "boxes": sample.boxes.int().tolist(),
        "samplers": samplers,
        "chosen": search.chosen,
        "mirror": sample.mirror,
    }


class CropExplorer(Explorer, module="crop"):
    """A seed's expansion, a sampler's trials until one is accepted, and the resulting crop."""

    alt = (
        "A portrait of an astronaut with boxes around four objects, and a dashed crop; beside it"
        " the crop that the network gets, with the boxes that stay."
    )
    seed = traitlets.Int(2, min=0).tag(sync=True)
    """Seed of torch's generator; above 11 it needs Python."""
    minimum = traitlets.Enum(["drawn", *MINIMA], "drawn").tag(sync=True)
    """The sampler whose trials are shown, by its minimum IoU; ``"drawn"`` is the seed's choice."""
    trial = traitlets.Int(min=0).tag(sync=True)
    """How many of its trials are shown, at most."""
    own = Box(None, allow_none=True).tag(sync=True)
    """The reader's own crop, xyxy in fractions of the canvas, instead of the last trial."""
    draws = traitlets.Dict(read_only=True).tag(sync=True)
    """What each seed draws, by the seed as a string."""
    seeds = traitlets.Int(SEEDS, read_only=True).tag(sync=True)
    minima = traitlets.List(list(MINIMA), read_only=True).tag(sync=True)
    most = traitlets.Int(RULE.trials, read_only=True).tag(sync=True)
    names = traitlets.List(read_only=True).tag(sync=True)
    canvas = traitlets.Unicode("rgb({}, {}, {})".format(*CAFFE_MEAN), read_only=True).tag(sync=True)
    picture = traitlets.Unicode(read_only=True).tag(sync=True)

    @traitlets.default("draws")
    def _draws(self) -> dict:
        return {str(seed): _state(seed) for seed in {*range(SEEDS), self.seed}}

    @traitlets.default("trial")
    def _trial(self) -> int:
        return len(self._trials())

    @traitlets.default("names")
    def _names(self) -> list[str]:
        labels = load_photograph("astronaut")[1]["labels"].tolist()
        return [PHOTOGRAPH_CLASSES[label - 1] for label in labels]

    @traitlets.default("picture")
    def _picture(self) -> str:
        return picture_uri(load_photograph("astronaut")[0], quality=60)

    @traitlets.observe("seed", "minimum")
    def _search(self, change) -> None:
        if str(self.seed) not in self.draws:
            self.set_trait("draws", self._draws())
        self.trial = len(self._trials())

    @traitlets.observe("seed", "minimum", "trial")
    def _step(self, change) -> None:
        self.own = None

    def _sampler(self) -> int | None:
        """Return the index of the sampler shown; None for the whole picture."""
        if self.minimum != "drawn":
            return MINIMA.index(self.minimum)
        return _state(self.seed)["chosen"]

    def _trials(self) -> list:
        sampler = self._sampler()
        return [] if sampler is None else _state(self.seed)["samplers"][sampler]

    @property
    def crop(self) -> Crop | None:
        """The crop in pixels of the canvas: the reader's own, or the sampler's.

        None if all its trials failed.
        """
        sample, sampler = draw_sample(self.seed), self._sampler()
        if self.own is not None:
            return tuple(round(x * n) for x, n in zip(self.own, sample.size * 2, strict=True))
        if sampler is None:
            return (0, 0, *sample.size)
        first = sample.search.first[sampler]
        if first is None:
            return None
        return tuple(sample.search.trials.crops_px[sampler, first].int().tolist())

    def draw(self, figure) -> None:
        """Draw the canvas with the last trial shown, and the crop as the network gets it."""
        sample, crop = draw_sample(self.seed), self.crop
        figure.set_size_inches(7.2, 3.9)
        before, after = figure.subplots(1, 2)
        plots.show_image(before, sample.item[0])
        scale = torch.tensor(sample.size * 2)
        plots.draw_boxes(before, sample.boxes / scale, width=1.6)
        before.set_title(f"seed {self.seed}")
        shown = self._trials()[: self.trial][-1:] if self.own is None else [(None, self.own, None)]
        for number, trial, _ in shown:
            blue = {"color": plots.BLUE, "line": "--", "width": 3}
            plots.draw_boxes(before, torch.tensor(trial), **blue)
            before.set_title(f"seed {self.seed}, {f'trial {number}' if number else 'own crop'}")
        if crop is None:
            plots.show_canvas(after).set_title(f"{RULE.trials} trials, no crop")
            return
        image, target = cut(sample, crop)
        plots.show_image(after, image)
        names = [PHOTOGRAPH_CLASSES[label - 1] for label in target["labels"].tolist()]
        plots.draw_boxes(after, target["boxes"].as_subclass(Tensor) / 300, names, width=1.6)
        after.set_title(f"{len(names)} of {len(self.names)} objects stay")
