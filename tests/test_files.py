"""Files that appear complete or not at all, and folders that can't be written to."""

import errno
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ssd_tutorial import _files as whole_files
from ssd_tutorial._files import atomic_write, refuse_unwritable, remove_unfinished


def names(folder):
    return sorted(p.name for p in folder.iterdir())


@pytest.mark.parametrize("durable", [False, True])
def test_the_file_and_its_folder_appear_when_the_block_ends(tmp_path, durable):
    path = tmp_path / "new" / "log.csv"
    with atomic_write(path, durable) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["log.csv"]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")

    def fail_halfway():
        with atomic_write(path) as unfinished:
            unfinished.write_text("half")
            unfinished.with_name(".tmpX").write_text("what a library puts beside it")
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        fail_halfway()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["log.csv"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_reported_with_the_file_and_words_for_it_are_kept(tmp_path, number):
    def write(error):
        with atomic_write(tmp_path / "log.csv"):
            raise error

    with pytest.raises(OSError, match="log.csv cannot be written") as caught:
        write(OSError(number, os.strerror(number)))
    message = f"{tmp_path / 'log.csv'} cannot be written ({os.strerror(number)})"
    assert (caught.value.errno, str(caught.value)) == (number, message)
    clear = whole_files.reworded(OSError(number, ""), "3 GB are needed: choose another folder")
    with pytest.raises(OSError, match="^3 GB are needed"):
        write(clear)
    assert names(tmp_path) == []


def test_a_file_where_a_folder_is_needed_is_reported(tmp_path):
    (tmp_path / "found").write_text("a file")
    for path in (tmp_path / "found" / "a.png", tmp_path / "found" / "deep" / "a.png"):
        with pytest.raises(OSError, match="a file") as caught, atomic_write(path):
            raise AssertionError("nothing can be written there")
        reason = f"{tmp_path / 'found'} is a file, not a folder"
        assert str(caught.value) == f"{path} cannot be written: {reason}"
    assert (tmp_path / "found").read_text() == "a file"


def test_a_file_is_synced_before_it_replaces_the_old_one(tmp_path, monkeypatch):
    done = []
    fsync, replace = os.fsync, os.replace

    def note_sync(number):
        done.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        fsync(number)

    def note_replace(*paths):
        done.append("replace")
        replace(*paths)

    monkeypatch.setattr(whole_files.os, "fsync", note_sync)
    monkeypatch.setattr(whole_files.os, "replace", note_replace)
    with atomic_write(tmp_path / "a", durable=True) as file:
        file.write_text("x")
    assert done == ["file", "replace", "folder"]
    done.clear()
    with atomic_write(tmp_path / "a") as file:
        file.write_text("x")
    assert done == ["replace"]


@pytest.mark.parametrize(
    ("number", "passes"), [(errno.EINVAL, True), (errno.ENOSPC, False), (errno.EIO, False)]
)
def test_storage_without_fsync_is_accepted_and_a_full_disk_is_refused(
    tmp_path, monkeypatch, number, passes
):
    def fail(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(whole_files.os, "fsync", fail)
    path = tmp_path / "a"
    path.write_text("old")

    def write():
        with atomic_write(path, durable=True) as file:
            file.write_text("new")

    if passes:
        write()
    else:
        with pytest.raises(OSError, match=os.strerror(number)):
            write()
    assert path.read_text() == ("new" if passes else "old")
    assert names(tmp_path) == ["a"]


KILLED = """
import os, signal, sys
from ssd_tutorial._files import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_leftovers_of_a_killed_process_can_be_removed(tmp_path):
    path, other = tmp_path / "log.csv", tmp_path / "log.csv.gz"
    for target in (path, other):
        target.write_text("old")
        done = subprocess.run([sys.executable, "-c", KILLED, str(target)])
        assert done.returncode == -signal.SIGKILL
        assert target.read_text() == "old"
    assert len(names(tmp_path)) == 4
    remove_unfinished(path)
    (left,) = set(names(tmp_path)) - {"log.csv", "log.csv.gz"}
    assert left.startswith(".log.csv.gz.")
    remove_unfinished(other)
    assert names(tmp_path) == ["log.csv", "log.csv.gz"]


# --- folders --------------------------------------------------------------------------------------


def test_checking_a_writable_folder_changes_nothing(tmp_path):
    refuse_unwritable(tmp_path / "a" / "b")
    assert names(tmp_path) == []
    refuse_unwritable(tmp_path)
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "a").write_text("")
    for folder in (tmp_path / "a", tmp_path / "a" / "b"):
        with pytest.raises(
            OSError, match=r"/a\S* cannot be written to \(.*\): give another folder"
        ):
            refuse_unwritable(folder)
    assert names(tmp_path) == ["a"]


WITHOUT_RIGHTS = """
import os, sys
from ssd_tutorial._files import refuse_unwritable
if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)  # root may write anywhere
for folder in sys.argv[1:]:
    try:
        refuse_unwritable(folder)
    except PermissionError as error:
        print(error.errno, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="other rights there")
def test_a_read_only_folder_is_refused(shared_folder):
    folder = shared_folder / "read_only"
    folder.mkdir(mode=0o555)
    command = [sys.executable, "-c", WITHOUT_RIGHTS, str(folder), str(folder / "new")]
    package = Path(whole_files.__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=package)
    assert done.stdout.splitlines() == [
        f"13 {path} cannot be written to (Permission denied): give another folder"
        for path in (folder, folder / "new")
    ], done.stderr
    assert names(folder) == []
