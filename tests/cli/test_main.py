"""The command line as readers use it: train, eval, detect, and the mistakes that they make."""

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch

from ssd_tutorial import __main__ as entry
from ssd_tutorial.__main__ import main
from ssd_tutorial._files import data_path
from ssd_tutorial.cli import eval_command as eval_module
from ssd_tutorial.cli import train_command as train_module
from ssd_tutorial.datasets import SCENE_CLASSES, Scenes, read_picture, write_voc
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.weights.file import load_weights, read_header, save_weights

SHORT = ["--samples", "4", "--batch-size", "2", "--precision", "fp32", "--threads", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "drawn"
    write_voc(Scenes(4), root, "train", progress=False)
    write_voc(Scenes(3, start=50), root, "val", progress=False)
    return root


@pytest.fixture
def own_data(data, tmp_path):
    """Return a copy to damage."""
    return shutil.copytree(data, tmp_path / "own")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return weights that see the fourth class in every cell of one map with a score near 0.8."""
    torch.manual_seed(0)
    network = SSD(SLIM300, 13)
    with torch.no_grad():
        network.class_heads[3].bias.view(-1, 13)[:, 4] = 4
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_weights(path, network, SCENE_CLASSES, {})
    return path


def run(capsys, *words):
    """Return the exit code, the output and the lines of the error."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    complaint = [line for line in captured.err.splitlines() if line.startswith("ssd_tutorial: ")]
    assert "Traceback" not in captured.err
    return SimpleNamespace(code=code, out=captured.out, err=captured.err, complaint=complaint)


def test_recorded_commands_still_run(tmp_path, monkeypatch, capsys):
    """With the flags as they were spelled then."""
    record = json.loads(data_path("runs/bccd_slim300/result.json").read_text(encoding="utf-8"))
    words = shlex.split(record["command"].replace("BCCD", "scenes").replace("SEED", "3"))
    words = [*words[3:], "--clip", "2", "--crop-share", "0.1", "--no-mirror"]
    asked = {}

    def stop(out, settings, classes, writes):
        asked.update(settings)
        raise ValueError("far enough")

    monkeypatch.setattr(train_module, "RunFolder", stop)
    assert "far enough" in refused(capsys, *words)
    wanted = {"samples": 30000, "prior_scales": "coco", "vertical_flip": True, "crop": "caffe"}
    wanted |= {"distort": True, "expand": 2, "seed": 3, "grad_clip_norm": 2, "crop_prob": 0.1}
    assert asked == asdict(Recipe(**wanted, horizontal_flip=False))


def refused(capsys, *words):
    """Return the single sentence that a mistake ends in."""
    done = run(capsys, *words)
    assert done.code == 1
    assert len(done.complaint) == 1, done.err
    return done.complaint[0].removeprefix("ssd_tutorial: ")


# --- from pictures to detections -----------------------------------------------------------------


def test_train_eval_and_detect_work_in_sequence(data, tmp_path, capsys):
    out = tmp_path / "run"
    training = ["train", "--out", out, "--data", data, "--log-every", "1", *SHORT]
    training += ["--val-every", "4", "--patience", "3"]
    done = run(capsys, *training)
    assert done.code == 0
    assert "drawn, split train: 4 pictures, classes" in done.out
    assert "step      1  samples        2  loss" in done.out
    assert f"weights in {out / 'weights.safetensors'}" in done.out
    assert re.search(r"step      2 .* validation mAP 0\.\d{3}, loss +\d", done.out)
    assert re.search(r"of the last step, 2; the best, of step 2 with mAP 0\.\d+ on val, ", done.out)
    assert {p.name for p in out.iterdir()} >= {
        "checkpoint.safetensors",
        "curves.png",
        "environment.json",
        "run.csv",
        "settings.json",
        "tensorboard",
        "weights.safetensors",
        "weights-best.safetensors",
    }
    assert "random" in done.out  # where the weights start
    with (out / "run.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["step"], row["samples"]) for row in rows] == [("1", "2"), ("2", "4")]
    metadata = load_weights(out / "weights.safetensors").metadata
    assert metadata.pop("settings")["samples"] == 4
    assert metadata == {
        "data": "drawn",
        "split": "train",
        "pictures": 4,
        "minutes": metadata["minutes"],
        "torch": torch.__version__,
    }
    checkpoint = (out / "checkpoint.safetensors").stat().st_mtime_ns
    again = run(capsys, *training)  # finished: nothing is computed again
    assert (again.code, "this run is complete" in again.out) == (0, True)
    assert (out / "checkpoint.safetensors").stat().st_mtime_ns == checkpoint
    again = load_weights(out / "weights.safetensors")
    assert again.metadata["minutes"] == metadata["minutes"]
    assert "samples 4 -> 6" in refused(capsys, *training, "--samples", "6")

    # a folder has its own classes: they cannot be measured on another data set
    message = refused(capsys, "eval", "--weights", out / "weights.safetensors", "--data", "scenes")
    assert message.startswith("the weights know the classes ")
    done = run(
        capsys, "eval", "--weights", out / "weights.safetensors", "--data", data, "--split", "train"
    )
    assert done.code == 0
    assert json.loads((out / "eval-train.json").read_text())["pictures"] == 4

    picture = next((data / "JPEGImages").iterdir())
    detecting = ["detect", picture, "--weights", out / "weights.safetensors"]
    done = run(capsys, *detecting, "--out", tmp_path / "found", "--score", "0.999")
    assert done.code == 0
    assert f"{picture.name}: nothing -> " in done.out
    copy = read_picture(tmp_path / "found" / f"{picture.stem}.png")
    assert torch.equal(copy, read_picture(picture))


def test_eval_prints_and_writes_every_measure(data, weights, tmp_path, capsys):
    file = tmp_path / "new" / "result.json"
    done = run(
        capsys, "eval", "--weights", weights, "--data", data, "--out", file, "--threads", "1"
    )
    assert done.code == 0

    def never(constant):
        raise AssertionError(f"{constant} is not JSON")

    result = json.loads(file.read_text(), parse_constant=never)
    assert [result[k] for k in ("weights", "data", "split", "pictures")] == [
        "w.safetensors",
        "drawn",
        "val",
        3,
    ]
    assert tuple(result["ap50"]) == tuple(result["objects"]) == SCENE_CLASSES
    truths = [Scenes(3, start=50)[i][1] for i in range(3)]
    assert sum(result["objects"].values()) == sum(int((~t["difficult"]).sum()) for t in truths)
    assert set(result["map50_by_size"]) == {"small", "medium", "large"}
    known = []
    for name, ap in result["ap50"].items():
        assert (ap is None) == (result["objects"][name] == 0)
        known += [ap] if ap is not None else []
    assert None in result["ap50"].values()
    assert result["map50"] == pytest.approx(sum(known) / len(known))
    for name, count in result["objects"].items():
        assert any(line.split()[:2] == [name, str(count)] for line in done.out.splitlines())
    assert "on 3 pictures" in done.out
    measures = dict(re.findall(r"^(mAP@.*?)  +(\S+)", done.out, re.M))
    assert measures["mAP@0.5"] == f"{result['map50']:.3f}"
    assert measures["mAP@0.5:0.95, COCO"] == f"{result['map50_95_coco']:.3f}"
    small = result["map50_by_size"]["small"]
    row = "mAP@0.5, small objects: up to 32 x 32 px"
    assert measures[row] == ("nan" if small is None else f"{small:.3f}")
    assert f"written to {file}" in done.out


def test_detect_continues_after_broken_pictures(data, weights, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    good = sorted((data / "JPEGImages").iterdir())
    shutil.copy(good[0], folder / "b.jpg")
    shutil.copy(good[1], folder / "c.JPG")
    (folder / "a.png").write_bytes(good[2].read_bytes()[:200])
    (folder / "notes.txt").write_text("no picture")
    done = run(
        capsys, "detect", folder, tmp_path / "none.png", "--weights", weights,
        "--out", tmp_path / "out", "--score", "0.3",
    )  # fmt: skip
    assert done.code == 1
    assert len(done.complaint) == 4
    assert f"{folder / 'a.png'} cannot be decoded as a picture" in done.complaint[1]
    assert f"there is no picture {tmp_path / 'none.png'}" in done.complaint[2]
    assert done.complaint[3] == "ssd_tutorial: 2 of 4 pictures could not be read (see above)"
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["b.png", "c.png"]
    original, copy = read_picture(folder / "b.jpg"), read_picture(tmp_path / "out" / "b.png")
    assert copy.shape == original.shape
    assert not torch.equal(copy, original)  # boxes are drawn
    assert f" {SCENE_CLASSES[3]} -> {tmp_path / 'out' / 'b.png'}" in done.out


def test_detect_never_overwrites_a_picture(data, weights, tmp_path, capsys):
    sources = sorted((data / "JPEGImages").iterdir())[:2]
    for folder, source in zip(("one", "two"), sources, strict=True):
        (tmp_path / folder).mkdir()
        shutil.copy(source, tmp_path / folder / "same.png")
    folders = [tmp_path / "one", tmp_path / "two"]
    quietly = ["--weights", weights, "--score", "0.999"]
    assert run(capsys, "detect", *folders, *quietly, "--out", tmp_path / "out").code == 0
    for name, source in zip(("same", "same-2"), sources, strict=True):
        copy = read_picture(tmp_path / "out" / f"{name}.png")
        assert torch.equal(copy, read_picture(source))
    before = (tmp_path / "one" / "same.png").read_bytes()
    message = refused(capsys, "detect", *folders, *quietly, "--out", tmp_path / "one")
    assert message.endswith("would be overwritten: give another folder with --out")
    assert (tmp_path / "one" / "same.png").read_bytes() == before


# --- mistakes ------------------------------------------------------------------------------------


def test_wrong_data_are_refused_with_a_suggestion(data, tmp_path, capsys):
    out = ["train", "--out", tmp_path / "run", *SHORT]
    assert "did you mean 'drawn'" in refused(capsys, *out, "--data", data.with_name("drwn"))
    message = refused(capsys, *out, "--data", data, "--split", "trian")
    assert "has no split 'trian' (did you mean 'train'?). Its splits: train, val." in message
    assert "is not in a known layout (VOC: " in refused(capsys, *out, "--data", tmp_path)
    assert "scenes have the splits train, val, test" in refused(capsys, *out, "--split", "tests")
    assert not (tmp_path / "run").exists()


def test_a_folder_without_objects_is_refused(own_data, tmp_path, capsys):
    for file in (own_data / "Annotations").iterdir():
        text = file.read_text()
        file.write_text(text[: text.index("<object>")] + "</annotation>")
    message = refused(capsys, "train", "--out", tmp_path / "run", "--data", own_data, *SHORT)
    assert f"{own_data} has no object that can be read" in message


def test_no_object_in_the_split_is_refused_before_training(own_data, tmp_path, capsys):
    for file in (own_data / "Annotations").glob("scene_0_00000?.xml"):
        text = file.read_text()
        file.write_text(text[: text.index("<object>")] + "</annotation>")
    message = refused(capsys, "train", "--out", tmp_path / "run", "--data", own_data, *SHORT)
    assert message == "split 'train' has 4 pictures and no object, so nothing can be learned"
    message = refused(
        capsys, "train", "--out", tmp_path / "run", "--data", own_data, *SHORT,
        "--split", "val", "--val-every", "2", "--val-split", "train",
    )  # fmt: skip
    assert message.startswith("no object of the validation split can be found")
    assert not (tmp_path / "run").exists()


def test_impossible_boxes_are_refused_or_dropped(own_data, tmp_path, capsys):
    file = own_data / "Annotations" / "scene_0_000001.xml"
    text = file.read_text()
    start, end = text.index("<xmax>"), text.index("</xmax>")
    file.write_text(text[:start] + "<xmax>0" + text[end:])
    training = ["train", "--out", tmp_path / "run", "--data", own_data, *SHORT]
    message = refused(capsys, *training)
    assert "scene_0_000001.xml" in message
    assert "drop" in message
    done = run(capsys, *training, "--on-error", "drop")
    assert done.code == 0
    assert "dropped 1 impossible: Annotations/scene_0_000001.xml" in done.out


@pytest.mark.parametrize("memory", ["--in-memory", "--no-in-memory"])
def test_a_broken_picture_is_named_in_one_sentence(own_data, tmp_path, capsys, memory):
    """Even in a loading process, whose error comes with a traceback."""
    broken = own_data / "JPEGImages" / "scene_0_000002.jpg"
    broken.write_bytes(b"nothing")
    training = ["train", "--out", tmp_path / "run", "--data", own_data, *SHORT, memory]
    message = refused(capsys, *training, "--workers", "1")
    assert message.startswith(f"{broken} cannot be decoded as a picture")
    assert message.endswith("--on-error drop leaves it out")
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_an_error_without_a_cause_in_a_loading_process_is_one_sentence(own_data, tmp_path, capsys):
    """torch puts "Original Traceback" before it, and no second one."""
    file = own_data / "Annotations" / "scene_0_000002.xml"
    file.write_text(re.sub(r"<width>\d+", "<width>900", file.read_text()))
    training = ["train", "--out", tmp_path / "run", "--data", own_data, *SHORT, "--workers", "1"]
    message = refused(capsys, *training)
    assert "scene_0_000002.jpg is " in message
    assert message.endswith("--on-error drop leaves it out")
    assert "\n" not in message


def test_eval_leaves_out_a_broken_picture_if_told_to(own_data, weights, capsys):
    broken = own_data / "JPEGImages" / "scene_0_000051.jpg"
    broken.write_bytes(b"nothing")
    measuring = ["eval", "--weights", weights, "--data", own_data, "--threads", "1"]
    measuring += ["--out", own_data / "eval.json"]
    assert refused(capsys, *measuring).startswith(f"{broken} cannot be decoded as a picture")
    done = run(capsys, *measuring, "--on-error", "drop")
    assert (done.code, "on 2 pictures" in done.out) == (0, True)
    assert f"left out: {broken} cannot be decoded as a picture" in done.out
    assert json.loads((own_data / "eval.json").read_text())["pictures"] == 2


def test_wrong_weights_are_refused_by_name(data, weights, tmp_path, capsys):
    for command in (["eval", "--data", data], ["detect", next((data / "JPEGImages").iterdir())]):
        message = refused(capsys, *command, "--weights", tmp_path / "none")
        assert message == f"there is no file of weights at {tmp_path / 'none'}"
        damaged = tmp_path / "damaged"
        damaged.write_bytes(weights.read_bytes()[:1000])
        message = refused(capsys, *command, "--weights", damaged)
        assert message.startswith(f"{damaged} is not a readable safetensors file")
    assert "give at least one picture" in refused(capsys, "detect", "--weights", weights)
    (tmp_path / "empty").mkdir()
    message = refused(capsys, "detect", tmp_path / "empty", "--weights", weights)
    assert "contains no picture" in message


def test_a_wrong_device_or_number_of_threads_is_refused(data, tmp_path, capsys):
    training = ["train", "--out", tmp_path / "run", "--data", data]
    message = refused(capsys, *training, "--device", "gpu")
    assert message.startswith("--device gpu cannot be used here (")
    assert message.endswith("): try cpu")
    assert refused(capsys, *training, "--device", "meta").startswith("--device meta cannot be used")
    for threads in ("-1", "1000000000"):
        assert "--threads must be 0 or more" in refused(capsys, *training, "--threads", threads)
    assert "--workers, --val-every and" in refused(capsys, *training, "--workers", "-1")
    for flag, value, said in (
        ("lr", "inf", "a finite number"),
        ("expand", "100000", "0, or from 1"),
    ):
        with pytest.raises(SystemExit):
            main([*map(str, training), f"--{flag}", value])
        assert f"{flag} must be {said}" in " ".join(capsys.readouterr().err.split())


def test_a_loss_that_is_not_finite_is_reported_in_one_sentence(data, tmp_path, capsys, monkeypatch):
    forward = SSD.forward
    monkeypatch.setattr(SSD, "forward", lambda self, x: (forward(self, x)[0] * torch.nan, 0))
    monkeypatch.setattr(SSD, "forward", lambda self, x: [y * torch.nan for y in forward(self, x)])
    message = refused(capsys, "train", "--out", tmp_path / "run", "--data", data, *SHORT)
    assert message.startswith("the loss is nan at step 0, with ['scene_0_")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--out", "run", "--samples", "0"], "samples must be 1 or more, not 0"),
        (["train"], "--out"),
        (["train", "--out", "run", "--model", "ssd400"], "ssd400"),
        (["eval"], "--weights"),
        (["trian"], "trian"),
        ([], "give a command: train, eval, detect, doctor, export, data"),
        (["train", "--out", "run", "--seed", "1e23"], "1e23"),
    ],
)
def test_a_wrong_argument_gives_exit_code_2(words, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(words)
    assert exit_.value.code == 2
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", ["train", "eval", "detect", "doctor", "export", "data"]),
        ("train", ["--out", "--data", "--samples", "--seed", "--on-error", "folder of the run"]),
        ("eval", ["--weights", "--split", "--out", "JSON"]),
        ("detect", ["--weights", "--score", "pictures, or folders of pictures", "--json"]),
        ("train --recipe voc0712", ["Train a detector.", "3840000", "--model"]),
    ],
)
def test_help_explains_every_command(command, words, capsys):
    with pytest.raises(SystemExit) as exit_:
        main([*command.split(), "--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert all(word in text for word in words)


def alone(program, *words, **options):
    """Run a program in another process, with the package's main imported."""
    program = f"import sys\nfrom ssd_tutorial import __main__ as m\n{program}"
    return subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, **options
    )


def test_help_needs_no_torch():
    program = "try: m.main(['--help'])\nfinally: print('torch' in sys.modules)"
    done = alone(program)
    assert done.stdout.endswith("explains one of them.\nFalse\n"), done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")][:6] == [
        *entry.COMMANDS
    ]


