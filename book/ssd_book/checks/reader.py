"""What a reader hands in: whether it is blank, how to call it, and how to show it in a line."""

from numbers import Number
from traceback import extract_tb

import torch
from torch import Tensor

LONGEST = 160  # characters of a value shown to the reader


class Blank(Exception):
    """The reader's function returns nothing yet: None, or the Ellipsis of the exercise."""


class Raised(Exception):
    """The reader's function raised an exception; the message says which, where and on what."""


def is_blank(value) -> bool:
    """Return whether `value` is None or ``...``, or a container with such an item."""
    if value is None or value is Ellipsis:
        return True
    if isinstance(value, dict):
        value = list(value.values())
    return isinstance(value, (list, tuple)) and any(is_blank(item) for item in value)


class ReaderFunction:
    """Calls a reader's function on copies, so that it may change an argument in place."""

    def __init__(self, function) -> None:
        self.function = function

    def __call__(self, *args):
        """Return the function's result. Raises `Blank` or `Raised`."""
        try:
            result = self.function(*(_copy(arg) for arg in args))
        except Exception as error:
            raise Raised(self._account(error, args)) from error
        if is_blank(result):
            raise Blank
        return result

    def _account(self, error: Exception, args) -> str:
        """Return the exception, the line of the reader's cell, and the arguments, in words."""
        code = getattr(self.function, "__code__", None)
        lines = [f.lineno for f in extract_tb(error.__traceback__) if code and _is_in(f, code)]
        where = f" (line {lines[-1]} of the cell)" if lines else ""
        given = ", ".join(describe(arg) for arg in args)
        message = " ".join(str(error).split()) or "no message"
        return f"{type(error).__name__}: {message[:LONGEST]}{where}, when called with {given}"


def describe(value) -> str:
    """Return `value` in one line: small tensors whole, large ones by shape and dtype."""
    if isinstance(value, Tensor):
        if value.numel() <= 12:
            return f"tensor({_plain(value.tolist())})"
        return f"a tensor {list(value.shape)} of {str(value.dtype).removeprefix('torch.')}"
    text = _plain(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def _plain(value) -> str:
    if isinstance(value, bool) or not isinstance(value, (Number, list, tuple, dict)):
        return _repr(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_plain(k)}: {_plain(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple) and type(value) is tuple:
        return "(" + ", ".join(_plain(item) for item in value) + ("," * (len(value) == 1)) + ")"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(describe(item) for item in value) + "]"
    return f"{value:.4g}" if isinstance(value, float) else repr(value)


def _repr(value) -> str:
    try:
        return repr(value)
    except Exception:
        return f"a {type(value).__name__}"


def _copy(value):
    if isinstance(value, Tensor):
        return value.clone()
    return list(value) if isinstance(value, list) else value


def _is_in(frame, code) -> bool:
    return frame.filename == code.co_filename


def as_tensor(value) -> Tensor:
    """Return `value` (tensor, array, number, list of those) as a float64 tensor on the CPU.

    Raises torch's `ValueError` or `TypeError` if it does not consist of numbers.
    """
    if isinstance(value, (list, tuple)) and any(isinstance(item, Tensor) for item in value):
        value = torch.stack([torch.as_tensor(item) for item in value])
    if isinstance(value, Tensor):
        return value.detach().cpu().double()
    return torch.as_tensor(value, dtype=torch.float64)
