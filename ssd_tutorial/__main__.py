"""The command line, ``python -m ssd_tutorial COMMAND``: modules of `cli` (chapter 12)."""

import argparse
import re
import shlex
import sys
from collections.abc import Callable, Sequence

import tyro

from ssd_tutorial.cli.data_command import data_command
from ssd_tutorial.cli.detect_command import detect_command
from ssd_tutorial.cli.doctor_command import doctor_command
from ssd_tutorial.cli.eval_command import eval_command
from ssd_tutorial.cli.export_command import export_command
from ssd_tutorial.cli.train_command import train_command_of
from ssd_tutorial.training.recipes import RENAMED

# Flags by the names that they have in the commands of recorded runs.
_RENAMED = {"on_bad": "on_error", **RENAMED}
_FLAGS = {
    f"--{no}{old}".replace("_", "-"): f"--{no}{new}".replace("_", "-")
    for old, new in _RENAMED.items()
    for no in ("", "no-")
}


def _commands(words: Sequence[str]) -> dict[str, Callable]:
    """Return the commands by name. The defaults of `train` depend on its recipe."""
    finder = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    finder.add_argument("--recipe", default="laptop")
    training = words[:1] == ["train"]
    recipe = finder.parse_known_args(words)[0].recipe if training else "laptop"
    return {
        "train": train_command_of(recipe),
        "eval": eval_command,
        "detect": detect_command,
        "doctor": doctor_command,
        "export": export_command,
        "data": data_command,
    }


def _sentence(error: Exception) -> str:
    """Return the error's own words: a loader process puts its whole traceback before them."""
    whole = str(error).rstrip()
    before_it = rf"\n(?:\w+\.)*{type(error).__name__}: "
    return re.split(before_it, whole)[-1] if "Traceback (most recent call last)" in whole else whole


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a user's mistake is reported in one sentence, without a traceback.

    Returns:
        The exit code: 0, or what the command returned; 1 after a mistake, 130 after Ctrl-C.
    """
    words = sys.argv[1:] if arguments is None else arguments
    words = [_FLAGS.get(word, word) for word in words]
    try:
        code = tyro.extras.subcommand_cli_from_dict(
            _commands(words),
            prog="python -m ssd_tutorial",
            description="Train, measure and use an SSD.",
            args=words,
        )
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        print(f"ssd_tutorial: {_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = shlex.join(["python", "-m", "ssd_tutorial", *words])
        how = f"; the same command resumes from the last checkpoint:\n  {again}"
        print(f"\nstopped{how if words[:1] == ['train'] else ''}", file=sys.stderr)
        return 130
    return code or 0


if __name__ == "__main__":
    sys.exit(main())
