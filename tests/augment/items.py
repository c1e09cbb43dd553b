"""Pictures that show where an object has moved."""

import torch
from hypothesis import strategies as st
from torchvision import tv_tensors


def item(boxes, size=(100, 100), labels=None, name="one"):
    """Paint object i with brightness 60 (i + 1) on a black picture (height, width)."""
    image = torch.zeros(3, *size, dtype=torch.uint8)
    for i, (x0, y0, x1, y1) in enumerate(boxes):
        if all(v == v and abs(v) < 1e6 for v in (x0, y0, x1, y1)):
            image[:, int(y0) : int(y1), int(x0) : int(x1)] = min(60 * (i + 1), 255)
    return noisy(boxes, size, labels, name, image)


def noisy(boxes, size=(100, 100), labels=None, name="one", image=None):
    """Return a picture of random colours."""
    if image is None:
        generator = torch.Generator().manual_seed(0)
        image = torch.randint(0, 256, (3, *size), generator=generator, dtype=torch.uint8)
    boxes = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    target = {
        "boxes": tv_tensors.BoundingBoxes(boxes, format="XYXY", canvas_size=size),
        "labels": torch.tensor(labels or range(1, len(boxes) + 1)).long(),
        "difficult": torch.arange(len(boxes)) % 2 == 1,
        "name": name,
    }
    return tv_tensors.Image(image), target


def painted(image):
    """Return the box around the pixels that are not black."""
    rows, columns = (image[0] > 30).nonzero().unbind(1)
    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    return torch.stack(edges).float()


def same(one, other):
    """Return whether two items are equal bit for bit."""
    assert torch.equal(one[0], other[0])
    assert one[1]["name"] == other[1]["name"]
    assert one[1]["boxes"].canvas_size == other[1]["boxes"].canvas_size
    return all(torch.equal(one[1][k], other[1][k]) for k in ("boxes", "labels", "difficult"))


def in_step(before, after):
    """Return whether labels and flags moved with their boxes: label i is box i - 1 of `item`."""
    target = after[1]
    assert len(target["boxes"]) == len(target["labels"]) == len(target["difficult"])
    rows = target["labels"] - 1
    return torch.equal(target["difficult"], before[1]["difficult"][rows])


@st.composite
def items(draw, least=0, most=3):
    """Draw items of any aspect ratio with up to three boxes inside their picture."""
    height, width = draw(st.integers(16, 160)), draw(st.integers(16, 160))
    boxes = []
    for _ in range(draw(st.integers(least, most))):
        x, y = draw(st.integers(0, width - 2)), draw(st.integers(0, height - 2))
        right, bottom = draw(st.integers(x + 1, width)), draw(st.integers(y + 1, height))
        boxes.append((x, y, right, bottom))
    return noisy(boxes, (height, width))


seeds = st.integers(0, 2**31)
