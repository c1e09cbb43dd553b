"""The report as text, tables, JSON and figure, and the command that writes them."""

import io
import json
import os
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from ssd_tutorial.__main__ import main
from ssd_tutorial.doctor import RULES, examine
from ssd_tutorial.doctor.drawing import draw_classes, figure
from ssd_tutorial.presets import PRESETS

BCCD = os.environ.get("SSD_TUTORIAL_BCCD")
needs_bccd = pytest.mark.skipif(
    not BCCD, reason="set SSD_TUTORIAL_BCCD to the folder of BCCD (Annotations, JPEGImages, ...)"
)


@pytest.fixture
def faulty(own, plant):
    for code in ("box-empty", "split-overlap", "class-rare", "picture-unannotated"):
        plant(code, own)
    return own


def run(capsys, *words):
    code = main(["doctor", *map(str, words)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def test_text_is_grouped_by_severity_with_where_what_and_fix(faulty):
    text = examine(faulty, progress=False).to_text()
    headings = [text.index(words) for words in ("ERRORS (2)", "WARNINGS (", "NOTES (", "PRIORS")]
    assert headings == sorted(headings)
    assert "own (VOC layout): 40 pictures" in text
    assert "splits: train 30, val 11" in text
    assert "[box-empty] 1 x boxes without width or height" in text
    assert "Annotations/p0.xml, object 1 (" in text
    assert f"FIX: {RULES['box-empty'].fix}." in text
    assert text.splitlines()[-1].startswith("2 errors, ")


def test_long_lists_are_shortened_as_text_and_whole_in_json(own):
    lists = own / "ImageSets" / "Main"
    (lists / "val.txt").write_text((lists / "train.txt").read_text())
    report = examine(own, progress=False)
    text = report.to_text(shown=3)
    assert text.count("it is in train and in val") == 3
    assert "and 27 more" in text
    codes = Counter(fault["code"] for fault in report.to_dict()["faults"])
    assert codes["split-overlap"] == 30


def test_json_contains_the_whole_report(faulty, tmp_path):
    report = examine(faulty, progress=False)
    content = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert set(content) == {
        "data",
        "layout",
        "pictures",
        "pictures_decoded",
        "objects",
        "splits",
        "classes",
        "counts",
        "codes",
        "faults",
        "priors",
        "limits",
        "seconds",
    }
    assert content["data"] == "own"
    assert content["splits"] == {"train": 30, "val": 11}
    assert content["counts"] == {s: report.count(s) for s in ("error", "warning", "note")}
    assert sum(content["codes"].values()) == len(content["faults"]) == len(report.faults)
    for fault in content["faults"]:
        assert set(fault) == {
            "severity", "code", "file", "object", "class", "box", "other", "more", "what", "fix",
        }  # fmt: skip
        assert fault["severity"] == RULES[fault["code"]].severity
    empty = next(fault for fault in content["faults"] if fault["code"] == "box-empty")
    assert (empty["file"], empty["object"]) == ("Annotations/p0.xml", 1)
    assert empty["box"] == ["30", "5", "30", "30"]
    assert content["classes"]["purple"]["objects"] == 1
    assert set(content["priors"]) == set(PRESETS)
    voc = content["priors"]["caffe300_voc"]
    assert sum(voc["histogram"]) == voc["objects"] == content["objects"] - 1
    assert sum(voc["unreached_by_class"].values()) == voc["unreached"] > 0
    assert set(voc["unreached_by_class"]) <= set(content["classes"])
    assert str(tmp_path) not in json.dumps(content)


def test_tables_count_classes_priors_and_faults(faulty):
    report = examine(faulty, progress=False)
    classes = report.class_table()
    assert classes.header == ["class", "objects", "pictures", "in train", "in val"]
    assert [row[0] for row in classes.rows] == ["blue", "green", "purple", "red"]
    assert [row[0] for row in report.prior_table().rows] == list(PRESETS)
    codes = {row[1]: row[2] for row in report.fault_table().rows}
    assert codes["box-empty"] == "1"
    assert [row[0] for row in report.fault_table().rows][:2] == ["error", "error"]
    with pytest.raises(ValueError, match="no rule is called 'box-emty'; there are"):
        report.of("box-emty")


def test_figure_has_the_objects_the_shapes_and_every_preset(clean_folders):
    report = examine(clean_folders["VOC"], progress=False)
    fig = figure(report)
    sizes, classes, best, missed = fig.axes
    objects = sizes.collections[0].get_offsets()
    assert len(objects) == len(report.objects.boxes)
    assert sum(len(c.get_offsets()) for c in sizes.collections[1:]) == 4 + 6 + 6 + 6 + 4 + 4
    width = report.objects.boxes[:, 2] - report.objects.boxes[:, 0]
    assert list(objects[:, 0]) == pytest.approx(width.tolist())
    assert [patch.get_width() for patch in classes.patches] == sorted(
        (count.objects for count in report.classes.values()), reverse=True
    )
    assert best.get_legend().get_texts()[0].get_text() == "caffe300_voc"
    assert [t.get_text() for t in missed.get_yticklabels()] == list(PRESETS)
    plt.close(fig)
    with pytest.raises(ValueError, match="no preset is called"):
        figure(report, "caffe")
    plt.close("all")


def test_a_report_without_objects_has_a_figure_and_text(own, tools):
    for path in (own / "Annotations").iterdir():
        tools.edit_xml(own, path.stem, lambda t: [t.remove(n) for n in t.findall("object")])
    report = examine(own, progress=False)
    plt.close(figure(report))
    assert report.codes == {"split-without-objects": 2, "picture-empty": 40}
    assert "PRIORS" not in report.to_text()
    json.dumps(report.to_dict(), allow_nan=False)


# --- the command ---------------------------------------------------------------------------------


def test_exit_code_is_one_on_errors_alone(own, plant, capsys):
    assert run(capsys, own)[0] == 0
    plant("box-sticks-out", own)
    code, out, _ = run(capsys, own)
    assert code == 0
    assert "0 errors, 1 warning" in out
    plant("split-overlap", own)
    assert run(capsys, own)[0] == 1


def test_out_holds_json_and_figure(own, tmp_path, capsys):
    code, out, _ = run(capsys, own, "--out", tmp_path / "report")
    assert code == 0
    assert f"written to {tmp_path / 'report' / 'report.json'}" in out
    assert sorted(p.name for p in (tmp_path / "report").iterdir()) == ["report.json", "report.png"]
    assert json.loads((tmp_path / "report" / "report.json").read_text())["pictures"] == 40
    assert (tmp_path / "report" / "report.png").read_bytes().startswith(b"\x89PNG")


def test_out_replaces_its_own_report_and_nothing_else(own, tmp_path, capsys):
    out = tmp_path / "report"
    for _ in range(2):
        assert run(capsys, own, "--out", out)[0] == 0
    for name, content in (("report.json", b'{"mine": 1}'), ("report.png", b"\x89PNG of mine")):
        whole = (out / name).read_bytes()
        (out / name).write_bytes(content)
        code, printed, err = run(capsys, own, "--out", out)
        assert (code, printed) == (1, "")
        assert f"{name} already exists and is not an older report" in err
        assert (out / name).read_bytes() == content
        (out / name).write_bytes(whole)
    code, _, err = run(capsys, own, "--out", out / "report.png")
    assert code == 1
    assert "report.png is a file: give a folder for the report" in err


def test_names_that_are_not_utf_8_are_reported(own, tmp_path, monkeypatch):
    name = os.fsdecode(b"\xff\xfe.jpg")
    (own / "JPEGImages" / name).write_bytes(b"no picture")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert main(["doctor", str(own), "--out", str(tmp_path / "report")]) == 0
    sys.stdout.flush()
    assert rb"JPEGImages/\udcff\udcfe.jpg" in raw.getvalue()
    content = json.loads((tmp_path / "report" / "report.json").read_text())
    assert f"JPEGImages/{name}" in {fault["file"] for fault in content["faults"]}


def test_a_full_disk_costs_the_file_and_not_the_words(own, tmp_path, capsys, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ssd_tutorial.cli.doctor_command.write_file", full)
    code, out, err = run(capsys, own, "--out", tmp_path / "report")
    assert code == 1
    assert "0 errors" in out
    assert "No space left" in err


def test_class_names_may_look_like_formulas_or_be_chinese(own, tools, tmp_path, capsys):
    def change(tree):
        tree.find("object/name").text = "$a_$b^ 猫"

    tools.edit_xml(own, "p0", change)
    assert run(capsys, own, "--out", tmp_path / "report")[0] == 0
    assert (tmp_path / "report" / "report.png").is_file()


def test_fix_says_what_was_done_and_what_is_left(faulty, tmp_path, capsys):
    code, out, _ = run(capsys, faulty, "--fix", tmp_path / "fixed")
    assert code == 0  # the copy has none
    done = out[out.index("FIXED in") :]
    assert "[box-empty] 1\n    Annotations/p0.xml, object 1" in done
    assert "[split-overlap] 1\n    JPEGImages/p0.jpg: removed from train; it stays in val" in done
    assert "LEFT in the copy, for you to decide:" in done
    assert "warning [class-rare] 1 x classes with very few objects" in done
    assert f"{tmp_path / 'fixed'}: 0 errors" in done


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nowhere"], "there is no folder nowhere"),
        (["OWN", "--splits", "trian"], "has no split 'trian'"),
        (["OWN", "--near", "80"], "near must be an IoU in (0, 1], not 80.0"),
        (["OWN", "--shown", "-1"], "--shown must be 0 or more"),
        (["OWN", "--workers", "-1"], "workers must be 0 or more, not -1"),
        (["OWN", "--fix", "OWN"], "the examined folder, or lies in it"),
        (["OWN", "--fix", "OWN/..", "--splits", "train"], "omit --splits"),
    ],
)
def test_mistakes_end_in_one_sentence(own, capsys, words, sentence):
    code, _, err = run(capsys, *(word.replace("OWN", str(own)) for word in words))
    assert code == 1
    complaint = [line for line in err.splitlines() if line.startswith("ssd_tutorial: ")]
    assert len(complaint) == 1
    assert sentence in complaint[0]


# --- BCCD ----------------------------------------------------------------------------------------


@needs_bccd
def test_bccd_has_the_known_faults_and_no_others():
    report = examine(BCCD, progress=False)
    have = {path.stem[-3:] for path in (Path(BCCD) / "Annotations").iterdir()}

    def numbers(code):
        return [fault.file[-7:-4] for fault in report.of(code)]

    assert [(f.file[-7:-4], f.name, f.box) for f in report.of("box-empty")] == [
        ("338", "RBC", ("504", "337", "504", "337")),
        ("343", "RBC", ("181", "329", "181", "329")),
    ]
    near = {"013", "020", "100", "104", "251", "284", "331", "403"}
    assert set(numbers("box-near-duplicate")) == near & have
    assert len(numbers("box-near-duplicate")) == len(near & have)
    without = {f.file[-7:-4] for f in report.of("labels-missing") if f.name == "RBC"}
    known = {"134", "147", "150", "152", "224", "250", "258", "267", "268", "322", "330", "350"}
    assert without >= known
    if {"test"} & set(report.records.splits):
        assert len(without) == 15
    else:
        assert without == known
    (twin,) = report.of("picture-twin")
    assert (twin.file[-7:-4], twin.other[-7:-4]) == ("037", "038")
    assert set(report.codes) == {
        "box-empty",
        "box-near-duplicate",
        "labels-missing",
        "picture-twin",
    }
    voc, coco = (
        next(r for r in report.reaches if r.preset == name)
        for name in ("caffe300_voc", "caffe300_coco")
    )
    assert voc.unreached_share > 10 * coco.unreached_share
    assert (voc.extras[0].map, voc.extras[0].ratio) == ("conv4_3", 1.0)
    assert report.unreached_by_class(voc)["Platelets"] > 0.9 * len(voc.unreached)
    assert voc.extras[0].gain > 0.9 * len(voc.unreached)


def test_a_class_name_is_no_formula():
    report = SimpleNamespace(classes={"$a_$b^": SimpleNamespace(objects=3)})
    fig, ax = plt.subplots()
    draw_classes(ax, report)
    fig.canvas.draw()  # matplotlib fails on a formula like this name
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [r"\$a_\$b^"]
    plt.close(fig)
