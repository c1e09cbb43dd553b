"""Detection on pictures of any size: pixels of each picture, whatever else is in the batch."""

import json
import sys
from dataclasses import replace

import onnx
import pytest
import torch
from torchvision import tv_tensors

from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.deploy import inference, onnx_file
from ssd_tutorial.deploy.inference import (
    detect,
    detect_dataset,
    ground_truth,
    load_detector,
)
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, export_onnx
from ssd_tutorial.detect import postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights import pretrained
from ssd_tutorial.weights.file import Detector, save_weights
from ssd_tutorial.weights.pretrained import COCO_MODEL

PRIOR = 8000


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return SSD(SLIM300, 4).eval()


def pictures(*sizes):
    return [torch.randint(0, 256, (3, height, width), dtype=torch.uint8) for height, width in sizes]


def close(one, other):
    return (
        torch.equal(one.labels, other.labels)
        and torch.allclose(one.scores, other.scores, atol=1e-5)
        and torch.allclose(one.boxes, other.boxes, atol=0.05)
    )


class Certain(SSD):
    """Detects class 2 at one prior, whatever the picture shows."""

    def forward(self, images):
        self.seen = images
        logits = torch.zeros(len(images), 8732, self.num_classes)
        logits[..., 0] = 20
        logits[:, PRIOR, 2] = 40
        return logits, torch.zeros(len(images), 8732, 4)


@pytest.fixture
def certain():
    return Certain(SLIM300, 4)


def test_boxes_are_pixels_of_each_picture(certain):
    found = detect(certain, pictures((40, 400), (300, 300), (1, 1), (700, 90)))
    fractions = cxcywh_to_xyxy(certain.priors[PRIOR]).clamp(0, 1)
    for one, (height, width) in zip(found, [(40, 400), (300, 300), (1, 1), (700, 90)], strict=True):
        assert one.labels.tolist() == [2]
        assert one.scores[0] > 0.99
        assert torch.allclose(one.boxes[0], fractions * torch.tensor([width, height] * 2))
    assert certain.seen.shape == (4, 3, 300, 300)
    assert certain.seen.dtype == torch.uint8


def test_pictures_are_stretched_to_the_square_not_cropped(certain):
    image = torch.zeros(3, 60, 200, dtype=torch.uint8)
    image[0, :, 150:] = 255  # the right quarter is red
    detect(certain, [tv_tensors.Image(image)])
    seen = certain.seen[0].float()
    assert (seen[0, :, :220] < 5).all()
    assert (seen[0, :, 230:] > 250).all()
    assert (seen[1:] == 0).all()


def test_detections_do_not_depend_on_the_rest_of_the_batch(network):
    images = pictures((120, 80), (300, 300), (50, 333))
    together = detect(network, images)
    assert all(len(one.scores) > 20 for one in together)
    for image, one in zip(images, together, strict=True):
        assert close(detect(network, [image])[0], one)
    for image, one in zip(reversed(images), detect(network, images[::-1]), strict=True):
        assert close(detect(network, [image])[0], one)


def test_detect_runs_the_network_and_postprocess(network):
    images = torch.stack(pictures((300, 300), (300, 300)))
    with torch.no_grad():
        expected = postprocess(*network(images), network.priors, score_threshold=0.3)
    found = detect(network, list(images), score_threshold=0.3)
    for one, other in zip(found, expected, strict=True):
        assert len(one.scores) == len(other.scores)
        assert close(one, other._replace(boxes=other.boxes * 300))


def test_limits_are_passed_on(network):
    image = pictures((100, 100))
    everything = detect(network, image)[0]
    threshold = float(everything.scores[9])
    assert (detect(network, image, score_threshold=threshold)[0].scores > threshold).all()
    assert len(detect(network, image, detections_per_image=3)[0].scores) == 3
    assert len(detect(network, image, candidates_per_class=2)[0].scores) <= 6
    fewer = detect(network, image, iou_threshold=0.05)[0]
    assert len(fewer.scores) < len(everything.scores) or len(everything.scores) == 200
    with pytest.raises(TypeError, match="no_such_limit"):
        detect(network, image, no_such_limit=1)


@pytest.mark.parametrize("training", [True, False])
def test_the_mode_is_restored_and_no_statistics_move(network, training):
    statistics = {k: v.clone() for k, v in network.state_dict().items()}
    network.train(training)
    inside = []
    handle = network.register_forward_pre_hook(lambda module, _: inside.append(module.training))
    found = detect(network, pictures((64, 64)))[0]
    handle.remove()
    assert inside == [False]
    assert network.training is training
    assert all(torch.equal(v, statistics[k]) for k, v in network.state_dict().items())
    assert not found.scores.requires_grad
    network.eval()


