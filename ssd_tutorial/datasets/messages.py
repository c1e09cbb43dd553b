"""What can be wrong with annotated pictures, and how it is said: where, what, and what to do."""

import difflib
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

GO_ON = (
    'Or go on without: on_error="drop" (--on-error drop) leaves such pictures out and counts them.'
)
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
    """A picture that was left out: its annotation or its file is missing or cannot be read."""

    name: str
    reason: str

    def __str__(self) -> str:
        return self.reason.rstrip(".")


def to_numbers(names: Sequence[str], written: Sequence[object]) -> tuple[list[float], str]:
    """The numbers that a file has for a box, and what is wrong with them, or ""."""
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
    """Whether a class is the background by its name."""
    return name.strip().lower() in BACKGROUND


def check_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """The class names of a reader's list, in their order; label 1 is the first.

    Raises:
        ValueError: no list, no name, a name twice, or the background among them.
    """
    if isinstance(classes, str) or not classes or len(set(classes)) < len(classes):
        raise ValueError(f"classes must be a list of different names, and is {classes!r}")
    if any(map(is_background, classes)):
        raise ValueError(
            "classes must not hold the background: label 0 is always there for it. Take it out of "
            "the list."
        )
    return tuple(classes)


def unknown_class(where: str, name: str, classes: Sequence[str]) -> ValueError:
    """The error about an object whose class is not in the list."""
    return ValueError(
        f"{where}: the class {name!r} is not in `classes`{near(name, classes)} Add it, correct "
        f"the file, or leave `classes` out to take every class of the folder."
    )


def refusal(bad: list[BadBox]) -> str:
    """The message about impossible boxes."""
    count = "1 box is" if len(bad) == 1 else f"{len(bad)} boxes are"
    return (
        f"{count} impossible: {listing(bad)}. Correct the file, or go on without: "
        f'on_error="drop" (--on-error drop) leaves such boxes out and lists them in `dropped`.'
    )


def listing(bad: Sequence[object], limit: int = 5) -> str:
    """The first few of a list, and how many more there are."""
    more = f"; and {len(bad) - limit} more" if len(bad) > limit else ""
    return "; ".join(map(str, bad[:limit])) + more


def near(name: str, among: Iterable[str]) -> str:
    """``" (did you mean 'train'?)."`` where something is spelled like the name, else ``"."``."""
    names = list(among)
    # Comparing with all of COCO's 118 287 pictures takes seconds, for every one that is missing.
    close = difflib.get_close_matches(name, names, n=2) if len(names) <= MOST_COMPARED else []
    return f" (did you mean {' or '.join(map(repr, close))}?)." if close else "."


def no_folder(root: Path) -> FileNotFoundError:
    """The error about a folder that is not there, with folders beside it of nearly that name."""
    parent = root.parent
    beside = [p.name for p in parent.iterdir() if p.is_dir()] if parent.is_dir() else []
    return FileNotFoundError(f"there is no folder {root}{near(root.name, beside)}")


def no_split(root: Path, split: str, splits: Iterable[str]) -> FileNotFoundError:
    """The error about a split that is not there, with those that are."""
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
    """The text of a list or label file.

    Raises:
        ValueError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not valid UTF-8 text ({error}): save it in UTF-8.") from error
