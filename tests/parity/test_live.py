"""The live page's detector agrees with Python's onnxruntime, on a sample of tests.parity.live."""

import functools

import pytest

from ssd_tutorial._files import data_path
from ssd_tutorial.deploy.inference import load_detector
from ssd_tutorial.deploy.onnx_file import OnnxNetwork, export_onnx
from ssd_tutorial.weights.file import load_weights
from tests import needs
from tests.parity import live

pytestmark = pytest.mark.slow

PICTURES = 12
MEASURED = 40  # pictures, for the mAP


@functools.cache
def sample():
    """Return some scenes, their targets, and what Python finds in them."""
    images, targets = live.scenes(MEASURED)
    return images, targets, live.ask_python(images, OnnxNetwork(live.MODEL))


@pytest.fixture(scope="module", autouse=True)
def _runtime():
    if not live.RUNTIME.is_dir():
        pytest.fail("there is no onnxruntime-web: run `make live-files`", pytrace=False)


def test_the_page_finds_what_python_finds():
    images, _, expected = sample()
    result = live.compare(live.ask_page(images[:PICTURES]), expected[:PICTURES])
    assert result["detections"] > 10 * PICTURES
    assert result["unexcused"] == 0
    assert max(result["score"], result["box"]) <= live.BOUND


SLIPS = {
    "red and blue": ("detector.js", "planes[i] = rgba[j];", "planes[i] = rgba[j + 2];"),
    "a row too far": ("detector.js", "i = 0, j = 0", "i = 0, j = 1200"),
    "variances": ("geometry.js", "offset * variances[i]", "offset * 0.1"),
    "clipping": ("geometry.js", "Math.min(Math.max(edge, 0), 1)", "edge"),
    "one NMS for all": ("geometry.js", "if (label && score", "if (label === 1 && score"),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_planted_slip_is_detected(slip):
    name, there, planted = SLIPS[slip]
    source = (live.PAGE[name] / name).read_text(encoding="utf-8")
    assert source.count(there) == 1
    images, _, expected = sample()
    changed = {name: source.replace(there, planted).encode()}
    result = live.compare(live.ask_page(images[:3], changed), expected[:3])
    assert result["unexcused"] > 0


def test_the_page_computes_the_loss_that_the_package_computes():
    images, targets, _ = sample()
    both = live.ask_loss(images[:PICTURES], targets[:PICTURES])
    assert sum(page["positives"] for page, _ in both) > 25 * PICTURES
    assert min(page["total"] for page, _ in both) > 0.1
    assert live.worst_loss(both) <= live.LOSS_BOUND


LOSS_SLIPS = {
    "variances": ("move / variances[i]", "move / 0.1"),
    "threshold": ("threshold = 0.5, rule", "threshold = 0.45, rule"),
    "two negatives per positive": ("ratio = 3 } = options", "ratio = 2 } = options"),
}


@pytest.mark.parametrize("slip", LOSS_SLIPS)
def test_a_slip_in_the_loss_is_detected(slip):
    there, planted = LOSS_SLIPS[slip]
    source = (live.PAGE["geometry.js"] / "geometry.js").read_text(encoding="utf-8")
    assert source.count(there) == 1
    images, targets, _ = sample()
    changed = {"geometry.js": source.replace(there, planted).encode()}
    both = live.ask_loss(images[:PICTURES], targets[:PICTURES], changed)
    assert live.worst_loss(both) > live.LOSS_BOUND


@needs.byte_resize
@pytest.mark.timeout(600)  # two networks, on a machine that may be busy
def test_on_photographs_of_any_size_it_finds_what_the_package_finds():
    images = live.photographs(most_cells=3)
    assert len(images) >= 20
    assert len({image.shape for image in images}) > 10
    network = OnnxNetwork(live.MODEL)
    seen = live.ask_page(images)
    result = live.compare(seen, live.ask_python(map(live.stretched, images), network))
    assert result["detections"] > 20 * len(images)
    assert result["differing"] == 0
    result = live.compare(seen, live.ask_package(images, network))
    assert result["unexcused"] <= live.STEPS * result["detections"]
    slip = (live.PAGE["resize.js"] / "resize.js").read_text().replace("Math.max(scale, 1)", "1")
    damaged = live.ask_page(images[:3], {"resize.js": slip.encode()})
    result = live.compare(damaged, live.ask_package(images[:3], network))
    assert result["unexcused"] > live.STEPS * result["detections"]


@needs.byte_resize
@pytest.mark.timeout(600)  # it exports first
def test_a_detector_of_the_readers_finds_what_the_package_finds(tmp_path):
    export_onnx(load_detector("bccd"), tmp_path / "cells.onnx")
    model = {"scenes.onnx": (tmp_path / "cells.onnx").read_bytes()}
    images = live.photographs()[-12:]
    ours = live.ask_package(images, OnnxNetwork(tmp_path / "cells.onnx"))
    result = live.compare(live.ask_page(images, model), ours)
    assert result["detections"] > 12
    assert result["unexcused"] <= live.STEPS * result["detections"]  # torch resizes otherwise


def test_eight_bits_cost_less_than_a_hundredth_of_map():
    images, targets, found = sample()
    network = load_weights(data_path(live.WEIGHTS)).network
    whole = live.mean_ap(live.ask_python(images, network), targets)
    assert whole > 0.9
    assert abs(live.mean_ap(found, targets) - whole) <= live.MAP_BOUND


def test_modules_that_fail_are_reported():
    images, _, _ = sample()
    with pytest.raises(RuntimeError, match="SyntaxError"):
        live.ask_page(images[:1], {"detector.js": b"export const = 1"})
