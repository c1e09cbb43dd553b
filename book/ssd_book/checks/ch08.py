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
        "five numbers, one per prior: its ground truth (0 or 1), or -1 for a negative",
        (
            is_numbers("There is one number per prior, five in all.", "P0", "P1", "P2", "P3", "P4"),
            equals(
                "Each ground truth first gets a prior of its own; only then does the threshold"
                " count.",
                truth.small_example,
                (
                    "Find the largest IoU of the whole table. That pair is settled: cross out its"
                    " row and its column, and look again.",
                    "The first step has no threshold. Afterwards take each remaining prior, and"
                    " look down its column: is the larger IoU at least 0.5?",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.small_example("argmax"),
                "Ground truth 0 has no prior at all, so the network would never learn to find it."
                " Its best prior went to the other object: which is the best of those left?",
            ),
            gives(
                lambda: truth.fill_up(
                    table := iou(truth.TWO_OBJECTS, truth.FIVE_PRIORS),
                    torch.full((5,), -1).scatter(0, truth.row_by_row(table), torch.arange(2)),
                    0.5,
                ),
                "You start with ground truth 0. The order of the rows must not matter: the largest"
                " IoU of the whole table decides.",
            ),
            gives(
                lambda: truth.owner_of_each_prior(iou(truth.TWO_OBJECTS, truth.FIVE_PRIORS)),
                "The first step is right, but there is a second: any remaining prior with an IoU"
                " of at least 0.5 is positive, too.",
            ),
            gives(
                lambda: truth.small_example() + 1,
                "The idea is right, but count ground truths from 0, and write -1 for a negative.",
            ),
        ),
    ),
    Exercise(
        "08.2",
        "A prior for every ground truth",
        "a function of an IoU table [G, P] that returns [G] integers: the prior of each ground"
        " truth, or -1 if it overlaps none of those left",
        (
            returns(
                "It returns one integer per ground truth: shape [G].",
                truth.tables,
                lambda table: table.shape[:1],
                ("Rows are ground truths, columns are priors. Start from a tensor of G times -1.",),
                integers=True,
            ),
            Property(
                "No prior is given to two ground truths.",
                truth.shared_prior,
                (
                    "Once a prior has been given away, no other ground truth may get it.",
                    "Cross out its whole column, for all ground truths, before you look again.",
                ),
            ),
            Property(
                "The pair with the largest IoU of the whole table is settled first.",
                truth.not_the_best_first,
                (
                    "Search all G times P entries at once, not row by row.",
                    "`argmax` without `dim` counts through the flattened table; `divmod` with the"
                    " number of columns turns that into a row and a column.",
                ),
            ),
            agrees(
                "It gives what the first step of `match` gives, even with fewer priors than ground"
                " truths, and for a ground truth that overlaps nothing.",
                truth.bipartite,
                truth.tables,
                (
                    "How many rounds are there? Each removes one row and one column from the"
                    " table.",
                    "When the largest remaining entry is 0, nothing that is left overlaps: stop.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.best_of_each_row,
                truth.tables,
                "Every ground truth takes its own best prior. This is the argmax rule, under which"
                " two of them can end up with the same one.",
            ),
            behaves_like(
                truth.row_by_row,
                truth.tables,
                "You go through the ground truths in file order. Shuffle the file, and the matches"
                " change: let the IoU decide which one comes first.",
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
                "It returns one integer per prior: shape [P].",
                truth.fill_up_cases,
                lambda table, taken, threshold: taken.shape,
                ("Each prior depends only on its own column of the table.",),
                integers=True,
            ),
            Property(
                "What the first step matched stays matched.",
                truth.first_step_lost,
                ("Wherever `taken` is not -1, `taken` is the answer.",),
            ),
            agrees(
                "Every other prior is matched to the ground truth that it overlaps most if their"
                " IoU is at least the threshold, and is negative otherwise.",
                truth.fill_up,
                truth.fill_up_cases,
                (
                    "`max` over a dimension returns two things: the values and their indices.",
                    "`torch.where` chooses: one value where the IoU is at least the threshold,"
                    " another elsewhere. Use it a second time for what was taken.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(table, taken, threshold + 1e-6),
                truth.fill_up_cases,
                "An IoU exactly at the threshold is a match: at least, not above.",
            ),
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(table, taken, 0),
                truth.fill_up_cases,
                "None of your priors is negative, however little it overlaps. Where is the"
                " threshold?",
            ),
            behaves_like(
                lambda table, taken, threshold: truth.fill_up(
                    table, torch.full_like(taken, -1), threshold
                ),
                truth.fill_up_cases,
                "You never look at `taken`, so a ground truth whose prior is below the threshold"
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
                "The answer is two boxes [2, 4] of positive size, inside the picture.",
                truth.not_two_boxes,
                ("A float tensor with two rows of xmin, ymin, xmax, ymax, each between 0 and 1.",),
            ),
            Property(
                "They are two objects and not one drawn twice: their IoU is at most 0.75.",
                truth.nearly_the_same,
                ("Make one clearly smaller, or move it.",),
            ),
            Property(
                "Under the argmax rule, one of the two keeps no prior.",
                truth.nothing_vanishes,
                (
                    "Both must have the same best prior, and the one that loses it must have no"
                    " other prior with an IoU of 0.5.",
                    "Few priors fit small objects: the smallest have the area of a square of side"
                    " 0.1. Put a flat box around the centre of a cell, and a thinner one inside"
                    " it.",
                    "If two have the same best prior, the later one in the list gets it. Cells of"
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
                "Nearly: with the two boxes in the other order, one of them vanishes. Think about"
                " which of the two gets the prior.",
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
                "It is the share of positive priors that remain when the threshold rises from 0.5"
                f" to 0.6, over the first {truth.SCENES} scenes.",
                lambda: truth.positives(0.6) / truth.positives(0.5),
                (
                    "`match` takes the threshold; its result has `positive`, [B, P], to be summed.",
                    "Put all pictures into one batch: `make_targets` takes a list of boxes and a"
                    " list of labels. The boxes of a scene are in pixels; divide them by its size.",
                ),
            ),
        ),
        (
            gives(
                lambda: 1 - truth.positives(0.6) / truth.positives(0.5),
                "This is the share that is lost. The question is which share remains.",
            ),
            gives(
                lambda: truth.positives(0.6, forced=False) / truth.positives(0.5, forced=False),
                "You count the priors with an IoU above the threshold. But those matched in the"
                " first step are positive at any threshold: let `match` count.",
            ),
        ),
    ),
)
