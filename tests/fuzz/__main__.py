"""``python -m tests.fuzz``: attack the package with random and hostile inputs.

The same seed makes the same case, whatever was run before it: a run that was stopped, or another
machine, continues with ``--first``, and one case is repeated with ``--target voc --first 123
--cases 1``. Failing inputs are kept below ``--out``, three of each kind.
"""

import argparse
import resource
import sys
from pathlib import Path

import torch

from tests.fuzz import TARGETS
from tests.fuzz.runner import run

HEADROOM = 6 << 30
"""Bytes of address space beyond those in use now: what takes more is stopped."""


def main(arguments: list[str] | None = None) -> int:
    """Print a table; return 1 if a case ended in a fault."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cases", type=int, default=10_000, help="of all targets (10 000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed of every target (0)")
    parser.add_argument("--target", action="append", choices=TARGETS, help="only this; repeatable")
    parser.add_argument("--out", type=Path, default=Path("_build", "fuzz"))
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, resource.RLIM_INFINITY))
    chosen = [TARGETS[name] for name in options.target or TARGETS]
    whole = sum(target.share for target in chosen)
    faults, kinds = 0, []
    heads = ["target", "seeds", "cases", "refused", "faults", "kinds", "seconds"]
    print("|", " | ".join(heads), "|")
    print("|" + "---|" * len(heads))
    for target in chosen:
        seeds = range(options.first, options.first + -(-options.cases * target.share // whole))
        tell = _progress(target.name, seeds)
        outcome = run(target, seeds, options.out, tell)
        row = [target.name, f"{seeds[0]}-{seeds[-1]}", outcome.cases, outcome.refused]
        row += [outcome.faults, len(outcome.kinds), f"{outcome.seconds:.0f}"]
        print("|", " | ".join(map(str, row)), "|", flush=True)
        faults += outcome.faults
        kinds += [
            f"{target.name}: {kind} ({len(found)} times)\n"
            f"    python -m tests.fuzz --target {target.name} --first {found[0]} --cases 1"
            for kind, found in sorted(outcome.kinds.items(), key=lambda item: -len(item[1]))
        ]
    if kinds:
        print(f"\nInputs are in {options.out}:", *kinds, sep="\n")
    return int(faults > 0)


def _progress(name: str, seeds: range):
    """Return what shows the seed on a terminal, so that a stopped run can be continued."""

    def tell(seed: int) -> None:
        if sys.stderr.isatty():
            end = "\r" if seed < seeds[-1] else "\r\033[K"
            print(f"{name}: seed {seed} of {seeds[-1]}", end=end, file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    sys.exit(main())
