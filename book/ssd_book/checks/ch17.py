"""Exercises of chapter 17: faults in a training run, and how to find them."""

from functools import partial

from ssd_book.checks import ch17_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number, returns


def _forgets(rule: str, hint: str) -> Mistake:
    return behaves_like(truth.without(rule), truth.object_cases, hint)


EXERCISES = (
    Exercise(
        "17.1",
        "The loss of a box in pixels",
        "the localization loss of one object, as a number or an expression",
        (
            is_number("The answer is a positive number.", 0),
            equals(
                "It is the smooth L1 of the four offsets from prior 0 to the box in pixels.",
                truth.first_loss,
                (
                    "Shift over the prior's size over 0.1; logarithm of the sizes' ratio over 0.2.",
                    "All four targets are far beyond 1, where smooth L1 is the value less a half.",
                ),
                tolerance=1.0,
            ),
        ),
        (
            gives(
                lambda: truth.first_loss(variances=(1.0,) * 4),
                "These are the offsets before they are divided by the variances.",
                tolerance=1.0,
            ),
            gives(
                lambda: truth.first_loss(squared=True),
                "You take half of the square. Beyond 1, smooth L1 is linear.",
                tolerance=1000.0,
            ),
            gives(
                lambda: truth.first_loss() / 4,
                "This is the mean of the four. The loss adds them.",
                tolerance=1.0,
            ),
        ),
    ),
    Exercise(
        "17.2",
        "Which objects can be learned from",
        "a function of boxes [N, 4], labels [N] and the number of classes that returns N truth"
        " values",
        (
            returns(
                "It returns one value per object, also for a picture without any.",
                truth.object_cases,
                lambda boxes, labels, num_classes: (len(boxes),),
                ("Compare columns, and join with `&`. `all(dim=1)` works without any row, too.",),
            ),
            agrees(
                "It is true for boxes with width and height, inside the picture, that have a label"
                " of an object, and for no others.",
                truth.sound_objects,
                truth.object_cases,
                (
                    "Four rules: both sides above 0; all corners from 0 to 1; a label from 1;"
                    " a label below the number of classes.",
                    "Write each rule so that it must hold. A comparison with NaN is always false.",
                ),
            ),
        ),
        (
            _forgets("background", "Label 0 passes. It is the background's."),
            _forgets("last", "With 13 classes the last label is 12."),
            _forgets("size", "A box without any width passes. Its logarithm is minus infinity."),
            _forgets("height", "You look at widths alone. What about ymin and ymax?"),
            _forgets("upper", "A box in pixels passes. Fractions end at 1."),
            _forgets(
                "nan",
                "NaN passes: you ask for what is wrong, and every comparison with NaN is false. Ask"
                " for what is right.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "17.3",
        "When to stop",
        "a function of a list of losses and a patience that returns two places in the list",
        (
            agrees(
                "It gives the places of the best and of the last measurement, also if patience"
                " never runs out.",
                truth.when_to_stop,
                truth.stop_cases,
                (
                    "Keep the place of the best so far. How many measurements ago was it?",
                    "Ask that after each measurement, the first included, and return at once.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda unseen, patience: (
                    unseen.index(min(unseen)),
                    truth.when_to_stop(unseen, patience)[1],
                ),
                truth.stop_cases,
                "This is the best of the whole list. The run may have ended before it.",
            ),
            behaves_like(
                partial(truth.when_to_stop, before=True),
                truth.stop_cases,
                "A measurement that is better than the one before it need not be better than the"
                " best so far.",
            ),
            behaves_like(
                partial(truth.when_to_stop, equal=True),
                truth.stop_cases,
                "An equal loss counts as better here: the run has gained nothing by it.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "17.4",
        "Diagnose a broken run",
        "one of the five causes in the cell, as text in quotes",
        (
            Property(
                "The answer is one of the five causes.",
                truth.no_cause,
                ("Copy one of the five, with its quotation marks.",),
            ),
            Property(
                "It explains the boxes that lie wrong, and those that lie right.",
                truth.other_cause,
                (
                    "In two of the four pictures every box is where it should be. Which cause"
                    " leaves some pictures alone?",
                    "Hold a mirror to the pictures with wrong boxes.",
                ),
            ),
        ),
        (
            Mistake(
                lambda cause: cause == "boxes of the next picture",
                "Then there would be as many boxes as the next picture has objects. Count: each"
                " picture has as many boxes as objects.",
            ),
            Mistake(
                lambda cause: cause == "x and y exchanged",
                "Then a wide object would have a high box. Compare the shapes.",
            ),
            Mistake(
                lambda cause: cause == "boxes in pixels",
                "Then no box would lie in a picture.",
            ),
            Mistake(
                lambda cause: cause == "learning rate too high",
                "A learning rate moves weights, not boxes.",
            ),
        ),
        choices={cause: cause for cause in truth.CAUSES},
    ),
    Exercise(
        "17.5",
        "Few measurements that find much",
        "a list of names of measurements, such as ['inputs', 'labels']",
        (
            Property(
                "It is a list of names of measurements.",
                truth.not_checks,
                ("The names are in the first column of the table in the chapter.",),
            ),
            Property(
                "Each of the seven faults breaks the rule of one of them.",
                truth.left_over,
                (
                    "Each fault in the last column of the table must be found by one of yours.",
                    "Some faults are found by one measurement alone. Begin with those.",
                ),
            ),
            Property(
                "No smaller list finds them all.",
                truth.too_many,
                (
                    "Leave out one at a time: is every fault still found?",
                    "A measurement that finds three faults may replace two that find one each.",
                ),
            ),
        ),
    ),
)
