"""Mutation testing: change the eleven modules, one place at a time, and see whether a test fails.

    python tools/mutants.py                 # all eleven
    python tools/mutants.py boxes mining    # some of them
    python tools/mutants.py --survivors     # only those that survived, after tests were added

The library mutmut makes the mutants, with its default operators: another number, operator or
string, a None, an argument less. Each is tried by the tests of its module alone, in a fork of one
process that has imported PyTorch and run nothing: what a module keeps in a cache is computed by the
mutant. mutmut is installed into `_build/mutants/env`, which sees the packages of this environment.
A rerun tries only what has changed; a changed test file counts as a change of its module.

Prints a table, then the survivors: mutants that no test notices. Those that `tests/survivors.toml`
explains are equivalent, or differ in what no caller can rely on. The exit code is 1 if fewer than
95 % of the mutants are killed, or if a survivor is not explained.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from colab import Environment, clean_environment
from notebooks import ROOT
from size import ELEVEN

HOME = ROOT / "_build" / "mutants"
EXPLAINED = ROOT / "tests" / "survivors.toml"
LEAST = 0.95
KILLED = {1: "killed", 3: "killed", 24: "timeout", -24: "timeout", 152: "timeout", 36: "timeout"}
SETTINGS = """
[tool.mutmut]
source_paths = ["ssd_tutorial"]
only_mutate = ["ssd_tutorial/{name}.py"]
pytest_add_cli_args_test_selection = ["tests/test_{name}.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "-p", "no:xdist"]
process_isolation = "forkserver"
timeout_multiplier = 5.0
timeout_constant = 5.0
use_git_change_detection = false
"""


def environment() -> Environment:
    """Return an environment with mutmut that sees the packages of this one."""
    made = Environment(HOME / "env")
    if not made.python.is_file():
        venv.create(made.folder, with_pip=True)
        purelib = Path(sysconfig.get_path("purelib", vars={"base": str(made.folder)}))
        (purelib / "these.pth").write_text(sysconfig.get_path("purelib") + "\n")
        made.pip("install", "--quiet", "mutmut>=3.8,<4")
    return made


def workspace(name: str, survivors: bool = False) -> Path:
    """Return a folder with the package, the tests of one module, and mutmut's settings.

    Results of other tests are removed from it, but if only `survivors` are to be tried again.
    """
    folder, test = HOME / name, ROOT / "tests" / f"test_{name}.py"
    shared = [ROOT / "tests" / f"{file}.py" for file in ("conftest", "no_grammars")]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (test, *shared))).hexdigest()
    stamp = folder / "tests.sha256"
    if survivors and results(folder, name):
        kept = result_file(folder, name)
        again = json.loads(kept.read_text())
        codes = again["exit_code_by_key"]
        again["exit_code_by_key"] = {k: c if c in KILLED else None for k, c in codes.items()}
        kept.write_text(json.dumps(again))
        (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)  # which tests there are
    elif not stamp.is_file() or stamp.read_text() != digest:
        shutil.rmtree(folder, ignore_errors=True)
    unneeded = shutil.ignore_patterns("__pycache__")
    shutil.copytree(
        ROOT / "ssd_tutorial", folder / "ssd_tutorial", dirs_exist_ok=True, ignore=unneeded
    )
    shutil.copytree(
        ROOT / "tests/parity", folder / "tests/parity", dirs_exist_ok=True, ignore=unneeded
    )
    for path in (test, *shared):
        shutil.copy2(path, folder / "tests" / path.name)
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (folder / "pyproject.toml").write_text(pyproject + SETTINGS.format(name=name), encoding="utf-8")
    stamp.write_text(digest)
    return folder


def result_file(folder: Path, name: str) -> Path:
    return folder / "mutants" / "ssd_tutorial" / f"{name}.py.meta"


def results(folder: Path, name: str) -> dict[str, int | None]:
    """Return the exit code of the tests of each mutant; None where it was not tried."""
    kept = result_file(folder, name)
    return json.loads(kept.read_text())["exit_code_by_key"] if kept.is_file() else {}


def changed_lines(diff: str) -> str:
    """Return what a mutant's diff adds, in one line: the name under which it is explained."""
    lines = diff.splitlines()
    added = [line[1:].strip() for line in lines if line.startswith("+") and line[:3] != "+++"]
    removed = [line[1:].strip() for line in lines if line.startswith("-") and line[:3] != "---"]
    return " ".join(added or [f"without {line}" for line in removed])


def survivors_of(made: Environment, folder: Path, keys: list[str]) -> list[str]:
    """Return what each of these mutants changes."""
    script = (
        "import json, sys\n"
        "from mutmut.mutation.diff_apply import get_diff_for_mutant\n"
        "print(json.dumps([get_diff_for_mutant(key) for key in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [str(made.python), "-c", script],
        cwd=folder,
        input=json.dumps(keys),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env=clean_environment(),
    )
    return [changed_lines(diff) for diff in json.loads(done.stdout.splitlines()[-1])]


def attempt(made: Environment, name: str, survivors: bool) -> tuple[int, int, list[str]]:
    """Try the mutants of one module; return how many there are, are killed, and the survivors.

    Raises:
        RuntimeError: mutmut failed, such as where a test fails without any mutant.
    """
    folder = workspace(name, survivors)
    done = subprocess.run(
        [str(made.folder / "bin" / "mutmut"), "run", "--max-children", "1"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=clean_environment(OMP_NUM_THREADS="1"),
    )
    codes = results(folder, name)
    if done.returncode or None in codes.values():
        raise RuntimeError(f"mutmut failed on {name}:\n{done.stdout[-3000:]}")
    alive = [key for key, code in codes.items() if code not in KILLED]
    return len(codes), len(codes) - len(alive), survivors_of(made, folder, alive)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="all eleven by default")
    parser.add_argument("--survivors", action="store_true", help="try only those again")
    options = parser.parse_args(arguments)
    chosen = options.modules or list(ELEVEN)
    if unknown := sorted(set(chosen) - set(ELEVEN)):
        parser.error(f"choose from {', '.join(ELEVEN)}, not {', '.join(unknown)}")
    made = environment()
    explained = tomllib.loads(EXPLAINED.read_text(encoding="utf-8"))
    total, killed, unexplained, lines = 0, 0, 0, []
    print(f"{'module':12}{'mutants':>9}{'killed':>8}{'':>8}")
    for name in chosen:
        number, dead, alive = attempt(made, name, options.survivors)
        total, killed = total + number, killed + dead
        share = dead / number if number else 1
        print(f"{name:12}{number:9}{dead:8}{share:8.1%}", flush=True)
        reasons = explained.get(name, {})
        for mutant in alive:
            reason = next((why for why, these in reasons.items() if mutant in these), None)
            unexplained += reason is None
            lines.append(f"{name}: {mutant}\n    {reason or 'NOT EXPLAINED'}")
    print(f"{'all':12}{total:9}{killed:8}{killed / max(total, 1):8.1%}\n", *lines, sep="\n")
    return int(killed < LEAST * total or unexplained > 0)


if __name__ == "__main__":
    sys.exit(main())
