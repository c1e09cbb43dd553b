"""The benchmarks whose numbers the book quotes: they time what they say, and keep it."""

import json
from pathlib import Path

import pytest
import torch

from tests import needs

ROOT = Path(__file__).parents[1]


@pytest.fixture
def records(monkeypatch, tmp_path):
    """The benchmarks' modules, keeping their records in a folder of this test."""
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import curves, dataloading, growth, throughput

    modules = {"curves": curves, "dataloading": dataloading, "growth": growth}
    modules["throughput"] = throughput
    for module in modules.values():
        monkeypatch.setattr(module, "RUNS", tmp_path)
    return modules


def test_throughput_keeps_one_row_per_case(records, tmp_path, capsys):
    words = "--models slim300 --batches 1 2 --precisions fp32 --device cpu --seconds 0.001"
    words += " --threads 1 --clock processor --record here"
    assert records["throughput"].main(words.split()) == 0
    kept = json.loads((tmp_path / "here" / "result.json").read_text())
    cases = [(row["model"], row["batch"], row["kind"]) for row in kept["rows"]]
    assert cases == [("slim300", b, kind) for b in (1, 2) for kind in ("training", "forward")]
    assert all(0 < row["low"] <= row["median"] <= row["high"] for row in kept["rows"])
    assert kept["command"] == f"python -m benchmarks.throughput {words}"
    assert "slim300  fp32 batch   2 training" in capsys.readouterr().out


