"""A sample of the attacks, always the same; `make fuzz` tries many more."""

import pytest

from tests.fuzz import TARGETS, maths
from tests.fuzz.__main__ import main
from tests.fuzz.runner import Fault, Target, answer, attempt, check_sentence, run

SAMPLE = {"maths": 40, "pictures": 40, "voc": 12, "yolo": 12}
SAMPLE |= {"archives": 25, "weights": 4, "commands": 3}


@pytest.mark.parametrize("name", SAMPLE)
def test_cases_end_in_a_right_result_or_in_a_sentence(name):
    outcome = run(TARGETS[name], range(SAMPLE[name]))
    assert outcome.cases == SAMPLE[name]
    assert outcome.kinds == {}, f"python -m tests.fuzz --target {name} --cases {SAMPLE[name]}"


# --- the attacks find faults ---------------------------------------------------------------------


def test_a_wrong_result_of_the_package_is_found(monkeypatch):
    monkeypatch.setattr(maths, "iou", lambda a, b: a.new_full((len(a), len(b)), 0.5))
    outcome = run(Target("maths", lambda rng, folder: maths.boxes(rng), 1), range(5))
    assert any("iou differs from plain loops" in kind for kind in outcome.kinds)


def endless():
    while True:
        pass


def failing(error):
    raise error


FAULTS = {
    "TypeError at": lambda: failing(TypeError("unhashable type: 'list'")),
    "RecursionError at": lambda: failing(RecursionError("maximum recursion depth exceeded")),
    "SystemExit": lambda: failing(SystemExit(3)),
    "ValueError says nothing": lambda: failing(ValueError("")),
    "is not one line": lambda: failing(ValueError("one\ntwo")),
    "is longer than": lambda: failing(ValueError("data.yaml " + "x" * 5000)),
    "has Python's words": lambda: failing(ValueError("list index out of range in data.yaml")),
    "does not say which file": lambda: failing(ValueError("it is damaged")),
    "takes more than": endless,
}


@pytest.mark.parametrize("kind", FAULTS)
def test_each_kind_of_fault_is_found_and_kept(kind, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.fuzz.runner.SECONDS", 0.2)

    def case(rng, folder):
        (folder / "data.yaml").write_text("names: []")
        return answer(FAULTS[kind], "data.yaml")

    outcome = run(Target("planted", case, 1), range(4), tmp_path)
    (found,) = outcome.kinds
    assert kind in found
    assert outcome.kinds[found] == [0, 1, 2, 3]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["planted-0", "planted-1", "planted-2"]
    assert (tmp_path / "planted-0" / "case" / "data.yaml").read_text() == "names: []"
    assert kind in (tmp_path / "planted-0" / "fault.txt").read_text()


def test_a_sentence_that_names_its_file_is_a_right_end(tmp_path):
    target = Target(
        "a", lambda rng, folder: answer(lambda: failing(OSError("no a.txt")), "a.txt"), 1
    )
    assert attempt(target, 0, tmp_path) == (True, "", "")
    with pytest.raises(Fault, match="does not say which file"):
        check_sentence("no a.txt", "OSError", ("b.txt",))


@pytest.mark.parametrize("name", TARGETS)
def test_a_seed_makes_the_same_case_whatever_ran_before(name, tmp_path):
    """Compare the files that two runs leave; what the maths draws shows in its outcome."""

    def files(folder):
        folder.mkdir()
        outcome = attempt(TARGETS[name], 3, folder)[:2]
        made = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        return outcome, made

    first = files(tmp_path / "one")
    attempt(TARGETS[name], 4, tmp_path)
    assert files(tmp_path / "two") == first


def test_the_command_prints_a_table_and_counts_faults(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    monkeypatch.setitem(
        TARGETS, "maths", Target("maths", lambda rng, folder: failing(KeyError(1)), 1)
    )
    assert main(["--target", "maths", "--cases", "3", "--first", "7", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "| maths | 7-9 | 3 | 0 | 3 | 1 |" in said
    assert "python -m tests.fuzz --target maths --first 7 --cases 1" in said
