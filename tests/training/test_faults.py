"""Faults that training survives, or that end it with a clear message; all by the command line.

    python tests/training/test_faults.py --kills 20 [--seed 0] [--fresh]

kills a training run this many times at random moments, resumes it each time, compares its result
with that of an undisturbed run, and reports where the kills struck. ``--fresh`` starts ``python -m
ssd_tutorial`` each time; without it, a process that has already imported the package is forked,
which saves the five seconds that importing takes.
"""

import argparse
import collections
import csv
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torchvision import tv_tensors

from ssd_tutorial.__main__ import main
from ssd_tutorial.datasets import Scenes, write_voc
from ssd_tutorial.network import SSD
from ssd_tutorial.weights.file import load_weights, read_header
from tests import forked

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL, no limits there"),
    pytest.mark.timeout(600),  # processes that start, on a machine that may be busy
]

NEWEST, PREVIOUS = "checkpoint.safetensors", "checkpoint-previous.safetensors"
# a checkpoint after every second step, a line of losses after every third: at different steps
EVERY = ["--batch-size", "2", "--checkpoint-every", "4", "--log-every", "3"]
EXACT = ["--precision", "fp32", "--threads", "1", "--vertical-flip", "--crop", "torchvision"]


def training(out, data, *more):
    """Return the command of a short training run."""
    words = ["train", "--out", out, "--data", data, *EVERY, *EXACT, *more]
    return [str(word) for word in words]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "drawn"
    write_voc(Scenes(6), root, "train", progress=False)
    return root


@pytest.fixture
def own_data(data, tmp_path):
    """Return a copy to damage."""
    return shutil.copytree(data, tmp_path / "own")


def run(capsys, words):
    """Run a command in this process; return its exit code, output and lines of the error."""
    code = main(words)
    captured = capsys.readouterr()
    complaint = [line for line in captured.err.splitlines() if line.startswith("ssd_tutorial: ")]
    assert "Traceback" not in captured.err
    return SimpleNamespace(code=code, out=captured.out, err=captured.err, complaint=complaint)


def refused(capsys, words):
    """Return the single sentence that a command ends in."""
    done = run(capsys, words)
    assert done.code == 1
    assert len(done.complaint) == 1, done.err
    return done.complaint[0].removeprefix("ssd_tutorial: ")


# --- processes of their own -----------------------------------------------------------------------


IN_A_FORK = """
import os, sys
if nobody and os.getuid() == 0:
    # while root's own Python may still be read
    import email.policy, encodings.utf_8_sig
    import ssd_tutorial.cli.train_command, torchvision.models
    os.setgid(65534), os.setuid(65534)  # root may write anywhere
from ssd_tutorial.__main__ import main
sys.exit(main(words))
"""


class Started:
    """A command in its own process, whose output goes to a file."""

    def __init__(self, words, said, fresh=False, nobody=False):
        self.said = Path(said)
        if fresh:
            command = [sys.executable, "-m", "ssd_tutorial", *words]
            with self.said.open("w") as file:
                self._process = subprocess.Popen(command, stdout=file, stderr=file)
        else:
            self._process = forked.start(IN_A_FORK, said, words=words, nobody=nobody)
        self.pid = self._process.pid

    def runs(self):
        if isinstance(self._process, subprocess.Popen):
            return self._process.poll() is None
        return self._process.is_alive()

    def end(self, seconds=900):
        """Wait for its end; return its exit code, negative for a signal."""
        if isinstance(self._process, subprocess.Popen):
            return self._process.wait(seconds)
        self._process.join(seconds)
        return self._process.exitcode

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        return self.end()

    def wait_for(self, happened, seconds=900):
        """Wait until something has happened; return False if the process ended first."""
        deadline = time.monotonic() + seconds
        while not happened():
            if not self.runs():
                return False
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.002)
        return True


def changes(path):
    """Return a function that tells whether a file has changed from now on."""

    def stamp():
        try:
            return path.stat().st_mtime_ns
        except FileNotFoundError:
            return None

    before = stamp()
    return lambda: stamp() not in (before, None)


