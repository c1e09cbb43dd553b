"""Training: it learns, it is a pure function of its settings, and it resumes where it stopped."""

import csv
import functools
import itertools
import math
import os
import pickle
import tracemalloc
from dataclasses import replace

import pytest
import torch
from torch.utils.data import DataLoader
from torchvision import tv_tensors

from ssd_tutorial._files import data_path
from ssd_tutorial.augment import training_transform
from ssd_tutorial.datasets import Scenes, UnreadablePicture
from ssd_tutorial.deploy.inference import detect_dataset
from ssd_tutorial.evaluate import voc_ap
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.training import loader as samples
from ssd_tutorial.training import loop as train
from ssd_tutorial.training import run_folder
from ssd_tutorial.training.distributed import Devices
from ssd_tutorial.training.loader import CachedDataset, TrainingStream, load_batches
from ssd_tutorial.training.loop import learning_rate, make_optimizer
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.training.validation import Validation
from ssd_tutorial.weights.file import load_weights, save_weights

QUICK = Recipe(samples=12, batch_size=2, precision="fp32")
train_quietly = functools.partial(train.train, progress=False)


class Pictures(list):
    """A dataset in a list."""

    classes = ("square", "bar")


def picture(name, boxes=((10, 20, 50, 60),), labels=None, size=64):
    noise = torch.Generator().manual_seed(sum(map(ord, name)))
    image = torch.randint(0, 256, (3, size, size), dtype=torch.uint8, generator=noise)
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=(size, size)),
        "labels": torch.ones(len(boxes)).long() if labels is None else torch.tensor(labels),
        "difficult": torch.zeros(len(boxes), dtype=torch.bool),
        "name": name,
    }
    return tv_tensors.Image(image), target


@pytest.fixture(scope="module")
def scenes():
    return CachedDataset(Scenes(5, seed=3), 300, progress=False)


