"""Detection on pictures of any size: pixels of each picture, whatever else is in the batch."""

import json
import re
import shutil
import sys
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from PIL import Image
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
from ssd_tutorial.deploy.inputs import as_image
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, export_onnx
from ssd_tutorial.detect import postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300
from ssd_tutorial.weights import pretrained
from ssd_tutorial.weights.file import Detector, save_weights
from ssd_tutorial.weights.pretrained import COCO_MODEL

PRIOR = 8000
CLASSES = ("ant", "bee", "cow")


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


def forms(image):
    """The same picture in every form in which a program may hold it."""
    array = image.permute(1, 2, 0).numpy()
    return {
        "tensor": image,
        "tv_tensor": tv_tensors.Image(image),
        "floats": image.float() / 255,
        "half": (image.double() / 255).numpy().transpose(1, 2, 0).astype("float16"),
        "array": array,
        "mirrored view": array[:, ::-1][:, ::-1],
        "PIL": Image.fromarray(array),
        "RGBA": Image.fromarray(array).convert("RGBA"),
    }


@pytest.mark.parametrize("form", forms(torch.zeros(3, 1, 1, dtype=torch.uint8)))
def test_each_form_of_a_picture_is_the_same_picture(form):
    (image,) = pictures((40, 60))
    assert torch.equal(as_image(forms(image)[form]), image)


def test_files_and_a_single_picture_are_taken_too(certain, tmp_path):
    (image,) = pictures((40, 60))
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "a.png")
    expected = detect(certain, [image])[0]
    mixed = [str(tmp_path / "a.png"), tmp_path / "a.png", image, Image.open(tmp_path / "a.png")]
    for one in (*detect(certain, mixed), *detect(certain, image), *detect(certain, mixed[0])):
        assert close(one, expected)
    (one,) = detect(certain, Image.open(tmp_path / "a.png"))
    assert close(one, expected)
    assert len(detect(certain, torch.stack([image, image, image]))) == 3
    assert len(detect(certain, (mixed[0] for _ in range(2)))) == 2


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (torch.zeros(1, 50, 50, dtype=torch.uint8), "the shape [3, H, W], RGB, not [1, 50, 50]"),
        (torch.zeros(50, 50, 3, dtype=torch.uint8), "the shape [3, H, W], RGB, not [50, 50, 3]"),
        (np.zeros((3, 50, 50), np.uint8), "the shape [H, W, 3], RGB, not [3, 50, 50]"),
        (np.zeros((50, 50), np.uint8), "the shape [H, W, 3], RGB, not [50, 50]"),
        (torch.zeros(3, 0, 9, dtype=torch.uint8), "the shape [3, H, W], RGB, not [3, 0, 9]"),
        (torch.full((3, 9, 9), 200), "uint8 from 0 to 255, or floats from 0 to 1, not int64"),
        (np.zeros((9, 9, 3), np.uint16), "or floats from 0 to 1, not uint16"),
        (np.zeros((9, 9, 3), bool), "or floats from 0 to 1, not bool"),
        (np.full((9, 9, 3), 200.0), "from 0 to 1, and these from 200 to 200: divide by 255"),
        (torch.full((3, 9, 9), -0.1), "from 0 to 1, and these from -0.1 to -0.1"),
        (torch.full((3, 2, 2), torch.nan), "12 of its 12 values are NaN or infinite"),
        (torch.full((3, 2, 2), torch.inf), "12 of its 12 values are NaN or infinite"),
        (Image.new("F", (9, 9)), "must have 8 bits, not the mode 'F'"),
        (Image.new("I;16", (9, 9)), "must have 8 bits, not the mode 'I;16'"),
    ],
)
def test_what_is_no_picture_is_refused_with_its_place(certain, picture, words):
    with pytest.raises(ValueError, match=re.escape(words)) as caught:
        detect(certain, [*pictures((9, 9)), picture])
    assert str(caught.value).startswith("picture 1 of the list: ")


