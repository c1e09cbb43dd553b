"""The search leads to the right place: in the dialog as one types, on its page, and from a file."""

import contextlib
import re

import built_site
import pytest

pytestmark = pytest.mark.browser

FIRST = {  # what a reader types, and what the first result must be
    "8732": "Where the 8732 go",
    "anchor": "prior",
    "default boxes": "prior",
    "learning rate": "The learning rate over time",
    "feature map": "feature map",
    "exercise 8.2": "Exercise 8.2",
    "figure 9.1": "Figure 9.1",
    "nms": "NMS",
    "onnx": "A detector in production",
    "own pictures": "Your own pictures",
}


@contextlib.contextmanager
def opened(browser, base):
    """Open a chapter; no other origin may be asked for anything."""
    page, elsewhere = built_site.new_page(browser, base, 1280)
    page.goto(f"{base}book/08_matching.html", wait_until="domcontentloaded")
    yield page
    page.context.close()
    assert elsewhere == []


@pytest.fixture
def chapter(browser, base, html):
    """A chapter that has just been opened."""
    with opened(browser, base) as page:
        yield page


@pytest.fixture(scope="module")
def dialog(browser, base, html):
    """A chapter with the dialog open, into which one query after another is typed."""
    with opened(browser, base) as page:
        page.keyboard.press("Control+k")
        yield page


def results(page, query):
    """Type a query and return the titles of what is found."""
    field = page.locator("dialog[open] .book-search input, [data-search-page] input").first
    said = "[...document.querySelectorAll('.book-search [role=status]')].some((s) => s.textContent)"
    field.fill("")
    page.wait_for_function(f"!{said}")
    field.fill(query)
    page.wait_for_function(said)
    return page.locator(".book-search [role=option] strong").all_inner_texts()


@pytest.mark.parametrize("query", FIRST)
def test_the_first_result_is_the_right_one(dialog, query):
    assert re.search(rf"^([\d.]+ )?{re.escape(FIRST[query])}", results(dialog, query)[0])


def test_the_index_is_loaded_when_the_search_opens_and_not_before(chapter):
    loaded = "performance.getEntriesByType('resource').map((entry) => entry.name).join()"
    assert "search-index.js" not in chapter.evaluate(loaded)
    chapter.keyboard.press("/")
    results(chapter, "prior")
    assert "search-index.js" in chapter.evaluate(loaded)
    assert "searchindex.js" not in chapter.evaluate(loaded)  # Sphinx's own


def test_the_arrow_keys_choose_and_enter_opens_the_place(chapter):
    chapter.keyboard.press("Control+k")
    results(chapter, "exercise 9.2")
    chapter.keyboard.press("ArrowDown")
    chapter.keyboard.press("ArrowUp")
    field = chapter.locator("dialog[open] input")
    assert field.get_attribute("aria-activedescendant") == "search-dialog-0"
    chapter.keyboard.press("Enter")
    chapter.wait_for_url("**/09_loss.html#exercise-9-2")


def test_escape_closes_the_dialog_and_the_focus_returns(chapter):
    button = chapter.locator("[data-open-search]:visible").first
    button.click()
    assert chapter.locator("dialog[open] input").is_visible()
    chapter.keyboard.press("Escape")
    assert chapter.locator("dialog[open]").count() == 0
    assert button.evaluate("button => button === document.activeElement")


def test_what_is_not_in_the_book_is_said(chapter):
    chapter.keyboard.press("Control+k")
    assert results(chapter, "zebrafish") == []
    status = chapter.locator("dialog[open] [role=status]").inner_text()
    assert status == "Nothing in the book contains “zebrafish”. Try one word of it."


def test_a_query_cannot_bring_its_own_html(chapter):
    chapter.keyboard.press("Control+k")
    results(chapter, "<img src=x onerror=alert(1)>")
    assert chapter.locator("dialog[open] img").count() == 0


def test_a_missing_index_is_said_and_asked_for_again(chapter):
    lost = "**/search-index.js"
    chapter.route(lost, lambda route: route.abort())
    chapter.keyboard.press("Control+k")
    assert results(chapter, "prior") == []
    assert "could not be loaded" in chapter.locator("dialog[open] [role=status]").inner_text()
    chapter.unroute(lost)
    assert results(chapter, "priors")


def test_the_dialog_passes_axe(chapter, axe):
    chapter.keyboard.press("Control+k")
    results(chapter, "prior")
    chapter.evaluate(axe)
    found = chapter.evaluate("() => axe.run('dialog[open]').then((run) => run.violations)")
    assert [violation["id"] for violation in found] == []


def test_a_phone_has_a_button_and_the_results_fit(browser, base):
    width = 360
    page, _ = built_site.new_page(browser, base, width)
    page.goto(f"{base}book/08_matching.html", wait_until="domcontentloaded")
    page.locator(".search-button__button:visible, [data-open-search]:visible").first.click()
    assert results(page, "prior")
    box = page.locator("dialog[open]").bounding_box()
    page.context.close()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width


def test_the_search_page_answers_an_address(browser, base):
    page, elsewhere = built_site.new_page(browser, base, 1280)
    page.goto(f"{base}search.html?q=prior")
    page.wait_for_selector("[data-search-page] [role=option]")
    links = page.locator("[data-search-page] [role=option]").evaluate_all(
        "links => links.map(l => l.href)"
    )
    page.context.close()
    assert f"{base}book/glossary.html#term-prior" in links
    assert elsewhere == []


def test_a_page_opened_as_a_file_can_be_searched(browser, html):
    page = browser.new_page()
    page.goto((html / "book" / "08_matching.html").as_uri(), wait_until="domcontentloaded")
    page.keyboard.press("Control+k")
    found = results(page, "8732")
    page.close()
    assert "Where the 8732 go" in found[0]
