"""A bar for long work, where somebody looks."""

from collections.abc import Iterable

from tqdm.auto import tqdm


def follow(items: Iterable, what: str, progress: bool | None = None, total: int | None = None):
    """The items again, with a bar on standard error; None shows it where that is a terminal."""
    hide = None if progress is None else not progress
    return tqdm(items, desc=f"{what:<12}", total=total, disable=hide, leave=False)
