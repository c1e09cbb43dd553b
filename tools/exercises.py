"""Derive the exercise cells of the book from its solution cells, so that the two never diverge.

A solution cell is an ordinary, complete cell that calls `check("08.2", answer)`. The exercise cell
above it is the same cell without the answers:

* imports, `check(...)` and other bare calls stay; so do comments, except those right above
  what is left out;
* `name = value` becomes `name = ...`; a dict keeps its keys;
* a function keeps its first line and docstring, and its body becomes `...`;
* any other statement (a loop, an `if`, a `with`) is left out;
* a statement marked `# given` at the end of its first or last line stays, in a body too.
"""

import argparse
import ast
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
BLANK = "..."
GIVEN = re.compile(r"#\s*given\b")
CHECK = re.compile(r"""^\s*(?:checks\.)?check\(\s*["'](\d\d\.\d+)["']""", re.MULTILINE)
PROMPTS = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide the solution"}


def derive(solution: str) -> str:
    """Return the source of the exercise cell for a solution's source.

    Raises:
        ValueError: the solution is not Python, or there is nothing to leave out.
    """
    try:
        tree = ast.parse(solution)
    except SyntaxError as error:
        raise ValueError(f"the solution is not Python: {error}") from error
    lines = solution.splitlines()
    exercise = "\n".join(_block(tree.body, lines, 0, len(lines))).strip("\n")
    exercise = re.sub(r"\n{4,}", "\n\n\n", exercise)
    if exercise == solution.strip("\n"):
        raise ValueError("the solution has nothing to leave out: is every line marked `# given`?")
    return exercise


def _block(statements: list[ast.stmt], lines: list[str], start: int, stop: int) -> list[str]:
    """Return lines start..stop of a cell without the answers; what is between statements stays."""
    out, at = [], start
    for statement in statements:
        decorators = getattr(statement, "decorator_list", [])
        first = min([statement.lineno, *(decorator.lineno for decorator in decorators)])
        gap, source = lines[at : first - 1], lines[first - 1 : statement.end_lineno]
        at = statement.end_lineno
        kept = _without_answer(statement, source, lines)
        while kept != source and gap and gap[-1].startswith("#"):
            gap.pop()  # a comment right above an answer belongs to it
        out += gap + kept
    return out + lines[at:stop]


def _without_answer(statement: ast.stmt, source: list[str], lines: list[str]) -> list[str]:
    if isinstance(statement, (ast.Import, ast.ImportFrom, ast.Expr)) or _is_given(statement, lines):
        return source
    if isinstance(statement, ast.FunctionDef):
        return _blank_body(statement, lines)
    if isinstance(statement, ast.Assign):
        targets = " = ".join(ast.unparse(target).strip("()") for target in statement.targets)
        return [f"{targets} = {_blank_value(statement)}"]
    return []


def _blank_value(statement: ast.Assign) -> str:
    """Return a `...` per thing to fill in: each name of `a, b = …`, each value of a dict."""
    target, value = statement.targets[0], statement.value
    if isinstance(target, ast.Tuple):
        return ", ".join(BLANK for _ in target.elts)
    if isinstance(value, ast.Dict) and all(isinstance(key, ast.Constant) for key in value.keys):
        return "{" + ", ".join(f"{ast.unparse(key)}: {BLANK}" for key in value.keys) + "}"
    return BLANK


def _blank_body(function: ast.FunctionDef, lines: list[str]) -> list[str]:
    head, body = function.lineno, function.body
    if body[0].lineno == head:
        raise ValueError(f"write the body of {function.name} below its first line")
    first = min([head, *(d.lineno for d in function.decorator_list)])
    if ast.get_docstring(function) is not None:
        keep_to, body = body[0].end_lineno, body[1:]
    else:  # the signature may take several lines; a comment below it belongs to the answer
        keep_to = body[0].lineno - 1
        while keep_to > head and not lines[keep_to - 1].split("#")[0].strip():
            keep_to -= 1
    out = lines[first - 1 : keep_to]
    blank = " " * function.body[0].col_offset + BLANK
    for statement in body:
        if _is_given(statement, lines):
            out += lines[statement.lineno - 1 : statement.end_lineno]
        elif out[-1] != blank:
            out.append(blank)
    return out


