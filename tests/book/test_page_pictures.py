"""Figures as pages show them: kept beside the PNGs by the build's kernels, put in by the build."""

import gzip
import hashlib
import io
import re
import shutil
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from IPython.core import pylabtools
from matplotlib.figure import Figure
from PIL import Image
from ssd_book import page_pictures, plots

from ssd_tutorial.datasets import scenes

pytestmark = pytest.mark.timeout(400)  # builds a book, on a machine that may be busy


@pytest.fixture
def known(monkeypatch):
    """Scenes as a kernel of the build knows them: those that are drawn from now on."""
    monkeypatch.setattr(scenes, "compose", scenes.compose)  # undone after the test
    known = page_pictures.KnownScenes()
    known.listen()
    return known


def kept(figure, folder, known=None):
    """Return the file of a figure, and its PNG."""
    png = pylabtools.print_figure(figure)
    known = known or page_pictures.KnownScenes()
    return page_pictures.keep(figure, png, folder, known), png


def plot(**labels):
    figure = Figure(figsize=(5.2, 3.6), dpi=130)
    axes = figure.subplots()
    axes.plot([0, 0.0625, 0.125], [0, 1, 4])
    axes.set(xticks=[0, 0.0625, 0.125], **labels)
    return figure


def with_picture(pixels, side=5.2, **shown):
    figure = Figure(figsize=(side, side), dpi=130)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(pixels, **shown)
    axes.axis("off")
    return figure


# --- what a kernel keeps --------------------------------------------------------------------------
def test_a_plot_is_kept_as_svg_under_the_hash_of_its_png(tmp_path):
    file, png = kept(plot(title="Area × loss"), tmp_path)
    assert file == tmp_path / f"{hashlib.sha256(png).hexdigest()}.svg"
    assert [file] == list(tmp_path.iterdir())
    text = file.read_text()
    assert re.search(r"font-family: 'Inter'[^>]*>Area × loss</text>", text)
    assert ">0.0625</text>" in text
    assert "#ffffff" not in text  # no background


def test_a_plot_is_kept_alike_every_time(tmp_path):
    one, other = (kept(plot(), tmp_path / name)[0].read_bytes() for name in "ab")
    assert one == other


def test_a_figure_is_left_as_it_was(tmp_path):
    figure = with_picture(np.zeros((30, 30, 3)))
    figure.axes[0].set_title("black")
    _, before = kept(figure, tmp_path)
    assert pylabtools.print_figure(figure) == before


@pytest.mark.parametrize("title", ["$s_k$", "IoU ≥ 0.5"])
def test_letters_are_outlines_where_the_font_of_the_pages_lacks_one(tmp_path, title):
    text = kept(plot(title=title), tmp_path)[0].read_text()
    assert "<text" not in text
    assert "<path" in text


def test_outlines_of_bold_letters_are_not_those_of_others(tmp_path):
    figure = plot(title="IoU ≥ 0.5")
    figure.axes[0].title.set_weight("bold")
    figure.axes[0].set_xlabel("IoU")
    text = kept(figure, tmp_path)[0].read_text()
    assert set(re.findall(r'<path id="([^"]+)-[0-9a-f]+"', text)) >= {"Inter-400", "Inter-700"}


def test_a_plot_of_thousands_of_lines_is_a_picture(tmp_path):
    figure = plot()
    ends = np.random.default_rng(0).random((2, 2, 2000))
    figure.axes[0].plot(*ends)
    file, png = kept(figure, tmp_path)
    assert file.suffix == ".webp"
    with Image.open(file) as sharp, Image.open(io.BytesIO(png)) as small:
        assert sharp.width == pytest.approx(2 * small.width, rel=0.03)


def test_a_wide_figure_has_no_more_pixels_than_a_column_shows(tmp_path):
    figure = with_picture(np.zeros((30, 30, 3)), side=13)
    with Image.open(kept(figure, tmp_path)[0]) as sharp:
        assert sharp.width == pytest.approx(page_pictures.WIDEST, rel=0.03)


