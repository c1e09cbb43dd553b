"""What `make test-install` and `make test-versions` install; running them takes gigabytes."""

import re
import subprocess
import zipfile

import pytest
import try_install
import try_versions
from notebooks import ROOT

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_lowest_versions_are_the_bounds_of_pyproject():
    lowest = try_versions.constraints("lowest", PYPROJECT)
    assert [line.split("==")[0] for line in lowest] == ["torch", "torchvision", "numpy"]
    for line in lowest:
        assert re.fullmatch(r"\w+==\d+\.\d+\.\*", line)
        assert line.replace("==", ">=").removesuffix(".*") in PYPROJECT
    assert try_versions.constraints("newest", PYPROJECT) == []
    with pytest.raises(ValueError, match="no lower bound of torch"):
        try_versions.constraints("lowest", 'dependencies = ["torch"]')


def test_a_wheel_of_the_last_commit_holds_both_packages_and_the_data(tmp_path):
    (path,) = try_install.source_of("wheel", tmp_path)
    names = zipfile.ZipFile(path).namelist()
    for name in ("ssd_tutorial/boxes.py", "ssd_book/explorers/static/geometry.js"):
        assert name in names
    assert "ssd_tutorial/_data/datasets.json" in names
    committed = subprocess.run(
        ["git", "ls-files", "ssd_tutorial"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(committed.stdout.split()) <= set(names)


@pytest.mark.parametrize("tool", [try_install, try_versions])
def test_an_unknown_way_is_refused_before_anything_is_installed(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main(["wheels"])
    assert "wheels" in capsys.readouterr().err


def test_a_failed_command_says_what_it_printed(tmp_path):
    with pytest.raises(RuntimeError, match="not a git repository"):
        try_install.run("git", "log", cwd=tmp_path)
