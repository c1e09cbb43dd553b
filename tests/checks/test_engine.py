"""The engine of the exercise checks: what a reader sees, and that nothing ever raises."""

import pytest
import torch
from ssd_book import checks
from ssd_book.checks import CheckFailed, Exercise, Mistake, Property, engine, examine
from ssd_book.checks.properties import agrees, close, equals, gives, is_number, returns
from ssd_book.checks.reader import describe, is_blank

NUMBER = Exercise(
    "99.1",
    "Seven",
    "a number",
    (
        is_number(low=0, high=10),
        equals("It is the number of days in a week.", lambda: 7, ("Count.", "Count the days.")),
    ),
    (gives(lambda: 5, "These are the working days."),),
)


def _cases():
    return [(torch.tensor([1.0, 2.0]),), (torch.arange(20.0),)]


DOUBLE = Exercise(
    "99.2",
    "Double",
    "a function that doubles a tensor",
    (
        returns("The shape stays.", _cases, lambda x: x.shape, ("Look at the shape.",)),
        agrees("Every entry is doubled.", lambda x: 2 * x, _cases, ("Compare entries.",)),
    ),
    function=True,
)


@pytest.fixture
def known(monkeypatch):
    exercises = {e.id: e for e in (NUMBER, DOUBLE)}
    monkeypatch.setattr(engine, "find", exercises.__getitem__)
    engine._told.clear()


@pytest.mark.parametrize("blank", [..., None, [1, ...], (1, (2, None)), {"a": ...}])
def test_a_blank_answer_says_what_is_expected(blank):
    verdict = examine(NUMBER, blank)
    assert verdict.status == "unsolved"
    assert "no answer yet" in verdict.text
    assert NUMBER.wants in verdict.text


def _empty(x): ...


def test_a_function_without_a_body_is_blank():
    verdict = examine(DOUBLE, _empty)
    assert verdict.status == "unsolved"
    assert "Does the function return?" in verdict.text


@pytest.mark.parametrize("right", [7, 7.0, torch.tensor(7), torch.tensor([7.0])])
def test_a_right_answer_passes_and_lists_what_holds(right):
    verdict = examine(NUMBER, right)
    assert verdict.status == "passed"
    assert "days in a week" in verdict.text


def test_a_wrong_number_gets_the_property_the_value_and_a_hint():
    text = examine(NUMBER, 6.25).text
    assert "It is the number of days in a week." in text
    assert "6.25" in text
    assert "Hint 1 of 2: Count." in text
    assert "7" not in text


@pytest.mark.parametrize(
    "odd", ["seven", True, float("nan"), -1, 11, [7], {"a": 7}, object(), 7j, torch.ones(3), b""]
)
def test_an_answer_of_another_type_is_reported_and_never_raises(odd):
    verdict = examine(NUMBER, odd)
    assert verdict.status == "failed"
    assert "Yours:" in verdict.text


def test_a_mistake_has_its_own_hint_first():
    assert "Hint 1 of 3: These are the working days." in examine(NUMBER, 5).text


def test_hints_come_one_at_a_time_and_start_again_after_a_right_answer(known, capsys):
    def told(answer):
        checks.check("99.1", answer)
        return capsys.readouterr().out

    assert "Hint 1 of 2: Count." in told(6)
    assert "Run the cell again for the next hint." in told(5)  # another cause is counted separately
    second = told(6)
    assert "Hint 2 of 2: Count the days." in second
    assert "again" not in second
    assert "Hint 2 of 2" in told(6)
    assert "right" in told(7)
    assert "Hint 1 of 2" in told(6)


def test_a_function_in_place_of_a_value_is_named_and_the_reverse():
    assert "call it" in examine(NUMBER, lambda: 7).text
    assert "without calling it" in examine(DOUBLE, torch.ones(2)).text


def test_an_exception_in_an_answer_is_reported_with_line_and_arguments():
    cell = "def double(x):\n    y = x + 1\n    return y @ torch.ones(5)\n"
    namespace = {"torch": torch}
    exec(compile(cell, "cell", "exec"), namespace)
    text = " ".join(examine(DOUBLE, namespace["double"]).text.split())
    assert "RuntimeError: " in text
    assert "(line 3 of the cell)" in text
    assert "tensor([1, 2])" in text


@pytest.mark.parametrize(
    ("wrong", "evidence"),
    [
        (lambda x: x.tolist(), "which is not a tensor"),
        (lambda x: x[:1], "gives shape [1]"),
        (lambda x: x / 0 * 0, "gives NaN in 2 places"),
        (lambda x: x + 1, "gives tensor([2, 3])"),
        (lambda x: x * 2 + (torch.arange(len(x)) == 7), "at [7]; 1 of 20 differ"),
        (lambda x: 1 / 0, "ZeroDivisionError"),
        (lambda: 1, "TypeError"),
    ],
)
def test_a_wrong_function_is_reported_with_input_and_output(wrong, evidence):
    assert evidence in " ".join(examine(DOUBLE, wrong).text.split())


def test_a_function_that_changes_its_argument_harms_no_later_case():
    def in_place(x):
        x *= 2
        return x

    assert examine(DOUBLE, in_place).status == "passed"


def test_require_raises_with_the_readers_text(known):
    checks.require("99.1", 7)
    with pytest.raises(CheckFailed, match="working days"):
        checks.require("99.1", 5)
    with pytest.raises(CheckFailed, match="no answer yet"):
        checks.require("99.2", ...)


def test_an_unknown_exercise_is_named_and_check_does_not_raise(capsys):
    checks.check("08.99", 1)
    assert "There is no exercise '08.99'; there are 08.1" in capsys.readouterr().out
    checks.check("77.1", 1)
    assert "chapters" in capsys.readouterr().out
    with pytest.raises(KeyError, match="no exercise"):
        checks.require("8", 1)


def test_a_mistake_that_cannot_be_compared_is_skipped():
    def never(answer):
        raise TypeError

    exercise = Exercise("99.3", "T", "w", NUMBER.properties, (Mistake(never, "Never said."),))
    assert "Never said." not in examine(exercise, 5).text


def test_a_property_that_raises_is_reported_not_raised():
    broken = Property("It can be indexed.", lambda answer: answer[0], ("Hint.",))
    text = " ".join(examine(Exercise("99.4", "T", "w", (broken,)), 5).text.split())
    assert "you give 5; your answer can't be compared (TypeError" in text


def test_describe_rounds_and_shortens():
    assert describe(1 / 3) == "0.3333"
    assert describe(torch.tensor([1 / 3, 2])) == "tensor([0.3333, 2])"
    assert describe(torch.zeros(5, 4, dtype=torch.int64)) == "a tensor [5, 4] of int64"
    assert describe({"a": (1,)}) == "{'a': (1,)}"
    assert len(describe("x" * 999)) <= 160


def test_zeros_are_not_blank_and_nan_is_close_to_nothing():
    assert not is_blank([0, "", False])
    assert close([1, 2], torch.tensor([1, 2]))
    assert not close([1, 2], [[1, 2]])
    assert not close(float("nan"), 1)
