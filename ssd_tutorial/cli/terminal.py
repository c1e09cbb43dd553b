"""What reaches a terminal: output that it does not obey, and complaints in one form."""

import io
import os
import sys
from collections.abc import Callable
from typing import TextIO

# What a terminal takes for commands. A name in somebody's data set may contain anything.
_ESCAPED = {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"
}


class Printed(io.TextIOBase):
    """A command's standard output, to which the command may print anything.

    Control characters are escaped, and so is what the terminal cannot encode. If nobody reads any
    more (``train ... | head -1``), the rest is discarded, and the command does its work.
    """

    def __init__(self, stream: TextIO):
        self.stream = stream
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write the text, escaped."""
        self._unless_closed(lambda: self.stream.write(text.translate(_ESCAPED)))
        return len(text)

    def flush(self) -> None:
        """Write what the stream still holds."""
        self._unless_closed(self.stream.flush)

    def _unless_closed(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)  # also for Python's own flush at the end
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)


def complain(text: object) -> None:
    """Print a sentence about a mistake to standard error, escaped as `Printed` does."""
    print(f"ssd_tutorial: {text}".translate(_ESCAPED), file=sys.stderr)
