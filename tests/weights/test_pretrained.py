"""First weights from elsewhere: downloads, files, and which rows of the heads go where."""

import argparse
import hashlib
import http.server
import threading
from dataclasses import replace
from functools import partial

import pytest
import torch
from torchvision.models import VGG16_Weights
from torchvision.models.detection import SSD300_VGG16_Weights, ssd300_vgg16

from ssd_tutorial._files import data_path
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, SSD300, SSD512, get_preset
from ssd_tutorial.weights import pretrained
from ssd_tutorial.weights.file import load_weights, save_weights
from ssd_tutorial.weights.pretrained import COCO_CLASSES, COCO_MODEL, load_coco, load_start
from tests.weights.test_convert import vgg16_state
from tests.weights.test_file import poisoned

VOC = [
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
]  # fmt: skip


def state_of(network):
    return {name: x.clone() for name, x in network.state_dict().items()}


def changed(network, before):
    return {name for name, x in network.state_dict().items() if not torch.equal(x, before[name])}


def torchvision_state(num_classes=91):
    """Return torchvision's names and shapes, filled with numbers that say where they belong."""
    with torch.device("meta"):
        empty = ssd300_vgg16(weights=None, weights_backbone=None, num_classes=num_classes)
    state = {}
    for name, x in empty.state_dict().items():
        torch.manual_seed(len(name))
        state[name] = torch.full(x.shape, 1e-3)
        if "classification_head" in name:  # row r belongs to class r % num_classes
            rows = torch.arange(float(len(x))) % num_classes
            state[name] = rows.view(-1, *[1] * (x.ndim - 1)).expand(x.shape).contiguous()
    return state


def rows_of(network, head=0):
    """Return ``[boxes, classes]``: the first number of each row of a class head."""
    return (
        network.class_heads[head]
        .weight.detach()
        .unflatten(0, (-1, network.num_classes))[:, :, 0, 0, 0]
    )


@pytest.fixture
def downloads(monkeypatch):
    """Pretend that torchvision has these on the disk."""

    def have(member, state):
        asked = []

        def get_state_dict(self, **options):
            assert self is member
            asked.append(options)
            return state

        monkeypatch.setattr(type(member), "get_state_dict", get_state_dict)
        return asked

    return have


# --- ImageNet ------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [SSD300, SSD512], ids=lambda m: m.name)
def test_imagenet_fills_the_backbone_and_names_the_rest(downloads, model):
    network = SSD(model, 3)
    before = state_of(network)
    state = vgg16_state()
    asked = downloads(VGG16_Weights.IMAGENET1K_V1, state)
    said = load_start(network, "imagenet", ("a", "b"))
    backbone = {name for name in before if name.startswith("backbone.")} - {"backbone.norm.weight"}
    assert changed(network, before) == backbone
    assert "conv1_1 to conv5_3, conv6 and conv7 from VGG16_Weights.IMAGENET1K_V1" in said
    assert said.endswith("the L2Norm, the extras and the heads start random")
    assert asked == [
        {"progress": True, "check_hash": True, "map_location": "cpu", "weights_only": True}
    ]


def test_caffes_numbers_have_no_conv6(downloads):
    state = vgg16_state()
    for name in state:
        if name.startswith("classifier."):
            state[name] = torch.full_like(state[name], torch.nan)
    downloads(VGG16_Weights.IMAGENET1K_FEATURES, state)
    network = SSD(SSD300, 3)
    before = state_of(network)
    said = load_start(network, "imagenet-caffe", ("a", "b"))
    assert not {n for n in changed(network, before) if n.startswith(("backbone.conv7.8", "ext"))}
    first = "features.0.weight"
    assert torch.equal(network.backbone.conv4_3[0].weight, state[first]), "pixels are 0 .. 255"
    assert torch.equal(network.backbone.conv7[5].weight, state["features.28.weight"])
    assert "conv1_1 to conv5_3 from VGG16_Weights.IMAGENET1K_FEATURES" in said
    assert "the L2Norm, conv6, conv7, the extras and the heads start random" in said


def test_imagenet_does_not_fit_slim(downloads):
    with pytest.raises(ValueError, match="slim300 has another backbone: choose ssd300 or ssd512"):
        load_start(SSD(SLIM300, 3), "imagenet", ("a", "b"))


