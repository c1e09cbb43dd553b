"""The command line: wild settings, folders and files; it ends in a result or in one sentence."""

import contextlib
import hashlib
import io
from pathlib import Path
from random import Random
from typing import Any

from ssd_tutorial.__main__ import main
from tests.fuzz.folders import coco_folder, voc_folder, yolo_folder
from tests.fuzz.mutate import mutated
from tests.fuzz.runner import Fault, Refused, check_sentence
from tests.fuzz.weights import sound

NUMBERS = ["nan", "inf", "-1", "0", "1e-320", "1e300", "2", "0.5", "50", "99999999999999999999"]
NUMBERS += ["", "x", "-inf", "1_0", "1e23", "³", "0x1"]
SETTINGS = {
    "doctor": ["near", "shown", "workers", "splits"],
    "detect": ["score", "device"],
    "eval": ["split", "workers", "threads", "device", "data"],
    "data": ["share", "seed", "root"],
    "train": ["lr", "batch-size", "samples", "expand", "seed", "workers", "threads", "device"],
}
SETTINGS["train"] += ["warmup", "momentum", "weight-decay", "checkpoint-every", "split"]


def case(rng: Random, folder: Path) -> Any:
    root = folder / "data"
    root.mkdir()
    files = rng.choice([voc_folder, coco_folder, yolo_folder])(rng, root)
    if rng.random() < 0.3:
        file = rng.choice(files)
        file.write_bytes(mutated(rng, file.read_bytes()))
    weights = folder / "w.safetensors"
    weights.write_bytes(sound()[0] if rng.random() < 0.8 else sound()[0][: rng.randrange(5000)])
    before = hashes(folder)
    command, words = drawn(rng, folder, root, weights)
    code, said = called(words)
    changed = [name for name, value in before.items() if hashes(folder).get(name) != value]
    # a refused or a finished command alike leaves the files that it was given
    if changed:
        raise Fault(f"{command} changes a file that it was given: {Path(changed[0]).suffix}")
    if code == 1 and "ssd_tutorial: " in said:
        sentence = said[said.rindex("ssd_tutorial: ") :].removeprefix("ssd_tutorial: ")
        check_sentence(sentence.strip(), command)
        return Refused(sentence)
    if code not in (0, 1, 2):
        raise Fault(f"{command} ends with code {code}")
    return Refused(said) if code == 2 else None


def drawn(rng: Random, folder: Path, root: Path, weights: Path) -> tuple[str, list[str]]:
    """Draw a command with one or two settings that may be impossible."""
    command = rng.choice([*SETTINGS])
    other = rng.choice([root, folder / "nowhere", weights, Path("/dev/null"), folder])
    data = str(root if rng.random() < 0.8 else other)
    words = {
        "doctor": ["doctor", data],
        "detect": ["detect", data, "--weights", str(weights), "--out", str(folder / "out")],
        "eval": ["eval", "--weights", str(weights), "--data", data, "--split", "train"],
        "data": ["data", "split", data],
        "train": ["train", "--data", data, "--out", str(folder / "run"), "--samples", "2"],
    }[command]
    words += ["--batch-size", "2"] * (command == "train")
    if command == "eval":
        out = rng.choice([folder / "e.json", folder / "e.json", weights, root / "data.yaml"])
        words += ["--out", str(out)]
    if command == "doctor" and rng.random() < 0.4:
        words += [rng.choice(["--out", "--fix"]), str(rng.choice([folder / "o", weights, root]))]
    for setting in rng.sample(SETTINGS[command], rng.randint(0, 2)):
        value = rng.choice([*NUMBERS, "cpu", "meta", "train", "val"])
        # thousands of processes, and hours of training, are what was asked for
        if setting in ("samples", "batch-size", "workers", "threads", "expand"):
            value = rng.choice(["nan", "-1", "0", "1", "1.5", "", "x", "1e300"])
        words += [f"--{setting}", value]
    return command, words


def hashes(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def called(words: list[str]) -> tuple[int, str]:
    """Run a command in this process; return its exit code and its standard error."""
    error = io.StringIO()
    with contextlib.redirect_stderr(error), contextlib.redirect_stdout(io.StringIO()):
        try:
            code = main(words)
        except SystemExit as stop:  # settings that cannot be parsed
            code = stop.code if isinstance(stop.code, int) else 1
    if "Traceback" in error.getvalue():
        raise Fault(f"{words[0]} prints a traceback: {error.getvalue()[-300:]}")
    return code, error.getvalue()
