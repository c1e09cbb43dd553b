"""What an SSD costs: operations, memory, and pictures per second (chapter 15).

The first two are counted without computing anything: tensors on PyTorch's device ``meta`` have a
shape but no numbers, so even a batch that does not fit into memory is counted within a second. The
speed has to be measured.
"""

import logging
from collections.abc import Callable
from copy import deepcopy
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.targets import make_targets

Precision = Literal["fp32", "bf16", "fp16"]
_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_OPTIMIZER_NUMBERS = {"sgd": 1, "adamw": 2}  # numbers kept per parameter: momentum; two means


class Flops(NamedTuple):
    """Floating-point operations per batch. A multiplication and an addition count as two."""

    forward: int
    backward: int

    @property
    def training(self) -> int:
        """The operations of one step of training: forward and backward."""
        return self.forward + self.backward

    @property
    def multiply_adds(self) -> int:
        """The forward pass in multiply-adds, which many papers call FLOPs: half as many."""
        return self.forward // 2


class Memory(NamedTuple):
    """Bytes that a step of training holds at the same time."""

    weights: int
    """float32, and in half precision the copies that autocast makes of them."""
    gradients: int
    optimizer: int
    """What the optimizer keeps between steps, such as momentum."""
    activations: int
    """What the forward pass keeps for the backward pass; it grows with the batch."""

    @property
    def total(self) -> int:
        """All four. Libraries, the loss and temporary buffers come on top."""
        return sum(self)


class Speed(NamedTuple):
    """Pictures per second: the median of the timed steps, and their quartiles."""

    median: float
    low: float
    high: float


def count_flops(network: SSD, batch_size: int = 1) -> Flops:
    """Count the operations of one pass over a batch, forward and backward.

    Convolutions are counted, by `torch.utils.flop_counter`; ReLU, pooling, norms and the loss are
    not, as in the numbers that papers report. Each count is exactly proportional to the batch.

    Args:
        network: on any device, trained or not; only its shapes are used.
        batch_size: 1 or more.

    Raises:
        ValueError: a batch size below 1.
    """
    shapes = _shapes_of(network, torch.float32)
    with FlopCounterMode(display=False) as forward:
        outputs = functional_call(network, shapes, (_images_on_meta(network, batch_size),))
    with FlopCounterMode(display=False) as backward:
        sum(output.sum() for output in outputs).backward()
    return Flops(forward.get_total_flops(), backward.get_total_flops())


