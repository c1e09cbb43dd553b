"""Sphinx extension: exercises are answered on the page, or say where to run them.

An exercise whose answer is a number, several, or one of a few choices gets a form below its text.
`answers.js` checks it with the properties, mistakes and hints of `ssd_book.checks`, which the form
holds as data, encoded so that the source of a page gives no answer away at a glance. Without
scripts the form stays hidden. Any other exercise says how to open the chapter's plain notebook.
"""

import base64
import json
import re
import zlib
from html import escape
from pathlib import Path

from docutils import nodes
from ssd_book.checks import find
from ssd_book.checks.engine import Exercise
from ssd_book.checks.page import page_table

STATIC = Path(__file__).parent.parent / "_static"
CHECKS = Path(__file__).parent.parent / "ssd_book" / "checks"
ANCHOR = re.compile(r"exercise-(\d+)-(\d+)")  # given by book_search.py
TYPED = (
    'type="text" autocomplete="off" autocapitalize="off" spellcheck="false" enterkeyhint="done" '
    'maxlength="80"'
)


def encoded(table: dict) -> str:
    """Return data as `answers.js` reads it from an attribute."""
    return base64.b64encode(json.dumps(table, ensure_ascii=False).encode()).decode()


def fields(exercise: Exercise, table: dict, name: str) -> str:
    """Return the labelled fields of a form: one, one per number, or one per choice."""
    asks = f"Your answer: {escape(exercise.wants)}"
    if "choices" in table:
        options = "".join(
            f'<label class="choice"><input type="radio" name="{name}" value="{escape(choice)}" '
            f'aria-describedby="{name}-said"><span>{escape(choice)}</span></label>'
            for choice in table["choices"]
        )
        return f"<fieldset><legend>Your answer</legend>{options}</fieldset>"
    names = table["properties"][0].get("names")
    if names is None:
        field = f'<input {TYPED} id="{name}-field" aria-describedby="{name}-said">'
        return f'<label class="asks" for="{name}-field">{asks}</label>{field}'
    inputs = "".join(
        f'<label class="part"><span>{escape(part)}</span>'
        f'<input {TYPED} aria-describedby="{name}-said"></label>'
        for part in names
    )
    return f"<fieldset><legend>{asks}</legend>{inputs}</fieldset>"


def form(exercise: Exercise, table: dict) -> str:
    """Return the form of an exercise."""
    chapter, number = map(int, exercise.id.split("."))
    name = f"answer-{chapter}-{number}"
    return (
        f'<form class="exercise-answer" id="{name}" aria-label="Exercise {chapter}.{number}" '
        f'data-exercise="{exercise.id}" data-check="{encoded(table)}" novalidate hidden>'
        f'{fields(exercise, table, name)}<button type="submit">Check</button>'
        f'<div class="said" id="{name}-said"></div></form>'
    )


def where_to_run(chapter: str, plain: str | None) -> str:
    """Return the line that says how to open a chapter's notebook; `plain` is its address."""
    line = (
        "Run your code in the chapter's notebook. "
        f"Open it with <code>make lab CHAPTER={chapter}</code>"
    )
    if plain is not None:
        line += f', or <a href="{plain}" download>download it</a>'
    return f'<p class="exercise-run">{line}.</p>'


def complete_exercises(app, doctree, docname):
    """Add to each exercise a form, or the line that says where to run it."""
    if app.builder.format != "html":
        return
    chapter = docname.rpartition("/")[2]
    plain = None
    if (Path(app.srcdir) / "notebooks" / f"{chapter}.ipynb").is_file():
        plain = "../" * docname.count("/") + f"_sources/notebooks/{chapter}.ipynb"
    for box in doctree.findall(nodes.admonition):
        for anchor in filter(None, map(ANCHOR.fullmatch, box["ids"])):
            try:
                exercise = find(f"{int(anchor[1]):02}.{anchor[2]}")
            except KeyError:  # an exercise without a check
                continue
            table = page_table(exercise)
            added = form(exercise, table) if table else where_to_run(chapter, plain)
            box += nodes.raw("", added, format="html")


def add_script(app, pagename, templatename, context, doctree):
    """Load the script where there is a form."""
    if 'class="exercise-answer"' in context.get("body", ""):
        app.add_js_file("answers.js", loading_method="defer")


def setup(app):
    # after the search has collected the text of the exercises
    app.connect("doctree-resolved", complete_exercises, priority=700)
    app.connect("html-page-context", add_script)
    app.add_css_file("answers.css")
    sources = [Path(__file__), *sorted(CHECKS.glob("*.py"))]
    return {
        "version": "1",
        # an edit of a check writes the pages again
        "env_version": zlib.crc32(b"".join(file.read_bytes() for file in sources)),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