def test_imagenet_with_nan_is_refused_and_nothing_changes(downloads):
    state = vgg16_state()
    state["classifier.3.weight"] = state["classifier.3.weight"].clone()
    state["classifier.3.weight"][5, 5] = torch.nan
    downloads(VGG16_Weights.IMAGENET1K_V1, state)
    network = SSD(SSD300, 3)
    before = state_of(network)
    with pytest.raises(ValueError, match=r"infinite numbers, first in classifier\.3\.weight$"):
        load_start(network, "imagenet", ("a", "b"))
    assert not changed(network, before)


# --- COCO ----------------------------------------------------------------------------------------


def test_coco_has_80_class_names_in_the_order_of_ids():
    assert len(COCO_CLASSES) == 80 == len(set(COCO_CLASSES))
    assert COCO_CLASSES[0] == "person"
    assert COCO_CLASSES[11] == "stop sign"  # its id is 13: 12 was never used
    assert COCO_CLASSES[-1] == "toothbrush"


def test_coco_detector_has_the_rows_of_its_80_classes(downloads):
    downloads(SSD300_VGG16_Weights.COCO_V1, torchvision_state())
    detector = load_coco()
    assert detector.classes == COCO_CLASSES
    assert detector.network.config.priors == get_preset("torchvision300_coco")
    assert not detector.network.training
    ids = [SSD300_VGG16_Weights.COCO_V1.meta["categories"].index(name) for name in COCO_CLASSES]
    for head in range(6):
        assert (rows_of(detector.network, head) == torch.tensor([0.0, *ids])).all()


def test_coco_into_voc_finds_a_row_for_each_class(downloads):
    downloads(SSD300_VGG16_Weights.COCO_V1, torchvision_state())
    network = SSD(COCO_MODEL, 21)
    said = load_start(network, "coco", tuple(VOC))
    assert said == "coco: all weights are loaded"
    categories = SSD300_VGG16_Weights.COCO_V1.meta["categories"]
    rows = [categories[int(i)] for i in rows_of(network)[3].tolist()]
    assert rows == [
        "__background__", "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat",
        "chair", "cow", "dining table", "dog", "horse", "motorcycle", "person", "potted plant",
        "sheep", "couch", "train", "tv",
    ]  # fmt: skip


def test_coco_into_other_classes_keeps_the_rest_random(downloads):
    downloads(SSD300_VGG16_Weights.COCO_V1, torchvision_state())
    network = SSD(SSD300, 5)
    before = state_of(network)
    said = load_start(network, "coco", ("N/A", "Traffic-Light", "gnu", "dog"))
    assert said == (
        "coco: all weights are loaded but the class scores of 2 of 4 classes, which start random:"
        " N/A, gnu; it was trained with the priors torchvision300_coco, and has to adapt to"
        " caffe300_voc"
    )
    for head in range(6):
        rows = rows_of(network, head)
        assert (rows[:, [0, 2, 4]] == torch.tensor([0.0, 10.0, 18.0])).all()
        old = before[f"class_heads.{head}.weight"].unflatten(0, (-1, 5))
        new = network.class_heads[head].weight.unflatten(0, (-1, 5))
        assert torch.equal(new[:, [1, 3]], old[:, [1, 3]])
        bias = network.class_heads[head].bias.unflatten(0, (-1, 5))
        assert (bias == torch.tensor([0.0, 0.0, 10.0, 0.0, 18.0])).all()
    assert changed(network, before) == set(before)


def test_coco_does_not_fit_ssd512(downloads):
    downloads(SSD300_VGG16_Weights.COCO_V1, torchvision_state())
    with pytest.raises(ValueError, match="coco holds .* of ssd300, .* is ssd512: choose"):
        load_start(SSD(SSD512, 3), "coco", ("a", "b"))


# --- files ---------------------------------------------------------------------------------------


@pytest.fixture
def slim_file(tmp_path):
    torch.manual_seed(7)
    network = SSD(SLIM300, 4)
    for x in network.state_dict().values():
        x.copy_(torch.rand(x.shape) * 100)  # statistics of batch norm too
    path = tmp_path / "slim.safetensors"
    save_weights(path, network, ("cat", "dog", "fox"))
    return path, state_of(network)


def test_a_file_of_the_same_classes_is_loaded_completely(slim_file):
    path, state = slim_file
    network = SSD(SLIM300, 4)
    assert load_start(network, str(path), ("cat", "dog", "fox")) == (
        "slim.safetensors: all weights are loaded"
    )
    assert not changed(network, state)


