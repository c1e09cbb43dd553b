"""The whole book as one document, and its PDF."""

import re

import pdf
import pytest
import yaml
from bs4 import BeautifulSoup

TOC = {
    "root": "book/index",
    "parts": [{"chapters": [{"file": "book/04_boxes"}, {"file": "book/glossary"}]}],
}
PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>A book</title>
<link rel="stylesheet" href="../book.css"><script src="../search.js"></script>{head}</head>
<body><nav>Menu</nav><article class="bd-article"><section id="top"><h1>{title}</h1>{body}
</section></article></body></html>"""
SCRIPT = '<script src="../_static/print.js"></script>'
BODIES = {
    "index": ("A book", '<p><a href="04_boxes.html#top">Boxes</a></p>', ""),
    "04_boxes": (
        "4. Boxes",
        """<p>See <a href="#top">above</a>, <a href="glossary.html">words</a>,
        <a href="../_sources/a.ipynb">a file</a>, <a href="https://example.org/">a site</a>.</p>
        <img src="a.png" loading="lazy" alt="A picture">
        <div class="explorer-place"><img src="b.png" alt="An explorer"></div>
        <svg><defs><g id="inner"></g></defs><use href="#inner"></use></svg>
        <div class="admonition exercise" id="exercise-4-1"><p class="admonition-title">Exercise 4.1:
        by hand</p><p>Do it.</p><form class="exercise-answer">Your answer</form></div>
        <div class="cell tag_solution"><details><summary>Show</summary><pre>1 / 7</pre></details>
        </div>
        <p>After it.</p>
        <div class="cell tag_hide-output">
        <div class="cell_input"><pre>print(getsource(iou))</pre></div>
        <details><summary>Show</summary><pre>def iou(a, b):
    return a &amp; b

class Other:
    pass
</pre></details></div>
        <div class="cell tag_hide-output"><div class="cell_input"><pre>table()</pre></div>
        <details><summary>Show</summary><pre>a long table</pre></details></div>""",
        SCRIPT,
    ),
    "glossary": ("Glossary", "<p>Words.</p>", SCRIPT),
}


@pytest.fixture
def html(tmp_path):
    """Three pages as `make book` leaves them."""
    (tmp_path / "html" / "book").mkdir(parents=True)
    for name, (title, body, head) in BODIES.items():
        file = tmp_path / "html" / "book" / f"{name}.html"
        file.write_text(PAGE.format(title=title, body=body, head=head), encoding="utf-8")
    (tmp_path / "html" / "book.css").write_text("@media print { summary { display: none } }")
    (tmp_path / "html" / "_static").mkdir()
    script = (pdf.ROOT / "book" / "_static" / "print.js").read_text(encoding="utf-8")
    (tmp_path / "html" / "_static" / "print.js").write_text(script, encoding="utf-8")
    return tmp_path / "html"


@pytest.fixture
def document(html):
    return BeautifulSoup(pdf.assemble(html, TOC), "html.parser")


def test_pages_come_in_order_after_a_list_of_them(document):
    titles = [heading.get_text() for heading in document.select("h1")]
    assert titles == ["A book", "Contents", "4. Boxes", "Glossary", "Sources", "Solutions"]
    listed = {link.get_text(): link["href"] for link in document.select(".contents a")}
    assert list(listed) == titles[2:]
    assert listed["4. Boxes"] == "#04_boxes"
    assert listed["Sources"] == "#sources"
    assert "Menu" not in document.get_text()


def test_links_lead_to_places_in_the_document_and_to_sites(document):
    links = {link.get_text(): link.get("href") for link in document.select("p a")}
    assert links["Boxes"] == links["above"] == "#04_boxes--top"
    assert links["words"] == "#glossary"
    assert links["a file"] is None  # which no PDF contains
    assert links["a site"] == "https://example.org/"
    ids = [node["id"] for node in document.select("[id]")]
    assert len(ids) == len(set(ids))
    places = {link["href"][1:] for link in document.select("[href^='#']")}
    assert places <= set(ids)


def test_solutions_are_an_appendix_and_forms_are_left_out(document):
    chapter, appendix = document.find(id="04_boxes"), document.find(id="solutions")
    assert "1 / 7" in appendix.get_text()
    assert "1 / 7" not in chapter.get_text()
    link = chapter.find("a", string="The solution is in the appendix.")
    heading = appendix.find(id=link["href"][1:])
    assert " ".join(heading.get_text().split()) == "Exercise 4.1: by hand"
    assert "Your answer" not in document.get_text()


def test_sources_of_functions_are_an_appendix_and_other_folds_stay(document):
    chapter, appendix = document.find(id="04_boxes"), document.find(id="sources")
    assert "return a & b" in appendix.get_text()
    assert "return a & b" not in chapter.get_text()
    assert "print(getsource(iou))" in chapter.get_text()
    assert "a long table" in chapter.get_text()
    link = chapter.find("a", string="The source is in the appendix.")
    assert appendix.find(id=link["href"][1:]).get_text() == "4. Boxes: iou, Other"


def test_the_picture_of_an_explorer_waits_for_no_script(document):
    """Its style sheet hides it until the script has failed, which a document leaves out."""
    assert [place["data-state"] for place in document.select(".explorer-place")] == ["failed"]


def test_it_loads_what_printing_needs_once(document):
    assert [link["href"] for link in document.select("link")] == ["../book.css"]
    assert [script["src"] for script in document.select("script")] == ["../_static/print.js"]
    assert document.img["loading"] == "eager"


def test_a_page_that_is_not_built_is_named_and_nothing_is_written(html, tmp_path, capsys):
    (html / "book" / "glossary.html").unlink()
    toc, out = tmp_path / "toc.yml", tmp_path / "book.pdf"
    toc.write_text(yaml.safe_dump(TOC))
    assert pdf.main(["--html", str(html), "--toc", str(toc), "--out", str(out)]) == 1
    assert "glossary.html: run `make book` first" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.browser
@pytest.mark.timeout(300)
def test_the_pdf_has_a_bookmark_per_heading_and_a_page_per_chapter(html, tmp_path):
    toc, out = tmp_path / "toc.yml", tmp_path / "made" / "book.pdf"
    toc.write_text(yaml.safe_dump(TOC))
    assert pdf.main(["--html", str(html), "--toc", str(toc), "--out", str(out)]) == 0
    content = out.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", content)) == 6
    for title in (
        b"Contents",
        b"4. Boxes",
        b"Glossary",
        b"Sources",
        b"Solutions",
        b"Exercise 4.1: by hand",
    ):
        assert b"/Title (%s)\n/Dest" % title in content
    assert [file.name for file in out.parent.iterdir()] == ["book.pdf"]
