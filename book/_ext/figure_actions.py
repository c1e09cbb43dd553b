"""Sphinx extension: words of the text that act on a figure of the page.

``{plays}`a threshold of 0.3 <fig-matching-explorer: threshold=0.3>`` becomes a button that moves
the explorer there, and back when it is pressed again. ``{counts}`20 <fig-matching-opening: map>``
becomes one that shows which parts of the figure a number counts: those that the explorer's `put`
calls "map", or "map 0", "map 1" … Without scripts, in print and in plain notebooks both are the
words alone.

`explorer_actions.js` makes the buttons; `tests/browser/test_actions.py` presses each one.
"""

import json
import re
import zlib
from pathlib import Path

from docutils import nodes
from sphinx.util import logging

logger = logging.getLogger(__name__)

FORM = re.compile(r"(.+?)\s*<(fig-[\w-]+):\s*(.+)>", re.DOTALL)
TRAIT = re.compile(r"(?:^|,\s*)(\w+)=")


class acts(nodes.inline):
    """Words with ``data-`` attributes."""


def state_of(text: str) -> dict:
    """Return traits written as ``threshold=0.3, boxes=[[0, 0, 1, 1]]``, whose values are JSON.

    Raises:
        ValueError: a value is not JSON, or no trait is named.
    """
    parts = TRAIT.split(text.strip())
    if parts[0] or len(parts) < 3:
        raise ValueError(f"{text!r} does not read trait=value, trait=value")
    return {name: json.loads(value) for name, value in zip(parts[1::2], parts[2::2], strict=True)}


def role_for(kind: str):
    def role(name, rawtext, text, lineno, inliner, options=None, content=None):
        parts = FORM.fullmatch(nodes.unescape(text))
        try:
            if parts is None:
                raise ValueError(f"{text!r} does not read words <fig-name: ...>")
            words, figure, what = parts.groups()
            data = {"figure": figure}
            if kind == "plays":
                data["state"] = json.dumps(state_of(what))
            else:
                data["keys"] = " ".join(what.split())
        except ValueError as error:
            return [], [inliner.reporter.error(f"{{{kind}}}: {error}", line=lineno)]
        return [acts(words, words, classes=[kind], data=data)], []

    return role


def visit(self, node):
    data = {f"data-{name}": value for name, value in node["data"].items()}
    self.body.append(self.starttag(node, "span", "", **data))


def depart(self, node):
    self.body.append("</span>")


def check_figures(app, doctree):
    """Warn where words act on what is not an explorer of their page."""
    figures, explorers = set(), set()
    for figure in doctree.findall(nodes.figure):
        names = {*figure["names"], *figure["ids"]}
        figures |= names
        if any("explorer-place" in box["classes"] for box in figure.findall(nodes.container)):
            explorers |= names
    # a page that was not executed, as for a quick preview, has figures only
    known = explorers or figures
    for node in doctree.findall(acts):
        if (name := node["data"]["figure"]) not in known:
            logger.warning(f"{name} is not an explorer of this page", location=node)


def setup(app):
    app.add_node(acts, html=(visit, depart))
    app.add_role("plays", role_for("plays"))
    app.add_role("counts", role_for("counts"))
    app.connect("doctree-read", check_figures, priority=600)  # behind live_explorers.py
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
