"""An IPython extension of the build's kernels: keep what the pages show instead of small PNGs.

Notebooks store a small PNG of each figure. A kernel of the build sends the same PNG, so that nbval
sees no difference, and keeps beside it, in a folder and under the PNG's SHA-256, the figure as
`book/_ext/book_pictures.py` puts it on the page:

* a plot as SVG, whose text the page sets in its own font and whose colours follow its theme;
* a figure with pictures, or with thousands of lines, as WebP at twice the size. A drawn scene in it
  is drawn again with as many pixels as it has room for, at most `SIDE`.
"""

import gzip
import hashlib
import io
import sys
import warnings
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from IPython.core import pylabtools

from ssd_tutorial._files import atomic_write

FONTS = Path(__file__).resolve().parent.parent / "_static" / "fonts"
DPI, WIDEST = 260, 1600  # of a WebP: twice a PNG's, and (in px) about twice a page's column
SIDE = 1200  # px of a scene
HEAVIEST = 20_000  # bytes of a gzipped SVG: a heavier figure is a WebP
QUALITY = {"quality": 84, "method": 4}
SCENES = "ssd_tutorial.datasets.scenes"


def load_ipython_extension(shell) -> None:
    """Keep each figure that the kernel shows in the folder that its profile names."""
    folder, scenes = Path(shell.config.PagePictures.folder), KnownScenes()
    # What is printed arrives when the cell ends. On a busy machine a line may be sent in two parts,
    # which would be two lines on the page.
    sys.stdout.flush_interval = 3600
    shell.events.register("pre_run_cell", scenes.listen)
    draw = pylabtools.print_figure

    def print_figure(figure, fmt="png", bbox_inches="tight", base64=False, **options):
        data = draw(figure, fmt, bbox_inches, base64, **options)
        if fmt == "png" and data:
            keep(figure, b64decode(data) if base64 else data, folder, scenes)
        return data

    pylabtools.print_figure = print_figure


def keep(figure, png: bytes, folder: Path, scenes: "KnownScenes") -> Path:
    """Write the page's form of a figure into `folder`, under its PNG's hash; return the file."""
    with font_of_pages(figure), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the chapter has heard them from the PNG
        content, kind = as_svg(figure), "svg"
        if content is None or len(gzip.compress(content)) > HEAVIEST:
            content, kind = as_webp(figure, scenes), "webp"
    file = folder / f"{hashlib.sha256(png).hexdigest()}.{kind}"
    with atomic_write(file) as partial:  # other kernels may draw the same
        partial.write_bytes(content)
    return file


@contextmanager
def font_of_pages(figure) -> Iterator[None]:
    """Set a figure's text in the pages' font, so that it has room for it."""
    from matplotlib import rc_context
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    for file in map(str, FONTS.glob("sans-*.ttf")):
        if not any(entry.fname == file for entry in fontManager.ttflist):
            fontManager.addfont(file)
    texts = [text for text in figure.findobj(Text) if text.get_fontfamily() == ["sans-serif"]]
    for text in texts:
        text.set_fontfamily(["Inter", "sans-serif"])
    try:
        with rc_context({"font.family": ["Inter", "sans-serif"], "svg.hashsalt": "book"}):
            yield
    finally:
        for text in texts:
            text.set_fontfamily(["sans-serif"])


def as_svg(figure) -> bytes | None:
    """Return a plot as SVG without a background, and None for a figure with pictures.

    With a formula, or a sign that the pages' font lacks, all letters are outlines: text would be
    set in whatever fonts a reader has.
    """
    from matplotlib import rc_context
    from matplotlib.cbook import is_math_text
    from matplotlib.font_manager import get_font
    from matplotlib.text import Text

    if any(axes.images for axes in figure.axes):
        return None
    words = [text.get_text() for text in figure.findobj(Text)]
    letters = {*map(chr, get_font(str(FONTS / "sans-400.ttf")).get_charmap()), "\n"}
    as_text = all(letters.issuperset(word) and not is_math_text(word) for word in words)
    with rc_context({"svg.fonttype": "none" if as_text else "path"}), io.BytesIO() as file:
        options = {"bbox_inches": "tight", "transparent": True, "metadata": {"Date": None}}
        figure.savefig(file, format="svg", **options)
        return file.getvalue()


