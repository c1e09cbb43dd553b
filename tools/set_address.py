"""Change the repository's web address, in `_config.yml` and wherever it was copied from there.

    python tools/set_address.py https://github.com/NAME/REPOSITORY

Rewrites every text file that git tracks and that contains the old address (links in README.md, the
bootstrap cell of each chapter, …), and prints their names. Nothing is committed.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from notebooks import ROOT, repository_address

ADDRESS = re.compile(r"https://(?P<host>[\w.-]+)/(?P<name>[\w.-]+/[\w.-]+?)(?:\.git)?/?")


def replace_address(text: str, old: str, new: str) -> str:
    """Replace the old address by the new one, also in links to Colab (…/github/NAME/…)."""
    before, after = ADDRESS.fullmatch(old), ADDRESS.fullmatch(new)
    text = re.sub(rf"{re.escape(old)}(?![\w-])", new, text)
    provider = after["host"].split(".")[0]
    for form in ("/github/", "/gh/"):  # Colab, Binder
        if provider == "github":
            text = re.sub(
                rf"{form}{re.escape(before['name'])}(?![\w-])", f"{form}{after['name']}", text
            )
    return text


def tracked_files(root: Path) -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z"], capture_output=True, check=True
    )
    return [root / name for name in listed.stdout.decode().split("\0") if name]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("address", help="such as https://github.com/NAME/REPOSITORY")
    options = parser.parse_args(arguments)
    if not (match := ADDRESS.fullmatch(options.address)):
        parser.error(f"not an address like https://github.com/NAME/REPOSITORY: {options.address!r}")
    old, new = repository_address(), f"https://{match['host']}/{match['name']}"
    changed = 0
    for file in tracked_files(ROOT):
        try:
            text = file.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        renewed = replace_address(text, old, new)
        if renewed != text:
            file.write_text(renewed, encoding="utf-8")
            print(file.relative_to(ROOT))
            changed += 1
    print(f"{changed} files changed from {old} to {new}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
