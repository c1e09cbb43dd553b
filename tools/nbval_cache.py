"""A pytest plugin that saves the book's build from executing again what nbval has executed.

    PYTHONPATH=tools pytest -p nbval_cache --nbval book/

nbval runs each chapter in a fresh kernel and compares every output with the stored one, as it does
without this plugin. The plugin listens: if all cells of a chapter pass, the outputs that its kernel
sent go into the execution cache that `make book` reads. Kernels start as in the build, in an empty
folder and without the user's own IPython settings; beside the PNGs that nbval sees, they keep in
that cache what the pages show instead.
"""

import atexit
import importlib.util
import shutil
import tempfile
import time
from pathlib import Path
from types import ModuleType

import nbval.plugin
import pytest
from filelock import FileLock
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete

# The chapters that train, the longest first.
LONGEST = ("16_your_own_pictures", "12_training_on_a_laptop", "15_full_gpu_training")
CACHE = pytest.StashKey[Path]()
EXECUTION = pytest.StashKey["Execution"]()


def book_pages(root: Path) -> ModuleType:
    """Import the Sphinx extension that knows the cache's path; it is not in a package."""
    path = root / "book" / "_ext" / "book_pages.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Execution:
    """The outputs that a notebook's kernel has sent, assembled as the build would."""

    def __init__(self, file: nbval.plugin.IPyNbFile, cache: Path):
        self.file, self.cache, self.started = file, cache, time.perf_counter()
        notebook = nbval.plugin.nbformat.read(str(file.path), as_version=4)
        kinds = enumerate(cell.cell_type for cell in notebook.cells)
        self.places = [place for place, kind in kinds if kind == "code"]
        for place in self.places:
            notebook.cells[place].outputs = []
        self.client = NotebookClient(notebook, record_timing=False)
        self.client.clear_before_next_output = False  # nbclient sets it when it starts a kernel
        self.running, self.request, self.passed = 0, None, set()
        file.get_kernel_message = self.next_message

    def next_message(self, **options) -> dict:
        """Return the next message for nbval, after reading it."""
        message = type(self.file).get_kernel_message(self.file, **options)
        if message["msg_type"] == "execute_input":
            self.request = message["parent_header"]["msg_id"]
        if message["parent_header"].get("msg_id") == self.request:
            place = self.places[self.running]
            try:
                self.client.process_message(message, self.client.nb.cells[place], place)
            except CellExecutionComplete:
                self.request = None
        return message

    def has_passed(self, number: int) -> None:
        """Note that a cell's outputs match the stored ones; after the last cell, fill the cache."""
        self.passed.add(number)
        if len(self.passed) < len(self.places):
            return
        self.client.set_widgets_metadata()
        facts = self.file.kernel.kc.kernel_info(reply=True, timeout=60)["content"]
        self.client.nb.metadata["language_info"] = facts["language_info"]
        seconds = {"execution_seconds": time.perf_counter() - self.started}
        bundle = CacheBundleIn(self.client.nb, str(self.file.path), data=seconds)
        self.cache.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{self.cache}.lock"):  # xdist runs several processes
            get_cache(self.cache).cache_notebook_bundle(
                bundle, check_validity=False, overwrite=True
            )


def pytest_configure(config):
    root, build = config.rootpath, config.rootpath / "_build"
    pages = book_pages(root)
    config.stash[CACHE] = pages.cache_path(build, root)
    pages.quiet_kernel(build, config.stash[CACHE])
    kernel, folders = nbval.plugin.RunningKernel, tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folders, ignore_errors=True)

    def in_an_empty_folder(name, cwd=None, **options):
        return kernel(name, cwd=tempfile.mkdtemp(dir=folders), **options)

    nbval.plugin.RunningKernel = in_an_empty_folder


def pytest_collection_modifyitems(items):
    """Begin with the chapters that take minutes, so that no process ends alone with one."""
    rank = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path.stem, len(rank)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    if isinstance(item, nbval.plugin.IPyNbCell):
        stash = item.parent.stash
        if EXECUTION not in stash:
            stash[EXECUTION] = Execution(item.parent, item.config.stash[CACHE])
        stash[EXECUTION].running = item.cell_num
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if isinstance(item, nbval.plugin.IPyNbCell) and report.when == "call" and report.passed:
        item.parent.stash[EXECUTION].has_passed(item.cell_num)
    return report
