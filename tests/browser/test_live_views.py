"""What the live page shows of the network's output: inside, all predictions, heat, and the loss.

`look` goes through the four views and compares each with what the package computes from the raw
output that the page's worker sent; `SPOILED` damages files on their way to the browser, and each
damage must be noticed.
"""

import base64
import re

import numpy as np
import pytest
import torch
from live_files import MODEL
from ssd_book.receptive import field_box, views

from ssd_tutorial.boxes import decode, iou
from ssd_tutorial.datasets import SCENE_CLASSES
from ssd_tutorial.deploy.onnx_file import OnnxNetwork
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.matching import match
from ssd_tutorial.network import SSD
from ssd_tutorial.priors import locate, priors_per_map
from ssd_tutorial.targets import make_targets
from tests.browser.conftest import faults_in_both_themes
from tests.browser.test_live import Figure, number, route_changed, rows, swap

pytestmark = pytest.mark.browser

VIEWS = ("detections", "all predictions", "heat per map", "what training would say")
CLASSES = len(SCENE_CLASSES) + 1
LISTEN = """globalThis.Worker = class extends Worker {
  constructor(...all) {
    super(...all);
    this.addEventListener("message", ({ data }) => { if (data.logits) globalThis.raw = data; });
  }
};"""
RAW = """() => [raw.logits, raw.offsets].map((array) => {
  const bytes = new Uint8Array(array.buffer);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(text);
})"""
OVERLAY = """() => {
  const canvas = document.querySelector(".live-overlay");
  const { width, height } = canvas;
  const data = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return [width, Array.from({ length: width * height }, (_, i) => data[4 * i + 3])];
}"""
PATHS = """() => [...document.querySelectorAll(".live-stage > path[stroke-width='1.2']")]
  .map((path) => (path.getAttribute("d").match(/M/g) ?? []).length)"""
THINGS = """() => [...document.querySelectorAll(".live-stage [data-thing]")].map((node) => {
  const [name] = node.getAttribute("aria-label").split(",");
  return [Number(node.dataset.thing), name, node.box];
}).sort((a, b) => a[0] - b[0])"""
PRESSED = ".live-place :is(button, select, .ssd-choice span, input[type=range], .live-tiles label)"
LOW = """([pressed, least]) => [...document.querySelectorAll(pressed)]
  .filter((n) => n.offsetParent && n.getBoundingClientRect().height < least)
  .map((n) => n.outerHTML.slice(0, 80))"""


class Views(Figure):
    """The figure, with the raw output of its network."""

    def __init__(self, browser, base, width=1280, theme="light", spoil=None, **how):
        def prepare(page):
            page.add_init_script(LISTEN)
            if spoil:
                spoil(page)

        super().__init__(browser, base, width, theme, prepare, **how)

    def show(self, view):
        self.page.locator(".ssd-choice label", has_text=view).click()
        return self.rest()

    def raw(self):
        """Return logits ``[P, C]`` and offsets ``[P, 4]`` of the last answer."""
        logits, offsets = (
            torch.from_numpy(np.frombuffer(base64.b64decode(text), np.float32).copy())
            for text in self.page.evaluate(RAW)
        )
        return logits.reshape(-1, CLASSES), offsets.reshape(-1, 4)

    def bars(self, label):
        """Return the words beside the bars, and their lengths, 0 to 1."""
        items = self.page.locator(f'ul[aria-label="{label}"] li').all()
        words = [item.locator("span").last.inner_text() for item in items]
        share = "n => Number(getComputedStyle(n).getPropertyValue('--share'))"
        return words, [item.locator(".live-bar").evaluate(share) for item in items]

    def overlay(self):
        """Return the opacity of the canvas over the scene, ``[side, side]``, 0 to 255."""
        side, alpha = self.page.evaluate(OVERLAY)
        return torch.tensor(alpha).reshape(side, side)

    def things(self):
        """Return names and boxes, xyxy, in the order of the scene."""
        return [(name, box) for _, name, box in self.page.evaluate(THINGS)]


