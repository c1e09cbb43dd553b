"""Exercises of chapter 8: which prior is matched to which ground truth."""

import torch

from ssd_book.checks import ch08_truth as truth
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
from ssd_tutorial.boxes import iou

EXERCISES = (
    Exercise(
        "08.1",
        "Two objects, one favourite",
        "five numbers, one a prior: the ground truth (0 or 1) it must find, or -1 for a negative",
        (
            is_numbers("There is one number for each of the five priors.", 5),
            equals(
                "Each ground truth first gets a prior of its own, then the threshold is asked.",
                truth.small_example,
                (
                    "Look for the largest IoU of the whole table. That pair is settled; cross out"
                    " its row and its column, and look again.",
                    "The first step knows no threshold. Afterwards every prior that is left looks"
                    " down its own column: is the larger IoU at least 0.5?",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.small_example("argmax"),
                "Ground truth 0 has no prior at all, so nothing would ever learn to find it. Its"
                " favourite went to the other object: which is its best among those left?",
            ),
            gives(
                lambda: truth.fill_up(
                    table := iou(truth.TWO_OBJECTS, truth.FIVE_PRIORS),
                    torch.full((5,), -1).scatter(0, truth.row_by_row(table), torch.arange(2)),
                    0.5,
                ),
                "You serve ground truth 0 first. The order of the rows has no say: the largest IoU"
                " of the whole table has.",
            ),
            gives(
                lambda: truth.owner_of_each_prior(iou(truth.TWO_OBJECTS, truth.FIVE_PRIORS)),
                "The first step is right. There is a second: a prior that is left and has an IoU"
                " of at least 0.5 is positive too.",
            ),
            gives(
                lambda: truth.small_example() + 1,
                "Right in kind, but count ground truths from 0, and write -1 for a negative.",
            ),
        ),
    ),
    Exercise(
        "08.2",
        "A prior for every ground truth",
        "a function of an IoU table [G, P] that returns [G] integers: the prior of each ground"
        " truth, or -1 where none is left that it overlaps",
        (
            returns(
                "It returns one integer for each ground truth: shape [G].",
                truth.tables,
                lambda table: table.shape[:1],
                ("A row is a ground truth, a column a prior. Start from G times -1.",),
                integers=True,
            ),
            Property(
                "No prior goes to two ground truths.",
                truth.shared_prior,
                (
                    "Once a prior has been given away, nobody else may get it.",
                    "Cross out its whole column, for all ground truths, before you look again.",
                ),
            ),
            Property(
                "The pair with the largest IoU of the whole table is settled first.",
                truth.not_the_best_first,
                (
                    "Search all G times P entries at once, not one row after the other.",
                    "`argmax` without `dim` counts through the flattened table; `divmod` with the"
                    " number of columns turns that into a row and a column.",
                ),
            ),
            agrees(
                "It gives what `match` gives in its first step, also with fewer priors than"
                " ground truths, and for a ground truth that overlaps nothing.",
                truth.bipartite,
                truth.tables,
                (
                    "How many rounds are there? In each, one row and one column leave the table.",
                    "When the largest entry left is 0, nobody who is left overlaps anything: stop.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.best_of_each_row,
                truth.tables,
                "Every ground truth takes its own best prior: this is the argmax rule, and two of"
                " them end up with the same one.",
            ),
            behaves_like(
                truth.row_by_row,
                truth.tables,
                "You serve the ground truths in their order in the file. Shuffle that file, and"
                " the matches change: let the IoU decide who comes first.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "08.3",
        "Everybody else",
        "a function of an IoU table [G, P], of taken [P] (the ground truth that the first step"
        " gave each prior, or -1) and of a threshold, that returns [P] integers",
        (
            returns(
                "It returns one integer for each prior: shape [P].",
                truth.fill_up_cases,
                lambda table, taken, threshold: taken.shape,
                ("Each prior looks down its own column of the table.",),
                integers=True,
            ),
            Property(
                "What the first step gave stays as it is.",
                truth.first_step_lost,
                ("Wherever `taken` is not -1, it is the answer.",),
            ),
            agrees(
                "Every other prior takes the ground truth that it overlaps most, if the IoU is at"
                " least the threshold, and is negative otherwise.",
                truth.fill_up,
                truth.fill_up_cases,
                (
                    "`max` over a dimension gives two things: the values and where they are.",
                    "One choice for IoU at least the threshold, another for the rest:"
                    " `torch.where` takes both. Then a second choice for what was taken.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(table, taken, threshold + 1e-6),
                truth.fill_up_cases,
                "An IoU of exactly the threshold counts as a match: at least, not above.",
            ),
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(table, taken, 0),
                truth.fill_up_cases,
                "No prior of yours is negative, little as it may overlap. Where is the threshold?",
            ),
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(
                    table, torch.full_like(taken, -1), threshold
                ),
                truth.fill_up_cases,
                "You never look at `taken`: a ground truth whose prior is below the threshold"
                " loses it again.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "08.4",
        "Make a ground truth vanish",
        "a tensor [2, 4] of two boxes, xyxy in fractions of the picture",
        (
            Property(
                "The answer is two boxes [2, 4] of positive size inside the picture.",
                truth.not_two_boxes,
                ("A float tensor of two rows xmin, ymin, xmax, ymax, each between 0 and 1.",),
            ),
            Property(
                "They are two objects, not one drawn twice: their IoU is at most 0.75.",
                truth.nearly_the_same,
                ("Make one clearly smaller, or move it.",),
            ),
            Property(
                "Under the argmax rule one of the two keeps no prior.",
                truth.nothing_vanishes,
                (
                    "Both must have the same favourite, and the loser may have no other prior with"
                    " an IoU of 0.5.",
                    "Small objects have few friends: the least priors have the area of a square of"
                    " side 0.1. Put a flat box around the centre of a cell, a thinner one inside.",
                    "Where two want the same prior, the later one in the list wins. Cells of"
                    " conv4_3 have their centres at (i + 0.5) * 8 / 300.",
                ),
            ),
        ),
        (
            Mistake(
                lambda boxes: float(boxes.max()) > 1.5,
                "These look like pixels: divide by the size of the picture, 300.",
            ),
            Mistake(
                truth.vanishes_in_the_other_order,
                "You are nearly there: with the two boxes in the other order one of them vanishes."
                " Think about which of the two wins.",
            ),
        ),
    ),
    Exercise(
        "08.5",
        "A stricter threshold",
        "a number between 0 and 1: positives at threshold 0.6, divided by positives at 0.5",
        (
            is_number("The answer is a fraction between 0 and 1.", 0, 1),
            equals(
                "It is the share of positive priors that is left when the threshold rises"
                f" from 0.5 to 0.6, over the first {truth.SCENES} scenes.",
                lambda: truth.positives(0.6) / truth.positives(0.5),
                (
                    "`match` takes the threshold; its result has `positive`, [B, P], to be summed.",
                    "One batch of all pictures: `make_targets` takes a list of boxes and one of"
                    " labels. The boxes of a scene are in pixels: divide by its size.",
                ),
            ),
        ),
        (
            gives(
                lambda: 1 - truth.positives(0.6) / truth.positives(0.5),
                "This is the share that is lost. Asked is the share that stays.",
            ),
            gives(
                lambda: truth.positives(0.6, forced=False) / truth.positives(0.5, forced=False),
                "You count priors with an IoU above the threshold. The priors that the first step"
                " gives away are positive at any threshold: let `match` count.",
            ),
        ),
    ),
)
