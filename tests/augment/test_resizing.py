"""Random interpolation: each of the five against Pillow, and all equally often."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms.v2 import functional as F

from ssd_tutorial.augment import INTERPOLATIONS, RandomInterpolationResize

from .items import noisy

PILLOWS = {
    "bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


@pytest.mark.parametrize("mode", [mode for mode in INTERPOLATIONS if mode != "nearest"])
def test_enlarging_equals_pillow(mode):
    """When enlarging, no filter is widened, and libraries agree."""
    image, target = noisy([(5, 5, 30, 20)], (40, 60))
    ours, moved = RandomInterpolationResize(90, (mode,))(image, target)
    pillow = Image.fromarray(image.permute(1, 2, 0).numpy()).resize((90, 90), PILLOWS[mode])
    difference = np.abs(np.asarray(pillow).astype(int) - ours.permute(1, 2, 0).numpy())
    assert ours.dtype == torch.uint8
    # Keys' cubic has two common parameters: -.5 in Pillow, -.75 in OpenCV and in torch
    assert difference.max() <= (40 if mode == "bicubic" else 1)
    assert moved["boxes"].tolist() == [[7.5, 11.25, 45, 45]]
    assert moved["boxes"].canvas_size == (90, 90)


def test_nearest_equals_opencv():
    """The pixel at the rounded-down place; Pillow takes the one under the centre."""
    image = noisy([], (40, 60))[0]
    rows, columns = torch.arange(90) * 40 // 90, torch.arange(90) * 60 // 90
    assert torch.equal(INTERPOLATIONS["nearest"](image, 90), image[:, rows][:, :, columns])


def test_area_is_the_mean_of_what_a_pixel_covers():
    image = noisy([], (6, 6))[0]
    small = INTERPOLATIONS["area"](image, 2)
    by_hand = image.float().reshape(3, 2, 3, 2, 3).mean(dim=(2, 4))
    assert (small.float() - by_hand).abs().max() <= 0.51


def test_shrinking_without_averaging_keeps_noise():
    """As in OpenCV: linear uses only its neighbours, however many pixels it skips."""
    image = noisy([], (400, 400))[0]
    spread = {mode: float(INTERPOLATIONS[mode](image, 50).float().std()) for mode in INTERPOLATIONS}
    averaged = float(F.resize(image, [50, 50], antialias=True).float().std())
    assert spread["bilinear"] > 2 * averaged
    assert spread["nearest"] > spread["bilinear"] > spread["area"]


def test_every_interpolation_is_equally_likely():
    transform = RandomInterpolationResize(20)
    torch.manual_seed(0)
    drawn = Counter(transform.make_params([])["mode"] for _ in range(1000))
    assert set(drawn) == set(INTERPOLATIONS)
    assert min(drawn.values()) > 150


@pytest.mark.parametrize("modes", [("cubic",), ()])
def test_an_unknown_interpolation_lists_the_known_ones(modes):
    with pytest.raises(ValueError, match=r"modes must be among \['bilinear', 'area'"):
        RandomInterpolationResize(20, modes)
