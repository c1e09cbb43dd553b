"""Write a corrected copy of a dataset with the writers of `datasets`; the original is unchanged.

The copy is written from `Records`, so it has pictures, boxes, classes, ``difficult`` and splits.
Whatever else a file says (an author, a pose, an outline) remains in the original only.
"""

import io
from collections import Counter, defaultdict
from itertools import combinations
from pathlib import Path

from PIL import Image, ImageOps

from ssd_tutorial._files import as_json, atomic_write
from ssd_tutorial._progress import progress_bar
from ssd_tutorial.datasets.layouts import LAYOUTS
from ssd_tutorial.datasets.messages import is_background
from ssd_tutorial.datasets.pictures import visible
from ssd_tutorial.datasets.records import ROUNDING_PX, Box, RawObject, RawPicture
from ssd_tutorial.datasets.writing import Item, put
from ssd_tutorial.doctor.box_rules import find_duplicates
from ssd_tutorial.doctor.copy_rules import equal_files
from ssd_tutorial.doctor.picture_rules import PictureFacts
from ssd_tutorial.doctor.report import Report
from ssd_tutorial.doctor.rules import Fault
from ssd_tutorial.doctor.split_rules import base_splits, home_splits, nested_splits, rank, unions_of

CHANGES = "changes.json"
LARGE = 1 / 3
"""If a rule would drop more than this share, the folder was probably read wrongly."""
_LOST = ("box-unreadable", "class-unknown")  # the object's place or class is unknown
_MENDED = {"": "", "box-reversed": "corners swapped", "box-sticks-out": "cut at the border"}
_DONE = dict.fromkeys(("picture-missing", "split-empty", "split-unreadable"), "left out")
_DONE |= {"object-without-picture": "dropped", "split-repeats": "the first entry is kept"}
_SAID = ("code", "file", "object", "class", "what")  # of a change, in JSON
Change = Fault
"""One correction: the rule that was broken, where, and as `what` what was done."""


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
        ValueError: the report is not of all splits, or without decoded pictures; one rule would
            drop a third of the pictures or objects, or a whole split, so the folder was probably
            read wrongly.
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
    records, root, there = report.records, report.records.root.resolve(), out.resolve()
    if report.pictures is None:
        raise ValueError("--fix must decode the pictures: omit --no-pictures")
    if not records.whole:
        raise ValueError("--fix copies the whole folder: omit --splits")
    if there == root or root in there.parents:
        raise FileExistsError(
            f"{out} is the examined folder, or lies in it, and --fix never writes there: "
            f"choose another folder"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"{out} already exists and is not empty: choose another folder")
    for fault in report.of("box-units"):
        raise ValueError(f"{fault}: this is not a fault of single boxes")


