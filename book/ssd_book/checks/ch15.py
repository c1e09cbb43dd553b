"""Exercises of chapter 15: what a full training does, and what it costs."""

from ssd_book.checks import ch15_truth as truth
from ssd_book.checks.engine import Exercise, Property
from ssd_book.checks.properties import agrees, behaves_like, equals, gives, is_number

EXERCISES = (
    Exercise(
        "15.1",
        "How often each picture is seen",
        "a number, or an expression",
        (
            is_number("The answer is a positive number.", 0),
            equals(
                "It is how often the run sees each picture, on average.",
                truth.times_seen,
                (
                    "How many pictures does one iteration take?",
                    "Multiply the iterations by the pictures per iteration, and divide by the"
                    " pictures there are.",
                ),
                tolerance=0.5,
            ),
        ),
        (
            gives(
                lambda: 120_000 / truth.PICTURES,
                "An iteration is a whole batch, not one picture.",
                tolerance=0.1,
            ),
            gives(
                lambda: truth.times_seen() / 2,
                "This is the paper's first schedule. The doubled one has 120 000 iterations.",
                tolerance=0.5,
            ),
            gives(
                lambda: 1 / truth.times_seen(),
                "You divide the wrong way round: this is below 1, and no picture is seen less than"
                " once.",
                tolerance=1e-4,
            ),
        ),
    ),
    Exercise(
        "15.2",
        "One layer on paper",
        "a whole number of multiply-adds",
        (
            is_number("The answer is a whole number.", 1),
            equals(
                "It is how many multiply-adds conv6 takes for one picture.",
                truth.conv6_multiply_adds,
                (
                    "How many numbers does the layer output? Its map is 19 by 19, with 1024"
                    " channels.",
                    "For each of them it multiplies a window of 3 x 3, over all 512 channels of"
                    " its input, by as many weights.",
                ),
                tolerance=0.5,
            ),
        ),
        (
            gives(
                lambda: 2 * truth.conv6_multiply_adds(),
                "You count multiplications and additions separately. A multiply-add is both at"
                " once.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.conv6_multiply_adds() // 9 * 169,
                "Dilated by 6, the window reaches over 13 x 13 pixels. It still looks at nine of"
                " them.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.conv6_multiply_adds() // 9,
                "Each output looks at more than one pixel of its input.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.conv6_multiply_adds() // 512,
                "Each output looks at all channels of its input.",
                tolerance=0.5,
            ),
        ),
    ),
    Exercise(
        "15.3",
        "The paper's learning rate",
        "a function of an iteration, the highest rate, the milestones and the iterations of"
        " warm-up, that returns the learning rate",
        (
            Property(
                "The rate is above 0 and never above the highest.",
                lambda function: next(
                    (
                        f"for iteration {case[0]}, highest {case[1]}, you give {given:.3g}"
                        for case in truth.rate_cases()
                        if not 0 < (given := float(function(*case))) <= case[1] * (1 + 1e-6)
                    ),
                    None,
                ),
                ("Print it for the first iterations, with and without a warm-up.",),
            ),
            agrees(
                "It rises linearly, stays constant, and is divided by 10 at each milestone.",
                truth.learning_rate,
                truth.rate_cases,
                (
                    "How many milestones has this iteration reached?",
                    "Count them: `sum(iteration >= m for m in milestones)`. The rate is divided by"
                    " 10 that many times.",
                ),
                tolerance=1e-9,
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_rate(*case, "late"),
                truth.rate_cases,
                "The rate is divided at the milestone itself; yours is one iteration late.",
                tolerance=1e-9,
            ),
            behaves_like(
                lambda *case: truth.wrong_rate(*case, "once"),
                truth.rate_cases,
                "You divide only once. Each milestone divides again.",
                tolerance=1e-9,
            ),
            behaves_like(
                lambda *case: truth.wrong_rate(*case, "zero"),
                truth.rate_cases,
                "Your first iteration has rate 0 and moves nothing. The last one of the warm-up has"
                " the highest rate.",
                tolerance=1e-9,
            ),
        ),
        function=True,
    ),
    Exercise(
        "15.4",
        "Positives of all processes",
        "a function of a list of numbers of positives, one per process, that returns a list of"
        " factors",
        (
            agrees(
                "The losses times their factors, averaged over the processes, are the loss of the"
                " whole batch.",
                truth.factors,
                truth.positive_cases,
                (
                    "Each process has divided its sum by its own n. Multiply by n, and you have the"
                    " sum back.",
                    "The sums belong together: divide by the positives of all processes.",
                    "The average also divides by the number of processes. Which factor undoes"
                    " that? And don't divide by 0.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda positives: [n / max(1, sum(positives)) for n in positives],
                truth.positive_cases,
                "You have weighted the processes. But their average divides by their number, too.",
            ),
            behaves_like(
                lambda positives: [1.0 for _ in positives],
                truth.positive_cases,
                "With equal factors, a positive counts more in a process with few positives.",
            ),
            behaves_like(
                lambda positives: [max(1, sum(positives)) / max(1, n) for n in positives],
                truth.positive_cases,
                "It is the other way round: a process with many positives must have more weight.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "15.5",
        "The largest batch",
        "a whole number of pictures",
        (
            is_number("The answer is a whole number of pictures.", 1),
            equals(
                f"It is the largest batch of SSD512 that fits into {truth.GIB} GiB, in float32 with"
                " SGD.",
                truth.largest_batch,
                (
                    "`training_memory(network, 32).total` is in bytes; a GiB is `2**30` of them.",
                    "Try the batches 1, 2, 3, … and keep the last one that fits.",
                ),
                tolerance=0.5,
            ),
        ),
        (
            gives(
                lambda: truth.largest_batch(fixed=False),
                "You count the activations alone. Weights, gradients and momentum need their"
                " place too.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.largest_batch(precision="bf16"),
                "This is for bfloat16. The question is about float32.",
                tolerance=0.5,
            ),
        ),
    ),
)
