"""The loader alone, with its own explorers: how they start, fail, and share values."""

import base64
import json

import built_site
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

COUNTER = """\
export default { render({ model, el }) {
  const button = document.createElement("button");
  const draw = () => { button.textContent = `${model.get("word")} ${twice(model.get("n"))}`; };
  let drawn = 0;
  model.on("change:n", () => { draw(); button.dataset.drawn = ++drawn; });
  const add = () => { model.set("n", model.get("n") + 1); model.save_changes(); };
  button.addEventListener("click", add);
  button.addEventListener("focus", () => model.set("n", model.get("n"))); // nothing changes
  draw();
  el.append(button);
} };"""
BYTES = """\
export default { render({ model, el }) {
  const view = model.get("data");
  const inner = model.get("list")[1];
  el.textContent = [view.byteLength, view.getUint8(0), view.getUint8(1), inner.getUint8(0)];
} };"""
SOURCES = {
    "arithmetic": "const twice = (n) => 2 * n;",
    "counter": COUNTER,
    "bytes": BYTES,
    "asking": """export default { render({ el }) {
      const alive = () => document.querySelectorAll("[data-state=alive]").length;
      setTimeout(() => (el.textContent = alive()));
    } };""",
    "broken": "export default { render( };",
    "raising": 'export default { render({ el }) { el.append("half"); throw Error("no paper"); } };',
    "late": "export default { async render() { throw new Error('too late'); } };",
}
PARTS = {name: [name] for name in SOURCES} | {"counter": ["arithmetic", "counter"]}
PICTURE = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


@pytest.fixture(scope="module")
def browser():
    with built_site.launch() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser, tmp_path, extension):
    """Open a page, as a file, with one place for each explorer named; also its console's errors."""
    pages = []

    def show(models, views=None, shared=(), script=True, javascript=True, states=None):
        views = list(range(len(models))) if views is None else views
        call = extension("live_explorers").loader_call(json.dumps(SOURCES), PARTS)
        (tmp_path / "explorers.js").write_text(call if script else "")
        text = states or json.dumps({"models": models, "views": views, "shared": shared})
        places = "".join(
            f'<div class="explorer-place" id="explorer-{n}">'
            f'<img alt="A picture" src="{PICTURE}"></div>'
            for n in range(len(views))
        )
        (tmp_path / "page.html").write_text(
            f'<!doctype html><script defer src="explorers.js"></script>{places}'
            f'<script type="application/json" id="explorer-states">{text}</script>'
        )
        context = browser.new_context(java_script_enabled=javascript)
        page = context.new_page()
        pages.append(context)
        console = []
        page.on("console", lambda m: console.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda e: console.append(f"uncaught: {e}"))
        page.goto((tmp_path / "page.html").as_uri())
        if script and javascript:
            page.wait_for_function("document.documentElement.dataset.explorers === 'started'")
        return page, console

    yield show
    for context in pages:
        context.close()


def model(module, buffers=(), **state):
    return {"state": {"module": module, **state}, "buffers": list(buffers)}


def test_an_explorer_replaces_its_picture(open_page):
    page, console = open_page([model("counter", word="n =", n=2)])
    place = page.locator("#explorer-0")
    assert place.get_attribute("data-state") == "alive"
    assert place.inner_text() == "n = 4"
    assert place.locator("img").count() == 0
    assert console == []


def test_an_explorer_can_answer_before_the_next_one_starts(open_page):
    page, _ = open_page([model("asking"), model("asking")])
    assert page.locator(".explorer-place").all_inner_texts() == ["1", "2"]


def test_views_of_one_model_stay_in_step_and_other_models_stay_apart(open_page):
    models = [model("counter", word="a", n=1), model("counter", word="b", n=5)]
    page, _ = open_page(models, views=[0, 1, 0])
    page.locator("button").nth(2).click()
    assert page.locator("button").all_inner_texts() == ["a 4", "b 10", "a 4"]
    drawn = page.locator("button").evaluate_all("all => all.map(b => b.dataset.drawn ?? '0')")
    assert drawn == ["1", "0", "1"]  # once per change, and not for the same value again


def test_shared_values_are_put_back(open_page):
    shared = ["x" * 300, {"word": {"$shared": 0}}]
    whole = {"$shared": 1}
    page, _ = open_page([model("counter", n=1, word={"$shared": 0}, a=whole, b=whole)], [0], shared)
    assert page.locator("button").inner_text() == "x" * 300 + " 2"


def test_binary_traits_arrive_as_in_jupyterlab(open_page):
    def buffer(path, *numbers):
        data = base64.b64encode(bytes(numbers)).decode()
        return {"path": path, "data": data, "encoding": "base64"}

    buffers = [buffer(["data"], 7, 200), buffer(["list", 1], 9)]
    page, console = open_page([model("bytes", buffers, list=[0, None])])
    assert page.locator("#explorer-0").inner_text() == "2,7,200,9"
    assert console == []


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        ("broken", "SyntaxError"),
        ("raising", "no paper"),
        ("late", "too late"),
        ("nowhere", "no explorer called nowhere"),
    ],
)
def test_an_explorer_that_fails_keeps_its_picture_and_spares_the_others(open_page, module, reason):
    page, console = open_page([model(module), model("counter", word="n", n=1)])
    place = page.locator("#explorer-0")
    assert place.get_attribute("data-state") == "failed"
    assert place.locator("img").get_attribute("alt") == "A picture"
    assert place.locator("img").is_visible()
    assert "could not start" in place.locator("p").inner_text()
    assert "half" not in place.inner_text()
    assert len(console) == 1
    assert f"explorer {module}" in console[0]
    assert reason in console[0]
    assert page.locator("#explorer-1").get_attribute("data-state") == "alive"


def test_an_explorer_whose_script_was_lost_can_be_tried_again(open_page, tmp_path):
    page, _ = open_page([model("nowhere"), model("counter", word="n", n=1)])
    script = (tmp_path / "explorers.js").read_text()
    (tmp_path / "explorers.js").write_text(script.replace('"counter"', '"nowhere"'))
    page.get_by_role("button", name="Try again").click()
    page.locator("#explorer-0[data-state=alive]").wait_for()
    assert page.locator(".explorer-failed").count() == 1  # the counter, which the script now lacks


def test_damaged_states_leave_every_picture(open_page):
    page, console = open_page([model("counter"), model("counter")], states='{"models": [')
    assert page.locator("img").count() == 2
    assert page.locator(".explorer-failed").count() == 2
    assert len(console) == 1


@pytest.mark.parametrize("without", ["script", "javascript"])
def test_without_scripts_the_picture_stays(open_page, without):
    page, console = open_page([model("counter", word="n", n=1)], **{without: False})
    assert page.locator("img").is_visible()
    assert page.locator("#explorer-0 > *").count() == 1
    assert console == []