def test_a_kernel_of_the_build_keeps_what_it_shows_and_warns_no_more(tmp_path, monkeypatch):
    monkeypatch.setattr(pylabtools, "print_figure", pylabtools.print_figure)
    events = SimpleNamespace(register=lambda *_: None)
    config = SimpleNamespace(PagePictures=SimpleNamespace(folder=str(tmp_path)))
    warned = []
    for _ in range(2):
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            pylabtools.print_figure(plot(title="\N{CJK UNIFIED IDEOGRAPH-7BB1}"), base64=True)
            pylabtools.print_figure(plot(), fmt="svg")
        warned.append(sum("Glyph" in str(warning.message) for warning in heard))
        kept_files = list(tmp_path.iterdir())
        page_pictures.load_ipython_extension(SimpleNamespace(config=config, events=events))
    assert warned[0] == warned[1] > 0
    assert [file.suffix for file in kept_files] == [".svg"]


# --- scenes ---------------------------------------------------------------------------------------
def test_a_scene_is_drawn_again_as_large_as_it_is_shown(known):
    for index in (0, 57, 3):
        scenes.draw_scene(0, index)
    image = scenes.draw_scene(0, 57)[0]
    small = image.permute(1, 2, 0).numpy() / np.float32(255)
    large = known.larger(small + (1 - small) * 0.35, 900)
    truth = scenes.draw_scene(0, 57, 900)[0].permute(1, 2, 0).numpy() / 255
    assert large.shape == (900, 900, 3)
    assert np.abs(large - (truth + (1 - truth) * 0.35)).max() < 0.01
    assert np.abs(large[1::3, 1::3] - (small + (1 - small) * 0.35)).mean() < 0.05


def test_a_picture_that_is_no_scene_is_not_replaced(known):
    image = scenes.draw_scene(0, 57)[0].permute(1, 2, 0).numpy() / np.float32(255)
    noise = np.random.default_rng(0).random((300, 300, 3), dtype=np.float32)
    assert known.larger(noise, 900) is None
    assert known.larger(image[:, ::-1], 900) is None
    assert known.larger(image[:200], 900) is None
    assert known.larger(image[::2, ::2], 900) is None
    assert page_pictures.KnownScenes().larger(image, 900) is None


def test_a_figure_shows_the_larger_scene(known, tmp_path):
    image = scenes.draw_scene(0, 57)[0]
    figure = Figure(figsize=(5.2, 5.2), dpi=130)
    plots.show_image(figure.add_axes((0, 0, 1, 1)), image)
    with Image.open(kept(figure, tmp_path, known)[0]) as sharp:
        room = (26, 26, sharp.width - 26, sharp.height - 26)  # without the margin
        pixels = np.asarray(sharp.convert("RGB").crop(room).resize((900, 900)), float)
    truth = scenes.draw_scene(0, 57, 900)[0].permute(1, 2, 0).numpy()
    blurred = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((900, 900))
    assert np.abs(pixels - truth).mean() < 0.9 * np.abs(np.asarray(blurred, float) - truth).mean()


@pytest.mark.parametrize(("shown", "smooth"), [({}, True), ({"interpolation": "nearest"}, False)])
def test_pictures_are_enlarged_smoothly_unless_a_chapter_shows_pixels(tmp_path, shown, smooth):
    checks = np.indices((8, 8)).sum(0) % 2
    figure = with_picture(np.repeat(checks[..., None] * 1.0, 3, axis=2), **shown)
    with Image.open(kept(figure, tmp_path)[0]) as sharp:
        grey = np.asarray(sharp.convert("L"))
    assert (((grey > 60) & (grey < 195)).mean() > 0.2) == smooth


# --- what a page shows ----------------------------------------------------------------------------
PICTURE = """\
import matplotlib.pyplot as plt
plt.imshow([[[0.0, 0, 0], [1.0, 1, 1]]])
plt.show()"""


