"""The tool that records runs with a fault: it resumes, and writes what the book reads."""

import json
import math

import pytest
import record_faults
from ssd_book import clinic
from ssd_book.clinic import Checks, Report


@pytest.fixture
def trained(monkeypatch):
    """Train nothing: give two steps, the second of which is NaN; list what was asked for."""
    seen = []

    def train(fault, pictures, unseen, steps):
        seen.append(fault.name)
        yield Report(8, 31.25, 26.0, 5.25, 177)
        yield Report(160, math.nan, 20.0, math.nan, 9, 6.125)

    checks = Checks((-2.0, 2.0), (0.0, 1.0), 0.0512345, (1, 12), 0.0, 20.5, 1.43219, 320)
    monkeypatch.setattr(clinic, "train_unchecked", train)
    monkeypatch.setattr(clinic, "check", lambda fault, pictures: checks)
    monkeypatch.setattr(record_faults, "CachedDataset", lambda dataset, size: dataset)
    return seen


def test_a_run_is_recorded_once_and_the_command_resumes(trained, tmp_path):
    asked = ["label 0", "none"]
    assert record_faults.main([asked[0], "--folder", str(tmp_path)]) == 0
    assert record_faults.main([*asked, "--folder", str(tmp_path)]) == 0
    assert trained == ["label 0", "none"]
    result = json.loads((tmp_path / "result.json").read_text())
    assert list(result["runs"]) == ["none", "label 0"]  # in the order of the faults
    assert result["command"] == "python tools/record_faults.py"
    wanted = {"data", "split", "preset", "samples", "seeds", "map50", "minutes", "hardware"}
    assert wanted <= set(result)
    assert len(result["minutes"]) == 2
    assert result["runs"]["none"]["checks"]["narrowest"] == 0.05123


def test_the_curve_comes_back_as_it_was(trained, tmp_path):
    record_faults.main(["none", "--folder", str(tmp_path)])
    steps = clinic._read_steps(tmp_path / "none.csv")
    assert steps[0] == Report(8, 31.25, 26.0, 5.25, 177)
    assert math.isnan(steps[1].total)
    assert steps[1].unseen == 6.125


def test_a_fault_that_is_not_known_is_refused(trained, tmp_path, capsys):
    with pytest.raises(SystemExit):
        record_faults.main(["label 1", "--folder", str(tmp_path)])
    assert "no fault is called label 1" in capsys.readouterr().err
    assert trained == []
