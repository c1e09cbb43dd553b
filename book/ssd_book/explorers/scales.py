"""The sizes of the boxes of each feature map, for any rule (chapter 5)."""

from dataclasses import asdict, fields
from itertools import pairwise

import torch
import traitlets

from ssd_book.explorers.explorer import preset_state
from ssd_book.explorers.on_scene import OnScene, Point
from ssd_book.explorers.traits import Number
from ssd_tutorial.figures import plots
from ssd_tutorial.presets import PRESETS, Preset, ScaleRule, get_preset
from ssd_tutorial.scales import compute_scales, extra_scale

_RULE = [field.name for field in fields(ScaleRule)]
_VOC = get_preset("caffe300_voc")


class ScalesExplorer(OnScene, module="scales"):
    """The rule for scales, its presets, and the resulting squares.

    The state is the rule itself, field by field as in `presets.ScaleRule`, the number of `maps` and
    the `image_size`; `preset` reads and sets them together.
    """

    alt = (
        "A drawn scene with a cat, a fish, a kitten and a boat; around the boat two squares for "
        "each feature map, one inside the other. Beside it the scales rise from map to map, above "
        "those of another preset at the last maps and below them at the first."
    )
    scene = 57
    presets = traitlets.List(read_only=True).tag(sync=True)
    s_min = Number(_VOC.rule.s_min, min=0.01, max=1).tag(sync=True)
    s_max = Number(_VOC.rule.s_max, min=0.01, max=1).tag(sync=True)
    first = Number(_VOC.rule.first, min=0.01, max=1, allow_none=True).tag(sync=True)
    """Scale of the first map; None: the formula gives it."""
    beyond = Number(_VOC.rule.beyond, min=0.01, max=2, allow_none=True).tag(sync=True)
    """s_{m+1}; None: one more step of the formula."""
    whole_percent = traitlets.Bool(_VOC.rule.whole_percent).tag(sync=True)
    maps = traitlets.Int(len(_VOC.maps), min=3, max=7).tag(sync=True)
    """Number of feature maps, including the first one."""
    image_size = traitlets.Enum((300, 512), _VOC.image_size).tag(sync=True)
    compared = traitlets.Enum(tuple(PRESETS), "naive_m6").tag(sync=True)
    """Name of the preset that the table compares with."""
    centre = Point([0.51, 0.7017]).tag(sync=True)
    """The centre of the squares; initially on the boat."""

    def __init__(self, preset: Preset | str = _VOC, **traits):
        super().__init__(**(_state(preset) | traits))

    @traitlets.default("presets")
    def _presets(self) -> list[dict]:
        return [preset_state(preset) for preset in PRESETS.values()]

    @property
    def preset(self) -> Preset:
        """The first preset with these scales, or else one named "own"."""
        state = {name: getattr(self, name) for name in _state(_VOC)}
        for preset in PRESETS.values():
            if _state(preset) == state:
                return preset
        rule = ScaleRule(*(state[name] for name in _RULE))
        maps = _maps(self.image_size)[: self.maps]
        return Preset("own", self.image_size, maps, rule, "ScalesExplorer")

    @preset.setter
    def preset(self, preset: Preset | str) -> None:
        with self.hold_trait_notifications():
            for name, value in _state(preset).items():
                setattr(self, name, value)

    @traitlets.validate("s_min", "s_max")
    def _rising(self, proposal):
        low, high = self._with(proposal, "s_min"), self._with(proposal, "s_max")
        if low >= high:
            bounds = f"s_min = {low:g}, s_max = {high:g}"
            raise traitlets.TraitError(f"ScalesExplorer: s_min must be below s_max, not {bounds}")
        return proposal["value"]

    @traitlets.validate("maps", "image_size")
    def _enough(self, proposal):
        maps, size = self._with(proposal, "maps"), self._with(proposal, "image_size")
        if maps > (most := len(_maps(size))):
            why = f"a network for {size} px has {most}"
            raise traitlets.TraitError(f"ScalesExplorer.maps is {maps}; {why}")
        return proposal["value"]

    def _with(self, proposal, name: str):
        """Return the value of a trait if the proposal is accepted."""
        return proposal["value"] if proposal["trait"].name == name else getattr(self, name)

    def draw(self, figure) -> None:
        """Draw the squares over the scene, and beside them s_k against k for both presets."""
        figure.set_size_inches(7, 3.6)
        picture, chart = figure.subplots(1, 2)
        self.draw_scene(picture, margin=0.1)
        own, other = compute_scales(self.preset), compute_scales(PRESETS[self.compared])
        x, y = self.centre
        for k, (small, following) in enumerate(pairwise(own)):
            look = plots.map_look(k)
            for side, width in ((small, 2), (extra_scale(small, following), 1)):
                box = torch.tensor([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
                plots.draw_boxes(picture, box, color=look.color, width=width)
            chart.plot(k + 1, small, marker=look.marker, color=look.color, markersize=8, zorder=3)
        chart.plot(range(1, len(own) + 1), own, color=plots.INK, linewidth=1)
        style = {"color": plots.QUIET, "linestyle": "--", "label": self.compared}
        chart.plot(range(1, len(other) + 1), other, **style)
        chart.set(xlabel="map $k$", ylabel="scale $s_k$", ylim=(0, None), title=self.preset.name)
        chart.legend(loc="lower right")


def _state(preset: Preset | str) -> dict:
    """Return the traits that describe this preset."""
    preset = get_preset(preset) if isinstance(preset, str) else preset
    rest = {"maps": len(preset.maps), "image_size": preset.image_size}
    return asdict(preset.rule) | rest


def _maps(image_size: int) -> tuple:
    """Return the feature maps of a network for pictures of this size."""
    return next(preset.maps for preset in PRESETS.values() if preset.image_size == image_size)
