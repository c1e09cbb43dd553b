"""Every explorer of a chapter in JupyterLab: drawn, observed by Python, moved by Python.

One server, one notebook, one cell per explorer. The kernel keeps the explorers in `explorers`, so
that the tests can ask it what was dragged.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import built_site
import nbformat
import notebooks
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from ssd_book import explorers as widgets

from tests.browser import explorer_visits as ev
from tests.browser.patience import eventually

pytestmark = pytest.mark.browser

NAMES = [name for name in widgets.__all__ if name != "FilmExplorer"]  # see test_film.py
START = """\
from ssd_book import explorers as widgets
explorers, heard = {}, {}

def keep(name):
    explorer = explorers[name] = getattr(widgets, name)()
    heard[name] = []
    explorer.observe(lambda change: heard[name].append(change["name"]))
    return explorer
"""
# what Python sets, to see the drawing move: any other value that the trait takes
SET = """\
import traitlets
from ssd_book.explorers.explorer import Explorer

def move(name):
    explorer = explorers[name]
    for trait, kind in sorted(explorer.traits(sync=True).items()):
        if trait in Explorer.class_trait_names() or trait[0] == "_" or kind.read_only:
            continue
        before = getattr(explorer, trait)
        if isinstance(before, bool):
            others = [not before]
        elif isinstance(before, int | float):
            step = max(1, round(before / 10))  # one of 480 samples is not seen on a curve
            others = [before + step, before - step, before + 0.1, before - 0.1]
        elif isinstance(kind, traitlets.Enum):
            others = [value for value in kind.values if value != before]
        elif isinstance(before, list) and before and isinstance(before[0], list):
            others = [[[x * 0.9 for x in box] for box in before]]
        elif isinstance(before, list):
            others = [[x * 0.9 for x in before]]
        else:
            continue
        for value in others:
            try:
                setattr(explorer, trait, value)
            except Exception:
                continue
            return trait
    raise AssertionError(f"{name} has no trait to set")
"""
# Nothing above an explorer grows any more
AT_REST = """() => {
  const places = [...document.querySelectorAll(".ssd-explorer")].map((e) => {
    const { top, height } = e.getBoundingClientRect();
    return [top, height];
  });
  const before = globalThis.placesBefore;
  globalThis.placesBefore = JSON.stringify(places);
  return globalThis.placesBefore === before;
}"""
TOKEN = "tests"
START_S = 300  # a server, or a kernel that loads PyTorch, on a busy machine


def answers(address: str) -> bool:
    with contextlib.suppress(OSError):
        urllib.request.urlopen(address).close()
        return True
    return False


@contextlib.contextmanager
def lab(folder: Path):
    """Start a JupyterLab on `folder`, with its own settings, and yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    home = folder / "home"
    home.mkdir()
    kinds = {"JUPYTER_CONFIG_DIR": "c", "JUPYTER_DATA_DIR": "d", "JUPYTER_RUNTIME_DIR": "r"}
    kinds |= {"JUPYTERLAB_SETTINGS_DIR": "s", "JUPYTERLAB_WORKSPACES_DIR": "w", "IPYTHONDIR": "i"}
    own = {name: str(home / part) for name, part in kinds.items()} | {"HOME": str(home)}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += ["--ServerApp.ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={TOKEN}"]
    command += ["--LabApp.expose_app_in_browser=True", f"--notebook-dir={folder}"]
    base = f"http://127.0.0.1:{port}/"
    with open(home / "log", "w") as log:
        server = subprocess.Popen(command, env=os.environ | own, stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_S
            while not answers(f"{base}api?token={TOKEN}"):
                assert server.poll() is None, (home / "log").read_text()
                assert time.monotonic() < until, f"no JupyterLab after {START_S} s"
                time.sleep(0.3)
            yield base
        finally:
            server.terminate()
            server.wait(30)


class Lab:
    """A notebook of a JupyterLab at `base`, open and run."""

    def __init__(self, browser, base: str, name: str):
        self.page, self.elsewhere = built_site.new_page(browser, base, 1400, height=1100)
        self.page.context.set_default_timeout(1000 * START_S)
        self.page.add_init_script(ev.PROBE)
        self.page.goto(f"{base}lab/tree/{name}?token={TOKEN}&reset")
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status"
            " === 'idle'"
        )
        self.page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")

    def close(self):
        self.page.context.close()

    def darken(self):
        """Change to JupyterLab's dark theme."""
        change = "jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
        self.page.evaluate(change)
        self.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def python(self, code: str):
        """Run code in the notebook's kernel, and return the JSON that it prints."""
        text = self.page.evaluate(
            """async (code) => {
              const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
              const future = kernel.requestExecute({ code });
              let text = "";
              future.onIOPub = ({ content }) => {
                text += content.text ?? (content.ename ? `${content.ename} ${content.evalue}` : "");
              };
              await future.done;
              return text;
            }""",
            code,
        )
        return json.loads(text) if text else None

    def reader(self, name: str) -> ev.Reader:
        """Scroll to an explorer and return its reader: JupyterLab draws only what is in sight."""
        number = NAMES.index(name)
        self.page.locator(f"#explorer-{number}").scroll_into_view_if_needed()
        self.page.wait_for_function("n => probe.words(n)", arg=number)
        return ev.Reader(self.page, number, name)


