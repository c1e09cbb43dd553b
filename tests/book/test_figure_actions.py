"""The roles by which words of the text act on a figure."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from notebooks import chapters, read
from ssd_book import explorers

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
USE = re.compile(r"\{(plays|counts)\}`([^`]+)`")
MADE = re.compile(r"^(\w*Explorer|Opening)\((.*)\)$", re.MULTILINE)


def uses():
    """Yield each use in a chapter: its kind, words, figure and what it does."""
    for path in chapters():
        for cell in read(path).cells:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            for kind, text in USE.findall(cell.source + figure.get("caption", "")):
                yield path, kind, text


def made_by(path, figure):
    """Return the explorer that a figure of a chapter shows at first."""
    for cell in read(path).cells:
        if cell.metadata.get("mystnb", {}).get("figure", {}).get("name") == figure:
            name, given = MADE.search(cell.source).groups()
            return eval(f"cls({given})", {"cls": getattr(explorers, name)})
    raise AssertionError(f"{path.name} has no figure {figure}")


PLAYS = [(path, text) for path, kind, text in uses() if kind == "plays"]


@pytest.mark.parametrize(("path", "text"), PLAYS, ids=[text.split("<")[0] for _, text in PLAYS])
def test_python_accepts_every_state_that_the_text_plays(extension, path, text):
    actions = extension("figure_actions")
    _, figure, what = actions.FORM.fullmatch(text).groups()
    explorer = made_by(path, figure)
    state = actions.state_of(what)
    before = {name: getattr(explorer, name) for name in state}
    with explorer.hold_trait_notifications():
        for name, value in state.items():
            setattr(explorer, name, value)
    assert before != state


def test_states_are_json_by_trait(extension):
    state_of = extension("figure_actions").state_of
    assert state_of("threshold=0.3") == {"threshold": 0.3}
    assert state_of('boxes=[[0, 0, 1, 1]], rule="argmax"') == {
        "boxes": [[0, 0, 1, 1]],
        "rule": "argmax",
    }


@pytest.mark.parametrize("text", ["0.3", "threshold", "threshold=", "threshold=high", "a=1, b"])
def test_other_states_are_refused(extension, text):
    with pytest.raises(ValueError, match=r"trait=value|Expecting value|Extra data"):
        extension("figure_actions").state_of(text)


PAGE = """\
# A book

```{figure} dot.png
:name: fig-dot

A dot. {plays}`at 0.3 <fig-dot: threshold=0.3>`, **{counts}`20 <fig-dot: map truth>`** and MORE.
```
"""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)


@pytest.fixture
def built(tmp_path):
    """Build a page with that in place of MORE; return its HTML and what the build said."""

    def build(more):
        (tmp_path / "dot.png").write_bytes(DOT)
        (tmp_path / "index.md").write_text(PAGE.replace("MORE", more))
        (tmp_path / "conf.py").write_text(
            f"import sys; sys.path.insert(0, {str(EXTENSIONS)!r})\n"
            "extensions = ['myst_parser', 'figure_actions']\n"
        )
        out = tmp_path / "out"
        command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", str(tmp_path), str(out)]
        done = subprocess.run(command, capture_output=True, text=True)
        return (out / "index.html").read_text(), done.stderr

    return build


def test_words_carry_what_they_do(built):
    html, said = built("no more")
    assert '<span class="plays" data-figure="fig-dot"' in html
    assert 'data-state="{&quot;threshold&quot;: 0.3}">at 0.3</span>' in html
    assert 'data-keys="map truth">20</span></strong>' in html
    assert said == ""


@pytest.mark.parametrize(
    ("more", "fault"),
    [
        ("{plays}`here <fig-other: threshold=1>`", "fig-other is not an explorer of this page"),
        ("{plays}`here`", "does not read words <fig-name: ...>"),
        ("{plays}`here <fig-dot: threshold>`", "does not read trait=value"),
        ("{counts}`here <fig-dot>`", "does not read words <fig-name: ...>"),
    ],
)
def test_faults_are_reported_by_the_build(built, more, fault):
    assert fault in built(more)[1]
