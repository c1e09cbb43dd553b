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
        "How many can there be?",
        "three whole numbers: scores compared, candidates of all classes, detections",
        (
            is_numbers("There are three numbers.", "scores", "candidates", "detections"),
            equals(
                "They are the most that SSD300 on COCO can compare, pass to NMS, and return.",
                truth.most,
                (
                    "Every prior has one score per class other than the background.",
                    "The cap on candidates is per class, the cap on detections per picture.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.most(truth.CLASSES + 1),
                "You count the background as a class. It needs no box, so its score takes no part.",
            ),
            gives(
                lambda: truth.most(candidates=truth.CANDIDATES),
                "Almost: the cap on candidates applies to each class separately.",
            ),
        ),
    ),
    Exercise(
        "13.2",
        "Five boxes, on paper",
        "five numbers, one per box: 1 if it survives, 0 if not",
        (
            is_numbers(
                "There is one number per box, five in all.",
                *(f"score {score:.1f}" for score in truth.FIVE_SCORES.tolist()),
            ),
            equals(
                "A box survives if no survivor with a better score overlaps it by more than the"
                " threshold.",
                lambda: truth.survivors(truth.FIVE_BOXES, truth.FIVE_SCORES, 0.5).int(),
                (
                    "The best score comes first, wherever it is in the list. Which boxes does it"
                    " cross out?",
                    "Then take the best of those that are left. A box that is crossed out no"
                    " longer matters.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.five_in_order().int(),
                "You go through the boxes in the order of the list. The scores say which comes"
                " first.",
            ),
            gives(
                lambda: truth.five_fallen_fight().int(),
                "One of your boxes is removed by a box that was itself removed. Only a survivor may"
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
                "It returns one value per box: shape [N].",
                truth.crowds,
                lambda boxes, scores, labels, threshold: scores.shape,
                ("Start from N times False, and set the indices that `nms` returns.",),
            ),
            agrees(
                "Each class is suppressed separately, and no class affects another.",
                truth.survivors_by_class,
                truth.crowds,
                (
                    "Boxes that are far apart do not suppress each other. Can you move the classes"
                    " apart?",
                    "Move all boxes of a class by the same distance: that changes no IoU among"
                    " them.",
                    "Use the label times a step that is longer than the whole range of"
                    " coordinates.",
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
                "This is torchvision's step, which assumes that no coordinate is negative. Some of"
                " these boxes reach beyond the picture on the left.",
            ),
            behaves_like(
                truth.sorted_survivors,
                truth.crowds,
                "The right boxes survive, but your answer is in the order of their scores. Give it"
                " in the order of the list.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "13.4",
        "A correct box that is removed",
        "a tensor [2, 4] of two boxes, xyxy in fractions of the picture",
        (
            Property(
                "The answer is two boxes [2, 4] of positive size, inside the picture.",
                truth.not_two_boxes,
                ("A float tensor with two rows of xmin, ymin, xmax, ymax, each between 0 and 1.",),
            ),
            Property(
                "Each is a correct detection: an IoU of at least 0.5 with its own object, and less"
                " with the other one.",
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
                "It returns one score per box: shape [N].",
                truth.lists,
                lambda boxes, scores, threshold: scores.shape,
                ("Work on `scores.clone()`, and return it.",),
            ),
            agrees(
                "A score is multiplied by 1 - IoU for each better box whose IoU with it is above"
                " the threshold.",
                truth.soft_nms,
                truth.lists,
                (
                    "There are rounds, as in NMS: the best of those left is taken out.",
                    "The others that overlap it too much stay, with a lower score.",
                    "Which box is next? Go by the scores as they are now.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.soft_nms(*case, fade=lambda overlap: 0.0),
                truth.lists,
                "This is plain NMS: scores fall to 0. Let them fall by the overlap instead.",
            ),
            behaves_like(
                lambda *case: truth.soft_nms(*case, again=False),
                truth.lists,
                "You keep the order of the old scores. After a round, a different box may be best.",
            ),
            behaves_like(
                lambda *case: truth.soft_nms(*case, fade=lambda overlap: overlap),
                truth.lists,
                "The larger the overlap, the lower the score must become. Yours does the opposite.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "13.6",
        "With a border",
        "a function of boxes [N, 4] in fractions of the square, and the photograph's width and"
        " height, that returns [N, 4] in pixels of the photograph",
        (
            returns(
                "It returns one box per box: shape [N, 4].",
                truth.letterboxed,
                lambda boxes, width, height: boxes.shape,
                ("Compute with all boxes at once: [N, 4] times a number is [N, 4].",),
            ),
            agrees(
                "The whole photograph is found as 0, 0, width, height, wide or high, and what"
                " lies in the border is clipped.",
                truth.undo_letterbox,
                truth.letterboxed,
                (
                    "How wide is the square, in pixels of the photograph? Multiply by that first.",
                    "The border is the same on both sides: half of what the shorter side lacks."
                    " Subtract it from both corners.",
                    "A box may reach into the grey. Clip it to the photograph at the end.",
                ),
                1e-3,
            ),
        ),
        (
            behaves_like(
                truth.undo_stretch,
                truth.letterboxed,
                "This undoes stretching: x times the width, y times the height. Here both were"
                " shrunk by one factor.",
                1e-3,
            ),
            behaves_like(
                lambda *case: truth.undo_letterbox(*case, both_sides=True),
                truth.letterboxed,
                "You subtract the whole border. Half of it lies on the other side.",
                1e-3,
            ),
            behaves_like(
                lambda *case: truth.undo_letterbox(*case, clipped=False),
                truth.letterboxed,
                "Some of your boxes reach into the grey, where there is no photograph.",
                1e-3,
            ),
        ),
        function=True,
    ),
)