def state(network):
    return {k: v.clone() for k, v in network.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def timeless(history):
    return [replace(line, seconds=0) for line in history]


# --- it learns -----------------------------------------------------------------------------------


def test_training_overfits_two_scenes(scenes):
    two = Pictures([scenes[0], scenes[1]])
    two.classes = scenes.classes
    settings = Recipe(samples=40, batch_size=2, horizontal_flip=False, precision="fp32")
    network, history = train_quietly(two, settings, log_every=5)
    assert [line.step for line in history] == [5, 10, 15, 20]
    assert history[-1].total < 0.35 * history[0].total
    for line in history:
        assert line.total == pytest.approx(line.confidence + line.localization, rel=1e-4)
        assert line.positives > 0
    assert not network.training
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_batches_without_objects_train_and_data_without_any_does_not(tmp_path):
    few = Pictures([picture("empty", boxes=()), picture("other")])
    settings = replace(QUICK, samples=4, batch_size=1, crop="torchvision")
    network, history = train_quietly(few, settings, log_every=1)
    assert min(step.positives for step in history) == min(step.total for step in history) == 0
    assert all(value.isfinite().all() for value in network.state_dict().values())
    with pytest.raises(ValueError, match="dataset has 1 pictures and no object, so nothing can be"):
        train_quietly(Pictures(few[:1]), QUICK, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_last_batch_of_one_picture_trains():
    few = Pictures([picture("a"), picture("b"), picture("c")])
    _, history = train_quietly(few, replace(QUICK, samples=3), log_every=1)
    assert [(line.step, line.samples) for line in history] == [(1, 2), (2, 3)]


# --- a pure function of settings and sample number -----------------------------------------------


def batches(seed=0, first=0, workers=0, count=11, pictures=None):
    pictures = pictures or Pictures([picture(name) for name in "abcde"])
    run = TrainingStream(
        pictures, training_transform(64, vertical_flip=True, crop="torchvision"), count, seed
    )
    loader = load_batches(run, 4, 13, first, workers)
    return [(images, *targets, names) for images, targets, names, _ in loader]


def same(one, other):
    return len(one) == len(other) and all(
        a[3] == b[3] and all(torch.equal(x, y) for x, y in zip(a[:3], b[:3], strict=True))
        for a, b in zip(one, other, strict=True)
    )


def test_batches_depend_on_neither_workers_nor_start_nor_global_random_numbers():
    whole = batches()
    assert [len(names) for *_, names in whole] == [4, 4, 3]
    assert same(batches(workers=2), whole)
    assert same(batches(first=1), whole[1:])
    assert same(batches(first=2, workers=1), whole[2:])
    assert batches(first=3) == []
    torch.manual_seed(99)
    assert same(batches(), whole)
    assert not same(batches(seed=1), whole)


def test_every_epoch_is_another_permutation_with_another_augmentation():
    whole = batches(count=20)
    names = [name for *_, names in whole for name in names]
    epochs = ["".join(names[i : i + 5]) for i in range(0, 20, 5)]
    assert all(sorted(epoch) == list("abcde") for epoch in epochs)
    assert len(set(epochs)) > 1
    images = torch.cat([images for images, *_ in whole])
    seen = [images[i] for i, name in enumerate(names) if name == "a"]
    assert any(not torch.equal(seen[0], other) for other in seen[1:])


def test_samples_leave_global_random_numbers_alone():
    run = TrainingStream(Pictures([picture("a")]), training_transform(64, crop="torchvision"), 5, 0)
    before = torch.random.get_rng_state()
    run[3]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_training_seeds_the_global_random_numbers_and_then_needs_them_no_more(scenes):
    short = replace(QUICK, samples=4)
    torch.manual_seed(123)
    first, _ = train_quietly(scenes, short)
    torch.manual_seed(456)

    def disturb(step):
        torch.manual_seed(789)

    second, _ = train_quietly(scenes, short, report=disturb, log_every=1)
    assert equal(state(first), state(second))
    other, _ = train_quietly(scenes, replace(short, seed=1))
    assert not equal(state(first), state(other))


def test_loading_processes_can_be_spawned(monkeypatch):
    """On macOS and Windows, and on Linux from Python 3.14, they get everything pickled."""
    pickled = []

    class Loader(DataLoader):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            pickled.append(pickle.loads(pickle.dumps((self.dataset, self.collate_fn))))

    monkeypatch.setattr(samples, "DataLoader", Loader)
    assert len(batches(pictures=CachedDataset(Scenes(2, size=64), 64, progress=False))) == 3
    assert len(pickled) == 2


def test_pictures_in_memory_hold_no_file_open():
    pictures = Pictures([picture(str(i), size=16, boxes=((1, 1, 9, 9),)) for i in range(80)])
    before = len(os.listdir("/dev/fd"))
    kept = CachedDataset(pictures, 16, workers=1, progress=False)
    assert len(os.listdir("/dev/fd")) < before + 40
    assert [target["name"] for _, target in kept] == [str(i) for i in range(80)]
    assert torch.equal(kept[7][0], pictures[7][0])
    assert kept.classes == pictures.classes
    assert isinstance(kept[7][1]["boxes"], tv_tensors.BoundingBoxes)


class Damaged(Pictures):
    """Pictures of which some cannot be decoded."""

    def __getitem__(self, index):
        item = super().__getitem__(index)
        if item[1]["name"] in "bd":
            raise UnreadablePicture(f"{item[1]['name']} cannot be decoded")
        return item


def test_an_unreadable_picture_ends_training_or_is_replaced_by_the_next():
    damaged = Damaged([picture(name) for name in "abcde"])
    for where in (TrainingStream, CachedDataset):
        more = (64,) if where is CachedDataset else (training_transform(64), 5, 0)
        with pytest.raises(UnreadablePicture, match="[bd] cannot be decoded"):
            list(where(damaged, *more))
    whole = TrainingStream(Pictures(damaged), training_transform(64), 10, 0)
    order = "".join(whole[i][1]["name"] for i in range(10))
    run = TrainingStream(damaged, training_transform(64), 10, 0, on_error="drop")
    for i in range(10):
        _, target = run[i]
        epoch, place = order[i // 5 * 5 :][:5], i % 5
        rest = epoch[place:] + epoch[:place]
        good = next(name for name in rest if name not in "bd")
        assert target["name"] == good
        skipped = rest[: rest.index(good)]
        assert target["dropped"] == tuple(f"{name} cannot be decoded" for name in skipped)
    (batch, *_) = load_batches(run, 10, 13)
    assert batch.names == [run[i][1]["name"] for i in range(10)]
    assert set(batch.dropped) == {"b cannot be decoded", "d cannot be decoded"}
    kept = CachedDataset(damaged, 64, progress=False, on_error="drop")
    assert [target["name"] for _, target in kept] == list("ace")
    assert kept.dropped == ["b cannot be decoded", "d cannot be decoded"]


def test_a_set_without_a_readable_picture_is_refused():
    damaged = Damaged([picture("b"), picture("d")])
    with pytest.raises(UnreadablePicture, match="none of the 2 pictures can be read"):
        TrainingStream(damaged, training_transform(64), 2, 0, on_error="drop")[0]


def test_a_replaced_picture_is_named_once(caplog):
    damaged = Damaged([picture(name) for name in "abc"])
    train_quietly(damaged, replace(QUICK, samples=6), on_error="drop")
    said = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert said == ["left out: b cannot be decoded"]


def test_processes_share_every_batch():
    pictures = Pictures([picture(name) for name in "abcdefgh"])
    run = TrainingStream(pictures, training_transform(64), 8, 0)
    whole = list(load_batches(run, 4, 13))
    parts = [list(load_batches(run, 4, 13, share=(number, 2))) for number in (0, 1)]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert sorted(one.names + other.names) == sorted(batch.names)
        assert len(one.names) == len(other.names) == 2
    with pytest.raises(ValueError, match="3 processes cannot share batches of 4"):
        load_batches(run, 4, 13, share=(0, 3))
    with pytest.raises(ValueError, match="2 processes cannot share .* 7 in all"):
        load_batches(TrainingStream(pictures, training_transform(64), 7, 0), 4, 13, share=(0, 2))


def test_a_long_run_starts_at_once():
    """Two hundred million samples: their batches are made one by one."""
    pictures = Pictures([picture("a", size=16, boxes=((1, 1, 9, 9),))])
    tracemalloc.start()
    run = TrainingStream(pictures, training_transform(16), 200_000_000, 0)
    batch = next(load_batches(run, 2, 13))
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    assert batch.names == ["a", "a"]


def test_a_batch_is_split_into_parts():
    run = TrainingStream(
        Pictures([picture(name) for name in "abcde"]), training_transform(64), 5, 0
    )
    batch = next(load_batches(run, 5, 13))
    parts = list(batch.parts(3))
    assert [len(part.names) for part in parts] == [2, 2, 1]
    assert [name for part in parts for name in part.names] == batch.names
    assert torch.equal(torch.cat([part.images for part in parts]), batch.images)
    assert torch.equal(torch.cat([part.targets.boxes for part in parts]), batch.targets.boxes)
    assert len(list(batch.parts(9))) == 5


def test_rare_pictures_come_more_often_and_every_epoch_is_as_long():
    pictures = Pictures([picture(name) for name in "abcd"])
    repeats = torch.tensor([1, 1.5, 2.25, 1], dtype=torch.float64)

    def epochs(first=0):
        run = TrainingStream(pictures, lambda item: item, 600, 5, repeats=repeats)
        names = {i: run[i][1]["name"] for i in range(first, 600)}
        return ["".join(names[k] for k in range(i, i + 6)) for i in range(first, 600, 6)]

    seen = epochs()  # 5.75 samples, rounded to 6
    for name, share in zip("abcd", (repeats * 6 / 5.75).tolist(), strict=True):
        counts = {epoch.count(name) for epoch in seen}
        assert counts <= {math.floor(share), math.ceil(share)}
        assert sum(epoch.count(name) for epoch in seen) / 100 == pytest.approx(share, abs=0.15)
    assert len({epoch for epoch in seen if sorted(epoch) == sorted(seen[0])}) > 3  # other orders
    assert epochs(first=60) == seen[10:]  # wherever it resumes


# --- interrupted and continued -------------------------------------------------------------------


class PowerCut(Exception):
    pass


def interrupted(dataset, settings, out, at, **options):
    def cut(step):
        if step.step == at:
            raise PowerCut

    with pytest.raises(PowerCut):
        train_quietly(dataset, settings, out=out, report=cut, **options)


def log(folder):
    with (folder / "run.csv").open(newline="") as file:
        return [{**row, "seconds": ""} for row in csv.DictReader(file)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_interrupted_run_ends_like_an_undisturbed_one(tmp_path, scenes, precision):
    # a checkpoint after steps 3 and 6, between two lines of the log
    settings = replace(QUICK, precision=precision, crop="torchvision", vertical_flip=True)
    options = {"log_every": 2, "checkpoint_every": 6}
    whole, history = train_quietly(scenes, settings, out=tmp_path / "a", **options)
    interrupted(scenes, settings, tmp_path / "b", at=4, **options)
    assert load_weights(tmp_path / "b" / "checkpoint.safetensors").metadata["step"] == 3
    again, resumed = train_quietly(scenes, settings, out=tmp_path / "b", **options)
    assert equal(state(whole), state(again))
    assert timeless(resumed) == timeless(history)
    assert [line.step for line in history] == [2, 4, 6]
    assert log(tmp_path / "a") == log(tmp_path / "b")
    assert [row["samples"] for row in log(tmp_path / "a")] == ["4", "8", "12"]
    alone, _ = train_quietly(scenes, settings)  # and a folder changes nothing
    assert equal(state(whole), state(alone))


def test_a_kill_between_log_and_checkpoint_loses_nothing(tmp_path, scenes, monkeypatch):
    options = {"log_every": 1, "checkpoint_every": 2}
    settings = replace(QUICK, samples=6)
    _, history = train_quietly(scenes, settings, out=tmp_path / "a", **options)
    saved = itertools.count()

    def killed(*args, **parts):
        if next(saved) == 1:
            raise PowerCut
        save_weights(*args, **parts)

    with monkeypatch.context() as patch:
        patch.setattr(run_folder, "save_weights", killed)
        with pytest.raises(PowerCut):
            train_quietly(scenes, settings, out=tmp_path / "b", **options)
    _, resumed = train_quietly(scenes, settings, out=tmp_path / "b", **options)
    assert timeless(resumed) == timeless(history)
    assert log(tmp_path / "a") == log(tmp_path / "b")


@pytest.fixture(scope="module")
def finished(tmp_path_factory, scenes):
    folder = tmp_path_factory.mktemp("finished")
    network, history = train_quietly(scenes, replace(QUICK, samples=4), out=folder, log_every=1)
    return folder, state(network), history


def test_a_finished_run_returns_at_once(finished, scenes, monkeypatch):
    folder, weights, history = finished
    written = (folder / "checkpoint.safetensors").stat().st_mtime_ns
    monkeypatch.setattr(SSD, "forward", None)  # no step can be taken
    network, again = train_quietly(scenes, replace(QUICK, samples=4), out=folder)
    assert equal(state(network), weights)
    assert again == history
    assert not network.training
    assert (folder / "checkpoint.safetensors").stat().st_mtime_ns == written


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 5}, r"samples 4 -> 5\)"),
        ({"lr": 0.1, "seed": 2}, r"lr 0\.003 -> 0\.1; seed 0 -> 2\)"),
        ({"model": "ssd300"}, r"model slim300 -> ssd300\)"),
    ],
)
def test_a_folder_of_other_settings_is_refused(finished, scenes, change, message):
    folder, *_ = finished
    before = (folder / "checkpoint.safetensors").read_bytes()
    advice = r"give another folder \(--start takes the weights of this one\)"
    with pytest.raises(ValueError, match=f"a run with other settings .*{message}: {advice}"):
        train_quietly(scenes, replace(QUICK, **{"samples": 4, **change}), out=folder)
    assert (folder / "checkpoint.safetensors").read_bytes() == before


