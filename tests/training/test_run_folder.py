"""The folder of a run: what it contains, what it refuses, and what damage it survives."""

import csv
import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ssd_tutorial.presets import SLIM300
from ssd_tutorial.training import lock, run_folder
from ssd_tutorial.training import log as run_log
from ssd_tutorial.training.log import Step, read_log, write_log
from ssd_tutorial.training.run_folder import RunFolder
from ssd_tutorial.weights import file as weights
from ssd_tutorial.weights.file import load_weights, read_header, save_weights
from tests import forked

NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint-previous.safetensors"
SETTINGS = {"model": "slim300", "lr": 0.5, "milestones": (0.5, 0.75)}


CLASSES = ("square", "bar")


class Small(torch.nn.Linear):
    """A stand-in for an SSD, so that a checkpoint has few bytes."""

    num_classes, config = 3, SLIM300


def line(step):
    """Make a report of that step, with a different value in every field."""
    return Step(step, 4 * step, 0.1 / step, 5.5 / step, 3.5 / step, 2 / step, 7 + step, 2.0 * step)


class Run:
    """A training run that computes nothing: step n sets every weight to n."""

    def __init__(self, folder, settings=SETTINGS, **options):
        self.network = Small(30, 20)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.5, momentum=0.9)
        self.folder = RunFolder(folder, settings, CLASSES, 7, **options)
        self.first = self.folder.resume(self.network, self.optimizer)

    def step_to(self, step, **options):
        """Report and save that step."""
        with torch.no_grad():
            for parameter in self.network.parameters():
                parameter.fill_(step)
                self.optimizer.state[parameter]["momentum_buffer"] = parameter.clone() + 0.5
        self.folder.history.append(line(step))
        pending = [[float(step)] * 4]
        self.folder.save(self.network, self.optimizer, step, 2.0 * step, pending, **options)
        return self

    def is_at(self, step):
        """Return whether everything is as `step_to` left it."""
        state = self.optimizer.state_dict()["state"]
        return (
            self.first == step
            and all((parameter == step).all() for parameter in self.network.parameters())
            and len(state) == 2
            and all((one["momentum_buffer"] == step + 0.5).all() for one in state.values())
            and self.folder.pending == [[float(step)] * 4]
            and self.folder.seconds == 2.0 * step
            and self.folder.history == [line(k) for k in range(1, step + 1)]
        )


def names(folder):
    return sorted(p.name for p in folder.iterdir())


def steps_of(folder):
    """Return the steps of the two checkpoints, newest first."""
    return [read_header(folder / name).metadata["step"] for name in (NEWEST, PREVIOUS)]


@pytest.fixture
def folder(tmp_path):
    """A run with checkpoints of steps 2 and 3."""
    run = Run(tmp_path / "run")
    with closing(run.folder):
        for step in (1, 2, 3):
            run.step_to(step)
    return tmp_path / "run"


# --- what it holds --------------------------------------------------------------------------------


