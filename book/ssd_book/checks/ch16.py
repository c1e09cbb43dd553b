"""Exercises of chapter 16: your own pictures."""

from ssd_book.checks import ch16_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_numbers

EXERCISES = (
    Exercise(
        "16.1",
        "From YOLO to VOC",
        "four numbers: xmin, ymin, xmax, ymax",
        (
            is_numbers("There are four numbers.", "xmin", "ymin", "xmax", "ymax"),
            equals(
                "They are what a VOC file contains for this box: pixels, counted from 1, the last"
                " one included.",
                truth.voc_numbers,
                (
                    "The four fractions are centre and size. How far does the box extend to either"
                    " side of its centre?",
                    "Multiply x by the width of the picture and y by its height. That gives edges:"
                    " the left edge of the first pixel is 0.",
                    "In VOC the first pixel is number 1. A box of 10 pixels at the left border has"
                    " edges 0 and 10, and is written as 1 to 10.",
                ),
                tolerance=0.01,
            ),
        ),
        (
            gives(
                lambda: truth.voc_numbers(shift=(0, 0, 0, 0)),
                "These are the edges. VOC counts pixels, and its first pixel has a number other"
                " than 0.",
                tolerance=0.01,
            ),
            gives(
                lambda: truth.voc_numbers(shift=(1, 1, 1, 1)),
                "You shift all four numbers. Try it on a box of the whole picture: VOC writes"
                " that as 1 to the picture's width.",
                tolerance=0.01,
            ),
            gives(
                lambda: truth.voc_numbers(corner=True),
                "You take the first two numbers for a corner. In YOLO they are the centre.",
                tolerance=0.01,
            ),
            gives(
                truth.voc_as_coco,
                "You give a corner and a size, which is how COCO writes a box.",
                tolerance=0.01,
            ),
            gives(
                lambda: truth.voc_numbers(size=truth.PICTURE[::-1]),
                "You multiply x by the height and y by the width.",
                tolerance=0.01,
            ),
        ),
    ),
    Exercise(
        "16.2",
        "The smallest object",
        "two numbers: width and height in pixels of the photograph",
        (
            is_numbers("There are two numbers.", "width", "height"),
            equals(
                "They belong to the smallest object that is square in the network's input and"
                " still has an IoU of 0.5 with a prior of caffe300_voc.",
                truth.smallest_side,
                (
                    "The smallest prior of this preset has the area of a square of side 0.1. Put"
                    " the object inside it: what is the IoU?",
                    "Inside the prior, the IoU is the object's area divided by the prior's.",
                    "A side is a fraction of the picture's width or of its height. The photograph"
                    " is stretched, so the two differ.",
                ),
                tolerance=1.0,
            ),
        ),
        (
            gives(
                lambda: truth.smallest_side(1.0),
                "That is the size of the prior. An object with an IoU of 0.5 may be smaller.",
                tolerance=1.0,
            ),
            gives(
                lambda: truth.smallest_side(0.5),
                "Half of the side gives a quarter of the area.",
                tolerance=1.0,
            ),
            gives(
                lambda: truth.smallest_side()[::-1],
                "The numbers are right, but in the other order.",
                tolerance=1.0,
            ),
            gives(
                truth.smallest_side_of_the_input,
                "These are pixels of the network's input. How many pixels of the photograph become"
                " one of those?",
                tolerance=1.0,
            ),
        ),
    ),
    Exercise(
        "16.3",
        "Large, but not reached",
        "a tensor [4]: xmin, ymin, xmax, ymax in fractions of the picture",
        (
            Property(
                "The answer is one box [4] of positive size, inside the picture.",
                truth.not_a_box,
                ("A float tensor of four numbers between 0 and 1, such as the corners of a car.",),
            ),
            Property(
                f"It covers at least {100 * truth.LARGE:.0f} % of the picture.",
                truth.not_large,
                ("That is width times height, both as fractions.",),
            ),
            Property(
                "No prior of caffe300_voc has an IoU of 0.5 with it.",
                truth.is_reached,
                (
                    "The priors have ratios up to 3 and down to 1/3. Which objects have another"
                    " shape?",
                    "Think of a lamp post, or of a train from the side.",
                ),
            ),
        ),
        (
            Mistake(
                lambda box: float(box.max()) > 1.5,
                "These look like pixels: divide by the size of the picture.",
            ),
            Mistake(
                truth.is_square_like,
                "At this size there are priors of every ratio up to 3. Change the shape, not the"
                " place.",
            ),
        ),
    ),
    Exercise(
        "16.4",
        "Labelled twice",
        "a function of boxes [N, 4], labels [N] and a threshold that returns pairs [M, 2]",
        (
            agrees(
                "It returns the pairs of boxes of the same class whose IoU is at least the"
                " threshold: each pair once, the lower index first, in order.",
                truth.near_pairs,
                truth.near_cases,
                (
                    "`iou(boxes, boxes)` is a table [N, N]. Which of its entries are pairs?",
                    "`labels[:, None] == labels` is a table of the same shape.",
                    "`nonzero()` turns a table of True and False into index pairs, in order; if"
                    " all are False, it is [0, 2].",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_pairs(*case, own=True),
                truth.near_cases,
                "Every box overlaps itself: keep only pairs of two different boxes.",
            ),
            behaves_like(
                lambda *case: truth.wrong_pairs(*case, both=True),
                truth.near_cases,
                "You have each pair twice, as i, j and as j, i. Keep those above the diagonal.",
            ),
            behaves_like(
                lambda *case: truth.wrong_pairs(*case, any_class=True),
                truth.near_cases,
                "You never look at the labels: a rider and a horse may have nearly the same box.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "16.5",
        "Nine of ten must be right",
        "a function of scores [N], right [N] and the least precision that returns a score",
        (
            Property(
                "It returns a score between 0 and 1.",
                truth.no_score,
                ("One of the scores will do.",),
            ),
            Property(
                "Of the detections with at least that score, the share that is right is at least"
                " the least precision, in whatever order they come.",
                truth.not_precise,
                ("`right[scores >= t]` belongs to the detections that t keeps. What is its mean?",),
            ),
            Property(
                "No lower score is precise enough, so that as few objects as possible are lost.",
                truth.not_the_lowest,
                ("Try every score as a threshold, and take the lowest that is precise enough.",),
            ),
        ),
        (
            behaves_like(
                truth.first_fall,
                truth.score_cases,
                "You stop where the precision first falls short. Further down it may be high"
                " enough again.",
            ),
            behaves_like(
                truth.highest_precise,
                truth.score_cases,
                "You take the highest score that is precise enough, and so lose nearly all"
                " objects.",
            ),
            behaves_like(
                lambda scores, right, least: least,
                truth.score_cases,
                "A score of 0.9 does not mean that nine of ten are right: let the detections"
                " decide.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "16.6",
        "Tiles that leave nothing out",
        "a function of a length, a tile's side and the least overlap, that returns a list of"
        " starts",
        (
            Property(
                "The tiles cover the photograph from 0 to its end, and none reaches beyond.",
                truth.does_not_cover,
                (
                    "The first tile begins at 0, and the last at the length minus the side.",
                    "A photograph that is not larger than a tile has one tile, at 0.",
                ),
            ),
            Property(
                "Two neighbours overlap by at least the overlap.",
                truth.overlaps_too_little,
                ("From one start to the next there are at most side - overlap pixels.",),
            ),
            Property(
                "There are as few tiles as possible.",
                truth.too_many_tiles,
                (
                    "After the first tile, length - side pixels are left, and each further tile"
                    " takes side - overlap of them at most. Round up.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda length, side, overlap: list(range(0, length, side - overlap)),
                truth.tile_cases,
                "Your last tile reaches beyond the photograph. Move it back, so that it ends with"
                " it.",
            ),
            behaves_like(
                lambda length, side, overlap: list(
                    range(0, max(1, length - side + 1), side - overlap)
                ),
                truth.tile_cases,
                "A strip at the end is in no tile, unless the length happens to fit.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "16.7",
        "Preprocess without torch, and lose no AP",
        "a function of a picture [H, W, 3], uint8, that returns [1, 3, 300, 300], uint8",
        (
            Property(
                "It returns what the file takes: an array of bytes [1, 3, 300, 300].",
                truth.not_an_input,
                (
                    "Channels come first, and in front of them the number of pictures, 1.",
                    "Round, and convert to uint8 at the end. The normalisation is in the file.",
                ),
            ),
            Property(
                "It differs from the training's resize by at most 2 of 255 levels.",
                truth.not_the_resize,
                (
                    "A picture that shrinks to a third: how many of its pixels take part in one"
                    " pixel of yours?",
                    "Pixel i of the result has its centre at (i + 0.5) * n / side in the picture,"
                    " and pixel j of the picture at j + 0.5.",
                    "The weights fall to 0 at a distance of n / side, or of 1 where that is less."
                    " Divide them by their sum.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda picture: truth.resized(picture, antialias=False),
                truth.photographs,
                "This is bilinear without antialias: most pixels of a large picture take no part.",
                tolerance=2,
            ),
            behaves_like(
                lambda picture: truth.resized(picture, nearest=True),
                truth.photographs,
                "You take one pixel for each. Take a weighted mean of all around its centre.",
                tolerance=2,
            ),
            behaves_like(
                lambda picture: truth.resized(picture).transpose(0, 1, 3, 2),
                truth.photographs,
                "Rows and columns are exchanged: the picture lies on its side.",
                tolerance=2,
            ),
        ),
        function=True,
    ),
)