# --- killed ---------------------------------------------------------------------------------------


def place_of(out):
    """Return what the process was doing when it was killed, from the files that it left."""
    left = sorted(
        re.sub(r"^\.|\.\w{8}\.unfinished$", "", p.name) for p in out.glob(".*.unfinished")
    )
    if left:
        return f"inside the writing of {left[0]}"
    if not (out / NEWEST).exists():
        return "before the first checkpoint"
    return "between two checkpoints"


def kill_at_random(words, out, said, interval, draw, fresh):
    """Kill a command at a random moment; return where it was, or None if it had finished."""

    def being_written():
        return set(out.glob(".checkpoint.safetensors*.unfinished"))

    left, moment = being_written(), draw.random()
    process = Started(words, said, fresh)
    if moment < 0.2:  # from the first instruction on
        time.sleep(draw.uniform(0, interval))
    elif moment < 0.6:
        process.wait_for(changes(out / NEWEST))
        time.sleep(draw.uniform(0, interval))
    else:  # while a checkpoint is written
        process.wait_for(lambda: being_written() - left)
        time.sleep(draw.uniform(0, min(0.02, interval / 4)))
    if not process.runs():
        return None
    assert process.kill() == -signal.SIGKILL
    return place_of(out)


def killed_again_and_again(folder, data, kills, seed, fresh=False):
    """Return the folders of an undisturbed run and of a killed one, and where the kills struck."""
    steps = 3 * kills + 6
    more = ["--samples", str(2 * steps), "--seed", "3"]
    whole = Started(training(folder / "whole", data, *more), folder / "whole.txt", fresh)
    assert whole.end() == 0, whole.said.read_text()
    interval = log_of(folder / "whole", timed=True) / (steps / 2)
    draw, places = random.Random(seed), []
    words, said = training(folder / "killed", data, *more), folder / "killed.txt"
    for _ in range(5 * kills):
        if len(places) == kills:
            break
        place = kill_at_random(words, folder / "killed", said, interval, draw, fresh)
        if place is None:
            break
        places.append(place)
    last = Started(words, said, fresh)
    assert last.end() == 0, last.said.read_text()
    return folder / "whole", folder / "killed", places


def log_of(out, timed=False):
    """Return the lines of run.csv without their times, or the last time."""
    with (out / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return float(rows[-1]["seconds"]) if timed else [{**row, "seconds": ""} for row in rows]


def assert_same_run(one, other):
    """Compare weights, optimizer and losses, bit for bit."""
    assert log_of(one) == log_of(other)
    for name in ("weights.safetensors", NEWEST):
        a, b = load_file(one / name), load_file(other / name)
        assert a.keys() == b.keys()
        assert all(torch.equal(a[key], b[key]) for key in a), name
    metadata = [read_header(out / NEWEST).metadata for out in (one, other)]
    for each in metadata:
        del each["seconds"]
    assert metadata[0] == metadata[1]
    assert not list(other.glob(".*.unfinished"))


def test_a_run_killed_again_and_again_ends_like_an_undisturbed_one(data, tmp_path):
    whole, killed, places = killed_again_and_again(tmp_path, data, kills=4, seed=1)
    assert len(places) == 4, places
    assert_same_run(whole, killed)
    # the last start that reached a checkpoint is recorded
    assert json.loads((killed / "environment.json").read_text())["from_step"] > 0


def test_the_best_weights_so_far_survive_a_kill(data, tmp_path):
    out, best = tmp_path / "run", tmp_path / "run" / "weights-best.safetensors"
    watching = ["--samples", "4000", "--val-every", "2", "--val-split", "train"]
    process = Started(training(out, data, *watching), tmp_path / "said.txt")
    assert process.wait_for(lambda: best.exists()), process.said.read_text()
    assert process.wait_for(changes(out / NEWEST)), process.said.read_text()
    assert process.kill() == -signal.SIGKILL
    detector = load_weights(best)
    maps = [float(row["val_map50"]) for row in log_of(out) if row["val_map50"]]
    assert maps
    assert detector.metadata["val_map50"] >= max(maps)


# --- a damaged checkpoint between two runs --------------------------------------------------------


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """Return an undisturbed run of 6 steps, with its checkpoints of steps 4 and 6."""
    out = tmp_path_factory.mktemp("finished") / "run"
    process = Started(training(out, data, "--samples", "12"), out.with_suffix(".txt"))
    assert process.end() == 0, process.said.read_text()
    return out


def again(out, data):
    return training(out, data, "--samples", "12")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 3],
        lambda content: b"\0" * len(content),
        lambda content: content[:-999] + bytes([content[-999] ^ 4]) + content[-998:],
    ],
    ids=["truncated", "zeros", "one bit"],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_used(
    finished, data, tmp_path, capsys, damage
):
    out = shutil.copytree(finished, tmp_path / "run")
    (out / NEWEST).write_bytes(damage((out / NEWEST).read_bytes()))
    (out / "weights.safetensors").unlink()
    done = run(capsys, again(out, data))
    assert done.code == 0
    (said,) = [line for line in done.err.splitlines() if NEWEST in line]
    assert str(out / NEWEST) in said
    assert said.endswith(f"; resuming from {PREVIOUS}, step 4")
    assert_same_run(finished, out)


