"""A small book with the real configuration, for tests to change and build."""

import functools
import importlib.util
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests import forked, needs

ROOT = Path(__file__).resolve().parents[2]
TOC = """\
format: jb-book
root: book/index
parts:
  - caption: Learning
    numbered: 2
    chapters:
      - file: book/05_scales
      - file: book/08_matching
  - caption: Reference
    chapters:
      - file: book/glossary
"""
PAGES = {
    "index.md": "# A book\n\nBy {cite}`liu2016ssd`.\n\n```{bibliography}\n```\n",
    "glossary.md": "# Glossary\n\n```{glossary}\nprior\n"
    "  A box. Also *anchor*. Not *cell*. In Korean 앵커 박스.\n```\n",
    "05_scales.md": "# Scales\n\n## First\n\nSee {numref}`fig-try` and {eq}`eq-try`.\n\n"
    "Of 12 609 objects 17 % in 2007, and 300 in `1 000`.\n",
}
TEXT = """\
# Matching

:::{admonition} In this chapter
:class: chapter-card

What you will learn
: Which prior learns.
:::

## Rounds

```{math}
:label: eq-try
a = \\sqrt{b}
```

The side ($x_1$), or so.

:::{admonition} Exercise 8.1: a box
:class: exercise
Draw one.
:::

:::{admonition} Exercise 8.2: a function
:class: exercise
Write one.
:::

:::{admonition} Exercise 8.99: without a check
:class: exercise
Think.
:::
"""
DRAW = """\
import os
import matplotlib.pyplot as plt
with open(os.environ["EXECUTIONS"], "a") as log:
    log.write("x")
plt.plot([0, 1])
plt.show()"""
JUPYTER_BOOK = """
import os, sys
os.environ.update(more)
from jupyter_book.cli.main import main
sys.exit(main(words, prog_name="jupyter-book"))
"""
FIGURE = {"figure": {"name": "fig-try", "caption": "A line."}, "image": {"alt": "A rising line."}}


class SmallBook:
    """A book in a folder of its own, built as `make book` does."""

    def __init__(self, root):
        if needs.theme.args[0]:
            pytest.skip(needs.theme.kwargs["reason"])
        self.root, self.html = root, root / "_build" / "html" / "book"
        for folder in ("book", "ssd_tutorial", "data"):
            (root / folder).mkdir()
        for folder in ("_ext", "_static", "_templates"):
            shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
        shutil.copy(ROOT / "book" / "references.bib", root / "book")
        shutil.copy(ROOT / "_config.yml", root)
        (root / "_toc.yml").write_text(TOC)
        (root / "ssd_tutorial" / "boxes.py").write_text("side = 1\n")
        for name, text in PAGES.items():
            (root / "book" / name).write_text(text)
        self.chapter()

    def chapter(self, code=DRAW, mystnb=FIGURE, more=(), name="08_matching", text=""):
        """Write a chapter: text, a cell, and further ones given as (code, mystnb)."""
        first = TEXT if name == "08_matching" else TEXT.replace("eq-try", f"eq-{name}")
        cells = [new_markdown_cell(first + text)]
        for source, settings in ((code, mystnb), *more):
            cells.append(new_code_cell(source, metadata={"mystnb": settings}))
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.root / "book" / f"{name}.ipynb")
        toc = self.root / "_toc.yml"
        if f"book/{name}\n" not in toc.read_text():
            listed = "      - file: book/08_matching\n"
            toc.write_text(toc.read_text().replace(listed, f"{listed}      - file: book/{name}\n"))

    def build(self):
        words = ["build", str(self.root), "-n", "-W", "--keep-going"]
        return self.run(JUPYTER_BOOK, words)

    def run(self, program, words, **environment):
        """Run a program whose kernels note in a file that they execute a cell."""
        more = {"EXECUTIONS": str(self.root / "executions"), **environment}
        return forked.run(program, imported=forked.BOOKS, words=words, more=more)

    @staticmethod
    def said(done):
        """Return a build's output, without colours."""
        return re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)

    def executions(self):
        return len((self.root / "executions").read_text())

    def page(self, name):
        return (self.html / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture
def book(tmp_path):
    return SmallBook(tmp_path)


@pytest.fixture(scope="session")
def figure():
    """Settings of a cell that draws, as every figure of the book has them."""
    return FIGURE


@pytest.fixture(scope="session")
def make_book(tmp_path_factory):
    """Make a small book that several tests share."""
    return lambda: SmallBook(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="session")
def extension():
    """Load a module of book/_ext, which is not a package, by its name."""

    @functools.cache
    def load(name):
        spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