class _Correction:
    """The corrections of a dataset; pictures are identified by their keys in the records."""

    def __init__(self, report: Report) -> None:
        self.report, self.records = report, report.records
        self.facts = report.pictures or {}
        self.changes: list[Change] = []
        self.left_out: set[str] = set()
        self.taken: Counter[tuple[str, str]] = Counter()  # by ("pictures" or "objects", rule)
        self.leaving: dict[str, set[str]] = defaultdict(set)
        """For each split, the pictures that it no longer lists; other splits may list them."""
        for fault in report.of("counts-from-zero"):
            what = f"all boxes are written from 1 ({fault.what})"
            self.changes.append(Change(fault.code, fault.file, what))
        for key, picture in self.records.pictures.items():
            if unusable := self._unusable(key, picture):
                self._leave_out(key, *unusable)
        self._leave_out_copies()
        self._part_splits()
        kept = {k: p for k, p in self.records.pictures.items() if k not in self.left_out}
        self.objects = {key: self._correct(picture) for key, picture in kept.items()}
        self.splits: dict[str, tuple[str, ...]] = {}
        for split, keys in self.records.splits.items():
            stay = kept.keys() - self.leaving[split]
            self.splits[split] = tuple(key for key in dict.fromkeys(keys) if key in stay)
        for fault in (*self.records.faults, *report.of("split-repeats"), *report.of("split-empty")):
            if fault.code in _DONE:
                what = f"{_DONE[fault.code]} ({fault.what})"
                self.changes.append(Change(fault.code, fault.file, what, fault.number, fault.name))
        self.taken["objects", "object-without-picture"] = len(report.of("object-without-picture"))
        self._refuse_large()

    # ------------------------------------------------------------ pictures and splits

    def _leave_out(self, key: str, code: str, why: str) -> None:
        self.left_out.add(key)
        self.taken["pictures", code] += 1
        picture = self.records.pictures[key]
        file = self.records.shown_picture(key) if picture.picture else picture.annotation or key
        self.changes.append(Change(code, file, f"picture and annotation are left out ({why})"))

    def _unusable(self, key: str, picture: RawPicture) -> tuple[str, str] | None:
        """Return the rule and the reason why a picture cannot be in the copy, or None."""
        seen = self.facts.get(key) or PictureFacts()
        if picture.fault:
            return picture.fault, self.records.said(picture.reason, picture.file)
        if seen.fault:
            return "picture-unreadable", seen.fault
        if seen.size and picture.size not in (seen.size, seen.stored):
            return "picture-size", "its boxes were drawn at another size"
        for entry in picture.objects:
            if (code := self._code(picture, entry)) in _LOST:
                return code, f"object {entry.number} has the {_box(entry)}"
        return None

    def _code(self, picture: RawPicture, entry: RawObject) -> str:
        if is_background(entry.name):
            return "class-background"
        known = entry.name in self.records.classes
        return self.records.judge(picture, entry).code if known else "class-unknown"

    def _leave_out_copies(self) -> None:
        """Keep one of equal files in different splits."""
        homes = home_splits(self.records)
        there = {k: seen for k, seen in self.facts.items() if k in homes and k not in self.left_out}
        for keys in equal_files(there):
            best = max(keys, key=lambda key: max(map(rank, homes[key])))
            file = self.records.shown_picture(best)
            for key in keys:
                if not set(homes[key]) & set(homes[best]):
                    why = f"the same file as {file} in {homes[best][0]}"
                    self._leave_out(key, "picture-copied", why)

    def _part_splits(self) -> None:
        """Remove pictures from all splits but one, and keep unions equal to their parts."""
        sets = {split: set(names) for split, names in self.records.splits.items()}
        nested = {frozenset(pair) for pair in nested_splits(self.records)}
        for a, b in combinations(base_splits(self.records), 2):
            other, keeper = (b, a) if rank(a) >= rank(b) else (a, b)
            if frozenset((a, b)) in nested:
                continue
            what = f"removed from {other}; it stays in {keeper}"
            for key in sorted(sets[a] & sets[b] - self.left_out - self.leaving[other]):
                self.leaving[other].add(key)
                file = self.records.shown_picture(key)
                self.changes.append(Change("split-overlap", file, what))
        for union, parts in unions_of(self.records).items():
            rest = set().union(*(sets[split] - self.leaving[split] for split in parts))
            self.leaving[union] |= sets[union] - rest

    # ------------------------------------------------------------ objects

    def _correct(self, picture: RawPicture) -> list[tuple[RawObject, Box]]:
        """Return the objects of one picture that stay, each with its edges."""
        judged = [(entry, *self._judge(picture, entry)) for entry in picture.objects]
        twins = find_duplicates([(entry, box) for entry, _, _, box in judged], self.report.near)
        kept = []
        for index, (entry, code, what, box) in enumerate(judged):
            if twin := twins.get(index):
                code, box, other = twin.code, None, twin.kept
                what = f"dropped, {_box(entry)}: object {other.number} {_box(other)} is kept"
            if box is None:
                self.taken["objects", code] += 1
            else:
                kept.append((entry, box))
            if code:
                change = Change(code, picture.annotation, what, entry.number, entry.name)
                self.changes.append(change)
        return kept

    def _judge(self, picture: RawPicture, entry: RawObject) -> tuple[str, str, Box | None]:
        """Decide about one object: code, description, its edges or None to drop it."""
        code, judged = self._code(picture, entry), self.records.judge(picture, entry)
        if code not in _MENDED:
            return code, f"dropped, {_box(entry)}", None
        if not code and judged.over_px > ROUNDING_PX:
            code = "box-sticks-out"
        x1, y1, x2, y2 = box = judged.edges
        if self.records.layout == "VOC" and not (x2 - x1 > 1 and y2 - y1 > 1):
            # Counted from 1, it would have xmin = xmax.
            return code or "box-tiny", f"dropped: it is one pixel wide or high, {_box(entry)}", None
        edges = ", ".join(f"{value:.6g}" for value in box)
        return code, f"{_MENDED[code]}, {_box(entry)} is now the edges [{edges}]", box

    # ------------------------------------------------------------ too much

    def _refuse_large(self) -> None:
        """Raise if one rule drops so much that the folder was probably read wrongly."""
        records, lost = self.records, self.report.of("object-without-picture")
        objects = sum(len(picture.objects) for picture in records.pictures.values()) + len(lost)
        totals = {"pictures": len(records.pictures), "objects": objects}
        drops = [
            (code, f"{count} of {totals[what]} {what}")
            for (what, code), count in self.taken.items()
            if count > max(1, LARGE * totals[what])
        ]
        for split, keys in records.splits.items():
            if keys and not self.splits[split]:
                most = Counter(change.code for change in self.changes).most_common(1)[0][0]
                drops.append((most, f"all {len(keys)} pictures of {split}"))
        for code, share in drops:
            example = next(change for change in self.changes if change.code == code)
            raise ValueError(
                f"nothing is written: the rule {code} would drop {share}, so the folder was "
                f"probably read wrongly. Check the first: {example}."
            )

    # ------------------------------------------------------------ writing

    def write(self, work: Path, progress: bool | None) -> None:
        """Write the copy: each picture once, and the files that define the splits."""
        records, layout = self.records, LAYOUTS[self.records.layout]
        splits = reversed(base_splits(records))
        homes = {key: split for split in splits for key in self.splits[split]}
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
            for file, content in layout.split_files(split, named, work).items():
                put(work / file, content, overwrite=True)
        for path in visible(records.root):
            if path.name.upper().startswith(("README", "LICEN")) and path.is_file():
                put(work / path.name, path.read_bytes(), overwrite=False)
        put(work / CHANGES, as_json(self.to_dict()), overwrite=False)

    def _repainted(self, key: str) -> tuple[bytes, tuple[int, int]]:
        """Return the picture's file and size; it is encoded again if rotated by EXIF or in CMYK."""
        path, seen = self.records.pictures[key].picture, self.facts[key]
        turned, cmyk = seen.orientation != 1, seen.mode == "CMYK"
        if not turned and not cmyk:
            return path.read_bytes(), seen.size
        # The boxes were drawn before EXIF rotated the picture.
        ignored = self.records.pictures[key].size == seen.stored != seen.size
        file, buffer = self.records.shown_picture(key), io.BytesIO()
        if turned:
            how = "its EXIF orientation is dropped, since its boxes ignore it"
            how = how if ignored else "turned upright"
            self.changes.append(Change("picture-rotated", file, how))
        if cmyk:
            self.changes.append(Change("picture-cmyk", file, "converted to RGB"))
        with Image.open(path) as picture:
            done = picture if ignored else ImageOps.exif_transpose(picture)
            done = done.convert("RGB") if cmyk else done
            profile = None if cmyk else picture.info.get("icc_profile")  # CMYK's is of the inks
            how = {"quality": 95, "subsampling": 0, "exif": b"", "icc_profile": profile}
            done.save(buffer, picture.format, **how)
        return buffer.getvalue(), seen.stored if ignored else seen.size

    def to_dict(self) -> dict:
        """Return the corrections for JSON, and how many there are per rule."""
        counts = Counter(change.code for change in self.changes)
        changes = [change.to_dict() for change in self.changes]
        return {
            "data": self.records.root.resolve().name,
            "counts": dict(sorted(counts.items())),
            "changes": [{name: change[name] for name in _SAID} for change in changes],
        }


def _box(entry: RawObject) -> str:
    return f"box [{', '.join(map(str, entry.written))}]"
