"""Run the unit tests with the lowest and with the newest torch that pyproject.toml admits.

    python tools/try_versions.py                      # both, on every Python that is installed
    python tools/try_versions.py lowest -- -k boxes   # one; pytest's options follow

torch, torchvision and numpy have only a lower bound, so readers come with any release between that
and the newest, while the lock, and with it `make test`, has one of them. Each combination gets a
new environment in a temporary folder, in which pip resolves everything else. It runs the tests of
the last commit except those in a browser, and is removed before the next. Python 3.10 has no theme
that is new enough for the pages, so tests that build some are skipped there. One takes about 6 GB
and, on two cores, a quarter of an hour.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from colab import Environment, clean_environment
from notebooks import ROOT
from try_install import run

BOUNDED = ("torch", "torchvision", "numpy")
NEWEST_PYTHON = 14
LIVE = "book/_live/node_modules"  # from npm, for the tests of the page's detector


def constraints(which: str, pyproject: str) -> list[str]:
    """Return pip's constraints; none for the newest releases.

    Raises:
        ValueError: a package has no lower bound in pyproject.toml.
    """
    if which == "newest":
        return []
    found = []
    for name in BOUNDED:
        bound = re.search(rf'^ *"{name}>=([\d.]+)"', pyproject, re.M)
        if bound is None:
            raise ValueError(f"pyproject.toml has no lower bound of {name}")
        found.append(f"{name}=={bound[1]}.*")
    return found


def pythons() -> list[str]:
    """Return the Pythons at hand that the package admits and that run, this one first."""
    found = {sys.version_info[:2]: sys.executable}
    for minor in range(10, NEWEST_PYTHON + 1):
        if path := shutil.which(f"python3.{minor}"):
            # pyenv has a name on PATH for every version, and most answer that they are not chosen
            asked = [path, "-c", "import sys; print(sys.executable)"]
            done = subprocess.run(asked, capture_output=True, text=True, env=clean_environment())
            if done.returncode == 0:
                found.setdefault((3, minor), done.stdout.strip())
    return list(found.values())


def attempt(python: str, which: str, options: list[str]) -> tuple[bool, str]:
    """Install one combination and run the tests; return whether they passed, and a line."""
    with tempfile.TemporaryDirectory(prefix="ssd-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # one test runs as nobody
        checkout, limits = folder / "checkout", folder / "constraints.txt"
        run("git", "clone", "--quiet", ROOT, checkout, cwd=folder)
        (checkout / LIVE).symlink_to(ROOT / LIVE)
        given = constraints(which, (checkout / "pyproject.toml").read_text(encoding="utf-8"))
        limits.write_text("".join(f"{line}\n" for line in given))
        run(python, "-m", "venv", folder / "env", cwd=folder)
        environment = Environment(folder / "env")
        environment.pip(
            *("install", "--quiet", "--constraint", str(limits)),
            *("--editable", f"{checkout}[book,test]"),
        )
        here = environment.packages()
        versions = ", ".join(f"{name} {here[name]}" for name in BOUNDED)
        command = [environment.python, "-m", "pytest", "tests", "--ignore=tests/browser", *options]
        done = subprocess.run(
            list(map(str, command)),
            cwd=checkout,
            stdout=subprocess.PIPE,
            text=True,
            env=clean_environment(OMP_NUM_THREADS="1"),
        )
        summary = [
            line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))
        ]
        summary.append(done.stdout.strip().splitlines()[-1])
        return done.returncode == 0, "\n".join([versions, *summary])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("which", nargs="*", metavar="lowest|newest", help="both by default")
    given = sys.argv[1:] if arguments is None else arguments
    at = given.index("--") if "--" in given else len(given)
    chosen = parser.parse_args(given[:at]).which or ["lowest", "newest"]
    if unknown := sorted(set(chosen) - {"lowest", "newest"}):
        parser.error(f"choose lowest or newest, not {', '.join(unknown)}")
    failed = 0
    for python in pythons():
        for which in chosen:
            began = time.perf_counter()
            try:
                passed, said = attempt(python, which, given[at + 1 :])
            except RuntimeError as error:
                passed, said = False, str(error)
            failed += not passed
            minutes = (time.perf_counter() - began) / 60
            word = "passed" if passed else "FAILED"
            print(f"== {python}, {which}: {word} in {minutes:.0f} min\n{said}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
