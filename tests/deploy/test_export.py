"""A detector gives the same results in ONNX as in torch, raw or with post-processing inside."""

import hashlib
import inspect
import json
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from ssd_book import onnx_example

from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import decode
from ssd_tutorial.cli.detect_command import detect_command
from ssd_tutorial.cli.export_command import export_command
from ssd_tutorial.datasets import Scenes, read_picture
from ssd_tutorial.deploy import agreement, onnx_file
from ssd_tutorial.deploy.inference import detect, load_detector
from ssd_tutorial.deploy.onnx_file import export_onnx
from ssd_tutorial.deploy.precision import reduce_precision
from ssd_tutorial.detect import Detections, postprocess
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import SLIM300, SSD300
from ssd_tutorial.weights.file import Detector, load_weights, save_weights
from tests import needs

PHOTOGRAPHS = sorted(data_path("photographs/JPEGImages").iterdir())


def pictures(count, seed=0):
    """Return noise and a photograph, as the file accepts them."""
    chance = torch.Generator().manual_seed(seed)
    images = torch.randint(0, 256, (count, 3, 300, 300), dtype=torch.uint8, generator=chance)
    photograph = read_picture(PHOTOGRAPHS[0])
    images[0] = torch.nn.functional.interpolate(photograph[None].float(), (300, 300))[0]
    return images


def run(path, images):
    """Return the file's outputs by name, from onnxruntime alone."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"images": images.numpy()}), strict=True))


def by_picture(out, count):
    """Return each picture's detections by a file with the post-processing inside."""
    image = torch.from_numpy(out["image"])
    assert (image.diff() >= 0).all(), "picture by picture"
    fields = [torch.from_numpy(out[name]) for name in ("boxes", "scores", "labels")]
    return [Detections(*(x[image == i] for x in fields)) for i in range(count)]


class Table(SSD):
    """No convolutions: scores and offsets from a table, moved by the picture's brightness.

    Boxes are crowded and scores vary widely, so that every limit takes effect.
    """

    def __init__(self, num_classes=4, spread=1.5):
        super().__init__(SLIM300, num_classes)
        chance = torch.Generator().manual_seed(1)
        draw = torch.randn(2, 8732, num_classes, generator=chance)
        self.register_buffer("table", spread * draw, persistent=False)
        self.register_buffer("moves", torch.randn(8732, 4, generator=chance), persistent=False)

    def forward(self, images):
        light = images.float().mean(dim=(1, 2, 3))[:, None, None] / 255  # [B, 1, 1]
        logits = self.table[0] + light * self.table[1]
        return logits - 60 * (light > 0.99), self.moves * (1 + light)


def grey(*shades):
    return torch.stack([torch.full((3, 300, 300), s, dtype=torch.uint8) for s in shades])


def table_detector(**options):
    network = Table(**options).eval()
    names = tuple(f"class {i}" for i in range(1, network.num_classes))
    return Detector(network, names, {"why": "test"})


@pytest.fixture(scope="module", autouse=True)
def converted_once():
    """Let torch convert the same network with the same limits once: it takes seconds each time."""
    known, convert = {}, onnx_file._to_model

    def to_model(detector, limits):
        network, content = detector.network, hashlib.sha256()
        for name, values in [*network.named_parameters(), *network.named_buffers()]:
            content.update(f"{name} {values.dtype} {list(values.shape)}".encode())
            content.update(values.detach().numpy().tobytes())
        texts = json.dumps([limits, detector.classes, detector.metadata], sort_keys=True)
        key = (type(network), network.config, network.training, texts, content.hexdigest())
        if key not in known:
            known[key] = convert(detector, limits)
        model = onnx.ModelProto()
        model.CopyFrom(known[key])
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_file, "_to_model", to_model)
        yield


