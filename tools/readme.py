"""Write the map of the book into README.md, from `_toc.yml`, the chapters and `_config.yml`.

    python tools/readme.py            # update the map and the repository's address
    python tools/readme.py --check    # write nothing, fail if README.md is out of date

The map is between two comments; the rest of the file stays as it is.
"""

import argparse
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml
from notebooks import ROOT, read, repository_address

README = ROOT / "README.md"
START, END = "<!-- map: python tools/readme.py -->", "<!-- end of map -->"
COLAB = "https://colab.research.google.com/github"


def pages(toc: dict) -> list[tuple[str, list[str]]]:
    """Return the parts of `_toc.yml` in order: caption, and its pages without suffix."""
    parts = toc.get("parts") or [toc]
    return [
        (part.get("caption", ""), [chapter["file"] for chapter in part.get("chapters") or []])
        for part in parts
    ]


def source_of(page: str, root: Path = ROOT) -> Path:
    """Return the file of a page of `_toc.yml`.

    Raises:
        FileNotFoundError: there is neither a notebook nor a Markdown file of that name.
    """
    for suffix in (".ipynb", ".md"):
        if (root / f"{page}{suffix}").is_file():
            return root / f"{page}{suffix}"
    raise FileNotFoundError(f"_toc.yml names {page}, but there is no {page}.ipynb and no {page}.md")


def title_of(path: Path) -> str:
    """Return the first heading of a page; raises as `heading_of`."""
    if path.suffix == ".ipynb":
        texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    else:
        texts = [path.read_text(encoding="utf-8")]
    return heading_of(texts, path.name)


def heading_of(texts: Iterable[str], name: str) -> str:
    """Return the first first-level heading of texts.

    Raises:
        ValueError: there is none; the message names the page.
    """
    heading = re.search(r"^# +(.+)$", "\n".join(texts), re.MULTILINE)
    if heading is None:
        raise ValueError(f"{name} has no first-level heading")
    return heading[1].strip()


def map_of_the_book(root: Path = ROOT) -> str:
    """Return the lines between the two comments."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    slug = repository_address().removeprefix("https://github.com/")
    lines = []
    for caption, names in pages(toc):
        lines += [f"**{caption}**", ""] if caption else []
        for name in names:
            path = source_of(name, root)
            file = path.relative_to(root).as_posix()
            number = re.match(r"\d+", path.name)
            line = f"- [{f'{int(number[0])}. ' if number else ''}{title_of(path)}]({file})"
            if path.suffix == ".ipynb":
                line += f" · [in Colab]({COLAB}/{slug}/blob/main/notebooks/{path.name})"
            lines.append(line)
        lines.append("")
    return "\n".join(lines).strip()


def renewed(text: str, book_map: str, address: str) -> str:
    """Return the README with this map, and this address in its clone and install commands.

    Raises:
        ValueError: one of the two comments is missing.
    """
    start, end = text.find(START), text.find(END)
    if not 0 <= start < end:
        raise ValueError(f"README.md needs the lines {START} and {END}, in this order")
    text = f"{text[: start + len(START)]}\n\n{book_map}\n\n{text[end:]}"
    return re.sub(r"(git clone |git\+)https://[\w./-]+", rf"\g<1>{address}", text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    options = parser.parse_args(arguments)
    before = README.read_text(encoding="utf-8")
    try:
        after = renewed(before, map_of_the_book(), repository_address())
    except (FileNotFoundError, ValueError) as error:
        print(f"readme: {error}", file=sys.stderr)
        return 1
    if after == before:
        return 0
    if options.check:
        print("README.md: the map is out of date; run python tools/readme.py", file=sys.stderr)
        return 1
    README.write_text(after, encoding="utf-8")
    print("README.md: map updated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
