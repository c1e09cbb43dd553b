"""Exercises of chapter 3: what a cell sees, the L2Norm, and rows in the order of the priors."""

from ssd_book.checks import ch03_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number, returns

EXERCISES = (
    Exercise(
        "03.1",
        "What dilation buys",
        "a whole number of pixels",
        (
            is_number("The answer is a whole number of pixels.", 1),
            equals(
                "It is the receptive field of conv7 if the weights of conv6 are adjacent.",
                lambda: truth.field_of_conv7(dilation=1),
                (
                    "A layer adds (kernel - 1) times its dilation times the stride so far.",
                    "The kernel of conv6 is 3, that of conv7 is 1; cells are 16 pixels apart.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.field_of_conv7(dilation=6),
                "This is the field with the dilation of 6. What remains of it without?",
            ),
            gives(
                lambda: 228 + 3 * 16,
                "You add three cells. The middle one is already counted: a kernel of 3 adds two.",
            ),
            gives(
                lambda: 228 + 2,
                "You add two cells, as if they were one pixel apart. At conv6 the stride is 16.",
            ),
        ),
    ),
    Exercise(
        "03.2",
        "An L2Norm that survives zeros",
        "a function of a map [B, C, H, W] and weights [C] that returns the normalised map",
        (
            returns(
                "The result has the shape of the map.",
                truth.map_cases,
                lambda x, weight: tuple(x.shape),
                ("Sum with `keepdim=True`, and give the weights the shape [C, 1, 1].",),
            ),
            agrees(
                "Every cell's vector has length 1 before its channels are multiplied by the"
                " weights.",
                truth.normalised,
                truth.map_cases,
                (
                    "A cell's vector runs over the channels: dimension 1.",
                    "The length is the root of the sum of the squares.",
                ),
                tolerance=1e-4,
            ),
            Property(
                "A cell of zeros stays a cell of zeros.",
                truth.zeros_give_other_than_zeros,
                ("Zero divided by zero is NaN: add a tiny number below the fraction bar.",),
            ),
            Property(
                "The gradient at a cell of zeros is a number.",
                truth.gradient_is_no_number,
                (
                    "The slope of a root is infinite at 0. What must not be 0 is what you take"
                    " the root of.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.over_the_map,
                truth.map_cases,
                "You divide by the length of the whole map. Each cell has a length of its own:"
                " sum over the channels only.",
                tolerance=1e-4,
            ),
            behaves_like(
                lambda x, weight: truth.normalised(x, weight * 0 + 1),
                truth.map_cases,
                "The lengths are right. Now multiply each channel by its weight.",
                tolerance=1e-4,
            ),
            Mistake(
                truth.with_epsilon_outside,
                "The outputs are right. But your tiny number comes too late: the root has"
                " already been taken, at 0, where it is infinitely steep.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "03.3",
        "Rows of a map",
        "a function of an output [B, k * width, H, W] and width that returns rows"
        " [B, H * W * k, width]",
        (
            returns(
                "There is a row of `width` numbers for each prior of each cell.",
                truth.output_cases,
                truth.number_of_rows,
                ("In the end, reshape to [B, rows, width]; -1 lets PyTorch count the rows.",),
            ),
            agrees(
                "Rows run over the map's rows, then its columns, then the priors of a cell.",
                truth.rows_of,
                truth.output_cases,
                (
                    "What changes fastest must come last. Which dimension holds priors and"
                    " classes?",
                    "`permute` moves dimensions; a reshape alone never does.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.without_permute,
                truth.output_cases,
                "You cut the memory into rows as it is: your first row holds one channel at"
                " several cells. Move the channels to the end first.",
            ),
            behaves_like(
                truth.columns_first,
                truth.output_cases,
                "You go down the columns. H must stay before W.",
            ),
            behaves_like(
                truth.prior_by_prior,
                truth.output_cases,
                "You list all cells for the first prior, then all for the second. The priors of"
                " a cell must follow one another.",
            ),
            behaves_like(
                truth.class_by_class,
                truth.output_cases,
                "You read the channels as class, then prior. They are the other way round: all"
                " classes of the first prior, then all of the second.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "03.4",
        "The heads of a detector",
        "a function of maps, class_heads, offset_heads and num_classes that returns"
        " [B, P, num_classes + 4]",
        (
            returns(
                "There is a row for each of the 8732 priors, with its scores and four offsets.",
                truth.head_cases,
                lambda maps, class_heads, offset_heads, num_classes: (
                    len(maps[0]),
                    8732,
                    num_classes + 4,
                ),
                (
                    "Run each head on its map, make rows of the output as in exercise 3.3, and"
                    " join.",
                    "Maps are joined along the rows (dim 1), scores and offsets along the"
                    " numbers (dim 2).",
                ),
            ),
            agrees(
                "Every row is the one that the package's network gives.",
                truth.heads,
                truth.head_cases,
                (
                    "The finest map comes first; in a row, the scores come first.",
                    "Test the rows of a single map with exercise 3.3.",
                ),
                tolerance=1e-4,
            ),
        ),
        (
            behaves_like(
                truth.heads_without_permute,
                truth.head_cases,
                "The shape is right, but the channels are not yet last when you make rows.",
                tolerance=1e-4,
            ),
            behaves_like(
                truth.offsets_first,
                truth.head_cases,
                "Offsets come before scores in your rows.",
                tolerance=1e-4,
            ),
            behaves_like(
                truth.coarsest_first,
                truth.head_cases,
                "Your table begins with the coarsest map.",
                tolerance=1e-4,
            ),
        ),
        function=True,
    ),
    Exercise(
        "03.5",
        "Objects of ten pixels",
        "a dictionary with the name of a layer, and with whole numbers for boxes, priors and"
        " parameters",
        (
            Property(
                "It names a convolution of VGG-16, from conv1_1 to conv5_3, and gives three"
                " whole numbers.",
                truth.not_a_design,
                ('`{"layer": …, "boxes": …, "priors": …, "parameters": …}`.',),
            ),
            Property(
                "Neighbouring cells are at most half an object apart.",
                truth.too_coarse,
                ("Each pooling doubles the distance. How many may there be before your layer?",),
            ),
            Property(
                "A head on this map sees at least twice the width of an object.",
                truth.sees_too_little,
                (
                    "Run the rule for the field up to your layer, and add the head: 3 x 3, at"
                    " the stride of the layer.",
                    "Deeper layers see more, and those up to the next pooling are as fine.",
                ),
            ),
            Property(
                "The number of priors counts those of the six old maps and of the new one.",
                truth.other_priors,
                ("Cells along a side, squared, times boxes, and the 8732 that were there.",),
            ),
            Property(
                "The number of parameters counts both heads on the new map, with biases.",
                truth.other_parameters,
                (
                    "Each prior needs 21 scores and 4 offsets.",
                    "Each of these numbers has a 3 x 3 kernel over all channels of the layer, and"
                    " a bias.",
                ),
            ),
        ),
        (
            Mistake(
                truth.only_new_priors,
                "These are the new priors alone. The six old maps keep theirs.",
            ),
            Mistake(
                truth.miscounted(numbers=truth.CLASSES),
                "This is the class head. The offset head is missing.",
            ),
            Mistake(
                truth.miscounted(numbers=truth.CLASSES + 3),
                "You count 20 scores per prior. The background has a score, too.",
            ),
            Mistake(truth.miscounted(bias=0), "The weights are right. A head has biases, too."),
        ),
    ),
)