def planted(monkeypatch, command):
    """Make ``data`` run this function instead."""
    monkeypatch.setattr(entry, "_command", lambda name, words: command)
    return ["data"]


@pytest.mark.parametrize("error", [KeyError("step"), RecursionError("too deep"), TypeError("int")])
def test_a_fault_of_ours_ends_in_a_sentence_and_a_file(monkeypatch, capsys, tmp_path, error):
    def faulty() -> None:
        """Do it."""
        raise error

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert main(planted(monkeypatch, faulty)) == entry.FAULT == 70
    said = capsys.readouterr().err
    kind = type(error).__name__
    assert said.startswith(f"ssd_tutorial: a fault of ssd_tutorial: {kind}: {error}; traceback in ")
    (file,) = tmp_path.iterdir()
    assert said.rstrip().endswith(str(file))
    kept = file.read_text()
    assert kept.startswith("python -m ssd_tutorial data\n")
    assert "Traceback (most recent call last)" in kept
    assert kept.rstrip().endswith(f"{kind}: {error}")


def test_a_fault_without_room_for_its_traceback_is_reported_still(monkeypatch, capsys, tmp_path):
    def faulty() -> None:
        """Do it."""
        raise KeyError("step")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert main(planted(monkeypatch, faulty)) == entry.FAULT
    assert "KeyError: 'step'; its traceback cannot be written (" in capsys.readouterr().err


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("CUDA out of memory. T")])
def test_too_little_memory_is_no_fault(monkeypatch, capsys, error):
    def large() -> None:
        """Do it."""
        raise error

    assert "there is not enough memory (" in refused(capsys, *planted(monkeypatch, large))