@pytest.fixture(scope="module")
def network():
    return OnnxNetwork(MODEL)


def per_map(values, preset):
    return values.split(priors_per_map(preset))


def best_of_classes(logits):
    return logits.softmax(dim=1)[:, 1:].max(dim=1).values


def near(told, expected, digits=2):
    """Whether numbers in words are the expected ones, rounded."""
    pairs = zip(told, expected, strict=True)
    return all(abs(number(t) - float(e)) <= 0.51 * 10**-digits for t, e in pairs)


# --- what a reader sees ---------------------------------------------------------------------------
def look(figure, network, *parts) -> dict[str, str]:
    """Go through views, each with its function; return what was wrong."""
    wrong, page, preset = {}, figure.page, network.config.priors

    def expect(name, holds, what=""):
        if not holds and name not in wrong:
            wrong[name] = str(what)

    figure.start()
    for part in parts:
        part(figure, network, expect)
    figure.show("detections")
    expect("nothing over the detections", figure.overlay().max() == 0)
    expect("views keep no words", "would be positive" not in figure.words(), figure.words())
    if figure.console:
        wrong["console"] = str(figure.console)
    assert preset.name == "caffe300_voc"
    assert page.locator(".live-panel:visible").count() <= 1
    return wrong


def look_inside(figure, network, expect):
    page, preset = figure.page, network.config.priors
    page.locator(".live-found button", has_text="cat").click()
    figure.rest()
    logits, offsets = figure.raw()
    told = page.locator(".live-inside-words").inner_text()
    prior = int(re.search(r"prior (\d+)", told)[1])
    place = locate(preset, prior)
    with torch.device("meta"):
        view = views(SSD(network.config, CLASSES))[place.map]
    field = field_box(view, place.row, place.column, head=True)
    wide = int(field[2] - field[0])
    expect("what it sees, in words", f"It sees {wide} × {wide} px." in told, told)
    side = page.locator(".live-stage").evaluate("s => s.viewBox.baseVal.width")
    square = page.locator(".live-stage > rect[stroke-dasharray='1 4']")
    drawn = [float(square.get_attribute(k)) for k in ("x", "y", "width", "height")]
    corners = [drawn[0], drawn[1], drawn[0] + drawn[2], drawn[1] + drawn[3]]
    off = max(abs(a / side - b / 300) for a, b in zip(corners, field, strict=True))
    expect("what it sees, drawn", off < 0.003, (corners, field))

    boxes = decode(offsets, network.priors, preset.variances).clamp(0, 1)
    label = SCENE_CLASSES.index("cat") + 1
    fits = iou(boxes, boxes[prior, None])[:, 0] >= 0.5
    scores = logits.softmax(dim=1)[:, label].masked_fill(~fits, -1)
    best = [part.max().item() for part in per_map(scores, preset)]
    words, shares = figure.bars("The score that each map alone would give")
    said = ["no such box" if b < 0 else f"{b:.2f}" for b in best]
    expect("which maps find it", words == said, (words, said))
    same = all(abs(s - max(b, 0)) < 0.002 for s, b in zip(shares, best, strict=True))
    expect("bars as long as their numbers", same, (shares, best))
    able = [fm.name for fm, b in zip(preset.maps, best, strict=True) if b > 0.5]
    note = page.locator(".live-inside .live-note").nth(1).inner_text()
    expect("which maps, in a sentence", all((n in note) == (n in able) for n, _ in named(preset)))
    page.locator('.live-found button[aria-pressed="true"]').click()
    figure.rest()


def named(preset):
    return [(fm.name, fm.cells) for fm in preset.maps]