def as_webp(figure, scenes: "KnownScenes") -> bytes:
    """Return a figure as WebP, at twice the size of its PNG."""
    dpi = min(DPI, WIDEST / figure.get_figwidth())
    with larger_pictures(figure, dpi, scenes), io.BytesIO() as file:
        figure.savefig(file, format="webp", dpi=dpi, bbox_inches="tight", pil_kwargs=QUALITY)
        return file.getvalue()


@contextmanager
def larger_pictures(figure, dpi: float, scenes: "KnownScenes") -> Iterator[None]:
    """Show the scenes of a figure with more pixels, and enlarge other pictures smoothly."""
    before = []
    for image in (image for axes in figure.axes for image in axes.images):
        pixels, (left, right, *_) = np.asarray(image.get_array()), image.get_extent()
        (x0, _), (x1, _) = image.axes.transData.transform([(left, 0), (right, 0)])
        room = round(abs(x1 - x0) * dpi / figure.dpi)
        if pixels.ndim == 3 and pixels.shape[1] < room and image.get_interpolation() in SMOOTH:
            before.append((image, image.get_array(), image.get_interpolation()))
            image.set_interpolation("bicubic")
            if (scene := scenes.larger(pixels, min(room, SIDE))) is not None:
                image.set_data(scene)
    try:
        yield
    finally:
        for image, pixels, interpolation in before:
            image.set_data(pixels)
            image.set_interpolation(interpolation)


SMOOTH = ("auto", "antialiased")  # matplotlib's choice, not a chapter's


class KnownScenes:
    """The scenes that a kernel has drawn, each found again by its pixels."""

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int, int]] = []  # seed, index, size
        self.signs: list[np.ndarray] = []

    def listen(self, *_) -> None:
        """Note every scene from now on, once the package's scenes are imported."""
        module = sys.modules.get(SCENES)
        if module is None or hasattr(module.compose, "noted"):
            return
        compose = module.compose

        def noted(seed, index, size=300):
            scene = compose(seed, index, size)
            self.drawn.append((seed, index, size))
            self.signs.append(sign(scene.image / np.float32(255)))
            return scene

        noted.noted = True
        module.compose = noted

    def larger(self, pixels: np.ndarray, side: int) -> np.ndarray | None:
        """Return the same scene with `side` px, as pale as it is given; None for other pictures.

        Args:
            pixels: float [H, W, 3] in 0 .. 1, maybe with a share of white mixed in.
        """
        if not self.signs or pixels.shape[0] != pixels.shape[1]:
            return None
        own = sign(pixels)
        size = np.linalg.norm(own)
        same = np.stack(self.signs) @ own / (np.linalg.norm(self.signs, axis=1) * size)
        best = int(same.argmax())
        seed, index, drawn_size = self.drawn[best]
        if same[best] < 1 - 1e-5 or drawn_size != len(pixels):
            return None
        compose = sys.modules[f"{SCENES}.compose"].compose
        small, large = compose(seed, index, drawn_size), compose(seed, index, side)
        if list(small.labels) != list(large.labels):
            return None
        moved = np.abs(small.boxes / drawn_size - large.boxes / side).max()
        if moved > 1 / drawn_size:  # an object that just fitted, or just did not
            return None
        shown = size / np.linalg.norm(self.signs[best])
        return 1 - (1 - large.image / np.float32(255)) * shown


def sign(pixels: np.ndarray) -> np.ndarray:
    """Return what identifies a picture, times the share of it that white leaves."""
    rows, columns = (np.linspace(0, side - 1, 8).astype(int) for side in pixels.shape[:2])
    return (1 - pixels[rows][:, columns]).ravel().astype(np.float32)
