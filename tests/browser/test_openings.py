"""The figures of one knob: in the first screen, with the package's numbers, no trap for fingers."""

import built_site
import pytest
from ssd_book.explorers import Opening
from ssd_book.explorers.opening import TOPICS

from tests.browser import explorer_visits as ev
from tests.explorers.test_opening_explorer import CHAPTERS

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

ROOT = "#explorer-0 .ssd-opening"
SLIDE = """async (slider, [values, number]) => {
  const shown = [];
  for (const value of values) {
    slider.value = value;
    slider.dispatchEvent(new Event("input"));
    await probe.drawn();
    shown.push([Number(slider.value), document.querySelector(number).innerText]);
  }
  return shown;
}"""
PATH = [  # over kite, sky, balloon and lighthouse: key, with shift, and where it moves the point
    *[("ArrowUp", True, 0, -1)] * 2,
    *[("ArrowRight", False, 1, 0)] * 15,
    *[("ArrowDown", True, 0, 1)] * 4,
    *[("ArrowLeft", False, -1, 0)] * 6,
]


def opened(browser, base, chapter, width, height, **how):
    page, _ = built_site.new_page(browser, base, width, height=height, **how)
    page.add_init_script(ev.PROBE)
    page.goto(f"{base}book/{chapter}.html", wait_until="load")
    assert ev.begun(page, 60)
    built_site.wait_until_drawn(page)
    return page


each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, scope="module")


@pytest.fixture(scope="module")
def laptop(browser, base, html, chapter):
    """Open a chapter once for what is looked at before the figure is used, and what is after."""
    page = opened(browser, base, chapter, 1280, 800)
    yield page
    page.context.close()


def number(page) -> str:
    page.evaluate("probe.drawn()")
    return page.locator(f"{ROOT} .ssd-number").inner_text()


@each_chapter
def test_a_chapter_has_its_figure_in_the_first_screen(laptop):
    place = laptop.locator(f"{ROOT} .ssd-paper").evaluate("e => e.getBoundingClientRect().toJSON()")
    assert place["top"] > 0
    assert place["bottom"] < 800
    assert place["width"] > 300


@each_chapter
def test_on_a_phone_the_picture_and_what_answers_are_on_one_screen(browser, base, html, chapter):
    page = opened(browser, base, chapter, 360, 740)
    height = page.locator(ROOT).evaluate("e => e.getBoundingClientRect().height")
    page.context.close()
    assert height < 660


@each_chapter
def test_the_numbers_are_those_of_the_package(laptop, chapter):
    page, topic = laptop, CHAPTERS[chapter]
    explorer = Opening(topic)
    assert number(page) == explorer.number()
    if topic == "overlap":
        page.locator(f"{ROOT} .ssd-box").focus()
        for _ in range(7):
            page.keyboard.press("ArrowLeft")
        x0, y0, x1, y1 = explorer.box
        explorer.box = [x0 - 0.07, y0, x1 - 0.07, y1]
        assert number(page) == explorer.number()
    elif topic == "place":
        page.locator(f"{ROOT} .ssd-knob").focus()
        for key, fast, dx, dy in PATH:
            page.keyboard.press(f"Shift+{key}" if fast else key)
            step = 0.1 if fast else 0.02
            x, y = explorer.point
            explorer.point = [x + dx * step, y + dy * step]
            assert number(page) == explorer.number()
    else:
        slider = page.locator(f"{ROOT} input[type=range]")
        low, high, step = (float(slider.get_attribute(n)) for n in ("min", "max", "step"))
        assert (low, high) == (TOPICS[topic].low, TOPICS[topic].high)
        values = [low + i * step for i in range(round((high - low) / step) + 1)]
        for at, shown in slider.evaluate(SLIDE, [values, f"{ROOT} .ssd-number"]):
            explorer.at = min(at, high)
            assert shown == explorer.number()


def test_a_finger_that_moves_up_on_a_box_scrolls_the_page_and_leaves_the_box(browser, base, html):
    chapter = "04_boxes_and_iou"
    page = opened(browser, base, chapter, 360, 740)
    session = page.context.new_cdp_session(page)
    body = page.locator(f"{ROOT} .ssd-body")
    body.scroll_into_view_if_needed()
    page.wait_for_timeout(400)

    def swipe(dx, dy):
        box = body.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for n in range(13):
            point = [{"x": x + n * dx, "y": y + n * dy}]
            kind = "touchMove" if n else "touchStart"
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": point})
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(300)

    before, top = number(page), page.evaluate("scrollY")
    swipe(1, -9)
    assert page.evaluate("scrollY") > top + 40
    assert number(page) == before
    top = page.evaluate("scrollY")
    swipe(-5, 3)
    assert page.evaluate("scrollY") == top
    assert number(page) != before
    page.context.close()
