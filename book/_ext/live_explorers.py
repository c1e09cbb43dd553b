"""Sphinx extension: explorers (`ssd_book.explorers`) that work on built pages without a kernel.

1. myst-nb embeds the state of a page's widgets, each with all of its JavaScript. This extension
   takes the state of the explorers, makes it small and puts it at the end of the page.
2. `_static/explorers.js` contains the loader (`explorer_loader.js`), what the text of a page does
   with explorers (`explorer_actions.js`) and the JavaScript that all of them share;
   `_static/explorer-NAME.js` what is one's own. They are classic scripts, since browsers load no ES
   modules from a `file://` address. A page loads those of its explorers.
3. An explorer's picture is on the page for readers without scripts, and where the explorer fails.
4. Any other widget would not work on the page: it causes a warning, which `-W` makes an error.
"""

import json
import re
import zlib
from collections import Counter
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.util import logging
from ssd_book.explorers import modules

logger = logging.getLogger(__name__)

HERE = Path(__file__).parent
LOADER, MODEL = HERE / "explorer_loader.js", HERE / "page_model.js"
ACTIONS = HERE / "explorer_actions.js"
PAGE_STYLE = HERE / "explorer_page.css"
VIEW = "application/vnd.jupyter.widget-view+json"
PLACE = "explorer-place"  # class of the element that an explorer is rendered into
STATES = "explorer-states"  # id of the script with the states
# if the script does not arrive, the pictures, which wait for that, are shown
NO_SCRIPT = f"for (const p of document.querySelectorAll('.{PLACE}')) p.dataset.state = 'failed'"
NOT_ITS_OWN = {"layout", "tabbable", "tooltip"}  # traits of every widget
SHARED = "$shared"  # {"$shared": 2} refers to the third shared value
OWN = "globalThis.explorerSources"  # of the modules, by name
LONG = 200  # characters: shorter values are not worth sharing
# comments on lines of their own, which readers of a page need not download
COMMENT = re.compile(r"^[ \t]*(?://.*|/\*\*(?s:.*?)\*/)\n", re.M)


# --- 1. states ------------------------------------------------------------------------------------
def pack(value) -> tuple[object, list]:
    """Move the parts that occur several times in a JSON value to a list, where each occurs once."""
    seen: Counter[str] = Counter()

    def parts(part):
        return part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()

    def count(part):
        if isinstance(part, dict) and SHARED in part:
            raise ValueError(f"a trait contains the key {SHARED}, which marks shared values")
        if isinstance(part, str | list | dict) and len(text := json.dumps(part)) >= LONG:
            seen[text] += 1
            if seen[text] > 1:
                return  # its parts are shared with it
        for inner in parts(part):
            count(inner)

    shared: list = []
    places: dict[str, int] = {}

    def packed(part):
        text = json.dumps(part) if isinstance(part, str | list | dict) else ""
        if seen[text] < 2:
            return inside(part)
        if text not in places:
            places[text] = len(shared)
            shared.append(None)
            shared[places[text]] = inside(part)
        return {SHARED: places[text]}

    def inside(part):
        if isinstance(part, dict):
            return {key: packed(inner) for key, inner in part.items()}
        return [packed(inner) for inner in part] if isinstance(part, list) else part

    count(value)
    return packed(value), shared


def essence(model: dict) -> dict:
    """Return what the loader needs of a widget model: its module, own traits and binary data."""
    traits = {
        name: value
        for name, value in model["state"].items()
        if not name.startswith("_") and name not in NOT_ITS_OWN
    }
    return {"state": traits, "buffers": model.get("buffers", [])}