def test_a_terminal_obeys_no_name(monkeypatch, capsys):
    def hostile() -> None:
        """Do it."""
        print("cat\x1b[2J\x07\x9b1m\rdog\ttab")
        raise ValueError("no class \x1b]0;title\x07")

    code = main(planted(monkeypatch, hostile))
    said = capsys.readouterr()
    assert code == 1
    assert said.out == "cat\\x1b[2J\\x07\\x9b1m\\x0ddog\ttab\n"
    assert said.err == "ssd_tutorial: no class \\x1b]0;title\\x07\n"


SPEAKING = """
def speak() -> None:
    print("px², 安全帽")
m._command = lambda name, words: speak
sys.exit(m.main(["data"]))
"""


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"px\\xb2, \\u5b89\\u5168\\u5e3d\n"),
        ("latin-1", b"px\xb2, \\u5b89\\u5168\\u5e3d\n"),
        ("utf-8", "px², 安全帽\n".encode()),
    ],
)
def test_a_terminal_without_the_letters_costs_nothing(encoding, printed):
    program = f"import sys\nfrom ssd_tutorial import __main__ as m\n{SPEAKING}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, b"")


TALKING = """
import pathlib
def talk() -> None:
    for _ in range(20_000):
        print("a line that fills the pipe")
    pathlib.Path(sys.argv[1]).write_text("the work is done")
m._command = lambda name, words: talk
sys.exit(m.main(["data"]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pipes differ there")
def test_a_reader_that_leaves_does_not_end_the_work(tmp_path):
    program = f"import sys\nfrom ssd_tutorial import __main__ as m\n{TALKING}"
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "done")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "a line that fills the pipe\n"
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (0, "")
    assert (tmp_path / "done").read_text() == "the work is done"


def test_ctrl_c_while_a_command_is_imported_is_quiet():
    program = (
        "def interrupted(name, words): raise KeyboardInterrupt\n"
        "m._command = interrupted\nsys.exit(m.main(['doctor', 'x']))"
    )
    done = alone(program)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nstopped\n")


# --- Ctrl-C --------------------------------------------------------------------------------------


@pytest.mark.timeout(400)  # starts Python again, which is slow on a busy machine
def test_interrupted_training_says_how_to_resume(data, tmp_path):
    words = ["train", "--out", str(tmp_path / "run"), "--data", str(data), "--log-every", "1"]
    words += ["--samples", "4000", "--batch-size", "2", "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ssd_tutorial", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        # a shell's background jobs, and so some CI runs, ignore Ctrl-C and hand that down
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        try:
            assert any(line.startswith("step      1") for line in process.stdout)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=120)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "the same command resumes from the last checkpoint" in err
    assert err.rstrip().endswith(f"python -m ssd_tutorial {' '.join(words)}")


def test_interrupted_eval_does_not_mention_checkpoints(weights, capsys, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(eval_module, "open_dataset", interrupt)
    done = run(capsys, "eval", "--weights", weights)
    assert done.code == 130
    assert done.err.strip() == "stopped"


def test_interrupted_training_resumes(data, tmp_path, capsys, monkeypatch):
    training = ["train", "--out", tmp_path / "b", "--data", data, "--log-every", "1", *SHORT]
    whole = run(capsys, "train", "--out", tmp_path / "a", *training[3:])
    assert whole.code == 0
    real = train_module.train

    def with_checkpoints(*args, report, checkpoint_every, **kwargs):
        def stop(step):
            if step.step == 2 and not (tmp_path / "stopped").exists():
                (tmp_path / "stopped").write_text(time.ctime())
                raise KeyboardInterrupt

        return real(*args, report=stop, checkpoint_every=2, **kwargs)

    monkeypatch.setattr(train_module, "train", with_checkpoints)
    assert run(capsys, *training).code == 130
    assert read_header(tmp_path / "b" / "checkpoint.safetensors").metadata["step"] == 1
    assert not (tmp_path / "b" / "weights.safetensors").exists()
    assert run(capsys, *training).code == 0
    one, other = (
        load_weights(tmp_path / name / "weights.safetensors").network.state_dict() for name in "ab"
    )
    assert all(torch.equal(one[k], other[k]) for k in one)
