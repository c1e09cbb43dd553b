"""Shared by the tools for notebooks: finding, reading and writing chapters, the bootstrap cell."""

import re
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

BOOTSTRAP = """\
# For Colab: install ssd_tutorial, and allow live figures. Elsewhere this cell does nothing.
import importlib.util

if importlib.util.find_spec("ssd_tutorial") is None:
    import os
    import subprocess
    import sys

    source = os.environ.get("SSD_TUTORIAL_SOURCE", "git+{address}")
    print("Installing ssd_tutorial (a minute or less) ...")
    command = [sys.executable, "-m", "pip", "install", "--quiet", source]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"pip could not install {{source}}:\\n{{done.stderr}}")
    importlib.invalidate_caches()
try:
    from google.colab import output as colab
except ImportError:
    pass
else:
    colab.enable_custom_widget_manager()"""


def chapters(names=()) -> list[Path]:
    """Return the notebooks named, or all of `book/`: chapters in reading order, then other pages.

    A name is a path, or a chapter's name with or without `.ipynb`.

    Raises:
        FileNotFoundError: a name is neither; the message lists the chapters.
    """
    all_chapters = sorted(BOOK.glob("*.ipynb"))
    if not names:
        return all_chapters
    paths = []
    for name in map(str, names):
        candidates = (Path(name), BOOK / name, BOOK / f"{name}.ipynb")
        path = next((c for c in candidates if c.is_file() and c.suffix == ".ipynb"), None)
        if path is None:
            there = ", ".join(c.stem for c in all_chapters) or "none yet"
            raise FileNotFoundError(f"no notebook {name}; chapters of the book: {there}")
        paths.append(path)
    return paths


def read(path: Path):
    return nbformat.read(path, as_version=4)


def write(notebook, path: Path) -> None:
    """Write all of it or nothing: a half-written notebook is a lost chapter."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    partial = path.with_name(path.name + ".new")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def tags(cell) -> list[str]:
    return cell.metadata.get("tags", [])


def repository_address() -> str:
    """Return `repository.url` of `_config.yml`, the only place where the address is set.

    Raises:
        ValueError: it is missing or not an https address.
    """
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    address = str(config.get("repository", {}).get("url", ""))
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", address):
        raise ValueError(f"_config.yml: repository.url is not an https address: {address!r}")
    return address


def bootstrap_source() -> str:
    """Return the source of the bootstrap cell of every chapter."""
    return BOOTSTRAP.format(address=repository_address())
