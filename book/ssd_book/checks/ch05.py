"""Exercises of chapter 5: how large the boxes of each feature map are."""

from ssd_book.checks import ch05_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number
from ssd_tutorial.presets import get_preset
from ssd_tutorial.scales import compute_scales

EXERCISES = (
    Exercise(
        "05.1",
        "One scale on paper",
        "the scale of conv8_2, a fraction of the image",
        (
            is_number("The answer is a fraction of the image.", 0, 1),
            equals(
                "It is the second of five scales, equally spaced from 0.2 to 0.9.",
                lambda: compute_scales(get_preset("paper"))[2],
                (
                    "conv4_3 is outside the formula. If conv7 has k = 1, which k has conv8_2?",
                    "Five scales have four steps between them. How long is one?",
                ),
            ),
        ),
        (
            gives(
                lambda: compute_scales(get_preset("naive_m6"))[1],
                "You spread the scales over all six maps. The paper sets conv4_3 by hand, and the"
                " formula covers the five maps after it.",
            ),
            gives(
                lambda: compute_scales(get_preset("caffe300_voc"))[2],
                "This is what Caffe computes: it rounds the step down to a whole percent. The"
                " paper's formula doesn't round.",
            ),
            gives(
                lambda: compute_scales(get_preset("paper"))[3],
                "This is one map too far: the formula starts at conv7, which has k = 1.",
            ),
        ),
    ),
    Exercise(
        "05.2",
        "Caffe's sizes",
        "a function of the image size, first, low and high (whole percents) and the number of"
        " maps, that returns the size of each map's small square, in pixels",
        (
            Property(
                "It returns a list with one size per map.",
                truth.no_list,
                ("The first map has a percentage of its own; the others start at `low`.",),
            ),
            agrees(
                "The sizes are those of Caffe's scripts: the step between two maps is a whole"
                " percent.",
                truth.sizes,
                truth.size_cases,
                (
                    "How many maps does the formula cover, and how many steps lie between them?",
                    "The step is rounded down. For VOC at 300 pixels, 70 percent over four steps"
                    " is 17.",
                    "Then count up from `low` in that step, and take that percentage of the image"
                    " size.",
                ),
                tolerance=1e-3,
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_sizes(*case, whole=float),
                truth.size_cases,
                "You use the exact step. Caffe's scripts round it down to a whole percent.",
            ),
            behaves_like(
                lambda *case: truth.wrong_sizes(*case, gaps=-1),
                truth.size_cases,
                "Your step is too short by one map: the first map is outside the formula, so there"
                " is one step fewer.",
            ),
            behaves_like(
                lambda *case: [s / case[0] for s in truth.sizes(*case)],
                truth.size_cases,
                "These are fractions of the image. The answer should be in pixels.",
            ),
            behaves_like(
                lambda *case: [s / case[0] * 100 for s in truth.sizes(*case)],
                truth.size_cases,
                "These are percentages. The answer should be in pixels: that percentage of the"
                " image size.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "05.3",
        "Scales for small objects",
        "three whole percents: of the first map, and the two between which the others are spread",
        (
            Property(
                "They are three whole percents, and each is larger than the one before.",
                truth.no_percents,
                ("Caffe's own, for VOC, are 10, 20 and 90.",),
            ),
            Property(
                "Every square object of 20 to 200 pixels has a prior of IoU 0.5, wherever it is.",
                truth.a_size_missed,
                (
                    "Is it at the small end, or between two maps?",
                    "A square of 20 px may lie 4 px from the nearest centre, in x and in y. Its"
                    " prior needs room for that, and at most twice its area.",
                ),
            ),
        ),
        (
            Mistake(
                lambda percents: len(percents) == 3 and percents[0] >= 10,
                "The smallest square is 30 px or more: more than twice the area of an object of"
                " 20 px.",
            ),
            Mistake(
                lambda percents: len(percents) == 3 and percents[0] <= 7,
                "The smallest square is hardly larger than the smallest objects. One that lies 4"
                " px from its centre, in x and in y, sticks out.",
            ),
        ),
    ),
    Exercise(
        "05.4",
        "Whole pixels",
        "a number between 0 and 1: the lowest IoU of a prior with its twin of whole-pixel size",
        (
            is_number("The answer is an IoU.", 0, 1),
            equals(
                "No prior of caffe512_voc has a lower IoU with its twin.",
                lambda: truth.whole_pixel_iou("caffe512_voc"),
                (
                    "`get_preset(...).vary(name=..., integer_sizes=True)` makes the twin, and the"
                    " priors come in the same order.",
                    "The two boxes share a centre, and one is inside the other, so their IoU is"
                    " the ratio of their areas. Where is it smallest?",
                ),
                tolerance=0.002,
            ),
        ),
        (
            gives(
                lambda: truth.whole_pixel_iou("caffe512_voc") ** 0.5,
                "This is the ratio of two sides. IoU compares areas.",
                tolerance=0.002,
            ),
            gives(
                lambda: truth.whole_pixel_iou("caffe300_voc"),
                "Nothing changes for SSD300, whose sizes are whole pixels already. Take SSD512.",
                tolerance=1e-4,
            ),
        ),
    ),
)
