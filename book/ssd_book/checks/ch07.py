"""Exercises of chapter 7: the grid of priors, counted and built."""

from ssd_book.checks import ch07_truth as truth
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
from ssd_tutorial.presets import get_preset
from ssd_tutorial.priors import boxes_per_cell, num_priors

EXERCISES = (
    Exercise(
        "07.1",
        "How many priors SSD512 has",
        "a whole number, or an expression that gives one",
        (
            is_number("The answer is a whole number.", 1),
            equals(
                "It is the number of priors of caffe512_voc: cells times boxes per cell, summed"
                " over the maps.",
                lambda: num_priors(get_preset("caffe512_voc")),
                (
                    "There are seven maps, with 64, 32, 16, 8, 4, 2 and 1 cells along a side."
                    " Square each.",
                    "Only the first map and the last two have 4 boxes per cell; the others have 6.",
                ),
            ),
        ),
        (
            gives(
                lambda: num_priors(get_preset("caffe300_voc")),
                "This is SSD300. SSD512 has seven maps, the first with 64 cells along a side.",
            ),
            gives(
                lambda: truth.num_boxes([6] * 7, "caffe512_voc"),
                "Not every map has 6 boxes per cell.",
            ),
            gives(
                lambda: truth.num_boxes([4, 6, 6, 6, 4, 4, 4], "caffe512_voc"),
                "You keep SSD300's pattern. SSD512 has one more map with all the ratios.",
            ),
            gives(
                lambda: truth.num_boxes(
                    [n - 1 for n in boxes_per_cell(get_preset("caffe512_voc"))], "caffe512_voc"
                ),
                "Every cell is missing a box: it has two squares.",
            ),
        ),
    ),
    Exercise(
        "07.2",
        "The grid of one map",
        "a function of cells, spacing and shapes [n, 2] that returns priors [cells * cells * n, 4],"
        " cxcywh",
        (
            returns(
                "Each of the cells x cells cells has n boxes of four numbers.",
                truth.grid_cases,
                lambda cells, spacing, shapes: (cells * cells * len(shapes), 4),
                ("Build [cells, cells, n, 4] and flatten it at the end.",),
            ),
            Property(
                "The first box is centred half a spacing from the left and from the top.",
                truth.first_centre,
                ("A cell's centre is in its middle: (i + 0.5) times the spacing.",),
            ),
            Property(
                "The boxes of one cell are contiguous: the first n share a centre.",
                truth.shapes_apart,
                ("Of rows, columns and boxes, the box index must change fastest.",),
            ),
            agrees(
                "Rows change slowest, then columns, then boxes; the last two numbers are shapes.",
                truth.grid_of,
                truth.grid_cases,
                (
                    "The second cell is to the right of the first: cx grows, cy stays.",
                    '`torch.meshgrid(..., indexing="ij")` gives rows first; which of its two'
                    " results is cy?",
                ),
            ),
        ),
        (
            behaves_like(
                truth.columns_first,
                truth.grid_cases,
                "You go down the columns. A feature map is stored row by row: the first cell is"
                " followed by its right neighbour, whose cx is larger.",
            ),
            behaves_like(
                truth.boxes_first,
                truth.grid_cases,
                "You list all cells for the first shape, then all for the second. But the boxes of"
                " a cell must be contiguous, like the channels of the head.",
            ),
            behaves_like(
                truth.no_half,
                truth.grid_cases,
                "Your boxes are centred on the cells' corners. The middle is half a cell further"
                " on.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "07.3",
        "Centres outside the picture",
        "a whole number",
        (
            is_number("The answer is a whole number.", 0),
            equals(
                "It is the number of boxes of conv8_2 whose centre lies outside the picture, if"
                " centres are placed by step.",
                lambda: int(truth.centre_outside(truth.priors_of("conv8_2")).sum()),
                (
                    "conv8_2 has 10 cells along a side and a step of 32 pixels; the picture has"
                    " 300.",
                    "Where is the centre of the last column? All its cells are outside, and so are"
                    " all of the last row. Don't count the corner twice.",
                ),
            ),
        ),
        (
            gives(
                lambda: int(truth.centre_outside(truth.priors_of("conv8_2")).sum()) // 6,
                "This is the number of cells. Each has several boxes.",
            ),
            gives(
                lambda: 2 * 10 * 6,
                "You count the corner cell twice: it is in the last row and in the last column.",
            ),
            gives(
                lambda: 10 * 6,
                "This is one side of the picture only. Columns and rows stick out alike.",
            ),
            gives(
                lambda: int(truth.centre_outside(truth.priors_of("conv8_2", "paper")).sum()),
                "That holds if centres are (i + 0.5) / cells. Caffe steps by 32 pixels.",
            ),
        ),
    ),
    Exercise(
        "07.4",
        "Four wrong counts, explained",
        "for each count a list of six numbers: the boxes per cell of each map that would give it",
        (
            Property(
                "Each count has a list of six numbers from 3 to 6, one per map.",
                truth.no_four_lists,
                ("The right list is 4, 6, 6, 6, 4, 4. Change a few entries.",),
            ),
            Property(
                "Each list gives its count: boxes per cell times cells, summed over the maps.",
                truth.other_sum,
                (
                    "How far is the count from 8732? One more box per cell adds 1444 on conv4_3,"
                    " 361 on conv7, then 100, 25, 9, and 1 on the last map.",
                    "8750 needs 18 more: two boxes in each of nine cells. 7308 is far below, so"
                    " boxes must be missing on the largest map.",
                    "Only the last map can make a difference of a single box.",
                ),
            ),
        ),
        (
            Mistake(
                truth.all_right_count,
                "These lists all give 8732, the right count. What must change for the wrong ones?",
            ),
        ),
    ),
    Exercise(
        "07.5",
        "What the border costs",
        "two shares between 0 and 1: of the matches that are lost, and of the objects that keep"
        " none",
        (
            is_numbers("There are two numbers.", "lost matches", "lost objects"),
            equals(
                "They are the shares that are lost with the priors that cross the border: of the"
                f" matches, and of the objects that had one, on {truth.SCENES} scenes.",
                truth.border_costs,
                (
                    "`make_priors` gives cxcywh; what crosses the border is easier seen in xyxy.",
                    "`matches` is a table [objects, priors] of true and false. Compare its sum with"
                    " the sum over the columns of the priors that stay.",
                ),
                tolerance=2e-3,
            ),
        ),
        (
            gives(
                lambda: [1 - share for share in truth.border_costs()],
                "These are the shares that are left.",
                tolerance=2e-3,
            ),
            gives(
                lambda: truth.border_costs(truth.all_objects),
                "The second number counts objects that had no match before, either.",
                tolerance=2e-3,
            ),
        ),
    ),
    Exercise(
        "07.6",
        "Half the list",
        "six whole numbers: how many boxes a cell of each map keeps",
        (
            Property(
                "They are six whole numbers, none above what the map has: 4, 6, 6, 6, 4, 4.",
                truth.no_six_numbers,
                ("All boxes of a map, or the first few, or 0 for a map that is left out.",),
            ),
            Property(
                f"They leave at most {truth.MOST_PRIORS} priors.",
                truth.too_many_priors,
                (
                    "How many priors does one box per cell cost on conv4_3, and how many on"
                    " conv9_2?",
                ),
            ),
            Property(
                f"{truth.LEAST_REACHED:.0%} of the objects of {truth.SCENES} scenes have a prior"
                " with an IoU of at least 0.5.",
                truth.too_few_reached,
                (
                    "Two maps have nine tenths of the priors. Which one of them can do with the"
                    " fewest shapes?",
                    "Try each number of boxes on conv4_3, with all boxes on the coarse maps, and"
                    " spend what is left on conv7.",
                ),
            ),
        ),
        (
            Mistake(
                truth.squares_everywhere,
                "You take the ratios from every map. On the coarse maps that saves nearly nothing,"
                " and it costs what is wide or tall.",
            ),
            Mistake(
                truth.without_the_first,
                "Without conv4_3 nothing is left for the objects below 40 pixels.",
            ),
        ),
    ),
)
