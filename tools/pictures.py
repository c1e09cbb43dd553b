"""Make the stored pictures of a notebook light: fewer colours, and fewer pixels if necessary.

GitHub and JupyterLab show the stored pictures before a cell is run; the pages show those of the
build's own execution. Each is stored with the fewest colours that keep its structural similarity
(Wang et al. 2004: luminance, Gaussian window) with the picture as drawn at `SIMILAR` or above.
If the notebook is still too large, the heaviest pictures are stored smaller, step by step, with the
width at which to show them. Nothing that nbval compares changes.
"""

import base64
import io
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

PNG = "image/png"
SIMILAR = 0.98
COLOURS = (32, 64, 128, 256)
SCALES = (1, 0.8, 0.65, 0.5, 0.4, 0.32, 0.25)
NOTEBOOK = 690_000  # bytes of a whole notebook; the lint allows 700 000
GALLERY = 300_000  # of explorers.ipynb, whose pictures are in the chapters, too


def similarity(one: Image.Image, other: Image.Image) -> float:
    """Return the structural similarity of two pictures of one size: 1 for the same."""
    return structural_similarity(
        *(np.asarray(picture.convert("L")) for picture in (one, other)),
        data_range=255,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )


def encoded(picture: Image.Image) -> str:
    """Return a PNG as notebooks store it."""
    with io.BytesIO() as file:
        picture.save(file, "PNG", optimize=True)
        return base64.b64encode(file.getvalue()).decode() + "\n"


def decoded(stored: str | list[str]) -> Image.Image:
    """Return the picture that a notebook stores."""
    return Image.open(io.BytesIO(base64.b64decode("".join(stored))))


def shrunk(picture: Image.Image, scale: float) -> Image.Image:
    """Return the picture with its sides multiplied by `scale`."""
    size = [max(1, round(side * scale)) for side in picture.size]
    return picture.resize(size, Image.Resampling.LANCZOS) if scale < 1 else picture


def light(picture: Image.Image) -> str:
    """Return the picture with the fewest of `COLOURS` at which it stays similar, or all it has."""
    for number in COLOURS:
        few = picture.quantize(number, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
        if similarity(picture, few) >= SIMILAR:
            return encoded(few)
    return encoded(picture)


def bound(path: Path) -> int:
    """Return the most bytes that a notebook may have after `lighten`."""
    return GALLERY if path.stem == "explorers" else NOTEBOOK


def lighten(notebook, most: int = NOTEBOOK):
    """Lighten the stored pictures, in place, until the notebook has at most `most` bytes.

    Pictures with a palette were lightened before and are left as they are.

    Raises:
        ValueError: it has more, however small the pictures are.
    """
    stored = []  # [output, picture as drawn, index of its scale]
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if PNG in output.get("data", {}):
                picture = decoded(output.data[PNG])
                if picture.mode != "P":
                    stored.append([output, picture.convert("RGB"), 0])
                    output.data[PNG] = light(stored[-1][1])
    size = len(nbformat.writes(notebook).encode())
    while size > most:
        heaviest = max(stored, key=lambda each: len(each[0].data[PNG]), default=None)
        if heaviest is None or heaviest[2] + 1 == len(SCALES):
            raise ValueError(
                f"the notebook exceeds {most} bytes even with its smallest pictures: draw fewer"
            )
        output, picture, step = heaviest
        before, heaviest[2] = len(output.data[PNG]), step + 1
        output.data[PNG] = light(shrunk(picture, SCALES[step + 1]))
        output.metadata[PNG] = {"width": picture.width}
        size += len(output.data[PNG]) - before
    return notebook
