"""Report what this machine and installation can do: ``python -m ssd_book.check_env``.

Print plain text that a person can read and paste into a bug report: versions, processor and GPU,
whether live figures will work, disk space, and whether the package's own data are there. Each thing
that is missing comes with the command that fixes it. No user and no home folder is named. The exit
code is 1 if a chapter would fail, else 0.
"""

import argparse
import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from importlib import import_module, metadata, util
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

DISTRIBUTION = "ssd-tutorial"
OPTIONAL = {"jupyterlab": "to open chapters", "jupyter-book": "to build", "nbval": "to test"}
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml"}
LIVE_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
REINSTALL = "install the package again: its data folder is incomplete"
SPARE_GB = 1.0
"""Free disk space below which a build or a training run is likely to fail halfway."""


class Finding(NamedTuple):
    """One line of the report."""

    name: str
    text: str
    fix: str = ""  # set if this keeps a chapter from running


def requirements(extra: str = "") -> list[Requirement]:
    """Return what chapters need and what an optional group such as ``"book"`` adds to it.

    It is read from the installed package, so that only ``pyproject.toml`` lists it.
    """
    found = map(Requirement, metadata.requires(DISTRIBUTION) or [])
    return [r for r in found if r.marker is None or r.marker.evaluate({"extra": extra})]


def check_package(needed: Requirement) -> Finding:
    """Import a package, rather than only look for it, and compare its version.

    One of `OPTIONAL` requires no fix: chapters run without it.
    """
    name, purpose = needed.name, OPTIONAL.get(needed.name)
    fix = "" if purpose else f'pip install --upgrade "{needed}"'
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        why = f" (needed only {purpose})" if purpose else ""
        return Finding(name, f"not installed{why}", fix)
    try:
        import_module(IMPORT_NAMES.get(name, name.replace("-", "_")))
    except Exception as error:  # whatever a broken installation raises is the finding
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(name, f"{version}, but it does not import: {reason}", fix)
    if not needed.specifier.contains(version, prereleases=True):
        return Finding(name, f"{version}, but {needed.specifier} is needed", fix)
    return Finding(name, version)


def check_packages() -> Iterator[Finding]:
    """Check everything that chapters import, then what only authors of the book need."""
    yield Finding(DISTRIBUTION, metadata.version(DISTRIBUTION))
    yield from map(check_package, requirements())
    extras = [*requirements("book"), *requirements("test")]
    yield from (check_package(one) for one in extras if one.name in OPTIONAL)


def check_machine() -> Iterator[Finding]:
    """Check disk, live figures, processor and GPU, and in which precision `train` computes."""
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    fix = "" if free >= SPARE_GB else "free some space: a build writes about 0.2 GB"
    yield Finding("disk", f"{free:.1f} GB free", fix)
    yield check_widgets()
    yield Finding("processor", f"{platform.machine()}, {os.cpu_count()} cores")
    # imported last: a broken torch ends the section here
    from ssd_tutorial.training.distributed import Devices
    from ssd_tutorial.training.provenance import environment

    facts, dtype = environment(), Devices().dtype or "torch.float32"
    yield Finding("training", f"{facts['threads']} threads of {facts['processor']}, {dtype}")
    gpus = facts["cuda"]["devices"] if facts["cuda"] else []
    named = "; ".join(f"{gpu['name']}, {gpu['memory']} GiB" for gpu in gpus)
    yield Finding("GPU", named or "none; every chapter runs without one")


def check_widgets() -> Finding:
    """Check whether interactive figures will work in a notebook on this machine.

    They need Python packages, which `check_packages` covers, and JavaScript parts, which JupyterLab
    looks for in its data folders. In the built pages they need neither.
    """
    if util.find_spec("google") and util.find_spec("google.colab"):
        return Finding("live figures", "will work: Colab brings its own manager")
    if not util.find_spec("jupyterlab"):
        return Finding("live figures", "not in notebooks: JupyterLab is not in this environment")
    from jupyter_core.paths import jupyter_path

    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    absent = [name for name in LIVE_EXTENSIONS if not any((f / name).is_dir() for f in folders)]
    if absent:
        fix = "pip install --force-reinstall --no-deps jupyterlab_widgets anywidget"
        return Finding("live figures", f"JupyterLab lacks {' and '.join(absent)}", fix)
    return Finding("live figures", "will work in JupyterLab")


def check_data() -> Iterator[Finding]:
    """Read every annotated photograph, and build a detector from every file of weights."""
    from ssd_tutorial import _files, datasets
    from ssd_tutorial.weights.file import load_weights

    photographs = list(datasets.VOCFolder(_files.data_path("photographs"), "all"))
    yield Finding("photographs", f"{len(photographs)}, all readable")
    weights = [load_weights(f) for f in _files.data_path("weights").glob("*.safetensors")]
    yield Finding("weights", f"{len(weights)}, all readable", "" if weights else REINSTALL)


SECTIONS = {
    "Packages": (check_packages, "pip install -e . (in the checkout)"),
    "Machine": (check_machine, ""),
    "Data": (check_data, REINSTALL),
}
"""What is checked, and what fixes an error that ends the check."""


def check(section: str) -> Iterator[Finding]:
    """Yield what a section finds; an error that ends it is its last finding."""
    checks, fix = SECTIONS[section]
    try:
        yield from checks()
    except Exception as error:
        yield Finding("but", str(error), fix)


def without_names(text: str) -> str:
    """Return the text with the home folder as ``~`` and the user, its last part, left out."""
    home = Path.home()
    if home.name in ("", "root"):  # identify no one, and "root" occurs in many harmless messages
        return text
    return re.sub(rf"\b{re.escape(home.name)}\b", "USER", text.replace(str(home), "~"))


def main(arguments: list[str] | None = None) -> int:
    """Print the report; return 1 if something needs a fix, else 0."""
    argparse.ArgumentParser(
        prog="python -m ssd_book.check_env", description=__doc__.partition("\n\n")[2]
    ).parse_args(arguments)
    print("SSD, box by box: what this environment can do")
    print(f"Python {platform.python_version()} on {platform.system()} {platform.release()}")
    fixes = []
    for section in SECTIONS:
        print(f"\n{section}")
        for name, text, fix in check(section):
            print(without_names(f"  {'!' if fix else ' '} {name:<14} {text}"))
            fixes += [f"  {name}: {fix}"] if fix else []
    print(f"\nTo fix ({len(fixes)}):" if fixes else "\nEverything that a chapter needs is here.")
    print(*fixes, sep="\n", end="\n" if fixes else "")
    return 1 if fixes else 0


if __name__ == "__main__":
    sys.exit(main())
