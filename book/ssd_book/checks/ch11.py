"""Exercises of chapter 11: what training does to its pictures."""

import math

from ssd_book.checks import ch11_truth as truth
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
        "11.1",
        "Out of reach",
        "two numbers: the highest IoU, and how many of the six samplers can never succeed",
        (
            is_numbers("There are two numbers.", "highest IoU", "samplers that never succeed"),
            equals(
                "They are the highest IoU that a crop of Caffe's rule can have with a square object"
                f" whose side is {truth.OBJECT_SIDE} of the picture's, and the number of samplers"
                " that ask for more.",
                truth.out_of_reach,
                (
                    "Which crop is best? One that contains the whole object and little else.",
                    "A crop's area is the square of its scale. What is the smallest scale?",
                    "If one box is inside the other, the intersection is the smaller box and the"
                    " union the larger one.",
                    "Which of the minima 0, 0.1, 0.3, 0.5, 0.7 and 0.9 lie above that IoU?",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: truth.out_of_reach(truth.OBJECT_SIDE / truth.RULE.scales[0]),
                "Your IoU is a ratio of sides. IoU compares areas.",
            ),
            gives(
                lambda: truth.out_of_reach(truth.OBJECT_SIDE**2 / 0.1),
                "You took the paper's smallest area, 0.1. The code draws a scale for the sides.",
            ),
            gives(
                lambda: truth.out_of_reach(truth.OBJECT_SIDE**2),
                "Your IoU is that with the whole picture. A smaller crop has a higher one.",
            ),
        ),
    ),
    Exercise(
        "11.2",
        "Half is not half",
        "two crops, [2, 4], xyxy in fractions of the picture",
        (
            Property(
                "The answer is two crops inside the picture, each of at least 0.09 of its area.",
                truth.not_two_crops,
                (
                    "A list of two lists of xmin, ymin, xmax, ymax, each between 0 and 1, and width"
                    " times height at least 0.09.",
                ),
            ),
            Property(
                "The first is accepted by the sampler of 0.5, and shows at most 60 % of the"
                " object.",
                truth.first_is_no_success,
                (
                    "If the crop lies inside the object, what is their union?",
                    "Then the IoU is the share of the object that the crop shows. Cut off a little"
                    " less than half of the object, and include nothing else.",
                ),
            ),
            Property(
                "The second is refused by it, although it shows the whole object.",
                truth.second_is_no_failure,
                (
                    "If the object lies inside the crop, what is their union?",
                    "Take a crop of more than twice the object's area.",
                ),
            ),
        ),
        (
            Mistake(
                truth.other_way_round,
                "The crops are right, but in the other order: the accepted one comes first.",
            ),
        ),
    ),
    Exercise(
        "11.3",
        "Your own augmentation",
        "a dictionary of horizontal_flip, vertical_flip and distort (True or False), expand (0, or"
        " 1 to 4) and crop_prob (0 to 1)",
        (
            Property(
                "It has the five settings, within their ranges.",
                truth.not_settings,
                ('`{"horizontal_flip": …, "vertical_flip": …, "distort": …, "expand": …, …}`.',),
            ),
            Property(
                "No operation changes what a label says.",
                truth.changes_labels,
                (
                    "Which of the labels speak of a direction, and which of a colour?",
                    "An arrow to the left, seen in a mirror, points to the right.",
                ),
            ),
            Property(
                f"At most {truth.TOO_SMALL:.0%} of the objects are smaller than 0.1.",
                truth.too_many_too_small,
                (
                    "Expansion shrinks objects, and the crop enlarges them.",
                    "Expand by less, or send more pictures to the crop.",
                ),
            ),
            Property(
                f"At least {truth.SMALL:.0%} are smaller than 0.15.",
                truth.too_few_small,
                ("The crop enlarges too many: use it less often, or expand as well.",),
            ),
            Property(
                f"At least {truth.LARGE:.0%} are larger than 0.3.",
                truth.too_few_large,
                ("Only the crop makes objects larger.",),
            ),
        ),
        (
            Mistake(
                truth.is_all_of_ssds,
                "These are SSD's own settings, for photographs of everyday life. Yours have arrows"
                " and colours, and many small objects already.",
            ),
        ),
    ),
    Exercise(
        "11.4",
        "Boxes after a crop",
        "a function of boxes [N, 4] and a crop [4] that returns boxes [M, 4]",
        (
            returns(
                "It returns one box per object whose centre lies inside the crop.",
                truth.crop_cases,
                lambda boxes, crop: truth.boxes_after_crop(boxes, crop).shape,
                (
                    "The centre is the mean of the two corners; it must be inside along x and"
                    " along y.",
                ),
            ),
            agrees(
                "The boxes are clipped at the crop's border, and measured from the crop's upper"
                " left corner.",
                truth.boxes_after_crop,
                truth.crop_cases,
                (
                    "Clip first: no corner may lie outside the crop. Then shift.",
                    "After the shift, a box that reaches the crop's left border has xmin 0.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(boxes, crop, truth.touching(boxes, crop)),
                truth.crop_cases,
                "You keep every object that the crop touches. Some may show no more than an ear.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(boxes, crop, truth.whole(boxes, crop)),
                truth.crop_cases,
                "You keep only the objects that lie entirely inside. A centre is enough.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(
                    boxes, crop, truth.centres_inside(boxes, crop), cut=False
                ),
                truth.crop_cases,
                "Your boxes reach outside the crop, where there is no picture left.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(
                    boxes, crop, truth.centres_inside(boxes, crop), moved=False
                ),
                truth.crop_cases,
                "Your boxes are still measured from the corner of the whole picture.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "11.5",
        "What expansion does to areas",
        "the mean factor, as a number or an expression",
        (
            is_number("The answer is a number between 0 and 1.", 0, 1),
            equals(
                "It is the factor by which expansion changes an object's share of the picture,"
                " averaged over all pictures of a training run.",
                truth.mean_area,
                (
                    "Expanded by a ratio r, a picture fills 1 / r² of its canvas. And half of the"
                    " pictures are not expanded.",
                    "The mean of 1 / r² is not 1 over the square of the mean ratio. Integrate, or"
                    " draw a million ratios.",
                    "The integral of 1 / r² from 1 to 4 is 1 - 1 / 4, and the ratios are spread"
                    " over an interval of length 3.",
                ),
                tolerance=3e-3,
            ),
        ),
        (
            gives(
                lambda: truth.mean_area(1.0),
                "This is the mean over the expanded pictures. What about the other half?",
                tolerance=3e-3,
            ),
            gives(
                truth.of_the_mean_ratio,
                "You squared the mean ratio. The mean of 1 / r² is a different number.",
                tolerance=3e-3,
            ),
            gives(
                lambda: 0.5 + 0.5 * math.log(4) / 3,
                "This is what happens to a side. An area has two.",
                tolerance=3e-3,
            ),
        ),
    ),
)
