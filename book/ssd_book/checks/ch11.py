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
                    "Which crop is best? One that holds the whole object, and little else.",
                    "A crop's area is the square of its scale. Which is the smallest scale?",
                    "If one box lies inside the other, their intersection is the smaller area and"
                    " their union the larger.",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: truth.OBJECT_SIDE / truth.RULE.scales[0],
                "This is a quotient of sides. IoU compares areas.",
            ),
            gives(
                lambda: truth.OBJECT_SIDE**2 / 0.1,
                "You took the paper's smallest area, .1. The code draws a scale, of the sides.",
            ),
            gives(
                lambda: truth.OBJECT_SIDE**2,
                "This is the IoU with the whole picture. A smaller crop does better.",
            ),
        ),
    ),
    Exercise(
        "11.2",
        "Half is not half",
        "two crops, [2, 4], xyxy in fractions of the picture",
        (
            Property(
                "The answer is two crops of positive size inside the picture.",
                truth.not_two_crops,
                ("A list of two lists xmin, ymin, xmax, ymax, each between 0 and 1.",),
            ),
            Property(
                "The first is accepted by the sampler of 0.5, and shows at most 60 % of the"
                " object.",
                truth.first_is_no_success,
                (
                    "If the crop lies inside the object, which area is the union?",
                    "Then the IoU is the share of the object that the crop shows. Cut off a bit"
                    " less than half of the object, and take in nothing else.",
                ),
            ),
            Property(
                "The second is refused by it, although it shows the whole object.",
                truth.second_is_no_failure,
                (
                    "If the object lies inside the crop, which area is the union?",
                    "Take a crop of more than twice the object's area.",
                ),
            ),
        ),
        (
            Mistake(
                truth.other_way_round,
                "Right crops, in the other order: the accepted one comes first.",
            ),
        ),
    ),
    Exercise(
        "11.3",
        "Sides of a crop",
        "a function of scale and aspect that returns width and height",
        (
            agrees(
                "Width and height are fractions of the picture: their product is the square of"
                " the scale, their quotient the aspect ratio, bent if a side would exceed 1.",
                truth.crop_sides,
                truth.shape_cases,
                (
                    "Without bending: w * h = scale ** 2 and w / h = aspect. Multiply the two"
                    " equations.",
                    "A side of 1 at most: which aspect ratio makes w = 1? Which makes h = 1?",
                    "Keep the aspect ratio between scale ** 2 and 1 / scale ** 2.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_sides(*case, root=lambda a: a),
                truth.shape_cases,
                "Your sides have the square of the aspect ratio as their quotient: a root is"
                " missing.",
            ),
            behaves_like(
                lambda *case: truth.wrong_sides(*case, bent=False),
                truth.shape_cases,
                "Some of your crops are larger than the picture.",
            ),
            behaves_like(
                truth.clipped_sides,
                truth.shape_cases,
                "You cut a side that is too long, and the area shrinks with it. Caffe bends the"
                " aspect ratio and keeps the area.",
            ),
            behaves_like(
                lambda *case: truth.wrong_sides(*case, squared=False),
                truth.shape_cases,
                "You take the scale for the area: the paper's words, not the code's rule.",
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
                "It returns a box for each object whose centre lies inside the crop.",
                truth.crop_cases,
                lambda boxes, crop: truth.boxes_after_crop(boxes, crop).shape,
                (
                    "The centre is the mean of the two corners; it must be inside along x and"
                    " along y.",
                ),
            ),
            agrees(
                "The boxes are cut at the crop's border, and counted from the crop's upper left"
                " corner.",
                truth.boxes_after_crop,
                truth.crop_cases,
                (
                    "Cut first: no corner may lie outside the crop. Then move.",
                    "After the move, a box that reaches the crop's left border has xmin 0.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(boxes, crop, truth.touching(boxes, crop)),
                truth.crop_cases,
                "You keep every object that the crop touches. Some show no more than an ear.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(boxes, crop, truth.whole(boxes, crop)),
                truth.crop_cases,
                "You keep only objects that lie inside altogether. A centre is enough.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(
                    boxes, crop, truth.centres_inside(boxes, crop), cut=False
                ),
                truth.crop_cases,
                "Your boxes reach outside the crop, where there is no picture any more.",
            ),
            behaves_like(
                lambda boxes, crop: truth.wrong_boxes(
                    boxes, crop, truth.centres_inside(boxes, crop), moved=False
                ),
                truth.crop_cases,
                "Your boxes still count from the corner of the whole picture.",
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
                "It is the mean, over all pictures of a training, of what expansion multiplies an"
                " object's share of the picture by.",
                truth.mean_area,
                (
                    "Expanded by the ratio r, a picture fills 1 / r² of its canvas. And half of"
                    " the pictures are not expanded.",
                    "The mean of 1 / r² is not 1 over the square of the mean ratio. Integrate, or"
                    " draw a million ratios.",
                    "Between 1 and 4 the integral of 1 / r² is 1 - 1 / 4; the ratios are spread"
                    " over a length of 3.",
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
                "You squared the mean ratio. The mean of the squares is another number.",
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
