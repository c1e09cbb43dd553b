"""What all explorers share: a picture, fixed texts, and a state that cannot be invalid."""

import base64
import io

import pytest
import torch
import traitlets
from PIL import Image
from ssd_book import explorers as widgets
from ssd_book.explorers.explorer import Explorer, picture_uri, square
from ssd_book.explorers.traits import Box, Boxes, Number

CLASSES = [getattr(widgets, name) for name in widgets.__all__]
VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(params=CLASSES, ids=lambda cls: cls.__name__, scope="module")
def explorer(request):
    return request.param()


def test_an_explorer_displays_as_widget_picture_and_text(explorer):
    data, metadata = explorer._repr_mimebundle_()
    assert set(data) == {VIEW, "image/png", "text/plain"}
    assert data["text/plain"] == repr(explorer) == repr(type(explorer)())
    assert "0x" not in repr(explorer)
    picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert picture.width > 380
    assert len(set(picture.convert("L").tobytes())) > 20  # something is drawn
    assert metadata["image/png"]["alt"] == explorer.alt


def test_every_alternative_text_is_a_full_sentence(explorer):
    assert 40 < len(explorer.alt) < 400
    assert explorer.alt.endswith(".")


def test_the_state_is_serializable(explorer):
    state = explorer.get_state()
    assert state["module"] == explorer._module
    assert len(state["_esm"]) > 10_000


def test_a_wrong_name_is_refused(explorer):
    with pytest.raises(TypeError, match="has no colour; it has "):
        type(explorer)(colour="red")


def test_every_trait_that_changes_is_synced(explorer):
    own = set(explorer.trait_names(sync=True)) - set(Explorer.class_trait_names(sync=True))
    assert own, "an explorer without state"


class Holder(traitlets.HasTraits):
    box = Box([0, 0, 1, 1])
    boxes = Boxes([[0, 0, 1, 1]], fewest=1, most=2)
    number = Number(0.5, min=0, max=1)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([0, 0, 1], "four numbers"),
        ("0011", "four numbers"),
        ([0, 0, "a", 1], "four numbers"),
        ([0, 0, float("nan"), 1], "finite"),
        ([0, 0, float("inf"), 1], "finite"),
        ([0.5, 0, 0.5, 1], "xmax must be above xmin"),
        ([0, 0.6, 1, 0.5], "ymax must be above ymin"),
        ([10, 10, 200, 200], "divide pixels"),
    ],
)
def test_impossible_boxes_are_refused(value, words):
    holder = Holder()
    with pytest.raises(traitlets.TraitError, match=f"Holder.box: .*{words}"):
        holder.box = value
    with pytest.raises(traitlets.TraitError, match=f"Holder.boxes, box 1: .*{words}"):
        holder.boxes = [[0, 0, 1, 1], value]
    assert holder.box == [0, 0, 1, 1]
    assert holder.boxes == [[0, 0, 1, 1]]


def test_tensors_are_accepted_as_boxes():
    holder = Holder()
    holder.box = torch.tensor([0.25, 0, 1, 0.5])
    holder.boxes = torch.tensor([[0.25, 0, 1, 0.5]])
    assert holder.box == holder.boxes[0] == [0.25, 0, 1, 0.5]


def test_too_few_and_too_many_boxes_are_refused():
    holder = Holder()
    for boxes in ([], [[0, 0, 1, 1]] * 3, 4):
        with pytest.raises(traitlets.TraitError, match="Holder.boxes"):
            holder.boxes = boxes


@pytest.mark.parametrize("value", [float("nan"), 2, -0.1, "much"])
def test_numbers_out_of_bounds_are_refused(value):
    with pytest.raises((traitlets.TraitError, TypeError)):
        Holder().number = value


def test_a_picture_becomes_a_small_jpeg():
    image = torch.randint(0, 255, (3, 200, 400), dtype=torch.uint8)
    head, _, body = picture_uri(image, side=100).partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(body))).size == (100, 50)
    assert square(image).shape == (3, 200, 200)
