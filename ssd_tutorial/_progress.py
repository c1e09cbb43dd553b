"""One progress bar for all long work."""

from collections.abc import Iterable

from tqdm import tqdm


def progress_bar(
    items: Iterable | None, title: str, show: bool | None = None, total: int | None = None, **more
) -> tqdm:
    """Return the items again, with a bar on standard error while they are used.

    Plain text, also in notebooks: ``tqdm.auto`` leaves a widget there even of a bar that is never
    shown, and a page with a widget asks other origins for scripts.

    Args:
        items: what is iterated over; None for a bar that its user moves on by ``update``.
        title: what the work is called.
        show: None shows the bar where standard error is a terminal and the work takes seconds.
        total: how many items there are, where they do not know it themselves.
        more: further arguments of `tqdm`, such as ``unit``.
    """
    more = {"unit": "", "leave": False, "delay": 0 if show else 2} | more
    return tqdm(items, desc=title, total=total, disable=None if show is None else not show, **more)
