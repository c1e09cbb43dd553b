"""A small book with the real configuration: what the Sphinx extension promises of every page."""

import base64
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pdf
import pytest
import yaml
from bs4 import BeautifulSoup
from docutils import nodes
from PIL import Image
from ssd_book.checks import find
from ssd_book.checks.page import page_table

pytestmark = pytest.mark.timeout(400)  # builds books, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
SITE = "https://example.org/book/"


@pytest.fixture(scope="module")
def built(make_book):
    """A book whose repository and site have an address, with a plain notebook."""
    book = make_book()
    config = book.root / "_config.yml"
    text = config.read_text().replace("OWNER/REPOSITORY", "ada/ssd-book")
    config.write_text(text.replace('baseurl: ""', f"baseurl: {SITE}"))
    (book.root / "notebooks").mkdir()
    shutil.copy(book.root / "book" / "08_matching.ipynb", book.root / "notebooks")
    done = book.build()
    assert done.returncode == 0, book.said(done)
    return book


def test_chapters_figures_and_equations_have_the_number_of_the_file(built):
    matching, scales = built.page("08_matching"), built.page("05_scales")
    assert re.search(r'<h1><span class="section-number">8\. </span>Matching', matching)
    assert re.search(r'<h2><span class="section-number">8\.1\. </span>Rounds', matching)
    assert '<span class="caption-number">Figure 8.1 </span>' in matching
    assert '<span class="eqno">(8.1)' in matching
    assert re.search(r'<h1><span class="section-number">5\. </span>Scales', scales)
    assert re.search(r'08_matching\.html#fig-try"><span [^>]*>Figure 8\.1</span>', scales)
    assert re.search(r'08_matching\.html#equation-eq-try">\(8\.1\)</a>', scales)
    assert "section-number" not in re.search(r"<h1>.*?</h1>", built.page("glossary"))[0]


def test_chapters_are_launched_as_plain_notebooks(built):
    page = built.page("08_matching")
    notebook = "notebooks/08_matching.ipynb"
    assert f"https://colab.research.google.com/github/ada/ssd-book/blob/main/{notebook}" in page
    assert f"https://mybinder.org/v2/gh/ada/ssd-book/main?urlpath=lab/tree/{notebook}" in page
    assert f"_sources/{notebook}" in page
    assert (built.html.parent / "_sources" / notebook).is_file()
    assert "colab" not in built.page("glossary")


def test_a_drawn_figure_has_its_caption_and_alternative_text(built):
    page = built.page("08_matching")
    assert '<figure class="align-default" id="fig-try">' in page
    assert re.search(r'<svg class="plot" role="img" aria-label="A rising line\."', page)
    assert '<span class="caption-text">A line.</span>' in page


def test_formulas_are_typeset_with_number_and_link_and_hold_their_punctuation(built):
    page = BeautifulSoup(built.page("08_matching"), "html.parser")
    display = page.select_one("div.math#equation-eq-try")
    root = display.select_one("div > math[display=block] > msqrt")
    assert root.get_text() == "b"
    assert display.math["alttext"] == r"a = \sqrt{b}"
    assert display.select_one("span.eqno > a")["href"] == "#equation-eq-try"
    held = page.select_one("span.unbroken")
    assert held.get_text() == "(x1),"
    assert held.select_one("span.math > math > msub")
    assert '"math"' in built.page("08_matching")  # the font, which is asked for early
    assert "_static/formulas.js" in built.page("08_matching")
    for other in ("index", "glossary"):  # without a formula
        assert "formulas.js" not in built.page(other)
        assert '"math"' not in built.page(other)


def test_a_number_is_on_one_line(built):
    page = BeautifulSoup(built.page("05_scales"), "html.parser")
    text = page.find(string=re.compile("^Of")).parent.get_text()
    whole = "Of 12_609 objects 17_% in 2007, and 300 in 1 000."
    assert text == whole.replace("_", "\N{NO-BREAK SPACE}")