def test_what_cannot_be_a_picture_is_named_by_its_type(certain):
    with pytest.raises(TypeError, match="picture 0 of the list: .*or a tensor, not bytes"):
        detect(certain, [b"JFIF"])
    with pytest.raises(FileNotFoundError, match="there is no picture lost.jpg"):
        detect(certain, "lost.jpg")


def test_batches_change_nothing_but_the_memory(certain):
    images = pictures((30, 40), (50, 60), (70, 80))
    found = detect(certain, images, batch_size=2)
    assert len(certain.seen) == 1  # the last batch
    for one, other in zip(found, detect(certain, images), strict=True):
        assert close(one, other)
    assert len(certain.seen) == 3
    with pytest.raises(ValueError, match="batch_size must be 1 or more, not 0"):
        detect(certain, images, batch_size=0)


@pytest.mark.parametrize("limit", ["score_threshold", "iou_threshold"])
@pytest.mark.parametrize("value", [50, -0.1, float("nan"), "0.5"])
def test_a_threshold_is_a_number_from_0_to_1(certain, limit, value):
    with pytest.raises(ValueError, match=rf"{limit} must be in \[0, 1\], not"):
        detect(certain, pictures((9, 9)), **{limit: value})


@pytest.mark.parametrize("limit", ["candidates_per_class", "detections_per_image"])
@pytest.mark.parametrize("value", [0, -1, 1.5, float("nan")])
def test_a_count_is_a_whole_number_from_1(certain, limit, value):
    with pytest.raises(ValueError, match=f"{limit} must be a whole number from 1, not"):
        detect(certain, pictures((9, 9)), **{limit: value})


def test_a_class_can_have_a_threshold_of_its_own(network):
    detector = Detector(network, CLASSES, {})
    image, many = pictures((90, 70)), {"detections_per_image": 2000}
    everything = detect(network, image, **many)[0]
    assert set(everything.labels.tolist()) == {1, 2, 3}
    middle = float(everything.scores[everything.labels == 2].median())
    thresholds = {"ant": 0.01, "bee": middle, "cow": 1}
    found = detect(detector, image, score_threshold=thresholds, **many)[0]
    keep = (everything.labels == 1) | (everything.labels == 2) & (everything.scores > middle)
    assert 0 < keep.sum() < len(keep)
    assert torch.equal(found.scores, everything.scores[keep])
    assert torch.equal(found.labels, everything.labels[keep])
    assert set(detector.names(found.labels)) == {"ant", "bee"}


def test_thresholds_of_classes_that_do_not_fit_are_named(network):
    detector = Detector(network, CLASSES, {})
    image = pictures((9, 9))
    with pytest.raises(ValueError, match="must have a number for each class; see cow, dog"):
        detect(detector, image, score_threshold={"ant": 0.1, "bee": 0.1, "dog": 0.1})
    with pytest.raises(ValueError, match=r"score_threshold must be in \[0, 1\], not 7"):
        detect(detector, image, score_threshold={"ant": 0.1, "bee": 7, "cow": 0.1})
    with pytest.raises(TypeError, match="a network has no names of classes"):
        detect(network, image, score_threshold={"ant": 0.1})


@pytest.mark.parametrize("workers", [0, 1])
def test_a_dataset_is_detected_on_in_order(certain, monkeypatch, workers):
    sizes = []

    def recording(network, images, batch_size):
        sizes.append([image.shape[-1] for image in images])
        return detect(network, images, batch_size=batch_size)

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


