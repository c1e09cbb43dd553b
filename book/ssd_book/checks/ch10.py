"""Exercises of chapter 10: which negatives count."""

from ssd_book.checks import ch10_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_number,
    returns,
)

EXERCISES = (
    Exercise(
        "10.1",
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
        "10.2",
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
        "10.3",
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
    Exercise(
        "10.4",
        "Pictures without objects",
        "a function of background_loss [B, P] and positive [B, P] that returns [B, P] Booleans",
        (
            Property(
                "It returns one Boolean per prior, and chooses no positive.",
                truth.no_batch_mask,
                ("Start from what `hard_negatives` returns: it has this shape, and no positive.",),
            ),
            Property(
                "Pictures with objects keep exactly the negatives of `hard_negatives`.",
                truth.others_change,
                (
                    "Change only the rows in which `positive` has no True.",
                    "`positive.any(dim=1)` tells which pictures have objects.",
                ),
            ),
            Property(
                f"Each picture without objects gets between 1 and {truth.MOST} negatives.",
                truth.empty_get_too_few_or_many,
                (
                    "Choose a number of your own: an empty picture has no positives to count.",
                    "The number must also hold in a batch in which no picture has objects.",
                ),
            ),
            Property(
                "They are the picture's hardest.",
                truth.not_the_hardest,
                ("`topk` on that picture's row of `background_loss`.",),
            ),
        ),
        (
            Mistake(
                truth.leaves_empty_out,
                "This is SSD's rule as it is: three times no positives means no negatives.",
            ),
            Mistake(
                truth.ranks_the_batch,
                "You rank the batch as a whole, so a picture's number of negatives depends on the"
                " others.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "10.5",
        "The whole loss from nothing",
        "a function of scores [B, P, C], offsets [B, P, 4], a list of boxes [G, 4], a list of"
        " labels [G] and priors [P, 4] that returns one number",
        (
            returns(
                "It returns one number, as a tensor without dimensions.",
                truth.batches,
                lambda *case: (),
                ("Add up over priors and pictures: `sum()` without `dim`.",),
            ),
            Property(
                "One prior and one object: smooth L1 of four offsets, plus the cross-entropy.",
                truth.single_is_wrong,
                (
                    "Nothing is mined here, and N is 1. Compare with the balloon of chapter 9.",
                    "The target of a shift is divided by the prior's side and by 0.1, that of a"
                    " growth is a logarithm, divided by 0.2.",
                ),
            ),
            Property(
                "Two objects that want the same prior get two priors.",
                truth.rivals_are_wrong,
                (
                    "The pair with the highest IoU of all comes first. Then neither its object nor"
                    " its prior is available.",
                    "Every object gets a prior, whatever the IoU; the threshold is for the priors"
                    " that are left.",
                ),
            ),
            agrees(
                "On batches of scenes it is the loss of chapter 9, with mining.",
                truth.whole,
                truth.batches,
                (
                    "Print per picture: how many positives, how many negatives that count. There"
                    " are three per positive, never more than there are.",
                    "Negatives are ranked by -log p(background), each picture for itself.",
                    "The sum over all pictures is divided once, by all positives of the batch.",
                ),
                tolerance=1e-3,
            ),
            Property(
                "Without any object it is 0, with a gradient of zeros for scores and offsets.",
                truth.empty_is_wrong,
                (
                    "Divide by at least 1, and return a sum that depends on the outputs: an empty"
                    " sum does.",
                ),
            ),
        ),
        (
            *(
                behaves_like(
                    lambda *case, kind=kind: truth.wrong_whole(case, kind),
                    truth.batches,
                    hint,
                    tolerance=1e-3,
                )
                for kind, hint in (
                    ("all", "You count every negative. Three per positive belong in the sum."),
                    (
                        "batch",
                        "You mine over the batch. SSD takes the hardest of each picture.",
                    ),
                    (
                        "means",
                        "You divide each picture by its own positives. N counts those of the whole"
                        " batch.",
                    ),
                    (
                        "raw",
                        "Your targets are not divided by the variances, 0.1 for shifts and 0.2 for"
                        " sizes.",
                    ),
                    (
                        "threshold",
                        "Your matching has no second step: a prior with an IoU of 0.5 or more is"
                        " positive, too.",
                    ),
                )
            ),
        ),
        function=True,
    ),
)
