"""The explorers' JavaScript: joined into one module each, and consistent with Python."""

import base64
import json
import re
import shutil
import subprocess

import pytest
from ssd_book import explorers as widgets
from ssd_book.explorers import modules
from ssd_book.explorers.explorer import Explorer
from ssd_book.plots import ACCENT

from ssd_tutorial.figures.plots import BLUE, INK, LOOKS, ORANGE, QUIET

CLASSES = [getattr(widgets, name) for name in widgets.__all__]


def node(*words: str, text: str = "") -> str:
    """Return what node prints. Node comes with npm, which `make test` requires."""
    program = shutil.which("node")
    assert program, "no `node` on PATH: on Debian, apt-get install nodejs"
    done = subprocess.run([program, *words], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_module_belongs_to_one_class_and_every_class_to_one_module():
    assert sorted(cls._module for cls in CLASSES) == modules.names()
    assert all(issubclass(cls, Explorer) for cls in CLASSES)


@pytest.mark.parametrize("name", modules.names())
def test_joined_modules_form_one_module_and_no_name_occurs_twice(name):
    text = modules.joined(name)
    assert not re.search(r"^import\b", text, re.M)
    assert text.count("export ") == text.count("export default ") == 1
    node("--input-type=module", "--check", text=text)


def test_a_name_in_two_modules_is_noticed():
    twice = modules.joined("iou") + "\nfunction explorer() {}\n"
    with pytest.raises(AssertionError, match="already been declared"):
        node("--input-type=module", "--check", text=twice)


def test_parts_come_before_what_uses_them():
    names = list(modules.parts("iou"))
    assert names[-1] == "iou"
    assert names.index("paper") < names.index("ui")


def test_an_import_that_cannot_be_joined_is_refused(tmp_path, monkeypatch):
    (tmp_path / "odd.js").write_text('import * as all from "./geometry.js";\n')
    monkeypatch.setattr(modules, "STATIC", tmp_path)
    modules.parts.cache_clear()
    with pytest.raises(ValueError, match="odd.js: write"):
        modules.parts("odd")
    with pytest.raises(FileNotFoundError):
        modules.parts("missing")


def test_maps_look_the_same_in_figures_and_explorers():
    script = (
        "const url = 'data:text/javascript;base64,' + process.argv[1];"
        "import(url).then((m) => console.log(JSON.stringify("
        "[m.LOOKS, m.INK, m.QUIET, m.ACCENT, m.BLUE, m.ORANGE])));"
    )
    source = (modules.STATIC / "paper.js").read_bytes()
    looks, *others = json.loads(node("-e", script, base64.b64encode(source).decode()))
    assert others == [INK, QUIET, ACCENT, BLUE, ORANGE]
    assert [(x["name"], x["colour"], x["marker"]) for x in looks] == [
        (x.name, x.color, x.marker) for x in LOOKS
    ]


def test_the_accent_is_the_same_in_style_sheets():
    """`--ssd-hit` of explorers and `--first-hit` of the first page: light, then dark."""
    static = modules.STATIC.parents[2] / "_static"
    sheets = {"ssd": modules.STYLE_SHEET, "first": static / "first_page.css"}
    texts = {name: sheet.read_text(encoding="utf-8") for name, sheet in sheets.items()}
    values = {name: re.findall(rf"--{name}-hit: (#\w+);", text) for name, text in texts.items()}
    assert values["ssd"] == values["first"]
    assert values["ssd"][0] == ACCENT
    reds = re.findall(r"#[cd][\da-f]3[\da-f]1[\da-f]", "".join(texts.values()))
    assert set(reds) == {ACCENT}


@pytest.mark.parametrize("name", modules.names())
def test_an_explorer_has_at_most_220_lines(name):
    assert len((modules.STATIC / f"{name}.js").read_text(encoding="utf-8").splitlines()) <= 220
