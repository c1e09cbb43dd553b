"""What some tests need and not every Python at hand has; a test that cannot run says why."""

import sys

import onnxruntime
import pytest
import torch
from packaging.version import Version
from torch.nn.functional import interpolate
from torchvision.transforms.v2.functional import resize

NOISE = torch.randint(256, (3, 48, 64), generator=torch.Generator().manual_seed(0)).byte()

signed_int8 = pytest.mark.skipif(
    Version(onnxruntime.__version__) < Version("1.24"),
    reason="onnxruntime before 1.24, the newest for Python 3.10, has no signed int8 convolution",
)
theme = pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="the pages need sphinx-book-theme 1.3, which needs Python 3.11",
)
byte_resize = pytest.mark.skipif(
    not torch.equal(
        resize(NOISE, [30, 30], antialias=True),
        interpolate(NOISE[None], (30, 30), mode="bilinear", antialias=True)[0],
    ),
    reason="early releases of torchvision resize bytes as floats, not as Pillow and the page do",
)
