"""Sphinx extension: an index of sections, figures, exercises and glossary entries, for `search.js`.

Sphinx's own search finds whole pages, drops numbers, and loads its index with every page. This one
leads to a place, and finds "8732" and the glossary's other words for a thing: searching for
"anchor" finds priors. The index is a script, so that it also loads where a page is a file, and it
loads when a reader opens the search. Code is left out.
"""

import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from sphinx import addnodes

INDEX = "_static/search-index.js"
ALSO = re.compile(r"\bAlso ([^.]*)\.")
KOREAN = re.compile(r"\bIn Korean ([^.]*)\.")


LEFT_OUT = (nodes.math, nodes.math_block)


def text_of(node) -> str:
    """Return a node's words, without formulas."""
    if node.next_node(lambda part: isinstance(part, LEFT_OUT)) is None:
        return " ".join(node.astext().split())
    copy = node.deepcopy()
    for formula in list(copy.findall(lambda part: isinstance(part, LEFT_OUT))):
        formula.parent.replace(formula, nodes.Text("…"))
    return " ".join(copy.astext().split())


def is_exercise(node) -> bool:
    return isinstance(node, nodes.admonition) and "exercise" in node["classes"]


def name_exercises(app, doctree):
    """Give each exercise an anchor: ``exercise-8-2``."""
    for box in doctree.findall(is_exercise):
        number = re.match(r"Exercise (\d+)\.(\d+)", text_of(box.next_node(nodes.title)))
        if number and not box["ids"]:
            box["ids"].append(f"exercise-{number[1]}-{number[2]}")


def prose_of(section: nodes.Element) -> str:
    """Return a section's own text: no title, no subsections, no code, figures or exercises."""
    own = []
    for child in section.children:
        skipped = (nodes.section, nodes.title, nodes.literal_block, nodes.figure, nodes.comment)
        if isinstance(child, skipped) or is_exercise(child):
            continue
        if isinstance(child, nodes.container) and child.get("nb_element"):  # a cell of code
            continue
        if isinstance(child, nodes.admonition) and "chapter-card" in child["classes"]:
            child = child.next_node(nodes.definition)  # what the reader will learn
        own.append(text_of(child))
    return " ".join(text for text in own if text)


def numbered(number: tuple[int, ...] | None) -> str:
    return ".".join(map(str, number)) + ". " if number else ""


def entries_of(env, doctree, docname: str) -> Iterator[dict]:
    """Yield what can be found on a page: kind, title, address, and the text that is searched."""
    page = f"{docname}.html"
    sections = env.toc_secnumbers.get(docname, {})
    figures = env.toc_fignumbers.get(docname, {}).get("figure", {})
    for depth, section in enumerate(doctree.findall(nodes.section)):
        anchor = "" if depth == 0 else f"#{section['ids'][0]}"
        title = numbered(sections.get(anchor)) + text_of(section.next_node(nodes.title))
        kind = "page" if depth == 0 else "section"
        yield {"kind": kind, "title": title, "url": page + anchor, "text": prose_of(section)}
    for figure in doctree.findall(nodes.figure):
        caption = figure.next_node(nodes.caption)
        if caption is not None and (number := figures.get(figure["ids"][0])):
            title = "Figure " + ".".join(map(str, number))
            url = f"{page}#{figure['ids'][0]}"
            yield {"kind": "figure", "title": title, "url": url, "text": text_of(caption)}
    for box in doctree.findall(is_exercise):
        title, *rest = box.children
        url = page + (f"#{box['ids'][0]}" if box["ids"] else "")  # an open one has no number
        text = " ".join(map(text_of, rest))
        yield {"kind": "exercise", "title": text_of(title), "url": url, "text": text}
    for glossary in doctree.findall(addnodes.glossary):
        for item in glossary.findall(nodes.definition_list_item):
            term, definition = item.next_node(nodes.term), item.next_node(nodes.definition)
            text = text_of(definition)
            also = ALSO.search(text)
            words = [text_of(word) for word in definition.findall(nodes.emphasis)]
            names = [word for word in words if also and word in also[1]]
            if korean := KOREAN.search(text):
                names += korean[1].split(", ")
            yield {
                "kind": "glossary",
                "title": text_of(term),
                "url": f"{page}#{term['ids'][0]}",
                "text": text,
                "also": names,
            }


class Index:
    """The entries of every page, collected while pages are written."""

    def __init__(self):
        self.entries: dict[str, list[dict]] = {}

    def collect(self, app, doctree, docname):
        self.entries[docname] = list(entries_of(app.env, doctree, docname))

    def write(self, app, exception):
        """Write the index as a script that sets one variable."""
        if exception is not None or app.builder.format != "html":
            return
        for name in app.env.found_docs - set(self.entries):  # pages that this build did not change
            self.collect(app, app.env.get_and_resolve_doctree(name, app.builder), name)
        entries = [entry for name in sorted(app.env.found_docs) for entry in self.entries[name]]
        script = f"window.bookSearchIndex = {json.dumps(entries, ensure_ascii=False)};\n"
        (Path(app.outdir) / INDEX).write_text(script, encoding="utf-8")


def setup(app):
    index = Index()
    app.connect("doctree-read", name_exercises)
    app.connect("doctree-resolved", index.collect)
    app.connect("build-finished", index.write)
    app.add_js_file("search.js", loading_method="defer")
    app.add_css_file("search.css")
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": False,  # the index is collected in one process
    }
