"""The live figure in JupyterLab: the kernel's detector answers.

What a reader does and must see is in `use`, which returns what was wrong; `SPOILED` damages the
figure or the kernel's answers, and each damage must be noticed.
"""

import nbformat
import notebooks
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook

from ssd_tutorial.datasets import draw_scene
from ssd_tutorial.detect import Detections
from tests.browser import explorer_visits as ev
from tests.browser.patience import eventually
from tests.browser.test_inputs import agree, choose, refusal, wait_for
from tests.browser.test_lab import Lab, lab
from tests.browser.test_live import WATCH, Figure

pytestmark = pytest.mark.browser

START = """\
import json, time
import torch
from ssd_book.live import LiveDetector
from ssd_tutorial.deploy.inference import detect

seen, pauses = [], []  # what the figure has asked; how long the next answers take

class Watched(LiveDetector):
    def _look(self, pixels):
        seen.append(bytes(pixels))
        time.sleep(pauses.pop() if pauses else 0)
        return super()._look(pixels)

def found(threshold=0.5):
    "What Python finds in the picture that the figure has asked about last."
    rgba = torch.frombuffer(bytearray(seen[-1]), dtype=torch.uint8).view(300, 300, 4)
    (one,) = detect(live._detector, rgba[..., :3].permute(2, 0, 1), score_threshold=threshold)
    print(json.dumps([(one.boxes / 300).tolist(), one.scores.tolist(), one.labels.tolist()]))
"""


class Notebook(Figure):
    """The figure of a notebook, run: `code` makes it."""

    def __init__(self, browser, folder, base, name, code="live = Watched()"):
        cells = [new_code_cell(START), new_code_cell(f"{code}\nlive")]
        notebook = new_notebook(cells=cells, metadata={"kernelspec": notebooks.KERNELSPEC})
        nbformat.write(notebook, folder / f"{name}.ipynb")
        self.lab = Lab(browser, base, f"{name}.ipynb")
        self.page, self.elsewhere = self.lab.page, self.lab.elsewhere
        self.page.wait_for_selector(".live-stage")
        self.page.evaluate(WATCH)
        self.rest()

    def python(self, code):
        return self.lab.python(code)

    def things(self):
        return self.python("print(json.dumps(live.things))")

    def python_finds(self, threshold=0.5) -> Detections:
        return Detections(*map(torch.tensor, self.python(f"found({threshold})")))

    def photograph(self, name):
        ev.SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.locator(".live-stage").scroll_into_view_if_needed()
        self.page.screenshot(path=ev.SHOTS / f"lab.live.{name}.png")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    with lab(folder) as base:
        yield folder, base


@pytest.fixture(scope="module")
def shared(browser, server):
    figure = Notebook(browser, *server, "scenes")
    yield figure
    figure.close()


@pytest.fixture
def alive(shared):
    shared.click("Reset")
    return shared.rest()


def use(figure) -> dict[str, str]:
    """Use a figure; return what was wrong."""
    wrong = {}

    def expect(name, holds, what=""):
        if not holds and name not in wrong:
            wrong[name] = str(what)

    def agrees():
        try:
            agree(figure, figure.python_finds())
        except AssertionError as error:
            return str(error)

    names = ["airplane", "car", "cat", "lighthouse"]
    expect("first scene", figure.names() == names, figure.found())
    expect("what Python finds", agrees() is None, agrees())
    before = figure.box("cat") if "cat" in figure.names() else [0, 0, 0, 0]
    figure.drag("cat", 0.18, 0.02)
    after = figure.box("cat") if "cat" in figure.names() else [0, 0, 0, 0]
    expect("a drag moves the box", abs(after[0] - before[0] - 0.18) < 0.05, (before, after))
    expect("what Python finds", agrees() is None, agrees())
    here = figure.thing("cat").evaluate("node => node.box")
    there = next(thing["box"] for thing in figure.things() if thing["name"] == "cat")
    expect("Python reads the scene", there == pytest.approx(here, abs=1e-4), (here, there))
    figure.python("live.things = [{'name': 'train', 'box': [0.1, 0.4, 0.9, 0.6]}]")
    seen = eventually(figure.page, lambda: figure.rest().names() == ["train"])
    expect("Python sets the scene", seen, figure.found())
    if figure.elsewhere:
        wrong["other origins"] = str(figure.elsewhere)
    return wrong


def test_a_reader_composes_and_the_kernel_answers(alive):
    assert use(alive) == {}


