"""A small book with the real configuration: what the Sphinx extension promises of every page."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

pytestmark = pytest.mark.timeout(400)  # builds books, on a machine that may be busy

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
    "glossary.md": "# Glossary\n\n```{glossary}\nprior\n  A box.\n```\n",
    "05_scales.md": "# Scales\n\n## First\n\nSee {numref}`fig-try` and {eq}`eq-try`.\n",
}
TEXT = """\
# Matching

## Rounds

```{math}
:label: eq-try
a = b
```
"""
DRAW = """\
import os
import matplotlib.pyplot as plt
with open(os.environ["EXECUTIONS"], "a") as log:
    log.write("x")
plt.plot([0, 1])
plt.show()"""
FIGURE = {"figure": {"name": "fig-try", "caption": "A line."}, "image": {"alt": "A rising line."}}


def extension():
    file = ROOT / "book" / "_ext" / "ssd_book.py"
    spec = importlib.util.spec_from_file_location("ssd_book", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SmallBook:
    """A book in a folder of its own, built as `make book` does."""

    def __init__(self, root):
        self.root, self.html = root, root / "_build" / "html" / "book"
        for folder in ("book", "ssd_tutorial", "data"):
            (root / folder).mkdir()
        for folder in ("_ext", "_static"):
            shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
        shutil.copy(ROOT / "book" / "references.bib", root / "book")
        shutil.copy(ROOT / "_config.yml", root)
        (root / "_toc.yml").write_text(TOC)
        (root / "ssd_tutorial" / "boxes.py").write_text("side = 1\n")
        for name, text in PAGES.items():
            (root / "book" / name).write_text(text)
        self.chapter()

    def chapter(self, code=DRAW, mystnb=FIGURE):
        cells = [new_markdown_cell(TEXT), new_code_cell(code, metadata={"mystnb": mystnb})]
        for number, cell in enumerate(cells):
            cell["id"] = f"cell-{number}"
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, self.root / "book" / "08_matching.ipynb")

    def build(self):
        command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(self.root)]
        return subprocess.run(
            [*command, "-n", "-W", "--keep-going"],
            capture_output=True,
            text=True,
            env={**os.environ, "EXECUTIONS": str(self.root / "executions")},
        )

    def executions(self):
        return len((self.root / "executions").read_text())

    def page(self, name):
        return (self.html / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture
def book(tmp_path):
    return SmallBook(tmp_path)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    book = SmallBook(tmp_path_factory.mktemp("book"))
    done = book.build()
    assert done.returncode == 0, done.stdout + done.stderr
    return book


def test_chapters_figures_and_equations_carry_the_number_of_the_file(built):
    matching, scales = built.page("08_matching"), built.page("05_scales")
    assert re.search(r'<h1><span class="section-number">8\. </span>Matching', matching)
    assert re.search(r'<h2><span class="section-number">8\.1\. </span>Rounds', matching)
    assert '<span class="caption-number">Figure 8.1 </span>' in matching
    assert '<span class="eqno">(8.1)' in matching
    assert re.search(r'<h1><span class="section-number">5\. </span>Scales', scales)
    assert re.search(r'08_matching\.html#fig-try"><span [^>]*>Figure 8\.1</span>', scales)
    assert re.search(r'08_matching\.html#equation-eq-try">\(8\.1\)</a>', scales)
    assert "section-number" not in re.search(r"<h1>.*?</h1>", built.page("glossary"))[0]


def test_a_drawn_figure_has_its_caption_and_alternative_text(built):
    page = built.page("08_matching")
    assert '<figure class="align-default" id="fig-try">' in page
    assert 'alt="A rising line."' in page
    assert '<span class="caption-text">A line.</span>' in page


def test_pages_load_nothing_from_another_origin(built):
    for page in built.html.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loads = re.findall(r"<(?:script|img|link)[^>]*?(?:src|href)=\"(https?:[^\"]+)\"", text)
        assert loads == []
        assert "thebe" not in text.lower()
    mathjax = built.html.parent / "_static" / "mathjax"
    assert (mathjax / "tex-chtml.js").is_file()
    assert (mathjax / "output" / "chtml" / "fonts" / "woff-v2").is_dir()


def test_names_for_screen_readers_agree_with_the_page(built):
    assert 'aria-label="Toggle hidden content"' not in built.page("08_matching")
    assert 'role="list" class="citation-list"' not in built.page("index")


def test_an_edit_of_the_package_executes_chapters_again_and_nothing_else_does(book):
    assert book.build().returncode == 0
    assert book.build().returncode == 0
    assert book.executions() == 1
    (book.root / "ssd_tutorial" / "boxes.py").write_text("side = 2\n")
    assert book.build().returncode == 0
    assert book.executions() == 2
    caches = book.root / "_build" / ".jupyter_cache"
    assert len(list(caches.iterdir())) == 1  # the old one is gone


@pytest.mark.parametrize("folder", ["ssd_tutorial", "data"])
def test_the_digest_sees_contents_and_names(book, folder):
    digest = extension().digest_of_sources
    before, file = digest(book.root), book.root / folder / "a.bin"
    file.write_bytes(b"a")
    added = digest(book.root)
    file.write_bytes(b"b")
    edited = digest(book.root)
    file.rename(file.with_name("b.bin"))
    renamed = digest(book.root)
    assert len({before, added, edited, renamed}) == 4
    file.with_name("b.bin").unlink()
    (book.root / folder / "__pycache__").mkdir()
    (book.root / folder / "__pycache__" / "a.pyc").write_bytes(b"a")
    assert digest(book.root) == before


FAULTS = {
    "a cell that raises": ({"code": "1 / 0"}, "ZeroDivisionError: division by zero"),
    "no alternative text": (
        {"mystnb": {"figure": FIGURE["figure"]}},
        "picture without alternative text",
    ),
    "no caption": ({"mystnb": {"image": FIGURE["image"]}}, "picture without number and caption"),
    "a warning in an output": ({"code": "import warnings; warnings.warn('slow')"}, "stderr"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_chapter_fails_the_build_with_its_own_error(book, fault):
    chapter, message = FAULTS[fault]
    book.chapter(**chapter)
    done = book.build()
    assert done.returncode != 0
    said = re.sub(r"\x1b\[[\d;]*m", "", done.stdout + done.stderr)  # without colours
    assert message in said
    assert "08_matching" in said
