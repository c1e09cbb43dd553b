"""The engine of the exercise checks: properties tried in order, hints that come one at a time.

An `Exercise` is a list of `Property`: a sentence that must hold, a way to check it, and hints from
gentle to plain. A `Mistake` recognises one wrong answer and has a hint of its own, given first. The
reader sees the first property that fails, with their own value; each further try gives the next
hint.
"""

import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Literal

from ssd_book.checks.reader import Blank, Raised, ReaderFunction, describe, is_blank

WIDTH = 76  # characters per line: what a page of the book shows without scrolling


@dataclass(frozen=True)
class Property:
    """One thing that must hold."""

    says: str
    """What must hold, as a sentence: "Two boxes that don't touch have IoU 0."."""
    fails: Callable[[Any], str | None]
    """Return None if it holds; otherwise what the answer does instead, never the right answer."""
    hints: tuple[str, ...]
    """Given one by one, one per wrong try; the last is repeated."""
    table: Callable[[], dict] | None = None
    """The same check as data, for `answers.js`; None if only Python can check it."""


@dataclass(frozen=True)
class Mistake:
    """A common wrong answer."""

    seen: Callable[[Any], bool]
    """Whether an answer that failed is this mistake."""
    hint: str
    table: Callable[[], dict] | None = None
    """The same as data, for `answers.js`; None if only Python can recognise it."""


@dataclass(frozen=True)
class Exercise:
    """An exercise's check. Its text and its solution are in the chapter."""

    id: str
    """Chapter and number: "08.2"."""
    title: str
    wants: str
    """What to hand in, completing "Wanted: ": "a function of two boxes that returns …"."""
    properties: tuple[Property, ...]
    mistakes: tuple[Mistake, ...] = ()
    function: bool = False
    """Whether the answer is a function."""
    choices: Mapping[str, Any] = field(default_factory=dict)
    """What a page lets the reader choose from: every possible answer, by its label."""


@dataclass(frozen=True)
class Finding:
    """What is true of an answer, whoever asks and how often."""

    status: Literal["passed", "failed", "unsolved"]
    says: str = ""
    """The property that fails; if all hold, the last one."""
    evidence: str = ""
    hints: tuple[str, ...] = ()
    cause: str = ""
    """The property's sentence or the mistake's hint, by which tries are counted."""


@dataclass(frozen=True)
class Verdict:
    """What the check found, and the text that says so."""

    status: Literal["passed", "failed", "unsolved"]
    text: str
    cause: str = ""
    """The property's sentence or the mistake's hint, by which tries are counted."""


class CheckFailed(AssertionError):
    """Raised by `require`; its message is the text that a reader would see."""


def examine(exercise: Exercise, answer, tries: Callable[[str], int] = lambda cause: 0) -> Verdict:
    """Examine an answer. `tries(cause)` is how often this cause has been reported before.

    Whatever the answer does, no exception leaves this function.
    """
    finding = diagnose(exercise, answer)
    if finding.status == "unsolved":
        return _unsolved(exercise)
    if finding.status == "failed":
        return _failed(exercise, finding, tries(finding.cause))
    lines = [f"✓ {exercise.id} {exercise.title}: right."]
    lines += [_line("✓", prop.says) for prop in exercise.properties]
    return Verdict("passed", "\n".join(lines))


def diagnose(exercise: Exercise, answer) -> Finding:
    """Find the first property that fails, and the mistake behind it; no exception leaves."""
    try:
        return _diagnose(exercise, answer)
    except Exception as error:  # such as a list that contains itself
        evidence = f"examining your answer raises {type(error).__name__}"
        return _fault("The answer can be examined.", evidence, (exercise.wants,))