@pytest.fixture(scope="module")
def run(browser, tmp_path_factory):
    """JupyterLab with every explorer drawn."""
    folder = tmp_path_factory.mktemp("lab")
    cells = [new_code_cell(START), *(new_code_cell(f'keep("{name}")') for name in NAMES)]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": notebooks.KERNELSPEC})
    nbformat.write(notebook, folder / "all.ipynb")
    with lab(folder) as base:
        opened = Lab(browser, base, "all.ipynb")
        page = opened.page
        page.wait_for_function(
            "([n]) => document.querySelectorAll('.ssd-explorer').length === n", arg=[len(NAMES)]
        )
        # as on the built page, so that the same probe finds them
        page.evaluate(
            "document.querySelectorAll('.ssd-explorer').forEach((e, n) =>"
            " (e.closest('.jp-OutputArea-child').id = `explorer-${n}`))"
        )
        page.wait_for_function(AT_REST, polling=300)
        yield opened
        opened.close()


@pytest.mark.parametrize("name", NAMES)
def test_an_explorer_states_the_numbers_that_it_shows(run, name):
    module = getattr(widgets, name)().module
    assert ev.wrong_numbers(module, run.reader(name).words()) is None


@pytest.mark.parametrize("name", NAMES)
def test_python_reads_what_was_dragged(run, name):
    found = run.reader(name).drags()
    ask = f"import json; print(json.dumps(heard[{name!r}]))"
    changed = eventually(run.page, lambda: run.python(ask))
    assert found["drag"] is None, photographed(run, name)
    assert changed, photographed(run, name)


@pytest.mark.parametrize("name", NAMES)
def test_what_python_sets_is_drawn(run, name):
    reader = run.reader(name)
    trait = run.python(f"{SET}\nimport json; print(json.dumps(move({name!r})))")
    drawn = eventually(run.page, lambda: reader.look() != reader.first)
    assert drawn, photographed(run, f"{name}.{trait}")


@pytest.mark.parametrize("name", NAMES)
def test_keys_go_to_the_explorer_and_not_to_the_notebook(run, name):
    before = run.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length")
    found = {what: problem for what, problem in run.reader(name).types().items() if problem}
    for key in ("a", "x", "d", "d"):  # in command mode: insert, cut, delete a cell
        run.page.keyboard.press(key)
    assert run.page.evaluate("jupyterapp.shell.currentWidget.content.widgets.length") == before
    assert found == {}, photographed(run, name)


def test_the_dark_theme_changes_the_text_and_not_the_paper(run):
    def colours():
        return [run.page.evaluate(f"probe.colours({n})") for n in range(len(NAMES))]

    for name in NAMES:
        run.reader(name)
    light = colours()
    run.darken()

    def unchanged():
        pairs = zip(NAMES, light, colours(), strict=True)
        return [name for name, before, after in pairs if before["words"] == after["words"]]

    eventually(run.page, lambda: not unchanged())
    assert unchanged() == []
    for after in colours():
        assert min(map(float, re.findall(r"[\d.]+", after["paper"])[:3])) > 225


def test_nothing_is_requested_from_another_origin(run):
    assert run.elsewhere == []


def photographed(run, name: str) -> str:
    """Take a screenshot of the notebook, and return its path."""
    ev.SHOTS.mkdir(parents=True, exist_ok=True)
    path = ev.SHOTS / f"lab.{name}.png"
    run.page.screenshot(path=path)
    return f"photograph: {path}"
