"""Sphinx extension: the live detector, a figure with a trained network in the page.

The directive ``live-detector`` makes a figure: a picture, and the place where `live.js` offers to
start the detector. What that loads is put into `_static/live/`: the files of `book/_live`, the
figure's modules (`ssd_book/live/static`), those of the explorers that they import, and
onnxruntime-web, which `make live-files` fetches from npm. Where that has not happened, the page
says so and keeps its picture.
"""

import gzip
import json
import shutil
import zlib
from html import escape
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive, directives
from live_explorers import COMMENT, MODEL, PAGE_STYLE
from sphinx.util import logging
from sphinx.util.osutil import relative_uri
from ssd_book.explorers import modules

logger = logging.getLogger(__name__)

LIVE = Path(__file__).parent.parent / "_live"
PHOTOGRAPHS = LIVE.parent.parent / "data" / "photographs" / "JPEGImages"
RUNTIME = Path("node_modules", "onnxruntime-web", "dist")
RUN = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
SHARED = ("geometry.js", "paper.js", "positives.js", "ui.js")  # of the explorers
PICTURE, SCRIPT, STYLE = "first.svg", "live.js", "live.css"
NOT_LOADED = (SCRIPT, "kernel.js")  # the first is beside the page's other scripts
SIDE = 600  # of the picture on the page
OFFERED = {"drawn": "*.webp", "photographs": "*.jpg"}  # folders of pictures, loaded when chosen
COUNTED = ("scenes.json", "scenes.onnx", "ort/ort-wasm-simd-threaded.wasm")
"""Loaded with progress in bytes: all but a few kilobytes."""


class live_place(nodes.General, nodes.Element):
    """Where the detector is offered; ``alt`` describes the picture."""


class LiveDetector(Directive):
    """A figure with the caption as its content."""

    has_content = True
    option_spec = {  # noqa: RUF012 - docutils' own
        "name": directives.unchanged_required,
        "alt": directives.unchanged_required,
    }

    def run(self):
        if not self.options.get("alt"):
            raise self.error("live-detector needs :alt:, which says what its picture shows")
        figure, caption = nodes.figure(), nodes.caption()
        figure += live_place(alt=self.options["alt"])
        text, messages = self.state.inline_text("\n".join(self.content), self.lineno)
        caption += text
        figure += caption
        self.add_name(figure)
        self.set_source_info(figure)
        return [figure, *messages]

    def set_source_info(self, node):
        node.source, node.line = self.state_machine.get_source_and_line(self.lineno)


def is_complete() -> bool:
    """Return whether the runtime has been fetched."""
    return all((LIVE / RUNTIME / name).is_file() for name in RUN)


def write_files(app):
    """Write `_static/live/`, and the script and the style sheet of the page."""
    if app.builder.format != "html" or not LIVE.is_dir():
        return
    static = Path(app.outdir) / "_static"
    shutil.rmtree(static / "live", ignore_errors=True)
    target = static / "live"
    target.mkdir(parents=True)
    sheets = (modules.LIVE / STYLE, LIVE / STYLE)
    style = "\n".join(sheet.read_text(encoding="utf-8") for sheet in sheets)
    (static / STYLE).write_text(style, encoding="utf-8")
    shutil.copyfile(LIVE / PICTURE, target / PICTURE)
    _put(LIVE / SCRIPT, static / SCRIPT)
    if not is_complete():
        return
    shared = [modules.STATIC / name for name in SHARED]
    for script in (*LIVE.glob("*.js"), *modules.LIVE.glob("*.js"), *shared, MODEL):
        if script.name not in NOT_LOADED:
            _put(script, target / script.name)
    for file in (modules.LIVE / "scenes.json", LIVE / "scenes.onnx"):
        shutil.copyfile(file, target / file.name)
    for (folder, pattern), origin in zip(
        OFFERED.items(), (LIVE / "drawn", PHOTOGRAPHS), strict=True
    ):
        (target / folder).mkdir()
        for picture in origin.glob(pattern):
            shutil.copyfile(picture, target / folder / picture.name)
    (target / "ort").mkdir()
    for name in RUN:
        shutil.copyfile(LIVE / RUNTIME / name, target / "ort" / name)


def _put(script: Path, target: Path) -> None:
    """Write a script without comments, which readers of a page need not download."""
    target.write_text(COMMENT.sub("", script.read_text(encoding="utf-8")), encoding="utf-8")


def sizes(static: Path) -> tuple[dict[str, int], int]:
    """Return the bytes of what is loaded with progress, and of all that is loaded at the start when
    compressed."""
    live = static / "live"
    left = {PICTURE, *OFFERED}
    files = [file for file in live.rglob("*") if file.is_file()]
    everything = [file for file in files if file.relative_to(live).parts[0] not in left]
    packed = sum(len(gzip.compress(file.read_bytes(), 6)) for file in everything)
    return {name: (live / name).stat().st_size for name in COUNTED}, packed


def visit_place(writer, node):
    """Write the place, with the picture in it."""
    builder = writer.builder
    page = builder.get_target_uri(builder.current_docname)
    base = relative_uri(page, "_static/live/")
    data = f' data-base="{base}/"'.replace("//", "/")
    if is_complete():
        files, packed = sizes(Path(builder.outdir) / "_static")
        data += f' data-packed="{packed}" data-files="{escape(json.dumps(files))}"'
    waits = ' loading="lazy"' if any("<img" in part for part in writer.body) else ""
    writer.body.append(
        f'<div class="live-place"{data}><img src="{base}{PICTURE}" width="{SIDE}"'
        f' height="{SIDE}"{waits} alt="{escape(node["alt"])}">'
    )


def depart_place(writer, node):
    writer.body.append("</div>\n")


def add_to_page(app, pagename, templatename, context, doctree):
    """Load the script and the style sheets on pages with the figure, and nowhere else."""
    if doctree is not None and next(doctree.findall(live_place), None) is not None:
        app.add_css_file("explorers.css")
        app.add_css_file(STYLE)
        app.add_js_file(SCRIPT, loading_method="defer")


def setup(app):
    app.add_node(live_place, html=(visit_place, depart_place))
    app.add_directive("live-detector", LiveDetector)
    app.connect("builder-inited", write_files)
    app.connect("html-page-context", add_to_page, priority=900)
    # whether the runtime is there changes the page
    state = [Path(__file__).read_bytes(), PAGE_STYLE.read_bytes(), bytes([is_complete()])]
    return {
        "version": "1",
        "env_version": zlib.crc32(b"".join(state)),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
