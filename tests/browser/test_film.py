"""The first page: its film by keyboard, mouse and finger, in motion and without, and its layout."""

import re

import built_site
import pytest
from ssd_book.explorers import FilmExplorer

from tests.browser.explorer_reader import PROBE
from tests.browser.patience import least

pytestmark = pytest.mark.browser

PAGE = "book/index.html"
SLIDER = ".ssd-film-slider"
# 11 s of film can be over before a busy machine has clicked: let a frame last five times as long
SLOWLY = """{ const frame = requestAnimationFrame;
globalThis.requestAnimationFrame = (call) => frame((time) => call(time / 5)); }
"""


def opened(browser, base, width=1280, theme="light", height=800, path=PAGE, motion="reduce", **how):
    page, elsewhere = built_site.new_page(
        browser, base, width, theme, height, reduced_motion=motion, **how
    )
    page.add_init_script(PROBE)
    if motion != "reduce":
        page.add_init_script(SLOWLY)
    page.goto(base + path, wait_until="load")
    built_site.wait_until_drawn(page)
    return page, elsewhere


@pytest.fixture
def still(browser, base):
    """Open the page for a reader who prefers no motion: the film stands at its beginning."""
    page, _ = opened(browser, base)
    yield page
    page.context.close()


def read(page) -> tuple[float, int, str]:
    """Return the film's position, number and sentence, as they are shown and as they are heard."""
    page.evaluate("probe.drawn()")
    slider = page.locator(SLIDER)
    number = int(page.locator(".ssd-film-number").inner_text())
    words = page.locator(".ssd-film-words").inner_text()
    assert slider.get_attribute("aria-valuetext") == f"{number} {words}"
    return float(slider.input_value()), number, words


def go(page, position):
    page.locator(SLIDER).evaluate(
        "(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", position
    )
    return read(page)


def boxes(page):
    """Return the boxes over the picture, xyxy in fractions of it, in the order of drawing."""
    return page.evaluate(
        """() => {
          const side = document.querySelector(".ssd-film svg").viewBox.baseVal.width;
          const rects = [...document.querySelectorAll(".ssd-film svg rect")];
          return rects.filter((r) => r.getAttribute("fill") === "none").map((r) => {
            const [x, y, w, h] = ["x", "y", "width", "height"].map((n) => +r.getAttribute(n));
            const box = [x, y, x + w, y + h].map((v) => v / side);
            return { box, stroke: r.getAttribute("stroke") };
          });
        }"""
    )


# --- what it says ---------------------------------------------------------------------------------
def test_its_numbers_and_boxes_are_those_of_the_package(still):
    film = FilmExplorer()
    assert read(still)[:2] == (0, 8732)
    last = len(film.thresholds) - 1
    for position in range(8, 44, 5):
        _, number, words = go(still, position)
        step = round(last * (position - 7) / 37)
        assert number == sum(passed >= step for passed in film.passed)
        rarely, percent = re.search(r"above (?:1 in ([\d\s]+)|([\d.]+)\s%) of", words).groups()
        chance = 1 / int(re.sub(r"\s", "", rarely)) if rarely else float(percent) / 100
        assert chance == pytest.approx(film.thresholds[step], rel=0.06)
    _, number, words = go(still, 47)
    assert (number, words[:25]) == (36, "boxes have a chance above")
    assert "50\N{NO-BREAK SPACE}%" in words
    _, number, words = go(still, 68)
    assert number == len(film.candidates)
    drawn = [b["box"] for b in boxes(still) if b["stroke"] != "#fff"]
    for box, (_, _, _, *decoded, _) in zip(drawn, film.candidates, strict=True):
        assert box == pytest.approx(decoded, abs=0.002)
    _, number, words = go(still, 100)
    best = [row for i, row in enumerate(film.candidates) if row[-1] == i]
    names = [film.classes[row[1]] for row in best]
    assert number == len(best)
    assert re.findall(r"an? (\w+)", words) == names
    labels = still.locator(".ssd-film-label").all_text_contents()
    assert labels == [f"{n} {row[2]:.2f}" for n, row in zip(names, best, strict=True)]
    drawn = [b["box"] for b in boxes(still) if b["stroke"] != "#fff"]
    for box, row in zip(drawn, best, strict=True):
        assert box == pytest.approx(row[3:7], abs=0.002)