def _diagnose(exercise: Exercise, answer) -> Finding:
    if is_blank(answer):
        return Finding("unsolved")
    if callable(answer) != exercise.function:
        cause = "It asks for a function." if exercise.function else "It asks for a value."
        hint = "Hand in the function itself, without calling it: its name, without brackets."
        if not exercise.function:
            hint = "Hand in what the function returns: call it."
        return _fault(cause, f"you hand in {describe(answer)}", (hint,))
    if exercise.function:
        answer = ReaderFunction(answer)
    for prop in exercise.properties:
        try:
            evidence = prop.fails(answer)
        except Blank:
            return Finding("unsolved")
        except Raised as error:
            hints = ("Call the function yourself on these arguments, and print as you go.",)
            return _fault(prop.says, str(error), hints)
        except Exception as error:  # an answer of a kind that the property did not expect
            evidence = f"your answer can't be compared ({type(error).__name__}: {error})"
            if not exercise.function:
                evidence = f"you give {describe(answer)}; {evidence}"
        if evidence is not None:
            for mistake in exercise.mistakes:
                if _is_seen(mistake, answer):
                    return _fault(prop.says, evidence, (mistake.hint, *prop.hints), mistake.hint)
            return _fault(prop.says, evidence, prop.hints)
    return Finding("passed", exercise.properties[-1].says)


def _fault(says: str, evidence: str, hints: tuple[str, ...], cause: str = "") -> Finding:
    return Finding("failed", says, evidence, hints, cause or says)


def _is_seen(mistake: Mistake, answer) -> bool:
    try:
        return bool(mistake.seen(answer))
    except Exception:  # the answer is too far from the mistake to be compared with it
        return False


def _failed(exercise: Exercise, found: Finding, tries: int) -> Verdict:
    given = min(tries, len(found.hints) - 1)
    lines = [
        f"✗ {exercise.id} {exercise.title}: not yet.",
        _line("Must hold:", found.says),
        _line("Yours:", found.evidence),
        _line(f"Hint {given + 1} of {len(found.hints)}:", found.hints[given]),
    ]
    if given + 1 < len(found.hints):
        lines.append("  Run the cell again for the next hint.")
    return Verdict("failed", "\n".join(lines), found.cause)


def _unsolved(exercise: Exercise) -> Verdict:
    lines = [
        f"○ {exercise.id} {exercise.title}: no answer yet.",
        _line("Wanted:", exercise.wants),
        "  Replace each ... above, and run the cell."
        + (" Does the function return?" if exercise.function else ""),
    ]
    return Verdict("unsolved", "\n".join(lines))


def _line(label: str, text: str) -> str:
    return textwrap.fill(
        f"{label} {text}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


# How often each (exercise, cause) was reported in this kernel, which picks the next hint.
_told: Counter = Counter()


def check(id: str, answer) -> None:
    """Print whether `answer` solves exercise `id`; if not, what fails and the next hint.

    Never raises: an unsolved exercise stops neither the reader nor the build of the book.
    """
    try:
        exercise = find(id)
    except KeyError as error:
        print(error.args[0])
        return
    verdict = examine(exercise, answer, tries=lambda cause: _told[id, cause])
    if verdict.status == "failed":
        _told[id, verdict.cause] += 1
    else:
        forget(id)
    print(verdict.text + "\n", end="")  # in one write, or a notebook may store it as two outputs


def forget(id: str) -> None:
    """Start again with the first hints of exercise `id`."""
    for key in [key for key in _told if key[0] == id]:
        del _told[key]


def require(id: str, answer) -> None:
    """Check as `check` does, but print nothing and raise `CheckFailed` unless the answer passes.

    Raises `KeyError` if there is no such exercise.
    """
    verdict = examine(find(id), answer)
    if verdict.status != "passed":
        raise CheckFailed(verdict.text)


def find(id: str) -> Exercise:
    """Return the exercise called `id`, loading the module of its chapter.

    Raises `KeyError`, which lists the ids, if there is no such exercise.
    """
    chapter, known = str(id).split(".")[0], []
    if chapter in _chapters():
        known = _exercises_of(chapter)
        for exercise in known:
            if exercise.id == id:
                return exercise
    there = [e.id for e in known] or [f"chapters {', '.join(_chapters())}"]
    raise KeyError(f"There is no exercise {id!r}; there are {', '.join(there)}")


def all_exercises() -> list[Exercise]:
    """Return every exercise of the book, in order."""
    return [exercise for chapter in _chapters() for exercise in _exercises_of(chapter)]


@cache
def _chapters() -> list[str]:
    path = import_module("ssd_book.checks").__path__
    return sorted(
        m.name[2:] for m in iter_modules(path) if m.name[:2] == "ch" and m.name[2:].isdigit()
    )


def _exercises_of(chapter: str) -> tuple[Exercise, ...]:
    return import_module(f"ssd_book.checks.ch{chapter}").EXERCISES
