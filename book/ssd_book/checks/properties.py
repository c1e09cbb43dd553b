"""Properties that many exercises share: a number, a list, a function that agrees with ours.

The right answer is given as a function that is called when the check runs, so importing a chapter's
checks computes nothing. Evidence never contains the right answer.

Checks of numbers are data: a `Bounds`, `Count` or `Near`. Python calls it; on a page `answers.js`
reads its `table`.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from ssd_book.checks.engine import Mistake, Property
from ssd_book.checks.reader import as_tensor, describe

TOLERANCE = 1e-5


def close(a, b, tolerance: float = TOLERANCE) -> bool:
    """Return whether shapes agree (a number fits any) and no entry is off by over `tolerance`."""
    a, b = as_tensor(a), as_tensor(b)
    if a.numel() == b.numel() == 1:
        a, b = a.reshape(()), b.reshape(())
    return a.shape == b.shape and bool(((a - b).abs() <= tolerance).all())


@dataclass(frozen=True)
class Bounds:
    """One real number from `low` to `high`, where these are given."""

    low: float | None = None
    high: float | None = None

    def __call__(self, answer) -> bool:
        """Return whether it holds."""
        if isinstance(answer, Tensor) and answer.numel() == 1:
            answer = answer.item()
        if isinstance(answer, bool) or not isinstance(answer, Real) or answer != answer:
            return False
        return (self.low is None or self.low <= answer) and (
            self.high is None or answer <= self.high
        )

    def table(self) -> dict:
        """Return it as JSON data."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True)
class Count:
    """One number per name; a page has a field for each."""

    names: tuple[str, ...]

    def __call__(self, answer) -> bool:
        """Return whether it holds."""
        return as_tensor(answer).shape == (len(self.names),)

    def table(self) -> dict:
        """Return it as JSON data."""
        return {"names": list(self.names)}


@dataclass(frozen=True)
class Near:
    """The number, or list of numbers, that `value()` gives."""

    value: Callable[[], Any]
    tolerance: float

    def __call__(self, answer) -> bool:
        """Return whether it holds."""
        return close(answer, self.value(), self.tolerance)

    def table(self) -> dict:
        """Return it as JSON data."""
        return {"near": as_tensor(self.value()).flatten().tolist(), "within": self.tolerance}


def _require(says: str, rule: Bounds | Count | Near, hints: Sequence[str]) -> Property:
    def fails(answer):
        return None if rule(answer) else f"you give {describe(answer)}"

    return Property(says, fails, tuple(hints), rule.table)


def is_number(what: str = "The answer is a number.", low=None, high=None) -> Property:
    """Require one real number, within bounds if they are given."""
    hint = "A number such as 3 or 0.25, or an expression that gives one."
    return _require(what, Bounds(low, high), (hint,))


def is_numbers(what: str, *names: str) -> Property:
    """Require a list, tuple or tensor of one number per name."""
    return _require(what, Count(names), (f"A list of {len(names)} numbers.",))


def equals(says: str, truth: Callable[[], Any], hints: Sequence[str], tolerance=1e-3) -> Property:
    """Require the number, or list of numbers, that `truth()` gives."""
    return _require(says, Near(truth, tolerance), hints)


def gives(wrong: Callable[[], Any], hint: str, tolerance=1e-3) -> Mistake:
    """Recognise the mistake of answering with the number, or list of numbers, `wrong()`."""
    rule = Near(wrong, tolerance)
    return Mistake(rule, hint, rule.table)


def returns(
    says: str,
    cases: Callable[[], Sequence[tuple]],
    shape: Callable[..., tuple],
    hints: Sequence[str],
    integers: bool = False,
) -> Property:
    """Require a tensor of `shape(*case)` for each case, without NaN, and of integers if asked."""

    def fails(function):
        for case in cases():
            result, expected = function(*case), torch.Size(shape(*case))
            if not isinstance(result, Tensor):
                return f"{_call(function, case)} gives {describe(result)}, which is not a tensor"
            if result.shape != expected:
                return f"{_call(function, case)} gives shape {list(result.shape)}"
            if integers and (result.is_floating_point() or result.dtype == torch.bool):
                return f"{_call(function, case)} gives {describe(result)}, of {result.dtype}"
            if result.isnan().any():
                return f"{_call(function, case)} gives NaN in {int(result.isnan().sum())} places"
        return None

    return Property(says, fails, tuple(hints))


def agrees(
    says: str,
    truth: Callable,
    cases: Callable[[], Sequence[tuple]],
    hints: Sequence[str],
    tolerance=TOLERANCE,
    part: slice = slice(None),
) -> Property:
    """Require the results of `truth` on each case; the first one that differs is shown.

    With `part`, only those entries of the last dimension are compared.
    """

    def fails(function):
        for case in cases():
            result, expected = function(*case), as_tensor(truth(*case))
            given = as_tensor(result)
            if expected.ndim and given.ndim:
                expected, given = expected[..., part], given[..., part]
            if given.shape != expected.shape:
                about, shape = _call(function, case), list(given.shape)
                return f"{about} gives {describe(result)}, of shape {shape}"
            wrong = ~((given - expected).abs() <= tolerance)  # ~ so that NaN counts as wrong
            if wrong.any():
                return f"{_call(function, case)} gives {_first(result, given, wrong)}"
        return None

    return Property(says, fails, tuple(hints))


def behaves_like(
    wrong: Callable, cases: Callable[[], Sequence[tuple]], hint: str, tolerance=TOLERANCE
) -> Mistake:
    """Recognise the mistake of writing `wrong`: the reader's function agrees with it everywhere."""

    def seen(function):
        return all(close(function(*case), wrong(*case), tolerance) for case in cases())

    return Mistake(seen, hint)


def _call(function, case: tuple) -> str:
    """Return the arguments in words: small ones whole, large tensors by name and shape."""
    words = [describe(arg) for arg in case]
    for k, name in enumerate(_names(function, len(case))):
        if name and isinstance(case[k], Tensor) and case[k].numel() > 12:
            words[k] = f"{name} {list(case[k].shape)}"
    return f"for {', '.join(words)} your function"


def _names(function, count: int) -> list[str]:
    """Return what a reader's function calls its arguments; "" where that can't be known."""
    try:
        names = list(inspect.signature(getattr(function, "function", function)).parameters)
    except (TypeError, ValueError):
        names = []
    return names if len(names) == count else [""] * count


def _first(result, given: Tensor, wrong: Tensor) -> str:
    """Return the reader's result; if it is large, its first wrong entry."""
    if given.numel() <= 12:
        return describe(result)
    index = tuple(wrong.nonzero()[0].tolist())
    place = ", ".join(map(str, index))
    return f"{given[index].item():.4g} at [{place}]; {int(wrong.sum())} of {wrong.numel()} differ"
