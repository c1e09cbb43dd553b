"""Run `notebooks/` as Colab does: with the packages it ships, in an empty folder, no checkout.

    python tools/colab.py                    # every chapter
    python tools/colab.py 08_matching        # one of them

The environment contains only torch, torchvision, numpy, matplotlib and ipywidgets (and ipykernel to
run cells). Each notebook is run in an empty folder of its own, from its first cell, which installs
the package from this checkout's last commit by a local git address. After each notebook, everything
that it installed is removed again. A notebook fails if a cell raises, or if a text output differs
from the one stored in `book/`; the exit code is then 1.

The environment takes about 5 GB and a few minutes; it stays in `_build/colab` for the next run.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from book_rules import IGNORED_TAG
from execute import text_outputs
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from notebooks import ROOT, chapters, read, tags
from plain import PLAIN, appears

SHIPPED = ("torch", "torchvision", "numpy", "matplotlib", "ipywidgets", "ipykernel")
HOME = ROOT / "_build" / "colab"
IGNORED = "NBVAL_IGNORE_OUTPUT"


class Environment:
    """A virtual environment that can be restored to its initial state."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def make(self) -> None:
        """Create the environment, or reuse a complete one."""
        snapshot = self.folder / "shipped.json"
        if not snapshot.is_file():
            print(f"creating {self.folder} with {', '.join(SHIPPED)} ...", flush=True)
            venv.create(self.folder, with_pip=True, clear=True)
            self.pip("install", "--quiet", *SHIPPED)
            snapshot.write_text(json.dumps(self.packages()))
        self.shipped = json.loads(snapshot.read_text())
        self.restore()

    def pip(self, *arguments: str) -> str:
        command = [str(self.python), "-m", "pip", *arguments, "--disable-pip-version-check"]
        done = subprocess.run(command, capture_output=True, text=True, env=clean_environment())
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def packages(self) -> dict[str, str]:
        return {p["name"]: p["version"] for p in json.loads(self.pip("list", "--format=json"))}

    def restore(self) -> None:
        """Remove what a notebook installed, and restore what it changed."""
        now = self.packages()
        if extra := sorted(set(now) - set(self.shipped)):
            self.pip("uninstall", "--yes", "--quiet", *extra)
        changed = [f"{n}=={v}" for n, v in self.shipped.items() if now.get(n) != v]
        if changed:
            self.pip("install", "--quiet", "--no-deps", *changed)
        question = "import importlib.util as u; print(u.find_spec('ssd_tutorial'))"
        answer = subprocess.run(
            [str(self.python), "-c", question],
            capture_output=True,
            text=True,
            check=True,
            cwd=tempfile.gettempdir(),
            env=clean_environment(),
        )
        if answer.stdout.strip() != "None":
            raise RuntimeError(f"{self.folder} already contains ssd_tutorial: {answer.stdout}")


def clean_environment(**more: str) -> dict[str, str]:
    """Return this process's variables except those that point into this checkout's environment."""
    drop = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "MPLBACKEND"}
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in drop and not name.startswith("SSD_TUTORIAL_")
    }
    return kept | more


def local_address() -> str:
    """Return the address of this checkout's last commit, as pip accepts it."""
    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
    state = subprocess.run(
        [*git, "status", "--porcelain", "ssd_tutorial", "data", "pyproject.toml"],
        capture_output=True,
        text=True,
        check=True,
    )
    if state.stdout.strip():
        print("note: the package has uncommitted changes, which are not tested here")
    return f"git+{ROOT.as_uri()}@{commit.stdout.strip()}"


def run(notebook, python: Path, folder: Path, source: str, timeout: int) -> None:
    """Execute `notebook` in place with `python`'s kernel, in `folder`."""
    manager = AsyncKernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=40"],
        display_name="Colab",
        language="python",
    )
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=timeout,
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.owns_km = True  # so that it stops the kernel
    client.execute(env=clean_environment(SSD_TUTORIAL_SOURCE=source))


def differences(stored, executed) -> list[str]:
    """Return the text outputs that differ; the bootstrap cell may say that it installs."""
    codes = [cell for cell in stored.cells if cell.cell_type == "code"]
    shown = zip(codes, text_outputs(stored), strict=True)
    shown = [(cell, texts) for cell, texts in shown if appears(cell)]
    found = []
    pairs = ((*old, new) for old, new in zip(shown, text_outputs(executed), strict=True))
    for number, (cell, old, new) in enumerate(pairs, start=1):
        ignored = IGNORED in cell.source or IGNORED_TAG in tags(cell)
        if number > 1 and old != new and not ignored:
            found.append(f"code cell {number} shows\n{new}\ninstead of the stored\n{old}")
    return found


def try_chapter(path: Path, environment: Environment, source: str, timeout: int) -> list[str]:
    """Run one chapter as Colab would, and return what went wrong."""
    stored, executed = read(path), read(PLAIN / path.name)
    with tempfile.TemporaryDirectory(prefix="colab-") as folder:
        try:
            run(executed, environment.python, Path(folder), source, timeout)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return [str(error)]
        finally:
            environment.restore()
    return differences(stored, executed)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("notebooks", nargs="*", help="paths or names of chapters; default: all")
    parser.add_argument("--source", help="what pip installs (default: this checkout's last commit)")
    parser.add_argument("--fresh", action="store_true", help="create the environment again")
    parser.add_argument("--timeout", type=int, default=900, help="seconds per cell (%(default)s)")
    options = parser.parse_args(arguments)
    try:
        paths = chapters(options.notebooks)
        environment = Environment(HOME)
        if options.fresh:
            (HOME / "shipped.json").unlink(missing_ok=True)
        environment.make()
        source = options.source or local_address()
    except (FileNotFoundError, RuntimeError, subprocess.CalledProcessError) as error:
        print(f"colab: {error}", file=sys.stderr)
        return 1
    if not paths:
        print("colab: there are no chapters to run", file=sys.stderr)
        return 1

    failed = 0
    for path in paths:
        start = time.perf_counter()
        print(f"{path.stem} ...", end=" ", flush=True)
        faults = try_chapter(path, environment, source, options.timeout)
        failed += bool(faults)
        print(f"{'FAILED' if faults else 'runs'}, {time.perf_counter() - start:.0f} s")
        for fault in faults:
            print(fault, file=sys.stderr)
    print(f"{len(paths) - failed} of {len(paths)} chapters run with the packages that Colab ships")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