def test_the_mode_is_restored_after_an_error(network, monkeypatch):
    monkeypatch.setattr(SSD, "feature_maps", lambda self, images: 1 / 0)
    network.train()
    with pytest.raises(ZeroDivisionError):
        detect(network, pictures((64, 64)))
    assert network.training
    network.eval()


def test_no_pictures_give_no_detections(network):
    assert detect(network, []) == []


def test_a_grey_picture_is_refused(network):
    with pytest.raises(
        ValueError, match=r"images must be \[B, 3, 300, 300\], not \[1, 1, 300, 300"
    ):
        detect(network, [torch.zeros(1, 50, 50, dtype=torch.uint8)])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_is_detected_on_in_order(certain, monkeypatch, workers):
    sizes = []

    def recording(network, images):
        sizes.append([image.shape[-1] for image in images])
        return detect(network, images)

    monkeypatch.setattr(inference, "detect", recording)
    scenes = [Scenes(1, size=size, start=size)[0] for size in (64, 90, 70, 110, 80)]
    found, truths = detect_dataset(certain, scenes, batch_size=2, workers=workers, progress=False)
    assert sizes == [[64, 90], [70, 110], [80]]
    assert len(found) == len(truths) == 5
    for (image, target), one, truth in zip(scenes, found, truths, strict=True):
        fractions = cxcywh_to_xyxy(certain.priors[PRIOR]).clamp(0, 1)
        assert torch.allclose(one.boxes[0], fractions * image.shape[-1])
        assert torch.equal(truth.boxes, target["boxes"].as_subclass(torch.Tensor))
        assert type(truth.boxes) is torch.Tensor
        assert torch.equal(truth.labels, target["labels"])
        assert torch.equal(truth.difficult, target["difficult"])


def test_a_ground_truth_is_a_copy():
    _, target = Scenes(1, size=64)[0]
    ground_truth(target).boxes.zero_()
    assert target["boxes"].max() > 0


def test_variances_are_those_of_the_networks_priors(certain, monkeypatch):
    """Half the variance, half the way from the prior."""
    moves = torch.full((1, 8732, 4), 2.0)
    still = Certain.forward
    monkeypatch.setattr(Certain, "forward", lambda self, x: (still(self, x)[0], moves))
    usual = detect(certain, pictures((300, 300)))[0].boxes[0]
    priors = certain.config.priors.vary(name="other variances", variances=(0.05, 0.05, 0.1, 0.1))
    certain.config = replace(certain.config, priors=priors)
    halved = detect(certain, pictures((300, 300)))[0].boxes[0]
    cx, cy, w, h = (certain.priors[PRIOR] * 300).tolist()
    for box, share in ((usual, 1.0), (halved, 0.5)):
        size = torch.tensor([w, h]) * torch.tensor(0.4 * share).exp()
        centre = torch.tensor([cx + 0.2 * share * w, cy + 0.2 * share * h])
        expected = torch.cat([centre - size / 2, centre + size / 2]).clamp(0, 300)
        torch.testing.assert_close(box, expected)


# --- detectors from files ------------------------------------------------------------------------

CLASSES = ("ant", "bee", "cow")


@pytest.fixture(scope="module")
def files(network, tmp_path_factory):
    """Return the same detector as weights, as raw ONNX, and with its post-processing inside."""
    folder = tmp_path_factory.mktemp("detectors")
    save_weights(folder / "w.safetensors", network, CLASSES, {"samples": 7})
    detector = Detector(network, CLASSES, {"samples": 7})
    export_onnx(detector, folder / "raw.onnx")
    export_onnx(detector, folder / "whole.onnx", postprocessing=True, score_threshold=0.2)
    return folder


@pytest.mark.parametrize("name", ["w.safetensors", "raw.onnx", "whole.onnx"])
def test_each_file_is_the_same_detector(files, network, name):
    detector = load_detector(files / name)
    assert detector.classes == CLASSES
    assert detector.metadata == {"samples": 7}
    assert detector.network.config == SLIM300
    assert detector.network.image_size == 300
    assert not detector.network.state_dict() if name.endswith("onnx") else True
    images = pictures((120, 80), (300, 300), (50, 333))
    expected = detect(network, images, score_threshold=0.25)
    assert all(len(one.scores) > 5 for one in expected)
    for one, other in zip(
        detect(detector.network, images, score_threshold=0.25), expected, strict=True
    ):
        assert close(one, other)