def test_classes_in_another_order_keep_their_rows(slim_file):
    path, state = slim_file
    network = SSD(SLIM300, 5)
    fresh = state_of(network)
    said = load_start(network, str(path), ("fox", "owl", "Cat", "hen"))
    assert "2 of 4 classes, which start random: owl, hen" in said
    heads = {name for name in state if name.startswith("class_heads.")}
    assert all(torch.equal(network.state_dict()[n], x) for n, x in state.items() if n not in heads)
    for name in heads:
        new = network.state_dict()[name].unflatten(0, (-1, 5))
        old, random = state[name].unflatten(0, (-1, 4)), fresh[name].unflatten(0, (-1, 5))
        assert torch.equal(new[:, [0, 1, 3]], old[:, [0, 3, 1]])
        assert torch.equal(new[:, [2, 4]], random[:, [2, 4]])


def test_an_exact_class_name_takes_precedence_over_a_similar_one(tmp_path):
    path, network = tmp_path / "a.safetensors", SSD(SLIM300, 3)
    save_weights(path, network, ("cup1", "cup 1"))
    other = SSD(SLIM300, 3)
    load_start(other, str(path), ("cup1", "cup 1"))
    assert not changed(other, state_of(network))


def test_a_slim_file_does_not_fit_ssd300(slim_file):
    with pytest.raises(ValueError, match=r"slim\.saf.* holds .* of slim300, .* is ssd300: choose"):
        load_start(SSD(SSD300, 4), str(slim_file[0]), ("cat", "dog", "fox"))


def test_other_priors_are_reported(slim_file):
    network = SSD(SLIM300.with_priors(get_preset("caffe300_coco")), 4)
    said = load_start(network, str(slim_file[0]), ("cat", "dog", "fox"))
    assert said.endswith("trained with the priors caffe300_voc, and has to adapt to caffe300_coco")


def test_a_file_with_nan_is_refused_and_nothing_changes(tmp_path):
    save_weights(tmp_path / "nan.safetensors", SSD(SLIM300, 3), ("a", "b"))
    poisoned(tmp_path / "nan.safetensors")
    other = SSD(SLIM300, 3)
    before = state_of(other)
    with pytest.raises(ValueError, match=r"nan\.saf.* first in offset_heads\.2\.bias$"):
        load_start(other, str(tmp_path / "nan.safetensors"), ("a", "b"))
    assert not changed(other, before)


def test_our_own_weights_are_there_by_name():
    shipped = load_weights(data_path("weights/scenes_slim300.safetensors"))
    network = SSD(SLIM300, 13)
    said = load_start(network, "scenes", shipped.classes)
    assert said == "scenes_slim300.safetensors: all weights are loaded"
    assert not changed(network, state_of(shipped.network))
    said = load_start(SSD(SLIM300, 3), "bccd", ("RBC", "dog"))
    assert said.startswith("bccd_slim300.safetensors: all weights are loaded but the class scores")


def test_a_run_folder_is_a_start(slim_file, tmp_path):
    path, state = slim_file
    (tmp_path / "run").mkdir()
    path.rename(tmp_path / "run" / "weights.safetensors")
    network = SSD(SLIM300, 4)
    load_start(network, str(tmp_path / "run"), ("cat", "dog", "fox"))
    assert not changed(network, state)


def test_no_start_is_random_and_an_unknown_one_is_refused(tmp_path):
    network = SSD(SLIM300, 3)
    before = state_of(network)
    assert load_start(network, "", ("a", "b")) == "all weights start random"
    with pytest.raises(
        FileNotFoundError, match=r"imagenet, imagenet-caffe, coco, scenes, bccd, .* no imagn"
    ):
        load_start(network, "imagnet", ("a", "b"))
    with pytest.raises(ValueError, match="so it needs 2 names, not 3"):
        load_start(network, "", ("a", "b", "c"))
    assert not changed(network, before)


# --- files of others -----------------------------------------------------------------------------


def test_a_torchvision_file_is_recognised(tmp_path):
    torch.save({"model": torchvision_state(), "epoch": 3}, tmp_path / "theirs.pth")
    network = SSD(COCO_MODEL, 3)
    said = load_start(network, str(tmp_path / "theirs.pth"), ("dog", "person"))
    assert said == "theirs.pth: all weights are loaded"
    assert (rows_of(network) == torch.tensor([0.0, 18.0, 1.0])).all()


