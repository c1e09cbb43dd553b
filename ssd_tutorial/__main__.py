"""The command line: ``python -m ssd_tutorial train | eval | detect`` (chapter 12)."""

import shlex
import sys

import tyro

from ssd_tutorial.commands.detect import detect_command
from ssd_tutorial.commands.eval import eval_command
from ssd_tutorial.commands.train import train_command

COMMANDS = {"train": train_command, "eval": eval_command, "detect": detect_command}


def _sentence(error: Exception) -> str:
    """The error's own words: a loading process puts its whole traceback before them."""
    whole = str(error).rstrip()
    return whole.rsplit(f"\n{type(error).__name__}: ")[-1] if "\nTraceback" in whole else whole


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a mistake of the user ends in one sentence, not in a traceback."""
    try:
        tyro.extras.subcommand_cli_from_dict(
            COMMANDS,
            prog="python -m ssd_tutorial",
            description="Train, measure and use an SSD.",
            args=arguments,
        )
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"ssd_tutorial: {_sentence(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        words = sys.argv[1:] if arguments is None else arguments
        again = shlex.join(["python", "-m", "ssd_tutorial", *words])
        how = f"; the same command goes on from the last checkpoint:\n  {again}"
        print(f"\nstopped{how if words[:1] == ['train'] else ''}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
