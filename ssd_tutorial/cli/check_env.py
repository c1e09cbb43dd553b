"""Says what this machine and this installation can do: ``python -m ssd_tutorial.cli.check_env``.

Prints plain text that a person can read and paste into a bug report: versions, processor and GPU,
whether live figures will work, disk space, and whether the data are there. Each thing that is
missing comes with the command that mends it. Names no user and no home folder. The exit code is 1
if a chapter would fail, else 0.
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
from dataclasses import dataclass
from pathlib import Path

DISTRIBUTION = "ssd-tutorial"
OPTIONAL = {  # what the extra requirements are for, in the words of the report
    "jupyterlab": "to open chapters on this machine",
    "jupyter-book": "to build the book",
    "nbval": "to test the chapters",
}
IMPORT_NAMES = {"pillow": "PIL", "pyyaml": "yaml", "jupyter-book": "jupyter_book"}
LIVE_EXTENSIONS = ("@jupyter-widgets/jupyterlab-manager", "anywidget")
SPARE_GB = 1.0
"""Free disk space below which a build or a training run is likely to end half way."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    name: str
    text: str
    fix: str = ""
    """What to do about it: set for what keeps a chapter from running, empty otherwise."""


def requirements(extra: str | None = None) -> dict[str, str]:
    """The lowest versions this package asks for, ``{"torch": "2.2", ...}``.

    They are read from the installed package, so that they stand in ``pyproject.toml`` alone.
    ``extra`` names an optional group (``"book"``, ``"test"``); without it: what chapters need.
    Raises `importlib.metadata.PackageNotFoundError` where the package is not installed.
    """
    found = {}
    for line in importlib.metadata.requires(DISTRIBUTION) or []:
        name, _, marker = line.partition(";")
        group = re.search(r"extra == ['\"]([\w-]+)['\"]", marker)
        if (group[1] if group else None) == extra:
            minimum = re.search(r">=\s*([\w.]+)", name)
            found[re.match(r"[\w.-]+", name)[0].lower()] = minimum[1] if minimum else "0"
    return found


def as_numbers(version: str) -> tuple[int, ...]:
    """``"2.15.0+cpu"`` becomes ``(2, 15, 0)``: enough to compare releases."""
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("+")[0])[:3])


def check_package(name: str, minimum: str, purpose: str = "") -> Finding:
    """Imports a package, rather than only looking for it, and compares its version.

    A package with a ``purpose`` is one that chapters do without: its absence needs no mending.
    """
    mend = "" if purpose else f'pip install --upgrade "{name}>={minimum}"'
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, f"not installed{purpose and f' (needed only {purpose})'}", mend)
    try:
        importlib.import_module(IMPORT_NAMES.get(name, name.replace("-", "_")))
    except Exception as error:  # whatever a broken installation raises is the finding
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        return Finding(name, f"{version}, but it does not import: {reason}", mend)
    if as_numbers(version) < as_numbers(minimum):
        return Finding(name, f"{version}, older than {minimum}", mend)
    return Finding(name, version)


def check_packages() -> Iterator[Finding]:
    """Everything that a chapter imports, then what only the book's makers need."""
    try:
        needed, optional = requirements(), {**requirements("book"), **requirements("test")}
    except importlib.metadata.PackageNotFoundError:
        yield Finding(DISTRIBUTION, "not installed", "pip install -e . (in the checkout)")
        return
    yield Finding(DISTRIBUTION, importlib.metadata.version(DISTRIBUTION))
    yield from (check_package(name, minimum) for name, minimum in needed.items())
    for name, purpose in OPTIONAL.items():
        yield check_package(name, optional[name], purpose)


def bfloat16_gain(seconds: float = 0.5) -> float:
    """How many times faster one convolution runs in bfloat16 than in float32 on this processor.

    Measured, since a processor that merely knows the format can be slower with it: the best of as
    many alternating runs as fit into ``seconds``, after one of each that does not count.
    """
    import torch

    images = torch.rand(4, 64, 38, 38).to(memory_format=torch.channels_last)
    layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)

    def run(dtype: torch.dtype) -> float:
        start = time.perf_counter()
        with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            layer(images)
        return time.perf_counter() - start

    formats = (torch.float32, torch.bfloat16)
    times = [[run(dtype) for dtype in formats]]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 2:
        times.append([run(dtype) for dtype in formats])
    float32, bfloat16 = map(min, zip(*times[1:], strict=True))
    return float32 / bfloat16


