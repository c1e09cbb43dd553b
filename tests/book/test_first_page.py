"""What the first page shows below its film: tiles, facts, scenes, and the numbers in its text."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from ssd_book import first_page
from ssd_book.explorers import modules
from ssd_book.explorers.trained import scenes_detector

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import open_dataset
from ssd_tutorial.deploy.inference import detect

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "index.md").read_text(encoding="utf-8")


def title(file: str) -> str:
    """Return the first heading of a page."""
    path = ROOT / "book" / f"{file}.ipynb"
    if not path.is_file():
        return path.with_suffix(".md").read_text(encoding="utf-8").split("\n")[0].removeprefix("# ")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return next(re.search(r"^# (.+)$", text, re.M)[1] for text in texts if text.startswith("# "))


def test_every_chapter_has_a_tile_in_the_books_order_with_its_own_title():
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    listed = re.findall(r"file: book/(\S+)", toc)
    assert [tile.file for tile in first_page.TILES] == [n for n in listed if n != "references"]
    for tile in first_page.TILES:
        assert tile.title == title(tile.file)


@pytest.fixture(scope="module")
def tiles():
    return ET.fromstring(first_page.draw_tiles())


def test_every_tile_leads_to_its_page_and_has_a_drawing_of_its_own(tiles):
    links = tiles.findall("li/a")
    assert [a.get("href") for a in links] == [f"{tile.file}.html" for tile in first_page.TILES]
    drawings = [ET.tostring(a.find("svg")) for a in links]
    assert len(set(drawings)) == len(drawings)
    assert all(drawing.count(b"<", 4) > 2 for drawing in drawings)


def test_drawings_stay_on_their_tiles(tiles):
    for svg in tiles.iter("svg"):
        for rect in svg.iter("rect"):
            x, y, width, height = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
            assert width > 0
            assert height > 0
            assert -20 < x < x + width < first_page.WIDTH + 20
            assert -30 < y < y + height < first_page.HEIGHT + 30
        for path in svg.iter("path"):
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.get("d"))]
            assert all(0 <= x <= first_page.WIDTH for x in numbers[::2])
            assert all(0 <= y <= first_page.HEIGHT for y in numbers[1::2])


def test_the_tiles_are_light():
    assert len(first_page.draw_tiles()) < 1_400 * len(first_page.TILES)


def test_the_facts_are_those_of_the_records():
    facts = first_page.draw_facts()
    for name in ("scenes_slim300", "bccd_slim300"):
        record = json.loads(data_path(f"runs/{name}/result.json").read_text(encoding="utf-8"))
        assert f"<dt>{record['map50_mean']:.2f} of 1</dt>" in facts
    low, high = map(int, re.search(r"(\d+)–(\d+) min", facts).groups())
    minutes = json.loads(data_path("runs/scenes_slim300/result.json").read_text())["minutes"]
    assert (low, high) == (round(min(minutes)), round(max(minutes)))


def test_the_scenes_show_what_the_package_detects_in_them():
    detector = scenes_detector()
    drawn = ET.fromstring(first_page.draw_found(detector, [39]))
    (found,) = detect(detector.network, [open_dataset("scenes", "val")[39][0]], score_threshold=0.5)
    labels = [text.text for text in drawn.iter("text")]
    names = [detector.classes[label - 1] for label in found.labels.tolist()]
    assert labels == [f"{n} {s:.2f}" for n, s in zip(names, found.scores.tolist(), strict=True)]
    corners = [[float(r.get(k)) for k in ("x", "y")] for r in drawn.iter("rect")]
    for corner, box in zip(corners, found.boxes.tolist(), strict=True):
        assert corner == pytest.approx(box[:2], abs=0.06)
    (svg,) = drawn.iter("svg")
    assert all(name in svg.get("aria-label") for name in names)


def test_the_first_button_leads_to_the_first_chapter():
    assert f"[Start reading]({first_page.TILES[0].file}.ipynb)" in TEXT


def test_the_numbers_in_the_text_count_what_is_there():
    chapters = [tile for tile in first_page.TILES if tile.file[:2].isdigit()]
    assert f"{len(chapters)} chapters, half an hour each" in TEXT
    assert len(modules.names()) - 2 == 14  # without the film and the openings
    assert "fourteen live figures" in TEXT


def test_the_commands_exist():
    (block,) = re.findall(r"```bash\n(.*?)```", TEXT, re.S)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in [*re.findall(r"^make (\w+)", block, re.M), "lab"]:
        assert re.search(rf"^{target}:", makefile, re.M), target
    for command in re.findall(r"python -m ssd_tutorial (\w+)", block):
        assert (ROOT / "ssd_tutorial" / "cli" / f"{command}_command.py").is_file(), command
    assert block.count("\n") == 4
