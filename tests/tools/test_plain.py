"""The plain notebooks: nothing of MyST is left, and the code is the chapter's."""

import re

import nbformat
import notebooks
import plain
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

BOOK = plain.Book()
CHAPTERS = [page for page in BOOK.pages.values() if page.path.suffix == ".ipynb"]
MYST = re.compile(r"\{[a-z:-]+\}`|^ *(:::|```\{)|^\([\w-]+\)=$", re.MULTILINE)


def plain_of(page):
    return notebooks.read(plain.PLAIN / page.path.name)


def codes(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def markdown(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


@pytest.fixture(params=CHAPTERS, ids=lambda page: page.path.stem)
def page(request):
    return request.param


def test_stored_notebooks_are_up_to_date():
    assert list(plain.stale(BOOK, plain.PLAIN)) == []


def test_no_role_directive_or_target_is_left(page):
    assert MYST.search("\n\n".join(page.texts()))  # the chapter has some
    assert not MYST.findall(markdown(plain_of(page)))


def test_code_is_the_chapters_in_its_order_without_outputs(page):
    own = [cell for cell in codes(page.cells) if plain.appears(cell)]
    derived = codes(plain_of(page).cells)
    assert [cell.source for cell in derived] == [
        re.sub(r"^# NBVAL_IGNORE_OUTPUT\n", "", cell.source) for cell in own
    ]
    assert not any(cell.outputs or cell.execution_count for cell in derived)


def test_cells_that_draw_are_collapsed_and_lessons_are_open(page):
    own = [cell for cell in codes(page.cells) if plain.appears(cell)]
    for cell, derived in zip(own, codes(plain_of(page).cells), strict=True):
        collapsed = {"hide-input", "hide-cell", "remove-input", "bootstrap", "solution"}
        hidden = collapsed & set(notebooks.tags(cell))
        assert derived.metadata.get("jupyter", {}).get("source_hidden", False) == bool(hidden)
        assert (derived.metadata.get("cellView") == "form") == bool(hidden)


def test_every_figure_has_its_caption_below_it(page):
    text = markdown(plain_of(page))
    assert [f"**Figure {BOOK.figures[name]}.** " in text for name in page.figures()].count(
        False
    ) == 0


def test_every_link_inside_a_notebook_leads_to_a_heading(page):
    text = markdown(plain_of(page))
    headings = {
        re.sub(r"\s+", "-", re.sub(r"[`*$]", "", line))
        for line in re.findall(r"^#+ +(.+)$", text, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


def test_links_to_chapters_lead_to_notebooks(page):
    for target in re.findall(r"\]\(([\w./]+\.ipynb)", markdown(plain_of(page))):
        assert (plain.PLAIN / target).is_file()


# --- by example -----------------------------------------------------------------------------------
def resolved(source: str) -> str:
    return plain.Plain(BOOK, BOOK.pages["08_matching"]).text(source)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{numref}`fig-matching-cat`", "Figure 8.2"),
        ("see {eq}`eq-scales`", "see (5.1)"),
        ("{doc}`/book/05_scales`", "[Scales](05_scales.ipynb)"),
        ("{doc}`the scales </book/05_scales>`", "[the scales](05_scales.ipynb)"),
        ("{term}`priors <prior>` and {term}`prior`", "[priors](#Words) and prior"),
        ("{cite:t}`liu2016ssd`", "[Liu et al. (2016)](#Works-cited)"),
        ("{cite}`liu2016ssd,caffessd`", "([Liu et al., 2016; Liu, 2016](#Works-cited))"),
        ("(sec-x)=\n## Rounds", "## Rounds"),
        ("```{math}\n:label: eq-scales\na = b\n```", "$$\na = b\n\\tag{5.1}\n$$"),
        (":::{admonition} Beware\nof {term}`prior`\n:::", "> **Beware**\n>\n> of [prior](#Words)"),
        (":::{admonition} Exercise 8.1\n:class: exercise\nTry.\n:::", "### Exercise 8.1\n\nTry."),
        ("```bash\nls {this}\n```", "```bash\nls {this}\n```"),
    ],
)
def test_each_construct_has_its_plain_form(source, text):
    assert resolved(source) == text


@pytest.mark.parametrize("source", ["{abbr}`IoU`", ":::{figure} a.png\n:::"])
def test_a_construct_without_a_plain_form_is_an_error(source):
    with pytest.raises(ValueError, match="08_matching.ipynb: no plain form of the"):
        resolved(source)


def test_a_reference_to_nothing_is_an_error():
    with pytest.raises(KeyError, match="fig-nowhere"):
        resolved("{numref}`fig-nowhere`")


def test_changed_and_missing_notebooks_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(plain, "ROOT", tmp_path)
    monkeypatch.setattr(plain, "PLAIN", tmp_path / "notebooks")
    assert plain.main([]) == 0
    assert plain.main(["--check"]) == 0
    (tmp_path / "notebooks" / "05_scales.ipynb").unlink()
    changed = tmp_path / "notebooks" / "06_aspect_ratios.ipynb"
    changed.write_text(changed.read_text().replace("ratio", "shape"))
    orphan = tmp_path / "notebooks" / "99_gone.ipynb"
    nbformat.write(new_notebook(cells=[new_markdown_cell("# Gone"), new_code_cell("1")]), orphan)
    capsys.readouterr()
    assert plain.main(["--check"]) == 1
    said = capsys.readouterr().err
    assert [n in said for n in ("05_scales", "06_aspect", "99_gone", "07_priors")] == [1, 1, 1, 0]
    assert plain.main([]) == 0
    assert not orphan.exists()
    assert plain.main(["--check"]) == 0