def look_at_predictions(figure, network, expect):
    page, preset = figure.page, network.config.priors
    figure.show("all predictions")
    drawn = {}
    for least in (0.5, 0.01):
        figure.slide("score of at least", least)
        logits, offsets = figure.raw()
        scores = best_of_classes(logits)
        counts = [int((part >= least).sum()) for part in per_map(scores, preset)]
        words, _ = figure.bars("Predictions of each map")
        expect("predictions per map", words == [str(n) for n in counts], (words, counts))
        said = f"{sum(counts)} of 8732 predictions have a score of {least:.2f} or more"
        expect("predictions, in words", said in figure.words(), figure.words())
        drawn[least] = figure.overlay()
    expect("a lower score shows more", (drawn[0.01] > 0).sum() > 1.3 * (drawn[0.5] > 0).sum())
    box = decode(offsets, network.priors, preset.variances)[scores.argmax()]
    x0, y0, _, y1 = (round(edge * len(drawn[0.5])) for edge in box.tolist())
    left = drawn[0.5][y0 + 3 : y1 - 3, x0 - 1 : x0 + 2].amax(dim=1)
    expect("the surest box is drawn", (left > 100).float().mean() > 0.95, left.tolist())
    times = "explorerTimes.filter(([name]) => name === 'overlay').length"
    page.evaluate("() => { globalThis.explorerTimes = []; seen.length = 0; }")
    figure.drag("cat", 0.1, 0.0)
    painted, answers = page.evaluate(times), page.evaluate("seen.length")
    expect("drawn once for each answer", 1 <= painted <= answers, (painted, answers))
    figure.click("Reset")


def look_at_heat(figure, network, expect):
    page, preset = figure.page, network.config.priors
    figure.show("heat per map")
    logits, _ = figure.raw()
    chances = logits.softmax(dim=1)
    for label, chosen in ((0, "any object"), (SCENE_CLASSES.index("cat") + 1, "cat")):
        page.get_by_role("combobox", name="probability of").select_option(chosen)
        figure.rest()
        p = chances[:, label] if label else 1 - chances[:, 0]
        cells = [
            part.reshape(fm.cells, fm.cells, -1).amax(dim=2)
            for part, fm in zip(per_map(p, preset), preset.maps, strict=True)
        ]
        told = page.locator(".live-tiles .live-most").all_inner_texts()
        most = [one.max() for one in cells]
        expect("heat of each map", near([t.split()[-1] for t in told], most), (told, most))
        surest = max(range(6), key=lambda k: most[k])
        row, column = divmod(int(cells[surest].argmax()), preset.maps[surest].cells)
        said = f"{preset.maps[surest].name} is surest: {most[surest]:.2f} in row {row}, column"
        expect("the surest cell, in words", f"{said} {column}" in figure.words(), figure.words())
        for k in (1, 2):
            page.locator(".live-tiles input").nth(k).check(force=True)
            over, fm = figure.rest().overlay(), preset.maps[k]
            step = fm.step_px / 300 * len(over)
            at = [min(int((i + 0.5) * step), len(over) - 1) for i in range(fm.cells)]
            opacity = over[at][:, at] / 255
            off = (opacity - 0.8 * cells[k].sqrt()).abs().max()
            expect("heat over the scene", off < 0.03, (k, off))
    sizes = page.locator(".live-tiles canvas").evaluate_all("all => all.map((c) => c.width)")
    expect("a pixel per cell", sizes == [fm.cells for fm in preset.maps], sizes)
    page.locator(".live-tiles input:checked").focus()
    figure.press("ArrowRight")
    checked = page.locator(".live-tiles input:checked").get_attribute("value")
    expect("arrow keys change the map", checked == "3", checked)


