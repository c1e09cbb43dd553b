"""Words that act on a figure, and links to a state: each one is pressed, in a real browser."""

import json
import re
from urllib.parse import quote

import built_site
import pytest

from tests.browser.patience import SECONDS, comes

WITH_ACTIONS = re.compile(r'class="(?:plays|counts)"')
SCRIPT = re.compile(r"/explorers\.js(\?|$)")
STARTED = "document.documentElement.dataset.explorers === 'started'"
WORDS = """async (figure) => {
  for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
  return document.querySelector(`#${figure} .ssd-words`).textContent;
}"""
SAYS = "([figure, words]) => document.querySelector(`#${figure} .ssd-words`).textContent === words"
PRESSED = "button => button.getAttribute('aria-pressed') === 'true'"
FADED = "figure => document.querySelectorAll(`#${figure} .ssd-faded`).length"
CHAPTER = "book/08_matching.html"
FIGURE = "fig-matching-explorer"


def acting_pages() -> list[str]:
    try:
        pages = built_site.built_pages()
    except FileNotFoundError:
        return [CHAPTER]
    texts = ((name, (built_site.HTML / name).read_text(encoding="utf-8")) for name in pages)
    return [name for name, text in texts if WITH_ACTIONS.search(text)]


def opened(browser, base, name, width=1280, spoil=None, **context_of):
    """Open a page, wait for its explorers, and keep what goes wrong in `page.faults`."""
    page, _ = built_site.new_page(browser, base, width, **context_of)
    page.faults = []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    if spoil:
        page.route(SCRIPT, spoil)
    page.goto(base + name)
    page.wait_for_function(STARTED)
    return page


def press(page, seconds=SECONDS):
    """Press every button twice; yield what is wrong, such as a play that takes too many seconds."""
    for button in page.locator("button.plays").all():
        name, figure = button.inner_text(), button.get_attribute("data-figure")
        before = page.evaluate(WORDS, figure)
        button.click()
        if not comes(page, PRESSED, button.element_handle(), seconds):
            yield f"{name}: does not arrive"
        if page.evaluate(WORDS, figure) == before:
            yield f"{name}: nothing moves"
        button.click()
        if not comes(page, SAYS, [figure, before], seconds):
            yield f"{name}: is not undone"
    for button in page.locator("button.counts").all():
        name, figure = button.inner_text(), button.get_attribute("data-figure")
        button.click()
        parts = page.locator(f"#{figure} [data-key]").count()
        if not 0 < page.evaluate(FADED, figure) < parts:
            yield f"{name}: {page.evaluate(FADED, figure)} of {parts} parts are faded"
        button.press("Tab")
        if page.evaluate(FADED, figure):
            yield f"{name}: the light stays"
    yield from page.faults


def test_chapters_4_to_8_have_words_that_act():
    assert {name[5:7] for name in acting_pages()} >= {"04", "05", "06", "07", "08"}


@pytest.mark.parametrize("page", acting_pages())
def test_every_word_acts_and_is_undone(browser, base, page):
    tab = opened(browser, base, page)
    assert tab.locator("span.plays, span.counts").count() == 0
    assert tab.locator("button.plays, button.counts").count() > 0
    assert list(press(tab)) == []
    tab.context.close()


@pytest.mark.parametrize(
    ("sound", "broken", "noticed"),
    [
        ("model.set(name, between(", "void (between(", "nothing moves"),
        ("share * share * (3 - 2 * share)", "0.9 * share", "does not arrive"),
        ("before = undo ? null : now()", "before = undo ? null : target", "is not undone"),
        ('classList.toggle("ssd-faded", on', 'classList.toggle("ssd-faded", false', "0 of"),
        ("() => press(false)", "() => {}", "the light stays"),
    ],
)
def test_a_broken_script_is_noticed(browser, base, sound, broken, noticed):
    source = (built_site.HTML / "_static" / "explorers.js").read_text(encoding="utf-8")
    assert source.count(sound) == 1
    text = source.replace(sound, broken)
    spoil = lambda route: route.fulfill(body=text, content_type="text/javascript")  # noqa: E731
    tab = opened(browser, base, CHAPTER, spoil=spoil)
    assert any(noticed in one for one in press(tab, seconds=4))
    tab.context.close()


def test_reduced_motion_jumps(browser, base):
    tab = opened(browser, base, CHAPTER, reduced_motion="reduce")
    button = tab.locator("button.plays").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"  # at once
    tab.context.close()


def test_a_touch_of_the_figure_stops_a_play(browser, base):
    tab = opened(browser, base, CHAPTER)
    button = tab.locator("button.plays").first
    button.click()
    tab.locator(f"#{FIGURE} .ssd-explorer").dispatch_event("pointerdown")
    stopped = tab.evaluate(WORDS, FIGURE)
    tab.wait_for_timeout(1000)  # in which it would arrive
    assert button.get_attribute("aria-pressed") == "false"
    assert tab.evaluate(WORDS, FIGURE) == stopped
    tab.context.close()


def test_a_link_opens_the_state_that_it_was_made_in(browser, base):
    tab = opened(browser, base, CHAPTER)
    figure = tab.locator(f"#{FIGURE}")
    figure.get_by_role("slider").press("ArrowLeft")
    figure.get_by_role("radio", name="argmax").check(force=True)
    words = tab.evaluate(WORDS, FIGURE)
    figure.locator(".ssd-link").click()
    assert "~" in tab.url
    other = opened(browser, base, tab.url.removeprefix(base))
    assert comes(other, SAYS, [FIGURE, words])
    other.locator(f"#{FIGURE}").get_by_role("button", name="Reset").click()
    assert other.evaluate(WORDS, FIGURE) != words
    assert other.faults == []
    for page in (tab, other):
        page.context.close()


@pytest.fixture(scope="module")
def at_first(browser, base):
    """Return what the figure says before anything has changed it."""
    tab = opened(browser, base, CHAPTER)
    yield tab.evaluate(WORDS, FIGURE)
    tab.context.close()


@pytest.mark.parametrize(
    "state",
    [
        '{"threshold": 0.3',
        '{"threshold": "high"}',
        '{"threshold": null}',
        '{"boxes": [[0, 0, 1, 1], [0, 0, "x", 1]]}',
        '{"boxes": [0, 0, 1, 1]}',
        '{"presets": {}}',
        '{"no_such": 1}',
        "7e",
    ],
)
def test_a_link_that_cannot_be_read_is_said_and_changes_nothing(browser, base, at_first, state):
    tab = opened(browser, base, f"{CHAPTER}#{FIGURE}~{quote(state)}")
    assert tab.locator(".explorer-failed").inner_text().startswith("This link's state cannot be")
    assert tab.evaluate(WORDS, FIGURE) == at_first
    assert tab.faults == []
    tab.context.close()


def test_a_link_to_a_state_of_another_page_only_scrolls(browser, base):
    state = quote(json.dumps({"threshold": 0.3}))
    tab = opened(browser, base, f"{CHAPTER}#fig-elsewhere~{state}")
    assert tab.locator(".explorer-failed").count() == 0
    assert tab.faults == []
    tab.context.close()


def test_without_scripts_the_words_are_words(browser, base):
    page, _ = built_site.new_page(browser, base, 1280, java_script_enabled=False)
    page.goto(base + CHAPTER)
    assert page.locator("span.plays").count() > 0
    assert page.locator("button.plays").count() == 0
    page.context.close()
