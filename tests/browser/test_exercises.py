"""Exercises answer on the page: right, wrong with the next hint, unreadable, and what is kept."""

import base64
import json

import built_site
import pytest

pytestmark = pytest.mark.browser

IOU, SIDES, RATIO = (
    ("04_boxes_and_iou", "4-1"),
    ("06_aspect_ratios", "6-1"),
    ("06_aspect_ratios", "6-4"),
)
REFUSES = """
for (const name of ["getItem", "setItem"]) {
  const real = Storage.prototype[name];
  Storage.prototype[name] = function (key, ...rest) {
    if (key.startsWith("ssd-exercise")) throw new DOMException("refused", "SecurityError");
    return real.call(this, key, ...rest);
  };
}
"""


@pytest.fixture
def open_exercise(browser, base, html):
    """Open an exercise's page; no other origin may be asked for anything, and nothing may fail."""
    contexts, elsewhere, errors = [], [], []

    def open_page(exercise, width=1280, address=base, before=None, **context_of):
        chapter, number = exercise
        page, foreign = built_site.new_page(browser, address, width, **context_of)
        if before:
            page.add_init_script(before)
        contexts.append(page.context)
        elsewhere.append(foreign)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{address}book/{chapter}.html", wait_until="domcontentloaded")
        return page, page.locator(f"#exercise-{number} form")

    yield open_page
    for context in contexts:
        context.close()
    assert not any(elsewhere)
    assert errors == []


def said(form):
    return " ".join(form.locator(".said").inner_text().split())


def submit(form, *typed):
    """Type into each field, and press Enter in the last one."""
    for number, text in enumerate(typed):
        form.locator("input").nth(number).fill(text)
    form.locator("input").nth(len(typed) - 1).press("Enter")
    return said(form)


def test_a_wrong_answer_gets_one_hint_more_each_time_and_a_right_one_the_reason(open_exercise):
    _, form = open_exercise(IOU)
    assert said(form) == ""
    first = submit(form, "0.2")
    assert first.startswith(
        "Not yet. Must hold: It is the overlap of the two boxes, divided by their union. "
        "Yours: 0.2 Hint 1 of 2: The overlap is itself a box"
    )
    assert "Check again for the next hint." in first
    form.get_by_role("button", name="Check").click()
    assert "Hint 2 of 2: The union is the sum" in said(form)
    assert "again" not in said(form)
    assert "Hint 1 of 3: Your union counts the overlap twice" in submit(form, "0,125")
    assert "Hint 2 of 2" in submit(form, "0.2")  # each cause is counted separately
    assert submit(form, "1/7") == (
        "Right. It is the overlap of the two boxes, divided by their union."
    )
    assert "Hint 1 of 2" in submit(form, "0.2")


def test_what_cannot_be_read_is_said_and_the_field_is_focused(open_exercise):
    page, form = open_exercise(SIDES)
    assert submit(form, "0.28 px", "0.14") == (
        "“px” can't be read as a number. "
        "Write a number such as 3, 0.25 or 1/4; sqrt, ln and pi work, too."
    )
    assert page.evaluate("document.activeElement.getAttribute('aria-invalid')") == "true"
    assert page.evaluate("document.activeElement.value") == "0.28 px"
    assert "number is missing" in submit(form, "0.28", " ")
    assert form.locator("[aria-invalid]").count() == 1
    assert "Right." in submit(form, "0.37 * sqrt(3)", "0,37/√3")
    assert form.locator("[aria-invalid]").count() == 0


