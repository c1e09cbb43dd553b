"""The rules of `tools/lint_book.py`: each takes a notebook and yields its faults.

A rule is a generator of `Fault`; `RULES` lists the rules for one notebook. Checks that need the
whole book (the table of contents, totals) are in `lint_book.py`.
"""

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

import nbformat
from notebooks import WIDGET_VIEW, bootstrap_source, tags


class Fault(NamedTuple):
    """One fault: where it is, which rule it breaks, what is wrong, and how to fix it."""

    cell: int | None  # counted from 1 over all cells; None: the notebook as a whole
    rule: str
    what: str
    fix: str


MOST = 700_000  # bytes of a notebook
SPEAKS = {"print", "check", "display", "show"}
LEAKS = {
    "a memory address": re.compile(r"\b0x[0-9a-f]{6,}", re.I),
    "a machine's path": re.compile(
        r"(?<![\w.])/(?:home|root|tmp|Users|usr|opt|var|private|content|work|mnt)/[\w.]"
        r"|\b[A-Z]:\\\w|site-packages"
    ),
    "a warning": re.compile(r"\b[A-Z]\w*Warning\b|\bWARNING\b"),
    "a progress bar": re.compile(r"\d+%\|"),
}
MARKER = re.compile(r"^\s*#\s*(NBVAL_\w+|PYTEST_VALIDATE_\w+)", re.M | re.I)
MARKER_TAGS = {"nbval-skip", "nbval-raises-exception", "raises-exception"}
IGNORED_TAG = "nbval-ignore-output"
IGNORED_PER_CHAPTER = 2
TRAINS_OR_TIMES = {12, 13, 14, 15, 16, 17}  # chapters that may ignore an output
FILLER = re.compile(r"\b(simply|just|obviously|trivially|of course)\b", re.I)
READS = {
    *("open", "Path", "chdir", "imread", "read_image", "read_csv", "loadtxt", "genfromtxt"),
    *("load", "load_file", "safe_open", "fromfile", "ImageFolder"),
    *("VOCFolder", "COCOFolder", "YOLOFolder", "open_folder"),
}
NOT_FILES = {"torch.hub.load"}
COLUMNS = 78  # of an open cell; a page of 1280 pixels shows 82
FOLDED = {"hide-cell", "hide-input", "remove-cell", "remove-input"}


def code_cells(notebook) -> Iterator[tuple[int, object]]:
    """Yield the number and the cell of each code cell that is not blank."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code" and cell.source.strip():
            yield number, cell


def prose(text: str) -> str:
    """Remove from Markdown what is not prose: code, formulas, roles, link targets, directives."""
    text = re.sub(r"^```(?!\{(?:note|tip|warning|admonition)).*?^```", "", text, flags=re.M | re.S)
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", "", text, flags=re.S)
    text = re.sub(r"\{[\w:-]+\}`[^`]*`|`[^`]*`|\]\([^)]*\)", "", text)
    return re.sub(r"^\s*:[\w-]+:.*$", "", text, flags=re.M)


def parse(source: str) -> ast.Module | None:
    """Parse the cell as Python; None for magics and anything else that is not Python."""
    try:
        return ast.parse(source)
    except SyntaxError:
        return None


def name_of_call(call: ast.Call) -> str:
    return ast.unparse(call.func)


# --- what a notebook stores -----------------------------------------------------------------------
def kernel(notebook):
    """Require the kernel that every installation has, and no widget state."""
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield Fault(None, "kernelspec", "does not name the kernel python3", "run tools/execute.py")
    if "widgets" in notebook.metadata:
        yield Fault(None, "widget-state", "contains saved widget state", "run tools/execute.py")


def widgets(notebook):
    """Require an explorer's picture and text, not its view, which shows nothing without a state."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            kinds = output.get("data", {})
            if WIDGET_VIEW not in kinds:
                continue
            what, fix = "contains the view of a widget", "run tools/execute.py"
            if "image/png" not in kinds:
                what = "shows a widget that is not an explorer"
                fix = "the page has no kernel: draw a figure, or turn the widget into an explorer"
            yield Fault(number, "widget-view", what, fix)


def weight(notebook):
    """Limit the file, so that it opens on a phone and the repository is cloned in seconds."""
    size = len(nbformat.writes(notebook).encode())
    if size > MOST:
        what = f"is {size / 1e6:.2f} MB; at most {MOST / 1e6:.1f} MB are allowed"
        yield Fault(None, "weight", what, "run tools/execute.py --lighten on it")


def counts(notebook):
    """Require the execution counts 1, 2, 3 …: run once, in order, from a clean kernel."""
    for wanted, (number, cell) in enumerate(code_cells(notebook), start=1):
        if cell.execution_count != wanted:
            what = f"execution count is {cell.execution_count}, not {wanted}"
            yield Fault(number, "counts", what, "run tools/execute.py")
            return


