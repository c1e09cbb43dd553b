"""Print the built book to one PDF, in the order of `_toc.yml`.

    python tools/pdf.py                          # writes _build/pdf/book.pdf
    python tools/pdf.py --out ssd.pdf            # another file

The pages become one document, which Chromium prints in the light palette with page numbers and
bookmarks. A link to another page leads to its place in the document; the sources of functions and
the solutions are appendices; forms and code that only draws are left out.
"""

import argparse
import copy
import io
import re
import sys
from pathlib import Path
from posixpath import basename, dirname, join, normpath
from urllib.parse import unquote, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from built_site import HTML, launch, new_page, serve, wait_until_drawn
from notebooks import ROOT
from PIL import Image
from readme import pages

NEEDED = re.compile(r"print\.js")  # of the pages' scripts
LEFT_OUT = "form, script, .exercise-run, .headerlink, .copybtn"
STYLE = """
.bd-article { max-width: none; overflow: visible; padding: 0; }
.explorer-place { min-height: 0 !important; }
article > .book-page { break-before: page; }
article > .book-page:first-child { break-before: auto; }
#sources details {
  border: 0; box-shadow: none; margin: 0; max-width: 100%; padding: 0; width: auto;
}
#solutions > div { break-inside: avoid; }
.contents ol { list-style: none; padding-left: 1.5em; }
"""
HEAD = '<html lang="en" data-theme="light"><head><meta charset="utf-8"></head></html>'
FOOTER = """
<div style="width: 100%; font: 8px sans-serif; color: #555; text-align: center">
  <span class="pageNumber"></span>
</div>"""


def order(toc: dict) -> list[str]:
    """Return the book's pages, the first page first."""
    return [toc["root"], *(name for _, names in pages(toc) for name in names)]


def read_page(html: Path, name: str) -> BeautifulSoup:
    """Read a built page.

    Raises:
        FileNotFoundError: it is not built.
    """
    file = html / f"{name}.html"
    if not file.is_file():
        raise FileNotFoundError(f"no {file}: run `make book` first")
    return BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")


def place(name: str, anchor: str = "") -> str:
    """Return the id that a page, or an anchor of it, has in the document."""
    return f"{basename(name)}--{anchor}" if anchor else basename(name)


def moved(article: Tag, name: str, names: list[str]) -> Tag:
    """Return a page as a section of the document, its ids and links renamed."""
    section = BeautifulSoup("", "html.parser").new_tag("section", attrs={"class": "book-page"})
    section["id"] = place(name)
    section.extend(copy.copy(child) for child in article.children)
    for unwanted in section.select(LEFT_OUT):
        unwanted.decompose()
    for node in section.select("[id]"):
        if node.find_parent("svg") is None and node.name != "svg":  # which refer to their own ids
            node["id"] = place(name, node["id"])
    for picture in section.select("img"):
        picture["loading"] = "eager"
    for explorer in section.select(".explorer-place"):
        explorer["data-state"] = "failed"  # so its picture is shown
    for link in section.select("a[href]"):
        parts = urlsplit(link["href"])
        if parts.scheme or parts.netloc:
            continue
        target = normpath(join(dirname(name), unquote(parts.path) or f"{basename(name)}.html"))
        target = target.removesuffix(".html")
        if target in names:
            link["href"] = f"#{place(target, unquote(parts.fragment))}"
        else:  # a file beside the pages
            del link["href"]
    return section


def set_aside(part: Tag, anchor: str, title: str, words: str, document: BeautifulSoup) -> Tag:
    """Leave a link in place of a part of a page, and return it below a heading."""
    heading = document.new_tag("h2", attrs={"id": anchor})
    heading.string = title
    link = document.new_tag("a", href=f"#{anchor}")
    link.string = words
    paragraph = document.new_tag("p")
    paragraph.append(link)
    part.replace_with(paragraph)
    aside = document.new_tag("div")
    aside.extend([heading, part])
    return aside


def take_solutions(section: Tag, document: BeautifulSoup) -> list[Tag]:
    """Move the solutions of a page out of it, and leave links to them."""
    found = []
    for cell in section.select(".cell.tag_solution"):
        exercise = cell.find_previous(class_="exercise")
        title = exercise.select_one(".admonition-title").get_text(" ", strip=True)
        words = "The solution is in the appendix."
        found.append(set_aside(cell, f"solution-{exercise['id']}", title, words, document))
    return found