@pytest.fixture(scope="module")
def scenes():
    return load_weights(data_path("weights/scenes_slim300.safetensors"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("onnx")


@pytest.fixture(scope="module")
def raw(scenes, folder):
    export_onnx(scenes, folder / "raw.onnx")
    return folder / "raw.onnx"


@pytest.fixture(scope="module")
def whole(scenes, folder):
    export_onnx(scenes, folder / "whole.onnx", postprocessing=True)
    return folder / "whole.onnx"


# --- what the file says of itself ----------------------------------------------------------------


def test_the_export_is_one_file_with_its_metadata(raw, scenes, folder):
    model = onnx.load(raw, load_external_data=False)
    onnx.checker.check_model(model, full_check=True)
    assert not [x for x in model.graph.initializer if x.external_data]
    assert {path.suffix for path in folder.iterdir()} == {".onnx"}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["ssd_tutorial.format"] == "1"
    assert metadata["model"] == "slim300"
    assert metadata["priors"] == "caffe300_voc"
    assert metadata["image_size"] == "300"
    assert json.loads(metadata["variances"]) == [0.1, 0.1, 0.2, 0.2]
    assert tuple(json.loads(metadata["classes"])) == scenes.classes
    assert json.loads(metadata["facts"]) == scenes.metadata
    assert metadata["limits"] == "null"
    assert "before softmax" in model.doc_string
    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 18)]


def shapes(values):
    return {
        v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values
    }


def test_no_path_of_the_machine_is_in_a_file(raw, whole):
    for file in (raw, whole):
        content = file.read_bytes()
        for there in (Path(torch.__file__).parents[1], Path(onnx_file.__file__).parents[2]):
            assert str(there).encode() not in content


def test_inputs_and_outputs_are_as_documented(raw, whole):
    graph = onnx.load(raw).graph
    assert shapes(graph.input) == {"images": ["batch", 3, 300, 300]}
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert shapes(graph.output) == {
        "logits": ["batch", 8732, 13],
        "offsets": ["batch", 8732, 4],
        "priors": [8732, 4],
    }
    model = onnx.load(whole)
    onnx.checker.check_model(model, full_check=True)
    assert shapes(model.graph.input) == {"images": ["batch", 3, 300, 300]}
    assert shapes(model.graph.output) == {
        "boxes": ["detections", 4],
        "scores": ["detections"],
        "labels": ["detections"],
        "image": ["detections"],
    }
    types = {o.name: o.type.tensor_type.elem_type for o in model.graph.output}
    float_, int_ = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    assert types == {"boxes": float_, "scores": float_, "labels": int_, "image": int_}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["limits"]) == {
        "score_threshold": 0.01,
        "iou_threshold": 0.45,
        "candidates_per_class": 400,
        "detections_per_image": 200,
    }


# --- the same results ----------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 5])
@torch.no_grad()
def test_raw_outputs_agree_with_torch(raw, scenes, batch):
    images = pictures(batch)
    out = run(raw, images)
    logits, offsets = scenes.network(images)
    assert logits.std() > 1, "outputs that are all alike would compare nothing"
    torch.testing.assert_close(torch.from_numpy(out["logits"]), logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.from_numpy(out["offsets"]), offsets, atol=1e-4, rtol=1e-4)
    assert torch.equal(torch.from_numpy(out["priors"]), scenes.network.priors)


@pytest.mark.parametrize("batch", [1, 2, 5])
@torch.no_grad()
def test_detections_agree_with_torch(whole, scenes, batch):
    images = pictures(batch)
    expected = postprocess(*scenes.network(images), scenes.network.priors)
    for one, other in zip(by_picture(run(whole, images), batch), expected, strict=True):
        assert len(other.scores) > 20
        compared = agreement._compare_detections(other, one)
        assert compared[3] - compared[2] <= 2, "rounding decides once in a while"
        assert (one.scores.diff() <= 0).all(), "best first"


LIMITS = [
    {},
    {"score_threshold": 0.4},
    {"iou_threshold": 0.1},
    {"candidates_per_class": 7},
    {"candidates_per_class": 9000, "score_threshold": 0.9},
    {"score_threshold": 0.0, "iou_threshold": 1.0, "detections_per_image": 1000},
    {"score_threshold": 0.3, "iou_threshold": 0.2, "candidates_per_class": 90,
     "detections_per_image": 11},
]  # fmt: skip


@pytest.mark.parametrize("limits", LIMITS, ids=lambda limits: ",".join(limits) or "usual")
@torch.no_grad()
def test_each_limit_is_kept(tmp_path, limits):
    """Without convolutions both compute the same numbers: not one detection may differ."""
    detector = table_detector()
    path = tmp_path / "table.onnx"
    export_onnx(detector, path, postprocessing=True, **limits)
    images = grey(0, 90, 200)
    expected = postprocess(*detector.network(images), detector.network.priors, **limits)
    for one, other in zip(by_picture(run(path, images), 3), expected, strict=True):
        assert len(one.scores) == len(other.scores) > 0
        torch.testing.assert_close(one.scores, other.scores, atol=1e-6, rtol=1e-5)
        *_, same, of = agreement._compare_detections(other, one)  # equal scores in any order
        assert same == of


