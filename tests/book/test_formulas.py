"""TeX becomes MathML, or an error that says what to write instead."""

import re

import pytest
from docutils import nodes


@pytest.fixture
def formulas(extension):
    return extension("formulas")


@pytest.mark.parametrize(
    ("tex", "display", "mathml"),
    [
        ("x < y", False, "<math><mi>x</mi><mo>&lt;</mo><mi>y</mi></math>"),
        ("x^2", True, '<math display="block"><msup><mi>x</mi><mn>2</mn></msup></math>'),
        (r"\text{step}", False, "<math><mi>step</mi></math>"),
        (r"\text{in it}", False, "<math><mtext>in\xa0it</mtext></math>"),
    ],
)
def test_a_formula_is_mathml(formulas, tex, display, mathml):
    assert re.sub(r' alttext="[^"]*"', "", formulas.typeset(tex, display)) == mathml


def test_its_tex_is_kept_on_one_line(formulas):
    typeset = formulas.typeset('a < "b"\n+ c', True)
    assert typeset.startswith('<math alttext="a &lt; &quot;b&quot; + c" display="block">')


def test_a_word_beside_an_operator_is_no_text_as_that_would_take_the_space(formulas):
    typeset = formulas.typeset(r"\frac{\text{pixel} - \text{mean}}{2}", True)
    assert "<mi>pixel</mi><mo>−</mo><mi>mean</mi>" in typeset


@pytest.mark.parametrize(
    ("tex", "said"),
    [
        (r"a + \foo{b}", r"Unknown command .*foo.* at '.*foo\{b\}'"),
        (r"\frac{a}", "Expected argument"),
        (r"a & b", "may only appear in a table-like environment"),
        (r"a = b \\ c = d", "outside an environment: use aligned"),
        (r"\begin{align} a &= b \end{align}", "align numbers its lines: use aligned"),
        (r"\begin{cases} a \\ b \end{cases} \\ c", "outside an environment"),
    ],
)
def test_what_cannot_be_typeset_as_in_tex_is_refused(formulas, tex, said):
    with pytest.raises(ValueError, match=said):
        formulas.typeset(tex, True)


@pytest.mark.parametrize(
    "tex",
    [
        r"\begin{cases} a & b \\ c & d \end{cases}",
        r"\begin{aligned} a &= b \\ &= c \end{aligned}",
        r"\begin{align*} a &= b \\ &= c \end{align*}",
    ],
)
def test_lines_inside_an_environment_are_rows(formulas, tex):
    assert formulas.typeset(tex, True).count("<mtr>") == 2


@pytest.mark.parametrize(
    ("before", "after", "boxes"),
    [("Of (", "), as", ["(x),"]), ("of ", " and", []), ("", ", and", ["x,"]), ("3-", "", ["3-x"])],
)
def test_a_line_breaks_at_the_spaces_around_a_formula(formulas, before, after, boxes):
    parts = [nodes.Text(before), nodes.math("", "x"), nodes.Text(after)]
    line = nodes.paragraph("", "", *(part for part in parts if part.astext()))
    formulas.hold_together(None, nodes.container("", line), "page")
    assert line.astext() == f"{before}x{after}"
    assert [box.astext() for box in line.findall(nodes.inline)] == boxes
    assert all(box["classes"] == ["unbroken"] for box in line.findall(nodes.inline))


def test_a_text_that_is_there_twice_is_taken_beside_the_formula(formulas):
    line = nodes.paragraph("", "", nodes.literal("", "a"), nodes.Text(", "))
    line += [nodes.math("", "x"), nodes.Text(", "), nodes.literal("", "b")]
    formulas.hold_together(None, nodes.container("", line), "page")
    assert [part.astext() for part in line.children] == ["a", ", ", "x,", " ", "b"]


def test_a_formula_that_is_refused_is_shown_as_tex_with_a_warning_at_its_line(formulas, caplog):
    line = nodes.paragraph("", "", nodes.math("", r"\foo<b"))
    line.source, line.line = "book/09_loss.ipynb", 40_002
    assert formulas.typeset_node(line[0], display=False) == r"<code>\foo&lt;b</code>"
    (warning,) = caplog.records
    assert warning.levelname == "WARNING"
    assert "Unknown command" in warning.getMessage()
    assert warning.location is line
