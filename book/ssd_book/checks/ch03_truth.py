"""The right answers to chapter 3's exercises, and evidence against wrong ones."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn

from ssd_book.checks.reader import describe
from ssd_tutorial.network import SSD, L2Norm
from ssd_tutorial.presets import SLIM300, SSD300

OBJECT_PX = 10  # exercise 3.5: the objects' width
CLASSES = 21


# The receptive field


def _one(value) -> int:
    return value if isinstance(value, int) else value[0]


def field_of_conv7(dilation: int) -> int:
    """Return how many pixels a cell of conv7 sees if conv6 has this dilation."""
    return _walk(dilation)[-1][3]


@cache
def _walk(dilation: int = 6) -> list[tuple[str, int, int, int]]:
    """Return name, stride in pixels, channels and field of VGG-16's convolutions, up to conv7."""
    with torch.device("meta"):
        backbone = SSD(SSD300, CLASSES).backbone
    groups, found, field, stride = [2, 2, 3, 3, 3, 1, 1], [], 1, 1
    names = iter([f"conv{g}_{i + 1}" for g, n in enumerate(groups, 1) for i in range(n)])
    for layer in [*backbone.conv4_3, *backbone.conv7]:
        if not isinstance(layer, nn.Conv2d | nn.MaxPool2d):
            continue
        spread = dilation if _one(layer.dilation) > 1 else 1
        field += (_one(layer.kernel_size) - 1) * spread * stride
        stride *= _one(layer.stride)
        if isinstance(layer, nn.Conv2d):
            found.append((next(names), stride, layer.out_channels, field))
    return found


# L2Norm


def map_cases() -> list[tuple[Tensor, Tensor]]:
    """Return maps ``[B, C, H, W]`` without a cell of zeros, and weights ``[C]``."""
    random = torch.Generator().manual_seed(3)
    small = (torch.tensor([3.0, 4.0]).view(1, 2, 1, 1), torch.tensor([20.0, 10.0]))
    return [
        small,
        (torch.rand(2, 5, 3, 2, generator=random) + 0.1, torch.rand(5, generator=random) + 1),
    ]


def normalised(x: Tensor, weight: Tensor) -> Tensor:
    """Return what the package's L2Norm gives."""
    norm = L2Norm(len(weight))
    norm.weight.data = weight.float()
    return norm(x).detach()


def over_the_map(x: Tensor, weight: Tensor) -> Tensor:
    """Return a wrong answer to 3.2: the whole map gets length 1, instead of each cell."""
    length = x.square().sum(dim=(1, 2, 3), keepdim=True).sqrt()
    return x / length * weight[:, None, None]


def _with_a_black_cell() -> tuple[Tensor, Tensor]:
    x = torch.rand(1, 4, 2, 2, generator=torch.Generator().manual_seed(4))
    x[:, :, 0, 1] = 0
    return x, torch.full((4,), 20.0)


def zeros_give_other_than_zeros(function) -> str | None:
    """Return evidence that a cell of zeros does not stay one."""
    x, weight = _with_a_black_cell()
    given = function(x, weight)[:, :, 0, 1]
    return None if (given == 0).all() else f"a cell of zeros becomes {describe(given[0])}"


def gradient_is_no_number(function) -> str | None:
    """Return evidence that a gradient at a cell of zeros is NaN, infinite or missing."""
    x, weight = _with_a_black_cell()
    x.requires_grad_()
    result = function(x, weight)
    if not result.requires_grad:
        return "autograd can't follow your function: its result has no gradient"
    (slope,) = torch.autograd.grad(result.sum(), x)
    if slope.isfinite().all():
        return None
    wrong = int((~slope.isfinite()).sum())
    return f"{wrong} of the {slope.numel()} gradients are NaN or infinite"


def with_epsilon_outside(function) -> bool:
    """Return whether outputs are right and only the gradient at a cell of zeros is not."""
    right = all(
        torch.allclose(function(*case), normalised(*case), atol=1e-4) for case in map_cases()
    )
    return right and zeros_give_other_than_zeros(function) is None


# Rows


def output_cases() -> list[tuple[Tensor, int]]:
    """Return outputs of heads ``[B, k * width, H, W]``, small ones first, and widths."""
    shapes = [(1, 2, 3, 2, 2), (2, 4, 4, 3, 3), (1, 2, 3, 2, 4)]  # B, k, width, H, W
    found = []
    for b, k, width, h, w in shapes:
        numbers = torch.arange(b * k * width * h * w, dtype=torch.float32)
        found.append((numbers.view(b, k * width, h, w), width))
    return found


def rows_of(output: Tensor, width: int) -> Tensor:
    """Return the rows as the package makes them."""
    return SSD._predict([output], nn.ModuleList([nn.Identity()]), width)


def number_of_rows(output: Tensor, width: int) -> tuple[int, ...]:
    """Return the shape of the rows."""
    b, channels, h, w = output.shape
    return b, h * w * channels // width, width


def without_permute(output: Tensor, width: int) -> Tensor:
    """Return a wrong answer to 3.3: the memory of the output, cut into rows."""
    return output.reshape(len(output), -1, width)


def columns_first(output: Tensor, width: int) -> Tensor:
    """Return a wrong answer to 3.3: down the columns."""
    return output.permute(0, 3, 2, 1).reshape(len(output), -1, width)


