"""Every link, picture, script and style sheet of the built pages leads somewhere."""

import functools
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.browser

SOURCES = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


class Page(HTMLParser):
    """The ids of a page, what it links to, and what it loads."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.loads = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids.update(given[key] for key in ("id", "name") if given.get(key))
        if tag == "a" and given.get("href") is not None:
            self.links.append(given["href"])
        elif given.get(SOURCES.get(tag, "")):
            canonical = tag == "link" and given.get("rel") in ("canonical",)
            if not canonical:
                self.loads.append(given[SOURCES[tag]])


@functools.cache
def read(path):
    return Page(path.read_text(encoding="utf-8"))


def broken(html, page_name):
    """Return the addresses on a page that lead to no file, or to no anchor in one."""
    file, found = html / page_name, []
    for address in (*read(file).links, *read(file).loads):
        parts = urlsplit(address)
        if parts.scheme or parts.netloc:
            continue
        path = unquote(parts.path)
        target = (file.parent / path).resolve() if path else file
        there = target.is_file() and not path.startswith("/")
        if there and parts.fragment and target.suffix == ".html":
            there = unquote(parts.fragment) in read(target).ids
        if not there:
            found.append(address)
    return found


def test_every_link_leads_somewhere(html, page_name):
    assert broken(html, page_name) == []


def test_nothing_is_loaded_from_another_origin(html, page_name):
    elsewhere = [a for a in read(html / page_name).loads if urlsplit(a).netloc]
    assert elsewhere == []


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "b.html").write_text('<p id="there">')
    links = [
        "b.html",
        "b.html#there",
        "b.html#nowhere",
        "c.html",
        "/b.html",
        "#here",
        "https://x.y",
    ]
    (tmp_path / "a.html").write_text("".join(f'<a href="{a}">a</a>' for a in links))
    assert broken(tmp_path, "a.html") == ["b.html#nowhere", "c.html", "/b.html", "#here"]
