"""What all explorers share: a module, traits, and a picture for pages without scripts.

An explorer is a widget that computes in the browser, so that it works in the built page, too. Its
Python class holds the state: it can be read after dragging, and setting it updates the figure.
"""

import base64
import io
from dataclasses import asdict

import anywidget
import traitlets
from torch import Tensor
from torchvision.transforms.v2 import functional as F

from ssd_book.explorers.modules import STYLE_SHEET, joined
from ssd_tutorial.presets import Preset

_VIEW = "application/vnd.jupyter.widget-view+json"


class Explorer(anywidget.AnyWidget):
    """Base of the explorers.

    A subclass names its ES module, ``class IoUExplorer(Explorer, module="iou")``; tags the traits
    that the module reads with ``sync=True``; says in `alt` what its picture shows; and draws that
    picture in `draw`, for pages where no script runs.
    """

    alt = ""
    """A description of the picture."""
    module = traitlets.Unicode(read_only=True).tag(sync=True)

    def __init_subclass__(cls, module: str = "", **kwargs):
        if module:  # traitlets makes a subclass of each instance, too
            cls._esm = joined(module)
            cls._css = STYLE_SHEET.read_text(encoding="utf-8")
            cls._module = module
        super().__init_subclass__(**kwargs)

    def __init__(self, **traits):
        if unknown := set(traits) - set(self.trait_names()):
            own = sorted(set(self.trait_names(sync=True)) - set(Explorer.class_trait_names()))
            name, wrong = type(self).__name__, ", ".join(sorted(unknown))
            raise TypeError(f"{name} has no {wrong}; it has {', '.join(own)}")
        super().__init__(**traits)

    @traitlets.default("module")
    def _default_module(self) -> str:
        return self._module

    def draw(self, figure) -> None:
        """Draw the explorer's state on an empty matplotlib `figure`."""
        raise NotImplementedError

    def png(self) -> bytes:
        """Return the picture as PNG."""
        from matplotlib import style
        from matplotlib.figure import Figure  # not pyplot, which would show the picture twice

        from ssd_tutorial.figures.plots import STYLE

        with style.context(STYLE), io.BytesIO() as file:
            figure = Figure()
            self.draw(figure)
            figure.savefig(file, format="png", metadata={"Software": None})
            return file.getvalue()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.alt}>"  # without an address, the same in every run

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        picture = base64.b64encode(self.png()).decode()
        shown = {_VIEW: data[_VIEW], "image/png": picture, "text/plain": repr(self)}
        return shown, {**metadata, "image/png": {"alt": self.alt}}


def picture_uri(image: Tensor, side: int = 300, quality: int = 70) -> str:
    """Return an image ``[3, H, W]``, uint8, as a JPEG data URI, with no side above `side` px."""
    height, width = image.shape[-2:]
    factor = min(1, side / max(height, width))
    size = [max(1, round(height * factor)), max(1, round(width * factor))]
    with io.BytesIO() as file:
        F.to_pil_image(F.resize(image, size)).save(file, "JPEG", quality=quality, optimize=True)
        return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def square(image: Tensor) -> Tensor:
    """Return the square in the middle of an image ``[3, H, W]``."""
    return F.center_crop(image, [min(image.shape[-2:])] * 2)


def preset_state(preset: Preset) -> dict:
    """Return a preset as `geometry.js` reads it."""
    return asdict(preset)