def test_a_folder_of_other_data_is_refused(finished, scenes):
    folder, *_ = finished
    fewer = Pictures([scenes[0]])
    fewer.classes = tuple(reversed(scenes.classes))
    with pytest.raises(ValueError, match=r"pictures 5 -> 1; classes .* -> .*"):
        train_quietly(fewer, replace(QUICK, samples=4), out=folder)


# --- a batch in parts ----------------------------------------------------------------------------


def gradient(network, batch, count):
    """The gradient of a batch, and its loss, computed in a number of parts."""
    network.zero_grad()
    devices = Devices("cpu", "fp32")
    sums = train._backward(network, network, batch, count, multibox_loss, devices)
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]), sums


def test_parts_have_the_gradient_of_the_whole_batch(scenes, monkeypatch):
    """N is that of the whole batch. In evaluation mode: batch norm's statistics see no batch."""
    torch.manual_seed(0)
    network = SSD(SLIM300, len(scenes.classes) + 1).eval()
    items = [scenes[i] for i in range(3)]
    few = {"boxes": items[0][1]["boxes"][:1], "labels": items[0][1]["labels"][:1]}
    items[0] = (items[0][0], {**items[0][1], **few})
    batch = samples.collate(network.num_classes, items)
    whole, losses = gradient(network, batch, 1)
    for count in (2, 3):
        parts, sums = gradient(network, batch, count)
        assert (parts - whole).norm() / whole.norm() < 1e-5, count
        assert torch.allclose(sums, losses, rtol=1e-5)
    monkeypatch.setattr(train, "part_of", lambda loss, _: loss)  # each divides by its own N
    parts, _ = gradient(network, batch, 3)
    assert (parts / 3 - whole).norm() / whole.norm() > 0.01


