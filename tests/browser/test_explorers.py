"""Every explorer on every built page works, by mouse, finger and keys, quickly, and is light.

`explorer_visits.py` tries them once per page and way of reading; these tests check its findings.
`SPOILED` damages a page in ways that readers would notice, and each must be detected.
"""

import re

import built_site
import pytest
from ssd_book.explorers import modules

from tests.browser import explorer_reader
from tests.browser import explorer_visits as ev
from tests.browser.patience import least, slowness

pytestmark = pytest.mark.browser

NOT_BUILT = "not-built"
GALLERY = ev.GALLERY


def pages() -> dict[str, list[str]]:
    """Return the built pages with explorers, and the explorers on each, in order."""
    try:
        names = [n for n in built_site.built_pages() if n != "search.html"]
    except FileNotFoundError:
        return {NOT_BUILT: ["none"]}
    found = {name: ev.modules_on(built_site.HTML / name) for name in names}
    chapters = {n: on_page for n, on_page in found.items() if on_page and ev.FILM not in on_page}
    return chapters or {NOT_BUILT: ["none"]}


PAGES = pages()
HOWS = [
    (page, how)
    for page in PAGES
    for how in ev.WIDTHS
    if how != "phone" or page == ev.GALLERY  # which has all of them
]
EACH = [(page, how, n) for page, how in HOWS for n in range(len(PAGES[page]))]


def named(page, how, number=None):
    module = "page" if number is None else f"{number}-{PAGES[page][number]}"
    return f"{page.split('/')[-1].removesuffix('.html')}-{how.replace(' ', '_')}-{module}"


@pytest.fixture(scope="session")
def see(html, base, browser, axe):
    """Visit a page once per way of reading."""
    seen = {}

    def once(page, how):
        if (page, how) not in seen:
            seen[page, how] = ev.visit(browser, html, base, page, how)
        return seen[page, how]

    return once


def test_every_explorer_is_in_the_gallery_once(html):
    assert sorted([*PAGES.get(ev.GALLERY, []), ev.FILM, ev.OPENING]) == modules.names()


def test_every_explorer_is_in_a_chapter(html):
    elsewhere = {m for page, on_page in PAGES.items() if page != ev.GALLERY for m in on_page}
    assert elsewhere == set(modules.names()) - {ev.FILM}


def test_the_first_page_has_the_film_and_three_openings(html):
    assert ev.modules_on(html / "book/index.html") == [ev.FILM, *[ev.OPENING] * 3]


@pytest.mark.parametrize(("page", "how"), HOWS, ids=[named(*each) for each in HOWS])
def test_a_page_with_explorers_logs_nothing_and_stays_on_its_origin(see, page, how):
    assert see(page, how).problems() == []


@pytest.mark.parametrize(("page", "how", "number"), EACH, ids=[named(*each) for each in EACH])
def test_every_explorer_works_for_mouse_finger_and_keyboard(see, page, how, number):
    assert see(page, how).problems(number) == []


@pytest.mark.parametrize("page", PAGES)
def test_all_start_quickly(see, browser, html, base, page):
    """The quickest of three visits counts; later ones, less the time that others took."""
    took = max(see(page, "desktop").alive_ms)
    if took > ev.ALIVE_MS:

        def own_ms():
            return max(ev.times_to_life(browser, base, page)) / slowness()

        took = least(own_ms, ev.ALIVE_MS, most=2)
    assert took <= ev.ALIVE_MS


@pytest.mark.parametrize("page", PAGES)
def test_scripts_and_states_are_light(html, page):
    weight = ev.weight_kb(html, page)
    assert sum(weight.values()) <= ev.WEIGHT_KB, weight


def test_pages_serve_the_scripts_of_the_package(html):
    served = {name: ev.sources_in(html, f"explorer-{name}.js") for name in modules.names()}
    served |= ev.sources_in(html, "explorers.js")
    own = {part: text for name in modules.names() for part, text in modules.parts(name).items()}
    assert {part: code_of(text) for part, text in served.items()} == {
        part: code_of(text) for part, text in own.items()
    }


def code_of(script: str) -> list[str]:
    """Return the lines that are no comments, which pages leave out."""
    return [line for line in script.split("\n") if not re.match(r"\s*(//|/?\*)", line)]