def blind_detector():
    """Return one that takes every prior of every picture for background."""
    detector = table_detector(num_classes=2)
    detector.network.table[..., 0] += 40
    return detector


def test_a_picture_without_detections_gives_empty_outputs(tmp_path):
    detector = blind_detector()
    export_onnx(detector, tmp_path / "a.onnx", postprocessing=True)
    out = run(tmp_path / "a.onnx", grey(0, 10))
    assert {name: x.shape for name, x in out.items()} == {
        "boxes": (0, 4), "scores": (0,), "labels": (0,), "image": (0,),
    }  # fmt: skip
    onnx_detector = load_detector(tmp_path / "a.onnx")
    found = detect(onnx_detector.network, list(grey(0, 10)))
    assert [one.boxes.shape for one in found] == [(0, 4), (0, 4)]


def test_export_does_not_change_the_network(tmp_path):
    detector = table_detector()
    detector.network.train()
    export_onnx(detector, tmp_path / "a.onnx")
    assert detector.network.training


@pytest.mark.slow
@pytest.mark.timeout(900)
@torch.no_grad()
def test_ssd300_is_exported_and_agrees_with_torch(tmp_path):
    """Random weights with widely spread outputs: 21 classes, 105 MB, one file."""
    network = SSD(SSD300, 21).eval()
    for x in network.parameters():
        if x.ndim == 4:
            torch.nn.init.kaiming_normal_(x)
    images = pictures(2)
    spread = network(images)[0].std()
    for head in network.class_heads:
        head.weight.mul_(3 / spread)
    for head in network.offset_heads:
        head.weight.mul_(1 / network(images)[1].std().clamp(min=1))
    detector = Detector(network, tuple(map(str, range(20))), {})
    found = export_onnx(detector, tmp_path / "ssd300.onnx", check=[images, pictures(1)])
    print(found)
    assert found.of == 3 * 8732
    assert found.same == found.of
    size = (tmp_path / "ssd300.onnx").stat().st_size
    parameters = sum(p.numel() for p in network.parameters())
    assert 4 * parameters < size < 4.1 * parameters
    assert [path.name for path in tmp_path.iterdir()] == ["ssd300.onnx"]


# --- the check before the file is kept -----------------------------------------------------------


@pytest.mark.parametrize("postprocessing", [False, True])
def test_a_file_that_differs_is_not_kept(tmp_path, monkeypatch, postprocessing):
    """The exporter's result is that of other weights; the file from before stays."""
    path = tmp_path / "a.onnx"
    path.write_bytes(b"the file before")
    other, make = table_detector(), onnx_file._to_model
    monkeypatch.setattr(onnx_file, "_to_model", lambda detector, *rest: make(other, *rest))
    with pytest.raises(ValueError, match=r"a\.onnx was not written: .*largest difference of a sco"):
        export_onnx(
            table_detector(spread=1.4), path, postprocessing=postprocessing, check=[grey(3, 90)]
        )
    assert path.read_bytes() == b"the file before"
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_agreement_counts_what_only_one_has():
    boxes = torch.rand(3, 4)
    one = Detections(boxes, torch.tensor([0.9, 0.8, 0.7]), torch.tensor([1, 2, 3]))
    compare = agreement._compare_detections
    assert compare(one, one) == (0, 0, 3, 3)
    fewer = Detections(*(x[:2] for x in one))
    assert compare(one, fewer)[2:] == compare(fewer, one)[2:] == (2, 3)
    renamed = one._replace(labels=torch.tensor([1, 2, 1]))
    assert compare(one, renamed)[2:] == (2, 3)
    near = one._replace(boxes=boxes + 5e-5, scores=one.scores - 2e-5)
    score, box, same, of = compare(one, near)
    assert (same, of) == (3, 3)
    assert score == pytest.approx(2e-5, abs=1e-7)
    assert box == pytest.approx(5e-5, abs=1e-7)
    none = Detections(*(x[:0] for x in one))
    assert compare(one, none) == (0, 0, 0, 3)
    assert compare(none, none) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("facts", "holds"),
    [
        ((1e-5, 1e-5, 100, 100), True),
        ((1e-5, 1e-5, 99, 100), True),
        ((1e-5, 1e-5, 98, 100), False),
        ((2e-4, 0.0, 100, 100), False),
        ((0.0, 2e-4, 100, 100), False),
        ((float("nan"), 0.0, 0, 100), False),
        ((0.0, 0.0, 0, 0), False),
        ((9e-2, 0.3, 95, 100, agreement.TOLERANCES["int8"]), True),
        ((9e-2, 0.3, 94, 100, agreement.TOLERANCES["int8"]), False),
    ],
)
def test_agreement_depends_on_the_differences_allowed(facts, holds):
    assert agreement.Agreement(*facts).holds is holds