def test_a_range_in_a_table_is_on_one_line(extension):
    cells = "<td>24–36</td><td>12 609</td><td>38 × 38</td>"
    table = nodes.raw("", f"<table>\n{cells}</table>", format="html")
    extension("book_pages").keep_numbers_whole(None, nodes.container("", table), "")
    text = BeautifulSoup(table.astext(), "html.parser").get_text("|", strip=True)
    whole = "24+–+36|12_609|38_×_38".replace("_", "\N{NO-BREAK SPACE}")
    assert text == whole.replace("+", "\N{WORD JOINER}")


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        ("12 classes: airplane, balloon\nand ten others", False),
        ("step    loss\n  10  21.98", True),
        ("def area(box):\n    return box", True),
    ],
)
def test_only_printed_sentences_wrap(extension, printed, kept):
    output = nodes.literal_block("", printed, classes=["output", "stream"])
    extension("book_pages").mark_columns(None, nodes.container("", output))
    assert ("columns" in output["classes"]) == kept


# --- found and shared -----------------------------------------------------------------------------
def contents(page: str) -> dict[str, str]:
    """The named values in a page's head."""
    found = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', page)
    return dict(found)


def test_every_page_says_what_it_is(built):
    page = built.page("08_matching")
    said = contents(page)
    assert "<title>8. Matching | SSD, box by box</title>" in page
    assert said["description"] == said["og:description"] == "Which prior learns."
    assert said["og:url"] == f"{SITE}book/08_matching.html"
    assert f'<link rel="canonical" href="{said["og:url"]}"' in page
    assert json.loads(re.search(r'ld\+json">(.*?)</script>', page)[1])["url"] == said["og:url"]


def test_the_social_picture_is_the_first_figure_in_the_size_that_sites_show(built):
    address = contents(built.page("08_matching"))["og:image"]
    assert address == f"{SITE}_static/social/08_matching.png"
    with Image.open(built.html.parent / address.removeprefix(SITE)) as picture:
        assert picture.size == (1200, 630)
        assert picture.getextrema() != ((255, 255),) * 3  # something is drawn
    assert contents(built.page("glossary"))["og:image"] == f"{SITE}_static/preview.png"


def test_the_first_page_stands_at_the_root_and_its_links_lead_somewhere(built):
    root = built.html.parent
    page = (root / "index.html").read_text(encoding="utf-8")
    assert "<h1>A book" in page
    assert 'data-content_root="./"' in page
    assert f'<link rel="canonical" href="{SITE}"' in page
    links = re.findall(r'\b(?:href|src)="(?![a-z]+:|#)([^"#?]+)', page)
    assert len(links) > 20
    assert [link for link in links if not (root / link).exists()] == []


def test_the_sitemap_lists_every_page_once(built):
    text = (built.html.parent / "sitemap.xml").read_text(encoding="utf-8")
    names = ["", "book/05_scales.html", "book/08_matching.html", "book/glossary.html"]
    assert re.findall(r"<loc>(.*?)</loc>", text) == [SITE + name for name in names]


def test_the_page_for_a_lost_address_works_from_everywhere(built):
    text = (built.html.parent / "404.html").read_text(encoding="utf-8")
    assert f'<base href="{SITE}">' in text
    assert '<a href="book/08_matching.html">Matching</a>' in text


@pytest.mark.parametrize("address", ["example.org/book/", "https://example.org/book"])
def test_an_address_that_pages_cannot_be_joined_to_is_refused(extension, address):
    with pytest.raises(ValueError, match="html: baseurl is .* ends in a slash"):
        extension("book_address").check_address(None, SimpleNamespace(html_baseurl=address))


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("One. Two", "One. Two"),
        ("By Liu [Liu et al., 2016].", "By Liu."),
        ("One two three. Four five six", "One two three."),
        ("One two three four five", "One two three …"),
    ],
)
def test_descriptions_end_with_a_sentence_or_say_that_they_do_not(extension, text, short):
    assert extension("book_address").shortened(text, most=18) == short


