"""Exercises of chapter 1: a tour."""

from ssd_book.checks import ch01_truth as truth
from ssd_book.checks.engine import Exercise, Mistake, Property
from ssd_book.checks.properties import equals, gives, is_number, is_numbers

EXERCISES = (
    Exercise(
        "01.1",
        "How many numbers?",
        "a whole number: how many numbers the network outputs for one picture",
        (
            is_number("The answer is a whole number.", 1),
            equals(
                "It counts every number in every row: one row per prior.",
                truth.numbers_per_picture,
                (
                    "How many rows are there, and how long is one?",
                    "A row has one score per class, and the offsets. One of the classes is not in"
                    " the list of names.",
                ),
                tolerance=0.5,
            ),
        ),
        (
            gives(
                lambda: truth.numbers_per_picture(truth.COCO),
                "A row also has a score for the background.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.numbers_per_picture(offsets=0),
                "These are the scores alone. Each row also says how its prior should move.",
                tolerance=0.5,
            ),
            gives(
                lambda: truth.numbers_per_picture(13),
                "This is the detector of scenes. COCO has more classes.",
                tolerance=0.5,
            ),
        ),
    ),
    Exercise(
        "01.2",
        "Move a prior",
        "four numbers: the left, top, right and bottom edge of the box, in pixels",
        (
            is_numbers("There are four numbers.", "left", "top", "right", "bottom"),
            equals(
                "They are the edges of the prior after its shift and its change of size.",
                truth.moved,
                (
                    "Move the centre first. How far does an offset of 1 move it?",
                    "An offset of 1 is a tenth of the prior's width in x, and a tenth of its"
                    " height in y.",
                    "Half of the new width lies on either side of the new centre.",
                ),
                tolerance=0.01,
            ),
        ),
        (
            gives(
                lambda: truth.moved(unit=1.0),
                "You shift by whole widths and heights of the prior. An offset counts tenths.",
                tolerance=0.01,
            ),
            gives(
                lambda: truth.moved(grown=True),
                "You measure the shift in the box's new size. It is counted in the prior's.",
                tolerance=0.01,
            ),
            gives(
                lambda: truth.moved(half=1.0),
                "Your box is twice as wide and twice as high: the centre is in its middle.",
                tolerance=0.01,
            ),
            gives(
                truth.moved_as_centre,
                "That is the right box, as centre and size. The question asks for its edges.",
                tolerance=0.01,
            ),
        ),
    ),
    Exercise(
        "01.3",
        "Which boxes are removed?",
        "five numbers, one per box of the list: 1 if it stays, 0 if it is removed",
        (
            is_numbers("There is one number per box, five in all.", *"ABCDE"),
            equals(
                "A box is removed if it has the class of the best one and their IoU is above 0.45.",
                truth.stays,
                (
                    "Go through the list. Two things decide about a box; its score is neither of"
                    " them, as long as it is lower than the best.",
                    "Which boxes have another class? Which have a small IoU?",
                ),
            ),
        ),
        (
            gives(
                lambda: truth.stays(by_class=False),
                "You let a cat remove a dog. NMS compares boxes of the same class.",
            ),
            gives(
                lambda: truth.stays(least_score=0.05),
                "A low score is not a reason to be removed by NMS. What drops it is the threshold,"
                " another step.",
            ),
            gives(
                lambda: truth.stays(by_score=True),
                "You apply a threshold to the scores. NMS asks about overlap.",
            ),
            gives(
                lambda: [1 - verdict for verdict in truth.stays()],
                "Write 1 for a box that stays; you have it the other way round.",
            ),
        ),
    ),
    Exercise(
        "01.4",
        "The first mistake",
        "a score: that of the best detection that is wrong",
        (
            is_number("The answer is a score between 0 and 1.", 0, 1),
            equals(
                "No wrong detection in this scene has a higher score, and this one has it.",
                truth.first_mistake,
                (
                    "Detect with a threshold of 0.01, and print names, scores and boxes: they are"
                    " sorted by score. How many objects does the scene have?",
                    "The first four are right. Which comes next?",
                ),
                tolerance=0.006,
            ),
        ),
        (
            *(
                gives(
                    lambda place=place: truth.scores()[place],
                    "This detection is right: look at its box.",
                    tolerance=0.005,
                )
                for place in range(4)
            ),
            *(
                gives(
                    lambda place=place: truth.scores()[place],
                    "This one is wrong, too, but a wrong one with a higher score comes before it.",
                    tolerance=0.002,
                )
                for place in range(5, 9)
            ),
            gives(
                lambda: truth.scores()[-1],
                "This is the lowest score in the list. Start at the other end.",
                tolerance=0.002,
            ),
        ),
    ),
    Exercise(
        "01.5",
        "What defeats it",
        "a function of a picture, uint8 [3, 300, 300], that returns a changed copy of it",
        (
            Property(
                "It returns a picture of the same kind: uint8, with the same shape.",
                truth.not_pictures,
                (
                    "Colours are whole numbers from 0 to 255. `.to(torch.uint8)` turns floats into"
                    " them.",
                ),
            ),
            Property(
                "There is still something to see in it.",
                truth.blank_picture,
                ("Change where things are, or how they look; don't delete them.",),
            ),
            Property(
                "Of the objects in ten scenes, the detector names fewer than half.",
                truth.still_found,
                (
                    "What do all the pictures have in common that it was trained on?",
                    "In all of them the objects stand upright, and their outlines are sharp.",
                    "A picture can be turned, blurred or made smaller on a grey ground. How much of"
                    " it is needed?",
                ),
            ),
        ),
        (
            Mistake(
                lambda change: truth.does(change, lambda image: image),
                "Your function returns the picture unchanged.",
            ),
            Mistake(
                lambda change: truth.does(change, lambda image: image.flip(2)),
                "Half of the pictures that it was trained on were mirrored left to right: a"
                " mirrored car is still a car to it.",
            ),
            Mistake(
                truth.swaps_colors,
                "Other colours hardly disturb it: it goes by shapes.",
            ),
        ),
        function=True,
    ),
)