def test_the_folder_contains_checkpoints_settings_environment_and_log(folder):
    assert names(folder) == [
        PREVIOUS, NEWEST, "environment.json", "run.csv", "settings.json", "tensorboard",
    ]  # fmt: skip
    assert json.loads((folder / "settings.json").read_text()) == {
        "settings": {"model": "slim300", "lr": 0.5, "milestones": [0.5, 0.75]},
        "pictures": 7,
        "classes": ["square", "bar"],
    }
    start = json.loads((folder / "environment.json").read_text())
    assert start["from_step"] == 0
    assert start["torch"] == torch.__version__
    assert steps_of(folder) == [3, 2]
    with (folder / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3"]
    assert rows[1] == {
        "step": "2", "samples": "8", "lr": "0.05", "total": "2.75", "confidence": "1.75",
        "localization": "1.0", "positives": "9", "seconds": "4.0", "val_map50": "",
        "val_total": "",
    }  # fmt: skip


def test_a_run_resumes_from_its_newest_checkpoint(folder, capsys):
    run = Run(folder)
    assert run.is_at(3)
    assert capsys.readouterr().err == ""
    run.step_to(4)
    run.folder.close()
    assert steps_of(folder) == [4, 3]
    assert json.loads((folder / "environment.json").read_text())["from_step"] == 3
    assert Run(folder).is_at(4)


def test_lines_beyond_the_checkpoint_are_dropped(folder):
    write_log(folder / "run.csv", [line(k) for k in range(1, 9)])
    assert Run(folder).is_at(3)


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run(None).step_to(1)
    run.folder.close()
    assert run.first == 0
    assert names(tmp_path) == []


def test_a_new_folder_stays_from_the_first_checkpoint_on(tmp_path):
    run = Run(tmp_path / "a" / "run")
    assert names(tmp_path / "a" / "run") == []  # to be locked
    run.folder.close()
    assert names(tmp_path / "a") == []
    run = Run(tmp_path / "a" / "run").step_to(1)
    run.folder.close()
    assert names(tmp_path / "a" / "run") == [
        NEWEST, "environment.json", "run.csv", "settings.json", "tensorboard",
    ]  # fmt: skip


def test_other_processes_read_and_never_write(folder, tmp_path, capsys):
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (folder / NEWEST).write_bytes(before[folder / NEWEST][:-1])
    before[folder / NEWEST] = before[folder / NEWEST][:-1]
    run = Run(folder, writes=False)
    assert run.is_at(2)
    assert capsys.readouterr().err == ""  # the first process says it
    run.step_to(4)
    run.folder.close()
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before
    assert Run(tmp_path / "new", writes=False).step_to(1).first == 0
    assert not (tmp_path / "new").exists()


def test_a_grad_scaler_is_restored(tmp_path):
    run, scaler = Run(tmp_path), torch.amp.GradScaler("cpu", init_scale=512.0)
    scaler.scale(torch.ones(()))  # it takes its state from the first use on
    run.step_to(1, scaler=scaler)
    run.folder.close()
    again = torch.amp.GradScaler("cpu")
    RunFolder(tmp_path, SETTINGS, CLASSES, 7).resume(run.network, run.optimizer, again)
    assert again.state_dict() == scaler.state_dict()
    assert again.get_scale() == 512.0
    off = torch.amp.GradScaler("cpu", enabled=False)
    run.step_to(2, scaler=off)
    run.folder.close()
    assert RunFolder(tmp_path, SETTINGS, CLASSES, 7).resume(run.network, run.optimizer, off) == 2


# --- one run at a time ----------------------------------------------------------------------------


def test_a_second_training_run_into_the_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_SECONDS_TO_DIE", 0.2)
    first = Run(tmp_path / "run", settings=SETTINGS)
    for begin in (Run, lambda *words: RunFolder(*words, SETTINGS, CLASSES).step()):
        with pytest.raises(BlockingIOError, match="another training run writes to .*run: wait unt"):
            begin(tmp_path / "run")
    first.step_to(1).folder.close()
    assert Run(tmp_path / "run").is_at(1)


HOLDING = """
import sys, time
from ssd_tutorial.training.lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks there")
def test_a_killed_run_leaves_no_lock(folder, monkeypatch):
    monkeypatch.setattr(lock, "_SECONDS_TO_DIE", 0.2)
    command = [sys.executable, "-c", HOLDING, folder]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError, match="another training run"):
            Run(folder)
        process.kill()  # SIGKILL: it can put nothing in order
    assert Run(folder).is_at(3)


def test_where_nothing_can_be_locked_training_runs(folder, monkeypatch):
    def unsupported(*_):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(lock.fcntl, "flock", unsupported)
    assert Run(folder).is_at(3)
    monkeypatch.setattr(lock, "fcntl", None)
    assert Run(folder).is_at(3)


# --- the best weights -----------------------------------------------------------------------------


def test_the_best_weights_stay_until_better_ones_come(folder):
    best = folder / "weights-best.safetensors"

    def measured(run, step, map50):
        with torch.no_grad():
            run.network.weight.fill_(step)
        run.folder.save_best(run.network, replace(line(step), val_map50=map50, val_total=1.0))
        return read_header(best).metadata["step"]

    run = Run(folder)
    assert [measured(run, *at) for at in ((4, 0.5), (5, 0.4), (6, 0.5), (7, 0.6))] == [4, 4, 4, 7]
    assert load_file(best)["model.weight"].unique().tolist() == [7]
    run.folder.close()
    run = Run(folder)
    assert measured(run, 8, 0.55) == 7
    best.write_bytes(best.read_bytes()[:-9])
    assert measured(run, 9, 0.1) == 9
    run.folder.close()
    with closing(Run(folder.with_name("other"), {**SETTINGS, "lr": 9.0}).folder) as other:
        shutil.copy(best, other.folder)
        assert other._best() == -1  # another run's


def test_a_log_with_measurements_comes_back(tmp_path):
    history = [line(1), replace(line(2), val_map50=0.25, val_total=3.5)]
    write_log(tmp_path / "run.csv", history)
    assert read_log(tmp_path / "run.csv") == history
    header, *lines = (tmp_path / "run.csv").read_text().splitlines()
    assert (header.split(",")[-2:], lines[0][-2:]) == (["val_map50", "val_total"], ",,")
    run = Run(tmp_path / "run")
    with closing(run.folder):
        run.folder.history += history
        run.folder.save(run.network, run.optimizer, 2, 4.0, [])
    assert shown(tmp_path / "run", "validation/mAP") == [(2, 0.25)]
    assert shown(tmp_path / "run", "validation/loss") == [(2, 3.5)]


# --- TensorBoard ----------------------------------------------------------------------------------


def scalars(folder):
    """Return what TensorBoard shows: name -> list of (step, value, time)."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return {
        name: [(e.step, e.value, e.wall_time) for e in events.Scalars(name)]
        for name in events.Tags()["scalars"]
    }


