"""Exercises of chapter 12: training on a laptop."""

import math

from ssd_book.checks import ch12_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
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
        "Three faults in the first loss",
        "three confidence losses: all negatives count, divided by the priors that count, divided by"
        " the pictures",
        (
            is_numbers(
                "There are three numbers.",
                "all negatives count",
                "divided by the priors that count",
                "divided by the pictures",
            ),
            equals(
                "They are what the log shows with each fault, if all 13 classes look the same.",
                truth.faulty_first_losses,
                (
                    "Every prior that counts costs the same: what is the cross-entropy of the right"
                    " class if all 13 have the same probability?",
                    "For each fault: how many priors count, and what is their sum divided by?",
                    "Positives count in all three, beside their negatives.",
                ),
                tolerance=0.05,
            ),
        ),
        (
            gives(
                lambda: [x / math.log(2) for x in truth.faulty_first_losses()],
                "These are logarithms to base 2. The cross-entropy takes the natural one.",
                tolerance=0.05,
            ),
            gives(
                lambda: truth.faulty_first_losses(classes=truth.NUM_CLASSES - 1),
                "The background is a class, too: 13 scores share the probability.",
                tolerance=0.05,
            ),
            gives(
                lambda: truth.faulty_first_losses(positives_pay=False),
                "You add up negatives alone. The positives pay for their class, too.",
                tolerance=0.05,
            ),
        ),
    ),
    Exercise(
        "12.2",
        "Plan a run",
        "a dictionary of samples, augmented (True or False), steps, times_seen and minutes",
        (
            Property(
                "It has the five entries.",
                truth.no_plan,
                ('`{"samples": …, "augmented": …, "steps": …, "times_seen": …, "minutes": …}`.',),
            ),
            Property(
                "Steps, times and minutes follow from the samples.",
                truth.wrong_sums,
                (
                    "A sample is one picture that is seen once; a step is a batch of 16 samples.",
                    "The laptop trains 20 samples per second, and a minute has 60 seconds.",
                ),
            ),
            Property(
                "It fits into three hours.",
                truth.too_long,
                ("Choose fewer samples.",),
            ),
            Property(
                "Each picture is seen about as often as in this book's records: with augmentation"
                " 100 to 250 times, without 10 to 40 times.",
                truth.seen_too_often_or_seldom,
                (
                    "Seen seldom, pictures are not learned; seen too often without a change, they"
                    " are memorised.",
                    "With augmentation, every look is at another version of the picture.",
                ),
            ),
        ),
        (
            Mistake(truth.in_seconds, "These are seconds, not minutes."),
            Mistake(
                truth.batch_seen_once,
                "You divide the steps by the pictures. Each step shows 16 pictures.",
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
        "A score threshold",
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