def test_a_dataset_is_detected_on_from_onnx(files, network):
    scenes = [Scenes(1, size=size, start=size)[0] for size in (64, 90, 70)]
    expected, _ = detect_dataset(network, scenes, batch_size=2, progress=False)
    found, truths = detect_dataset(
        load_detector(files / "raw.onnx").network, scenes, batch_size=2, progress=False
    )
    assert len(truths) == 3
    assert all(close(one, other) for one, other in zip(found, expected, strict=True))


def test_limits_in_the_file_can_only_be_narrowed(files):
    network = load_detector(files / "whole.onnx").network
    image = pictures((100, 100))
    everything = detect(network, image)[0]
    assert everything.scores.min() > 0.2
    tenth = float(everything.scores[9])
    fewer = detect(network, image, score_threshold=tenth, iou_threshold=0.45)[0]
    assert torch.equal(fewer.scores, everything.scores[everything.scores > tenth])
    assert len(fewer.scores) < 10
    for limits in ({"score_threshold": 0.1}, {"iou_threshold": 0.5}, {"detections_per_image": 3}):
        with pytest.raises(ValueError, match="only the score threshold can be raised|inside, with"):
            detect(network, image, **limits)
    with pytest.raises(ValueError, match=r"whole\.onnx outputs detections, not scores of priors"):
        network(torch.zeros(1, 3, 300, 300, dtype=torch.uint8))


def test_limits_of_raw_onnx_are_free(files):
    network = load_detector(files / "raw.onnx").network
    assert len(detect(network, pictures((100, 100)), detections_per_image=3)[0].scores) == 3


@pytest.mark.parametrize(
    "images", [torch.zeros(1, 3, 300, 300), torch.zeros(1, 3, 200, 300, dtype=torch.uint8)]
)
def test_onnx_takes_bytes_of_its_size(files, images):
    with pytest.raises(ValueError, match=r"images must be uint8 \[B, 3, 300, 300\], not"):
        load_detector(files / "raw.onnx").network(images)


def test_coco_names_torchvisions_detector(monkeypatch):
    made = Detector(SSD(COCO_MODEL, 81).eval(), pretrained.COCO_CLASSES, {})
    monkeypatch.setattr(inference, "load_coco", lambda: made)
    assert load_detector("coco") is made


def test_files_that_are_not_detectors_are_refused(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no ONNX file at .*none.onnx"):
        load_detector(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError, match="there is no file of weights at"):
        load_detector(tmp_path / "none.safetensors")
    (tmp_path / "noise.onnx").write_bytes(b"no model in here")
    with pytest.raises(
        ValueError, match=r"noise\.onnx is not an ONNX file that onnxruntime can open"
    ):
        load_detector(tmp_path / "noise.onnx")
    content = (files / "raw.onnx").read_bytes()
    (tmp_path / "half.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"half\.onnx is not an ONNX file"):
        load_detector(tmp_path / "half.onnx")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ssd_tutorial.format": None}, "has ssd_tutorial.format None, not 1"),
        ({"ssd_tutorial.format": "2"}, "has ssd_tutorial.format 2, not 1"),
        ({"priors": "mine"}, r"metadata that cannot be used: no preset is called 'mine'"),
        ({"classes": "[3"}, "metadata that cannot be used"),
        ({"classes": None}, "metadata that cannot be used: classes"),
    ],
)
def test_foreign_onnx_files_are_refused(files, tmp_path, change, message):
    model = onnx.load(files / "raw.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props} | change
    del model.metadata_props[:]
    for key, value in metadata.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=message):
        load_detector(tmp_path / "b.onnx")


def test_onnxruntime_is_needed_for_onnx_alone(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match="onnxruntime"):
        load_detector(files / "raw.onnx")
    load_detector(files / "w.safetensors")


def test_a_gpu_that_onnxruntime_does_not_know_is_reported(files, monkeypatch):
    import onnxruntime

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.warns(UserWarning, match="runs on the CPU only: for the GPU, install"):
        session = onnx_file._open_session(files / "raw.onnx", "cuda")
    assert session.get_providers() == ["CPUExecutionProvider"]


def test_onnx_follows_the_device_of_its_priors(files, monkeypatch):
    asked = []
    open_session = onnx_file._open_session

    def opening(path, device):
        asked.append(device)
        return open_session(path, "cpu")

    monkeypatch.setattr(onnx_file, "_open_session", opening)
    network = OnnxNetwork(files / "raw.onnx")
    network._session("cuda")
    network._session("cuda")
    assert asked == ["cpu", "cuda"]
    assert json.loads(json.dumps(network.metadata)) == {"samples": 7}