def shown(folder, name):
    return [(step, pytest.approx(value)) for step, value, _ in scalars(folder)[name]]


def test_tensorboard_shows_the_run(folder):
    assert sorted(scalars(folder)) == [
        "images per second", "learning rate", "loss/confidence", "loss/localization",
        "loss/total", "positives",
    ]  # fmt: skip
    assert shown(folder, "loss/total") == [(k, 5.5 / k) for k in (1, 2, 3)]
    assert shown(folder, "learning rate") == [(k, 0.1 / k) for k in (1, 2, 3)]
    assert shown(folder, "images per second") == [(1, 2.0), (2, 2.0), (3, 2.0)]
    with closing(Run(folder).step_to(4).folder):  # a second start writes all four
        times = [time for *_, time in scalars(folder)["positives"]]
    assert [b - a for a, b in itertools.pairwise(times)] == pytest.approx([2, 2, 2], abs=1e-3)


def test_tensorboard_shows_no_step_twice_and_none_that_was_not_taken(folder, tmp_path):
    run = Run(folder)
    with closing(run.folder):
        run.step_to(4)
        run.step_to(5)
    # the two newest steps are lost
    (folder / NEWEST).write_bytes(b"damaged")
    (folder / PREVIOUS).unlink()
    with pytest.raises(ValueError, match="no good checkpoint"):
        Run(folder)
    other = Run(tmp_path / "other")
    with closing(other.folder):
        other.step_to(3)
    (tmp_path / "other" / NEWEST).replace(folder / NEWEST)
    run = Run(folder)
    assert run.first == 3
    with closing(run.folder):
        run.folder.history.append(line(7))
        run.folder.save(run.network, run.optimizer, 7, 14.0, [])
    assert shown(folder, "loss/total") == [(k, 5.5 / k) for k in (1, 2, 3, 7)]


def test_closed_events_can_be_continued(tmp_path):
    run = Run(tmp_path)
    for step in (1, 2):
        run.step_to(step)
        run.folder.close()
    assert shown(tmp_path, "positives") == [(1, 8), (2, 9)]


# --- killed ---------------------------------------------------------------------------------------


class Killed(BaseException):
    """Raised instead of SIGKILL: nothing catches it, and nothing is cleaned up after it."""


