"""One area, any shape: the boxes of a cell by their aspect ratio (chapter 6)."""

import torch
import traitlets

from ssd_book.explorers.explorer import preset_state
from ssd_book.explorers.on_scene import OnScene, Point
from ssd_book.explorers.traits import Number
from ssd_tutorial.figures import plots
from ssd_tutorial.presets import get_preset
from ssd_tutorial.scales import compute_scales, extra_scale

_PRESET = get_preset("caffe300_voc")
_SCALES = compute_scales(_PRESET)


class AspectRatioExplorer(OnScene, module="aspect"):
    """A box to stretch at constant area, among the other boxes of its cell."""

    alt = (
        "A drawn scene with a lighthouse, an airplane and a train. A tall box of ratio 1/2 "
        "is on the lighthouse, among the other boxes of its cell; its width and height are "
        "marked. Beside it are two bars, the root of the ratio and its inverse."
    )
    scene = 374
    preset = traitlets.Dict(preset_state(_PRESET), read_only=True).tag(sync=True)
    map = traitlets.Int(2, min=0, max=len(_PRESET.maps) - 1).tag(sync=True)
    """Index of the feature map. Changing the map sets its scale."""
    scale = Number(_SCALES[2], min=0.05, max=1).tag(sync=True)
    """s: the square root of the box's area. At most the next map's scale."""
    ratio = Number(0.5, min=1 / 9, max=9).tag(sync=True)
    """a: width over height."""
    centre = Point([0.5, 0.4217]).tag(sync=True)
    """The centre of the boxes; initially on the lighthouse."""

    def __init__(self, **traits):
        super().__init__(**traits)
        if "scale" in traits:  # it takes precedence over the map's
            self.scale = traits["scale"]

    @traitlets.observe("map")
    def _follow(self, change):
        """Set the new map's scale if the scale was the old map's or is too large now."""
        old, new = change["old"], change["new"]  # old is None during construction
        if old is None or self.scale == _SCALES[old] or self.scale > _SCALES[new + 1]:
            self.scale = _SCALES[new]

    @traitlets.validate("scale")
    def _below_the_next(self, proposal):
        if (scale := proposal["value"]) > (most := _SCALES[self.map + 1]):
            name = _PRESET.maps[self.map].name
            bound = f"the scale after {name}'s is {most:g}; choose a later map"
            raise traitlets.TraitError(f"AspectRatioExplorer.scale is {scale:g}: {bound}")
        return proposal["value"]

    @property
    def box(self) -> list[float]:
        """The box, xyxy in fractions of the picture; it may reach beyond the border."""
        return self._around(self.scale * self.ratio**0.5, self.scale / self.ratio**0.5)

    def _around(self, width: float, height: float) -> list[float]:
        x, y = self.centre
        return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]

    def draw(self, figure) -> None:
        """Draw the box and the others of its cell over the scene; the two roots as bars."""
        figure.set_size_inches(7, 3.6)
        picture, bars = figure.subplots(1, 2, width_ratios=(1.3, 1))
        self.draw_scene(picture, margin=0.1)
        look = plots.map_look(self.map)
        large = extra_scale(self.scale, _SCALES[self.map + 1])
        ghosts = [self._around(self.scale, self.scale), self._around(large, large)]
        for r in _PRESET.maps[self.map].ratios:
            w, h = self.scale * r**0.5, self.scale / r**0.5
            ghosts += [self._around(w, h), self._around(h, w)]
        plots.draw_boxes(picture, torch.tensor(ghosts), color=look.color, width=1)
        name = [f"{self.ratio:.2f}"]
        plots.draw_boxes(picture, torch.tensor(self.box), name, color=look.color, width=3)
        root = self.ratio**0.5
        names = [f"$\\sqrt{{a}}$ = {root:.3f}", f"$1/\\sqrt{{a}}$ = {1 / root:.3f}"]
        bars.barh(names, [root, 1 / root], color=look.color, hatch="//", edgecolor="white")
        bars.axvline(1, color=plots.INK, linewidth=1)
        bars.set(xlim=(0, 3), title=f"a = {self.ratio:.2f}", ylim=(1.6, -0.6))
