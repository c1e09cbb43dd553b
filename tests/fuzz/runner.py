"""Run one case: call a target with its random numbers, within limits, and judge the outcome.

A case ends in a right result or in an error of an expected type, whose message is one sentence that
a user understands. Anything else is a `Fault`: a wrong result, another exception, a message that is
Python's own, more than `SECONDS` of processor time, more than `GIGABYTES` of memory.
"""

import contextlib
import faulthandler
import io
import re
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any, NamedTuple

SECONDS, WALL_SECONDS = 10, 120
"""Of the processor, and on a clock: a case that waits for ever uses no processor."""
GIGABYTES = 2
EXPECTED = (ValueError, OSError, FloatingPointError, ImportError)
"""What `ssd_tutorial.__main__` reports in a sentence."""
LONGEST = 2000
_PYTHONS_WORDS = re.compile(
    r"object (is|has|does|cannot|of type)|has no attribute|unsupported operand|NoneType"
    r"|not supported between|index out of range|invalid literal for|unhashable type|can't multiply"
    r"|to unpack \(|positional argument|must be real number|must be str|expected str, bytes"
    r"|empty name|Dimension out of range|Expected all tensors|selected index"
    r"|size of tensor|shape '|invalid for input"
)


class Fault(AssertionError):
    """A case ended in a way that no user should see."""


class Refused(NamedTuple):
    """The call ended in an expected error, in one sentence."""

    message: str


@dataclass(frozen=True)
class Target:
    """Something to attack."""

    name: str
    run: Callable[[Random, Path], Any]
    """Makes a case in an empty folder and tries it; returns `Refused` if it was refused."""
    share: int
    """Of 100 cases."""


@dataclass
class Outcome:
    """What happened to the cases of one target."""

    cases: int = 0
    refused: int = 0
    seconds: float = 0.0
    kinds: dict[str, list[int]] = field(default_factory=dict)
    """Seeds by kind of fault."""

    @property
    def faults(self) -> int:
        return sum(map(len, self.kinds.values()))


def answer(call: Callable[[], Any], *names: str) -> Any:
    """Return the call's result, or `Refused`; its message must hold one of the names.

    Raises:
        Fault: the message is not a sentence for a user.
    """
    try:
        return call()
    except Fault:
        raise
    except EXPECTED as error:
        check_sentence(str(error), type(error).__name__, names)
        return Refused(str(error))


def check_sentence(said: str, kind: str, names: tuple[str, ...] = ()) -> None:
    """Refuse a message that is empty, long, a traceback, Python's own, or names no file."""
    problem = ""
    if not said.strip():
        problem = "says nothing"
    elif "\n" in said.strip() or "Traceback" in said:
        problem = "is not one line"
    elif len(said) > LONGEST:
        problem = f"is longer than {LONGEST} letters"
    elif found := _PYTHONS_WORDS.search(said):
        problem = f"has Python's words ({found[0]})"
    elif names and not any(name in said for name in names):
        problem = "does not say which file"
    if problem:
        raise Fault(f"{kind} {problem}: {said[:300]!r}")


def attempt(target: Target, seed: int, folder: Path) -> tuple[bool, str, str]:
    """Try one case in an empty folder.

    Returns:
        Whether it was refused, the kind of fault ("" for none), and its description.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with _limits(), _quiet():
            refused = isinstance(target.run(Random(f"{target.name} {seed}"), folder), Refused)
    except Fault as fault:
        return False, _kind(fault), f"{fault}\n\n{traceback.format_exc()}"
    except SystemExit as stop:
        return False, f"SystemExit {stop.code}", traceback.format_exc()
    except Exception as error:
        return False, f"{type(error).__name__} at {_place(error)}", traceback.format_exc()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak) / 2**20
    if grown > GIGABYTES:
        return refused, "memory", f"it took {grown:.1f} GB"
    return refused, "", ""


def run(
    target: Target, seeds: range, keep: Path | None = None, tell: Callable[[int], None] = id
) -> Outcome:
    """Try a target with each seed; copy what fails into `keep`, three cases of each kind."""
    outcome, begin = Outcome(), perf_counter()
    for seed in seeds:
        tell(seed)
        with tempfile.TemporaryDirectory(prefix="fuzz") as name:
            folder = Path(name, "case")
            folder.mkdir()
            refused, kind, text = attempt(target, seed, folder)
            outcome.cases += 1
            outcome.refused += refused
            if kind:
                seeds_of_kind = outcome.kinds.setdefault(kind, [])
                seeds_of_kind.append(seed)
                if keep and len(seeds_of_kind) <= 3:
                    _keep(keep / f"{target.name}-{seed}", folder, f"{kind}\n\n{text}")
    outcome.seconds = perf_counter() - begin
    return outcome


def _keep(place: Path, folder: Path, text: str) -> None:
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    with contextlib.suppress(OSError, shutil.Error):  # links and devices that cannot be copied
        shutil.copytree(folder, place / "case", symlinks=True)
    (place / "fault.txt").write_text(text, encoding="utf-8", errors="backslashreplace")


def _kind(fault: Fault) -> str:
    """Return a fault without what differs from case to case."""
    words = re.sub(r"(/[^\s:,'\"]+)+", "PATH", str(fault).split(": ")[0])
    return re.sub(r"-?\d[\d.e+-]*", "N", words)[:90]


def _place(error: Exception) -> str:
    """Return the package's innermost line that an exception passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "ssd_tutorial" in f.filename] or frames
    return f"{'/'.join(Path(ours[-1].filename).parts[-2:])}:{ours[-1].lineno}"


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    def too_long(number: int, frame: Any) -> None:
        raise Fault(f"takes more than {SECONDS} s")

    before = [signal.signal(number, too_long) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    outer = signal.setitimer(signal.ITIMER_REAL, WALL_SECONDS)  # pytest-timeout's
    faulthandler.dump_traceback_later(2 * WALL_SECONDS, exit=True, file=sys.__stderr__)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        for number, old in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(number, old)
        signal.setitimer(signal.ITIMER_REAL, *outer)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
