"""The explorers' JavaScript: ES modules, joined into the one text that a widget may be.

`static/` holds one module an explorer, and two that they share: `geometry.js`, the arithmetic, and
`ui.js`, what an explorer is made of. A browser would fetch ``import … from "./ui.js"`` from a
server; JupyterLab, Colab and a page opened from a folder have none to ask. So modules that import
one another are joined: their imports and the word ``export`` are left out, and no name may stand
in two of them.
"""

import re
from functools import cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"
STYLE_SHEET = STATIC / "explorer.css"
_IMPORT = re.compile(r'^import\s*\{[^}]*\}\s*from\s*"\./(\w+)\.js";\n', re.M)
_EXPORT = re.compile(r"^export (?!default)", re.M)


def names() -> list[str]:
    """The modules that are explorers, in alphabetical order."""
    files = sorted(STATIC.glob("*.js"))
    return [f.stem for f in files if "export default" in f.read_text(encoding="utf-8")]


@cache
def parts(name: str) -> dict[str, str]:
    """The sources of module `name` and of all that it imports, by their names, in order.

    Raises `FileNotFoundError` if one of them does not exist, `ValueError` if an import is not of
    the form ``import { … } from "./NAME.js";``.
    """
    source = (STATIC / f"{name}.js").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for imported in _IMPORT.findall(source):
        found |= parts(imported)
    own = _EXPORT.sub("", _IMPORT.sub("", source))
    if left := re.search(r"^import\b.*", own, re.M):
        raise ValueError(f'{name}.js: write `{left[0]}` as import {{ … }} from "./NAME.js";')
    return found | {name: own}


def joined(name: str) -> str:
    """One ES module with all of `parts`."""
    return "\n".join(parts(name).values())