# --- measured meanwhile --------------------------------------------------------------------------


def test_measuring_finds_what_detecting_and_the_loss_say(scenes):
    network = load_weights(data_path("weights/scenes_slim300.safetensors")).network.train()
    before = state(network)
    map50, loss = Validation(scenes, 1).measure(network, Devices("cpu", "fp32"), multibox_loss)
    assert network.training
    assert equal(state(network), before)
    detections, truths = detect_dataset(network.eval(), scenes, progress=False)
    assert map50 == pytest.approx(voc_ap(detections, truths, scenes.classes).mean_ap)
    assert map50 > 0.5
    batch = samples.collate(network.num_classes, [scenes[i] for i in range(5)])
    with torch.no_grad():
        logits, offsets = network(batch.images)
    whole = multibox_loss(logits, offsets, batch.targets, network.priors)
    assert loss == pytest.approx(float(whole.total), rel=1e-4)


def test_the_weights_are_the_same_with_and_without_measuring(scenes, tmp_path):
    settings = replace(QUICK, samples=6)
    alone, _ = train_quietly(scenes, settings)
    unseen = CachedDataset(Scenes(1, seed=4), 300, progress=False)
    out = tmp_path / "run"
    watched, history = train_quietly(scenes, settings, out=out, validation=Validation(unseen, 4))
    assert equal(state(alone), state(watched))
    assert [(step.step, step.val_map50 is None) for step in history] == [(2, False), (3, False)]
    assert all(0 < step.val_total < 100 for step in history)
    assert [float(row["val_map50"]) for row in log(out)] == [step.val_map50 for step in history]
    best = load_weights(out / "weights-best.safetensors")
    assert best.metadata["val_map50"] == max(step.val_map50 for step in history)
    assert best.metadata["step"] in (2, 3)