def look_at_training(figure, network, expect):
    page, preset = figure.page, network.config.priors
    figure.click("Reset")
    figure.show("what training would say")
    for step in range(3):
        if step == 1:  # so small that no prior reaches an IoU of 0.5 with it, and half outside
            figure.thing("car").focus()
            figure.press(*["-"] * 20)
            figure.drag("airplane", -0.34, 0)
        if step == 2:
            figure.click("add a cat")
        logits, offsets = figure.raw()
        things = figure.things()
        boxes = torch.tensor([box for _, box in things], dtype=torch.float64).clamp(0, 1)
        labels = torch.tensor([SCENE_CLASSES.index(name) + 1 for name, _ in things])
        targets = make_targets([boxes], [labels], CLASSES)
        matches = match(network.priors.double(), targets)
        owner = matches.ground_truth[0]
        loss = multibox_loss(logits[None], offsets[None], targets, network.priors, matches=matches)
        shares = [int((owner == g).sum()) for g in range(len(things))]
        table = rows(page, "Positives per object")
        counts = [int(row[1].split(",")[0]) for row in table]
        expect("positives per object", counts == shares, (table, shares))
        maps = [int((part >= 0).sum()) for part in per_map(owner, preset)]
        words, _ = figure.bars("Positives per map")
        expect("positives per map", words == [str(n) for n in maps], (words, maps))
        drawn = page.evaluate(PATHS)
        expect("positives, drawn", drawn == maps, (drawn, maps))
        bill = {row[0]: row[1:] for row in rows(page, "The loss")}
        total, confidence, localization, positives = (value.item() for value in loss)
        parts = [bill["sum"][1], bill["localization"][1]]
        expect("the loss", near(parts, [total, localization], 3), (bill, loss))
        both = sum(float(bill[f"confidence, {of}"][1]) for of in ("positives", "mined negatives"))
        expect("confidence", abs(both - confidence) < 0.0011, (both, confidence))
        expect(
            "mined negatives", bill["confidence, mined negatives"][0] == str(3 * positives), bill
        )
        said = f"the loss would be {total:.2f}: {confidence:.2f} for confidence"
        expect("the loss, in words", said in figure.words(), figure.words())
        alone = matches.iou[0].new_zeros(len(things))
        for g in range(len(things)):
            alone[g] = matches.iou[0][owner == g].max()
        lonely = [name for (name, _), best in zip(things, alone, strict=True) if best < 0.5]
        words = "only its best prior is positive" in figure.words()
        expect("only its best prior", words == bool(lonely), (lonely, figure.words()))
        assert bool(lonely) == (step > 0), alone
    expect("two of a name", [row[0] for row in table].count("cat 2") == 1, table)
    for _ in things:
        page.locator(".live-stage [data-thing]").last.focus()
        figure.press("Delete")
    expect("no object", "the loss is 0" in figure.words(), figure.words())
    figure.click("Reset")


def test_each_view_shows_what_the_package_computes(built, browser, base, network):
    figure = Views(browser, base)
    parts = look_inside, look_at_predictions, look_at_heat, look_at_training
    assert look(figure, network, *parts) == {}
    figure.close()


