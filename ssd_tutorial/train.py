"""Training, in one loop (chapter 12).

A run is a pure function of its settings and its data: sample number i of a run is the same picture,
augmented in the same way, however many processes load it and wherever the run was interrupted.
"""

import csv
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset
from tqdm.auto import tqdm

from ssd_tutorial.augment import laptop_transform
from ssd_tutorial.loss import multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.presets import get_model
from ssd_tutorial.samples import Samples, load_batches
from ssd_tutorial.weights import restore, save_weights

CHECKPOINT = "checkpoint.safetensors"
LOG = "run.csv"
_LOG_FIELDS = ("step", "samples", "lr", "total", "confidence", "localization", "positives", "s")


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


@dataclass(frozen=True)
class Step:
    """What one step of a training did."""

    step: int
    samples: int
    """Pictures seen, this step's included."""
    lr: float
    total: float
    confidence: float
    localization: float
    positives: int
    s: float
    """Seconds since the training started."""


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
        ValueError: an impossible box or label, with the picture's name; a folder of another run.
        FloatingPointError: the loss is not finite; the message names the batch's pictures.
    """
    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.manual_seed(settings.seed)
    network = SSD(get_model(settings.model), len(dataset.classes) + 1)
    network = network.to(device, memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(_parameter_groups(network, settings.weight_decay))
    run = _Run(out, settings, dataset.classes)
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
    mean, history, started = _Mean(), run.history, time.perf_counter() - run.seconds
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
            run.save(network, optimizer, step + 1, time.perf_counter() - started)
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

    def __init__(self):
        self._losses: list[Tensor] = []

    def add(self, loss) -> None:
        values = (loss.total, loss.confidence, loss.localization, loss.num_positives)
        self._losses.append(torch.stack([v.detach().float() for v in values]))

    def take(self) -> tuple[float, float, float, int]:
        *losses, positives = torch.stack(self._losses).mean(dim=0).tolist()
        self._losses.clear()
        return (*losses, round(positives))


class _Run:
    """The folder of a run: its log and its checkpoint. Without a folder, nothing is kept."""

    def __init__(self, out: str | Path | None, settings: Settings, classes: tuple[str, ...]):
        self.folder = None if out is None else Path(out)
        self.settings, self.classes = settings, tuple(classes)
        self.history: list[Step] = []
        self.seconds = 0.0

    def resume(self, network: SSD, optimizer: torch.optim.Optimizer) -> int:
        """Restore the folder's checkpoint, if there is one; return the first step to take."""
        if self.folder is None or not (self.folder / CHECKPOINT).is_file():
            return 0
        facts = restore(self.folder / CHECKPOINT, network, optimizer)
        if facts["settings"] != asdict(self.settings):
            old, new = facts["settings"], asdict(self.settings)
            differ = ", ".join(f"{k} {old.get(k)} -> {new[k]}" for k in new if old.get(k) != new[k])
            raise ValueError(
                f"{self.folder} holds a run with other settings ({differ}):"
                f" give another folder, or remove that one"
            )
        with (self.folder / LOG).open(newline="") as file:
            lines = [Step(*(float(v) for v in row.values())) for row in csv.DictReader(file)]
        self.history += [line for line in lines if line.step <= facts["step"]]
        self.seconds = facts["seconds"]
        return facts["step"]

    def save(
        self, network: SSD, optimizer: torch.optim.Optimizer, step: int, seconds: float
    ) -> None:
        if self.folder is None:
            return
        facts = {"settings": asdict(self.settings), "step": step, "seconds": seconds}
        save_weights(self.folder / CHECKPOINT, network, self.classes, facts, optimizer)
        log = self.folder / LOG
        unfinished = log.with_suffix(".unfinished")
        with unfinished.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_LOG_FIELDS)
            writer.writerows(
                [getattr(line, field) for field in _LOG_FIELDS] for line in self.history
            )
        unfinished.replace(log)
