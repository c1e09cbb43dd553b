"""The explorers' JavaScript agrees with the package, on a sample of tests.parity.javascript."""

import functools

import pytest

from tests.parity import javascript
from tests.parity.quantities import QUANTITIES

CASES = 300
BY_NAME = {quantity.name: quantity for quantity in QUANTITIES}


@functools.cache
def sample(name):
    """Draw the cases of a quantity and the package's answers, once for all tests."""
    cases = javascript.draw(BY_NAME[name], CASES)
    return cases, javascript.ask_package(BY_NAME[name], cases)


@pytest.mark.parametrize("name", BY_NAME)
def test_javascript_and_python_agree(name):
    cases, ours = sample(name)
    (theirs,) = javascript.ask_javascript(BY_NAME[name], cases)
    outcome = javascript.compare(BY_NAME[name], cases, ours, theirs)
    assert outcome.cases == CASES
    assert outcome.disagreements == []
    assert outcome.hostile[""] > CASES / 4


def test_every_kind_of_hostile_case_is_in_the_sample():
    """The kinds that the book promises, each where it can do harm."""
    promised = {
        "scales": {"too few maps (refused)", "half a percent", "s_max at or below s_min"},
        "priors": {"no such prior (refused)", "centres outside"},
        "IoU, area, formats, centre rule": {"zero area", "identical", "touching", "outside"},
        "RoI pooling, RoIAlign": {"edge between two cells", "to the border", "thinner than a cell"},
        "boxes refused": {"nan (refused)", "inf (refused)", "-inf (refused)", "zero area"},
        "matching, bipartite": {"tie between priors", "two want one prior", "empty list"},
        "matching, argmax": {"IoU at the threshold", "identical", "zero area", "outside"},
        "mining order": {"ties", "no positive", "no negative", "infinite loss"},
        "MultiBox loss": {"no positive", "few negatives", "huge scores", "ties"},
        "NMS": {"IoU at the threshold", "identical", "touching", "zero area", "empty list"},
        "post-processing": {
            "clusters",
            "cut at the border",
            "more candidates than are taken",
            "more detections than are taken",
            "nothing found",
        },
        "AP, 11 points and area": {"equal scores", "difficult", "nothing to find", "empty list"},
    }
    for name, kinds in promised.items():
        found = set().union(*(case.hostile for case in sample(name)[0]))
        assert kinds <= found, name


