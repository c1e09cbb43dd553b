"""Exercises of chapter 14: from detections to a number, and what the number leaves open."""

from dataclasses import replace

from ssd_book.checks import ch14_truth as truth
from ssd_book.checks.engine import Exercise
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number

EXERCISES = (
    Exercise(
        "14.1",
        "A stricter eye",
        "a number between 0 and 1: the AP of the five detections at an IoU threshold of 0.8",
        (
            replace(  # whose own hint gives a quarter as an example
                is_number("The answer is a number between 0 and 1.", 0, 1),
                hints=("A number such as 0.7, or an expression that gives one.",),
            ),
            equals(
                "It is the area under the envelope, if an IoU of 0.8 or more is a hit.",
                truth.five,
                (
                    "Write down the table again: verdict, hits so far, precision, recall. The IoUs"
                    " of A to E are 0.75, 0.80, 0.40, 0.80 and 0.60.",
                    "There are two hits. At the first, the best precision at its recall or a"
                    " higher one is that of the second.",
                ),
            ),
        ),
        (
            gives(lambda: truth.five(0.5), "This is the AP at 0.5, which the chapter computes."),
            gives(
                lambda: truth.five(interpolation="11 points"),
                "This is the eleven-point rule. The question is about the area.",
            ),
            gives(
                truth.five_if_taken,
                "You call B a duplicate. A has an IoU of 0.75, which is no longer a hit: does a"
                " false box take an object?",
            ),
            gives(
                truth.five_of_the_found,
                "Recall divides by the number of all objects, including those that are never"
                " found.",
            ),
        ),
    ),
    Exercise(
        "14.2",
        "Eleven points",
        "a function of recall and precision, two lists of the same length, that returns a number",
        (
            agrees(
                "It gives what `voc_ap` gives by eleven points, even if three of ten objects are"
                " found, or none.",
                truth.eleven_points,
                truth.curves,
                (
                    "For each of the eleven recalls: which entries have at least this recall? The"
                    " largest of their precisions counts.",
                    "Without such an entry it is 0, which `max(…, default=0.0)` takes care of. At"
                    " the end, divide by 11.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.eleven_without_envelope,
                truth.curves,
                "You read the precision where the recall is first reached. A later row can have a"
                " better one, at a higher recall: take the best.",
            ),
            behaves_like(
                truth.ten_points,
                truth.curves,
                "You leave out recall 0. It counts, too, and takes the best precision of all.",
            ),
            behaves_like(
                truth.eleven_of_floats,
                truth.curves,
                "Three of ten objects have recall 0.3, but 0.1 * 3 is 0.30000000000000004. Write"
                " the recalls as k / 10.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "14.3",
        "Is A better than B?",
        "a function of found_a, found_b, objects [P] and draws [R, P] that returns two numbers",
        (
            agrees(
                "It returns the 2.5th and the 97.5th percentile of the difference of the recalls,"
                " over the same samples for both.",
                truth.difference,
                truth.comparisons,
                (
                    "A sample's recall is a ratio: the objects found in all of its pictures, by"
                    " the objects in all of them. A picture that is drawn twice counts twice.",
                    "`draws @ found_a` is what A finds in each sample. Subtract sample by sample,"
                    " before you take percentiles.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.of_two_intervals,
                truth.comparisons,
                "You subtract the ends of two intervals. What makes a sample hard for both has to"
                " cancel first: subtract within each sample.",
            ),
            behaves_like(
                truth.of_other_samples,
                truth.comparisons,
                "B gets other samples than A. Compare them on the same pictures.",
            ),
            behaves_like(
                truth.of_mean_recalls,
                truth.comparisons,
                "You average the recalls of the pictures, so a picture with one object counts as"
                " much as one with ten. Recall is a ratio of sums.",
            ),
            behaves_like(
                lambda *case: truth.difference(*case, ends=(5, 95)),
                truth.comparisons,
                "This is a 90 % interval. For 95 % leave out 2.5 % at each end.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "14.4",
        "COCO's rule",
        "a function of an IoU table [D, G] and a threshold that returns D Booleans, True for a hit",
        (
            agrees(
                "It decides as `coco_ap` does, even if two objects overlap or an IoU is exactly at"
                " the threshold.",
                truth.coco_verdicts,
                truth.tables,
                (
                    "Before you look for the largest IoU in a row, leave out the objects that are"
                    " taken.",
                    "List the free objects whose IoU is at least the threshold. If there are none,"
                    " the box is false; otherwise it takes the best one.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.voc_verdicts,
                truth.tables,
                "This is VOC's rule: a box whose best object is taken is false. By COCO's it may"
                " take another object that it overlaps enough.",
            ),
            behaves_like(
                truth.first_that_fits,
                truth.tables,
                "You take the first free object that overlaps enough. Take the best one: a later"
                " box may need the first.",
            ),
            behaves_like(
                truth.nobody_takes,
                truth.tables,
                "You count every box that overlaps an object enough as a hit. An object can be"
                " found once: keep track of those taken.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "14.5",
        "Two pixels",
        "a whole number of pixels",
        (
            is_number("The answer is a number of pixels above 2.", truth.SHIFT),
            equals(
                "It is the smallest whole side at which the shifted square has an IoU of 0.75.",
                truth.smallest_side,
                (
                    "The intersection is a square of side s - 2. What do the two squares cover"
                    " together?",
                    "Twice the area, minus what they share. Try sides from 20 up.",
                ),
            ),
        ),
        (
            gives(
                truth.smallest_side_by_share,
                "You require that three quarters of the object are covered. IoU divides by the"
                " union, which is larger than the object.",
            ),
            gives(
                lambda: truth.smallest_side(diagonal=False),
                "The box is shifted down as well, not only to the right.",
            ),
        ),
    ),
)