def test_every_control_has_a_name(browser, base, html):
    """Of labels around two controls the first is named: axe-core overlooks that a slider is not."""
    nameless = {}
    for name in (GALLERY, "book/index.html", "book/05_scales.html"):
        page, _ = built_site.new_page(browser, base, 1280)
        page.goto(base + name, wait_until="load")
        built_site.wait_until_drawn(page)
        session = page.context.new_cdp_session(page)
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        roles = {"slider", "checkbox", "radio", "combobox", "button"}
        controls = [n for n in nodes if n.get("role", {}).get("value") in roles]
        assert len(controls) > 5, name
        nameless[name] = [
            n["role"]["value"] for n in controls if not n.get("name", {}).get("value", "").strip()
        ]
        page.context.close()
    assert not any(nameless.values()), nameless


# --- what a reader does besides -------------------------------------------------------------------
def test_explorers_work_after_going_back(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.add_init_script(ev.PROBE)
    page.goto(base + next(iter(PAGES)))
    assert ev.begun(page, 60)
    page.goto(base + "book/glossary.html")
    page.go_back()
    assert ev.begun(page, 60)
    reader = ev.Reader(page, 0, "")
    found = reader.drags()
    page.context.close()
    assert found["drag"] is None


def test_a_link_to_an_explorer_leads_to_it(browser, base, html):
    """Explorers above it start after the page has scrolled, and must not push it away."""
    text = (html / ev.GALLERY).read_text(encoding="utf-8")
    figure = re.findall(r'<figure [^>]*id="(fig-[\w-]+)"', text)[-1]
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(f"{base}{ev.GALLERY}#{figure}")
    assert ev.begun(page, 60)
    in_view = f"""() => {{
      const top = document.getElementById('{figure}').getBoundingClientRect().top;
      return -10 < top && top < 450;
    }}"""
    page.wait_for_function(in_view)
    built_site.wait_until_settled(page)
    top = page.locator(f"#{figure}").evaluate("e => e.getBoundingClientRect().top")
    page.context.close()
    assert -10 < top < 450


# --- controls -------------------------------------------------------------------------------------
def test_more_opens_while_one_of_its_controls_is_in_use(browser, base, html):
    chapter = "book/07_priors.html"
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + chapter)
    assert ev.begun(page, 60)
    place = page.locator(f"#explorer-{PAGES[chapter].index('priors')}")
    more, tick = place.locator(".ssd-more"), place.get_by_label("Leave out boxes inside")
    assert not tick.is_visible()
    page.locator("button.plays", has_text="everything that crosses the border").click()
    tick.wait_for(state="visible")
    assert tick.is_checked()
    place.locator(".ssd-reset").click()
    tick.wait_for(state="hidden")
    more.locator("summary").click()
    tick.check()
    assert place.locator(".ssd-words").inner_text() != ""
    page.context.close()


BELOW = """() => [...document.querySelectorAll(".ssd-explorer")].map((root) => {
  const picture = root.querySelector("svg.ssd-paper").getBoundingClientRect();
  const words = root.querySelector(".ssd-words").getBoundingClientRect();
  return words.top - picture.bottom;
})"""
SMALL = """() => {
  const controls = "button, select, summary, .ssd-choice span, input[type=range], .ssd-check";
  return [...document.querySelectorAll(`.ssd-explorer :is(${controls})`)]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44)
    .map((e) => e.outerHTML);
}"""


def test_on_a_phone_the_answer_is_below_the_picture_and_targets_are_large(browser, base, html):
    page, _ = built_site.new_page(browser, base, 360, is_mobile=True)
    page.goto(base + GALLERY)
    assert ev.begun(page, 60)
    gaps, small = page.evaluate(BELOW), page.evaluate(SMALL)
    page.context.close()
    assert len(gaps) == len(PAGES[GALLERY])
    assert all(0 <= gap < 40 for gap in gaps), gaps
    assert small == []


# --- the tests can fail ---------------------------------------------------------------------------
def swap(old, new):
    """Change a served text, which must contain `old`."""

    def change(text):
        assert old in text, f"{old!r} is not there to be spoiled"
        return text.replace(old, new)

    return change


def add(more):
    return lambda text: text + more


# All keys in one task, before anything can be drawn again, or each once the one before is drawn.
KEYS = """async ([selector, key, count, fast]) => {
  const node = document.querySelector(selector);
  node.focus();
  for (let i = 0; i < count; i++) {
    node.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    if (!fast) await probe.drawn();
  }
  await probe.drawn();
  return document.querySelector(selector).getAttribute("transform");
}"""


