"""The rules of `doctor`: what can be wrong with a dataset, its severity, and what to do."""

from pathlib import Path
from typing import Literal, NamedTuple

import yaml

from ssd_tutorial.datasets.records import Problem, RawObject

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Rule(NamedTuple):
    """One kind of fault."""

    severity: Severity
    """``"error"``: training stops, or the score is not what it seems. ``"warning"``: it costs
    accuracy, or may. ``"note"``: good to know."""
    title: str
    fix: str
    """What to do about it."""


def _read_rules() -> dict[str, Rule]:
    text = Path(__file__).with_name("rules.yaml").read_text(encoding="utf-8")
    return {
        code: Rule(severity, **words)
        for severity, rules in yaml.safe_load(text).items()
        for code, words in rules.items()
    }


RULES = _read_rules()
"""Every rule, by its code: errors, warnings, notes."""


class Fault(Problem):
    """One breach of a rule, and where; its fields are those of `Problem`."""

    __slots__ = ()

    @property
    def severity(self) -> Severity:
        """Severity of the rule."""
        return RULES[self.code].severity

    def to_dict(self) -> dict:
        """Return everything for JSON, with the rule's severity and fix."""
        given = {"object": self.number, "class": self.name or None, "box": list(self.box) or None}
        where = {"severity": self.severity, "code": self.code, "file": self.file} | given
        files = {"other": self.other or None, "more": list(self.more)}
        return where | files | {"what": self.what, "fix": RULES[self.code].fix}


def fault_at(code: str, file: str, entry: RawObject, what: str) -> Fault:
    """Return a fault of one object of an annotation."""
    return Fault(*entry.problem(code, file, what))
