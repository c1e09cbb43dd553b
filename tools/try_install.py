"""Install the package in every way that readers do, each into an empty environment, and use it.

    python tools/try_install.py              # editable, wheel, sdist, git
    python tools/try_install.py wheel git    # some of them

Each way gets a new virtual environment in a temporary folder, in which pip resolves and installs
the real requirements; then both packages are imported, `python -m ssd_tutorial --help` runs, and
data that ships with the package is read, all from an empty folder. What is installed is the last
commit. One environment takes about 5 GB and some minutes; it is removed before the next.
"""

import argparse
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from colab import Environment, clean_environment, local_address
from notebooks import ROOT

WAYS = ("editable", "wheel", "sdist", "git")
USE = """\
import pathlib, ssd_book.checks, ssd_book.explorers, ssd_tutorial
from ssd_book.explorers.modules import STATIC
from ssd_tutorial._files import data_path
assert (STATIC / "geometry.js").is_file(), STATIC
assert data_path("datasets.json").is_file()
print(ssd_tutorial.SSD(ssd_tutorial.SLIM300, 2).priors.shape)
print(pathlib.Path(ssd_tutorial.__file__).parent, pathlib.Path(ssd_book.__file__).parent)
"""


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command outside this checkout's environment; return what it prints.

    Raises:
        RuntimeError: it failed; says how.
    """
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, capture_output=True, text=True, env=clean_environment()
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def source_of(way: str, folder: Path) -> list[str]:
    """Return pip's arguments for one way, after making what they name in a folder."""
    if way == "git":
        return [local_address()]
    checkout = folder / "checkout"
    run("git", "clone", "--quiet", ROOT, checkout, cwd=folder)
    if way == "editable":
        return ["--editable", str(checkout)]
    run(sys.executable, "-m", "hatchling", "build", "--target", way, cwd=checkout)
    return [str(next((checkout / "dist").iterdir()))]


def attempt(way: str) -> str:
    """Install and use the package in one way; return what it printed."""
    with tempfile.TemporaryDirectory(prefix="ssd-") as name:
        folder, nowhere = Path(name), Path(name, "empty")
        nowhere.mkdir()
        venv.create(folder / "env", with_pip=True)
        environment = Environment(folder / "env")
        environment.pip("install", "--quiet", *source_of(way, folder))
        environment.pip("check")
        said = run(environment.python, "-c", USE, cwd=nowhere)
        shown = run(environment.python, "-m", "ssd_tutorial", "--help", cwd=nowhere)
        if "doctor" not in shown:
            raise RuntimeError(f"`python -m ssd_tutorial --help` prints\n{shown}")
        return said.splitlines()[-1]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"{', '.join(WAYS)} (all of them)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.ways) - set(WAYS)):
        parser.error(f"there is no way {', '.join(unknown)}: choose from {', '.join(WAYS)}")
    failed = 0
    for way in options.ways or WAYS:
        began = time.perf_counter()
        try:
            said = attempt(way)
        except RuntimeError as error:
            said, failed = f"FAILED: {error}", failed + 1
        print(f"{way} ({time.perf_counter() - began:.0f} s): {said}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
