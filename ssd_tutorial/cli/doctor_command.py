"""``python -m ssd_tutorial doctor``: what is wrong with a dataset (chapter 16)."""

from collections import defaultdict
from pathlib import Path
from typing import Annotated

import tyro

from ssd_tutorial._files import as_json, write_file
from ssd_tutorial.cli.options import refuse_foreign
from ssd_tutorial.datasets.messages import listing
from ssd_tutorial.doctor import RULES, Change, Report, examine
from ssd_tutorial.doctor import fix as write_fixed

_PNG_SIGN = "ssd_tutorial doctor"


def doctor_command(
    data: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    fix: Path | None = None,
    splits: tuple[str, ...] = (),
    pictures: bool = True,
    near: float = 0.8,
    shown: int = 12,
    workers: int = 0,
) -> int:
    """Examine a dataset: boxes, pictures, splits, classes, and the priors that fit its objects.

    The folder is not changed. The exit code is 1 if there are errors, which stop training or
    falsify its score, and 0 if there are only warnings and notes.

    Args:
        data: a folder in the layout of PASCAL VOC, COCO or YOLO.
        out: folder for report.json, with everything that was found, and report.png, a figure.
        fix: new or empty folder for a corrected copy; each kind of fault says under FIX what is
            changed. The copy is examined, too, and the exit code is then the copy's.
        splits: examine only these splits; by default all.
        pictures: decode every picture, to find those that cannot be read, are rotated by EXIF,
            differ in size from their annotation, or occur twice. --no-pictures is faster.
        near: the IoU above which two boxes of one class are one object labelled twice; 1 for none.
        shown: how many findings of each kind are printed; report.json has all of them.
        workers: threads that decode pictures; 0 takes one per processor.
    """
    if shown < 0:
        raise ValueError(f"--shown must be 0 or more, not {shown}")
    if out is not None:
        _check_out(out)
    report = examine(data, splits=splits, pictures=pictures, near=near, workers=workers)
    try:  # what was found is safe before a terminal can fail, and is told even if a disk does
        if out is not None:
            write_report(report, out)
    finally:
        print(f"{report.to_text(shown)}, found in {report.seconds:.1f} s")
    if out is not None:
        print(f"written to {out / 'report.json'} and report.png beside it")
    if fix is not None:
        report = _fix(report, fix, near, shown, workers)
    return 1 if report.count("error") else 0


def _check_out(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(f"--out {out} is a file: give a folder for the report")
    refuse_foreign(out / "report.json", '"pictures_decoded": ')
    refuse_foreign(out / "report.png", _PNG_SIGN)


def write_report(report: Report, out: Path) -> None:
    """Write report.json and report.png to a folder."""
    # imported here, so that other commands do not wait for matplotlib
    from ssd_tutorial.doctor.drawing import encoded, figure

    write_file(out / "report.json", as_json(report.to_dict()))
    picture = encoded(figure(report), format="png", metadata={"Software": _PNG_SIGN})
    write_file(out / "report.png", picture)


def _fix(report: Report, out: Path, near: float, shown: int, workers: int) -> Report:
    """Write the corrected copy, say what was done and what is left, and examine it."""
    by_code: dict[str, list[Change]] = defaultdict(list)
    for change in write_fixed(report, out):
        by_code[change.code].append(change)
    print(f"\nFIXED in {out} ({sum(map(len, by_code.values()))} changes, listed in changes.json)")
    for code, changes in by_code.items():
        print(f"\n[{code}] {len(changes)}", listing(changes, shown, "\n    "), sep="\n    ")
    again = examine(out, near=near, workers=workers)
    left = {code: n for code, n in again.codes.items() if RULES[code].severity != "note"}
    if left:
        print("\nLEFT in the copy, for you to decide:")
        for code, count in left.items():
            rule = RULES[code]
            print(f"    {rule.severity} [{code}] {count} x {rule.title}: {rule.fix}.")
    print(f"\n{out}: {again.count('error')} errors, {again.count('warning')} warnings")
    return again
