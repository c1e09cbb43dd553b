"""Where a run computes: in one process or in many, and in which precision (chapter 15).

One process drives one device. torch's launcher starts several processes, on one machine or more,
and gives each its number in environment variables::

    torchrun --nproc-per-node 4 -m ssd_tutorial train --recipe voc0712 --data voc0712 --out RUN

Without the launcher there is one process, and everything here does nothing.
"""

import datetime
import os
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn.parallel import DistributedDataParallel

from ssd_tutorial.loss import MultiBoxLoss
from ssd_tutorial.matching import match
from ssd_tutorial.targets import Targets

# A process that waits longer than this for another one gives up. The default of NCCL and gloo, half
# an hour, is a long time to pay for idle machines; processes only load pictures in between.
_PATIENCE = datetime.timedelta(minutes=10)


class Devices:
    """The processes of a run, seen from one of them.

    Args:
        device: such as ``"cpu"``, ``"cuda"`` or ``"cuda:1"``; None takes CUDA if there is one.
            With several processes on one machine, each takes the GPU of its own number.
        precision: ``"auto"``, ``"bf16"``, ``"fp16"`` or ``"fp32"``.

    Attributes:
        rank: number of this process, from 0.
        is_main_process: whether this process is the one that prints and writes, number 0.
        world_size: number of processes.
        device: where this process computes.
    """

    def __init__(
        self,
        device: str | torch.device | None = None,
        precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto",
    ):
        self.world_size = int(os.environ.get("WORLD_SIZE", 1))
        self.rank = int(os.environ.get("RANK", 0))
        self.is_main_process = self.rank == 0
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        if self.device.type == "cuda":
            if self.world_size > 1:
                self.device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)))
            torch.cuda.set_device(self.device)
        if self.world_size > 1 and not dist.is_initialized():
            backend = "nccl" if self.device.type == "cuda" else "gloo"
            dist.init_process_group(backend, timeout=_PATIENCE)
        self.dtype = _autocast_dtype(precision, self.device)
        # float16 cannot represent less than 6e-8: gradients are scaled up, and back before use
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.dtype is torch.float16)

    def to_device(self, network: nn.Module) -> nn.Module:
        """Move the network to this device, channels last: the fastest layout for convolutions.

        With several GPUs, batch norm computes its statistics over all processes. torch cannot do
        so on CPUs: there, each process uses those of its own pictures.
        """
        if self.world_size > 1 and self.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return network.to(self.device, memory_format=torch.channels_last)

    def wrap_ddp(self, network: nn.Module, *, compile: bool = False) -> nn.Module:
        """Return the network to call in training: its gradients are means over all processes."""
        if self.world_size > 1:
            network = DistributedDataParallel(network)
        return torch.compile(network) if compile else network

    def autocast(self) -> torch.autocast:
        """Return a context that computes in half precision if the precision asks for it."""
        dtype = self.dtype or torch.bfloat16  # required even if autocast is disabled
        return torch.autocast(self.device.type, dtype, enabled=self.dtype is not None)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of `value` over all processes."""
        if self.world_size > 1:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def count_positives(self, priors: Tensor, parts: Sequence[Targets]) -> Tensor | None:
        """Return the N of a batch that is computed in several parts; None if it is in one.

        Args:
            priors: the network's.
            parts: the targets of this process's parts.
        """
        if self.world_size == 1 and len(parts) == 1:
            return None
        return self.sum(sum(match(priors, targets).positive.sum() for targets in parts))

    def close(self) -> None:
        """Leave the process group."""
        if dist.is_initialized():
            dist.destroy_process_group()


def part_of(loss: MultiBoxLoss, num_positives: Tensor | None) -> MultiBoxLoss:
    """Return a part's loss divided by the N of the whole batch, not by the part's own.

    So the parts, of one process or of many, add up to the loss of the whole batch.
    """
    if num_positives is None:
        return loss
    share = loss.num_positives.clamp(min=1) / num_positives.clamp(min=1)
    return MultiBoxLoss(*(value * share for value in loss[:3]), loss.num_positives)


def _autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the half precision to use, if any: a processor that only emulates bf16 is slower."""
    if precision != "auto":
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": None}[precision]
    if device.type == "cuda":
        # the plain check is true on a T4 or a V100, too, which are slow at it
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else None
    # no public name for this as of torch 2.15; absent in an old one, float32 is right
    asks = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return torch.bfloat16 if device.type == "cpu" and asks is not None and asks() else None
