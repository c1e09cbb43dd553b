"""Every built page, on a desktop and on a phone, without access to other origins."""

import re
import statistics
import unicodedata
from pathlib import Path

import built_site
import plain
import pytest
from fontTools.ttLib import TTFont
from playwright.sync_api import expect

from tests.browser.conftest import OF_COLOURS, THIN, faults
from tests.browser.explorer_reader import PROBE
from tests.browser.patience import least

pytestmark = pytest.mark.browser

MOST_KB = 300  # gzipped HTML, style sheets, scripts and fonts
SHIFT = 0.05  # cumulative layout shift
ROOT = Path(__file__).resolve().parents[2]
FILES = {  # "hangul" stands behind two of them, for the glossary
    "Book Text": ("text", "hangul"),
    "Book Sans": ("sans", "hangul"),
    "Book Code": ("code",),
    "Book Math": ("math",),
}


def letters_of(file):
    """Return the letters of one of the book's fonts."""
    return set(map(chr, TTFont(ROOT / "book/_static/fonts" / f"{file}.woff2").getBestCmap()))


LETTERS = {family: set().union(*map(letters_of, files)) for family, files in FILES.items()}


def listed_pages():
    """Return the pages that `_toc.yml` lists."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    return [f"{name}.html" for name in re.findall(r"(?:file|root): *(\S+)", toc)]


def test_every_page_of_the_table_of_contents_is_built(html):
    assert [name for name in listed_pages() if not (html / name).is_file()] == []


def test_no_error_in_the_console(visit):
    assert visit["console"] == []


def test_no_request_fails(visit):
    assert visit["failed"] == []


def test_nothing_is_requested_from_another_origin(visit):
    assert visit["elsewhere"] == []


def test_every_formula_is_drawn(visit):
    assert visit["undrawn"] == []
    assert visit["rawMath"] == []
    assert not visit["mathWithoutFont"]


def test_every_image_is_there_and_has_an_alternative_text(visit):
    assert [i["src"] for i in visit["images"] if not i["drawn"]] == []
    assert [i["src"] for i in visit["images"] if not i["alt"]] == []


def article_of(html, name):
    """Return the article of a built page, and the tags of its pictures."""
    page = (html / name).read_text(encoding="utf-8")
    article = page[page.index("<article") : page.rindex("</article>")]
    return article, re.findall(r"<img [^>]*>", article)


def test_every_picture_has_its_size_and_all_but_the_first_wait(html, page_name):
    article, pictures = article_of(html, page_name)
    assert [p for p in pictures if not re.search(r' width="\d+" height="\d+"', p)] == []
    first = re.search(r'<img [^>]*>|<svg class="plot"', article)
    assert [p for p in pictures if 'loading="lazy"' not in p and p != first[0]] == []


def test_every_figure_is_sharp(html):
    """A PNG in a figure is one whose better form no kernel of the build has kept."""
    plots = 0
    for name in built_site.built_pages(html):
        article, _ = article_of(html, name)
        for figure in re.findall(r"<figure .*?</figure>", article, re.S):
            assert not re.search(r'<img [^>]*src="[^"]*\.png', figure), f"{name}: {figure[:200]}"
            plots += '<svg class="plot"' in figure
    assert plots > 0


def test_pictures_of_explorers_are_loaded_only_where_the_explorers_fail(browser, base, html):
    name = "book/explorers.html"
    pictures = {re.search(r"[^/]+\.webp", picture)[0] for picture in article_of(html, name)[1]}
    loaded = {}
    for script in ("there", "missing"):
        page, _ = built_site.new_page(browser, base, 1280)
        if script == "missing":
            page.route("**/explorers.js*", lambda route: route.abort())
        asked = loaded[script] = set()
        page.on("request", lambda r, asked=asked: asked.add(r.url.rsplit("/", 1)[1]))
        page.goto(base + name, wait_until="load")
        if script == "there":
            built_site.wait_until_drawn(page)
        else:
            place = page.locator(".explorer-place img").last
            place.scroll_into_view_if_needed()
            place.evaluate("image => image.decode()")
        page.context.close()
    assert len(pictures) >= 10
    assert pictures & loaded["there"] == set()
    assert pictures & loaded["missing"]


def test_a_page_weighs_little_before_its_pictures(visit):
    assert 50 < sum(visit["weight"].values()) < MOST_KB, visit["weight"]


def shift_of(browser, base, name, width):
    """Return by how much a page moves while it loads."""
    page, _ = built_site.new_page(browser, base, width)
    page.add_init_script(PROBE)
    page.goto(base + name, wait_until="load")
    built_site.wait_until_drawn(page)
    shift = page.evaluate("probe.shift()")
    page.context.close()
    return shift


def test_a_page_hardly_moves_while_it_loads(visit, browser, base, page_name, width):
    """The calmest of three visits counts: on a busy machine a font can miss the first frame."""
    shift = visit["shift"]
    if shift > SHIFT:
        shift = least(lambda: shift_of(browser, base, page_name, width), SHIFT, most=2)
    assert shift <= SHIFT


def test_sections_far_below_wait_unless_the_address_names_one(browser, base):
    """Without the script that lays them out while the browser is idle they still wait."""

    def waiting(place, scripts):
        page, _ = built_site.new_page(browser, base, 360)
        if not scripts:
            page.route("**/page.js*", lambda route: route.abort())
        page.goto(base + "book/14_evaluation.html" + place, wait_until="load")
        if scripts:
            built_site.wait_until_drawn(page)
        found = page.locator("article section > section").evaluate_all(
            "all => all.filter(s => getComputedStyle(s).contentVisibility === 'auto').length"
        )
        page.context.close()
        return found

    assert waiting("", scripts=False) > 5
    assert waiting("#summary", scripts=False) == 0
    assert waiting("", scripts=True) == 0


def test_no_page_scrolls_sideways(visit):
    for state in (visit, visit["dark"], visit["opened"]):
        assert state["scrollWidth"] <= state["innerWidth"]
        assert state["wide"] == []


def test_what_scrolls_is_named_and_can_be_focused(visit):
    for state in (visit, visit["dark"], visit["opened"]):
        assert state["unreached"] == []
        assert state["idle"] == []  # what does not scroll has neither


def test_the_dark_theme_is_dark(visit):
    def brightness(colour):
        return sum(map(float, re.findall(r"[\d.]+", colour)[:3])) / 3

    assert visit["dark"]["theme"] == "dark"
    assert brightness(visit["dark"]["background"]) < 60
    assert brightness(visit["background"]) > 200


def test_axe_finds_no_serious_fault_in_the_light_theme(visit):
    assert visit["faults"] == []


def test_axe_finds_no_serious_fault_in_the_dark_theme_with_all_folds_open(visit):
    assert visit["dark_opened_faults"] == []


def test_a_pale_word_of_code_is_found_though_most_words_are_not_looked_at(browser, base, axe):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + "book/04_boxes_and_iou.html")
    words = page.locator("pre span").count()
    page.evaluate(THIN)
    assert page.locator("pre span").count() < words / 4
    page.evaluate(axe)
    assert faults(page, OF_COLOURS) == []
    page.add_style_tag(content="pre .mi { color: #ccc !important }")  # numbers
    assert any("color-contrast" in fault for fault in faults(page, OF_COLOURS))
    page.context.close()


# --- what a reader does ---------------------------------------------------------------------------
def first_chapter(html):
    return next(p for p in built_site.built_pages(html) if re.search(r"/\d\d_", p))


def test_the_theme_button_switches_and_is_remembered(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + "book/index.html")
    seen = {page.locator("html").get_attribute("data-theme")}
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").first.click()
        seen.add(page.locator("html").get_attribute("data-theme"))
    page.context.close()
    assert seen == {"light", "dark"}


def test_a_dark_page_is_dark_before_its_scripts_run(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280, "dark")
    page.route("**/page.js*", lambda route: route.abort())
    page.goto(base + "book/index.html")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    page.context.close()


@pytest.mark.parametrize("side", ["primary", "secondary"])
def test_on_a_phone_a_sidebar_opens_in_a_dialog_and_returns(browser, base, html, side):
    page, _ = built_site.new_page(browser, base, 360)
    page.goto(base + first_chapter(html))
    button, dialog = f".{side}-toggle", page.locator(f"#pst-{side}-sidebar-modal")
    links = page.locator(f"#pst-{side}-sidebar a").count()
    assert links > 3
    for close in (
        lambda: page.keyboard.press("Escape"),
        lambda: dialog.locator("a:visible").last.click(),
    ):
        page.click(button)
        assert dialog.locator("a:visible").count() > 3
        close()
        page.wait_for_function("!document.querySelector('dialog[open]')")
        page.wait_for_load_state()
        assert page.locator(f"#pst-{side}-sidebar a").count() == links
    page.context.close()


def test_the_section_that_is_read_is_marked_in_the_list(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1440)
    page.goto(base + first_chapter(html))
    links = page.locator("#pst-page-toc-nav a")
    for number in (4, 2):
        place = f"{links.nth(number).get_attribute('href')} :is(h2, h3)"
        page.locator(place).first.evaluate(
            "heading => scrollTo({ top: scrollY + heading.getBoundingClientRect().top - 40 })"
        )
        page.wait_for_function(
            "a => a.getAttribute('aria-current') === 'true'", arg=links.nth(number).element_handle()
        )
        assert page.locator("#pst-page-toc-nav [aria-current]").count() == 1
    page.context.close()


def test_the_list_shows_the_open_chapter_and_the_page_begins_at_its_top(browser, base, html):
    last = sorted((html / "book").glob("[0-9]*.html"))[-1]  # far down in the list
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(f"{base}/book/{last.name}")
    expect(page.locator(".bd-docs-nav .active").last).to_be_in_viewport()
    assert page.evaluate("scrollY") == 0
    page.context.close()


def test_the_menu_opens_with_a_press_and_closes(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + first_chapter(html))
    button, menu = (
        page.locator("[data-bs-toggle=dropdown]").first,
        page.locator(".dropdown-menu").first,
    )
    for close in (lambda: page.keyboard.press("Escape"), lambda: page.mouse.click(300, 500)):
        button.focus()
        page.keyboard.press("Enter")
        assert menu.is_visible()
        assert button.get_attribute("aria-expanded") == "true"
        close()
        assert not menu.is_visible()
    page.context.close()


def test_a_page_opened_as_a_file_draws_its_formulas(browser, html):
    pages = [html / name for name in built_site.built_pages(html)]
    page = browser.new_page()
    page.goto(next(file for file in pages if "<math " in file.read_text()).as_uri())
    built_site.wait_until_drawn(page)
    loaded = page.evaluate(
        "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
    )
    page.close()
    assert any("Book Math" in family for family in loaded)


def test_a_copied_formula_is_its_tex(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + "book/05_scales.html")
    copied = page.evaluate(
        """() => {
          const formula = document.querySelector("#equation-eq-scales-extra math");
          const transfer = new DataTransfer();
          getSelection().selectAllChildren(formula.querySelector("msqrt")); // a part of it
          const copy = new ClipboardEvent("copy", { clipboardData: transfer, bubbles: true });
          formula.dispatchEvent(copy);
          return transfer.getData("text/plain").trim();
        }"""
    )
    page.context.close()
    assert copied == "$$\ns'_k = \\sqrt{s_k\\, s_{k+1}}\n$$"


def test_a_formula_that_is_wider_than_a_phone_scrolls_and_has_a_name(browser, base, html):
    page, _ = built_site.new_page(browser, base, 320)
    page.goto(base + "book/15_full_gpu_training.html")
    built_site.wait_until_drawn(page)
    box = page.locator("div.math > div").first
    box.evaluate("node => { node.style.width = '120px'; node.style.flex = 'none'; }")
    page.wait_for_function("document.querySelector('div.math > div').tabIndex === 0")
    assert box.get_attribute("aria-label") == "Formula 1"
    left = "node => node.querySelector('math').getBoundingClientRect().left"
    assert box.evaluate(left) >= box.evaluate("node => node.getBoundingClientRect().left")
    page.context.close()


def test_chapters_lead_on_and_nothing_leads_to_an_address_that_is_not_set(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + first_chapter(html))
    links = page.locator("a").evaluate_all("links => links.map(l => l.href)")
    turns = page.locator("a.left-prev, a.right-next").count()
    page.context.close()
    assert turns == 2
    placeholder = "OWNER" + "/REPOSITORY"
    if placeholder in (ROOT / "_config.yml").read_text(encoding="utf-8"):
        assert not [link for link in links if placeholder in link]


def test_figures_and_equations_have_the_same_numbers_in_the_plain_notebooks(html):
    book = plain.Book()
    for page in book.pages.values():
        built = (html / "book" / f"{page.path.stem}.html").read_text(encoding="utf-8")
        for name in page.figures():
            own = built[built.index(f'id="{name}"') :]
            number = re.search(r'class="caption-number">Figure ([\d.]+) ', own)[1]
            assert number == book.figures[name], name
        for label in plain.EQUATION.findall("\n".join(page.texts())):
            own = built[built.index(f'id="equation-{label}"') :]
            assert re.search(r'class="eqno">\(([\d.]+)\)', own)[1] == book.equations[label], label


def test_keyboard_focus_is_visible(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + first_chapter(html))
    unseen = []
    for _ in range(25):
        page.keyboard.press("Tab")
        unseen += page.evaluate(
            """() => {
              const e = document.activeElement, s = getComputedStyle(e);
              const shown = s.outlineStyle !== "none" || s.boxShadow !== "none";
              return e === document.body || shown ? [] : [e.outerHTML.slice(0, 120)];
            }"""
        )
    page.context.close()
    assert unseen == []


# --- type and print -------------------------------------------------------------------------------
def test_prose_interface_and_code_are_set_in_the_books_own_fonts(browser, base, html):
    page, elsewhere = built_site.new_page(browser, base, 1280)
    page.goto(base + first_chapter(html))
    built_site.wait_until_drawn(page)
    loaded = page.evaluate(
        "[...document.fonts].filter((f) => f.status === 'loaded').map((f) => f.family)"
    )
    for place, font in (
        ("article section > p", "Book Text"),
        ("nav a", "Book Sans"),
        ("pre", "Book Code"),
    ):
        set_in = page.locator(place).first.evaluate("node => getComputedStyle(node).fontFamily")
        assert set_in.startswith(f'"{font}"'), place
        assert any(font in family for family in loaded), font
    page.context.close()
    assert elsewhere == []


def test_letters_are_in_the_books_own_fonts_so_that_pages_look_alike_everywhere(visit):
    """Lines would break as the reader's own fonts make them, which draw arrows and other signs."""

    def is_sign(letter):
        return unicodedata.category(letter)[0] == "S" or "GREEK" in unicodedata.name(letter, "")

    for family, letters in visit["letters"].items():
        # what joins words and is never drawn needs no letter
        missing = {x for x in letters if unicodedata.category(x) != "Cf"} - LETTERS[family]
        if family != "Book Math":  # which has the signs, too
            missing = {letter for letter in missing if not is_sign(letter)}
        assert not missing, f"{family} lacks {sorted(missing)}: see tools/fonts.py"