@pytest.fixture
def scripted(monkeypatch):
    """Measurements that say what they are told to, and count."""
    said = []

    def pretend(*maps):
        ahead = iter(maps)

        def measure(self, *_):
            said.append(next(ahead))
            return said[-1], 1.0

        monkeypatch.setattr(Validation, "measure", measure)
        return said

    return pretend


SMALL = [picture(name, boxes=((10, 20, 250, 260),), size=300) for name in "ab"]


def test_it_stops_where_nothing_gets_better_and_keeps_the_best(tmp_path, scripted):
    said = scripted(0.2, 0.5, 0.4, 0.5, 0.9)
    pictures, settings = Pictures(SMALL), replace(QUICK, samples=8, batch_size=1)
    validation = Validation(pictures, 1, patience=2)
    _, history = train_quietly(pictures, settings, out=tmp_path, validation=validation)
    assert said == [0.2, 0.5, 0.4, 0.5]
    assert [step.step for step in history] == [1, 2, 3, 4]
    assert load_weights(tmp_path / "weights-best.safetensors").metadata["step"] == 2
    assert load_weights(tmp_path / "checkpoint.safetensors").metadata["step"] == 4
    _, again = train_quietly(pictures, settings, out=tmp_path, validation=validation)
    assert (said, again) == ([0.2, 0.5, 0.4, 0.5], history)  # it stays stopped


