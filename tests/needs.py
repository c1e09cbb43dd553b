"""What some tests need and not every Python at hand has; a test that cannot run says why."""

import sys

import onnxruntime
import pytest
from packaging.version import Version

signed_int8 = pytest.mark.skipif(
    Version(onnxruntime.__version__) < Version("1.24"),
    reason="onnxruntime before 1.24, the newest for Python 3.10, has no signed int8 convolution",
)
theme = pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="the pages need sphinx-book-theme 1.3, which needs Python 3.11",
)
