"""``python -m tests.parity.javascript``: the explorers' JavaScript against the package.

Every function of ``geometry.js`` answers the same random cases as its twin in Python. Decisions
(which prior, which order, which survivor) must be equal; numbers may differ by a rounding.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from ssd_book.explorers.modules import STATIC

from tests.parity.cases import TABLES, Case
from tests.parity.quantities import QUANTITIES, Answer, Quantity, table

GEOMETRY = STATIC / "geometry.js"
DRIVER = Path(__file__).with_name("driver.mjs")
BATCH = 1000  # cases that one call of node answers

NODE_MISSING = (
    "The explorers' JavaScript is compared with the package by node, and node is not on PATH."
    " On Debian and Ubuntu: apt-get install nodejs"
)


@dataclass
class Outcome:
    """One line of the table."""

    quantity: str
    cases: int = 0
    hostile: Counter = field(default_factory=Counter)
    """How many cases are hostile in which way; ``""`` counts those that are hostile at all."""
    refused: int = 0
    """Cases that both refuse."""
    largest: float = 0.0
    """The largest difference of a value, relative where the value is above 1."""
    disagreements: list[str] = field(default_factory=list)
    """Every case in which a decision differs, or a value by more than the bound."""


def draw(quantity: Quantity, cases: int, seed: int = 0) -> list[Case]:
    """Draw the first cases of a quantity, the same for the same seed."""
    rng = Random(f"{quantity.name} {seed}")
    return [quantity.draw(rng, number) for number in range(cases)]


def ask_package(quantity: Quantity, cases: Sequence[Case]) -> list[Answer | None]:
    """Return the package's answers, None where it refuses."""
    answers = []
    for case in cases:
        try:
            answers.append(quantity.answer(case.question))
        except (ValueError, IndexError):
            answers.append(None)
    return answers


def ask_javascript(
    quantity: Quantity, cases: Sequence[Case], sources: Sequence[str] | None = None
) -> list[list[dict[str, Any]]]:
    """Return the answers of versions of geometry.js, by their source; by default of ours.

    Raises:
        RuntimeError: node is missing, or it fails; the message says which.
    """
    node = shutil.which("node")
    if node is None:
        raise RuntimeError(NODE_MISSING)
    used = {case.question["table"] for case in cases if "table" in case.question}
    request = {
        "sources": list(sources or [GEOMETRY.read_text(encoding="utf-8")]),
        "quantity": quantity.function,
        "cases": [case.question for case in cases],
        "tables": {name: table(name).tolist() for name in TABLES if name in used},
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "request.json")
        path.write_text(json.dumps(_in_words(request)), encoding="utf-8")
        run = subprocess.run([node, DRIVER, path], capture_output=True, text=True, timeout=600)
    if run.returncode:
        raise RuntimeError(f"node {DRIVER.name} failed on {quantity.name}:\n{run.stderr}")
    return json.loads(run.stdout)


def _in_words(data: Any) -> Any:
    """Replace the numbers that JSON lacks by words, as JavaScript does."""
    if isinstance(data, dict):
        return {key: _in_words(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [_in_words(value) for value in data]
    if isinstance(data, float) and not np.isfinite(data):
        return "NaN" if np.isnan(data) else ("Infinity" if data > 0 else "-Infinity")
    return data


def compare(
    quantity: Quantity,
    cases: Sequence[Case],
    ours: Sequence[Answer | None],
    theirs: Sequence[dict[str, Any]],
    outcome: Outcome | None = None,
) -> Outcome:
    """Count what differs between the package's answers and JavaScript's."""
    outcome = outcome or Outcome(quantity.name)
    for case, mine, other in zip(cases, ours, theirs, strict=True):
        number = outcome.cases
        outcome.cases += 1
        outcome.hostile.update([*case.hostile, *([""] if case.hostile else [])])
        if mine is None or "refused" in other:
            outcome.refused += 1
            problem = None if mine is None and "refused" in other else "only one of the two refuses"
        else:
            problem = _problem(quantity, mine, other, outcome)
        if problem:
            outcome.disagreements.append(f"case {number}: {problem}; {_short(case.question)}")
    return outcome


def _problem(
    quantity: Quantity, mine: Answer, other: dict[str, Any], outcome: Outcome
) -> str | None:
    decisions = other.get("decisions")
    if _in_words(mine.decisions) != decisions:
        return f"Python decides {_short(mine.decisions)}, JavaScript {_short(decisions)}"
    a = np.asarray(mine.values, dtype=np.float64)
    b = np.array([float(x) for x in other.get("values", [])])
    if a.shape != b.shape:
        return f"Python has {a.size} values, JavaScript {b.size}"
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gaps = np.where(same, 0, np.abs(a - b) / np.maximum(1, np.abs(a)))
    gap = float(np.max(gaps, initial=0))  # NaN stays NaN
    outcome.largest = float(np.maximum(outcome.largest, gap))
    if gap <= quantity.bound:
        return None
    i = int(np.argmax(np.where(np.isnan(gaps), np.inf, gaps)))
    return f"value {i} is {a[i]!r} in Python, {b[i]!r} in JavaScript"


def _short(data: Any) -> str:
    text = str(data)
    return text if len(text) < 400 else f"{text[:400]} ..."


def measure(quantity: Quantity, cases: int, seed: int = 0) -> Outcome:
    """Run this many cases of a quantity through both."""
    outcome, drawn = Outcome(quantity.name), iter(draw(quantity, cases, seed))
    while batch := list(islice(drawn, BATCH)):
        (theirs,) = ask_javascript(quantity, batch)
        compare(quantity, batch, ask_package(quantity, batch), theirs, outcome)
    return outcome


def main() -> int:
    """Print the table; 1 if anything disagrees."""
    parser = argparse.ArgumentParser(prog="python -m tests.parity.javascript", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="cases a quantity (10 000)")
    parser.add_argument("--seed", type=int, default=0, help="other cases for another seed (0)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    outcomes = []
    print("| quantity | cases | hostile | refused | largest difference | disagreements |")
    print("|---|---|---|---|---|---|", flush=True)
    for quantity in QUANTITIES:
        one = measure(quantity, arguments.cases, arguments.seed)
        outcomes.append(one)
        row = [one.quantity, one.cases, one.hostile[""], one.refused, f"{one.largest:.2g}"]
        print("|", " | ".join(map(str, [*row, len(one.disagreements)])), "|", flush=True)
    print("\nHostile cases, some of them in several ways:")
    for one in outcomes:
        ways = [f"{kind} {count}" for kind, count in one.hostile.most_common() if kind]
        print(f"* {one.quantity}: {', '.join(ways)}")
    for one in outcomes:
        for text in one.disagreements[:3]:
            print(f"\n{one.quantity}, {text}")
    return int(any(one.disagreements for one in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        sys.exit(str(error))
