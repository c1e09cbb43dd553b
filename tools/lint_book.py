"""Check the chapters as they are stored: outputs, figures, links, words, the bootstrap cell.

    python tools/lint_book.py                  # the whole book
    python tools/lint_book.py 08_matching      # one chapter, links into the whole book included

Takes a second and executes nothing. Each fault is a line with file, cell (counted from 1), rule and
what to do; the exit code is 1 if there is one.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import yaml
from book_rules import MARKER, RULES, Fault, filler, markers, prose, shape
from notebooks import ROOT, chapters, read

IGNORED_IN_THE_BOOK = 12
# a target above a heading, an option of a directive, a figure of a code cell in a text page
LABEL = r"^\(([\w:-]+)\)=|^[ \t]*:(?:name|label):[ \t]*(\S+)|^ +name: (fig-\S+)$"
ROLE = re.compile(r"\{(doc|ref|numref|eq|term|cite(?::\w+)?)\}`([^`]+)`")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")


def chapter_number(path: Path) -> int | None:
    found = re.match(r"(\d\d)_", path.name)
    return int(found[1]) if found else None


def texts(path: Path) -> list[tuple[int | None, str]]:
    """Markdown of a page, with the numbers of its cells; captions count as Markdown."""
    if path.suffix != ".ipynb":
        return [(None, path.read_text(encoding="utf-8"))]
    found = []
    for number, cell in enumerate(read(path).cells, start=1):
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        caption = f":name: {figure.get('name', '')}\n\n{figure.get('caption', '')}"
        found.append((number, cell.source if cell.cell_type == "markdown" else caption))
    return found


class Targets:
    """Everything in the book that a link or a role can point at."""

    def __init__(self, root: Path):
        self.root, self.book = root, root / "book"
        self.pages = sorted([*self.book.glob("*.md"), *self.book.glob("*.ipynb")])
        self.labels: dict[str, list[str]] = {}
        for page in self.pages:
            for _, text in texts(page):
                found = re.findall(LABEL, text, re.M)
                for label in ("".join(groups) for groups in found):
                    self.labels.setdefault(label, []).append(page.name)
        glossary = self.book / "glossary.md"
        text = glossary.read_text(encoding="utf-8") if glossary.is_file() else ""
        self.terms = {line.lower() for line in re.findall(r"^([^\s:`#(].*)$", text, re.M)}
        bib = self.book / "references.bib"
        text = bib.read_text(encoding="utf-8") if bib.is_file() else ""
        self.keys = set(re.findall(r"^@\w+\{([^,\s]+),", text, re.M))

    def has_page(self, name: str, page: Path) -> bool:
        start = self.root if name.startswith("/") else page.parent
        file = start / name.lstrip("/")
        return any(file.with_name(file.name + s).is_file() for s in ("", ".md", ".ipynb"))

    def missing(self, text: str, page: Path):
        """Roles and links in `text` that point at nothing, as readable words."""
        text = re.sub(r"^````.*?^````", "", text, flags=re.M | re.S)
        for role, content in ROLE.findall(text):
            target = found[1] if (found := re.search(r"<([^>]+)>$", content)) else content
            if role.startswith("cite"):
                for key in (k.strip() for k in target.split(",")):
                    if key not in self.keys:
                        yield f"{{{role}}}`{key}` is not in references.bib"
            elif role == "doc":
                if not self.has_page(target, page):
                    yield f"{{doc}}`{target}` is no page"
            elif role == "term":
                if target.lower() not in self.terms:
                    yield f"{{term}}`{target}` is not in the glossary"
            elif target not in self.labels:
                yield f"{{{role}}}`{target}` is no label of the book"
        for target in LINK.findall(text):
            if re.match(r"https?:|mailto:", target):
                continue
            file, _, anchor = target.partition("#")
            if file and not (page.parent / file).is_file():
                yield f"link to {target}: no such file"
            elif not file and anchor not in self.labels and anchor not in slugs(page):
                yield f"link to {target}: no such place on the page"


def slugs(page: Path) -> set[str]:
    """Anchors that headings get."""
    heads = [h for _, text in texts(page) for h in re.findall(r"^#+ (.+)$", text, re.M)]
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in heads}


def lint_page(path: Path, targets: Targets) -> list[Fault]:
    """Faults of one page."""
    found = []
    if path.suffix == ".ipynb":
        notebook = read(path)
        for rule in RULES:
            if rule is not shape or chapter_number(path):  # a page without number is no chapter
                found += rule(notebook)
        found += markers(notebook, chapter_number(path))
    else:
        found += filler(prose(path.read_text(encoding="utf-8")))
    for number, text in texts(path):
        for what in targets.missing(text, path):
            found.append(Fault(number, "link", what, "mend the target or leave the link out"))
    return found


def lint_whole(root: Path, targets: Targets) -> list[tuple[str, Fault]]:
    """Faults that no page has alone."""
    found = []
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    listed = [toc["root"], *re.findall(r"file: *(\S+)", (root / "_toc.yml").read_text())]
    for page in targets.pages:
        if f"book/{page.stem}" not in listed:
            fault = Fault(None, "toc", "is not in _toc.yml", "add it under its part")
            found.append((page.name, fault))
    for name in listed:
        if not any((root / f"{name}{s}").is_file() for s in (".md", ".ipynb")):
            found.append(("_toc.yml", Fault(None, "toc", f"{name} is no file", "remove the line")))
    for label, pages in targets.labels.items():
        if len(pages) > 1:
            what = f"label {label} stands in {', '.join(pages)}"
            found.append((pages[-1], Fault(None, "label", what, "labels are unique in the book")))
    ignored = sum(
        "IGNORE_OUTPUT" in marker.upper()
        for path in targets.pages
        if path.suffix == ".ipynb"
        for cell in read(path).cells
        for marker in MARKER.findall(cell.source)
    )
    if ignored > IGNORED_IN_THE_BOOK:
        what = f"{ignored} ignored outputs, {IGNORED_IN_THE_BOOK} at most"
        found.append(("book", Fault(None, "nbval", what, "print what holds on any machine")))
    return found


def report(name: str, fault: Fault) -> str:
    cell = f", cell {fault.cell}" if fault.cell else ""
    return f"{name}{cell} [{fault.rule}]: {fault.what}. Fix: {fault.fix}"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pages", nargs="*", help="chapters, as names or paths; default: all")
    options = parser.parse_args(arguments)
    try:
        named = chapters(options.pages) if options.pages else None
    except FileNotFoundError as error:
        parser.error(str(error))
    targets = Targets(ROOT)
    lines = [
        report(path.name, fault)
        for path in named or targets.pages
        for fault in lint_page(path, targets)
    ]
    if named is None:
        lines += [report(*found) for found in lint_whole(ROOT, targets)]
    print("\n".join(lines) if lines else f"{len(named or targets.pages)} pages, no fault")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
