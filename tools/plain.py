"""Derive `notebooks/` from `book/`: the chapters as plain notebooks, for JupyterLab and Colab.

    python tools/plain.py              # write notebooks/, and delete what book/ no longer has
    python tools/plain.py --check      # write nothing, fail if notebooks/ is out of date

A chapter of `book/` is written for Sphinx: its numbers, links, citations and captions are MyST
roles and directives, which JupyterLab and Colab show as raw text. Here they are resolved to
Markdown: figures, equations and sections by their numbers and titles, terms and citations at the
end of the notebook. The code cells are the chapter's, in the same order, without outputs; cells
that set up or draw are collapsed, and cells that only check a result for `pytest --nbval` are left
out.
"""

import argparse
import copy
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
import yaml
from notebooks import KERNELSPEC, ROOT, read, tags, write
from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from readme import heading_of, pages, source_of

PLAIN = ROOT / "notebooks"
COLLAPSED = {"hide-input", "hide-cell", "remove-input", "bootstrap", "solution"}
MARKER = re.compile(r"^# NBVAL_\w+\n")

ROLE = re.compile(r"\{([a-z:]+)\}`([^`]+)`")
TARGET = re.compile(r"^\(([\w-]+)\)=\n", re.MULTILINE)
LABELLED = re.compile(r"^\(([\w-]+)\)=\n+#+ +(.+)$", re.MULTILINE)
FENCE = re.compile(r"^(?P<fence>:{3,}|`{3,}) *(?:\{(?P<name>[a-z-]+)\}(?P<title>.*))?")
OPTION = re.compile(r"^:([\w-]+): *(.*)$")
NAMED_FIGURE = re.compile(r"^(?:\s+|:)name: *(fig-[\w-]+)$", re.MULTILINE)
EQUATION = re.compile(r"^:label: *([\w-]+)$", re.MULTILINE)
DEFINITION = re.compile(r"^(?!\s|:)(\S[^\n]*)\n: +", re.MULTILINE)
WITH_TARGET = re.compile(r"(.+?)\s*<([^<>]+)>", re.DOTALL)


@dataclass(frozen=True)
class Page:
    """A page of the book: its file, and its Markdown and figures in reading order."""

    path: Path

    @cached_property
    def number(self) -> int | None:
        found = re.match(r"(\d\d)_", self.path.name)
        return int(found[1]) if found else None

    @cached_property
    def title(self) -> str:
        return heading_of(self.texts(), self.path.name)

    @cached_property
    def cells(self) -> list:
        if self.path.suffix == ".ipynb":
            return read(self.path).cells
        return [nbformat.v4.new_markdown_cell(self.path.read_text(encoding="utf-8"))]

    def texts(self) -> Iterator[str]:
        yield from (cell.source for cell in self.cells if cell.cell_type == "markdown")

    def figures(self) -> Iterator[str]:
        for cell in self.cells:
            if cell.cell_type == "markdown":
                yield from NAMED_FIGURE.findall(cell.source)  # in a page that is one text
            elif figure := cell.metadata.get("mystnb", {}).get("figure"):
                yield figure["name"]

    @property
    def link(self) -> str:
        """Return where the page is, seen from a plain notebook."""
        return self.path.name if self.path.suffix == ".ipynb" else f"../book/{self.path.name}"


