"""Sphinx extension: the theme's pages without what they do not use.

1. The theme draws its icons with a script of 1.5 MB and fonts of 270 KB. Each icon on a page is
   an SVG of a few hundred bytes, from the same source (Font Awesome Free, CC BY 4.0). Those that
   the theme's style sheets add to boxes are masks in `_static/icons.css`.
2. Style sheets of the theme and of other extensions lose the rules whose classes and ids are on no
   page and in no script.
3. `page.js` does what the theme's scripts do on these pages, so those are left out
   (`_templates/static/webpack-macros.html`). Other extensions' scripts wait for the page, and those
   of explorers come before them.

`tests/browser/test_pages.py` measures what a page loads.
"""

import importlib.util
import re
import zlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from urllib.parse import quote

from packaging.version import Version
from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)

LOWEST = "1.3"  # of sphinx-book-theme: what is left out of a page is named as that one names it
THEME = "theme/pydata_sphinx_theme/static/scripts/fontawesome.js"
UNUSED = ("bootstrap", "fontawesome", "pydata-sphinx-theme")  # scripts
# of which all is used
OURS = {"book.css", "explorers.css", "fonts.css", "icons.css", "live.css", "search.css"}


# --- 1. icons -------------------------------------------------------------------------------------
def read_icons(script: str) -> dict[str, tuple[str, str]]:
    """Return viewBox and path of each icon in Font Awesome's script, by name and by code point."""
    icons = {}
    form = r'"?([a-z][a-z0-9-]*)"?:\[(\d+),(\d+),\[([^\]]*)\],"([0-9a-f]+)","([^"]+)"\]'
    for name, width, height, also, code, path in re.findall(form, script):
        others = re.findall(r'"([^"]+)"', also)
        for key in (name, code, *others):  # solid icons come last and win
            icons[key] = f"0 0 {width} {height}", path
    return icons


ICON = re.compile(r'<(i|span) class="([^"]*\bfa-[^"]*)"([^>]*)>\s*</\1>')


def with_svg(page: str, icons: dict, missing: set[str]) -> str:
    """Return a page with its icons as SVG, and add the names of unknown ones to `missing`."""

    def drawn(match: re.Match) -> str:
        classes, rest = match[2].split(), match[3].replace(' aria-hidden="true"', "")
        names = [c.removeprefix("fa-") for c in classes if c.startswith("fa-")]
        name = next((name for name in names if name in icons), None)
        if name is None:
            missing.update(names)
            return match[0]
        view, path = icons[name]
        kept = [c for c in classes if not re.match(r"fa(s|r|b|$|-(?!lg$))", c)]
        return (
            f'<svg class="{" ".join(["icon", *kept])}"{rest} viewBox="{view}" aria-hidden="true">'
            f'<path d="{path}"/></svg>'
        )

    return ICON.sub(drawn, page)


MASKS = {  # selector: code point of the icon that the theme writes there as a letter
    ".admonition > .admonition-title::after": "f0f3",
    ".admonition.note > .admonition-title::after": "f05a",
    ".admonition.tip > .admonition-title::after": "f0eb",
    ".admonition.hint > .admonition-title::after": "f0eb",
    ".admonition.warning > .admonition-title::after": "f071",
    ".admonition.important > .admonition-title::after": "f06a",
    ".admonition.seealso > .admonition-title::after": "f064",
    ".admonition.exercise > .admonition-title::after": "f303",
    ".admonition.differ > .admonition-title::after": "f24e",
    ".admonition.summary > .admonition-title::after": "f02e",
    ".bd-sidebar-secondary.hide:not(:hover) .onthispage::after": "f107",
}


def masks(icons: dict) -> str:
    """Return the style sheet of the icons that have no element of their own."""
    rules = []
    for selector, code in MASKS.items():
        view, path = icons[code]
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}"><path d="{path}"/></svg>'
        rules.append(f"{selector} {{\n  --icon: url('data:image/svg+xml,{quote(svg)}');\n}}\n")
    return "".join(rules)