def test_a_choice_is_checked_and_made_by_the_arrow_keys(open_exercise):
    page, form = open_exercise(RATIO)
    form.get_by_role("button", name="Check").click()
    assert said(form) == "Choose one first."
    form.get_by_label("1/2", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert "Hint 1 of 3: Only a lighthouse is that slim" in said(form)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    assert said(form).startswith("Right. Boxes of this ratio have the highest mean IoU")


def test_a_slash_is_typed_and_does_not_open_the_search(open_exercise):
    page, form = open_exercise(IOU)
    form.locator("input").focus()
    page.keyboard.type("1/7")
    assert page.locator("dialog[open]").count() == 0
    assert form.locator("input").input_value() == "1/7"


def test_what_was_typed_is_kept_and_a_right_answer_is_still_right(open_exercise):
    page, form = open_exercise(SIDES)
    submit(form, "0.283", "0.3")
    page.reload(wait_until="domcontentloaded")
    assert [form.locator("input").nth(n).input_value() for n in (0, 1)] == ["0.283", "0.3"]
    assert said(form) == ""  # a wrong one is not held against the reader
    submit(form, "0.641", "0.2136")
    page.reload(wait_until="domcontentloaded")
    assert said(form).startswith("Right.")


def test_a_page_works_without_storage_and_with_the_storage_of_others(open_exercise):
    _, form = open_exercise(IOU, before=REFUSES)
    assert "Right." in submit(form, "1/7")
    _, form = open_exercise(IOU, before="localStorage.setItem('ssd-exercise-04.1', '{')")
    assert "Right." in submit(form, "1/7")


def test_a_page_opened_as_a_file_checks_answers(open_exercise, html):
    _, form = open_exercise(IOU, address=f"{html.as_uri()}/")
    assert "Right." in submit(form, "1/7")


def test_without_scripts_there_is_no_form(open_exercise):
    page, form = open_exercise(IOU, java_script_enabled=False)
    assert form.count() == 1
    assert not form.is_visible()
    assert "0.142" not in page.content()  # nor a right answer to be read in the source


def test_the_form_is_not_printed_and_does_not_move_the_page(open_exercise):
    page, form = open_exercise(IOU)
    box = page.locator("#exercise-4-1")
    shown = box.bounding_box()["height"]
    form.evaluate("form => { form.hidden = true; }")  # as before the script has run
    assert box.bounding_box()["height"] == shown
    form.evaluate("form => { form.hidden = false; }")
    page.emulate_media(media="print")
    assert not form.is_visible()


def test_every_form_of_the_book_accepts_the_right_answer(open_exercise, base, html):
    forms, (page, _) = 0, open_exercise(IOU)
    for file in sorted((html / "book").glob("[0-9][0-9]_*.html")):
        page.goto(f"{base}book/{file.name}", wait_until="domcontentloaded")
        for form in page.locator("form.exercise-answer").all():
            table = json.loads(base64.b64decode(form.get_attribute("data-check")))
            if "choices" in table:
                (right,) = (c for c, it in table["choices"].items() if it["status"] == "passed")
                form.get_by_label(right, exact=True).check()
                form.get_by_role("button", name="Check").click()
            else:
                submit(form, *map(repr, table["properties"][-1]["near"]))
            assert said(form).startswith("Right."), form.get_attribute("id")
            forms += 1
    assert forms > 30


@pytest.mark.parametrize("exercise", [SIDES, RATIO, ("08_matching", "8-1")])
def test_fields_and_buttons_fit_a_phone_and_a_finger(open_exercise, exercise):
    page, form = open_exercise(exercise, width=320)
    for target in form.locator("input[type=text], .choice, button").all():
        box = target.bounding_box()
        assert min(box["width"], box["height"]) >= 44
        assert 0 <= box["x"] < box["x"] + box["width"] <= 320
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("exercise", [IOU, SIDES, RATIO])
def test_a_form_with_an_answer_passes_axe_in_both_themes(open_exercise, axe, exercise):
    page, form = open_exercise(exercise)
    if exercise == RATIO:
        form.get_by_label("1/3", exact=True).check()
        form.get_by_role("button", name="Check").click()
    else:
        submit(form, "1/3", *["x"] * (exercise == SIDES))
    assert said(form)
    page.mouse.move(0, 0)
    page.evaluate(axe)
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = '{theme}'")
        built_site.wait_until_settled(page)
        found = page.evaluate(
            "place => axe.run(place).then((run) => run.violations)", f"#exercise-{exercise[1]}"
        )
        assert [violation["id"] for violation in found] == [], theme
