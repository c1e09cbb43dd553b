"""One execution serves both: nbval compares a chapter, and the build takes its page from that."""

import os
from pathlib import Path
from types import SimpleNamespace

import nbformat
import nbval_cache
import pytest
from nbformat.v4 import new_output

pytestmark = pytest.mark.timeout(400)  # builds books, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
EXPLORER = """\
from ssd_book.explorers import IoUExplorer
from IPython.display import display
IoUExplorer()"""
UPDATED = """\
import os
shown = display("first", display_id=True)
shown.update("second")
print(os.listdir())"""
MIMES = {
    "figure": {"name": "fig-explorer", "caption": "Two boxes."},
    "image": {"alt": "Two boxes that overlap."},
}


PYTEST = """
import os, sys
os.environ.update(more)
import pytest
sys.exit(pytest.main(words))
"""


def nbval(book):
    """Run nbval with the plugin, as `make test-notebooks` does, on a small book."""
    words = ["-p", "nbval_cache", "-p", "no:cacheprovider", "-c", os.devnull]
    words += ["--rootdir", str(book.root), "--nbval", str(book.root / "book")]
    paths = [ROOT / "tools", ROOT, ROOT / "book"]
    return book.run(PYTEST, words, PYTHONPATH=os.pathsep.join(map(str, paths)))


def test_the_build_takes_the_pages_from_what_nbval_executed(make_book):
    books = [make_book(), make_book()]
    for book in books:
        book.chapter(more=[(EXPLORER, MIMES), (UPDATED, {})])
    done = nbval(books[0])
    assert "3 passed" in done.stdout, done.stdout
    for book in books:
        done = book.build()
        assert done.returncode == 0, book.said(done)
        assert book.executions() == 1
    heard, executed = (book.page("08_matching") for book in books)
    assert "explorer-states" in heard
    assert heard == executed


def test_a_chapter_with_another_result_stays_out_of_the_cache(book):
    path = book.root / "book" / "08_matching.ipynb"
    book.chapter(code="print(1)", mystnb={})
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [new_output("stream", text="2\n")]
    notebook.cells[1].execution_count = 1
    nbformat.write(notebook, path)
    done = nbval(book)
    assert "1 failed" in done.stdout, done.stdout
    assert not list((book.root / "_build" / ".jupyter_cache").rglob("base.ipynb"))


def test_the_longest_chapters_are_executed_first():
    names = [path.stem for path in sorted((ROOT / "book").glob("*.ipynb"))]
    assert set(nbval_cache.LONGEST) <= set(names)
    items = [SimpleNamespace(path=Path(f"{name}.ipynb")) for name in names]
    nbval_cache.pytest_collection_modifyitems(items)
    ordered = [item.path.stem for item in items]
    assert ordered[: len(nbval_cache.LONGEST)] == list(nbval_cache.LONGEST)
    assert ordered[len(nbval_cache.LONGEST) :] == [
        name for name in names if name not in nbval_cache.LONGEST
    ]