@dataclass
class Book:
    """What a role may refer to: pages, numbers, terms, and works that are cited."""

    root: Path = ROOT
    figures: dict[str, str] = field(default_factory=dict)
    equations: dict[str, str] = field(default_factory=dict)
    sections: dict[str, tuple[Page, str]] = field(default_factory=dict)

    def __post_init__(self):
        toc = yaml.safe_load((self.root / "_toc.yml").read_text(encoding="utf-8"))
        names = [toc["root"], *(name for _, part in pages(toc) for name in part)]
        self.pages = {Path(name).name: Page(source_of(name, self.root)) for name in names}
        unnumbered = 0  # Sphinx counts the figures of pages without a number together
        for page in self.pages.values():
            for count, name in enumerate(page.figures(), 1):
                unnumbered += page.number is None
                self.figures[name] = f"{page.number}.{count}" if page.number else str(unnumbered)
            text = "\n\n".join(page.texts())
            for count, label in enumerate(EQUATION.findall(text), 1):
                self.equations[label] = f"{page.number}.{count}" if page.number else str(count)
            self.sections |= {label: (page, title) for label, title in LABELLED.findall(text)}

    @cached_property
    def terms(self) -> dict[str, str]:
        text = (self.root / "book/glossary.md").read_text(encoding="utf-8")
        body = re.search(r"```\{glossary\}\n(.*?)\n```", text, re.DOTALL)[1]
        return dict(re.findall(r"^(?!\s|:)(.+)\n  +(.+)$", body, re.MULTILINE))

    @cached_property
    def works(self):
        return parse_file(self.root / "book/references.bib").entries

    def cited(self, keys: list[str]) -> list[str]:
        """Return the works, as lines of Markdown."""
        style = find_plugin("pybtex.style.formatting", "plain")()
        backend = find_plugin("pybtex.backends", "markdown")()
        entries = style.format_entries([self.works[key] for key in keys])
        rendered = [" ".join(entry.text.render(backend).split()) for entry in entries]
        return [re.sub(r"\\([.!-])", r"\1", work) for work in rendered]  # escaped without need

    def authors(self, key: str) -> str:
        """Return the work's authors as a text names them: "Liu et al."."""
        persons = self.works[key].persons["author"]
        last = [re.sub(r"[{}]", "", " ".join(person.last_names)) for person in persons]
        return " and ".join(last) if len(last) < 3 else f"{last[0]} et al."


class Plain:
    """Writes the Markdown of one page without roles and directives."""

    def __init__(self, book: Book, page: Page):
        self.book, self.page = book, page
        self.terms: list[str] = []
        self.works: list[str] = []

    def text(self, source: str) -> str:
        """Resolve everything in a Markdown cell.

        Raises:
            ValueError: a role or directive that this tool does not know.
            KeyError: a label, term or work that the book does not have.
        """
        return ROLE.sub(self._role, TARGET.sub("", "\n".join(self._blocks(source.split("\n")))))

    # --- directives ---
    def _blocks(self, lines: list[str]) -> Iterator[str]:
        lines = iter(lines)
        for line in lines:
            opening = FENCE.match(line)
            if opening is None:
                yield line
                continue
            body = []
            for inner in lines:
                if inner.strip() == opening["fence"]:
                    break
                body.append(inner)
            if opening["name"] is None:  # an ordinary block of code
                yield from (line, *body, opening["fence"])
            else:
                yield from self._directive(opening["name"], opening["title"].strip(), body)

    def _directive(self, name: str, title: str, body: list[str]) -> Iterator[str]:
        options = {}
        while body and (option := OPTION.match(body[0])):
            options[option[1]] = option[2]
            del body[0]
        while body and not body[0].strip():
            del body[0]
        if name == "math":
            label = options.get("label")
            number = [f"\\tag{{{self.book.equations[label]}}}"] if label else []
            yield from ("$$", *body, *number, "$$")
        elif name in ("admonition", "note", "tip"):
            lines = list(self._blocks(body))
            if options.get("class") in ("exercise", "summary"):
                level = "##" if options["class"] == "summary" else "###"
                yield from (f"{level} {title}", "", *lines)
            else:
                text = DEFINITION.sub(r"**\1.** ", "\n".join(lines))
                if "chapter-card" not in options.get("class", ""):
                    text = f"**{title or name.capitalize()}**\n\n{text}"
                yield from (f"> {line}".rstrip() for line in text.split("\n"))
        else:
            raise ValueError(f"{self.page.path.name}: no plain form of the directive {name!r}")

    # --- roles ---
    def _role(self, match: re.Match) -> str:
        name, content = match[1], " ".join(match[2].split())
        shown, target = content, content
        if explicit := WITH_TARGET.fullmatch(content):
            shown, target = explicit.groups()
        if name == "term":
            return self._term(shown, target)
        if name == "numref":
            number = self.book.figures[target]
            return shown.replace("%s", number) if explicit else f"Figure {number}"
        if name in ("plays", "counts"):  # of book/_ext/figure_actions.py
            return shown
        if name == "eq":
            return f"({self.book.equations[target]})"
        if name == "doc":
            page = self.book.pages[target.rpartition("/")[2]]
            return f"[{shown if explicit else page.title}]({page.link})"
        if name == "ref":
            page, title = self.book.sections[target]
            title = ROLE.sub(self._role, title)
            place = "" if page == self.page else page.link
            anchor = re.sub(r"\s+", "-", re.sub(r"[`*$]", "", title))
            return f"[{shown if explicit else title}]({place}#{anchor})"
        if name in ("cite", "cite:t"):
            return self._cite([key.strip() for key in content.split(",")], name == "cite:t")
        raise ValueError(f"{self.page.path.name}: no plain form of the role {match[0]!r}")

    def _term(self, shown: str, term: str) -> str:
        known = {name.lower(): name for name in self.book.terms}
        term = known[term.lower()]
        if term in self.terms:
            return shown
        self.terms.append(term)
        return f"[{shown}](#Words)"

    def _cite(self, keys: list[str], in_text: bool) -> str:
        self.works += [key for key in keys if key not in self.works]
        names = []
        for key in keys:
            authors, year = self.book.authors(key), self.book.works[key].fields["year"]
            names.append(f"{authors} ({year})" if in_text else f"{authors}, {year}")
        listed = "; ".join(names)
        return f"[{listed}](#Works-cited)" if in_text else f"([{listed}](#Works-cited))"

    # --- the end of the notebook ---
    def appendix(self) -> Iterator[str]:
        """Return what terms and citations refer to, as the last cells."""
        words = []
        for term in self.terms:  # a definition may add a term to the list that is being read
            definition = ROLE.sub(lambda m: WITH_TARGET.sub(r"\1", m[2]), self.book.terms[term])
            words.append(f"- **{term}**: {definition}")
        if words:
            yield "## Words\n\n" + "\n".join(sorted(words, key=str.lower))
        if self.works:
            works = sorted(self.book.cited(self.works), key=str.lower)
            yield "## Works cited\n\n" + "\n".join(f"- {work}" for work in works)