def test_classes_without_names_are_taken_in_order_where_their_number_agrees(tmp_path):
    torch.save(torchvision_state(4), tmp_path / "theirs.pth")
    network = SSD(COCO_MODEL, 4)
    said = load_start(network, str(tmp_path / "theirs.pth"), ("a", "b", "c"))
    assert said.endswith("its classes have no names and are taken in the order of yours")
    assert (rows_of(network) == torch.tensor([0.0, 1.0, 2.0, 3.0])).all()
    said = load_start(SSD(COCO_MODEL, 3), str(tmp_path / "theirs.pth"), ("a", "b"))
    assert "the class scores of 2 of 2 classes, which start random: a, b" in said


class Program:
    """What a file could run when it is read."""

    def __reduce__(self):
        return print, ("it ran",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Program(), "cannot be read as plain tensors, and anything else"),
        ({"args": argparse.Namespace(lr=1)}, "save its state dict alone"),
        ([1, 2], "does not contain a state dict: expected names with one tensor"),
        ({"a": 1}, "does not contain a state dict"),
        ({1: torch.zeros(1)}, "does not contain a state dict"),
        ({"a": torch.zeros(1)}, r"theirs\.pth: this is not the state dict .* 1 unknown: a; 71 mis"),
        ({"features.0.weight": torch.zeros(1)}, "VGG-16 classifier.*start from imagenet"),
    ],
)
def test_foreign_files_are_refused(tmp_path, capsys, content, message):
    torch.save(content, tmp_path / "theirs.pth")
    network = SSD(SLIM300, 3)
    before = state_of(network)
    with pytest.raises(ValueError, match=message):
        load_start(network, str(tmp_path / "theirs.pth"), ("a", "b"))
    assert "it ran" not in capsys.readouterr().out
    assert not changed(network, before)


@pytest.mark.parametrize("content", [b"", b"no tensors in here", b"PK\x03\x04 no zip"])
def test_damaged_files_are_refused(tmp_path, content):
    (tmp_path / "theirs.pth").write_bytes(content)
    with pytest.raises(ValueError, match=r"theirs\.pth cannot be read as plain tensors"):
        load_start(SSD(SLIM300, 3), str(tmp_path / "theirs.pth"), ("a", "b"))


# --- the download itself -------------------------------------------------------------------------


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A server of one folder, and torchvision's COCO weights with their address pointing to it.

    A changed entry of the enum keeps torchvision's own download, with its check of the hash.
    """
    folder = tmp_path / "served"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))

    def put(state, digest=None):
        torch.save(state, folder / "new.pth")
        content = (folder / "new.pth").read_bytes()
        name = f"ssd-{(digest or hashlib.sha256(content).hexdigest())[:8]}.pth"
        (folder / name).write_bytes(content)
        member = SSD300_VGG16_Weights.COCO_V1
        url = f"http://127.0.0.1:{server.server_port}/{name}"
        monkeypatch.setattr(member, "_value_", replace(member.value, url=url))
        return name

    yield put
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_download_is_torchvisions(served, tmp_path, capsys):
    name = served(torchvision_state())
    assert load_coco().classes == COCO_CLASSES
    assert (tmp_path / "hub" / "checkpoints" / name).is_file()
    assert "Downloading" in capsys.readouterr().out
    load_coco()
    assert "Downloading" not in capsys.readouterr().out, "the second time it is there"


def test_a_download_with_another_hash_is_refused(served, tmp_path):
    served({"a": torch.zeros(3)}, digest="0123456789")
    with pytest.raises(ValueError, match=r"is damaged \(invalid hash value .*try again"):
        load_coco()
    assert not list((tmp_path / "hub" / "checkpoints").iterdir())


def test_without_network_the_message_says_how_to_supply_the_file(served, tmp_path):
    (tmp_path / "served" / served({"a": torch.zeros(3)})).unlink()
    with pytest.raises(OSError, match=r"could not be downloaded \(HTTP Error 404.*another machine"):
        load_coco()


def test_a_pickled_program_instead_of_weights_is_not_run(served, capsys):
    served(Program())
    with pytest.raises(ValueError, match="is damaged"):
        load_coco()
    assert "it ran" not in capsys.readouterr().out


def test_both_addresses_name_a_hash():
    """torchvision checks the hash in the name: without one, nothing would be checked."""
    for weights in (*pretrained._IMAGENET.values(), SSD300_VGG16_Weights.COCO_V1):
        assert torch.hub.HASH_REGEX.search(weights.url), weights
