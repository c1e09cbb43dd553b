"""One training loop, for a laptop and for many GPUs (chapters 12 and 15).

A run is a pure function of its recipe and its data: sample i of a run is the same picture,
augmented in the same way, however many processes load it and wherever the run was interrupted.
"""

import inspect
import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from ssd_tutorial._progress import progress_bar
from ssd_tutorial.augment import Transform, training_transform
from ssd_tutorial.loss import MultiBoxLoss, multibox_loss
from ssd_tutorial.network import SSD
from ssd_tutorial.training.distributed import Devices
from ssd_tutorial.training.loader import TrainingStream, load_batches
from ssd_tutorial.training.log import Step
from ssd_tutorial.training.recipes import Recipe
from ssd_tutorial.training.run_folder import RunFolder
from ssd_tutorial.weights.pretrained import load_start

_log = logging.getLogger(__name__)


def train(
    dataset: Dataset,
    recipe: Recipe,
    *,
    out: str | Path | None = None,
    devices: Devices | None = None,
    workers: int = 0,
    on_error: Literal["raise", "drop"] = "raise",
    compile: bool = False,
    loss_function: Callable[..., MultiBoxLoss] = multibox_loss,
    checkpoint_every: int = 2_000,
    log_every: int = 50,
    report: Callable[[Step], None] | None = None,
    progress: bool | None = None,
) -> tuple[SSD, list[Step]]:
    """Train a detector.

    Seeds torch's global generator with ``recipe.seed`` for the initial weights; nothing after that
    draws from it.

    Args:
        dataset: items of `ssd_tutorial.datasets`, with ``classes``.
        recipe: see `ssd_tutorial.training.recipes`.
        out: a folder for log and checkpoints, see `RunFolder`. Training resumes from a checkpoint
            of the same recipe, and refuses one of another recipe.
        devices: where to compute; None takes CUDA if there is one, and the recipe's precision.
        workers: processes that load pictures; 0 loads them between the steps.
        on_error: raise on a picture that cannot be decoded, or replace it by the next one of its
            epoch and name it in the log.
        compile: compile the network with ``torch.compile``.
        loss_function: the loss to minimise; `multibox_loss`, or one with the same signature.
        checkpoint_every: samples between two checkpoints.
        log_every: steps between two reports; losses are means over them.
        report: called with every report, such as ``print``.
        progress: show a bar; None shows it if standard error is a terminal.

    Returns:
        The network, and the reports.

    Raises:
        ValueError: an impossible box or label, with the picture's name; an empty dataset; a folder
            of a run with another recipe, other classes or another number of pictures, or a
            different one per process; a batch size that processes cannot share equally.
        FloatingPointError: the loss is not finite; the message names the batch's pictures.
    """
    if log_every < 1 or checkpoint_every < 1:
        raise ValueError("log_every and checkpoint_every must be 1 or more")
    devices = devices or Devices(precision=recipe.precision)
    torch.manual_seed(recipe.seed)
    network = SSD(recipe.model_preset(), len(dataset.classes) + 1)
    network = devices.to_device(network).train()
    optimizer = make_optimizer(network, recipe)
    main = devices.is_main_process
    run = RunFolder(out, asdict(recipe), dataset.classes, len(dataset), writes=main)
    first = run.resume(network, optimizer, devices.scaler)
    sum_of_first = devices.sum(torch.tensor(first, device=devices.device)).item()
    if sum_of_first != first * devices.world_size:
        raise ValueError(f"{out} is not the same folder for all processes: use a shared one")
    if first == 0 and main:  # the other processes get the weights of the first one
        _log.info(load_start(network, recipe.start, dataset.classes))

    total_steps = math.ceil(recipe.samples / recipe.batch_size)
    samples = TrainingStream(
        dataset, _transform(recipe, network), recipe.samples, recipe.seed, on_error
    )
    share, pinned = (devices.rank, devices.world_size), devices.device.type == "cuda"
    batches = load_batches(
        samples, recipe.batch_size, network.num_classes, first, workers, share, pinned
    )
    steps = range(first, total_steps)
    shown = progress if main else False
    bar = progress_bar(steps, "training", shown, total_steps, initial=first, unit="step")
    forward = devices.wrap_ddp(network, compile=compile)
    variances = network.config.priors.variances
    named: set[str] = set()
    # of the steps since the last report; tensors, because reading a number waits for the GPU
    losses = [torch.tensor(values, device=devices.device) for values in run.pending]
    history, started = run.history, time.perf_counter() - run.seconds
    with closing(run):
        for step, batch in zip(bar, batches, strict=True):
            for reason in set(batch.dropped) - named:
                _log.warning("left out: %s", reason)
            named.update(batch.dropped)
            lr = learning_rate(step, total_steps, recipe)
            for group in optimizer.param_groups:
                group["lr"] = lr * group["factor"]
            images, targets, names, _ = batch.to(devices.device)
            with devices.autocast():
                logits, offsets = forward(images)
            loss = loss_function(logits, offsets, targets, network.priors, variances=variances)
            loss = devices.share(loss)
            if not loss.total.isfinite():
                raise FloatingPointError(
                    f"the loss is {loss.total.item():.3g} at step {step}, with {names}: most often"
                    f" the learning rate is too high, or its warm-up too short"
                )
            optimizer.zero_grad()
            devices.scaler.scale(loss.total * devices.world_size).backward()  # DDP takes the mean
            devices.scaler.unscale_(optimizer)
            if recipe.grad_clip_norm:
                nn.utils.clip_grad_norm_(network.parameters(), recipe.grad_clip_norm)
            devices.scaler.step(optimizer)
            devices.scaler.update()

            losses.append(devices.sum(torch.stack([part.detach().float() for part in loss])))
            seen = min((step + 1) * recipe.batch_size, recipe.samples)
            seconds = time.perf_counter() - started
            if (step + 1) % log_every == 0 or step + 1 == total_steps:
                *means, positives = torch.stack(losses).mean(dim=0).tolist()
                losses.clear()
                history.append(Step(step + 1, seen, lr, *means, round(positives), seconds))
                bar.set_postfix(loss=f"{history[-1].total:.3f}")
                if report is not None and main:
                    report(history[-1])
            due = seen // checkpoint_every > (seen - recipe.batch_size) // checkpoint_every
            if due or step + 1 == total_steps:
                pending = [values.tolist() for values in losses]
                run.save(network, optimizer, step + 1, seconds, pending, devices.scaler)
    return network.eval(), history


