"""What an examination found: as text, as tables for a notebook, as JSON."""

from collections import Counter
from dataclasses import dataclass

from ssd_tutorial.datasets.messages import listing
from ssd_tutorial.datasets.records import Records
from ssd_tutorial.doctor.box_rules import TINY
from ssd_tutorial.doctor.label_rules import ClassCount
from ssd_tutorial.doctor.picture_rules import PictureFacts
from ssd_tutorial.doctor.reach import REACHED, Objects, Reach
from ssd_tutorial.doctor.rules import RULES, SEVERITIES, Fault
from ssd_tutorial.figures.tables import Table

SHOWN = 12
"""How many faults of one rule are shown as text; JSON has all of them."""
INDENT = "\n    "


@dataclass(frozen=True)
class Report:
    """The outcome of `examine`."""

    records: Records
    """What was read."""
    faults: tuple[Fault, ...]
    """Everything that was found, errors first."""
    classes: dict[str, ClassCount]
    objects: Objects
    """The possible boxes, as the network will see them."""
    reaches: tuple[Reach, ...]
    """How well the priors of each preset fit the objects."""
    pictures: dict[str, PictureFacts] | None
    """What the picture files show, by name; None if they were not decoded."""
    near: float
    """The IoU above which two boxes of one class counted as near-duplicates."""
    seconds: float

    def of(self, code: str) -> list[Fault]:
        """Return the faults of one rule, such as ``"box-empty"``.

        Raises:
            ValueError: no such rule; the message lists the codes.
        """
        if code not in RULES:
            raise ValueError(f"no rule is called {code!r}; there are {', '.join(RULES)}")
        return [fault for fault in self.faults if fault.code == code]

    def count(self, severity: str) -> int:
        """Count the faults that are ``"error"``, ``"warning"`` or ``"note"``."""
        return sum(fault.severity == severity for fault in self.faults)

    @property
    def counts(self) -> dict[str, int]:
        """The number of faults per severity."""
        return {severity: self.count(severity) for severity in SEVERITIES}

    @property
    def codes(self) -> dict[str, int]:
        """The number of faults per rule, in the order of `RULES`."""
        counts = Counter(fault.code for fault in self.faults)
        return {code: counts[code] for code in RULES if counts[code]}

    def unreached_by_class(self, reach: Reach) -> dict[str, int]:
        """Count per class the objects that a preset's priors do not reach; the most first."""
        names = Counter(self.objects.where[index][1].name for index in reach.unreached)
        return dict(names.most_common())

    # --- tables -------------------------------------------------------------------------------

    def fault_table(self) -> Table:
        """Return a table with one row per broken rule."""
        found = [(RULES[code], code, count) for code, count in self.codes.items()]
        rows = [[rule.severity, code, count, rule.title] for rule, code, count in found]
        return Table(["", "code", "found", "what"], rows)

    def class_table(self) -> Table:
        """Return a table with one row per class: objects, pictures, and objects per split."""
        rows = [
            [name, count.objects, count.pictures, *count.by_split.values()]
            for name, count in self.classes.items()
        ]
        splits = [f"in {split}" for split in self.records.splits]
        return Table(["class", "objects", "pictures", *splits], rows)

    def prior_table(self) -> Table:
        """Return a table with one row per preset: how well its priors fit the objects."""
        rows = []
        for reach in self.reaches:
            share, extra = _percent(reach.unreached_share), "–"
            if reach.extras:
                extra = f"{reach.extras[0]} (+{reach.extras[0].gain})"
            unreached, mean = len(reach.unreached), f"{reach.mean_iou:.3f}"
            rows.append([reach.preset, mean, unreached, share, reach.sharing, extra])
        header = ["preset", "mean best IoU", f"under {REACHED:g}", "share"]
        return Table([*header, "best prior shared", "extra box per cell"], rows)

    # --- text ---------------------------------------------------------------------------------

    def to_text(self, shown: int = SHOWN) -> str:
        """Return the whole report for a terminal, with at most `shown` faults of each rule."""
        parts = [self._heading(), str(self.class_table())]
        for severity in SEVERITIES:
            parts += self._section(severity, shown)
        if self.objects.where:
            parts.append(self._prior_text())
        counts = [f"{n} {severity}{'s' * (n != 1)}" for severity, n in self.counts.items()]
        parts.append(", ".join(counts))
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.to_text()

    def _heading(self) -> str:
        records = self.records
        splits = ", ".join(f"{name} {len(names)}" for name, names in records.splits.items())
        objects = sum(len(picture.objects) for picture in records.pictures.values())
        looked = "" if self.pictures is not None else "; pictures were not decoded"
        return (
            f"{records.root.name} ({records.layout} layout): {len(records.pictures)} pictures, "
            f"{objects} objects, {len(self.classes)} classes; splits: {splits or 'none'}{looked}"
        )

    def _section(self, severity: str, shown: int) -> list[str]:
        found = [code for code in self.codes if RULES[code].severity == severity]
        parts = [f"{severity.upper()}S ({self.count(severity)})"] if found else []
        for code in found:
            rule, faults = RULES[code], self.of(code)
            title = f"[{code}] {len(faults)} x {rule.title}"
            parts.append(INDENT.join([title, listing(faults, shown, INDENT), f"FIX: {rule.fix}."]))
        return parts

    def _prior_text(self) -> str:
        best = min(self.reaches, key=lambda reach: len(reach.unreached))
        share = _percent(best.unreached_share)
        lines = [
            f"PRIORS against {len(self.objects.where)} objects, pictures stretched to a square",
            str(self.prior_table()),
            f"{best.preset} misses the fewest: {share} of the objects.",
        ]
        for reach in self.reaches:
            if reach.preset in ("caffe300_voc", best.preset) and reach.unreached:
                by_class = list(self.unreached_by_class(reach).items())[:5]
                shown = [f"{n} of {self.classes[name].objects} {name}" for name, n in by_class]
                lines.append(f"{reach.preset} misses {', '.join(shown)}.")
                lines += [_extras_text(reach)] if reach.extras else []
        return "\n".join(lines)

    # --- JSON ---------------------------------------------------------------------------------

    def to_dict(self) -> dict:
        """Return everything for JSON."""
        records = self.records
        return {
            "data": records.root.resolve().name,
            "layout": records.layout,
            "pictures": len(records.pictures),
            "pictures_decoded": self.pictures is not None,
            "objects": sum(len(picture.objects) for picture in records.pictures.values()),
            "splits": {name: len(names) for name, names in records.splits.items()},
            "classes": {name: count._asdict() for name, count in self.classes.items()},
            "counts": self.counts,
            "codes": self.codes,
            "faults": [fault.to_dict() for fault in self.faults],
            "priors": {reach.preset: self._reach_dict(reach) for reach in self.reaches},
            "limits": {"tiny": TINY, "near": self.near, "reached": REACHED},
            "seconds": round(self.seconds, 2),
        }

    def _reach_dict(self, reach: Reach) -> dict:
        return {
            "objects": reach.objects,
            "mean_best_iou": reach.mean_iou,
            "unreached": len(reach.unreached),
            "unreached_share": reach.unreached_share,
            "unreached_by_class": self.unreached_by_class(reach),
            "sharing_best_prior": reach.sharing,
            "histogram": list(reach.histogram),
            "extra_boxes": [extra._asdict() for extra in reach.extras],
        }


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _extras_text(reach: Reach) -> str:
    left = len(reach.unreached) - sum(extra.gain for extra in reach.extras)
    parts = [
        f"{extra} reaches {extra.gain} more ({extra.priors} more priors)" for extra in reach.extras
    ]
    return (
        f"With {reach.preset} and one more box per cell: {', then '.join(parts)}; "
        f"{left} of {len(reach.unreached)} stay under {REACHED:g}."
    )
