"""Exercises of chapter 13: from scores and offsets to a few boxes."""

from ssd_book.checks import ch13_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_numbers,
    returns,
)

EXERCISES = (
    Exercise(
        "13.1",
        "How many there can be",
        "three whole numbers: scores compared, candidates of all classes, detections",
        (
            is_numbers("There are three numbers.", 3),
            equals(
                "They are the most that SSD300 can compare, put into NMS, and return, on COCO.",
                truth.most,
                (
                    "Every prior has one score for every class that is an object.",
                    "The cap on candidates counts one class, the cap on detections a picture.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.most(truth.CLASSES + 1),
                "You count the background as a class. Nobody wants a box around it, so its score"
                " takes no part.",
            ),
            gives(
                lambda: truth.most(candidates=truth.CANDIDATES),
                "Almost: the candidates are counted for each class by itself.",
            ),
        ),
    ),
    Exercise(
        "13.2",
        "Five boxes, on paper",
        "five numbers, one a box: 1 if it survives, 0 if not",
        (
            is_numbers("There is one number for each of the five boxes.", 5),
            equals(
                "A box survives if no survivor with a better score overlaps it by more than the"
                " threshold.",
                lambda: truth.survivors(truth.FIVE_BOXES, truth.FIVE_SCORES, 0.5).int(),
                (
                    "The best score comes first, wherever it stands in the list. Whom does that"
                    " box cross out?",
                    "Then take the best of those that are left. Those that are crossed out have no"
                    " say any more.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.five_in_order().int(),
                "You go through the boxes as they are listed. The scores say who comes first.",
            ),
            gives(
                lambda: truth.five_fallen_fight().int(),
                "One of your boxes falls to a box that has fallen itself. Only a survivor may"
                " cross out.",
            ),
            gives(
                lambda: truth.survivors(truth.FIVE_BOXES, truth.FIVE_SCORES, 0.499).int(),
                "An IoU of exactly the threshold is not more than the threshold.",
            ),
        ),
    ),
    Exercise(
        "13.3",
        "All classes in one call",
        "a function of boxes [N, 4], scores [N], labels [N] and a threshold that returns [N]: True"
        " for a survivor",
        (
            returns(
                "It returns one value for each box: shape [N].",
                truth.crowds,
                lambda boxes, scores, labels, threshold: scores.shape,
                ("Start from N times False, and set the places that `nms` returns.",),
            ),
            agrees(
                "Each class is suppressed for itself, and no class sees another.",
                truth.survivors_by_class,
                truth.crowds,
                (
                    "Boxes that lie far apart do not suppress each other. Can you take the classes"
                    " apart?",
                    "Move all boxes of a class by the same distance: that changes no IoU among"
                    " them.",
                    "Label times a step that is longer than the whole range of coordinates.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda boxes, scores, labels, threshold: truth.survivors(boxes, scores, threshold),
                truth.crowds,
                "A box of one class removes boxes of another: the labels have no effect.",
            ),
            behaves_like(
                lambda *case: truth.shifted_by(*case, 1.0),
                truth.crowds,
                "A step of 1 is enough for fractions of the picture. Some of these boxes are in"
                " pixels.",
            ),
            behaves_like(
                lambda *case: truth.shifted_by(*case, float(case[0].max()) + 1),
                truth.crowds,
                "This is torchvision's step, and torchvision asks for boxes without negative"
                " coordinates. Some of these reach out of the picture on the left.",
            ),
            behaves_like(
                truth.sorted_survivors,
                truth.crowds,
                "The right boxes survive, and your answer names them in the order of their scores."
                " Name them in the order of the list.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "13.4",
        "A right box that falls",
        "a tensor [2, 4] of two boxes, xyxy in fractions of the picture",
        (
            Property(
                "The answer is two boxes [2, 4] of positive size inside the picture.",
                truth.not_two_boxes,
                ("A float tensor of two rows xmin, ymin, xmax, ymax, each between 0 and 1.",),
            ),
            Property(
                "Each is a right detection: an IoU of at least 0.5 with its own object, and more"
                " with it than with the other.",
                truth.not_right,
                ("Start with the two objects themselves, and move the boxes a little.",),
            ),
            Property(
                "NMS at 0.45 removes one of the two.",
                truth.both_survive,
                (
                    "The objects overlap by less than 0.45. The boxes need not lie exactly on"
                    " them.",
                    "Move each box towards the other object.",
                ),
            ),
        ),
        (
            Mistake(
                lambda boxes: float(boxes.max()) > 1.5,
                "These look like pixels: divide by the size of the picture.",
            ),
            Mistake(
                truth.on_one_object,
                "Both lie on the same object, and one of them is rightly removed. Each object"
                " needs a box of its own.",
            ),
        ),
    ),
    Exercise(
        "13.5",
        "Fade, don't remove",
        "a function of boxes [N, 4], scores [N] and a threshold that returns the new scores [N]",
        (
            returns(
                "It returns a score for each box: shape [N].",
                truth.lists,
                lambda boxes, scores, threshold: scores.shape,
                ("Work on `scores.clone()`, and return it.",),
            ),
            agrees(
                "A score is multiplied by 1 - IoU for each better box that overlaps it by more"
                " than the threshold.",
                truth.soft_nms,
                truth.lists,
                (
                    "As in NMS there are rounds: the best of those left has its turn, and leaves.",
                    "The others that overlap it too much stay in the game, with a lower score.",
                    "Whose turn is next? Ask the scores as they are now.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.soft_nms(*case, fade=lambda overlap: 0.0),
                truth.lists,
                "This is NMS as it was: scores fall to 0. Let them fall by the overlap.",
            ),
            behaves_like(
                lambda *case: truth.soft_nms(*case, again=False),
                truth.lists,
                "You keep the order of the old scores. After a round somebody else may be best.",
            ),
            behaves_like(
                lambda *case: truth.soft_nms(*case, fade=lambda overlap: overlap),
                truth.lists,
                "The more they overlap, the more of the score must go. Yours keeps more of it.",
            ),
        ),
        function=True,
    ),
)
