"""Changing pictures: boxes move with their pixels, slivers go, impossible boxes are refused."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import tv_tensors

from ssd_tutorial.augment import laptop_transform, resize


def item(boxes, size=(100, 100), labels=None, name="one"):
    """A black picture (height, width) on which object i is painted with brightness 60 (i + 1)."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        if all(v == v and abs(v) < 1e6 for v in (x0, y0, x1, y1)):
            image[:, int(y0) : int(y1), int(x0) : int(x1)] = 60 * (i + 1)
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "labels": torch.tensor(labels or range(1, len(boxes) + 1)).long(),
        "difficult": torch.arange(len(boxes)) % 2 == 1,
        "name": name,
    }
    return tv_tensors.Image(image), target


def painted(image):
    """The box of what is not black."""
    rows, columns = (image[0] > 30).nonzero().unbind(1)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return torch.stack(edges).float()


def same(one, other):
    """Two items, to the bit."""
    assert torch.equal(one[0], other[0])
    assert one[1]["name"] == other[1]["name"]
    return all(torch.equal(one[1][k], other[1][k]) for k in ("boxes", "labels", "difficult"))


@pytest.mark.parametrize("options", [{}, {"turn_over": True}, {"turn_over": True, "crop": True}])
def test_boxes_move_with_their_pixels(options):
    transform = laptop_transform(100, **options)
    seen = set()
    for seed in range(24):
        torch.manual_seed(seed)
        image, target = transform(item([(20, 30, 70, 45)]))
        if len(target["boxes"]) == 0:
            assert not (image > 30).sum() > 0.5 * image.numel()  # cropped to the rest
            continue
        box = target["boxes"][0].as_subclass(torch.Tensor)
        assert torch.allclose(box, painted(image), atol=2.5), seed
        seen.add(tuple(box.round().int().tolist()))
    assert len(seen) >= (2 if not options else 4)


def test_a_picture_of_other_proportions_is_stretched_with_its_boxes():
    image, target = resize(300)(item([(10, 20, 110, 50)], size=(60, 200)))
    assert image.shape == (3, 300, 300)
    assert image.dtype == torch.uint8
    assert target["boxes"].canvas_size == (300, 300)
    assert torch.allclose(target["boxes"][0], torch.tensor([15.0, 100, 165, 250]))
    assert torch.allclose(painted(image), torch.tensor([15.0, 100, 165, 250]), atol=2)


def test_half_of_the_pictures_are_mirrored_and_none_when_not_asked():
    boxes = []
    for seed in range(200):
        torch.manual_seed(seed)
        boxes.append(float(laptop_transform(100)(item([(10, 0, 30, 100)]))[1]["boxes"][0, 0]))
    assert set(boxes) == {10.0, 70.0}
    assert 70 <= boxes.count(70.0) <= 130
    plain = laptop_transform(100, mirror=False)(item([(10, 0, 30, 100)]))
    assert same(plain, item([(10, 0, 30, 100)]))


@given(
    st.lists(
        st.tuples(*[st.integers(0, 90)] * 2, *[st.integers(1, 60)] * 2), min_size=0, max_size=3
    ),
    st.integers(0, 2**31),
    st.tuples(st.integers(64, 160), st.integers(64, 160)),
)
def test_boxes_stay_inside_and_columns_in_step(corners, seed, size):
    height, width = size
    boxes = [
        (x, y, min(x + w, width), min(y + h, height))
        for x, y, w, h in corners
        if x < width and y < height
    ]
    torch.manual_seed(seed)
    before = item(boxes, size)
    image, target = laptop_transform(64, turn_over=True, crop=True)(before)
    assert image.shape == (3, 64, 64)
    kept = target["boxes"].as_subclass(torch.Tensor)
    assert len(kept) == len(target["labels"]) == len(target["difficult"])
    assert ((kept >= 0) & (kept <= 64 + 1e-3)).all()
    assert ((kept[:, 2:] - kept[:, :2]) >= 3.0).all()
    for label, difficult in zip(target["labels"].tolist(), target["difficult"].tolist()):  # noqa: B905
        assert difficult == bool(before[1]["difficult"][label - 1])  # label i is box i - 1


def test_slivers_go_with_their_labels_and_flags():
    _, target = resize(100)(
        item([(0, 0, 50, 2), (0, 0, 50, 50), (5, 5, 7, 90), (1, 1, 4, 4)], labels=[7, 8, 9, 3])
    )
    assert target["labels"].tolist() == [8, 3]
    assert target["difficult"].tolist() == [True, True]
    assert isinstance(target["boxes"], tv_tensors.BoundingBoxes)
    assert target["boxes"].canvas_size == (100, 100)
    assert target["name"] == "one"


def test_a_picture_without_objects_passes():
    for crop in (False, True):
        image, target = laptop_transform(64, crop=crop)(item([]))
        assert image.shape == (3, 64, 64)
        assert target["boxes"].shape == (0, 4)


@pytest.mark.parametrize(
    "bad",
    [(30, 10, 20, 40), (10, 30, 40, 30), (float("nan"), 0, 9, 9), (0, 0, float("inf"), 9)],
)
@pytest.mark.parametrize("transform", [resize(64), laptop_transform(64, crop=True)])
def test_an_impossible_box_is_no_sliver(bad, transform):
    with pytest.raises(ValueError, match=r"picture pic_7, box 1 \[.*xmax above xmin"):
        transform(item([(0, 0, 50, 50), bad], name="pic_7"))


def test_random_numbers_are_torchs_and_nothing_is_kept_between_calls():
    transform = laptop_transform(80, turn_over=True, crop=True)
    source = item([(20, 30, 70, 45), (50, 0, 99, 99)])
    untouched = item([(20, 30, 70, 45), (50, 0, 99, 99)])
    torch.manual_seed(5)
    first = transform(source)
    for _ in range(3):
        transform(source)
    torch.manual_seed(5)
    assert same(first, transform(source))
    torch.manual_seed(5)
    assert same(first, pickle.loads(pickle.dumps(transform))(source))
    assert same(source, untouched)
