"""What a run was computed with: versions, machine, commit (chapter 15)."""

import json
import os
import platform
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import torch
import torchvision

import ssd_tutorial

_CHECKOUT = Path(ssd_tutorial.__file__).parents[1]


def environment() -> dict:
    """Return what a result depends on besides settings and data, ready for JSON.

    Returns:
        Versions of ``python``, ``torch``, ``torchvision``, ``numpy`` and ``ssd_tutorial``;
        ``platform``; ``processor``; ``threads`` of torch; ``processes`` that share
        the run; ``cuda``: None, or its version, cuDNN's, and name and memory (GiB) of each
        ``devices``; ``git``: None, or the ``commit`` the package is from and whether it is
        ``dirty``; ``command``: the command line.
    """
    return {
        "python": platform.python_version(),
        **{one.__name__: one.__version__ for one in (torch, torchvision, np, ssd_tutorial)},
        "platform": platform.platform(),
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "processes": int(os.environ.get("WORLD_SIZE", 1)),  # torchrun's name for them
        "cuda": _cuda(),
        "git": git(),
        "command": shlex.join(["python", *sys.orig_argv[1:]]),
    }


def processor() -> str:
    """Return the processor's name as its maker writes it, if the system tells."""
    linux = _output("grep", "--max-count=1", "model name", "/proc/cpuinfo")
    mac = _output("sysctl", "-n", "machdep.cpu.brand_string")
    name = linux.partition(":")[2].strip() if linux else mac
    return name or platform.processor() or platform.machine()


def git(checkout: Path = _CHECKOUT) -> dict | None:
    """Return the package's commit, and whether tracked files differ from it.

    None if there is no commit: in a wheel, or in an archive without history.
    """
    command = ("git", "-c", "safe.directory=*", "-C", str(checkout))
    root = _output(*command, "rev-parse", "--show-toplevel")
    # an installed package may lie inside another project's repository
    if root and Path(root).resolve() == checkout.resolve():
        commit = _output(*command, "rev-parse", "HEAD")
        changes = _output(*command, "status", "--porcelain", "--untracked-files=no")
        return {"commit": commit, "dirty": changes != ""} if commit else None
    return _installed_from()


def _installed_from() -> dict | None:
    """Return the commit that pip recorded when it installed the package from a repository."""
    try:
        noted = metadata.distribution("ssd-tutorial").read_text("direct_url.json")
    except metadata.PackageNotFoundError:
        return None
    commit = json.loads(noted or "{}").get("vcs_info", {}).get("commit_id")
    return {"commit": commit, "dirty": False} if commit else None


def _output(*command: str) -> str | None:
    """Return what a command prints; None if it cannot be run or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _cuda() -> dict | None:
    if not torch.cuda.is_available():
        return None
    found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    devices = [{"name": one.name, "memory": round(one.total_memory / 2**30, 1)} for one in found]
    cudnn = torch.backends.cudnn.version()
    return {"version": torch.version.cuda, "cudnn": cudnn, "devices": devices}