def test_the_search_index_leads_to_sections_figures_exercises_and_words(built):
    script = (built.html.parent / "_static" / "search-index.js").read_text(encoding="utf-8")
    entries = json.loads(script.removeprefix("window.bookSearchIndex = ").rstrip(";\n"))
    found = {(entry["kind"], entry["title"]): entry for entry in entries}
    chapter = "book/08_matching.html"
    assert found["page", "8. Matching"]["url"] == chapter
    assert found["section", "8.1. Rounds"]["url"] == f"{chapter}#rounds"
    assert found["figure", "Figure 8.1"] == {
        "kind": "figure",
        "title": "Figure 8.1",
        "url": f"{chapter}#fig-try",
        "text": "A line.",
    }
    exercise = found["exercise", "Exercise 8.1: a box"]
    assert exercise["url"] == f"{chapter}#exercise-8-1"
    assert exercise["text"] == "Draw one."  # without the form
    assert 'id="exercise-8-1"' in built.page("08_matching")
    assert found["glossary", "prior"]["also"] == ["anchor", "앵커 박스"]
    numbers = "Of 12 609 objects 17 % in 2007, and 300 in 1 000."  # with spaces as one types them
    assert found["section", "5.1. First"]["text"] == f"See Figure 8.1 and (8.1). {numbers}"
    assert "EXECUTIONS" not in script  # code is left out


def exercise(page: str, number: str) -> str:
    """Return the HTML of an exercise's box."""
    return re.search(rf'id="exercise-{number}">(.*?)\n</div>', page, re.S)[1]


def test_an_exercise_with_numbers_for_an_answer_has_a_form_that_holds_its_check(built):
    page = built.page("08_matching")
    form = re.search(r"<form.*</form>", exercise(page, "8-1"), re.S)[0]
    assert re.match(r"<form [^>]* hidden>", form)  # until the script shows it
    assert re.findall(r"<span>(\w+)</span>", form) == ["P0", "P1", "P2", "P3", "P4"]
    data = re.search(r'data-check="(.*?)"', form)[1]
    assert json.loads(base64.b64decode(data)) == page_table(find("08.1"))
    assert re.search(r'<script defer[^>]*src="[^"]*_static/answers\.js', page)
    assert "answers.js" not in built.page("05_scales")  # which has no exercise


def test_an_exercise_that_needs_python_says_where_to_run_it(built):
    page = built.page("08_matching")
    line = re.search(r'<p class="exercise-run">.*</p>', exercise(page, "8-2"))[0]
    assert "<code>make lab CHAPTER=08_matching</code>" in line
    link = re.search(r'href="([^"]+)"', line)[1]
    assert (built.html / link).resolve() == (
        built.html.parent.resolve() / "_sources" / "notebooks" / "08_matching.ipynb"
    )
    assert not re.search("<form|exercise-run", exercise(page, "8-99"))


def test_the_pages_become_one_document_whose_links_hold(built):
    toc = yaml.safe_load((built.root / "_toc.yml").read_text())
    document = BeautifulSoup(pdf.assemble(built.html.parent, toc), "html.parser")
    titles = ["A book", "Contents", "5. Scales", "8. Matching", "Glossary"]
    assert [" ".join(h1.get_text().split()) for h1 in document.select("h1")] == titles
    assert document.select("form, .exercise-run") == []
    places = {link["href"][1:] for link in document.select("a[href^='#']")}
    assert {"08_matching--fig-try", "08_matching--equation-eq-try"} <= places
    assert places <= {node["id"] for node in document.select("[id]")}


def test_pages_load_nothing_from_another_origin(built):
    for page in built.html.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loads = re.findall(
            r"<(?:script|img|link(?! rel=.canonical))[^>]*?(?:src|href)=\"(https?:[^\"]+)\"", text
        )
        assert loads == []
        assert "thebe" not in text.lower()
        assert not re.search("<script[^>]*mathjax", text, re.I)