def test_our_own_weights_have_names_and_a_path_goes_before_a_name(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "lighthouse" in load_detector("scenes").classes
    assert load_detector("bccd").classes == ("Platelets", "RBC", "WBC")
    shutil.copy(files / "w.safetensors", tmp_path / "scenes")
    assert load_detector("scenes").classes == CLASSES


def test_files_that_are_not_detectors_are_refused(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no ONNX file at .*none.onnx"):
        load_detector(tmp_path / "none.onnx")
    with pytest.raises(FileNotFoundError, match="there is no file of weights at"):
        load_detector(tmp_path / "none.safetensors")
    (tmp_path / "noise.onnx").write_bytes(b"no model in here")
    with pytest.raises(
        ValueError, match=r"noise\.onnx is not an ONNX file that onnxruntime [\d.]+ can open"
    ):
        load_detector(tmp_path / "noise.onnx")
    content = (files / "raw.onnx").read_bytes()
    (tmp_path / "text.onnx").write_bytes(content.replace(b"ssd_tutorial.format", b"\xa0" * 19))
    with pytest.raises(ValueError, match=r"text\.onnx is not an ONNX file"):
        load_detector(tmp_path / "text.onnx")
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
        ({"classes": None}, "metadata that cannot be used: it has no 'classes'"),
        ({"classes": "5"}, "metadata that cannot be used: its classes are 5"),
        ({"classes": "[]"}, "metadata that cannot be used: its classes are"),
        ({"classes": "[1, 2, 3]"}, "metadata that cannot be used: its classes are"),
        ({"facts": "null"}, "metadata that cannot be used: its facts are None"),
        ({"facts": "[" * 9999}, "metadata that cannot be used: .*nested too deeply"),
        ({"limits": "[]"}, "metadata that cannot be used: its limits are '\\[\\]'"),
        ({"limits": "5"}, "metadata that cannot be used: its limits are '5'"),
        ({"limits": "{}"}, "metadata that cannot be used: its limits are '{}'"),
        ({"limits": "9" * 200}, "its limits are '9+: they must name score_threshold, iou_"),
        ({"limits": '{"score_threshold": 7}'}, r"its limits are .*must be in \[0, 1\], not 7"),
        ({"ssd_tutorial.format": "- " * 3000}, "has ssd_tutorial.format [- ]{80}, not 1"),
        ({"limits": "null"}, "outputs boxes, scores, labels, image, not logits, offsets, priors"),
    ],
)
def test_foreign_onnx_files_are_refused(files, tmp_path, change, message):
    model = onnx.load(files / "whole.onnx")
    metadata = {entry.key: entry.value for entry in model.metadata_props} | change
    del model.metadata_props[:]
    for key, value in metadata.items():
        if value is not None:
            model.metadata_props.add(key=key, value=value)
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=message):
        load_detector(tmp_path / "b.onnx")


@pytest.mark.parametrize("change", ["type", "size"])
def test_a_file_with_another_input_is_refused(files, tmp_path, change):
    model = onnx.load(files / "raw.onnx")
    kind = model.graph.input[0].type.tensor_type
    if change == "type":
        kind.elem_type = onnx.TensorProto.INT8
    else:
        kind.shape.dim[2].dim_value = 512
    onnx.save(model, tmp_path / "b.onnx")
    with pytest.raises(ValueError, match=r"b\.onnx (takes|is not an ONNX file)"):
        load_detector(tmp_path / "b.onnx")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"labels": 0}, "the label 0, which must be 1 to 3"),
        ({"labels": 4}, "the label 4, which must be 1 to 3"),
        ({"labels": -1}, "the label -1, which must be 1 to 3"),
        ({"scores": 7.0}, "the score 7.0, which must be 0 to 1"),
        ({"scores": torch.nan}, "the score nan, which must be 0 to 1"),
        ({"boxes": torch.nan}, "the box nan, which must be 0 to 1"),
        ({"image": -1}, "the image -1, which must be 0 to 0"),
        ({"image": 3}, "the image 3, which must be 0 to 0"),
    ],
)
def test_detections_that_cannot_be_are_refused(files, monkeypatch, change, words):
    network = load_detector(files / "whole.onnx").network
    names, run = ("boxes", "scores", "labels", "image"), OnnxNetwork._run

    def changed(self, images):
        out = dict(zip(names, run(self, images), strict=True))
        for name, value in change.items():
            out[name][2] = value
        return list(out.values())

    monkeypatch.setattr(OnnxNetwork, "_run", changed)
    with pytest.raises(ValueError, match=f"whole.onnx outputs {words}: the file was changed"):
        detect(network, pictures((90, 90)))


