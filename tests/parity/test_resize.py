"""The live page stretches pictures as Pillow does, to the byte."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as F

from tests.parity.javascript import NODE_MISSING
from tests.parity.live import PAGE, stretched

SIZES = [
    *[(1, 1), (1, 500), (500, 1), (300, 300), (299, 301), (301, 299), (300, 7), (7, 300), (2, 2)],
    *[(4001, 3), (3, 4001), (2500, 40), (640, 480), (480, 640), (33, 57), (599, 601), (151, 449)],
]
CASES = [(*size, 300) for size in SIZES] + [(640, 480, 512), (512, 90, 512), (97, 1031, 37)]


def pictures(seed: int = 0) -> list[np.ndarray]:
    """Return a random RGBA picture for each case: half of them noise, half of them edges."""
    chance = np.random.default_rng(seed)
    noise = [chance.integers(0, 256, (h, w, 4), dtype=np.uint8) for w, h, _ in CASES]
    return [p if i % 2 else np.where(p > 127, 255, 0).astype(np.uint8) for i, p in enumerate(noise)]


def by_page(folder: Path, given: list[np.ndarray], module: str) -> list[np.ndarray]:
    """Return what the page's module makes of the pictures, RGBA."""
    node = shutil.which("node")
    assert node, NODE_MISSING
    names = ("resize.js", "cases", "pictures", "answers")
    script, cases, pixels, answers = files = [folder / name for name in names]
    (folder / "package.json").write_text('{"type": "module"}')
    script.write_text(module, encoding="utf-8")
    cases.write_text(json.dumps(CASES))
    pixels.write_bytes(b"".join(picture.tobytes() for picture in given))
    driver = Path(__file__).with_name("resize.mjs")
    subprocess.run([node, driver, *files], check=True, capture_output=True)
    ends = np.cumsum([4 * side**2 for *_, side in CASES])
    parts = np.split(np.frombuffer(answers.read_bytes(), np.uint8), ends[:-1])
    return [part.reshape(side, side, 4) for part, (*_, side) in zip(parts, CASES, strict=True)]


def by_pillow(picture: np.ndarray, side: int) -> np.ndarray:
    return stretched(as_image(picture), side).permute(1, 2, 0).numpy()


def as_image(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture[..., :3].copy()).permute(2, 0, 1).contiguous()


def different(folder: Path, module: str) -> list[tuple]:
    """Return the cases in which a byte differs, or a pixel is not opaque."""
    given = pictures()
    return [
        case
        for case, picture, ours in zip(CASES, given, by_page(folder, given, module), strict=True)
        if (ours[..., :3] != by_pillow(picture, case[2])).any() or (ours[..., 3] != 255).any()
    ]


SOURCE = (PAGE["resize.js"] / "resize.js").read_text(encoding="utf-8")


def test_every_byte_is_pillows(tmp_path):
    assert different(tmp_path, SOURCE) == []


SLIPS = {
    "without antialias": ("const support = Math.max(scale, 1);", "const support = 1;"),
    "half a pixel off": ("const centre = (i + 0.5) * scale;", "const centre = i * scale;"),
    "a pixel too few": ("Math.trunc(centre + support + 0.5)", "Math.trunc(centre + support - 0.5)"),
    "less precise weights": ("const BITS = 22;", "const BITS = 15;"),
    "cut instead of rounded": ("const HALF = 1 << (BITS - 1);", "const HALF = 0;"),
    "columns for rows": (
        "pass(rows, height, side, side, row, 4,",
        "pass(rows, height, side, side, 4, row,",
    ),
    "transparent": ("target[q + 3] = 255;", ""),
}


@pytest.mark.parametrize("slip", SLIPS)
def test_a_planted_slip_is_detected(tmp_path, slip):
    there, planted = SLIPS[slip]
    assert SOURCE.count(there) == 1
    assert different(tmp_path, SOURCE.replace(there, planted))


def test_the_package_stretches_within_a_step():
    for picture, (*_, side) in zip(pictures(), CASES, strict=True):
        ours = F.resize(as_image(picture), [side, side], antialias=True).permute(1, 2, 0).numpy()
        assert abs(ours.astype(int) - by_pillow(picture, side)).max() <= 1