def test_icons_need_neither_a_script_nor_a_font(built):
    page = built.page("08_matching")
    assert "fontawesome" not in page
    assert not re.search(r'<(i|span) class="[^"]*fa-', page)
    assert page.count('<svg class="icon') >= 10
    style = (built.html.parent / "_static" / "styles" / "pydata-sphinx-theme.css").read_text()
    assert len(style) < 150_000
    assert ".fa-rocket" not in style
    assert ".bd-article" in style


def test_names_for_screen_readers_agree_with_the_page(built):
    assert 'aria-label="Toggle hidden content"' not in built.page("08_matching")
    assert 'role="list" class="citation-list"' not in built.page("index")


def test_only_an_edit_of_the_package_executes_chapters_again(built, book):
    caches = book.root / "_build" / ".jupyter_cache"
    shutil.copytree(built.root / "_build" / ".jupyter_cache", caches)
    (book.root / "executions").touch()
    assert book.build().returncode == 0
    assert book.executions() == 0  # what another folder has executed is used
    (book.root / "ssd_tutorial" / "boxes.py").write_text("side = 2\n")
    assert book.build().returncode == 0
    assert book.executions() == 1
    assert len(list(caches.iterdir())) == 1  # the old one is gone


def test_an_edit_of_an_explorer_executes_chapters_again(book, extension):
    digest = extension("book_pages").digest_of_sources
    shutil.copytree(ROOT / "book" / "ssd_book", book.root / "book" / "ssd_book")
    explorer = book.root / "book" / "ssd_book" / "explorers" / "static" / "iou.js"
    before, source = digest(book.root), explorer.read_text()
    explorer.write_text(f"{source}\n")
    assert digest(book.root) != before
    explorer.write_text(source)
    assert digest(book.root) == before


def test_pages_load_the_script_that_names_what_scrolls(built):
    assert (built.html.parent / "_static" / "scrolling.js").is_file()
    assert re.search(
        r'<script defer[^>]*src="[^"]*_static/scrolling\.js', built.page("08_matching")
    )


@pytest.mark.parametrize("folder", ["ssd_tutorial", "data", "book/ssd_book"])
def test_the_digest_sees_contents_and_names(book, folder, extension):
    digest = extension("book_pages").digest_of_sources
    (book.root / folder).mkdir(exist_ok=True)
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
    "no alternative text": ({"without": "image"}, "picture without alternative text"),
    "no caption": ({"without": "figure"}, "picture without number and caption"),
    "a formula that cannot be typeset": ({"text": "A $\\foo$."}, "Unknown command"),
    "a warning in an output": ({"code": "import warnings; warnings.warn('slow')"}, "stderr"),
}


@pytest.fixture(scope="module")
def faulty(make_book, figure):
    """Build a book with one chapter per fault, and return the output."""
    book = make_book()
    names = [f"1{number}_fault" for number in range(len(FAULTS))]
    for name, (chapter, _) in zip(names, FAULTS.values(), strict=True):
        settings = {**figure, "figure": {**figure["figure"], "name": f"fig-{name}"}}
        settings.pop(chapter.get("without"), None)
        given = {key: chapter[key] for key in ("code", "text") if key in chapter}
        book.chapter(**given, mystnb=settings, name=name)
    done = book.build()
    assert done.returncode != 0
    return dict(zip(FAULTS, names, strict=True)), book.said(done)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_chapter_fails_the_build_with_its_own_error(faulty, fault):
    names, said = faulty
    complaints = re.split(r"\n(?=/\S+:)", said)
    own = [text for text in complaints if f"{names[fault]}.ipynb:" in text]
    assert re.search(rf"(WARNING|ERROR): .*{re.escape(FAULTS[fault][1])}", "\n".join(own), re.S), (
        said
    )


def test_a_chapter_without_a_fault_is_not_reported(faulty):
    _, said = faulty
    assert not re.search(r"08_matching\.ipynb:.*(WARNING|ERROR)", said)
