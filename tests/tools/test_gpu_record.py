"""The record of a GPU: pieces that resume. `--dry-run` computes them all, tiny, by hand."""

import json
from types import SimpleNamespace

import gpu_record
import pytest


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Four pieces of two records, each of which notes that it ran."""
    ran = []

    def pieces(options):
        def piece(name):
            def work():
                ran.append(name)
                if name == "c" and ran.count("c") == 1:
                    raise gpu_record.Unfinished
                return {"value": len(ran)}

            return work

        return [(record, name, piece(name)) for record, name in ("xa", "xb", "yc", "yd")]

    monkeypatch.setattr(gpu_record, "pieces", pieces)
    monkeypatch.setattr(gpu_record.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu_record, "hardware", lambda options: "a GPU")
    monkeypatch.setattr(gpu_record, "environment", dict)
    return ran, ["--records", str(tmp_path)]


def test_pieces_are_kept_and_not_computed_again(told, tmp_path):
    ran, words = told
    assert gpu_record.main(words) == 3  # c is not finished
    assert ran == ["a", "b", "c"]
    assert gpu_record.main(words) == 0
    assert ran == ["a", "b", "c", "c", "d"]
    assert gpu_record.main(words) == 0
    assert ran == ["a", "b", "c", "c", "d"]
    record = json.loads((tmp_path / "x" / "result.json").read_text())
    assert record["pieces"] == {"a": {"value": 1}, "b": {"value": 2}}
    assert record["hardware"] == "a GPU"


def test_no_piece_begins_after_the_time(told, monkeypatch):
    ran, words = told
    clock = iter([0.0, 100.0, 600.0])
    monkeypatch.setattr(gpu_record, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert gpu_record.main([*words, "--minutes", "9"]) == 3
    assert ran == ["a"]


def test_another_gpu_is_not_mixed_in(told, monkeypatch):
    _, words = told
    gpu_record.main(words)
    monkeypatch.setattr(gpu_record, "hardware", lambda options: "another GPU")
    with pytest.raises(SystemExit, match="was made on a GPU, torch .*: remove it"):
        gpu_record.main(words)


def test_without_a_gpu_only_the_dry_run_starts(monkeypatch):
    monkeypatch.setattr(gpu_record.torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit, match="no GPU .*--dry-run"):
        gpu_record.main([])


def test_all_that_is_asked_for_is_a_piece(tmp_path):
    options = gpu_record.argparse.Namespace(dry_run=False, bccd=tmp_path, device="cuda")
    found = {(record, piece) for record, piece, _ in gpu_record.pieces(options)}
    assert {record for record, _ in found} == {
        "gpu_checks", "gpu_throughput", "gpu_loading", "gpu_scenes", "gpu_bccd",
    }  # fmt: skip
    for precision in ("fp32", "tf32", "bf16", "fp16", "bf16 compiled"):
        for batch in (1, 64):
            for kind in ("inference", "training"):
                for model in ("ssd300", "ssd512", "torchvision ssd300"):
                    assert ("gpu_throughput", f"{model} {precision} {batch} {kind}") in found
