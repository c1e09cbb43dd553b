"""Check the chapters as they are stored: outputs, figures, words, the bootstrap cell.

    python tools/lint_book.py                  # the whole book
    python tools/lint_book.py 08_matching      # one chapter

It takes a second and executes nothing. Links, labels, terms and citations are checked by Sphinx,
which builds the book with ``-n -W``. Each fault is a line with file, cell (counted from 1), rule
and fix; the exit code is 1 if there is one.
"""

import argparse
import re
import sys
from pathlib import Path

import yaml
from book_rules import IGNORED_TAG, MARKER, RULES, Fault, filler, markers, prose, shape
from notebooks import ROOT, chapters, read, tags

IGNORED_IN_THE_BOOK = 12


def chapter_number(path: Path) -> int | None:
    found = re.match(r"(\d\d)_", path.name)
    return int(found[1]) if found else None


def pages_of(root: Path) -> list[Path]:
    return sorted([*(root / "book").glob("*.md"), *(root / "book").glob("*.ipynb")])


def lint_page(path: Path) -> list[Fault]:
    """Return the faults of one page."""
    if path.suffix != ".ipynb":
        return list(filler(prose(path.read_text(encoding="utf-8"))))
    notebook, found = read(path), []
    for rule in RULES:
        if rule is shape and not chapter_number(path):
            continue  # a page without number is not a chapter
        found += rule(notebook)
    return [*found, *markers(notebook, chapter_number(path))]


def lint_whole(root: Path) -> list[tuple[str, Fault]]:
    """Return the faults of the book as a whole."""
    found, there = [], pages_of(root)
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    listed = [toc["root"], *re.findall(r"file: *(\S+)", (root / "_toc.yml").read_text())]
    for page in there:
        if f"book/{page.stem}" not in listed:
            fault = Fault(None, "toc", "is not in _toc.yml", "add it under its part")
            found.append((page.name, fault))
    for name in listed:
        if not any((root / f"{name}{s}").is_file() for s in (".md", ".ipynb")):
            found.append(
                ("_toc.yml", Fault(None, "toc", f"{name} is not a file", "remove the line"))
            )
    ignored = sum(
        "IGNORE_OUTPUT" in marker.upper() or marker == IGNORED_TAG
        for path in there
        if path.suffix == ".ipynb"
        for cell in read(path).cells
        for marker in (*MARKER.findall(cell.source), *tags(cell))
    )
    if ignored > IGNORED_IN_THE_BOOK:
        what = f"{ignored} ignored outputs; at most {IGNORED_IN_THE_BOOK} are allowed"
        found.append(
            ("book", Fault(None, "nbval", what, "print what is the same on every machine"))
        )
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
    listed = named or pages_of(ROOT)
    lines = [report(path.name, fault) for path in listed for fault in lint_page(path)]
    if named is None:
        lines += [report(*found) for found in lint_whole(ROOT)]
    print("\n".join(lines) if lines else f"{len(listed)} pages, no faults")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
