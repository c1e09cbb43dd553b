"""Exercises of chapter 10: which negatives count."""

from ssd_book.checks import ch10_truth as truth
from ssd_book.checks.engine import Exercise, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_number,
    is_numbers,
    returns,
)

EXERCISES = (
    Exercise(
        "10.1",
        "Whose loss is it?",
        "two shares between 0 and 1: without mining, and with it",
        (
            is_numbers("There are two numbers, one per case.", "without mining", "with mining"),
            equals(
                "They are the positives' shares of the confidence loss if every prior that counts"
                " costs the same.",
                truth.shares,
                (
                    "If every prior costs the same, a share of the loss is a share of the priors.",
                    "How many priors count without mining, and how many with it? Both include the"
                    " positives.",
                ),
                tolerance=2e-4,
            ),
        ),
        (
            gives(
                lambda: [truth.POSITIVES / truth.PRIORS, 1 / truth.RATIO],
                "In the second case you divide by the negatives. A share is a part of the whole,"
                " and that includes the positives.",
                tolerance=2e-4,
            ),
            gives(
                lambda: [100 * share for share in truth.shares()],
                "These are percentages: give shares between 0 and 1.",
                tolerance=0.1,
            ),
        ),
    ),
    Exercise(
        "10.2",
        "Mine one picture",
        "a function of background_loss [P], positive [P] and ratio that returns [P] Booleans: True"
        " for a negative that counts",
        (
            Property(
                "It returns one Boolean per prior.",
                truth.not_a_mask,
                ("Start from `torch.zeros_like(positive)`, and set some entries to True.",),
            ),
            Property(
                "No positive is chosen as a negative.",
                truth.takes_positives,
                (
                    "A positive may have a huge background loss, and should. Keep it out of the"
                    " ranking.",
                    "A loss of minus infinity puts a prior last. Is last enough if more are wanted"
                    " than there are negatives?",
                ),
            ),
            Property(
                "It takes `ratio` negatives per positive, or all of them if there are fewer.",
                truth.wrong_count,
                (
                    "Two numbers limit the count, and the smaller one applies.",
                    "How many negatives does a picture of P priors have? And how many are chosen"
                    " in a picture without a positive?",
                ),
            ),
            agrees(
                "They are the ones that look least like background, as `hard_negatives` chooses"
                " them.",
                truth.mined,
                truth.images,
                ("The largest losses come first: `topk` gives their indices.",),
            ),
        ),
        (
            behaves_like(
                truth.without_a_mask,
                truth.images,
                "The positives take part in your ranking and use up places, so that too few"
                " negatives are left to count.",
            ),
            behaves_like(
                truth.letting_positives_in,
                truth.images,
                "If more negatives are wanted than there are, you fill up with positives. This is"
                " what torchvision does.",
            ),
            behaves_like(
                truth.easiest,
                truth.images,
                "You take the negatives with the smallest losses: the easiest ones.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "10.3",
        "Counted twice",
        "three counts, one per number of positives",
        (
            is_numbers("There are three numbers.", *(f"{n} positives" for n in truth.CASES)),
            equals(
                "Each is the number of positives that torchvision's loss counts a second time.",
                truth.counted_twice,
                (
                    "For each case: how many negatives are wanted, and how many are there?",
                    "The places that no negative can fill go to positives. A positive can fill one"
                    " place only.",
                ),
            ),
        ),
        (
            gives(
                lambda: [max(0, truth.RATIO * p - (truth.FEW - p)) for p in truth.CASES],
                "You count the places that remain. In the last case there are fewer positives"
                " than that.",
            ),
            gives(
                lambda: [max(0, truth.RATIO * p - truth.FEW) for p in truth.CASES],
                "You compare what is wanted with all priors. There are fewer negatives than that.",
            ),
        ),
    ),
    Exercise(
        "10.4",
        "The focal loss",
        "a function of logits [N, C], labels [N] and gamma that returns [N] losses",
        (
            returns(
                "It returns one number per prior: shape [N].",
                truth.scores,
                lambda logits, labels, gamma: labels.shape,
                ("Take no mean and no sum: `reduction='none'`.",),
            ),
            Property(
                "With gamma 0 it is the cross-entropy.",
                truth.plain_gamma,
                (
                    "Any number to the power of 0 is 1. Which loss is left with that weight?",
                    "The cross-entropy is -log p of the *label's* class.",
                ),
            ),
            agrees(
                "Each loss is weighted by (1 - p) to the power of gamma.",
                truth.focal,
                truth.scores,
                (
                    "p is the probability of the prior's own label. You can get it from the loss:"
                    " p is exp(-loss).",
                    "A prior that is nearly right has p near 1. Is its weight near 0?",
                ),
                tolerance=1e-4,
            ),
        ),
        (
            behaves_like(
                truth.weighted_by_p,
                truth.scores,
                "Your weight is p to the power of gamma. It keeps the easy priors and drops the"
                " hard ones.",
            ),
            behaves_like(
                truth.of_the_background,
                truth.scores,
                "You take p of the background for every prior. A positive is judged by its own"
                " class.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "10.5",
        "A label goes missing",
        "a whole number: how many of the ten hardest negatives lie on the object",
        (
            is_number("The answer is a count, and no larger than the number you look at.", 0, 10),
            equals(
                "It is how many boxes of the ten hardest negatives have an IoU of at least 0.5"
                " with the object whose label is missing.",
                truth.on_the_forgotten,
                (
                    "Match again, without the object's box and label. The priors that were"
                    " positive for it are now negatives.",
                    "Use `masked_fill` on the losses of the positives, then `topk`. `decode` turns"
                    " the offsets of those ten into boxes.",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.on_the_forgotten(labels_kept=True),
                "This is the count with every label in place. Match without the first object.",
            ),
        ),
    ),
)
