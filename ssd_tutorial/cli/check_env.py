"""Report what this machine and installation can do: ``python -m ssd_tutorial.cli.check_env``.

Print plain text that a person can read and paste into a bug report: versions, processor and GPU,
whether live figures will work, disk space, and whether the data are there. Each thing that is
missing comes with the command that fixes it. No user and no home folder is named. The exit code is
1 if a chapter would fail, else 0.
"""

import argparse
import getpass
import importlib
import importlib.metadata
import os
import platform
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

DISTRIBUTION = "ssd-tutorial"
OPTIONAL = {  # what the optional requirements are for, as the report says it
    "jupyterlab": "to open chapters on this machine",
    "jupyter-book": "to build the book",
    "nbval": "to test the chapters",
}
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml"}
LIVE_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
BCCD_PARTS = ("Annotations", "ImageSets/Main", "JPEGImages")
SPARE_GB = 1.0
"""Free disk space below which a build or a training run is likely to fail halfway."""


class Finding(NamedTuple):
    """One line of the report."""

    name: str
    text: str
    fix: str = ""  # set if this keeps a chapter from running


def requirements(*extras: str) -> dict[str, Requirement]:
    """Return what chapters need, or what optional groups such as ``"book"`` add to it.

    It is read from the installed package, so that only ``pyproject.toml`` lists it.

    Raises:
        importlib.metadata.PackageNotFoundError: the package is not installed.
    """
    found = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or []]
    if not extras:
        return {one.name: one for one in found if one.marker is None}
    asked = [{"extra": extra} for extra in extras]
    return {one.name: one for one in found if one.marker and any(map(one.marker.evaluate, asked))}


def check_package(needed: Requirement, purpose: str = "") -> Finding:
    """Import a package, rather than only look for it, and compare its version.

    A package with a `purpose` is one that chapters do not need: its absence requires no fix.
    """
    name, fix = needed.name, "" if purpose else f'pip install --upgrade "{needed}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, f"not installed{purpose and f' (needed only {purpose})'}", fix)
    try:
        importlib.import_module(IMPORT_NAMES.get(name, name.replace("-", "_")))
    except Exception as error:  # whatever a broken installation raises is the finding
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(name, f"{version}, but it does not import: {reason}", fix)
    if not needed.specifier.contains(version, prereleases=True):
        return Finding(name, f"{version}, but {needed.specifier} is needed", fix)
    return Finding(name, version)


def check_packages() -> Iterator[Finding]:
    """Check everything that chapters import, then what only authors of the book need."""
    try:
        needed, optional = requirements(), requirements("book", "test")
    except importlib.metadata.PackageNotFoundError:
        yield Finding(DISTRIBUTION, "not installed", "pip install -e . (in the checkout)")
        return
    yield Finding(DISTRIBUTION, importlib.metadata.version(DISTRIBUTION))
    yield from map(check_package, needed.values())
    for name, purpose in OPTIONAL.items():
        yield check_package(optional[name], purpose)


def bfloat16_gain() -> float:
    """Measure how many times faster one convolution is in bfloat16 than in float32.

    A processor that only supports the format can be slower with it, so this compares the best of
    alternating runs, without the first two.
    """
    import torch

    images = torch.rand(4, 64, 38, 38).to(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)

    def seconds(half: bool) -> float:
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            layer(images)
        return time.perf_counter() - start

    times = [(seconds(False), seconds(True)) for _ in range(21)][1:]
    return min(single for single, _ in times) / min(half for _, half in times)


def check_hardware() -> Iterator[Finding]:
    """Check processor, memory and GPU, as PyTorch sees them."""
    cores = f"{platform.machine()}, {os.cpu_count()} cores"
    if hasattr(os, "sysconf"):  # POSIX
        cores += f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    try:
        import torch
    except Exception:  # check_packages has said why
        yield Finding("processor", cores)
        return
    gain, capability = bfloat16_gain(), torch.backends.cpu.get_cpu_capability()
    yield Finding("processor", f"{cores}; {capability}; {torch.get_num_threads()} PyTorch threads")
    verdict = f"{gain:.1f} times as fast as float32" if gain > 1.1 else "no faster than float32"
    yield Finding("bfloat16", verdict)
    with warnings.catch_warnings(record=True) as said:  # an old driver is reported as a warning
        warnings.simplefilter("always")
        gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
    for gpu in gpus:
        yield Finding("GPU", f"{gpu.name}, {gpu.total_memory / 2**30:.0f} GiB")
    if not gpus and torch.backends.mps.is_available():
        yield Finding("GPU", "Apple (mps)")
    elif not gpus:
        reason = f" (PyTorch says: {said[0].message})".replace("\n", " ") if said else ""
        yield Finding("GPU", f"none; every chapter runs without one{reason}")