def _is_given(statement: ast.stmt, lines: list[str]) -> bool:
    """Return whether it is marked on its first line or, unless it is a block, on its last."""
    marked = bool(GIVEN.search(lines[statement.lineno - 1]))
    return marked or (
        not hasattr(statement, "body") and bool(GIVEN.search(lines[statement.end_lineno - 1]))
    )


def exercise_id(source: str) -> str | None:
    """Return the id in the `check(...)` call of a cell, or None."""
    found = CHECK.search(source)
    return found[1] if found else None


def solutions(notebook) -> list[tuple[int, str]]:
    """Return the index and the exercise id of each cell tagged `solution`.

    Raises:
        ValueError: one of them does not call `check`.
    """
    found = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and "solution" in cell.metadata.get("tags", []):
            if (id := exercise_id(cell.source)) is None:
                raise ValueError(f'cell {index} is a solution, but has no line `check("NN.n", …)`')
            found.append((index, id))
    return found


def faults(notebook) -> list[str]:
    """Return what is wrong with the exercises and solutions; empty if nothing is."""
    found, paired = [], set()
    try:
        pairs = solutions(notebook)
    except ValueError as error:
        return [str(error)]
    for index, id in pairs:
        above = notebook.cells[index - 1] if index else None
        if above is None or "exercise" not in above.metadata.get("tags", []):
            found.append(f"{id}: no exercise cell right above the solution")
            continue
        paired.add(index - 1)
        try:
            if above.source != derive(notebook.cells[index].source):
                found.append(f"{id}: the exercise cell differs from what its solution gives")
        except ValueError as error:
            found.append(f"{id}: {error}")
        for cell, wanted in (
            (above, _exercise_metadata(id)),
            (notebook.cells[index], _solution_metadata(id)),
        ):
            if any(cell.metadata.get(key) != value for key, value in wanted.items()):
                found.append(f"{id}: the metadata of the {wanted['tags'][0]} cell is out of date")
    for index, cell in enumerate(notebook.cells):
        if "exercise" in cell.metadata.get("tags", []) and index not in paired:
            found.append(f"cell {index} is an exercise with no solution right below")
    return found


def sync(notebook) -> bool:
    """Update every exercise cell and the metadata of both; return whether anything changed.

    A cell whose source changes loses its outputs: the notebook must be executed again.

    Raises:
        ValueError: a solution can't be turned into an exercise.
    """
    before = nbformat.writes(notebook)
    for index, id in reversed(solutions(notebook)):
        source, solution = derive(notebook.cells[index].source), notebook.cells[index]
        solution.metadata.update(_solution_metadata(id))
        if not index or "exercise" not in notebook.cells[index - 1].metadata.get("tags", []):
            notebook.cells.insert(index, nbformat.v4.new_code_cell())
            index += 1
        exercise = notebook.cells[index - 1]
        exercise.metadata.update(_exercise_metadata(id))
        if exercise.source != source:
            exercise.source, exercise.outputs, exercise.execution_count = source, [], None
    return nbformat.writes(notebook) != before


def _exercise_metadata(id: str) -> dict:
    return {"tags": ["exercise"], "exercise": id}


def _solution_metadata(id: str) -> dict:
    """Fold it on the page (`hide-cell`), in JupyterLab (`source_hidden`) and in Colab (`form`)."""
    return {
        "tags": ["solution", "hide-cell"],
        "exercise": id,
        "jupyter": {"source_hidden": True},
        "cellView": "form",
        "mystnb": PROMPTS,
    }


def _write(notebook, path: Path) -> None:
    """Write all of it or nothing: a half-written notebook is a lost chapter."""
    new = path.with_name(path.name + ".new")
    new.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8")
    new.replace(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "action", choices=("sync", "check"), help="derive, or fail on any difference"
    )
    parser.add_argument("notebooks", nargs="*", type=Path, help="default: all of book/")
    options = parser.parse_args(arguments)
    status = 0
    for path in options.notebooks or sorted((ROOT / "book").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        try:
            if options.action == "sync" and sync(notebook):
                _write(notebook, path)
                print(f"{path.name}: exercise cells written; execute the notebook again")
        except ValueError as error:
            print(f"{path.name}: {error}", file=sys.stderr)
            status = 1
            continue
        for fault in faults(notebook):
            print(f"{path.name}: {fault}", file=sys.stderr)
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
