"""Pictures whose pixels are computed last: new colours, and a window that may reach beyond them.

SSD's three random steps, distort, expand and crop, move no pixel. They choose colours and a window
on the picture, and all that lies outside the window is never seen. So each step writes down what it
chose, and the pixels inside the window are computed once, when a step needs them: a canvas four
times as wide and high is never filled, and colours change only where they will be seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torchvision import tv_tensors

Window = tuple[int, int, int, int]  # left, top, right, bottom, in whole pixels


@dataclass(frozen=True)
class Framed:
    """A picture, what to do to its colours, and the window through which it is seen."""

    image: tv_tensors.Image
    """uint8 ``[3, H, W]``."""
    recolour: Callable[[Tensor], Tensor] | None = None
    """Changes any part of the image, pixel by pixel."""
    window: Window | None = None
    """In pixels of `image`; None for all of it."""
    fill: Sequence[int] = (0, 0, 0)
    """RGB of what the window shows beyond the image."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """As of the image that `pixels` would return."""
        left, top, right, bottom = self.window or (0, 0, *self.image.shape[:0:-1])
        return 3, bottom - top, right - left

    def recoloured(self, recolour: Callable[[Tensor], Tensor]) -> "Framed":
        """Return the picture with other colours."""
        return Framed(self.pixels(), recolour)

    def expanded(self, padding: Sequence[int], fill: Sequence[int]) -> "Framed":
        """Return the picture on a canvas; `padding` is what to add left, top, right and bottom."""
        whole = self if self.window is None else Framed(self.pixels())
        left, top, right, bottom = padding
        _, height, width = whole.shape
        return replace(whole, window=(-left, -top, width + right, height + bottom), fill=fill)

    def cropped(self, window: Window) -> "Framed":
        """Return what is seen through a window, given in pixels of what is seen now."""
        x, y = self.window[:2] if self.window else (0, 0)
        left, top, right, bottom = window
        return replace(self, window=(left + x, top + y, right + x, bottom + y))

    def pixels(self) -> tv_tensors.Image:
        """Compute the image."""
        height, width = self.image.shape[-2:]
        left, top, right, bottom = window = self.window or (0, 0, width, height)
        x0, x1 = (min(max(x, 0), width) for x in (left, right))
        y0, y1 = (min(max(y, 0), height) for y in (top, bottom))
        part = self.image.as_subclass(Tensor)[:, y0:y1, x0:x1]
        if self.recolour:
            part = self.recolour(part)
        if (x0, y0, x1, y1) != window:
            canvas = torch.tensor(self.fill, dtype=torch.uint8).view(3, 1, 1)
            canvas = canvas.repeat(1, bottom - top, right - left)
            canvas[:, y0 - top : y1 - top, x0 - left : x1 - left] = part
            part = canvas
        return tv_tensors.wrap(part, like=self.image)
