"""Exercises of chapter 18: conventions of others, found and translated."""

from ssd_book.checks import ch18_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number, returns

EXERCISES = (
    Exercise(
        "18.1",
        "A clamp that is not a clip",
        "a whole number of priors",
        (
            is_number("The answer is a whole number of priors.", 0),
            equals(
                "It is the number of SSD512's priors that are wider or higher than the picture.",
                truth.clamped,
                (
                    "A centre of SSD512 is always inside: 512 is divided by each step. Which sides"
                    " exceed 512 pixels?",
                    "The longest side of a map is its size times the root of its largest ratio."
                    " Maps with six boxes have ratio 3, the others 2.",
                    "Three maps are concerned. On each, a wide and a high shape per cell: 4 × 4,"
                    " 2 × 2 and 1 × 1 cells.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.clamped("paper"),
                "This is SSD300's number. SSD512 has a seventh map and other sizes.",
            ),
            gives(
                lambda: truth.clamped() / 2,
                "You count one shape per cell. A wide one has a high twin.",
            ),
            gives(
                lambda: truth.clamped() - 32,
                "You left out a map with six boxes per cell: 307 pixels times the root of 3.",
            ),
            gives(
                truth.across,
                "These reach out of the picture. A clamp of cx, cy, w, h leaves most of them.",
            ),
        ),
    ),
    Exercise(
        "18.2",
        "Rows from another order",
        "a function of rows [cells * cells * boxes, n], cells and boxes that returns rows",
        (
            returns(
                "The result has as many rows as the argument, and as many numbers per row.",
                truth.row_cases,
                lambda rows, cells, boxes: rows.shape,
                ("Only the order changes: reshape back to [rows, n] at the end.",),
            ),
            agrees(
                "Rows run over the cells first, row by row, and over the boxes of a cell last.",
                truth.cells_first,
                truth.row_cases,
                (
                    "Give the rows the shape that they have: which index changes slowest?",
                    "View them as [boxes, cells * cells, n], and exchange two dimensions.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda rows, cells, boxes: rows,
                truth.row_cases,
                "These are the rows as they came. A reshape alone never moves a number.",
            ),
            behaves_like(
                truth.shapes_first,
                truth.row_cases,
                "This is the way back: it takes rows in our order and puts the shapes first.",
            ),
            behaves_like(
                truth.columns_first,
                truth.row_cases,
                "Boxes come last now. But your cells run down the columns; ours, and theirs, run"
                " along the rows.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "18.3",
        "Three losses, whose N?",
        "a dict with a rule for each of A, B and C",
        (
            Property(
                "There is one of the three rules for each letter.",
                truth.not_three_names,
                ("Copy the names from the list `rules`.",),
            ),
            Property(
                "Each letter has the rule that it computes.",
                truth.wrong_rule,
                (
                    "Call each with two pictures, equal sums, and different numbers of positives.",
                    "Double both numbers of positives: which of the three doesn't notice?",
                    "Of the other two, one lets a picture with few positives count as much as one"
                    " with many.",
                ),
            ),
        ),
        (),
    ),
    Exercise(
        "18.4",
        "Recoloured",
        "a number between 0 and 1",
        (
            is_number("The answer is a share between 0 and 1.", 0, 1),
            equals(
                "It is the share of pictures whose channels end in another order.",
                truth.recoloured,
                (
                    "How many orders do three channels have? Is one of them the order that they"
                    " have already?",
                    "Multiply the probability of a draw by that of drawing another order.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.recoloured(identity_counts=False),
                "One of the six orders leaves the picture as it is.",
            ),
            gives(
                lambda: truth.recoloured(p=1),
                "This is so for the pictures for which an order is drawn: half of them.",
            ),
        ),
    ),
    Exercise(
        "18.5",
        "Undocumented weights",
        "a function of logits [B, 8732, 13] and offsets [B, 8732, 4] that returns both",
        (
            Property(
                "It returns logits and offsets of the same shapes.",
                truth.not_two_tensors,
                ("`return logits, offsets`: a tuple of two tensors.",),
            ),
            Property(
                "The background is class 0: it is the surest class of nearly every row.",
                truth.background_elsewhere,
                (
                    "Nearly all priors see background. Which column of the logits is the largest"
                    " in most rows?",
                    "`roll` moves the last column to the front.",
                ),
            ),
            Property(
                "Rows are those of the package's priors.",
                truth.rows_elsewhere,
                (
                    "Look at how sure the rows are that they see an object, for one picture: a"
                    " plot of the first 5776 shows a period. Ours would show groups of four.",
                    "`other.shape_first(preset)` says where their rows are in ours. You need the"
                    " way back.",
                    "The inverse of a permutation is its `argsort`.",
                ),
            ),
            Property(
                "Offsets are in the units of the variances.",
                truth.other_units,
                (
                    "Compare the spread of the four columns with what chapter 4 says of targets.",
                    "These offsets are raw. The package expects them divided by 0.1, 0.1, 0.2"
                    " and 0.2.",
                ),
            ),
        ),
        (
            Mistake(
                truth.rows_moved_forth,
                "The classes are right, and so is the permutation, but it goes the wrong way: from"
                " our order to theirs.",
            ),
        ),
        function=True,
    ),
)
