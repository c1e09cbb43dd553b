"""What Python answers to the messages of the live figure."""

import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from ssd_book.explorers import modules
from ssd_book.live import LiveDetector
from traitlets import TraitError

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import SCENE_CLASSES, draw_scene
from ssd_tutorial.deploy.inference import load_detector
from ssd_tutorial.deploy.onnx_file import export_onnx
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.priors import make_priors
from ssd_tutorial.weights.file import WEIGHTS, Detector, save_weights
from tests.explorers.test_modules import node


class Asked:
    """A figure whose questions are asked here; the last answer is kept."""

    def __init__(self, *detector):
        self.live = LiveDetector(*detector)
        self.live.send = self.keep

    def keep(self, content, buffers=None):
        self.content, self.buffers = content, buffers

    def ask(self, *buffers, **question):
        self.live._handle_custom_msg({"id": "a 1", **question}, [memoryview(b) for b in buffers])
        assert self.content.pop("id") == "a 1"
        return self.content

    def look(self, rgba) -> list[torch.Tensor]:
        assert set(self.ask(rgba.tobytes(), look=True)) == {"ms"}
        return [torch.from_numpy(np.frombuffer(b, "<f4").copy()) for b in self.buffers]


def rgba(side=300, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 4), dtype=np.uint8)


def as_image(pixels):
    return torch.from_numpy(pixels[..., :3].copy()).permute(2, 0, 1)[None].contiguous()


@pytest.fixture(scope="module")
def detectors(tmp_path_factory):
    """Return what `LiveDetector` may be given."""
    folder = tmp_path_factory.mktemp("detectors")
    torch.manual_seed(0)
    tiny = Detector(SSD(SLIM300, 3).eval(), ("screw", "nut"), {})
    (folder / "run").mkdir()
    save_weights(folder / "run" / WEIGHTS, tiny.network, tiny.classes)
    export_onnx(tiny, folder / "tiny.onnx")
    return {
        "run": folder / "run",
        "onnx": str(folder / "tiny.onnx"),
        "detector": load_detector("bccd"),
        "name": "bccd",
        "nothing": None,
    }


@pytest.mark.parametrize("kind", ["run", "onnx", "detector", "name", "nothing"])
def test_the_answer_is_the_networks_to_the_last_bit(detectors, kind):
    given = detectors[kind]
    detector = given if kind == "detector" else load_detector("scenes" if given is None else given)
    asked, pixels = Asked(given), rgba()
    logits, offsets = asked.look(pixels)
    with torch.inference_mode():
        expected = detector.network(as_image(pixels))
        mirrored = detector.network(as_image(pixels[:, ::-1]))
    assert torch.equal(logits, expected[0].flatten())
    assert torch.equal(offsets, expected[1].flatten())
    assert not torch.equal(logits, mirrored[0].flatten())

    about = asked.ask(open=True)["detector"]
    preset = detector.network.config.priors
    assert np.frombuffer(asked.buffers[0], "<f4").tolist() == make_priors(preset).flatten().tolist()
    assert tuple(about["names"]) == detector.classes
    assert (about["preset"]["name"], about["side"]) == (preset.name, 300)
    assert about["file"] == {"nothing": None, "detector": "This detector"}.get(kind, str(given))


def test_transparency_is_dropped():
    asked, pixels = Asked(), rgba()
    before = asked.look(pixels)
    pixels[..., 3] = 0
    assert torch.equal(before[0], asked.look(pixels)[0])


@pytest.mark.parametrize("seed", [0, 7, 123_456_789])
def test_a_scene_of_any_seed_comes_with_its_truth(seed):
    asked = Asked()
    truth = asked.ask(seed=seed)["truth"]
    image, target = draw_scene(seed, 0)
    with Image.open(io.BytesIO(asked.buffers[0])) as picture:
        assert (np.array(picture) == image.permute(1, 2, 0).numpy()).all()
    assert [SCENE_CLASSES.index(thing["name"]) + 1 for thing in truth] == target["labels"].tolist()
    boxes = torch.tensor([thing["box"] for thing in truth])
    assert torch.allclose(300 * boxes, target["boxes"].as_subclass(torch.Tensor))


def test_photographs_are_sent_as_they_are_and_nothing_else_is():
    asked = Asked()
    assert asked.ask(photograph="photographs/cat.jpg") == {}
    assert asked.buffers == [data_path("photographs/JPEGImages/cat.jpg").read_bytes()]
    assert set(asked.ask(photograph="../../README.md")) == {"failed"}
    assert asked.buffers == []


def failed(asked, *buffers, **question) -> str:
    words = asked.ask(*buffers, **question)["failed"]
    assert asked.buffers == []
    return words


def test_whatever_goes_wrong_is_said(monkeypatch):
    asked = Asked()
    assert "The detector stopped: shape" in failed(asked, b"1234", look=True)
    assert "must not be negative" in failed(asked, seed=-1)
    network = asked.live._detector.network
    network.train()
    assert "it is in training mode" in failed(asked, rgba().tobytes(), look=True)
    network.eval()
    with torch.no_grad():
        network.class_heads[0].bias.fill_(float("nan"))
    assert "NaN or infinite: the training run" in failed(asked, rgba().tobytes(), look=True)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LiveDetector, "_look", interrupted)
    assert "was interrupted: move a thing" in failed(asked, rgba().tobytes(), look=True)


def test_what_cannot_be_asked_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        LiveDetector(tmp_path / "nothing.onnx")
    export_onnx(load_detector("bccd"), tmp_path / "inside.onnx", postprocessing=True)
    with pytest.raises(ValueError, match=r"inside\.onnx has its post-processing inside"):
        LiveDetector(tmp_path / "inside.onnx")


def test_a_scene_can_be_read_and_set():
    live = LiveDetector()
    assert [thing["name"] for thing in live.things] == ["lighthouse", "cat", "airplane", "car"]
    live.things = [
        {"name": "cat", "box": (0, 0.1, 1, 0.9)},
        {"name": "cat", "box": [0, 0, 0.2, 0.2]},
    ]
    assert live.things[0] == {"id": 0, "name": "cat", "box": [0, 0.1, 1, 0.9]}
    assert live.things[1]["id"] == 1
    live.things = [{"id": 7, "name": "car", "box": [0, 0, 0.2, 0.2]}]
    assert live.things[0]["id"] == 7
    assert repr(live) == "LiveDetector()"


@pytest.mark.parametrize(
    ("things", "words"),
    [
        (3, "a list of things"),
        ([{"name": "cat"}], "a list of things"),
        ([{"name": "dog", "box": [0, 0, 1, 1]}], "'dog' is none of airplane, "),
        ([{"name": "cat", "box": [0, 0, 100, 100]}], "divide pixels by"),
        ([{"name": "cat", "box": [0.5, 0, 0.2, 1]}], "box"),
    ],
)
def test_a_scene_that_cannot_be_drawn_is_refused(things, words):
    live = LiveDetector()
    before = live.things
    with pytest.raises(TraitError, match=re.escape(words)):
        live.things = things
    assert live.things == before


def test_its_modules_are_joined_into_one():
    text = modules.joined("kernel")
    assert not re.search(r"^import\b", text, re.M)
    assert text.count("export ") == text.count("export default ") == 1
    node("--input-type=module", "--check", text=text)
    used = {f"{name}.js" for name in modules.parts("kernel")}
    assert {file.name for file in modules.LIVE.glob("*.js")} <= used
