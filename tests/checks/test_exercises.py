"""The tool that derives exercises from solutions, and every exercise of the book."""

import ast
import contextlib
import importlib.util
import io
import re
from functools import cache
from pathlib import Path

import nbformat
import pytest
from ssd_book.checks import all_exercises, find, forget, require

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"


def _load_tool():
    spec = importlib.util.spec_from_file_location("exercises", ROOT / "tools" / "exercises.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tool = _load_tool()

SOLUTION = '''\
import torch

from ssd_book.checks import check

priors = torch.ones(
    8732, 4
)  # given
# About the picture.

# This is why it is three.
answer = 1 + 2  # the secret
low, high = 0, answer
shapes = {"a": [1], "b": [2]}
for _ in range(3):
    answer += 1


def area(
    box,
):
    """The area.

    box: [4], xyxy.
    """
    # first the sides
    w = box[2] - box[0]
    h = box[3] - box[1]
    assert w > 0  # given
    return w * h


def twice(x):
    # a secret
    return 2 * x


check("08.2", area)
'''

EXERCISE = '''\
import torch

from ssd_book.checks import check

priors = torch.ones(
    8732, 4
)  # given
# About the picture.

answer = ...
low, high = ..., ...
shapes = {'a': ..., 'b': ...}


def area(
    box,
):
    """The area.

    box: [4], xyxy.
    """
    ...
    assert w > 0  # given
    ...


def twice(x):
    ...


check("08.2", area)'''


def test_derive_leaves_out_the_answers_and_nothing_else():
    assert tool.derive(SOLUTION) == EXERCISE


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("answer = = 3", "not Python"),
        ('check("08.2", 3)', "nothing to leave out"),
        ("def f(x): return x", "body of f below"),
    ],
)
def test_derive_says_what_is_wrong_with_a_solution(source, complaint):
    with pytest.raises(ValueError, match=complaint):
        tool.derive(source)


def _notebook(*sources: str):
    cells = [nbformat.v4.new_markdown_cell("Exercise")]
    cells += [nbformat.v4.new_code_cell(s, metadata={"tags": ["solution"]}) for s in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_sync_writes_the_exercise_above_its_solution_and_is_idempotent():
    notebook = _notebook(SOLUTION, SOLUTION.replace("08.2", "08.3"))
    assert len(tool.faults(notebook)) == 2
    assert tool.sync(notebook)
    assert [cell.metadata.get("exercise") for cell in notebook.cells[1:]] == [
        "08.2", "08.2", "08.3", "08.3"
    ]  # fmt: skip
    assert notebook.cells[1].source == EXERCISE
    assert notebook.cells[2].metadata.jupyter.source_hidden
    assert "hide-cell" in notebook.cells[2].metadata.tags
    assert tool.faults(notebook) == []
    assert not tool.sync(notebook)
    nbformat.validate(notebook)


def test_sync_keeps_outputs_unless_the_exercise_changes():
    notebook = _notebook(SOLUTION)
    tool.sync(notebook)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="told")]
    assert not tool.sync(notebook)
    assert notebook.cells[1].outputs
    notebook.cells[2].source = SOLUTION.replace("The area.", "Its area.")
    assert "differs from what its solution gives" in tool.faults(notebook)[0]
    assert tool.sync(notebook)
    assert "Its area." in notebook.cells[1].source
    assert not notebook.cells[1].outputs


def test_faults_names_what_is_missing():
    notebook = _notebook(SOLUTION)
    tool.sync(notebook)
    del notebook.cells[2].metadata["jupyter"]
    assert "metadata of the solution" in tool.faults(notebook)[0]
    del notebook.cells[2]
    assert "no solution right below" in tool.faults(notebook)[0]
    assert "has no line" in tool.faults(_notebook("answer = 3"))[0]


def test_the_command_writes_and_its_check_sets_the_exit_code(tmp_path, capsys):
    path = tmp_path / "08_matching.ipynb"
    nbformat.write(_notebook(SOLUTION), path)
    assert tool.main(["check", str(path)]) == 1
    assert "08_matching.ipynb: 08.2: no exercise cell" in capsys.readouterr().err
    assert tool.main(["sync", str(path)]) == 0
    assert "execute the notebook again" in capsys.readouterr().out
    assert tool.main(["check", str(path)]) == 0
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    before = path.read_bytes()
    assert tool.main(["sync", str(path)]) == 0
    assert path.read_bytes() == before
    nbformat.write(_notebook("def f(x): return x\ncheck('08.2', f)"), path)
    before = path.read_bytes()
    assert tool.main(["sync", str(path)]) == 1
    assert path.read_bytes() == before


