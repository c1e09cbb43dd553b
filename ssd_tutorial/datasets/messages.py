"""Messages about faulty annotations: where, what is wrong, and what to do."""

import difflib
import math
import reprlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

GO_ON = 'Or continue without: on_error="drop" (--on-error drop) leaves them out and counts them.'
MOST_COMPARED = 2_000
T = TypeVar("T")
_FLAGS = dict.fromkeys(("0", "0.0", "false", "no", "none", "unspecified", ""), False)
_FLAGS |= dict.fromkeys(("1", "1.0", "2", "true", "yes"), True)
BACKGROUND = ("background", "__background__")


class BadPicture(NamedTuple):
    """A picture that was left out, as its annotation or its file is missing or unreadable."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason.rstrip(".")


def to_numbers(names: Sequence[str], written: Sequence[object]) -> tuple[list[float], str]:
    """Return the numbers of a box as floats, or none and what is wrong with them."""
    if len(written) != len(names):
        return [], f"expected four numbers, found {len(written)}"
    values, bad = [], []
    for name, text in zip(names, written, strict=True):
        try:
            if isinstance(text, bool) or "_" in str(text):  # True is 1 and 4_0 is 40 to Python
                raise ValueError
            values.append(float(text))
        except (TypeError, ValueError, OverflowError):
            bad.append(f"{name} is {reprlib.repr(text)}")
    if bad:
        return [], f"{', '.join(bad)}, not a number"
    return (values, "") if all(map(math.isfinite, values)) else ([], "a coordinate is not finite")


def to_flag(value: object) -> bool | None:
    """Return what a number or a word such as "true" says; None if it is neither yes nor no."""
    return _FLAGS.get(str(value).strip().lower())


def to_text(value: object) -> str | None:
    """Return an id or a name as text, as tools write 1, 1.0 and "1" for one id.

    None for anything else, or if it is empty, of many lines, or cannot be printed.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    text = value.strip() if isinstance(value, str) else ""
    return text if text.strip("./\\") and text.isprintable() and len(text) < 1_000 else None


def is_background(name: str) -> bool:
    """Return whether a class is the background, by its name."""
    return name.strip().lower() in BACKGROUND


def check_classes(classes: Sequence[str], what: str = "classes") -> tuple[str, ...]:
    """Check a list of class names and return it as a tuple; label 1 is the first.

    Args:
        classes: the names.
        what: what a message calls the list, with its file if it is from one.

    Raises:
        ValueError: it is not a list, is empty, has a name twice, or contains the background.
    """
    if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
        raise ValueError(f"{what} must be a list of different names, not {classes!r}")
    if any(map(is_background, classes)):
        raise ValueError(
            "classes must not contain the background, which always has label 0. Remove it from "
            "the list."
        )
    return tuple(classes)


def listing(items: Sequence[object], limit: int = 5, separator: str = "; ") -> str:
    """Return the first few of a list, and how many more there are."""
    more = [f"and {len(items) - limit} more"] if len(items) > limit else []
    return separator.join([*map(str, items[:limit]), *more])


def near(name: str, among: Iterable[str]) -> str:
    """Return ``" (did you mean 'train'?)."`` if something is spelled similarly, else ``"."``."""
    names = list(among)
    # Comparing with all of COCO's 118 287 pictures takes seconds per missing one.
    close = difflib.get_close_matches(name, names, n=2) if len(names) <= MOST_COMPARED else []
    return f" (did you mean {' or '.join(map(repr, close))}?)." if close else "."


def no_folder(root: Path) -> FileNotFoundError:
    """Return the error about a missing folder, with similarly named folders beside it."""
    parent = root.parent
    beside = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    return FileNotFoundError(f"there is no folder {root}{near(root.name, beside)}")


def no_split(root: Path, split: str, splits: Iterable[str]) -> FileNotFoundError:
    """Return the error about a missing split, with the splits there are."""
    splits = sorted(splits)
    hint = f"{near(split, splits)} Its splits: {', '.join(splits) or 'none'}."
    if splits == ["all"]:
        hint = (
            f": without lists, its only split is 'all'. Let `python -m ssd_tutorial data split "
            f"{root}` divide the pictures."
        )
    return FileNotFoundError(f"{root} has no split {split!r}{hint}")


def parsed(path: Path, kind: str, parse: Callable[[bytes], T], advice: str) -> T:
    """Return what a parser makes of the content of a file.

    Raises:
        ValueError: whatever the parser raises; the message names the file.
    """
    if not path.is_file():  # reading a device or a pipe may never end
        raise ValueError(f"{path} is not a file: put the {kind} there.")
    content = path.read_bytes()
    try:
        return parse(content)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is not readable {kind} ({reason}). {advice}") from error


def start_of(path: Path) -> bytes:
    """Return the first bytes of a file, of any size, to see what it may be."""
    with path.open("rb") as file:
        return file.read(65_536)


def lines_of(path: Path, errors: Literal["strict", "replace"] = "strict") -> dict[int, str]:
    """Return the lines of a text in UTF-8 by number, without blank ones; raises as `parsed`."""
    text = parsed(path, "UTF-8 text", lambda b: b.decode("utf-8-sig", errors), "Save it again.")
    lines = enumerate(text.splitlines(), 1)
    return {number: line.strip() for number, line in lines if line.strip()}
