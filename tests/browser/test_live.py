"""The live page: a detector that starts when asked, and sees what a reader composes.

What a reader does and must see is in `compose`, which returns what was wrong; `SPOILED` damages
files on their way to the browser, and each damage must be noticed.
"""

import functools
import gzip
import json
import re

import built_site
import pytest
import torch
from live_files import DRAWN, MODEL

from ssd_tutorial.boxes import iou
from ssd_tutorial.deploy.onnx_file import OnnxNetwork
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import locate, make_priors
from tests.browser.conftest import faults_in_both_themes
from tests.browser.patience import comes

pytestmark = pytest.mark.browser

PAGE = "book/live.html"
FILES = "_static/live/"
PICTURE = f"{FILES}first.svg"
MOST_MB = 9  # compressed, of all that the detector loads
WATCH = """() => {
  globalThis.seen = [];
  const place = document.querySelector(".live-place");
  place.addEventListener("live-answer", (event) => seen.push(event.detail));
}"""
# the detector has seen the scene as it is now, and what it found is drawn
RESTED = """async () => {
  const place = document.querySelector(".live-place");
  const frame = () => new Promise(requestAnimationFrame);
  for (let calm = 0; calm < 6; calm = place.dataset.looking === "false" ? calm + 1 : 0) {
    await frame();
  }
}"""
BOXES = """() => {
  const side = document.querySelector(".live-stage").viewBox.baseVal.width;
  return [...document.querySelectorAll(".live-stage > rect[stroke-width='3']")].map((r) => {
    const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => r.getAttribute(name) / side);
    return [x, y, x + w, y + h];
  });
}"""
SAYS_ELSE = "said => document.querySelector('.live-place .ssd-live').innerText !== said"


