"""Write the bootstrap cell into chapters: in Colab it installs the package and enables explorers.

    python tools/bootstrap.py                  # every chapter
    python tools/bootstrap.py 08_matching      # one of them
    python tools/bootstrap.py --check          # write nothing, fail if one is out of date

The cell is the first code cell, folded in JupyterLab and left out of the pages. The address in it
comes from `repository.url` in `_config.yml`; in a running notebook the environment variable
SSD_TUTORIAL_SOURCE (a folder, a wheel or a git+ address, as pip accepts it) overrides it.
"""

import argparse
import sys

import nbformat
from notebooks import bootstrap_source, chapters, read, tags, write

METADATA = {"tags": ["bootstrap", "remove-cell"], "jupyter": {"source_hidden": True}}


def refresh(notebook, source: str) -> bool:
    """Insert or update the cell, and return whether anything changed."""
    before = nbformat.writes(notebook)
    codes = [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    ours = [i for i in codes if "bootstrap" in tags(notebook.cells[i])]
    if not ours:
        first = codes[0] if codes else len(notebook.cells)
        notebook.cells.insert(first, nbformat.v4.new_code_cell())
        ours = [first]
    cell = notebook.cells[ours[0]]
    if cell.source != source:
        cell.source, cell.outputs, cell.execution_count = source, [], None
    cell.metadata.update(METADATA)
    for extra in reversed(ours[1:]):
        del notebook.cells[extra]
    return nbformat.writes(notebook) != before


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", help="paths or names of chapters; default: all")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if out of date")
    options = parser.parse_args(arguments)
    try:
        paths, source = chapters(options.notebooks), bootstrap_source()
    except (FileNotFoundError, ValueError) as error:
        print(f"bootstrap: {error}", file=sys.stderr)
        return 1
    stale = 0
    for path in paths:
        notebook = read(path)
        if not refresh(notebook, source):
            continue
        stale += 1
        if options.check:
            print(f"{path.name}: the bootstrap cell is out of date", file=sys.stderr)
        else:
            write(notebook, path)
            print(f"{path.name}: bootstrap cell written; execute the notebook again")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