def test_the_number_never_grows(still):
    numbers = [go(still, position)[1] for position in range(0, 101, 2)]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) > 20


# --- keys, mouse, finger --------------------------------------------------------------------------
def test_the_slider_obeys_the_keyboard_and_the_page_stays(still):
    still.locator(SLIDER).focus()
    before = still.evaluate("[location.href, scrollY]")

    def after(key):
        still.keyboard.press(key)
        return read(still)[0]

    assert after("ArrowRight") == 2
    assert after("ArrowUp") == 4
    assert after("ArrowLeft") == 2
    assert [after("PageUp") for _ in range(4)] == [44, 68, 92, 100]
    assert after("PageDown") == 92
    assert after("Home") == 0
    assert after("ArrowDown") == 0
    assert after("End") == 100
    for _ in range(5):  # none is lost when they come fast
        still.keyboard.press("ArrowLeft")
    assert read(still)[0] == 90
    assert still.evaluate("[location.href, scrollY]") == before


def test_the_slider_follows_the_mouse(still):
    box = still.locator(SLIDER).bounding_box()
    y = box["y"] + box["height"] / 2
    still.mouse.move(box["x"] + 13, y)
    still.mouse.down()
    still.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    assert read(still)[0] == pytest.approx(50, abs=2)
    still.mouse.move(box["x"] + box["width"], y, steps=5)
    still.mouse.up()
    assert read(still)[:2] == (100, 4)


def swipe(page, start, by):
    session = page.context.new_cdp_session(page)

    def send(kind, *points):
        at = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    send("touchStart", start)
    for step in range(1, 11):
        send("touchMove", (start[0] + by[0] * step / 10, start[1] + by[1] * step / 10))
    send("touchEnd")
    session.detach()


def test_a_swipe_over_the_picture_scrolls_and_one_along_the_slider_does_not(browser, base):
    page, _ = opened(browser, base, 360, height=640)
    box = page.locator(SLIDER).bounding_box()
    y = box["y"] + box["height"] / 2
    swipe(page, (box["x"] + 14, y), (box["width"] / 2, 0))
    page.wait_for_function(f"document.querySelector('{SLIDER}').value > 30")
    page.wait_for_timeout(300)  # scrolls after all?
    assert page.evaluate("scrollY") == 0
    screen = page.locator(".ssd-film-screen").bounding_box()
    swipe(page, (180, screen["y"] + screen["height"] * 0.8), (0, -150))
    page.wait_for_function("scrollY > 60")
    page.context.close()


# --- motion ---------------------------------------------------------------------------------------
def stands_still(page, position):
    page.wait_for_timeout(400)
    assert read(page)[0] == position


def test_it_plays_once_by_itself_and_stops_at_the_first_touch_for_good(browser, base):
    page, _ = opened(browser, base, motion="no-preference")
    page.wait_for_function(f"document.querySelector('{SLIDER}').value > 3")
    page.mouse.click(20, 300)  # anywhere
    position, _, _ = read(page)
    assert 3 < position < 100
    stands_still(page, position)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, 0)")
    stands_still(page, position)
    page.context.close()


def test_a_key_stops_it_and_the_button_plays_on(browser, base):
    page, _ = opened(browser, base, motion="no-preference")
    page.wait_for_function(f"document.querySelector('{SLIDER}').value > 3")
    page.keyboard.press("Tab")
    position = read(page)[0]
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function(f"document.querySelector('{SLIDER}').value > {position + 4}")
    page.get_by_role("button", name="Pause").click()
    stands_still(page, read(page)[0])
    page.context.close()


def test_the_pause_button_pauses_the_first_play(browser, base):
    page, _ = opened(browser, base, motion="no-preference")
    page.wait_for_function(f"document.querySelector('{SLIDER}').value > 3")
    page.get_by_role("button", name="Pause").click()
    stands_still(page, read(page)[0])
    page.context.close()


def test_without_motion_it_waits_and_play_goes_from_scene_to_scene(still):
    still.wait_for_timeout(600)
    assert read(still)[0] == 0
    play = still.locator(".ssd-film-play")
    seen = []
    for _ in range(5):
        play.click()
        seen.append(read(still)[0])
    assert seen == [44, 68, 92, 100, 0]


