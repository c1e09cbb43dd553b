"""Exercises of chapter 19: ideas that came after SSD."""

from ssd_book.after_ssd import centreness
from ssd_book.checks import ch19_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import (
    agrees,
    behaves_like,
    equals,
    gives,
    is_numbers,
    returns,
)

EXERCISES = (
    Exercise(
        "19.1",
        "How many easy ones make a hard one",
        "two numbers: priors at 0.99 by cross-entropy, and thousands of them by the focal loss",
        (
            is_numbers("There are two numbers.", "cross-entropy", "focal loss, in thousands"),
            equals(
                "This many priors at 0.99 together lose what one at 0.5 loses.",
                truth.easy_per_hard,
                (
                    "Divide the loss of the hard one by that of an easy one.",
                    "In the focal loss both have a weight: (1 - p) squared.",
                ),
                tolerance=0.06,
            ),
        ),
        (
            gives(
                lambda: truth.easy_per_hard(weight_hard=False),
                "You weigh the easy ones only. The one at 0.5 has a weight, too.",
                tolerance=0.06,
            ),
            gives(
                lambda: truth.easy_per_hard(gamma=1),
                "Your weight is 1 - p. With γ = 2 it is squared.",
                tolerance=0.06,
            ),
            gives(
                lambda: [truth.easy_per_hard()[0], 2.5],
                "That is the ratio of the two weights. Multiply it by the ratio of the losses.",
                tolerance=0.06,
            ),
            gives(
                lambda: [truth.easy_per_hard()[0], 1000 * truth.easy_per_hard()[1]],
                "The second number is wanted in thousands.",
                tolerance=60,
            ),
        ),
    ),
    Exercise(
        "19.2",
        "Centre-ness",
        "a function of points [N, 2] and boxes [N, 4] that returns [N] numbers",
        (
            returns(
                "There is one number per point.",
                truth.central_cases,
                lambda points, boxes: (len(points),),
                ("Point i belongs to box i: no table of all pairs is needed.",),
            ),
            agrees(
                "It is the root of the product of two ratios: the shorter to the longer way to"
                " opposite edges, across and down.",
                centreness,
                truth.central_cases,
                (
                    "Begin with four distances: to the left, top, right and bottom edge.",
                    "Left and right are one pair, top and bottom the other.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.without_root,
                truth.central_cases,
                "The product is right. One step is missing: without it, scores fall too fast.",
            ),
            behaves_like(
                truth.mean_of_ratios,
                truth.central_cases,
                "You take the mean of the two ratios. At an edge, it should be 0 whatever the"
                " other ratio is.",
            ),
            behaves_like(
                truth.mixed_sides,
                truth.central_cases,
                "You compare left with top, and right with bottom. Opposite edges belong together.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "19.3",
        "The cheapest pairs",
        "a function of costs [G, N] that returns the prediction of each object, [G]",
        (
            returns(
                "There is one whole number per object.",
                truth.cost_cases,
                lambda cost: (len(cost),),
                ("Return a tensor of G integers: the column for each row.",),
                integers=True,
            ),
            Property(
                "No two objects get the same prediction.",
                truth.shared_prediction,
                ("`permutations(range(N), G)` never repeats a number within one way.",),
            ),
            agrees(
                "No other way to pair all objects costs less.",
                truth.cheapest,
                truth.cost_cases,
                (
                    "Add up the cost of each way, and keep the smallest sum.",
                    "A way `w` costs `cost[arange(G), w].sum()`.",
                ),
            ),
        ),
        (
            behaves_like(
                truth.own_best,
                truth.cost_cases,
                "Each object takes its own best. Two may want the same one.",
            ),
            behaves_like(
                truth.in_turn,
                truth.cost_cases,
                "The objects take turns here, and the first takes what the second needed more.",
            ),
            behaves_like(
                truth.best_pair_first,
                truth.cost_cases,
                "You take the cheapest pair first. What is left for the others can cost more than"
                " that saved.",
            ),
            behaves_like(
                truth.most_expensive,
                truth.cost_cases,
                "This is the way with the largest sum.",
            ),
        ),
        function=True,
    ),
    Exercise(
        "19.4",
        "One round of k-means",
        "a function of shapes [N, 2] and clusters [k, 2] that returns the moved clusters, [k, 2]",
        (
            returns(
                "There is a width and a height per cluster.",
                truth.shape_cases,
                lambda shapes, clusters: tuple(clusters.shape),
                ("Stack one mean per cluster.",),
            ),
            agrees(
                "Each cluster is the mean of the shapes whose IoU with it is the largest.",
                truth.one_round,
                truth.shape_cases,
                (
                    "On one centre, two shapes share the smaller width times the smaller height.",
                    "The union is the sum of both areas without what they share.",
                ),
                tolerance=1e-3,
            ),
        ),
        (
            behaves_like(
                truth.by_pixels,
                truth.shape_cases,
                "You measure distances in pixels: large boxes then count more. Compare by IoU.",
                tolerance=1e-3,
            ),
            behaves_like(
                lambda shapes, clusters: clusters,
                truth.shape_cases,
                "The clusters have not moved: return the means.",
                tolerance=1e-3,
            ),
        ),
        function=True,
    ),
    Exercise(
        "19.5",
        "Limits of sizes",
        "a list of five lengths in pixels that grow",
        (
            Property(
                "It is a list of five lengths in pixels, each larger than the one before.",
                truth.not_five_limits,
                ("Such as [64, 128, 256, 512, 1024], which are FCOS's.",),
            ),
            Property(
                "Every object of 32 scenes has a point.",
                truth.objects_without,
                (
                    "A map that takes large objects needs cells that are close enough to hit"
                    " them. Which of your maps is asked for objects smaller than its cells?",
                ),
            ),
            Property(
                "There are at least 40 positive points per scene.",
                truth.too_few,
                ("The finest map has the most points. How large may its objects be?",),
            ),
            Property(
                "At most 3 % of them are ambiguous.",
                truth.too_ambiguous,
                (
                    "Two boxes compete where they overlap on one map. The narrower a map's range,"
                    " the rarer they meet.",
                    "Which map holds most of the points? Narrow its range.",
                ),
            ),
            Property(
                "No map has more than half of the points, and four have at least one in a hundred.",
                truth.uneven,
                (
                    "Look at the shares. The map with the largest should end earlier.",
                    "A distance is never above 300: what ends there leaves nothing to the rest.",
                ),
            ),
        ),
        (
            Mistake(truth.in_fractions, "Give pixels of the picture of 300, not fractions."),
            Mistake(
                truth.of_the_paper,
                "These are FCOS's own, for pictures of 800 pixels. Ours have 300.",
            ),
        ),
    ),
)
