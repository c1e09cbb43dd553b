"""Programs in processes of their own that need not import PyTorch or Sphinx first: they are forked.

A server imports what the first of them asks for, once for all tests of a worker, and forks itself
for each program. A later one may ask for more, and then imports it itself.
"""

import multiprocessing
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

COMMANDS = ("ssd_tutorial.__main__", "ssd_tutorial.figures.plots")
"""What the package's commands import."""
BOOKS = (
    "tests.no_grammars",
    *COMMANDS,
    *("jupyter_book.cli.main", "jupyter_book.sphinx", "myst_nb.sphinx_ext", "nbclient"),
    *("sphinx_book_theme", "ssd_book.checks.page", "ssd_book.page_pictures"),
)
"""What a build of the book imports."""

INHERITED = """
def _inherit(said, environment, folder):
    import multiprocessing, os, sys
    multiprocessing.set_start_method(None, force=True)  # for what loads pictures: the system's own
    sys.argv[1:] = []
    sys.dont_write_bytecode = True  # a limit on the size of files would leave half of one
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    for number, path in enumerate(said, start=1):
        file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
_inherit(*_inherited)
"""


def start(program, out, err=None, imported=COMMANDS, **names):
    """Start a program with these names; its output goes to the files `out` and `err`, or to one.

    Returns a `multiprocessing.Process`, whose exit code is that of `sys.exit` in the program.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*imported])
    names["_inherited"] = ((str(out), str(err or out)), dict(os.environ), os.getcwd())
    process = context.Process(target=exec, args=(INHERITED + program, names))
    process.start()
    return process


def run(program, **options):
    """Run a program to its end; return its exit code and output, as `subprocess.run` does."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("out", "err")]
        for file in files:
            file.touch()  # it may end before it opens them
        process = start(program, *files, **options)
        try:
            process.join()
        finally:
            process.kill()  # if the test was stopped
        out, err = (file.read_text(encoding="utf-8") for file in files)
    return SimpleNamespace(returncode=process.exitcode, stdout=out, stderr=err)
