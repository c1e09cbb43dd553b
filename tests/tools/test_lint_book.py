"""Each rule of the book's lint finds the fault planted for it, and no other; the book has none."""

import copy

import lint_book
import nbformat
import notebooks
import pytest
from bootstrap import METADATA
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

HEAD = """\
# A chapter

:::{admonition} In this chapter
:class: chapter-card

Needs
: {doc}`/book/glossary`, {term}`priors <prior>` and {cite}`liu2016ssd`.
:::

Look at {numref}`fig-try-first`, and at {eq}`eq-try`. A price of $just$ and `simply` is no prose.

```{math}
:label: eq-try
a = b
```
"""
TAIL = """\
:::{admonition} Summary
:class: summary
* All.
:::

## Sources

None.
"""
PICTURE = {
    "figure": {"name": "fig-try-first", "caption": "Three bars."},
    "image": {"alt": "Bar chart with three bars, the first the highest."},
}


def printed(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def good_notebook():
    """Return a chapter without a fault."""
    picture = new_output("display_data", data={"image/png": "AAAA", "text/plain": "<Figure>"})
    cells = [
        new_markdown_cell(HEAD),
        new_code_cell(notebooks.bootstrap_source(), metadata=copy.deepcopy(METADATA)),
        new_code_cell("plot()\nplt.show()", outputs=[picture], metadata={"mystnb": PICTURE}),
        new_code_cell("print(8732)", outputs=[printed("8732\n")]),
        *(
            new_code_cell(
                f'answer = ...\ncheck("99.{n}", answer)',
                outputs=[printed("no answer yet\n")],
                metadata={"tags": ["exercise"]},
            )
            for n in (1, 2, 3)
        ),
        new_markdown_cell(TAIL),
    ]
    codes = [cell for cell in cells if cell.cell_type == "code"]
    for count, cell in enumerate(codes, start=1):
        cell.execution_count = count
    return copy.deepcopy(new_notebook(cells=cells, metadata={"kernelspec": notebooks.KERNELSPEC}))


@pytest.fixture
def book(tmp_path):
    """Make an empty book; return a function that adds a notebook and returns the faults found."""
    folder = tmp_path / "book"
    folder.mkdir()
    (folder / "index.md").write_text("# Index\n")
    (folder / "glossary.md").write_text("# Glossary\n\n```{glossary}\nprior\n  A box.\n```\n")
    toc = "root: book/index\nchapters:\n- file: book/99_try\n- file: book/glossary\n"
    (tmp_path / "_toc.yml").write_text(toc)

    def lint(notebook, name="99_try"):
        path = folder / f"{name}.ipynb"
        nbformat.write(notebook, path)
        found = lint_book.lint_page(path)
        return found + [fault for _, fault in lint_book.lint_whole(tmp_path)]

    return lint


def test_a_good_chapter_has_no_faults(book):
    assert book(good_notebook()) == []


def append(notebook, source, *outputs, **metadata):
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    cell = new_code_cell(
        source, outputs=list(outputs), metadata=metadata, execution_count=max(counts) + 1
    )
    notebook.cells.append(cell)


def say(notebook, text):
    notebook.cells.append(new_markdown_cell(text))


def figure_without(*path):
    def plant(notebook):
        settings = notebook.cells[2].metadata["mystnb"]
        for key in path[:-1]:
            settings = settings[key]
        del settings[path[-1]]

    return plant


# the rule that must report, and what plants its fault
PLANTED = {
    "no kernel": ("kernelspec", lambda n: n.metadata.pop("kernelspec")),
    "widget state": ("widget-state", lambda n: n.metadata.update(widgets={"a": {}})),
    "widget view": (
        "widget-view",
        lambda n: n.cells[2].outputs[0].data.update({notebooks.WIDGET_VIEW: {}}),
    ),
    "a widget without picture": (
        "widget-view",
        lambda n: append(n, "x", new_output("display_data", data={notebooks.WIDGET_VIEW: {}})),
    ),
    "explorer stripped": ("outputs", lambda n: append(n, "IoUExplorer()")),
    "not executed": ("counts", lambda n: n.cells[3].update(execution_count=None)),
    "out of order": ("counts", lambda n: n.cells[3].update(execution_count=7)),
    "outputs stripped": ("outputs", lambda n: n.cells[3].update(outputs=[])),
    "figure stripped": ("outputs", lambda n: n.cells[2].update(outputs=[])),
    "address": ("leak", lambda n: append(n, "ax", printed("<Axes object at 0x7f4a20016c90>"))),
    "path": ("leak", lambda n: append(n, "p", printed("/home/ada/ssd/data"))),
    "windows path": ("leak", lambda n: append(n, "p", printed("C:\\Users\\ada"))),
    "warning": ("leak", lambda n: append(n, "w", printed("UserWarning: slow"))),
    "progress bar": ("leak", lambda n: append(n, "t", printed(" 50%|##   | 1/2"))),
    "path in a table": (
        "leak",
        lambda n: append(n, "t", new_output("display_data", data={"text/html": "/tmp/x"})),
    ),
    "stderr": ("stderr", lambda n: append(n, "w", printed("slow", name="stderr"))),
    "error": (
        "error",
        lambda n: append(n, "1/0", new_output("error", ename="E", evalue="", traceback=[])),
    ),
    "no caption": ("figure", figure_without("figure", "caption")),
    "no name": ("figure", figure_without("figure", "name")),
    "no alternative text": ("figure", figure_without("image", "alt")),
    "short alternative text": (
        "figure",
        lambda n: n.cells[2].metadata["mystnb"]["image"].update(alt="a chart"),
    ),
    "two pictures": ("figure", lambda n: n.cells[2].outputs.append(n.cells[2].outputs[0])),
    "figure that the text does not mention": (
        "figure",
        lambda n: n.cells[2].metadata["mystnb"]["figure"].update(name="fig-try-second"),
    ),
    "picture in text": ("figure", lambda n: say(n, "![](_static/a.png)")),
    "directive without alt": ("figure", lambda n: say(n, "```{figure} a.png\n:name: f\n```")),
    "no card": ("shape", lambda n: n.cells[0].update(source=HEAD.replace("chapter-card", "x"))),
    "two titles": ("shape", lambda n: say(n, "# Another")),
    "no summary": ("shape", lambda n: n.cells[-1].update(source="## Sources")),
    "no sources": ("shape", lambda n: n.cells[-1].update(source=TAIL.replace("## S", "## A s"))),
    "two exercises": ("shape", lambda n: n.cells[4].metadata.update(tags=[])),
    "a wide cell": ("width", lambda n: append(n, f"{'a' * 79} = 1")),
    "a wide line of an exercise": (
        "width",
        lambda n: n.cells[4].update(source=f"answer = ...  # {'a' * 63}"),
    ),
    "an assert": ("assert", lambda n: append(n, "x = 1\nassert x")),
    "an assert in a folded loop": (
        "assert",
        lambda n: append(n, "for x in y:\n    assert x", tags=["hide-input"]),
    ),
    "an assert in a solution": (
        "assert",
        lambda n: append(n, "assert x", tags=["solution", "hide-cell"]),
    ),
    "filler": ("words", lambda n: say(n, "This is simply a box.")),
    "filler in a link": ("words", lambda n: say(n, "[just this](99_try.ipynb)")),
    "filler in a caption": (
        "words",
        lambda n: n.cells[2].metadata["mystnb"]["figure"].update(caption="Just bars."),
    ),
    "no bootstrap": ("bootstrap", lambda n: n.cells[1].metadata.update(tags=[])),
    "old bootstrap": ("bootstrap", lambda n: n.cells[1].update(source="import os")),
    "open": ("relative", lambda n: append(n, 'open("a.txt")')),
    "path object": ("relative", lambda n: append(n, 'from pathlib import Path\nPath("data")')),
    "absolute path": ("relative", lambda n: append(n, 'torch.load("/data/w.pt")')),
    "shell": ("relative", lambda n: append(n, "!ls")),
    "magic": ("relative", lambda n: append(n, "%cd ..")),
    "NBVAL_SKIP": ("nbval", lambda n: append(n, "# NBVAL_SKIP\nx")),
    "skip by tag": ("nbval", lambda n: append(n, "x", tags=["nbval-skip"])),
    "expected error by tag": ("nbval", lambda n: append(n, "x", tags=["raises-exception"])),
    "ignored where nothing is trained": (
        "nbval",
        lambda n: ignored(n, 1),
    ),
}


@pytest.mark.parametrize("fault", PLANTED)
def test_planted_fault_is_found(book, fault):
    rule, plant = PLANTED[fault]
    notebook = good_notebook()
    plant(notebook)
    found = book(notebook)
    assert {f.rule for f in found} == {rule}, found
    assert all(f.what and f.fix for f in found)


def ignored(notebook, count, following="assert x > 1", marker="# NBVAL_IGNORE_OUTPUT"):
    for _ in range(count):
        append(notebook, f"{marker}\nx = train()")
        append(notebook, following, tags=["remove-cell"])
    return notebook


def test_a_check_cell_may_assert(book):
    notebook = good_notebook()
    append(notebook, "assert x", tags=["remove-cell"])
    assert not book(notebook)


@pytest.mark.parametrize(
    ("source", "tags"),
    [("a" * 78, []), *(("a" * 99, [tag]) for tag in ("hide-input", "hide-cell", "remove-cell"))],
)
def test_open_code_may_fill_the_column_and_folded_code_exceed_it(book, source, tags):
    notebook = good_notebook()
    append(notebook, source, tags=tags)
    assert not book(notebook)


def test_a_training_chapter_may_ignore_two_outputs(book):
    faults = [f for f in book(ignored(good_notebook(), 2), "12_try") if f.rule != "toc"]
    assert [f for f in faults if f.rule == "nbval"] == []


@pytest.mark.parametrize(
    ("notebook", "what"),
    [
        (lambda: ignored(good_notebook(), 3), "3 ignored outputs"),
        (lambda: ignored(good_notebook(), 1, following="x"), "asserts nothing"),
        (lambda: ignored(good_notebook(), 1, marker="# NBVAL_IGNORE_OUTPUT: a"), "alone"),
    ],
)
def test_ignored_outputs_are_bounded(book, notebook, what):
    faults = [f for f in book(notebook(), "12_try") if f.rule == "nbval"]
    assert len(faults) == 1
    assert what in faults[0].what


def ignored_by_tag(notebook, following, hidden=True):
    append(notebook, "x = train()", tags=["nbval-ignore-output"])
    append(notebook, following, printed("fell: True\n"), tags=["remove-cell"] if hidden else [])
    return notebook


@pytest.mark.parametrize(
    ("following", "hidden", "chapter", "faults"),
    [
        ('print("fell:", x < 1)', True, "12_try", 0),
        ('print("fell:", x < 1)', True, "08_try", 1),
        ('print("fell:", x < 1)', False, "12_try", 1),
        ('print("done")', True, "12_try", 1),
        ('assert x < 1\nprint("fell:", x < 1)', True, "12_try", 1),
    ],
)
def test_an_output_ignored_by_its_tag_needs_a_printed_bound(
    book, following, hidden, chapter, faults
):
    found = book(ignored_by_tag(good_notebook(), following, hidden), chapter)
    assert len([f for f in found if f.rule == "nbval"]) == faults


def test_ignored_outputs_are_counted_over_the_book(book):
    for number in (12, 13, 14, 15, 16, 17):
        book(ignored(good_notebook(), 2), f"{number}_try")
    assert not any("13 ignored" in f.what for f in book(good_notebook()))
    faults = book(ignored(good_notebook(), 1))
    assert any("13 ignored outputs; at most 12 are allowed" in f.what for f in faults)


def test_chapters_and_table_of_contents_agree(book, tmp_path):
    faults = book(good_notebook(), "98_lost")
    assert {(f.rule, f.what) for f in faults if f.rule == "toc"} == {
        ("toc", "is not in _toc.yml"),
        ("toc", "book/99_try is not a file"),
    }


def test_a_report_names_file_cell_rule_and_fix():
    fault = lint_book.Fault(3, "counts", "not executed", "run it")
    assert lint_book.report("08_matching.ipynb", fault) == (
        "08_matching.ipynb, cell 3 [counts]: not executed. Fix: run it"
    )


def test_an_unknown_chapter_is_an_error_that_lists_the_chapters(capsys):
    with pytest.raises(SystemExit):
        lint_book.main(["97_nowhere"])
    assert "no notebook 97_nowhere" in capsys.readouterr().err


def test_the_book_has_no_faults(capsys):
    status = lint_book.main([])
    assert status == 0, capsys.readouterr().out
