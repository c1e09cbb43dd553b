"""A corrected copy of a dataset; the original is never touched."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.doctor.plan import Change, Plan, make_plan
from ssd_tutorial.doctor.records import Records
from ssd_tutorial.doctor.repaint import repaint
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.rewrite_coco import rewrite_coco
from ssd_tutorial.doctor.rewrite_voc import rewrite_voc
from ssd_tutorial.doctor.rewrite_yolo import rewrite_yolo

CHANGES = "changes.json"


def fix(report: Report, out: str | Path, progress: bool | None = None) -> tuple[Change, ...]:
    """Write a copy of the examined folder with everything corrected that a machine can decide.

    Corners are swapped back; boxes that are empty, unreadable or entirely outside are dropped, and
    boxes that reach over the border are cut; of equal and of nearly equal boxes of one class the
    first stays. Pictures that cannot be read, and annotations that cannot, are left out, with
    their partners. A picture in two splits stays in one: test before val before train. Pictures
    are stored upright and in RGB. Hidden files are not copied; all others are, unchanged.

    The copy appears complete or not at all. It holds ``changes.json``, the list of what was done.

    Args:
        report: from `examine`, of a whole folder and its pictures.
        out: the folder to write; missing or empty, and not within the folder that is copied.
        progress: show a bar; None shows it where standard error is a terminal.

    Raises:
        FileExistsError: `out` holds something, or lies within the folder, or is it.
        ValueError: the report is not of a folder, or not of all splits, or pictures were not
            decoded, or some lie outside the folder.
    """
    out = Path(out)
    _check(report, out)
    records, plan = report.records, make_plan(report)
    contents = _contents(records, plan, report.near)
    paint = {records.pictures[name].picture: jobs for name, jobs in plan.paint.items()}
    work = out.with_name(f".{out.name}.{os.getpid()}.unfinished")
    try:
        files = list(_files(records.root))
        for path in progress_bar(files, "copy", progress):
            target = work / path.relative_to(records.root)
            if path in contents and contents[path] is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if path in contents:
                target.write_bytes(contents[path])
            elif path in paint:
                repaint(path, target, paint[path])
            else:
                shutil.copyfile(path, target)  # without its being read-only
        text = json.dumps(changes_dict(report, plan.changes), indent=1, ensure_ascii=False)
        (work / CHANGES).write_text(text + "\n", encoding="utf-8")
        if out.is_dir():
            out.rmdir()  # it is empty
        os.replace(work, out)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return tuple(plan.changes)


def changes_dict(report: Report, changes: Sequence[Change]) -> dict:
    """For JSON: what was done, and how often for which rule."""
    done = Counter(change.code for change in changes)
    return {
        "data": report.records.root.resolve().name,
        "counts": dict(sorted(done.items())),
        "changes": [
            {
                "code": change.code,
                "file": change.file,
                "object": change.number,
                "class": change.name or None,
                "what": change.what,
            }
            for change in changes
        ],
    }


def _check(report: Report, out: Path) -> None:
    records = report.records
    if records.layout == "drawn":
        raise ValueError("there are no files to correct: --fix copies a folder.")
    if report.pictures is None:
        raise ValueError("--fix must look at the pictures: leave --no-pictures away.")
    if not records.whole:
        raise ValueError("--fix copies the whole folder: leave --splits away.")
    root, there = records.root.resolve(), out.resolve()
    if there == root or root in there.parents:
        raise FileExistsError(
            f"{out} is the folder that is examined, or lies in it: --fix never writes there. "
            f"Choose another folder."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} is there already and not empty. Choose another folder.")
    pictures = [p.picture for p in records.pictures.values() if p.picture is not None]
    far = [path for path in pictures if root not in path.resolve().parents]
    if far:
        raise ValueError(
            f"{len(far)} pictures lie outside {records.root}, such as {far[0]}: --fix copies one "
            f"folder. Move them into it."
        )


def _contents(records: Records, plan: Plan, near: float) -> dict[Path, bytes | None]:
    """Files that change, by path: their new content, or None for those that are not copied."""
    if records.layout == "VOC":
        contents = dict(rewrite_voc(records, plan))
    elif records.layout == "COCO":
        contents = dict(rewrite_coco(records, plan, near))
    else:
        contents = dict(rewrite_yolo(records, plan))
    for name in plan.left_out:
        picture = records.pictures[name].picture
        if picture is not None:
            contents[picture] = None
    return contents


def _files(root: Path) -> Iterator[Path]:
    """Every file of a folder and below, without the hidden ones."""
    for where, folders, names in os.walk(root, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(where, name)
