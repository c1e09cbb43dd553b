"""Build one chapter alone, as in the book but within seconds, and print its address.

    python tools/preview.py 08_matching                 # build, with the outputs stored in it
    python tools/preview.py 08_matching --shots shots   # and photograph it, four PNGs
    python tools/preview.py 08_matching --execute       # run it first, as `make book` does

All pages are read, so that links resolve, but only the faults of the chapters named are shown.
Builds go to `_build/preview/NAME`, separate from those of `make book`.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import yaml
from notebooks import ROOT, chapters

PREVIEWS = ROOT / "_build" / "preview"


def warnings_of(log: str, named: list[str]) -> tuple[list[str], int]:
    """Return a build's lines on the chapters named, and the number of warnings on other pages."""
    ours, others, mine = [], 0, True
    for line in log.splitlines(keepends=True):
        if "WARNING:" in line or "ERROR:" in line:
            mine = "book/" not in line or any(f"book/{name}." in line for name in named)
            others += not mine
        if mine:
            ours.append(line)
    return ours, others


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("chapters", nargs="+", help="names such as 08_matching")
    parser.add_argument("--execute", action="store_true", help="run the chapters first")
    parser.add_argument("--shots", type=Path, help="folder for photographs of the pages")
    options = parser.parse_args(arguments)
    try:
        named = [path.stem for path in chapters(options.chapters)]
    except FileNotFoundError as error:
        parser.error(str(error))

    pages = [*ROOT.glob("book/*.ipynb"), *ROOT.glob("book/*.md")]
    others = [f"book/{path.name}" for path in pages if path.stem not in named]
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    config["execute"]["exclude_patterns"] = others
    if not options.execute:
        config["execute"]["execute_notebooks"] = "off"
    extensions = config["sphinx"]["local_extensions"]
    config["sphinx"]["local_extensions"] = {n: str(ROOT / path) for n, path in extensions.items()}
    out = PREVIEWS / "-".join(named)
    out.mkdir(parents=True, exist_ok=True)
    settings = out / "_config.yml"
    settings.write_text(yaml.safe_dump(config), encoding="utf-8")

    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(ROOT)]
    command += ["--config", str(settings), "--path-output", str(out), "-n", "-q"]
    built = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    ours, others = warnings_of(built.stderr, named)
    print("".join(ours), file=sys.stderr, end="")
    if others:
        print(f"({others} warnings about other pages left out)")
    if built.returncode or ours:
        print("preview: the build reported the faults above", file=sys.stderr)
        return 1
    html = out / "_build" / "html"
    for name in named:
        print((html / "book" / f"{name}.html").as_uri())
    if options.shots:
        tool = [sys.executable, str(ROOT / "tools" / "screenshots.py"), *named]
        return subprocess.run([*tool, "--html", str(html), "--out", str(options.shots)]).returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
