"""The style of the book's figures, with one colour, line and marker per feature map."""

from typing import NamedTuple

# For figures 5.2 inches wide: a phone shows them at 60 %, where 11 pt is still readable.
STYLE = {
    "figure.figsize": (5.2, 3.6),
    "figure.dpi": 130,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#5b6570",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e7ec",
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "xtick.color": "#3a424d",
    "ytick.color": "#3a424d",
    "legend.fontsize": 11,
    "legend.frameon": False,
    "lines.linewidth": 2.0,
    "image.cmap": "cividis",  # ordered by lightness for every kind of colour vision, and in grey
}
"""For ``plt.style.use(plots.STYLE)``, once at the top of a chapter."""

INK, QUIET = "#1f262e", "#8a939d"
"""For ground truths and text; for negatives and what is in the background."""


class MapLook(NamedTuple):
    """How a feature map is drawn in every figure."""

    name: str
    color: str
    line: str | tuple
    """A matplotlib line style."""
    marker: str


LOOKS = (
    MapLook("conv4_3", "#0072b2", "-", "o"),
    MapLook("conv7", "#e06c00", "--", "s"),
    MapLook("conv8_2", "#1a9a6c", "-.", "^"),
    MapLook("conv9_2", "#e0559f", ":", "D"),
    MapLook("conv10_2", "#6b4a00", (0, (6, 1, 1, 1, 1, 1)), "v"),
    MapLook("conv11_2", "#432a8f", (0, (9, 3)), "P"),
    MapLook("conv12_2", "#4a4a4a", (0, (2, 1)), "X"),
)
"""By index of the map; distinct for every kind of colour vision, and by line and marker."""
MAP_COLORS: dict[str, str] = {look.name: look.color for look in LOOKS}
"""The colour of each feature map by its name, in the order of the maps."""


def map_look(key: int | str) -> MapLook:
    """Return the style of a feature map, by its index from 0 or by its name.

    Raises:
        ValueError: there is none; the message lists the names.
    """
    for k, look in enumerate(LOOKS):
        if key in (k, look.name):
            return look
    raise ValueError(f"no feature map is called {key!r}; there are {', '.join(MAP_COLORS)}")
