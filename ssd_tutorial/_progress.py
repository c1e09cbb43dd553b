"""One progress bar for everything that takes long."""

from collections.abc import Iterable

from tqdm import tqdm


def progress_bar(
    items: Iterable | None, title: str, show: bool | None = None, total: int | None = None, **more
) -> tqdm:
    """Return the items, with a progress bar on standard error while they are iterated over.

    Plain text, even in notebooks: there ``tqdm.auto`` leaves a widget even for a bar that is never
    shown, and a page with a widget loads scripts from other origins.

    Args:
        items: what to iterate over; None for a bar that its user advances by ``update``.
        title: the name of the work.
        show: None shows the bar if standard error is a terminal and the work takes seconds.
        total: number of items, if they do not have a length.
        more: further arguments of `tqdm`, such as ``unit``.
    """
    more = {"unit": "", "leave": False, "delay": 0 if show else 2} | more
    return tqdm(items, desc=title, total=total, disable=None if show is None else not show, **more)
