"""``python -m ssd_tutorial doctor``: what is wrong with a dataset (chapter 16)."""

import json
from pathlib import Path
from typing import Annotated

import tyro

from ssd_tutorial.doctor import Report, examine
from ssd_tutorial.whole_files import written_whole


def doctor_command(
    data: Annotated[Path, tyro.conf.Positional],
    out: Path | None = None,
    splits: tuple[str, ...] = (),
    pictures: bool = True,
    near: float = 0.8,
    shown: int = 12,
    workers: int = 0,
) -> int:
    """Examine a dataset: boxes, pictures, splits, classes, and the priors that fit its objects.

    Looks and changes nothing. Ends with exit code 1 if there are errors, which stop training or
    make its score wrong; with 0 if there are only warnings and notes.

    Args:
        data: a folder in the layout of PASCAL VOC.
        out: folder for report.json, with everything that was found, and report.png, a figure.
        splits: look at these splits only; by default at all.
        pictures: decode every picture: finds those that cannot be read, are turned by EXIF, have
            another size than their annotation says, or are there twice. --no-pictures is fast.
        near: the IoU above which two boxes of one class are called one object labelled twice.
        shown: how many findings of one kind are printed; report.json has all of them.
        workers: threads that decode pictures; 0 takes one a processor.
    """
    report = examine(data, splits=splits, pictures=pictures, near=near, workers=workers)
    print(f"{report.to_text(shown)}, found in {report.seconds:.1f} s")
    if out is not None:
        print(f"written to {write_report(report, out)} and report.png beside it")
    return 1 if report.count("error") else 0


def write_report(report: Report, out: Path) -> Path:
    """Write report.json and report.png into a folder; returns the path of the first."""
    # Here, so that the other commands do not wait for matplotlib.
    from ssd_tutorial.doctor.figures import figure

    with written_whole(out / "report.png") as file:
        figure(report).savefig(file, format="png")
    with written_whole(out / "report.json") as file:
        text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        file.write_text(text + "\n", encoding="utf-8")
    return out / "report.json"
