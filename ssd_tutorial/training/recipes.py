"""Recipes: every setting of a run, each with its reason (chapters 12 and 15).

A recipe is a frozen dataclass. `RECIPES` has them by name; change one setting with
``dataclasses.replace`` or, on the command line, with the flag of its name. Counts are in *samples*
(pictures seen, repeats counted): Caffe's iterations are batches of 32.
"""

import itertools
import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Literal, get_args, get_origin

from ssd_tutorial.augment import CROP_POLICIES
from ssd_tutorial.presets import MODELS, ModelPreset, caffe_preset, get_model


def _or(choices: Iterable[str]) -> str:
    *first, last = choices
    return f"{', '.join(first)} or {last}"


@dataclass(frozen=True)
class Recipe:
    """How to train. The defaults are the recipe "laptop": a CPU, random weights, a few minutes."""

    model: str = "slim300"
    """Which detector: slim300 trains on a CPU; ssd300 and ssd512 need a GPU."""
    prior_scales: Literal["voc", "coco"] = "voc"
    """Sizes of the priors: VOC's start at 10 % of the picture, COCO's at 7 % (at 300 px)."""
    start: str = ""
    """First weights: random if empty; "imagenet" for a backbone, "coco" for a whole SSD300, or a
    file of weights to fine-tune."""
    samples: int = 20_000
    """Pictures seen in total, repeats counted: the budget that decides how good it gets."""
    batch_size: int = 16
    """Pictures per step, over all devices. Small, because a short run needs many steps more than
    smooth ones."""
    accumulate: int = 1
    """Parts in which a batch is computed, one after the other, where it does not fit into memory at
    once. The gradient is that of the whole batch, divided by its N; but the statistics of batch
    norm stay those of the small parts."""
    repeat_rare: float = 0.0
    """Show pictures of rare classes more often: those of a class that fewer than this share of the
    pictures has, by LVIS' repeat factor sampling (Gupta et al., 2019); 0: never."""
    optimizer: Literal["adamw", "sgd"] = "adamw"
    """AdamW gets further than SGD in the same few steps."""
    lr: float = 3e-3
    """Highest learning rate."""
    momentum: float = 0.9
    """How much of the last step goes into the next one (AdamW's first beta)."""
    bias_lr: float = 1.0
    """Learning rate of the biases, as a multiple of the others'."""
    weight_decay: float = 1e-4
    """Pull of weights towards 0. Biases and norms do not decay."""
    schedule: Literal["cosine", "steps"] = "cosine"
    """After the warm-up: half a cosine down to 0, which needs no tuning for another budget."""
    milestones: tuple[float, ...] = ()
    """For "steps": shares of the run after which the learning rate is divided by 10."""
    warmup: float = 0.1
    """Share of the run in which the learning rate climbs from 0."""
    grad_clip_norm: float = 10.0
    """Largest gradient norm, 0 for none: one odd batch must not undo a hundred good ones."""
    distort: bool = False
    """Change brightness, contrast, saturation and hue."""
    expand: float = 0.0
    """Put the picture on a canvas up to this many times as wide, for small objects; 0: never."""
    crop: str = ""
    """Random crop that respects the boxes, by the policy of caffe, torchvision, … (chapter 11);
    none if empty. It slows a short run down and pays off in a long one."""
    crop_prob: float = 0.5
    """Share of the pictures on which the crop is tried."""
    interpolation: Literal["bilinear", "random"] = "bilinear"
    """How pictures are resized: bilinear, or by one of five interpolations, chosen at random."""
    horizontal_flip: bool = True
    """Flip half of the pictures, chosen at random, left to right."""
    vertical_flip: bool = False
    """Flip half of them upside down: only for pictures without an up, as of a microscope."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """auto: bfloat16 where the processor computes in it, float32 elsewhere."""
    seed: int = 0
    """Fixes the initial weights, the order of the pictures and their augmentation."""

    def __post_init__(self):
        ascending = all(a < b for a, b in itertools.pairwise((0, *self.milestones, 1)))
        rules = {
            "model": (self.model in MODELS, _or(MODELS)),
            "samples": (self.samples >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "accumulate": (1 <= self.accumulate <= self.batch_size, "from 1 to the batch size"),
            "repeat_rare": (0 <= self.repeat_rare <= 1, "from 0 to 1"),
            "lr": (self.lr > 0, "above 0"),
            "momentum": (0 <= self.momentum < 1, "from 0 to below 1"),
            "bias_lr": (self.bias_lr > 0, "above 0"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "milestones": (ascending, "ascending shares of the run, between 0 and 1"),
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "grad_clip_norm": (self.grad_clip_norm >= 0, "0 or more"),
            "expand": (self.expand == 0 or 1 <= self.expand <= 16, "0, or from 1 to 16"),
            "crop": (not self.crop or self.crop in CROP_POLICIES, f"empty or {_or(CROP_POLICIES)}"),
            "crop_prob": (0 <= self.crop_prob <= 1, "from 0 to 1"),
            "seed": (0 <= self.seed < 2**63, "from 0 to below 2^63"),
        }
        for field in fields(self):
            if choices := get_args(field.type) if get_origin(field.type) is Literal else ():
                rules[field.name] = (getattr(self, field.name) in choices, _or(choices))
            if field.type is float and not math.isfinite(getattr(self, field.name)):
                rules[field.name] = (False, "a finite number")
        for name, (holds, rule) in rules.items():
            if not holds:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)!r}")

    def model_preset(self) -> ModelPreset:
        """Return the detector to train: `model`, with the priors that `prior_scales` names."""
        model = get_model(self.model)
        return model.with_priors(caffe_preset(model.priors.image_size, self.prior_scales))


@dataclass(frozen=True)
class VOC0712(Recipe):
    """PASCAL VOC 2007 + 2012 by Caffe's final schedule, 77.2 mAP in the paper (chapter 15)."""

    model: str = "ssd300"
    """The paper's detector; ssd512 gains 2.6 mAP at less than half the speed (paper, 3.6, 3.7)."""
    prior_scales: Literal["voc", "coco"] = "voc"
    """10 % of the picture and up: VOC's objects are large (Caffe, ssd_pascal.py)."""
    start: str = "imagenet"
    """16 551 pictures are too few to learn edges and textures from: VGG-16 already knows them
    (paper, section 3)."""
    samples: int = 120_000 * 32
    """120 000 iterations: twice the paper's first schedule, since expansion makes the task larger
    (paper, section 3.6)."""
    batch_size: int = 32
    """On all devices together: with more devices, each takes fewer (Caffe, ssd_pascal.py)."""
    optimizer: Literal["adamw", "sgd"] = "sgd"
    """With momentum, as in the paper (section 3): a long run has the time that SGD needs."""
    lr: float = 1e-3
    """The paper's (section 3). A VGG has no batch norm to tame a larger one."""
    momentum: float = 0.9
    """The average of about ten steps (paper, section 3)."""
    bias_lr: float = 2.0
    """Biases learn at twice the rate (lr_mult in Caffe's model_libs.py)."""
    weight_decay: float = 5e-4
    """Of weights alone: a decayed bias would only be a wrong bias (Caffe: decay_mult 0)."""
    schedule: Literal["cosine", "steps"] = "steps"
    """Divide by 10 when the loss has stopped falling (Caffe: multistep)."""
    milestones: tuple[float, ...] = (2 / 3, 5 / 6)
    """After iterations 80 000 and 100 000 of 120 000 (Caffe, ssd_pascal.py)."""
    warmup: float = 1_000 / 120_000
    """1000 iterations, unlike Caffe: the first gradients of the new layers are large, and users of
    ports often report a loss of NaN."""
    grad_clip_norm: float = 0.0
    """None, as in Caffe."""
    distort: bool = True
    """Brightness, contrast, saturation and hue (paper, section 2.2; Caffe's distort_param)."""
    expand: float = 4.0
    """A canvas of up to 16 times the area: small objects are SSD's weakness (paper, 3.6)."""
    crop: str = "caffe"
    """It makes large objects out of small ones (paper, 2.2); chapter 11 has its policies."""
    crop_prob: float = 1.0
    """Always tried; one of its seven samplers is the whole picture (Caffe, ssd_pascal.py)."""
    interpolation: Literal["bilinear", "random"] = "random"
    """So that no single interpolation is memorised (Caffe: five interp_mode)."""
    horizontal_flip: bool = True
    """Half of the pictures (paper, section 2.2)."""
    vertical_flip: bool = False
    """Never: pictures of VOC have an up and a down."""