def appears(cell) -> bool:
    """Return whether a code cell is in the plain notebook, too: all but those that only check."""
    return "remove-cell" not in tags(cell) or "bootstrap" in tags(cell)


def plain_code(cell):
    """Return a code cell without outputs, marker and the book's own metadata."""
    own = set(tags(cell))
    fresh = nbformat.v4.new_code_cell(MARKER.sub("", cell.source), id=cell.id)
    if own & COLLAPSED:
        fresh.metadata.update(jupyter={"source_hidden": True}, cellView="form")
    return fresh


def plain_notebook(book: Book, page: Page):
    """Return the plain notebook of a page.

    Raises:
        ValueError, KeyError: as `Plain.text`.
    """
    writer, cells = Plain(book, page), []

    def say(text: str, name: str) -> None:
        cells.append(nbformat.v4.new_markdown_cell(text, id=name))

    for cell in page.cells:
        if cell.cell_type == "markdown":
            say(writer.text(cell.source), cell.id)
        elif appears(cell):
            if "solution" in tags(cell):
                say("*A solution is in the next cell: open it.*", f"{cell.id[:52]}-solution")
            cells.append(plain_code(cell))
            if figure := cell.metadata.get("mystnb", {}).get("figure"):
                number, caption = book.figures[figure["name"]], figure["caption"].strip()
                say(f"**Figure {number}.** {writer.text(caption)}", f"{cell.id[:52]}-caption")
    for number, text in enumerate(writer.appendix()):
        say(text, f"appendix-{number}")
    if page.number:
        cells[0].source = cells[0].source.replace("# ", f"# {page.number}. ", 1)
    cells[
        0
    ].source += (
        f"\n\n<!-- derived from book/{page.path.name}: edit that, and run tools/plain.py -->"
    )
    metadata = {"kernelspec": copy.deepcopy(KERNELSPEC), "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def text_of(notebook) -> str:
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def stale(book: Book, folder: Path) -> Iterator[tuple[Path, object]]:
    """Yield each plain notebook that differs from its chapter, and None where it has none."""
    wanted = {}
    for page in book.pages.values():
        if page.path.suffix == ".ipynb":
            wanted[folder / page.path.name] = plain_notebook(book, page)
    for path in sorted({*wanted, *folder.glob("*.ipynb")}):
        notebook = wanted.get(path)
        before = path.read_text(encoding="utf-8") if path.is_file() else None
        if notebook is None or before != text_of(notebook):
            yield path, notebook


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    options = parser.parse_args(arguments)
    changed = list(stale(Book(), PLAIN))
    for path, notebook in changed:
        name = path.relative_to(ROOT)
        if options.check:
            print(f"{name} is out of date; run python tools/plain.py", file=sys.stderr)
        elif notebook is None:
            path.unlink()
            print(f"{name}: deleted, its chapter is gone")
        else:
            path.parent.mkdir(exist_ok=True)
            write(notebook, path)
            print(f"{name}: written")
    return 1 if options.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
