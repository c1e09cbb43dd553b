"""Checks as data, for the pages of the book, where `answers.js` applies them without Python."""

from dataclasses import asdict

from ssd_book.checks.engine import Exercise, diagnose


def page_table(exercise: Exercise) -> dict | None:
    """Return an exercise's check as JSON data; None if only Python can check its answer.

    An answer that is chosen from a few is examined here, for each of them. Otherwise the answer is
    a number per field, and the tables of the properties and mistakes are what `examine` calls.
    """
    if exercise.choices:
        found = {label: asdict(diagnose(exercise, it)) for label, it in exercise.choices.items()}
        return {"choices": found}
    parts = (*exercise.properties, *exercise.mistakes)
    if exercise.function or any(part.table is None for part in parts):
        return None
    properties = [
        {"says": prop.says, "hints": list(prop.hints), **prop.table()}
        for prop in exercise.properties
    ]
    mistakes = [{"hint": mistake.hint, **mistake.table()} for mistake in exercise.mistakes]
    return {"properties": properties, "mistakes": mistakes}