def take_sources(section: Tag, document: BeautifulSoup) -> list[Tag]:
    """Move the sources of functions that a page has folded out of it, and leave links to them."""
    found = []
    for cell in section.select(".cell.tag_hide-output"):
        if "getsource" not in cell.select_one(".cell_input").get_text():
            continue
        for number, fold in enumerate(cell.select("details"), len(found) + 1):
            text = "\n".join(output.get_text() for output in fold.select("pre"))
            names = re.findall(r"^ *(?:def|class) (\w+)", text, re.MULTILINE)
            title = f"{section.h1.get_text().strip()}: {', '.join(names)}"
            words = "The source is in the appendix."
            anchor = f"source-{section['id']}-{number}"
            found.append(set_aside(fold, anchor, title, words, document))
    return found


def assemble(html: Path, toc: dict) -> str:
    """Return the document: every page of the book, then sources of functions, then solutions."""
    names = order(toc)
    built = {name: read_page(html, name) for name in names}
    document = BeautifulSoup(f"<!doctype html>{HEAD}", "html.parser")
    document.head.append(copy.copy(built[names[0]].title))
    known = set()
    for page in built.values():  # a chapter may load what the first page does not
        for node in page.head.select("link[rel=stylesheet], script"):
            what = node.get("href") or node.get("src") or node.get_text()
            if what not in known and (node.name == "link" or NEEDED.search(what.lower())):
                known.add(what)
                document.head.append(copy.copy(node))
    style = document.new_tag("style")
    style.string = STYLE
    document.head.append(style)

    body = BeautifulSoup(
        '<body><main class="bd-main"><div class="bd-content"><article class="bd-article">'
        "</article></div></main></body>",
        "html.parser",
    )
    article, appendices = body.article, {"Sources": [], "Solutions": []}
    for name in names:
        section = moved(built[name].select_one("article.bd-article"), name, names)
        appendices["Sources"] += take_sources(section, document)
        appendices["Solutions"] += take_solutions(section, document)
        article.append(section)
    for name, parts in appendices.items():
        if parts:
            attributes = {"class": "book-page", "id": name.lower()}
            appendix = document.new_tag("section", attrs=attributes)
            title = document.new_tag("h1")
            title.string = name
            appendix.extend([title, *parts])
            article.append(appendix)
    article.contents[0].insert_after(contents(article, document))
    document.html.append(body.body)
    return str(document)


def contents(article: Tag, document: BeautifulSoup) -> Tag:
    """Return the list of chapters, with links."""
    page = document.new_tag("section", attrs={"class": "book-page contents"})
    title = document.new_tag("h1")
    title.string = "Contents"
    chapters = document.new_tag("ol")
    for section in article.find_all("section", class_="book-page", recursive=False)[1:]:
        link = document.new_tag("a", href=f"#{section['id']}")
        link.string = section.h1.get_text()
        item = document.new_tag("li")
        item.append(link)
        chapters.append(item)
    page.extend([title, chapters])
    return page


def as_jpeg(route) -> None:
    """Answer a request for a WebP with a JPEG, which stays packed in a PDF; a WebP is unpacked."""
    packed = io.BytesIO()
    Image.open(io.BytesIO(route.fetch().body())).convert("RGB").save(packed, "JPEG", quality=88)
    route.fulfill(body=packed.getvalue(), content_type="image/jpeg")


def print_book(html: Path, toc: dict, out: Path) -> None:
    """Write the PDF: all of it or nothing.

    Raises:
        FileNotFoundError: a page is not built, or there is no Chromium.
    """
    text = assemble(html, toc)
    out.parent.mkdir(parents=True, exist_ok=True)
    with serve(html) as base, launch() as browser:
        page, _ = new_page(browser, base, 1000)
        # where the relative addresses of the pages hold
        address = base + join(dirname(toc["root"]), "whole-book.html")
        page.route(address, lambda route: route.fulfill(body=text, content_type="text/html"))
        page.route("**/*.webp", as_jpeg)
        page.goto(address, wait_until="load")
        wait_until_drawn(page)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")  # unfolds what `print.js` unfolds
        content = page.pdf(
            format="A4",
            outline=True,
            tagged=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            print_background=True,
        )
    new = out.with_name(out.name + ".new")
    new.write_bytes(content)
    new.replace(out)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "_build" / "pdf" / "book.pdf")
    parser.add_argument("--html", type=Path, default=HTML, help="built pages (%(default)s)")
    parser.add_argument("--toc", type=Path, default=ROOT / "_toc.yml")
    options = parser.parse_args(arguments)
    toc = yaml.safe_load(options.toc.read_text(encoding="utf-8"))
    try:
        print_book(options.html, toc, options.out)
    except FileNotFoundError as error:
        print(f"pdf: {error}", file=sys.stderr)
        return 1
    print(f"{options.out}: {options.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
