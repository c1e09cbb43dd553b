"""The annotated photographs: complete, credited, and found by an installed package, too."""

import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest
import torch
from ssd_book.photographs import PHOTOGRAPH_CLASSES, load_photograph, photograph_credit, photographs

from ssd_tutorial import _files as data_files
from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import VOCFolder

SOURCES = json.loads(data_path("photographs/sources.json").read_text(encoding="utf-8"))
README = data_path("README.md").read_text(encoding="utf-8")


def classes_of(name):
    return [PHOTOGRAPH_CLASSES[label - 1] for label in load_photograph(name)[1]["labels"]]


def test_every_file_has_a_source_and_every_source_a_file():
    pictures = {p.stem for p in data_path("photographs/JPEGImages").iterdir()}
    annotations = {p.stem for p in data_path("photographs/Annotations").iterdir()}
    assert set(photographs()) == pictures == annotations == set(SOURCES)
    assert list(photographs()) == sorted(photographs())
    assert len(photographs()) == 5


@pytest.mark.parametrize("name", photographs())
def test_picture_is_the_one_that_was_credited(name):
    path = data_path(f"photographs/JPEGImages/{name}.jpg")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == SOURCES[name]["sha256"]
    assert path.stat().st_size < 100_000
    assert SOURCES[name]["licence"] in ("public domain", "CC0 1.0")


@pytest.mark.parametrize("name", photographs())
def test_boxes_are_inside_and_positive(name):
    image, target = load_photograph(name)
    assert image.dtype == torch.uint8
    assert max(image.shape) <= 600
    height, width = image.shape[1:]
    x1, y1, x2, y2 = target["boxes"].unbind(1)
    assert (x1 >= 0).all()
    assert (y1 >= 0).all()
    assert (x2 <= width).all()
    assert (y2 <= height).all()
    assert ((x2 - x1) > 10).all()
    assert ((y2 - y1) > 10).all()
    assert target["boxes"].canvas_size == (height, width)
    assert target["name"] == name
    assert len(target["labels"]) >= 3


def test_classes_are_those_of_the_annotations():
    assert VOCFolder(data_path("photographs"), "all").classes == PHOTOGRAPH_CLASSES
    assert classes_of("astronaut") == ["person", "helmet", "space shuttle", "flag"]
    assert classes_of("cat") == ["cat", "eye", "eye"]


def test_the_eyes_are_on_the_cat_and_the_cup_is_on_its_saucer():
    cat, *eyes = load_photograph("cat")[1]["boxes"]
    for eye in eyes:
        assert (eye[:2] > cat[:2]).all()
        assert (eye[2:] < cat[2:]).all()
    cup, saucer, _ = load_photograph("coffee")[1]["boxes"]
    assert saucer[0] < cup[0] < cup[2] < saucer[2]
    assert cup[3] < saucer[3]


@pytest.mark.parametrize("name", photographs())
def test_readme_says_what_the_files_say(name):
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{name}` |"))
    _, pixels, objects, title, author, licence, link = row.strip("| ").split(" | ")
    image, _ = load_photograph(name)
    assert pixels.startswith(f"{image.shape[2]} x {image.shape[1]}")
    listed = []
    for entry in objects.split(", "):
        what, _, times = entry.partition(" (")
        listed += [what] * int(times.rstrip(")") or 1)
    assert listed == classes_of(name)
    source = SOURCES[name]
    assert (title, author, licence) == (source["title"], source["author"], source["licence"])
    assert f"({source['source']})" in link
    assert photograph_credit(name) == f"{title}. {author}, {licence}."


def test_readme_counts_objects_and_classes():
    objects = sum(len(classes_of(name)) for name in photographs())
    (stated,) = re.findall(r"five photographs, (\d+) objects of (\d+) classes", README)
    assert stated == (str(objects), str(len(PHOTOGRAPH_CLASSES)))


def test_unknown_photograph_lists_those_there_are():
    for function in (load_photograph, photograph_credit):
        with pytest.raises(ValueError, match="no photograph 'dog'; there are astronaut, camera"):
            function("dog")


def test_data_path_says_what_is_there():
    with pytest.raises(FileNotFoundError, match=r"no photographs/none in .*: .* Annotations, Im"):
        data_path("photographs/none")
    for name in ("../pyproject.toml", "/etc"):
        with pytest.raises(ValueError, match="below data"):
            data_path(name)


def test_an_installed_package_uses_its_own_copy(tmp_path, monkeypatch):
    """As in site-packages: ssd_tutorial/_data is there, an unrelated data folder beside it."""
    package = tmp_path / "ssd_tutorial"
    (tmp_path / "data" / "photographs").mkdir(parents=True)
    package.mkdir()
    monkeypatch.setattr(data_files, "PACKAGE", package)
    with pytest.raises(FileNotFoundError, match="installed without its data"):
        data_path("photographs")
    real = data_files.Path(data_files.__file__).parent.parent / "data" / "photographs"
    shutil.copytree(real, package / "_data" / "photographs")
    assert data_path("photographs") == package / "_data" / "photographs"


def test_reading_a_photograph_costs_no_matplotlib_and_no_scikit_image():
    code = (
        "import sys; from ssd_book.photographs import load_photograph; load_photograph('cat'); "
        "print([m for m in ('matplotlib', 'ipywidgets', 'skimage') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