@pytest.mark.parametrize("module", ["scales", "priors", "receptive"])
def test_no_key_is_lost_when_they_come_fast(browser, base, html, module):
    chapter = next((p for p in PAGES if module in PAGES[p]), NOT_BUILT)
    page, _ = built_site.new_page(browser, base, 1280)
    page.add_init_script(ev.PROBE)
    page.goto(f"{base}{chapter}", wait_until="load")
    assert ev.begun(page, 60)
    built_site.wait_until_drawn(page)
    knob = f"#explorer-{PAGES[chapter].index(module)} .ssd-knob"
    # away from the border, at which a knob would stop
    there, back = ("ArrowDown", "ArrowUp") if module == "priors" else ("ArrowUp", "ArrowDown")
    start = page.locator(knob).first.get_attribute("transform")
    slowly = page.evaluate(KEYS, [knob, there, 3, False])
    assert page.evaluate(KEYS, [knob, back, 3, False]) == start != slowly
    assert page.evaluate(KEYS, [knob, there, 3, True]) == slowly
    page.context.close()


FROM = "const from = performance.now();"
SLOW = f"{FROM} while (performance.now() < from + 40);"
FIDGET = (
    ";setInterval(() => document.querySelectorAll('.ssd-words').forEach((e) => e.append('.')), 50)"
)
ARROWS = "if (ARROWS[event.key])"
SCRIPT, OWN, STYLE, PAGE = "explorers.js", "explorer-iou.js", "explorers.css", ".html"
DESKTOP = {  # file, change, finding
    "loader removed": (SCRIPT, lambda text: "", "alive"),
    "module missing": (OWN, lambda text: "", "alive"),
    "module broken": (OWN, swap("export default", "export default =,"), "alive"),
    "number changed": (SCRIPT, swap("box[2] - box[0]", "box[2] - box[1]"), "numbers"),
    "keys reach the page": (SCRIPT, swap("event.stopPropagation()", "0"), "page's keys"),
    "arrows scroll": (SCRIPT, swap("event.preventDefault(); // neither", "//"), "page stays"),
    "trap": (SCRIPT, swap(ARROWS, f"event.preventDefault(); {ARROWS}"), "trap"),
    "reset goes nowhere": (SCRIPT, swap("this.set(structuredClone(", "(("), "reset"),
    "silence": (SCRIPT, swap("this.live.textContent = said", "0"), "live region"),
    "nothing is held": (SCRIPT, swap("held = true", "held = false"), "drag"),
    "slow frames": (SCRIPT, swap(FROM, SLOW), "frame"),
    "motion": (SCRIPT, add(FIDGET), "rests"),
    "another origin": (SCRIPT, add("fetch('https://example.org/')"), "other origins"),
    "one colour": (STYLE, add(".ssd-words { color: #777 !important }"), "theme"),
    "pale words": (STYLE, add(".ssd-words { color: #ccc !important }"), "axe, light"),
}
PHONE = {
    "a finger scrolls": (SCRIPT, swap(".ssd-corner, .ssd-knob", ".x"), "touch scrolls"),
    "too wide": (STYLE, add(".ssd-explorer { width: 700px }"), "320 px"),
}
SILENT = {"no words": (PAGE, swap(' alt="', ' data-alt="'), "alternative text")}
SPOILED = {"desktop": DESKTOP, "phone": PHONE, "without scripts": SILENT}


@pytest.mark.parametrize(("how", "damage"), [(h, d) for h in SPOILED for d in SPOILED[h]])
def test_planted_damage_is_detected(browser, base, html, axe, how, damage, monkeypatch):
    file, change, finding = SPOILED[how][damage]
    page = min((p for p in PAGES if "iou" in PAGES[p]), key=lambda p: len(PAGES[p]))
    monkeypatch.setattr(ev, "GALLERY", page)  # where numbers are checked
    monkeypatch.setattr(explorer_reader, "SECONDS", 5)  # to wait for words that never come

    def serve_spoiled(route):
        answer = route.fetch()
        route.fulfill(response=answer, body=change(answer.text()))

    number = PAGES[page].index("iou")
    seen = ev.visit(
        browser,
        *(html, base, page, how),
        spoil=lambda tab: tab.route(re.compile(rf"{re.escape(file)}(\?|$)"), serve_spoiled),
        patience=5 if finding == "alive" else 60,
        sought=(number, finding),
    )
    found = seen.page.get(finding) or seen.explorers[number].get(finding)
    assert found, seen