def outputs_stored(notebook):
    """Require the outputs of cells that print or draw: nbval passes notebooks without outputs."""
    for number, cell in code_cells(notebook):
        tree = parse(cell.source)
        if tree is None or cell.outputs:
            continue
        for statement in tree.body:
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
                call = name_of_call(statement.value)
                if call.split(".")[-1] in SPEAKS or call.endswith("Explorer"):
                    what = f"calls {call}(…), but no output is stored"
                    yield Fault(number, "outputs", what, "run tools/execute.py")
                    break


def outputs_clean(notebook):
    """Forbid text outputs that another machine would not print."""
    for number, cell in code_cells(notebook):
        for output in cell.outputs:
            if output.output_type == "error":
                what = f"the cell raised {output.ename}"
                yield Fault(
                    number, "error", what, "fix the cell, or catch the error if it is expected"
                )
                continue
            if output.get("name") == "stderr":
                what = f"writes to stderr: {output.text.strip()[:80]!r}"
                yield Fault(number, "stderr", what, "fix the cause; print what readers should see")
            for text in _texts(output):
                for what, pattern in LEAKS.items():
                    if found := pattern.search(text):
                        near = text[max(0, found.start() - 20) : found.end() + 30].strip()
                        fix = "print what is the same on every machine; end figures with plt.show()"
                        yield Fault(number, "leak", f"{what} in an output: {near!r}", fix)


def _texts(output) -> Iterator[str]:
    if output.output_type == "stream":
        yield output.text
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/") and isinstance(value, str):
            # an animation or a picture inside HTML is data, not text
            yield re.sub(r"base64,[A-Za-z0-9+/=\s]+", "", value)


def markers(notebook, chapter: int | None = None):
    """Forbid hiding outputs from nbval, except for two in a chapter that trains or measures
    time, by a line `# NBVAL_IGNORE_OUTPUT` or by the tag, which readers don't see."""
    ignored = 0
    cells = list(code_cells(notebook))
    for index, (number, cell) in enumerate(cells):
        for tag in MARKER_TAGS.intersection(tags(cell)):
            yield Fault(number, "nbval", f"tag {tag} hides the cell from nbval", "remove the tag")
        if IGNORED_TAG in tags(cell):
            ignored += 1
            if chapter not in TRAINS_OR_TIMES:
                what = f"tag {IGNORED_TAG} in a chapter that neither trains nor measures time"
                yield Fault(number, "nbval", what, "print what is the same on every machine")
            if index + 1 == len(cells) or not _prints_a_bound(cells[index + 1][1]):
                what = "no cell tagged remove-cell after an ignored one prints a bound"
                yield Fault(number, "nbval", what, "print whether it holds, without an assert")
        for marker in (m.upper() for m in MARKER.findall(cell.source)):
            if marker not in ("NBVAL_IGNORE_OUTPUT", "PYTEST_VALIDATE_IGNORE_OUTPUT"):
                yield Fault(
                    number, "nbval", f"{marker} is not allowed", "print what is always the same"
                )
                continue
            ignored += 1
            if chapter not in TRAINS_OR_TIMES:
                what = f"{marker} in a chapter that neither trains nor measures time"
                yield Fault(number, "nbval", what, "print what is the same on every machine")
            if not re.search(rf"^# {marker}$", cell.source, re.M):
                what = f"{marker} is not alone on its line"
                yield Fault(number, "nbval", what, f"write the line as `# {marker}`")
            following = cells[index + 1][1].source if index + 1 < len(cells) else ""
            if not re.search(r"^\s*assert\b", following, re.M):
                what = "the cell after an ignored one asserts nothing"
                yield Fault(number, "nbval", what, "assert bounds on what the ignored cell showed")
    if ignored > IGNORED_PER_CHAPTER:
        what = f"{ignored} ignored outputs; at most {IGNORED_PER_CHAPTER} are allowed"
        yield Fault(None, "nbval", what, "print what is the same on every machine")


def _prints_a_bound(cell) -> bool:
    """Return whether a cell is not part of the page, prints a comparison and raises nothing."""
    asserts = re.search(r"^\s*assert\b", cell.source, re.M)
    return "remove-cell" in tags(cell) and re.search(r"print\(.*[<>]", cell.source) and not asserts


