"""The tools that write chapters: what they store, what they refuse, and that they lose nothing."""

import ast
import importlib.util
import subprocess
import sys
from types import ModuleType

import bootstrap
import colab
import execute
import nbformat
import new_chapter
import notebooks
import pytest
import set_address
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output


@pytest.fixture
def notebook_file(tmp_path):
    """Write a notebook with the given code cells; return its path."""

    def write(*sources, **metadata):
        path = tmp_path / "07_try.ipynb"
        cells = [new_markdown_cell("# Try"), *map(new_code_cell, sources)]
        nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
        return path

    return write


# --- execute --------------------------------------------------------------------------------------
def test_executed_twice_gives_the_same_file(notebook_file):
    path = notebook_file("import os\nprint(os.listdir())", "print('a')\nprint('b')", "1 + 1")
    assert execute.main([str(path)]) == 0
    first = path.read_bytes()
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == first
    assert execute.main(["--check", str(path)]) == 0
    cells = notebooks.read(path).cells[1:]
    assert [cell.execution_count for cell in cells] == [1, 2, 3]
    assert cells[0].outputs[0].text == "[]\n"  # an empty folder, whatever lies beside the notebook
    assert cells[1].outputs[0].text == "a\nb\n"  # one stream


def test_a_cell_that_raises_leaves_the_file_unchanged(notebook_file, capsys):
    path = notebook_file("print('before')", "1 / 0")
    before = path.read_bytes()
    assert execute.main([str(path)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_check_reports_an_output_that_changes(notebook_file, capsys):
    path = notebook_file("print('old')")
    execute.main([str(path)])
    notebook = notebooks.read(path)
    notebook.cells[1].source = "print('new')"
    notebooks.write(notebook, path)
    before = path.read_bytes()
    assert execute.main(["--check", str(path)]) == 1
    assert "old" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_text_outputs_do_not_depend_on_the_order_of_their_kinds():
    def notebook(*kinds):
        output = new_output("display_data", data=dict.fromkeys(kinds, "a"))
        return new_notebook(cells=[new_code_cell("x", outputs=[output])])

    assert execute.text_outputs(notebook("text/plain", "image/png", "text/html")) == [
        ["text/html: a", "text/plain: a"]
    ]
    with_widget, without = ("text/plain", notebooks.WIDGET_VIEW), ("text/plain",)
    assert execute.text_outputs(notebook(*with_widget)) == execute.text_outputs(notebook(*without))


def test_strip_keeps_results_and_drops_what_varies():
    output = new_output("stream", text="8732\n")
    cell = new_code_cell(
        "print(8732)", outputs=[output], metadata={"tags": ["a"], "collapsed": True}
    )
    metadata = {
        "widgets": {},
        "language_info": {"name": "python", "version": "3.11.2"},
        "jupytext": {},
    }
    notebook = execute.strip(new_notebook(cells=[cell], metadata=metadata))
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert "version" not in notebook.metadata.language_info
    assert notebook.cells[0].metadata == {"tags": ["a"]}
    assert notebook.cells[0].outputs == [output]


EXPLORER = """\
from ssd_book.explorers import IoUExplorer
IoUExplorer()"""


@pytest.mark.timeout(400)  # three kernels, on a machine that may be busy
def test_an_explorer_is_stored_as_its_picture_and_text(notebook_file):
    path = notebook_file(EXPLORER)
    assert execute.main([str(path)]) == 0
    notebook = notebooks.read(path)
    assert "widgets" not in notebook.metadata
    (output,) = notebook.cells[1].outputs
    assert set(output.data) == {"image/png", "text/plain"}
    assert output.data["text/plain"].startswith("<IoUExplorer: ")

    other = path.with_name("08_other.ipynb")
    output.data["text/plain"] = "<IoUExplorer: other words>"
    notebooks.write(notebook, other)
    strict = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider"]
    done = subprocess.run([*strict, str(path), str(other)], capture_output=True, text=True)
    assert f"{other.name}::Cell 0" in done.stdout  # and not that of the first
    assert "1 failed, 1 passed" in done.stdout


def test_a_wrong_name_is_an_error_that_lists_chapters(capsys):
    for main in (execute.main, bootstrap.main, colab.main):
        status = None
        try:
            status = main(["no_such_chapter"])
        except SystemExit as stop:
            status = stop.code
        assert status != 0
        assert "no_such_chapter" in capsys.readouterr().err


# --- bootstrap ------------------------------------------------------------------------------------
def test_the_bootstrap_cell_is_inserted_once_and_updated(notebook_file, capsys):
    path = notebook_file("print(1)")
    assert bootstrap.main(["--check", str(path)]) == 1
    assert bootstrap.main([str(path)]) == 0
    assert bootstrap.main(["--check", str(path)]) == 0
    codes = [cell for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    assert [cell.source for cell in codes] == [notebooks.bootstrap_source(), "print(1)"]
    assert codes[0].metadata["tags"] == ["bootstrap", "remove-cell"]

    notebook = notebooks.read(path)
    notebook.cells[1].source = "old"
    notebook.cells.append(notebook.cells[1].copy())
    notebook.cells[-1]["id"] = "another"
    notebooks.write(notebook, path)
    assert bootstrap.main([str(path)]) == 0
    codes = [cell.source for cell in notebooks.read(path).cells if cell.cell_type == "code"]
    assert codes == [notebooks.bootstrap_source(), "print(1)"]


def test_the_bootstrap_cell_does_nothing_if_the_package_is_installed(monkeypatch, capsys):
    def refuse(*_, **__):
        raise AssertionError("the bootstrap cell called a process")

    monkeypatch.setattr("subprocess.run", refuse)
    exec(compile(notebooks.bootstrap_source(), "bootstrap", "exec"), {})
    assert capsys.readouterr() == ("", "")


def test_the_bootstrap_cell_installs_from_the_address_of_the_configuration(monkeypatch):
    calls = []

    class Done:
        returncode, stderr = 0, ""

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda command, **_: calls.append(command) or Done)
    monkeypatch.delenv("SSD_TUTORIAL_SOURCE", raising=False)
    cell = compile(notebooks.bootstrap_source(), "bootstrap", "exec")
    exec(cell, {})
    monkeypatch.setenv("SSD_TUTORIAL_SOURCE", "git+file:///a/b")
    exec(cell, {})
    address = notebooks.repository_address()
    assert [call[-1] for call in calls] == [
        f"git+{address}",
        "git+file:///a/b",
    ]
    assert all(call[:3] == [sys.executable, "-m", "pip"] for call in calls)


def test_a_failed_installation_says_what_pip_said(monkeypatch):
    class Done:
        returncode, stderr = 1, "no such repository"

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: Done)
    with pytest.raises(RuntimeError, match="no such repository"):
        exec(compile(notebooks.bootstrap_source(), "bootstrap", "exec"), {})


def test_the_bootstrap_cell_switches_on_the_widget_manager_of_colab(monkeypatch):
    calls = []
    output = ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: calls.append("on")
    colab_package = ModuleType("google.colab")
    colab_package.output = output
    google = ModuleType("google")
    google.colab = colab_package
    cell = compile(notebooks.bootstrap_source(), "bootstrap", "exec")
    exec(cell, {})
    assert calls == []  # there is no google.colab here
    with monkeypatch.context() as patch:
        for module in (google, colab_package, output):
            patch.setitem(sys.modules, module.__name__, module)
        exec(cell, {})
    assert calls == ["on"]


# --- new chapters ---------------------------------------------------------------------------------
TOC = """\
root: book/index
parts:
  - caption: Boxes
    numbered: 2
    chapters:
      - file: book/04_boxes
      - file: book/07_priors
  - caption: Reference
    chapters:
      - file: book/glossary
"""


def listed(text):
    return {
        part["caption"]: [chapter["file"] for chapter in part["chapters"]]
        for part in yaml.safe_load(text)["parts"]
    }


@pytest.mark.parametrize(
    ("name", "part", "files"),
    [
        ("05_scales", "Boxes", ["book/04_boxes", "book/05_scales", "book/07_priors"]),
        ("02_why", "Boxes", ["book/02_why", "book/04_boxes", "book/07_priors"]),
        ("08_matching", "Boxes", ["book/04_boxes", "book/07_priors", "book/08_matching"]),
        ("08_matching", "Learning", ["book/08_matching"]),
    ],
)
def test_a_chapter_is_listed_in_its_part_in_order(name, part, files):
    after = listed(new_chapter.add_to_toc(TOC, name, part))
    assert after[part] == files
    assert after["Reference"] == ["book/glossary"]
    assert list(after)[-1] == "Reference"


def test_a_chapter_is_listed_only_once():
    with pytest.raises(ValueError, match="already"):
        new_chapter.add_to_toc(TOC, "07_priors", "Boxes")


def test_the_skeleton_is_a_valid_notebook_with_every_part():
    notebook = new_chapter.skeleton("09_loss", "The loss")
    nbformat.validate(notebook)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for part in ("# The loss", "chapter-card", "Exercise 9.1", ":class: summary", "## Sources"):
        assert part in text
    assert "fig-loss-question" in text
    for cell in notebook.cells:
        if cell.cell_type == "code":
            ast.parse(cell.source)


# --- the address ----------------------------------------------------------------------------------
def test_the_address_changes_in_every_form_and_nowhere_else():
    old, new = "https://github.com/OWNER/REPOSITORY", "https://github.com/ada/ssd-book"
    text = (
        "git+https://github.com/OWNER/REPOSITORY https://github.com/OWNER/REPOSITORY/issues "
        "https://colab.research.google.com/github/OWNER/REPOSITORY/blob/main/a.ipynb "
        "https://github.com/OWNER/REPOSITORY-two https://github.com/weiliu89/caffe OWNER/REPOSITORY"
    )
    assert set_address.replace_address(text, old, new) == (
        "git+https://github.com/ada/ssd-book https://github.com/ada/ssd-book/issues "
        "https://colab.research.google.com/github/ada/ssd-book/blob/main/a.ipynb "
        "https://github.com/OWNER/REPOSITORY-two https://github.com/weiliu89/caffe OWNER/REPOSITORY"
    )


@pytest.mark.parametrize("address", ["ada/ssd", "https://github.com/ada", "http://x/a/b", ""])
def test_what_is_not_an_address_is_refused(address, capsys):
    with pytest.raises(SystemExit):
        set_address.main([address])
    assert "not an address" in capsys.readouterr().err


# --- Colab ----------------------------------------------------------------------------------------
def pair(stored, executed, source="print(1)"):
    """Return two notebooks that differ in what their second cell printed."""

    def notebook(text):
        outputs = [new_output("stream", text=text)]
        return new_notebook(cells=[new_code_cell(""), new_code_cell(source, outputs=outputs)])

    return notebook(stored), notebook(executed)


def test_an_output_that_differs_in_colab_is_a_fault():
    assert colab.differences(*pair("1\n", "1\n")) == []
    assert "instead of the stored" in colab.differences(*pair("1\n", "2\n"))[0]
    assert colab.differences(*pair("1\n", "2\n", "# NBVAL_IGNORE_OUTPUT\nx")) == []


def test_colab_runs_the_committed_package_by_a_local_address():
    assert colab.local_address().startswith("git+file:///")


@pytest.mark.parametrize(
    "tool",
    [
        *("bootstrap", "colab", "execute", "lint_book"),
        *("new_chapter", "preview", "screenshots", "set_address"),
    ],
)
def test_every_tool_explains_itself(tool, capsys, monkeypatch):
    module = __import__(tool)
    monkeypatch.setattr(sys, "argv", [tool, "--help"])
    with pytest.raises(SystemExit) as stop:
        module.main()
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "usage:" in text
    assert f"python tools/{tool}.py" in text