def test_comparing_nothing_is_no_success(tmp_path):
    (tmp_path / "a.onnx").write_bytes(b"the file before")
    words = (
        r"a\.onnx was not written: nothing was detected on the pictures, so nothing could be comp"
    )
    with pytest.raises(ValueError, match=words):
        export_onnx(blind_detector(), tmp_path / "a.onnx", postprocessing=True, check=[grey(3, 90)])
    assert (tmp_path / "a.onnx").read_bytes() == b"the file before"


# --- fewer bits ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "share", "score"),
    [("fp16", 0.55, 2e-3), pytest.param("int8", 0.35, 0.1, marks=needs.signed_int8)],
)
def test_fewer_bits_are_a_smaller_file_with_nearly_the_same_detections(
    scenes, whole, tmp_path, precision, share, score
):
    path = tmp_path / "small.onnx"
    onnx.save(reduce_precision(onnx.load(whole), precision), path)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    assert path.stat().st_size < share * whole.stat().st_size
    small, tolerance = load_detector(path), agreement.TOLERANCES[precision]
    found = agreement.measure_agreement(scenes, small.network, [pictures(2)], tolerance)
    assert found.holds
    assert found.of > 100
    image = Scenes(1, size=300, start=1_000_000)[0][0]
    one, other = (detect(detector, image, score_threshold=0.5)[0] for detector in (small, scenes))
    assert one.labels.tolist() == other.labels.tolist() != []
    assert torch.allclose(one.scores, other.scores, atol=score)
    assert (one.boxes - other.boxes).abs().max() < 3
    assert not torch.equal(one.scores, other.scores)


def test_precision_is_exported_checked_and_named(tmp_path):
    path = tmp_path / "half.onnx"
    found = export_onnx(
        table_detector(), path, postprocessing=True, precision="fp16", check=[grey(5)]
    )
    assert found.tolerance == agreement.TOLERANCES["fp16"]
    metadata = {entry.key: entry.value for entry in onnx.load(path).metadata_props}
    assert metadata["precision"] == "fp16"


def test_an_unknown_precision_is_refused(tmp_path):
    with pytest.raises(ValueError, match="precision must be fp32, fp16 or int8, not 'int4'"):
        export_onnx(table_detector(), tmp_path / "a.onnx", precision="int4")


# --- without this package ------------------------------------------------------------------------


