"""What can be wrong with a dataset: every rule of `doctor`, how grave it is, and what to do."""

from __future__ import annotations

from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


class Rule(NamedTuple):
    """One thing to look for."""

    severity: Severity
    """``"error"``: training stops, or the score that comes out is not what it seems. ``"warning"``:
    it costs accuracy, or may. ``"note"``: good to know."""
    title: str
    fix: str
    """What to do about it."""


class Fault(NamedTuple):
    """One breach of a rule, and where."""

    code: str
    """Key of `RULES`."""
    file: str
    """The file to open, relative to the folder of the dataset."""
    what: str
    """What is there instead of what should be."""
    number: int | None = None
    """Which object of the file: its place in it from 1, or its id in COCO's layout."""
    name: str = ""
    """The class of the object."""
    box: tuple[str, ...] = ()
    """Its four numbers, as the file has them."""
    other: str = ""
    """The second file, where a fault lies between two."""

    @property
    def rule(self) -> Rule:
        """The rule that is broken."""
        return RULES[self.code]

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return self.rule.severity

    def __str__(self) -> str:
        where = f"{self.file}, object {self.number} ({self.name})" if self.number else self.file
        box = f", box [{', '.join(self.box)}]" if self.box else ""
        return f"{where}{box}: {self.what}"

    def to_dict(self) -> dict:
        """For JSON: everything, with the rule's severity and fix."""
        return {
            "severity": self.severity,
            "code": self.code,
            "file": self.file,
            "object": self.number,
            "class": self.name or None,
            "box": list(self.box) or None,
            "other": self.other or None,
            "what": self.what,
            "fix": self.rule.fix,
        }


_OUT = "--fix takes it out of every split"

