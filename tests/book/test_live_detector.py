"""A small book with the live figure: with the runtime and without it."""

import html
import json
import re
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(400)  # builds books, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
LIVE = ROOT / "book" / "_live"
PAGE = """\
# Scales

```{live-detector}
:name: fig-live
:alt: A drawn "scene" with a cat.
A scene, and **what** is found in it.
```

See {numref}`fig-live`.
"""
RUN = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")


@pytest.fixture(scope="module")
def books(make_book):
    """Build one book without the runtime, and one with files that stand in for it."""
    built = {}
    for kind in ("without", "with"):
        book = built[kind] = make_book()
        shutil.copytree(
            LIVE, book.root / "book" / "_live", ignore=shutil.ignore_patterns("node_modules")
        )
        (book.root / "book" / "05_scales.md").write_text(PAGE)
        book.chapter(code="1")  # draws nothing
        if kind == "with":
            dist = book.root / "book" / "_live" / "node_modules" / "onnxruntime-web" / "dist"
            dist.mkdir(parents=True)
            for name in RUN:
                (dist / name).write_text(f"// {name}\n" * 100)
        done = book.build()
        assert done.returncode == 0, book.said(done)
    return built


def place(book):
    page = book.page("05_scales")
    return page, re.search(r'<div class="live-place"[^>]*>', page)[0]


def test_the_figure_has_a_picture_a_number_and_a_caption(books):
    for book in books.values():
        page, _ = place(book)
        figure = re.search(r"<figure .*?</figure>", page, re.S)[0]
        (picture,) = re.findall(r"<img [^>]*>", figure)
        assert 'alt="A drawn &quot;scene&quot; with a cat."' in picture
        assert re.search(r' width="600" height="600"', picture)
        source = re.search(r'src="([^"]+)"', picture)[1]
        assert (book.html / source).resolve().is_file()
        assert "<strong>what</strong>" in figure
        number = re.search(r'class="caption-number">(Figure [\d.]+) ', figure)[1]
        assert f'<span class="std std-numref">{number}</span>' in page


def test_with_the_runtime_the_page_knows_the_size_of_what_it_may_load(books):
    book = books["with"]
    _, tag = place(book)
    files = json.loads(html.unescape(re.search(r'data-files="([^"]+)"', tag)[1]))
    base = (book.html / re.search(r'data-base="([^"]+)"', tag)[1]).resolve()
    assert {name: (base / name).stat().st_size for name in files} == files
    assert "scenes.onnx" in files
    packed = int(re.search(r'data-packed="(\d+)"', tag)[1])
    assert 1e6 < packed < sum(files.values())
    for script in base.glob("*.js"):
        for name in re.findall(r'from "\./([\w./-]+)"', script.read_text(encoding="utf-8")):
            assert (base / name).is_file(), f"{script.name} imports {name}"


def test_without_the_runtime_the_page_offers_no_detector(books):
    book = books["without"]
    _, tag = place(book)
    assert "data-files" not in tag
    assert "data-base" in tag
    there = {file.name for file in (book.html.parent / "_static" / "live").rglob("*")}
    assert there == {"first.svg"}


def test_only_pages_with_the_figure_load_its_script(books):
    for book in books.values():
        page, _ = place(book)
        assert re.search(r'<script defer="defer" src="[^"]*_static/live\.js', page)
        assert "live.css" in page
        for other in ("08_matching", "glossary", "index"):
            assert "live.js" not in book.page(other)
            assert "live.css" not in book.page(other)


def test_a_figure_without_an_alternative_text_fails_the_build(book):
    (book.root / "book" / "05_scales.md").write_text(
        PAGE.replace(':alt: A drawn "scene" with a cat.\n', "")
    )
    book.chapter(code="1")
    done = book.build()
    assert done.returncode != 0
    assert "live-detector needs :alt:" in book.said(done)
