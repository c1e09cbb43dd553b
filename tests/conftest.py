"""Shared by all unit tests: one thread each, fixed seeds, and a time limit."""

import os
import tempfile
from pathlib import Path

# Set before anything imports PyTorch: xdist runs one process per core, and more threads would only
# take turns. Figures are drawn without a screen.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

import hypothesis
import pytest

import tests.no_grammars  # noqa: F401 before anything imports nbformat

SECONDS = 120
"""A unit test that takes longer hangs, or needs @pytest.mark.timeout(...)."""

# The same examples on every machine; a slow machine is not a failure.
hypothesis.settings.register_profile("project", deadline=None, derandomize=True)
hypothesis.settings.load_profile("project")


FOLDERS = ("SSD_TUTORIAL_BCCD", "SSD_TUTORIAL_VOC_BOXES", "SSD_TUTORIAL_CASES")
"""Variables that name folders outside the repository; without them, their tests are skipped."""


def pytest_configure(config):
    for name in FOLDERS:
        if os.environ.get(name) and not Path(os.environ[name]).is_dir():
            raise pytest.UsageError(f"{name} names a folder that does not exist")


def pytest_collection_modifyitems(items):
    # Files whose tests may take longest come first, or one core would wait for the last of them.
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: item.path not in long)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(SECONDS))


@pytest.fixture(autouse=True)
def seeded():
    """Give every test the same random numbers, alone or after others."""
    import torch

    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def one_thread():
    """Restore the number of threads after each test."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def shared_folder():
    """A folder that other users may enter, which pytest's own forbid, again with each new run."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def ax():
    """Axes to draw on, in the book's style."""
    import matplotlib.pyplot as plt

    from ssd_tutorial.figures.plots import STYLE

    with plt.style.context([STYLE, {"figure.dpi": 40}]):  # small, so that it draws fast
        figure, axes = plt.subplots()
        yield axes
        figure.canvas.draw()  # whatever was drawn can be rendered, without a warning
        plt.close(figure)