# The book itself.


def _in_the_book() -> dict[str, list[tuple[str, str, str]]]:
    """Map the id of each of the book's solution cells to (notebook, exercise, solution)."""
    found: dict[str, list] = {}
    for path in sorted(BOOK.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        for index, id in tool.solutions(notebook):
            above, solution = notebook.cells[index - 1], notebook.cells[index]
            found.setdefault(id, []).append((path.name, above.source, solution.source))
    return found


IN_THE_BOOK = _in_the_book()
REGISTERED = [exercise.id for exercise in all_exercises()]


def _cells(id: str) -> tuple[str, str]:
    """Return an exercise and a solution cell."""
    assert id in IN_THE_BOOK, f"exercise {id} is registered, but is in no chapter"
    return IN_THE_BOOK[id][0][1:]


def _run(source: str) -> tuple[str, dict]:
    """Return what a cell prints, and its names; it runs in its own namespace."""
    namespace, out = {"__name__": "__main__"}, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "cell", "exec"), namespace)
    return out.getvalue(), namespace


@cache
def _solved(id: str) -> tuple[str, dict]:
    """Return what a solution prints, and its names; it runs once for all tests."""
    return _run(_cells(id)[1])


def _handed_in(source: str, namespace: dict):
    """Return the value of the second argument of the cell's call of `check`."""
    call = next(
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "check"
    )
    return eval(compile(ast.Expression(call.args[1]), "cell", "eval"), namespace)


def test_every_exercise_is_in_one_chapter_and_chapters_use_registered_ones():
    assert REGISTERED
    assert {id: [n for n, *_ in places] for id, places in IN_THE_BOOK.items()} == {
        id: [next((p.name for p in BOOK.glob(f"{id[:2]}_*.ipynb")), f"no chapter {id[:2]}")]
        for id in REGISTERED
    }


def test_a_chapter_has_four_to_seven_exercises():
    chapters = {id[:2]: sum(other[:2] == id[:2] for other in REGISTERED) for id in REGISTERED}
    assert all(4 <= count <= 7 for count in chapters.values()), chapters


def test_no_exercise_has_drifted_from_its_solution(capsys):
    assert tool.main(["check"]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("id", REGISTERED)
def test_an_unsolved_cell_prints_a_helpful_message_and_raises_nothing(id):
    exercise, _ = _cells(id)
    forget(id)
    told, _ = _run(exercise)
    words = " ".join(told.split())
    assert f"○ {id} {find(id).title}: no answer yet. Wanted: {find(id).wants}" in words


@pytest.mark.parametrize("id", REGISTERED)
def test_every_solution_passes_its_check(id):
    _, solution = _cells(id)
    told, namespace = _solved(id)
    assert f"✓ {id}" in told
    require(id, _handed_in(solution, namespace))


@pytest.mark.parametrize("id", REGISTERED)
def test_no_hint_gives_the_solution_away(id):
    exercise, solution = _cells(id)
    checked = find(id)
    hints = [hint for p in checked.properties for hint in (p.says, *p.hints)]
    hints += [mistake.hint for mistake in checked.mistakes]
    text = " ".join([checked.title, checked.wants, *hints])
    hidden = {line.split("#")[0].strip() for line in solution.splitlines()}
    hidden -= {line.split("#")[0].strip() for line in exercise.splitlines()}
    assert [line for line in hidden if len(line) > 8 and line in text] == []
    answer = _handed_in(solution, _solved(id)[1])
    if isinstance(answer, str):
        assert answer not in text
    elif not checked.function and not isinstance(answer, (dict, list, tuple)):
        with contextlib.suppress(TypeError, ValueError, RuntimeError):  # a tensor of several
            value = float(answer)
            numbers = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", text)]
            close_to = [n for n in numbers if abs(n - value) <= 0.002 * abs(value)]
            assert not close_to, f"{answer} can be read in a hint"