class Figure:
    """The live figure of an open page."""

    def __init__(self, browser, base, width=1280, theme="light", spoil=None, **how):
        self.page, self.elsewhere = built_site.new_page(browser, base, width, theme, **how)
        self.console, self.loaded = [], []
        note = self.console.append
        self.page.on("console", lambda m: note(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda e: note(f"uncaught: {e}"))
        self.page.on("request", lambda r: self.loaded.append(r.url.removeprefix(base)))
        if spoil:
            spoil(self.page)
        self.page.goto(base + PAGE, wait_until="load")
        built_site.wait_until_drawn(self.page)
        self.page.evaluate(WATCH)

    def start(self):
        self.page.locator(".live-start").click()
        self.page.wait_for_selector(".live-place[data-state=alive]")
        self.page.wait_for_function("seen.length > 0")
        return self.rest()

    def rest(self):
        self.page.evaluate(RESTED)
        return self

    def found(self) -> list[tuple[str, float]]:
        """Return name and score of each detection, as the buttons say it."""
        texts = self.page.locator(".live-found button").all_inner_texts()
        return [(text.rsplit(" ", 1)[0], float(text.rsplit(" ", 1)[1])) for text in texts]

    def names(self) -> list[str]:
        return sorted(name for name, _ in self.found())

    def box(self, name) -> list[float]:
        """Return the box found with this name: boxes are drawn in the order of the buttons."""
        at = [n for n, _ in self.found()].index(name)
        return self.page.evaluate(BOXES)[at]

    def thing(self, name, nth=0):
        return self.page.locator(f'.live-stage [data-thing][aria-label^="{name},"]').nth(nth)

    def centre(self, name, nth=0) -> tuple[float, float]:
        place = self.thing(name, nth).locator(".ssd-body").bounding_box()
        return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2

    def side(self) -> float:
        return self.page.locator(".live-stage").bounding_box()["width"]

    def drag(self, name, dx, dy, nth=0):
        """Drag a thing by fractions of the picture."""
        self.page.locator(".live-stage").scroll_into_view_if_needed()
        (x, y), side = self.centre(name, nth), self.side()
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx * side, y + dy * side, steps=8)
        self.page.mouse.up()
        return self.rest()

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)
        return self.rest()

    def click(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()
        return self.rest()

    def slide(self, label, value):
        slider = self.page.get_by_role("slider", name=re.compile(label))
        slider.evaluate(
            "(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", str(value)
        )
        return self.rest()

    def verdict(self) -> str:
        return self.page.locator(".live-verdict").inner_text()

    def words(self) -> str:
        return self.page.locator(".live-place .ssd-words").inner_text()

    def close(self):
        self.page.context.close()


@pytest.fixture
def alive(shared):
    """Return a started figure with its first scene."""
    shared.click("Reset")
    if shared.page.locator(".live-inside").is_visible():
        shared.page.locator('.live-found button[aria-pressed="true"]').click()
    return shared.rest()


# --- what a reader does ---------------------------------------------------------------------------
def unless(holds, name, what=""):
    """Yield what is wrong unless it holds: its name, and what was found."""
    if not holds:
        yield name, what


def compose(figure):
    """Start a figure and use it; yield what is wrong."""
    page = figure.page
    early = [f for f in figure.loaded if FILES in f and not f.endswith(PICTURE)]
    yield from unless(not early, "nothing before the press", early)
    figure.start()
    first = json.loads(DRAWN.read_text(encoding="utf-8"))["first"]
    yield from unless(
        figure.names() == sorted(t["name"] for t in first), "first scene", figure.found()
    )
    scores = {name: f"{score:.2f}" for name, score in figure.found()}
    picture = (built_site.HTML / PICTURE).read_text(encoding="utf-8")
    told = dict(re.findall(r">(\w+) ([\d.]+)</text>", picture))
    near = all(abs(float(scores.get(n, 0)) - float(told[n])) < 0.03 for n in told)
    yield from unless(near, "scores of the picture", (scores, told))
    for thing in first:
        if thing["name"] in figure.names():
            there = figure.box(thing["name"])
            off = max(abs(a - b) for a, b in zip(there, thing["box"], strict=True))
            yield from unless(off < 0.06, "boxes around the things", (thing, there))

    said = page.locator(".live-place .ssd-live").inner_text()
    before = figure.box("cat") if "cat" in figure.names() else [0, 0, 0, 0]
    figure.drag("cat", 0.18, 0.02)
    after = figure.box("cat") if "cat" in figure.names() else [0, 0, 0, 0]
    moved = after[0] - before[0]
    yield from unless(abs(moved - 0.18) < 0.05, "a drag moves the box", (before, after))
    figure.drag("cat", 0.35, 0.1)  # behind the car, and half out of the picture
    yield from unless(comes(page, SAYS_ELSE, said, 5), "words for screen readers")

    figure.click("Reset")
    page.keyboard.press("Tab")
    figure.thing("car").focus()
    start = figure.centre("car")
    figure.press(*["ArrowLeft"] * 10)
    moved = (figure.centre("car")[0] - start[0]) / figure.side()
    yield from unless(abs(moved + 0.1) < 0.02, "arrow keys", moved)
    size = figure.thing("car").locator(".ssd-body").bounding_box()["width"]
    figure.press("+", "+")
    grown = figure.thing("car").locator(".ssd-body").bounding_box()["width"] / size
    yield from unless(abs(grown - 1.21) < 0.05, "plus", grown)
    figure.press(*["-"] * 18)
    yield from unless("car" not in figure.names(), "too small to be found", figure.found())
    figure.press("Delete")
    yield from unless(figure.thing("car").count() == 0, "delete")
    figure.click("add a train")
    yield from unless("train" in figure.names(), "add", figure.found())
    yield from unless(not figure.elsewhere, "other origins", figure.elsewhere)
    yield from unless(not figure.console, "console", figure.console)


def test_a_reader_starts_it_and_composes_with_mouse_and_keys(built, browser, base):
    figure = Figure(browser, base)
    assert list(compose(figure)) == []
    loaded = {name.partition("?")[0] for name in figure.loaded if FILES in name}
    figure.close()
    assert f"{FILES}scenes.onnx" in loaded
    packed = sum(len(gzip.compress((built / name).read_bytes())) for name in loaded)
    assert packed < MOST_MB * 1e6


def swap(old, new):
    def change(text):
        assert old in text, f"{old!r} is not there to be spoiled"
        return text.replace(old, new)

    return change


SPOILED = {  # file, change, what is noticed
    "it loads early": (
        "live.js",
        lambda text: text + f";fetch('../{FILES}scenes.json')",
        "nothing before the press",
    ),
    "scores too low": (
        "geometry.js",
        swap("const total = logSumExp(logits);", "const total = logSumExp(logits) + 0.2;"),
        "scores of the picture",
    ),
    "things drawn too small": (
        "things.js",
        swap("context.setTransform(w / 1000, 0", "context.setTransform(w / 1400, 0"),
        "boxes around the things",
    ),
    "priors of another cell": (
        "worker.js",
        swap(
            "return look(new Uint8Array(4 * side * side));",
            "const answer = await look(new Uint8Array(4 * side * side)); return {"
            " ...answer, priors: answer.priors.map((v, i) => (i % 4 ? v : v + 0.1)) };",
        ),
        "boxes around the things",
    ),
    "the detector sees one picture": (
        "scene.js",
        swap("if (busy || key === asked || ", "if (busy || asked || "),
        "a drag moves the box",
    ),
    "silence": ("ui.js", swap("this.live.textContent = said", "0"), "words for screen readers"),
    "arrow keys are dead": ("paper.js", swap("if (ARROWS[event.key])", "if (0)"), "arrow keys"),
    "plus is dead": ("scene.js", swap('event.key === "+"', "false"), "plus"),
    "nothing is added": ("scene.js", swap('[...get("things"), thing]', 'get("things")'), "add"),
    "another origin": ("live.js", lambda t: t + ";fetch('https://example.org/')", "other origins"),
    "an error": ("scene.js", lambda t: t + ";console.error('spoiled')", "console"),
}


def route_changed(page, file, change):
    def serve(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=change(answer.text()))

    page.route(re.compile(rf"/{re.escape(file)}(\?|$)"), serve)


@pytest.mark.parametrize("damage", SPOILED)
def test_planted_damage_is_noticed(built, browser, base, damage):
    file, change, noticed = SPOILED[damage]
    figure = Figure(browser, base, spoil=lambda page: route_changed(page, file, change))
    assert noticed in (name for name, _ in compose(figure))
    figure.close()


# --- tasks ----------------------------------------------------------------------------------------
def test_each_scene_with_a_knob_shows_what_its_words_promise(alive):
    alive.click("Shrink a cat")
    seen = {size: alive.slide("size of the cat", size).names() for size in (40, 24, 14)}
    assert seen == {40: ["cat"], 24: ["cat"], 14: []}
    alive.click("Slide behind")
    assert "cat" in alive.slide("covered", 0.5).names()
    assert alive.slide("covered", 0.8).names() == ["house"]
    alive.click("Two cats")
    assert alive.names() == ["cat"]
    assert alive.slide("NMS", 0.75).names().count("cat") > 1
    alive.slide("NMS", 0.45)
    assert alive.slide("distance", 1.4).names() == ["cat", "cat"]
    alive.click("Stretch")
    assert "cat" in alive.slide("width of the cat", 1.5).names()
    assert "cat" not in alive.slide("width of the cat", 3).names()


def test_the_cat_can_be_hidden(alive):
    alive.click("Hide the cat")
    assert alive.verdict() == "100 % of the cat is in sight; its score is 1.00."
    alive.drag("car", -0.32, -0.18)
    assert re.match(r"✓ Hidden: [67]\d % of the cat is in sight", alive.verdict())
    said = alive.page.locator(".live-place .ssd-live", has_text="✓ Hidden")
    said.wait_for(state="attached")  # a screen reader hears it once things rest


def test_hiding_by_other_means_does_not_count(alive):
    alive.click("Hide the cat")
    alive.slide("score above", 0.95)
    alive.drag("tree", 0.33, 0.1)
    alive.drag("car", -0.32, -0.04)  # both: less than 60 % is in sight
    assert alive.names().count("cat") == 0
    assert not alive.verdict().startswith("✓")
    alive.click("Hide the cat")
    alive.thing("cat").focus()
    alive.press(*["-"] * 30)
    assert alive.verdict() == "The cat must stay as it was: whole, as large, and not bent."
    alive.press("Delete")
    assert alive.verdict() == "There is no cat in the scene."


def test_three_come_out_of_two(alive):
    alive.click("Three out of two")
    assert alive.verdict() == "The detector counts 2."
    alive.slide("NMS", 0.9)
    assert alive.verdict().startswith("Put the sliders back")
    alive.slide("NMS", 0.45)
    alive.thing("cat", 1).focus()
    for _ in range(40):
        if alive.press("ArrowLeft").verdict().startswith("✓"):
            break
    assert alive.verdict().startswith("✓ 3 cats out of two.")
    assert alive.names() == ["cat"] * 3
    assert alive.slide("NMS", 0.3).names() == ["cat"] * 2


def test_a_small_train_is_found(alive):
    alive.click("The smallest train")
    alive.thing("train").focus()
    assert alive.verdict() == "The smallest train found so far has 90 px."
    alive.press(*["-"] * 15)
    steps = [*["ArrowRight"] * 4, "ArrowDown", *["ArrowLeft"] * 4, "ArrowDown"] * 4
    for step in ["-", *steps, "-", *steps]:
        if alive.press(step).verdict().startswith("✓"):
            break
    assert re.match(r"✓ The smallest train found so far has 1[4-8] px\.", alive.verdict())


# --- look inside ----------------------------------------------------------------------------------
def rows(page, label):
    table = page.locator(f'table[aria-label="{label}"] tbody tr').all()
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in table]


