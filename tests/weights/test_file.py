"""Files of weights: what goes in comes out; a damaged or foreign file is reported as such."""

import json
import os
import stat
import struct
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from ssd_tutorial import _files as whole_files
from ssd_tutorial._files import data_path
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, get_preset
from ssd_tutorial.weights import file as weights
from ssd_tutorial.weights.file import (
    DamagedWeights,
    load_weights,
    read_header,
    restore,
    save_weights,
)
from tests import forked

CLASSES = ("left", "right")


def make(seed=0, classes=2, model=SLIM300):
    torch.manual_seed(seed)
    return SSD(model, classes + 1)


def stepped(network):
    """Return an optimizer with a state, without the cost of a real step."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    for parameter in network.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return optimizer


def equal(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.fixture(scope="module")
def network():
    return make()


@pytest.fixture
def file(tmp_path, network):
    path = tmp_path / "w.safetensors"
    save_weights(path, network, CLASSES, {"samples": 3})
    return path


def rewrite(path: Path, change) -> None:
    """Change the header of a safetensors file: 8 bytes of length, then JSON."""
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    change(header["__metadata__"])
    if not header["__metadata__"]:
        del header["__metadata__"]
    new = json.dumps(header).encode()
    new += b" " * (-len(new) % 8)
    path.write_bytes(struct.pack("<Q", len(new)) + new + content[8 + length :])


def without_checksum(path: Path) -> None:
    """Rewrite a file as it was before there were checksums."""
    rewrite(path, lambda metadata: metadata.pop("sha256"))


# --- what goes in comes out ----------------------------------------------------------------------


def test_a_round_trip_keeps_every_bit(file, network):
    detector = load_weights(file)
    assert equal(detector.network.state_dict(), network.state_dict())
    assert torch.equal(detector.network.priors, network.priors)
    assert detector.classes == CLASSES
    assert detector.metadata == {"samples": 3}
    assert detector.network.config == SLIM300
    assert not detector.network.training


def test_header_says_what_the_file_is_without_its_tensors(file):
    assert read_header(file) == (SLIM300, CLASSES, {"samples": 3})
    length = struct.unpack("<Q", file.read_bytes()[:8])[0]
    metadata = json.loads(file.read_bytes()[8 : 8 + length])["__metadata__"]
    assert len(metadata.pop("sha256")) == 64
    assert metadata == {
        "model": "slim300",
        "priors": "caffe300_voc",
        "classes": '["left", "right"]',
        "facts": '{"samples": 3}',
    }


def test_other_priors_and_class_names_in_any_script_are_restored(tmp_path):
    other = make(model=SLIM300.with_priors(get_preset("caffe300_coco")))
    save_weights(tmp_path / "w", other, ("чашка", 'a "b", c'))
    detector = load_weights(tmp_path / "w")
    assert detector.classes == ("чашка", 'a "b", c')
    assert detector.network.config.priors.name == "caffe300_coco"
    assert torch.equal(detector.network.priors, other.priors)


def test_channels_last_weights_are_restored(tmp_path, network):
    save_weights(tmp_path / "w", make().to(memory_format=torch.channels_last), CLASSES)
    assert equal(load_weights(tmp_path / "w").network.state_dict(), network.state_dict())


def test_a_checkpoint_restores_network_and_optimizer(tmp_path):
    first = make()
    optimizer = stepped(first)
    save_weights(tmp_path / "w", first, CLASSES, {"step": 1}, optimizer)
    second = make(seed=9)
    into = torch.optim.AdamW(second.parameters(), lr=7.0)
    assert restore(tmp_path / "w", second, into) == {"step": 1}
    assert equal(first.state_dict(), second.state_dict())
    before, after = (o.state_dict()["state"] for o in (optimizer, into))
    assert before.keys() == after.keys()
    assert all(equal(before[k], after[k]) for k in before)
    assert into.param_groups[0]["lr"] == 7.0  # settings are the caller's, not the file's
    assert load_weights(tmp_path / "w").classes == CLASSES  # a checkpoint is weights too


def test_sgd_is_restored_with_and_without_momentum(tmp_path):
    for momentum in (0.9, 0.0):
        first = make()
        optimizer = torch.optim.SGD(first.parameters(), lr=0.1, momentum=momentum)
        for parameter in first.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        scaler = {"scale": 65536.0, "growth_factor": 2.0, "_growth_tracker": 7}
        save_weights(tmp_path / "w", first, CLASSES, {"scaler": scaler}, optimizer)
        second = make(seed=9)
        into = torch.optim.SGD(second.parameters(), lr=0.1, momentum=momentum)
        assert restore(tmp_path / "w", second, into) == {"scaler": scaler}
        kept = into.state_dict()["state"]
        assert len(kept) == (len(list(first.parameters())) if momentum else 0)
        assert all((state["momentum_buffer"] == 1).all() for state in kept.values())
        with pytest.raises(ValueError, match="w has the state of SGD, not of AdamW"):
            restore(tmp_path / "w", second, torch.optim.AdamW(second.parameters()))


def test_others_may_read_what_the_owner_allows(tmp_path, network):
    before = os.umask(0o022)
    try:
        save_weights(tmp_path / "w", network, CLASSES)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "w").stat().st_mode) == 0o644


def test_saving_refuses_what_could_not_be_loaded(tmp_path, network):
    with pytest.raises(ValueError, match="3 classes with the background, so it needs 2 names, not"):
        save_weights(tmp_path / "w", network, ("one",))
    odd = replace(get_preset("caffe300_voc"), clip="corners")
    with pytest.raises(ValueError, match="priors 'caffe300_voc' are not those of the preset"):
        save_weights(tmp_path / "w", make(model=SLIM300.with_priors(odd)), CLASSES)
    assert list(tmp_path.iterdir()) == []


def poisoned(path: Path, value=torch.nan) -> None:
    """Put a number into a tensor, as a file of an early version may have it: with no checksum."""
    without_checksum(path)
    tensors, header = load_file(path), weights.safe_open(path, "pt").metadata()
    tensors["model.offset_heads.2.bias"][0] = value
    save_file(tensors, path, header)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_weights_that_are_not_finite_are_neither_written_nor_read(file, value):
    broken, old = make(), file.read_bytes()
    with torch.no_grad():
        broken.offset_heads[2].bias[0] = value
    said = r"NaN or infinite numbers, first in offset_heads\.2\.bias$"
    with pytest.raises(
        ValueError, match=rf"not written to .*w\.safetensors: the network has {said}"
    ):
        save_weights(file, broken, CLASSES)
    assert file.read_bytes() == old
    poisoned(file, value)
    with pytest.raises(DamagedWeights, match=rf"w\.safetensors has {said}"):
        load_weights(file)


def test_an_optimizer_that_is_not_finite_is_not_written(tmp_path, network):
    optimizer = stepped(network)
    optimizer.state[network.offset_heads[0].bias]["exp_avg"][0] = torch.nan
    with pytest.raises(ValueError, match="has NaN or infinite numbers, first in optimizer"):
        save_weights(tmp_path / "w", network, CLASSES, {}, optimizer)
    assert not list(tmp_path.iterdir())


def test_the_folder_of_a_run_means_its_weights_or_else_its_checkpoint(tmp_path, network):
    with pytest.raises(FileNotFoundError, match="has neither weights.safetensors nor checkpoint.s"):
        load_weights(tmp_path)
    save_weights(tmp_path / "checkpoint.safetensors", network, CLASSES, {"step": 1})
    assert load_weights(tmp_path).metadata == {"step": 1}
    save_weights(tmp_path / "weights.safetensors", network, CLASSES, {"step": 2})
    assert load_weights(str(tmp_path)).metadata == read_header(tmp_path).metadata == {"step": 2}


def test_a_header_of_60_000_classes_builds_no_network(file, monkeypatch):
    """It would need 8 GB, only to find that the tensors differ."""
    names = json.dumps([f"class {k}" for k in range(60_000)])
    without_checksum(file)
    rewrite(file, lambda metadata: metadata.update({"classes": names}))
    built = []

    class Watched(SSD):
        def __init__(self, *args):
            super().__init__(*args)
            built.append(self.class_heads[0].weight.device.type)

    monkeypatch.setattr(weights, "SSD", Watched)
    with pytest.raises(ValueError, match="with 60000 classes: 12 tensors differ"):
        load_weights(file)
    assert built == ["meta"]


def test_a_pickled_file_is_refused_and_not_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    torch.save(Bomb(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match=r"w\.pth is not a readable safetensors file"):
        load_weights(tmp_path / "w.pth")
    assert not (tmp_path / "ran").exists()


# --- complete or not at all ----------------------------------------------------------------------


@pytest.mark.parametrize("failing", ["write_bytes", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_keeps_the_old_file_and_leaves_no_litter(file, monkeypatch, failing, error):
    old = file.read_bytes()

    def fail(path, *_):
        if failing == "write_bytes":
            with path.open("wb") as half:
                half.write(b"half")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Path if failing == "write_bytes" else whole_files.os, failing, fail)
        with pytest.raises(type(error)) as caught:
            save_weights(file, make(seed=1), CLASSES)
    if failing == "write_bytes" and isinstance(error, OSError):
        assert caught.value.errno == 28
        assert str(caught.value) == f"{file} cannot be written (No space left on device)"
    assert file.read_bytes() == old
    assert [p.name for p in file.parent.iterdir()] == [file.name]


LIMITED = """
import resource
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights.file import save_weights
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
try:
    save_weights(path, SSD(SLIM300, 3), ("a", "b"))
