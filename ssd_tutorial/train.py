"""Training, in one loop (chapter 12).

A run is a pure function of its settings and its data: sample number i of a run is the same picture,
augmented in the same way, however many processes load it and wherever the run was interrupted.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from ssd_tutorial.augment import laptop_transform
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import get_model
from ssd_tutorial.run_folder import RunFolder, Step
from ssd_tutorial.samples import Samples, load_batches


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults take a CPU about ten minutes."""

    model: Literal["slim300", "ssd300", "ssd512"] = "slim300"
    """Which detector. slim300 trains on a CPU; the others want a GPU."""
    samples: int = 20_000
    """Pictures seen in all, repeats counted. The budget that decides how good it gets."""
    batch_size: int = 16
    """Pictures a step. Small, because a short run needs many steps more than smooth ones."""
    lr: float = 3e-3
    """Highest learning rate, for AdamW: it gets further than SGD in as few steps."""
    warmup: float = 0.1
    """Share of the run in which the learning rate climbs; afterwards it falls along a cosine."""
    weight_decay: float = 1e-4
    """Pull of weights towards 0. Biases and norms are left alone."""
    clip: float = 10.0
    """Largest gradient norm: one odd batch must not undo a hundred good ones."""
    mirror: bool = True
    """Flip half of the pictures left to right."""
    turn_over: bool = False
    """Flip half of them upside down: only where a picture has no up."""
    crop: bool = False
    """SSD's random crop. Slows a short run; worth it in a long one."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bfloat16 where the processor computes in it, float32 elsewhere."""
    seed: int = 0
    """Fixes the initial weights, the order of the pictures and their augmentation."""

    def __post_init__(self):
        rules = {
            "samples": (self.samples >= 1, "1 or more"),
            "batch_size": (self.batch_size >= 1, "1 or more"),
            "lr": (self.lr > 0, "above 0"),
            "warmup": (0 <= self.warmup <= 1, "from 0 to 1"),
            "weight_decay": (self.weight_decay >= 0, "0 or more"),
            "clip": (self.clip > 0, "above 0"),
            "precision": (self.precision in ("auto", "bf16", "fp32"), "auto, bf16 or fp32"),
            "seed": (self.seed >= 0, "0 or more"),
        }
        for name, (holds, rule) in rules.items():
            if not holds:
                raise ValueError(f"{name} must be {rule}, not {getattr(self, name)}")


def train(
    dataset: Dataset,
    settings: Settings,
    *,
    out: str | Path | None = None,
    device: str | torch.device | None = None,
    workers: int = 0,
    checkpoint_every: int = 2_000,
    log_every: int = 50,
    report: Callable[[Step], None] | None = None,
    progress: bool | None = None,
) -> tuple[SSD, list[Step]]:
    """Train a detector from random weights.

    Seeds torch's global random numbers with ``settings.seed``, for the initial weights; nothing
    that comes after draws on them.

    Args:
        dataset: items of `ssd_tutorial.datasets`, with ``classes``.
        settings: see `Settings`.
        out: a folder for ``run.csv`` and ``checkpoint.safetensors``. If it holds a checkpoint of
            the same settings, training goes on from there; of other settings, it refuses.
        device: where to compute; None takes CUDA if there is one.
        workers: processes that load pictures; 0 loads them between the steps.
        checkpoint_every: samples between two checkpoints.
        log_every: steps between two reports; losses are means over them.
        report: called with every report, such as ``print``.
        progress: show a bar; None shows it where standard error is a terminal.

    Returns:
        The network, and the reports.

    Raises:
        ValueError: an impossible box or label, with the picture's name; an empty dataset; a folder
            of another run (its settings, classes or number of pictures).
        FloatingPointError: the loss is not finite; the message names the batch's pictures.
    """
    if log_every < 1 or checkpoint_every < 1:
        raise ValueError("log_every and checkpoint_every must be 1 or more")
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(settings.seed)
    network = SSD(get_model(settings.model), len(dataset.classes) + 1)
    network = network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay))
    run = RunFolder(out, asdict(settings), dataset)
    first = run.resume(network, optimizer)

    total_steps = math.ceil(settings.samples / settings.batch_size)
    steps = range(first, total_steps)
    bf16 = _computes_bf16(settings, device)
    transform = laptop_transform(
        network.image_size,
        mirror=settings.mirror,
        turn_over=settings.turn_over,
        crop=settings.crop,
    )
    samples = Samples(dataset, transform, settings.samples, settings.seed)
    batches = load_batches(samples, settings.batch_size, network.num_classes, first, workers)
    hide = None if progress is None else not progress
    bar = tqdm(steps, initial=first, total=total_steps, desc="training", unit="step", disable=hide)
    mean = _Mean(run.pending, device)
    history, started = run.history, time.perf_counter() - run.seconds
    for step, (images, targets, names) in zip(bar, batches, strict=True):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, total_steps, settings)
        images = images.to(device, memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits, offsets = network(images)
        loss = multibox_loss(logits, offsets, targets.to(device), network.priors)
        if not loss.total.isfinite():
            raise FloatingPointError(f"the loss is {loss.total:.3g} at step {step}, with {names}")
        optimizer.zero_grad()
        loss.total.backward()
        nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        optimizer.step()

        mean.add(loss)
        seen = min((step + 1) * settings.batch_size, settings.samples)
        if (step + 1) % log_every == 0 or step + 1 == total_steps:
            lr = optimizer.param_groups[0]["lr"]
            line = Step(step + 1, seen, lr, *mean.take(), time.perf_counter() - started)
            history.append(line)
            bar.set_postfix(loss=f"{line.total:.3f}")
            if report is not None:
                report(line)
        due = seen // checkpoint_every > (seen - settings.batch_size) // checkpoint_every
        if due or step + 1 == total_steps:
            seconds = time.perf_counter() - started
            run.save(network, optimizer, step + 1, seconds, mean.pending())
    return network.eval(), history


def learning_rate(step: int, total_steps: int, settings: Settings) -> float:
    """Linear warm-up from 0 to ``settings.lr``, then half a cosine back to 0."""
    warm = max(1, round(settings.warmup * total_steps))
    if step < warm:
        return settings.lr * (step + 1) / warm
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total_steps - warm)))


def _parameter_groups(network: SSD, weight_decay: float) -> list[dict]:
    """Weights decay; biases, norms and the L2Norm's lengths, all one-dimensional, do not."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def _computes_bf16(settings: Settings, device: torch.device) -> bool:
    """Whether to compute in bfloat16. A processor that only emulates it would be slower for it."""
    if settings.precision != "auto":
        return settings.precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    # no public name for this as of torch 2.15; absent in an old one, float32 is right
    asks = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return device.type == "cpu" and asks is not None and asks()


class _Mean:
    """Means of a few steps' losses; kept as tensors, since reading a number waits for a GPU."""

    def __init__(self, pending: list[list[float]], device: torch.device):
        self._losses = [torch.tensor(values, device=device) for values in pending]

    def pending(self) -> list[list[float]]:
        """The losses since the last `take`, for a checkpoint."""
        return [values.tolist() for values in self._losses]

    def add(self, loss) -> None:
        values = (loss.total, loss.confidence, loss.localization, loss.num_positives)
        self._losses.append(torch.stack([v.detach().float() for v in values]))

    def take(self) -> tuple[float, float, float, int]:
        *losses, positives = torch.stack(self._losses).mean(dim=0).tolist()
        self._losses.clear()
        return (*losses, round(positives))