# One slip each: the text in geometry.js, and what replaces it.
SLIPS = {
    "scales": [
        ("(m - 1),", "m,"),
        ("x - low > 0.5", "x - low >= 0.5"),
        ("size + 1e-6", "size"),
        ("spread[m] = beyond", "spread[m - 1] = beyond"),
        ("if (m < 2) throw", "if (m < 1) throw"),
    ],
    "priors": [
        ("(i + 0.5) * spacing", "(i + 1) * spacing"),
        ('preset.centres === "step"', 'preset.centres !== "step"'),
        ("[r, 1 / r]", "[1 / r, r]"),
        ("Math.sqrt(s * next)", "(s + next) / 2"),
        ("clipped([cx, cy, w, h]", "clipped([cy, cx, w, h]"),
        ('if (rule === "wh")', 'if (rule === "hw")'),
        ("2 + 2 * map.ratios.length", "1 + 2 * map.ratios.length"),
        ("column, box: rest %", "column, box: cell %"),
        ("throw new RangeError(`prior", "return 0; (`prior"),
    ],
    "IoU, area, formats, centre rule": [
        ("- shared, TINY", "- shared, 0"),
        ("area(a) + area(b) - shared", "area(a) + area(b)"),
        ("Math.max(w, 0) * Math.max(h, 0)", "w * h"),
        ("crop[0] < cx", "crop[0] <= cx"),
        ("(x0 + x1) / 2", "x0 + x1 / 2"),
    ],
    "RoI pooling, RoIAlign": [
        ("Math.floor(at / stride + 0.5)", "Math.floor(at / stride)"),
        ("Math.floor(at / stride + 0.5)", "Math.ceil(at / stride - 0.5)"),
        ("last - first + 1", "Math.max(last - first, 1)"),
        ("Math.ceil(((i + 1) * n) / bins)", "Math.floor(((i + 1) * n) / bins)"),
        ("part.length ? Math.max(...part) : 0", "Math.max(0, ...part)"),
        ("at / stride - 0.5)", "at / stride)"),
        ("[0.25, 0.75]", "[0, 0.5]"),
        ("if (!(y >= -1", "if (!(y >= 0"),
        ("(1 - (x - left)) * grid", "(x - left) * grid"),
    ],
    "boxes refused": [
        ("if (x1 <= x0)", "if (x1 < x0)"),
        ("if (y1 <= y0)", "if (y1 < y0)"),
        ("box.every(Number.isFinite)", "box.some(Number.isFinite)"),
    ],
    "matching, bipartite": [
        ("best[i] >= threshold", "best[i] > threshold"),
        ("overlap > best[i]", "overlap >= best[i]"),
        ("overlap > favourites[g].iou", "overlap >= favourites[g].iou"),
        (" && !gone.has(i)", ""),
        ('rule === "argmax" ?', 'rule !== "argmax" ?'),
        ("best[prior] = overlap", "best[prior] = 1"),
    ],
    "matching, argmax": [
        ("groundTruth[prior] = g", "groundTruth[prior] = Math.max(g - 1, 0)"),
        ("best[i] >= threshold", "best[i] >= 1.01 * threshold"),
    ],
    "mining order": [
        ("backgroundLoss[b] - backgroundLoss[a]", "backgroundLoss[a] - backgroundLoss[b]"),
        ("Math.trunc(", "Math.ceil("),
        ("Math.fround(Math.fround(ratio) * positives)", "ratio * positives"),
        ("if (!positive[i]) negatives", "negatives"),
    ],
    "encode": [("move / variances[i]", "move * variances[i]"), ("Math.log(w / pw)", "w / pw - 1")],
    "decode": [
        ("Math.exp(dw)", "(1 + dw)"),
        ("dy * ph", "dy * pw"),
        ("unit(middle - half)", "middle - half"),
        ("offsets[side] * variances[k + 2]", "offsets[side] * variances[k]"),
    ],
    "smooth L1, cross-entropy, softmax": [
        ("Math.abs(x) < 1 ?", "Math.abs(x) < 1.1 ?"),
        ("0.5 * x * x", "x * x"),
        ("let top = logits[from];", "let top = 0;"),
        ("c = 0; c < C; c++) sum +=", "c = 1; c < C; c++) sum +="),
        ("- logits[label]", "- logits[0]"),
    ],
    "MultiBox loss": [
        ("labels[g])", "labels[0])"),
        ("(offset, k) => (localization +=", "(offset, k) => (localization ="),
        ("smoothL1(offsets[4 * i + k] - offset)", "smoothL1(offsets[k] - offset)"),
        ("Math.max(1, positives)", "positives"),
        ("/ n;\n  localization /= n;", "/ n;"),
        ("entropy(i, 0), 0) / n", "entropy(i, 0), 0)"),
        ("ofPositives / n + ofNegatives", "ofPositives / n"),
        ("positive, ratio);\n  let", "positive, 3);\n  let"),
        ("4 * i + 4), variances)", "4 * i + 4), [0.1, 0.1, 0.2, 0.2])"),
    ],
    "NMS": [
        ("> threshold) suppressor", ">= threshold) suppressor"),
        ("if (suppressor[i] >= 0) continue;", ""),
    ],
    "post-processing": [
        ("score > scoreThreshold", "score > scoreThreshold + 0.1"),
        ("best - logits[from] <= likely", "best <= likely"),
        ("logits.slice(from, from + C)", "logits.slice(from, from + C - 1)"),
        ("if (label && score", "if (score"),
        ("b.score - a.score).slice", "a.score - b.score).slice"),
        (".slice(0, candidatesPerClass)", ""),
        ("kept.slice(0, detectionsPerImage)", "kept"),
        ("Math.min(Math.max(edge, 0), 1)", "Math.max(edge, 0)"),
        ("box), iouThreshold)", "box), 0.45)"),
        ("four(priors), variances", "four(priors), [0.1, 0.1, 0.2, 0.2]"),
        ("suppressor[i] < 0);", "suppressor[i] <= 0);"),
        ("candidates[b].score - candidates[a].score || a - b", "a - b"),
    ],
    "AP, 11 points and area": [
        ("best < iouThreshold", "best <= iouThreshold"),
        ("scores[b] - scores[a]", "scores[b] - scores[a] || b - a"),
        ("!ignored && !taken.has(nearest)", "!ignored"),
        ("overlap > best)", "overlap >= best)"),
        ("r >= i / 10", "r > i / 10"),
        ("sum / 11", "sum / 10"),
        ("Math.max(result[i], result[i + 1])", "result[i]"),
    ],
}


@pytest.mark.parametrize("name", SLIPS)
def test_a_planted_slip_is_detected(name):
    """A copy of geometry.js with one thing changed disagrees with the package."""
    source = javascript.GEOMETRY.read_text(encoding="utf-8")
    for there, _ in SLIPS[name]:
        assert source.count(there) == 1, f"{there!r} occurs {source.count(there)} times"
    cases, ours = sample(name)
    copies = [source.replace(*slip) for slip in SLIPS[name]]
    answers = javascript.ask_javascript(BY_NAME[name], cases, copies)
    for slip, theirs in zip(SLIPS[name], answers, strict=True):
        outcome = javascript.compare(BY_NAME[name], cases, ours, theirs)
        assert outcome.disagreements, f"{slip} passes"


def test_without_node_the_comparison_fails_and_says_how_to_install_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="apt-get install nodejs"):
        javascript.measure(BY_NAME["scales"], 1)


def test_an_error_in_javascript_is_not_mistaken_for_a_refusal():
    cases, _ = sample("boxes refused")
    broken = javascript.GEOMETRY.read_text(encoding="utf-8").replace(
        "const [x0, y0, x1, y1] = box", ""
    )
    with pytest.raises(RuntimeError, match="ReferenceError"):
        javascript.ask_javascript(BY_NAME["boxes refused"], cases, [broken])
