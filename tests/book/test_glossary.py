"""The glossary: every word in English and in Korean, with the chapter that explains it."""

import re
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
TEXT = (BOOK / "glossary.md").read_text(encoding="utf-8")
ENTRIES = re.findall(r"^(?!\s|:|`|#)(\S.*)\n  (\S.*)$", TEXT.partition("```{glossary}")[2], re.M)
KOREAN = re.compile(r"In Korean ([^.]+)\.$")


def test_no_word_stands_twice_and_none_is_lost():
    names = [name.lower() for name, _ in ENTRIES]
    assert len(names) == len(set(names)) == len(re.findall(r"^  \S", TEXT, re.M))


@pytest.mark.parametrize(("name", "definition"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_an_entry_has_a_korean_word_and_leads_to_its_chapter(name, definition):
    korean = KOREAN.search(definition)
    assert korean, "ends with its Korean words"
    words = korean[1].split(", ")
    assert len(set(words)) == len(words)
    assert all(re.search("[가-힣]", word) for word in words)
    english = definition[: korean.start()]
    assert not re.search("[가-힣]", english)
    linked = re.findall(r"\{(?:ref|doc)\}`([^`<]+) <([^>]+)>`", english)
    assert linked
    for shown, target in linked:
        if target.startswith("/"):
            assert list(ROOT.glob(f"{target[1:]}.*")), target
            number = re.match(r"(\d\d)_", Path(target).name)
        else:
            (page,) = [p for p in BOOK.glob("*.ipynb") if f"({target})=" in p.read_text("utf-8")]
            number = re.match(r"(\d\d)_", page.name)
        if chapter := re.search(r"hapter (\d+)", shown):
            assert int(number[1]) == int(chapter[1]), shown


def test_the_font_of_korean_words_has_every_syllable_and_no_other():
    font = TTFont(BOOK / "_static" / "fonts" / "hangul.woff2")
    assert set(font.getBestCmap()) == {ord(sign) for sign in TEXT if "가" <= sign <= "힣"}