def test_a_kill_between_any_two_changes_on_the_disk_loses_one_interval_at_most(
    tmp_path, monkeypatch
):
    """Each rename in turn fails to happen, and so does everything after it."""
    replace = os.replace
    ends = []
    for fatal in itertools.count():
        folder = tmp_path / str(fatal)
        run = Run(folder).step_to(1).step_to(2)
        run.folder.close()
        calls = itertools.count()

        def kill_at(*paths, calls=calls, fatal=fatal):
            if next(calls) == fatal:
                raise Killed
            replace(*paths)

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", kill_at)
            patch.setattr(run_folder, "environment", dict)
            patch.setattr("ssd_tutorial._files.shutil.rmtree", lambda *_, **__: None)
            try:
                Run(folder).step_to(3)
            except Killed:
                pass
            else:
                break
        again = Run(folder)
        assert again.is_at(again.first)
        ends.append(again.first)
        assert not [name for name in names(folder) if name.endswith(".unfinished")]
        again.step_to(again.first + 1).folder.close()
        assert Run(folder).is_at(again.first + 1)
    # before: settings, environment, log, the new checkpoint, newest -> previous, new -> newest
    assert ends == [2, 2, 2, 2, 2, 2]
    assert Run(folder).is_at(3)


def test_the_newest_may_be_missing(folder, capsys):
    (folder / NEWEST).unlink()
    run = Run(folder)
    assert run.is_at(2)
    said = capsys.readouterr().err
    assert f"{folder / NEWEST} is missing; resuming from {PREVIOUS}, step 2" in said
    run.step_to(3).folder.close()
    assert steps_of(folder) == [3, 2]


# --- damaged --------------------------------------------------------------------------------------