RULES: dict[str, Rule] = {
    # Annotations and splits.
    "annotation-unreadable": Rule(
        "error",
        "annotations that cannot be read",
        f"write the file anew with the labelling tool; {_OUT}",
    ),
    "annotation-missing": Rule(
        "error",
        "pictures of a split without an annotation",
        f"label the picture, or write an annotation without objects if it shows none; {_OUT}",
    ),
    "object-without-picture": Rule(
        "error", "objects of pictures that their file does not list", "--fix drops them"
    ),
    "split-empty": Rule(
        "error", "splits that name no picture", "fill it, or delete it; --fix leaves it out"
    ),
    "split-repeats": Rule(
        "error",
        "pictures that a split names more than once",
        "they count twice in training and in the score; --fix keeps the first mention",
    ),
    "split-overlap": Rule(
        "error",
        "pictures that stand in two splits",
        "a score on pictures that were trained on says nothing: part them; --fix keeps each in one "
        "split, test before val before train, unless both splits are the same folder",
    ),
    "picture-copied": Rule(
        "error",
        "the same picture file in two splits, under two names",
        "take one of the two out; --fix keeps the one in test before val before train",
    ),
    # Pictures.
    "picture-missing": Rule(
        "error", "annotations without their picture", f"put the picture back; {_OUT}"
    ),
    "picture-unreadable": Rule(
        "error", "pictures that cannot be decoded", f"fetch or export the picture anew; {_OUT}"
    ),
    "picture-size": Rule(
        "error",
        "pictures of another size than their annotation says",
        "the boxes were drawn on another version: find that one, or label anew; --fix drops a "
        "rotation that the labelling tool ignored, and takes others out of every split",
    ),
    # Boxes.
    "box-unreadable": Rule(
        "error", "boxes without four finite numbers", "draw the box anew; --fix drops it"
    ),
    "box-reversed": Rule(
        "error", "boxes with their corners swapped", "--fix swaps them back into order"
    ),
    "box-empty": Rule(
        "error",
        "boxes without width or height",
        "no prior can match it: a click without a drag; --fix drops it",
    ),
    "box-outside": Rule(
        "error", "boxes entirely outside their picture", "draw the box anew; --fix drops it"
    ),
    # Classes.
    "class-background": Rule(
        "error",
        "a class for the background",
        "label 0 is always there for it: delete these objects; --fix drops them",
    ),
    "class-unknown": Rule(
        "error",
        "objects of a class that the list of classes has not",
        "add the class to the list, or correct the label; --fix drops the object",
    ),
    # ------------------------------------------------------------------ warnings
    "box-sticks-out": Rule(
        "warning",
        "boxes that reach over the border of their picture",
        "the datasets cut them at the border, and --fix does",
    ),
    "box-tiny": Rule(
        "warning",
        "boxes under 1 % of the picture's side",
        "a slip of the mouse, or too small to be learned at this input size: look at them",
    ),
    "box-duplicate": Rule(
        "warning", "the same box twice, of one class", "--fix keeps the first and drops the others"
    ),
    "box-near-duplicate": Rule(
        "warning",
        "two nearly equal boxes of one class",
        "most often one object that was labelled twice: look at them; --fix keeps the first",
    ),
    "box-two-classes": Rule(
        "warning", "the same box with two classes", "decide which one it is: a prior has one class"
    ),
    "annotation-differs": Rule(
        "warning",
        "pictures whose boxes differ between the files of two splits",
        "export both files anew, from the same labels",
    ),
    "counts-from-zero": Rule(
        "warning",
        "corners counted from 0, where this layout counts from 1",
        "read the folder with one_based=False; --fix writes the numbers as VOC counts them",
    ),
    "class-spelling": Rule(
        "warning",
        "classes whose names differ in case, spaces, _ and - only",
        "they are learned as different classes: choose one spelling",
    ),
    "class-rare": Rule(
        "warning",
        "classes with very few objects",
        "label more of them, or leave the class out: its score will be luck",
    ),
    "class-absent": Rule(
        "warning",
        "classes that a split lacks",
        "without them in the split that is measured, the class has no score; without them in the "
        "split that is trained on, it cannot be learned",
    ),
    "labels-missing": Rule(
        "warning",
        "pictures without an object of a class that nearly every other picture has",
        "look whether its labels were forgotten: unlabelled objects teach that they are background",
    ),
    "picture-twin": Rule(
        "warning",
        "nearly the same picture in two splits",
        "look at both; if they show the same moment, move them into one split",
    ),
    "picture-repeated": Rule(
        "warning", "the same picture file twice in one split", "keep one of the two"
    ),
    "picture-rotated": Rule(
        "warning",
        "pictures that an EXIF entry turns",
        "tools disagree whether to turn them; --fix stores them upright, without the entry",
    ),
    "picture-cmyk": Rule(
        "warning", "pictures in CMYK, the colours of print", "--fix converts them to RGB"
    ),
    # ------------------------------------------------------------------ notes
    "picture-similar": Rule(
        "note", "nearly the same picture twice in one split", "look whether both are needed"
    ),
    "picture-grey": Rule(
        "note", "pictures without colour", "nothing, if pictures will be grey in use too"
    ),
    "picture-mode": Rule(
        "note",
        "pictures with a palette, transparency or 16 bits",
        "nothing: the datasets turn them into RGB, other tools may not",
    ),
    "picture-empty": Rule(
        "note", "pictures without any object", "nothing, if they show none: they teach background"
    ),
    "picture-unlisted": Rule(
        "note", "annotated pictures that no split names", "add them to a split to use them"
    ),
    "picture-unannotated": Rule(
        "note", "pictures without annotation that no split names", "label them to use them"
    ),
    "split-within": Rule(
        "note",
        "splits that lie within another",
        "nothing, unless you train on the one and measure on the other",
    ),
    "prior-unreached": Rule(
        "note",
        "objects that the priors of no preset overlap by half",
        "each still gets its best prior, and learns from that one alone: see the extra boxes in "
        "the table of priors",
    ),
}
"""Every rule, by its code: errors, warnings, notes."""
