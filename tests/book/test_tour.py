"""The tour: what its overview picture shows, and that its command works as printed."""

import json
import re
import shlex
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from ssd_book import pipeline, plots
from ssd_book.checks import ch01_truth as truth
from torchvision.transforms.v2 import functional as F

from ssd_tutorial import load_detector, make_priors, open_dataset, postprocess
from ssd_tutorial.__main__ import PROGRAM, main
from ssd_tutorial._files import data_path
from ssd_tutorial.boxes import cxcywh_to_xyxy, iou
from ssd_tutorial.datasets import read_picture

BOOK = Path(__file__).resolve().parents[2] / "book"
SCENE, KITE = 54, 8149


@pytest.fixture(scope="module")
def scene():
    return load_detector("scenes"), *open_dataset("scenes", "val")[SCENE]


@pytest.fixture(scope="module")
def passage(scene):
    return pipeline.follow(*scene)


@pytest.fixture(scope="module")
def figure(scene):
    fig = pipeline.draw_pipeline(*scene, prior=KITE)
    yield fig
    plt.close(fig)


@pytest.fixture(scope="module")
def markdown():
    cells = nbformat.read(BOOK / "01_tour.ipynb", as_version=4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_a_scene_passes_through_the_steps_of_the_package(scene, passage):
    detector, image, target = scene
    network = detector.network
    with torch.inference_mode():
        logits, offsets = network(image[None])
    (found,) = postprocess(logits, offsets, network.priors)
    assert torch.equal(passage.found.boxes, found.above(0.5).boxes)
    scores = logits[0].softmax(-1)
    assert torch.equal(passage.passing, scores[:, 1:].amax(1) > 0.5)
    # by hand: a prior is positive from an IoU of 0.5 on, or if an object has no better one
    overlap = iou(cxcywh_to_xyxy(make_priors(network.config.priors)), target["boxes"] / 300)
    assert bool((overlap.amax(1) >= 0.5)[passage.positive].all())
    assert int(passage.positive.sum()) == int((overlap.amax(1) >= 0.5).sum())
    background = scores[:, 0]
    worst = background[~passage.positive].sort().values[: 3 * int(passage.positive.sum())]
    assert torch.equal(background[passage.mined].sort().values, worst)
    assert not (passage.mined & passage.positive).any()


def test_the_picture_states_these_counts_and_draws_what_they_count(figure, passage):
    page, picture, *panels = figure.axes
    words = [text.get_text() for text in page.texts]
    counts = ["8732 boxes", "36 boxes", "4 boxes", "4 objects", "40 priors", "40 + 120"]
    assert [w for w in words if w in counts] == counts
    assert (int(passage.passing.sum()), len(passage.found.scores)) == (36, 4)
    assert (int(passage.positive.sum()), int(passage.mined.sum())) == (40, 120)
    assert f"prior {KITE}" in words
    drawn = [sum(len(c.get_paths()) for c in ax.collections) for ax in panels]
    assert drawn[:2] == [8732, 36]
    assert drawn[4] == 40
    crosses, dots = panels[5].collections
    assert (len(crosses.get_offsets()), len(dots.get_offsets())) == (120, 40)
    boxes = [len([p for p in ax.patches if p.get_width() < 1]) for ax in panels]
    assert boxes == [0, 0, 4, 4, 0, 0]
    assert len(picture.images) == 1


def test_its_table_has_a_cell_for_each_number_of_a_row(figure):
    page = figure.axes[0]
    cells = [
        p for p in page.patches if isinstance(p, Rectangle) and round(p.get_width(), 2) == 0.18
    ]
    assert len(cells) == 4 * (13 + 4)
    assert all(0 <= p.get_facecolor()[3] <= 1 for p in cells)


def test_no_word_covers_another(figure):
    figure.draw_without_rendering()
    texts = [text for text in figure.axes[0].texts if text.get_text().strip()]
    boxes = [text.get_window_extent() for text in texts]
    meeting = [
        (one.get_text(), other.get_text())
        for i, (one, a) in enumerate(zip(texts, boxes, strict=True))
        for other, b in zip(texts[:i], boxes[:i], strict=True)
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1
    ]
    assert meeting == []
    width, height = figure.get_size_inches() * figure.dpi
    assert all(min(b.x0, b.y0) >= 0 and b.x1 <= width and b.y1 <= height for b in boxes)


def test_every_part_names_chapters_that_are_in_the_book():
    there = {int(path.name[:2]) for path in BOOK.glob("[0-9][0-9]_*.ipynb")}
    for part, words in pipeline.CHAPTERS.items():
        ends = [[int(n) for n in one.split("–")] for one in words.split(", ")]
        named = {n for first, *last in ends for n in range(first, (last or [first])[0] + 1)}
        assert named <= there, part


def test_its_list_names_every_chapter_that_follows(markdown):
    listed = re.findall(r"^\| (\d+) \| \{doc\}`/book/(\w+)` \| .+\? \|$", markdown, re.MULTILINE)
    names = sorted(p.stem for p in BOOK.glob("[0-9][0-9]_*.ipynb") if p.stem > "01_tour")
    assert [name for _, name in listed] == names
    assert [int(number) for number, _ in listed] == [int(name[:2]) for name in names]


def test_every_box_left_by_nms_has_the_colour_of_its_map(figure, passage):
    kept = [p for p in figure.axes[4].patches if p.get_width() < 1]
    colours = [to_hex(patch.get_edgecolor()) for patch in kept]
    maps = ["conv8_2", "conv4_3", "conv7", "conv8_2"]  # balloon, boat, lighthouse, kite
    assert colours == [plots.MAP_COLORS[name] for name in maps]
    assert passage.found.labels.tolist() == [2, 3, 9, 8]


def test_the_last_exercise_tells_what_the_detector_stands(markdown):
    def blurred(image):
        return F.gaussian_blur(image, [21, 21], [3.0, 3.0])

    cells = nbformat.read(BOOK / "01_tour.ipynb", as_version=4).cells
    (told,) = (
        c.source
        for c in cells
        if "solution" in c.metadata.get("tags", []) and "blurred" in c.source
    )
    told = re.sub(r"\n *# ", " ", told)
    assert f"{truth.objects()} objects, of which the detector finds {truth.named(lambda x: x)}" in (
        " ".join(markdown.split())
    )
    assert f"Upside down it finds {truth.named(lambda x: x.flip(1))}," in told
    assert f"blurred (sigma 3) {truth.named(blurred)};" in told
    assert f"in inverted colours {truth.named(lambda x: 255 - x)};" in told
    assert f"mirrored {truth.named(lambda x: x.flip(2))}," in told


def test_its_command_does_what_it_says(markdown, tmp_path, monkeypatch, capsys):
    (command,) = (c for c in re.findall(r"```bash\n(.*?)```", markdown, re.S) if PROGRAM in c)
    words = shlex.split(command.replace("\\\n", " "))
    assert " ".join(words[:3]) == PROGRAM
    monkeypatch.chdir(tmp_path)
    shutil.copy(data_path("photographs/JPEGImages/coffee.jpg"), "holiday.jpg")
    assert main(words[3:]) == 0
    assert "holiday.jpg: 1 balloon, 1 cat, 1 tree" in capsys.readouterr().out
    original, copy = (read_picture(f) for f in ("holiday.jpg", "found/holiday.png"))
    assert copy.shape == original.shape
    assert 0.01 < (copy != original).any(dim=0).float().mean() < 0.2  # boxes and names
    listed = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in listed["pictures"][0]["detections"]] == [
        "balloon",
        "cat",
        "tree",
    ]