def test_the_best_weights_survive_a_worse_resumption(tmp_path, scripted):
    scripted(0.5, 0.4, 0.3, 0.6, 0.6, 0.2)
    pictures, settings = Pictures(SMALL), replace(QUICK, samples=4, batch_size=1)
    validation = Validation(pictures, 1)
    interrupted(pictures, settings, tmp_path, at=2, validation=validation)
    (tmp_path / "run.csv").unlink()
    interrupted(pictures, settings, tmp_path, at=3, validation=validation)
    assert load_weights(tmp_path / "weights-best.safetensors").metadata["step"] == 1
    train_quietly(pictures, settings, out=tmp_path, validation=validation)
    assert load_weights(tmp_path / "weights-best.safetensors").metadata["val_map50"] == 0.6


def test_the_best_weights_are_safe_before_anything_else_is(tmp_path, scripted, monkeypatch):
    scripted(0.5)

    def killed(*_):
        raise PowerCut

    monkeypatch.setattr(run_folder, "write_log", killed)
    pictures = Pictures(SMALL)
    with pytest.raises(PowerCut):
        train_quietly(pictures, QUICK, out=tmp_path, validation=Validation(pictures, 2))
    assert load_weights(tmp_path / "weights-best.safetensors").metadata["val_map50"] == 0.5


def test_a_split_without_objects_cannot_be_measured_on():
    empty = Pictures([picture("empty", boxes=(), size=300)])
    with pytest.raises(ValueError, match="no object of the validation split can be found"):
        train_quietly(Pictures(SMALL), QUICK, validation=Validation(empty, 2))


