"""Sphinx extension of this book: eight small additions to jupyter-book.

1. The execution cache depends on the package. jupyter-cache compares only the cells of a notebook,
   so an edit in `ssd_tutorial/`, `book/ssd_book/` or `data/` would leave old figures on the pages.
   The cache's path holds a hash of all three, and of the versions of the libraries that chapters
   compute with. Beside the notebooks it keeps the pictures of `book_pictures.py`.
2. A chapter takes its number from its file: `book/08_matching` is chapter 8, with Figure 8.1 and
   equation (8.1), however many chapters come before it.
3. A figure without alternative text or caption causes a warning, which `-W` makes an error.
4. Names that myst-nb and the theme give to screen readers agree with the visible text.
5. Launch buttons open the plain notebooks of `notebooks/`. Pages without one have no such button,
   and until the repository's address is set no page has a button that would lead nowhere.
6. The first page has a style sheet of its own.
7. No line ends inside 12 609, 24 % or 38 × 38, or, in a table, inside 24–36.
8. What a cell prints in columns, or as code, is marked: it scrolls where sentences wrap.

Files of `book/_static` are added here, one by one: jupyter-book itself would add every script below
a folder `_static` to every page.
"""

import hashlib
import importlib.metadata
import os
import re
import shutil
import zlib
from pathlib import Path

from docutils import nodes
from sphinx.util import logging
from sphinx_external_toc.collectors import TocTreeCollectorWithStyles as TocCollector

logger = logging.getLogger(__name__)

STATIC = Path(__file__).parent.parent / "_static"
COMPUTES_WITH = ("torch", "torchvision", "numpy", "matplotlib")
KERNEL = """\
c.IPKernelApp.log_level = 40
c.InteractiveShellApp.extensions = ["ssd_book.page_pictures"]
c.PagePictures.folder = {pictures!r}
"""  # settings of the kernels that execute chapters for the pages
CHAPTER = re.compile(r"(?:^|/)(\d\d)_\w+$")


