"""The checks on the page: `answers.js` finds what Python finds, and reads what readers type."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from random import Random

import pytest
from ssd_book.checks import Exercise, all_exercises, find
from ssd_book.checks.engine import diagnose
from ssd_book.checks.page import page_table
from ssd_book.checks.properties import is_number

SCRIPT = Path(__file__).resolve().parents[2] / "book" / "_static" / "answers.js"
NODE = """
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";
runInThisContext(readFileSync(process.argv[1], "utf8"));
const { read, judge } = globalThis.exerciseAnswers;
const { typed, judged } = JSON.parse(readFileSync(0, "utf8"));
const tried = (text) => { try { return read(text); } catch (error) { return error.message; } };
console.log(JSON.stringify({
  typed: typed.map(tried),
  judged: judged.map(({ table, answers }) => answers.map((answer) => judge(table, answer))),
}));
"""
# Boxes, lists, names and designs to invent.
NEEDS_PYTHON = {
    "02.5",
    "03.5",
    "04.5",
    "05.3",
    "06.3",
    "07.4",
    "07.6",
    "08.4",
    "11.2",
    "11.3",
    "12.2",
    "13.4",
    "16.3",
    "17.5",
    "18.3",
    "19.5",
}
VALUES = [e for e in all_exercises() if not e.function and e.id not in NEEDS_PYTHON]
NUMBERS = [exercise.id for exercise in VALUES if not exercise.choices]
CHOICES = [exercise.id for exercise in VALUES if exercise.choices]


@cache
def table_of(id: str) -> dict:
    """Return the check of an exercise as its form holds it."""
    return page_table(find(id))


def ask_javascript(typed=(), judged=()) -> dict:
    """Return what `read` makes of texts, and what `judge` finds out about answers."""
    node = shutil.which("node")
    assert node, "answers.js is compared with Python by node: apt-get install nodejs"
    request = json.dumps({"typed": list(typed), "judged": list(judged)})
    command = [node, "--input-type=module", "-e", NODE, SCRIPT]
    done = subprocess.run(command, input=request, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def answers_to(id: str) -> list[list[float]]:
    """Return the right answer, each known mistake, both at their tolerances' edges, and others."""
    table, random = table_of(id), Random(id)
    rules = [*table["properties"], *table["mistakes"]]
    near = [(rule["near"], rule["within"]) for rule in rules if "near" in rule]
    size = len(near[0][0])
    answers = [value for value, _ in near]
    for value, within in near:
        for share in (0.5, 0.999, 1, 1.001, 2):
            for sign in (-1, 1):
                answers.append([x + sign * share * within for x in value])
                answers.append([value[0] + sign * share * within, *value[1:]])
        answers.append([value[at] * random.choice((-1, 1, 1.01)) for at in range(size)])
        answers.append(random.sample(value, size))
    for scale in (1, 10, 1000, 1e9):
        answers += [[random.uniform(-scale, 2 * scale) for _ in range(size)] for _ in range(5)]
        answers += [[float(random.randint(-1, int(scale))) for _ in range(size)] for _ in range(5)]
    return answers


def python_finds(id: str, answer) -> dict:
    exercise = find(id)
    if exercise.choices:
        answer = exercise.choices[answer]
    elif len(answer) == 1:
        (answer,) = answer
    found = diagnose(exercise, answer)
    parts = {"status": found.status, "says": found.says, "cause": found.cause}
    return {**parts, "hints": list(found.hints)}


def javascript_finds(id: str, answers: list) -> list[dict]:
    return ask_javascript(judged=[{"table": table_of(id), "answers": answers}])["judged"][0]


def test_a_function_and_an_object_to_invent_need_python():
    for exercise in all_exercises():
        if exercise.function or exercise.id in NEEDS_PYTHON:
            assert page_table(exercise) is None, exercise.id


@pytest.mark.parametrize("id", NUMBERS)
def test_javascript_and_python_agree_on_right_wrong_and_every_mistake(id):
    answers = answers_to(id)
    found = javascript_finds(id, answers)
    for answer, theirs in zip(answers, found, strict=True):
        assert theirs == python_finds(id, answer), answer
    assert found[0]["status"] == "passed"
    hints = {mistake["hint"] for mistake in table_of(id)["mistakes"]}
    assert hints <= {one["cause"] for one in found}  # each is among the answers
    assert len([one for one in found if one["cause"] and one["cause"] not in hints]) > 10


@pytest.mark.parametrize("id", CHOICES)
def test_javascript_and_python_agree_on_every_choice(id):
    choices = list(find(id).choices)
    found = javascript_finds(id, choices)
    assert [{key: one[key] for key in ("status", "says", "cause", "hints")} for one in found] == [
        python_finds(id, label) for label in choices
    ]
    assert [one["status"] for one in found].count("passed") == 1
    assert all(one["evidence"] for one in found if one["status"] == "failed")


def test_an_exercise_that_holds_code_has_no_table():
    by_code = is_number()
    by_code = type(by_code)(by_code.says, by_code.fails, by_code.hints)  # without a table
    assert page_table(Exercise("99.1", "T", "w", (is_number(),))) is not None
    assert page_table(Exercise("99.1", "T", "w", (is_number(), by_code))) is None


READ = {
    "0.5": 0.5, "0,5": 0.5, ".5": 0.5, "5.": 5, " 7 ": 7, "= 7": 7, "-1": -1, "−1": -1,
    "0,143": 0.143, "8,7320": 8.732, "1.7e9": 1.7e9, "０．５": 0.5,
    "24564": 24564, "24,564": 24564, "24 564": 24564, "24\u202f564": 24564, "24’564": 24564,
    "1,703,411,712": 1703411712, "12,345.6": 12345.6,
    "1/2": 0.5, "1 / 8 + 1/8": 0.25, "(1 - 0.25) / 3": 0.25, "2 * 3 - 4 * 5": -14,
    "8 / 2 / 2": 2, "2^3^2": 512, "-3**2": -9, "3²": 9, "2 × 3 ÷ 4": 1.5, "50 %": 0.5,
    "4 ln(1)": 0, "2 sqrt 16": 8, "3√4": 6, "1 - - 1": 2, "2(3)(4)": 24, "100 * pi / π": 100,
}  # fmt: skip
REFUSED = {
    "": "A number is missing.",
    "seven": "“seven” can't be read as a number.",
    "27 px": "“px” can't be read as a number.",
    "0.28, 0.14": "“, 0.14” can't be read as a number.",
    "[1]": "“[1]” can't be read as a number.",
    "1 2": "One number is expected, and “2” follows it.",
    "1)": "One number is expected, and “)” follows it.",
    "2 *": "A number is missing at the end.",
    "* 2": "A number is missing before “*”.",
    "(1": "A bracket is not closed.",
    "1/0": "This has no finite value.",
    "sqrt(-1)": "This has no finite value.",
    "Infinity": "“Infinity” can't be read as a number.",
    "constructor": "“constructor” can't be read as a number.",
    "<b>": "“<b>” can't be read as a number.",
}


def test_numbers_are_read_as_readers_type_them_and_nonsense_is_refused_in_a_sentence():
    found = ask_javascript(typed=[*READ, *REFUSED])["typed"]
    assert dict(zip([*READ, *REFUSED], found, strict=True)) == {**READ, **REFUSED}
