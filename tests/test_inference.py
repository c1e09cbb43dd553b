"""Detection on pictures of any size: pixels of each picture, whatever else is in the batch."""

import pytest
import torch
from torchvision import tv_tensors

from ssd_tutorial import inference
from ssd_tutorial.boxes import cxcywh_to_xyxy
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.detect import postprocess
from ssd_tutorial.inference import detect, detect_dataset, ground_truth
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300

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
    """Sees class 2 in one prior, whatever the picture shows."""

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


def test_company_in_the_batch_changes_nothing(network):
    images = pictures((120, 80), (300, 300), (50, 333))
    together = detect(network, images)
    assert all(len(one.scores) > 20 for one in together)
    for image, one in zip(images, together, strict=True):
        assert close(detect(network, [image])[0], one)
    for image, one in zip(reversed(images), detect(network, images[::-1]), strict=True):
        assert close(detect(network, [image])[0], one)


def test_it_is_network_and_postprocessing(network):
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


def test_no_pictures_no_detections(network):
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
