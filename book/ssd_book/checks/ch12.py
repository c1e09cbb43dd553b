"""Exercises of chapter 12: training on a laptop."""

import math

from ssd_book.checks import ch12_truth as truth
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
        "12.1",
        "The first loss",
        "the confidence loss at step 0, as a number or an expression",
        (
            is_number("The answer is a positive number.", 0),
            equals(
                "It is the confidence loss, divided by the number of positives, of a network to"
                f" which all {truth.NUM_CLASSES} classes look the same.",
                truth.first_confidence,
                (
                    "If every class has probability 1 / C, what is the cross-entropy of one prior?",
                    "How many priors count per positive? Mining adds three negatives, and the sum"
                    " is divided by the number of positives alone.",
                ),
                tolerance=0.02,
            ),
        ),
        (
            gives(
                lambda: truth.first_confidence() / 4,
                "This is the cross-entropy of one prior. The loss sums over more of them than it"
                " divides by.",
                tolerance=0.02,
            ),
            gives(
                lambda: truth.first_confidence() * 3 / 4,
                "You count the mined negatives only. The positive itself is classified, too.",
                tolerance=0.02,
            ),
            gives(
                lambda: 4 * math.log(truth.NUM_CLASSES - 1),
                "The background is a class, too.",
                tolerance=0.02,
            ),
            gives(
                lambda: truth.first_confidence() / math.log(2),
                "Cross-entropy takes the natural logarithm, not the one to base 2.",
                tolerance=0.02,
            ),
        ),
    ),
    Exercise(
        "12.2",
        "A budget of samples",
        "two numbers: the steps of the run, and how often each picture is seen",
        (
            is_numbers("There are two numbers.", "steps", "times seen"),
            equals(
                f"They are what a run of {truth.SAMPLES} samples in batches of {truth.BATCH} takes"
                f" in steps, and how often it sees each of {truth.PICTURES} pictures.",
                truth.budget,
                (
                    "A sample is one picture seen once. A step sees a whole batch.",
                    "The number of steps depends on the batch size and not on the number of"
                    " pictures; how often each is seen, the other way round.",
                ),
            ),
        ),
        (
            gives(lambda: truth.budget()[::-1], "The numbers are right, but in the other order."),
            gives(
                lambda: [truth.SAMPLES, truth.budget()[1]],
                "One step is one batch of pictures, not one picture.",
            ),
            gives(
                lambda: [truth.budget()[0], truth.budget()[0] / truth.PICTURES],
                "You divide the steps by the number of pictures. Each step sees a batch of them.",
                tolerance=0.01,
            ),
        ),
    ),
    Exercise(
        "12.3",
        "The learning rate",
        "a function of step, total, highest and warmup that returns the learning rate of the step",
        (
            Property(
                "The rate lies between 0 and the highest.",
                truth.below_zero_or_above,
                ("Print it for every step of a run of 100.",),
            ),
            agrees(
                "It rises linearly during the warm-up, whose last step has the highest rate; then"
                " it falls along half a cosine, to 0 at the end.",
                truth.learning_rate,
                truth.rate_cases,
                (
                    "How many steps does the warm-up have? The rate of the first one is not 0, or"
                    " the step would be wasted.",
                    "After the warm-up, what share of the remaining steps has passed? It is 0"
                    " right after the warm-up and 1 at the end.",
                    "A cosine falls from 1 to -1 as its argument goes from 0 to pi. Shift and"
                    " halve it to make it fall from 1 to 0.",
                ),
                tolerance=1e-7,
            ),
        ),
        (
            behaves_like(
                lambda *case: truth.wrong_rate(*case, from_zero=True),
                truth.rate_cases,
                "Your first step has rate 0 and moves nothing; and the last step of the warm-up"
                " falls short of the highest rate. Count from 1.",
                tolerance=1e-7,
            ),
            behaves_like(
                lambda *case: truth.wrong_rate(*case, turns=1),
                truth.rate_cases,
                "Your cosine makes a whole turn: at the end the rate is back at the highest.",
                tolerance=1e-7,
            ),
            behaves_like(
                lambda *case: truth.wrong_rate(*case, late=False),
                truth.rate_cases,
                "Your cosine starts with the run, so the rate jumps down after the warm-up. Let it"
                " start where the warm-up ends.",
                tolerance=1e-7,
            ),
            behaves_like(
                truth.linear_rate,
                truth.rate_cases,
                "After the warm-up your rate falls linearly. It should follow half a cosine: slow"
                " at first, slow at the end.",
                tolerance=1e-7,
            ),
        ),
        function=True,
    ),
    Exercise(
        "12.4",
        "From which score on",
        "a function of scores [N], correct [N] and the number of objects that returns a score",
        (
            Property(
                "It returns a score between 0 and 1.",
                truth.no_threshold,
                ("One of the scores will do: between two of them, a threshold changes nothing.",),
            ),
            Property(
                "No other threshold has a higher F1, in whatever order the detections come; one is"
                " kept if its score is at least the threshold.",
                truth.not_the_best_f1,
                (
                    "F1 is 2 * hits / (kept + objects). Compute it with each score as the"
                    " threshold.",
                    "Sort by descending score, and count hits and kept detections as you go down.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda scores, correct, objects: scores.min(),
                truth.detection_cases,
                "You keep everything: recall can't be higher, but look at the precision.",
            ),
            behaves_like(
                lambda scores, correct, objects: scores.max(),
                truth.detection_cases,
                "You keep one detection. The precision may be 1, but most objects are missed.",
            ),
            behaves_like(
                lambda scores, correct, objects: 0.5,
                truth.detection_cases,
                "One half is a habit. A detector trained for a short time is rarely that"
                " confident: let the detections decide.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "12.5",
        "What a class costs",
        "a whole number of parameters",
        (
            is_number("The answer is a whole number.", 1),
            equals(
                "It is the number of parameters that slim300 gains with one more class.",
                truth.parameters_of_a_class,
                (
                    "Build `SSD(SLIM300, n)` twice, and sum `p.numel()` over `parameters()`.",
                    "Only the class heads change: each box of a cell needs one more filter of 3 x"
                    " 3 over all channels, and its bias.",
                ),
                tolerance=0.5,
            ),
        ),
        (
            gives(
                lambda: truth.parameters_of_a_class(kind="weight"),
                "Every filter has a bias, too.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.parameters_of_a_class(kind="bias"),
                "This is the number of additional filters. Each has 3 x 3 weights per channel, and"
                " a bias.",
                tolerance=0.5,
            ),
        ),
    ),
)