def find_explorers(app, doctree):
    """Wrap the picture of each explorer of a page in a place, and keep the states they need."""
    page = NbMetadataCollector.get_doc_data(app.env)[app.env.docname]
    scripts = page.get("js_files", {})
    _, state = scripts.pop("ipywidgets_state", (None, {}))
    models = json.loads(state.get("body", "{}")).get("state", {})
    order: list[str] = []  # of the models on the page
    views: list[int] = []
    for bundle in list(doctree.findall(nodes.container)):
        kinds = {child.get("mime_type"): child for child in bundle.children}
        if bundle.get("nb_element") != "mime_bundle" or VIEW not in kinds:
            continue
        bundle.remove(kinds[VIEW])
        model_id = json.loads(re.search(r">(.*)<", kinds[VIEW].astext(), re.S)[1])["model_id"]
        if problem := fault(models.get(model_id), kinds):
            logger.warning(problem, location=bundle)
            continue
        if model_id not in order:
            order.append(model_id)
        module = models[model_id]["state"]["module"]
        place = nodes.container(classes=[PLACE, f"of-{module}"], ids=[f"explorer-{len(views)}"])
        views.append(order.index(model_id))
        picture = kinds["image/png"]
        place += picture.children
        picture.children = []
        picture += place
    page.pop("explorers", None)
    if views:
        packed, shared = pack([essence(models[model_id]) for model_id in order])
        page["explorers"] = {
            "modules": sorted({models[model_id]["state"]["module"] for model_id in order}),
            "states": {"models": packed, "views": views, "shared": shared},
        }


def fault(model: dict | None, kinds: dict) -> str | None:
    """Return why a widget would not work on the page; None for an explorer."""
    if model is None:
        return "shows a widget whose state is not on the page: run tools/execute.py on the notebook"
    module = model["state"].get("module")
    if model["model_module"] != "anywidget" or module not in modules.names():
        return (
            f"shows a {model['model_name']}, which needs a running kernel, and the page "
            "has none: draw a figure, or turn it into an explorer (see CONTRIBUTING.md)"
        )
    if "image/png" not in kinds:
        return f"the explorer {module} has no picture: without scripts, the page would show nothing"
    return None


# --- 2. scripts -----------------------------------------------------------------------------------
def write_assets(app):
    """Write the scripts and `explorers.css`."""
    if app.builder.format != "html":
        return
    parts = {name: modules.parts(name) for name in modules.names()}
    static = Path(app.outdir) / "_static"
    static.mkdir(parents=True, exist_ok=True)
    sources = {part: COMMENT.sub("", text) for of in parts.values() for part, text in of.items()}
    for name in parts:
        own = f"({OWN} ??= {{}}).{name} =\n{json.dumps(sources.pop(name))};\n"
        (static / f"explorer-{name}.js").write_text(own, encoding="utf-8")
    needed = {name: list(of) for name, of in parts.items()}
    script = loader_call(f"Object.assign({OWN},\n{json.dumps(sources)})", needed)
    script += COMMENT.sub("", ACTIONS.read_text(encoding="utf-8"))
    (static / "explorers.js").write_text(script, encoding="utf-8")
    sheets = (modules.STYLE_SHEET, PAGE_STYLE)
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    (static / "explorers.css").write_text(style, encoding="utf-8")


def loader_call(sources: str, parts: dict[str, list[str]]) -> str:
    """Return the script that starts a page's explorers; `sources` is JavaScript."""
    files = (LOADER, MODEL)
    loader, model = (COMMENT.sub("", f.read_text(encoding="utf-8")).strip() for f in files)
    arguments = ",\n".join([model.removeprefix("export "), sources, json.dumps(parts)])
    return f"({loader.removesuffix(';')})({arguments});\n"


def add_to_page(app, pagename, templatename, context, doctree):
    """Add the states, the scripts and the style sheet to a page with explorers."""
    explorers = getattr(app.env, "nb_metadata", {}).get(pagename, {}).get("explorers")
    if explorers is None:
        return
    app.add_css_file("explorers.css")
    # deferred scripts run in this order, so the loader finds what the others contain
    for name in (*(f"explorer-{module}.js" for module in explorers["modules"]), "explorers.js"):
        app.add_js_file(name, priority=100, loading_method="defer", onerror=NO_SCRIPT)
    # escaped, because "</script>" in a trait would end the script
    text = json.dumps(explorers["states"], separators=(",", ":")).replace("<", r"\u003c")
    # at the end, so that the text appears before it is loaded
    context["body"] += f'<script type="application/json" id="{STATES}">{text}</script>\n'


def setup(app):
    app.config.nb_ipywidgets_js = {}  # nothing from another origin
    app.connect("doctree-read", find_explorers)
    app.connect("builder-inited", write_assets)
    app.connect("html-page-context", add_to_page, priority=900)
    files = (Path(__file__), LOADER, MODEL, ACTIONS)
    sources = "".join(file.read_text(encoding="utf-8") for file in files)
    return {
        "version": "1",
        "env_version": zlib.crc32(sources.encode()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
