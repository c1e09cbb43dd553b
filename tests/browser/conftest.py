"""The built book behind a server, a browser that opens it, and what each page showed."""

from pathlib import Path

import built_site
import pytest

from tests.browser.explorer_reader import PROBE

HERE = Path(__file__).parent
AXE = HERE / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (1280, 360)
NOT_BUILT = "not-built"
LIMIT_S = 900  # on a busy machine, too; what takes longer hangs


def pages():
    """Return the built pages, or one name that makes every test fail with the reason."""
    try:
        return built_site.built_pages()
    except FileNotFoundError:
        return [NOT_BUILT]


def pytest_generate_tests(metafunc):
    if "page_name" in metafunc.fixturenames:
        metafunc.parametrize("page_name", pages())
    if "width" in metafunc.fixturenames:
        metafunc.parametrize("width", WIDTHS)


OPENED = {"shared", "server", "run", "dialog", "at_first"}  # once for the tests of a file


def pytest_collection_modifyitems(items):
    """Keep what one visit answers in one process, for `pytest -n 2 --dist loadgroup`."""
    for item in (item for item in items if item.path.is_relative_to(HERE)):
        item.add_marker(pytest.mark.timeout(LIMIT_S))
        if OPENED.intersection(item.fixturenames):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
        asked = item.callspec.params if hasattr(item, "callspec") else {}
        if page := asked.get("page_name") or asked.get("page") or asked.get("chapter"):
            how = asked.get("width") or asked.get("how", "desktop")
            item.add_marker(pytest.mark.xdist_group(f"{page} {how}"))


@pytest.fixture(scope="session")
def html():
    """Return the folder of the built pages."""
    try:
        built_site.built_pages()
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    return built_site.HTML


@pytest.fixture(scope="session")
def base(html):
    """Yield the address of the served book."""
    with built_site.serve(html) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    try:
        built_site.find_chromium()
    except FileNotFoundError as error:
        pytest.fail(str(error), pytrace=False)
    with built_site.launch() as chromium:
        yield chromium


@pytest.fixture(scope="session")
def axe():
    """Return the source of axe-core, which finds accessibility faults."""
    if not AXE.is_file():
        pytest.fail(
            f"no {AXE.relative_to(built_site.ROOT)}: run `npm ci` in tests/browser", pytrace=False
        )
    return AXE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(html):
    """Return the folder of the built pages, with the detector of the live page."""
    if "data-files" not in (html / "book" / "live.html").read_text(encoding="utf-8"):
        pytest.fail("built without the detector: run `make live-files book`", pytrace=False)
    return html


@pytest.fixture(scope="module")
def shared(built, browser, base):
    """Yield a started figure of the live page."""
    from tests.browser.test_live import Figure  # here: that module imports this one

    figure = Figure(browser, base).start()
    yield figure
    figure.close()


@pytest.fixture
def theme_at_first(width):
    """Return the theme in which a test starts that looks at both."""
    return "dark" if width == min(WIDTHS) else "light"


@pytest.fixture(scope="session")
def visits():
    return {}


@pytest.fixture
def visit(page_name, width, base, browser, axe, visits):
    """Return what a page showed at a width. Each page is loaded once; tests pick what they need."""
    if (page_name, width) not in visits:
        visits[page_name, width] = look_at(browser, base, page_name, width, axe)
    return visits[page_name, width]


FACTS = (HERE / "facts.js").read_text(encoding="utf-8")
# axe-core takes as long as a page has elements, and most colour a word of code or draw a curve: of
# each kind of word in a block one stays, and the others become text, which moves nothing
THIN = """() => {
  for (const block of document.querySelectorAll("pre")) {
    const kinds = new Set();
    for (const word of block.querySelectorAll("span:not(:has(*))"))
      if (kinds.has(word.className)) word.replaceWith(...word.childNodes);
      else kinds.add(word.className);
    block.normalize();
  }
  const shapes = "svg.plot :not(text, title, desc, :has(text))";
  for (const shape of document.querySelectorAll(shapes)) shape.remove();
}"""
# rules of axe-core, which takes longest: what the theme decides, and what sizes do
OF_COLOURS = ["color-contrast", "link-in-text-block"]
OF_SIZES = ["scrollable-region-focusable", "target-size"]


def look_at(browser, base, name, width, axe):
    """Load a page with other origins blocked, and record everything that the tests need."""
    page, elsewhere = built_site.new_page(browser, base, width)
    console, failed, loaded = [], [], []
    page.on("request", lambda r: loaded.append(r.url.removeprefix(base)))
    page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda e: console.append(f"uncaught: {e}"))
    page.on("response", lambda r: failed.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    page.on("requestfailed", lambda r: failed.append(r.url) if r.url.startswith(base) else None)
    page.add_init_script(PROBE)
    page.goto(base + name, wait_until="load")
    built_site.wait_until_drawn(page)
    shift = page.evaluate("probe.shift()")
    weight = built_site.weight_kb(loaded)
    built_site.load_pictures(page)
    seen = page.evaluate(FACTS)
    seen |= {
        "console": console,
        "failed": failed,
        "elsewhere": elsewhere,
        "weight": weight,
        "shift": shift,
    }
    page.evaluate(THIN)
    page.evaluate(axe)
    seen["faults"] = faults(page)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    built_site.wait_until_settled(page)
    seen["dark"] = page.evaluate(FACTS)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    built_site.wait_until_settled(page)
    seen["opened"] = page.evaluate(FACTS)
    seen["dark_opened_faults"] = faults(page, OF_COLOURS + OF_SIZES)
    page.context.close()
    return seen


def faults(page, rules=None):
    """Return the serious and critical faults that axe-core finds, by all or some of its rules.

    axe-core must already be in the page.
    """
    options = {"resultTypes": ["violations"]} | ({"runOnly": rules} if rules else {})
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{v['impact']} {v['id']}: {v['help']} at {node['target']}: {node['html'][:140]}"
        for v in found["violations"]
        if v["impact"] in ("serious", "critical")
        for node in v["nodes"][:3]
    ]


def faults_in_both_themes(page):
    """Return the faults in a page's theme, and those of colours in the other, which it keeps."""
    built_site.wait_until_settled(page)
    found = faults(page)
    page.evaluate(
        "({ dataset }) => { dataset.theme = dataset.theme === 'dark' ? 'light' : 'dark'; }",
        page.locator("html").element_handle(),
    )
    built_site.wait_until_settled(page)
    found += faults(page, OF_COLOURS)
    return [fault for fault in found if "pst-back-to-top" not in fault]  # which is the theme's