def test_two_damaged_checkpoints_end_training_with_one_sentence(finished, data, tmp_path, capsys):
    out = shutil.copytree(finished, tmp_path / "run")
    for name in (NEWEST, PREVIOUS):
        (out / name).write_bytes((out / name).read_bytes()[:5000])
    message = refused(capsys, again(out, data))
    assert str(out / NEWEST) in message
    assert str(out / PREVIOUS) in message
    assert message.endswith("remove both to start again, or give another folder")


# --- a full disk, a read-only folder --------------------------------------------------------------


def one_complaint(process):
    lines = process.said.read_text().splitlines()
    assert not [line for line in lines if "Traceback" in line or "rror:" in line], lines
    (complaint,) = [line for line in lines if line.startswith("ssd_tutorial: ")]
    return complaint


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="Linux can limit a running process")
def test_a_disk_that_fills_up_keeps_the_last_good_checkpoint(finished, data, tmp_path):
    """No room for a checkpoint from the second one on; with room again, nothing was lost."""
    out = tmp_path / "run"
    process = Started(again(out, data), tmp_path / "said.txt")
    assert process.wait_for(lambda: (out / NEWEST).exists())
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
    assert process.end() == 1, process.said.read_text()
    complaint = one_complaint(process)
    kept = int(re.search(r"the checkpoint of step (\d) is kept", complaint)[1])
    assert f"{out} cannot be written (File too large)" in complaint
    assert complaint.endswith("fix that and rerun the same command to resume")
    assert load_weights(out / NEWEST).metadata["step"] == kept < 6
    assert not list(out.glob(".*.unfinished"))
    process = Started(again(out, data), tmp_path / "said.txt")
    assert process.end() == 0, process.said.read_text()
    assert_same_run(finished, out)


def test_a_read_only_folder_is_refused_before_training(data, tmp_path, shared_folder):
    parent = shared_folder / "read_only"
    parent.mkdir()
    parent.chmod(0o555)
    words = again(parent / "run", shutil.copytree(data, shared_folder / "data"))
    process = Started(words, tmp_path / "said.txt", nobody=True)
    assert process.end() == 1, process.said.read_text()
    assert one_complaint(process) == (
        f"ssd_tutorial: {parent / 'run'} cannot be written to (Permission denied): give another"
        f" folder"
    )
    assert not list(parent.iterdir())


def test_a_file_instead_of_the_folder_is_refused(data, tmp_path, capsys):
    (tmp_path / "run").write_text("a file")
    message = refused(capsys, again(tmp_path / "run", data))
    assert message.endswith("run cannot be written to (Not a directory): give another folder")