def prior_by_prior(output: Tensor, width: int) -> Tensor:
    """Return a wrong answer to 3.3: all cells of the first prior, then all of the second."""
    by_prior = output.unflatten(1, (-1, width))  # [B, k, width, H, W]
    return by_prior.permute(0, 1, 3, 4, 2).reshape(len(output), -1, width)


def class_by_class(output: Tensor, width: int) -> Tensor:
    """Return a wrong answer to 3.3: channels are taken as class, then prior."""
    by_class = output.unflatten(1, (width, -1))  # [B, width, k, H, W]
    return by_class.permute(0, 3, 4, 2, 1).reshape(len(output), -1, width)


# The heads of a detector


@cache
def _detector() -> tuple[SSD, list[Tensor]]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = SSD(SLIM300, 5).eval()
        maps = [
            torch.rand(2, head.in_channels, fm.cells, fm.cells)
            for head, fm in zip(network.class_heads, SLIM300.priors.maps, strict=True)
        ]
    return network, maps


def head_cases() -> list[tuple]:
    """Return the maps and heads of a slim300 with four classes and the background."""
    network, maps = _detector()
    return [(maps, network.class_heads, network.offset_heads, network.num_classes)]


@torch.no_grad()
def heads(maps, class_heads, offset_heads, num_classes) -> Tensor:
    """Return scores and offsets as the package gives them, side by side."""
    scores = SSD._predict(maps, class_heads, num_classes)
    return torch.cat([scores, SSD._predict(maps, offset_heads, 4)], dim=2)


@torch.no_grad()
def heads_without_permute(maps, class_heads, offset_heads, num_classes) -> Tensor:
    """Return a wrong answer to 3.4."""
    parts = [
        [without_permute(h(x), width) for h, x in zip(hs, maps, strict=True)]
        for hs, width in ((class_heads, num_classes), (offset_heads, 4))
    ]
    return torch.cat([torch.cat(part, dim=1) for part in parts], dim=2)


@torch.no_grad()
def offsets_first(maps, class_heads, offset_heads, num_classes) -> Tensor:
    """Return a wrong answer to 3.4: offsets, then scores."""
    table = heads(maps, class_heads, offset_heads, num_classes)
    return torch.cat([table[..., num_classes:], table[..., :num_classes]], dim=2)


@torch.no_grad()
def coarsest_first(maps, class_heads, offset_heads, num_classes) -> Tensor:
    """Return a wrong answer to 3.4: the maps in reverse."""
    reverse = [list(reversed(list(x))) for x in (maps, class_heads, offset_heads)]
    return heads(*reverse, num_classes)


# A seventh map


@cache
def layers() -> dict[str, tuple[int, int, int, int]]:
    """Return stride, cells, channels and what a head sees, by layer from conv1_1 to conv5_3."""
    cells = {1: 300, 2: 150, 4: 75, 8: 38, 16: 19}
    return {
        name: (stride, cells[stride], channels, field + 2 * stride)
        for name, stride, channels, field in _walk()[:-2]
    }


def not_a_design(answer) -> str | None:
    """Return evidence that an answer lacks a layer of VGG-16 or one of the three numbers."""
    wanted = {"layer", "boxes", "priors", "parameters"}
    if not isinstance(answer, dict) or set(answer) != wanted:
        return f"you give {describe(answer)}"
    if answer["layer"] not in layers():
        return f"your layer is {describe(answer['layer'])}"
    for name in sorted(wanted - {"layer"}):
        if type(answer[name]) is not int or answer[name] < 1:
            return f"{name} is {describe(answer[name])}"
    return None


def too_coarse(answer) -> str | None:
    """Return evidence that the cells are too far apart for the objects."""
    stride = layers()[answer["layer"]][0]
    if stride <= OBJECT_PX / 2:
        return None
    return f"the cells of {answer['layer']} are {stride} pixels apart"


def sees_too_little(answer) -> str | None:
    """Return evidence that a head sees less than twice an object's width."""
    sees = layers()[answer["layer"]][3]
    return None if sees >= 2 * OBJECT_PX else f"heads on {answer['layer']} see {sees} pixels"


def other_priors(answer) -> str | None:
    """Return evidence that the number of priors is not that of the design."""
    _, cells, _, _ = layers()[answer["layer"]]
    right = _old_priors() + cells**2 * answer["boxes"]
    return None if answer["priors"] == right else f"you give {answer['priors']} priors"


def other_parameters(answer) -> str | None:
    """Return evidence that the number of parameters is not that of the design."""
    if answer["parameters"] == new_parameters(answer):
        return None
    return f"you give {answer['parameters']} parameters"


def new_parameters(answer, numbers: int = CLASSES + 4, bias: int = 1, kernel: int = 3) -> int:
    """Return the parameters of heads that give so many numbers per prior."""
    _, _, channels, _ = layers()[answer["layer"]]
    return answer["boxes"] * numbers * (channels * kernel**2 + bias)


def only_new_priors(answer) -> bool:
    """Return whether the old priors were forgotten: a mistake in 3.5."""
    if not_a_design(answer):
        return False
    return other_priors({**answer, "priors": answer["priors"] + _old_priors()}) is None


def _old_priors() -> int:
    return sum(fm.cells**2 * fm.boxes_per_cell for fm in SSD300.priors.maps)


def miscounted(**how: int) -> Callable[[dict], bool]:
    """Return a function that recognises parameters that are counted in this way."""
    return lambda answer: (
        not not_a_design(answer) and answer["parameters"] == new_parameters(answer, **how)
    )
