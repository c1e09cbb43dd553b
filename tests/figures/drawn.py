"""Shared by the tests of plots: where the boxes that were drawn lie."""

import numpy as np


def corners(patches):
    return np.array([[*p.get_xy(), p.get_x() + p.get_width(), p.get_y() + p.get_height()]
                     for p in patches])  # fmt: skip
