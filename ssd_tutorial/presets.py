"""Every number that defines an SSD, by name (chapters 5, 6 and 7).

A `Preset` describes a set of priors and computes nothing: `ssd_tutorial.scales` turns its rule into
scales and `ssd_tutorial.priors` turns those into boxes. A `ModelPreset` names the priors and the
backbone of a whole detector. Other modules have defaults of their own, each beside its formula:
the IoU of a match, the negatives per positive, the thresholds of a detection.

Sources, cited below by their short names:

* *paper*: Liu et al., "SSD: Single Shot MultiBox Detector", arXiv 1512.02325, sections 2.2 and 3.
* *Caffe*: the authors' code, ``examples/ssd/ssd_pascal.py`` and ``ssd_coco.py``.
* *torchvision*: ``torchvision.models.detection.ssd300_vgg16``.
"""

from dataclasses import dataclass, replace
from typing import Literal, get_args

VARIANCES = (0.1, 0.1, 0.2, 0.2)

Centres = Literal["step", "cells"]
Clip = Literal["none", "wh", "cxcywh", "corners"]
Order = Literal["caffe", "sgrvinod"]


@dataclass(frozen=True)
class FeatureMap:
    """One feature map that predicts boxes."""

    name: str
    """The layer's name in the paper, such as ``"conv4_3"``."""
    cells: int
    """Cells along one side: the map is ``cells`` x ``cells``."""
    step_px: int
    """Distance between the centres of neighbouring cells, in pixels of the input image."""
    ratios: tuple[float, ...]
    """Aspect ratios w/h above 1. Each comes with its inverse; ratio 1 is always there, twice."""

    @property
    def boxes_per_cell(self) -> int:
        """Two squares, and two boxes (r and 1/r) for each ratio."""
        return 2 + 2 * len(self.ratios)


@dataclass(frozen=True)
class ScaleRule:
    """How scales are spread over the maps; read by `ssd_tutorial.scales.compute_scales`."""

    s_min: float
    """Scale of the first map that the formula covers."""
    s_max: float
    """Scale of the last map (with ``whole_percent`` the last may fall short of it)."""
    first: float | None = None
    """Scale of the first map, set by hand; the formula then covers the maps after it."""
    beyond: float | None = None
    """s_{m+1}, needed by the last map's large square. None: one more step of the formula."""
    whole_percent: bool = False
    """Round the step between two scales down to a whole percent, as Caffe's scripts do."""


@dataclass(frozen=True)
class Preset:
    """A complete description of a set of priors."""

    name: str
    image_size: int
    """Side of the square input image, in pixels."""
    maps: tuple[FeatureMap, ...]
    rule: ScaleRule
    source: str
    """Where these numbers come from."""
    centres: Centres = "step"
    """``"step"``: (i + 0.5) * step_px / image_size, as Caffe. ``"cells"``: (i + 0.5) / cells."""
    clip: Clip = "none"
    """What is clamped to [0, 1]: nothing, ``"wh"``, all of ``"cxcywh"``, or the ``"corners"``."""
    order: Order = "caffe"
    """Boxes in a cell: ``"caffe"`` 1 1' 2 1/2 3 1/3; ``"sgrvinod"`` 1 1' 2 3 1/2 1/3."""
    integer_sizes: bool = False
    """Cut sizes to whole pixels, as Caffe's prototxt does (it changes SSD512 only)."""
    variances: tuple[float, float, float, float] = VARIANCES
    """Divisors of the regression target (chapter 4): a choice of units, not a statistic."""

    def __post_init__(self) -> None:
        for field, kind in {"centres": Centres, "clip": Clip, "order": Order}.items():
            value, allowed = getattr(self, field), get_args(kind)
            if value not in allowed:
                raise ValueError(f"Preset.{field} is {value!r}; it must be one of {allowed}")

    def vary(self, *, name: str, **changes) -> "Preset":
        """Return a copy under a new name, with some fields changed, such as ``clip="corners"``.

        Raises:
            ValueError: `name` is taken by a preset of the package, or a value is unknown.
        """
        if name in PRESETS:
            raise ValueError(f"{name!r} is the name of a preset: give the copy another one")
        return replace(self, name=name, **changes)


_NARROW, _WIDE = (2.0,), (2.0, 3.0)

