import pytest

from ssd_tutorial.figures.tables import Table


def test_numbers_are_aligned_right_and_text_left_in_both_forms():
    table = Table(["name", "boxes"], [["conv4_3", 5776], ["conv11_2", "4"]])
    assert repr(table).splitlines() == ["name      boxes", "conv4_3    5776", "conv11_2      4"]
    html = table._repr_html_()
    assert '<th>name</th><th style="text-align: right">boxes</th>' in html
    assert '<td>conv4_3</td><td style="text-align: right">5776</td>' in html


@pytest.mark.parametrize(("cell", "right"), [
    ("8 732", True), ("12.5%", True), ("−3", True), ("–", True), ("", True), ("×4", False),
])  # fmt: skip
def test_cells_that_are_numbers_are_aligned_right(cell, right):
    assert ("text-align: right" in Table(["x"], [[cell]])._repr_html_()) == right


def test_text_is_escaped():
    assert "<td>&lt; 24 &amp; more</td>" in Table(["x"], [["< 24 & more"]])._repr_html_()


def test_a_row_of_another_length_is_refused():
    with pytest.raises(ValueError, match="row 1 has 1 cells, the header has 2"):
        Table(["a", "b"], [[1, 2], [3]])