# --- what a reader meets --------------------------------------------------------------------------
def figures(notebook):
    """Require each picture to be a figure with caption and alternative text that the text cites."""
    text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    for number, cell in code_cells(notebook):
        pictures = sum(
            any(kind.startswith("image/") for kind in output.get("data", {}))
            for output in cell.outputs
        )
        if not pictures:
            continue
        if pictures > 1:
            what = f"{pictures} pictures in one cell share one caption"
            yield Fault(number, "figure", what, "draw one picture per cell, or use subplots")
        settings = cell.metadata.get("mystnb", {})
        figure, alt = settings.get("figure", {}), settings.get("image", {}).get("alt", "").strip()
        fix = 'metadata "mystnb": {"figure": {"name", "caption"}, "image": {"alt"}}'
        if not figure.get("caption", "").strip():
            yield Fault(number, "figure", "no caption", fix)
        if len(alt) < 20:
            yield Fault(number, "figure", f"alternative text missing or too short: {alt!r}", fix)
        elif alt == figure.get("caption", "").strip():
            yield Fault(
                number, "figure", "alternative text repeats the caption", "say what can be seen"
            )
        name = figure.get("name", "")
        if not name.startswith("fig-"):
            yield Fault(number, "figure", f"name {name!r} does not begin with fig-", fix)
        elif name not in text:
            what = f"the text does not mention {name}"
            yield Fault(number, "figure", what, f"say what to look at: {{numref}}`{name}`")
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "markdown":
            continue
        if re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=\"[^\"]+\")", cell.source):
            yield Fault(number, "figure", "a picture without alternative text", "![text](file)")
        for block in re.findall(r"\{(?:figure|image)\}.*?(?:^```|^:::)", cell.source, re.M | re.S):
            if not re.search(r"^:alt:\s*\S", block, re.M):
                yield Fault(number, "figure", "a {figure} without :alt:", "add a line `:alt: …`")


def shape(notebook):
    """Require the parts that every chapter has."""
    text = "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
    heads = re.findall(r"^# \S", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    if len(heads) != 1:
        yield Fault(
            None, "shape", f"{len(heads)} titles (`# …`)", "one per chapter, in its first cell"
        )
    for part, pattern in {
        "card with what the reader will learn": r"^:class: chapter-card",
        "summary": r"^:class: summary",
        "section of sources": r"^## Sources",
    }.items():
        if not re.search(pattern, text, re.M):
            yield Fault(None, "shape", f"no {part}", "see the skeleton of tools/new_chapter.py")
    exercises = sum("exercise" in tags(cell) for _, cell in code_cells(notebook))
    if exercises < 3:
        yield Fault(
            None,
            "shape",
            f"{exercises} exercises; at least 3 are required",
            "see tools/exercises.py",
        )


def width(notebook):
    """Require code that readers see to fit the column of the page."""
    for number, cell in code_cells(notebook):
        if FOLDED.isdisjoint(tags(cell)) and cell.source != bootstrap_source():
            for row, line in enumerate(cell.source.splitlines(), start=1):
                if len(line) > COLUMNS:
                    what = f"line {row} of an open cell has {len(line)} columns"
                    yield Fault(number, "width", what, f"break it before column {COLUMNS + 1}")


def asserts(notebook):
    """Forbid an assert where a reader meets it: it would stop whoever changes a setting."""
    for number, cell in code_cells(notebook):
        if "remove-cell" in tags(cell):
            continue
        for node in ast.walk(parse(cell.source) or ast.Module([], [])):
            if isinstance(node, ast.Assert):
                what = f"line {node.lineno} asserts something"
                fix = "move it into a cell of its own, tagged remove-cell, or into a test"
                yield Fault(number, "assert", what, fix)


def words(notebook):
    """Forbid words that make readers feel slow."""
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "markdown":
            text = prose(cell.source)
        else:
            text = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
        yield from filler(text, number)


def filler(text: str, number: int | None = None):
    for word in FILLER.findall(text):
        yield Fault(number, "words", f'says "{word}"', "leave the word out")


# --- what runs elsewhere --------------------------------------------------------------------------
def bootstrap(notebook):
    """Require the first code cell to install the package where it is missing."""
    first = next(code_cells(notebook), None)
    fix = "run tools/bootstrap.py, then tools/execute.py"
    if first is None or "bootstrap" not in tags(first[1]):
        yield Fault(None, "bootstrap", "the first code cell is not the bootstrap cell", fix)
    elif first[1].source != bootstrap_source():
        yield Fault(first[0], "bootstrap", "the bootstrap cell is out of date", fix)


def self_contained(notebook):
    """Forbid relative paths, shell commands and magics: in Colab a notebook has no folder."""
    for number, cell in code_cells(notebook):
        if shell := re.search(r"^\s*([%!]\S+)", cell.source, re.M):
            yield Fault(number, "relative", f"runs {shell[1]}", "write it in Python")
            continue
        for node in ast.walk(parse(cell.source) or ast.Module([], [])):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called, first = name_of_call(node), node.args[0]
            if called.split(".")[-1] not in READS or called in NOT_FILES:
                continue
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                what = f"{called}({first.value!r}) reads from a path"
                yield Fault(number, "relative", what, "ssd_tutorial._files.data_path(name)")


RULES = (
    kernel,
    widgets,
    weight,
    counts,
    outputs_stored,
    outputs_clean,
    figures,
    shape,
    width,
    asserts,
    words,
    bootstrap,
    self_contained,
)