# --- the page -------------------------------------------------------------------------------------
def test_without_scripts_there_are_a_picture_and_words(browser, base):
    page, _ = built_site.new_page(browser, base, 360, java_script_enabled=False)
    page.goto(base + PAGE, wait_until="load")
    picture = page.locator(".of-film img")
    box = picture.bounding_box()
    assert picture.is_visible()
    assert box["width"] == pytest.approx(360, abs=1)  # from edge to edge
    assert box["height"] == pytest.approx(box["width"], abs=2)
    assert len(picture.get_attribute("alt")) > 40
    assert "8732 boxes" in page.locator("figcaption").first.inner_text()
    page.context.close()


@pytest.mark.parametrize(("across", "height"), [(360, 640), (320, 568)])
def test_on_a_phone_picture_and_slider_stand_on_one_screen(browser, base, across, height):
    page, _ = opened(browser, base, across, height=height)
    screen = page.locator(".ssd-film-screen").bounding_box()
    knob = page.locator(".ssd-film-knob").bounding_box()
    header = page.locator(".bd-header-article").bounding_box()
    assert (screen["x"], screen["width"]) == (0, across)
    assert knob["y"] + knob["height"] - screen["y"] <= height - header["height"]
    assert page.evaluate("document.documentElement.scrollWidth") <= across
    for target in (SLIDER, ".ssd-film-play", "a.first-button", "a.tile"):
        for box in [node.bounding_box() for node in page.locator(target).all()]:
            assert min(box["width"], box["height"]) >= 44, target
    for position in range(0, 101, 10):  # the text never outgrows its place
        go(page, position)
        assert page.locator(".ssd-film-knob").bounding_box()["y"] == knob["y"]
    page.context.close()


def test_nothing_moves_while_the_page_loads(browser, base, width):
    """The calmest of three visits counts, as in test_pages.py; here the film plays, too."""

    def shift():
        page, _ = opened(browser, base, width, motion="no-preference")
        page.wait_for_function(f"document.querySelector('{SLIDER}').value > 3")
        moved = page.evaluate("probe.shift()")
        page.context.close()
        return moved

    assert least(shift, 0.05) <= 0.05


def test_the_first_screen_of_a_laptop_holds_headline_buttons_and_film(browser, base):
    page, _ = opened(browser, base, 1280, height=720)
    for place in ("h1", "a.first-button", ".ssd-film-screen", ".ssd-film-knob"):
        box = page.locator(place).last.bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 720, place
    page.context.close()


def test_in_the_dark_number_and_words_are_bright_and_the_picture_is_not_dimmed(browser, base):
    page, _ = opened(browser, base, theme="dark")
    bright = "n => getComputedStyle(n).color.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    for place in (".ssd-film-number", ".ssd-film-words", "h1", ".tile-name"):
        assert page.locator(place).first.evaluate(bright) > 400, place
    shown = page.locator(".ssd-film-screen img").evaluate("i => getComputedStyle(i).filter")
    assert shown == "none"
    page.context.close()


def test_the_sidebar_gives_way_to_a_bar_where_there_is_room(browser, base):
    for width, bar in ((1280, True), (360, False)):
        page, _ = opened(browser, base, width)
        assert page.locator("nav.first-bar").is_visible() is bar
        assert page.locator("button.primary-toggle").is_visible() is not bar
        page.context.close()
    page, _ = opened(browser, base, path="book/glossary.html")
    assert page.locator("nav.first-bar").count() == 0
    assert page.locator("#pst-primary-sidebar").is_visible()
    page.context.close()


def test_the_root_page_is_the_same_and_alive(browser, base):
    page, elsewhere = opened(browser, base, path="")
    assert go(page, 100)[1] == 4
    page.locator("a.first-main").click()
    page.wait_for_url(re.compile(r"/book/\d\d_\w+\.html"))
    page.context.close()
    assert elsewhere == []


def test_it_plays_from_a_folder(browser, html):
    page = browser.new_page(reduced_motion="reduce")
    page.add_init_script(PROBE)
    page.goto((html / PAGE).as_uri())
    built_site.wait_until_drawn(page)
    assert go(page, 100)[1] == 4
    page.close()
