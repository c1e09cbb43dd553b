"""Where the files of the top-level ``data`` folder are, in a checkout and in an installed package.

A wheel carries a copy of ``data`` as ``ssd_tutorial/_data``, so that a chapter opened outside the
checkout finds the same photographs, weights and recorded runs.
"""

from pathlib import Path

PACKAGE = Path(__file__).parent


def data_path(name: str) -> Path:
    """The path of a file or folder of ``data``, such as ``"photographs"``.

    Args:
        name: relative to ``data``, with forward slashes.

    Raises:
        FileNotFoundError: there is no such file; the message says what lies beside it.
        ValueError: ``name`` is absolute or leads out of ``data``.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"data_path takes a name below data, and was given {name!r}")
    root = _root()
    path = root / name
    if not path.exists():
        parent = next(p for p in path.parents if p.is_dir())
        beside = ", ".join(sorted(p.name for p in parent.iterdir())) or "nothing"
        raise FileNotFoundError(f"there is no {name} in {root}: {parent} holds {beside}.")
    return path


def _root() -> Path:
    packaged, checkout = PACKAGE / "_data", PACKAGE.parent
    if packaged.is_dir():
        return packaged
    # An installed package also has a folder beside it that might be called data, of another
    # package: only beside a pyproject.toml is it ours.
    if (checkout / "data").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "data"
    raise FileNotFoundError(
        f"ssd_tutorial was installed without its data: neither {packaged} nor {checkout / 'data'} "
        f"is there. Install it anew from a checkout or a wheel that holds them."
    )