DAMAGES = {
    "cut short": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "garbled": lambda content: bytes(reversed(content)),
    "one bit of a weight": lambda content: content[:-5] + bytes([content[-5] ^ 1]) + content[-4:],
    "the step in the header": lambda content: content.replace(b'"step\\": 3', b'"step\\": 2'),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(folder, capsys, damage):
    content = (folder / NEWEST).read_bytes()
    (folder / NEWEST).write_bytes(DAMAGES[damage](content))
    assert (folder / NEWEST).read_bytes() != content
    run = Run(folder)
    assert run.is_at(2)
    (said,) = capsys.readouterr().err.splitlines()
    assert str(folder / NEWEST) in said
    assert said.endswith(f"; resuming from {PREVIOUS}, step 2")
    # the good one stays until there is a newer good one, and no damaged file replaces it
    run.step_to(3).folder.close()
    assert steps_of(folder) == [3, 2]
    assert Run(folder).is_at(3)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A folder to damage again and again, and its newest checkpoint as it was."""
    folder = tmp_path_factory.mktemp("run")
    Run(folder).step_to(1).step_to(2).step_to(3).folder.close()
    return folder, (folder / NEWEST).read_bytes()


@settings(max_examples=150)
@given(data=st.data())
def test_damage_anywhere_costs_one_interval_or_nothing(kept, data):
    folder, whole = kept
    content = bytearray(whole)
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        places = st.integers(0, len(content) - 1)
        for place, change in data.draw(st.dictionaries(places, st.integers(1, 255))).items():
            content[place] ^= change
    (folder / NEWEST).write_bytes(content)
    run = Run(folder)
    assert run.first in (2, 3)
    assert run.is_at(run.first)


def test_two_damaged_checkpoints_are_both_named(folder):
    for name in (NEWEST, PREVIOUS):
        (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    with pytest.raises(ValueError, match="has no good checkpoint") as caught:
        Run(folder)
    said = str(caught.value)
    assert str(folder / NEWEST) in said
    assert str(folder / PREVIOUS) in said
    assert said.endswith("remove both to start again, or give another folder")
    (folder / PREVIOUS).unlink()
    with pytest.raises(ValueError, match="remove it to start again"):
        Run(folder)


def test_weights_in_place_of_a_checkpoint_are_named(folder):
    save_weights(folder / NEWEST, Small(30, 20), CLASSES, {"settings": SETTINGS, "pictures": 7})
    with pytest.raises(ValueError, match="has weights but no optimizer: training cannot resume"):
        Run(folder)
    optimizer = torch.optim.SGD(Small(30, 20).parameters(), lr=1.0)
    metadata = {"settings": SETTINGS, "pictures": 7}
    save_weights(folder / NEWEST, Small(30, 20), CLASSES, metadata, optimizer)
    assert Run(folder).is_at(2)  # the one before


def test_a_damaged_log_is_refused_and_a_missing_one_reported(folder, capsys):
    content = (folder / "run.csv").read_text()
    (folder / "run.csv").write_text(content.replace("2.75", "2.x"))
    with pytest.raises(ValueError, match=r"run\.csv is damaged in line 3: remove it, and the run"):
        Run(folder)
    (folder / "run.csv").unlink()
    run = Run(folder)
    assert (run.first, run.folder.history) == (3, [])
    assert "run.csv is missing: the curves start at the checkpoint" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("row", "line"),
    [("1,2,3", 3), ("a,b,c,d,e,f,g,h", 3), ("1,2,3,4,5,6,7,8,9", 3), ("1,2,3,4,5,6,inf,8", 3)],
)
def test_a_log_with_an_unreadable_line_is_refused(tmp_path, row, line):
    path = tmp_path / "run.csv"
    header = "step,samples,lr,total,confidence,localization,positives,s"
    path.write_text(f"{header}\n1,2,3,4,5,6,7,8\n{row}\n")
    with pytest.raises(ValueError, match=f"is damaged in line {line}"):
        read_log(path)
    path.write_text("\xff\n", encoding="latin-1")
    with pytest.raises(ValueError, match="is damaged in line 2"):
        read_log(path)


def test_a_damaged_record_of_the_environment_is_written_again(folder):
    (folder / "environment.json").write_text("[{")
    Run(folder).step_to(4).folder.close()
    assert json.loads((folder / "environment.json").read_text())["from_step"] == 3


# --- a full disk, a folder that cannot be written to ----------------------------------------------


@pytest.mark.parametrize("failing", ["log", "checkpoint", "events"])
def test_a_full_disk_ends_in_one_sentence_and_keeps_the_checkpoints(folder, monkeypatch, failing):
    run = Run(folder)
    before = {name: (folder / name).read_bytes() for name in (NEWEST, PREVIOUS)}

    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / "file"))

    with monkeypatch.context() as patch:
        if failing == "log":
            patch.setattr(run_folder, "write_log", full)
        elif failing == "checkpoint":
            patch.setattr(weights, "save", full)
        else:
            patch.setattr(run_log.Events, "write", full)
        with pytest.raises(OSError, match="No space left on device") as caught:
            run.step_to(4)
    run.folder.close()
    kept = 4 if failing == "events" else 3
    assert caught.value.errno == errno.ENOSPC
    assert str(caught.value) == (
        f"{folder} cannot be written (No space left on device); the checkpoint of step {kept} is"
        f" kept: fix that and rerun the same command to resume"
    )
    if failing != "events":
        assert {name: (folder / name).read_bytes() for name in (NEWEST, PREVIOUS)} == before
    assert not [name for name in names(folder) if name.endswith(".unfinished")]
    assert Run(folder).is_at(kept)


def test_a_disk_that_was_full_from_the_start_is_reported(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "run"))

    monkeypatch.setattr(weights, "save", full)
    with pytest.raises(OSError, match="nothing is saved yet: fix that"):
        Run(tmp_path / "run").step_to(1)


LIMITED = """
import resource, sys
sys.path.insert(0, here)
from test_run_folder import Run
run = Run(folder)
resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
try:
    run.step_to(4)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_real_limit_of_the_system_stops_a_checkpoint(folder):
    """The closest to a full disk that needs no privileges: no file may exceed 4000 bytes."""
    assert (folder / NEWEST).stat().st_size > 4000
    before = {name: (folder / name).read_bytes() for name in (NEWEST, PREVIOUS)}
    here = str(Path(__file__).parent)
    done = forked.run(LIMITED, folder=str(folder), here=here)
    assert done.returncode == 0, done.stderr
    assert "cannot be written (File too large); the checkpoint of step 3 is kept" in done.stdout
    assert {name: (folder / name).read_bytes() for name in (NEWEST, PREVIOUS)} == before
    assert Run(folder).is_at(3)


def test_a_folder_that_is_a_file_is_refused_before_anything_is_computed(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(OSError, match="cannot be written to .*: give another folder"):
            RunFolder(folder, SETTINGS, CLASSES, 7)


# --- another run ----------------------------------------------------------------------------------


def test_another_run_is_refused_before_its_pictures_are_loaded(folder, tmp_path):
    assert RunFolder(folder, SETTINGS, CLASSES, 7).step() == 3
    assert RunFolder(folder, SETTINGS, CLASSES).step() == 3
    assert RunFolder(tmp_path / "new", SETTINGS, CLASSES, 7).step() == 0
    assert names(tmp_path) == ["run"]
    for settings_, classes, pictures, differ in (
        ({**SETTINGS, "lr": 1.0}, CLASSES, 7, r"lr 0\.5 -> 1\.0"),
        (SETTINGS, ("square",), 7, "classes square, bar -> square"),
        (SETTINGS, CLASSES, 8, "pictures 7 -> 8"),
        ({**SETTINGS, "new": 1}, CLASSES, None, "new None -> 1"),
    ):
        with pytest.raises(ValueError, match=rf"run with other settings \({differ}\): give anothe"):
            RunFolder(folder, settings_, classes, pictures).step()
    for name in (NEWEST, PREVIOUS):
        (folder / name).write_bytes(b"damaged")
    with pytest.raises(ValueError, match="no good checkpoint"):
        RunFolder(folder, SETTINGS, CLASSES).step()


def test_another_run_is_refused_also_by_its_older_checkpoint(folder):
    (folder / NEWEST).write_bytes(b"damaged")
    network = Small(30, 20)
    run = RunFolder(folder, {**SETTINGS, "lr": 1.0}, CLASSES, 7)
    with pytest.raises(ValueError, match=r"other settings \(lr 0\.5 -> 1\.0\)"):
        run.resume(network, torch.optim.SGD(network.parameters(), lr=1.0))


def test_a_run_with_the_old_names_of_settings_is_resumed(tmp_path):
    """Early runs had other names for five settings, and for the column of seconds."""
    old = {"scales": "voc", "clip": 10.0, "crop_share": 0.5, "mirror": True, "turn_over": False}
    new = {
        "prior_scales": "voc",
        "grad_clip_norm": 10.0,
        "crop_prob": 0.5,
        "horizontal_flip": True,
        "vertical_flip": False,
    }
    assert Run(tmp_path, settings=SETTINGS | old).step_to(1).first == 0
    new |= {"accumulate": 1, "repeat_rare": 0.0}  # which they did not have
    log = tmp_path / "run.csv"
    header, *lines = log.read_text().splitlines()
    log.write_text("\n".join([header.removesuffix("seconds") + "s", *lines]))
    assert Run(tmp_path, settings=SETTINGS | new).is_at(1)
    assert RunFolder(tmp_path, SETTINGS | new, CLASSES).step() == 1
    with pytest.raises(ValueError, match="vertical_flip False -> True"):
        Run(tmp_path, settings=SETTINGS | new | {"vertical_flip": True})


# --- files that others read -----------------------------------------------------------------------


def test_checkpoints_are_weights_like_any_other(tmp_path):
    from ssd_tutorial.network import SSD

    network = SSD(SLIM300, 3)
    optimizer = torch.optim.AdamW(network.parameters())
    for parameter in network.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    run = RunFolder(tmp_path, SETTINGS, CLASSES, 7)
    with closing(run):
        run.history.append(line(1))
        run.save(network, optimizer, 1, 1.0, [])
    detector = load_weights(tmp_path / run_folder.CHECKPOINT)
    assert detector.classes == CLASSES
    assert detector.metadata["settings"]["lr"] == 0.5
