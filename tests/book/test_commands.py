"""The command lines that the pages print are such as the program takes."""

import functools
import json
import re
import shlex
from pathlib import Path

import pytest

from ssd_tutorial import __main__ as entry

ROOT = Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"-m ssd_tutorial ((?:\\\n|[^`\n])+)")


def source(page: Path) -> str:
    """Return what was written: of a notebook, its cells without their outputs."""
    text = page.read_text(encoding="utf-8")
    if page.suffix != ".ipynb":
        return text
    return "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])


PRINTED = sorted(
    {
        " ".join(shlex.split(command.replace("\\\n", " "), comments=True)).replace("SEED", "0")
        for page in [*(ROOT / "book").glob("*.*"), ROOT / "README.md"]
        if page.suffix in (".ipynb", ".md")
        for command in COMMAND.findall(source(page))
    }
)


def test_commands_are_found_on_one_line_on_several_and_within_a_sentence():
    assert "eval --weights runs/mine --data clean" in PRINTED
    assert "train --data scenes --samples 20000 --seed 0 --out runs/scenes" in PRINTED
    assert "data split FOLDER" in PRINTED


@pytest.mark.parametrize("printed", PRINTED)
def test_the_program_takes_a_printed_command(printed, monkeypatch):
    find, taken = entry._command, []

    def find_without_running(name, words):
        command = find(name, words)
        return functools.wraps(command)(lambda *_, **options: taken.append(options))

    monkeypatch.setattr(entry, "_command", find_without_running)
    if "--help" in printed:
        with pytest.raises(SystemExit, match="0"):
            entry.main(shlex.split(printed))
    else:
        assert entry.main(shlex.split(printed)) == 0
        assert len(taken) == 1
