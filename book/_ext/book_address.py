"""Sphinx extension: how a page describes itself to search engines and to those who share it.

Every page has a title that names its question, and a description. The book's first page is also at
the root of the site. What needs an absolute address (canonical links, social pictures,
`sitemap.xml`, `404.html`) is written once the site has one: `html: baseurl` in `_config.yml`.
"""

import json
import re
import zlib
from pathlib import Path
from urllib.parse import urljoin

from docutils import nodes
from PIL import Image, ImageOps

SOCIAL = (1200, 630)
PAPER = "white"
LONGEST = 200


def shortened(text: str, most: int = LONGEST) -> str:
    """Return whole sentences or clauses of a text, with at most `most` characters."""
    text = re.sub(r" \[[^][]*\d{4}[a-z]?\]", "", " ".join(text.split()))  # citations
    if len(text) <= most:
        return text
    ends = [match.end() for match in re.finditer(r"[.;?](?= )", text[: most + 1])]
    cut = text[: ends[-1] - 1] + "." if ends else text[: text.rindex(" ", 0, most)] + " …"
    return cut


def description_of(doctree) -> str:
    """Return what a chapter's card says the reader will learn, or a page's first paragraph."""
    for box in doctree.findall(nodes.admonition):
        if "chapter-card" in box["classes"]:
            return shortened(box.next_node(nodes.definition).astext())
    paragraph = doctree.next_node(nodes.paragraph)
    return shortened(paragraph.astext()) if paragraph is not None else ""


def first_picture(app, doctree) -> Path | None:
    """Return the file of a page's first figure."""
    for figure in doctree.findall(nodes.figure):
        if (image := figure.next_node(nodes.image)) is not None:
            file = Path(app.srcdir) / next(iter(image["candidates"].values()))
            if file.is_file():
                return file
    return None


def draw_social(picture: Path, target: Path) -> None:
    """Write a picture of the size that social sites show, on the figures' own background."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(picture) as image:
        flat = Image.new("RGB", image.size, PAPER)
        image = image.convert("RGBA")
        flat.paste(image, mask=image)
    fitted = ImageOps.contain(flat, (SOCIAL[0] - 80, SOCIAL[1] - 60), Image.Resampling.LANCZOS)
    ImageOps.pad(fitted, SOCIAL, color=PAPER).save(target, optimize=True)


def absolute(app, address: str) -> str:
    return urljoin(app.config.html_baseurl, address)


def describe(app, pagename, templatename, context, doctree):
    """Give the templates a page's title, description, social picture and linked data."""
    title, book = context.get("title", ""), app.config.html_title
    title = re.sub(r"<[^>]+>", "", title)
    is_root = pagename == app.config.root_doc
    context["full_title"] = book if is_root or not title else f"{title} | {book}"
    context["description"] = description_of(doctree) if doctree is not None else ""
    if not app.config.html_baseurl or doctree is None:
        return
    if is_root:  # it is at the root of the site, too
        context["pageurl"] = app.config.html_baseurl
    picture = first_picture(app, doctree)
    file = Path("_static/preview.png")
    if picture is not None:
        file = Path("_static/social") / f"{Path(pagename).name}.png"
        draw_social(picture, Path(app.outdir) / file)
    context["social_picture"] = absolute(app, file.as_posix())
    facts = {
        "@context": "https://schema.org",
        "@type": "Book" if is_root else "LearningResource",
        "name": book if is_root else title or book,
        "description": context["description"],
        "url": context["pageurl"],
        "isAccessibleForFree": True,
        "license": "https://creativecommons.org/licenses/by/4.0/",
    }
    context["linked_data"] = json.dumps(facts, ensure_ascii=False).replace("<", "\\u003c")


def pages_without_source(app):
    """Write the page that a server shows for an address that leads nowhere."""
    if app.config.html_baseurl:
        titles = [(f"{name}.html", app.env.titles[name].astext()) for name in app.env.found_docs]
        yield "404", {"pages": sorted(titles), "title": "Page not found"}, "404.html"


RELATIVE = re.compile(r'\b(href|src|action|data-content_root)="(?![a-z]+:|#|/)([^"]*)"')


def at_the_root(text: str, folder: str) -> str:
    """Return a page of `folder`, with its relative addresses as seen from the root."""

    def moved(match: re.Match) -> str:
        address = urljoin(f"http://x/{folder}/", match[2]).removeprefix("http://x/")
        return f'{match[1]}="{address or "./"}"'

    return RELATIVE.sub(moved, text)


def finish(app, exception):
    """Put the first page at the root, and write what lists absolute addresses."""
    if exception is not None or app.builder.format != "html":
        return
    out, root = Path(app.outdir), app.config.root_doc
    folder = root.rpartition("/")[0]
    if folder:
        page = (out / f"{root}.html").read_text(encoding="utf-8")
        (out / "index.html").write_text(at_the_root(page, folder), encoding="utf-8")
    if not app.config.html_baseurl:
        return
    missing = out / "404.html"
    base = f'<base href="{app.config.html_baseurl}">'
    text = missing.read_text(encoding="utf-8")
    missing.write_text(text.replace("<head>", f"<head>{base}", 1), encoding="utf-8")
    addresses = [absolute(app, f"{name}.html") for name in sorted(app.env.found_docs - {root})]
    listed = "".join(f"<url><loc>{a}</loc></url>\n" for a in (app.config.html_baseurl, *addresses))
    (out / "sitemap.xml").write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n'
        f'<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">\n{listed}</urlset>\n',
        encoding="utf-8",
    )


def check_address(app, config):
    """Raise ValueError unless the site's address is empty or one that pages can be joined to."""
    if config.html_baseurl and not re.fullmatch(r"https?://\S+/", config.html_baseurl):
        raise ValueError(
            f"_config.yml: html: baseurl is {config.html_baseurl!r}; "
            "it must be a whole address that ends in a slash, such as https://example.org/book/"
        )


def setup(app):
    app.connect("config-inited", check_address)
    app.connect("html-page-context", describe, priority=950)
    app.connect("html-collect-pages", pages_without_source)
    app.connect("build-finished", finish, priority=900)
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
