"""Exercises of chapter 9: how much one prior costs, and how much a batch."""

from ssd_book.checks import ch09_truth as truth
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
        "09.1",
        "One positive by hand",
        "a number: what this prior adds to the sum, before the division by N",
        (
            is_number("The answer is a number above 0.", 0),
            equals(
                "It is the smooth L1 of the four differences plus the cross-entropy.",
                truth.positive_by_hand,
                (
                    "For each difference, ask whether its absolute value is below 1. If so, take"
                    " half of its square; otherwise its absolute value minus one half.",
                    "The class costs the natural logarithm of 1 divided by the probability.",
                ),
                tolerance=0.005,
            ),
        ),
        (
            gives(
                lambda: truth.positive_by_hand(offsets=truth.DIFFERENCES.abs().sum()),
                "These are plain absolute values (L1). Below 1 the curve is a parabola, and above"
                " 1 a line that starts lower.",
            ),
            gives(
                lambda: truth.positive_by_hand(offsets=(truth.DIFFERENCES**2).sum() / 2),
                "You take half of the square for the difference of -3, too, which is past the"
                " bend.",
            ),
            gives(
                lambda: truth.positive_by_hand(
                    offsets=truth.smooth_l1(truth.DIFFERENCES).sum() / 4
                ),
                "You take the mean of the four offsets. SSD takes their sum.",
            ),
            gives(
                lambda: truth.positive_by_hand(classes=-truth.PROBABILITY.log10()),
                "The class is nearly right, but you take the logarithm to base 10: take the natural"
                " one.",
            ),
            gives(
                lambda: truth.positive_by_hand(classes=0),
                "The boxes are right. What does the class cost?",
            ),
        ),
    ),
    Exercise(
        "09.2",
        "One wrong annotation",
        "a number: the offset at which the sum of the five smooth L1 losses is smallest",
        (
            is_number("The answer is a number between 0 and 10.", 0, 10),
            equals(
                "At this offset the sum of the five smooth L1 losses is smallest.",
                truth.best_wish,
                (
                    "Compute the sum for each of the candidates, and see where it is smallest.",
                    '`F.smooth_l1_loss` with `reduction="none"` on [1001, 5]: broadcast, then'
                    " sum over the five.",
                    "On paper: at the minimum the slopes add up to 0. The wrong annotation has a"
                    " slope of 1, the four others have their differences.",
                ),
                tolerance=0.02,
            ),
        ),
        (
            gives(
                lambda: truth.best_wish("l2"),
                "This is the mean, which minimises L2: the wrong annotation drags it far off.",
                tolerance=0.02,
            ),
            gives(
                lambda: truth.best_wish("l1"),
                "This is the median, which minimises L1. The minimum of smooth L1 is close to it.",
                tolerance=0.02,
            ),
            gives(
                lambda: float(truth.WISHES[:-1].mean()),
                "This is the mean of the four right ones. Smooth L1 does not know which one is"
                " wrong: the fifth still pulls, with a slope of 1.",
                tolerance=0.02,
            ),
        ),
    ),
    Exercise(
        "09.3",
        "A cross-entropy that survives large scores",
        "a function of scores [N, C] and labels [N] that returns the cross-entropy of each row [N]",
        (
            returns(
                "It returns one number per row: shape [N].",
                truth.modest_scores,
                lambda scores, labels: labels.shape,
                (
                    "`scores[torch.arange(len(scores)), labels]` is the score of the right class,"
                    " one per row.",
                ),
            ),
            agrees(
                "It is the negative logarithm of the probability of the right class.",
                truth.cross_entropy,
                truth.modest_scores,
                (
                    "Softmax is e to the power of each score, divided by the sum of these powers"
                    " over the row.",
                    "The logarithm of a fraction is a difference: the logarithm of the row's sum"
                    " minus the score of the right class.",
                ),
                tolerance=1e-4,
            ),
            Property(
                "Scores of 1000 and -1000 give finite numbers, and the right ones.",
                truth.overflows,
                (
                    "e to the power of 1000 is infinite in a computer. Adding the same number to"
                    " all scores of a row changes no probability.",
                    "Subtract the largest score of a row from the whole row before taking the"
                    " powers.",
                    "After that, don't take the logarithm of a probability, which may be 0: use"
                    " the difference.",
                ),
            ),
        ),
        (
            behaves_like(
                lambda s, y: -truth.cross_entropy(s, y),
                truth.modest_scores,
                "The logarithm of a probability is negative. The loss has the opposite sign.",
                tolerance=1e-4,
            ),
            behaves_like(
                lambda s, y: (-truth.cross_entropy(s, y)).exp(),
                truth.modest_scores,
                "This is the probability. The loss is its negative logarithm.",
                tolerance=1e-4,
            ),
        ),
        function=True,
    ),
    Exercise(
        "09.4",
        "The whole loss",
        "a function of scores [B, P, C], offsets [B, P, 4], wanted [B, P, 4], labels [B, P],"
        " counted [B, P] and alpha that returns one number",
        (
            returns(
                "It returns one number, as a tensor without dimensions.",
                lambda: truth.whole_cases(empty=False),
                lambda *case: (),
                ("Sum over everything: `sum()` without `dim`.",),
            ),
            agrees(
                "It is the cross-entropy of the priors that count, plus alpha times the smooth L1"
                " of the positives, divided by the number of positives in the batch.",
                truth.loss,
                lambda: truth.whole_cases(empty=False),
                (
                    "The positives are the priors with a label above 0. They count, and so do the"
                    " negatives that mining chose; `counted` includes both.",
                    'Both loss functions of torch take `reduction="sum"`, and `scores[counted]` is'
                    " [n, C].",
                    "There is one N for the whole batch, and for both parts.",
                ),
                tolerance=1e-4,
            ),
            Property(
                "A batch in which nothing matched costs 0.",
                truth.nan_without_objects,
                ("What is 0 divided by 0? `clamp(min=1)` on N is enough: the sums are 0.",),
            ),
        ),
        (
            *(
                behaves_like(
                    lambda *case, kind=kind: truth.wrong_loss(case, kind),
                    lambda: truth.whole_cases(empty=False),
                    hint,
                    tolerance=1e-4,
                )
                for kind, hint in (
                    (
                        "mean of images",
                        "You divide each image by its own positives and take the mean. N counts"
                        " the positives of the whole batch.",
                    ),
                    (
                        "by counted",
                        "You divide by the number of priors that count. N is the number of"
                        " positives alone.",
                    ),
                    (
                        "all priors",
                        "You sum the class losses of all priors. Only those that count belong in"
                        " the sum.",
                    ),
                    (
                        "offsets of negatives",
                        "Your negatives contribute a loss of offsets. A negative has no box to"
                        " find.",
                    ),
                    ("loc not divided", "You divide only one of the two parts by N."),
                )
            ),
        ),
        function=True,
    ),
    Exercise(
        "09.5",
        "A loss that lets go",
        "a function of a tensor of differences that returns the loss of each, with the same shape",
        (
            returns(
                "It returns one number per difference.",
                truth.difference_cases,
                lambda differences: differences.shape,
                ("Take no sum and no mean here: each difference keeps its place.",),
            ),
            Property(
                "It is 0 at 0, positive elsewhere, and the same for a difference and its negative.",
                truth.no_distance,
                (
                    "A square or an absolute value, taken first, makes the sign not matter.",
                    "Whatever you subtract, add or divide by afterwards: which value is left at 0?",
                ),
            ),
            Property(
                "Descent at a learning rate of 0.4 settles: from 0.5 it ends within 0.01 of 0.",
                truth.never_settles,
                (
                    "Near 0 the slope should shrink with the difference, as that of L2 does.",
                    "Half of the square, for small differences, has the difference as its slope.",
                ),
            ),
            Property(
                "From 3 it gets home within 200 steps.",
                truth.stays_away,
                (
                    "What is the slope at 3? It may be small, but not 0.",
                    "Choose a wider range in which your loss still climbs.",
                ),
            ),
            Property(
                "Over the five annotations it is smallest within 0.03 of the right ones' mean.",
                truth.follows_the_outlier,
                (
                    "The wrong annotation is about 8 away. How hard does your loss pull there?",
                    "Its slope must shrink again where the difference is large: a curve that levels"
                    " off, such as a fraction whose numerator and denominator grow alike.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.smooth_l1,
                truth.difference_cases,
                "This is smooth L1, which pulls with 1 at 9 as it does at 3. Let the slope shrink"
                " where the difference is large.",
            ),
            Mistake(
                truth.is_cut_off,
                "Your loss is flat from some difference on. What starts there is never pulled back:"
                " let it level off more slowly.",
            ),
        ),
        function=True,
    ),
)
