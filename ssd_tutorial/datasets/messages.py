"""Messages about faulty annotations: where, what is wrong, and what to do."""

import difflib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

GO_ON = 'Or continue without: on_error="drop" (--on-error drop) leaves them out and counts them.'
MOST_COMPARED = 2_000
BACKGROUND = ("background", "__background__")


class BadBox(NamedTuple):
    """A box that was dropped or clipped, and the rule it broke."""

    file: str  # the annotation file, without its folder
    number: int  # 1 for the first object of the file; in COCO's layout the annotation's id
    name: str  # the class
    box: tuple[str, ...]  # the numbers as the file has them
    reason: str
    picture: str = ""  # the picture's name in the split

    def __str__(self) -> str:
        numbers = ", ".join(self.box)
        return f"{self.file}, object {self.number} ({self.name}), box [{numbers}]: {self.reason}"


class BadPicture(NamedTuple):
    """A picture that was left out, as its annotation or its file is missing or unreadable."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason.rstrip(".")


def to_numbers(names: Sequence[str], written: Sequence[object]) -> tuple[list[float], str]:
    """Return the numbers of a box as floats, and what is wrong with them, or ""."""
    values, bad = [], []
    for name, text in zip(names, written, strict=True):
        try:
            values.append(float(text))
        except (TypeError, ValueError):
            bad.append(f"{name} is {text!r}")
    if bad:
        return [], f"{', '.join(bad)}, not a number"
    if not all(map(math.isfinite, values)):
        return [], "a coordinate is not finite"
    return values, ""


def is_background(name: str) -> bool:
    """Return whether a class is the background, by its name."""
    return name.strip().lower() in BACKGROUND


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Check a list of class names and return it as a tuple; label 1 is the first.

    Raises:
        ValueError: it is not a list, is empty, has a name twice, or contains the background.
    """
    if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
        raise ValueError(f"classes must be a list of different names, not {classes!r}")
    if any(map(is_background, classes)):
        raise ValueError(
            "classes must not contain the background, which always has label 0. Remove it from "
            "the list."
        )
    return tuple(classes)


def unknown_class(where: str, name: str, classes: Sequence[str]) -> ValueError:
    """Return the error about an object whose class is not in the list."""
    return ValueError(
        f"{where}: the class {name!r} is not in `classes`{near(name, classes)} Add it, correct "
        f"the file, or omit `classes` to use every class of the folder."
    )


def refusal(bad: list[BadBox]) -> str:
    """Return the message about impossible boxes."""
    count = "1 box is" if len(bad) == 1 else f"{len(bad)} boxes are"
    return (
        f"{count} impossible: {listing(bad)}. Correct the file, or continue without: "
        f'on_error="drop" (--on-error drop) leaves such boxes out and lists them in `dropped`.'
    )


def listing(bad: Sequence[object], limit: int = 5) -> str:
    """Return the first few of a list, and how many more there are."""
    more = f"; and {len(bad) - limit} more" if len(bad) > limit else ""
    return "; ".join(map(str, bad[:limit])) + more


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
    if splits == ["all"]:
        return FileNotFoundError(
            f"{root} has no split {split!r}: without lists, its only split is 'all'. Let `python "
            f"-m ssd_tutorial data split {root}` divide the pictures."
        )
    return FileNotFoundError(
        f"{root} has no split {split!r}{near(split, splits)} Its splits: "
        f"{', '.join(splits) or 'none'}."
    )


def read_text(path: Path) -> str:
    """Return the text of a list or label file.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not valid UTF-8 text ({error}): save it as UTF-8.") from error
