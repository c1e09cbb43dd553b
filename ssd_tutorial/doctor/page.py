"""The report of an evaluation, to be looked at: one HTML file that needs nothing else."""

import base64
from collections.abc import Callable, Sequence
from html import escape

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch.utils.data import Dataset

from ssd_tutorial.doctor.detection_errors import count_errors, surest_errors
from ssd_tutorial.doctor.drawing import encoded
from ssd_tutorial.doctor.error_drawing import (
    draw_confusion,
    draw_curves,
    draw_error,
    draw_thresholds,
)
from ssd_tutorial.doctor.measures import Measures, best_point, pooled_curve
from ssd_tutorial.figures import plots
from ssd_tutorial.figures.tables import Table

SHOWN = 12
"""How many of the surest errors are drawn."""
_MOST_CURVES, _MOST_CONFUSED = 7, 25
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
p { max-width: 42rem; }
img { max-width: 100%; height: auto; background: white; }
.wide { overflow-x: auto; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(16rem, 1fr)); gap: 1rem; }
.curves { grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); margin-top: 1.5rem; }
@media (max-width: 23rem) { .grid { grid-template-columns: 1fr; } }
figure { margin: 0; } figcaption { font-size: .9rem; overflow-wrap: anywhere; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #8886; text-align: left; }
"""
_KINDS = {
    "classification": "fits an object of another class",
    "localization": "touches an object of its class, but overlaps it too little",
    "both": "touches an object of another class",
    "background": "touches no object",
}


def evaluation_page(measures: Measures, dataset: Dataset, kept: Sequence[int], title: str) -> str:
    """Return the report as HTML, with pictures inside.

    Args:
        measures: from `measure`.
        dataset: what was measured on, with items as those of `AnnotatedFolder`.
        kept: for each measured image its index in the dataset.
        title: what was measured on what.
    """
    parts = [
        f"<h1>{escape(title)}</h1>",
        _wide(measures.summary_table()),
        "<h2>Each class, and the score to ask for</h2>",
        "<p>The suggested score gives the best F1, the harmonic mean of precision (how many of the "
        "boxes are right) and recall (how many of the objects are found), on these pictures. With "
        "<code>detect --score</code>, a lower one finds more and is wrong more often.</p>",
        _wide(measures.class_table()),
        _curves(measures),
        "<h2>What is taken for what</h2>",
        "<p>A row is what an object is, a column what it is detected as, at the suggested scores. "
        "“Nothing” is the background: its row has the boxes that fit no object, its column the "
        "objects that were missed. Right detections are on the diagonal.</p>",
        _confusion(measures),
        f"<p>{escape(_kinds(measures))}</p>",
        "<h2>The surest errors</h2>",
        "<p>These false boxes (dashed) have the highest scores. Check them first: often it is the "
        "label that is wrong or missing.</p>",
        _errors(measures, dataset, kept),
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="generator" content="ssd_tutorial eval">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _curves(measures: Measures) -> str:
    names = sorted(measures.classes, key=measures.voc.objects.get, reverse=True)[:_MOST_CURVES]
    pooled = pooled_curve(measures.voc)
    left = len(measures.classes) - len(names)
    of = f"of the {len(names)} most frequent classes" if left else "of each class"
    return "".join([
        '<div class="grid curves">',
        _figure(
            lambda ax: draw_curves(ax, {n: measures.voc.curves[n] for n in names}, measures.points),
            f"Precision and recall {of}; dots are at the suggested scores.",
        ),
        _figure(
            lambda ax: draw_thresholds(ax, pooled, best_point(pooled)),
            "All classes together: what each score gives. The line is at the best F1.",
        ),
        "</div>",
    ])  # fmt: skip


def _confusion(measures: Measures) -> str:
    by_count = sorted(measures.classes, key=measures.voc.objects.get, reverse=True)
    shown = [name for name in measures.classes if name in by_count[:_MOST_CONFUSED]]
    rows = [0, *(measures.classes.index(name) + 1 for name in shown)]
    side = max(4.4, 0.55 * len(rows) + 2)
    caption = "How many boxes and objects."
    if len(shown) < len(measures.classes):
        caption = f"How many boxes and objects, of the {len(shown)} most frequent classes."
    table = measures.confusion[rows][:, rows]
    return _figure(lambda ax: draw_confusion(ax, table, shown), caption, (side, side))


def _kinds(measures: Measures) -> str:
    counts = count_errors(measures.errors)
    false = ", ".join(f"{counts[kind]} {kind}" for kind in _KINDS)
    return (
        f"At these scores {counts['true positive']} boxes are right and {counts['missed']} objects "
        f"are missed. Of the other boxes {counts['duplicate']} are duplicates. Errors: {false}."
    )


def _errors(measures: Measures, dataset: Dataset, kept: Sequence[int]) -> str:
    figures = []
    for error in surest_errors(measures.errors)[:SHOWN]:
        image, target = dataset[kept[error.image]]
        caption = f"{target['name']}: {error.kind}, it {_KINDS[error.kind]}"

        def draw(ax: Axes, image=image, target=target, error=error) -> None:
            draw_error(ax, image, target, error, measures.classes)

        figures.append(_figure(draw, caption))
    return f'<div class="grid">{"".join(figures)}</div>' if figures else "<p>There is none.</p>"


def _figure(draw: Callable[[Axes], None], caption: str, size: tuple = (5.2, 4.4)) -> str:
    """Draw something and return it inside of HTML."""
    with plt.style.context(plots.STYLE):
        fig, ax = plt.subplots(figsize=size)
        draw(ax)
        data = encoded(fig, format="jpeg", pil_kwargs={"quality": 88})
    data = base64.b64encode(data).decode()
    image = f'<img alt="{escape(caption)}" src="data:image/jpeg;base64,{data}">'
    return f"<figure>{image}<figcaption>{escape(caption)}</figcaption></figure>"


def _wide(table: Table) -> str:
    return f'<div class="wide" tabindex="0">{table._repr_html_()}</div>'
