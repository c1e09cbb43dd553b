"""What a cell of a feature map sees: its receptive field, by the layers and by the gradient."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ssd_tutorial.network import SSD


class View(NamedTuple):
    """How the cells of a feature map see the picture, along one side, in pixels."""

    name: str
    cells: int
    stride: int
    """From what a cell looks at to what its neighbour looks at."""
    field: int
    """The width of the receptive field."""
    centre: float
    """The centre of the first cell's field."""


def views(network: SSD) -> list[View]:
    """Return the view of each map that predicts, large to small; the network may be on ``meta``."""
    parts = [part for part in network.backbone.children() if isinstance(part, nn.Sequential)]
    field, stride, centre, found = 1, 1, 0.5, []
    maps = network.config.priors.maps
    for stage, fm in zip([*parts, *network.extras], maps, strict=True):
        for layer in stage:
            if isinstance(layer, nn.Conv2d | nn.MaxPool2d):
                kernel, step, padding, dilation = (
                    value if isinstance(value, int) else value[0]
                    for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
                )
                field += (kernel - 1) * dilation * stride
                centre += ((kernel - 1) * dilation / 2 - padding) * stride
                stride *= step
        found.append(View(fm.name, fm.cells, stride, field, centre))
    return found


def nearest_cell(view: View, place: Sequence[float]) -> tuple[int, int]:
    """Return row and column of the cell that looks at a place (x, y), in pixels."""
    column, row = (
        min(view.cells - 1, max(0, int((at - view.centre) / view.stride + 0.5))) for at in place
    )
    return row, column


def field_box(view: View, row: int, column: int, head: bool = False) -> list[float]:
    """Return a cell's receptive field, or that of its head: xyxy in pixels, not cut."""
    half = view.field / 2 + view.stride * head
    x, y = (view.centre + at * view.stride for at in (column, row))
    return [x - half, y - half, x + half, y + half]


def reach(network: SSD, images: Tensor, share: float = 0.9) -> list[int]:
    """Return for each map the side of the square that holds a share of a middle cell's gradient.

    Args:
        network: in evaluation mode.
        images: ``[B, 3, S, S]``, floats in [0, 1]; the gradients are averaged over them.
        share: of the sum of the gradient's absolute values.
    """
    images = images.detach().requires_grad_()
    found = []
    for view, grid in zip(views(network), network.feature_maps(images), strict=True):
        middle = view.cells // 2
        cell = grid[:, :, middle, middle].sum()
        (slope,) = torch.autograd.grad(cell, images, retain_graph=True)
        slope = slope.abs().sum(dim=1).mean(dim=0)  # [S, S]
        at = int(view.centre + middle * view.stride)
        half = 1
        while _around(slope, at, half).sum() < share * slope.sum():
            half += 1
        found.append(2 * half)
    return found


def _around(slope: Tensor, at: int, half: int) -> Tensor:
    kept = slice(max(0, at - half), at + half)
    return slope[kept, kept]
