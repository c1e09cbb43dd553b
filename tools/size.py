"""Count the code lines of the package per room.

    python tools/size.py              # files and code lines per room, and the budgets
    python tools/size.py PATH...      # of these files or folders

A code line holds code: blank lines, comments and docstrings do not count, so explaining is free.
"""

import argparse
import ast
import io
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "ssd_tutorial"
ELEVEN = (
    *("presets", "scales", "boxes", "priors", "targets", "matching"),
    *("mining", "loss", "network", "detect", "evaluate"),
)
BUDGETS = {"the eleven modules": 1_000, "ssd_tutorial": 8_200}
"""Most code lines allowed; raising a number needs a reason."""

_EMPTY = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def code_lines(source: str) -> int:
    """Return the number of lines that contain code."""
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _EMPTY:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if docstring and isinstance(node.value.value, str):  # below a field, too
            lines.difference_update(range(node.lineno, node.end_lineno + 1))
    return len(lines)


def size_of(path: Path) -> tuple[int, int]:
    """Return the files and the code lines of a file, or of all Python below a folder."""
    files = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    return len(files), sum(code_lines(file.read_text(encoding="utf-8")) for file in files)


def rooms() -> dict[str, tuple[int, int]]:
    """Return files and code lines of the eleven modules, each room, each other module, and all."""
    taught = [size_of(PACKAGE / f"{name}.py") for name in ELEVEN]
    found = {"the eleven modules": tuple(map(sum, zip(*taught, strict=True)))}
    folders = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
    found |= {f"{folder.name}/": size_of(folder) for folder in folders}
    others = [path for path in sorted(PACKAGE.glob("*.py")) if path.stem not in ELEVEN]
    found |= {path.name: size_of(path) for path in others}
    return found | {"ssd_tutorial": size_of(PACKAGE)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH")
    paths = parser.parse_args(arguments).paths
    found = {str(path): size_of(path) for path in paths} if paths else rooms()
    print(f"{'':24}{'files':>6}{'code lines':>12}{'budget':>9}")
    for name, (files, lines) in found.items():
        print(f"{name:24}{files:6}{lines:12}{BUDGETS.get(name, ''):>9}")
    return int(any(found[name][1] > most for name, most in BUDGETS.items() if name in found))


if __name__ == "__main__":
    sys.exit(main())