@pytest.mark.parametrize(
    ("place", "change"),
    [
        (0, lambda boxes: boxes[:, :3]),
        (1, lambda scores: scores[:-1]),
        (1, lambda scores: scores[:, None]),
        (2, lambda labels: labels.double()),
        (3, lambda image: image.float()),
    ],
)
def test_detections_of_another_shape_or_type_are_refused(files, monkeypatch, place, change):
    network, run = load_detector(files / "whole.onnx").network, OnnxNetwork._run

    def changed(self, images):
        out = run(self, images)
        return [change(x) if i == place else x for i, x in enumerate(out)]

    monkeypatch.setattr(OnnxNetwork, "_run", changed)
    with pytest.raises(
        ValueError, match="outputs boxes, scores, labels and image as torch.float32"
    ):
        detect(network, pictures((90, 90)))


def test_detections_of_pictures_in_any_order_are_told_apart(files, monkeypatch):
    network, run = load_detector(files / "whole.onnx").network, OnnxNetwork._run
    images = pictures((90, 90), (80, 70))
    expected = detect(network, images)

    def backwards(self, images):
        *rest, image = run(self, images)
        order = torch.cat([(image == 1).nonzero()[:, 0], (image == 0).nonzero()[:, 0]])
        return [x[order] for x in (*rest, image)]

    monkeypatch.setattr(OnnxNetwork, "_run", backwards)
    for one, other in zip(detect(network, images), expected, strict=True):
        assert close(one, other)


def test_raw_outputs_that_cannot_be_are_refused(files, monkeypatch):
    network, run = load_detector(files / "raw.onnx").network, OnnxNetwork._run

    def with_nan(self, images):
        out = run(self, images)
        out[0][0, 5] = torch.nan
        return out

    with monkeypatch.context() as patch:
        patch.setattr(OnnxNetwork, "_run", with_nan)
        with pytest.raises(ValueError, match="raw.onnx outputs numbers that are NaN or infinite"):
            detect(network, pictures((90, 90)))
    monkeypatch.setattr(OnnxNetwork, "_run", lambda self, x: [y[:, :9] for y in run(self, x)])
    words = r"raw.onnx outputs logits \[1, 9, 4\] and offsets \[1, 9, 4\], not \[1, 8732, 4\]"
    with pytest.raises(ValueError, match=words):
        detect(network, pictures((90, 90)))


def test_what_onnxruntime_refuses_is_one_sentence(files, monkeypatch):
    network = load_detector(files / "raw.onnx").network

    class Session:
        def run(self, *_):
            raise RuntimeError("[ONNXRuntimeError] : 1 : FAIL\nmore")

    monkeypatch.setattr(network, "_session", lambda _: Session())
    with pytest.raises(
        ValueError, match=r"raw\.onnx cannot be run: .ONNXRuntimeError. : 1 : FAIL$"
    ):
        detect(network, pictures((90, 90)))


def test_a_run_folder_is_the_detector_that_it_trained(files, tmp_path):
    with pytest.raises(FileNotFoundError, match="has neither weights.safetensors nor checkpoint"):
        load_detector(tmp_path)
    shutil.copy(files / "w.safetensors", tmp_path / "weights.safetensors")
    assert load_detector(tmp_path).classes == CLASSES


def test_a_detector_is_moved_to_the_device_that_is_asked_for(files):
    assert load_detector(files / "w.safetensors").network.priors.device.type == "cpu"
    assert load_detector(files / "w.safetensors", "meta").network.priors.device.type == "meta"


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
