"""Stored pictures: light, similar to what was drawn, and nothing else of a notebook changed."""

import io

import execute
import notebooks
import numpy as np
import pictures
import pytest
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image

from ssd_tutorial.datasets import draw_scene


def drawn(scene: bool) -> Image.Image:
    """Return a figure as chapters store it: a curve, or a scene with its noise."""
    figure = Figure(figsize=(3, 2.4), dpi=130)
    axes = figure.subplots()
    if scene:
        axes.imshow(draw_scene(0, 0)[0].permute(1, 2, 0).numpy())
    else:
        axes.plot([0, 1, 4, 9])
    with io.BytesIO() as file:
        figure.savefig(file, format="png")
        return Image.open(io.BytesIO(file.getvalue())).copy()


def notebook_of(*figures):
    outputs = [
        new_output("display_data", data={"image/png": pictures.encoded(figure), "text/plain": "a"})
        for figure in figures
    ]
    return new_notebook(cells=[new_code_cell("draw()", outputs=outputs)])


def stored_in(notebook):
    return [output.data["image/png"] for output in notebook.cells[0].outputs]


@pytest.mark.parametrize("scene", [False, True])
def test_a_light_picture_is_similar_and_much_lighter(scene):
    before = drawn(scene)
    after = pictures.light(before.convert("RGB"))
    few = pictures.decoded(after)
    assert few.mode == "P"
    assert few.size == before.size
    assert pictures.similarity(before, few) >= pictures.SIMILAR
    assert len(after) < 0.6 * len(pictures.encoded(before))


def test_similarity_falls_with_what_is_lost():
    before = drawn(scene=True)
    assert pictures.similarity(before, before) == pytest.approx(1)
    two = before.convert("RGB").quantize(2)
    assert pictures.similarity(before, two) < 0.9


def test_a_picture_with_too_many_colours_for_a_palette_stays_similar():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    noise[..., 1] = np.arange(64)[:, None]  # few greens, so that luminance needs many colours
    picture = Image.fromarray(noise)
    stored = pictures.decoded(pictures.light(picture))
    assert pictures.similarity(picture, stored) >= pictures.SIMILAR


def test_the_heaviest_pictures_are_stored_smaller_until_the_notebook_is_light_enough():
    scene, curve = drawn(scene=True), drawn(scene=False)
    whole = pictures.lighten(notebook_of(scene, curve))
    assert [pictures.decoded(png).size for png in stored_in(whole)] == [scene.size, curve.size]
    most = len(str(whole)) * 2 // 3
    small = pictures.lighten(notebook_of(scene, curve), most)
    first, second = stored_in(small)
    assert pictures.decoded(first).width < scene.width
    assert second == stored_in(whole)[1]
    assert small.cells[0].outputs[0].metadata == {"image/png": {"width": scene.width}}
    reduced = scene.convert("RGB").resize(pictures.decoded(first).size, Image.Resampling.LANCZOS)
    assert pictures.similarity(reduced, pictures.decoded(first)) >= pictures.SIMILAR
    with pytest.raises(ValueError, match="exceeds 100 bytes"):
        pictures.lighten(notebook_of(scene), 100)


def test_lightening_twice_changes_nothing_and_nbval_sees_no_difference(tmp_path):
    path = tmp_path / "07_try.ipynb"
    notebooks.write(notebook_of(drawn(scene=True), drawn(scene=False)), path)
    before = notebooks.read(path)
    assert execute.main(["--lighten", str(path)]) == 0
    once = path.read_bytes()
    assert execute.main(["--lighten", str(path)]) == 0
    assert path.read_bytes() == once
    after = notebooks.read(path)
    assert execute.text_outputs(after) == execute.text_outputs(before)
    for old, new in zip(before.cells[0].outputs, after.cells[0].outputs, strict=True):
        assert set(new.data) == set(old.data)


def test_every_stored_picture_of_the_book_is_light():
    for path in notebooks.chapters():
        for cell in notebooks.read(path).cells:
            for output in cell.get("outputs", []):
                if "image/png" in output.get("data", {}):
                    picture = pictures.decoded(output.data["image/png"])
                    assert picture.mode != "RGBA", f"{path.name}: run tools/execute.py --lighten"
