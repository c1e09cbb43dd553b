"""Write a corrected copy of a dataset with the writers of `datasets`; the original is unchanged.

The copy is written from `Records`, so it has pictures, boxes, classes, ``difficult`` and splits.
Whatever else a file says (an author, a pose, an outline) remains in the original only.
"""

import io
import json
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import torch
from PIL import Image, ImageOps

from ssd_tutorial._files import atomic_write
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.boxes import iou
from ssd_tutorial.datasets.layouts import LAYOUTS
from ssd_tutorial.datasets.messages import is_background
from ssd_tutorial.datasets.pictures import ORIENTATION, visible
from ssd_tutorial.datasets.records import ROUNDING_PX, Box, RawObject, RawPicture
from ssd_tutorial.datasets.writing import Item, put
from ssd_tutorial.doctor.box_rules import counts_from_zero
from ssd_tutorial.doctor.picture_rules import PictureFacts
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.split_rules import (
    base_splits,
    home_splits,
    rank,
    union_parts,
    within_splits,
)

CHANGES = "changes.json"
LARGE = 1 / 3
"""If a rule would drop more than this share, the folder was probably read wrongly."""
_LOST = ("box-unreadable", "class-unknown")  # the object's place or class is unknown
Kept = list[tuple[RawObject, Box]]


class Change(NamedTuple):
    """One correction."""

    code: str
    """The rule that was broken; see `RULES`."""
    file: str
    what: str
    number: int | str | None = None
    """Which object of the file; see `Fault`."""
    name: str = ""

    def __str__(self) -> str:
        where = f"{self.file}, object {self.number} ({self.name})" if self.number else self.file
        return f"{where}: {self.what}"


def fix(report: Report, out: str | Path, progress: bool | None = None) -> tuple[Change, ...]:
    """Write a copy of the examined folder, with all corrections that need no human decision.

    Corners are swapped back; boxes that are empty or entirely outside are dropped, and boxes that
    extend beyond the border are clipped; of equal or nearly equal boxes of one class, the first is
    kept. Pictures are left out if they or their annotations cannot be read, or if the place or
    class of one of their objects is unknown: without its label, it would be trained as background.
    A picture in two splits stays in one: test before val before train. Pictures are stored upright,
    in RGB.

    The copy appears complete or not at all. It has ``changes.json``, the list of corrections.

    Args:
        report: from `examine`, of a whole folder and its pictures.
        out: a new or empty folder, not inside the folder that is copied.
        progress: show a bar; None shows it if standard error is a terminal.

    Raises:
        FileExistsError: `out` is not empty, or is or lies in the examined folder.
        ValueError: the report is not of a folder, or not of all splits, or without decoded
            pictures; one rule would drop a third of the pictures or objects, or a whole split, so
            the folder was probably read wrongly.
    """
    out = Path(out)
    _check(report, out)
    correction = _Correction(report)
    with atomic_write(out) as work:
        correction.write(work, progress)
        if out.is_dir():
            out.rmdir()  # it is empty
    return tuple(correction.changes)


