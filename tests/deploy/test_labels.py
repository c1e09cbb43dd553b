"""Labels: inside the picture, clear of each other, readable at every size."""

from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from ssd_tutorial.deploy.labels import COLORS, Anchor, caption, draw_labelled, place_labels
from ssd_tutorial.detect import Detections

FRAME = (200.0, 100.0)
coordinates = st.floats(0, 1)
boxes = st.lists(st.tuples(coordinates, coordinates, coordinates, coordinates), max_size=12)
sizes = st.tuples(st.floats(1, 60), st.floats(1, 20))


def overlap(one, other):
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0) * max(height, 0)


@given(boxes, sizes)
@settings(max_examples=200, deadline=None)
def test_every_label_lies_in_the_picture_and_touches_its_box(fractions, size):
    ordered = [
        (min(a, c) * 200, min(b, d) * 100, max(a, c) * 200, max(b, d) * 100)
        for a, b, c, d in fractions
    ]
    placed = place_labels(ordered, [size] * len(ordered), FRAME)
    for box, anchor in zip(ordered, placed, strict=True):
        x0, y0, x1, y1 = anchor.rectangle(size)
        assert x0 >= -1e-9
        assert y0 >= -1e-9
        assert x1 <= FRAME[0] + 1e-9
        assert y1 <= FRAME[1] + 1e-9
        assert x0 <= box[2] + 1e-9
        assert x1 >= box[0] - 1e-9
        assert y0 <= box[3] + 1e-9
        assert y1 >= box[1] - 1e-9


def test_a_label_stands_in_the_corner_of_a_large_box_and_outside_a_small_one():
    large, small = (20, 30, 120, 90), (150, 50, 158, 56)
    first, second = place_labels([large, small], [(30, 8), (30, 8)], FRAME)
    assert first == Anchor(20, 30, "left", "top")
    assert overlap(second.rectangle((30, 8)), small) == 0
    assert second == Anchor(150, 50, "left", "bottom")


def test_labels_of_equal_boxes_do_not_hide_each_other():
    size = (30, 8)
    for count in range(2, 9):
        placed = place_labels([(60, 40, 140, 80)] * count, [size] * count, FRAME)
        places = [anchor.rectangle(size) for anchor in placed]
        assert not any(overlap(a, b) for a, b in combinations(places, 2)), count


def test_a_label_wider_than_the_picture_begins_at_its_border():
    (anchor,) = place_labels([(150, 40, 190, 80)], [(500, 8)], FRAME)
    assert anchor.rectangle((500, 8))[0] == 0


def test_a_caption_is_one_printable_line():
    assert caption("cat", 0.987) == "cat 0.99"
    assert (
        caption("a\x1b[2J\nb", 0.5)
        == "a\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}b 0.50"
    )
    assert len(caption("x" * 500, 1)) == 45


def luminance(rgb):
    """WCAG 2.2's relative luminance."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", COLORS)
def test_white_letters_are_readable_on_each_color(color):
    rgb = [v / 255 for v in ImageColor.getrgb(color)]
    assert 1.05 / (luminance(rgb) + 0.05) >= 4.5


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (3000, 4000), (640, 480)])
def test_letters_keep_their_share_of_a_picture_of_any_size(width, height):
    image = torch.full((3, height, width), 128, dtype=torch.uint8)
    box = torch.tensor([[0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height]])
    found = Detections(box, torch.tensor([0.9]), torch.tensor([1]))
    drawn = np.asarray(draw_labelled(image, found, ["cell"]))
    assert drawn.shape == (height, width, 3)
    color = ImageColor.getrgb(COLORS[0])
    x0, y0 = round(0.25 * width), round(0.25 * height)
    column = (drawn[y0:, x0 + 1] == color).all(-1)  # the box's line, and the label beside it
    inside = drawn[y0 : y0 + height // 10, x0 : x0 + width // 3]
    letters = max(12, max(width, height) / 75)
    rows = int(((inside == color).all(-1).sum(1) > letters).sum())
    assert column[0]
    assert rows >= letters
    white = (inside == 255).all(-1)
    assert white.sum() > 20, "letters"
    assert (drawn[: y0 // 2] == 128).all(), "nothing beside the box"


def test_a_picture_without_detections_is_a_copy():
    image = torch.randint(0, 256, (3, 20, 30), dtype=torch.uint8)
    none = Detections(torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, dtype=torch.int64))
    drawn = draw_labelled(image, none, [])
    assert np.array_equal(np.asarray(drawn), image.permute(1, 2, 0).numpy())
    assert isinstance(drawn, Image.Image)
