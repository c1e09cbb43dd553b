"""`make mutants`: what it tries and how it names a survivor; a run of it takes an hour."""

import json
import subprocess
import sys

import mutants
import pytest
from size import ELEVEN


def test_a_survivor_is_named_by_what_it_changes():
    diff = "--- a.py\n+++ a.py\n@@ -1,3 +1,3 @@\n def f(x):\n-    return x + 1\n+    return x + 2\n"
    assert mutants.changed_lines(diff) == "return x + 2"
    gone = "--- a.py\n+++ a.py\n@@ -1,3 +1,2 @@\n f(\n-    x,\n     y,\n"
    assert mutants.changed_lines(gone) == "without x,"


def test_a_module_is_tried_by_its_own_tests(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "HOME", tmp_path)
    folder = mutants.workspace("scales")
    assert (folder / "ssd_tutorial" / "scales.py").is_file()
    tests = {path.name for path in (folder / "tests").glob("test_*.py")}
    assert tests == {"test_scales.py"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--collect-only"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert "tests/test_scales.py" in done.stdout, done.stdout + done.stderr


def test_results_are_kept_until_a_test_changes(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "HOME", tmp_path)
    result = mutants.workspace("scales") / "mutants"
    result.mkdir()
    mutants.workspace("scales")
    assert result.is_dir()
    (result.parent / "tests.sha256").write_text("of other tests")
    mutants.workspace("scales")
    assert not result.exists()


def test_every_module_of_the_eleven_has_tests_of_its_name():
    for name in ELEVEN:
        assert (mutants.ROOT / "tests" / f"test_{name}.py").is_file()


def test_an_unknown_module_is_refused(capsys):
    with pytest.raises(SystemExit):
        mutants.main(["augment"])
    assert "not augment" in capsys.readouterr().err


def test_only_survivors_are_tried_again(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "HOME", tmp_path)
    folder = mutants.workspace("scales")
    kept = mutants.result_file(folder, "scales")
    kept.parent.mkdir(parents=True)
    kept.write_text(
        json.dumps({"exit_code_by_key": {"dead": 1, "late": -24, "alive": 0, "no": 33}})
    )
    (folder / "tests.sha256").write_text("of other tests")
    mutants.workspace("scales", survivors=True)
    assert mutants.results(folder, "scales") == {"dead": 1, "late": -24, "alive": None, "no": None}


def test_every_explanation_is_of_a_module_and_has_a_mutant():
    explained = mutants.tomllib.loads(mutants.EXPLAINED.read_text(encoding="utf-8"))
    assert set(explained) <= set(ELEVEN)
    assert all(these for reasons in explained.values() for these in reasons.values())