def learning_rate(step: int, total_steps: int, recipe: Recipe) -> float:
    """Warm up linearly from 0 to ``recipe.lr``; then half a cosine to 0, or steps of a tenth."""
    warm = max(1, round(recipe.warmup * total_steps))
    if step < warm:
        return recipe.lr * (step + 1) / warm
    if recipe.schedule == "steps":
        passed = sum(step >= round(share * total_steps) for share in recipe.milestones)
        return recipe.lr * 0.1**passed
    return recipe.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total_steps - warm)))


def make_optimizer(network: SSD, recipe: Recipe) -> torch.optim.Optimizer:
    """Return the recipe's optimizer. Only convolution weights decay; biases learn at `bias_lr`.

    Each group has a ``factor``: its learning rate as a multiple of the recipe's.
    """
    named = list(network.named_parameters())
    weights = [p for _, p in named if p.ndim > 1]
    norms = [p for name, p in named if p.ndim == 1 and not name.endswith("bias")]
    biases = [p for name, p in named if p.ndim == 1 and name.endswith("bias")]
    groups = [
        {"params": weights, "weight_decay": recipe.weight_decay, "factor": 1.0},
        {"params": norms, "weight_decay": 0.0, "factor": 1.0},
        {"params": biases, "weight_decay": 0.0, "factor": recipe.bias_lr},
    ]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(groups, recipe.lr, recipe.momentum)
    return torch.optim.AdamW(groups, recipe.lr, (recipe.momentum, 0.999))


def _transform(recipe: Recipe, network: SSD) -> Transform:
    """Return the recipe's augmentation: it has the settings of `training_transform`, by name."""
    names = inspect.signature(training_transform).parameters.keys() & asdict(recipe)
    return training_transform(network.image_size, **{name: getattr(recipe, name) for name in names})