def test_what_cannot_be_learned_is_said_before_the_first_step(caplog):
    two = Pictures([picture("a", boxes=((1, 1, 9, 9), (1, 1, 9, 1.5)))])
    kept = CachedDataset(two, 300, progress=False)
    train_quietly(kept, replace(QUICK, samples=2, batch_size=1))
    assert "1 of 2 objects are under 3 px at 300 px" in caplog.text


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"boxes": ((30, 10, 30, 40),)}, "picture broken_one, box 0 .*xmax must be above xmin"),
        ({"boxes": ((5, 5, 9, 9), (0, 0, float("nan"), 9))}, "picture broken_one, box 1 .*finite"),
        ({"boxes": ((5, 5, 90, 30),)}, r"broken_one\), box 0 .*corners must lie in \[0, 1\]"),
        ({"labels": [0]}, r"broken_one\), box 0: label 0 is not in 1 \.\. 2"),
        ({"labels": [3]}, r"broken_one\), box 0: label 3 is not in 1 \.\. 2"),
    ],
)
def test_an_impossible_object_is_named(bad, message, tmp_path):
    pictures = Pictures([picture("fine"), picture("broken_one", **bad)])
    with pytest.raises(ValueError, match=message):
        train_quietly(pictures, replace(QUICK, samples=4), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_is_not_finite_names_step_and_pictures(tmp_path, monkeypatch):
    forward, calls = SSD.forward, itertools.count()

    def poisoned(self, images):
        logits, offsets = forward(self, images)
        return logits * (math.nan if next(calls) == 1 else 1), offsets

    monkeypatch.setattr(SSD, "forward", poisoned)
    pictures = Pictures([picture("one"), picture("two")])
    with pytest.raises(
        FloatingPointError, match=r"loss is nan at step 1, with \['.*', '.*'\]"
    ) as e:
        train_quietly(pictures, QUICK, out=tmp_path, checkpoint_every=2)
    assert "one" in str(e.value)
    assert "two" in str(e.value)
    assert (
        load_weights(tmp_path / "checkpoint.safetensors").metadata["step"] == 1
    )  # the last good one


def test_weights_that_the_last_step_makes_nan_are_not_written(tmp_path, monkeypatch):
    def poison(self, *_):
        self.param_groups[0]["params"][0].data[0] = math.nan

    monkeypatch.setattr(torch.optim.AdamW, "step", poison)
    with pytest.raises(ValueError, match=r"not written to .* infinite numbers, first in backbone"):
        train_quietly(Pictures(SMALL), replace(QUICK, samples=2), out=tmp_path)
    assert not list(tmp_path.glob("*.safetensors"))


def test_an_empty_dataset_and_odd_numbers_are_refused():
    with pytest.raises(ValueError, match="dataset is empty: there is nothing to train on"):
        train_quietly(Pictures(), QUICK)
    for options in ({"log_every": 0}, {"checkpoint_every": 0}):
        with pytest.raises(ValueError, match="must be 1 or more"):
            train_quietly(Pictures([picture("a")]), QUICK, **options)


# --- the pieces ----------------------------------------------------------------------------------


def test_learning_rate_rises_then_falls():
    settings = Recipe(lr=0.5, warmup=0.1)
    rates = [learning_rate(step, 200, settings) for step in range(200)]
    assert rates[:20] == pytest.approx([0.5 * (i + 1) / 20 for i in range(20)])
    assert max(rates) == rates[19] == rates[20] == 0.5
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert rates[110] == pytest.approx(0.25)  # half way down
    assert 0 < rates[-1] < 1e-3 * 0.5


@pytest.mark.parametrize("warmup", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("total", [1, 2, 7])
def test_learning_rate_stays_in_bounds(total, warmup):
    settings = Recipe(lr=2.0, warmup=warmup)
    rates = [learning_rate(step, total, settings) for step in range(total)]
    assert all(0 < rate <= 2.0 for rate in rates)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_weights_alone_decay_and_biases_learn_faster(optimizer):
    network = SSD(SLIM300, 3)
    recipe = Recipe(optimizer=optimizer, weight_decay=0.25, bias_lr=2.0, momentum=0.8)
    made = make_optimizer(network, recipe)
    weights, norms, biases = made.param_groups
    assert [g["weight_decay"] for g in made.param_groups] == [0.25, 0, 0]
    assert [g["factor"] for g in made.param_groups] == [1, 1, 2]
    assert (made.defaults.get("momentum") or made.defaults["betas"][0]) == 0.8
    names = {id(p): name for name, p in network.named_parameters()}
    in_groups = [[names[id(p)] for p in group["params"]] for group in made.param_groups]
    assert sorted(itertools.chain.from_iterable(in_groups)) == sorted(names.values())
    assert all(p.ndim == 4 for p in weights["params"])
    assert all(name.endswith(".weight") for name in in_groups[1])
    assert all(p.ndim == 1 for p in norms["params"])
    assert {name.rsplit(".")[-1] for name in in_groups[2]} == {"bias"}
    assert {"class_heads.0.bias", "offset_heads.5.bias"} <= set(in_groups[2])
    assert biases["lr"] == recipe.lr


def test_the_rate_of_each_group_is_set_by_its_factor(scenes):
    """SGD without momentum: a step is the rate times the gradient, doubled for biases."""
    recipe = replace(
        QUICK, optimizer="sgd", momentum=0.0, weight_decay=0.0, grad_clip_norm=0.0, samples=2
    )
    recipe = replace(recipe, warmup=0.0, lr=1e-3, horizontal_flip=False)
    torch.manual_seed(recipe.seed)
    before = state(SSD(SLIM300, 13))
    plain, _ = train_quietly(scenes, recipe)
    double, _ = train_quietly(scenes, replace(recipe, bias_lr=2.0))
    for name, parameter in plain.named_parameters():
        moved, twice = parameter - before[name], double.get_parameter(name) - before[name]
        wanted = 2 * moved if name.endswith("bias") else moved
        torch.testing.assert_close(twice, wanted, rtol=1e-3, atol=1e-7)