def number(text):
    return float(text.replace("−", "-"))


def test_inside_are_prior_cell_offsets_scores_and_what_was_suppressed(alive):
    page, preset = alive.page, get_preset(OnnxNetwork(MODEL).config.priors.name)
    priors = make_priors(preset)
    alive.page.locator(".live-found button", has_text="cat").click()
    alive.rest()
    told = page.locator(".live-inside-words").inner_text()
    form = r"cat [\d.]+: prior (\d+) of 8732, on (\w+) .*row (\d+), column (\d+), box (\d)\."
    index, name, *place = re.match(form, told).groups()
    prior = int(index)
    map_, row, column, box = locate(preset, prior)
    assert (name, *map(int, place)) == (preset.maps[map_].name, row, column, box)

    table = rows(page, "From prior to box")
    starts, offsets, moves, ends = ([number(r[k]) for r in table] for k in (1, 2, 3, 4))
    assert starts == pytest.approx((300 * priors[prior]).tolist(), abs=0.06)
    for offset, move, variance in zip(offsets, moves, preset.variances, strict=True):
        assert move == pytest.approx(offset * variance, abs=0.011)
    cx, cy, w, h = starts
    moved = [cx + moves[0] * w, cy + moves[1] * h, w * 2.71828 ** moves[2], h * 2.71828 ** moves[3]]
    assert ends == pytest.approx(moved, abs=1.2)  # the moves are rounded to hundredths
    x0, y0, x1, y1 = (300 * edge for edge in alive.box("cat"))
    assert ends == pytest.approx([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], abs=1)

    scores = rows(page, "Scores before and after softmax")
    assert scores[0][0] == "cat"
    assert scores[-1][0] == "background"
    assert float(scores[0][2]) == pytest.approx(dict(alive.found())["cat"], abs=0.006)
    best, background = number(scores[0][1]), number(scores[-1][1])
    ratio = float(scores[0][2]) / max(float(scores[-1][2]), 5e-4)
    assert best - background > 4
    assert ratio > 20

    suppressed = rows(page, "Suppressed boxes")
    assert len(suppressed) >= 3
    for index, map_, score, overlap in suppressed:
        assert map_ == preset.maps[locate(preset, int(index)).map].name
        assert 0.5 < float(score) <= float(scores[0][2]) + 0.005
        assert 0.45 <= float(overlap) <= 1


