"""The report of an evaluation that people look at: one HTML file that needs nothing else."""

import base64
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from pathlib import Path
from string import Template

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from torch.utils.data import Dataset

from ssd_tutorial.doctor import error_drawing
from ssd_tutorial.doctor.detection_errors import count_errors, surest_errors
from ssd_tutorial.doctor.drawing import encoded
from ssd_tutorial.doctor.measures import Measures, best_point, pooled_curve
from ssd_tutorial.figures import plots

SHOWN = 12
"""How many of the surest errors are drawn."""
_MOST_CURVES, _MOST_CONFUSED = 7, 25
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
    template = Path(__file__).with_name("page.html").read_text(encoding="utf-8")
    return Template(template).substitute(
        title=escape(title),
        summary=measures.summary_table()._repr_html_(),
        classes=measures.class_table()._repr_html_(),
        curves=_curves(measures),
        confusion=_confusion(measures),
        kinds=_kinds(measures),
        errors=_errors(measures, dataset, kept),
    )


def _curves(measures: Measures) -> str:
    names = sorted(measures.classes, key=measures.voc.objects.get, reverse=True)[:_MOST_CURVES]
    curves, pooled = {n: measures.voc.curves[n] for n in names}, pooled_curve(measures.voc)
    left = len(measures.classes) - len(names)
    of = f"of the {len(names)} most frequent classes" if left else "of each class"
    return _figure(
        lambda ax: error_drawing.draw_curves(ax, curves, measures.points),
        f"Precision and recall {of}; dots are at the suggested scores.",
    ) + _figure(
        lambda ax: error_drawing.draw_thresholds(ax, pooled, best_point(pooled)),
        "All classes together: what each score gives. The line is at the best F1.",
    )


def _confusion(measures: Measures) -> str:
    by_count = sorted(measures.classes, key=measures.voc.objects.get, reverse=True)
    shown = [name for name in measures.classes if name in by_count[:_MOST_CONFUSED]]
    rows = [0, *(measures.classes.index(name) + 1 for name in shown)]
    side = max(4.4, 0.55 * len(rows) + 2)
    caption = "How many boxes and objects."
    if len(shown) < len(measures.classes):
        caption = f"How many boxes and objects, of the {len(shown)} most frequent classes."
    table = measures.confusion[rows][:, rows]
    return _figure(lambda ax: error_drawing.draw_confusion(ax, table, shown), caption, (side, side))


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
        what = {"image": image, "target": target, "error": error, "classes": measures.classes}
        figures.append(_figure(partial(error_drawing.draw_error, **what), caption))
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