@dataclass(frozen=True)
class VOC0712First(VOC0712):
    """The paper's first schedule, without expansion: 74.3 mAP on VOC 2007 test (section 3.1)."""

    samples: int = 60_000 * 32
    """40 000 iterations at 1e-3, 10 000 at 1e-4, 10 000 at 1e-5 (paper, section 3.1)."""
    milestones: tuple[float, ...] = (4 / 6, 5 / 6)
    """After iterations 40 000 and 50 000 of 60 000."""
    warmup: float = 1_000 / 60_000
    """1000 iterations; see voc0712."""
    expand: float = 0.0
    """It was added later (paper, section 3.6)."""


@dataclass(frozen=True)
class COCO(VOC0712):
    """COCO: VOC's recipe with smaller priors and a longer run (paper, 3.4; Caffe, ssd_coco.py)."""

    prior_scales: Literal["voc", "coco"] = "coco"
    """7 % of the picture and up: COCO's objects are smaller than VOC's (paper, section 3.4)."""
    samples: int = 400_000 * 32
    """400 000 iterations over 118 000 pictures (Caffe, ssd_coco.py)."""
    milestones: tuple[float, ...] = (0.7, 0.9)
    """After iterations 280 000 and 360 000 of 400 000 (Caffe, ssd_coco.py)."""
    warmup: float = 1_000 / 400_000
    """1000 iterations; see voc0712."""


RECIPES: dict[str, Recipe] = {
    "laptop": Recipe(),
    "voc0712": VOC0712(),
    "voc0712_first": VOC0712First(),
    "coco": COCO(),
}


RENAMED = {
    "scales": "prior_scales",
    "clip": "grad_clip_norm",
    "crop_share": "crop_prob",
    "mirror": "horizontal_flip",
    "turn_over": "vertical_flip",
}
"""Settings under other names in early runs: their files, and the commands recorded with them."""


ADDED = {"accumulate": 1, "repeat_rare": 0.0}
"""Settings that early runs did not have, with the values that they ran with."""


def current_settings(settings: dict) -> dict:
    """Return the settings of a recorded run under the names that `Recipe` has for them today."""
    return ADDED | {RENAMED.get(name, name): value for name, value in settings.items()}


def get_recipe(name: str) -> Recipe:
    """Return the recipe called `name`; `ValueError` lists the names if there is none."""
    if name not in RECIPES:
        raise ValueError(f"no recipe is called {name!r}; there are {', '.join(RECIPES)}")
    return RECIPES[name]