def test_a_line_of_prose_has_about_66_characters(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280)
    page.goto(base + first_chapter(html))
    built_site.wait_until_drawn(page)
    lines = page.evaluate(
        """() => [...document.querySelectorAll("article section > p")].flatMap((p) => {
          const height = parseFloat(getComputedStyle(p).lineHeight);
          const lines = Math.round(p.getBoundingClientRect().height / height);
          const counts = lines > 3 && !p.querySelector("math");
          return counts ? [p.innerText.length / (lines - 0.5)] : []; // the last line is half full
        })"""
    )
    page.context.close()
    assert len(lines) > 5
    assert 58 < statistics.median(lines) < 74


def test_a_page_printed_in_the_dark_is_light_unfolded_and_wrapped(browser, base, html):
    page, _ = built_site.new_page(browser, base, 1280, "dark")
    page.goto(base + first_chapter(html))
    built_site.wait_until_drawn(page)
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("html").get_attribute("data-theme") == "light"
    solutions = page.locator("div.cell.tag_solution details")
    assert solutions.count() > 2
    assert solutions.evaluate_all("folds => folds.every((fold) => fold.open)")
    assert page.evaluate("document.getAnimations().length") == 0  # all of it is there at once
    cut = page.locator("article pre").evaluate_all(
        "boxes => boxes.filter((b) => b.offsetParent && b.scrollWidth > b.clientWidth + 1).length"
    )
    assert cut == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert not solutions.evaluate_all("folds => folds.some((fold) => fold.open)")
    page.context.close()