def parameter_count(network: nn.Module) -> int:
    """Count the numbers that training adjusts."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def training_memory(
    network: SSD,
    batch_size: int = 1,
    *,
    precision: Precision = "fp32",
    optimizer: Literal["sgd", "adamw"] = "sgd",
) -> Memory:
    """Count the bytes that a step of training holds.

    Gradients and what the optimizer keeps are float32 in every precision, as `torch.autocast`
    leaves them. Of the activations, each tensor that autograd saves counts once, however many
    operations need it, at the width of ``precision``.

    Args:
        network: on any device; only its shapes are used.
        batch_size: 1 or more.
        precision: of the forward pass.
        optimizer: SGD with momentum keeps one number per parameter, AdamW two.

    Raises:
        ValueError: a batch size below 1, or an unknown precision or optimizer.
    """
    if optimizer not in _OPTIMIZER_NUMBERS:
        raise ValueError(
            f"optimizer must be one of {', '.join(_OPTIMIZER_NUMBERS)}, not {optimizer!r}"
        )
    dtype = _dtype(precision)
    shapes = _shapes_of(network, dtype)
    own = {id(t.untyped_storage()) for t in shapes.values()}
    saved = {}  # by id, and kept alive: otherwise another storage could get the same id

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[id(storage)] = storage
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        functional_call(network, shapes, (_images_on_meta(network, batch_size, dtype),))
    numbers = parameter_count(network)
    copies = 0 if dtype == torch.float32 else dtype.itemsize * numbers
    return Memory(
        weights=4 * numbers + copies,
        gradients=4 * numbers,
        optimizer=4 * numbers * _OPTIMIZER_NUMBERS[optimizer],
        activations=sum(s.nbytes() for i, s in saved.items() if i not in own),
    )


def images_per_second(
    network: SSD,
    batch_size: int,
    precision: Precision = "fp32",
    *,
    training: bool = True,
    seconds: float = 1.0,
    clock: Callable[[], float] | None = None,
) -> Speed:
    """Time steps on noise, on the device that the network is on, by `torch.utils.benchmark`.

    A step of training is forward, loss, backward and SGD with momentum, with four objects per
    picture. Otherwise it is the forward pass, without post-processing. Pictures are already on the
    device: what loading them costs is not included.

    Args:
        network: a copy of it is timed.
        batch_size: pictures per step, 1 or more.
        precision: of the forward pass, by `torch.autocast`.
        training: time a step of training, or the forward pass alone.
        seconds: steps are timed for this long, at least one. A first step is not timed, because a
            GPU chooses its algorithms in it.
        clock: returns seconds; None waits for a GPU and reads the wall clock. On a busy CPU with
            one thread, `time.process_time` counts the time of this process alone.

    Raises:
        ValueError: a batch size below 1, or an unknown precision.
    """
    # It looks for CUDA's compiler and warns if there is one but no GPU, which does not matter here.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    from torch.utils import benchmark

    network = deepcopy(network).train(training)
    timer = benchmark.Timer(
        "step()",
        globals={"step": _step_of(network, batch_size, _dtype(precision), training)},
        num_threads=torch.get_num_threads(),
        timer=clock or benchmark.timer,
    )
    times = timer.blocked_autorange(min_run_time=seconds).times
    speeds = batch_size / torch.tensor(times, dtype=torch.float64)
    return Speed(*speeds.quantile(torch.tensor([0.5, 0.25, 0.75]).double()).tolist())


def _step_of(
    network: SSD, batch_size: int, dtype: torch.dtype, training: bool
) -> Callable[[], object]:
    """Return a function that takes a step on a batch of noise."""
    device, size = next(network.parameters()).device, network.image_size
    _check_batch(batch_size)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (batch_size, 3, size, size), generator=generator)
    images = images.to(device, torch.uint8, memory_format=torch.channels_last)

    def forward() -> tuple[Tensor, Tensor]:
        half = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
        with torch.inference_mode(not training), half:
            return network(images)

    boxes = [[0.1, 0.1, 0.4, 0.5], [0.5, 0.2, 0.9, 0.9], [0, 0, 1, 1], [0.6, 0.6, 0.7, 0.7]]
    objects = torch.tensor(boxes), torch.ones(4, dtype=torch.int64)
    targets = make_targets(*([one] * batch_size for one in objects), network.num_classes)
    targets = targets.to(device)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9)

    def step() -> None:
        optimizer.zero_grad()
        multibox_loss(*forward(), targets, network.priors).total.backward()
        optimizer.step()

    return step if training else forward


def _shapes_of(network: SSD, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return parameters and buffers by name on ``meta``; floating-point ones become `dtype`."""
    return {
        name: torch.empty_like(
            t, device="meta", dtype=dtype if t.is_floating_point() else None
        ).requires_grad_(t.requires_grad)
        for name, t in (*network.named_parameters(), *network.named_buffers())
    }


def _images_on_meta(network: SSD, batch_size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    _check_batch(batch_size)
    size = network.image_size
    return torch.empty(batch_size, 3, size, size, device="meta", dtype=dtype)


def _check_batch(batch_size: int) -> None:
    if batch_size < 1:
        raise ValueError(f"batch_size must be 1 or more, not {batch_size}")


def _dtype(precision: str) -> torch.dtype:
    if precision not in _DTYPES:
        raise ValueError(f"precision must be one of {', '.join(_DTYPES)}, not {precision!r}")
    return _DTYPES[precision]