def _check(report: Report, out: Path) -> None:
    records = report.records
    if records.layout == "drawn":
        raise ValueError("there are no files to correct: --fix copies a folder")
    if report.pictures is None:
        raise ValueError("--fix must decode the pictures: omit --no-pictures")
    if not records.whole:
        raise ValueError("--fix copies the whole folder: omit --splits")
    root, there = records.root.resolve(), out.resolve()
    if there == root or root in there.parents:
        raise FileExistsError(
            f"{out} is the examined folder, or lies in it, and --fix never writes there: "
            f"choose another folder"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already exists and is not empty: choose another folder")
    if report.of("box-units"):
        raise ValueError(f"{report.of('box-units')[0]}: this is not a fault of single boxes")


class _Correction:
    """The corrections of a dataset; pictures are identified by their keys in the records."""

    def __init__(self, report: Report) -> None:
        self.report, self.records = report, report.records
        self.facts = report.pictures or {}
        self.changes: list[Change] = []
        self.left_out: set[str] = set()
        self.taken = {"pictures": Counter(), "objects": Counter()}
        self.leaving: dict[str, set[str]] = defaultdict(set)
        """For each split, the pictures that it no longer lists; other splits may list them."""
        if what := counts_from_zero(self.records):
            self._say("counts-from-zero", "Annotations", f"all boxes are written from 1 ({what})")
        for key, picture in self.records.pictures.items():
            self._leave_out_unusable(key, picture)
        self._leave_out_copies()
        self._part_splits()
        kept = {k: p for k, p in self.records.pictures.items() if k not in self.left_out}
        self.objects = {key: self._correct(picture) for key, picture in kept.items()}
        self.splits = {
            split: tuple(dict.fromkeys(key for key in keys if self._stays(key, split)))
            for split, keys in self.records.splits.items()
        }
        done = {"object-without-picture": "dropped", "split-repeats": "the first entry is kept"}
        done |= dict.fromkeys(("picture-missing", "split-empty", "split-unreadable"), "left out")
        for fault in (*self.records.faults, *report.of("split-repeats"), *report.of("split-empty")):
            if fault.code in done:
                what = f"{done[fault.code]} ({fault.what})"
                self.changes.append(Change(fault.code, fault.file, what, fault.number, fault.name))
                self.taken["objects"][fault.code] += fault.code == "object-without-picture"
        self._refuse_large()

    def _stays(self, key: str, split: str) -> bool:
        return key not in self.left_out and key not in self.leaving[split]

    def _say(self, code: str, file: str, what: str) -> None:
        self.changes.append(Change(code, file, what))

    # ------------------------------------------------------------ pictures and splits

    def _leave_out(self, key: str, code: str, why: str) -> None:
        self.left_out.add(key)
        self.taken["pictures"][code] += 1
        picture = self.records.pictures[key]
        file = self.records.shown_picture(key) if picture.picture else picture.annotation or key
        self._say(code, file, f"picture and annotation are left out ({why})")

    def _leave_out_unusable(self, key: str, picture: RawPicture) -> None:
        seen = self.facts.get(key) or PictureFacts()
        if picture.fault:
            self._leave_out(key, picture.fault, self.records.said(picture.reason, picture.file))
        elif seen.fault:
            self._leave_out(key, "picture-unreadable", seen.fault)
        elif seen.size and picture.size not in (seen.size, seen.stored):
            self._leave_out(key, "picture-size", "its boxes were drawn at another size")
        else:
            for entry in picture.objects:
                code = self._code(picture, entry)
                if code in _LOST and key not in self.left_out:
                    numbers = ", ".join(map(str, entry.written))
                    self._leave_out(key, code, f"object {entry.number} has the box [{numbers}]")

    def _code(self, picture: RawPicture, entry: RawObject) -> str:
        if is_background(entry.name):
            return "class-background"
        known = entry.name in self.records.classes
        return self.records.judge(picture, entry).code if known else "class-unknown"

    def _leave_out_copies(self) -> None:
        """Keep one of equal files in different splits."""
        belongs = home_splits(self.records)
        groups: dict[str, list[str]] = defaultdict(list)
        for key, seen in self.facts.items():
            if not seen.fault and key not in self.left_out and belongs.get(key):
                groups[seen.digest].append(key)
        for keys in groups.values():
            best = max(keys, key=lambda key: max(map(rank, belongs[key])))
            for key in keys:
                if key != best and not set(belongs[key]) & set(belongs[best]):
                    file = self.records.shown_picture(best)
                    why = f"the same file as {file} in {belongs[best][0]}"
                    self._leave_out(key, "picture-copied", why)

    def _part_splits(self) -> None:
        """Remove pictures from all splits but one, and keep unions equal to their parts."""
        sets = {split: set(names) for split, names in self.records.splits.items()}
        nested = {frozenset(pair) for pair in within_splits(self.records)}
        for a, b in combinations(base_splits(self.records), 2):
            other, keeper = (b, a) if rank(a) >= rank(b) else (a, b)
            if frozenset((a, b)) in nested:
                continue
            for key in sorted(sets[a] & sets[b] - self.left_out - self.leaving[other]):
                self.leaving[other].add(key)
                what = f"removed from {other}; it stays in {keeper}"
                self._say("split-overlap", self.records.shown_picture(key), what)
        for union, parts in union_parts(self.records).items():
            rest = set().union(*(sets[split] - self.leaving[split] for split in parts))
            self.leaving[union] |= sets[union] - rest

    # ------------------------------------------------------------ objects

    def _correct(self, picture: RawPicture) -> Kept:
        """Return the objects of one picture that stay, each with its edges."""
        kept: Kept = []
        for entry in picture.objects:
            code, what, box = self._judge(picture, entry)
            twin = _twin(entry, box, kept, self.report.near) if box else None
            code, what = twin or (code, what)
            if box is not None and twin is None:
                kept.append((entry, box))
            self.taken["objects"][code] += box is None or twin is not None
            if code:
                change = Change(code, picture.annotation, what, entry.number, entry.name)
                self.changes.append(change)
        return kept

    def _judge(self, picture: RawPicture, entry: RawObject) -> tuple[str, str, Box | None]:
        """Decide about one object: code, description, its edges or None to drop it."""
        numbers = ", ".join(map(str, entry.written))
        code, box, over_px = self._code(picture, entry), None, 0.0
        if code in ("", "box-reversed"):
            _, _, box, over_px = self.records.judge(picture, entry)
        if box is None:
            return code, f"dropped, box [{numbers}]", None
        if not code and over_px > ROUNDING_PX:
            code = "box-sticks-out"
        x1, y1, x2, y2 = box
        if self.records.layout == "VOC" and not (x2 - x1 > 1 and y2 - y1 > 1):
            # Counted from 1, it would have xmin = xmax.
            what = f"dropped: it is one pixel wide or high, box [{numbers}]"
            return code or "box-tiny", what, None
        how = {"box-reversed": "corners swapped", "box-sticks-out": "cut at the border"}
        shown = ", ".join(f"{value:.6g}" for value in box)
        return code, f"{how.get(code)}, [{numbers}] is now the edges [{shown}]", box

    # ------------------------------------------------------------ too much

    def _refuse_large(self) -> None:
        """Raise if one rule drops so much that the folder was probably read wrongly."""
        records = self.records
        example = {change.code: change for change in reversed(self.changes)}
        every = sum(len(picture.objects) for picture in records.pictures.values())
        every += len(self.report.of("object-without-picture"))
        for what, total in (("pictures", len(records.pictures)), ("objects", every)):
            for code, count in self.taken[what].items():
                if count > 1 and count > LARGE * total:
                    raise _read_wrongly(code, f"{count} of {total} {what}", example[code])
        for split, keys in records.splits.items():
            if keys and not self.splits[split] and self.changes:
                code = Counter(c.code for c in self.changes).most_common(1)[0][0]
                raise _read_wrongly(code, f"all {len(keys)} pictures of {split}", example[code])

    # ------------------------------------------------------------ writing

    def write(self, work: Path, progress: bool | None) -> None:
        """Write the copy: each picture once, and the files that define the splits."""
        records, layout = self.records, LAYOUTS[self.records.layout]
        base = [split for split in base_splits(records) if split in self.splits]
        homes = {key: split for split in reversed(base) for key in self.splits[split]}
        items: dict[str, Item] = {}
        for key in progress_bar(self.objects, "copy", progress):
            picture, home = records.pictures[key], homes.get(key, "all")
            name = key if records.layout == "VOC" else f"{home}/{picture.name}"
            suffix = picture.picture.suffix
            name = name.removesuffix(suffix)
            objects = [(e.name, box, e.difficult) for e, box in self.objects[key]]
            content, size = self._repainted(key)
            item = Item(name, f"{name}{suffix}", content, size, objects, records.classes)
            for file, content in layout.picture_files(item).items():
                put(work / file, content, overwrite=False)
            items[key] = item._replace(picture=b"")
        for split in [split for split, keys in self.splits.items() if keys]:
            named = [items[key] for key in self.splits[split]]
            for file, content in layout.split_files(split, named, records.classes, work).items():
                put(work / file, content, overwrite=True)
        for path in visible(records.root):
            if path.name.upper().startswith(("README", "LICEN")) and path.is_file():
                put(work / path.name, path.read_bytes(), overwrite=False)
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False)
        put(work / CHANGES, f"{text}\n".encode(), overwrite=False)

    def _repainted(self, key: str) -> tuple[bytes, tuple[int, int]]:
        """Return the picture's file and size; it is encoded again if rotated by EXIF or in CMYK."""
        path, seen = self.records.pictures[key].picture, self.facts[key]
        turned, cmyk = seen.orientation != 1, seen.mode == "CMYK"
        if not turned and not cmyk:
            return path.read_bytes(), seen.size
        # The boxes were drawn before EXIF rotated the picture.
        ignored = self.records.pictures[key].size == seen.stored != seen.size
        file = self.records.shown_picture(key)
        if turned:
            how = "its EXIF orientation is dropped, since its boxes ignore it"
            self._say("picture-rotated", file, how if ignored else "turned upright")
        if cmyk:
            self._say("picture-cmyk", file, "converted to RGB")
        buffer = io.BytesIO()
        with Image.open(path) as picture:
            kind, profile, exif = picture.format, picture.info.get("icc_profile"), picture.getexif()
            done = picture if ignored else ImageOps.exif_transpose(picture)
            if cmyk:
                done, profile = done.convert("RGB"), None  # the profile describes the inks
            if ORIENTATION in exif:
                del exif[ORIENTATION]
            how = {"exif": exif.tobytes()} if len(exif) else {}
            how |= {"icc_profile": profile} if profile else {}
            if kind == "JPEG":
                same = ignored and not cmyk
                how |= {"quality": "keep"} if same else {"quality": 95, "subsampling": 0}
            done.save(buffer, kind, **how)
        return buffer.getvalue(), seen.stored if ignored else seen.size

    def to_dict(self) -> dict:
        """Return the corrections for JSON, and how many there are per rule."""
        done = Counter(change.code for change in self.changes)
        return {
            "data": self.records.root.resolve().name,
            "counts": dict(sorted(done.items())),
            "changes": [
                {"code": c.code, "file": c.file, "object": c.number, "class": c.name or None}
                | {"what": c.what}
                for c in self.changes
            ],
        }


def _read_wrongly(code: str, share: str, example: Change) -> ValueError:
    return ValueError(
        f"nothing is written: the rule {code} would drop {share}, so the folder was probably read "
        f"wrongly. Check the first: {example}."
    )


def _twin(entry: RawObject, box: Box, kept: Kept, near: float) -> tuple[str, str] | None:
    """Return code and correction if an earlier object of the class has (nearly) this box."""
    same_class = [(other, edges) for other, edges in kept if other.name == entry.name]
    if not same_class:
        return None
    others = torch.tensor([edges for _, edges in same_class], dtype=torch.float64)
    overlap = iou(torch.tensor([box], dtype=torch.float64), others)[0]
    best = int(overlap.argmax())
    other, edges = same_class[best]
    if edges != box and overlap[best] <= near:
        return None
    code = "box-duplicate" if edges == box else "box-near-duplicate"
    numbers, its = (f"[{', '.join(map(str, one.written))}]" for one in (entry, other))
    return code, f"dropped, box {numbers}: object {other.number} {its} is kept"