# --- 1. execution cache ---------------------------------------------------------------------------
def digest_of_sources(root: Path) -> str:
    """Hash everything outside the notebooks that affects what a chapter computes."""
    digest = hashlib.sha256()
    for name in COMPUTES_WITH:
        digest.update(f"{name} {importlib.metadata.version(name)}\n".encode())
    digest.update(KERNEL.encode())
    for folder in ("ssd_tutorial", "book/ssd_book", "book/_static/fonts", "data"):
        for file in sorted((root / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md":
                digest.update(file.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def cache_path(build: Path, root: Path) -> Path:
    """Return the folder of the notebooks that were executed with the sources as they are."""
    return build / ".jupyter_cache" / digest_of_sources(root)


def cache_by_sources(app, config):
    config.nb_execution_cache_path = str(cache_path(Path(app.outdir).parent, Path(app.srcdir)))


def quiet_kernel(build: Path, cache: Path):
    """Run kernels with the book's own settings, not with the user's startup files or backend."""
    profile = build / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    settings = KERNEL.format(pictures=str(cache.resolve() / "pictures"))
    (profile / "ipython_kernel_config.py").write_text(settings)
    os.environ["IPYTHONDIR"] = str(profile.parent)
    os.environ.pop("MPLBACKEND", None)  # with Agg, no figure would reach the page


def drop_old_caches(app, exception):
    """Keep only the cache that the build used, if the build succeeded."""
    current = Path(app.config.nb_execution_cache_path)
    if exception is None and current.parent.is_dir():
        for folder in current.parent.iterdir():
            if folder.is_dir() and folder != current:
                shutil.rmtree(folder, ignore_errors=True)


# --- 2. chapter numbers ---------------------------------------------------------------------------
def number_chapters_by_file(assign):
    """Wrap Sphinx's `assign_section_numbers` so that the first number is that of the file."""

    def assign_section_numbers(self, env):
        before = env.toc_secnumbers
        assign(self, env)
        for doc, numbers in env.toc_secnumbers.items():
            if not (match := CHAPTER.search(doc)):
                continue
            chapter = int(match[1])
            for anchor, number in numbers.items():
                numbers[anchor] = number and (chapter, *number[1:])
            for node in (env.titles[doc], *env.tocs[doc].findall(nodes.reference)):
                if node.get("secnumber"):
                    node["secnumber"] = [chapter, *node["secnumber"][1:]]
        return [doc for doc, numbers in env.toc_secnumbers.items() if numbers != before.get(doc)]

    return assign_section_numbers


# --- 3. figures -----------------------------------------------------------------------------------
def check_figures(app, doctree):
    """Warn about pictures without alternative text, number or caption."""
    for image in doctree.findall(nodes.image):
        figure = image.parent
        while figure is not None and not isinstance(figure, nodes.figure):
            figure = figure.parent
        if not image.get("alt", "").strip():
            logger.warning(
                "picture without alternative text: say what it shows in the cell's metadata, "
                'mystnb: {"image": {"alt": "..."}}, or as :alt: of the directive',
                location=figure or image,
            )
        if figure is None and "hidden-picture" not in image.get("classes", []):
            logger.warning(
                "picture without number and caption: give the cell the metadata "
                'mystnb: {"figure": {"name": "fig-...", "caption": "..."}}',
                location=image,
            )


# --- 4. screen readers ----------------------------------------------------------------------------
WRONG_NAMES = {
    re.compile(r' aria-label="Toggle hidden content"'): "",  # whose text is "Show the solution"
    re.compile(
        r'(search-button-field[^>]*?) aria-label="Search"'
    ): r"\1",  # its text names the keys, too
    re.compile(
        r'(class="theme-switch [^>]*?) +title="[^"]*"'
    ): r"\1",  # the button has a name already
    re.compile(r' role="list" (?=class="citation-list")'): " ",  # a list without list items
    re.compile(r' role="doc-biblioentry"'): "",  # withdrawn by the standard
}


def fix_names(app, exception):
    """Drop names and roles that contradict the page."""
    if exception is not None or app.builder.format != "html":
        return
    for file in Path(app.outdir).rglob("*.html"):
        text = fixed = file.read_text(encoding="utf-8")
        for wrong, right in WRONG_NAMES.items():
            fixed = wrong.sub(right, fixed)
        if fixed != text:
            file.write_text(fixed, encoding="utf-8")


# --- 5. buttons that lead to the repository -------------------------------------------------------
NO_ADDRESS = "OWNER/REPOSITORY"


def lead_to_the_repository(app, pagename, templatename, context, doctree):
    """Launch and download plain notebooks, and drop the buttons that have nowhere to lead."""
    plain, dropped = f"notebooks/{Path(pagename).name}.ipynb", set()
    if NO_ADDRESS in app.config.html_theme_options.get("repository_url", ""):
        dropped = {"launch-buttons", "source-buttons"}
    elif pagename not in app.env.all_docs or not str(app.env.doc2path(pagename)).endswith(".ipynb"):
        dropped = {"launch-buttons"}
    buttons = context.get("header_buttons", [])
    buttons[:] = [button for button in buttons if button.get("label") not in dropped]
    for button in (button for group in buttons for button in group.get("buttons", ())):
        if (Path(app.srcdir) / plain).is_file() and "url" in button:
            if button.get("label") == "download-source-button":
                button["url"] = f"{context['pathto']('_sources', 1)}/{plain}"
            button["url"] = button["url"].replace(f"{pagename}.ipynb", plain)


# --- 6. the first page ----------------------------------------------------------------------------
def style_the_first_page(app, pagename, templatename, context, doctree):
    """Load the style sheet of the first page there, and nowhere else."""
    if pagename == app.config.root_doc:
        app.add_css_file("first_page.css")


def copy_plain_notebooks(app, exception):
    """Put the notebooks where the pages' download button looks for them."""
    plain = Path(app.srcdir) / "notebooks"
    if exception is None and app.builder.format == "html" and plain.is_dir():
        shutil.copytree(plain, Path(app.outdir) / "_sources" / "notebooks", dirs_exist_ok=True)


# --- 7. numbers -----------------------------------------------------------------------------------
INSIDE = re.compile(r"(?<=\d) (?=\d{3}(?!\d)|%|× \d)|(?<=\d ×) (?=\d)")
RANGE = re.compile(r"(?<=\d)–(?=\d)")
CODE = (nodes.literal, nodes.math, nodes.FixedTextElement)


def keep_numbers_whole(app, doctree, docname):
    """Put no-break spaces into the numbers of the text, and leave code as it is."""
    for text in list(doctree.findall(nodes.Text)):
        if INSIDE.search(text) and not isinstance(text.parent, CODE):
            text.parent.replace(text, nodes.Text(INSIDE.sub("\N{NO-BREAK SPACE}", text)))
    for table in doctree.findall(nodes.raw):
        if table.astext().startswith("<table>"):  # of `ssd_tutorial.figures.Table`
            whole = INSIDE.sub("\N{NO-BREAK SPACE}", table.astext())
            whole = RANGE.sub("\N{WORD JOINER}–\N{WORD JOINER}", whole)
            table[:] = [nodes.Text(whole)]


# --- 8. columns -----------------------------------------------------------------------------------
COLUMNS = re.compile(r"\S {2,}\S|^ {4}", re.M)


def mark_columns(app, doctree):
    """Give printed columns and code the class with which book.css keeps their lines."""
    for output in doctree.findall(nodes.literal_block):
        if "stream" in output["classes"] and COLUMNS.search(output.astext()):
            output["classes"].append("columns")


def setup(app):
    TocCollector.assign_section_numbers = number_chapters_by_file(
        TocCollector.assign_section_numbers
    )
    app.connect("config-inited", cache_by_sources)
    app.connect(
        "builder-inited",
        lambda app: quiet_kernel(Path(app.outdir).parent, Path(app.config.nb_execution_cache_path)),
    )
    app.connect("doctree-read", check_figures)
    app.connect("doctree-read", mark_columns)
    app.connect("doctree-resolved", keep_numbers_whole)
    app.connect("build-finished", drop_old_caches)
    app.connect("builder-inited", lambda app: app.config.html_static_path.append(str(STATIC)))
    app.connect("build-finished", fix_names)
    app.connect("build-finished", copy_plain_notebooks)
    app.connect("html-page-context", lead_to_the_repository, priority=900)
    app.connect("html-page-context", style_the_first_page)
    app.add_css_file("fonts.css")
    app.add_css_file("book.css")
    app.add_js_file("page.js", loading_method="defer")
    app.add_js_file("scrolling.js", loading_method="defer")
    app.add_js_file("print.js", loading_method="defer")
    return {
        "version": "1",
        # an edit of this file rebuilds every page
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
