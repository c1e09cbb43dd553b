"""The runs of chapter 17: each shows its fault, and what gives it away is true of it."""

import json
import re

import pytest
import traitlets
from ssd_book.clinic import FAULTS, RECIPE, read_faults
from ssd_book.explorers import DiagnosisExplorer
from ssd_book.explorers.diagnosis import CLUES, ORDER, RUNS, TOP
from ssd_book.explorers.modules import STATIC

from ssd_tutorial.datasets import SCENE_CLASSES


@pytest.fixture(scope="module")
def explorer():
    return DiagnosisExplorer()


def widths(run):
    return [x1 - x0 for boxes in run["boxes"] for x0, _, x1, *_ in boxes]


def test_every_run_has_a_recorded_fault_and_a_clue():
    assert set(ORDER) == set(CLUES) == set(RUNS.values())
    assert set(ORDER) < set(FAULTS)
    letters = re.search(r'const LETTERS = "(\w+)"', (STATIC / "diagnosis.js").read_text())[1]
    assert list(letters) == list(RUNS)


def test_a_curve_is_the_mean_of_the_recorded_steps(explorer):
    for letter, name in {**RUNS, "sound": "none"}.items():
        run, (_, reports) = explorer.runs[letter], read_faults()[name]
        samples, total, localization = run["curve"][3]
        steps = [r for r in reports if run["curve"][2][0] < r.samples <= samples]
        assert total == pytest.approx(sum(r.total for r in steps) / len(steps), abs=0.006)
        assert localization == pytest.approx(
            sum(r.localization for r in steps) / len(steps), abs=0.006
        )
        assert run["curve"][-1][0] == reports[-1].samples


def test_only_two_runs_end_with_nan(explorer):
    ended = {run["fault"] for run in explorer.runs.values() if run["ended"] is not None}
    assert ended == {"an inverted box", "pictures without boxes"}
    for run in explorer.runs.values():
        assert (run["curve"][-1][1] is None) == (run["ended"] is not None)
        assert run["ended"] is not None or run["curve"][-1][0] == RECIPE.samples


def test_the_pictures_show_what_can_be_seen_of_the_fault(explorer):
    by_fault = {run["fault"]: run for run in explorer.runs.values()}
    sound = by_fault["none"]
    names = [box[4] for boxes in sound["boxes"] for box in boxes]
    assert min(widths(sound)) > 0
    assert set(names) <= set(SCENE_CLASSES)
    (turned,) = [width for width in widths(by_fault["an inverted box"]) if width < 0]
    assert -1 < turned < 0
    assert max(widths(by_fault["boxes in pixels"])) > 30
    from_zero = [box[4] for boxes in by_fault["label 0"]["boxes"] for box in boxes]
    before = ("background", *SCENE_CLASSES)
    assert from_zero == [before[before.index(name) - 1] for name in names]
    assert [] in by_fault["pictures without boxes"]["boxes"]
    assert by_fault["boxes of the next picture"]["boxes"] == [
        *sound["boxes"][1:],
        sound["boxes"][0],
    ]
    for name in ("variances forgotten", "normalisation forgotten", "learning rate too high"):
        assert by_fault[name]["boxes"] == sound["boxes"]


def test_a_table_tells_the_faults_that_can_be_measured_from_a_sound_run(explorer):
    tables = {run["fault"]: dict(run["checks"]) for run in explorer.runs.values()}
    sound = tables["none"]
    assert sound["network inputs"] == "−2 to 2"
    assert sound["labels"] == f"1 to {len(SCENE_CLASSES)}"
    assert tables["normalisation forgotten"]["network inputs"] != sound["network inputs"]
    assert tables["label 0"]["labels"] == f"0 to {len(SCENE_CLASSES) - 1}"
    assert tables["an inverted box"]["narrowest box"].startswith("−")
    assert tables["too few pictures"]["different pictures"] == "16"
    for name in ("learning rate too high", "learning rate too low", "boxes of the next picture"):
        assert {k: v for k, v in tables[name].items() if k != "positives per picture"} == {
            k: v for k, v in sound.items() if k != "positives per picture"
        }


def test_what_the_signs_say_of_the_curves_is_so():
    runs = {name: reports for name, (_, reports) in read_faults().items()}

    def late(name, part="total"):
        values = [getattr(report, part) for report in runs[name][-30:]]
        return sum(values) / len(values)

    assert late("learning rate too high") > 1.1 * late("none")
    assert late("learning rate too low") > 2 * late("none")
    assert late("boxes of the next picture") > 1.1 * late("none")
    assert late("variances forgotten", "localization") < late("none", "localization") / 5
    assert abs(late("label 0") / late("none") - 1) < 0.15
    assert runs["boxes in pixels"][0].localization > 10_000
    assert late("too few pictures") < late("none")
    unseen = [r.unseen for r in runs["too few pictures"] if r.unseen is not None]
    assert unseen[-1] > min(unseen)
    assert unseen[-1] > 1.3 * runs["none"][-1].unseen
    assert abs(late("normalisation forgotten") / late("none") - 1) < 0.05
    unseen = [r.unseen for r in runs["normalisation forgotten"] if r.unseen is not None]
    assert unseen[-1] > 1.05 * min(unseen)
    assert unseen[-1] > 1.3 * runs["none"][-1].unseen


def test_no_sign_has_an_empty_place(explorer):
    for run in explorer.runs.values():
        assert "{" not in run["sign"]
        assert bool(run["sign"]) == (run["fault"] != "none")


def test_a_diagnosis_is_right_or_not():
    explorer = DiagnosisExplorer(diagnoses={"A": RUNS["A"], "B": RUNS["A"]})
    assert explorer.right == ["A"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"run": "K"},
        {"part": "class"},
        {"at": -1},
        {"at": 961},
        {"diagnoses": {"A": "bad luck"}},
        {"diagnoses": {"Z": "label 0"}},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(traitlets.TraitError):
        DiagnosisExplorer(**wrong)


def test_the_state_is_light_and_has_finite_numbers_alone(explorer):
    state = {k: v for k, v in explorer.get_state().items() if k not in ("_esm", "_css")}
    assert len(json.dumps(state, allow_nan=False)) < 60_000


def test_the_picture_without_scripts_shows_both_curves():
    explorer = DiagnosisExplorer(run="D", part="localization")
    from matplotlib.figure import Figure

    figure = Figure()
    explorer.draw(figure)
    picture, chart = figure.axes
    assert len(chart.lines) == 2
    assert max(max(line.get_ydata()) for line in chart.lines) <= TOP
    assert len(picture.patches) > 3