def test_it_follows_the_thing_and_says_when_it_is_lost(alive):
    alive.page.locator(".live-found button", has_text="cat").click()
    first = alive.rest().page.locator(".live-inside-words").inner_text()
    alive.drag("cat", 0.08, 0.0)
    second = alive.page.locator(".live-inside-words").inner_text()
    assert second != first
    assert second.startswith("cat ")
    alive.thing("cat").focus()
    alive.press(*["-"] * 20)
    assert alive.page.locator(".live-inside-words").inner_text() == "This cat is no longer found."


# --- order, themes, fingers -----------------------------------------------------------------------
def test_front_and_back_change_what_is_seen(alive):
    alive.drag("cat", 0.47, 0.06)  # in front of the car, or behind it
    alive.thing("car").focus()
    alive.click("to the front")
    in_front = dict(alive.found())
    alive.click("to the back")
    behind = dict(alive.found())
    assert in_front.get("car", 0) > 0.7
    assert "car" not in behind
    assert behind.get("cat", 0) > 0.7


def test_no_serious_fault_of_accessibility_in_any_state(
    built, browser, base, axe, width, theme_at_first
):
    figure = Figure(browser, base, width, theme_at_first, reduced_motion="reduce").start()
    page = figure.page
    page.evaluate(axe)
    figure.click("Hide the cat")
    page.locator(".live-found button").first.click()
    figure.rest()
    found = faults_in_both_themes(page)
    wide = page.evaluate("document.documentElement.scrollWidth")
    moving = page.evaluate("document.getAnimations().length")
    small = page.evaluate(
        """() => [...document.querySelectorAll(".live-place button, .live-place input")]
          .filter((n) => n.offsetParent && n.getBoundingClientRect().height < 24).length"""
    )
    figure.close()
    assert found == []
    assert wide <= width
    assert moving == 0
    assert small == 0


