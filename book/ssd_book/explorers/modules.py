"""The explorers' JavaScript: ES modules, joined into the single text that a widget consists of.

`static/` contains one module per explorer and others that they import: `geometry.js`, the
arithmetic; `positives.js`, what matching gives each object; `ui.js`, controls and tables;
`paper.js`, canvases; `objects.js`, what is drawn on them; and what the figures of one knob show,
`topics*.js`. A browser would
fetch ``import … from "./ui.js"`` from a server, and JupyterLab, Colab and a page opened from a
folder have none. So modules that import one another are joined: their imports and the word
``export`` are left out, and no two of them may define the same name.
"""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
LIVE = STATIC.parents[1] / "live" / "static"
"""Modules of the live figure, which import the explorers'."""
STYLE_SHEET = STATIC / "explorer.css"
_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./(\w+)\.js";\n', re.M)
_EXPORT = re.compile(r"^export (?!default)", re.M)


def names() -> list[str]:
    """Return the names of the explorers' modules, in alphabetical order."""
    files = sorted(STATIC.glob("*.js"))
    return [f.stem for f in files if "export default" in f.read_text(encoding="utf-8")]


@cache
def parts(name: str) -> dict[str, str]:
    """Return the sources of module `name` and of all that it imports, by name, in order.

    Raises:
        FileNotFoundError: one of them does not exist.
        ValueError: an import is not of the form ``import { … } from "./NAME.js";``.
    """
    file = LIVE / f"{name}.js"
    source = (file if file.is_file() else STATIC / file.name).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for imported in _IMPORT.findall(source):
        found |= parts(imported)
    own = _EXPORT.sub("", _IMPORT.sub("", source))
    if left := re.search(r"^import\b.*", own, re.M):
        raise ValueError(f'{name}.js: write `{left[0]}` as import {{ … }} from "./NAME.js";')
    return found | {name: own}


def joined(name: str) -> str:
    """Join all of `parts` into one ES module."""
    return "\n".join(parts(name).values())
