"""The list of real boxes that tools count from, and how the sizes of pictures are guessed."""

import pytest
import torch
from voc_boxes import Picture, fractions, is_sure, read_pictures, size_of


def picture(*boxes):
    return Picture(torch.tensor(boxes), torch.arange(len(boxes)))


def test_a_list_of_boxes_is_read_from_one_with_the_last_pixel_included(tmp_path):
    (tmp_path / "list.txt").write_text("a.jpg 1 1 10 20 3 5 6 7 8 0\nb.jpg 2 3 4 5 19\n")
    first, second = read_pictures(tmp_path / "list.txt")
    assert first.boxes_px.tolist() == [[0, 0, 10, 20], [4, 5, 7, 8]]
    assert first.labels.tolist() == [3, 0]
    assert second.boxes_px.tolist() == [[1, 2, 4, 5]]


@pytest.mark.parametrize(
    ("boxes", "sure", "landscape", "upright"),
    [
        ([[0, 0, 100, 100]], False, (500, 375), (375, 500)),
        ([[0, 0, 381, 100]], True, (500, 375), (500, 375)),
        ([[0, 0, 100, 381]], True, (375, 500), (375, 500)),
        ([[0, 0, 450, 400]], True, (500, 400), (500, 400)),
        ([[0, 0, 377, 100], [5, 5, 9, 9]], False, (500, 375), (377, 500)),
    ],
)
def test_boxes_tell_the_size_of_their_picture_where_they_can(boxes, sure, landscape, upright):
    one = picture(*boxes)
    assert (is_sure(one), size_of(one), size_of(one, True)) == (sure, landscape, upright)


def test_fractions_are_of_the_guessed_size():
    one = picture([0, 0, 125, 375])
    assert fractions(one).tolist() == [[0, 0, 0.25, 1]]
    assert fractions(one, upright=True, dtype=torch.float64).tolist() == [[0, 0, 1 / 3, 0.75]]