def test_a_finger_drags_a_thing_and_scrolls_beside_it(built, browser, base):
    figure = Figure(browser, base, 360, height=780).start()
    page = figure.page
    page.locator(".live-stage").scroll_into_view_if_needed()
    session = page.context.new_cdp_session(page)

    def swipe(x, y, dx, dy):
        def send(kind, *points):
            at = [{"x": a, "y": b} for a, b in points]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

        send("touchStart", (x, y))
        for step in range(1, 9):
            send("touchMove", (x + dx * step / 8, y + dy * step / 8))
        send("touchEnd")

    scrolled, (x, y) = page.evaluate("scrollY"), figure.centre("cat")
    swipe(x, y, 0, -60)
    figure.rest()
    page.wait_for_timeout(300)
    assert page.evaluate("scrollY") == scrolled
    assert figure.centre("cat")[1] == pytest.approx(y - 60, abs=4)
    stage = page.locator(".live-stage").bounding_box()
    swipe(stage["x"] + 12, stage["y"] + 160, 0, -120)
    page.wait_for_function(f"scrollY > {scrolled + 40}")
    figure.close()


# --- where it cannot run --------------------------------------------------------------------------
MISSING = {
    "page.js": "page.js",
    "geometry.js": "page.js",  # which needs it
    "scenes.json": "scenes.json did not arrive from this server (404)",
    "scenes.onnx": "scenes.onnx did not arrive from this server (404)",
    "ort-wasm-simd-threaded.wasm": "simd-threaded.wasm did not arrive from this server (404)",
    "worker.js": "worker.js",
    "detector.js": "detector.js",
    "ort.wasm.min.mjs": "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs": "ort-wasm-simd-threaded.mjs",
}


@pytest.mark.parametrize("name", MISSING)
def test_a_missing_file_is_named_and_can_be_tried_again(built, browser, base, name):
    pattern = re.compile(rf"/{re.escape(name)}(\?|$)")
    figure = Figure(browser, base)
    page = figure.page
    page.route(pattern, lambda route: route.fulfill(status=404, body="not here"))
    page.locator(".live-start").click()
    page.wait_for_selector(".live-offer[data-state=failed]")
    words = page.locator(".live-words").inner_text()
    picture = page.locator(".live-place img").is_visible()
    page.unroute(pattern)
    page.locator(".live-start", has_text="Try again").click()
    page.wait_for_selector(".live-place[data-state=alive], .live-offer[data-state=failed]")
    came_back = page.locator(".live-place[data-state=alive]").count() == 1
    figure.close()
    assert MISSING[name] in words
    assert picture
    assert came_back or name in ("page.js", "geometry.js")  # a browser keeps a failed import


def other_file(body, route):
    route.fulfill(body=body)