def check_widgets() -> Finding:
    """Check whether interactive figures will work in a notebook on this machine.

    They need Python packages, which `check_packages` covers, and JavaScript parts, which JupyterLab
    looks for in its data folders. In the built pages they need neither.
    """
    if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab"):
        return Finding("live figures", "will work: Colab brings its own manager")
    if not importlib.util.find_spec("jupyterlab"):
        return Finding("live figures", "not in notebooks: JupyterLab is not in this environment")
    from jupyter_core.paths import jupyter_path

    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    absent = [name for name in LIVE_EXTENSIONS if not any((f / name).is_dir() for f in folders)]
    if absent:
        fix = "pip install --force-reinstall --no-deps jupyterlab_widgets anywidget"
        return Finding("live figures", f"JupyterLab lacks {' and '.join(absent)}", fix)
    return Finding("live figures", "will work in JupyterLab")


def check_disk(folder: Path) -> Finding:
    """Check the free space where the reader works."""
    free = shutil.disk_usage(folder).free / 1e9
    fix = "" if free >= SPARE_GB else "free some space: a build writes about 0.2 GB"
    return Finding("disk", f"{free:.1f} GB free", fix)


def photographs() -> list:
    """Read every annotated photograph."""
    from ssd_tutorial import datasets

    return [datasets.load_photograph(name) for name in datasets.photographs()]


def weights() -> list:
    """Build a detector from every file of trained weights."""
    from ssd_tutorial._files import data_path
    from ssd_tutorial.weights.file import load_weights

    return [load_weights(file) for file in data_path("weights").glob("*.safetensors")]


def check_data() -> Iterator[Finding]:
    """Read the data that come with the package, and look for BCCD if its folder is named."""
    fix = "install the package again: its data folder is incomplete"
    for read in (photographs, weights):
        try:
            count = len(read())
            yield Finding(read.__name__, f"{count}, all readable", "" if count else fix)
        except Exception as error:
            yield Finding(read.__name__, f"cannot be read: {error}", fix)
    named = os.environ.get("SSD_TUTORIAL_BCCD")
    absent = [part for part in BCCD_PARTS if not Path(named or "", part).is_dir()]
    if not named:
        yield Finding("BCCD", "SSD_TUTORIAL_BCCD is not set; chapters use scenes instead")
    elif absent:
        fix = f"unset SSD_TUTORIAL_BCCD, or set it to a folder with {', '.join(BCCD_PARTS)}"
        yield Finding("BCCD", f"the folder that SSD_TUTORIAL_BCCD names has no {absent[0]}", fix)
    else:
        yield Finding("BCCD", f"{len(list(Path(named, 'JPEGImages').glob('*.jpg')))} pictures")


def without_names(text: str) -> str:
    """Return the text with the home folder as ``~`` and the user's name left out."""
    text = text.replace(str(Path.home()), "~")
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container without a user entry
        return text
    # "root" identifies no one, and occurs in many harmless messages.
    return text if user == "root" else re.sub(rf"\b{re.escape(user)}\b", "USER", text)


def report() -> tuple[str, int]:
    """Return the whole report, and how many things in it need a fix."""
    sections = {
        "Packages": list(check_packages()),
        "Machine": [*check_hardware(), check_widgets(), check_disk(Path.cwd())],
        "Data": list(check_data()),
    }
    python = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    lines = ["SSD, box by box: what this environment can do", python]
    for title, findings in sections.items():
        lines += ["", title, *(f"  {'!' if fix else ' '} {a:<14} {b}" for a, b, fix in findings)]
    fixes = [f"  {name}: {fix}" for some in sections.values() for name, _, fix in some if fix]
    lines += [
        "",
        f"To fix ({len(fixes)}):" if fixes else "Everything that a chapter needs is here.",
    ]
    return without_names("\n".join([*lines, *fixes])), len(fixes)


def main(arguments: list[str] | None = None) -> int:
    """Print the report; return 1 if something needs a fix, else 0."""
    argparse.ArgumentParser(
        prog="python -m ssd_tutorial.cli.check_env", description=__doc__.partition("\n\n")[2]
    ).parse_args(arguments)
    text, faults = report()
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