def check_hardware() -> Iterator[Finding]:
    """Processor, memory and GPU, as PyTorch sees them."""
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):  # not a POSIX system
        memory = ""
    cores = f"{platform.machine()}, {os.cpu_count()} cores{memory}"
    try:
        import torch
    except Exception:  # check_packages has said why
        yield Finding("processor", cores)
        return
    gain = bfloat16_gain()
    verdict = f"{gain:.1f} times as fast as float32" if gain > 1.1 else "no faster than float32"
    capability = torch.backends.cpu.get_cpu_capability()
    yield Finding("processor", f"{cores}; {capability}; {torch.get_num_threads()} PyTorch threads")
    yield Finding("bfloat16", verdict)
    with warnings.catch_warnings(record=True) as said:  # an old driver is told as a warning
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
    """Whether figures that can be touched will be alive in a notebook on this machine.

    They need Python packages, which `check_packages` covers, and their halves in JavaScript, which
    JupyterLab looks for in its data folders. In the built pages they need neither.
    """
    if importlib.util.find_spec("google") and importlib.util.find_spec("google.colab"):
        return Finding("live figures", "will work: Colab brings its own manager")
    if not importlib.util.find_spec("jupyterlab"):
        return Finding("live figures", "not in notebooks: JupyterLab is not in this environment")
    from jupyter_core.paths import jupyter_path

    folders = [Path(folder) for folder in jupyter_path("labextensions")]
    absent = [name for name in LIVE_EXTENSIONS if not any((f / name).is_dir() for f in folders)]
    if absent:
        mend = "pip install --force-reinstall --no-deps jupyterlab_widgets anywidget"
        return Finding("live figures", f"JupyterLab lacks {' and '.join(absent)}", mend)
    return Finding("live figures", "will work in JupyterLab")


def check_disk(folder: Path) -> Finding:
    """Free space where the reader works."""
    free = shutil.disk_usage(folder).free / 1e9
    mend = "" if free >= SPARE_GB else "free some space: a build writes about 0.2 GB"
    return Finding("disk", f"{free:.1f} GB free", mend)


def count_photographs() -> int:
    """Reads every annotated photograph; raises what reading raises."""
    from ssd_tutorial.datasets import load_photograph, photographs

    return len([load_photograph(name) for name in photographs()])


def count_weights() -> int:
    """Builds a detector from every file of trained weights; raises what that raises."""
    from ssd_tutorial._files import data_path
    from ssd_tutorial.weights.file import load_weights

    files = sorted(data_path("weights").glob("*.safetensors"))
    if not files:
        raise FileNotFoundError("no file of weights is there")
    return len([load_weights(file) for file in files])


def check_data() -> Iterator[Finding]:
    """The data that come with the package, and BCCD where it is named."""
    mend = "install the package again; its data folder is not whole"
    for name, count in (("photographs", count_photographs), ("weights", count_weights)):
        try:
            yield Finding(name, f"{count()}, all readable")
        except Exception as error:
            yield Finding(name, f"cannot be read: {error}", mend)
    named = os.environ.get("SSD_TUTORIAL_BCCD")
    if not named:
        yield Finding("BCCD", "SSD_TUTORIAL_BCCD names no folder; chapters use scenes")
        return
    parts = ("Annotations", "ImageSets/Main", "JPEGImages")
    absent = [part for part in parts if not (Path(named) / part).is_dir()]
    if absent:
        mend = f"unset SSD_TUTORIAL_BCCD, or let it name a folder with {', '.join(parts)}"
        yield Finding("BCCD", f"the folder that SSD_TUTORIAL_BCCD names has no {absent[0]}", mend)
    else:
        count = sum(1 for _ in (Path(named) / "JPEGImages").glob("*.jpg"))
        yield Finding("BCCD", f"{count} pictures")


def without_names(text: str) -> str:
    """The text with the home folder as ``~`` and the user's name left out."""
    text = text.replace(str(Path.home()), "~")
    try:
        user = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container without a user entry
        return text
    # "root" says nothing about anyone, and stands in many an innocent message.
    return text if user == "root" else re.sub(rf"\b{re.escape(user)}\b", "USER", text)


def report() -> tuple[str, int]:
    """The whole report, and how many things in it need mending."""
    sections = {
        "Packages": list(check_packages()),
        "Machine": [*check_hardware(), check_widgets(), check_disk(Path.cwd())],
        "Data": list(check_data()),
    }
    python = f"Python {platform.python_version()} on {platform.system()} {platform.release()}"
    lines = ["SSD, box by box: what this environment can do", python]
    for title, findings in sections.items():
        lines += ["", title]
        lines += [
            f"  {'!' if finding.fix else ' '} {finding.name:<14} {finding.text}"
            for finding in findings
        ]
    mends = [f for findings in sections.values() for f in findings if f.fix]
    if mends:
        lines += ["", f"To mend ({len(mends)}):"]
        lines += [f"  {finding.name}: {finding.fix}" for finding in mends]
    else:
        lines += ["", "Everything that a chapter needs is here."]
    return without_names("\n".join(lines)), len(mends)


def main(arguments: list[str] | None = None) -> int:
    """Prints the report; returns 1 if something needs mending, else 0."""
    argparse.ArgumentParser(
        prog="python -m ssd_tutorial.cli.check_env", description=__doc__.partition("\n\n")[2]
    ).parse_args(arguments)
    text, faults = report()
    print(text)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
