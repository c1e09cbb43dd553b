"""Exercises of chapter 11: what training does to its pictures."""

import math

from ssd_book.checks import ch11_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number, returns

EXERCISES = (
    Exercise(
        "11.1",
        "Out of reach",
        "the highest IoU, as a number or an expression",
        (
            is_number("The answer is a number between 0 and 1.", 0, 1),
            equals(
                "It is the highest IoU that a crop of Caffe's rule can have with a square object"
                f" whose side is {truth.OBJECT_SIDE} of the picture's.",
                truth.highest_iou,
                (
                    "Which crop is best? One that contains the whole object and little else.",
                    "A crop's area is the square of its scale. What is the smallest scale?",
                    "If one box is inside the other, the intersection is the smaller box and the"
                    " union the larger one.",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: truth.OBJECT_SIDE / truth.RULE.scales[0],
                "This is a ratio of sides. IoU compares areas.",
            ),
            gives(
                lambda: truth.OBJECT_SIDE**2 / 0.1,
                "You took the paper's smallest area, 0.1. The code draws a scale for the sides.",
            ),
            gives(
                lambda: truth.OBJECT_SIDE**2,
                "This is the IoU with the whole picture. A smaller crop has a higher one.",
            ),
        ),
    ),
    Exercise(
        "11.2",
        "Half is not half",
        "two crops, [2, 4], xyxy in fractions of the picture",
        (
            Property(
                "The answer is two crops of positive size, inside the picture.",
                truth.not_two_crops,
                ("A list of two lists of xmin, ymin, xmax, ymax, each between 0 and 1.",),
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
        "Sides of a crop",
        "a function of scale and aspect that returns width and height",
        (
            agrees(
                "Width and height are fractions of the picture: their product is the square of the"
                " scale, and their ratio is the aspect ratio, limited so that no side exceeds 1.",
                truth.crop_sides,
                truth.shape_cases,
                (
                    "Without the limit, w * h = scale ** 2 and w / h = aspect. Multiply the two"
                    " equations.",
                    "A side is at most 1. Which aspect ratio makes w = 1, and which makes h = 1?",
                    "Keep the aspect ratio between scale ** 2 and 1 / scale ** 2.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_sides(*case, root=lambda a: a),
                truth.shape_cases,
                "The ratio of your sides is the square of the aspect ratio: a root is missing.",
            ),
            behaves_like(
                lambda *case: truth.wrong_sides(*case, bent=False),
                truth.shape_cases,
                "Some of your crops are larger than the picture.",
            ),
            behaves_like(
                truth.clipped_sides,
                truth.shape_cases,
                "You shorten a side that is too long, and the area shrinks with it. Caffe limits"
                " the aspect ratio and keeps the area.",
            ),
            behaves_like(
                lambda *case: truth.wrong_sides(*case, squared=False),
                truth.shape_cases,
                "You use the scale as the area. That is how the paper words it, but not what the"
                " code does.",
            ),
        ),
        function=True,
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