def settings(name):
    return {
        "figure": {"name": name, "caption": "Two pixels."},
        "image": {"alt": "A black pixel & a white one."},
    }


@pytest.fixture(scope="module")
def built(make_book):
    book = make_book()
    book.chapter(more=[(PICTURE, settings("fig-one")), (PICTURE, settings("fig-two"))])
    done = book.build()
    assert done.returncode == 0, book.said(done)
    return book


def pictures_of(page):
    return re.findall(r"<img [^>]*>", page[page.index("<article") : page.index("</article>")])


def test_a_page_shows_plots_as_svg_and_pictures_as_webp(built):
    page = built.page("08_matching")
    assert page.count('<svg class="plot"') == 1
    assert [re.search(r'src="[^"]*\.(\w+)"', p)[1] for p in pictures_of(page)] == ["webp"] * 2
    assert 'alt="A black pixel &amp; a white one."' in page
    files = {file.suffix for file in (built.html.parent / "_images").iterdir()}
    assert files == {".webp"}  # no PNG that no page shows


def test_a_picture_has_its_size_and_all_but_the_first_wait(built):
    sizes = set()
    for picture in pictures_of(built.page("08_matching")):
        assert 'loading="lazy" decoding="async"' in picture  # the plot comes first
        sizes.add(tuple(map(int, re.search(r'width="(\d+)" height="(\d+)"', picture).groups())))
    file = next((built.html.parent / "_images").glob("*.webp"))
    with Image.open(file) as sharp:
        assert sizes == {(round(sharp.width / 2), round(sharp.height / 2))}


def test_a_figure_without_a_better_form_keeps_its_png(built, book):
    caches = book.root / "_build" / ".jupyter_cache"
    shutil.copytree(built.root / "_build" / ".jupyter_cache", caches)
    shutil.rmtree(next(caches.glob("*/pictures")))
    book.chapter(more=[(PICTURE, settings("fig-one")), (PICTURE, settings("fig-two"))])
    (book.root / "executions").touch()
    done = book.build()
    assert done.returncode == 0, book.said(done)
    assert book.executions() == 0
    page = book.page("08_matching")
    assert '<svg class="plot"' not in page
    first, second, third = pictures_of(page)
    assert "lazy" not in first
    assert all(".png" in picture and " width=" in picture for picture in (first, second, third))


# --- SVG in a page --------------------------------------------------------------------------------
def test_svg_in_a_page_has_ids_of_its_own_and_lighter_numbers(extension, tmp_path):
    svg = kept(plot(title="a < b", xlabel="0.123456"), tmp_path)[0].read_text()
    text = extension("book_pictures").inline_svg(svg, "plot3", 'says "a & b"')
    ids = set(re.findall(r' id="([^"]+)"', text))
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    assert ids == used
    assert all(name.startswith("plot3-") for name in ids)
    assert 'aria-label="says &quot;a &amp; b&quot;"' in text
    assert "Inter" not in text
    assert "font-family: var(--book-sans)" in text
    assert "<style" not in text  # it would hold for the whole page
    assert ">0.0625</text>" in text  # only coordinates are rounded
    assert ">0.123456</text>" in text
    assert ">a &lt; b</text>" in text
    assert len(gzip.compress(text.encode())) < 0.8 * len(gzip.compress(svg.encode()))


def test_svg_in_a_page_is_as_large_as_its_png(extension, tmp_path):
    file, png = kept(plot(), tmp_path)
    text = extension("book_pictures").inline_svg(file.read_text(), "plot0", "")
    size = re.search(r'width="(\d+)" height="(\d+)"', text).groups()
    with Image.open(io.BytesIO(png)) as picture:
        for ours, theirs in zip(map(int, size), picture.size, strict=True):
            assert ours == pytest.approx(theirs, rel=0.05)
