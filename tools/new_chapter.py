"""Start a chapter: a notebook with the parts that every chapter has, and its line in `_toc.yml`.

    python tools/new_chapter.py 09_loss "The loss" --part Learning

The notebook contains the parts of a chapter in order, each with a line on what belongs there. An
existing notebook is never overwritten.
"""

import argparse
import re
import sys

import nbformat
from bootstrap import refresh
from notebooks import BOOK, KERNELSPEC, ROOT, bootstrap_source, write

HEAD = """\
# TITLE

:::{admonition} In this chapter
:class: chapter-card

What you will learn
: One sentence: what you can do afterwards.

Needs
: {doc}`/book/glossary`, and what else the reader must know.

Minutes
: 30, and 20 more for the exercises.
:::

The question of the chapter, in one sentence. {numref}`fig-SLUG-question` shows it.
"""
FIGURE = """\
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(7, 3.2), layout="constrained")
ax.plot([0, 1], [0, 1])
plt.show()"""
SECTIONS = (
    "## The numbers first\n\nThe derivation, one idea at a time.",
    "## The package's version\n\nThe same with `ssd_tutorial`, and that both agree.",
    ":::{admonition} Where other explanations differ\n:class: differ\nWho, by how much, why.\n:::",
    "## Exercises\n\nTitle and question of each as `### Exercise NUMBER.1: ...`; "
    "see `tools/exercises.py --help`.",
    ":::{admonition} Summary\n:class: summary\n* Three to five sentences.\n:::",
    "## Sources\n\n{cite:t}`liu2016ssd`, section 2.",
)


def skeleton(name: str, title: str):
    """Return the notebook of a new chapter `NN_name`."""
    slug = name[3:].replace("_", "-")
    words = {"TITLE": title, "SLUG": slug, "NUMBER": str(int(name[:2]))}
    fill = re.compile("|".join(words))
    head, *sections = (fill.sub(lambda m: words[m[0]], text).strip() for text in (HEAD, *SECTIONS))
    figure = {
        "figure": {"name": f"fig-{slug}-question", "caption": "What to see, in one sentence."},
        "image": {"alt": "What the picture shows, for someone who cannot see it."},
    }
    metadata = {"tags": ["hide-input"], "mystnb": figure}
    cells = [
        nbformat.v4.new_markdown_cell(head),
        nbformat.v4.new_code_cell(FIGURE, metadata=metadata),
        *map(nbformat.v4.new_markdown_cell, sections),
    ]
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index:02d}"
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNELSPEC})
    refresh(notebook, bootstrap_source())
    return notebook


def add_to_toc(text: str, name: str, part: str) -> str:
    """Return `_toc.yml` with the chapter in its part, in numerical order; comments are kept.

    Raises:
        ValueError: the chapter is already listed.
    """
    entry = f"      - file: book/{name}\n"
    if entry in text:
        raise ValueError(f"_toc.yml already lists book/{name}")
    head = f"  - caption: {part}\n"
    if head not in text:
        reference = text.find("  - caption: Reference\n")
        at = len(text) if reference < 0 else reference
        return text[:at] + f"{head}    numbered: 2\n    chapters:\n{entry}" + text[at:]
    lines = text.splitlines(keepends=True)
    at = lines.index(head) + 1
    while at < len(lines) and not lines[at].startswith("  - caption"):
        if lines[at].startswith("      - file:") and lines[at] > entry:
            break
        at += 1
    return "".join([*lines[:at], entry, *lines[at:]])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", help="file name without .ipynb: two digits, _, words")
    parser.add_argument("title", help="the chapter's title")
    parser.add_argument("--part", required=True, help="part of the book, as in _toc.yml")
    options = parser.parse_args(arguments)
    path, toc = BOOK / f"{options.name}.ipynb", ROOT / "_toc.yml"
    if not re.fullmatch(r"\d\d_[a-z0-9_]+", options.name):
        parser.error(f"name the chapter like 08_matching, not {options.name!r}")
    if path.exists():
        parser.error(f"{path} already exists and would be overwritten; choose another name")
    try:
        text = add_to_toc(toc.read_text(encoding="utf-8"), options.name, options.part)
    except ValueError as error:
        parser.error(str(error))
    write(skeleton(options.name, options.title), path)
    toc.write_text(text, encoding="utf-8")
    print(f"wrote {path.relative_to(ROOT)} and its line in _toc.yml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