# --- pictures and annotations that cannot be read -------------------------------------------------


def damaged(root):
    """Damage three of six pictures, each in its own way, and return their names."""
    names = (root / "ImageSets" / "Main" / "train.txt").read_text().split()
    undecodable, unparsable, missing = names[1], names[3], names[4]
    (picture,) = (root / "JPEGImages").glob(f"{undecodable}.*")
    picture.write_bytes(picture.read_bytes()[:200])
    (root / "Annotations" / f"{unparsable}.xml").write_text("<annotation><object>")
    (lost,) = (root / "JPEGImages").glob(f"{missing}.*")
    lost.unlink()
    return picture.name, f"{unparsable}.xml", missing


@pytest.mark.parametrize("memory", ["--in-memory", "--no-in-memory"])
def test_an_unreadable_picture_is_named_and_left_out(own_data, tmp_path, capsys, memory):
    names = damaged(own_data)
    words = training(tmp_path / "run", own_data, "--samples", "8", "--on-error", "drop", memory)
    done = run(capsys, words)
    assert done.code == 0, done.err
    for name in names:
        assert name in done.out + done.err, name
    assert (tmp_path / "run" / "weights.safetensors").is_file()


@pytest.mark.parametrize("which", [0, 1, 2], ids=["undecodable", "unparsable", "missing"])
def test_an_unreadable_picture_ends_training_with_one_sentence(own_data, tmp_path, capsys, which):
    whole = {p: p.read_bytes() for p in own_data.rglob("*") if p.is_file()}
    names = damaged(own_data)
    for path, content in whole.items():
        if names[which] not in path.name and path.stem != names[which]:
            path.write_bytes(content)  # fix the other two
    message = refused(capsys, training(tmp_path / "run", own_data, "--samples", "8"))
    assert names[which] in message
    assert not (tmp_path / "run" / "weights.safetensors").exists()


# --- a loss that is not a number ------------------------------------------------------------------


def test_a_loss_that_is_nan_names_the_batch_and_keeps_the_checkpoint(data, tmp_path, capsys):
    out = tmp_path / "run"
    wild = ["--lr", "1e30", "--grad-clip-norm", "0", "--warmup", "0", "--checkpoint-every", "2"]
    message = refused(capsys, training(out, data, "--samples", "40", *wild))
    assert re.match(r"the loss is (nan|inf) at step \d+, with \['", message)
    step = int(re.search(r"at step (\d+)", message)[1])
    if step:
        assert load_weights(out / NEWEST).metadata["step"] == step
    assert not (out / "weights.safetensors").exists()


# --- several processes ----------------------------------------------------------------------------


def launched(words, said, processes=2):
    """Run the command by torch's launcher, as several processes on this machine."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command = [*launcher, f"--nproc-per-node={processes}", "-m", "ssd_tutorial", *words]
    with Path(said).open("w") as file:
        return subprocess.Popen(command, stdout=file, stderr=file)


def relative_differences(one, other, start):
    """Return, per parameter, the distance between two runs over the first run's change."""
    return {
        name: ((one[name] - other[name]).norm() / (one[name] - start[name]).norm()).item()
        for name in one
        if not torch.equal(one[name], start[name])
    }


class OnePicture(Scenes):
    """The same pixels again and again, each time with two objects fewer."""

    def __getitem__(self, i):
        image, target = super().__getitem__(0)
        few = slice(0, len(target["boxes"]) - 2 * i)
        parts = {key: target[key][few] for key in ("labels", "difficult")}
        boxes = tv_tensors.wrap(target["boxes"][few], like=target["boxes"])
        return image, {**target, **parts, "boxes": boxes, "name": f"one_{i}"}


