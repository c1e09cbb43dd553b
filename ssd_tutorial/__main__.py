"""The command line, ``python -m ssd_tutorial COMMAND``: modules of `cli` (chapter 12)."""

import argparse
import contextlib
import functools
import importlib
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

from ssd_tutorial.cli.terminal import Printed, complain

PROGRAM = "python -m ssd_tutorial"
COMMANDS = {
    "train": "train a detector",
    "eval": "measure a detector on pictures with boxes",
    "detect": "find objects in pictures: drawn into copies, as JSON or as CSV",
    "doctor": "examine a data set",
    "export": "write a detector as one ONNX file",
    "data": "fetch VOC, COCO or BCCD; split your own pictures",
}
MISTAKES = (ValueError, OSError, FloatingPointError, ImportError, MemoryError)
"""What a command raises if its user can help it; anything else is a fault of ours."""
FAULT = 70
"""The exit code after a fault of ours, as BSD's sysexits has it; a user's mistake ends with 1."""


def _command(name: str, words: Sequence[str]) -> Callable:
    """Import a command; only the one that is asked for, because torch takes seconds."""
    module = importlib.import_module(f"ssd_tutorial.cli.{name}_command")
    if name != "train":
        return getattr(module, f"{name}_command")
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--recipe", default="laptop")  # the defaults depend on it
    return module.train_command_of(finder.parse_known_args(words)[0].recipe)


def _run(words: Sequence[str]) -> int | None:
    listed = "".join(f"\n  {name:8} {text}" for name, text in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=f"Train, measure and use an SSD.\n\ncommands:{listed}",
        epilog=f"{PROGRAM} COMMAND --help explains one of them.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS)
    if not words:
        parser.error(f"give a command: {', '.join(COMMANDS)}")
    name = parser.parse_args(words[:1]).command
    import tyro

    from ssd_tutorial.training.recipes import RENAMED

    command = _command(name, words)

    @functools.wraps(command)
    def printed(*arguments, **options):
        with contextlib.redirect_stdout(Printed(sys.stdout)):
            return command(*arguments, **options)

    printed.__doc__ = getattr(command, "func", command).__doc__  # of the function, if it is partial
    renamed = {
        f"--{no}{old}".replace("_", "-"): f"--{no}{new}".replace("_", "-")
        for old, new in {"on_bad": "on_error", **RENAMED}.items()
        for no in ("", "no-")
    }  # flags by the names that they have in the commands of recorded runs
    words = [renamed.get(word, word) for word in words[1:]]
    return tyro.cli(printed, prog=f"{PROGRAM} {name}", args=words)


def _sentence(error: BaseException) -> str:
    """Return the error's own words: a loader process puts its whole traceback before them."""
    whole, kind = str(error).rstrip(), type(error).__name__
    if kind in ("MemoryError", "OutOfMemoryError"):
        first = whole.partition("\n")[0] or "MemoryError"
        return f"there is not enough memory ({first}): take smaller batches or fewer workers"
    before_it = rf"\n(?:\w+\.)*{kind}: "
    return re.split(before_it, whole)[-1] if "Traceback (most recent call last)" in whole else whole


def _report_fault(error: Exception, words: Sequence[str]) -> None:
    """Write the traceback to a file, and say where it is."""
    text = f"{shlex.join([*PROGRAM.split(), *words])}\n\n{traceback.format_exc()}"
    try:
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", prefix="ssd_tutorial-", suffix=".txt", delete=False
        ) as file:
            file.write(text.encode(errors="backslashreplace").decode())
        where = f"traceback in {file.name}"
    except OSError as full:
        where = f"its traceback cannot be written ({full})"
    what = _sentence(error).partition("\n")[0]
    complain(f"a fault of ssd_tutorial: {type(error).__name__}: {what}; {where}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake is reported in one sentence, without a traceback.

    Returns:
        The exit code: 0, or what the command returned; 1 after a mistake, 130 after Ctrl-C, and
        `FAULT` after an error that nobody expected.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(words) or 0
    except KeyboardInterrupt:
        again = shlex.join([*PROGRAM.split(), *words])
        how = f"; the same command resumes from the last checkpoint:\n  {again}"
        print(f"\nstopped{how if words[:1] == ['train'] else ''}", file=sys.stderr)
        return 130
    except Exception as error:
        if isinstance(error, MISTAKES) or type(error).__name__ == "OutOfMemoryError":  # torch's
            complain(_sentence(error))
            return 1
        _report_fault(error, words)
        return FAULT
    finally:
        Printed(sys.stdout).flush()


if __name__ == "__main__":
    sys.exit(main())
