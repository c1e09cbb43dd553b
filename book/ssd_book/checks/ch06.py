"""Exercises of chapter 6: the shapes of the boxes in one cell."""

from ssd_book.checks import ch06_truth as truth
from ssd_book.checks.engine import Exercise, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_number,
    is_numbers,
    returns,
)
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import cell_shapes

EXERCISES = (
    Exercise(
        "06.1",
        "A wide box",
        "two numbers: width and height, as fractions of the image",
        (
            is_numbers("There are two numbers.", 2),
            equals(
                "The box is twice as wide as high, and has the area of the square of side 0.2.",
                truth.wide_box,
                (
                    "Two conditions: w / h is the ratio, and w * h is the area of the square.",
                    "Multiply one side by a number and divide the other by it: the area stays. By"
                    " how much, so that their ratio becomes 2?",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: truth.wide_box().flip(0),
                "This box is high. The ratio is width over height.",
            ),
            gives(
                lambda: [0.4, 0.2],
                "The ratio is right, but the box has twice the area of the square.",
            ),
            gives(
                lambda: [0.4, 0.1],
                "The area is right. But this box is four times as wide as high.",
            ),
        ),
    ),
    Exercise(
        "06.2",
        "All shapes of a cell",
        "a function of s, s_next and ratios that returns widths and heights, [2 + 2 * ratios, 2]",
        (
            returns(
                "There are two squares, and two boxes for each ratio; a row is width, height.",
                truth.shape_cases,
                lambda s, s_next, ratios: (2 + 2 * len(ratios), 2),
                ("Each ratio brings its inverse: a wide box and a high one.",),
            ),
            Property(
                "The widths over the heights are 1, 1, and each ratio with its inverse.",
                truth.ratio_unlike,
                (
                    "Divide your widths by your heights, and compare with the ratios.",
                    "Multiply the width by the root of the ratio, and divide the height by it.",
                ),
            ),
            Property(
                "All boxes but the large square have the same area.",
                truth.other_area,
                ("Which area has the small square? Keep it.",),
            ),
            agrees(
                "They come in Caffe's order: small square, large square, then each ratio followed"
                " by its inverse.",
                truth.shapes_of,
                truth.shape_cases,
                (
                    "The side of the large square lies between s and s_next: their geometric mean.",
                    "The geometric mean of two numbers is the root of their product.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.shapes_of(*case, order="sgrvinod"),
                truth.shape_cases,
                "Right boxes, in the order of another port: weights trained with one order mean"
                " nothing in the other. Each ratio is followed by its own inverse.",
            ),
            behaves_like(
                truth.no_root,
                truth.shape_cases,
                "You stretch both sides by the whole ratio, so w / h is its square: take the root.",
            ),
            behaves_like(
                lambda s, s_next, ratios: truth.large(s, s_next, ratios, (s + s_next) / 2),
                truth.shape_cases,
                "Your large square has the ordinary mean of s and s_next. SSD takes the geometric"
                " one.",
            ),
            behaves_like(
                lambda s, s_next, ratios: truth.large(s, s_next, ratios, s_next),
                truth.shape_cases,
                "A square of side s_next stands on the next map already. This one lies between.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "06.3",
        "How many areas",
        "a whole number",
        (
            is_number("The answer is a whole number.", 1, 6),
            equals(
                "It is the number of different areas among the six boxes of a cell of conv7.",
                lambda: len(
                    cell_shapes(get_preset("caffe300_voc"), 1).prod(1).mul(1e6).round().unique()
                ),
                (
                    "Which of the six boxes have the area of the small square?",
                    "Compute `cell_shapes(...).prod(dim=1)` and look.",
                ),
            ),
        ),
        (
            gives(
                lambda: 1, "A ratio keeps the area. But one box of the cell has no ratio to blame."
            ),
            gives(
                lambda: 6,
                "There are six shapes. A box that is stretched by a ratio keeps its area.",
            ),
        ),
    ),
    Exercise(
        "06.4",
        "Which ratio suits tall objects",
        "one of the ratios 1, 1/2 and 1/3",
        (
            is_number("The answer is one of the three ratios.", 0, 1),
            equals(
                "Boxes of this ratio have the largest mean IoU with the tall objects of the"
                f" first {truth.SCENES} scenes, when they share centre and area.",
                truth.best_ratio,
                (
                    "The mean over the objects with a height of at least 1.5 widths, for each of"
                    " the three ratios.",
                    "Put object and box on the same centre, (0, 0) say; `iou` doesn't mind.",
                ),
            ),
        ),
        (
            gives(
                lambda: 1 / truth.best_ratio(),
                "A ratio is width over height: of a tall box it is below 1.",
            ),
            gives(
                lambda: 1 / 3,
                "A lighthouse is that slim. Take the mean over all tall objects.",
            ),
            gives(lambda: 1.0, "A square, for objects half again as high as wide? Measure it."),
        ),
    ),
)