@pytest.mark.parametrize("turned", [False, True])
def test_example_finds_the_package_s_boxes_without_the_package(scenes, whole, tmp_path, turned):
    """Run from a copy, in a process that may import neither torch nor ssd_tutorial."""
    image = Scenes(1, size=420, start=1_000_003)[0][0][:, :300]
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    exif = Image.Exif()
    exif[0x0112] = 6 if turned else 1  # stored lying on its side
    path = tmp_path / "photo.png"
    (picture.rotate(90, expand=True) if turned else picture).save(path, exif=exif)
    shutil.copy(onnx_example.__file__, tmp_path / "example.py")
    program = (
        "import sys\nsys.modules['torch'] = sys.modules['ssd_tutorial'] = None\n"
        "import json, example\nprint(json.dumps(example.detect(*sys.argv[1:])))"
    )
    command = [sys.executable, "-c", program, str(whole), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    found = json.loads(done.stdout)
    (expected,) = detect(scenes, path, score_threshold=0.5)
    assert [name for name, _, _ in found] == scenes.names(expected.labels) != []
    assert [score for _, score, _ in found] == pytest.approx(expected.scores.tolist(), abs=0.01)
    boxes = torch.tensor([box for _, _, box in found])
    torch.testing.assert_close(boxes, expected.boxes, atol=0.5, rtol=0)


def test_example_is_twelve_lines_and_a_program(whole, tmp_path, capsys, monkeypatch):
    assert len(inspect.getsource(onnx_example.detect).split('"""')[2].strip().splitlines()) <= 12
    image = Scenes(1, size=300, start=1_000_000)[0][0]
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(tmp_path / "scene.png")
    monkeypatch.setattr(sys, "argv", ["onnx_example.py", str(whole), str(tmp_path / "scene.png")])
    runpy.run_path(onnx_example.__file__, run_name="__main__")
    assert re.match(r"\('\w+', [01]\.\d+, \[", capsys.readouterr().out)


# --- mistakes ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"score_threshold": 0.5}, "score_threshold: limits belong to the post-processing"),
        (
            {"postprocessing": True, "iou_threshold": 1.5},
            "must be in \\[0, 1\\], not 1.5",
        ),
        (
            {"postprocessing": True, "detections_per_image": 0},
            "_image must be a whole number from 1",
        ),
    ],
)
def test_impossible_options_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        export_onnx(table_detector(), tmp_path / "a.onnx", **options)
    with pytest.raises(TypeError, match="no limit best; there are score_threshold, iou"):
        export_onnx(table_detector(), tmp_path / "a.onnx", postprocessing=True, best=3)
    assert not list(tmp_path.iterdir())


def test_onnx_is_not_exported_again(tmp_path, raw):
    with pytest.raises(ValueError, match="is an ONNX file: export the weights it was made from"):
        export_onnx(load_detector(raw), tmp_path / "a.onnx")


def test_only_arguments_that_torch_knows_are_passed():
    assert {"dynamo", "external_data", "dynamic_shapes", "custom_translation_table"} <= set(
        inspect.signature(torch.onnx.export).parameters
    )


# --- the commands --------------------------------------------------------------------------------


@pytest.fixture
def weights(tmp_path):
    detector = load_weights(data_path("weights/scenes_slim300.safetensors"))
    save_weights(tmp_path / "w.safetensors", detector.network, detector.classes, detector.metadata)
    return tmp_path / "w.safetensors"


@pytest.mark.parametrize("postprocessing", [False, True])
def test_export_command_and_detect_on_its_file(weights, tmp_path, capsys, postprocessing):
    export_command(weights, postprocessing=postprocessing)
    out = capsys.readouterr().out
    assert "slim300, 12 classes, fp32, " + ("with its" if postprocessing else "raw") in out
    assert "against torch, batches of 1, 2, 5: largest difference of a score" in out
    assert (tmp_path / "w.onnx").is_file()
    for file in ("w.safetensors", "w.onnx"):
        detect_command((PHOTOGRAPHS[0],), tmp_path / file, out=tmp_path / "found", score=("0.1",))
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert "nothing" not in first


def test_export_command_without_check_says_so(weights, tmp_path, capsys):
    export_command(weights, tmp_path / "b.onnx", check=False)
    assert "not compared with torch" in capsys.readouterr().out


def test_mistakes_at_the_command_line_say_what_to_do(weights, raw, tmp_path):
    with pytest.raises(ValueError, match=r"--out must end in \.onnx"):
        export_command(weights, tmp_path / "b.pt")
    with pytest.raises(ValueError, match="limits belong to the post-processing: ask for it, too"):
        export_command(weights, score=0.3)
    with pytest.raises(FileNotFoundError, match="there is no file of weights at"):
        export_command(tmp_path / "none.safetensors")
    with pytest.raises(ValueError, match="is an ONNX file"):
        export_command(raw, tmp_path / "c.onnx")


def test_a_file_can_be_used_without_this_package(raw):
    """A reader without this package: logits, offsets and priors of the file, nothing else."""
    images = pictures(1)
    out = {name: torch.from_numpy(x) for name, x in run(raw, images).items()}
    best = out["logits"][0].softmax(-1)[:, 1:].amax(-1).argmax()
    box = decode(out["offsets"][0, best], out["priors"][best]).clamp(0, 1)
    found = detect(load_detector(raw).network, list(images))[0]
    torch.testing.assert_close(found.boxes[0] / 300, box)
