"""What a run was computed with."""

import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torchvision

import ssd_tutorial
from ssd_tutorial.training import provenance as run_facts
from ssd_tutorial.training.provenance import environment, git, processor


def test_environment_is_json_and_matches_the_machine():
    facts = json.loads(json.dumps(environment()))
    assert facts["torch"] == torch.__version__
    assert facts["torchvision"] == torchvision.__version__
    assert facts["numpy"] == np.__version__
    assert facts["ssd_tutorial"] == ssd_tutorial.__version__
    assert facts["python"].split(".") == [str(n) for n in sys.version_info[:3]]
    assert facts["threads"] == torch.get_num_threads() == 1
    assert facts["processes"] == 1
    assert facts["processor"] == processor() != ""
    assert (facts["cuda"] is None) == (not torch.cuda.is_available())
    assert facts["command"].startswith("python ")
    assert len(facts["command"].split()) > 1


def test_processes_of_one_run_are_counted(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert environment()["processes"] == 4


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path):
    def in_git(*words):
        who = ("-c", "user.name=A", "-c", "user.email=a@b")
        return run("git", *who, "-C", str(tmp_path), *words)

    in_git("init", "--quiet")
    (tmp_path / "a.py").write_text("1")
    in_git("add", "a.py")
    in_git("commit", "--quiet", "-m", "first")
    return tmp_path, in_git


def test_the_commit_and_whether_files_differ_from_it(checkout):
    folder, in_git = checkout
    commit = in_git("rev-parse", "HEAD")
    assert len(commit) == 40
    assert git(folder) == {"commit": commit, "dirty": False}
    (folder / "new.txt").write_text("untracked: no part of the program")
    assert git(folder) == {"commit": commit, "dirty": False}
    (folder / "a.py").write_text("2")
    assert git(folder) == {"commit": commit, "dirty": True}


def test_a_repository_around_the_package_is_not_the_packages(checkout, monkeypatch):
    folder, _ = checkout
    (folder / "venv").mkdir()
    monkeypatch.setattr(run_facts, "_installed_from", lambda: None)
    assert git(folder / "venv") is None


@pytest.mark.parametrize(
    ("noted", "expected"),
    [
        (None, None),
        ('{"url": "file:///a/wheel.whl"}', None),
        ('{"vcs_info": {"vcs": "git", "commit_id": "abc"}}', {"commit": "abc", "dirty": False}),
    ],
)
def test_the_commit_that_pip_recorded_is_used(tmp_path, monkeypatch, noted, expected):
    def distribution(name):
        assert name == "ssd-tutorial"
        return SimpleNamespace(read_text=lambda file: noted)

    monkeypatch.setattr(run_facts.metadata, "distribution", distribution)
    assert git(tmp_path) == expected


def test_without_git_there_is_no_commit(tmp_path, monkeypatch):
    def missing(name):
        raise run_facts.metadata.PackageNotFoundError

    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(run_facts.metadata, "distribution", missing)
    assert git(tmp_path) is None


def test_gpus_are_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: 92000)
    monkeypatch.setattr(
        torch.cuda,
        "get_device_properties",
        lambda k: SimpleNamespace(name=f"GPU {k}", total_memory=3 * 2**29),
    )
    devices = environment()["cuda"]["devices"]
    assert devices == [{"name": "GPU 0", "memory": 1.5}, {"name": "GPU 1", "memory": 1.5}]
