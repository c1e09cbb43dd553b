"""Pictures that look alike are found, and pictures of the same kind are not."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from ssd_tutorial._files import data_path
from ssd_tutorial.datasets import Scenes
from ssd_tutorial.doctor import twins
from ssd_tutorial.doctor.picture_rules import look_at
from ssd_tutorial.doctor.twins import find_twins, look_of

PHOTOGRAPHS = sorted(data_path("photographs/JPEGImages").iterdir())


def in_jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


ALTERED = {
    "half the size": lambda image: image.resize((image.width // 2, image.height // 2)),
    "square": lambda image: image.resize((200, 200)),
    "JPEG of quality 30": lambda image: in_jpeg(image, 30),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "more contrast": lambda image: ImageEnhance.Contrast(image).enhance(1.3),
    "one percent cut off": lambda image: image.crop(
        (image.width // 100, 0, image.width, image.height)
    ),
}


def photographs():
    return [Image.open(path).convert("RGB") for path in PHOTOGRAPHS]


@pytest.mark.parametrize("change", ALTERED)
def test_altered_copies_are_found_and_nothing_else(change):
    looks = {}
    for number, image in enumerate(photographs()):
        looks[f"{number}"] = look_of(image.convert("L"))
        looks[f"{number} again"] = look_of(ALTERED[change](image).convert("L"))
    assert find_twins(looks) == [[f"{n}", f"{n} again"] for n in range(len(PHOTOGRAPHS))]


def test_scenes_with_the_same_paints_are_not_twins():
    scenes = Scenes(120, size=96)
    looks = {}
    for index in range(len(scenes)):
        pixels = scenes[index][0].permute(1, 2, 0).numpy()
        looks[f"{index}"] = look_of(Image.fromarray(pixels).convert("L"))
    assert find_twins(looks) == []


def test_groups_are_the_same_for_any_chunk_size(monkeypatch):
    one, other, alone = (look_of(image.convert("L")) for image in photographs()[:3])
    looks = {f"{n}": one if n % 2 else other for n in range(7)} | {"alone": alone}
    for chunk in (1, 3, 1024):
        monkeypatch.setattr(twins, "_CHUNK", chunk)
        assert find_twins(looks) == [["0", "2", "4", "6"], ["1", "3", "5"]]
    assert find_twins({}) == []


def chained(turned):
    """Return a look whose first bits are turned, and which correlates with all others."""
    look = look_of(photographs()[0].convert("L"))
    bits = look.bits.copy()
    bits[:turned] ^= True
    return look._replace(bits=bits)


@pytest.mark.parametrize("order", [(0, 8, 16, 24), (24, 0, 16, 8), (0, 24, 8, 16), (8, 16, 0, 24)])
def test_a_chain_of_twins_is_one_group(order):
    looks = {f"{turned}": chained(turned) for turned in (*order, 90)}
    assert find_twins(looks) == [[f"{turned}" for turned in order]]


def test_flat_pictures_are_not_compared():
    white, grey = (Image.new("L", (50, 40), value) for value in (255, 90))
    looks = {"white": look_of(white), "grey": look_of(grey)}
    assert find_twins(looks) == []
    assert not np.isnan(looks["white"].small).any()


@pytest.mark.skipif(not os.environ.get("SSD_TUTORIAL_BCCD"), reason="set SSD_TUTORIAL_BCCD")
def test_of_all_blood_pictures_two_are_twins(monkeypatch):
    root = Path(os.environ["SSD_TUTORIAL_BCCD"]) / "JPEGImages"
    looks = {path.stem[-5:]: look_at(path).look for path in sorted(root.iterdir())}
    assert find_twins(looks) == [["00037", "00038"]]
    # The bounds are far from either side: the next pairs differ by 35 bits.
    monkeypatch.setattr(twins, "BITS", 30)
    monkeypatch.setattr(twins, "CORRELATION", 0.8)
    assert len(find_twins(looks)) == 1