def test_a_file_that_is_cut_or_another_one_is_refused(built, browser, base):
    for body in (b"<html>not found, but with status 200</html>", MODEL.read_bytes() * 2):
        figure = Figure(browser, base)
        serve = functools.partial(other_file, body)
        figure.page.route("**/scenes.onnx", serve)
        figure.page.locator(".live-start").click()
        figure.page.wait_for_selector(".live-offer[data-state=failed]")
        words = figure.page.locator(".live-words").inner_text()
        figure.close()
        assert "scenes.onnx did not arrive from this server (" in words


def test_without_the_network_it_says_so(built, browser, base):
    figure = Figure(browser, base)
    figure.page.context.set_offline(True)
    figure.page.locator(".live-start").click()
    figure.page.wait_for_selector(".live-offer[data-state=failed]")
    words = figure.page.locator(".live-words").inner_text()
    figure.close()
    assert "did not arrive" in words


def test_where_webassembly_is_refused_it_says_so(built, browser, base):
    def forbid(route):
        answer = route.fetch()
        policy = {"content-security-policy": "script-src 'self'"}  # without 'wasm-unsafe-eval'
        route.fulfill(response=answer, headers={**answer.headers, **policy})

    figure = Figure(browser, base, spoil=lambda page: page.route("**/live/worker.js", forbid))
    figure.page.locator(".live-start").click()
    figure.page.wait_for_selector(".live-offer[data-state=failed]")
    words = figure.page.locator(".live-words").inner_text()
    figure.close()
    assert "refuses WebAssembly" in words


def test_from_a_folder_it_says_that_it_needs_a_server(built, browser):
    page = browser.new_page()
    console = []
    page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
    page.goto((built / PAGE).as_uri())
    words = page.locator(".live-words").inner_text()
    shown = page.locator(".live-place img").evaluate("i => i.complete && i.naturalWidth > 0")
    buttons = page.locator(".live-start").count()
    page.close()
    assert "make serve" in words
    assert shown
    assert (buttons, console) == (0, [])


def test_a_book_built_without_npm_says_so_and_keeps_its_picture(built, browser, base):
    change = lambda text: re.sub(r' data-files="[^"]*"', "", text)  # noqa: E731 - what a build omits
    figure = Figure(browser, base, spoil=lambda page: route_changed(page, "live.html", change))
    words = figure.page.locator(".live-words").inner_text()
    buttons, shown = (
        figure.page.locator(".live-start").count(),
        figure.page.locator(".live-place img").is_visible(),
    )
    figure.close()
    assert "without npm" in words
    assert (buttons, shown) == (0, True)


def test_without_scripts_there_are_a_picture_and_a_caption(built, browser, base):
    page, _ = built_site.new_page(browser, base, 360, java_script_enabled=False)
    page.goto(base + PAGE, wait_until="load")
    picture = page.locator(".live-place img")
    shown, alt = picture.is_visible(), picture.get_attribute("alt")
    caption = page.locator("figcaption").inner_text()
    page.context.close()
    assert shown
    assert "lighthouse" in alt
    assert "candidates" in caption


def test_a_detector_that_stops_says_so(built, browser, base):
    figure = Figure(browser, base).start()
    stop = "() => { onmessage = () => postMessage({ failed: 'memory is short' }); }"
    figure.page.workers[0].evaluate(stop)
    figure.thing("cat").focus()
    figure.page.keyboard.press("ArrowRight")
    figure.page.wait_for_selector(".live-broken:visible")
    words = figure.page.locator(".live-broken").inner_text()
    figure.close()
    assert "The detector stopped: memory is short" in words


def test_the_first_page_and_three_chapters_lead_here(built):
    for name in ("index", "01_tour", "13_detecting", "14_evaluation"):
        page = (built / "book" / f"{name}.html").read_text(encoding="utf-8")
        article = page[page.index("<article") : page.rindex("</article>")]
        assert re.search(r'<p>[^§]*?<a class="reference internal" href="live\.html"', article), name


def test_boxes_that_stay_overlap_no_other_by_more_than_the_threshold(alive):
    alive.click("Two cats")
    counts = []
    for distance in (0.3, 0.7, 0.9, 1.05):
        alive.slide("distance", distance)
        boxes = torch.tensor(alive.page.evaluate(BOXES))
        counts.append(len(boxes))
        assert iou(boxes, boxes).triu(1).max() <= 0.451
    assert counts[0] == 1
    assert max(counts) == 3
