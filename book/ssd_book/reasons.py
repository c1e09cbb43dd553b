"""Why each setting of a recipe is as it is (chapter 15)."""

import ast
import inspect
import itertools
from dataclasses import fields

from ssd_tutorial.training.recipes import Recipe


def reasons(recipe: Recipe) -> dict[str, str]:
    """Return the sentences below the recipe's fields, by name.

    Python does not keep the string below a field, so they are read from the source.
    """
    found: dict[str, str] = {}
    for kind in reversed(type(recipe).__mro__[:-1]):
        body = ast.parse(inspect.getsource(kind)).body[0].body
        for field, said in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr):
                found[field.target.id] = " ".join(said.value.value.split())
    return {field.name: found[field.name] for field in fields(recipe)}