# conv8_2's step is 32, though 300 / 10 = 30: Caffe steps by powers of two (chapter 7).
_MAPS_300 = (
    FeatureMap("conv4_3", 38, 8, _NARROW),
    FeatureMap("conv7", 19, 16, _WIDE),
    FeatureMap("conv8_2", 10, 32, _WIDE),
    FeatureMap("conv9_2", 5, 64, _WIDE),
    FeatureMap("conv10_2", 3, 100, _NARROW),
    FeatureMap("conv11_2", 1, 300, _NARROW),
)
_MAPS_512 = (
    FeatureMap("conv4_3", 64, 8, _NARROW),
    FeatureMap("conv7", 32, 16, _WIDE),
    FeatureMap("conv8_2", 16, 32, _WIDE),
    FeatureMap("conv9_2", 8, 64, _WIDE),
    FeatureMap("conv10_2", 4, 128, _WIDE),
    FeatureMap("conv11_2", 2, 256, _NARROW),
    FeatureMap("conv12_2", 1, 512, _NARROW),
)

PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            "naive_m6",
            300,
            _MAPS_300,
            ScaleRule(0.2, 0.9, beyond=1.0),
            "the formula of paper 2.2 read with m = 6, as most explanations do",
            centres="cells",
        ),
        Preset(
            "paper",
            300,
            _MAPS_300,
            ScaleRule(0.2, 0.9, first=0.1, beyond=1.0),
            "paper 2.2 and 3.1: conv4_3 at 0.1, the formula with m = 5 for the rest",
            centres="cells",
        ),
        Preset(
            "caffe300_voc",
            300,
            _MAPS_300,
            ScaleRule(0.2, 0.9, first=0.1, whole_percent=True),
            "Caffe, ssd_pascal.py",
        ),
        Preset(
            "caffe300_coco",
            300,
            _MAPS_300,
            ScaleRule(0.15, 0.9, first=0.07, whole_percent=True),
            "Caffe, ssd_coco.py",
        ),
        Preset(
            "torchvision300_coco",
            300,
            _MAPS_300,
            ScaleRule(0.15, 0.9, first=0.07, whole_percent=True),
            "torchvision, ssd300_vgg16: Caffe's COCO sizes, width and height clamped to 1",
            clip="wh",
        ),
        Preset(
            "caffe512_voc",
            512,
            _MAPS_512,
            ScaleRule(0.15, 0.9, first=0.07, whole_percent=True),
            "Caffe, ssd_pascal.py with 512 px input",
        ),
        Preset(
            "caffe512_coco",
            512,
            _MAPS_512,
            ScaleRule(0.1, 0.9, first=0.04, whole_percent=True),
            "Caffe, ssd_coco.py with 512 px input",
        ),
    )
}


@dataclass(frozen=True)
class ModelPreset:
    """A whole detector: which priors, on which backbone."""

    name: str
    priors: Preset
    backbone: Literal["vgg16", "slim"]
    """``"vgg16"``: the paper's. ``"slim"``: 1.2 M parameters at 3 classes, for a CPU."""

    def with_priors(self, preset: Preset) -> "ModelPreset":
        """Return the same network on other priors.

        Raises:
            ValueError: the image size, the cells of a map or the boxes per cell differ.
        """
        ours, theirs = (
            (p.image_size, [(m.cells, m.boxes_per_cell) for m in p.maps])
            for p in (self.priors, preset)
        )
        if ours != theirs:
            raise ValueError(
                f"{self.name} has maps (cells, boxes per cell) {ours[1]} for {ours[0]} px; the"
                f" priors {preset.name!r} have {theirs[1]} for {theirs[0]} px"
            )
        return replace(self, priors=preset)


SSD300 = ModelPreset("ssd300", PRESETS["caffe300_voc"], "vgg16")
SSD512 = ModelPreset("ssd512", PRESETS["caffe512_voc"], "vgg16")
SLIM300 = ModelPreset("slim300", PRESETS["caffe300_voc"], "slim")
MODELS: dict[str, ModelPreset] = {model.name: model for model in (SSD300, SSD512, SLIM300)}


def get_preset(name: str) -> Preset:
    """Return the set of priors called `name`.

    Raises:
        ValueError: there is none; the message has the names that there are.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset is called {str(name)[:200]!r}; there are {', '.join(PRESETS)}")
    return PRESETS[name]


def caffe_preset(image_size: int, dataset: Literal["voc", "coco"]) -> Preset:
    """Return the priors that the authors' scripts use for a dataset, at 300 or 512 px.

    Raises:
        ValueError: there is no such script.
    """
    return get_preset(f"caffe{image_size}_{dataset}")


def get_model(name: str) -> ModelPreset:
    """Return the detector called `name`.

    Raises:
        ValueError: there is none; the message has the names that there are.
    """
    if name not in MODELS:
        raise ValueError(f"no model is called {str(name)[:200]!r}; there are {', '.join(MODELS)}")
    return MODELS[name]
