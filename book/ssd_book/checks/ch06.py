"""Exercises of chapter 6: the shapes of the boxes in one cell."""

from ssd_book.checks import ch06_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_number,
    is_numbers,
    returns,
)

EXERCISES = (
    Exercise(
        "06.1",
        "A wide box",
        "two numbers, width and height, as fractions of the image",
        (
            is_numbers("There are two numbers.", "width", "height"),
            equals(
                "The box is three times as wide as it is high, and has the area of a square of side"
                " 0.37.",
                truth.wide_box,
                (
                    "Two conditions: w / h is the ratio, and w * h is the area of the square.",
                    "Multiply one side by a number and divide the other by it, and the area stays"
                    " the same. Which number makes the ratio 3?",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: truth.wide_box().flip(0),
                "This box is tall. The ratio is width over height.",
            ),
            gives(
                lambda: [1.11, 0.37],
                "The ratio is right, but the box has three times the area of the square.",
            ),
            gives(
                lambda: [1.11, 0.37 / 3],
                "The area is right, but this box is nine times as wide as it is high.",
            ),
        ),
    ),
    Exercise(
        "06.2",
        "All shapes of a cell",
        "a function of s, s_next and ratios that returns widths and heights, [2 + 2 * ratios, 2]",
        (
            returns(
                "There are two squares and two boxes for each ratio; each row is a width and a"
                " height.",
                truth.shape_cases,
                lambda s, s_next, ratios: (2 + 2 * len(ratios), 2),
                ("Each ratio comes with its inverse: a wide box and a tall one.",),
            ),
            Property(
                "The widths over the heights are 1, 1, and each ratio with its inverse.",
                truth.ratio_unlike,
                (
                    "Divide your widths by your heights and compare with the ratios.",
                    "Multiply the width by the root of the ratio, and divide the height by it.",
                ),
            ),
            Property(
                "All boxes but the large square have the same area.",
                truth.other_area,
                ("What is the area of the small square? Every ratio keeps it.",),
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
                "The boxes are right, but in the order of another port, and weights trained with"
                " one order are meaningless in the other. Each ratio is followed by its own"
                " inverse.",
            ),
            behaves_like(
                truth.no_root,
                truth.shape_cases,
                "You stretch both sides by the whole ratio, so w / h is its square. Take the root.",
            ),
            behaves_like(
                lambda s, s_next, ratios: truth.large(s, s_next, ratios, (s + s_next) / 2),
                truth.shape_cases,
                "The side of your large square is the arithmetic mean of s and s_next. SSD takes"
                " the geometric one.",
            ),
            behaves_like(
                lambda s, s_next, ratios: truth.large(s, s_next, ratios, s_next),
                truth.shape_cases,
                "The next map already has a square of side s_next. This one lies in between.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "06.3",
        "How few ratios",
        "aspect ratios above 1, in a tuple or a list; each brings its inverse",
        (
            Property(
                "They are numbers above 1.",
                truth.no_ratios,
                ("Give a tuple such as (2, 3). One ratio alone: (2,).",),
            ),
            Property(
                "Every proportion from 1 : 8 to 8 : 1 reaches an IoU of 0.5 with one of the boxes.",
                truth.a_proportion_missed,
                (
                    "A box reaches the proportions up to 2.25 times its own, in both directions.",
                    "Where does the square's reach end? The next box has to begin there.",
                ),
            ),
            Property(
                "No smaller number of ratios would do.",
                truth.too_many_ratios,
                ("From r / 2.25 to 2.25 r is a factor of 5. How wide is the stretch to cover?",),
            ),
        ),
        (
            Mistake(
                lambda ratios: tuple(ratios) == (2, 3),
                "SSD's own pair reaches 3 times 2.25 = 6.75.",
            ),
            Mistake(
                lambda ratios: len(ratios) == 1 and ratios[0] > 2.25**2,
                "It reaches far enough, and leaves a gap between the square's reach and its own.",
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
                "Boxes of this ratio have the highest mean IoU with the tall objects of the"
                f" first {truth.SCENES} scenes, when they share centre and area.",
                truth.best_ratio,
                (
                    "For each of the three ratios, take the mean over the objects that are at"
                    " least 1.5 times as high as they are wide.",
                    "Give object and box the same centre, say (0, 0); `iou` works there too.",
                ),
            ),
        ),
        (
            gives(
                lambda: 1 / truth.best_ratio(),
                "A ratio is width over height, so it is below 1 for a tall box.",
            ),
            gives(
                lambda: 1 / 3,
                "Only a lighthouse is that slim. Take the mean over all tall objects.",
            ),
            gives(
                lambda: 1.0,
                "A square, for objects that are at least half again as high as wide? Measure it.",
            ),
        ),
        choices=dict(zip(("1", "1/2", "1/3"), truth.SHARES, strict=True)),
    ),
)
