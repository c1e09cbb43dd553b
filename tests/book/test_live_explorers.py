"""A small book with explorers: what its pages contain, and which widgets are refused."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.timeout(400)  # builds books, on a machine that may be busy

ROOT = Path(__file__).resolve().parents[2]
FIRST = """\
import traitlets
from ssd_book.explorers import IoUExplorer

class Noted(IoUExplorer, module="iou"):
    note = traitlets.Unicode("</script><script>alert(1)</script><!--").tag(sync=True)

explorer = Noted()
explorer"""
SECOND = "IoUExplorer(boxes=[[.1, .1, .5, .5], [.2, .2, .8, .8]])"
UNSEEN = "from tqdm.notebook import tqdm\nbar = tqdm([1], display=False)\nprint(len(bar))"
INDEX = """\
---
file_format: mystnb
kernelspec: {name: python3, display_name: Python 3, language: python}
---
# A book

By {cite}`liu2016ssd`.

```{code-cell} ipython3
---
mystnb:
  figure: {name: fig-index, caption: Two boxes.}
  image: {alt: Two boxes that overlap.}
---
from ssd_book.explorers import IoUExplorer
IoUExplorer()
```

```{bibliography}
```
"""

ASSETS = ["explorers.css", "explorer-iou.js", "explorers.js"]


def settings(name):
    return {
        "figure": {"name": f"fig-{name}", "caption": f"Caption of {name}."},
        "image": {"alt": f"What {name} shows."},
    }


@pytest.fixture(scope="module")
def built(make_book):
    book = make_book()
    more = [(SECOND, settings("second")), ("explorer", settings("again")), (UNSEEN, {})]
    book.chapter(FIRST, settings("try"), more)
    (book.root / "book" / "index.md").write_text(INDEX)
    done = book.build()
    assert done.returncode == 0, book.said(done)
    return book


def states(page):
    """Return the states on a page, as text and as the loader reads them."""
    text = re.search(r'<script [^>]*id="explorer-states">(.*?)</script>', page, re.S)[1]
    return text, json.loads(text)


def unpacked(value, shared):
    """Unpack values as the loader does."""
    if isinstance(value, list):
        return [unpacked(part, shared) for part in value]
    if isinstance(value, dict) and "$shared" in value:
        return unpacked(shared[value["$shared"]], shared)
    if isinstance(value, dict):
        return {key: unpacked(part, shared) for key, part in value.items()}
    return value


def test_a_picture_is_in_its_figure_until_the_explorer_has_started(built):
    page = built.page("08_matching")
    for number, name in enumerate(("try", "second", "again")):
        figure = re.search(rf'<figure [^>]*id="fig-{name}".*?</figure>', page, re.S)[0]
        place, caption = figure.split("<figcaption>")
        assert f'class="explorer-place of-iou docutils container" id="explorer-{number}"' in place
        assert f'alt="What {name} shows."' in place
        assert place.count("<img") == 1
        picture = re.search(r"<img [^>]*>", place)[0]
        assert re.search(r'width="\d+" height="\d+" loading="lazy"', picture)
        assert re.search(r'src="[^"]+\.webp"', picture)
        assert f'Figure 8.{number + 1} </span><span class="caption-text">Caption of' in caption
    assert "widget-view+json" not in page


def test_states_are_small_and_safe(built):
    text, page = states(built.page("08_matching"))
    assert page["views"] == [0, 1, 0]  # the first is shown twice
    assert text.count("data:image/jpeg") == 1  # both explorers show the same picture
    first, second = unpacked(page["models"], page["shared"])
    assert first["state"]["picture"] == second["state"]["picture"]
    assert second["state"]["boxes"][0] == [0.1, 0.1, 0.5, 0.5]
    assert set(second["state"]) == {"boxes", "module", "picture"}  # neither _esm nor layout
    assert first["state"]["note"] == "</script><script>alert(1)</script><!--"
    assert "<" not in text


def test_the_states_come_after_the_text(built):
    page = built.page("08_matching")
    assert page.index('id="explorer-states"') > page.index("Caption of again")


def test_only_pages_with_explorers_load_their_scripts(built):
    for page in built.html.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        asks = re.findall(r"_static/(explorer[\w-]*\.(?:js|css))", text)
        with_explorers = page.stem in ("08_matching", "index")
        assert asks == (ASSETS if with_explorers else []), page
        assert ("explorer-states" in text) == with_explorers
        for foreign in ("require.min.js", "html-manager", "embed-amd", "cdn."):
            assert foreign not in text


def test_a_markdown_page_has_its_explorer(built):
    assert 'id="explorer-0"' in built.page("index")


def test_a_page_loads_the_code_of_its_explorers_once_and_not_as_a_module(built):
    static = built.html.parent / "_static"
    loaded = [(static / name).read_text(encoding="utf-8") for name in ASSETS[1:]]
    assert "".join(loaded).count("export default explorer(") == 1
    script = (built.html.parent / "_static" / "explorers.js").read_text(encoding="utf-8")
    assert script.count("function iou(a, b)") == 1
    assert "Intersection over union of two" not in script  # comments stay at home
    assert not re.search(r"^(import|export)\b", script, re.M)
    tag = re.search(r"<script [^>]*explorers\.js[^>]*>", built.page("08_matching"))[0]
    assert "defer" in tag
    assert "module" not in tag


REFUSED = {
    "a plain widget": (
        "import ipywidgets\nipywidgets.IntSlider()",
        "shows a IntSliderModel, which needs a running kernel",
    ),
    "an anywidget of another kind": (
        "import anywidget\nclass A(anywidget.AnyWidget):\n    _esm = 'export default {}'\nA()",
        "shows a AnyModel, which needs a running kernel",
    ),
    "an explorer without a picture": (
        "from ssd_book.explorers import IoUExplorer\n"
        "class Bare(IoUExplorer, module='iou'):\n"
        "    def _repr_mimebundle_(self, **kwargs):\n"
        "        data, metadata = super()._repr_mimebundle_(**kwargs)\n"
        "        return {k: v for k, v in data.items() if k != 'image/png'}, metadata\n"
        "Bare()",
        "the explorer iou has no picture",
    ),
}


def test_a_widget_that_would_not_work_fails_the_build(book):
    cells = [(code, {}) for code, _ in REFUSED.values()]
    book.chapter(more=cells)
    done = book.build()
    assert done.returncode != 0
    said = book.said(done)
    for _, message in REFUSED.values():
        assert message in said
    assert "08_matching" in said


def test_a_stored_view_without_its_state_is_refused(extension):
    view = "application/vnd.jupyter.widget-view+json"
    assert "run tools/execute.py" in extension("live_explorers").fault(
        None, {view: None, "image/png": None}
    )


# --- packing --------------------------------------------------------------------------------------
LEAVES = st.sampled_from([None, True, 0, 0.5, "short", "long " * 50, "other " * 50, [1] * 90])
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=30,
)


@given(value=VALUES)
def test_packed_values_come_back_as_they_were(extension, value):
    packed, shared = extension("live_explorers").pack(value)
    assert unpacked(packed, shared) == value
    written = json.dumps([packed, shared])
    assert all(written.count(text) <= 1 for text in ("long " * 50, "other " * 50))
    assert len(written) <= len(json.dumps([value, []]))


def test_a_key_that_would_be_misread_is_refused(extension):
    with pytest.raises(ValueError, match=r"\$shared"):
        extension("live_explorers").pack({"$shared": 1})
