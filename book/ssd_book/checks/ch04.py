"""Exercises of chapter 4: IoU, and the offsets between a box and a prior."""

from ssd_book.checks import ch04_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number, returns
from ssd_tutorial.boxes import iou

EXERCISES = (
    Exercise(
        "04.1",
        "An IoU by hand",
        "the IoU of the two boxes, as a number or as a fraction of two",
        (
            is_number("The answer is a number between 0 and 1.", 0, 1),
            equals(
                "It is the overlap of the two boxes, divided by their union.",
                lambda: float(iou(truth.TWO_BOXES[:1], truth.TWO_BOXES[1:])),
                (
                    "The overlap is itself a box: from the larger xmin to the smaller xmax, and"
                    " likewise in y. What is its area?",
                    "The union is the sum of the two areas, minus what that sum counts twice.",
                ),
                tolerance=0.005,
            ),
        ),
        (
            gives(
                lambda: truth.parts()[0] / (truth.parts()[1] + truth.parts()[2]),
                "Your union counts the overlap twice, because it lies in both boxes.",
                tolerance=0.001,
            ),
            gives(
                lambda: truth.parts()[0] / truth.parts()[1],
                "You divide by the area of one box. That measures how much of it is covered, and a"
                " huge box covers everything. Divide by the union.",
                tolerance=0.001,
            ),
            gives(
                lambda: truth.parts()[0],
                "This is the overlap, which is only the numerator of the fraction.",
                tolerance=0.001,
            ),
        ),
    ),
    Exercise(
        "04.2",
        "All IoUs at once",
        "a function of boxes [N, 4] and boxes [M, 4], both xyxy, that returns their IoUs [N, M]",
        (
            returns(
                "N boxes and M boxes give N rows and M columns.",
                truth.iou_cases,
                lambda a, b: (len(a), len(b)),
                (
                    "Broadcasting repeats a dimension of size 1 as often as needed: make the first"
                    " [N, 1, 4] and leave the second [M, 4].",
                ),
            ),
            Property(
                "Two boxes that don't touch have IoU 0.",
                truth.apart,
                (
                    "How wide does your code say the overlap is when the boxes don't touch?",
                    "A negative width times a negative height is a positive area.",
                ),
            ),
            agrees(
                "Every entry is the overlap divided by the union.",
                iou,
                truth.iou_cases,
                (
                    "Take the larger of the low corners and the smaller of the high ones:"
                    " `torch.maximum` and `torch.minimum` broadcast.",
                    "Try a box against itself: the IoU must be 1.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda a, b: truth.wrong_iou(a, b, clamp=False),
                truth.iou_cases,
                "A side of the overlap can come out negative, and must then count as 0 (`clamp`).",
            ),
            behaves_like(
                lambda a, b: truth.wrong_iou(a, b, once=False),
                truth.iou_cases,
                "Your union counts the overlap twice: subtract it once.",
            ),
            behaves_like(
                lambda a, b: truth.wrong_iou(a, b, pixel=1.0),
                truth.iou_cases,
                "You add 1 to widths and heights, as old code with inclusive pixel coordinates"
                " does. Here a width is xmax - xmin.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "04.3",
        "From a prior to its box",
        "a function of a box [4] and a prior [4], both cxcywh, that returns the four offsets [4]",
        (
            returns(
                "It returns four numbers.", truth.encode_cases, lambda box, prior: (4,), ("[4].",)
            ),
            agrees(
                "The first two offsets are the shift from the prior's centre to the box's, in"
                " widths and heights of the prior, divided by the variance 0.1.",
                truth.offsets,
                truth.encode_cases,
                (
                    "If the box is one whole prior width to the right of its prior, the shift is"
                    " 1.",
                    "Dividing by the variance turns this into 10, the number that the network has"
                    " to predict.",
                ),
                part=slice(0, 2),
            ),
            agrees(
                "The last two offsets say how much larger the box is, as a logarithm, divided by"
                " the variance 0.2.",
                truth.offsets,
                truth.encode_cases,
                (
                    "A box as large as its prior has offset 0; boxes twice and half as large have"
                    " offsets that differ only in sign. Which function does that?",
                    "It is the natural logarithm of the box's side divided by the prior's.",
                ),
                part=slice(2, 4),
            ),
        ),
        (
            behaves_like(
                lambda box, prior: truth.wrong_offsets(box, prior, power=0),
                truth.encode_cases,
                "Only the division by the variances is missing.",
            ),
            behaves_like(
                lambda box, prior: truth.wrong_offsets(box, prior, power=1),
                truth.encode_cases,
                "You multiply by the variances. `decode` does that; encoding divides.",
            ),
            behaves_like(
                lambda box, prior: truth.wrong_offsets(box, prior, unit=box),
                truth.encode_cases,
                "You measure the shift in sizes of the box. At inference the box is not known, but"
                " the prior is.",
            ),
            behaves_like(
                lambda box, prior: truth.wrong_offsets(box, prior, log=lambda x: x),
                truth.encode_cases,
                "A ratio of sizes is 1 where nothing changes, and is never negative. Its logarithm"
                " is 0 there and can have either sign.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "04.4",
        "How far a box may shift",
        "a number between 0 and 1: the shift, in widths of the box, at which the IoU is 0.5",
        (
            is_number("The answer is a fraction of the width.", 0, 1),
            equals(
                "A box that moves sideways by this fraction of its width has IoU 0.5 with its old"
                " position.",
                truth.half_iou_shift,
                (
                    "Compute the IoU for shifts from 0 to 1 in small steps. Where does it cross"
                    " one half?",
                    "On paper: after a shift d the overlap is 1 - d and the union is 1 + d.",
                ),
                tolerance=0.005,
            ),
        ),
        (
            gives(
                lambda: 0.5,
                "At this shift half of the box is still covered. But IoU divides by the union,"
                " which has grown: compute it.",
            ),
            gives(
                lambda: 1 - truth.half_iou_shift(),
                "This is the share of the box that is still covered. The question is how far it"
                " moved.",
                tolerance=0.005,
            ),
        ),
    ),
    Exercise(
        "04.5",
        "The largest shift",
        "four numbers, cxcywh, in fractions: an object",
        (
            Property(
                "The answer is a box of four numbers, cxcywh, of positive size.",
                truth.not_an_object,
                ("The centre first, then width and height: such as the prior itself.",),
            ),
            Property(
                f"Its IoU with the prior is at least {truth.LEAST_IOU}.",
                truth.too_little_overlap,
                (
                    "How much of the object lies in the prior, and how much do both cover?",
                    "What the object leaves of the prior costs IoU, and so does what it adds.",
                ),
            ),
            Property(
                f"Its first offset is at least {truth.LEAST_SHIFT}.",
                truth.too_short_a_shift,
                (
                    "The offset is the shift of the centre, in widths of the prior, divided by the"
                    " variance.",
                    "The centre moves, too, if one end of the object stays where it is and the"
                    " other goes away.",
                ),
            ),
        ),
        (
            Mistake(
                truth.is_given_as_corners,
                "As corners, xyxy, these would do. Give the centre and the size.",
            ),
            Mistake(
                truth.is_of_the_priors_size,
                "You move a box of the prior's own size. Both ends leave at once, which costs twice"
                " the overlap. Let one of them stay.",
            ),
        ),
    ),
)