SPOILED = {  # code of the kernel, what is noticed
    "the kernel sees a mirror image": (
        "look = LiveDetector._look\nLiveDetector._look = lambda self, rgba: look(self, rgba[::-1])",
        "what Python finds",
    ),
    "it is asked about one picture": (
        "swap('if (busy || key === asked || ', 'if (busy || asked || ')",
        "a drag moves the box",
    ),
    "Python is not told": ("swap('this.#model.save_changes();', '')", "Python reads the scene"),
}
SWAP = """\
def swap(old, new):
    assert LiveDetector._esm.count(old) == 1
    Watched._esm = LiveDetector._esm.replace(old, new)
"""


@pytest.mark.parametrize("damage", SPOILED)
def test_planted_damage_is_noticed(browser, server, damage):
    code, noticed = SPOILED[damage]
    name = damage.replace(" ", "_")
    figure = Notebook(browser, *server, name, f"{SWAP}{code}\nlive = Watched()")
    wrong = use(figure)
    figure.close()
    assert noticed in wrong, wrong


def test_a_scene_of_any_seed_is_drawn_with_its_truth(alive):
    choose(alive, "drawn at random")
    for seed in (7, 20_000):
        alive.page.get_by_role("spinbutton", name="Seed").fill(str(seed))
        alive.press("Enter")
        count = len(draw_scene(seed, 0)[1]["labels"])
        alive.page.wait_for_function(
            "call => document.querySelector('.live-about').innerText.startsWith(call)",
            arg=f"draw_scene({seed}, 0)",
        )
        wait_for(alive, rf"^{count} things?, \d of them found\.")
        agree(alive, alive.python_finds())
    image, _ = draw_scene(20_000, 0)
    asked = alive.python("print(json.dumps(list(seen[-1])))")
    rgba = torch.tensor(asked, dtype=torch.uint8).view(300, 300, 4)
    assert torch.equal(rgba[..., :3].permute(2, 0, 1), image.as_subclass(torch.Tensor))
    alive.page.get_by_role("spinbutton", name="Seed").fill("-3")
    alive.press("Enter")
    assert refusal(alive) == "A seed is a whole number, 0 or more."
    alive.page.get_by_role("spinbutton", name="Seed").fill("7")
    alive.press("Enter")
    alive.page.locator(".live-side-words").wait_for(state="hidden")


def test_a_silent_kernel_is_said_and_pictures_do_not_pile_up(alive):
    said = alive.page.locator(".live-broken")
    before = alive.python("pauses.append(5); print(len(seen))")
    alive.thing("cat").focus()
    for _ in range(8):
        alive.page.keyboard.press("ArrowRight")
        alive.page.wait_for_timeout(50)
    said.wait_for()
    assert "has not answered for 3 seconds" in said.inner_text()
    said.wait_for(state="hidden")
    assert "cat" in alive.rest().names()
    assert alive.python("print(len(seen))") - before == 2  # the first move, and the last
    agree(alive, alive.python_finds())


def test_another_detector_answers_on_a_photograph_and_its_end_is_said(browser, server):
    figure = Notebook(browser, *server, "cells", 'live = Watched("bccd")')
    page = figure.page
    about = page.locator(".live-about").inner_text()
    assert about.startswith("bccd takes 300 × 300 pixels, has the priors of caffe300_coco, and")
    choose(figure, "a photograph")
    page.get_by_role("combobox", name="Photograph").select_option("photographs/coffee.jpg")
    wait_for(figure, "^Coffee.*found")
    figure.slide("score above", 0.05)
    agree(figure, figure.python_finds(0.05))
    choose(figure, "compose")
    figure.rest()
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    figure.thing("cat").focus()
    page.keyboard.press("ArrowRight")
    page.locator(".live-broken").wait_for()
    words = page.locator(".live-broken").inner_text()
    figure.close()
    assert "run its cell again" in words or "run this cell again" in words


def test_it_can_be_read_in_both_themes(alive):
    place = "(e => (e.closest('.jp-OutputArea-child').id = 'explorer-0'))"
    alive.page.evaluate(f"{place}(document.querySelector('.live-stage'))")
    alive.page.locator(".live-found button").first.click()
    alive.rest().photograph("light")
    light = alive.page.evaluate("probe.colours(0)")
    alive.lab.darken()
    look = lambda: alive.page.evaluate("probe.colours(0)")  # noqa: E731
    assert eventually(alive.page, lambda: look()["words"] != light["words"])
    assert look()["paper"] == "rgb(244, 245, 246)"
    alive.photograph("dark")