except OSError as error:
    print(error.errno, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit there")
def test_a_file_that_the_system_stops_in_the_middle_is_an_os_error(file):
    old = file.read_bytes()
    done = forked.run(LIMITED, path=str(file))
    assert done.stdout == f"27 {file} cannot be written (File too large)\n", done.stderr
    assert file.read_bytes() == old
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_saving_again_replaces(file):
    save_weights(file, make(seed=1), ("a", "b"))
    assert load_weights(file).classes == ("a", "b")
    assert [p.name for p in file.parent.iterdir()] == [file.name]


# --- damaged or foreign --------------------------------------------------------------------------


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of weights at"):
        load_weights(tmp_path / "none.safetensors")
    with pytest.raises(FileNotFoundError, match=r"the folder .* has neither weights\.safetensors"):
        load_weights(tmp_path)


@pytest.mark.parametrize("keep", [0, 5, 100, 0.5, -1])
def test_a_truncated_file_is_refused(file, keep):
    content = file.read_bytes()
    keep = int(keep * len(content)) if isinstance(keep, float) else keep
    file.write_bytes(content[:keep])
    with pytest.raises(ValueError, match=r"w\.safetensors is not a readable safetensors file"):
        load_weights(file)


@pytest.mark.parametrize("garbage", [b"hello, this is text\n" * 50, bytes(range(256)) * 20])
def test_a_garbled_file_is_refused(file, garbage):
    file.write_bytes(garbage)
    with pytest.raises(ValueError, match="is not a readable safetensors file"):
        load_weights(file)


def contents(path: Path) -> tuple:
    """Return all that a file says, read as training and detecting read it."""
    header, tensors, kind = weights._read(path)
    assert read_header(path) == header
    return header, tensors, kind


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A checkpoint of few bytes: the network is a stand-in, the file is not."""

    class Small(torch.nn.Linear):
        num_classes, config = 3, SLIM300

    network = Small(7, 5)
    network.register_buffer("steps", torch.tensor(3))
    network.register_buffer("none", torch.zeros(0, 4))
    network.register_buffer("brief", torch.rand(3).bfloat16())
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    metadata = {"step": 12, "lr": 0.003, "names": ["a", "b"]}
    save_weights(path, network, CLASSES, metadata, stepped(network))
    return path, path.read_bytes(), contents(path)


def same_contents(one, other):
    return one[0] == other[0] and equal(one[1], other[1]) and one[2] == other[2]


@settings(max_examples=200)
@given(data=st.data())
def test_a_file_cut_short_anywhere_is_named(checkpoint, data):
    path, content, _ = checkpoint
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    for read in (contents, read_header, load_weights):
        with pytest.raises(DamagedWeights) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_checksum_cannot_be_lost_by_damage_to_its_name(file):
    rewrite(file, lambda metadata: metadata.update({"sha246": metadata.pop("sha256")}))
    with pytest.raises(DamagedWeights, match="damaged: its header has 'sha246'"):
        load_weights(file)


@settings(max_examples=600)
@given(data=st.data())
def test_bytes_changed_anywhere_are_detected(checkpoint, data):
    """Either the file is refused, or it says what was written: a tab for a space in the header."""
    path, content, written = checkpoint
    changed = bytearray(content)
    places = st.integers(0, len(content) - 1)
    for place, byte in data.draw(st.dictionaries(places, st.integers(1, 255), min_size=1)).items():
        changed[place] ^= byte
    path.write_bytes(changed)
    try:
        assert same_contents(contents(path), written)
    except DamagedWeights as error:
        said = str(error)
        assert str(path) in said
        assert "\n" not in said


def test_a_flipped_bit_in_any_byte_is_detected(checkpoint):
    """Every byte in turn; the few that pass unnoticed change nothing that is read."""
    path, content, written = checkpoint
    unnoticed = 0
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        try:
            assert same_contents(contents(path), written), place
            unnoticed += 1
        except DamagedWeights:
            pass
    # the name of the checksum: with another name, there is none
    assert unnoticed <= len("sha256")


@given(extra=st.binary(min_size=1, max_size=64))
@example(extra=b"\0" * 8)
def test_bytes_after_the_end_are_detected(checkpoint, extra):
    path, content, _ = checkpoint
    path.write_bytes(content + extra)
    with pytest.raises(DamagedWeights, match=r"c\.safetensors"):
        contents(path)


def test_a_file_from_before_checksums_is_read_like_any_other(file, network):
    without_checksum(file)
    assert equal(load_weights(file).network.state_dict(), network.state_dict())
    assert read_header(file).metadata == {"samples": 3}


def test_swapped_tensors_are_detected_by_the_checksum(file):
    tensors, header = load_file(file), weights.safe_open(file, "pt").metadata()
    first, second = "model.offset_heads.1.weight", "model.offset_heads.2.weight"
    assert tensors[first].shape == tensors[second].shape
    tensors[first], tensors[second] = tensors[second], tensors[first]
    save_file(tensors, file, header)
    assert read_header(file).classes == CLASSES  # the tensors stay on the disk
    with pytest.raises(DamagedWeights, match="its content does not match its checksum"):
        load_weights(file)


def test_the_trained_weights_of_the_book_are_read():
    """They were written by an earlier version, with two other checksums."""
    files = sorted(data_path("weights").glob("*.safetensors"))
    assert len(files) == 2
    for path in files:
        detector = load_weights(path)
        assert detector.metadata["settings"]["model"] == "slim300"
        assert all(v.isfinite().all() for v in detector.network.state_dict().values())


def test_a_foreign_safetensors_file_is_refused(tmp_path):
    save_file({"x": torch.zeros(3)}, tmp_path / "plain")
    save_file({"x": torch.zeros(3)}, tmp_path / "other", {"model": "slim300", "format": "pt"})
    with pytest.raises(ValueError, match="plain was not written by ssd_tutorial: its header lacks"):
        load_weights(tmp_path / "plain")
    with pytest.raises(ValueError, match="lacks classes, facts, priors"):
        load_weights(tmp_path / "other")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model", "slim301", "no model is called 'slim301'; there are ssd300"),
        ("priors", "caffe", "no preset is called 'caffe'; there are"),
        ("classes", "[broken", "header that cannot be used"),
        ("classes", '"ab"', "its classes are 'ab'"),
        ("classes", "[]", r"its classes are \[\]"),
        ("facts", "{", "header that cannot be used"),
        ("facts", "[" * 50_000 + "]" * 50_000, "facts are nested too deeply"),
        ("facts", "[1]", r"its facts are \[1\]"),
        ("classes", '["one"]', r"with 1 classes: 12 tensors differ, such as class_heads\.0\.bias"),
        ("model", "ssd300", r"weights of a ssd300 with 2 classes: \d+ tensors differ"),
    ],
)
def test_a_header_that_lies_is_named_with_the_file(file, key, value, message):
    without_checksum(file)
    rewrite(file, lambda metadata: metadata.update({key: value}))
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(file)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_tensor_is_named(tmp_path, network):
    metadata = {
        "model": "slim300",
        "priors": "caffe300_voc",
        "classes": '["a", "b"]',
        "facts": "{}",
    }
    tensors = {f"model.{k}": v for k, v in network.state_dict().items()}
    del tensors["model.offset_heads.3.weight"]
    save_file(tensors, tmp_path / "w", metadata)
    with pytest.raises(ValueError, match=r"offset_heads\.3\.weight, missing in the file and \[24,"):
        load_weights(tmp_path / "w")


def test_restore_refuses_weights_alone_and_another_network(file, tmp_path):
    network = make()
    optimizer = torch.optim.AdamW(network.parameters())
    with pytest.raises(ValueError, match="has weights but no optimizer"):
        restore(file, network, optimizer)
    save_weights(tmp_path / "c", network, CLASSES, {}, stepped(network))
    larger = make(classes=3)
    untouched = {k: v.clone() for k, v in larger.state_dict().items()}
    with pytest.raises(
        ValueError, match="does not contain the weights of a slim300 with 3 classes"
    ):
        restore(tmp_path / "c", larger, torch.optim.AdamW(larger.parameters()))
    assert equal(larger.state_dict(), untouched)
