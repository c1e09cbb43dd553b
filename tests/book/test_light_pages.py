"""The theme's pages without what they do not use: icons, and rules of style sheets."""

import importlib.util
import re
from pathlib import Path

import pytest
from sphinx.errors import ExtensionError

from tests import needs

SCRIPT = (
    'c={"moon":[384,512,[127769,9214],"f186","M144 9z"]},l={"moon":[384,512,[],"f186","M1 1z"],'
    'list:[512,512,["list-squares"],"f03a","M2 2z"]}'
)


@pytest.fixture
def light(extension):
    return extension("light_pages")


def test_an_older_theme_is_refused_with_what_to_do(light, monkeypatch):
    monkeypatch.setattr(light, "version", lambda _: "1.1.4")
    with pytest.raises(
        ExtensionError, match=r"need sphinx-book-theme 1\.3.*here is 1\.1\.4: make the"
    ):
        light.setup(None)


def test_icons_are_found_by_name_other_name_and_code_point(light):
    icons = light.read_icons(SCRIPT)
    assert icons["moon"] == icons["f186"] == ("0 0 384 512", "M1 1z")  # the last is the solid one
    assert icons["list"] == icons["list-squares"] == ("0 0 512 512", "M2 2z")


def test_an_icon_becomes_svg_and_keeps_its_other_classes_and_attributes(light):
    missing = set()
    page = '<p><i class="theme-switch fa-solid fa-moon  fa-lg" data-mode="dark"></i></p>'
    drawn = light.with_svg(page, light.read_icons(SCRIPT), missing)
    assert drawn == (
        '<p><svg class="icon theme-switch fa-lg" data-mode="dark" viewBox="0 0 384 512" '
        'aria-hidden="true"><path d="M1 1z"/></svg></p>'
    )
    assert light.with_svg(drawn, {}, missing) == drawn
    assert missing == set()


def test_an_icon_that_is_not_known_stays_and_is_named(light):
    missing = set()
    page = '<i class="fas fa-unicorn" aria-hidden="true"></i>'
    assert light.with_svg(page, light.read_icons(SCRIPT), missing) == page
    assert "unicorn" in missing


@needs.theme
def test_the_theme_still_has_every_icon_that_the_style_sheet_needs(light):
    theme = Path(importlib.util.find_spec("pydata_sphinx_theme").origin).parent
    icons = light.read_icons((theme / light.THEME).read_text(encoding="utf-8"))
    style = light.masks(icons)
    assert len(re.findall(r"--icon: url\('data:image/svg\+xml,[^' ]+'\);", style)) == len(
        light.MASKS
    )
    assert icons["github"][0] == "0 0 496 512"  # not only solid ones


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".here{a:b}", ".here{a:b}"),
        (".gone{a:b}", ""),
        (".gone,.here>p{a:b}", ".here>p{a:b}"),
        (".here:is(.gone, .other),#id.gone{a:b}", ".here:is(.gone, .other){a:b}"),
        (".here:not(.gone) p{a:b}", ".here:not(.gone) p{a:b}"),
        (r".md\:w-1{a:b}.sm\:w-1{a:b}", r".md\:w-1{a:b}"),
        ("p[class*=gone]{a:b}", "p[class*=gone]{a:b}"),
        ("/* } */p{a:b}", "p{a:b}"),
        ('p{content:"}"}.gone{a:b}', 'p{content:"}"}'),
        ('@import "x.css";.gone{a:b}', '@import "x.css";'),
        ("@media print{.gone{a:b}.here{a:b}}", "@media print{.here{a:b}}"),
        ("@media print{.gone{a:b}}p{a:b}", "p{a:b}"),
        ("@keyframes k{0%{a:b}to{a:c}}", "@keyframes k{0%{a:b}to{a:c}}"),
        (r"@font-face{font-family:Font Awesome\ 6 Free}p{a:b}", "p{a:b}"),
        ("@font-face{font-family:Ours}", "@font-face{font-family:Ours}"),
    ],
)
def test_only_rules_for_what_is_there_stay(light, css, left):
    once = light.purged(css, {"here", "id", "md:w-1"})
    assert once == left
    assert light.purged(once, {"here", "id", "md:w-1"}) == once


@pytest.mark.parametrize(
    ("script", "left"),
    [
        ('<script src="a.js?v=1"></script>', '<script defer src="a.js?v=1"></script>'),
        ('<script data-x="y" src="a.js">', '<script defer data-x="y" src="a.js">'),
        ('<script defer="defer" src="a.js">', '<script defer="defer" src="a.js">'),
        (
            '<script src="../documentation_options.js">',
            '<script src="../documentation_options.js">',
        ),
        ("<script>let a;</script>", "<script>let a;</script>"),
        ('<script type="application/json" id="a">', '<script type="application/json" id="a">'),
    ],
)
def test_scripts_from_files_wait_for_the_page(light, script, left):
    assert light.deferred(script) == left