# --- 2. style sheets ------------------------------------------------------------------------------
def rules(css: str) -> Iterator[tuple[str, str | None]]:
    """Yield (what is before the braces, what is in them) of each rule of a style sheet.

    Statements without braces, such as ``@import``, have None in them.
    """
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.S)
    begin = re.compile(r"""((?:[^{};"']|"[^"]*"|'[^']*')+)([{;])""")
    place = 0
    while match := begin.search(css, place):
        place = match.end()
        if match[2] == ";":
            yield match[1].strip(), None
            continue
        depth = 1
        for brace in re.compile(r"""[{}]|"[^"]*"|'[^']*'""").finditer(css, place):
            depth += {"{": 1, "}": -1}.get(brace[0], 0)
            if depth == 0:
                yield match[1].strip(), css[place : brace.start()].strip()
                place = brace.end()
                break


def selectors(text: str) -> list[str]:
    """Split a list of selectors at the commas that are not in brackets."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts]


def is_used(selector: str, names: set[str]) -> bool:
    """Return whether the classes and ids that a selector needs are all in `names`."""
    selector = re.sub(r":(?:not|is|where|has)\((?:[^()]|\([^()]*\))*\)|\[[^]]*\]", "", selector)
    needed = re.findall(r"[.#]((?:[\w-]|\\.)+)", selector)
    return all(re.sub(r"\\(.)", r"\1", name) in names for name in needed)


def purged(css: str, names: set[str]) -> str:
    """Return a style sheet without the rules for elements that are not there."""
    kept = []
    for head, body in rules(css):
        if body is None:
            kept.append(f"{head};")
        elif head.startswith(("@media", "@supports", "@layer", "@container")):
            if inner := purged(body, names):
                kept.append(f"{head}{{{inner}}}")
        elif head.startswith("@font-face") and "Font Awesome" in body.replace("\\", ""):
            continue
        elif head.startswith("@"):
            kept.append(f"{head}{{{body}}}")
        elif used := [part for part in selectors(head) if is_used(part, names)]:
            kept.append(f"{','.join(used)}{{{body}}}")
    return "".join(kept)


# --- 3. scripts -----------------------------------------------------------------------------------
# inline scripts need what documentation_options.js defines, at once
AT_ONCE = re.compile(r'<script(?! defer)([^>]*? src="(?!\S*documentation_options)[^"]*"[^>]*)>')


def deferred(page: str) -> str:
    """Return a page whose scripts from files all run when it is there, in their order."""
    return AT_ONCE.sub(r"<script defer\1>", page)


def lighten(app, exception):
    """Rewrite the pages and style sheets of a build."""
    if exception is not None or app.builder.format != "html":
        return
    theme = Path(importlib.util.find_spec("pydata_sphinx_theme").origin).parent
    icons = read_icons((theme / THEME).read_text(encoding="utf-8"))
    out, missing = Path(app.outdir), set()
    static = out / "_static"
    (static / "icons.css").write_text(masks(icons), encoding="utf-8")
    for name in UNUSED:
        for script in static.glob(f"scripts/{name}.js*"):
            script.unlink()
    texts = [script.read_text(encoding="utf-8") for script in static.rglob("*.js")]
    names = set(re.findall(r"[\w-]+", " ".join(texts)))
    for file in out.rglob("*.html"):
        if static in file.parents:
            continue
        text = file.read_text(encoding="utf-8")
        lighter = deferred(with_svg(text, icons, missing))
        for value in re.findall(r'\b(?:class|id)="([^"]*)"', lighter):
            names.update(value.split())
        if lighter != text:
            file.write_text(lighter, encoding="utf-8")
    if missing:
        logger.warning("no icon of Font Awesome is called %s", ", ".join(sorted(missing)))
    for file in static.rglob("*.css"):
        if file.name not in OURS:
            text = purged(file.read_text(encoding="utf-8"), names)
            file.write_text(text, encoding="utf-8")


def setup(app):
    if Version(found := version("sphinx-book-theme")) < Version(LOWEST):
        raise ExtensionError(
            f"the pages need sphinx-book-theme {LOWEST}, which needs Python 3.11, and here is "
            f"{found}: make the environment with a newer Python, as in `make PYTHON=python3.12 env`"
        )
    app.add_css_file("icons.css")
    app.connect("build-finished", lighten, priority=800)  # before the first page is copied
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
