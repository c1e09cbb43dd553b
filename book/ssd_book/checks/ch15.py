"""Exercises of chapter 15: what a full training does, and what it costs."""

from ssd_book.checks import ch15_truth as truth
from ssd_book.checks.engine import Exercise, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_number,
    is_numbers,
)

EXERCISES = (
    Exercise(
        "15.1",
        "The bottleneck",
        "three numbers: pictures per second, hours, loading processes",
        (
            is_numbers("There are three numbers.", "per second", "hours", "processes"),
            equals(
                "They are the pace of three loading processes, its hours, and the processes at"
                " which the GPU sets the pace.",
                truth.bottleneck,
                (
                    "The GPU computes while the next pictures are loaded. Which of the two is"
                    " slower?",
                    "Hours are the samples divided by that pace, divided by 3600. Then: how many"
                    " times 60 is at least 250?",
                ),
                tolerance=0.05,
            ),
        ),
        (
            gives(
                lambda: truth.bottleneck(reached=truth.GPU),
                "Three processes deliver fewer pictures than the GPU could train. It waits.",
                tolerance=0.05,
            ),
            gives(
                lambda: truth.bottleneck(needed=truth.GPU // truth.LOADER),
                "With so many processes loading is still a little slower than the GPU.",
                tolerance=0.05,
            ),
            gives(
                lambda: truth.bottleneck(reached=truth.one_after_the_other()),
                "You load and train one after the other. Loading processes work while the GPU"
                " computes.",
                tolerance=0.05,
            ),
        ),
    ),
    Exercise(
        "15.2",
        "Accumulate, and keep the loss",
        "a function of weights [D] and parts, a list of (x, y, positives), that returns [D]",
        (
            agrees(
                "It is the gradient of the whole batch's loss, even if a part has no positives, or"
                " none has any.",
                truth.accumulated,
                truth.part_cases,
                (
                    "Which number does the loss of the whole batch divide by? It is known before"
                    " the first gradient.",
                    "`backward` adds to `weights.grad`. Call it once per part, on that part's sum"
                    " divided by the positives of all.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.accumulated(*case, by="own"),
                truth.part_cases,
                "Each of your parts divides by its own positives. That is the loss of several"
                " batches: a lone positive counts too much.",
            ),
            behaves_like(
                lambda *case: truth.accumulated(*case, by="mean"),
                truth.part_cases,
                "You average the gradients of the parts. Even of equal parts, that is the loss of"
                " several batches.",
            ),
            behaves_like(
                lambda *case: truth.accumulated(*case, by="last"),
                truth.part_cases,
                "This is the gradient of the last part alone. Don't reset it in between.",
            ),
            behaves_like(
                lambda *case: truth.accumulated(*case, by="one"),
                truth.part_cases,
                "This is the gradient of the sum. The loss is divided by the positives.",
            ),
        ),
        function=True,
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
