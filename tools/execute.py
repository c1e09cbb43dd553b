"""Execute chapters in place, as they are committed: clean kernel, stored outputs, nothing volatile.

    python tools/execute.py 08_matching          # or a path; several at once
    python tools/execute.py --all
    python tools/execute.py --check 08_matching  # write nothing; fail if text outputs would change
    python tools/execute.py --lighten --all      # execute nothing; make stored pictures light

Each notebook runs in an empty folder of its own, so that a chapter which reads a relative path
fails here instead of in Colab. What would differ from run to run is not stored: widget state,
times, the version of Python, random cell ids. Explorers keep their picture and their text. Stored
pictures are made light (`pictures.py`). If a cell raises, its error is printed, the file is left
unchanged, and the exit code is 1.
"""

import argparse
import os
import sys
import tempfile
import time

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from notebooks import KERNELSPEC, WIDGET_VIEW, chapters, read, write
from pictures import bound, lighten

KEPT_CELL_METADATA = {"tags", "mystnb", "jupyter", "exercise", "cellView"}


def execute(notebook, timeout: int):
    """Run every cell of `notebook`, in place, from a clean kernel in an empty folder.

    Raises:
        CellExecutionError: a cell raised.
        CellTimeoutError: a cell took longer than `timeout` seconds.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    os.environ.pop("MPLBACKEND", None)  # with Agg, no figure would be stored
    with tempfile.TemporaryDirectory(prefix="ssd-chapter-") as folder:
        NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name=KERNELSPEC["name"],
            record_timing=False,
            store_widget_state=False,
            coalesce_streams=True,
            extra_arguments=["--log-level=ERROR"],  # otherwise every kernel prints a note about TCP
            resources={"metadata": {"path": folder}},
        ).execute()
    return notebook


def strip(notebook):
    """Remove, in place, what differs from run to run without being a result."""
    notebook.metadata = type(notebook.metadata)(
        kernelspec=KERNELSPEC, language_info={"name": "python", "pygments_lexer": "ipython3"}
    )
    notebook.nbformat_minor = 5
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:02d}"
        kept = {key: value for key, value in cell.metadata.items() if key in KEPT_CELL_METADATA}
        cell.metadata = type(cell.metadata)(kept)
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = type(cell.metadata)()
            output.get("data", {}).pop(WIDGET_VIEW, None)
    return notebook


def text_outputs(notebook) -> list[list[str]]:
    """Return what nbval compares: all but pictures and widgets, one list per code cell."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        texts = []
        for output in cell.outputs:
            if output.output_type == "stream":
                texts.append(f"{output.name}: {output.text}")
            for kind, value in sorted(output.get("data", {}).items()):
                if not kind.startswith("image/") and kind != WIDGET_VIEW:
                    texts.append(f"{kind}: {value}")
        found.append(texts)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", help="paths or names of chapters")
    parser.add_argument("--all", action="store_true", help="every chapter of the book")
    parser.add_argument("--check", action="store_true", help="compare with what is stored")
    parser.add_argument("--lighten", action="store_true", help="only make stored pictures light")
    parser.add_argument("--timeout", type=int, default=900, help="seconds per cell (%(default)s)")
    options = parser.parse_args(arguments)
    if bool(options.notebooks) == options.all:
        parser.error("name notebooks, or pass --all")
    if options.check and options.lighten:
        parser.error("--check writes nothing, so --lighten has nothing to do")
    try:
        paths = chapters(options.notebooks)
    except FileNotFoundError as error:
        parser.error(str(error))

    status = 0
    for path in paths:
        notebook = read(path)
        if options.lighten:
            before = path.stat().st_size
            write(lighten(notebook, bound(path)), path)
            print(f"{path.name}: {before / 1e6:.2f} MB, now {path.stat().st_size / 1e6:.2f} MB")
            continue
        before = text_outputs(notebook)
        start = time.perf_counter()
        print(f"{path.name}: executing ...", end=" ", flush=True)
        try:
            execute(notebook, options.timeout)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            print(f"failed; the file is unchanged\n{error}", file=sys.stderr)
            status = 1
            continue
        codes = sum(cell.cell_type == "code" for cell in notebook.cells)
        print(f"{codes} code cells, {time.perf_counter() - start:.1f} s")
        if not options.check:
            write(lighten(strip(notebook), bound(path)), path)
            continue
        for number, (old, new) in enumerate(zip(before, text_outputs(notebook), strict=True), 1):
            if old != new:
                status = 1
                print(f"  code cell {number}: stored {old}\n  now {new}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
