"""The figure of a report: sizes of the boxes against the priors, classes, best IoU by preset."""

import io
import warnings
from collections.abc import Mapping

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ssd_tutorial.boxes import xyxy_to_cxcywh
from ssd_tutorial.doctor.reach import REACHED
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.figures import plots
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes

PRESET = "caffe300_voc"
_SHOWN = ("caffe300_voc", "caffe300_coco", "caffe512_voc", "caffe512_coco")
_MOST_DOTS = 5000
_MOST_CLASSES = 25


def figure(report: Report, preset: str = PRESET) -> Figure:
    """Draw four panels: box sizes and prior shapes; classes; best IoU; objects that are missed.

    Args:
        report: from `examine`.
        preset: the preset whose prior shapes are drawn with the sizes of the boxes.

    Raises:
        ValueError: there is no preset of this name.
    """
    classes = min(len(report.classes), _MOST_CLASSES)
    with plt.style.context(plots.STYLE):
        fig, axes = plt.subplots(2, 2, figsize=(10.5, 7.6 + max(0, classes - 12) * 0.2))
        draw_sizes(axes[0, 0], report, preset)
        draw_classes(axes[0, 1], report)
        draw_best(axes[1, 0], report)
        draw_missed(axes[1, 1], report)
    return fig


def encoded(fig: Figure, **how) -> bytes:
    """Close a figure and return its file; letters that no font has are boxes, without warnings.

    Args:
        fig: the figure.
        how: passed to `Figure.savefig`, such as ``format="png"``.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        fig.savefig(buffer, **how)
    plt.close(fig)
    return buffer.getvalue()


def draw_sizes(ax: Axes, report: Report, preset: str = PRESET) -> None:
    """Draw width and height of every object, one dot each, and of the shapes of the priors."""
    sizes = xyxy_to_cxcywh(report.objects.boxes)[:, 2:]
    if len(sizes) > _MOST_DOTS:  # the same dots every time
        order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(0))
        sizes = sizes[order[:_MOST_DOTS]]
    ax.scatter(*sizes.T.numpy(), s=5, c=plots.QUIET, alpha=0.5, linewidths=0, label="object")
    chosen = get_preset(preset)
    dot = {"s": 38, "edgecolors": "white", "linewidths": 0.7, "zorder": 3}
    for k in range(len(chosen.maps)):
        look, shapes = plots.map_look(k), cell_shapes(chosen, k).T.numpy()
        ax.scatter(*shapes, marker=look.marker, c=look.color, label=look.name, **dot)
    ticks = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]
    low = min(0.04, 0.8 * float(sizes.min().clamp(min=1e-3))) if len(sizes) else 0.04
    ax.set(xscale="log", yscale="log", xlim=(low, 1.9), ylim=(low, 1.9))
    ax.set(xlabel="width / width of the picture", ylabel="height / height of the picture")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks([t for t in ticks if t >= low], [f"{t:g}" for t in ticks if t >= low])
        axis.set_ticks([], minor=True)
    ax.legend(fontsize=9, handletextpad=0.1, loc="upper left", markerscale=1.0)
    ax.set_title(f"Objects and the shapes of {preset}")


def draw_classes(ax: Axes, report: Report) -> None:
    """Draw the number of objects per class, one bar each; the most frequent is on top."""
    counts = {name: count.objects for name, count in report.classes.items()}
    shown = sorted(counts, key=counts.get, reverse=True)[:_MOST_CLASSES]
    _draw_bars(ax, {name: counts[name] for name in shown}, "%d", plots.BLUE)
    left = len(counts) - len(shown)
    ax.set(xlabel="objects", title="Classes" + (f" (and {left} rarer)" if left else ""))


def draw_best(ax: Axes, report: Report) -> None:
    """Draw how many objects have which IoU with their best prior, one line per preset."""
    shown = [reach for reach in report.reaches if reach.preset in _SHOWN]
    edges = torch.linspace(0, 1, 21).tolist()
    ax.axvspan(0, REACHED, color=plots.QUIET, alpha=0.15, linewidth=0)
    ax.text(0.02, 0.96, "not reached", transform=ax.get_xaxis_transform(), va="top", fontsize=10)
    for reach, look, color in zip(shown, plots.LOOKS, plots.COLORS, strict=False):
        share = [count / max(reach.objects, 1) for count in reach.histogram]
        ax.stairs(share, edges, color=color, linestyle=look.line, label=reach.preset, lw=1.8)
    ax.set(xlabel="IoU with the best prior", ylabel="share of the objects", xlim=(0, 1))
    ax.legend(fontsize=9, loc="center left")
    ax.set_title("Best IoU of each object")


def draw_missed(ax: Axes, report: Report) -> None:
    """Draw the share of objects below 0.5 of every preset, one bar each."""
    shares = {reach.preset: 100 * reach.unreached_share for reach in report.reaches}
    _draw_bars(ax, shares, "%.1f %%", plots.ORANGE)
    ax.set(xlabel="objects not reached, in %", title="Objects without a prior at IoU 0.5")


def _draw_bars(ax: Axes, values: Mapping[str, float], form: str, color: str) -> None:
    """Draw a horizontal bar per entry, the first on top, with its value as text."""
    bars = ax.barh(range(len(values)), list(values.values()), color=color, height=0.7)
    ax.bar_label(bars, fmt=form, padding=3, fontsize=10)
    ax.set_yticks(range(len(values)), map(plots.literal, values))
    ax.set_xlim(0, 1.2 * max([*values.values(), 1]))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