SPOILED = {  # the view, file, change, what is noticed
    "the cell without its head": (
        look_inside,
        "inside.js",
        swap("place.column, true)", "place.column, false)"),
        "what it sees, in words",
    ),
    "a field elsewhere": (
        look_inside,
        "geometry.js",
        swap("centre + at * stride", "at * stride"),
        "what it sees, drawn",
    ),
    "any box will do": (
        look_inside,
        "predictions.js",
        swap("box) < 0.5", "box) < 0"),
        "which maps find it",
    ),
    "bars of equal length": (
        look_inside,
        "bars.js",
        swap("share.toFixed(3)", "0.5"),
        "bars as long as their numbers",
    ),
    "one class is left out": (
        look_at_predictions,
        "predictions.js",
        swap("c = 2; c < C;", "c = 2; c < C - 1;"),
        "predictions per map",
    ),
    "the slider is dead": (
        look_at_predictions,
        "cloud_view.js",
        swap("`${raw.key} ${least}`", "`${raw.key}`"),
        "predictions per map",
    ),
    "dots for boxes": (
        look_at_predictions,
        "cloud_view.js",
        swap("context.strokeRect", "context.getImageData"),
        "the surest box is drawn",
    ),
    "drawn in every frame": (
        look_at_predictions,
        "overlay.js",
        swap("`${key} ${width} ${height} ${scale}`", "Math.random()"),
        "drawn once for each answer",
    ),
    "heat of the background": (
        look_at_heat,
        "predictions.js",
        swap("label ? p : 1 - p", "p"),
        "heat of each map",
    ),
    "cells of four boxes": (
        look_at_heat,
        "predictions.js",
        swap("++ / map.boxes", "++ / 4"),
        "heat over the scene",
    ),
    "no heat over the scene": (
        look_at_heat,
        "heat_view.js",
        swap("context.drawImage", "context.isPointInPath"),
        "console",
    ),
    "half the threshold": (
        look_at_training,
        "truth.js",
        swap("THRESHOLD = 0.5", "THRESHOLD = 0.4"),
        "positives per object",
    ),
    "labels one too low": (
        look_at_training,
        "truth.js",
        swap("indexOf(name) + 1", "indexOf(name)"),
        "the loss",
    ),
    "positives of the first map alone": (
        look_at_training,
        "training_view.js",
        swap("some.map(({ box })", "some.slice(0, 9).map(({ box })"),
        "positives, drawn",
    ),
    "an object with few priors is not named": (
        look_at_training,
        "truth.js",
        swap("${best} With", " With"),
        "only its best prior",
    ),
    "silence": (
        look_at_predictions,
        "scene.js",
        swap("frame.say(told,", 'frame.say("",'),
        "predictions, in words",
    ),
    "the canvas keeps its picture": (
        look_at_predictions,
        "overlay.js",
        swap("drawn || show", "true || show"),
        "nothing over the detections",
    ),
}


@pytest.mark.parametrize("damage", SPOILED)
def test_planted_damage_is_noticed(built, browser, base, network, damage):
    part, file, change, noticed = SPOILED[damage]
    figure = Views(browser, base, spoil=lambda page: route_changed(page, file, change))
    wrong = look(figure, network, part)
    figure.close()
    assert noticed in wrong, wrong


def test_no_view_has_a_serious_fault_of_accessibility(
    built, browser, base, axe, width, theme_at_first
):
    figure = Views(browser, base, width, theme_at_first, reduced_motion="reduce").start()
    page = figure.page
    page.evaluate(axe)
    for view in VIEWS:
        figure.show(view)
        found = faults_in_both_themes(page)
        wide = page.evaluate("document.documentElement.scrollWidth")
        small = page.evaluate(LOW, [PRESSED, 44 if width < 600 else 24])
        assert (view, found) == (view, [])
        assert wide <= width
        assert (view, small) == (view, [])
        assert page.evaluate("document.getAnimations().length") == 0
    figure.close()


def test_the_choice_of_the_view_answers_to_keys(built, browser, base):
    figure = Views(browser, base).start()
    figure.page.get_by_role("radio", name="detections").focus()
    seen = []
    for _ in VIEWS:
        figure.press("ArrowRight")
        checked = figure.page.get_by_role("group", name="Show").locator("input:checked")
        seen.append(checked.get_attribute("value"))
    figure.close()
    assert seen == [*VIEWS[1:], VIEWS[0]]


TOLD = """([words, tables]) => {
  const all = [...document.querySelectorAll(".live-panel table")];
  const shown = all.filter((table) => table.checkVisibility());
  const said = document.querySelector(".live-place .ssd-words").textContent;
  return said.includes(words) && shown.length === tables;
}"""


@pytest.mark.parametrize(
    ("source", "words", "tables"),
    [("drawn at random", "would be positive", 2), ("a photograph", "no loss", 0)],
)
def test_a_drawn_scene_has_a_loss_and_a_photograph_has_none(
    built, browser, base, source, words, tables
):
    figure = Views(browser, base).start().show("what training would say")
    figure.page.locator(".ssd-choice label", has_text=source).click()
    figure.page.wait_for_function(TOLD, arg=[words, tables])
    figure.close()