def test_two_processes_compute_what_one_does(tmp_path):
    """One step at the same global batch, whose two halves have different numbers of positives.

    The sums run in another order, so parameters agree to rounding: those of the heads within 1e-3
    of how far they have come (a learning rate of 1 makes that far enough to measure), those of the
    backbone within 0.05: torch's batch norm in channels_last on a CPU sums so roughly that whole
    and halves differ by that much in one process, too; in contiguous memory they differ by 1e-5.

    On a CPU each process takes batch norm's statistics from its own half, which is not what one
    process does; so all pictures here have the same pixels, and any half has the statistics of the
    whole. (On GPUs they are taken over all processes.)
    """
    pictures = OnePicture(3, seed=9)
    counts = [len(pictures[i][1]["boxes"]) for i in range(3)]
    assert counts == [8, 6, 4]
    write_voc(pictures, tmp_path / "data", "train", progress=False)
    words = ["train", "--data", tmp_path / "data", "--samples", 4, "--batch-size", 4]
    words += ["--optimizer", "sgd", "--lr", "1", "--grad-clip-norm", "0", "--no-horizontal-flip"]
    words += ["--precision", "fp32", "--threads", "1", "--out"]
    words, one, two = [str(word) for word in words], tmp_path / "one", tmp_path / "two"
    assert main([*words, str(one)]) == 0
    both = launched([*words, str(two)], tmp_path / "two.txt")
    assert both.wait(500) == 0, (tmp_path / "two.txt").read_text()
    assert json.loads((two / "environment.json").read_text())["processes"] == 2

    network = load_weights(one / "weights.safetensors").network
    torch.manual_seed(0)
    start = dict(SSD(network.config, network.num_classes).named_parameters())
    others = load_weights(two / "weights.safetensors").network.named_parameters()
    apart = relative_differences(dict(network.named_parameters()), dict(others), start)
    assert len(apart) > 30  # no object of this picture is as large as the last maps' boxes
    heads = {name: value for name, value in apart.items() if "_heads." in name}
    assert len(heads) >= 12
    assert max(heads.values()) < 1e-3, heads
    assert max(apart.values()) < 0.05, apart
    for a, b in zip(log_of(one), log_of(two), strict=True):
        for name in ("total", "confidence", "localization", "positives"):
            assert float(a[name]) == pytest.approx(float(b[name]), rel=1e-4)


def children(pid):
    """Return the process ids of a process's children, from Linux."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(n) for task in tasks for n in (task / "children").read_text().split()]


def environ(pid):
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks Linux for child processes")
def test_a_process_that_is_killed_ends_the_other_within_30_seconds(data, tmp_path):
    out, said = tmp_path / "run", tmp_path / "said.txt"
    launcher = launched(training(out, data, "--samples", "4000"), said)
    try:
        deadline = time.monotonic() + 300
        while not (out / NEWEST).exists():
            assert launcher.poll() is None, said.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        ranks = {environ(pid)["RANK"]: pid for pid in children(launcher.pid)}
        assert sorted(ranks) == ["0", "1"]
        os.kill(ranks["1"], signal.SIGKILL)
        started = time.monotonic()
        while Path(f"/proc/{ranks['0']}").exists():
            assert time.monotonic() < started + 30, said.read_text()
            time.sleep(0.05)
        assert launcher.wait(30) != 0
    finally:
        launcher.kill()
    assert load_weights(out / NEWEST).metadata["step"] > 0


# --- by hand --------------------------------------------------------------------------------------


def count_kills():
    """Run this file's command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_voc(Scenes(6), root / "drawn", "train", progress=False)
        whole, killed, places = killed_again_and_again(
            root, root / "drawn", arguments.kills, arguments.seed, arguments.fresh
        )
        assert_same_run(whole, killed)
        steps = read_header(killed / NEWEST).metadata["step"]
        tensors = len(load_file(killed / NEWEST))
    print(f"killed {len(places)} times in a run of {steps} steps")
    for place, count in collections.Counter(places).most_common():
        print(f"{count:4d} {place}")
    print(f"losses equal, and {tensors} tensors of network and optimizer, bit for bit")


if __name__ == "__main__":
    count_kills()
