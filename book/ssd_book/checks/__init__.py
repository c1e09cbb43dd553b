"""Instant checks for the exercises of the book.

A chapter ends its exercise cells with ``check("08.2", answer)``. It prints what must hold, the
reader's value and the next hint, and never raises. Tests call `require`, which raises.
"""

from ssd_book.checks.engine import (
    CheckFailed,
    Exercise,
    Mistake,
    Property,
    Verdict,
    all_exercises,
    check,
    examine,
    find,
    forget,
    require,
)

__all__ = [
    "CheckFailed",
    "Exercise",
    "Mistake",
    "Property",
    "Verdict",
    "all_exercises",
    "check",
    "examine",
    "find",
    "forget",
    "require",
]
