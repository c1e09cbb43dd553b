"""The environment report: what it finds missing, how to fix it, and what it must not reveal."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from ssd_book import check_env

from ssd_tutorial import _files, datasets
from tests import forked


def run(**environment):
    """Run the command as a reader types it; return (exit code, output)."""
    done = subprocess.run(
        [sys.executable, "-m", "ssd_book.check_env"],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


def plant(folder: Path, name: str, source: str) -> str:
    """Write a package that shadows the installed one; return the PYTHONPATH that puts it first."""
    (folder / f"{name}.py").write_text(source)
    return os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])


def test_a_complete_environment_passes_and_names_every_requirement():
    code, text = run()
    assert code == 0
    assert "Everything that a chapter needs is here." in text
    for one in check_env.requirements():
        assert f" {one.name} " in text
        assert importlib.metadata.version(one.name) in text
    for line in ("Python 3.", "processor", "training", "GPU", "live figures", "disk", "weights"):
        assert line in text
    assert "!" not in text


WITHOUT_TYRO = """
import os, runpy, sys
os.environ.update(more)
sys.path.insert(0, planted)
sys.modules.pop("tyro", None)
runpy.run_module("ssd_book.check_env", run_name="__main__")
"""


def test_a_missing_module_is_reported_with_the_command_that_installs_it(tmp_path):
    home = tmp_path / "zelda"
    home.mkdir()
    source = f"raise ImportError({str(home / 'lib' / 'broken.so')!r} + ' (built by zelda)')"
    plant(tmp_path, "tyro", source)
    more = {"HOME": str(home), "LOGNAME": "zelda"}
    done = forked.run(WITHOUT_TYRO, more=more, planted=str(tmp_path))
    text = done.stdout
    assert (done.returncode, done.stderr) == (1, "")
    assert "! tyro" in text
    assert "~/lib/broken.so (built by USER)" in text
    assert 'tyro: pip install --upgrade "tyro>=' in text
    assert "To fix (1):" in text
    assert "zelda" not in text


def test_a_broken_torch_does_not_stop_the_report(tmp_path):
    """torchvision built for another torch raises RuntimeError on import, not ImportError."""
    planted = plant(tmp_path, "torch", "raise RuntimeError('operator does not exist')")
    code, text = run(PYTHONPATH=planted)
    assert code == 1
    assert "operator does not exist" in text
    assert 'torch: pip install --upgrade "torch>=' in text
    assert "processor" in text


def test_a_package_that_is_not_installed_is_reported():
    finding = check_env.check_package(Requirement("surely-not-a-package>=1.2"))
    assert finding.text == "not installed"
    assert finding.fix == 'pip install --upgrade "surely-not-a-package>=1.2"'


def test_a_missing_optional_package_needs_no_fix(monkeypatch):
    monkeypatch.setitem(check_env.OPTIONAL, "surely-not-a-package", "to build the book")
    finding = check_env.check_package(Requirement("surely-not-a-package"))
    assert finding.text == "not installed (needed only to build the book)"
    assert finding.fix == ""


@pytest.mark.parametrize(
    ("version", "asked", "fits"),
    [
        ("4.9.1", ">=4.66", False),
        ("4.66.0rc1", ">=4.66", False),
        ("4.67.0rc1", ">=4.66", True),
        ("2.15.0+cpu", ">=2.2.0", True),
        ("1.0.4.post1", "<2,>=1.0.4", True),
        ("2.0", "<2,>=1.0.4", False),
        ("0.1", "", True),
    ],
)
def test_versions_are_compared(monkeypatch, version, asked, fits):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version)
    finding = check_env.check_package(Requirement(f"tqdm{asked}"))
    assert finding.text == (version if fits else f"{version}, but {asked} is needed")
    assert finding.fix == ("" if fits else f'pip install --upgrade "tqdm{asked}"')


def test_requirements_come_from_the_package_and_keep_groups_apart():
    chapters, book, both = (
        {one.name: str(one.specifier) for extra in extras for one in check_env.requirements(extra)}
        for extras in ([""], ["book"], ["book", "test"])
    )
    assert chapters["torch"].startswith(">=2")
    assert "jupyter-book" not in chapters
    assert book["jupyter-book"] == "<2,>=1.0.4"
    assert "nbval" not in book
    assert {"nbval", "jupyter-book"} <= set(both)


def test_a_package_that_was_only_copied_is_reported(monkeypatch):
    monkeypatch.setattr(check_env, "DISTRIBUTION", "surely-not-a-package")
    (finding,) = check_env.check("Packages")
    assert "surely-not-a-package" in finding.text
    assert finding.fix == "pip install -e . (in the checkout)"


def test_a_full_disk_is_reported(monkeypatch):
    full = SimpleNamespace(total=1e12, used=1e12 - 2e8, free=2e8)
    monkeypatch.setattr(check_env.shutil, "disk_usage", lambda _: full)
    finding = next(check_env.check_machine())
    assert finding.text == "0.2 GB free"
    assert finding.fix


def test_a_lab_without_its_javascript_extensions_is_reported(monkeypatch, tmp_path):
    import jupyter_core.paths

    monkeypatch.setattr(jupyter_core.paths, "jupyter_path", lambda *_: [str(tmp_path)])
    (tmp_path / "anywidget").mkdir()
    finding = check_env.check_widgets()
    assert finding.text == "JupyterLab lacks @jupyter-widgets/jupyterlab-manager"
    assert "jupyterlab_widgets" in finding.fix


def test_unreadable_photographs_are_reported(monkeypatch):
    def lost(*_):
        raise FileNotFoundError("photographs/cat.jpg")

    monkeypatch.setattr(datasets, "VOCFolder", lost)
    (finding,) = check_env.check("Data")
    assert "photographs/cat.jpg" in finding.text
    assert finding.fix


def test_lost_and_damaged_weights_are_reported(monkeypatch, tmp_path):
    whole = _files.data_path
    moved = {"weights": tmp_path}
    monkeypatch.setattr(_files, "data_path", lambda name: moved.get(name) or whole(name))
    *_, lost = check_env.check("Data")
    assert lost.text == "0, all readable"
    assert lost.fix
    (tmp_path / "cut.safetensors").write_bytes(b"not a header")
    *_, damaged = check_env.check("Data")
    assert "cut.safetensors is not a readable safetensors file" in damaged.text
    assert damaged.fix


def test_help_says_what_the_exit_code_means(capsys):
    with pytest.raises(SystemExit) as done:
        check_env.main(["--help"])
    assert done.value.code == 0
    assert "exit code" in " ".join(capsys.readouterr().out.split())