def test_the_table_keeps_the_clock_that_it_was_timed_by(monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import __main__ as table
    from benchmarks.steps import Step

    ticks = iter(range(1000))
    monkeypatch.setitem(table.CLOCKS, "processor", lambda: next(ticks))
    nothing = Step("nothing", lambda: None, lambda: None, lambda: None, aim=1)
    monkeypatch.setitem(table.STEPS, "nothing", lambda: nothing)
    words = [
        "nothing",
        "--seconds",
        "0",
        "--clock",
        "processor",
        "--json",
        str(tmp_path / "kept.json"),
    ]
    assert table.main(words) == 0
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["clock"] == "processor"
    # each call took one tick of this clock, which counts in seconds
    assert kept["milliseconds"][0] | {"rounds": 0} == {
        "step": "nothing",
        "ours": [1000] * 3,
        "theirs": [1000] * 3,
        "ratio": 1,
        "aim": 1,
        "rounds": 0,
    }


def test_an_interrupted_throughput_resumes(records, tmp_path, monkeypatch):
    words = "--models slim300 --batches 1 --precisions fp32 --device cpu --seconds 0.001"
    words += " --threads 1 --record here"
    timed, real = [], records["throughput"].images_per_second

    def measured(network, *args, training, **options):
        timed.append(training)
        if len(timed) == 2:
            raise KeyboardInterrupt
        return real(network, *args, training=training, **options)

    monkeypatch.setattr(records["throughput"], "images_per_second", measured)
    with pytest.raises(KeyboardInterrupt):
        records["throughput"].main(words.split())
    assert records["throughput"].main(words.split()) == 0
    assert timed == [True, False, False]  # the first row was not measured again
    assert len(json.loads((tmp_path / "here" / "result.json").read_text())["rows"]) == 2
    with pytest.raises(SystemExit, match="measurement of another kind or machine"):
        records["throughput"].main([*words.split(), "--clock", "processor"])


@pytest.mark.parametrize("words", ["--clock processor", "--clock processor --threads 2"])
def test_processor_time_of_several_threads_is_refused(records, words, capsys):
    with pytest.raises(SystemExit):
        records["throughput"].main(words.split())
    assert "--device cpu --threads 1" in capsys.readouterr().err


def test_loading_is_timed_step_by_step(records, tmp_path):
    words = "--files 2 --pictures 64 --workers 0 --clock processor --record here"
    assert records["dataloading"].main(words.split()) == 0
    kept = json.loads((tmp_path / "here" / "result.json").read_text())
    steps = kept["milliseconds_a_picture"]
    assert set(steps) == {  # in the order in which a picture first needs them
        "read and decode", "PhotometricDistort", "Expand", "IoUCrop", "pixels",
        "RandomInterpolationResize", "RandomHorizontalFlip", "all else",
    }  # fmt: skip
    assert all(milliseconds >= 0 for milliseconds in steps.values())  # some only draw numbers
    assert steps["pixels"] > 0
    # the same work, once taken apart and once as a whole
    whole = 1000 / kept["pictures_a_second_by_workers"]["0"]
    assert sum(steps.values()) == pytest.approx(whole, rel=0.5)


def test_the_pictures_have_the_size_of_voc(records):
    image, target = records["dataloading"].LikeVOC(1)[0]
    assert image.shape == (3, 375, 500)
    assert (target["boxes"][:, 2:] <= torch.tensor([500, 375])).all()


def test_too_few_pictures_to_time_are_refused(records, capsys):
    with pytest.raises(SystemExit):
        records["dataloading"].main(["--pictures", "64", "--workers", "0", "1", "2"])
    assert "must be 96 or more" in capsys.readouterr().err


def test_each_curve_is_kept_with_its_fault(records, tmp_path):
    assert records["curves"].main(["--samples", "64", "--pictures", "4", "--record", "here"]) == 0
    kept = json.loads((tmp_path / "here" / "result.json").read_text())
    assert kept["curves"]["learning rate too high"]["changes"] == {"lr": 0.1}
    assert "other pictures" in kept["curves"]["boxes of the next picture"]["fault"]
    files = {
        name: (tmp_path / "here" / f["file"]).read_text() for name, f in kept["curves"].items()
    }
    assert len(set(files.values())) == len(files) == 4
    assert all(text.splitlines()[-1].startswith("64,") for text in files.values())


def test_the_spoilt_dataset_gives_each_picture_the_next_ones_boxes(records):
    items = [("a", 1), ("b", 2), ("c", 3)]
    spoilt = records["curves"].boxes_of_the_next
    assert [spoilt(items, i) for i in range(3)] == [("a", 2), ("b", 3), ("c", 1)]


def test_ways_to_resize_differ_as_their_names_say(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import onnx_accuracy

    image = torch.randint(0, 256, (3, 90, 120), dtype=torch.uint8)
    usual, pil, without, nearest = (
        way(image, 30).float() for way in onnx_accuracy.RESIZES.values()
    )
    assert usual.shape == (3, 30, 30)
    assert (usual - pil).abs().max() <= 1
    assert usual.std() < 0.7 * without.std()  # of noise, antialias leaves the mean
    assert without.std() < nearest.std()
    assert set(nearest.flatten().tolist()) <= set(image.flatten().tolist())


@pytest.mark.slow
@needs.signed_int8
def test_accuracy_of_exported_files_is_kept(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import onnx_accuracy

    monkeypatch.setattr(onnx_accuracy, "RUNS", tmp_path)
    assert onnx_accuracy.main(["--pictures", "2", "--record", "here"]) == 0
    kept = json.loads((tmp_path / "here" / "result.json").read_text())
    assert [(row["resize"], row["precision"]) for row in kept["rows"]] == onnx_accuracy.VARIANTS
    sizes = [row["megabytes"] for row in kept["rows"]]
    assert sizes[0] == sizes[3] > sizes[4] > sizes[5]
    assert all(0 < row["map50_95"] <= row["map50"] <= 1 for row in kept["rows"])
    assert kept["map50"] == [kept["rows"][0]["map50"]]


def test_growth_is_recorded_and_drawn(records, tmp_path):
    words = "--batches 1 2 --objects 1 3 --pictures 2 4 --slow 2 --rounds 2 --record here"
    assert records["growth"].main(words.split()) == 0
    kept = json.loads((tmp_path / "here" / "result.json").read_text())
    objects = [1, 3, "ragged"]
    assert [(row["batch"], row["objects"]) for row in kept["loss"]] == [
        (batch, n) for batch in (1, 2) for n in objects
    ]
    for row in kept["loss"]:
        assert all(
            times == sorted(times) and times[0] > 0 for times in (row["ours"], row["torchvision"])
        )
        assert row["ratio"] == pytest.approx(row["torchvision"][1] / row["ours"][1], rel=0.01)
    assert [(row["batch"], row["objects"]) for row in kept["memory"]] == [(2, n) for n in objects]
    assert [set(row) - {"pictures"} for row in kept["ap"]] == [
        {"coco_ap", "voc_ap", "pycocotools", "torchmetrics"},
        {"coco_ap", "voc_ap"},
    ]
    assert kept["command"] == f"python -m benchmarks.growth {words}"
    assert (tmp_path / "here" / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_ragged_batches_are_uneven_and_have_one_full_image(records):
    counts = records["growth"].ragged(2000, torch.Generator().manual_seed(0))
    assert len(counts) == 2000
    assert counts[0] == max(counts) == 60
    assert min(counts) == 1
    assert 6.5 < sum(counts) / 2000 < 7.5


def test_all_evaluations_that_are_timed_agree(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks import evaluations

    for thresholds in ((0.5,), (0.5, 0.75)):
        values = {name: call() for name, call in evaluations.evaluations(20, thresholds).items()}
        voc = values.pop("voc_ap")  # at the first threshold, and another sum
        assert values == pytest.approx(dict.fromkeys(values, values["coco_ap"]), abs=1e-6)
        assert 0.1 < values["coco_ap"] < 0.9
        assert voc == pytest.approx(evaluations.evaluations(20)["voc_ap"]())
